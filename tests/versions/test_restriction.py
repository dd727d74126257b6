"""What the newer version restricts (a client's own lifetimes of refresh tokens, and with them a family's), the older one
denies, as it does not know how: it hands nothing out, changes nothing, and can still end it."""
import itertools
import os

import pytest

import release
from administration import Desk
from asking import ask, introspect, is_active, is_dead, is_good, refresh, refreshed, revoke, userinfo
from mixed import SERVERS
from person import Page, request_for, sign_in, token_request
from pushing import push
from test_device import GRANT, Device, approve
from visitor import CALLBACK, Visitor

__test__ = release.is_before("0.2.0")  # which brought it
SCOPE = "openid profile email offline_access"
PASSWORD = "correct horse battery"
HOUSE, IDLE = "0s", "1d"
numbers = itertools.count(1)


class World:
    """A person and a client with tokens, either of whose records is restricted: only that of kind."""

    def __init__(self, mixed, kind):
        mixed.become(dict.fromkeys(SERVERS, mixed.newer))
        self.mixed, self.kind, self.name = mixed, kind, f"restricted-{next(numbers)}"
        mixed.opctl("user", "add", self.name, secret=PASSWORD + "\n")
        self.client = {"redirect_uris": [CALLBACK], **mixed.opctl(
            "client", "add", "--name", self.name, "--redirect-uri", CALLBACK, "--grant", "authorization_code", "--grant", "refresh_token",
            "--grant", "device_code", "--grant", "client_credentials", "--scope", SCOPE)}
        self.person = Visitor(mixed, self.name, PASSWORD)
        if kind == "family":
            self.restrict(IDLE)
        self.tokens = sign_in(mixed, self.client, SCOPE, self.person)
        self.family, = (family["family"] for family in mixed.opctl("family", "list", "--user", self.name))
        self.request, self.verifier = request_for(self.client["client_id"], CALLBACK, SCOPE)
        self.code = self.person.authorize(self.request)["code"]
        self.device = Device(mixed, self.client)
        approve(self.person, self.device)
        self.restrict(HOUSE if kind == "family" else IDLE)

    def restrict(self, time):
        self.mixed.opctl("client", "change", self.client["client_id"], "--refresh-token-idle-lifetime", time)

    def records(self):
        """As the newer version reads them."""
        return [self.mixed.opctl("client", "show", self.client["client_id"]), self.mixed.opctl("family", "show", self.family)]

    def serves(self):
        """All is well, at the newer version."""
        assert is_active(self.mixed, self.tokens["access_token"], self.client) and is_active(self.mixed, self.tokens["refresh_token"], self.client)
        is_good(self.mixed, self.tokens)
        refreshed(self.mixed, self.client, self.tokens)

    # what is asked for, each an answer

    def refresh(self):
        return refresh(self.mixed, self.client, self.tokens)

    def redeem(self):
        return token_request(self.mixed, self.client, self.verifier, grant_type="authorization_code", code=self.code, redirect_uri=CALLBACK)

    def poll(self):
        return token_request(self.mixed, self.client, grant_type=GRANT, device_code=self.device.device_code)

    def own_token(self):
        return token_request(self.mixed, self.client, grant_type="client_credentials")

    def userinfo(self):
        return userinfo(self.mixed, self.tokens)

    def introspect_access_token(self):
        return introspect(self.mixed, self.tokens["access_token"], self.client)

    def introspect_refresh_token(self):
        return introspect(self.mixed, self.tokens["refresh_token"], self.client)

    def revoke(self):
        return revoke(self.mixed, "unknown", self.client)

    def authorize(self):
        return self.person.http.get(self.mixed.issuer + "/authorize", params=self.request, allow_redirects=False, timeout=30)

    def push(self):
        return push(self.mixed, self.client, self.request)

    def logout(self):
        return self.person.http.get(self.mixed.issuer + "/logout", params={"client_id": self.client["client_id"]}, timeout=30)

    def device_authorization(self):
        return ask(self.mixed, "/device_authorization", self.client, scope="openid")



# What is asked for, of which record, and the server that denies it when it is the older one.
DENIED = [
    ("family", "op-token", World.refresh), ("family", "op-userinfo", World.userinfo), ("family", "op-management", World.introspect_access_token),
    ("family", "op-management", World.introspect_refresh_token),
    ("client", "op-token", World.refresh), ("client", "op-token", World.redeem), ("client", "op-token", World.poll),
    ("client", "op-token", World.own_token), ("client", "op-userinfo", World.userinfo),
    ("client", "op-management", World.introspect_access_token), ("client", "op-management", World.introspect_refresh_token),
    ("client", "op-management", World.revoke), ("client", "op-auth", World.authorize), ("client", "op-auth", World.push),
    ("client", "op-async", World.device_authorization),
]


def is_denied(answer):
    """Put off, until there is a server that can read it: nothing is handed out, and nobody is told that it is gone."""
    assert answer.status_code == 503 and int(answer.headers["Retry-After"]) > 0, (answer.status_code, answer.text)
    if answer.headers["Content-Type"].startswith("application/json"):
        assert set(answer.json()) == {"error", "error_description"} and answer.json()["error"] == "temporarily_unavailable"
    else:
        assert "try again later" in Page(answer.text).text and not Page(answer.text).forms
    return True


@pytest.mark.parametrize("kind, server, request_of", DENIED, ids=[f"{kind}-{server}-{request.__name__}" for kind, server, request in DENIED])
def test_the_older_server_denies_it(mixed, kind, server, request_of):
    world = World(mixed, kind)
    before = world.records()
    mixed.become({server: mixed.older})
    assert is_denied(request_of(world)) and is_denied(request_of(world))
    assert world.records() == before
    mixed.become({server: mixed.newer})
    assert request_of(world).status_code in (200, 201, 303), "as if nothing had been"
    world.serves()


def test_signing_out_at_the_older_server(mixed):
    """What names the client as known does not go on; the person is signed out where it is only a hint."""
    world = World(mixed, "client")
    mixed.become({"op-auth": mixed.older})
    assert world.logout().status_code == 400 and world.person.cookie()
    seen = world.person.get("/logout", id_token_hint=world.tokens["id_token"])
    assert seen.status == 200, seen.text
    if seen.page.forms:
        seen = world.person.send(seen, "logout")
    assert world.person.cookie() is None
    mixed.become({"op-auth": mixed.newer})
    world.serves()


@pytest.mark.parametrize("kind", ["family", "client"])
def test_everything_rolled_back_and_on_again(mixed, kind):
    """The older version serves everybody else meanwhile."""
    world, others = World(mixed, kind), sign_in(mixed, mixed.info["client"], SCOPE)
    before = world.records()
    mixed.become(dict.fromkeys(SERVERS, mixed.older))
    for name in ("refresh", "userinfo", "introspect_access_token", "introspect_refresh_token"):
        assert is_denied(getattr(world, name)())
    others = refreshed(mixed, mixed.info["client"], others)
    if kind == "family":  # the client itself has no restriction any more
        refreshed(mixed, world.client, sign_in(mixed, world.client, SCOPE, world.person))
    else:
        assert "An application that no longer exists" in world.person.get("/account").text
    mixed.become(dict.fromkeys(SERVERS, mixed.newer))
    assert world.records() == before
    world.serves()
    is_good(mixed, others)


@pytest.mark.parametrize("kind", ["family", "client"])
def test_opctl_of_the_older_version(mixed, kind):
    """It tells that the record is there, that it cannot read it, and that nothing is wrong; it does not write over it."""
    world = World(mixed, kind)
    key = {"family": world.family, "client": world.client["client_id"]}[kind]
    before = world.records()
    listed, = (row for row in mixed.opctl(kind, "list", version=mixed.older) if key in row.values())
    assert listed.get("state") == "unreadable", listed
    for words in ([kind, "show", key], *([["client", "change", key, "--name", "Mine"], ["client", "secret", key],
                                           ["client", "disable", key]] if kind == "client" else [])):
        done = mixed.opctl(*words, version=mixed.older, check=False)
        assert done.returncode == 1 and done.stderr.count("\n") == 1 and "newer version" in done.stderr, (words, done)
    checked = mixed.opctl("check", version=mixed.older, check=False)
    assert checked.returncode == 0, checked.stdout
    assert world.records() == before
    world.serves()


def by_page(world):
    """The person withdraws on the account page."""
    page = world.person.get("/account")
    seen = world.person.send(page, "withdraw", client_id=world.client["client_id"])
    assert seen.status == 200 and "Access has been withdrawn" in seen.text, seen.text


def by_signing_out(world):
    seen = world.person.send(world.person.get("/account"), "sign-out-everywhere")
    assert seen.status == 200 and "signed out everywhere else" in seen.text, seen.text


def at_revoke(kind):
    def act(world):
        answer = revoke(world.mixed, world.tokens[kind], world.client)
        assert (answer.status_code, answer.content) == (200, b""), answer.text
    return act


def by_opctl(*words, of="older"):
    def act(world):
        places = {"FAMILY": world.family, "CLIENT": world.client["client_id"], "USER": world.name}
        return world.mixed.opctl(*(places.get(word, word) for word in words), version=getattr(world.mixed, of))
    return act


def at_desk(path):
    def act(world):
        Desk(world.mixed).remove(path.format(family=world.family, client=world.client["client_id"]))
    return act


ENDINGS = {
    "family": {"by the newer opctl, all of the client": by_opctl("family", "revoke", "--client", "CLIENT", of="newer"),
               "the access token at revoke": at_revoke("access_token"), "the refresh token at revoke": at_revoke("refresh_token")},
    "client": {"by opctl, its families": by_opctl("family", "revoke", "--client", "CLIENT"),
               "removed by opctl": by_opctl("client", "remove", "CLIENT"),
               "removed by the administration API": at_desk("/clients/{client}")},
}
BOTH = {
    "on the account page": by_page, "by signing out everywhere": by_signing_out, "by opctl": by_opctl("family", "revoke", "FAMILY"),
    "by opctl, all of the user": by_opctl("family", "revoke", "--user", "USER"),
    "by opctl, the consent": by_opctl("consent", "withdraw", "USER", "CLIENT"),
    "by opctl, the user": by_opctl("user", "disable", "USER"), "by the administration API": at_desk("/families/{family}"),
}
ROWS = [(kind, what) for kind, endings in ENDINGS.items() for what in [*BOTH, *endings]]


@pytest.mark.parametrize("kind, what", ROWS, ids=[f"{kind}, {what}" for kind, what in ROWS])
def test_the_older_version_ends_it(mixed, kind, what):
    """Everything is rolled back, and then it has to end: it does, at once and for good."""
    world = World(mixed, kind)
    mixed.become(dict.fromkeys(SERVERS, mixed.older))
    {**BOTH, **ENDINGS[kind]}[what](world)
    for answer in (world.refresh(), world.userinfo(), world.introspect_access_token(), world.introspect_refresh_token()):
        assert answer.status_code in (400, 401, 503) or answer.json() == {"active": False}, (answer.status_code, answer.text)
    mixed.become(dict.fromkeys(SERVERS, mixed.newer))
    if "removed" in what:
        assert world.refresh().status_code == 401 and world.userinfo().status_code == 401
    else:
        is_dead(mixed, world.client, world.tokens)


def test_what_the_older_opctl_cannot_do(mixed):
    """It does not see whose such a family is, says that it did nothing, and did nothing (docs/versions.md)."""
    world = World(mixed, "family")
    assert by_opctl("family", "revoke", "--client", "CLIENT")(world) == {"revoked": []}
    world.serves()


def test_a_client_is_given_back_to_the_older_version(mixed):
    """By the commands of docs/versions.md."""
    world = World(mixed, "family")
    world.restrict(IDLE)
    with open(os.path.join(release.ROOT, "docs/versions.md"), encoding="utf-8") as file:
        commands = [line.split()[1:] for line in file if line.startswith("    opctl ") and "CLIENT_ID" in line]
    assert len(commands) == 2
    for words in commands:
        by_opctl(*("CLIENT" if word == "CLIENT_ID" else word for word in words), of="newer")(world)
    mixed.become(dict.fromkeys(SERVERS, mixed.older))
    is_dead(mixed, world.client, world.tokens)
    refreshed(mixed, world.client, sign_in(mixed, world.client, SCOPE, world.person))
