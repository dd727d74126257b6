"""A map without room: 503 with Retry-After, one log line, what is there can be changed and ended, nothing that was
acknowledged is lost, and service again when there is room."""
import time

import pytest
import requests

from conftest import QUICK
from person import Person, sign_in
from server_process import wait_until
from token_process import plant
from trouble import PASSWORD, TRIES, Lines, People, events, fill, make_room, refusals

ENVS = ["sessions", "tokens", "users", "keys", "codes"]


@pytest.fixture(scope="module")
def small(start_partita):
    return start_partita(*[word for env in ENVS for word in ("--map-size", env + "=2MiB")], *QUICK)


@pytest.fixture(scope="module")
def people(small):
    people = People(small)
    for _ in range(3):
        people.sign_in()
    small.add_user("leaving", PASSWORD)
    for _ in range(2):
        people.leaving = sign_in(small, people.client, "openid offline_access", Person(small, "leaving", PASSWORD))
    return people


def test_sessions(small, people):
    lines = Lines(small, "op-auth")
    fill(small, "sessions")
    refusals(people.try_password, 303)
    lines.told_once("sessions")
    assert people.try_code()[0].status_code == 303, "who is signed in goes on"
    assert people.refresh(0).status_code == 200 and people.userinfo(0) == 200
    assert people.sign_out().status_code == 200
    sid = small.opctl("session", "list", "--user", "leaving")[0]["sid"]
    small.opctl("session", "end", sid)
    assert small.opctl("session", "show", sid, check=False).returncode == 1
    make_room(small, "sessions")
    assert people.try_password().status_code == 303


def test_codes_expire(small, people):
    lines = Lines(small, "op-auth")
    fill(small, "codes", 4)
    full_at = time.monotonic()
    refusals(lambda: people.try_code()[0], 303)
    lines.told_once("codes")
    time.sleep(max(0, full_at + 5 - time.monotonic()))
    assert people.try_code()[0].status_code == 303, "room is made by the first who asks"
    people.sign_in()


def test_tokens(small, people):
    lines = Lines(small, "op-token")
    codes = plant(small, people.client, TRIES)
    fill(small, "tokens")
    refusals(lambda: people.redeem(codes.pop()), 200)
    lines.told_once("tokens")
    for number in range(3):
        assert people.refresh(number).status_code == 200, "what is there can be changed"
        assert people.userinfo(number) == 200
    response = requests.post(small.issuer + "/revoke", timeout=30,
                             data={"token": people.leaving["refresh_token"], "client_id": people.client["client_id"]})
    assert response.status_code == 200, response.text
    alive = [family["family"] for family in small.opctl("family", "list", "--user", "leaving") if family["state"] == "alive"]
    assert len(alive) == 1, "one of the two was ended by its client"
    small.opctl("family", "revoke", *alive)
    assert small.opctl("family", "show", *alive)["state"] != "alive", "and the other by the operator"
    make_room(small, "tokens")
    assert people.redeem(codes.pop()).status_code == 200


def test_users(small, people):
    fill(small, "users")
    refused = []
    for number in range(TRIES):
        done = small.opctl("user", "add", f"new{number}", secret=PASSWORD + "\n", check=False)
        refused += [f"new{number}"] if done.returncode != 0 else []
        assert done.returncode == 0 or "the environment or its disk is full: make room" in done.stderr, done.stderr
        if len(refused) == 3:
            break
    known = {user["username"] for user in small.opctl("user", "list")}
    assert len(refused) == 3 and not known & set(refused)
    small.opctl("user", "disable", "leaving")
    small.opctl("user", "enable", "leaving")
    make_room(small, "users")
    for name in refused:
        small.add_user(name, PASSWORD)


def test_keys(small, people):
    lines = Lines(small, "op-discovery")
    fill(small, "keys")
    before = small.opctl("key", "list")
    small.opctl("key", "rotate", "--now")
    wait_until(lambda: events(small, "op-discovery", "store_full"), 20)
    assert small.opctl("key", "list") == before
    assert requests.get(small.issuer + "/.well-known/jwks.json", timeout=30).status_code == 200
    lines.told_once("keys")
    make_room(small, "keys")
    wait_until(lambda: not {key["kid"] for key in small.opctl("key", "list")} & {key["kid"] for key in before}, 20)


def test_nothing_is_lost_and_the_operator_hears_that_it_is_over(small, people):
    people.sign_in()
    people.are_whole()
    for server, env in (("op-auth", "sessions"), ("op-auth", "codes"), ("op-token", "tokens")):
        wait_until(lambda: people.sign_in() or [line for line in events(small, server, "store_recovered") if line["env"] == env], 20)
