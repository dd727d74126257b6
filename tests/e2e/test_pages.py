"""What is true of every page of op-auth: its headers, the operator's name, a request id that is in the log; and visits write nothing."""
import glob
import json
import os
import struct

import pytest

from test_device import Device, new_device_client
from visitor import CALLBACK, PASSWORD, Visitor, new_client, new_user

PAGE = {
    "Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Content-Language": "en",
}


@pytest.fixture(scope="module")
def world(partita_odd):
    ann = Visitor(partita_odd, new_user(partita_odd))
    ann.enter()
    return {"ann": ann, "nobody": Visitor(partita_odd), "own": new_client(partita_odd, "--first-party"), "third": new_client(partita_odd),
            "device": Device(partita_odd, new_device_client(partita_odd))}


# name -> (how it is reached, status)
PAGES = {
    "front": (lambda w: w["nobody"].get("/"), 200),
    "front, signed in": (lambda w: w["ann"].get("/"), 200),
    "sign in": (lambda w: w["nobody"].ask(w["own"]), 200),
    "sign in to the account": (lambda w: w["nobody"].get("/account"), 200),
    "a wrong password": (lambda w: w["nobody"].fill_in(w["nobody"].get("/account"), "x", "y"), 200),
    "no password": (lambda w: w["nobody"].send(w["nobody"].get("/account"), "sign-in", {"username": "x", "password": ""}), 200),
    "consent": (lambda w: w["ann"].ask(w["third"]), 200),
    "choose an account": (lambda w: w["ann"].ask(w["own"], prompt="select_account"), 200),
    "account": (lambda w: w["ann"].get("/account"), 200),
    "a wrong present password": (lambda w: w["ann"].send(w["ann"].get("/account"), "password",
                                                        {"current": "x", "new": "y" * 10, "repeat": "y" * 10}), 422),
    "sign out": (lambda w: w["ann"].get("/logout"), 200),
    "signed out": (lambda w: w["nobody"].get("/logout"), 200),
    "sign-out refused": (lambda w: w["nobody"].get("/logout", post_logout_redirect_uri="https://evil.example/"), 400),
    "unknown client": (lambda w: w["nobody"].get("/authorize", client_id="x"), 400),
    "wrong redirect_uri": (lambda w: w["nobody"].get("/authorize", client_id=w["own"]["client_id"], redirect_uri=CALLBACK + "/x"), 400),
    "not well-formed": (lambda w: w["nobody"].get("/authorize?a=%zz"), 400),
    "a form of rubbish": (lambda w: w["nobody"].post("/sign-in", {"interaction": "x"}), 400),
    "a form that is none": (lambda w: w["nobody"].post("/sign-in", "{}", **{"Content-Type": "application/json"}), 400),
    "an answer by form_post": (lambda w: w["ann"].ask(w["own"], response_mode="form_post"), 200),
    "a long request, posted": (lambda w: w["nobody"].ask(w["own"], "POST", claims='{"userinfo":{%s}}' % ",".join(
        f'"c{i}":null' for i in range(500))), 200),
    "a device's code": (lambda w: w["nobody"].get("/device"), 200),
    "a wrong code": (lambda w: w["nobody"].send(w["nobody"].get("/device"), "device", {"user_code": "ZZZZ-ZZZZ"}), 200),
    "a code sent as it is not": (lambda w: w["nobody"].post("/device", "{}", **{"Content-Type": "application/json"}), 400),
    "a device, nobody signed in": (lambda w: w["nobody"].get("/device/approve", user_code=w["device"].user_code), 200),
    "a device": (lambda w: w["ann"].get("/device/approve", user_code=w["device"].user_code), 200),
    "a device that nobody knows": (lambda w: w["ann"].get("/device/approve", user_code="ZZZZ-ZZZZ"), 400),
    "a device, done": (lambda w: w["ann"].get("/device/approve", done="allowed"), 200),
    "no such page": (lambda w: w["nobody"].get("/nothing-here"), 404),
    "not this way": (lambda w: w["nobody"].post("/account", {}), 405),
}


@pytest.mark.parametrize("name", PAGES)
def test_headers_and_the_operator(world, name):
    reach, status = PAGES[name]
    seen = reach(world)
    assert seen.status == status, seen.text
    for field, value in PAGE.items():
        assert seen.response.headers.get(field) == value, field
    policy = dict(part.strip().partition(" ")[::2] for part in seen.response.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'" and policy["frame-ancestors"] == "'none'" and policy["base-uri"] == "'none'"
    assert "unsafe-inline" not in str(policy) and "form-action" not in policy
    assert ("script-src" in policy) == (name == "an answer by form_post")
    html = seen.response.text
    assert "<style" not in html and "style=" not in html and " onclick" not in html and html.count("<script") == html.count("<script src=")
    assert "Access-Control-Allow-Origin" not in seen.response.headers
    assert "Haus &amp; Hof" in html and "Haus & Hof" in seen.page.title
    assert "mailto:help@example.org" in seen.page.links
    assert "/assets/logo.svg" in html


def test_redirects_and_assets(partita_odd, world):
    for path in ("/sign-in", "/consent", "/account/password"):
        answer = world["ann"].http.get(partita_odd.issuer + path, allow_redirects=False, timeout=20)
        assert (answer.status_code, answer.headers["Location"], answer.headers["Cache-Control"]) == (303, "/account", "no-store")
    answer = world["ann"].http.get(partita_odd.issuer + "/authorize", params=world["ann"].ask(world["own"]) and world["ann"].request,
                                   allow_redirects=False, timeout=20)
    assert answer.status_code == 303 and answer.headers["Location"].startswith(CALLBACK)
    assert answer.headers["Cache-Control"] == "no-store" and answer.headers["Referrer-Policy"] == "no-referrer"
    for asset, kind in (("partita.css", "text/css; charset=utf-8"), ("form_post.js", "text/javascript; charset=utf-8"), ("logo.svg", "image/svg+xml")):
        answer = world["nobody"].http.get(f"{partita_odd.issuer}/assets/{asset}", timeout=20)
        assert answer.status_code == 200 and answer.headers["Content-Type"] == kind and answer.headers["X-Content-Type-Options"] == "nosniff"
        again = world["nobody"].http.get(f"{partita_odd.issuer}/assets/{asset}", headers={"If-None-Match": answer.headers["ETag"]}, timeout=20)
        assert (again.status_code, again.content) == (304, b"")


def log_lines(partita, server="op-auth"):
    text = ""
    for path in glob.glob(os.path.join(partita.dir, "log", server + "@*.log")):
        with open(path, encoding="utf-8", errors="replace") as file:
            text += file.read()
    return [json.loads(line) for line in text.split("\n") if line.startswith("{")]


def test_an_error_page_has_the_id_that_is_in_the_log(partita_odd, world):
    seen = world["nobody"].get("/authorize", client_id="nobody-knows-me", redirect_uri=CALLBACK)
    assert "not known here" in seen.page.title and "invalid_client" in seen.text
    lines = [line for line in log_lines(partita_odd) if line.get("request_id") == seen.request_id]
    assert [line["error"] for line in lines if line["event"] == "problem_page"] == ["invalid_client"]


def test_what_is_secret_is_not_in_the_log(partita_odd):
    secret, visitor = "very-secret-password", Visitor(partita_odd, new_user(partita_odd))
    visitor.fill_in(visitor.get("/account"), "a-name-nobody-has", secret)
    visitor.enter()
    seen = visitor.go_on(visitor.ask(new_client(partita_odd), state="the-state-of-the-client"))
    text = json.dumps(log_lines(partita_odd))
    assert "signed_in" in text and "code_issued" in text
    for word in (secret, PASSWORD, visitor.cookie(), visitor.cookie("partita-browser"), seen.answer["code"], "a-name-nobody-has"):
        assert word not in text


# --- visits write nothing ---

def last_transactions(partita):
    """Environment -> number of its last transaction, read from LMDB's two meta pages."""
    found = {}
    for path in glob.glob(os.path.join(partita.info["state_dir"], "*/data.mdb")) + glob.glob(os.path.join(partita.info["runtime_dir"], "*/data.mdb")):
        with open(path, "rb") as file:
            head = file.read(65536)
        page = struct.unpack_from("<I", head, 40)[0]  # md_pad of the first database is the page's size
        assert struct.unpack_from("<I", head, 16)[0] == 0xBEEFC0DE and struct.unpack_from("<I", head, page + 16)[0] == 0xBEEFC0DE
        found[path.split("/")[-2]] = max(struct.unpack_from("<Q", head, offset + 144)[0] for offset in (0, page))
    return found


def test_visits_of_nobody_write_nothing(partita_odd, world):
    own = world["own"]
    paths = ["/", "/account", "/logout", "/sign-in", "/nothing", "/assets/partita.css", "/logout?client_id=" + own["client_id"],
             "/.well-known/openid-configuration", "/.well-known/jwks.json", "/userinfo", "/token", "/device", "/device_authorization",
             f"/device?user_code={world['device'].user_code}", f"/device/approve?user_code={world['device'].user_code}",
             "/device/approve?user_code=ZZZZ-ZZZZ", "/device/qr?user_code=ZZZZ-ZZZZ"]
    before = last_transactions(partita_odd)
    assert {"sessions", "codes", "guard", "clients", "users", "credentials", "tokens", "keys", "jwks"} <= set(before)
    count = 0
    while count < 200:
        visitor = Visitor(partita_odd) if count % 3 == 0 else world["nobody"]
        for more in ({}, {"prompt": "none"}, {"prompt": "login"}, {"response_mode": "form_post", "prompt": "none"}, {"scope": '"'}):
            visitor.ask(own, **more)
        for path in paths:
            visitor.get(path)
        visitor.ask(own, "POST")
        count += len(paths) + 6
    assert last_transactions(partita_odd) == before
    world["ann"].ask(own)
    assert last_transactions(partita_odd)["codes"] > before["codes"], "the numbers can move"
