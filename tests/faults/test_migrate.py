"""opctl migrate --apply, killed with -9 at many moments while servers serve: run again it does the rest, opctl check is
clean, and once more it changes nothing."""
import json
import subprocess
import threading
from types import SimpleNamespace

import pytest
import requests

from person import Person, sign_in, token_request
from test_opctl import DURABLE, VOLATILE, Home
from test_opctl_crash import kill_at
from token_process import REDIRECT_URI
from trouble import events, is_passing
from versions import WHAT, contract, steps, tool

PASSWORD = "correct horse battery"
ENVS = DURABLE + VOLATILE
# Damage that each run finds; none of it is in the way of the load.
BROKEN = [("user_sessions", "lose"), ("session_cookies", "astray"), ("user_families", "expiry"), ("families", "unlist"), ("client_origins", "stray")]


class Load:
    """Refreshes, asks /userinfo and introspects, again and again, and notes every answer but 200. A write that waited two
    seconds, on a machine that is busy, may be put off, and is tried again."""

    def __init__(self, partita):
        self.partita, self.wrong, self.count, self.put_off, self.over = partita, [], 0, 0, threading.Event()
        self.client = partita.add_client("While it migrates", REDIRECT_URI, "--introspection", "yes") | {"redirect_uris": [REDIRECT_URI]}
        self.before = self.alarms()
        partita.add_user("migrating", PASSWORD)
        self.tokens = sign_in(partita, self.client, "openid offline_access", Person(partita, "migrating", PASSWORD))
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def alarms(self):
        return [len(events(self.partita, each["name"], "store_broken")) for each in self.partita.info["servers"]]

    def run(self):
        while not self.over.is_set():
            try:
                answers = self.round()
            except Exception as error:  # a thread that dies unseen would prove nothing
                answers = [repr(error)]
            self.wrong += [answer for answer in answers if answer != 200]
            self.count += 1

    def round(self):
        done = token_request(self.partita, self.client, grant_type="refresh_token", refresh_token=self.tokens["refresh_token"])
        if is_passing(done):
            self.put_off += 1
            return []
        if done.status_code != 200:
            return [done.text]
        self.tokens = done.json()
        bearer, both = {"Authorization": "Bearer " + self.tokens["access_token"]}, (self.client["client_id"], self.client["client_secret"])
        seen = requests.get(self.partita.issuer + "/userinfo", headers=bearer, timeout=30)
        told = requests.post(self.partita.issuer + "/introspect", data={"token": self.tokens["access_token"]}, auth=both, timeout=30)
        return [seen.status_code, told.status_code, 200 if told.json().get("active") else told.text]

    def end(self):
        self.over.set()
        self.thread.join(60)
        assert not self.thread.is_alive() and self.wrong == [] and self.count > 2 * self.put_off
        assert self.alarms() == self.before, "an environment was taken for a tampered one"


@pytest.fixture(scope="module", name="served")
def fixture_served(own):
    load = Load(own)
    yield own
    load.end()


def dirs(partita):
    return partita.info["state_dir"], partita.info["runtime_dir"]


def as_before(partita):
    """As a release without the migration left it, with damage."""
    tool(dirs(partita), "contract", "all", 1)
    for table, how in BROKEN:
        tool(dirs(partita), "break", table, how)


def is_done(partita):
    """Run again: the rest is done; and again: nothing is."""
    first = steps(partita.opctl("migrate", "--apply", check=False))
    assert [step["environment"] for step in first] == ENVS and {step["state"] for step in first} <= {"applied", "applied before"}
    assert partita.opctl("check")["clean"] is True
    second = steps(partita.opctl("migrate", "--apply", check=False))
    assert {step["state"] for step in second} == {"applied before"}
    assert tool(dirs(partita), "contract", "all", 1, 1) == "1 1\n" * len(ENVS)
    return first


def kill_after(partita, lines):
    """Kills it once it has said so many lines; returns them all."""
    with subprocess.Popen(partita.info["opctl"] + ["migrate", "--apply", "--json"], stdout=subprocess.PIPE, text=True) as process:
        said = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        said += process.stdout.readlines()  # what it said until then
        process.wait(30)
    return [json.loads(line) for line in said if line.endswith("\n")]


@pytest.mark.parametrize("lines", [0, 1, 3, 6, 9, 12])
def test_killed_after_so_many_environments(served, lines):
    as_before(served)
    said = kill_after(served, lines)
    assert len(said) >= lines and all(step["state"] == "applied" for step in said)
    rest = is_done(served)
    assert [step["state"] for step in rest[:len(said)]] == ["applied before"] * len(said)


@pytest.mark.parametrize("function", ["check_target", "kv_put", "environment_update"])
def test_killed_within_an_environment(served, function):
    as_before(served)
    words = served.info["opctl"]
    kill_at(SimpleNamespace(conf=words[words.index("--config") + 1]), function, "migrate", "--apply")
    is_done(served)


def test_several_at_once(served):
    as_before(served)
    several = [subprocess.Popen(served.info["opctl"] + ["migrate", "--apply", "--json"], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate(timeout=60)[0].splitlines() for process in several]
    assert [process.returncode for process in several] == [0] * 3 and [len(lines) for lines in said] == [len(ENVS)] * 3
    assert {step["state"] for step in is_done(served)} == {"applied before"}


def test_killed_while_the_floor_is_raised(tmp_path):
    home = Home(tmp_path)
    home.ok("init", "--unowned")
    home.ok("init", "--unowned", "--volatile")
    for env in DURABLE[:3]:
        contract((home.state, home.runtime), env, 2, 1)
    kill_at(home, "environment_update", "migrate", "--apply", "--raise-floor", "2")
    assert home.run("migrate", "--apply", "--raise-floor", "2").returncode == 0
    assert [contract((home.state, home.runtime), env, 2, 1) for env in DURABLE] == [(2, [1])] * len(DURABLE)
    assert [contract((home.state, home.runtime), env, 1, 1) for env in VOLATILE] == [(1, [1])] * len(VOLATILE)


# --- what it does, without servers ---

@pytest.fixture(name="home")
def fixture_home(tmp_path):
    home = Home(tmp_path)
    home.ok("init", "--unowned")
    home.ok("init", "--unowned", "--volatile")
    with open(home.dir + "/users.jsonl", "w", encoding="utf-8") as file:
        file.writelines(json.dumps({"username": f"user{number}"}) + "\n" for number in range(600))
    home.ok("import", home.dir + "/users.jsonl")
    home.dirs = (home.state, home.runtime)
    return home


def test_every_index_is_rebuilt_and_nothing_else_is_touched(home):
    contract(home.dirs, "users", 1)
    tool(home.dirs, "break", "usernames", "lose")
    tool(home.dirs, "break", "usernames", "stray")
    before = home.bytes_of("users")
    would, = steps(home.run("migrate", "--dry-run", "--env", "users", "--json"))
    assert would["state"] == "would be applied" and (would["entries"], would["changed"], would["left"]) == (1200, 2, 0)
    assert home.bytes_of("users") == before
    done, = steps(home.run("migrate", "--apply", "--env", "users", "--json"))
    assert (done["state"], done["changed"], done["left"]) == ("applied", 2, 0) and home.ok("check")["clean"] is True
    whole = home.bytes_of("users")
    assert home.run("migrate", "--apply").returncode == 0
    assert home.bytes_of("users") == whole


def test_what_nothing_tells_how_to_mend_is_left_and_said(home):
    contract(home.dirs, "users", 1)
    tool(home.dirs, "break", "users", "garble")
    done = home.run("migrate", "--apply", "--env", "users")
    assert done.returncode == 0 and done.stdout == (f"users: migration 1 ({WHAT}; of op-auth): applied, 1200 entries seen, 0 changed, "
                                                    "1 wrong that nothing tells how to mend (opctl check)\n")
    assert home.run("check").returncode == 1
