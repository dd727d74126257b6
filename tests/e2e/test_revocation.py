"""Token revocation (RFC 7009) by real servers: what is revoked at one process is dead at every other on its next
request."""
import hashlib
import time

import pytest
import requests

from house import INACTIVE
from person import Person, sign_in
from test_tokens import PASSWORD, SCOPE
from token_process import REDIRECT_URI, TokenProcess, plant, token_post

DONE = (200, None)


def add_app(partita, name, *more):
    client = partita.add_client(name, REDIRECT_URI, *more)
    client["redirect_uris"] = [REDIRECT_URI]
    return client


@pytest.fixture
def world(partita, request):
    """A user and a client of this test's own."""
    name = "revocation-" + hashlib.sha256(request.node.name.encode()).hexdigest()[:8]
    partita.add_user(name, PASSWORD)
    return {"client": add_app(partita, name), "person": Person(partita, name, PASSWORD)}


def revoke(connection, client, token, **more):
    return connection.post(client, "/revoke", token=token, **more)


@pytest.mark.parametrize("which", [0, 1], ids=["by one process", "by the other"])
@pytest.mark.parametrize("scope", ["openid", SCOPE], ids=["online", "offline"])
@pytest.mark.parametrize("what", ["access_token", "refresh_token"])
def test_either_token_ends_both_everywhere(partita, house, world, what, scope, which):
    client = world["client"]
    tokens = sign_in(partita, client, scope, world["person"])
    others = sign_in(partita, client, scope, world["person"])
    house.is_alive(client, tokens)
    more = house.refresh(client, tokens)[0][1]
    assert revoke(house.management[which], client, tokens[what]) == DONE
    house.is_dead(client, tokens)
    house.is_dead(client, {"access_token": more["access_token"]})
    house.is_alive(client, others)


@pytest.mark.parametrize("generation", [0, 1, 3])
def test_any_kept_generation(partita, house, world, generation):
    client = world["client"]
    partita.opctl("client", "change", client["client_id"], "--rotate", "yes")
    tokens = [sign_in(partita, client, SCOPE, world["person"])]
    for _ in range(3):
        tokens.append(house.refresh(client, tokens[-1])[0][1])
    assert len({each["refresh_token"] for each in tokens}) == 4
    assert revoke(house.management[0], client, tokens[generation]["refresh_token"]) == DONE
    for each in tokens:
        house.is_dead(client, each)


def test_a_clients_own_token_dies_alone(partita, house):
    client = partita.opctl("client", "add", "--name", "Machine", "--grant", "client_credentials", "--scope", "api:read")
    one, two = (house.token[0].post(client, grant_type="client_credentials")[1]["access_token"] for _ in range(2))
    assert house.introspect(client, one)[1]["active"] is True
    assert revoke(house.management[1], client, one) == DONE
    assert house.introspect(client, one) == INACTIVE
    assert house.introspect(client, two)[1]["active"] is True
    answers = [connection.userinfo(one) for connection in house.userinfo]
    assert [(status, answer["error"]) for status, answer in answers] == [(403, "insufficient_scope")] * 2


def test_a_token_whose_family_was_never_stored(partita, house):
    """A client that may not refresh: nothing is stored until it is revoked."""
    client = partita.opctl("client", "add", "--name", "No refresh", "--redirect-uri", REDIRECT_URI, "--grant", "authorization_code",
                           "--scope", "openid")
    client["redirect_uris"] = [REDIRECT_URI]
    tokens, others = sign_in(partita, client), sign_in(partita, client)
    assert "refresh_token" not in tokens
    house.is_alive(client, tokens)
    assert revoke(house.management[0], client, tokens["access_token"]) == DONE
    house.is_dead(client, tokens)
    house.is_alive(client, others)


def test_public_clients_revoke_their_own(partita, house):
    client, other = add_app(partita, "Public", "--public"), add_app(partita, "Another public one", "--public")
    for what in ("access_token", "refresh_token"):
        tokens = sign_in(partita, client, SCOPE)
        status, answer = revoke(house.management[0], other, tokens[what])
        assert (status, answer["error"]) == (400, "invalid_grant")
        assert [connection.userinfo(tokens["access_token"])[0] for connection in house.userinfo] == [200, 200]
        assert revoke(house.management[0], client, tokens[what]) == DONE
        house.is_refused(client, tokens)


@pytest.mark.parametrize("what", ["access_token", "refresh_token"])
def test_another_clients_token_is_refused_and_lives(partita, house, world, what):
    client, other = world["client"], add_app(partita, "Another")
    tokens = sign_in(partita, client, SCOPE, world["person"])
    alive = revoke(house.management[0], other, tokens[what])
    assert (alive[0], alive[1]["error"]) == (400, "invalid_grant")
    assert client["client_id"] not in str(alive[1])
    house.is_alive(client, tokens)
    assert revoke(house.management[0], client, tokens[what]) == DONE
    assert revoke(house.management[0], other, tokens[what]) == alive, "alive or dead: the same"


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "pigeon", ""])
@pytest.mark.parametrize("what", ["access_token", "refresh_token"])
def test_the_hint_is_only_a_hint(partita, house, world, what, hint):
    tokens = sign_in(partita, world["client"], SCOPE, world["person"])
    assert revoke(house.management[0], world["client"], tokens[what], token_type_hint=hint) == DONE
    house.is_dead(world["client"], tokens)


def test_what_is_no_token_is_no_error(partita, house, world):
    client = world["client"]
    tokens = sign_in(partita, client, SCOPE, world["person"])
    head, body, signature = tokens["access_token"].split(".")
    first = tokens["refresh_token"]
    for token in ("rubbish", "..", tokens["id_token"], f"{head}.{body}.{signature[::-1]}", first[:-1], first + "A",
                  first[:60] + ("A" if first[60] != "A" else "B") + first[61:]):
        assert revoke(house.management[0], client, token) == DONE
    house.is_alive(client, tokens)
    for _ in range(3):
        assert revoke(house.management[0], client, first) == DONE, "once or three times"
    house.is_dead(client, tokens)


def test_an_expired_token_is_no_error_and_kills_nothing(partita, house):
    client = add_app(partita, "Short revocation")
    process = TokenProcess(partita, "all.access_token_lifetime=1s")
    try:
        code = plant(partita, client, 1, "openid offline_access")[0]
        tokens = process.connect().post(client, grant_type="authorization_code", code=code, redirect_uri=REDIRECT_URI)[1]
    finally:
        process.close()
    time.sleep(1.1)
    assert revoke(house.management[0], client, tokens["access_token"]) == DONE
    assert [status for status, _ in house.refresh(client, tokens)] == [200, 200]


def test_two_processes_at_once(partita, house, world):
    """Both say that it is done, and it is."""
    client = world["client"]
    for what in ("access_token", "refresh_token"):
        tokens = sign_in(partita, client, SCOPE, world["person"])
        for connection in house.management:
            connection.send(token_post(client, "/revoke", token=tokens[what]))
        assert [connection.answer() for connection in house.management] == [DONE, DONE]
        house.is_dead(client, tokens)


def test_it_outlives_a_restart(partita, house, world):
    """A revocation that was answered is on disk: processes that start later know it."""
    tokens = sign_in(partita, world["client"], SCOPE, world["person"])
    assert revoke(house.management[0], world["client"], tokens["refresh_token"]) == DONE
    process = TokenProcess(partita)
    try:
        answer = process.connect().post(world["client"], grant_type="refresh_token", refresh_token=tokens["refresh_token"])
        assert (answer[0], answer[1]["error"]) == (400, "invalid_grant")
    finally:
        process.close()


def test_through_the_front_door(partita):
    client = add_app(partita, "Front door", "--public")
    tokens = sign_in(partita, client, SCOPE)
    metadata = requests.get(partita.issuer + "/.well-known/openid-configuration", timeout=20).json()
    assert metadata["revocation_endpoint"] == partita.issuer + "/revoke"
    assert set(metadata["revocation_endpoint_auth_methods_supported"]) == {"client_secret_basic", "client_secret_post", "private_key_jwt",
                                                                            "none"}
    answer = requests.post(metadata["revocation_endpoint"], data={"token": tokens["refresh_token"], "client_id": client["client_id"]},
                           headers={"Origin": "http://localhost:8090"}, timeout=20)
    assert (answer.status_code, answer.content, answer.headers["Cache-Control"]) == (200, b"", "no-store")
    assert answer.headers["Access-Control-Allow-Origin"] == "http://localhost:8090", "single-page applications revoke"
    userinfo = requests.get(partita.issuer + "/userinfo", headers={"Authorization": "Bearer " + tokens["access_token"]}, timeout=20)
    assert userinfo.status_code == 401 and 'error="invalid_token"' in userinfo.headers["WWW-Authenticate"]
