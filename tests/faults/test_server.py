"""server_run: what is refused at start and in which words, the notices to systemd, the drain."""
import os
import signal
import socket
import subprocess
import time

import pytest

from conftest import BUILD
from server_process import Home, read_reply, wait_until


@pytest.fixture(scope="module")
def home():
    made = Home()
    yield made
    made.close()


def one_line(done, status=1):
    lines = [line for line in done.stderr.split("\n") if line]
    assert done.returncode == status and len(lines) == 1, done.stderr
    return lines[0]


# --- arguments and configuration ---

@pytest.mark.parametrize("options, status, words", [
    (["--nonsense"], 64, "--nonsense: no such option"),
    (["--config"], 64, "--config: no such option, or its value is missing"),
    (["something"], 64, "something: no such option"),
    (["--config", "/nonexistent.conf"], 78, "/nonexistent.conf: cannot be read: No such file"),
    (["--set", "nothing=1"], 78, "--set nothing: there is no such setting"),
    (["--set", "issuer=http://op.example"], 78, "--set issuer:"),
    (["--set", "signing_algs=ES256"], 78, "lacks RS256"),
    (["--set", "access_token_alg=EdDSA"], 78, "lacks the access_token_alg"),
    (["--set", "key_retention=5min"], 78, "tokens would outlive their keys"),
    (["--set", "publication_lead=1h"], 78, "not longer than cache_max_age"),
    (["--listen", "nowhere"], 1, "--listen nowhere: an address is HOST:PORT or unix:PATH"),
    (["--listen", "unix:relative"], 1, "the path is not absolute"),
    (["--listen", "unix:/proc/nonexistent/x.sock"], 1, "--listen unix:/proc/nonexistent/x.sock: No such file or directory"),
    (["--admin", "nowhere"], 1, "--admin nowhere: an address is HOST:PORT or unix:PATH"),
    ([], 1, "there is no socket to listen on"),
])
def test_a_bad_start_is_one_sentence(home, options, status, words):
    line = one_line(home.run("op-discovery", *options), status)
    assert words in line, line


def test_every_bad_line_is_named_before_anything_opens(home):
    path = home.dir + "/bad.conf"
    with open(path, "w", encoding="utf-8") as file:
        file.write("[all]\nissuer = https://op.example\ncode_lifetime = 2h\nstate_dir = relative\n"
                   "[op-discovery]\nrotation_interval = soon\nfuture_setting = 1\n[op-other]\nanything = goes\nnonsense\n")
    for options, lines in (([], (3, 4, 6, 10)), (["--check-config"], (3, 4, 6, 7, 9, 10))):
        done = home.run("op-discovery", "--config", path, *options)
        assert done.returncode == 78
        assert [line.split(": ")[0] for line in done.stderr.strip().split("\n")] == [f"{path}:{n}" for n in lines]


def test_a_setting_of_a_newer_version_fails_the_check_and_warns_at_start(home):
    path = home.dir + "/newer.conf"
    with open(home.conf, encoding="utf-8") as old, open(path, "w", encoding="utf-8") as new:
        new.write(old.read() + "[op-discovery]\nfrom_the_future = 1\n")
    number = sum(1 for _ in open(path, encoding="utf-8"))
    words = f'{path}:{number}: [op-discovery] has no setting "from_the_future"'
    assert one_line(home.run("op-discovery", "--config", path, "--check-config"), 78) == words
    process = home.start("op-discovery", "--config", path).wait_ready()
    assert words in process.log
    process.end()
    assert home.run("op-discovery", "--check-config").returncode == 0


@pytest.mark.parametrize("server", ["op-discovery", "op-auth", "op-token", "op-userinfo", "op-management", "op-async"])
def test_every_server_tells_its_version_and_its_tables(home, server):
    done = home.run(server, "--version")
    assert done.returncode == 0 and done.stdout.startswith(server + " ")
    text = home.run(server, "--help").stdout
    for heading in ("Usage:", "Options:", "Serves:", "Environments:", "Settings of [all]:", "Signals:", "Exit status:"):
        assert "\n" + heading + "\n" in text, heading
    manual = subprocess.run([os.path.join(os.path.dirname(__file__), "../../docs/manual"), os.path.join(BUILD, server, server)],
                            capture_output=True, text=True, check=True).stdout
    assert manual.startswith(f'.TH {server.upper()} 8 "" "Partita {done.stdout.split()[1]}"') and ".SH ENVIRONMENTS" in manual


# --- what must be there ---

def test_another_issuer_is_refused(home):
    path = home.dir + "/other.conf"
    with open(home.conf, encoding="utf-8") as old, open(path, "w", encoding="utf-8") as new:
        new.write(old.read().replace("http://localhost:9", "http://localhost:10"))
    line = one_line(home.run("op-discovery", "--config", path, "--listen", f"unix:{home.dir}/x.sock"))
    assert "belongs to the issuer http://localhost:9, but " + path + " says http://localhost:10" in line


def test_a_missing_environment_names_its_path(home):
    line = one_line(home.run("op-discovery", "--set", f"state_dir={home.dir}/nowhere", "--listen", f"unix:{home.dir}/x.sock"))
    assert f"{home.dir}/nowhere/" in line


@pytest.mark.parametrize("content, words", [(None, "cannot be read: No such file"), (b"short", "is not exactly 32 bytes long"),
                                            (bytes(33), "is not exactly 32 bytes long")],
                         ids=["missing", "short", "long"])
def test_a_bad_credential_names_its_path(home, tmp_path, content, words):
    if content is not None:
        (tmp_path / "seal-key").write_bytes(content)
    line = one_line(home.run("op-discovery", "--listen", f"unix:{home.dir}/x.sock", CREDENTIALS_DIRECTORY=str(tmp_path)))
    assert f"{tmp_path}/seal-key {words}" in line


def test_an_address_that_is_taken(home):
    process = home.start("op-discovery").wait_ready()
    assert "Address already in use" in one_line(home.run("op-discovery", "--listen", "unix:" + process.path))
    assert process.get("/.live")[0] == 200  # and its socket file is still there
    process.end()
    assert not os.path.exists(process.path)


def test_a_socket_file_that_a_killed_server_left_is_replaced(home):
    process = home.start("op-discovery").wait_ready()
    process.end(signal.SIGKILL)
    assert os.path.exists(process.path)
    again = home.start("op-discovery", "--listen", "unix:" + process.path).wait_ready()
    again.path = process.path
    assert again.get("/.ready")[0] == 200
    again.end()


# --- systemd ---

def notices(listener, seconds):
    listener.settimeout(seconds)
    try:
        return listener.recv(4096).decode()
    except TimeoutError:
        return ""


def test_systemd_is_told(home):
    path = home.dir + "/notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        process = home.start("op-discovery", NOTIFY_SOCKET=path, WATCHDOG_USEC="400000")
        said = []
        while sum("WATCHDOG=1" in notice for notice in said) < 4:
            said.append(notices(listener, 5))
            assert said[-1], process.log
        assert any("READY=1" in notice for notice in said)
        process.wait_ready()
        deadline = time.monotonic() + 3
        while "STATUS=ready" not in said and time.monotonic() < deadline:
            said.append(notices(listener, 3))
        assert "STATUS=ready" in said, said
        process.popen.send_signal(signal.SIGTERM)
        while "STOPPING=1" not in said[-1]:
            said.append(notices(listener, 3))
            assert said[-1], said
        assert process.popen.wait(5) == 0


def start_with(home, listener, server="op-discovery", *options):
    """A server that inherits a listening socket as systemd hands it over."""
    script = f'import os; os.dup2({listener.fileno()}, 3); os.environ["LISTEN_PID"] = str(os.getpid()); ' \
             f'os.environ["LISTEN_FDS"] = "1"; a = {home.command(server, *options)!r}; os.execv(a[0], a)'
    return subprocess.Popen(["/usr/bin/python3", "-c", script], pass_fds=[listener.fileno()], env=home.environment())


def test_sockets_are_inherited(home):
    path = home.dir + "/inherited.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen(16)
        process = start_with(home, listener)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(10)
                connection.connect(path)
                connection.sendall(b"GET /.live HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert read_reply(connection)[0] == 200
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
        assert os.path.exists(path)  # not ours to remove


def test_another_process_may_not_make_accept_wait(home):
    """O_NONBLOCK belongs to the listening socket, not to a process: whoever starts beside us and clears it must not hold us up."""
    path = home.dir + "/shared.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen(16)
        process = start_with(home, listener)
        try:
            for _ in range(3):
                with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                    connection.settimeout(5)
                    connection.connect(path)
                    connection.sendall(b"GET /.live HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    assert read_reply(connection)[0] == 200
                listener.setblocking(True)
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0


def test_an_instance_that_is_not_ready_leaves_requests_to_those_that_are():
    """Two of op-token on one socket, and one of them has no keys that fit."""
    fresh = Home()
    path, admin = fresh.dir + "/shared.sock", fresh.dir + "/operator.sock"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(path)
            listener.listen(16)
            process = start_with(fresh, listener, "op-token", "--admin", "unix:" + admin)
            wait_until(lambda: os.path.exists(admin), 10)
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(20)
                connection.connect(path)
                connection.sendall(b"GET /.ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
                time.sleep(0.3)
                connection.setblocking(False)
                with pytest.raises(BlockingIOError):  # it waits for somebody who can answer
                    connection.recv(1)
                connection.settimeout(20)
                fresh.start("op-discovery").wait_ready()
                assert read_reply(connection)[0] == 200
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0
    finally:
        fresh.close()


# --- drain ---

def test_a_drain_answers_what_was_accepted(home):
    process = home.start("op-discovery", "--set", "balancer_keepalive=1s").wait_ready()
    with process.connect() as idle, process.connect() as waiting:
        for connection in (idle, waiting):
            assert process.get("/.live", connection)[1].get("connection") != "close"
        process.popen.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        with pytest.raises(OSError):
            process.connect()
        status, fields, body = process.get("/.ready", waiting)
        assert (status, body) == (503, b"not ready: draining\n") and fields["connection"] == "close"
        started = time.monotonic()
        assert idle.recv(1) == b""  # the balancer's 1 s and 2 s more
        assert 1 < time.monotonic() - started < 5
    assert process.popen.wait(10) == 0


# --- the operator's own socket ---

def test_each_process_has_a_socket_for_its_operator_that_outlives_the_listening_one(home):
    path = home.dir + "/operator.sock"
    process = home.start("op-discovery", "--admin", "unix:" + path, "--set", "balancer_keepalive=1s").wait_ready()
    with process.connect() as client, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as operator:
        operator.settimeout(10)
        operator.connect(path)
        assert process.get("/.self-test", operator)[::2] == (200, b"passed\n")
        assert process.get("/.ready", operator)[0] == 200 and b"partita_ready 1" in process.get("/.metrics", operator)[2]
        assert process.get("/.well-known/jwks.json", operator)[0] == 404
        assert process.get("/.self-test", client)[0] == 404
        process.popen.send_signal(signal.SIGTERM)
        wait_until(lambda: process.events("draining"), 5)
        assert process.get("/.ready", operator)[::2] == (503, b"not ready: draining\n")
        assert b"partita_ready 0" in process.get("/.metrics", operator)[2]
    assert process.popen.wait(10) == 0 and not os.path.exists(path)


def test_the_self_test_signs_and_verifies(home):
    """op-token can do so only once op-discovery has made keys."""
    fresh = Home()
    try:
        path = fresh.dir + "/operator.sock"
        process = fresh.start("op-token", "--admin", "unix:" + path)
        wait_until(lambda: os.path.exists(path), 5, lambda: process.log)

        def ask():
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as operator:
                operator.connect(path)
                return process.get("/.self-test", operator)[::2]
        assert ask() == (503, b"failed: a token could not be signed with ES256 and verified: absent\n")
        fresh.start("op-discovery").wait_ready()
        process.wait_ready()
        assert ask() == (200, b"passed\n")
    finally:
        fresh.close()


def test_a_second_signal_ends_at_once(home):
    process = home.start("op-discovery").wait_ready()
    with process.connect() as connection:
        process.get("/.live", connection)
        process.popen.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert process.popen.poll() is None
        process.popen.send_signal(signal.SIGINT)
        assert process.popen.wait(5) == 0


def test_metrics_tell_what_was_answered(home):
    process = home.start("op-discovery").wait_ready()
    for _ in range(3):
        process.get("/.well-known/jwks.json")
    process.get("/secret-looking/path")
    text = process.get("/.metrics")[2].decode()
    assert 'partita_requests_total{endpoint="/.well-known/jwks.json",status="200",error=""} 3\n' in text
    assert 'partita_requests_total{endpoint="other",status="404",error=""} 1\n' in text
    assert "partita_ready 1\n" in text and 'partita_store_commits_total{env="jwks"}' in text and "secret" not in text
    process.end()
