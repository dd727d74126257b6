"""The sign-on session: its cookie, one for several clients, another identifier at each sign-in, and its ends."""
import time

import pytest

from server_process import Home
from test_tokens import claims_of, refresh, userinfo
from visitor import CALLBACK, PASSWORD, SCOPES, OpAuth, UnixAdapter, Visitor, new_client, new_user

NAMES = {"http": ("partita", "partita-browser"), "https": ("__Host-partita", "__Host-partita-browser")}


@pytest.fixture(scope="module", params=["http", "https"])
def anywhere(request):
    return request.getfixturevalue("partita" if request.param == "http" else "partita_tls")


class Watcher(Visitor):
    """Notes each Set-Cookie as it came."""

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.set_cookies = []
        self.http.hooks["response"].append(self.note)

    def note(self, response, *_, **__):
        for line in response.raw.headers.getlist("Set-Cookie"):
            pair, *attributes = [part.strip() for part in line.split(";")]
            name, _, value = pair.partition("=")
            self.set_cookies.append((name, value, sorted(attributes)))


def test_the_attributes_of_the_cookies(anywhere):
    scheme = anywhere.issuer.split(":")[0]
    session, browser = NAMES[scheme]
    expected = sorted(["Path=/", "HttpOnly", "SameSite=Lax"] + (["Secure"] if scheme == "https" else []))
    watcher = Watcher(anywhere, new_user(anywhere))
    watcher.get("/account")
    assert [(name, attributes) for name, _, attributes in watcher.set_cookies] == [(browser, expected)]
    watcher.enter()
    assert [(name, attributes) for name, _, attributes in watcher.set_cookies[1:]] == [(session, expected)]
    values = [value for _, value, _ in watcher.set_cookies]
    assert all(len(value) == 43 for value in values) and values[0] != values[1], "256 random bits"
    watcher.send(watcher.get("/logout"), "logout")
    name, value, attributes = watcher.set_cookies[2]
    assert (name, value) == (session, "") and attributes == sorted(expected + ["Max-Age=0"])
    assert watcher.cookie() is None


def test_the_identifier_changes_at_each_sign_in(anywhere):
    visitor, client = Watcher(anywhere, new_user(anywhere)), new_client(anywhere, "--first-party")
    planted = "A" * 43
    visitor.http.headers["Cookie"] = f"{NAMES[anywhere.issuer.split(':')[0]][0]}={planted}"
    seen = visitor.get("/account")
    del visitor.http.headers["Cookie"]
    visitor.fill_in(seen)
    first = visitor.cookie()
    sid = claims_of(visitor.tokens(client)["id_token"])["sid"]
    visitor.fill_in(visitor.ask(client, prompt="login"))
    second = visitor.cookie()
    assert len({planted, first, second}) == 3
    assert claims_of(visitor.tokens(client)["id_token"])["sid"] == sid, "the session is the same, its identifier is not"
    for cookie, kind in ((planted, "sign-in"), (first, "sign-in"), (second, "code")):
        visitor.http.cookies.clear()
        visitor.http.headers["Cookie"] = f"{NAMES[anywhere.issuer.split(':')[0]][0]}={cookie}"
        assert visitor.ask(client).kind == kind


@pytest.mark.parametrize("value", ["x", "A" * 42, "A" * 44, "A" * 42 + "!", '"' + "A" * 41 + '"', "A" * 4000, ""])
def test_a_cookie_of_rubbish_is_none(partita, value):
    visitor = Visitor(partita)
    visitor.http.headers["Cookie"] = f"partita={value}; partita-browser={value}"
    assert visitor.get("/account").kind == "sign-in"
    assert visitor.ask(new_client(partita), prompt="none").kind == "login_required"


def test_only_the_name_with_the_prefix_counts_over_tls(partita_tls):
    visitor, client = Visitor(partita_tls, new_user(partita_tls)), new_client(partita_tls, "--first-party")
    visitor.enter()
    cookie = visitor.cookie()
    visitor.http.cookies.clear()
    visitor.http.headers["Cookie"] = f"partita={cookie}"
    assert visitor.ask(client).kind == "sign-in"
    visitor.http.headers["Cookie"] = f"partita=x; a=b; __Host-partita={cookie}; c"
    assert visitor.ask(client).kind == "code"


def test_any_process_goes_on_where_another_began():
    """A form that one showed, another takes; what one signed in, another knows; also after a restart."""
    home = Home(balancer_keepalive="0s")
    try:
        home.opctl("user", "add", "ann", secret=PASSWORD + "\n")
        one, two = OpAuth(home), OpAuth(home)
        visitor = Visitor(one, "ann")
        form = visitor.get("/account").form("sign-in")
        fields = dict(form.fields) | {"username": "ann", "password": PASSWORD}
        visitor.http.mount(one.issuer, UnixAdapter(two.socket))
        account = visitor.post("/sign-in", fields)
        assert account.form("password")
        for process in (one.process, two.process):
            assert process.end() == 0
        visitor.http.mount(one.issuer, UnixAdapter(OpAuth(home).socket))
        assert visitor.get("/account").form("password")
        assert "signed out everywhere else" in visitor.send(account, "sign-out-everywhere").text
    finally:
        home.close()


def test_one_session_for_several_clients(partita):
    visitor, clients = Visitor(partita, new_user(partita)), [new_client(partita) for _ in range(3)]
    tokens = [visitor.tokens(client) for client in clients]
    sids = {claims_of(each["id_token"])["sid"] for each in tokens}
    assert len(sids) == 1 and len({claims_of(each["id_token"])["auth_time"] for each in tokens}) == 1
    session = partita.opctl("session", "show", sids.pop())
    assert set(session["client_ids"]) == {client["client_id"] for client in clients}
    elsewhere = Visitor(partita, visitor.username)
    assert claims_of(elsewhere.tokens(clients[0])["id_token"])["sid"] != claims_of(tokens[0]["id_token"])["sid"], "another browser, another session"


def test_somebody_else_in_the_same_browser(partita):
    """What leaned on the first one's session ends with it."""
    visitor, client = Visitor(partita, new_user(partita)), new_client(partita)
    tokens = visitor.tokens(client)
    visitor.fill_in(visitor.ask(client, prompt="login"), new_user(partita))
    assert userinfo(partita, tokens["access_token"]).status_code == 401
    assert refresh(partita, client, tokens).json()["error"] == "invalid_grant"


# --- how long it lives ---

@pytest.fixture(scope="module")
def short(start_partita):
    return start_partita("--set", "all.session_idle_lifetime=3s", "--set", "all.session_lifetime=5s")


def test_idle_and_absolute_lifetime(short):
    client = new_client(short, "--first-party")
    idle, busy = Visitor(short, new_user(short)), Visitor(short, new_user(short))
    started = time.monotonic()
    tokens = idle.tokens(client, SCOPES), busy.tokens(client)
    while time.monotonic() < started + 3.6:
        time.sleep(0.6)
        assert busy.ask(client, prompt="none").kind == "code", "use keeps it alive"
    assert idle.ask(client, prompt="none").kind == "login_required", "unused it ends"
    assert idle.get("/account").kind == "sign-in"
    assert userinfo(short, tokens[0]["access_token"]).status_code == 200, "offline tokens outlive it"
    time.sleep(max(0, started + 6.2 - time.monotonic()))
    assert busy.ask(client, prompt="none").kind == "login_required", "used or not, it ends"
    assert userinfo(short, tokens[1]["access_token"]).status_code == 401
    assert refresh(short, client, tokens[1]).json()["error"] == "invalid_grant"


def test_a_session_ended_by_the_operator(partita):
    visitor, client = Visitor(partita, new_user(partita)), new_client(partita)
    seen = visitor.go_on(visitor.ask(client))
    assert seen.away.startswith(CALLBACK)
    partita.opctl("session", "end", "--user", visitor.username)
    assert visitor.get("/account").kind == "sign-in" and visitor.ask(client).kind == "sign-in"
    partita.opctl("user", "disable", visitor.username)
    seen = visitor.fill_in(visitor.get("/account"))
    unknown = visitor.fill_in(visitor.get("/account"), "nobody-at-all", "wrong")
    assert seen.refused and unknown.refused, "a disabled account looks like one that is not there"
    partita.opctl("user", "enable", visitor.username)
    assert visitor.enter().form("password")
