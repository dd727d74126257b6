"""opctl deploy, rollback and scale when they are cut short, met by what they should not meet, or misused."""
import contextlib
import os
import subprocess
import time

import pytest

from played import SERVER, Played
from test_versions import mount_point


@pytest.fixture(name="machine")
def fixture_machine():
    """Three releases are installed; the first serves with one instance."""
    made = Played()
    with contextlib.ExitStack() as stack:
        for place in made.places:
            stack.enter_context(mount_point(place))
        for version, follows in (("1.0", "none"), ("2.0", "1.0"), ("3.0", "2.0")):
            made.install(version, follows)
        good(made, "deploy", SERVER, "1.0")
        yield made
        made.close()


def good(machine, *words):
    done = machine.run(*words)
    assert done.returncode == 0 and done.stderr == "", (words, done)
    return done.stdout.splitlines()


def refused(machine, *words):
    """One line, and nothing was changed."""
    before = machine.tree(), machine.serving()
    done = machine.run(*words)
    assert done.returncode == 1 and done.stdout == "" and done.stderr.count("\n") == 1, (words, done)
    assert (machine.tree(), machine.serving()) == before
    return done.stderr.removeprefix("opctl: ").removesuffix("\n")


def cut_everywhere(machine, begin, words, end):
    """Runs it from the same beginning again and again, killed before its first step, its second, ..., until it is not any more."""
    for step in range(1, 100):
        begin()
        done = machine.run(*words, cut=step)
        assert done.returncode in (0, -9), done
        assert machine.serving(), f"nothing serves after step {step - 1} of {words}"
        end(done.returncode == 0, done)
        if done.returncode == 0:
            return step - 1
    raise AssertionError("it has no end")


def back(machine, version, count, done):
    """What an operator does when a deployment was cut: opctl rollback, until that has nothing to do."""
    said = machine.run("rollback", SERVER)
    nothing = f"opctl: no version of {SERVER} served before {version}, to go back to: deploy one with opctl deploy {SERVER} VERSION\n"
    assert said.returncode == 0 or said.stderr == nothing, (done, said, machine.tree())
    machine.stands(version, count)


def test_a_deployment_cut_anywhere_is_ended_by_going_back(machine):
    steps = cut_everywhere(machine, machine.forget, ["deploy", SERVER, "2.0", "--watch", "0"],
                           lambda whole, done: back(machine, "1.0", 1, done))
    assert steps >= 10


def test_going_back_cut_anywhere_is_gone_on_with(machine):
    def begin():
        good(machine, "deploy", SERVER, "2.0", "--watch", "0", "--instances", "2")
        machine.stands("2.0", 2)
    steps = cut_everywhere(machine, begin, ["rollback", SERVER], lambda whole, done: back(machine, "1.0", 2, done))
    assert steps >= 5


def test_a_deployment_that_goes_back_by_itself_and_is_cut(machine):
    """The way back of the version that serves stays what it was."""
    machine.install("3.1", "2.0", "never ready")
    good(machine, "deploy", SERVER, "2.0", "--watch", "0")

    def begin():
        machine.stands("2.0", 1)

    def end(whole, done):
        said = machine.run("rollback", SERVER, "--dry-run")
        if f"{SERVER}@a1: would start: 1.0" not in said.stdout:  # 3.1 still runs beside it
            good(machine, "rollback", SERVER)
        machine.stands("2.0", 1)
        assert f"{SERVER}@a1: would start: 1.0" in good(machine, "rollback", SERVER, "--dry-run")
    for step in range(1, 100):
        begin()
        done = machine.run("deploy", SERVER, "3.1", "--ready-timeout", "0", cut=step)
        assert done.returncode in (2, -9), done
        end(done.returncode == 2, done)
        if done.returncode == 2:
            break
    good(machine, "rollback", SERVER)
    machine.stands("1.0", 1)


def test_scaling_cut_anywhere_is_done_again(machine):
    def end(whole, done):
        good(machine, "scale", SERVER, "1")
        machine.stands("1.0", 1)
    assert cut_everywhere(machine, machine.forget, ["scale", SERVER, "3"], end) >= 6


def test_the_same_version_anew_cut_anywhere_keeps_its_number(machine):
    def end(whole, done):
        good(machine, "deploy", SERVER, "1.0")
        machine.stands("1.0", 1)
    assert cut_everywhere(machine, lambda: None, ["deploy", SERVER, "1.0"], end) >= 4


def test_going_back_twice(machine):
    """The second one does not return to what the first one left."""
    good(machine, "deploy", SERVER, "2.0", "--watch", "0")
    good(machine, "rollback", SERVER)
    assert refused(machine, "rollback", SERVER).startswith(f"no version of {SERVER} served before 1.0")
    machine.stands("1.0", 1)


def test_going_back_after_a_version_that_did_not_do(machine):
    machine.install("2.1", "1.0", "crashes")
    done = machine.run("deploy", SERVER, "2.1")
    assert done.returncode == 2 and done.stdout.splitlines()[-1] == f"{SERVER}: went back: 1.0 serves; 2.1 did not do: it crashed"
    assert refused(machine, "rollback", SERVER).startswith("no version")
    machine.stands("1.0", 1)


def test_going_back_takes_as_many_as_serve_and_no_third_version(machine):
    good(machine, "scale", SERVER, "3")
    good(machine, "deploy", SERVER, "2.0", "--watch", "0", "--instances", "1")
    good(machine, "deploy", SERVER, "3.0", "--watch", "0")  # of the side of 1.0, two links of which are left
    good(machine, "deploy", SERVER, "2.0", "--watch", "0", "--instances", "3")
    good(machine, "rollback", SERVER)
    machine.stands("3.0", 3)


def test_instances_stopped_by_hand_do_not_hide_the_others(machine):
    good(machine, "scale", SERVER, "3")
    machine.run("status", wrap=[machine.at("bin/systemctl"), "stop", f"{SERVER}@a1.service"])
    assert sorted(machine.serving()) == ["a2", "a3"]
    good(machine, "deploy", SERVER, "2.0", "--watch", "1")
    machine.stands("2.0", 3)


def test_one_that_does_not_want_to_end_is_not_taken_for_its_successor(machine):
    """It fails its self-test, and answers that it is ready until systemd kills it; the good one waits for that."""
    machine.install("2.1", "1.0", "deaf")
    assert machine.run("deploy", SERVER, "2.1").returncode == 2
    good(machine, "deploy", SERVER, "2.0", "--watch", "0")
    machine.stands("2.0", 1)


def test_why_nothing_is_started_is_said_at_once(machine):
    machine.write("needs", "")
    done = machine.run("deploy", SERVER, "2.0")
    assert done.returncode == 2 and done.stdout.splitlines()[-1].endswith(
        "2.0 did not do: it does not run: a unit that it needs failed (systemctl --failed), or somebody stopped it"), done
    machine.stands("1.0", 1)


def test_what_cannot_be_deployed_is_refused_in_one_line(machine):
    place = f"/usr/lib/partita/{SERVER}"
    for version, odd, why in (
            ("4.1", "says something else", f'{place}/4.1/{SERVER} --version does not say "{SERVER} 4.1": install the package partita-{SERVER}-4.1 anew'),
            ("4.2", "refuses the configuration", f"{SERVER} 4.2 refuses the configuration: partita.conf:1: wrong|partita.conf:2: wrong, too"),
            ("4.3", "hangs", f'{place}/4.3/{SERVER} --version does not say "{SERVER} 4.3": install the package partita-{SERVER}-4.3 anew')):
        machine.install(version, "1.0", odd)
        assert refused(machine, "deploy", SERVER, version) == why
    assert refused(machine, "deploy", SERVER, "5.0") == f"{SERVER} 5.0 is not installed ({place}/5.0/{SERVER}): install the package partita-{SERVER}-5.0"
    assert "--waive-rollback" in refused(machine, "deploy", SERVER, "3.0")
    good(machine, "deploy", SERVER, "2.0", "--watch", "0")
    os.rename(machine.at("versions", SERVER, "1.0"), machine.at("away"))
    assert refused(machine, "rollback", SERVER) == f"{SERVER} 1.0 is not installed ({place}/1.0/{SERVER}): install the package partita-{SERVER}-1.0"


def test_a_dry_run_changes_nothing(machine):
    good(machine, "deploy", SERVER, "2.0", "--watch", "0")
    before = machine.tree(), machine.serving(), sorted(os.listdir(machine.at("run")))
    for words in (["deploy", SERVER, "3.0"], ["deploy", SERVER, "2.0"], ["rollback", SERVER], ["scale", SERVER, "5"]):
        assert good(machine, *words, "--dry-run")
        assert (machine.tree(), machine.serving(), sorted(os.listdir(machine.at("run")))) == before


def test_two_deployments_at_once(machine):
    first = subprocess.Popen([*machine.wrap, "flock", "/run/partita-opctl.lock", "sh", "-c", "echo held; exec sleep 60"],
                             stdout=subprocess.PIPE, text=True)
    try:
        assert first.stdout.readline() == "held\n"
        assert refused(machine, "rollback", SERVER) == "another deployment is going on on this machine: wait for its end"
    finally:
        first.kill()
        first.wait()


def test_who_is_not_root_keeps_nobody_from_deploying(machine):
    """Whoever can open a file can hold its lock for ever."""
    os.chmod(machine.dir, 0o755)
    for path in ("running", "wants", "run", "run/partita-opctl.lock"):
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "flock", "--nonblock", machine.at(path), "true"],
                              capture_output=True, text=True, check=False)
        assert (done.returncode == 0) == os.path.isdir(machine.at(path)), (path, done)
    holders = [subprocess.Popen(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "flock", machine.at(path), "sleep", "60"])
               for path in ("running", "wants", "run")]
    try:
        time.sleep(0.3)
        good(machine, "scale", SERVER, "2")
    finally:
        for holder in holders:
            holder.kill()
            holder.wait()
