"""Bad configuration, and what is missing at start: each server says which line or path is at fault, and what to do."""
import json
import os
import shutil

import pytest

from bare import SERVERS, Bare

# Two bad lines of each server's own section.
OWN = {
    "op-discovery": ["rotation_interval = soon", "cache_max_age = 2y"],
    "op-auth": ["password_threads = 0", "password_memory = 1KiB"],
    "op-token": ["race_window = -1s", "lost_answer_window = 10 parsecs"],
    "op-userinfo": [],
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
    "op-auth": ["codes", "sessions", "users", "credentials", "guard", "clients", "jwks"],
    "op-token": ["codes", "tokens", "guard", "clients", "users", "sessions", "jwks", "keys"],
    "op-userinfo": ["tokens", "clients", "users", "sessions", "jwks"],
}
CREDENTIALS = {"op-discovery": ["seal-key"], "op-auth": ["form-key"], "op-token": ["seal-key", "token-key"]}


@pytest.fixture(scope="module")
def bare():
    bare = Bare()
    yield bare
    bare.close()


@pytest.fixture(autouse=True)
def good_again(bare):
    """What a test spoils is whole again for the next."""
    yield
    bare.write_conf()


def numbers_of(bare, text):
    """The numbers of the lines that are at fault, in the order in which they are told."""
    lines = text.splitlines()
    for line in lines:
        assert line.startswith(bare.conf + ":"), line
    return [int(line[len(bare.conf) + 1:].split(":")[0]) for line in lines]


def line_of(bare, wanted):
    with open(bare.conf, encoding="utf-8") as file:
        return [number for number, line in enumerate(file, 1) if line.rstrip("\n") == wanted][-1]


@pytest.mark.parametrize("server", SERVERS)
def test_every_bad_line_is_told_with_file_and_number(bare, server):
    bare.write_conf(BAD + f"[{server}]\n" + "\n".join(OWN[server]) + "\n[op-somebody-else]\nwhatever = 1\n")
    bad = ["allow_plain_pkce = perhaps", "code_lifetime = 0s", "this is no setting", "session_lifetime = 15d"] + OWN[server]
    at_start = [line_of(bare, line) for line in bad]
    done = bare.try_start(server)
    assert (done.returncode, numbers_of(bare, done.stderr)) == (78, at_start), "a setting that nobody knows does not count at start"
    done = bare.judge(server)
    assert (done.returncode, numbers_of(bare, done.stderr)) == (78, sorted(at_start + [line_of(bare, "colour = green")]))


@pytest.mark.parametrize("server", SERVERS)
def test_an_unknown_setting_fails_the_check_and_only_warns_at_start(bare, server):
    bare.write_conf(f"[{server}]\nfrom_next_year = 1\n")
    number = line_of(bare, "from_next_year = 1")
    done = bare.judge(server)
    assert done.returncode == 78 and numbers_of(bare, done.stderr) == [number] and "from_next_year" in done.stderr
    bare.start(server)
    bare.stop(server)
    log = bare.log(server)
    assert f"{bare.conf}:{number}: " in log and "from_next_year" in log
    os.unlink(bare.log_path(server))


@pytest.mark.parametrize("server", SERVERS)
def test_a_missing_file_and_a_missing_setting(bare, server):
    with open(bare.conf, "w", encoding="utf-8") as file:
        file.write("[all]\nname = Nothing else\n")
    done = bare.try_start(server)
    assert done.returncode == 78 and f"{bare.conf}: [all] lacks issuer" in done.stderr
    os.unlink(bare.conf)
    done = bare.try_start(server)
    assert done.returncode == 78 and done.stderr.count("\n") == 1 and done.stderr.startswith(f"{bare.conf}: cannot be read: ")


def the_one_line(done):
    """Why a start failed: one log line."""
    assert done.returncode == 1, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    line = json.loads(lines[0])
    assert line["event"] == "start_failed" and line["level"] == "error"
    return line["why"]


@pytest.mark.parametrize("server, env", [(server, env) for server in SERVERS for env in STORES[server]])
def test_a_missing_environment(bare, server, env):
    path = os.path.join(bare.run if env in ("codes", "guard") else bare.state, env)
    for missing in ("lock.mdb", ""):
        victim = os.path.join(path, missing).rstrip("/")
        os.rename(victim, victim + ".away")
        try:
            why = the_one_line(bare.try_start(server))
        finally:
            os.rename(victim + ".away", victim)
        assert victim in why and "opctl init" in why


@pytest.mark.parametrize("server, name", [(server, name) for server, names in CREDENTIALS.items() for name in names])
def test_a_missing_or_unreadable_credential(bare, server, name):
    path = os.path.join(bare.credentials, name)
    os.rename(path, path + ".away")
    try:
        why = the_one_line(bare.try_start(server))
        assert path in why and "opctl init --credentials" in why
        shutil.copy(path + ".away", path)
        with open(path, "ab") as file:
            file.write(b"!")
        why = the_one_line(bare.try_start(server))
        assert path in why and "32 bytes" in why
        os.unlink(path)
        os.mkdir(path)
        assert path in the_one_line(bare.try_start(server))
        os.rmdir(path)
    finally:
        os.rename(path + ".away", path)
    environment = bare.environment()
    del environment["CREDENTIALS_DIRECTORY"]
    why = the_one_line(bare.try_start(server, environment))
    assert CREDENTIALS[server][0] in why and "CREDENTIALS_DIRECTORY" in why


@pytest.mark.parametrize("server", SERVERS)
def test_another_issuer_than_the_recorded_one(bare, server):
    bare.write_conf(issuer="http://localhost:9999")
    why = the_one_line(bare.try_start(server))
    assert all(word in why for word in ("http://localhost:9999", "http://localhost:8080", bare.conf))
    assert os.path.join(bare.state, "") in why or os.path.join(bare.run, "") in why


@pytest.mark.parametrize("server", SERVERS)
def test_no_socket_and_a_taken_one(bare, server):
    assert "LISTEN_FDS" in the_one_line(bare.try_start(server, listen=False))
    directory = bare.at(server + ".sock")
    os.mkdir(directory)
    try:
        assert directory in the_one_line(bare.try_start(server))
    finally:
        os.rmdir(directory)


def test_pages_that_are_not_there(bare):
    bare.write_conf(share_dir=bare.at("nowhere"))
    assert bare.at("nowhere") in the_one_line(bare.try_start("op-auth"))
    bare.write_conf(logo=bare.at("logo.png"))
    assert bare.at("logo.png") in the_one_line(bare.try_start("op-auth"))


def test_a_file_of_an_environment_that_is_rubbish(bare):
    path = os.path.join(bare.state, "clients", "data.mdb")
    shutil.move(path, path + ".away")
    try:
        with open(path, "wb") as file:
            file.write(b"rubbish " * 2048)
        assert os.path.dirname(path) in the_one_line(bare.try_start("op-userinfo"))
    finally:
        shutil.move(path + ".away", path)
