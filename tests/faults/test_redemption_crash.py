"""A redemption takes the code (first commit) and then stores the family (second commit). Stopped or killed with -9 between
the two, by a debugger's breakpoint, it is harmless in both orders of replay and creation (ARCHITECTURE.md, "The store")."""
import os
import signal
import subprocess
import time

import pytest
import requests

from token_process import REDIRECT_URI, TokenProcess, plant, token_post

AFTER_FIRST_COMMIT = "code_taken"
AFTER_SECOND_COMMIT = "family_stored"


class Breakpoint:
    """Stops a process when it reaches a function, until let go."""

    def __init__(self, token, function):
        self.hit, self.go = os.path.join(token.dir, "hit"), os.path.join(token.dir, "go")
        wait = f"shell touch {self.hit}; for i in $(seq 600); do [ -e {self.go} ] && break; sleep 0.05; done"
        self.log_path = os.path.join(token.dir, "gdb.log")
        with open(self.log_path, "wb") as log:
            self.gdb = subprocess.Popen(
                ["gdb", "-q", "-nx", "-batch", "-p", str(token.process.pid), "-iex", "set debuginfod enabled off",
                 "-ex", "set breakpoint pending off", "-ex", f"break {function}", "-ex", f"shell touch {self.hit}.set", "-ex", "continue",
                 "-ex", wait, "-ex", "detach"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.wait_for(self.hit + ".set")

    def wait_for(self, path):
        deadline = time.monotonic() + 60
        while not os.path.exists(path):
            with open(self.log_path, encoding="utf-8", errors="replace") as log:
                assert time.monotonic() < deadline and self.gdb.poll() is None, log.read()
            time.sleep(0.02)

    def wait_hit(self):
        self.wait_for(self.hit)

    def let_go(self):
        with open(self.go, "wb"):
            pass
        self.gdb.wait(60)


@pytest.fixture
def pair(partita):
    processes = [TokenProcess(partita) for _ in range(2)]
    yield processes
    for process in processes:
        process.close()


@pytest.fixture(scope="module", params=["with a refresh token", "without"])
def client(partita, request):
    grants = ["--grant", "authorization_code"] + (["--grant", "refresh_token"] if request.param == "with a refresh token" else [])
    return partita.opctl("client", "add", "--name", "Crashes " + request.param, "--public", "--redirect-uri", REDIRECT_URI,
                         "--scope", "openid offline_access", *grants)


def redemption(code):
    return {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI}


def is_refused(answer):
    return answer[0] == 400 and answer[1]["error"] == "invalid_grant"


def userinfo(partita, token):
    return requests.get(partita.issuer + "/userinfo", headers={"Authorization": "Bearer " + token}, verify=partita.verify,
                        timeout=20).status_code


def begin(partita, client, token, function):
    """Sends a redemption that stops at function. Returns (breakpoint, connection, code)."""
    code = plant(partita, client, 1, "openid offline_access")[0]
    stop, connection = Breakpoint(token, function), token.connect()
    connection.send(token_post(client, **redemption(code)))
    stop.wait_hit()
    return stop, connection, code


@pytest.mark.parametrize("function", [AFTER_FIRST_COMMIT, AFTER_SECOND_COMMIT])
def test_killed_between(partita, pair, client, function):
    """Nothing that lives is left, the code is spent, and everybody else goes on."""
    stop, connection, code = begin(partita, client, pair[0], function)
    os.kill(pair[0].process.pid, signal.SIGKILL)
    stop.let_go()
    with pytest.raises((ConnectionError, OSError)):
        connection.answer()
    other = pair[1].connect()
    assert is_refused(other.post(client, **redemption(code)))
    status, answer = other.post(client, **redemption(plant(partita, client, 1, "openid offline_access")[0]))
    assert status == 200 and userinfo(partita, answer["access_token"]) == 200


def test_the_replay_is_faster_than_the_creation(partita, pair, client):
    stop, connection, code = begin(partita, client, pair[0], AFTER_FIRST_COMMIT)
    assert is_refused(pair[1].connect().post(client, **redemption(code)))
    stop.let_go()
    assert is_refused(connection.answer()), "the family was dead before it was made"


def test_the_replay_comes_between_creation_and_answer(partita, pair, client):
    stop, connection, code = begin(partita, client, pair[0], AFTER_SECOND_COMMIT)
    assert is_refused(pair[1].connect().post(client, **redemption(code)))
    stop.let_go()
    status, answer = connection.answer()
    assert status == 200
    assert userinfo(partita, answer["access_token"]) == 401
    if "refresh_token" in answer:
        assert is_refused(pair[1].connect().post(client, grant_type="refresh_token", refresh_token=answer["refresh_token"]))
