"""deploy/up as an operator meets it."""
import json
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
from registration import METADATA, bearer
from server_process import wait_until


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
    ["--listen", "127.0.0.1:99999"], ["--listen", "127.0.0.1:0"], ["--playground-listen", "127.0.0.1:8080"],
    ["--set", "all.name=a\n[op-token]"], ["--set", "all.issuer=https://other.example"], ["--set", "all.state_dir=/tmp"],
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
    assert of_arguments("up.playground_origin(args)", words) == origin


def of_arguments(expression, words):
    """What up.py makes of its arguments."""
    code = ("import sys; sys.path.insert(0, sys.argv[1]); sys.argv[1:2] = ['--source', '.']; import up; args = up.arguments(); "
            f"print({expression})")
    done = subprocess.run([sys.executable, "-B", "-c", code, os.path.join(ROOT, "deploy/lib"), *words], capture_output=True,
                          text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize("words, line", [
    ([], "ssh -L 8080:localhost:8080 -L 8081:localhost:8081 "),
    (["--tls", "--playground-listen", "127.0.0.1:9000"], "ssh -L 8443:localhost:8443 -L 9000:localhost:9000 "),
    (["--issuer", "https://localhost", "--tls"], "ssh -L 443:localhost:8443 -L 8081:localhost:8081 "),
    (["--issuer", "https://login.example.org"], "ssh -L 8081:localhost:8081 "),  # the issuer has a name of its own
    (["--issuer", "https://login.example.org", "--tls"], ""),
], ids=str)
def test_the_line_for_a_browser_elsewhere(words, line):
    said = of_arguments("up.elsewhere(args, up.playground_origin(args))", words)
    assert said.startswith("From another machine:  " + line) if line else said == ""


# --- Ctrl-C: (how far it is, the file that shows it); in the programs `up` finds, apt-get and ninja take for ever ---

MOMENTS = [("installing", "apt-get.began"), ("building", "ninja.began"), ("initialising", "etc/tmpfiles.conf"),
           ("making the first user", "playground/index.html"), ("starting", "sockets/op-async.sock")]
FOR_EVER = """#!/bin/sh
[ "$1" = update ] && exit 0
sleep {seconds} &
touch {began}
wait
"""


def fake_programs(place, moment):
    """A PATH in which what the moment needs takes for ever, with a child that outlives its parent's death."""
    programs = place / "fake"
    programs.mkdir()
    seconds = "600.%d" % os.getpid()

    def make(name, text):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    if moment == "installing":
        make("dpkg-query", "#!/bin/sh\n")  # nothing is installed, it seems
        make("apt-get", FOR_EVER.format(seconds=seconds, began=place / "apt-get.began"))
    if moment == "building":
        make("meson", "#!/bin/sh\nmkdir -p $2 && touch $2/build.ninja\n")
        make("ninja", FOR_EVER.format(seconds=seconds, began=place / "ninja.began"))
    return {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}, seconds


def interrupt(process):
    """Returns what it said before it ended, which it has to do soon."""
    process.send_signal(signal.SIGINT)
    try:
        return process.communicate(timeout=30)[0]
    except subprocess.TimeoutExpired:
        process.terminate()
        raise


def interrupt_at(place, moment, shows, *more):
    """Starts `up`, interrupts it at the moment. Returns its status and what it said."""
    environment, seconds = fake_programs(place, moment)
    built = [] if moment == "building" else ["--built", BUILD]
    policy = os.path.exists("/usr/sbin/policy-rc.d")
    with subprocess.Popen([os.path.join(ROOT, "deploy/up"), "--dir", str(place), *built, "--listen", f"127.0.0.1:{free_port()}",
                           "--playground-listen", f"127.0.0.1:{free_port()}", *more],
                          env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        deadline = time.monotonic() + 60
        while not os.path.exists(place / shows) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        said = interrupt(process)
    for pattern in (str(place), f"sleep {seconds}"):
        assert subprocess.run(["pgrep", "-fa", pattern], capture_output=True, text=True, check=False).stdout == "", moment
    assert os.path.exists("/usr/sbin/policy-rc.d") == policy
    shutil.rmtree(place / "fake")
    return process.returncode, said


@pytest.mark.parametrize("moment, shows", MOMENTS, ids=[moment for moment, _ in MOMENTS])
@pytest.mark.parametrize("more", [[], ["--detach"]], ids=["attached", "detached"])
def test_ctrl_c_while_it_starts_leaves_nothing_behind(place, moment, shows, more):
    """Sent to `up` alone, as a supervisor does; a terminal sends it to everybody."""
    status, said = interrupt_at(place, moment, shows, *more)
    assert status == 130 and b"Traceback" not in said, said
    assert not os.path.ismount(place / "run") and not os.path.exists(place / "up.pid") and not os.path.exists(place / "up.json")


def test_ctrl_c_at_any_time_is_heard(place):
    """However early: while bash starts, or Python. Then the same directory is gone on with."""
    port = free_port()
    for wait in (0.02, 0.1, 0.2, 0.3, 0.6):
        with subprocess.Popen([os.path.join(ROOT, "deploy/up"), "--dir", str(place), "--built", BUILD, "--listen",
                               f"127.0.0.1:{port}", "--playground-listen", f"127.0.0.1:{free_port()}"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            time.sleep(wait)
            said = interrupt(process)
        assert process.returncode in (130, -signal.SIGINT) or b"is ready" in said, (wait, said)
        assert b"Traceback" not in said, (wait, said)
        assert not os.path.ismount(place / "run") and not os.path.exists(place / "up.pid"), wait
        assert subprocess.run(["pgrep", "-f", str(place)], capture_output=True, text=True, check=False).stdout == "", wait


def test_packages_are_installed_by_one_of_two(place):
    """The other waits and finds them there. An earlier installation that was ended in the middle is finished first."""
    fakes = {"dpkg-query": f"[ -e {place}/installed ] && printf installed", "dpkg": f'echo "dpkg $*" >>{place}/log; touch {place}/configured',
             "apt-get": f'echo "apt-get $1" >>{place}/log; [ "$1" = update ] || {{ [ -e {place}/configured ] && sleep 0.3 && touch {place}/installed; }}'}
    for name, text in fakes.items():
        (place / name).write_text("#!/bin/sh\n" + text + "\n")
        (place / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{place}:{os.environ['PATH']}"}
    runs = [subprocess.Popen([os.path.join(ROOT, "deploy/install-packages"), "run"], env=environment, stdout=subprocess.PIPE, text=True)
            for _ in range(2)]
    said = [run.communicate(timeout=60)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0] and sum("Debian packages" in words for words in said) == 1, said
    assert (place / "log").read_text().split("\n")[:-1] == [
        "apt-get update", "apt-get install", "dpkg --configure -a", "apt-get update", "apt-get install"]


def test_it_says_who_may_register_clients(place):
    words = ["--dir", str(place), "--built", BUILD, "--listen", f"127.0.0.1:{free_port()}", "--playground-listen",
             f"127.0.0.1:{free_port()}", "--detach"]
    made = None
    for mode in ("closed", "token", "open", "closed"):
        began = up(*words, "--set", f"op-management.registration={mode}")
        assert began.returncode == 0, began.stdout + began.stderr
        info = json.loads((place / "up.json").read_text())
        token, url = info["initial_access_token"], info["issuer"] + "/register"
        lines = [line.split() for line in began.stdout.splitlines() if "register" in line]
        if mode == "closed":
            assert (lines, token) == ([], None) and (made is None or made not in began.stdout)
        else:
            whom = "with the initial access token " + token if mode == "token" else "as anybody may"
            assert lines == [f"register clients at {url} {whom}".split()] and made in (None, token)
            made = token
        status = [requests.post(url, json=METADATA, headers=bearer(one), timeout=10).status_code for one in (made, None)]
        assert status == {"closed": [403, 403], "token": [201, 401], "open": [201, 201]}[mode]
        assert up("--dir", str(place), "--stop").returncode == 0


def test_killed_it_leaves_nothing_that_runs(place):
    """Nobody is there to end the servers and nginx: the kernel tells them. The next run goes on."""
    words = ["--dir", str(place), "--built", BUILD, "--listen", f"127.0.0.1:{free_port()}", "--playground-listen",
             f"127.0.0.1:{free_port()}", "--detach"]
    for start in range(2):
        began = up(*words)
        assert began.returncode == 0, began.stdout + began.stderr
        info = json.loads((place / "up.json").read_text())
        if start == 0:
            os.kill(info["pid"], signal.SIGKILL)
            wait_until(lambda: not subprocess.run(["pgrep", "-f", str(place)], capture_output=True, check=False).stdout, 30)
    assert requests.get(info["issuer"] + "/", timeout=20).status_code == 200
    assert up("--dir", str(place), "--stop").returncode == 0


def test_a_pipe_that_nobody_reads_ends_nothing(place):
    words = ["--dir", str(place), "--built", BUILD, "--listen", f"127.0.0.1:{free_port()}", "--playground-listen",
             f"127.0.0.1:{free_port()}", "--detach"]
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run([os.path.join(ROOT, "deploy/up"), *words], stdin=subprocess.DEVNULL, stdout=write_end, timeout=120, check=False)
    os.close(write_end)
    assert done.returncode == 0
    assert up("--dir", str(place), "--stop").stdout == "stopped\n"


def test_two_places_at_once(place):
    """Each with ports of its own; neither waits for the other for longer than packages and users take."""
    words = [["--dir", str(place / name), "--built", BUILD, "--detach", "--listen", f"127.0.0.1:{free_port()}", "--playground-listen",
              f"127.0.0.1:{free_port()}"] for name in ("one", "two")]
    starting = [subprocess.Popen([os.path.join(ROOT, "deploy/up"), *each], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True) for each in words]
    said = [process.communicate(timeout=120)[0] for process in starting]
    try:
        assert [process.returncode for process in starting] == [0, 0], said
    finally:
        for each in words:
            assert up(*each[:2], "--stop").returncode == 0


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
