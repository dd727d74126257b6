"""Forms and the pages around them: what cannot be used says so and offers the way on; nobody else can send one; headers."""
import time

import pytest
import requests
from selenium.webdriver.common.by import By

from chrome import find, open_chrome, wait_text
from person import request_for
from receiver import Receiver
from visitor import PASSWORD, Visitor, new_client, new_user, offers_a_way_on


@pytest.fixture(scope="module")
def world(partita):
    return {"name": new_user(partita), "own": new_client(partita, "--first-party"), "third": new_client(partita)}


# Where each kind of form is found, and the fields and button a person sends it with.
FORMS = {
    "sign-in": (lambda v, w: v.ask(w["own"]), {"username": "{name}", "password": PASSWORD}, None),
    "sign-in of the account": (lambda v, w: v.get("/account"), {"username": "{name}", "password": PASSWORD}, None),
    "select-account": (lambda v, w: [v.enter(), v.ask(w["own"], prompt="select_account")][1], {}, ("account", "this")),
    "consent": (lambda v, w: v.fill_in(v.ask(w["third"])), {}, ("decision", "allow")),
    "logout": (lambda v, w: [v.enter(), v.get("/logout")][1], {}, None),
    "password": (lambda v, w: v.enter(), {"current": PASSWORD, "new": "another good one", "repeat": "another good one"}, None),
    "end-session": (lambda v, w: v.enter(), {}, None),
    "withdraw": (lambda v, w: [v.go_on(v.ask(w["third"], scope="openid")), v.get("/account")][1], {}, None),
    "sign-out-everywhere": (lambda v, w: v.enter(), {}, None),
}


def open_form(partita, world, kind):
    """(visitor, page, form, fields, button): a person of this test's own before that form."""
    visitor = Visitor(partita, new_user(partita))
    find_form, values, button = FORMS[kind]
    seen = find_form(visitor, world)
    form = seen.form(kind.split()[0])
    fields = dict(form.fields) | {name: value.replace("{name}", visitor.username) for name, value in values.items()}
    return visitor, seen, form, fields, button


@pytest.fixture(scope="module", autouse=True)
def old_forms(partita_odd):
    """(when, kind -> form): opened before all the rest, so that they grow old meanwhile."""
    world = {"own": new_client(partita_odd, "--first-party"), "third": new_client(partita_odd)}
    forms = {kind: open_form(partita_odd, world, kind) for kind in FORMS}
    return time.monotonic(), forms


def send(visitor, seen, form, fields, button):
    form.fields = []
    return visitor.seen(visitor.submit(seen.response, form, fields, button))


def flip(text):
    middle = len(text) // 2
    return text[:middle] + ("A" if text[middle] != "A" else "B") + text[middle + 1:]


def of_another_browser(visitor, fields):
    """Only the browser's own cookie is another's; the session's stays."""
    stranger = Visitor(visitor.partita)
    stranger.get("/account")
    visitor.http.cookies.set("partita-browser", stranger.cookie("partita-browser"), domain="localhost.local", path="/")


# (what, what is done to it, words of the page that follows)
UNUSABLE = [
    ("tampered with", lambda v, f: f.update(interaction=flip(f["interaction"])), "cannot be used"),
    ("cut short", lambda v, f: f.update(interaction=f["interaction"][:-10]), "cannot be used"),
    ("rubbish", lambda v, f: f.update(interaction="x y z"), "cannot be used"),
    ("without its seal", lambda v, f: f.pop("interaction"), "cannot be used"),
    ("with another form's seal", lambda v, f: f.update(interaction=v.other_seal), "cannot be used"),
    ("without cookies", lambda v, f: v.http.cookies.clear(), "Cookies are switched off"),
    ("of another browser", of_another_browser, "another browser"),
]


@pytest.mark.parametrize("what, change, words", UNUSABLE, ids=[row[0] for row in UNUSABLE])
@pytest.mark.parametrize("kind", FORMS)
def test_a_form_that_cannot_be_used(partita, world, kind, what, change, words):
    visitor, seen, form, fields, button = open_form(partita, world, kind)
    other = {"sign-in": lambda: visitor.enter().field("interaction", "password")}.get(kind.split()[0], lambda: Visitor(partita).get("/account").field("interaction"))
    visitor.other_seal = other() if what == "with another form's seal" else None
    before = visitor.cookie()
    change(visitor, fields)
    if kind == "logout" and what == "without its seal":
        assert send(visitor, seen, form, fields, button).kind == "logout", "asked again, and nothing has ended"
        return
    seen = send(visitor, seen, form, fields, button)
    assert words in seen.text and seen.status == 400
    if visitor.cookie():
        assert visitor.cookie() == before
    then = offers_a_way_on(visitor, seen)
    if what in ("without cookies", "of another browser") and kind in ("sign-in", "consent", "select-account"):
        assert then.kind in ("sign-in", "consent", "select-account"), "on with what was begun, not from the start"


def test_nothing_of_that_changed_anything(partita, world):
    """The forms above again, sent by a browser that is signed in as somebody else: the session's own forms alone work."""
    for kind in ("password", "end-session", "withdraw", "sign-out-everywhere"):
        visitor, seen, form, fields, button = open_form(partita, world, kind)
        thief = Visitor(partita, new_user(partita))
        thief.enter()
        seal = fields["interaction"]
        answer = thief.post("/account/" + kind, fields)
        assert answer.kind == "problem" and "another browser" in answer.text
        thief.http.cookies.set("partita-browser", visitor.cookie("partita-browser"), domain="localhost.local", path="/")
        answer = thief.post("/account/" + kind, {**fields, "interaction": seal})
        assert "answer was not used" in answer.text, "the browser is right now, the session is not"
        assert visitor.get("/account").form("password"), kind
        assert Visitor(partita, visitor.username).enter().form("password"), "the password is what it was"


@pytest.mark.parametrize("kind", FORMS)
def test_a_form_sent_twice(partita, world, kind):
    """A double click, or Back and once more: the second time is no trouble either."""
    visitor, seen, form, fields, button = open_form(partita, world, kind)
    first = send(visitor, seen, form, dict(fields), button)
    second = send(visitor, seen, form, dict(fields), button)
    assert first.away or first.status == 200, first.text
    if second.kind == "problem":
        offers_a_way_on(visitor, second)
    else:
        assert second.away or second.status == (422 if kind == "password" else 200), second.text


def test_a_second_tab(partita, world):
    visitor = Visitor(partita, new_user(partita))
    one, two = visitor.ask(world["third"], scope="openid"), visitor.ask(world["third"], scope="openid email")
    consent_one = visitor.fill_in(one)
    consent_two = visitor.fill_in(two)
    assert consent_two.kind == "consent", "the form of the second tab works after the first signed in"
    assert visitor.decide(consent_one, "allow").kind == "code" and visitor.decide(consent_two, "allow").kind == "code"
    three = visitor.ask(world["third"], prompt="consent")
    visitor.send(visitor.get("/logout"), "logout")
    seen = visitor.decide(three, "allow")
    assert seen.kind == "sign-in" and "your answer was not used" in seen.text, "the other tab signed out meanwhile"
    assert visitor.go_on(seen).kind == "code"
    four = visitor.ask(world["third"], prompt="consent")
    account = visitor.get("/account")
    visitor.send(visitor.get("/logout"), "logout")
    visitor.fill_in(visitor.get("/account"), world["name"])
    seen = visitor.decide(four, "allow")
    assert seen.kind == "consent" and world["name"] in seen.text, "another account has to be asked itself"
    assert "answer was not used" in visitor.send(account, "sign-out-everywhere").text


# What somebody changed while a form was open, and what the form leads to then.
CHANGES = [
    ("the client is disabled", "consent", lambda p, v, c: p.opctl("client", "disable", c["client_id"]), "not known here"),
    ("the client is removed", "sign-in", lambda p, v, c: p.opctl("client", "remove", c["client_id"]), "not known here"),
    ("its redirect_uri", "consent", lambda p, v, c: p.opctl("client", "change", c["client_id"], "--redirect-uri", "https://x.example/"),
     "cannot be answered"),
    ("its scopes", "consent", lambda p, v, c: p.opctl("client", "change", c["client_id"], "--scope", "profile"), "invalid_scope"),
    ("the user is disabled", "consent", lambda p, v, c: p.opctl("user", "disable", v.username), "your answer was not used"),
    ("the user is disabled, signing in", "sign-in", lambda p, v, c: p.opctl("user", "disable", v.username), "do not belong together"),
    ("the user is removed", "consent", lambda p, v, c: p.opctl("user", "remove", v.username), "your answer was not used"),
    ("the password", "sign-in", lambda p, v, c: p.opctl("user", "password", v.username, secret="something else\n"), "do not belong together"),
    ("the session is ended", "consent", lambda p, v, c: p.opctl("session", "end", "--user", v.username), "your answer was not used"),
    ("the consent was given elsewhere", "consent", lambda p, v, c: (lambda w: w.go_on(w.ask(c)))(Visitor(p, v.username)), "code"),
]


@pytest.mark.parametrize("row", CHANGES, ids=[row[0] for row in CHANGES])
def test_what_changed_while_a_form_was_open(partita, row):
    _, kind, change, expected = row
    client, visitor = new_client(partita), Visitor(partita, new_user(partita))
    seen = visitor.ask(client)
    if kind == "consent":
        seen = visitor.fill_in(seen)
    change(partita, visitor, client)
    seen = visitor.decide(seen, "allow") if kind == "consent" else visitor.fill_in(seen)
    assert seen.kind == expected if seen.away else expected in seen.text
    if seen.kind == "problem":
        assert seen.status == 400


def test_a_way_on_is_no_use_in_another_browser(partita, world):
    """The address that goes on after a sign-in, taken from somebody's history."""
    visitor, stranger = Visitor(partita, new_user(partita)), Visitor(partita, new_user(partita))
    seen = visitor.ask(world["own"], prompt="login")
    form = seen.form("sign-in")
    answer = visitor.submit(seen.response, form, {"username": visitor.username, "password": PASSWORD})
    way_on = answer.headers["Location"]
    assert way_on.startswith("/authorize?interaction=") and visitor.username not in way_on
    stranger.enter()
    assert stranger.get(way_on).kind == "sign-in", "prompt=login is not met there"
    assert Visitor(partita).get(way_on).kind == "sign-in"
    assert visitor.get(way_on).kind == "code" and visitor.get(way_on).kind == "code", "reloaded in its own"
    assert visitor.get(way_on[:-4]).kind == "problem"
    failed = visitor.submit(seen.response, form, {"username": "what-was-typed", "password": "wrong"}).headers["Location"]
    assert "what-was-typed" in visitor.get(failed).response.text and "what-was-typed" not in stranger.get(failed).response.text


def test_a_decision_of_our_own(partita, world):
    visitor = Visitor(partita, new_user(partita))
    for decision in ("maybe", "", "ALLOW", None):
        seen = visitor.ask(world["third"])
        if seen.kind == "sign-in":
            seen = visitor.fill_in(seen)
        seen = visitor.send(seen, "consent", button=("decision", decision) if decision is not None else None)
        assert offers_a_way_on(visitor, seen).kind == "consent"


def sign_in_with(driver, username):
    find(driver, "input[name=username]").clear()
    find(driver, "input[name=username]").send_keys(username)
    find(driver, "input[name=password]").send_keys(PASSWORD)
    find(driver, "form button[type=submit]").click()


def test_back_after_signing_in(partita, world):
    """Whatever the browser shows then, the person gets where she wanted to go."""
    driver, allow = open_chrome(), "button[name=decision][value=allow]"
    with Receiver() as receiver:
        client = new_client(partita, redirect_uri=receiver.url)
        request, _ = request_for(client["client_id"], receiver.url)
        url = requests.Request("GET", partita.issuer + "/authorize", params=request).prepare().url
        try:
            driver.get(url)
            sign_in_with(driver, world["name"])
            find(driver, allow).click()
            find(driver, "#received")
            for count in range(2, 4):
                driver.back()
                find(driver, f"#received, {allow}, input[name=password]")
                if driver.find_elements(By.CSS_SELECTOR, "input[name=password]"):
                    sign_in_with(driver, world["name"])
                    find(driver, f"#received, {allow}")
                for button in driver.find_elements(By.CSS_SELECTOR, allow):
                    button.click()
                find(driver, "#received")
                assert len(receiver.received) == count and receiver.received[-1][1]["code"]
        finally:
            driver.quit()


# --- forms of other origins ---

def test_another_site_cannot_use_a_browsers_session(partita, world):
    """Chromium, signed in; another site posts whatever it could know, with a seal of the attacker's own."""
    attacker, victim = Visitor(partita, new_user(partita)), new_user(partita)
    attacker.go_on(attacker.ask(world["third"]))
    account = attacker.get("/account")
    driver = open_chrome()
    with Receiver("127.0.0.1") as elsewhere:
        try:
            driver.get(partita.issuer + "/account")
            sign_in_with(driver, victim)
            find(driver, "#password-title")
            cookie = driver.get_cookie("partita")["value"]
            for action, more in (("sign-out-everywhere", {}), ("end-session", {}), ("withdraw", {}),
                                 ("password", {"current": PASSWORD, "new": "stolen password", "repeat": "stolen password"})):
                fields = dict(account.form(action).fields) | more
                driver.get(elsewhere.form_to("/" + action, partita.issuer + "/account/" + action, fields))
                wait_text(driver, "h1", "Cookies are switched off")
            # signing the victim in as the attacker
            fields = {"interaction": Visitor(partita).get("/account").field("interaction"), "username": attacker.username, "password": PASSWORD}
            driver.get(elsewhere.form_to("/sign-in", partita.issuer + "/sign-in", fields))
            wait_text(driver, "h1", "Cookies are switched off")
            driver.get(elsewhere.form_to("/logout", partita.issuer + "/logout", {}))
            wait_text(driver, "h1", "Sign out?")
            driver.get(partita.issuer + "/account")
            find(driver, "#password-title")
            assert driver.get_cookie("partita")["value"] == cookie
            wait_text(driver, "main", victim)
        finally:
            driver.quit()
    assert Visitor(partita, victim).enter().form("password")


def test_a_request_posted_from_another_site_finds_the_session(partita, world):
    driver = open_chrome()
    with Receiver() as receiver, Receiver("127.0.0.1") as elsewhere:
        client = new_client(partita, "--first-party", redirect_uri=receiver.url)
        try:
            driver.get(partita.issuer + "/account")
            sign_in_with(driver, world["name"])
            find(driver, "#password-title")
            for path, more in (("/short", {}), ("/long", {"claims": '{"userinfo":{%s}}' % ",".join(f'"claim_{i}":null' for i in range(300))})):
                request, _ = request_for(client["client_id"], receiver.url, **more)
                driver.get(elsewhere.form_to(path, partita.issuer + "/authorize", request))
                if path == "/long":
                    find(driver, "main form button").click()
                find(driver, "#received")
                assert receiver.received[-1][1]["state"] == request["state"] and receiver.received[-1][1]["code"]
        finally:
            driver.quit()


def test_forms_too_old(old_forms):
    opened_at, forms = old_forms
    time.sleep(max(0, opened_at + 10.5 - time.monotonic()))
    for kind, (visitor, seen, form, fields, button) in forms.items():
        seen = send(visitor, seen, form, fields, button)
        assert "open for too long" in seen.text and seen.status == 400, kind
        then = offers_a_way_on(visitor, seen)
        expected = {"sign-in": "sign-in", "sign-in of the account": "sign-in", "consent": "consent", "select-account": "select-account",
                    "logout": "logout"}.get(kind, "account")
        assert then.kind == expected or (expected == "account" and then.form("password")), kind
