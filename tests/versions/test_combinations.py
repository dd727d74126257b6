"""Every server and every pair of servers at the other version, one combination after the other over the same state: what began
under one goes on under the next."""
import pytest
import requests
from authlib.jose import JsonWebKey, jwt

from asking import is_active, is_dead, is_good, refreshed, revoke
from mixed import SERVERS
from person import Page, Person, answer_of, request_for, sign_in, token_request
from pushing import pushed
from registration import METADATA, Registrar
from test_device import Device, approve, decide, new_device_client, through_sign_in, type_code
from visitor import CALLBACK, Visitor

SCOPE = "openid profile email offline_access"


class Combination:
    """Which servers are at the newer version; or, as in the middle of a deployment, each is at both."""

    def __init__(self, newer, both=False):
        self.newer, self.both = newer, both

    def at(self, mixed, server):
        """The versions of that server."""
        if self.both:
            return mixed.older, mixed.newer
        return (mixed.newer if server in self.newer else mixed.older),

    def __str__(self):
        """By those that are fewer."""
        if self.both:
            return "both of each"
        older = [server for server in SERVERS if server not in self.newer]
        few, base, other = (self.newer, "older", "newer") if len(self.newer) <= len(older) else (older, "newer", "older")
        return f"{base} with {'+'.join(few)} {other}" if few else f"all {base}"


def all_combinations():
    """Each that there is, so every server and every pair both ways round, and home again; by Gray's code, so that each
    differs from the one before by one server."""
    for number in [*range(1 << len(SERVERS)), 0]:
        yield Combination([server for i, server in enumerate(SERVERS) if (number ^ number >> 1) >> i & 1])


def test_these_are_all():
    made = [frozenset(combination.newer) for combination in all_combinations()]
    assert len(made) == 65 and len(set(made)) == 64 and made[0] == made[-1] == frozenset()
    assert all(len(one ^ other) == 1 for one, other in zip(made, made[1:]))


BOTH = [Combination([], both=True)] * 4  # who answers which request is left to chance


@pytest.fixture(scope="module", params=[*all_combinations(), *BOTH], ids=str)
def combination(request, mixed, journey):
    """The servers are at these versions now."""
    mixed.become({server: request.param.at(mixed, server) for server in SERVERS})
    return request.param


class Journey:
    """What lives through all combinations, and what one leaves to the next."""

    def __init__(self, mixed):
        self.mixed, self.client = mixed, mixed.info["client"]
        self.public = {"client_id": mixed.info["playground_client_id"], "redirect_uris": [mixed.info["playground"] + "/"]}
        self.television = new_device_client(mixed)
        self.person = Visitor(mixed, mixed.info["user"]["username"], mixed.info["user"]["password"])
        self.rotating = [sign_in(mixed, self.public, SCOPE, self.person)]
        self.staying = sign_in(mixed, self.client, SCOPE, self.person)
        self.online = sign_in(mixed, self.client, "openid", self.person)
        self.person.password = "not needed again"
        self.revoked, self.next_to_revoke = [], self.tokens()
        self.registered = Registrar(mixed).register(scope=SCOPE)
        self.leave()

    def tokens(self):
        return sign_in(self.mixed, self.client, SCOPE)

    def leave(self):
        """Something of each kind that is not finished."""
        request, self.verifier = request_for(self.client["client_id"], CALLBACK, SCOPE)
        self.code = self.person.authorize(request)["code"]
        self.pushed, _, self.pushed_verifier = pushed(self.mixed, self.client, SCOPE)
        self.stranger = Person(self.mixed)
        form_request, self.form_verifier = request_for(self.client["client_id"], CALLBACK, SCOPE)
        self.form = self.stranger.http.get(self.mixed.issuer + "/authorize", params=form_request, timeout=30)
        self.asked, self.approved = Device(self.mixed, self.television), Device(self.mixed, self.television)
        approve(self.person, self.approved)


@pytest.fixture(scope="module")
def journey(mixed):
    mixed.become(dict.fromkeys(SERVERS, mixed.older))
    return Journey(mixed)


def redeem(journey, code, verifier):
    answer = token_request(journey.mixed, journey.client, verifier, grant_type="authorization_code", code=code, redirect_uri=CALLBACK)
    assert answer.status_code == 200, answer.text
    assert is_active(journey.mixed, answer.json()["access_token"])
    is_good(journey.mixed, answer.json())


def test_each_runs_at_its_version(mixed, combination):
    rows = mixed.opctl("status", "--admin-dir", mixed.place.at("sockets", "admin"))
    assert sorted((row["instance"].partition("@")[0], row["version"], row["state"]) for row in rows) == sorted(
        (server, version.name, "ready") for server in SERVERS for version in combination.at(mixed, server))


def test_sign_in(mixed, combination):
    """By somebody who comes for the first time, to a relying party that checks what it gets."""
    client = mixed.info["client"]
    metadata = requests.get(mixed.issuer + "/.well-known/openid-configuration", timeout=30).json()
    keys = JsonWebKey.import_key_set(requests.get(metadata["jwks_uri"], timeout=30).json())
    tokens = sign_in(mixed, client, SCOPE)
    id_token = jwt.decode(tokens["id_token"], keys, claims_options={
        "iss": {"essential": True, "value": mixed.issuer}, "aud": {"essential": True, "value": client["client_id"]}})
    id_token.validate()
    jwt.decode(tokens["access_token"], keys).validate()
    assert is_good(mixed, tokens)["sub"] == id_token["sub"]
    for name in ("access_token", "refresh_token"):
        assert is_active(mixed, tokens[name]), name
    assert refreshed(mixed, client, tokens)["access_token"] != tokens["access_token"]


def test_the_session_goes_on(mixed, combination, journey):
    """Nobody is asked for a password twice; what was said of each token stays said."""
    sub = is_good(mixed, journey.online)["sub"]
    tokens = sign_in(mixed, journey.client, "openid", journey.person)
    assert is_good(mixed, tokens)["sub"] == sub
    journey.online = refreshed(mixed, journey.client, journey.online)


def test_what_was_begun_before(mixed, combination, journey):
    """A code, a pushed request and a form, each of the combination before, of which each still counts."""
    redeem(journey, journey.code, journey.verifier)
    answer = journey.person.authorize(journey.pushed)
    redeem(journey, answer["code"], journey.pushed_verifier)
    form = Page(journey.form.text)
    back = journey.stranger.through_pages(journey.stranger.answer(journey.form, form, True))
    redeem(journey, answer_of(back)["code"], journey.form_verifier)


def test_refresh(mixed, combination, journey):
    """Families from before all: one whose tokens rotate at each use, and one whose token stays."""
    for tokens in journey.rotating[-2:] + [journey.staying]:
        is_good(mixed, tokens)
    journey.rotating.append(refreshed(mixed, journey.public, journey.rotating[-1]))
    assert len({tokens["refresh_token"] for tokens in journey.rotating}) == len(journey.rotating)
    again = refreshed(mixed, journey.public, journey.rotating[-2])
    assert again["refresh_token"] == journey.rotating[-1]["refresh_token"], "one whose answer was lost gets the same successor"
    refreshed(mixed, journey.client, journey.staying)


def test_revocation(mixed, combination, journey):
    """Of tokens from the combination before, by either of them; what was revoked before stays so."""
    tokens, kind = journey.next_to_revoke, ("access_token", "refresh_token")[len(journey.revoked) % 2]
    is_good(mixed, tokens)
    assert is_active(mixed, tokens["access_token"]) and is_active(mixed, tokens["refresh_token"])
    answer = revoke(mixed, tokens[kind])
    assert (answer.status_code, answer.content) == (200, b"")
    journey.revoked.append(tokens)
    for dead in journey.revoked[-2:]:
        is_dead(mixed, journey.client, dead)
    journey.next_to_revoke = journey.tokens()


def test_device_flow(mixed, combination, journey):
    """Devices that asked, and one that was let in, under the combination before; and one that begins now."""
    new = Device(mixed, journey.television)
    assert new.poll() == "authorization_pending"
    stranger = Visitor(mixed, mixed.info["user"]["username"], mixed.info["user"]["password"])
    decide(stranger, through_sign_in(stranger, type_code(stranger, new.user_code)))
    approve(journey.person, journey.asked)
    for device in (new, journey.asked, journey.approved):
        tokens = device.poll()
        is_good(mixed, tokens)
        refreshed(mixed, journey.television, tokens)
        assert device.poll() == "invalid_grant", "a device code is used once"


def test_registration(mixed, combination, journey):
    """Of a client by itself, under the combination before: it reads and changes its registration now, and works."""
    client = journey.registered
    read = Registrar(mixed).manage("GET", client)
    assert read.status_code == 200 and read.json()["scope"] == SCOPE, read.text
    changed = Registrar(mixed).manage("PUT", client, {**METADATA, "client_id": client["client_id"], "scope": SCOPE, "client_name": "Changed"})
    assert changed.status_code == 200 and changed.json()["client_name"] == "Changed", changed.text
    refreshed(mixed, client, sign_in(mixed, client, SCOPE))
    journey.registered = Registrar(mixed).register(scope=SCOPE)


def test_something_is_left_for_the_next(mixed, combination, journey):
    journey.leave()
