"""nginx and HAProxy as operators get them, each in front of servers that tell what they saw, and of real ones."""
import concurrent.futures
import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from urllib.parse import urlsplit

import pytest
import requests

from conftest import ROOT
from front import HOST, Front, Played, reply
from person import Person, sign_in, token_request
from server_process import wait_until
from test_sign_in import test_a_person_signs_in_and_the_client_reads_who as signs_in

sys.path.insert(0, os.path.join(ROOT, "tests", "hostile"))
from framing import Target  # noqa: E402

KINDS = ["nginx", "haproxy"]
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def played():
    servers = Played()
    yield servers
    servers.close()


@pytest.fixture(scope="module", params=KINDS)
def front(request, played):
    """Exactly as it is shipped."""
    made = Front(request.param, played.dir).start()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def plain_answers(played):
    yield
    played.answers.clear()


# --- the files ---

@pytest.mark.parametrize("kind", KINDS)
def test_there_is_nothing_to_say_about_the_file(kind):
    made = Front(kind, "/run/partita-sockets")
    assert made.judged() == (0, "")
    made.close()


# --- TLS and names ---

@pytest.mark.parametrize("version, spoken", [(ssl.TLSVersion.TLSv1, False), (ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True),
                                             (ssl.TLSVersion.TLSv1_3, True)])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_tls_is_1_2_or_newer(front, version, spoken):
    if spoken:
        front.connect(version=version).close()
    else:
        with pytest.raises(ssl.SSLError) as refused:
            front.connect(version=version)
        assert refused.value.reason == "TLSV1_ALERT_PROTOCOL_VERSION"


def test_plain_http_leads_people_to_https_and_refuses_programs(front):
    status, heard = front.raw(b"GET /sign-in?x=y HTTP/1.1\r\nHost: anything.example\r\n\r\n", plain=True)
    assert status == 301 and f"location: https://{HOST}/sign-in?x=y\r\n" in heard.replace("Location", "location")
    assert front.raw(b"POST /token HTTP/1.1\r\nHost: " + HOST.encode() + b"\r\nContent-Length: 3\r\n\r\na=b", plain=True)[0] == 403


def test_browsers_are_told_to_come_by_https(front):
    for path in ("/", "/token", "/.well-known/jwks.json"):
        assert front.ask("GET", path)[1]["Strict-Transport-Security"] == "max-age=31536000"


def test_another_name_is_not_served(front, played):
    assert front.raw(b"GET /other-name HTTP/1.1\r\nHost: other.example\r\n\r\n")[0] == 421
    assert played.of("/other-name") == []


# --- what only the balancer may say ---

FORGED = ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Server", "X-Forwarded-Prefix",
          "X-Forwarded-User", "Forwarded", "X-Real-IP", "X-Client-IP", "X-Cluster-Client-IP", "True-Client-IP", "X-Request-Id",
          "Client-Cert", "Client-Cert-Chain", "X-Client-Cert", "X-Client-Cert-Chain", "X-Client-Certificate", "X-Client-Verify",
          "X-Forwarded-Client-Cert", "X-Forwarded-Tls-Client-Cert", "X-Forwarded-Tls-Client-Cert-Info", "X-SSL-Cert", "X-SSL-Client-Cert",
          "X-SSL-Client-DN", "X-SSL-Client-S-DN", "X-SSL-Client-Verify", "SSL-Client-Cert", "SSL-Client-S-DN", "SSL-Client-Verify"]


def test_forged_fields_never_reach_a_server(front, played):
    """Each twice, in any case, the second time named in Connection."""
    path = f"/forged-{front.kind}"
    forged = "".join(f"{name}: forged.example\r\n{name.upper()}: 192.0.2.66\r\n" for name in FORGED)
    assert front.raw(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n{forged}\r\n".encode())[0] == 200
    (seen,) = played.of(path)
    assert [value for _, value in seen["all"] if "forged" in value or "192.0.2.66" in value] == []
    names = [name for name, _ in seen["all"]]
    assert [name for name in names if name in map(str.lower, FORGED)] == [
        name for name in names if name in ("x-forwarded-for", "x-forwarded-proto", "x-request-id")]
    assert [value for name, value in seen["all"] if name == "x-forwarded-for"] == ["127.0.0.1"]
    assert [value for name, value in seen["all"] if name == "x-forwarded-proto"] == ["https"]
    assert len(seen["fields"]["x-request-id"]) == 32


def test_the_address_is_the_clients(front, played):
    path = f"/address-{front.kind}"
    front.ask("GET", path, address="127.0.0.77")
    assert played.of(path)[0]["fields"]["x-forwarded-for"] == "127.0.0.77"


def test_the_trace_goes_through(front, played):
    path = f"/trace-{front.kind}"
    trace = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "a=b,c=d", "Authorization": "Bearer x",
             "Cookie": "__Host-partita=1; other=2"}
    front.ask("GET", path, trace)
    seen = played.of(path)[0]["fields"]
    assert {name: seen.get(name.lower()) for name in trace} == trace


def test_the_same_over_http_2(front, played):
    path = f"/http-2-{front.kind}"
    done = subprocess.run(["curl", "-s", "--http2", "--cacert", front.certificate[0], "--resolve", f"{HOST}:{front.secure}:127.0.0.1", "-H",
                           "X-Forwarded-For: 192.0.2.66", "-H", "Client-Cert: :Zm9yZ2Vk:", "-b", "a=1; b=2", "-d", "c=d", "-w", "%{http_version}",
                           f"https://{HOST}:{front.secure}{path}"], capture_output=True, text=True, timeout=60, check=True)
    (seen,) = played.of(path)
    assert done.stdout.endswith("2") and seen["body"] == b"c=d" and seen["fields"]["cookie"] == "a=1; b=2"
    assert seen["fields"]["x-forwarded-for"] == "127.0.0.1" and "client-cert" not in seen["fields"]


# --- which server answers, and what nobody outside gets ---

@pytest.mark.parametrize("path, server", [
    ("/.well-known/openid-configuration", "op-discovery"), ("/token", "op-token"), ("/userinfo", "op-userinfo"), ("/introspect", "op-management"),
    ("/revoke", "op-management"), ("/register", "op-management"), ("/register/abc", "op-management"), ("/device_authorization", "op-async"),
    ("/device", "op-async"), ("/device/qr", "op-async"), ("/device/approve", "op-auth"), ("/", "op-auth"), ("/authorize", "op-auth"),
    ("/as/par", "op-auth"), ("/sign-in", "op-auth"), ("/account/password", "op-auth"), ("/assets/x.css", "op-auth"), ("/tokens", "op-auth")])
def test_each_path_has_its_server(front, path, server):
    status, _, body = front.ask("GET", path)
    assert (status, json.loads(body)["server"]) == (200, server)


@pytest.mark.parametrize("path", ["/.live", "/.ready", "/.metrics", "/.self-test", "/.ready?x", "//.ready", "/x/../.metrics", "/register/.ready",
                                  "/.well-known/../.metrics", "/op/.metrics", f"https://{HOST}/.metrics", "/admin/v1/users", "/admin/v1/openapi.json"])
def test_what_is_the_operators_is_not_there(front, played, path):
    before = len(played.seen)
    status, _ = front.raw(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
    assert status == 404 and len(played.seen) == before


# --- one request, one server, once ---

@pytest.mark.parametrize("method", ["POST", "GET", "PUT", "DELETE"])
@pytest.mark.parametrize("warm", [False, True], ids=["new", "kept"])
def test_a_request_that_a_server_died_of_is_not_sent_again(front, played, method, warm):
    """On a new connection and on one that has served; and nobody takes the server for dead. On a client's kept connection HAProxy
    says so by closing it, as a server that closes idle ones would."""
    path = f"/register/dies-{front.kind}-{method}-{warm}"
    played.answers[path] = lambda _: None
    session = front.session() if warm else None
    for _ in range(3 if warm else 0):
        assert front.ask("POST", "/introspect", FORM, "a=b", session=session)[0] == 200
    try:
        status, _, body = front.ask(method, path, FORM, "a=b" if method in ("POST", "PUT") else None, session=session)
        assert (status, json.loads(body)["error"]) == (502, "server_error")
    except http.client.RemoteDisconnected:
        assert front.kind == "haproxy" and warm
    assert len(played.of(path)) == 1
    assert front.ask("POST", "/introspect", FORM, "a=b")[0] == 200


def test_failures_in_a_row_take_nobody_out(front, played):
    played.answers["/userinfo"] = lambda request: None if "dies" in request["path"] else reply(200, "{}")
    statuses = [front.ask("GET", path)[0] for path in ["/userinfo?dies"] * 12 + ["/userinfo"] * 3]
    assert statuses == [502] * 12 + [200] * 3


def test_haproxy_asks_who_is_ready(played):
    """Every tenth of a second here. While nobody is, the answer is at once that nobody is there; then it goes on by itself."""
    often = [(r"check inter 2s downinter 500ms fall 5", "check inter 100ms downinter 100ms fall 5", 1)]
    made = Front("haproxy", played.dir, *often).start()

    def status():
        return made.ask("POST", "/introspect", FORM, "a=b")[0]
    try:
        played.ready = False
        wait_until(lambda: status() == 503, 20)
        before = len(played.of("/introspect"))
        assert [status() for _ in range(5)] == [503] * 5 and len(played.of("/introspect")) == before
        played.ready = True
        wait_until(lambda: status() == 200, 20)
        assert [status() for _ in range(5)] == [200] * 5
    finally:
        played.ready = True
        made.close()


# --- /.well-known/ ---

def test_what_is_well_known_is_kept_as_long_as_it_says(front, played):
    path, version = "/.well-known/jwks.json", ["1"]

    def answer(request):
        etag = f'ETag: "v{version[0]}"'
        fields = [etag, "Cache-Control: public, max-age=3600, s-maxage=2", "Access-Control-Allow-Origin: *"]
        return reply(304, "", *fields) if request["fields"].get("if-none-match") == etag[6:] else reply(200, version[0], *fields)

    def get(**fields):
        return front.ask("GET", path, {name.replace("_", "-"): value for name, value in fields.items()})
    played.answers[path] = answer
    wait_until(lambda: get()[2] == "1", 20)  # what another test has left there
    before, began = len(played.of(path)), time.monotonic()
    assert [get()[2] for _ in range(20)] == ["1"] * 20 and get(If_None_Match='"v1"')[0] == 304
    assert len(played.of(path)) - before <= 2 + time.monotonic() - began  # it is renewed every two seconds
    assert get()[1]["Access-Control-Allow-Origin"] == "*"
    version[0] = "2"
    changed = time.monotonic()
    while True:
        asked = time.monotonic()
        status, _, body = get()
        assert status == 200
        if body == "2":
            break
        assert asked < changed + 3.5, "stale"  # whole seconds, begun before it changed


def test_what_is_not_to_be_kept_is_not(front, played):
    path = "/.well-known/nothing-yet"
    played.answers[path] = lambda _: reply(503, "{}", "Cache-Control: no-store", "Retry-After: 1")
    assert [front.ask("GET", path)[0] for _ in range(3)] == [503] * 3 and len(played.of(path)) >= 3
    played.answers[path] = lambda _: reply(200, "{}")
    assert front.ask("GET", path)[0] == 200
    played.seen.clear()
    played.answers.pop(path)
    assert [front.ask("GET", path)[0] for _ in range(3)] == [200] * 3 and len(played.of(path)) == 3  # it says nothing about keeping


# --- how often ---

def until_refused(front, method, path, address):
    session = front.session(address)
    for count in range(3000):
        status, fields, body = front.ask(method, path, FORM, "a=b", session=session)
        if status != 200:
            return count, status, fields, body
    raise AssertionError("never refused")


@pytest.mark.parametrize("path, at_least, person", [("/sign-in", 60, True), ("/account/password", 60, True), ("/register", 20, False),
                                                    ("/device_authorization", 60, False), ("/device", 60, True)])
def test_who_asks_too_often_is_asked_to_wait(front, path, at_least, person):
    address = f"127.0.1.{len(path)}"
    count, status, fields, body = until_refused(front, "POST", path, address)
    assert count >= at_least and (status, fields["Retry-After"]) == (429, "10")
    assert ("<h1>" in body) == person and (person or json.loads(body)["error"] == "temporarily_unavailable")
    assert front.ask("GET", path, address=address)[0] == 200, "only what costs something is counted"
    assert front.ask("POST", "/consent", FORM, "a=b", address=address)[0] == 200
    assert front.ask("POST", path, FORM, "a=b", address="127.0.1.200")[0] == 200, "another address"


FEW = {"nginx": [(r"zone=token:10m rate=100r/s", "zone=token:10m rate=1r/m", 1), (r"zone=token burst=900", "zone=token burst=4", 1),
                 (r"^http \{\n", "http {\n    set_real_ip_from 127.0.0.0/8;\n    real_ip_header X-Test-Address;\n", 1)],
       "haproxy": [(r"PARTITA_RATE_TOKEN 1000$", "PARTITA_RATE_TOKEN 5", 1), (r"http_req_rate\(10s\)$", "http_req_rate(600s)", 4),
                   (r"expire 30s", "expire 600s", 4),
                   (r"^    # Who asks how often\.$", "    http-request set-src hdr(x-test-address)", 1)]}


@pytest.mark.parametrize("kind", KINDS)
def test_one_network_of_ipv6_is_one_caller(kind, played):
    """Addresses are said by a field here, and less is allowed."""
    made = Front(kind, played.dir, *FEW[kind]).start()

    def statuses(path, *addresses):
        return [made.ask("POST", path, {**FORM, "X-Test-Address": address}, "a=b")[0] for address in addresses]
    try:
        one_network = [f"2001:db8:a:b::{n:x}" for n in range(4)] + [f"2001:db8:a:b:{n}:2:3:4" for n in range(4)]
        assert statuses("/token", *one_network) == [200] * 5 + [429] * 3
        assert statuses("/revoke", "2001:db8:a:b::77", "2001:db8:a:c::77", "2001:db8:a:c::78", "192.0.2.1") == [429, 200, 200, 200]
        assert statuses("/introspect", *["192.0.2.2"] * 6, "192.0.2.3") == [200] * 5 + [429, 200]
    finally:
        made.close()


# --- logs ---

def test_no_log_has_a_query(front, played):
    """Nor what a Referer quotes: not of what went well, nor of what failed here or behind."""
    played.answers["/token"] = lambda request: None if "secret" in request["path"] else reply(200, "{}")
    paths = ["/authorize?login_hint=secret@example.org", "/token?code=secret", "/userinfo?access_token=secret", "/.ready?secret",
             "/admin/v1/users?secret", "/.well-known/x?secret", "/sign-in?x=" + "secret" * 2000, "/x y?secret", "/%?secret", "/a?secret#secret"]
    for path in paths:
        front.raw(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nReferer: https://rp.example/cb?code=secret\r\nConnection: close\r\n\r\n".encode())
    front.raw(f"GET https://{HOST}/cb?secret HTTP/1.1\r\nHost: {HOST}\r\nX-Forwarded-For: secret\r\nConnection: close\r\n\r\n".encode())
    front.raw(b"GET /sign-in?secret HTTP/1.1\r\nHost: x\r\n\r\n", plain=True)
    front.raw(f"POST /token?secret HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 9000000\r\nConnection: close\r\n\r\n".encode())
    front.ask("GET", "/is-in-the-log")
    wait_until(lambda: "/is-in-the-log" in front.logged(), 20)
    assert "secret" not in front.logged()
    request_id = played.of("/is-in-the-log")[-1]["fields"]["x-request-id"]
    assert request_id in front.logged(), "the servers' log and this one go together"


# --- when nobody answers ---

def test_nobody_there(front, played):
    """Said in the words of who asked; HAProxy tries to connect for three seconds, or knows already."""
    rows = {"op-token": ("POST", "/token", False), "op-auth": ("POST", "/sign-in", True), "op-async": ("POST", "/device", True),
            "op-userinfo": ("GET", "/userinfo?secret-of-nobody", False)}
    for server in rows:
        played.away(server)
    try:
        with concurrent.futures.ThreadPoolExecutor(len(rows)) as pool:
            found = list(pool.map(lambda row: front.ask(row[0], row[1], FORM, "a=b", address="127.0.3.1"), rows.values()))
    finally:
        for server in rows:
            played.listen(server)
    for (status, fields, body), (_, path, person) in zip(found, rows.values()):
        assert (status, fields["Retry-After"]) == (503, "5"), path
        assert fields["Content-Type"].startswith("text/html" if person else "application/json") and fields["Cache-Control"] == "no-store"
        assert ("Wir können gerade nicht antworten" in body) if person else json.loads(body)["error"] == "temporarily_unavailable"
        assert person or fields["Access-Control-Allow-Origin"] == "*"
    assert "secret-of-nobody" not in front.logged()
    for _, path, _ in rows.values():
        wait_until(lambda: front.ask("GET", path, address="127.0.3.2")[0] == 200, 20)


def test_both_say_the_same(played):
    """Each page and each JSON for want of an answer is in both files, byte by byte."""
    texts = [open(os.path.join(ROOT, "deploy", path), encoding="utf-8").read() for path in ("nginx/nginx.conf", "haproxy/haproxy.cfg")]
    said = [{piece.split("'")[0] for piece in text.replace("string '", "return 0 '").split(" '") if piece.startswith(('{"error', "<!"))} for text in texts]
    assert said[0] - said[1] == {text for text in said[0] if "<title>Too much was sent" in text} and said[1] <= said[0]
    assert len(said[1]) >= 7


# --- sizes: real servers, whose bounds they are ---

@pytest.fixture(scope="module", params=KINDS)
def before_partita(request, partita):
    open_to_all = {"nginx": (r"default 0;", "default 1;", 1), "haproxy": (r"PARTITA_ADMINISTRATORS \S+$", "PARTITA_ADMINISTRATORS 127.0.0.0/8", 1)}
    made = Front(request.param, os.path.join(partita.dir, "sockets"), open_to_all[request.param]).start()
    yield made
    made.close()


BODIES = [("POST", "/token", 16), ("POST", "/userinfo", 16), ("POST", "/introspect", 16), ("POST", "/revoke", 16), ("POST", "/register", 32),
          ("POST", "/device_authorization", 16), ("POST", "/as/par", 16), ("POST", "/admin/v1/users", 64), ("POST", "/device", 4),
          ("POST", "/authorize", 16), ("POST", "/sign-in", 32)]


@pytest.mark.parametrize("method, path, kib", BODIES, ids=[path for _, path, _ in BODIES])
def test_a_body_of_just_the_bound_and_one_byte_more(before_partita, method, path, kib):
    size, person = kib * 1024, path in ("/device", "/authorize", "/sign-in")
    found = [before_partita.ask(method, path, FORM, "a=" + "x" * (n - 2)) for n in (size, size + 1, size + 1000)]
    assert [status == 413 for status, _, _ in found] == [False, True, True], [status for status, _, _ in found]
    said = [body for _, _, body in found[1:]]
    for announced in (100 << 10, 10 << 20):  # much more is refused before it is sent
        status, heard = before_partita.raw(f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: {FORM['Content-Type']}\r\n"
                                           f"Content-Length: {announced}\r\nConnection: close\r\n\r\n".encode())
        assert status == 413
        said.append(heard.partition("\r\n\r\n")[2])
    if not person:
        assert [json.loads(body)["error"] for body in said] == ["invalid_request"] * 4


LINE = "GET /assets/partita.css?{} HTTP/1.1\r\n"


@pytest.mark.parametrize("line, fields, status", [
    (8192, 100, 200), (8193, 100, 414), (20000, 100, 414), (100, 15000, 200), (100, 18000, 431), (100, 24000, 431)])
def test_a_head_of_just_the_bound_and_more(before_partita, line, fields, status):
    first = LINE.format("a" * (line - len(LINE.format(""))))
    more = "".join(f"X-{n}: {'b' * 990}\r\n" for n in range(fields // 1000))
    assert before_partita.raw(f"{first}Host: {HOST}\r\n{more}Connection: close\r\n\r\n".encode())[0] == status


# --- HAProxy and the servers that come and go ---

@pytest.fixture(scope="module")
def behind_haproxy(start_partita):
    return start_partita("--balancer", "haproxy", "--instances", "op-token=2")


def test_a_sign_in_through_haproxy(behind_haproxy):
    with open(os.path.join(behind_haproxy.dir, "haproxy", "haproxy.cfg"), encoding="utf-8") as file:
        assert "nbthread 4" in file.read()
    signs_in(behind_haproxy)
    assert requests.get(behind_haproxy.info["playground"] + "/config.json", timeout=10).json()["issuer"] == behind_haproxy.issuer


# Read otherwise than the servers do, and harmless: what follows is a request of its own to HAProxy and to the server alike.
OTHERWISE = {"a tab for a space", "HTTP/2.0", "HTTP/2 preface", "the same length twice", "a list of lengths", "coding on a folded line"}


def test_nothing_is_smuggled_past_haproxy(behind_haproxy):
    target = Target(urlsplit(behind_haproxy.issuer).netloc, "/.well-known/openid-configuration", "/token", proxied=True)
    import framing
    waited_for = {"chunk size over the bound"}  # HAProxy waits ten seconds for the rest
    rows = [row for row in framing.ROWS if row.name not in OTHERWISE | waited_for]
    assert len(rows) > 80
    assert [(row.name, wrong) for row in rows if (wrong := target.judge(row))] == []


def test_servers_are_started_anew_behind_idle_connections(behind_haproxy):
    """Both processes of op-token in turn, while clients come and go: nobody notices."""
    client, failed, ending = behind_haproxy.add_client("Machine", "http://localhost:9/cb", "--grant", "client_credentials"), [], threading.Event()
    done = [0]

    def work(number):
        while not ending.is_set():
            with requests.Session() as http:
                for _ in range(5):
                    try:
                        answer = http.post(behind_haproxy.issuer + "/token", data={"grant_type": "client_credentials"}, timeout=30,
                                           auth=(client["client_id"], client["client_secret"]))
                        done[0] += 1
                        if answer.status_code != 200:
                            failed.append(answer.text)
                    except requests.RequestException as error:
                        failed.append(str(error))
                    time.sleep(0.05 * number)

    def pids():
        return [server["pid"] for server in behind_haproxy.info["servers"] if server["name"] == "op-token"]
    workers = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for worker in workers:
        worker.start()
    try:
        for number in (0, 1):
            old, before = pids()[number], done[0]
            os.kill(old, signal.SIGTERM)
            wait_until(lambda: not os.path.exists(f"/proc/{old}") and done[0] > before + 20, 60)
            wait_until(lambda: len(set(pids()) - {old}) == 2, 60)
    finally:
        ending.set()
        for worker in workers:
            worker.join(60)
    assert failed == [] and done[0] > 40


def test_haproxy_lets_go_of_idle_connections_before_a_draining_server_would(played):
    """After a burst on four threads, then a trickle, none stands idle for the 7 s after which an ending server closes it."""
    made = Front("haproxy", played.dir).start()
    try:
        with concurrent.futures.ThreadPoolExecutor(60) as pool:
            played.answers["/introspect"] = lambda _: (time.sleep(0.05), reply(200, "{}"))[1]
            assert set(pool.map(lambda n: made.ask("POST", "/introspect", FORM, "a=b", address=f"127.0.4.{n}")[0], range(120))) == {200}
        began, longest = time.monotonic(), 0.0
        while time.monotonic() < began + 20:
            with played.lock:
                waiting = [time.monotonic() - since for since in played.idle.values()]
            longest = max([longest, *waiting])
            assert longest < 7
            if time.monotonic() > began + 2 and len(waiting) <= 4:
                break
            made.ask("POST", "/introspect", FORM, "a=b")
        assert len(waiting) <= 4, "the pools are let go of"
    finally:
        made.close()
