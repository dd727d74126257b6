"""The systemd units against what the servers open."""
import os
import re

import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
VOLATILE = {"codes", "async", "guard", "remote"}


def read(*parts):
    with open(os.path.join(ROOT, *parts), encoding="utf-8") as file:
        return file.read()


def units():
    """{server: (credentials, environments of the state directory, volatile ones)} of the table in deploy/systemd."""
    row = re.compile(r"'(op-[a-z]+)': \['[^']*', \[([^\]]*)\],\s*\[([^\]]*)\],\s*\[([^\]]*)\]")
    return {match[1]: [set(re.findall(r"'([a-z-]+)'", match[n])) for n in (2, 3, 4)] for match in row.finditer(read("deploy/systemd/meson.build"))}


def opened(server):
    table = re.search(r"STORES\[\] = \{(.*?)\};", read(server, "main.c"), re.S)[1]
    return {name.lower() for name in re.findall(r"KV_([A-Z]+)", table)}


def test_every_server_has_a_unit():
    assert sorted(units()) == sorted(name for name in os.listdir(ROOT) if re.fullmatch(r"op-[a-z]+", name))


@pytest.mark.parametrize("server", sorted(units()))
def test_a_unit_may_write_where_its_server_opens_environments(server):
    """The lock file of an environment is written even by who only reads there."""
    _, durable, volatile = units()[server]
    assert not durable & VOLATILE and volatile <= VOLATILE
    assert opened(server) <= durable | volatile, f"{server} opens {opened(server) - durable - volatile}, which its unit keeps read-only"


@pytest.mark.parametrize("server", sorted(units()))
def test_a_unit_loads_the_credentials_that_its_server_asks_for(server):
    asked = set()
    for directory in (server, "common/runtime"):
        for name in os.listdir(os.path.join(ROOT, directory)):
            if name.endswith(".c") and (directory == server or name == "client_request.c"):
                asked |= set(re.findall(r'server_credential\([^"]*"([a-z-]+)"', read(directory, name)))
    assert asked == units()[server][0]
