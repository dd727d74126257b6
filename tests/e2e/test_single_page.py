"""oidc-client-ts, unchanged, in Chromium, on a page of another site, as applications of a single page use it."""
import contextlib
import json
import os

import pytest
import requests
from selenium.common.exceptions import NoSuchWindowException
from selenium.webdriver.support.ui import WebDriverWait

from chrome import HERE, find, open_chrome, wait_text
from receiver import Receiver
from test_playground import fill_in
from visitor import PASSWORD, new_user

LIBRARY = os.path.join(HERE, "node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js")
LIFETIME = 600  # of access tokens, as shipped


class App:
    """The page and its scripts on an origin of its own, the client that it is, and a person at a browser."""

    def __init__(self, partita, site):
        self.partita, self.origin = partita, site.origin
        uris = [word for path in ("/callback", "/popup") for word in ("--redirect-uri", self.origin + path)]
        self.client = partita.opctl("client", "add", "--name", "An application of a single page", "--public", *uris,
                                    "--post-logout-redirect-uri", self.origin + "/bye", "--grant", "authorization_code",
                                    "--grant", "refresh_token", "--scope", "openid profile email")
        setup = {"authority": partita.issuer, "client_id": self.client["client_id"], "scope": "openid profile email",
                 "accessTokenExpiringNotificationTimeInSeconds": LIFETIME - 1, "automaticSilentRenew": False}
        with open(os.path.join(HERE, "single_page.html"), encoding="utf-8") as file:
            page = file.read()
        for path in ("/", "/callback", "/popup", "/bye"):
            site.pages[path] = page.replace("SETUP", json.dumps(setup))
        with open(LIBRARY, encoding="utf-8") as file:
            site.pages["/oidc-client-ts.js"] = file.read()
        self.username = new_user(partita, "email=ann@example.org")
        self.driver = open_chrome()

    def run(self, promise):
        """What a promise on the page comes to: the error's name or text where it fails."""
        return self.driver.execute_async_script(
            f"const done = arguments[0]; ({promise}).then((value) => done(value ?? null), (error) => done(error.error ?? String(error)));")

    def token(self):
        return self.run("manager.getUser().then((user) => user.access_token)")

    def userinfo_status(self, token):
        return requests.get(self.partita.issuer + "/userinfo", headers={"Authorization": "Bearer " + token}, timeout=20).status_code

    def pass_pages(self):
        """Signs in, and consents."""
        fill_in(self.driver, self.username, PASSWORD)
        find(self.driver, "button[name=decision][value=allow]").click()

    def signed_in(self):
        wait_text(self.driver, "#user", "ann@example.org")


@pytest.fixture(scope="module")
def app(partita):
    with Receiver("127.0.0.1") as site:
        made = App(partita, site)
        yield made
        made.driver.quit()


def test_from_sign_in_to_sign_out(app):
    app.driver.get(app.origin + "/")
    wait_text(app.driver, "#user", "nobody")
    find(app.driver, "#sign-in").click()
    app.pass_pages()
    app.signed_in()  # the e-mail address is in userinfo only, which the library fetched from this origin
    assert app.driver.current_url.startswith(app.origin + "/callback?")
    assert find(app.driver, "#user").get_attribute("data-from") == "here"
    assert "email" not in app.run("manager.getUser().then((user) => JSON.parse(atob(user.id_token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/'))))")

    # silent renewal: by itself, when a token has a second of its life behind it, with the refresh token
    first = app.token()
    app.driver.execute_script("manager.startSilentRenew()")
    WebDriverWait(app.driver, 15).until(lambda driver: int(find(driver, "#renewed").text) >= 2)
    app.driver.execute_script("manager.stopSilentRenew()")
    second = app.token()
    assert second != first and app.userinfo_status(second) == 200 and find(app.driver, "#problem").text == ""

    # another visit finds the same user, and renews when it wants to
    app.driver.get(app.origin + "/")
    app.signed_in()
    assert app.run("manager.signinSilent().then((user) => user.profile.email)") == "ann@example.org"
    third = app.token()
    assert third != second

    # sign-out: the tokens are revoked from the page, then the session is over
    find(app.driver, "#sign-out").click()
    WebDriverWait(app.driver, 15).until(lambda driver: driver.current_url.startswith(app.origin + "/bye"))
    wait_text(app.driver, "#user", "nobody")
    assert {app.userinfo_status(token) for token in (first, second, third)} == {401}
    app.driver.get(app.partita.issuer + "/account")
    find(app.driver, "input[name=password]")


def test_in_a_window_of_its_own(app):
    driver = app.driver
    driver.get(app.origin + "/")
    wait_text(driver, "#user", "nobody")
    page = driver.current_window_handle
    find(driver, "#pop-up").click()
    WebDriverWait(driver, 15).until(lambda d: len(d.window_handles) == 2)
    driver.switch_to.window(next(handle for handle in driver.window_handles if handle != page))
    with contextlib.suppress(NoSuchWindowException):  # it closes itself, perhaps before chromedriver is told that it was clicked
        fill_in(driver, app.username, PASSWORD)
    WebDriverWait(driver, 15).until(lambda d: len(d.window_handles) == 1)
    driver.switch_to.window(page)
    app.signed_in()


def test_errors_are_read_by_the_page(app):
    """As the library tells them: of /token and /userinfo, and of an authorization that was denied."""
    driver = app.driver
    driver.get(app.origin + "/")
    app.signed_in()
    app.run("manager.getUser().then((user) => { user.refresh_token = 'rubbish'; return manager.storeUser(user); })")
    assert app.run("manager.signinSilent()") == "invalid_grant"
    driver.execute_script("manager.signinRedirect({ prompt: 'consent' })")
    find(driver, "button[name=decision][value=deny]").click()
    wait_text(driver, "#problem", "access_denied")
