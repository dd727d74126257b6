"""A client's jwks_uri, served by a real TLS server: well, badly, and not at all. op-token wishes, op-async fetches."""
import concurrent.futures
import json
import os
import signal
import threading
import time

import pytest

import outside
from outside import ASSERTION_TYPE, Signer, jwks
from person import request_for
from server_process import ISSUER, Home, wait_until

TOKEN = ISSUER + "/token"
CALLBACK = "http://localhost:8090/callback"
ENDPOINTS = {"/token": "op-token", "/as/par": "op-auth", "/introspect": "op-management", "/revoke": "op-management",
             "/device_authorization": "op-async"}


def outside_wait(text):
    """The setting of all servers that wait for keys."""
    return {f"{server}__outside_wait": text for server in ("op_token", "op_auth", "op_management", "op_async")}


class World:
    """op-discovery, op-token and op-async of one installation, a client's machine, and clients that publish keys there."""

    def __init__(self, directory, allowed="localhost", **settings):
        self.authority = outside.Authority(str(directory))
        self.machine = outside.Machine(self.authority.server_context("localhost", "127.0.0.1"))
        defaults = {"op_async__outside_allowed": allowed, "op_async__outside_ca_file": self.authority.path,
                    **outside_wait("2s"), "op_async__fetch_timeout": "5s", "op_async__fetch_stall_timeout": "2s",
                    "op_token__client_secret_failures": "100000", "op_async__host_fetches_max": "16"}
        self.home = Home(**{**defaults, **settings})
        self.discovery = self.home.start("op-discovery")
        self.async_ = self.home.start("op-async")
        self.token = self.home.start("op-token")
        for process in (self.discovery, self.async_, self.token):
            process.wait_ready()
        self.count = 0

    def url(self, path, host="localhost"):
        return f"https://{host}:{self.machine.port}{path}"

    def client(self, uri, *more):
        return self.home.opctl("client", "add", "--name", "Machine", "--grant", "client_credentials", "--scope", "api", "--auth-method",
                               "private_key_jwt", "--jwks-uri", uri, *more)["client_id"]

    def publishing_client(self, *signers, fields="", more=()):
        """A client with a jwks_uri of its own, and the path of that."""
        self.count += 1
        path = f"/jwks-{self.count}"
        self.machine.put(path, jwks(*signers), fields)
        return self.client(self.url(path), *more), path

    def ask(self, client_id, signer, token=None, fields="", **more):
        """(status, fields, JSON) of a token request."""
        return (token or self.token).post("/token", {
            "grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": signer.assertion(client_id, TOKEN), **more}, fields)

    def endpoint(self, path):
        """The process that serves it, started where it does not run yet."""
        server = ENDPOINTS[path]
        for process in self.home.processes:
            if process.server == server and process.popen.poll() is None:
                return process
        return self.home.start(server).wait_ready()

    def client_everywhere(self, *signers, **more):
        """A client that may ask at every endpoint, and the path of its keys."""
        return self.publishing_client(*signers, more=("--grant", "device_code", "--grant", "authorization_code", "--redirect-uri", CALLBACK), **more)

    def ask_at(self, path, client_id, signer):
        """(status, fields, JSON) of a request to the endpoint that is whole but for what the keys say."""
        form = {"/as/par": request_for(client_id, CALLBACK, "api")[0], "/device_authorization": {"scope": "api"},
                "/token": {"grant_type": "client_credentials"}}.get(path, {"token": "x"})
        return self.endpoint(path).post(path, {**form, **signer.form(client_id, ISSUER)})

    def hits(self, path):
        return self.machine.hits.count(path)

    def close(self):
        self.home.close()
        self.machine.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("outside"))
    yield made
    made.close()


@pytest.fixture
def own_world(tmp_path):
    """A function that makes a world of the test's own, which is ended whatever becomes of the test."""
    made = []

    def make(**settings):
        made.append(World(tmp_path, **settings))
        return made[-1]
    yield make
    for world in made:
        world.close()


@pytest.fixture(scope="module")
def short_world(tmp_path_factory):
    """Documents are fresh for a second, and failures are remembered for two."""
    made = World(tmp_path_factory.mktemp("outside"), op_async__freshness_min="1s", op_async__freshness_max="1s",
                 op_async__failure_memory="2s")
    yield made
    made.close()


def refused(answer):
    status, _, body = answer
    return status == 401 and body["error"] == "invalid_client"


def put_off(answer):
    """503 with Retry-After: the client's keys cannot be had, which is not the client's fault."""
    status, fields, body = answer
    return status == 503 and body["error"] == "temporarily_unavailable" and int(fields["retry-after"]) >= 1


def test_first_use_then_from_memory(world):
    signer = Signer()
    client, path = world.publishing_client(signer)
    assert world.hits(path) == 0, "nothing is fetched before it is needed"
    for _ in range(3):
        status, _, body = world.ask(client, signer)
        assert (status, body.get("token_type")) == (200, "Bearer"), body
    assert world.hits(path) == 1


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "ES384", "EdDSA"])
def test_every_algorithm(world, alg):
    signer = Signer(alg=alg)
    client, _ = world.publishing_client(signer)
    assert world.ask(client, signer)[0] == 200


def test_rotation_to_an_unknown_kid(world):
    old, new = Signer("old"), Signer("new")
    client, path = world.publishing_client(old)
    assert world.ask(client, old)[0] == 200
    world.machine.put(path, jwks(new))
    assert world.ask(client, old)[0] == 200, "it is fresh for a while"
    assert world.ask(client, new)[0] == 200
    assert world.hits(path) == 2
    assert refused(world.ask(client, old)), "the old key is gone"


def test_rotation_of_a_key_without_kid(world):
    old, new = Signer(None), Signer(None)
    client, path = world.publishing_client(old)
    assert world.ask(client, old)[0] == 200
    world.machine.put(path, jwks(new))
    assert world.ask(client, new)[0] == 200
    assert world.hits(path) == 2


def test_a_kid_that_is_nobodys_makes_few_fetches(world):
    signer, stranger = Signer(), Signer("stranger")
    client, path = world.publishing_client(signer)
    assert world.ask(client, signer)[0] == 200
    for _ in range(20):
        assert refused(world.ask(client, stranger))
    assert 2 <= world.hits(path) <= 7
    assert world.ask(client, signer)[0] == 200


def test_a_known_kid_with_another_key_makes_none(world):
    signer, impostor = Signer("one"), Signer("one")
    client, path = world.publishing_client(signer)
    assert world.ask(client, signer)[0] == 200
    assert refused(world.ask(client, impostor))
    assert world.hits(path) == 1


def test_many_at_once_make_one_fetch(world):
    signer, new = Signer(), Signer("new")
    client, path = world.publishing_client(signer)

    def slowly(machine, connection, document=jwks(signer)):
        time.sleep(0.3)
        body = json.dumps(document).encode()
        machine.send(connection, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
    world.machine.pages[path] = slowly
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        first = [answer[0] for answer in pool.map(lambda _: world.ask(client, signer), range(24))]
        assert (first, world.hits(path)) == ([200] * 24, 1)
        world.machine.pages[path] = lambda machine, connection: slowly(machine, connection, jwks(new))
        rotated = [answer[0] for answer in pool.map(lambda _: world.ask(client, new), range(24))]
        assert rotated == [200] * 24 and world.hits(path) <= 3


def test_cache_control_is_honoured_within_bounds(short_world):
    for fields in ("", "Cache-Control: max-age=86400\r\n", "Cache-Control: no-store\r\n"):
        signer = Signer()
        client, path = short_world.publishing_client(signer, fields=fields)
        assert short_world.ask(client, signer)[0] == 200
        assert short_world.ask(client, signer)[0] == 200
        assert short_world.hits(path) == 1
        time.sleep(1.2)
        assert short_world.ask(client, signer)[0] == 200
        assert short_world.hits(path) == 2


# --- at every endpoint where clients authenticate ---

@pytest.mark.parametrize("path", ENDPOINTS)
def test_first_use_and_rotation_anywhere(world, path):
    old, new = Signer("old"), Signer("new")
    client, keys = world.client_everywhere(old)
    for _ in range(2):
        assert world.ask_at(path, client, old)[0] in (200, 201)
    assert world.hits(keys) == 1
    world.machine.put(keys, jwks(new))
    assert world.ask_at(path, client, new)[0] in (200, 201)
    assert world.hits(keys) == 2 and refused(world.ask_at(path, client, old))


def test_what_one_server_wished_for_serves_all(world):
    signer = Signer()
    client, keys = world.client_everywhere(signer)
    with concurrent.futures.ThreadPoolExecutor(len(ENDPOINTS)) as pool:
        statuses = list(pool.map(lambda path: world.ask_at(path, client, signer)[0], ENDPOINTS))
    assert set(statuses) <= {200, 201} and world.hits(keys) == 1


def test_a_server_that_hangs_is_in_nobodys_way(own_world):
    """Least of all in op-async's own, where devices ask and documents are fetched."""
    world = own_world(op_async__fetch_timeout="30s", op_async__fetch_stall_timeout="30s", **outside_wait("30s"))
    signer, other = Signer(), Signer()
    clients = {path: world.client_everywhere(signer) for path in ENDPOINTS}
    other_client, _ = world.client_everywhere(other)
    told = threading.Event()

    def until_told(machine, connection):
        told.wait(60)
        machine.pages["/told"](machine, connection)
    world.machine.put("/told", jwks(signer))
    for path, (_, keys) in clients.items():
        world.endpoint(path)
        world.machine.pages[keys] = until_told
    with concurrent.futures.ThreadPoolExecutor(len(ENDPOINTS)) as pool:
        waiting = [pool.submit(world.ask_at, path, client, signer) for path, (client, _) in clients.items()]
        wait_until(lambda: all(world.hits(keys) == 1 for _, keys in clients.values()), 20)
        assert all(world.ask_at(path, other_client, other)[0] in (200, 201) for path in ENDPOINTS)
        assert not any(answer.done() for answer in waiting)
        told.set()
        assert {answer.result()[0] for answer in waiting} <= {200, 201}


def test_stale_keys_go_on_anywhere(short_world):
    signer = Signer()
    clients = {path: short_world.client_everywhere(signer) for path in ENDPOINTS}
    for path, (client, _) in clients.items():
        assert short_world.ask_at(path, client, signer)[0] in (200, 201)
    for _, keys in clients.values():
        del short_world.machine.pages[keys]
    time.sleep(1.2)
    for path, (client, keys) in clients.items():
        assert short_world.ask_at(path, client, signer)[0] in (200, 201)
        assert put_off(short_world.ask_at(path, client, Signer("new")))
        assert short_world.hits(keys) in (2, 3), "the failure is remembered for a while"


# --- when it cannot be fetched ---

def test_stale_keys_go_on_when_the_server_is_gone(short_world):
    signer, new = Signer(), Signer("new")
    client, path = short_world.publishing_client(signer)
    assert short_world.ask(client, signer)[0] == 200
    del short_world.machine.pages[path]
    time.sleep(1.2)
    for _ in range(5):
        assert short_world.ask(client, signer)[0] == 200
    assert short_world.hits(path) == 2, "the failure is remembered"
    assert put_off(short_world.ask(client, new)), "whether it is a new key nobody can say"
    time.sleep(2.2)
    short_world.machine.put(path, jwks(new))
    assert short_world.ask(client, new)[0] == 200
    assert refused(short_world.ask(client, signer))


def test_a_failure_is_remembered(short_world):
    signer = Signer()
    client, path = short_world.publishing_client(signer)
    del short_world.machine.pages[path]
    for _ in range(5):
        assert put_off(short_world.ask(client, signer))
    assert short_world.hits(path) == 1
    time.sleep(2.2)
    short_world.machine.put(path, jwks(signer))
    assert short_world.ask(client, signer)[0] == 200


BAD = {
    "hanging": outside.hang,
    "hanging after its head": outside.hang_after_head,
    "trickling": outside.trickle,
    "trickling in its head": outside.trickle_head,
    "a gigabyte": outside.gigabyte,
    "a gigabyte in chunks": outside.endless_chunks,
    "a head without end": outside.endless_head,
    "an answer that ends early": outside.early_end,
}


@pytest.mark.parametrize("way", BAD)
def test_bad_answers_put_off_and_nothing_else(world, way):
    """Within the bounds, and while it lasts everybody else is served."""
    signer, other = Signer(), Signer()
    client, path = world.publishing_client(signer)
    other_client, _ = world.publishing_client(other)
    world.machine.pages[path] = BAD[way]
    before = world.machine.sent
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        began = time.monotonic()
        answer = pool.submit(world.ask, client, signer)
        assert world.ask(other_client, other)[0] == 200
        assert world.async_.get("/.live")[0] == 200 and time.monotonic() - began < 1.5
        assert put_off(answer.result()) and time.monotonic() - began < 3
    wait_until(lambda: any(event["url"].endswith(path) for event in world.async_.events("document_failed")), 10, lambda: world.async_.log)
    assert world.machine.sent - before < 8 << 20, "cut off, not read to its end"
    assert put_off(world.ask(client, signer)) and world.hits(path) == 1


def test_a_server_that_never_shakes_hands(world, tmp_path):
    machine = outside.Machine(world.authority.server_context("localhost"))
    machine.stall_handshakes = True
    client = world.client(f"https://localhost:{machine.port}/jwks")
    began = time.monotonic()
    assert put_off(world.ask(client, Signer())) and time.monotonic() - began < 3
    machine.close()


@pytest.mark.parametrize("raw", [
    b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 206 Partial Content\r\nContent-Length: 11\r\n\r\n{\"keys\":[]}",
    b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    b"SSH-2.0-OpenSSH\r\n",
    b"",
], ids=["500", "204", "206", "html", "empty", "no set", "no http", "nothing"])
def test_answers_that_are_no_keys(world, raw):
    signer = Signer()
    client, path = world.publishing_client(signer)
    world.machine.answer(path, raw)
    assert put_off(world.ask(client, signer))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(world, status):
    signer = Signer()
    client, path = world.publishing_client(signer)
    world.machine.put("/target", jwks(signer))
    before = world.hits("/target")
    world.machine.answer(path, f"HTTP/1.1 {status} Go\r\nLocation: {world.url('/target', '127.0.0.1')}\r\n"
                               "Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
    assert put_off(world.ask(client, signer))
    assert (world.hits(path), world.hits("/target")) == (1, before)


def test_certificates_of_strangers_are_not_believed(world, tmp_path):
    """One of another authority, and one for another name."""
    signer = Signer()
    for context in (outside.Authority(str(tmp_path)).server_context("localhost"), world.authority.server_context("other.example")):
        machine = outside.Machine(context)
        machine.put("/jwks", jwks(signer))
        assert put_off(world.ask(world.client(f"https://localhost:{machine.port}/jwks"), signer))
        assert machine.connections == 1 and machine.hits == []
        machine.close()


# --- what may not be reached ---

@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]",
                                  "localhost.localdomain", "ip6-localhost"])
def test_loopback_is_not_reached_by_any_name_but_the_allowed_one(world, host):
    signer = Signer()
    world.machine.put("/inside", jwks(signer))
    before = world.machine.connections
    assert put_off(world.ask(world.client(world.url("/inside", host)), signer))
    assert world.machine.connections == before


def test_networks_can_be_allowed(own_world):
    world = own_world(allowed="127.0.0.1/32")
    signer = Signer()
    world.machine.put("/jwks", jwks(signer))
    for host in ("127.0.0.1", "localhost"):
        assert world.ask(world.client(world.url("/jwks", host)), signer)[0] == 200


def test_a_proxy_of_the_environment_is_not_used(own_world):
    world = own_world()
    proxy = outside.Machine(world.authority.server_context("localhost"))
    variables = {name: f"http://127.0.0.1:{proxy.port}" for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY")}
    world.async_.end()
    world.home.start("op-async", **variables).wait_ready()
    signer = Signer()
    client, _ = world.publishing_client(signer)
    assert world.ask(client, signer)[0] == 200 and proxy.connections == 0
    proxy.close()


# --- op-async itself ---

def test_without_op_async_what_is_known_goes_on(own_world):
    world = own_world(op_token__outside_wait="500ms")
    signer = Signer()
    client, _ = world.publishing_client(signer)
    late, _ = world.publishing_client(signer)
    assert world.ask(client, signer)[0] == 200
    world.async_.end()
    assert world.ask(client, signer)[0] == 200
    assert put_off(world.ask(late, signer))
    world.home.start("op-async").wait_ready()
    wait_until(lambda: world.ask(late, signer)[0] == 200, 10)


@pytest.mark.parametrize("number, seconds", [(signal.SIGTERM, 5), (signal.SIGKILL, 25)])
def test_another_instance_takes_over(own_world, number, seconds):
    """At once what was given up in order, after a while what was not."""
    world = own_world(op_token__outside_wait="30s")
    world.home.start("op-async").wait_ready()
    signer = Signer()
    client, path = world.publishing_client(signer)
    world.machine.pages[path] = outside.hang
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(world.ask, client, signer)
        wait_until(lambda: world.hits(path) == 1, 5)
        world.machine.put(path, jwks(signer))
        fetching = next(process for process in world.home.processes if tcp_peers(process.popen.pid, world.machine.port))
        fetching.end(number)
        assert answer.result(seconds)[0] == 200
    assert world.hits(path) == 2


def tcp_peers(pid, port):
    """Lines of /proc/net/tcp* about connections of the process to the port."""
    inodes = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1].encode())
    lines = []
    for table in ("tcp", "tcp6"):
        with open(f"/proc/{pid}/net/{table}", "rb") as file:
            for line in file.read().split(b"\n")[1:]:
                words = line.split()
                if len(words) > 9 and words[9] in inodes and words[2].endswith(b":%04X" % port):
                    lines.append(line)
    return lines


def test_two_instances_make_one_fetch(own_world):
    world = own_world()
    world.home.start("op-async").wait_ready()
    for _ in range(50):
        signer = Signer()
        client, path = world.publishing_client(signer)
        assert world.ask(client, signer)[0] == 200 and world.hits(path) == 1
