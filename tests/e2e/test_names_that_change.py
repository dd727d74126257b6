"""Names that lead inside: op-async in a network of its own, with public addresses, a name server and TLS servers that
all would answer, were they only asked."""
import json
import os
import subprocess
import sys
import time
from urllib.parse import urlencode

import pytest

from outside import ASSERTION_TYPE, Signer, jwks
from server_process import ISSUER, Home

PUBLIC, PUBLIC6, OTHER = "93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "198.41.0.4"
INSIDE = {"loopback": "127.0.0.1", "private": "10.1.2.3", "metadata": "169.254.169.254", "shared": "100.64.0.1", "unique local": "fd00::1",
          "loopback6": "::1", "translated": "64:ff9b::7f00:1"}


class Internet:
    """The namespaces, and op-async in them; op-token stays where it is."""

    def __init__(self, directory):
        addresses = [PUBLIC, PUBLIC6, OTHER, *INSIDE.values()]
        self.process = subprocess.Popen(
            ["unshare", "-n", "-m", sys.executable, os.path.join(os.path.dirname(__file__), "outside_world.py"), str(directory), *addresses],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ca_file = json.loads(self.process.stdout.readline())["ca_file"]
        self.home = Home(op_async__outside_ca_file=ca_file, op_async__fetch_timeout="2s", op_async__freshness_min="1s",
                         op_async__freshness_max="1s", op_async__failure_memory="1s", op_token__outside_wait="4s")
        self.home.wrap["op-async"] = ["nsenter", "-t", str(self.process.pid), "-n", "-m", "--"]
        self.processes = [self.home.start(name) for name in ("op-discovery", "op-async", "op-token")]
        for process in self.processes:
            process.wait_ready()
        self.async_, self.token = self.processes[1:]
        self.count = 0

    def order(self, **order):
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def report(self):
        return self.order(report=True)

    def connections(self, address):
        return self.report()["machines"][address]["connections"]

    def inside(self):
        """Connections that came to any address that is not public."""
        report = self.report()["machines"]
        return sum(report[address]["connections"] for address in INSIDE.values())

    def name(self, *turns):
        """A name that nobody has asked for yet; turns as outside_world.py says."""
        self.count += 1
        name = f"n{self.count}.client.example"
        self.order(names={name: [[turn] if isinstance(turn, str) else turn for turn in turns]})
        return name

    def client(self, host):
        return self.home.opctl("client", "add", "--name", "Machine", "--grant", "client_credentials", "--auth-method", "private_key_jwt",
                               "--jwks-uri", f"https://{host}/jwks")["client_id"]

    def publish(self, *signers):
        """At every address: who lets himself be led astray would find what he looks for."""
        for address in (PUBLIC, PUBLIC6, OTHER, *INSIDE.values()):
            self.order(page=[address, "/jwks", jwks(*signers)])

    def ask(self, client_id, signer):
        return self.token.post("/token", {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE,
                                          "client_assertion": signer.assertion(client_id, ISSUER)})[0]

    def close(self):
        self.home.close()
        self.process.stdin.close()
        self.process.wait(10)


@pytest.fixture(scope="module")
def internet(tmp_path_factory):
    made = Internet(tmp_path_factory.mktemp("internet"))
    yield made
    made.close()


@pytest.fixture
def signer(internet):
    signer = Signer()
    internet.publish(signer)
    return signer


@pytest.mark.parametrize("address", [PUBLIC, PUBLIC6])
def test_a_public_address_is_reached(internet, signer, address):
    before = internet.connections(address)
    assert internet.ask(internet.client(internet.name(address)), signer) == 200
    assert internet.connections(address) == before + 1 and internet.inside() == 0


@pytest.mark.parametrize("where", INSIDE)
def test_a_name_that_leads_inside_is_not_followed(internet, signer, where):
    assert internet.ask(internet.client(internet.name(INSIDE[where])), signer) == 503
    assert internet.inside() == 0


@pytest.mark.parametrize("where", INSIDE)
def test_a_name_that_leads_outside_and_then_inside(internet, signer, where):
    """The first fetch is answered by a public address, and everything later by one that is not: what was fetched goes
    on, and nothing new comes from inside."""
    name = internet.name(PUBLIC, INSIDE[where])
    client, new = internet.client(name), Signer("new")
    assert internet.ask(client, signer) == 200
    internet.publish(new)
    time.sleep(1.2)
    assert internet.ask(client, signer) == 200, "the stale copy"
    assert internet.ask(client, new) == 503
    assert internet.inside() == 0
    asked = [name for name, _ in internet.report()["asked"]]
    assert asked.count(name) >= 4, "A and AAAA, at least twice"


def test_the_address_that_was_judged_is_the_one_connected_to(internet, signer):
    """A name that changes with every question gets one question a fetch: there is no second look to be led astray."""
    name = internet.name(PUBLIC, "127.0.0.1", OTHER, "127.0.0.1")
    before = internet.connections(PUBLIC), internet.connections(OTHER)
    client = internet.client(name)
    assert internet.ask(client, signer) == 200
    time.sleep(2.2)
    assert internet.ask(client, signer) == 200  # inside: refused, the stale copy
    time.sleep(2.2)
    assert internet.ask(client, signer) == 200
    assert (internet.connections(PUBLIC), internet.connections(OTHER)) == (before[0] + 1, before[1] + 1)
    assert internet.inside() == 0


def test_of_several_addresses_only_the_public_ones_are_tried(internet, signer):
    name = internet.name([*INSIDE.values(), PUBLIC])
    assert internet.ask(internet.client(name), signer) == 200
    assert internet.inside() == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "10.1.2.3", "169.254.169.254", "[fd00::1]", "[64:ff9b::7f00:1]",
                                  "localhost"])
def test_addresses_in_the_url(internet, signer, host):
    assert internet.ask(internet.client(host), signer) == 503
    assert internet.inside() == 0


def test_a_name_server_that_does_not_answer_blocks_nobody(internet, signer):
    """Names are resolved beside the loop: while one hangs, and when it is given up, op-async does its other work."""
    client, other = internet.client(internet.name(None)), internet.client(internet.name(PUBLIC))
    began = time.monotonic()
    slow, live = [], []
    while time.monotonic() - began < 3.5:  # longer than the timeout of a fetch
        if not slow:
            slow.append(internet.token.connect())
            slow[0].sendall(request(internet, client, signer))
        before = time.monotonic()
        assert internet.async_.get("/.live")[0] == 200
        live.append(time.monotonic() - before)
        time.sleep(0.02)
    assert max(live) < 0.5, "the loop stood still"
    assert slow[0].recv(4096).startswith(b"HTTP/1.1 503 ")
    slow[0].close()
    assert internet.ask(other, signer) == 200


def request(internet, client, signer):
    body = urlencode({"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE,
                      "client_assertion": signer.assertion(client, ISSUER)})
    return (f"POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()
