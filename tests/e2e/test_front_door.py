"""deploy/up as an operator meets it."""
import os
import signal
import stat
import subprocess
import time

import pytest
import requests

from conftest import BUILD, ROOT, free_port
from person import sign_in, token_request


@pytest.fixture(scope="module")
def door(start_partita):
    """An installation that these tests may stop and start."""
    return start_partita("--instances", "op-userinfo=2", "--set", "all.name=Example House", "--set", "op-token.code_tombstone_lifetime=30min")


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
    ["--instances", "op-token=0"], ["--set", "novalue"], ["--tls-cert", "/x"],
], ids=" ".join)
def test_wrong_words_are_refused(words):
    done = up("--built", BUILD, *words)
    assert done.returncode == 2 and "usage:" in done.stderr and "Traceback" not in done.stderr


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
    bad = up("--dir", door.dir, *door.options, "--set", "op-token.no_such_setting=1")
    assert bad.returncode == 1 and "no_such_setting" in bad.stdout + bad.stderr and "Traceback" not in bad.stderr
    door.start()
    assert door.info["client"] == client
    refreshed = token_request(door, client, grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert refreshed.status_code == 200, refreshed.text
