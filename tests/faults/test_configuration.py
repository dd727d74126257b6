"""Bad configuration, and what is missing at start: each server says which line or path is at fault, and what to do."""
import json
import os
import shutil
import subprocess

import pytest

from server_process import ISSUER, Home, wait_until

SERVERS = ["op-discovery", "op-auth", "op-token", "op-userinfo", "op-management", "op-async"]
# Bad lines of each server's own section.
OWN = {
    "op-discovery": ["rotation_interval = soon", "cache_max_age = 2y"],
    "op-auth": ["password_threads = 0", "password_queue = 4097"],
    "op-token": ["client_secret_failures = -1", "code_tombstone_lifetime = 10 parsecs"],
    "op-userinfo": [],
    "op-management": ["client_secret_failures = none", "client_secret_failures_window = 2d", "registration = perhaps", "registration_limit = 0",
                      "registration_updates = 0", "registration_address_updates = many", "registration_updates_window = 2d"],
    "op-async": ["outside_allowed = https://keys.example", "fetch_timeout = 1h"],
}
BAD = """; what follows is bad, but for this line
name = My House
allow_plain_pkce = perhaps
code_lifetime = 0s
colour = green
this is no setting
session_lifetime = 14d
session_lifetime = 15d
"""
STORES = {
    "op-discovery": ["keys", "jwks"],
    "op-auth": ["codes", "async", "sessions", "users", "credentials", "guard", "clients", "jwks", "remote"],
    "op-token": ["codes", "tokens", "guard", "clients", "users", "sessions", "jwks", "keys", "remote"],
    "op-userinfo": ["tokens", "clients", "users", "sessions", "jwks"],
    "op-management": ["tokens", "guard", "clients", "users", "sessions", "jwks", "remote"],
    "op-async": ["remote", "guard"],
}
CREDENTIALS = {"op-discovery": ["seal-key"], "op-auth": ["form-key"], "op-token": ["seal-key", "token-key"]}


@pytest.fixture(scope="module")
def home():
    made = Home()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def good_again(home):
    """What a test spoils is whole again for the next."""
    yield
    home.write_conf()


def try_start(home, server, listen=True, **environment):
    """A start that is to fail."""
    try:
        return home.run(server, *(["--listen", f"unix:{home.dir}/{server}.sock"] if listen else []), **environment)
    except subprocess.TimeoutExpired as expired:
        raise AssertionError(f"{server} runs, though it should not: {expired.stderr}") from None


def numbers_of(home, text):
    """The numbers of the lines that are at fault, in the order in which they are told."""
    lines = text.splitlines()
    for line in lines:
        assert line.startswith(home.conf + ":"), line
    return [int(line[len(home.conf) + 1:].split(":")[0]) for line in lines]


def line_of(home, wanted):
    with open(home.conf, encoding="utf-8") as file:
        return [number for number, line in enumerate(file, 1) if line.rstrip("\n") == wanted][-1]


@pytest.mark.parametrize("server", SERVERS)
def test_every_bad_line_is_told_with_file_and_number(home, server):
    home.write_conf(text=BAD + f"[{server}]\n" + "\n".join(OWN[server]) + "\n[op-somebody-else]\nwhatever = 1\n")
    bad = ["allow_plain_pkce = perhaps", "code_lifetime = 0s", "this is no setting", "session_lifetime = 15d"] + OWN[server]
    at_start = [line_of(home, line) for line in bad]
    done = try_start(home, server)
    assert (done.returncode, numbers_of(home, done.stderr)) == (78, at_start), "a setting that nobody knows does not count at start"
    done = home.run(server, "--check-config")
    unknown = [line_of(home, "colour = green"), line_of(home, "whatever = 1")]  # of ours, and of a server that there is not
    assert (done.returncode, numbers_of(home, done.stderr)) == (78, sorted(at_start + unknown))


@pytest.mark.parametrize("server", SERVERS)
def test_an_unknown_setting_fails_the_check_and_only_warns_at_start(home, server):
    home.write_conf(text=f"[{server}]\nfrom_next_year = 1\n")
    number = line_of(home, "from_next_year = 1")
    done = home.run(server, "--check-config")
    assert done.returncode == 78 and numbers_of(home, done.stderr) == [number] and "from_next_year" in done.stderr
    process = home.start(server)
    wait_until(lambda: process.events("started"), 20, lambda: process.log)
    assert process.end() == 0
    assert f"{home.conf}:{number}: " in process.log and "from_next_year" in process.log


@pytest.mark.parametrize("server", SERVERS)
def test_a_missing_file_and_a_missing_setting(home, server):
    with open(home.conf, "w", encoding="utf-8") as file:
        file.write("[all]\nname = Nothing else\n")
    done = try_start(home, server)
    assert done.returncode == 78 and f"{home.conf}: [all] lacks issuer" in done.stderr
    os.unlink(home.conf)
    done = try_start(home, server)
    assert done.returncode == 78 and done.stderr.count("\n") == 1 and done.stderr.startswith(f"{home.conf}: cannot be read: ")


def the_one_line(done):
    """Why a start failed: one log line."""
    assert done.returncode == 1, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    line = json.loads(lines[0])
    assert line["event"] == "start_failed" and line["level"] == "error"
    return line["why"]


@pytest.mark.parametrize("server, env", [(server, env) for server in SERVERS for env in STORES[server]])
def test_a_missing_environment(home, server, env):
    path = os.path.join(home.dir + "/run" if env in ("codes", "async", "guard", "remote") else home.dir + "/state", env)
    for missing in ("lock.mdb", ""):
        victim = os.path.join(path, missing).rstrip("/")
        os.rename(victim, victim + ".away")
        try:
            why = the_one_line(try_start(home, server))
        finally:
            os.rename(victim + ".away", victim)
        assert victim in why and "opctl init" in why


@pytest.mark.parametrize("server, name", [(server, name) for server, names in CREDENTIALS.items() for name in names])
def test_a_missing_or_unreadable_credential(home, server, name):
    path = os.path.join(home.credentials, name)
    os.rename(path, path + ".away")
    try:
        why = the_one_line(try_start(home, server))
        assert path in why and "opctl init --credentials" in why
        shutil.copy(path + ".away", path)
        with open(path, "ab") as file:
            file.write(b"!")
        why = the_one_line(try_start(home, server))
        assert path in why and "32 bytes" in why
        os.unlink(path)
        os.mkdir(path)
        assert path in the_one_line(try_start(home, server))
        os.rmdir(path)
    finally:
        os.rename(path + ".away", path)


@pytest.mark.parametrize("server", SERVERS)
def test_another_issuer_than_the_recorded_one(home, server):
    home.write_conf(issuer="http://localhost:9999")
    why = the_one_line(try_start(home, server))
    assert all(word in why for word in ("http://localhost:9999", ISSUER, home.conf, home.dir + "/"))


@pytest.mark.parametrize("server", SERVERS)
def test_no_socket_and_a_taken_one(home, server):
    assert "LISTEN_FDS" in the_one_line(try_start(home, server, listen=False))
    directory = f"{home.dir}/{server}.sock"
    os.mkdir(directory)
    try:
        assert directory in the_one_line(try_start(home, server))
    finally:
        os.rmdir(directory)


def test_pages_that_are_not_there(home):
    home.write_conf(share_dir=home.dir + "/nowhere")
    assert home.dir + "/nowhere" in the_one_line(try_start(home, "op-auth"))
    home.write_conf(logo=home.dir + "/logo.png")
    assert home.dir + "/logo.png" in the_one_line(try_start(home, "op-auth"))


def test_a_file_of_an_environment_that_is_rubbish(home):
    path = os.path.join(home.dir, "state/clients", "data.mdb")
    shutil.move(path, path + ".away")
    try:
        with open(path, "wb") as file:
            file.write(b"rubbish " * 2048)
        assert os.path.dirname(path) in the_one_line(try_start(home, "op-userinfo"))
    finally:
        shutil.move(path + ".away", path)
