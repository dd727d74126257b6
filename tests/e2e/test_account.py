"""The account page: the password, sessions and consents, and what each change ends."""
import datetime
import time

import pytest

from person import token_request
from test_tokens import claims_of, refresh, userinfo
from visitor import PASSWORD, SCOPES, Visitor, new_client, new_user

NEW = "a much better password"


@pytest.fixture
def world(partita):
    """A person in two browsers, each with online and offline tokens of a client."""
    name, client = new_user(partita, "name=Ann Miller"), new_client(partita)
    here, there = Visitor(partita, name), Visitor(partita, name)
    here.http.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    there.http.headers["User-Agent"] = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Safari/604.1"
    tokens = {(place, scope): visitor.tokens(client, SCOPES if scope == "offline" else "openid")
              for place, visitor in (("here", here), ("there", there)) for scope in ("online", "offline")}
    return {"partita": partita, "name": name, "client": client, "here": here, "there": there, "tokens": tokens}


def alive(world):
    """Which tokens are answered, at userinfo and for refreshing alike."""
    found = set()
    for which, tokens in world["tokens"].items():
        at_userinfo = userinfo(world["partita"], tokens["access_token"]).status_code
        at_refresh = refresh(world["partita"], world["client"], tokens).status_code
        assert (at_userinfo, at_refresh) in ((200, 200), (401, 400)), which
        if at_userinfo == 200:
            found.add(" ".join(which))
    return found


ALL = {"here online", "here offline", "there online", "there offline"}


def test_what_the_page_shows(world):
    seen = world["here"].get("/account")
    for words in ("Ann Miller", world["name"], world["client"]["name"], "Firefox · Linux this browser", "Safari · iPhone", "127.0.0.1",
                  "see your e-mail address", "keep its access while you are away"):
        assert words in seen.text, words
    assert len([form for form in seen.page.forms if form.action == "/account/end-session"]) == 2
    assert world["here"].get("/").text.count(world["name"]) == 1, "the front page knows her, too"
    stranger = Visitor(world["partita"], new_user(world["partita"])).enter()
    assert world["client"]["name"] not in stranger.text and "not given any application access" in stranger.text


def test_the_password(world):
    """Sessions elsewhere die, tokens from before die, offline ones too; the session that asked goes on under another cookie."""
    here, there, client = world["here"], world["there"], world["client"]
    code = there.ask(client)
    verifier, cookie = there.verifier, here.cookie()
    assert alive(world) == ALL
    seen = here.send(here.get("/account"), "password", {"current": PASSWORD, "new": NEW, "repeat": NEW})
    assert "Your password has been changed" in seen.text and seen.response.url.endswith("/account?done=password")
    assert here.cookie() not in (None, cookie)
    assert alive(world) == set()
    assert there.ask(client, prompt="none").kind == "login_required"
    answer = token_request(world["partita"], client, verifier, grant_type="authorization_code", code=code.answer["code"],
                           redirect_uri=client["redirect_uris"][0])
    assert answer.json()["error"] == "invalid_grant", "a code from before"
    for scope in ("openid", SCOPES):
        tokens = here.tokens(client, scope)
        assert userinfo(world["partita"], tokens["access_token"]).status_code == 200
        assert refresh(world["partita"], client, tokens).status_code == 200
    fresh = Visitor(world["partita"], world["name"])
    assert fresh.enter().refused, "the old password"
    assert fresh.fill_in(fresh.get("/account"), password=NEW).form("password")
    old = Visitor(world["partita"])
    old.http.cookies.set("partita", cookie, domain="localhost.local", path="/")
    assert old.get("/account").kind == "sign-in", "the cookie from before"


def test_who_signs_in_while_the_password_changes(partita):
    """`since` moves before the new password is stored, and once more behind it: tokens given in between die, too."""
    visitor, before = Visitor(partita, new_user(partita)), int(time.time())
    visitor.send(visitor.enter(), "password", {"current": PASSWORD, "new": NEW, "repeat": NEW})
    since = datetime.datetime.fromisoformat(partita.opctl("user", "show", visitor.username)["since"].replace("Z", "+00:00"))
    assert since.timestamp() >= before + 2, "each move leaves a second behind it"


# (current, new, repeated, words of the page, the field it points to)
REFUSED = [
    ("wrong", NEW, NEW, "That is not your present password", "current"),
    ("", NEW, NEW, "Please enter your present password", "current"),
    (PASSWORD, "short", "short", "shorter than 8 characters", "new"),
    (PASSWORD, "", "", "shorter than 8 characters", "new"),
    (PASSWORD, "x" * 1025, "x" * 1025, "at most 1024", "new"),
    (PASSWORD, NEW, NEW + "!", "not the same", "repeat"),
    (PASSWORD, PASSWORD, PASSWORD, "the same as the present one", "new"),
]


def test_a_password_that_is_refused(world):
    here = world["here"]
    for current, new, repeat, words, field in REFUSED:
        seen = here.send(here.get("/account"), "password", {"current": current, "new": new, "repeat": repeat})
        assert seen.status == 422 and words in seen.text and "#" + field in seen.page.links, words
        assert f'value="{new}"' not in seen.response.text or new == ""
    assert alive(world) == ALL
    assert Visitor(world["partita"], world["name"]).enter().form("password")


def test_long_and_foreign_passwords(partita):
    visitor = Visitor(partita, new_user(partita))
    visitor.enter()
    for old, new in ((PASSWORD, "x" * 1024), ("x" * 1024, "пароль с пробелами 密码 "), ("пароль с пробелами 密码 ", "&=%+;\\\"'<>")):
        seen = visitor.send(visitor.get("/account"), "password", {"current": old, "new": new, "repeat": new})
        assert "has been changed" in seen.text
        assert Visitor(partita, visitor.username, new).enter().form("password")


def test_one_session_ended_from_another(world):
    here, there = world["here"], world["there"]
    sid = claims_of(world["tokens"]["there", "online"]["id_token"])["sid"]
    seen = here.send(here.get("/account"), "end-session", sid=sid)
    assert "That session has ended" in seen.text and "Safari" not in seen.text
    assert alive(world) == ALL - {"there online"}
    assert there.get("/account").kind == "sign-in" and here.ask(world["client"]).kind == "code"


def test_the_own_session_ended(world):
    here = world["here"]
    sid = claims_of(world["tokens"]["here", "online"]["id_token"])["sid"]
    seen = here.send(here.get("/account"), "end-session", sid=sid)
    assert seen.status == 200 and "Sign in" in seen.text and here.cookie() is None
    assert alive(world) == ALL - {"here online"}


def test_a_session_of_somebody_else_cannot_be_ended(world):
    thief = Visitor(world["partita"], new_user(world["partita"]))
    form = thief.enter().form("end-session")
    sid = claims_of(world["tokens"]["here", "online"]["id_token"])["sid"]
    thief.post("/account/end-session", dict(form.fields) | {"sid": sid})
    assert alive(world) == ALL and thief.get("/account").form("password")


def test_a_consent_withdrawn(world):
    """This client's tokens die on the next request, everybody else's stay; it has to ask again, and then all is well."""
    here, client = world["here"], world["client"]
    other = new_client(world["partita"])
    others = here.tokens(other)
    seen = here.send(here.get("/account"), "withdraw", client_id=client["client_id"])
    assert "Access has been withdrawn" in seen.text and client["name"] not in seen.text and other["name"] in seen.text
    assert alive(world) == set()
    assert userinfo(world["partita"], others["access_token"]).status_code == 200
    assert here.ask(client, prompt="none").kind == "consent_required"
    seen = here.ask(client)
    assert seen.kind == "consent"
    assert here.decide(seen, "allow").kind == "code"
    tokens = here.tokens(client)
    assert userinfo(world["partita"], tokens["access_token"]).status_code == 200 and refresh(world["partita"], client, tokens).status_code == 200
    assert alive(world) == set(), "nothing comes back to life"
    assert here.ask(client, scope="openid email").kind == "consent", "what was allowed before is not allowed now"


def test_signed_out_everywhere(world):
    here, there, client = world["here"], world["there"], world["client"]
    cookie = here.cookie()
    seen = here.send(here.get("/account"), "sign-out-everywhere")
    assert "signed out everywhere else" in seen.text and "Safari" not in seen.text and here.cookie() not in (None, cookie)
    assert alive(world) == set()
    assert there.get("/account").kind == "sign-in"
    tokens = here.tokens(client, SCOPES)
    assert userinfo(world["partita"], tokens["access_token"]).status_code == 200 and refresh(world["partita"], client, tokens).status_code == 200
    tokens = there.tokens(client)
    assert userinfo(world["partita"], tokens["access_token"]).status_code == 200


def test_these_endings_one_right_after_the_other(partita):
    """Each is a new beginning, also within the second of the one before."""
    visitor, client, password = Visitor(partita, new_user(partita)), new_client(partita), PASSWORD
    for turn in range(3):
        tokens = visitor.tokens(client, SCOPES)
        assert userinfo(partita, tokens["access_token"]).status_code == 200, turn
        visitor.send(visitor.get("/account"), "withdraw", client_id=client["client_id"])
        assert userinfo(partita, tokens["access_token"]).status_code == 401, turn
        tokens = visitor.tokens(client, SCOPES)
        assert userinfo(partita, tokens["access_token"]).status_code == 200, turn
        new = f"password number {turn}"
        visitor.send(visitor.get("/account"), "password", {"current": password, "new": new, "repeat": new})
        assert userinfo(partita, tokens["access_token"]).status_code == 401, turn
        visitor.password = password = new
        tokens = visitor.tokens(client)
        assert userinfo(partita, tokens["access_token"]).status_code == 200, turn
        visitor.send(visitor.get("/account"), "sign-out-everywhere")
        assert userinfo(partita, tokens["access_token"]).status_code == 401, turn


def test_the_page_after_signing_out_elsewhere(world):
    """A page left open, its session ended meanwhile: nothing happens that she did not see."""
    here, there = world["here"], world["there"]
    seen = there.get("/account")
    here.send(here.get("/account"), "sign-out-everywhere")
    after = there.send(seen, "password", {"current": PASSWORD, "new": NEW, "repeat": NEW})
    assert after.kind == "sign-in" and "answer was not used" in after.text
    assert Visitor(world["partita"], world["name"]).enter().form("password"), "the old password still"
