"""Chromium drives the playground on its own origin, and looks at every page on the way."""
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from chrome import find, look, open_chrome, overflows, violations, wait_text


@pytest.fixture(scope="module", params=["light", "dark", "phone"])
def chrome(request):
    driver = open_chrome(dark=request.param == "dark", width=390 if request.param == "phone" else 1100, height=844 if request.param == "phone" else 900)
    driver.look = request.param
    yield driver
    driver.quit()


@pytest.fixture(autouse=True)
def nobody_signed_in(chrome):
    chrome.execute_cdp_cmd("Network.clearBrowserCookies", {})


def seen(driver, name):
    look(driver, f"{name}-{driver.look}")
    assert violations(driver) == []
    assert not overflows(driver)


def open_playground(driver, partita):
    driver.get(partita.info["playground"] + "/")
    find(driver, "#sign-in:not([disabled])")


def fill_in(driver, username, password):
    field = find(driver, "input[name=username]")
    field.clear()
    field.send_keys(username)
    find(driver, "input[name=password]").send_keys(password)
    find(driver, "form button[type=submit]").click()


def consent_if_asked(driver, partita):
    """Waits for the consent page or the way back, and allows."""
    WebDriverWait(driver, 15).until(lambda d: d.current_url.endswith("/consent") or not d.current_url.startswith(partita.issuer + "/")
                                    or d.find_elements(By.CSS_SELECTOR, "button[name=decision]"))
    if driver.find_elements(By.CSS_SELECTOR, "button[name=decision]"):
        seen(driver, "consent")
        find(driver, "button[name=decision][value=allow]").click()


def start_sign_in(driver, partita, **options):
    open_playground(driver, partita)
    if options:
        find(driver, "#options summary").click()
    for name, value in options.items():
        field = find(driver, "#" + name)
        if field.tag_name == "select":
            find(driver, f"#{name} option:nth-child({value})").click()
        else:
            field.clear()
            field.send_keys(value)
    find(driver, "#sign-in").click()


def test_the_whole_way(chrome, partita):
    user = partita.info["user"]
    open_playground(chrome, partita)
    seen(chrome, "playground-before")
    find(chrome, "#sign-in").click()
    find(chrome, "input[name=password]")
    seen(chrome, "sign-in")
    fill_in(chrome, user["username"], user["password"])
    consent_if_asked(chrome, partita)
    wait_text(chrome, "#steps", "The ID token, verified")
    wait_text(chrome, "#steps", "The access token, decoded")
    find(chrome, "#refresh").click()
    wait_text(chrome, "#steps", "Fresh tokens")
    find(chrome, "#userinfo").click()
    wait_text(chrome, "#steps", "demo@example.org")
    assert not find(chrome, "#problem").is_displayed()
    seen(chrome, "playground-after")
    find(chrome, "#sign-out").click()
    wait_text(chrome, "#steps", "Signed out")
    start_sign_in(chrome, partita, prompt=2)  # none
    wait_text(chrome, "#problem", "login_required")


def test_a_wrong_password(chrome, partita):
    start_sign_in(chrome, partita)
    fill_in(chrome, partita.info["user"]["username"], "certainly wrong")
    wait_text(chrome, "main", "password")
    assert chrome.find_elements(By.CSS_SELECTOR, "[role=alert], .error, .problem")
    seen(chrome, "wrong-password")
    assert chrome.current_url.startswith(partita.issuer)


def test_a_denied_consent(chrome, partita):
    user = partita.info["user"]
    start_sign_in(chrome, partita, prompt=4)  # consent
    fill_in(chrome, user["username"], user["password"])
    find(chrome, "button[name=decision][value=deny]").click()
    wait_text(chrome, "#problem", "access_denied")
    seen(chrome, "playground-denied")


def test_a_wrong_redirect_uri(chrome, partita):
    start_sign_in(chrome, partita, **{"redirect-uri": "https://evil.example/"})
    find(chrome, "main")
    assert chrome.current_url.startswith(partita.issuer)
    seen(chrome, "wrong-redirect-uri")


def test_the_front_and_account_pages(chrome, partita):
    user = partita.info["user"]
    chrome.get(partita.issuer + "/")
    find(chrome, "main")
    seen(chrome, "front")
    chrome.get(partita.issuer + "/account")
    fill_in(chrome, user["username"], user["password"])
    find(chrome, "main")
    assert chrome.current_url.startswith(partita.issuer + "/account")
    seen(chrome, "account")
    chrome.get(partita.issuer + "/logout")
    find(chrome, "main")
    seen(chrome, "sign-out")
    find(chrome, "main form button[type=submit]").click()
    find(chrome, "main")
    seen(chrome, "signed-out")
    chrome.get(partita.issuer + "/no-such-page")
    seen(chrome, "not-found")
