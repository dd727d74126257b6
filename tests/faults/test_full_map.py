"""A map without room: 503 with Retry-After, one log line, what is there can be changed and ended, nothing that was
acknowledged is lost, and service again when there is room."""
import time

import pytest
import requests

from server_process import wait_until
from token_process import plant
from trouble import PASSWORD, QUICK, People, events, fill, is_passing, make_room

ENVS = ["sessions", "tokens", "users", "keys", "codes"]
TRIES, MANY = 100, 10


@pytest.fixture(scope="module")
def small(start_partita):
    return start_partita(*[word for env in ENVS for word in ("--map-size", env + "=2MiB")], *QUICK)


@pytest.fixture(scope="module")
def people(small):
    people = People(small)
    for _ in range(3):
        people.sign_in()
    return people


def refusals(request, well):
    """Asks until there is no room, which gaps between entries may put off, and then some more: there is never
    another answer than yes and 503."""
    refused = 0
    for _ in range(TRIES):
        response = request()
        assert response.status_code == well or is_passing(response), (response.status_code, response.text)
        refused += response.status_code != well
        if refused == MANY:
            return
    raise AssertionError(f"only {refused} were refused")


class Lines:
    """What one server says of trouble from now on."""

    def __init__(self, partita, server):
        self.partita, self.server = partita, server
        self.before = len(self.all())

    def all(self):
        return events(self.partita, self.server, "store_full", "store_failed", "store_broken", "request", "problem_page")

    def told_once(self, env):
        lines = self.all()[self.before:]
        assert [(line["event"], line.get("env"), line["level"]) for line in lines] == [("store_full", env, "warning")], lines
        assert f"/{env}/data.mdb" in lines[0]["what"] and "MAP_FULL" in lines[0]["what"]


def test_sessions(small, people):
    lines = Lines(small, "op-auth")
    fill(small, "sessions")
    refusals(people.try_password, 303)
    lines.told_once("sessions")
    assert people.try_code()[0].status_code == 303, "who is signed in goes on"
    assert people.refresh(0).status_code == 200 and people.userinfo(0) == 200
    leaving = people.signed_in.pop()
    page = leaving.http.get(small.issuer + "/account", timeout=30)
    assert "sign-out-everywhere" in page.text
    sid = small.opctl("session", "list")[0]["sid"]
    assert small.opctl("session", "show", sid)["sid"] == sid
    make_room(small, "sessions")
    assert people.try_password().status_code == 303


def test_codes_expire(small, people):
    lines = Lines(small, "op-auth")
    fill(small, "codes", 6)
    full_at = time.monotonic()
    refusals(lambda: people.try_code()[0], 303)
    lines.told_once("codes")
    time.sleep(max(0, full_at + 7 - time.monotonic()))
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
    family = small.opctl("token", "list")[0]["family"]
    small.opctl("token", "revoke", family)
    assert small.opctl("token", "show", family)["state"] != "alive", "and ended"
    make_room(small, "tokens")
    assert people.redeem(codes.pop()).status_code == 200
