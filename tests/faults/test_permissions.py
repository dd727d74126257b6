"""The operating system enforces the server x environment table: what a server's user may not open, it cannot."""
import json
import os
import pwd
import re
import subprocess

import pytest

DURABLE = ["keys", "jwks", "clients", "users", "credentials", "sessions", "tokens", "outbox"]
VOLATILE = ["codes", "async", "guard", "remote"]
# DESIGN's table: w writes (and reads), r only reads, all others are refused.
TABLE = {
    "op-discovery": {"keys": "w", "jwks": "w"},
    "op-auth": {"codes": "w", "async": "w", "sessions": "w", "users": "w", "credentials": "w", "outbox": "w", "guard": "w",
                "clients": "r", "jwks": "r", "remote": "r"},
    "op-token": {"codes": "w", "tokens": "w", "async": "w", "guard": "w", "clients": "r", "users": "r", "sessions": "r", "jwks": "r",
                 "keys": "r", "remote": "r"},
    "op-userinfo": {"guard": "w", "tokens": "r", "clients": "r", "users": "r", "sessions": "r", "jwks": "r", "remote": "r"},
    "op-management": {"clients": "w", "users": "w", "credentials": "w", "sessions": "w", "tokens": "w", "outbox": "w", "guard": "w",
                      "jwks": "r", "remote": "r"},
    "op-async": {"async": "w", "outbox": "w", "remote": "w", "guard": "w", "clients": "r"},
}
TRY = """
import os, sys
for path, mode in zip(sys.argv[1::2], sys.argv[2::2]):
    try:
        os.close(os.open(path, os.O_RDWR if mode == "w" else os.O_RDONLY))
        print("yes")
    except PermissionError:
        print("no")
"""


def as_user(name, *command, **more):
    user = pwd.getpwnam(name)
    return subprocess.run(command, user=user.pw_uid, group=user.pw_gid, extra_groups=os.getgrouplist(name, user.pw_gid),
                          capture_output=True, text=True, timeout=60, check=False, **more)


def directory(partita, env):
    return os.path.join(partita.info["state_dir" if env in DURABLE else "runtime_dir"], env)


@pytest.mark.parametrize("server", TABLE)
def test_a_server_opens_its_row_and_nothing_else(partita, server):
    words, expected = [], []
    for env in DURABLE + VOLATILE:
        path, right = directory(partita, env), TABLE[server].get(env, "")
        for file, mode, may in (("data.mdb", "r", right != ""), ("data.mdb", "w", right == "w"), ("lock.mdb", "w", right != ""),
                                ("bell", "w", right == "w")):
            words += [os.path.join(path, file), mode]
            expected.append((env, file, mode, "yes" if may else "no"))
    out = as_user(server, "/usr/bin/python3", "-c", TRY, *words).stdout.split()
    assert [(e, f, m, said) for (e, f, m, _), said in zip(expected, out)] == expected


def test_every_credential_is_its_own_servers(partita):
    base = os.path.join(partita.dir, "sockets", "credentials")
    found = 0
    for owner in os.listdir(base):
        for name in subprocess.run(["ls", os.path.join(base, owner)], capture_output=True, text=True, check=True).stdout.split():
            found += 1
            path = os.path.join(base, owner, name)
            for server in TABLE:
                said = as_user(server, "/usr/bin/python3", "-c", TRY, path, "r").stdout.strip()
                assert said == ("yes" if server == owner else "no"), f"{server} and {path}"
    assert found >= 4


# What each server opens today, of its row.
OPENED = {
    "op-discovery": {"keys": "w", "jwks": "w"},
    "op-auth": {"codes": "w", "async": "w", "sessions": "w", "users": "w", "credentials": "w", "outbox": "w", "guard": "w", "clients": "r", "jwks": "r",
                "remote": "r"},
    "op-token": {"codes": "w", "tokens": "w", "async": "w", "guard": "w", "clients": "r", "users": "r", "sessions": "r", "jwks": "r", "keys": "r",
                 "remote": "r"},
    "op-userinfo": {"tokens": "r", "clients": "r", "users": "r", "sessions": "r", "jwks": "r"},
    "op-management": TABLE["op-management"],
    "op-async": {"async": "w", "outbox": "w", "remote": "w", "guard": "w", "clients": "r"},
}


@pytest.mark.parametrize("server", OPENED)
def test_a_server_says_what_it_opens(partita, server):
    out = subprocess.run([os.path.join(partita.dir, "bin", server), "--help"], capture_output=True, text=True, check=True).stdout
    said = re.findall(r"^  (\w+)\n      (writes|reads), ", out[out.index("\nEnvironments:\n"):], re.MULTILINE)
    assert {env: "w" if right == "writes" else "r" for env, right in said} == OPENED[server]
    for env, right in OPENED[server].items():
        assert TABLE[server].get(env) in (right, "w"), f"{server} is not allowed {env}"


def start(partita, server, groups, credentials, before=""):
    """A start that is to fail, as the server's user. Returns why it failed: one log line."""
    user = pwd.getpwnam(server)
    script = (f"{before} exec setpriv --reuid {user.pw_uid} --regid {user.pw_gid} {groups} {partita.dir}/bin/{server} "
              f"--config {partita.dir}/etc/partita.conf --listen unix:/tmp/never-{os.getpid()}.sock")
    done = subprocess.run(["unshare", "-m", "bash", "-c", script], capture_output=True, text=True, timeout=30, check=False,
                          env={"PATH": os.environ["PATH"], "CREDENTIALS_DIRECTORY": os.path.join(partita.dir, "sockets/credentials", credentials)})
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
    return json.loads(done.stderr)["why"]


def its_groups(server):
    return "--groups " + ",".join(map(str, os.getgrouplist(server, pwd.getpwnam(server).pw_gid)))


@pytest.mark.parametrize("server", OPENED)
def test_a_user_without_its_groups_gets_one_clear_line(partita, server):
    why = start(partita, server, "--clear-groups", server)
    assert os.path.join(partita.dir, "") in why and "partita-" in why


@pytest.mark.parametrize("server, other", [("op-discovery", "op-auth"), ("op-auth", "op-token"), ("op-token", "op-discovery")])
def test_anothers_credentials_give_one_clear_line(partita, server, other):
    why = start(partita, server, its_groups(server), other)
    assert os.path.join(partita.dir, "sockets/credentials", other) in why and "Permission denied" in why and "user" in why


@pytest.mark.parametrize("server, env", [(server, env) for server in OPENED for env in OPENED[server]])
def test_a_read_only_mount_gives_one_clear_line(partita, server, env):
    """Where lock.mdb cannot be written LMDB would go without locking: the server refuses to start."""
    path = directory(partita, env)
    why = start(partita, server, its_groups(server), server, f"mount --bind {path} {path} && mount -o remount,bind,ro {path} &&")
    assert os.path.join(path, "lock.mdb") in why and "read-write" in why
