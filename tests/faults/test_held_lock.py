"""A process holds the writer lock of an environment and does not let go: who has to write there is told 503 with Retry-After
after two seconds, everybody else is served, and service returns when it lets go, or dies."""
import os
import subprocess
import threading
import time

import pytest
import requests

from conftest import BUILD
from trouble import People, events, is_passing

WAIT = 2  # seconds that a write waits


@pytest.fixture(scope="module")
def people(own):
    people = People(own, "patient")
    for _ in range(2):
        people.sign_in()
    return people


def hold(partita, env):
    """A process that holds the lock."""
    process = subprocess.Popen([os.path.join(BUILD, "tests", "fill"), partita.info["state_dir"], partita.info["runtime_dir"], env, "hold"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    return process


def let_go(process):
    process.stdin.close()
    assert process.wait(10) == 0


def die(process):
    process.kill()
    process.wait(10)


def at_once(*questions):
    answers = {}

    def ask(number, question):
        started = time.monotonic()
        answers[number] = (question(), time.monotonic() - started)
    threads = [threading.Thread(target=ask, args=each) for each in enumerate(questions)]
    for thread in threads:
        thread.start()
    return threads, answers


@pytest.mark.parametrize("end", [let_go, die])
def test_a_held_lock(people, end):
    partita = people.partita
    before = len(events(partita, "op-token", "store_failed", "request"))
    holder = hold(partita, "tokens")
    threads, answers = at_once(*[lambda: people.refresh(0)] * 5)
    while any(thread.is_alive() for thread in threads):
        started = time.monotonic()
        assert people.userinfo(0) == 200
        assert requests.get(partita.issuer + "/.well-known/jwks.json", timeout=30).status_code == 200
        response, _ = people.try_code()
        assert response.status_code == 303 and time.monotonic() - started < 1
    for response, seconds in answers.values():
        assert is_passing(response) and WAIT - 0.1 < seconds < WAIT + 2, (response.status_code, seconds)
    lines = events(partita, "op-token", "store_failed", "request")[before:]
    assert [line.get("result") for line in lines] in (["busy"], []), lines
    end(holder)
    people.are_whole()
    people.sign_in()
    assert events(partita, "op-token", "store_failed")
