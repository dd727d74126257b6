"""opctl status and opctl top: every instance, as it tells by itself."""
import json
import os
import pty
import re
import signal
import subprocess

import pytest
import requests

from conftest import BUILD
from server_process import Home, wait_until

OPCTL = os.path.join(BUILD, "opctl/opctl")


def admin_dir(partita):
    return os.path.join(partita.dir, "sockets/admin")


def status(directory, *words):
    """What is printed, and the exit status."""
    done = subprocess.run([OPCTL, "status", "--admin-dir", directory, *words], capture_output=True, text=True, timeout=30, check=False)
    assert done.stderr == ""
    return done.stdout


def rows(directory):
    return {row["instance"]: row for row in json.loads(status(directory, "--json"))}


def test_every_instance_is_shown(partita):
    servers = partita.info["servers"]
    shown = partita.opctl("status", "--admin-dir", admin_dir(partita))
    assert [row["instance"] for row in shown] == sorted(f"{s['name']}@{s['instance']}" for s in servers)
    for row in shown:
        assert row["server"] == row["instance"].split("@")[0] and row["version"] == servers[0]["version"], row
        assert (row["state"], row["ready"], row["draining"]) == ("ready", True, False) and "why" not in row, row
        assert row["age"] >= 0 and row["5xx"] >= 0 and row["errors"] >= 0 and row["memory"] > 100000, row


def test_eighty_columns_hold_it(partita):
    lines = status(admin_dir(partita)).splitlines()
    assert lines[0].split() == ["instance", "version", "state", "age", "requests", "5xx", "errors", "p99", "memory"]
    assert len(lines) == 1 + len(partita.info["servers"]) and max(map(len, lines)) <= 80, lines


def test_requests_errors_and_latency_are_those_of_the_instance(partita):
    def count():
        shown = [row for row in partita.opctl("status", "--admin-dir", admin_dir(partita)) if row["server"] == "op-token"]
        return [sum(row[name] for row in shown) for name in ("requests", "errors")], [row.get("p99") for row in shown]
    before, _ = count()
    for _ in range(3):
        assert requests.post(partita.issuer + "/token", data={"grant_type": "x"}, verify=partita.verify, timeout=10).json()["error"]
    after, p99 = count()
    assert after == [before[0] + 3, before[1] + 3]
    assert any(seconds and 0 < seconds <= 20 for seconds in p99)


def test_no_instances_are_said_so(partita, tmp_path):
    done = partita.opctl("status", "--admin-dir", "/proc/nonexistent/admin", check=False)
    assert done.returncode == 1 and done.stderr.startswith("opctl: /proc/nonexistent/admin: No such file") and done.stderr.count("\n") == 1
    assert status(str(tmp_path)) == f"no instance runs: {tmp_path} is empty\n"
    assert status(str(tmp_path), "--json") == "[]\n"


@pytest.fixture(scope="module")
def home():
    made = Home()
    yield made
    made.close()


def start(home, name, *options):
    """An instance with an operator's socket where opctl looks."""
    directory = os.path.join(home.dir, "admin")
    os.makedirs(os.path.join(directory, name))
    process = home.start(name.split("@")[0], "--admin", f"unix:{directory}/{name}/socket", *options)
    wait_until(lambda: rows(directory)[name]["state"] != "silent", 20, lambda: process.log)
    return process, directory


def test_instances_in_every_state(home):
    """One that is ready, one that waits for keys, one that hangs, one that died, one that drains."""
    waits, directory = start(home, "op-token@1")
    assert rows(directory)["op-token@1"]["state"] == "not ready"
    assert rows(directory)["op-token@1"]["why"] == "there is no signing key of ES256 yet"
    assert "op-token@1: there is no signing key of ES256 yet\n" in status(directory)
    start(home, "op-discovery@1")
    waits.wait_ready()
    hangs, _ = start(home, "op-userinfo@1")
    died, _ = start(home, "op-userinfo@2")
    drains, _ = start(home, "op-userinfo@3")
    with drains.connect() as connection:
        connection.sendall(b"GET /userinfo HTTP/1.1\r\n")  # a request that is not whole keeps it
        wait_until(lambda: "partita_connections 1\n" in metrics_of(directory, "op-userinfo@3"), 10)
        drains.popen.send_signal(signal.SIGTERM)
        draining = wait_until(lambda: [row for row in rows(directory).values() if row["draining"]], 5)
        assert re.search(r"^op-userinfo@3 +\S+ +draining ", status(directory), re.M)
    assert [(row["instance"], row["state"], "version" in row) for row in draining] == [("op-userinfo@3", "draining", True)]
    drains.popen.wait(20)
    died.end(signal.SIGKILL)
    hangs.popen.send_signal(signal.SIGSTOP)
    try:
        found, table = rows(directory), status(directory)
    finally:
        hangs.popen.send_signal(signal.SIGCONT)
    assert {name: row["state"] for name, row in found.items()} == {
        "op-discovery@1": "ready", "op-token@1": "ready", "op-userinfo@1": "silent", "op-userinfo@2": "silent", "op-userinfo@3": "silent"}
    assert found["op-userinfo@1"]["why"] == "it does not answer" and found["op-userinfo@2"]["why"] == "nobody listens on its socket"
    assert not {"version", "requests"} & set(found["op-userinfo@1"]) and "op-userinfo@1: it does not answer\n" in table
    assert max(map(len, table.splitlines())) <= 80


def metrics_of(directory, name):
    done = subprocess.run(["curl", "-s", "--unix-socket", f"{directory}/{name}/socket", "http://localhost/.metrics"], capture_output=True, text=True, check=True)
    return done.stdout


def test_top_tells_what_happened_since_the_look_before(partita):
    def of_discovery(line):
        return next(row for row in json.loads(line) if row["server"] == "op-discovery")
    top = subprocess.Popen([OPCTL, "top", "--json", "--admin-dir", admin_dir(partita)], stdout=subprocess.PIPE, text=True)
    try:
        first = of_discovery(top.stdout.readline())
        assert "per_second" not in first
        sent, seen = 0, first
        while seen["requests"] < first["requests"] + 20:  # looks go on meanwhile, so the requests may fall into several
            if sent < 20:
                assert requests.get(partita.issuer + "/.well-known/openid-configuration", verify=partita.verify, timeout=10).status_code == 200
                sent += 1
                continue
            before, seen = seen, of_discovery(top.stdout.readline())
            if seen["requests"] > before["requests"]:
                assert seen["per_second"] > 0 and 0 < seen["p99"] <= 20, seen
    finally:
        top.kill()
        top.wait()


def test_top_keeps_a_terminal_up_to_date(partita):
    own, terminal = pty.openpty()
    top = subprocess.Popen([OPCTL, "top", "--admin-dir", admin_dir(partita)], stdout=terminal, stdin=terminal)
    os.close(terminal)
    text = b""
    try:
        while text.count(b"\033[H\033[2J") < 3:
            text += os.read(own, 65536)
    finally:
        top.kill()
        top.wait()
        os.close(own)
    screens = [screen.decode().splitlines() for screen in text.split(b"\033[H\033[2J")[1:3]]
    for screen in screens:
        assert screen[0].split()[:5] == ["instance", "version", "state", "age", "req/s"] and len(screen) == 1 + len(partita.info["servers"])
        assert max(map(len, screen)) <= 80
    assert all(line.split()[4].isdigit() for line in screens[1][1:]), "requests per second from the second look on"
