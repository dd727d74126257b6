"""What may happen once, against many at once and against time: codes and refresh tokens (ARCHITECTURE.md, "Refresh
tokens"), with windows of seconds."""
import base64
import collections
import os
import time

import pytest
import requests

from token_process import REDIRECT_URI, TokenProcess, plant, token_post

LOST_ANSWER, RACE = 4, 1
CODES = 2000


@pytest.fixture(scope="module")
def pair(partita):
    """Two processes that share nothing but the environments."""
    settings = [f"lost_answer_window={LOST_ANSWER}s", f"race_window={RACE}s"]
    processes = [TokenProcess(partita, *settings) for _ in range(2)]
    yield processes
    for process in processes:
        process.close()


@pytest.fixture(scope="module")
def client(partita):
    """Public, so that its refresh tokens rotate."""
    return partita.add_client("Races", REDIRECT_URI, "--public")


@pytest.fixture(scope="module")
def confidential(partita):
    return partita.add_client("Does not rotate", REDIRECT_URI)


@pytest.fixture
def connection(pair):
    connection = pair[0].connect()
    yield connection
    connection.close()


def redemption(client, code):
    return {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI}


def refresh(connection, client, token, **more):
    return connection.post(client, grant_type="refresh_token", refresh_token=token, **more)


def new_family(partita, connection, client, scope="offline_access"):
    """The first refresh token of a new family."""
    status, answer = connection.post(client, **redemption(client, plant(partita, client, 1, scope)[0]))
    assert status == 200, answer
    return answer["refresh_token"]


def rotate(connection, client, token):
    status, answer = refresh(connection, client, token)
    assert status == 200, answer
    return answer["refresh_token"]


def refused(answer, error="invalid_grant"):
    return answer[0] == 400 and answer[1]["error"] == error


def change(token, offset, by=1):
    """The token with one byte changed: 0 family, 16 generation, 20 secret, 52 tag."""
    data = bytearray(base64.urlsafe_b64decode(token))
    data[offset] = (data[offset] + by) % 256
    return base64.urlsafe_b64encode(bytes(data)).decode()


# --- many at once ---

def test_two_processes_race_for_one_code(partita, pair, client):
    """One winner each time; the loser's replay ends what the winner got, whichever commit came first."""
    connections = [process.connect() for process in pair]
    outcomes, winners = collections.Counter(), []
    for number, code in enumerate(plant(partita, client, CODES)):
        request = token_post(client, **redemption(client, code))
        order = connections if number % 2 else connections[::-1]
        for connection in order:
            connection.send(request)
        answers = [connection.answer() for connection in order]
        outcomes[tuple(sorted(status for status, _ in answers))] += 1
        assert all(status == 200 or answer["error"] == "invalid_grant" for status, answer in answers)
        winners += [answer["refresh_token"] for status, answer in answers if status == 200]
    assert sum(outcomes.values()) == CODES and set(outcomes) == {(200, 400)}, outcomes
    for token in winners[::40]:
        assert refused(refresh(connections[0], client, token))


def test_64_clients_race_with_one_refresh_token(partita, pair, client):
    connections = [pair[number % 2].connect() for number in range(64)]
    token = new_family(partita, connections[0], client)
    for _ in range(5):
        for connection in connections:
            connection.send(token_post(client, grant_type="refresh_token", refresh_token=token))
        answers = [connection.answer() for connection in connections]
        assert [status for status, _ in answers] == [200] * 64
        successors = {answer["refresh_token"] for _, answer in answers}
        assert len(successors) == 1 and successors != {token}
        token = successors.pop()
    for connection in connections:
        connection.close()


# --- the windows ---

def test_a_lost_answer_is_given_again(partita, connection, client):
    first = new_family(partita, connection, client)
    second = rotate(connection, client, first)
    time.sleep(LOST_ANSWER - 2)
    assert rotate(connection, client, first) == second
    assert rotate(connection, client, second) != second


def test_a_race_is_forgiven(partita, connection, client):
    first = new_family(partita, connection, client)
    second = rotate(connection, client, first)
    third = rotate(connection, client, second)
    assert rotate(connection, client, first) == second
    assert rotate(connection, client, second) == third
    assert rotate(connection, client, third) not in (first, second, third)


def test_theft_after_the_race_window(partita, connection, client):
    first = new_family(partita, connection, client)
    second = rotate(connection, client, first)
    third = rotate(connection, client, second)
    time.sleep(RACE + 1.1)
    assert refused(refresh(connection, client, first))
    assert refused(refresh(connection, client, third))
    assert refused(refresh(connection, client, second))


def test_theft_after_the_lost_answer_window(partita, connection, client):
    first = new_family(partita, connection, client)
    second = rotate(connection, client, first)
    time.sleep(LOST_ANSWER + 1.1)
    assert refused(refresh(connection, client, first))
    assert refused(refresh(connection, client, second))


def test_theft_by_a_generation_whose_hash_is_gone(partita, connection, client):
    first = token = new_family(partita, connection, client)
    for _ in range(20):
        token = rotate(connection, client, token)
    assert refused(refresh(connection, client, change(first, 60))), "a forged tag proves nothing"
    token = rotate(connection, client, token)
    assert refused(refresh(connection, client, first))
    assert refused(refresh(connection, client, token))


# --- what kills nothing ---

def test_a_strangers_client(partita, connection, client, confidential):
    first = new_family(partita, connection, client)
    second = rotate(connection, client, first)
    third = rotate(connection, client, second)
    time.sleep(RACE + 1.1)
    for token in (first, second, third):
        assert refused(refresh(connection, confidential, token))
    assert rotate(connection, client, third)


@pytest.mark.parametrize("what, offset", [("family", 3), ("generation", 19), ("secret", 20), ("secret", 51), ("tag", 52), ("tag", 83)])
def test_a_changed_token(partita, connection, client, what, offset):
    token = new_family(partita, connection, client)
    assert refused(refresh(connection, client, change(token, offset))), what
    assert rotate(connection, client, token)


def test_a_generation_from_the_future(partita, connection, client):
    token = new_family(partita, connection, client)
    for steps in (1, 2, 100):
        assert refused(refresh(connection, client, change(token, 19, steps)))
    assert rotate(connection, client, token)


def test_scope_beyond_the_grant_rotates_nothing(partita, connection, client):
    token = new_family(partita, connection, client)
    assert refused(refresh(connection, client, token, scope="offline_access email"), "invalid_scope")
    assert refused(refresh(connection, client, token, scope='a"b'), "invalid_scope")
    second = rotate(connection, client, token)
    assert rotate(connection, client, second)


def test_a_change_of_k(partita, connection, client):
    first = new_family(partita, connection, client)
    second = rotate(connection, client, first)
    after = TokenProcess(partita, token_key=os.urandom(32))
    try:
        other = after.connect()
        third = rotate(other, client, second)       # its hash is kept: it outlives K
        assert rotate(other, client, second) == third
        fourth = rotate(connection, client, third)  # and the other way round
        assert rotate(other, client, fourth)
        other.close()
    finally:
        after.close()


# --- lifetimes ---

@pytest.fixture(scope="module")
def short_lived(partita):
    process = TokenProcess(partita, "all.refresh_token_idle_lifetime=4s", "all.refresh_token_lifetime=9s", "all.access_token_lifetime=2s")
    yield process
    process.close()


@pytest.mark.parametrize("rotates", [True, False], ids=["rotating", "same token"])
def test_use_keeps_a_family_alive_until_its_absolute_end(partita, short_lived, client, confidential, rotates):
    connection, who = short_lived.connect(), client if rotates else confidential
    token, started = new_family(partita, connection, who), time.time()
    while time.time() - started < 6:  # longer than the idle lifetime
        time.sleep(1.5)
        token = rotate(connection, who, token)
    time.sleep(max(0, started + 9.1 - time.time()))
    assert refused(refresh(connection, who, token))


def test_an_idle_family_ends(partita, short_lived, client):
    connection = short_lived.connect()
    token = new_family(partita, connection, client)
    time.sleep(4.1)
    assert refused(refresh(connection, client, token))


def test_an_access_token_ends(partita, short_lived, client):
    answer = short_lived.connect().post(client, **redemption(client, plant(partita, client, 1, "openid offline_access")[0]))[1]
    header = {"Authorization": "Bearer " + answer["access_token"]}
    assert answer["expires_in"] == 2
    assert requests.get(partita.issuer + "/userinfo", headers=header, timeout=20).status_code == 200
    time.sleep(2.1)
    response = requests.get(partita.issuer + "/userinfo", headers=header, timeout=20)
    assert response.status_code == 401 and 'error="invalid_token"' in response.headers["WWW-Authenticate"]


# --- clients that do not rotate, narrowing, ID tokens ---

def test_a_confidential_client_keeps_its_token(partita, connection, confidential):
    token = new_family(partita, connection, confidential, "openid profile offline_access")
    for _ in range(3):
        status, answer = refresh(connection, confidential, token)
        assert (status, answer["refresh_token"]) == (200, token)
        assert answer["scope"] == "openid profile offline_access" and answer["id_token"]
    status, answer = refresh(connection, confidential, token, scope="profile")
    assert (status, answer["scope"]) == (200, "profile") and "id_token" not in answer
    assert refresh(connection, confidential, token)[1]["scope"] == "openid profile offline_access"


def test_a_killed_family_is_refused_by_userinfo_at_once(partita, connection, client):
    code = plant(partita, client, 1, "openid offline_access")[0]
    status, answer = connection.post(client, **redemption(client, code))
    assert status == 200
    header = {"Authorization": "Bearer " + answer["access_token"]}
    assert requests.get(partita.issuer + "/userinfo", headers=header, verify=partita.verify, timeout=20).status_code == 200
    assert refused(connection.post(client, **redemption(client, code)))
    response = requests.get(partita.issuer + "/userinfo", headers=header, verify=partita.verify, timeout=20)
    assert response.status_code == 401 and 'error="invalid_token"' in response.headers["WWW-Authenticate"]
