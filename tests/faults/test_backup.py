"""Backup of an installation that is busy, restored elsewhere: it opens and serves. Broken indexes, found and repaired while servers run."""
import json
import os
import shutil
import subprocess
import threading

import pytest
import requests

from conftest import BUILD, Partita
from person import Person, request_for, sign_in, token_request
from registration import Registrar
from server_process import wait_until
from test_device import Device, new_device_client
from token_process import REDIRECT_URI
from trouble import PASSWORD, People, has_session

SCOPE = "openid offline_access"


def wrong(report):
    """Other tests may have left what a newer version wrote, or tables of their own: that is reported, too."""
    return [finding for finding in report["findings"] if finding["kind"] not in ("newer", "unknown")]


def is_clean(partita):
    report = partita.opctl("check")
    assert report["clean"] and wrong(report) == [], report
    return True


class Load:
    """Does one thing again and again in a thread of its own, until told to stop; it must always go well."""

    def __init__(self, act):
        self.done, self.failure, self.stopping = 0, None, threading.Event()
        self.thread = threading.Thread(target=self.run, args=[act])
        self.thread.start()

    def run(self, act):
        try:
            while not self.stopping.is_set():
                act()
                self.done += 1
        except BaseException as problem:  # told by stop()
            self.failure = problem

    def stop(self):
        self.stopping.set()
        self.thread.join(60)
        assert not self.thread.is_alive() and self.failure is None, self.failure


class Copy(Partita):
    """Another directory at the same address: the configuration and the credentials are there, the state comes from a backup."""

    def __init__(self, first):
        self.first = first
        self.dir, self.port, self.playground_port = first.dir + "-copy", first.port, first.playground_port
        os.mkdir(self.dir)
        os.chmod(self.dir, 0o755)
        shutil.copytree(os.path.join(first.dir, "credentials"), os.path.join(self.dir, "credentials"))
        shutil.copy(os.path.join(first.dir, "demo.json"), self.dir)
        self.command, self.options = [*first.command[:-1], self.dir], first.options
        self.restoring = [*first.info["opctl"], "--json", "--set", "state_dir=" + os.path.join(self.dir, "state"),
                          "--set", "runtime_dir=" + os.path.join(self.dir, "run"), "restore"]

    def restore(self, backup, choice):
        done = subprocess.run([*self.restoring, choice, backup], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module", name="saved")
def fixture_saved(own):
    """A backup that was taken while people signed in, refreshed and clients registered; and what each held then and since."""
    people = People(own, "backed-up")
    for _ in range(4):
        people.sign_in()
    people.backup = own.dir + "-backup"
    assert is_clean(own)
    people.leftovers = own.opctl("check")["leftovers"]
    before = {number: dict(tokens) for number, tokens in enumerate(people.tokens)}
    busy = People(own, "busy")
    busy.sign_in()
    registrar = Registrar(own)
    loads = [Load(busy.sign_in), Load(lambda: busy.refresh(0)), Load(registrar.register)]
    try:
        wait_until(lambda: all(load.done or load.failure for load in loads), 60)
        counts = [load.done for load in loads]
        people.report = own.opctl("backup", people.backup)
        wait_until(lambda: all(load.done > count or load.failure for load, count in zip(loads, counts)), 60)
    finally:
        for load in loads:
            load.stop()
    people.busy = busy
    people.refresh(0)  # once since
    people.refresh(1)
    people.refresh(1)  # twice
    people.sign_in()   # a sign-in that the backup does not know
    people.before = before
    assert is_clean(own)
    yield people
    shutil.rmtree(people.backup)


@pytest.fixture(scope="module", name="copy")
def fixture_copy(own, saved):
    copy = Copy(own)
    assert own.stop().returncode == 0
    try:
        copy.report = copy.restore(saved.backup, "--keep-families")
        copy.start()
        yield copy
    finally:
        copy.close()
        own.start()


def refuse(partita, client, token):
    response = token_request(partita, client, grant_type="refresh_token", refresh_token=token)
    assert response.status_code == 400 and response.json()["error"] == "invalid_grant", response.text


def accept(partita, client, token):
    response = token_request(partita, client, grant_type="refresh_token", refresh_token=token)
    assert response.status_code == 200, response.text
    return response.json()


def families(partita):
    return {family["family"]: family["state"] for family in partita.opctl("family", "list")}


def userinfo(partita, token):
    return requests.get(partita.issuer + "/userinfo", headers={"Authorization": "Bearer " + token}, timeout=30).status_code


def back(partita, person):
    """The same browser, with its cookies, at an installation that took the other's place."""
    person.partita = partita
    return person


# --- on the installation as it runs (these come first: they need it running) ---

def test_a_restore_is_refused_while_a_server_runs(own, saved):
    done = own.opctl("restore", "--keep-families", saved.backup, check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "(op-" in done.stderr and "stop every server" in done.stderr
    assert own.opctl("backup", "--verify", saved.backup)["families_alive"] == saved.report["families_alive"] >= 5
    assert len(list(filter("alive".__eq__, families(own).values()))) >= saved.report["families_alive"]


INDEXES = {
    "client_origins": ["lose", "stray", "expiry"],
    "usernames": ["lose", "stray", "expiry", "astray"],
    "session_cookies": ["lose", "stray", "expiry", "astray"],
    "user_sessions": ["lose", "stray", "expiry"],
    "user_families": ["lose", "stray", "expiry"],
    "due_messages": ["lose", "stray", "expiry"],
    "dead_letters": ["lose", "stray", "expiry"],
    "user_codes": ["lose", "stray", "expiry", "astray"],
}
FOUND = {"lose": "missing", "stray": "stale", "expiry": "wrong", "astray": "wrong"}


def break_table(partita, table, how):
    subprocess.run([os.path.join(BUILD, "tests", "break"), partita.info["state_dir"], partita.info["runtime_dir"], table, how],
                   check=True, timeout=60)


@pytest.fixture(scope="module", name="filled")
def fixture_filled(own, saved):
    """Every index has a line."""
    Device(own, new_device_client(own))
    break_table(own, "messages", "plant")
    return own


@pytest.mark.parametrize("table", INDEXES)
def test_a_broken_index_is_found_and_repaired(filled, table):
    environment = next(row["environment"] for row in filled.opctl("check")["tables"] if row["table"] == table)
    for how in INDEXES[table]:
        break_table(filled, table, how)
        done = filled.opctl("check", environment, check=False)
        assert done.returncode == 1 and "--repair" in done.stderr, (how, done.stdout)
        assert f'"table": "{table}"' in done.stdout and f'"kind": "{FOUND[how]}"' in done.stdout, (how, done.stdout)
        repaired = filled.opctl("check", environment, "--repair")
        assert repaired["clean"] and wrong(repaired)[0]["repaired"], (how, repaired)
        assert wrong(filled.opctl("check", environment)) == [], how
    assert is_clean(filled)


@pytest.mark.parametrize("table", ["sessions", "families", "session_cookies"])
def test_what_the_expiry_index_lacks_is_written_anew(filled, table):
    break_table(filled, table, "unlist")
    done = filled.opctl("check", check=False)
    assert done.returncode == 1 and '"table": "(expiry)"' in done.stdout
    assert wrong(filled.opctl("check", "--repair"))[0]["count"] == 1
    assert is_clean(filled)


def test_every_index_is_tried(own):
    assert {row["table"] for row in own.opctl("check")["tables"] if row["holds"] == "index"} == set(INDEXES)


def test_a_record_that_cannot_be_read_is_said_and_left(filled):
    break_table(filled, "messages", "garble")
    done = filled.opctl("check", "--repair", check=False)
    assert done.returncode == 1 and '"kind": "unreadable"' in done.stdout and "docs/backup.md" in done.stderr
    break_table(filled, "messages", "lose")
    break_table(filled, "messages", "lose")
    assert {finding["kind"] for finding in wrong(filled.opctl("check", "--repair"))} == {"stale"}
    assert is_clean(filled)


# --- the copy ---

def test_the_copy_opens_and_serves(copy, saved):
    assert copy.report["families_alive"] == saved.report["families_alive"] and not copy.report["revoked_all"]
    assert is_clean(copy) and copy.opctl("check")["leftovers"] == saved.leftovers  # what was being written has what it leans on
    assert list(families(copy).values()).count("alive") >= copy.report["families_alive"]
    assert accept(copy, saved.client, saved.before[2]["refresh_token"])["refresh_token"] != saved.before[2]["refresh_token"]
    assert userinfo(copy, saved.before[3]["access_token"]) == 200
    request, _ = request_for(saved.client["client_id"], REDIRECT_URI, SCOPE, prompt="none")
    assert "code" in back(copy, saved.signed_in[3]).authorize(request)  # the cookie of before
    person = Person(copy, "busy", PASSWORD)
    sign_in(copy, saved.client, SCOPE, person)
    assert has_session(person)
    Registrar(copy).register()


def test_who_refreshed_since_the_backup_is_refused_and_nothing_is_killed(copy, saved):
    before = families(copy)
    refuse(copy, saved.client, saved.tokens[0]["refresh_token"])
    refuse(copy, saved.client, saved.tokens[1]["refresh_token"])
    refuse(copy, saved.client, saved.tokens[-1]["refresh_token"])  # a family that the backup does not know
    assert families(copy) == before
    # The successor of a token is always the same: who still holds the old one lets the others go on, too.
    assert accept(copy, saved.client, saved.before[0]["refresh_token"])["refresh_token"] == saved.tokens[0]["refresh_token"]
    accept(copy, saved.client, saved.tokens[0]["refresh_token"])
    accept(copy, saved.client, saved.before[1]["refresh_token"])
    refuse(copy, saved.client, saved.tokens[1]["refresh_token"])
    assert families(copy) == before


def test_revoking_all_leaves_nothing_alive(copy, saved):
    access = saved.tokens[-1]["access_token"]  # of a family that the copy does not know
    assert userinfo(copy, access) == 200
    assert copy.stop().returncode == 0
    report = copy.restore(saved.backup, "--revoke-all")
    assert report["families_revoked"] >= report["families_alive"] == saved.report["families_alive"]
    copy.start()
    assert is_clean(copy)
    assert set(families(copy).values()) == {"dead"}
    for number in range(4):
        refuse(copy, saved.client, saved.before[number]["refresh_token"])
        assert userinfo(copy, saved.before[number]["access_token"]) == 401
    assert userinfo(copy, access) == 401
    request, _ = request_for(saved.client["client_id"], REDIRECT_URI, SCOPE, prompt="none")
    assert back(copy, saved.signed_in[3]).authorize(request)["error"] == "login_required"
    tokens = sign_in(copy, saved.client, SCOPE, Person(copy, saved.name, PASSWORD))
    assert userinfo(copy, tokens["access_token"]) == 200
