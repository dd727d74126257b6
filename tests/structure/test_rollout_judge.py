"""What tests/rollout lets pass, and above all what it does not."""
import os
import sys

import pytest

from conftest import ROOT

sys.path.insert(0, os.path.join(ROOT, "tests", "fleet"))
import judge  # noqa: E402

KILL = {"instance": "op-token@a1", "server": "op-token", "sent": 100.0, "dead": 100.02, "connections": 2}
DOWN = (200.0, 210.0)
DISK = {"from": 300.0, "until": 310.0}
REFUSED = [{"version": "9.0.4-errors", "server": "op-management", "from": 400.0, "until": 405.0}]
FAILURES = [  # what, server, began, ended, how, what becomes of it
    ("in flight", "op-token", 99.9, 100.1, "502: Bad Gateway", "killed"),
    ("in flight, cut off", "op-token", 100.01, 100.03, "connection: RemoteDisconnected", "killed"),
    ("at another server", "op-auth", 99.9, 100.1, "502: Bad Gateway", "failed"),
    ("begun after the death", "op-token", 100.03, 100.1, "502: Bad Gateway", "failed"),
    ("ended before the kill", "op-token", 99.8, 99.9, "502: Bad Gateway", "failed"),
    ("answered with an error of the server", "op-token", 99.9, 100.1, "500: server_error", "failed"),
    ("a good token refused", "op-token", 99.9, 100.1, "rotated: Wrong: the rotated token is refused", "failed"),
    ("while the machine is off", "op-token", 205.0, 205.1, "connection: ConnectionRefusedError", "off"),
    ("refused while the machine is off", "op-token", 205.0, 205.1, "session: Wrong: the session is lost", "failed"),
    ("after it came back", "op-token", 210.1, 210.2, "502: Bad Gateway", "failed"),
    ("a full disk said so", "op-token", 305.0, 305.1, "503: temporarily_unavailable", "full"),
    ("a full disk is no reason for it", "op-token", 305.0, 305.1, "502: Bad Gateway", "failed"),
    ("there is room again", "op-token", 310.1, 310.2, "503: temporarily_unavailable", "failed"),
    ("the version whose errors rise", "op-management", 401.0, 401.1, "registers: Unexpected: /register: 403 instead of 201: {}", "bad"),
    ("after it was refused", "op-management", 406.0, 406.1, "registers: Unexpected: /register: 403 instead of 201: {}", "failed"),
    ("another error of it", "op-management", 401.0, 401.1, "revokes: AssertionError: a revoked token is active", "failed"),
]


def verdict(failures, pauses=(), lost=(), stuck=()):
    load = {"requests": 1000, "failures": failures, "pauses": list(pauses), "lost": list(lost), "stuck": list(stuck)}
    return judge.Verdict(load, [KILL], [DOWN], DISK, REFUSED)


def failure(server, began, ended, how):
    return {"server": server, "began": began, "ended": ended, "how": how, "worker": "refreshes-2"}


@pytest.mark.parametrize("row", FAILURES, ids=[row[0] for row in FAILURES])
def test_a_failed_request(row):
    _, server, began, ended, how, becomes = row
    found = verdict([failure(server, began, ended, how)])
    counts = {"killed": found.killed, "off": found.off, "full": found.full, "bad": found.bad, "failed": len(found.failed)}
    assert counts == {**dict.fromkeys(counts, 0), becomes: 1}


def test_no_more_were_in_flight_than_there_were_connections():
    found = verdict([failure("op-token", 99.9, 100.1, "502: Bad Gateway")] * 3)
    assert (found.killed, len(found.failed)) == (2, 1)


def test_gaps():
    """The longest, and apart from it the one over a time without a machine; those who wait by themselves do not count."""
    pauses = [(0.5, "refreshes-2", 10.0, 10.5), (9.0, "refreshes-2", 201.0, 210.0), (60.0, "kept-device", 20.0, 80.0), (1.25, "signs_in-0", 100.0, 101.25)]
    found = verdict([], pauses)
    assert (found.gap_ms, found.down_ms) == (1250, 9000)


def test_what_is_lost_is_told():
    assert verdict([], lost=["session: Wrong"], stuck=["refreshes-2"]).lost == ["session: Wrong", "the worker refreshes-2 is stuck"]
