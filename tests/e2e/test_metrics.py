"""/.metrics: promtool has nothing to say of any server, and every metric moves with what it measures."""
import os
import re
import signal
import struct
import subprocess
import threading
import time

import pytest
import requests

from conftest import BUILD
from monitoring import Metrics, ask, promtool, sockets_of
from person import Person, request_for, sign_in, token_request
from registration import Registrar
from server_process import Home, wait_until

PASSWORD = "correct horse battery\n"
TXNID_AT = 48  # in lock.mdb of LMDB 0.9
SERVERS = ["op-discovery", "op-auth", "op-token", "op-userinfo", "op-management", "op-async"]


def post(partita, path, **form):
    client = partita.info["client"]
    auth = (client["client_id"], client["client_secret"])
    return requests.post(partita.issuer + path, data=form, auth=auth, verify=partita.verify, timeout=30)


@pytest.fixture(scope="module")
def tokens(partita):
    """Each server has had something to do."""
    got = sign_in(partita, partita.info["client"], "openid offline_access")
    assert requests.get(partita.issuer + "/.well-known/jwks.json", verify=partita.verify, timeout=30).status_code == 200
    assert userinfo(partita, got["access_token"]).status_code == 200
    assert post(partita, "/introspect", token=got["access_token"]).json()["active"]
    requests.post(partita.issuer + "/device_authorization", data={"client_id": "nobody"}, verify=partita.verify, timeout=30)
    return got


def userinfo(partita, token):
    return requests.get(partita.issuer + "/userinfo", headers={"Authorization": "Bearer " + token}, verify=partita.verify, timeout=30)


@pytest.mark.parametrize("server", SERVERS)
def test_promtool_has_nothing_to_say(partita, tokens, server):
    for path in sockets_of(partita, server):
        status, text = ask(path, "/.metrics")
        assert status == 200 and "partita_request_duration_seconds_bucket" in text or len(sockets_of(partita, server)) > 1
        assert promtool(text) == ""


def test_promtool_would_say_something():
    """The check can fail."""
    assert "no help text" in promtool("# TYPE partita_things gauge\npartita_things 1\n")


# What somebody does, and what then must have grown by how much (None: by something) at the server.
ROWS = [
    ("a request", "op-discovery", lambda p, t: requests.get(p.issuer + "/.well-known/openid-configuration", verify=p.verify, timeout=30),
     [("partita_requests_total", {"endpoint": "/.well-known/openid-configuration", "status": "200", "error": ""}, 1),
      ("partita_request_duration_seconds_count", {"endpoint": "/.well-known/openid-configuration"}, 1),
      ("partita_request_duration_seconds_bucket", {"endpoint": "/.well-known/openid-configuration", "le": "+Inf"}, 1),
      ("partita_request_duration_seconds_bucket", {"endpoint": "/.well-known/openid-configuration", "le": "0.0001"}, (0, 1)),
      ("partita_request_duration_seconds_sum", {"endpoint": "/.well-known/openid-configuration"}, None),
      ("partita_cpu_seconds_total", {}, None)]),
    ("a path that is nobody's", "op-auth", lambda p, t: requests.get(p.issuer + "/no/such/path", verify=p.verify, timeout=30),
     [("partita_requests_total", {"endpoint": "other", "status": "404", "error": ""}, 1)]),
    ("an OAuth error", "op-token", lambda p, t: post(p, "/token", grant_type="x"),
     [("partita_requests_total", {"endpoint": "/token", "status": "400", "error": "unsupported_grant_type"}, 1)]),
    ("another one", "op-token", lambda p, t: post(p, "/token", grant_type="authorization_code", code="x", redirect_uri="x", code_verifier="x" * 43),
     [("partita_requests_total", {"endpoint": "/token", "error": "invalid_grant"}, 1),
      ("partita_requests_total", {"endpoint": "/token", "error": "unsupported_grant_type"}, 0)]),
    ("an unknown client", "op-token", lambda p, t: requests.post(p.issuer + "/token", auth=("nobody", "x"), data={"grant_type": "client_credentials"},
                                                                  verify=p.verify, timeout=30),
     [("partita_requests_total", {"endpoint": "/token", "status": "401", "error": "invalid_client"}, 1)]),
    ("a bad token", "op-userinfo", lambda p, t: userinfo(p, "x"),
     [("partita_requests_total", {"endpoint": "/userinfo", "status": "401", "error": "invalid_token"}, 1)]),
    ("no token", "op-userinfo", lambda p, t: requests.get(p.issuer + "/userinfo", verify=p.verify, timeout=30),
     [("partita_requests_total", {"endpoint": "/userinfo", "status": "401", "error": "no_token"}, 1)]),
    ("an error that goes to the client by the browser", "op-auth",
     lambda p, t: Person(p).authorize(request_for(p.info["client"]["client_id"], p.info["client"]["redirect_uris"][0], "openid", prompt="none")[0]),
     [("partita_requests_total", {"endpoint": "/authorize", "error": "login_required"}, 1)]),
    ("an error that is shown to a person", "op-auth", lambda p, t: requests.get(p.issuer + "/authorize?client_id=nobody", verify=p.verify, timeout=30),
     [("partita_requests_total", {"endpoint": "/authorize", "error": "invalid_client", "status": "400"}, 1)]),
    ("a refresh", "op-token", lambda p, t: token_request(p, p.info["client"], grant_type="refresh_token", refresh_token=t["refresh_token"]),
     [("partita_requests_total", {"endpoint": "/token", "status": "200", "error": ""}, 1)]),
    ("a registration", "op-management", lambda p, t: Registrar(p).register(),
     [("partita_requests_total", {"endpoint": "/register", "status": "201"}, 1),
      ("partita_clients_registered_total", {}, 1),
      ("partita_store_works_total", {"env": "clients"}, None),
      ("partita_store_commits_total", {"env": "clients"}, None),
      ("partita_store_batch_works_count", {"env": "clients"}, None),
      ("partita_store_batch_works_sum", {"env": "clients"}, None),
      ("partita_store_batch_works_bucket", {"env": "clients", "le": "+Inf"}, None),
      ("partita_store_commit_duration_seconds_count", {"env": "clients"}, None),
      ("partita_store_commit_duration_seconds_sum", {"env": "clients"}, None),
      ("partita_store_works_total", {"env": "users"}, 0)]),
    ("forty registrations", "op-management", lambda p, t: [Registrar(p).register(client_name="n" * 200) for _ in range(40)],
     [("partita_store_used_pages", {"env": "clients"}, None),
      ("partita_store_used_bytes", {"env": "clients"}, None),
      ("partita_store_size_bytes", {"env": "clients"}, (0, 1 << 30)),
      ("partita_store_map_bytes", {"env": "clients"}, 0)]),
    ("a revocation", "op-management", lambda p, t: post(p, "/revoke", token=sign_in(p, p.info["client"], "openid offline_access")["refresh_token"]),
     [("partita_tokens_revoked_total", {}, 1), ("partita_store_works_total", {"env": "tokens"}, None)]),
    ("a wrong password", "op-auth", lambda p, t: wrong_password(p),
     [("partita_sign_ins_failed_total", {}, None), ("partita_sign_ins_total", {}, 0)]),
    ("a right one", "op-auth", lambda p, t: sign_in(p, p.info["client"]),
     [("partita_sign_ins_total", {}, 1), ("partita_sign_ins_failed_total", {}, 0), ("partita_store_works_total", {"env": "sessions"}, None)]),
]


def wrong_password(partita):
    person = Person(partita, password="no such password")
    with pytest.raises(AssertionError):
        sign_in(partita, partita.info["client"], person=person)


@pytest.mark.parametrize("server, act, moves", [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_what_is_counted_is_what_happened(partita, tokens, server, act, moves):
    paths = sockets_of(partita, server)
    before = Metrics(*paths)
    act(partita, tokens)
    after = Metrics(*paths)
    for name, labels, by in moves:
        grown = after.sum(name, **labels) - (before.sum(name, **labels) or 0)
        low, high = (1e-9, float("inf")) if by is None else by if isinstance(by, tuple) else (by, by)
        assert low <= grown <= high, f"{name} {labels}: {grown}"


def test_labels_never_come_from_outside(partita, tokens):
    """Whatever is sent, the values of labels are those of the servers' tables."""
    url = partita.issuer
    for path in ("/secret-path-1", "/token/secret-path-2", "/register/secret-path-3", "/assets/secret-path-4", "/.well-known/openid-configuration/secret-path-5"):
        requests.get(url + path, verify=partita.verify, timeout=30)
    post(partita, "/token", grant_type="secret-grant")
    requests.post(url + "/token", data={"client_id": "secret-client", "grant_type": "refresh_token", "refresh_token": "secret-token"}, verify=partita.verify, timeout=30)
    requests.get(url + "/authorize", params={"client_id": "secret-client", "error": "secret-error"}, verify=partita.verify, timeout=30)
    texts = [ask(path, "/.metrics")[1] for server in SERVERS for path in sockets_of(partita, server)]
    assert not [line for text in texts for line in text.splitlines() if "secret" in line or partita.info["client"]["client_id"] in line]
    values = {value for text in texts for value in re.findall(r'="([^"]*)"', text)}
    assert {value for value in values if value.startswith("/")} >= {"/token", "/register/*", "/assets/*"} and len(values) < 400


# --- of one process, whose surroundings are the test's ---

class Instance:
    def __init__(self, home, server, *options):
        self.home, self.socket = home, os.path.join(home.dir, f"{server}-{len(home.processes)}-operator")
        self.started = time.time()
        self.process = home.start(server, "--admin", "unix:" + self.socket, *options).wait_ready()

    def metric(self, name, **labels):
        return Metrics(self.socket).sum(name, **labels)


@pytest.fixture(scope="module")
def home():
    made = Home(mail_server="smtp://127.0.0.1:9", mail_from="op@example.org", password_memory="8MiB", password_iterations="1",
                op_async__mail_starttls="no", op_async__outbox_retry_first="1h")  # nobody takes mail at port 9
    Instance(made, "op-discovery")
    yield made
    made.close()


@pytest.fixture(scope="module")
def token(home):
    instance = Instance(home, "op-token", "--set", "op-token.client_secret_failures=100000", "--set", "op-token.outside_wait=3s")
    instance.client = home.opctl("client", "add", "--name", "Machine", "--grant", "client_credentials", "--scope", "api",
                                 "--auth-method", "client_secret_post")
    return instance


def ask_token(instance, client_id, secret, **more):
    return instance.process.post("/token", {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret, **more})


def test_what_a_process_says_of_itself(token):
    pid = token.process.popen.pid
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        kib = int(re.search(r"Pss_Anon: +(\d+) kB", file.read())[1])
    assert kib * 1024 * 0.5 < token.metric("partita_memory_pss_anon_bytes") < kib * 1024 * 2
    assert token.started - 2 <= token.metric("partita_start_time_seconds") <= time.time()
    said = subprocess.run([os.path.join(BUILD, "op-token/op-token"), "--version"], capture_output=True, text=True, check=True).stdout
    version, build, records = (re.search(rf"^{word} (\S+)$", said, re.M)[1] for word in ("op-token", "build", "records"))
    assert token.metric("partita_build_info", version=version, build=build, records=records) == 1
    assert (token.metric("partita_ready"), token.metric("partita_draining")) == (1, 0)


def test_connections_and_waiting_requests(home):
    instance = Instance(home, "op-userinfo", "--set", "all.connections_max=2")
    before = Metrics(instance.socket)
    assert before.sum("partita_connections_limit") == 2
    one, two = instance.process.connect(), instance.process.connect()
    try:
        one.sendall(b"POST /userinfo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
        wait_until(lambda: instance.metric("partita_connections") == 2 and instance.metric("partita_requests_waiting") == 1, 10)
        after = Metrics(instance.socket)
        assert after.sum("partita_connections_accepted_total") == before.sum("partita_connections_accepted_total") + 2
        assert after.sum("partita_connections_refused_total", reason="limit") > before.sum("partita_connections_refused_total", reason="limit")
        assert after.sum("partita_connections_refused_total", reason="resources") == 0
    finally:
        one.close()
        two.close()
    wait_until(lambda: instance.metric("partita_connections") == 0 and instance.metric("partita_requests_waiting") == 0, 10)


def test_draining_is_told(home):
    instance = Instance(home, "op-userinfo")
    with instance.process.connect() as connection:
        connection.sendall(b"GET /.live HTTP/1.1\r\nHost: x\r\n\r\nGET /.live HTTP/1.1\r\n")
        assert b"alive" in connection.recv(65536)
        instance.process.popen.send_signal(signal.SIGTERM)
        wait_until(lambda: instance.metric("partita_draining") == 1, 5)
        assert instance.metric("partita_ready") == 0
    assert instance.process.popen.wait(20) == 0


def test_readers_are_those_of_all_processes(home, token):
    before = token.metric("partita_store_readers", env="users")
    more = [Instance(home, "op-userinfo") for _ in range(3)]
    for each in more:
        each.process.get("/userinfo", fields="Authorization: Bearer x\r\n")
    assert before + 3 <= token.metric("partita_store_readers", env="users") <= token.metric("partita_store_readers_limit", env="users")
    for each in more:
        each.process.end()
    wait_until(lambda: token.metric("partita_store_readers", env="users") <= before, 20)


def test_writes_wait_while_somebody_holds_the_lock(home, token):
    """And are refused when they have waited too long."""
    holder = subprocess.Popen([os.path.join(BUILD, "tests", "fill"), home.dir + "/state", home.dir + "/run", "guard", "hold"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    busy = token.metric("partita_store_busy_total", env="guard")
    threads = [threading.Thread(target=ask_token, args=(token, token.client["client_id"], "wrong")) for _ in range(5)]
    try:
        for thread in threads:
            thread.start()
        wait_until(lambda: token.metric("partita_store_queue_length", env="guard") >= 1, 10)
        assert token.metric("partita_store_queue_limit", env="guard") == 4096
        for thread in threads:
            thread.join(30)
        assert token.metric("partita_store_busy_total", env="guard") > busy and token.metric("partita_store_queue_length", env="guard") == 0
    finally:
        holder.stdin.close()
        holder.wait(10)
    assert ask_token(token, token.client["client_id"], token.client["client_secret"])[0] == 200


def test_who_waits_for_a_document_is_counted(home, token):
    """Nobody fetches here, so the request waits for as long as it may."""
    client = home.opctl("client", "add", "--name", "Elsewhere", "--grant", "client_credentials", "--scope", "api", "--auth-method", "private_key_jwt",
                        "--jwks-uri", "https://keys.example.org/jwks.json")
    from outside import ASSERTION_TYPE, Signer
    assertion = Signer("one").assertion(client["client_id"], "http://localhost:9")
    form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
    answers = []
    thread = threading.Thread(target=lambda: answers.append(token.process.post("/token", form)))
    thread.start()
    wait_until(lambda: token.metric("partita_documents_waiting") == 1, 10, lambda: str(answers))
    assert token.metric("partita_requests_waiting") >= 1
    thread.join(30)
    assert answers[0][0] == 503 and token.metric("partita_documents_waiting") == 0


def test_keys_age_and_are_young_again(home):
    discovery = Instance(home, "op-discovery")
    for alg in ("RS256", "ES256"):
        wait_until(lambda alg=alg: discovery.metric("partita_signing_key_age_seconds", alg=alg) >= 3, 20)
        assert discovery.metric("partita_signing_key_next", alg=alg) == 1
    assert discovery.metric("partita_key_rotation_interval_seconds") == 30 * 86400
    changes, began = total_of(home, "partita_key_changes_total"), time.monotonic()
    home.opctl("key", "rotate", "--now")
    wait_until(lambda: total_of(home, "partita_key_changes_total") > changes, 20)
    for alg in ("RS256", "ES256"):
        wait_until(lambda alg=alg: discovery.metric("partita_signing_key_age_seconds", alg=alg) <= time.monotonic() - began + 2
                   and discovery.metric("partita_signing_key_next", alg=alg) == 1, 20)


def total_of(home, name):
    """Of all op-discovery that run: one of them does it."""
    paths = [os.path.join(home.dir, each) for each in os.listdir(home.dir) if re.fullmatch(r"op-discovery-\d+-operator", each)]
    return Metrics(*paths).sum(name)


def test_the_outbox_fills(home):
    """Nobody takes the mail, so it waits; what is given up is a dead letter."""
    office = Instance(home, "op-async")
    depth = [f"partita_outbox_{what}" for what in ("messages", "dead_letters", "oldest_age_seconds")]
    assert [office.metric(name) for name in depth] == [0, 0, 0]
    home.opctl("user", "add", "alice", "--claim", "email=alice@example.org", "--email-verified", secret=PASSWORD)
    began = time.monotonic()
    home.opctl("user", "password", "alice", secret=PASSWORD)
    wait_until(lambda: office.metric("partita_mails_postponed_total") == 1, 30, lambda: office.process.log)
    wait_until(lambda: office.metric("partita_outbox_oldest_age_seconds") >= 1, 20)
    assert office.metric("partita_outbox_oldest_age_seconds") <= time.monotonic() - began + 2
    assert [office.metric(name) for name in depth[:2]] == [1, 0]
    office.process.end()
    last = Instance(home, "op-async", "--set", "op-async.outbox_tries=1")
    home.opctl("outbox", "retry", home.opctl("outbox", "list")[0]["id"])
    wait_until(lambda: last.metric("partita_outbox_dead_letters") == 1, 30, lambda: last.process.log)
    assert [last.metric(name) for name in (*depth, "partita_mails_dead_total")] == [0, 1, 0, 1]


def test_a_tampered_lock_file_is_told(home, token):
    """What the alert hears: the next write finds it."""
    assert [token.metric("partita_store_trouble", env="guard", trouble=trouble) for trouble in ("full", "broken", "tampered")] == [0, 0, 0]
    with open(home.dir + "/run/guard/lock.mdb", "r+b", buffering=0) as file:
        file.seek(TXNID_AT)
        last = struct.unpack("<Q", file.read(8))[0]
        file.seek(TXNID_AT)
        file.write(struct.pack("<Q", last - 2))
    ask_token(token, token.client["client_id"], "wrong")
    wait_until(lambda: token.metric("partita_store_trouble", env="guard", trouble="tampered") == 1, 10, lambda: token.process.log)
    assert token.metric("partita_store_trouble", env="guard", trouble="broken") == 1
    assert token.metric("partita_store_trouble", env="tokens", trouble="tampered") == 0
