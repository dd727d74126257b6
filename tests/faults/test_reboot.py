"""The machine starts again: the volatile environments are gone, what is durable is whole, and people go on."""
import contextlib
import os
import signal

import pytest

from person import Page, Person, answer_of, request_for, sign_in, token_request
from server_process import wait_until
from token_process import REDIRECT_URI
from trouble import PASSWORD, People


def stop(partita):
    assert partita.stop().returncode == 0


def lose_power(partita):
    """Everything ends at once, deploy/up included: nobody tidies up."""
    info = partita.info
    pids = [info["pid"]] + [server["pid"] for server in info["servers"]]
    with open(os.path.join(partita.dir, "nginx", "nginx.pid"), encoding="utf-8") as file:
        nginx = int(file.read())
    with open(f"/proc/{nginx}/task/{nginx}/children", encoding="utf-8") as file:
        pids += [nginx] + list(map(int, file.read().split()))
    for pid in pids:  # what deploy/up started ends with it, perhaps before its turn
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(map(runs, pids)), 20)


def runs(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("end", [stop, lose_power])
def test_everything_durable_is_there_again(own, end):
    people = People(own, end.__name__)
    for _ in range(3):
        people.sign_in()
    sessions = sorted(session["sid"] for session in own.opctl("session", "list"))
    keys = own.opctl("key", "list")
    response, verifier = people.try_code()
    code = response.headers["Location"].split("code=")[1].split("&")[0]
    late = Person(own, people.name, PASSWORD)
    request, _ = request_for(people.client["client_id"], REDIRECT_URI)
    page, _ = late.follow(late.http.get(own.issuer + "/authorize", params=request, allow_redirects=False, timeout=30))

    end(own)
    own.start()

    assert sorted(session["sid"] for session in own.opctl("session", "list")) == sessions
    assert own.opctl("key", "list") == keys
    assert [people.userinfo(number) for number in range(3)] == [200] * 3
    people.are_whole()
    response = token_request(own, people.client, verifier, grant_type="authorization_code", code=code, redirect_uri=REDIRECT_URI)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_grant"), "a code from before"
    people.are_whole()
    there = late.through_pages(late.answer(page, Page(page.text), True))
    assert "code" in answer_of(there), "a form that lay open meanwhile is good"
    assert sign_in(own, own.info["client"], "openid")
