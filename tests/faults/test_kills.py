"""Each server is killed with -9 under load: it is started again, the others go on, and nothing that was acknowledged is
missing."""
import collections
import os
import signal
import threading
import time

import pytest
import requests

from person import Person, request_for, sign_in, token_request
from server_process import wait_until
from token_process import REDIRECT_URI

KILLS = ["op-token", "op-auth", "op-userinfo", "op-management", "op-discovery", "op-async"]
PASSWORD = "correct horse battery"
OFTEN = 0.01  # seconds between the requests of one thread: steady, not all that the machine can


class Load:
    """Threads that use the installation as people and clients do, and note what was acknowledged and what failed."""

    def __init__(self, partita):
        self.partita = partita
        self.client = partita.add_client("Under load", REDIRECT_URI, "--public") | {"redirect_uris": [REDIRECT_URI]}
        self.users = [f"person{number}" for number in range(3)]
        for name in self.users:
            partita.add_user(name, PASSWORD)
        self.people, self.newest, self.revoked, self.added = [], {}, [], collections.defaultdict(list)
        self.outcomes = []  # (when, server, what): what is None when it went well
        self.over = threading.Event()
        self.access_token = None
        self.family = 0
        work = [lambda: self.sign_in(self.users[0]), lambda: self.sign_in(self.users[1]), self.refreshing(), self.refreshing(),
                self.revoking(), self.revoking_nothing, self.userinfo, self.discovery, self.operate]
        self.threads = [threading.Thread(target=self.repeat, args=(step,)) for step in work]
        for thread in self.threads:
            thread.start()

    def repeat(self, step):
        while not self.over.is_set():
            try:
                server, what = step()
            except Exception as error:  # a thread that dies unseen would make the load lighter
                server, what = "the test", repr(error)
            self.outcomes.append((time.monotonic(), server, what))
            time.sleep(OFTEN)

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive()

    def sign_in(self, name):
        person = Person(self.partita, name, PASSWORD)
        request, verifier = request_for(self.client["client_id"], REDIRECT_URI, "openid offline_access")
        try:
            answer = person.authorize(request)
        except AssertionError as error:
            return "op-auth", str(error)
        if "code" not in answer:
            return "op-auth", answer
        self.people.append(person)
        response = token_request(self.partita, self.client, verifier, grant_type="authorization_code", code=answer["code"],
                                 redirect_uri=REDIRECT_URI)
        if response.status_code != 200:
            return "op-token", response.text
        self.family += 1
        self.newest[name, self.family] = response.json()["refresh_token"]
        self.access_token = response.json()["access_token"]
        return "op-token", None

    def refreshing(self):
        """One family, refreshed again and again; an answer that was lost is asked for again."""
        name = f"refreshing{len(self.newest)}"
        self.newest[name] = sign_in(self.partita, self.client, "openid offline_access", Person(self.partita, self.users[2], PASSWORD))["refresh_token"]

        def step():
            response = token_request(self.partita, self.client, grant_type="refresh_token", refresh_token=self.newest[name])
            if response.status_code != 200:
                return "op-token", response.text
            self.newest[name] = response.json()["refresh_token"]
            return "op-token", None
        return step

    def revoking(self):
        """One family after another, each from the refresh token of a sign-in of its own."""
        person = Person(self.partita, self.users[2], PASSWORD)
        sign_in(self.partita, self.client, "openid offline_access", person)

        def step():
            request, verifier = request_for(self.client["client_id"], REDIRECT_URI, "openid offline_access", prompt="none")
            try:
                code = person.authorize(request)["code"]
            except (AssertionError, KeyError) as error:
                return "op-auth", repr(error)
            response = token_request(self.partita, self.client, verifier, grant_type="authorization_code", code=code, redirect_uri=REDIRECT_URI)
            if response.status_code != 200:
                return "op-token", response.text
            token = response.json()["refresh_token"]
            response = requests.post(self.partita.issuer + "/revoke", data={"token": token, "client_id": self.client["client_id"]}, timeout=30)
            if response.status_code != 200:
                return "op-management", response.text
            self.revoked.append(token)
            return "op-management", None
        return step

    def revoking_nothing(self):
        """What needs op-management alone, whatever the others do (RFC 7009 §2.2: an unknown token is fine)."""
        response = requests.post(self.partita.issuer + "/revoke", data={"token": "unknown", "client_id": self.client["client_id"]}, timeout=30)
        return "op-management", None if response.status_code == 200 else response.text

    def userinfo(self):
        if self.access_token is None:
            return "the test", None
        response = requests.get(self.partita.issuer + "/userinfo", headers={"Authorization": "Bearer " + self.access_token}, timeout=30)
        return "op-userinfo", None if response.status_code == 200 else response.text

    def discovery(self):
        for path in ("jwks.json", "openid-configuration"):
            response = requests.get(f"{self.partita.issuer}/.well-known/{path}", timeout=30)
            if response.status_code != 200:
                return "op-discovery", response.text
        return "op-discovery", None

    def operate(self):
        name = f"added{len(self.added['user'])}"
        self.added["user"].append(self.partita.add_user(name, PASSWORD)["user_id"])
        self.added["client"].append(self.partita.add_client(name, REDIRECT_URI)["client_id"])
        return "opctl", None


def instances(partita):
    return {(server["name"], server["instance"]): server["pid"] for server in partita.info["servers"]}


def kill(partita, name):
    """Returns when it was killed and when its successor answered."""
    before, starts_before = instances(partita), starts(partita, name)
    started = time.monotonic()
    os.kill(before[name, 1], signal.SIGKILL)
    wait_until(lambda: instances(partita)[name, 1] != before[name, 1], 20)
    after = instances(partita)
    assert {key for key in after if after[key] != before[key]} == {(name, 1)}, "nobody else was started again"
    wait_until(lambda: starts(partita, name) > starts_before, 20)
    return started, time.monotonic()


def starts(partita, name):
    """How often the first instance has said that it runs."""
    with open(os.path.join(partita.dir, "log", f"{name}@1.log"), encoding="utf-8", errors="replace") as log:
        return log.read().count('"event":"started"')


@pytest.fixture(scope="module")
def killed(start_partita):
    """(installation, the load that it bore, [(server, from, until)])"""
    partita = start_partita("--instances", "op-token=2", "--set", "all.password_memory=8MiB", "--set", "all.password_iterations=1",
                            "--set", "op-auth.address_guesses=100000")
    load = Load(partita)
    windows = []
    try:
        time.sleep(1)
        for name in KILLS:
            windows.append((name, *kill(partita, name)))
            time.sleep(0.5)
    finally:
        load.end()
    return partita, load, windows


def test_only_the_killed_server_fails_and_only_for_a_moment(killed):
    _, load, windows = killed
    strange = [(round(when - windows[0][1], 2), server, what) for when, server, what in load.outcomes if what is not None and
               not any(name == server and start <= when <= end + 1 for name, start, end in windows)]
    assert not strange, strange


def test_the_others_go_on(killed):
    _, load, windows = killed
    for name, start, end in windows:
        assert end - start < 10
        went_well = {server for when, server, what in load.outcomes if what is None and start <= when <= end}
        assert {"op-token", "op-userinfo", "op-discovery", "op-management"} - {name} <= went_well, (name, went_well)
        later = {server for when, server, what in load.outcomes if what is None and when > end}
        assert {"op-token", "op-userinfo", "op-discovery", "op-management"} <= later


def test_no_acknowledged_write_is_missing(killed):
    partita, load, _ = killed
    assert len(load.newest) > 20 and len(load.people) > 20 and len(load.added["client"]) > 5
    for family, token in load.newest.items():
        response = token_request(partita, load.client, grant_type="refresh_token", refresh_token=token)
        assert response.status_code == 200, (family, response.text)
    assert len(load.revoked) > 20
    for token in load.revoked:
        response = token_request(partita, load.client, grant_type="refresh_token", refresh_token=token)
        assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")
    for person in load.people:
        request, _ = request_for(load.client["client_id"], REDIRECT_URI, "openid offline_access", prompt="none")
        assert "code" in person.authorize(request)
    for kind, key in (("user", "user_id"), ("client", "client_id")):
        assert set(load.added[kind]) <= {made[key] for made in partita.opctl(kind, "list")}
