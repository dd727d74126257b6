"""Two processes of every server that knows clients or tokens: what one of op-management does is seen by all of them on their
next request, round after round, whatever they held in memory: more than a thousand looks, of which none may be late."""
import itertools

import pytest
import requests

from person import request_for
from pushing import redeem
from registration import METADATA, bearer
from test_device import GRANT
from token_process import OwnProcess, plant
from visitor import CALLBACK, UnixAdapter

ROUNDS = 10
SERVERS = ["op-auth", "op-token", "op-userinfo", "op-management", "op-async"]


class Place:
    """One process; what pushing.py needs of an installation."""

    def __init__(self, partita, server):
        self.process = OwnProcess(partita, server)
        self.issuer, self.verify, self.socket = partita.issuer, True, self.process.path
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.mount(self.issuer, UnixAdapter(self.socket))

    def ask(self, method, path, **more):
        return self.http.request(method, self.issuer + path, allow_redirects=False, timeout=30, **more)

    def post(self, client, path, **form):
        secret = client.get("client_secret")
        form = form if secret else {**form, "client_id": client["client_id"]}
        return self.ask("POST", path, data=form, auth=(client["client_id"], secret) if secret else None)


class World:
    def __init__(self, partita):
        self.partita = partita
        self.places = {server: [Place(partita, server) for _ in range(2)] for server in SERVERS}

    def all_see(self, server, look, expected):
        assert [look(place) for place in self.places[server]] == [expected] * 2, server

    def close(self):
        for place in itertools.chain(*self.places.values()):
            place.process.close()


@pytest.fixture(scope="module")
def world(partita):
    made = World(partita)
    yield made
    made.close()


def origin_is_known(origin, path):
    """Whether a page of that origin may read the answer: a redirect URI of some client is there."""
    return lambda place: place.ask("OPTIONS", path, headers={"Origin": origin, "Access-Control-Request-Method": "POST"}).headers.get(
        "Access-Control-Allow-Origin") == origin


def knows_client(world, client, origin, yes=True):
    """Every process of every server, by what it does for a client that it knows and for one that it does not."""
    request, _ = request_for(client["client_id"], origin + "/cb")
    world.all_see("op-auth", lambda place: place.ask("GET", "/authorize", params=request).status_code, 200 if yes else 400)
    world.all_see("op-auth", lambda place: place.post(client, "/as/par", **request).status_code, 201 if yes else 401)
    world.all_see("op-token", lambda place: place.post(client, "/token", grant_type="refresh_token", refresh_token="x").json()["error"],
                  "invalid_grant" if yes else "invalid_client")
    world.all_see("op-async", lambda place: place.post(client, "/device_authorization", scope="openid").status_code, 200 if yes else 401)
    world.all_see("op-management", lambda place: place.post(client, "/introspect", token="x").status_code, 200 if yes else 401)
    world.all_see("op-management", lambda place: place.post(client, "/revoke", token="x").status_code, 200 if yes else 401)
    knows_origin(world, origin, yes)


def knows_origin(world, origin, yes):
    for server, path in (("op-userinfo", "/userinfo"), ("op-token", "/token"), ("op-management", "/revoke"), ("op-async", "/device_authorization"),
                         ("op-auth", "/as/par")):
        world.all_see(server, origin_is_known(origin, path), yes)


@pytest.mark.parametrize("number", range(ROUNDS))
def test_registration(world, number):
    """Registered at one, changed at the other, removed at the first; all look after each."""
    one, other = world.places["op-management"][number % 2], world.places["op-management"][1 - number % 2]
    first, second = (f"https://round-{number}-{word}.example" for word in ("one", "two"))
    metadata = {**METADATA, "redirect_uris": [first + "/cb"], "grant_types": [*METADATA["grant_types"], GRANT]}
    knows_origin(world, first, False)
    client = one.ask("POST", "/register", json=metadata, headers=bearer(world.partita.info["initial_access_token"])).json()
    knows_client(world, client, first)
    manage, token = "/register/" + client["client_id"], bearer(client["registration_access_token"])
    moved = other.ask("PUT", manage, headers=token, json={**metadata, "client_id": client["client_id"], "redirect_uris": [second + "/cb"]})
    assert moved.status_code == 200
    knows_client(world, client, second)
    knows_origin(world, first, False)
    world.all_see("op-management", lambda place: place.ask("GET", manage, headers=token).json()["redirect_uris"], [second + "/cb"])
    assert one.ask("DELETE", manage, headers=token).status_code == 204
    knows_client(world, client, second, False)
    world.all_see("op-management", lambda place: place.ask("GET", manage, headers=token).status_code, 401)


def test_initial_access_tokens(world):
    """Used up at one, refused at the other; revoked, refused at both."""
    one, other = world.places["op-management"]
    for first, second in ((one, other), (other, one)):
        token = bearer(world.partita.opctl("registration-token", "add")["initial_access_token"])
        assert first.ask("POST", "/register", json=METADATA, headers=token).status_code == 201
        assert second.ask("POST", "/register", json=METADATA, headers=token).status_code == 401
    made = world.partita.opctl("registration-token", "add", "--uses", "unlimited")
    world.partita.opctl("registration-token", "revoke", made["id"])
    world.all_see("op-management", lambda place: place.ask("POST", "/register", json=METADATA, headers=bearer(made["initial_access_token"])).status_code, 401)


def lives(world, client, tokens, yes=True):
    for name in ("access_token", "refresh_token"):
        world.all_see("op-management", lambda place, name=name: place.post(client, "/introspect", token=tokens[name]).json()["active"], yes)
    world.all_see("op-userinfo", lambda place: place.ask("GET", "/userinfo", headers=bearer(tokens["access_token"])).status_code, 200 if yes else 401)
    world.all_see("op-token", lambda place: place.post(client, "/token", grant_type="refresh_token", refresh_token=tokens["refresh_token"]).status_code,
                  200 if yes else 400)


@pytest.fixture(scope="module")
def client(partita):
    return partita.add_client("Two of each", CALLBACK, "--grant", "client_credentials")


@pytest.fixture(scope="module")
def codes(partita, client):
    return plant(partita, client, 2 * ROUNDS, "openid offline_access")


@pytest.mark.parametrize("number", range(2 * ROUNDS))
def test_tokens_and_their_revocation(world, client, codes, number):
    """Made at one op-token, revoked at one op-management, by the access token and the refresh token in turn."""
    maker, revoker = world.places["op-token"][number % 2], world.places["op-management"][number // 2 % 2]
    tokens = redeem(maker, client, None, codes[number]).json()
    lives(world, client, tokens)
    assert revoker.post(client, "/revoke", token=tokens["refresh_token" if number % 4 < 2 else "access_token"]).status_code == 200
    lives(world, client, tokens, False)


@pytest.mark.parametrize("number", range(4))
def test_a_clients_own_token(world, client, number):
    maker, revoker = world.places["op-token"][number % 2], world.places["op-management"][number // 2]
    token = maker.post(client, "/token", grant_type="client_credentials").json()["access_token"]
    world.all_see("op-management", lambda place: place.post(client, "/introspect", token=token).json()["active"], True)
    assert revoker.post(client, "/revoke", token=token).status_code == 200
    world.all_see("op-management", lambda place: place.post(client, "/introspect", token=token).json()["active"], False)
