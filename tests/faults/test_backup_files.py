"""Backup, restore and check on environments of their own, no server far and wide: what is refused, full disks, kills."""
import json
import os
import shutil
import stat
import subprocess

import pytest

from conftest import BUILD
from test_opctl import DURABLE, ISSUER, PASSWORD, VOLATILE, Home, at_terminal
from test_opctl_crash import kill_at


@pytest.fixture(name="home")
def fixture_home(tmp_path):
    home = Home(tmp_path)
    home.ok("init", "--unowned")
    home.ok("init", "--unowned", "--volatile")
    home.ok("user", "add", "alice", stdin=PASSWORD)
    home.backup = str(tmp_path / "backup")
    return home


@pytest.fixture(name="saved")
def fixture_saved(home):
    """Alice is in the backup, bob came later."""
    home.ok("backup", home.backup)
    home.ok("user", "add", "bob", stdin=PASSWORD)
    return home


def names(home):
    return sorted(user["username"] for user in home.ok("user", "list"))


def beside(home):
    """What lies beside the state directory and is not expected there."""
    return sorted(set(os.listdir(home.dir)) - {"partita.conf", "state", "run", "backup", "opctl.jsonl"})


def whole(home):
    return home.ok("check")["clean"]


# --- what a backup is ---

def test_a_backup_is_for_its_owner_only_and_says_what_it_is(home):
    os.umask(0)
    try:
        made = home.ok("backup", home.backup)
    finally:
        os.umask(0o022)
    assert stat.S_IMODE(os.stat(home.backup).st_mode) == 0o700
    assert sorted(os.listdir(home.backup)) == sorted([name + ".mdb" for name in DURABLE] + ["manifest.json"])
    assert {stat.S_IMODE(os.stat(os.path.join(home.backup, name)).st_mode) for name in os.listdir(home.backup)} == {0o600}
    assert made["issuer"] == ISSUER and made["families_alive"] == 0 and "seal-key" in made["not_included"]
    users = next(entry for entry in made["environments"] if entry["name"] == "users")
    assert users["records"] == {"users": 1} and users["bytes"] == os.path.getsize(os.path.join(home.backup, "users.mdb"))
    verified = home.ok("backup", "--verify", home.backup)
    assert verified["taken_at"] == made["taken_at"]
    assert "seal-key" in home.run("backup", home.backup + "2").stdout
    assert "overwrites nothing" in home.refused("backup", home.backup)
    home.ok("backup", "--verify", home.backup)


def test_a_directory_that_others_may_write_is_not_used(home):
    os.mkdir(home.backup + ".partial")
    os.chmod(home.backup + ".partial", 0o777)
    assert "open to others" in home.refused("backup", home.backup)


def test_map_sizes_come_back(tmp_path):
    home = Home(tmp_path)
    home.ok("init", "--unowned", "--map-size", "users=3MiB")
    home.ok("init", "--unowned", "--volatile", "--map-size", "codes=2MiB")
    home.ok("backup", str(tmp_path / "backup"))
    home.ok("restore", "--unowned", "--keep-families", str(tmp_path / "backup"))
    assert "which is fixed" in home.refused("init", "--unowned", "--map-size", "users=4MiB")
    home.ok("init", "--unowned", "--map-size", "users=3MiB")
    home.ok("init", "--unowned", "--volatile", "--map-size", "codes=2MiB")


# --- backups that are not what they were ---

def cut(home, name):
    with open(os.path.join(home.backup, name), "r+b") as file:
        file.truncate(os.path.getsize(file.name) - 4096)


def change(home, name):
    with open(os.path.join(home.backup, name), "r+b") as file:
        file.seek(-2000, os.SEEK_END)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))


def remove(home, name):
    os.unlink(os.path.join(home.backup, name))


def edit(**values):
    def apply(home, name):
        path = os.path.join(home.backup, name)
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
        with open(path, "w", encoding="utf-8") as file:
            json.dump({**data, **values}, file)
    return apply


@pytest.mark.parametrize("spoil, name, why", [
    (cut, "users.mdb", "cut short"), (change, "users.mdb", "SHA-256"), (remove, "tokens.mdb", "No such file"),
    (remove, "manifest.json", "is no backup"), (edit(families_alive=5), "manifest.json", "changed or cut"),
    (edit(issuer="https://other.example"), "manifest.json", "changed or cut"), (edit(format=2), "manifest.json", "newer version"),
    (edit(environments=[]), "manifest.json", "changed or cut"),
])
def test_a_spoilt_backup_is_refused(saved, spoil, name, why):
    spoil(saved, name)
    assert why in saved.refused("backup", "--verify", saved.backup)
    assert why in saved.refused("restore", "--unowned", "--keep-families", saved.backup)
    assert names(saved) == ["alice", "bob"] and beside(saved) == []


def test_another_issuers_backup_is_refused(saved):
    saved.configure("https://other.example.org")
    assert "backup of the issuer " + ISSUER in saved.refused("restore", "--unowned", "--keep-families", saved.backup)


# --- the choice ---

def test_somebody_has_to_say_what_becomes_of_the_families(saved):
    why = saved.refused("restore", "--unowned", saved.backup)
    assert "0 families" in why and "--keep-families" in why and "--revoke-all" in why
    saved.refused("restore", "--unowned", "--keep-families", "--revoke-all", saved.backup, status=64)
    shown, status = at_terminal(saved, ["restore", "--unowned", saved.backup], ["well\n"])
    assert status == 1 and "lived at the backup" in shown and names(saved) == ["alice", "bob"]
    shown, status = at_terminal(saved, ["restore", "--unowned", saved.backup, "--json"], ["revoke\n"])
    assert status == 0 and '"revoked_all": true' in shown and names(saved) == ["alice"]
    assert saved.ok("user", "show", "alice")["since"]
    shown, status = at_terminal(saved, ["restore", "--unowned", saved.backup], ["keep\n"])
    assert status == 0 and "live again" in shown and "since" not in saved.ok("user", "show", "alice")


# --- where it goes ---

def test_what_was_there_is_kept(saved):
    saved.ok("user", "remove", "alice")
    aside = saved.ok("restore", "--unowned", "--keep-families", saved.backup)["moved_aside"]
    assert names(saved) == ["alice"] and whole(saved) and beside(saved) == [os.path.basename(aside)]
    saved.state = aside
    saved.configure(ISSUER)
    assert names(saved) == ["bob"] and whole(saved)


@pytest.mark.parametrize("there", ["nothing", "empty", "directories"])
def test_into_a_state_directory_that_holds_nothing(saved, there):
    saved.state, saved.runtime = os.path.join(saved.dir, "new", "state"), os.path.join(saved.dir, "new", "run")
    saved.configure(ISSUER)
    if there != "nothing":
        for name in DURABLE if there == "directories" else [""]:
            os.makedirs(os.path.join(saved.state, name))
    saved.ok("restore", "--unowned", "--keep-families", saved.backup)
    assert names(saved) == ["alice"] and whole(saved)
    for name in DURABLE:
        assert sorted(os.listdir(os.path.join(saved.state, name))) == ["bell", "data.mdb", "lock.mdb"]
        assert stat.S_IMODE(os.stat(os.path.join(saved.state, name, "data.mdb")).st_mode) == 0o600


@pytest.fixture(name="disk")
def fixture_disk(tmp_path):
    """A file system of a few hundred KiB."""
    path = str(tmp_path / "disk")
    os.mkdir(path)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k,mode=0755", "small", path], check=True)
    yield path
    subprocess.run(["umount", path], check=True)


def test_a_state_directory_that_is_the_root_of_a_file_system(saved, disk):
    subprocess.run(["mount", "-o", "remount,size=8m", disk], check=True)
    saved.state = disk
    saved.configure(ISSUER)
    saved.ok("restore", "--unowned", "--keep-families", saved.backup)
    assert names(saved) == ["alice"] and whole(saved) and sorted(os.listdir(disk)) == sorted(DURABLE)
    assert "root of a file system" in saved.refused("restore", "--unowned", "--keep-families", saved.backup)
    assert names(saved) == ["alice"]


# --- full disks ---

def test_a_backup_that_does_not_fit_leaves_nothing(saved, disk):
    with open(os.path.join(disk, "filler"), "wb") as file:
        file.write(bytes(240 * 1024))
    why = saved.refused("backup", os.path.join(disk, "backup"))
    assert "is full" in why or "No space left" in why
    assert os.listdir(disk) == ["filler"]


def test_a_restored_state_that_does_not_fit_leaves_the_old_one(saved, disk):
    saved.state = os.path.join(disk, "state")
    saved.configure(ISSUER)
    assert "No space left" in saved.refused("restore", "--unowned", "--keep-families", saved.backup)
    assert os.listdir(disk) == []
    saved.state = os.path.join(saved.dir, "state")
    saved.configure(ISSUER)
    assert names(saved) == ["alice", "bob"] and whole(saved)


# --- kills ---

@pytest.mark.parametrize("function", ["kv_copy", "manifest_write"])
def test_a_backup_that_is_killed_is_none(home, function):
    kill_at(home, function, "backup", home.backup)
    assert not os.path.exists(home.backup)
    assert "is no backup" in home.refused("backup", "--verify", home.backup)
    home.ok("backup", home.backup)
    assert beside(home) == [] and whole(home)


@pytest.mark.parametrize("function, restored", [
    ("kv_create", False), ("place_put_volatile", False), ("place_switch", False), ("syscall rename", True),
])
def test_a_restore_that_is_killed_leaves_one_state_whole(saved, function, restored):
    kill_at(saved, function, "restore", "--unowned", "--revoke-all", saved.backup)
    assert names(saved) == (["alice"] if restored else ["alice", "bob"])
    assert whole(saved)
    aside = saved.ok("restore", "--unowned", "--keep-families", saved.backup)["moved_aside"]
    assert names(saved) == ["alice"] and whole(saved)
    kept = beside(saved)
    assert os.path.basename(aside) in kept and all(".before-restore-" in name for name in kept)
    assert len(kept) == (2 if restored else 1)  # the old state is never lost


# --- who else has it open ---

def test_whatever_has_an_environment_open_is_in_the_way(saved):
    command = [os.path.join(BUILD, "tests", "fill"), saved.state, saved.runtime]
    for env in ["tokens", "guard"]:
        with subprocess.Popen([*command, env, "hold"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
            assert holder.stdout.readline() == "held\n"
            why = saved.refused("restore", "--unowned", "--keep-families", saved.backup)
            assert f"process {holder.pid} (fill)" in why and "stop every server" in why
            holder.stdin.close()
            holder.wait(20)
    assert names(saved) == ["alice", "bob"] and beside(saved) == []
    for env in VOLATILE:
        shutil.rmtree(os.path.join(saved.runtime, env))  # after a reboot
    saved.ok("restore", "--unowned", "--keep-families", saved.backup)
    assert whole(saved)
