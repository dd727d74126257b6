"""Browsers of other origins: who may read what (Fetch, CORS protocol). Never with credentials."""
import pytest
import requests

from chrome import open_chrome
from receiver import Receiver
from visitor import Visitor, new_client, new_user

SPA, APP = "https://spa.example", "http://localhost:5173"
STRANGERS = ["https://evil.example", "https://spa.example.evil.example", "http://spa.example", "https://spa.example:8443", "https://SPA.example",
             "https://spa.example/", "https://spa.example, https://evil.example", "null", "", "*", "https://" + "a" * 400]


@pytest.fixture(scope="module")
def world(partita):
    new_client(partita, "--public", redirect_uri=SPA + "/deep/callback?x=1")
    new_client(partita, "--public", redirect_uri=APP + "/")
    gone = new_client(partita, "--public", redirect_uri="https://gone.example/cb")
    partita.opctl("client", "remove", gone["client_id"])
    moved = new_client(partita, "--public", redirect_uri="https://before.example/cb")
    partita.opctl("client", "change", moved["client_id"], "--redirect-uri", "https://after.example/cb")
    return {"partita": partita, "moved": moved}


def ask(partita, method, path, origin, preflight=None, **more):
    headers = {"Origin": origin, **more}
    if preflight:
        headers |= {"Access-Control-Request-Method": preflight, "Access-Control-Request-Headers": "authorization,content-type"}
    answer = requests.request(method, partita.issuer + path, headers=headers, allow_redirects=False, timeout=20)
    assert answer.status_code < 500
    assert "Access-Control-Allow-Credentials" not in answer.headers
    return answer


EVERYONE = ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/.well-known/jwks.json"]


@pytest.mark.parametrize("path", EVERYONE)
def test_for_everyone(world, path):
    for origin in (SPA, "https://evil.example", "null"):
        answer = ask(world["partita"], "GET", path, origin)
        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, "*")
        again = ask(world["partita"], "GET", path, origin, **{"If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.headers["Access-Control-Allow-Origin"]) == (304, "*")
        assert ask(world["partita"], "HEAD", path, origin).headers["Access-Control-Allow-Origin"] == "*"
        preflight = ask(world["partita"], "OPTIONS", path, origin, "GET")
        assert preflight.status_code == 204 and preflight.headers["Access-Control-Allow-Origin"] == "*"
        assert "GET" in preflight.headers["Access-Control-Allow-Methods"] and "POST" not in preflight.headers["Access-Control-Allow-Methods"]


# (path, methods)
REGISTERED = [("/token", ["POST"]), ("/revoke", ["POST"]), ("/as/par", ["POST"]), ("/device_authorization", ["POST"]), ("/userinfo", ["GET", "POST"])]


@pytest.mark.parametrize("path, methods", REGISTERED)
@pytest.mark.parametrize("origin", [SPA, APP, "https://after.example"])
def test_for_registered_origins(world, path, methods, origin):
    for method in methods:
        preflight = ask(world["partita"], "OPTIONS", path, origin, method)
        assert (preflight.status_code, preflight.content) == (204, b"")
        assert preflight.headers["Access-Control-Allow-Origin"] == origin
        assert method in preflight.headers["Access-Control-Allow-Methods"].split(", ")
        assert {"authorization", "content-type"} <= set(preflight.headers["Access-Control-Allow-Headers"].lower().split(", "))
        answer = ask(world["partita"], method, path, origin)
        assert answer.status_code in (400, 401) and answer.headers["Access-Control-Allow-Origin"] == origin, "errors are readable, too"
        assert "WWW-Authenticate" in answer.headers["Access-Control-Expose-Headers"]
        for each in (preflight, answer):
            assert "Origin" in each.headers["Vary"]


@pytest.mark.parametrize("path, methods", REGISTERED)
@pytest.mark.parametrize("origin", STRANGERS + ["https://gone.example", "https://before.example"], ids=lambda origin: origin[:40] or "empty")
def test_for_no_other(world, path, methods, origin):
    for answer in [ask(world["partita"], "OPTIONS", path, origin, method) for method in methods] + \
                  [ask(world["partita"], method, path, origin) for method in methods]:
        assert not [name for name in answer.headers if name.startswith("Access-Control-")]
        assert "Origin" in answer.headers["Vary"]


def test_a_change_of_registration_counts_at_once(world):
    partita, client = world["partita"], world["moved"]
    origin = "https://now.example"
    assert "Access-Control-Allow-Origin" not in ask(partita, "OPTIONS", "/token", origin, "POST").headers
    partita.opctl("client", "change", client["client_id"], "--redirect-uri", origin + "/cb", "--redirect-uri", "https://after.example/cb")
    assert ask(partita, "OPTIONS", "/token", origin, "POST").headers["Access-Control-Allow-Origin"] == origin
    other = new_client(partita, "--public", redirect_uri=origin + "/of-another-client")
    partita.opctl("client", "change", client["client_id"], "--redirect-uri", "https://after.example/cb")
    assert ask(partita, "OPTIONS", "/token", origin, "POST").headers["Access-Control-Allow-Origin"] == origin, "another client has it, too"
    partita.opctl("client", "disable", other["client_id"])
    partita.opctl("client", "remove", other["client_id"])
    assert "Access-Control-Allow-Origin" not in ask(partita, "OPTIONS", "/token", origin, "POST").headers


PAGES = ["/", "/authorize", "/sign-in", "/consent", "/select-account", "/logout", "/account", "/account/password", "/assets/partita.css", "/device", "/device/approve",
         "/device/qr", "/nothing"]


@pytest.mark.parametrize("path", PAGES)
def test_no_page_of_a_person(world, path):
    for method in ("GET", "POST", "OPTIONS", "HEAD"):
        answer = ask(world["partita"], method, path, SPA, "POST" if method == "OPTIONS" else None)
        assert not [name for name in answer.headers if name.startswith("Access-Control-")], method


FETCH = """const done = arguments[arguments.length - 1];
fetch(arguments[0], arguments[1]).then(async r => done([r.status, (await r.text()).length > 0]), e => done(["refused"]));"""


def test_chromium_agrees(partita, world):
    """A script on a registered origin reads tokens and errors; on another, only what is for everyone; with credentials, nobody."""
    driver = open_chrome()
    with Receiver() as registered, Receiver() as stranger:
        new_client(partita, "--public", redirect_uri=registered.url)
        visitor = Visitor(partita, new_user(partita))
        token = visitor.tokens(new_client(partita, "--first-party"))["access_token"]
        bearer = {"headers": {"Authorization": "Bearer " + token}}
        form = {"method": "POST", "body": "grant_type=x", "headers": {"Content-Type": "application/x-www-form-urlencoded"}}

        def fetch(path, options=None):
            return driver.execute_async_script(FETCH, partita.issuer + path, options or {})
        try:
            driver.get(registered.origin + "/page")
            assert fetch("/.well-known/jwks.json") == [200, True]
            assert fetch("/userinfo", bearer) == [200, True] and fetch("/token", form) == [401, True]
            assert fetch("/userinfo", {**bearer, "credentials": "include"}) == ["refused"]
            assert fetch("/account") == ["refused"] and fetch("/authorize", {"credentials": "include"}) == ["refused"]
            driver.get(stranger.origin + "/page")
            assert fetch("/.well-known/openid-configuration") == [200, True]
            assert fetch("/userinfo", bearer) == ["refused"] and fetch("/token", form) == ["refused"]
        finally:
            driver.quit()
