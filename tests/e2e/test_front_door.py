"""deploy/up as an operator meets it."""
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time

import pytest
import requests

from conftest import BUILD, ROOT, free_port
from person import Person, request_for, sign_in, token_request


@pytest.fixture(scope="module")
def door(start_partita):
    """An installation that these tests may stop and start."""
    return start_partita("--instances", "op-userinfo=2", "--set", "all.name=Example House", "--set", "op-token.code_tombstone_lifetime=30min")


@pytest.fixture
def place():
    """A directory that every user may enter."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="partita-", dir="/tmp"))
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path)


def up(*words):
    return subprocess.run([os.path.join(ROOT, "deploy/up"), *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=120, check=False)


def test_up_json_says_everything(door):
    info = door.info
    assert {"issuer", "ca_file", "playground", "user", "client", "state_dir", "runtime_dir", "opctl", "servers"} <= set(info)
    assert set(info["user"]) == {"username", "password"}
    assert set(info["client"]) == {"client_id", "client_secret", "redirect_uris"}
    names = [(server["name"], server["instance"]) for server in info["servers"]]
    assert ("op-userinfo", 2) in names and ("op-token", 1) in names
    for server in info["servers"]:
        os.kill(server["pid"], 0)
        assert stat.S_ISSOCK(os.stat(server["socket"]).st_mode) and server["version"]
    assert stat.S_IMODE(os.stat(os.path.join(door.dir, "up.json")).st_mode) == 0o600


def test_every_server_runs_as_its_own_user(door):
    users = set()
    for server in door.info["servers"]:
        with open(f"/proc/{server['pid']}/status", encoding="utf-8") as file:
            uid = next(line.split()[1] for line in file if line.startswith("Uid:"))
        assert uid != "0"
        users.add((server["name"], uid))
    assert len({uid for _, uid in users}) == len({name for name, _ in users})


def test_the_operators_name_is_on_the_pages(door):
    assert "Example House" in requests.get(door.issuer + "/", timeout=10).text


def test_the_playground_is_served_from_an_origin_of_its_own(door):
    page = requests.get(door.info["playground"] + "/", timeout=10)
    assert page.status_code == 200 and "Playground" in page.text
    assert requests.get(door.info["playground"] + "/config.json", timeout=10).json()["issuer"] == door.issuer


def test_a_server_that_dies_is_started_again(door):
    victim = next(s for s in door.info["servers"] if s["name"] == "op-auth")
    os.kill(victim["pid"], signal.SIGKILL)
    assert requests.get(door.issuer + "/", timeout=20).status_code == 200  # the connection waits in the socket's queue
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and victim in door.info["servers"]:
        time.sleep(0.2)
    assert victim not in door.info["servers"]


def test_a_second_start_in_the_same_place_is_refused(door):
    done = up("--dir", door.dir, *door.options)
    assert done.returncode == 1 and "in use by process" in done.stderr


def test_a_pid_file_that_was_left_names_nobody(place, door):
    """What tells that a directory is in use is its lock: not a number, which may be another installation's by now."""
    os.makedirs(place, exist_ok=True)
    shutil.copy(os.path.join(door.dir, "up.pid"), place / "up.pid")
    done = up("--dir", str(place), "--stop")
    assert done.returncode == 0 and "nothing runs" in done.stdout
    assert requests.get(door.issuer + "/", timeout=20).status_code == 200
    refused = up("--dir", str(place), "--built", BUILD, "--listen", f"127.0.0.1:{door.port}", "--playground-listen",
                 f"127.0.0.1:{free_port()}", "--detach")
    assert refused.returncode == 1 and "cannot be listened on" in refused.stderr, "not: is in use"


def test_a_port_that_is_taken_is_one_sentence(door, tmp_path_factory):
    place = tmp_path_factory.mktemp("taken")
    done = up("--dir", str(place), "--built", BUILD, "--listen", f"127.0.0.1:{door.port}", "--playground-listen",
              f"127.0.0.1:{free_port()}", "--detach")
    assert done.returncode == 1
    assert f"127.0.0.1:{door.port} cannot be listened on" in done.stderr and "Traceback" not in done.stderr


def test_a_place_that_others_cannot_enter_is_refused(tmp_path):
    os.chmod(tmp_path, 0o700)
    done = up("--dir", str(tmp_path / "x"), "--built", BUILD, "--listen", f"127.0.0.1:{free_port()}", "--playground-listen",
              f"127.0.0.1:{free_port()}", "--detach")
    assert done.returncode == 1 and "cannot be entered by other users" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [
    ["--listen", "8080"], ["--issuer", "ftp://x"], ["--issuer", "https://x/path"], ["--instances", "op-token"], ["--instances", "op-nobody=2"],
    ["--instances", "op-token=0"], ["--set", "novalue"], ["--tls-cert", "/x"], ["--dir", "/tmp/a b"], ["--dir", "/tmp/a;b"],
    ["--set", "all.issuer=https://other.example"], ["--set", "all.state_dir=/tmp"],
], ids=" ".join)
def test_wrong_words_are_refused(words):
    done = up("--built", BUILD, *words)
    assert done.returncode == 2 and "usage:" in done.stderr and "Traceback" not in done.stderr


def test_a_build_directory_without_programs_is_one_sentence(place):
    done = up("--dir", str(place / "x"), "--built", str(place), "--listen", f"127.0.0.1:{free_port()}", "--playground-listen",
              f"127.0.0.1:{free_port()}", "--detach")
    assert done.returncode == 1 and "--built names" in done.stderr and "Traceback" not in done.stderr
    assert not os.path.exists(place / "x" / "up.pid")


def test_a_certificate_that_nginx_cannot_use_is_one_sentence(place):
    done = up("--dir", str(place), "--built", BUILD, "--listen", f"127.0.0.1:{free_port()}", "--playground-listen",
              f"127.0.0.1:{free_port()}", "--detach", "--tls-cert", "/nonexistent.pem", "--tls-key", "/nonexistent.key")
    assert done.returncode == 1 and "/nonexistent.pem" in done.stderr and "Partita is ready" not in done.stdout
    assert not os.path.ismount(place / "run")


@pytest.mark.parametrize("words, origin", [
    (["--listen", "127.0.0.1:7000"], "http://localhost:8081"),
    (["--tls"], "https://localhost:8081"),
    (["--tls", "--issuer", "https://login.example.org"], "https://login.example.org:8081"),
    (["--tls-cert", "/c", "--tls-key", "/k", "--issuer", "https://login.example.org:444"], "https://login.example.org:8081"),
    (["--issuer", "https://login.example.org"], "http://localhost:8081"),  # somebody else ends TLS in front of us
], ids=str)
def test_the_playground_has_an_origin_that_its_certificate_fits(words, origin):
    code = ("import sys; sys.path.insert(0, sys.argv[1]); sys.argv[1:2] = ['--source', '.']; import up; "
            "print(up.playground_origin(up.arguments()))")
    done = subprocess.run([sys.executable, "-B", "-c", code, os.path.join(ROOT, "deploy/lib"), *words], capture_output=True,
                          text=True, check=True)
    assert done.stdout.strip() == origin


def test_ctrl_c_while_it_starts_leaves_nothing_behind(place):
    for wait in (0.3, 0.8, 1.2):
        with subprocess.Popen([os.path.join(ROOT, "deploy/up"), "--dir", str(place), "--built", BUILD, "--listen",
                               f"127.0.0.1:{free_port()}", "--playground-listen", f"127.0.0.1:{free_port()}"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            time.sleep(wait)
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=40)[0]
        assert b"Traceback" not in said, said
        assert not os.path.ismount(place / "run") and not os.path.exists(place / "up.pid"), wait
        assert subprocess.run(["pgrep", "-f", str(place)], capture_output=True, text=True, check=False).stdout == "", wait


def test_stop_and_a_second_run_that_goes_on(door):
    client = door.info["client"]
    tokens = sign_in(door, client, "openid offline_access")
    pids = [server["pid"] for server in door.info["servers"]]
    done = door.stop()
    assert done.returncode == 0 and "stopped" in done.stdout
    assert not os.path.exists(os.path.join(door.dir, "up.json"))
    assert not [pid for pid in pids if os.path.exists(f"/proc/{pid}")]
    assert not os.path.ismount(os.path.join(door.dir, "run"))
    refused = up("--dir", door.dir, *[word.replace(str(door.port), str(free_port())) for word in door.options])
    assert refused.returncode == 1 and "issuer" in refused.stderr and "Traceback" not in refused.stderr
    assert not os.path.ismount(os.path.join(door.dir, "run")) and not os.path.exists(os.path.join(door.dir, "up.pid"))
    bad = up("--dir", door.dir, *door.options, "--set", "op-token.no_such_setting=1")
    assert bad.returncode == 1 and "no_such_setting" in bad.stdout + bad.stderr and "Traceback" not in bad.stderr
    door.start()
    assert door.info["client"] == client
    refreshed = token_request(door, client, grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert refreshed.status_code == 200, refreshed.text


def test_a_first_run_that_was_cut_short_is_gone_on_with(door):
    door.stop()
    os.unlink(os.path.join(door.dir, "demo.json"))  # the account is there, what was noted about it is not
    door.start()
    assert sign_in(door, door.info["client"])["id_token"]


def test_a_strict_umask_does_not_keep_the_servers_out(start_partita):
    before = os.umask(0o077)
    try:
        strict = start_partita()
    finally:
        os.umask(before)
    assert sign_in(strict, strict.info["client"])["id_token"]
    for name in ("up.json", "demo.json"):
        assert stat.S_IMODE(os.stat(os.path.join(strict.dir, name)).st_mode) == 0o600


def test_legal_requests_of_any_length_pass_the_balancer(door):
    """Redirects of 8 KiB and more: nginx holds 4 KiB of a head unless told otherwise."""
    client = door.add_client("Long", "http://localhost:9/cb?x=" + "y" * 1000)
    for mode in ("query", "fragment"):
        for state in ("x" * 2048, "%" * 1800):
            person = Person(door)
            request, _ = request_for(client["client_id"], client["redirect_uris"][0], state=state, response_mode=mode)
            assert person.authorize(request).get("state") == state, mode
            posted = person.http.post(door.issuer + "/authorize", data=request, allow_redirects=False, timeout=20)
            assert posted.status_code in (200, 303), posted.status_code


def test_what_nginx_logs_quotes_no_request(door):
    requests.get(door.issuer + "/authorize?login_hint=jane@example.org&state=" + "x" * 9000, timeout=10)
    for server in door.info["servers"]:
        if server["name"] == "op-userinfo":
            os.kill(server["pid"], signal.SIGKILL)
    requests.get(door.issuer + "/userinfo?access_token=abcdefg", timeout=20)
    with open(os.path.join(door.dir, "log", "nginx-error.log"), encoding="utf-8") as file:
        text = file.read()
    assert "jane" not in text and "abcdefg" not in text and "GET /" not in text and "POST /" not in text
