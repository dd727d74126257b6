"""Only op-async talks to the outside: what the kernel says of every server's sockets, at rest, while a fetch hangs and while a
mail server does."""
import concurrent.futures
import os
import re
import shutil
import socket
import tempfile

import pytest
import requests

import outside
from conftest import free_port
from mail_server import MailServer
from outside import Signer
from person import request_for, sign_in
from server_process import wait_until
from visitor import PASSWORD, Visitor, new_user

CALLBACK = "http://localhost:8090/callback"
FAMILIES = ["tcp", "tcp6", "udp", "udp6", "udplite", "udplite6", "raw", "raw6", "icmp", "icmp6", "packet", "netlink"]


@pytest.fixture(scope="module")
def world(start_partita):
    directory = tempfile.mkdtemp(prefix="partita-outside-", dir="/tmp")
    authority = outside.Authority(directory)
    machine = outside.Machine(authority.server_context("localhost"))
    mail = MailServer(free_port(), authority.server_context("localhost"))
    partita = start_partita("--set", "op-async.outside_allowed=localhost", "--set", f"op-async.outside_ca_file={authority.path}",
                            "--set", f"all.mail_server=smtp://localhost:{mail.port}", "--set", "all.mail_from=op@example.org",
                            "--set", f"op-async.mail_ca_file={authority.path}", "--set", "op-async.fetch_timeout=20s", "--set", "op-async.fetch_stall_timeout=20s",
                            *(word for server in ("op-token", "op-auth", "op-management", "op-async")
                              for word in ("--set", f"{server}.outside_wait=20s")), "--instances", "op-token=2")
    yield partita, machine, mail
    machine.close()
    mail.close()
    shutil.rmtree(directory)


def inodes(pid):
    """The socket inodes among a process's descriptors."""
    found = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            match = re.match(r"socket:\[(\d+)\]$", os.readlink(f"/proc/{pid}/fd/{fd}"))
        except FileNotFoundError:
            continue
        if match:
            found.add(match.group(1))
    return found


def table(pid, name):
    """Lines of /proc/PID/net/NAME, as lists of words."""
    try:
        with open(f"/proc/{pid}/net/{name}", encoding="utf-8") as file:
            return [line.split() for line in file.read().split("\n")[1:] if line]
    except FileNotFoundError:
        return []


def sockets(pid):
    """{family: [inode]} of the process; "unix", one of FAMILIES, or "unknown"."""
    left = inodes(pid)
    families = {}
    for family in ["unix", *FAMILIES]:
        column = {"unix": 6, "packet": 8, "netlink": 9}.get(family, 9)
        mine = left & {words[column] for words in table(pid, family) if len(words) > column}
        if mine:
            families[family] = mine
        left -= mine
    if left:
        families["unknown"] = left
    return families


def servers(partita):
    return [(server["name"], server["pid"]) for server in partita.info["servers"]]


def peers(pid, port):
    return [words for words in table(pid, "tcp") + table(pid, "tcp6") if words[9] in inodes(pid) and words[2].endswith(f":{port:04X}")]


def test_the_reader_of_sockets_can_see_one():
    with socket.socket() as tcp, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        udp.bind(("::1", 0))
        assert {"tcp", "udp6"} <= sockets(os.getpid()).keys()


def test_at_rest_and_at_work_nobody_has_a_network_socket(world):
    partita, _, _ = world
    sign_in(partita, partita.info["client"], "openid offline_access")
    requests.get(partita.issuer + "/.well-known/jwks.json", timeout=20)
    assert {name for name, _ in servers(partita)} >= {"op-discovery", "op-auth", "op-token", "op-userinfo", "op-management", "op-async"}
    for name, pid in servers(partita):
        assert sockets(pid).keys() == {"unix"}, name


def test_while_a_document_is_fetched_only_op_async_is_outside(world):
    """Every server that needs it waits: it is fetched once, for all of them."""
    partita, machine, _ = world
    signer = Signer()
    client = partita.add_client("Machine", CALLBACK, "--grant", "client_credentials", "--grant", "device_code", "--auth-method",
                                "private_key_jwt", "--jwks-uri", f"https://localhost:{machine.port}/jwks")["client_id"]
    requests_made = {"/token": {"grant_type": "client_credentials"}, "/as/par": request_for(client, CALLBACK)[0], "/introspect": {"token": "x"},
                     "/revoke": {"token": "x"}, "/device_authorization": {"scope": "openid"}}

    def until_told(served, connection):
        while "/go" not in served.pages:
            served.stopped.wait(0.02)
        served.pages["/go"](served, connection)

    def ask(path):
        return requests.post(partita.issuer + path, timeout=30, data={**requests_made[path], **signer.form(client, partita.issuer)}).status_code
    machine.pages["/jwks"] = until_told
    with concurrent.futures.ThreadPoolExecutor(len(requests_made)) as pool:
        answers = [pool.submit(ask, path) for path in requests_made]
        wait_until(lambda: machine.hits, 10)
        outsiders = {name for name, pid in servers(partita) if peers(pid, machine.port)}
        others = {name: sockets(pid).keys() for name, pid in servers(partita) if name != "op-async"}
        machine.put("/go", outside.jwks(signer))
        assert [answer.result() for answer in answers] == [200, 201, 200, 200, 200]
    assert outsiders == {"op-async"} and machine.hits == ["/jwks"]
    assert all(families == {"unix"} for families in others.values()), others
    wait_until(lambda: all(sockets(pid).keys() == {"unix"} for _, pid in servers(partita)), 5)


def test_while_mail_is_delivered_only_op_async_is_outside(world):
    partita, _, mail = world
    visitor = Visitor(partita, new_user(partita, "email=ada@example.org", "email_verified=true"))
    mail.hold.add("ada@example.org")
    visitor.enter()
    wanted = {"current": PASSWORD, "new": "a much better password", "repeat": "a much better password"}
    assert "Your password has been changed" in visitor.send(visitor.get("/account"), "password", wanted).text
    wait_until(lambda: mail.held, 10)
    outsiders = {name for name, pid in servers(partita) if peers(pid, mail.port)}
    others = {name: sockets(pid).keys() for name, pid in servers(partita) if name != "op-async"}
    mail.let_go()
    assert outsiders == {"op-async"} and all(families == {"unix"} for families in others.values()), others
    wait_until(lambda: all(sockets(pid).keys() == {"unix"} for _, pid in servers(partita)), 5)
    assert mail.to("ada@example.org")


def test_nobody_else_has_even_the_library(world):
    partita, _, _ = world
    for name, pid in servers(partita):
        with open(f"/proc/{pid}/maps", encoding="utf-8") as file:
            assert ("libcurl" in file.read()) == (name == "op-async"), name
