"""The release before this tree: which one it is, and its programs, built once from the commit that `releases` names."""
import fcntl
import os
import re
import shutil
import subprocess

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
WORK = os.path.join(ROOT, "build-tests", "compat")
PROGRAMS = ["op-discovery", "op-auth", "op-token", "op-userinfo", "op-management", "op-async", "opctl"]


class Missing(Exception):
    """One line for whoever runs it."""


class Version:
    """Its name, where its source lies and where it was built."""

    def __init__(self, name, source, build):
        self.name, self.source, self.build = name, source, build

    def program(self, name):
        return os.path.join(self.build, name, name)

    @property
    def records(self):
        """The record format that it understands."""
        out = subprocess.run([self.program("opctl"), "--version"], capture_output=True, text=True, check=True).stdout
        return int(re.search(r"^records (\d+)$", out, re.M)[1])

    def __str__(self):
        return self.name


def rank(version):
    """What versions are ordered by; one with a suffix, as 0.2.0-dev, is older than without."""
    numbers, _, suffix = version.partition("-")
    return [int(number) for number in numbers.split(".")], not suffix


def newest_before(version, releases):
    """(version, commit) of the newest entry of the file `releases` that is older."""
    lines = [line.split() for line in releases.split("\n") if line and not line.startswith("#")]
    found = [line for line in lines if rank(line[0]) < rank(version)]
    if not found:
        raise Missing(f"the file releases names nothing older than {version}")
    return max(found, key=lambda line: rank(line[0]))


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


def present(build):
    """This tree, built there."""
    return Version(re.search(r"\bversion: '([^']+)'", read("meson.build"))[1], ROOT, os.path.abspath(build))


def is_before(version):
    """Whether the release before this tree is older than that one: what came with it is new to it."""
    return rank(named()[0]) < rank(version)


def named():
    """The release before this tree and its commit."""
    return newest_before(present(".").name, read("releases"))


def older():
    """The release before this tree; builds it when it is not yet there. Raises Missing."""
    name, commit = named()
    place = os.path.join(WORK, name)
    os.makedirs(place, exist_ok=True)
    version = Version(name, os.path.join(place, "source"), os.path.join(place, "build"))
    with open(os.path.join(place, "lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = os.path.join(place, "commit")
        if not os.path.exists(stamp) or read(stamp) != commit:
            check_out(name, commit, version.source)
            build(version)
            with open(stamp, "w", encoding="utf-8") as file:
                file.write(commit)
    return version


GIT = ["git", "-c", "safe.directory=*", "-C", ROOT]  # also where somebody else made the clone


def check_out(name, commit, target):
    known = subprocess.run([*GIT, "cat-file", "-e", commit + "^{commit}"], capture_output=True, text=True, check=False)
    if known.returncode != 0:
        raise Missing(f"the commit of {name} cannot be read here ({known.stderr.strip()}); in a shallow clone: git fetch --unshallow")
    shutil.rmtree(target, ignore_errors=True)
    os.makedirs(target)
    with subprocess.Popen([*GIT, "archive", commit], stdout=subprocess.PIPE) as archive:
        subprocess.run(["tar", "-x", "-C", target], stdin=archive.stdout, check=True)
    if archive.returncode != 0:
        raise Missing(f"git archive {commit} failed")


def build(version):
    """As deploy/up builds, without tests; a compiler cache is used by itself where there is one."""
    shutil.rmtree(version.build, ignore_errors=True)
    for words in (["meson", "setup", "-Dtests=false", version.build, version.source],
                  ["ninja", "-C", version.build] + [f"{name}/{name}" for name in PROGRAMS]):
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode != 0:
            raise Missing(f"{version} does not build here: {' '.join(words[:2])} says\n{done.stdout[-3000:]}")
