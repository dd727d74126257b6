"""The authorization endpoint: what each request leads to, for whom, and how the client gets its answer."""
import json
import time

import pytest
import requests

from chrome import find, open_chrome
from person import answer_of, request_for, token_request
from receiver import Receiver
from test_tokens import claims_of, header_of, userinfo
from visitor import CALLBACK, PASSWORD, Visitor, new_client, new_user

ACR = "urn:partita:acr:password"


@pytest.fixture(scope="module")
def world(partita):
    """Ann is signed in and has allowed one client; Bob was here; nobody knows the stranger."""
    ann = Visitor(partita, new_user(partita, "name=Ann", "email=ann@example.org", "phone_number=+49 30 1"))
    bob = Visitor(partita, new_user(partita))
    clients = {"allowed": new_client(partita), "new": new_client(partita), "own": new_client(partita, "--first-party")}
    hint = ann.tokens(clients["allowed"])["id_token"]
    return {"partita": partita, "ann": ann, "bob": bob, "nobody": Visitor(partita), **clients, "hint": hint,
            "sub": claims_of(hint)["sub"], "other": bob.tokens(clients["allowed"])["id_token"]}


def claims(**places):
    return json.dumps(places)


def acr(essential, value):
    return claims(id_token={"acr": {"essential": essential, "value": value}})


# (what, who, client, parameters, what comes of it): a page, "code", or the error that the client gets
DECISIONS = [
    ("nobody is signed in", "nobody", "allowed", {}, "sign-in"),
    ("nobody, prompt none", "nobody", "allowed", {"prompt": "none"}, "login_required"),
    ("nobody, prompt none and a hint", "nobody", "allowed", {"prompt": "none", "id_token_hint": "{hint}"}, "login_required"),
    ("nobody, prompt consent", "nobody", "allowed", {"prompt": "consent"}, "sign-in"),
    ("nobody, prompt select_account", "nobody", "allowed", {"prompt": "select_account"}, "sign-in"),
    ("nobody, a client of the operator's own", "nobody", "own", {}, "sign-in"),
    ("signed in and allowed", "ann", "allowed", {}, "code"),
    ("prompt none", "ann", "allowed", {"prompt": "none"}, "code"),
    ("prompt login", "ann", "allowed", {"prompt": "login"}, "sign-in"),
    ("prompt consent", "ann", "allowed", {"prompt": "consent"}, "consent"),
    ("prompt select_account", "ann", "allowed", {"prompt": "select_account"}, "select-account"),
    ("prompt login consent", "ann", "allowed", {"prompt": "login consent"}, "sign-in"),
    ("prompt select_account consent", "ann", "allowed", {"prompt": "consent select_account"}, "select-account"),
    ("max_age not reached", "ann", "allowed", {"max_age": "10000"}, "code"),
    ("max_age 0", "ann", "allowed", {"max_age": "0"}, "sign-in"),
    ("max_age 0, prompt none", "ann", "allowed", {"max_age": "0", "prompt": "none"}, "login_required"),
    ("the right id_token_hint", "ann", "allowed", {"id_token_hint": "{hint}"}, "code"),
    ("the right id_token_hint, prompt none", "ann", "allowed", {"id_token_hint": "{hint}", "prompt": "none"}, "code"),
    ("id_token_hint of another", "ann", "allowed", {"id_token_hint": "{other}"}, "sign-in"),
    ("id_token_hint of another, prompt none", "ann", "allowed", {"id_token_hint": "{other}", "prompt": "none"}, "login_required"),
    ("the right sub", "ann", "allowed", {"claims": claims(id_token={"sub": {"value": "{sub}"}}), "prompt": "none"}, "code"),
    ("another sub", "ann", "allowed", {"claims": claims(id_token={"sub": {"value": "x"}})}, "sign-in"),
    ("another sub, prompt none", "ann", "allowed", {"claims": claims(id_token={"sub": {"value": "x"}}), "prompt": "none"}, "login_required"),
    ("acr_values that are reached", "ann", "allowed", {"acr_values": ACR}, "code"),
    ("acr_values that nothing reaches", "ann", "allowed", {"acr_values": "urn:x:hardware"}, "code"),
    ("a voluntary acr", "ann", "allowed", {"claims": acr(False, "urn:x:hardware")}, "code"),
    ("an essential acr", "ann", "allowed", {"claims": acr(True, ACR)}, "code"),
    ("an essential acr that nothing reaches", "ann", "allowed", {"claims": acr(True, "urn:x:hardware")},
     "unmet_authentication_requirements"),
    ("fewer scopes", "ann", "more", {"scope": "openid"}, "code"),
    ("more scopes", "ann", "allowed", {"scope": "openid phone"}, "consent"),
    ("more scopes, prompt none", "ann", "allowed", {"scope": "openid phone", "prompt": "none"}, "consent_required"),
    ("a claim that was not allowed", "ann", "allowed", {"claims": claims(userinfo={"email": None})}, "consent"),
    ("that claim, prompt none", "ann", "allowed", {"claims": claims(userinfo={"email": None}), "prompt": "none"}, "consent_required"),
    ("a client not allowed yet", "ann", "new", {}, "consent"),
    ("a client not allowed yet, prompt none", "ann", "new", {"prompt": "none"}, "consent_required"),
    ("a client of the operator's own", "ann", "own", {"scope": "openid profile email"}, "code"),
    ("a client of the operator's own, prompt none", "ann", "own", {"prompt": "none"}, "code"),
    ("a client of the operator's own, prompt consent", "ann", "own", {"prompt": "consent"}, "consent"),
    ("a scope that nobody knows", "ann", "allowed", {"scope": "openid fortune"}, "code"),
    ("a parameter that nobody knows", "ann", "allowed", {"resource_colour": "blue"}, "code"),
    ("empty parameters", "ann", "allowed", {"prompt": "", "max_age": "", "claims": "", "response_mode": ""}, "code"),
    ("display, ui_locales and login_hint only hint", "ann", "allowed",
     {"display": "touch", "ui_locales": "xx de", "login_hint": "somebody"}, "code"),
]


@pytest.mark.parametrize("row", DECISIONS, ids=[row[0] for row in DECISIONS])
def test_what_a_request_leads_to(world, row):
    _, who, client, parameters, expected = row
    if client == "more" and "more" not in world:
        world["more"] = new_client(world["partita"])
        world["ann"].tokens(world["more"], "openid email")
    filled = {name: value.replace("{hint}", world["hint"]).replace("{other}", world["other"]).replace("{sub}", world["sub"])
              for name, value in parameters.items()}
    for method in ("GET", "POST"):
        seen = world[who].ask(world[client], method, **filled)
        assert seen.kind == expected, method
        if seen.away:
            assert seen.away.startswith(CALLBACK + "?") and seen.answer["iss"] == world["partita"].issuer
            assert seen.answer["state"] == world[who].request["state"]
        else:
            assert seen.status == 200


# --- signing in ---

@pytest.mark.parametrize("parameters, seconds", [({"prompt": "login"}, 1), ({"max_age": "0"}, 1), ({"max_age": "1"}, 2)], ids=str)
def test_a_sign_in_is_asked_for_again_once(partita, world, parameters, seconds):
    visitor, client = Visitor(partita, new_user(partita)), world["own"]
    before = claims_of(visitor.tokens(client)["id_token"])
    time.sleep(seconds + 0.1)
    seen = visitor.ask(client, **parameters)
    assert seen.kind == "sign-in" and seen.field("username") == visitor.username
    assert "once more" in seen.text
    tokens = visitor.tokens(client, **parameters)
    after = claims_of(tokens["id_token"])
    assert after["sid"] == before["sid"] and after["auth_time"] >= before["auth_time"] + seconds
    assert visitor.ask(client).kind == "code", "only whoever asks so is answered so"


def test_default_max_age_of_a_client(partita):
    visitor, client = Visitor(partita, new_user(partita)), new_client(partita, "--first-party", "--default-max-age", "1")
    visitor.tokens(client)
    time.sleep(2.1)
    assert visitor.ask(client).kind == "sign-in" and visitor.ask(client, max_age="1000").kind == "code"


def test_login_hint(partita, world):
    visitor = Visitor(partita)
    seen = visitor.ask(world["own"], login_hint='ann "<b>&\'')
    assert seen.field("username") == 'ann "<b>&\'' and "<b>" not in seen.response.text
    seen = visitor.fill_in(seen, "somebody else", "wrong")
    assert seen.refused and seen.field("username") == "somebody else", "what was typed stays"


# (user name, password, what the page says; None: signed in)
TYPED = [
    ("{name}", PASSWORD, None), ("  {name} ", PASSWORD, None), ("{NAME}", PASSWORD, None), ("{name}", " " + PASSWORD, "do not belong together"),
    ("{name}", PASSWORD.upper(), "do not belong together"), ("", PASSWORD, "enter your user name"), ("   ", PASSWORD, "enter your user name"),
    ("{name}", "", "enter your password"), ("x" * 300, "x", "longer than any can be"), ("{name}", "x" * 1025, "longer than any can be"),
    ("{name}\x01", PASSWORD, "do not belong together"), ("näme \U0001f600", "x", "do not belong together"), ("' OR 1=1 --", "x", "do not belong together"),
]


def test_what_is_typed(partita, world):
    name = new_user(partita)
    for username, password, words in TYPED:
        visitor = Visitor(partita)
        username = username.replace("{name}", name).replace("{NAME}", name.upper())
        seen = visitor.send(visitor.ask(world["own"]), "sign-in", {"username": username, "password": password})
        if words is None:
            assert seen.kind == "code"
        else:
            assert seen.kind == "sign-in" and words in seen.text and visitor.cookie() is None
            assert "<b>" not in seen.text and seen.field("username") == (username.strip() if len(username) < 256 else "")


def test_id_token_hint_of_another(partita, world):
    visitor = Visitor(partita, world["bob"].username)
    seen = visitor.fill_in(visitor.ask(world["own"], id_token_hint=world["hint"]))
    assert seen.kind == "login_required", "another than the one asked for"
    assert visitor.ask(world["own"]).kind == "code", "Bob is signed in all the same"
    seen = visitor.ask(world["own"], id_token_hint=world["hint"])
    assert visitor.fill_in(seen, world["ann"].username).kind == "code"


def test_an_expired_id_token_hint(partita_odd):
    visitor, client = Visitor(partita_odd, new_user(partita_odd)), new_client(partita_odd, "--first-party")
    hint = visitor.tokens(client)["id_token"]
    time.sleep(max(0, claims_of(hint)["exp"] + 1 - time.time()))
    assert visitor.ask(client, id_token_hint=hint, prompt="none").kind == "code"
    assert visitor.ask(client, id_token_hint=hint[:-2] + "xx", prompt="none").kind == "invalid_request"


def test_an_id_token_hint_after_a_rotation_of_keys(partita_odd):
    """Retired keys still tell whom a hint names."""
    visitor, client = Visitor(partita_odd, new_user(partita_odd)), new_client(partita_odd, "--first-party")
    hint = visitor.tokens(client)["id_token"]
    partita_odd.opctl("key", "rotate")
    deadline = time.monotonic() + 15
    while header_of(visitor.tokens(client)["id_token"])["kid"] == header_of(hint)["kid"]:
        assert time.monotonic() < deadline, "no other key signs"
        time.sleep(0.1)
    assert visitor.ask(client, id_token_hint=hint, prompt="none").kind == "code"
    assert visitor.get("/logout", id_token_hint=hint).kind == "You are signed out"


def test_select_account(partita, world):
    visitor, other = Visitor(partita, world["bob"].username), new_user(partita)
    before = claims_of(visitor.tokens(world["own"])["id_token"])
    seen = visitor.ask(world["own"], prompt="select_account")
    assert visitor.username in seen.text
    assert visitor.send(seen, "select-account", button=("account", "this")).kind == "code"
    seen = visitor.send(visitor.ask(world["own"], prompt="select_account"), "select-account", button=("account", "other"))
    assert seen.kind == "sign-in" and seen.field("username") == ""
    seen = visitor.fill_in(seen, other, "wrong")
    assert seen.refused and seen.field("username") == other, "still another account, not the present one"
    assert visitor.fill_in(seen, other).kind == "code"
    after = claims_of(visitor.tokens(world["own"])["id_token"])
    assert after["sub"] != before["sub"] and after["sid"] != before["sid"]
    assert partita.opctl("session", "show", before["sid"], check=False).returncode != 0, "one browser, one session"


# --- consent ---

def test_consent_is_remembered_for_a_client_and_its_scopes(partita, world):
    visitor, client = Visitor(partita, new_user(partita)), new_client(partita)
    seen = visitor.fill_in(visitor.ask(client, scope="openid email"))
    assert client["name"] in seen.text and "see your e-mail address" in seen.text and "phone" not in seen.text
    denied = visitor.decide(seen, "deny")
    assert denied.kind == "access_denied" and denied.away.startswith(CALLBACK)
    seen = visitor.ask(client, scope="openid email")
    assert seen.kind == "consent", "a refusal is not remembered"
    assert visitor.decide(seen, "allow").kind == "code"
    assert visitor.ask(client, scope="email openid").kind == "code"
    assert visitor.ask(client, scope="openid").kind == "code"
    seen = visitor.ask(client, scope="openid phone")
    assert visitor.decide(seen, "allow").kind == "code"
    assert visitor.ask(client, scope="openid email phone").kind == "code", "what was allowed adds up"
    assert visitor.ask(new_client(partita), scope="openid").kind == "consent", "each client is asked about"
    assert Visitor(partita, visitor.username).go_on(visitor.ask(client)).kind == "code", "in every browser"
    assert visitor.decide(visitor.ask(client, prompt="consent"), "deny").kind == "access_denied"
    assert visitor.ask(client, scope="openid email phone").kind == "code", "a refusal takes nothing away"


def test_the_claims_parameter(partita, world):
    client = new_client(partita)
    wanted = claims(id_token={"email": {"essential": True}, "nickname": {"essential": True}, "auth_time": None},
                    userinfo={"phone_number": None, "birthdate": {"essential": True}})
    seen = world["ann"].ask(client, claims=wanted)
    for text in ("see your e-mail address", "see your nickname", "see your phone number", "see your date of birth"):
        assert text in seen.text
    tokens = world["ann"].tokens(client, claims=wanted)
    id_token = claims_of(tokens["id_token"])
    assert id_token["email"] == "ann@example.org" and "phone_number" not in id_token and id_token["auth_time"]
    assert "nickname" not in id_token, "what is not known is left out, essential or not"
    answer = userinfo(partita, tokens["access_token"]).json()
    assert answer == {"sub": id_token["sub"], "phone_number": "+49 30 1"}
    assert world["ann"].ask(client, claims=wanted).kind == "code"


# --- the way back ---

@pytest.mark.parametrize("outcome, more", [("code", {}), ("login_required", {"prompt": "none", "max_age": "0"}),
                                           ("invalid_scope", {"scope": '"'}), ("invalid_request", {"nonce": "\x07"})])
@pytest.mark.parametrize("mode", ["query", "fragment", "form_post"])
def test_response_modes(world, mode, outcome, more):
    seen = world["ann"].ask(world["allowed"], response_mode=mode, **more)
    if mode == "form_post":
        form = seen.page.forms[0]
        assert (form.action, form.method, seen.status) == (CALLBACK, "post", 200)
        answer = dict(form.fields)
        assert "script-src 'self'" in seen.response.headers["Content-Security-Policy"]
    else:
        answer = answer_of(seen.away)
        assert seen.away.startswith(CALLBACK + ("?" if mode == "query" else "#"))
    assert answer.pop("state") == world["ann"].request["state"] and answer.pop("iss") == world["partita"].issuer
    description = answer.pop("error_description", None)
    assert set(answer) == {"code"} if outcome == "code" else answer == {"error": outcome} and description


def test_plain_pkce_where_a_setting_allows_it(partita_odd):
    visitor, client = Visitor(partita_odd, new_user(partita_odd)), new_client(partita_odd, "--public", "--first-party")
    verifier = "v" * 43
    for method, sent, status in (("plain", verifier, 200), (None, verifier, 200), ("plain", "w" * 43, 400), ("S256", verifier, 400)):
        seen = visitor.go_on(visitor.ask(client, code_challenge=verifier, code_challenge_method=method))
        answer = token_request(partita_odd, client, sent, grant_type="authorization_code", code=seen.answer["code"], redirect_uri=CALLBACK)
        assert answer.status_code == status, method
    assert visitor.ask(client, code_challenge=None, code_challenge_method=None).kind == "invalid_request", "a public client needs one"


def test_a_redirect_uri_with_a_query_keeps_it(partita, world):
    uri = CALLBACK + "?from=partita&x=%20y"
    client = new_client(partita, "--first-party", redirect_uri=uri)
    assert world["ann"].ask(client).away.startswith(uri + "&code=")
    assert world["ann"].ask(client, response_mode="fragment").away.startswith(uri + "#code=")


@pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without"])
def test_form_post_in_a_browser(partita, scripts):
    with Receiver() as receiver:
        client = new_client(partita, "--first-party", redirect_uri=receiver.url)
        request, verifier = request_for(client["client_id"], receiver.url, response_mode="form_post")
        driver = open_chrome(scripts=scripts)
        try:
            driver.get(requests.Request("GET", partita.issuer + "/authorize", params=request).prepare().url)
            find(driver, "input[name=username]").send_keys(new_user(partita))
            find(driver, "input[name=password]").send_keys(PASSWORD)
            find(driver, "form button[type=submit]").click()
            if not scripts:
                find(driver, "#answer button").click()
            find(driver, "#received")
            assert not [entry for entry in driver.get_log("browser") if "Content Security Policy" in entry["message"]]
        finally:
            driver.quit()
    (method, answer), = receiver.received
    assert method == "POST" and answer["state"] == request["state"] and answer["iss"] == partita.issuer
    done = token_request(partita, client, verifier, grant_type="authorization_code", code=answer["code"], redirect_uri=receiver.url)
    assert done.status_code == 200


def test_a_request_too_long_for_an_address(world):
    """Posted from another site it comes without the cookie, so it is entered again, by a form when no redirect can hold it."""
    wanted = claims(id_token={f"claim_{i}": None for i in range(300)})
    seen = world["nobody"].ask(world["own"], "POST", claims=wanted)
    assert seen.kind == "authorize" and seen.status == 200
    seen = world["ann"].seen(world["ann"].submit(seen.response, seen.form("authorize"), {}))
    assert seen.kind == "code" and seen.answer["state"] == world["nobody"].request["state"]
