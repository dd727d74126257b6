"""The version contract: a program that is too old or too new for an environment refuses to start with one line that says
what to do, word by word; the floor is raised only when nothing below it is left."""
import contextlib
import os
import shutil
import subprocess

import pytest

from server_process import Home, wait_until
from test_configuration import the_one_line
from versions import DURABLE, NEWER, OLDER, PRESENT, VOLATILE, WHAT, asks, contract, steps, version_of

HERE = version_of(PRESENT["opctl"])


class Versions(Home):
    @property
    def dirs(self):
        return self.dir + "/state", self.dir + "/run"

    def refusal(self, program):
        """Why a server does not start."""
        words = [program["server"], "--config", self.conf, "--listen", f"unix:{self.dir}/refused.sock"]
        return the_one_line(subprocess.run(words, capture_output=True, text=True, timeout=30, check=False, env=self.environment()))

    def serves(self, program):
        """A server of that version that started; there are no keys, so that it does not get ready. Ended by the caller."""
        self.command = lambda server, *options: [program["server"], "--config", self.conf, *options]
        try:
            process = self.start("op-userinfo")
        finally:
            del self.command
        wait_until(lambda: process.events("started") or process.popen.poll() is not None, 20)
        assert process.get("/.live")[0] == 200, process.log
        return process

    def ask(self, program, *words, wrap=()):
        return subprocess.run([*wrap, program["opctl"], "--config", self.conf, *words], capture_output=True, text=True, timeout=60, check=False)

    def refused(self, program, *words, wrap=()):
        done = self.ask(program, *words, wrap=wrap)
        assert done.returncode == 1 and done.stdout == "" and done.stderr.count("\n") == 1, (done.stdout, done.stderr)
        return done.stderr.removeprefix("opctl: ").removesuffix("\n")

    def all(self, floor, *migrations):
        for env in DURABLE:
            contract(self.dirs, env, floor, *migrations)


@pytest.fixture(name="home")
def fixture_home():
    made = Versions()
    yield made
    made.close()


def test_a_new_installation_is_for_the_release_before_too(home):
    for env in DURABLE + VOLATILE:
        assert contract(home.dirs, env, 1, 1) == (1, [1])
    assert home.serves(OLDER).end() == 0 and home.serves(PRESENT).end() == 0


def test_a_server_that_is_too_old(home):
    contract(home.dirs, "tokens", 2, 1)
    line = (f"is for record format 2 and newer, and version 0.1.9 knows formats up to 1: install and start version {HERE} or a "
            "newer one")
    assert home.refusal(OLDER) == f"{home.dir}/state/tokens {line}"
    assert home.refused(OLDER, "family", "list") == f"environment tokens {line}"
    assert home.refused(OLDER, "init", "--unowned") == f"environment tokens {line}"
    assert home.refused(OLDER, "migrate", "--apply", "--env", "tokens") == f"environment tokens {line}"
    assert home.serves(PRESENT).end() == 0


def test_a_server_that_is_too_new(home):
    home.all(2)
    lacks = "lacks migration 1, without which version 9.1.0 does not work: run opctl migrate --apply, with opctl 9.1.0 or a newer one"
    # which environment comes first is the server's own order
    assert home.refusal(NEWER).split("/state/")[1].split(" ", 1)[1] == lacks
    assert home.refused(NEWER, "user", "list") == f"environment users {lacks}"
    home.all(1, 1)
    reads = ("may hold record format 1, and version 9.1.0 reads 2 and newer: run opctl migrate --apply --raise-floor 2, with opctl "
             "9.1.0 or a newer one")
    assert home.refusal(NEWER).split("/state/")[1].split(" ", 1)[1] == reads
    assert home.refused(NEWER, "user", "list") == f"environment users {reads}"
    home.all(1)
    assert asks(NEWER["opctl"], "--config", home.conf, "backup", home.dir + "/backup").returncode == 0  # before one migrates
    done = home.ask(NEWER, "migrate", "--apply", "--raise-floor", "2")
    assert done.returncode == 0, done.stderr
    assert home.serves(NEWER).end() == 0
    assert home.ask(NEWER, "user", "list").returncode == 0


def test_what_migrate_says(home):
    contract(home.dirs, "users", 1)
    owners = dict(keys="op-discovery", jwks="op-discovery", clients="op-management", users="op-auth", credentials="op-auth",
                  sessions="op-auth", tokens="op-token", outbox="op-auth", codes="op-auth", async_="op-auth", guard="op-auth", remote="op-async")
    before = "".join(f"{env.rstrip('_')}: migration 1 ({WHAT}; of {owner}): applied before\n" for env, owner in owners.items())
    dry = home.ask(PRESENT, "migrate", "--dry-run")
    assert dry.returncode == 0 and dry.stdout == before.replace(
        "op-auth): applied before", "op-auth): would be applied, 0 entries seen, 0 to be changed", 1)
    assert contract(home.dirs, "users", 1) == (1, [])  # it changed nothing
    assert home.ask(PRESENT, "migrate", "--apply", "--env", "users", "--env", "keys").stdout == (
        f"keys: migration 1 ({WHAT}; of op-discovery): applied before\n"
        f"users: migration 1 ({WHAT}; of op-auth): applied, 0 entries seen, 0 changed\n")
    assert home.ask(PRESENT, "migrate", "--apply").stdout == before
    assert home.ask(PRESENT, "migrate", "--apply", *(word for env in DURABLE + VOLATILE for word in ("--env", env))).stdout == before
    contract(home.dirs, "users", 1)
    assert steps(home.ask(PRESENT, "migrate", "--apply", "--env", "users", "--json")) == [
        {"environment": "users", "migration": 1, "what": WHAT, "owner": "op-auth", "floor": 1, "state": "applied", "entries": 0, "changed": 0, "left": 0}]
    for words, why in ((["migrate"], "say --dry-run, or --apply"), (["migrate", "--apply", "--dry-run"], "say --dry-run, or --apply"),
                       (["migrate", "--apply", "--raise-floor", "two"], "--raise-floor two: it is a record format, as --version tells"),
                       (["migrate", "--apply", "--raise-floor", "0"], "--raise-floor 0: it is a record format, as --version tells"),
                       (["migrate", "--apply", "--raise-floor", "2", "--env", "keys"],
                        "--raise-floor is for all durable environments: leave --env away")):
        done = home.ask(PRESENT, *words)
        assert (done.returncode, done.stdout, done.stderr) == (64, "", f"opctl: {why} (see opctl migrate --help)\n")


def test_the_floor_is_raised_when_nobody_is_below_it(home):
    assert home.refused(PRESENT, "migrate", "--apply", "--raise-floor", "99").startswith(f"the floor cannot be 99: this opctl, {HERE}, knows")
    old, present = home.serves(OLDER), home.serves(PRESENT)
    why = (f"the floor cannot be 2: process {old.popen.pid} (op-userinfo-old 0.1.9) knows record formats up to 1, and has an "
           "environment open: end it first")
    assert home.refused(PRESENT, "migrate", "--dry-run", "--raise-floor", "2") == why
    assert home.refused(PRESENT, "migrate", "--apply", "--raise-floor", "2") == why
    assert [contract(home.dirs, env, 1, 1) for env in DURABLE] == [(1, [1])] * len(DURABLE)
    old.end()
    dry = home.ask(PRESENT, "migrate", "--dry-run", "--raise-floor", "2")
    assert dry.returncode == 0 and dry.stdout.startswith("keys: floor 2: would be raised\n") and contract(home.dirs, "keys", 1, 1) == (1, [1])
    said = [step for step in steps(home.ask(PRESENT, "migrate", "--apply", "--raise-floor", "2", "--json")) if "before" in step]
    assert said == [{"environment": env, "floor": 2, "before": 1, "state": "raised"} for env in DURABLE]
    again = [step for step in steps(home.ask(PRESENT, "migrate", "--apply", "--raise-floor", "2", "--json")) if "before" in step]
    assert again == [{"environment": env, "floor": 2, "before": 2, "state": "stands"} for env in DURABLE]
    lower = [step for step in steps(home.ask(PRESENT, "migrate", "--apply", "--raise-floor", "1", "--json")) if "before" in step]
    assert lower == again
    assert present.get("/.live")[0] == 200 and home.refusal(OLDER)
    present.end()


def test_a_program_that_others_could_have_written_is_not_asked(home):
    """It would run as root."""
    own = home.dir + "/op-userinfo"
    shutil.copy(PRESENT["server"], own)
    for mode, owner in ((0o757, 0), (0o755, 65534)):
        os.chown(own, owner, 0)
        os.chmod(own, mode)
        process = home.serves({"server": own})
        assert home.refused(PRESENT, "migrate", "--dry-run", "--raise-floor", "2") == (
            f"the floor cannot be 2: process {process.popen.pid} (op-userinfo) does not say which record formats it knows, and has an "
            "environment open: end it first")
        process.end()


# --- versions that are installed ---

@contextlib.contextmanager
def mount_point(path):
    """A directory to mount over, in a mount namespace of the command's own; what this made is removed again."""
    made = []
    while not os.path.isdir(path):
        made.append(path)
        path = os.path.dirname(path)
    for one in reversed(made):
        os.mkdir(one)
    try:
        yield
    finally:
        for one in made:
            os.rmdir(one)


@pytest.fixture(name="machine")
def fixture_machine(home):
    """Words in front of a command for which op-userinfo 0.1.9 and the present one are installed, and the present one serves."""
    versions, running, wants = home.dir + "/versions", home.dir + "/running", home.dir + "/wants"
    os.mkdir(running)
    os.mkdir(wants)
    os.symlink("/lib/systemd/system/op-userinfo@.service", wants + "/op-userinfo@b1.service")
    for version, program in (("0.1.9", OLDER), (HERE, PRESENT)):
        os.makedirs(f"{versions}/op-userinfo/{version}")
        shutil.copy(program["server"], f"{versions}/op-userinfo/{version}/op-userinfo")
    for link, version in (("a1", "0.1.9"), ("1.previous", "0.1.9"), ("b1", HERE), ("1", HERE)):
        os.symlink("/usr/lib/partita/op-userinfo/" + version, f"{running}/op-userinfo@{link}")
    places = {versions: "/usr/lib/partita", running: "/etc/partita/running", wants: "/etc/systemd/system/partita.target.wants"}
    script = " && ".join(f"mount --bind {source} {place}" for source, place in places.items()) + ' && mount -t tmpfs none /run && exec "$@"'
    with contextlib.ExitStack() as stack:
        for place in places.values():
            stack.enter_context(mount_point(place))
        home.versions = versions
        yield ["unshare", "-m", "sh", "-c", script, "sh"]


def test_the_floor_waits_for_versions_that_are_installed(home, machine):
    why = ("the floor cannot be 2: op-userinfo 0.1.9 knows record formats up to 1, and is installed, so that it could be started or "
           "rolled back to: remove partita-op-userinfo-0.1.9 first")
    assert home.refused(PRESENT, "migrate", "--apply", "--raise-floor", "2", wrap=machine) == why
    with open(home.versions + "/op-userinfo/0.1.9/op-userinfo", "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\necho broken\n")
    assert home.refused(PRESENT, "migrate", "--apply", "--raise-floor", "2", wrap=machine) == why.replace(
        "knows record formats up to 1", "does not say which record formats it knows")
    shutil.rmtree(home.versions + "/op-userinfo/0.1.9")
    os.mkdir(home.versions + "/op-userinfo/0.1.9")  # a package that was removed may leave as much
    assert home.ask(PRESENT, "migrate", "--apply", "--raise-floor", "2", wrap=machine).returncode == 0


def test_no_version_below_the_floor_is_deployed(home, machine):
    line = (f"op-userinfo 0.1.9 knows record formats up to 1, and the floor of the environments is 2: it would refuse to start; "
            f"deploy version {HERE} or a newer one")
    for words in (["deploy", "op-userinfo", "0.1.9", "--waive-rollback", "--dry-run"], ["rollback", "op-userinfo", "--dry-run"]):
        assert home.ask(PRESENT, *words, wrap=machine).returncode == 0
        contract(home.dirs, "tokens", 2, 1)
        assert home.refused(PRESENT, *words, wrap=machine) == line
        contract(home.dirs, "tokens", 1, 1)


def test_a_deployment_says_why_a_version_does_not_start(home, machine):
    """systemd's part is played: the unit fails, and its journal is what the server says when it is started."""
    fake = home.dir + "/fake"
    for name, text in (("systemctl", 'case "$1" in show) echo ActiveState=failed; echo NRestarts=0; echo MainPID=0;; esac'),
                       ("journalctl", f"echo a line of systemd\nexec {NEWER['server']} --config {home.conf} --listen unix:{home.dir}/x 2>&1")):
        os.makedirs(fake, exist_ok=True)
        with open(os.open(f"{fake}/{name}", os.O_WRONLY | os.O_CREAT, 0o755), "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n" + text + "\n")
    os.makedirs(home.versions + "/op-userinfo/9.1.0")
    shutil.copy(NEWER["server"], home.versions + "/op-userinfo/9.1.0/op-userinfo")
    done = home.ask(PRESENT, "deploy", "op-userinfo", "9.1.0", "--waive-rollback", wrap=["env", f"PATH={fake}:{os.environ['PATH']}", *machine])
    said = done.stdout.splitlines()
    assert done.returncode == 2 and said[0].startswith("op-userinfo@a1: failed: it crashed: /"), (said, done.stderr)
    assert said[0].endswith("run opctl migrate --apply --raise-floor 2, with opctl 9.1.0 or a newer one")
    assert said[-1].startswith(f"op-userinfo: went back: {HERE} serves; 9.1.0 did not do: it crashed: /")
