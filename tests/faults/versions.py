"""What tests of the version contract share: environments that say what a test wants of their versions, and programs of
other versions (tests/meson.build)."""
import json
import os
import subprocess

from conftest import BUILD

DURABLE = ["keys", "jwks", "clients", "users", "credentials", "sessions", "tokens", "outbox"]
VOLATILE = ["codes", "async", "guard", "remote"]
WHAT = "every index is what the records say"
OLDER, NEWER, PRESENT = ({"opctl": os.path.join(BUILD, place, "opctl" + name), "server": os.path.join(BUILD, other, "op-userinfo" + name)}
                         for place, other, name in (("tests", "tests", "-older"), ("tests", "tests", "-newer"), ("opctl", "op-userinfo", "")))


def tool(home_or_dirs, name, *words):
    state, runtime = home_or_dirs
    done = subprocess.run([os.path.join(BUILD, "tests", name), state, runtime, *map(str, words)], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def contract(dirs, env, floor, *migrations):
    """Sets the floor and the migrations of an environment; returns what they were."""
    before = [int(word) for word in tool(dirs, "contract", env, floor, *migrations).split()]
    return before[0], before[1:]


def asks(program, *words, **more):
    return subprocess.run([program, *words], capture_output=True, text=True, timeout=60, check=False, **more)


def steps(done):
    """The lines of opctl migrate --json."""
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def version_of(program):
    name, version = asks(program, "--version").stdout.splitlines()[0].split(" ")
    return version
