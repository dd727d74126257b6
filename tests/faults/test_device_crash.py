"""The device grant between its commits: op-auth writes consent and session (sessions) before the approval (async); op-token takes
the approved request (async) before it stores the family (tokens). Killed with -9 between them, by a debugger's breakpoint, both
are harmless, and of two polls one wins."""
import os
import signal
from urllib.parse import urlencode

import pytest

from test_device import GRANT, Device, approve, new_device_client, type_code, userinfo
from test_redemption_crash import Breakpoint, is_refused
from token_process import OwnProcess, token_post
from visitor import Visitor, new_user


@pytest.fixture(scope="module")
def client(partita):
    return new_device_client(partita)


@pytest.fixture
def own(partita):
    """A function that starts a server's process of this test's own."""
    started = []

    def start(server):
        started.append(OwnProcess(partita, server))
        return started[-1]
    yield start
    for process in started:
        process.close()


def kill(stop, process, connection):
    os.kill(process.process.pid, signal.SIGKILL)
    stop.let_go()
    with pytest.raises((ConnectionError, OSError)):
        connection.answer()


# --- op-token ---

def begin_poll(partita, client, process, function):
    device = Device(partita, client, "openid offline_access")
    approve(Visitor(partita, new_user(partita)), device)
    stop, connection = Breakpoint(process, function), process.connect()
    connection.send(token_post(client, grant_type=GRANT, device_code=device.device_code))
    stop.wait_hit()
    return stop, connection, device


@pytest.mark.parametrize("function", ["request_taken", "family_stored"])
def test_op_token_is_killed_between_taking_and_answering(partita, client, own, function):
    process = own("op-token")
    stop, connection, device = begin_poll(partita, client, process, function)
    kill(stop, process, connection)
    assert device.poll() == "invalid_grant", "the code is spent: the device begins again"
    again = Device(partita, client)
    approve(Visitor(partita, new_user(partita)), again)
    assert userinfo(partita, again.poll()).status_code == 200


def test_a_poll_while_another_stands_between_its_commits_wins_nothing_and_harms_nothing(partita, client, own):
    stop, connection, device = begin_poll(partita, client, own("op-token"), "request_taken")
    assert is_refused(own("op-token").connect().post(client, grant_type=GRANT, device_code=device.device_code))
    stop.let_go()
    status, tokens = connection.answer()
    assert status == 200 and userinfo(partita, tokens).status_code == 200 and device.refresh(tokens).status_code == 200


# --- op-auth ---

def begin_answer(partita, client, process, function):
    """A person allows, at a process that stops at function."""
    visitor, device = Visitor(partita, new_user(partita)), Device(partita, client)
    visitor.enter()
    asked = type_code(visitor, device.user_code)
    body = urlencode({"interaction": asked.field("interaction"), "decision": "allow"})
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in visitor.http.cookies)
    stop, connection = Breakpoint(process, function), process.connect()
    connection.send((f"POST /device/approve HTTP/1.1\r\nHost: localhost\r\nCookie: {cookies}\r\n"
                     f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode())
    stop.wait_hit()
    return stop, connection, visitor, device


def test_op_auth_is_killed_between_consent_and_approval(partita, client, own):
    process = own("op-auth")
    stop, connection, visitor, device = begin_answer(partita, client, process, "is_settled")
    kill(stop, process, connection)
    assert client["name"] in visitor.get("/account").text, "the consent was written first"
    assert device.poll() == "authorization_pending", "and hands out nothing by itself"
    approve(visitor, device)
    assert userinfo(partita, device.poll()).status_code == 200


def test_op_auth_is_killed_between_approval_and_page(partita, client, own):
    process = own("op-auth")
    stop, connection, visitor, device = begin_answer(partita, client, process, "is_decided")
    kill(stop, process, connection)
    assert "no longer good" in type_code(visitor, device.user_code).text
    assert userinfo(partita, device.poll()).status_code == 200
