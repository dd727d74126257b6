"""Token introspection (RFC 7662) by real servers: what is told, to whom, and that it is true on the next request."""
import base64
import hashlib
import json
import time

import pytest
import requests

from house import INACTIVE
from person import Person, sign_in
from test_tokens import ENDINGS, OUTLIVES, PASSWORD, SCOPE
from token_process import REDIRECT_URI, OwnProcess, TokenProcess, plant

API = "https://api.example"


def claims_of(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def add_app(partita, name, *more):
    client = partita.add_client(name, REDIRECT_URI, *more)
    client["redirect_uris"] = [REDIRECT_URI]
    return client


def add_server(partita, name, *more):
    """A resource server: it signs nobody in."""
    return partita.opctl("client", "add", "--name", name, "--grant", "client_credentials", *more)


@pytest.fixture
def world(partita, request):
    """A user and a client of this test's own."""
    name = "introspection-" + hashlib.sha256(request.node.name.encode()).hexdigest()[:8]
    partita.add_user(name, PASSWORD, claims=["name=Ann"])
    return {"name": name, "client": add_app(partita, name, "--audience", API), "person": Person(partita, name, PASSWORD)}


# --- what is told ---

def test_an_access_token(partita, house, world):
    client = world["client"]
    tokens = sign_in(partita, client, SCOPE, world["person"])
    status, answer = house.introspect(client, tokens["access_token"])
    claims = claims_of(tokens["access_token"])
    expected = {name: claims[name] for name in ("iss", "sub", "aud", "client_id", "exp", "iat", "jti", "scope", "auth_time", "acr", "amr")}
    assert (status, answer) == (200, {"active": True, "token_type": "Bearer", "username": world["name"], **expected})
    assert answer["aud"] == [API, partita.issuer] and answer["iat"] <= time.time() < answer["exp"]


def test_a_narrowed_token_has_no_username(partita, house, world):
    client = world["client"]
    tokens = sign_in(partita, client, SCOPE, world["person"])
    narrowed = house.token[0].post(client, grant_type="refresh_token", refresh_token=tokens["refresh_token"], scope="email")[1]
    answer = house.introspect(client, narrowed["access_token"])[1]
    assert answer["scope"] == "email" and "username" not in answer and answer["aud"] == API


def test_a_refresh_token(partita, house, world):
    client = world["client"]
    tokens = sign_in(partita, client, SCOPE, world["person"])
    answer = house.introspect(client, tokens["refresh_token"])[1]
    claims = claims_of(tokens["access_token"])
    assert answer.pop("exp") > time.time() + 86400
    assert answer == {"active": True, "username": world["name"], **{name: claims[name] for name in
                      ("iss", "client_id", "scope", "sub", "auth_time", "acr", "amr")}}


def test_asking_changes_nothing(partita, house, world):
    """A client that rotates: the token is as current after it was asked about as before."""
    partita.opctl("client", "change", world["client"]["client_id"], "--rotate", "yes")
    tokens = sign_in(partita, world["client"], SCOPE, world["person"])
    first = tokens["refresh_token"]
    for _ in range(3):
        assert house.introspect(world["client"], first)[1]["active"] is True
    answers = house.refresh(world["client"], tokens)
    second = answers[0][1]["refresh_token"]
    assert second != first and answers[1][1]["refresh_token"] == second
    assert house.introspect(world["client"], second)[1]["active"] is True
    assert house.introspect(world["client"], first)[1]["active"] is True, "op-token would answer it: a lost answer"
    families = partita.opctl("family", "list", "--client", world["client"]["client_id"])
    assert [family["generation"] for family in families] == [2]


def test_a_predecessor_past_its_window(partita):
    client = add_app(partita, "Windows", "--rotate", "yes")
    settings = ["lost_answer_window=1s", "race_window=1s"]
    token, management = TokenProcess(partita, *settings), OwnProcess(partita, "op-management", *settings)
    try:
        asks, tokens = management.connect(), token.connect()
        first = tokens.post(client, grant_type="authorization_code", code=plant(partita, client)[0], redirect_uri=REDIRECT_URI)[1]
        second = tokens.post(client, grant_type="refresh_token", refresh_token=first["refresh_token"])[1]
        time.sleep(2.1)
        assert asks.post(client, "/introspect", token=first["refresh_token"]) == INACTIVE
        assert asks.post(client, "/introspect", token=second["refresh_token"])[1]["active"] is True, "asking kills nothing"
    finally:
        token.close()
        management.close()


def test_a_clients_own_token(partita, house):
    client = add_server(partita, "Machine", "--scope", "api:read", "--audience", API)
    token = house.token[0].post(client, grant_type="client_credentials")[1]["access_token"]
    claims = claims_of(token)
    expected = {name: claims[name] for name in ("iss", "sub", "aud", "client_id", "exp", "iat", "jti", "scope")}
    assert house.introspect(client, token) == (200, {"active": True, "token_type": "Bearer", **expected})
    assert claims["sub"] == client["client_id"]


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "pigeon", ""])
def test_the_hint_is_only_a_hint(partita, house, world, hint):
    tokens = sign_in(partita, world["client"], SCOPE, world["person"])
    for token in (tokens["access_token"], tokens["refresh_token"]):
        assert house.introspect(world["client"], token, token_type_hint=hint)[1]["active"] is True


# --- to whom ---

def test_resource_servers(partita, house, world):
    tokens = sign_in(partita, world["client"], SCOPE, world["person"])
    by_audience = add_server(partita, "API", "--introspection", "yes", "--audience", API)
    not_allowed = add_server(partita, "Not allowed", "--audience", API)
    another = add_server(partita, "Another API", "--introspection", "yes", "--audience", "https://other.example")
    own = house.introspect(world["client"], tokens["access_token"])
    assert own[1]["active"] is True and house.introspect(by_audience, tokens["access_token"]) == own
    assert house.introspect(not_allowed, tokens["access_token"]) == INACTIVE
    assert house.introspect(another, tokens["access_token"]) == INACTIVE
    for stranger in (by_audience, not_allowed, another):
        assert house.introspect(stranger, tokens["refresh_token"]) == INACTIVE
    partita.opctl("client", "change", world["client"]["client_id"], "--audience", another["client_id"])
    tokens = sign_in(partita, world["client"], SCOPE, world["person"])
    assert house.introspect(another, tokens["access_token"])[1]["active"] is True, "aud has its client_id"
    assert house.introspect(by_audience, tokens["access_token"]) == INACTIVE


def test_the_operators_word_is_seen_on_the_next_request(partita, house, world):
    tokens = sign_in(partita, world["client"], SCOPE, world["person"])
    server = add_server(partita, "API", "--audience", API)
    for word, active in (("yes", True), ("no", False), ("yes", True)):
        partita.opctl("client", "change", server["client_id"], "--introspection", word)
        assert house.introspect(server, tokens["access_token"])[1]["active"] is active
    partita.opctl("client", "disable", server["client_id"])
    assert house.introspect(server, tokens["access_token"])[0] == 401


def test_public_clients_cannot_ask(partita, house):
    client = add_app(partita, "Public", "--public")
    tokens = sign_in(partita, client, SCOPE)
    for token in (tokens["access_token"], tokens["refresh_token"], "rubbish"):
        status, answer = house.introspect(client, token)
        assert (status, answer["error"]) == (401, "invalid_client")
    done = partita.opctl("client", "change", client["client_id"], "--introspection", "yes", check=False)
    assert done.returncode != 0 and "--introspection" in done.stderr


# --- on the next request ---

@pytest.mark.parametrize("scope", ["openid", SCOPE], ids=["online", "offline"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_what_ends_is_inactive_on_the_next_request(partita, house, world, ending, scope):
    server = add_server(partita, "API", "--introspection", "yes", "--audience", API)
    tokens = sign_in(partita, world["client"], scope, world["person"])
    assert house.introspect(server, tokens["access_token"])[1]["active"] is True
    house.is_alive(world["client"], tokens)
    ENDINGS[ending](partita, world, claims_of(tokens["id_token"]))
    if (ending, scope) in OUTLIVES:
        house.is_alive(world["client"], tokens)
        return
    assert house.introspect(server, tokens["access_token"]) == INACTIVE
    if "client" not in ending:
        house.is_dead(world["client"], tokens)


def test_an_expired_token(partita, house):
    client = add_app(partita, "Short")
    process = TokenProcess(partita, "all.access_token_lifetime=2s", "all.refresh_token_idle_lifetime=3s")
    try:
        code = plant(partita, client, 1, "openid offline_access")[0]
        tokens = process.connect().post(client, grant_type="authorization_code", code=code, redirect_uri=REDIRECT_URI)[1]
        assert all(house.introspect(client, tokens[name])[1]["active"] is True for name in ("access_token", "refresh_token"))
        time.sleep(2.1)
        assert house.introspect(client, tokens["access_token"]) == INACTIVE
        assert house.introspect(client, tokens["refresh_token"])[1]["active"] is True
        time.sleep(1.1)
        assert house.introspect(client, tokens["refresh_token"]) == INACTIVE
    finally:
        process.close()


# --- through the front door ---

def test_it_is_announced_and_kept_from_caches(partita):
    client = partita.info["client"]
    tokens = sign_in(partita, client)
    metadata = requests.get(partita.issuer + "/.well-known/oauth-authorization-server", timeout=20).json()
    assert metadata["introspection_endpoint"] == partita.issuer + "/introspect"
    assert set(metadata["introspection_endpoint_auth_methods_supported"]) == {"client_secret_basic", "client_secret_post",
                                                                               "private_key_jwt"}
    answer = requests.post(metadata["introspection_endpoint"], data={"token": tokens["access_token"]},
                           auth=(client["client_id"], client["client_secret"]), headers={"Origin": "http://localhost:8090"}, timeout=20)
    assert answer.status_code == 200 and answer.json()["active"] is True
    assert (answer.headers["Content-Type"], answer.headers["Cache-Control"]) == ("application/json", "no-store")
    assert not any(name.startswith("Access-Control-") for name in answer.headers), "no page of a browser may ask"
    assert requests.get(metadata["introspection_endpoint"], timeout=20).status_code == 405


def test_client_secret_post(partita):
    client = add_app(partita, "Post", "--auth-method", "client_secret_post")
    tokens = sign_in_by_post(partita, client)
    form = {"token": tokens["access_token"], "client_id": client["client_id"], "client_secret": client["client_secret"]}
    assert requests.post(partita.issuer + "/introspect", data=form, timeout=20).json()["active"] is True
    refused = requests.post(partita.issuer + "/introspect", data={"token": "x"}, auth=(form["client_id"], form["client_secret"]), timeout=20)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client"), "another method than registered"


def sign_in_by_post(partita, client):
    code = plant(partita, client, 1, "openid offline_access")[0]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI, "client_id": client["client_id"],
            "client_secret": client["client_secret"]}
    answer = requests.post(partita.issuer + "/token", data=form, timeout=20)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_guesses_are_counted_across_endpoints(partita):
    settings = ["client_secret_failures=4", "client_secret_failures_window=1h"]
    client = add_app(partita, "Guessed at two doors")
    token, management = TokenProcess(partita, *settings), OwnProcess(partita, "op-management", *settings)
    try:
        doors = [(token.connect(), "/token"), (management.connect(), "/introspect"), (management.connect(), "/revoke")]
        form = {"token": "x", "grant_type": "refresh_token", "refresh_token": "x"}
        guesses = [connection.post({**client, "client_secret": "wrong"}, path, **form)[0] for connection, path in doors * 2]
        assert guesses == [401, 401, 401, 401, 429, 429]
        assert [connection.post(client, path, **form)[0] for connection, path in doors] == [429] * 3
    finally:
        token.close()
        management.close()
