"""RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0), and what a sign-out ends."""
import time

import pytest

from chrome import find, open_chrome, wait_text
from person import token_request
from test_forms import sign_in_with
from test_tokens import claims_of, refresh, userinfo
from visitor import GOODBYE, SCOPES, Visitor, new_client, new_user


@pytest.fixture(scope="module")
def clients(partita):
    disabled = new_client(partita)
    partita.opctl("client", "disable", disabled["client_id"])
    return {"client": new_client(partita), "other": new_client(partita), "disabled": disabled,
            "homely": new_client(partita, "--client-uri", "https://homely.example/")}


@pytest.fixture
def ann(partita, clients):
    """Signed in, with tokens of the client, online and offline."""
    visitor = Visitor(partita, new_user(partita))
    visitor.online, visitor.offline = visitor.tokens(clients["client"]), visitor.tokens(clients["client"], SCOPES)
    return visitor


def signed_in(visitor, clients):
    return visitor.ask(clients["client"], prompt="none").kind == "code"


# (what, parameters, what comes of it): "gone" to where the client wished, a page, or "refused" on a page that says this
OUTCOMES = [
    ("a hint alone", {"id_token_hint": "{hint}"}, "You are signed out"),
    ("a hint and where to", {"id_token_hint": "{hint}", "post_logout_redirect_uri": GOODBYE}, "gone"),
    ("a hint, client_id and where to", {"id_token_hint": "{hint}", "client_id": "{client}", "post_logout_redirect_uri": GOODBYE}, "gone"),
    ("no hint", {}, "logout"),
    ("client_id and where to, no hint", {"client_id": "{client}", "post_logout_redirect_uri": GOODBYE}, "logout"),
    ("a hint of somebody else", {"id_token_hint": "{others}", "post_logout_redirect_uri": GOODBYE}, "logout"),
    ("a hint of her other browser", {"id_token_hint": "{elsewhere}", "post_logout_redirect_uri": GOODBYE}, "logout"),
    ("a hint from before she signed in anew", {"id_token_hint": "{before}"}, "You are signed out"),
    ("a hint that is rubbish", {"id_token_hint": "x.y.z"}, "refused: not an ID token of this issuer"),
    ("a hint with a changed signature", {"id_token_hint": "{hint}x"}, "refused: not an ID token of this issuer"),
    ("an access token as hint", {"id_token_hint": "{access}"}, "refused: not an ID token of this issuer"),
    ("a hint of another client", {"id_token_hint": "{hint}", "client_id": "{other}"}, "refused: issued to another client"),
    ("where to, of nobody", {"post_logout_redirect_uri": GOODBYE}, "refused: needs an id_token_hint or client_id"),
    ("an unregistered address", {"id_token_hint": "{hint}", "post_logout_redirect_uri": "https://evil.example/"}, "refused: is not registered"),
    ("a longer path", {"id_token_hint": "{hint}", "post_logout_redirect_uri": GOODBYE + "/x"}, "refused: is not registered"),
    ("a query more", {"id_token_hint": "{hint}", "post_logout_redirect_uri": GOODBYE + "?x=1"}, "refused: is not registered"),
    ("in upper case", {"id_token_hint": "{hint}", "post_logout_redirect_uri": GOODBYE.upper()}, "refused: is not registered"),
    ("a redirect_uri", {"id_token_hint": "{hint}", "post_logout_redirect_uri": GOODBYE.replace("bye", "callback")}, "refused: is not registered"),
    ("an unknown client", {"client_id": "nobody"}, "refused: not that of a client known here"),
    ("a client that is off", {"client_id": "{disabled}", "post_logout_redirect_uri": GOODBYE}, "refused: not that of a client known here"),
    ("where to, twice", [("id_token_hint", "{hint}"), ("post_logout_redirect_uri", GOODBYE), ("post_logout_redirect_uri", GOODBYE)],
     "refused: post_logout_redirect_uri"),
    ("rubbish", [("state", "\x01")], "refused: state"),
    ("where to, too long", {"id_token_hint": "{hint}", "post_logout_redirect_uri": GOODBYE + "x" * 3000}, "refused: post_logout_redirect_uri"),
]


@pytest.mark.parametrize("row", OUTCOMES, ids=[row[0] for row in OUTCOMES])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_a_logout_request_leads_to(partita, clients, ann, row, method):
    _, parameters, expected = row
    before = ann.online["id_token"]
    if "before" in str(parameters):
        ann.online = ann.tokens(clients["client"], prompt="login")
    words = {"{hint}": ann.online["id_token"], "{access}": ann.online["access_token"], "{before}": before,
             "{elsewhere}": Visitor(partita, ann.username).tokens(clients["client"])["id_token"] if "elsewhere" in str(parameters) else "",
             "{others}": Visitor(partita, new_user(partita)).tokens(clients["client"])["id_token"] if "others" in str(parameters) else "",
             "{client}": clients["client"]["client_id"], "{other}": clients["other"]["client_id"], "{disabled}": clients["disabled"]["client_id"]}
    pairs = [("state", "a b&c")]
    for name, value in parameters if isinstance(parameters, list) else parameters.items():
        for word, text in words.items():
            value = value.replace(word, text)
        pairs.append((name, value))
    response = ann.http.request(method, partita.issuer + "/logout", allow_redirects=False, timeout=20,
                                **({"params": pairs} if method == "GET" else {"data": pairs}))
    seen = ann.seen(response)
    ended = expected in ("gone", "You are signed out")
    assert signed_in(ann, clients) != ended
    assert (ann.cookie() is None) == ended
    if expected == "gone":
        assert seen.away == GOODBYE + "?state=a%20b%26c" and seen.answer == {"state": "a b&c"}
    elif expected.startswith("refused: "):
        assert seen.kind == "problem" and seen.status == 400 and expected.removeprefix("refused: ") in seen.text
        assert ann.get(seen.page.links[-1]).kind == "logout", "she can still sign out herself"
    else:
        assert seen.kind == expected and seen.status == 200


def test_a_sign_out_without_a_hint_is_confirmed(partita, clients, ann):
    seen = ann.get("/logout", client_id=clients["client"]["client_id"], post_logout_redirect_uri=GOODBYE, state="s1")
    assert seen.kind == "logout" and ann.username in seen.text and "/account" in seen.page.links
    assert signed_in(ann, clients)
    assert ann.send(seen, "logout").away == GOODBYE + "?state=s1"
    assert not signed_in(ann, clients)
    seen = ann.get("/logout")
    assert seen.kind == "You are signed out" and "/account" in seen.page.links, "nobody is signed in, nothing to ask"


def test_where_to_go_from_signed_out(partita, clients, ann):
    seen = ann.send(ann.get("/logout", client_id=clients["homely"]["client_id"]), "logout")
    assert "https://homely.example/" in seen.page.links and seen.status == 200
    assert ann.get("/logout", post_logout_redirect_uri=GOODBYE, client_id=clients["client"]["client_id"]).away == GOODBYE, "no state, none returned"


@pytest.mark.parametrize("way", ["by a hint", "by the person"])
def test_what_a_sign_out_ends(partita, clients, ann, way):
    """At once: the session, its codes, tokens without offline_access. Offline ones live."""
    client = clients["client"]
    code, verifier = ann.ask(client).answer["code"], ann.verifier
    other = Visitor(partita, ann.username)
    others = other.tokens(client)
    cookie = ann.cookie()
    if way == "by a hint":
        assert ann.get("/logout", id_token_hint=ann.online["id_token"]).kind == "You are signed out"
    else:
        ann.send(ann.get("/logout"), "logout")
    assert userinfo(partita, ann.online["access_token"]).status_code == 401
    assert refresh(partita, client, ann.online).json()["error"] == "invalid_grant"
    assert userinfo(partita, ann.offline["access_token"]).status_code == 200
    assert refresh(partita, client, ann.offline).status_code == 200
    answer = token_request(partita, client, verifier, grant_type="authorization_code", code=code, redirect_uri=client["redirect_uris"][0])
    assert answer.json()["error"] == "invalid_grant"
    ann.http.cookies.set("partita", cookie, domain="localhost.local", path="/")
    assert ann.get("/account").kind == "sign-in", "the old cookie opens nothing"
    assert userinfo(partita, others["access_token"]).status_code == 200 and signed_in(other, clients), "another browser stays"
    sid = claims_of(ann.online["id_token"])["sid"]
    assert partita.opctl("session", "show", sid, check=False).returncode != 0


def test_the_hint_may_be_old(partita_odd):
    visitor, client = Visitor(partita_odd, new_user(partita_odd)), new_client(partita_odd)
    hint = visitor.tokens(client)["id_token"]
    time.sleep(max(0, claims_of(hint)["exp"] + 1 - time.time()))
    assert visitor.get("/logout", id_token_hint=hint, post_logout_redirect_uri=GOODBYE).away == GOODBYE
    assert visitor.get("/account").kind == "sign-in"


def test_a_confirmation_is_for_the_session_it_was_asked_in(partita, clients, ann):
    seen = ann.get("/logout")
    ann.fill_in(ann.ask(clients["client"], prompt="login"), new_user(partita))
    seen = ann.send(seen, "logout")
    assert seen.kind == "logout" and "answer was not used" in seen.text and signed_in(ann, clients) is False
    assert ann.get("/account").form("password")


def test_a_request_too_long_for_an_address(partita, clients, ann):
    """Posted, as the specification allows; entered again because the cookie may have been held back."""
    seen = ann.post("/logout", {"id_token_hint": ann.online["id_token"], "state": "s" * 2000, "logout_hint": "h" * 200, "ui_locales": "en",
                                "post_logout_redirect_uri": GOODBYE, **{f"unknown_{i}": "u" * 100 for i in range(30)}})
    assert seen.kind == "logout" and signed_in(ann, clients), "a page with a button"
    assert ann.send(seen, "logout").away == GOODBYE + "?state=" + "s" * 2000
    assert not signed_in(ann, clients)


def test_chromium_signs_out(partita, clients, ann):
    driver = open_chrome()
    try:
        driver.get(partita.issuer + "/account")
        sign_in_with(driver, ann.username)
        find(driver, "#password-title")
        driver.get(partita.issuer + "/logout")
        wait_text(driver, "h1", "Sign out?")
        find(driver, "main form button[type=submit]").click()
        wait_text(driver, "h1", "You are signed out")
        driver.back()
        driver.refresh()
        wait_text(driver, "h1", "You are signed out")
        driver.get(partita.issuer + "/account")
        find(driver, "input[name=password]")
    finally:
        driver.quit()
