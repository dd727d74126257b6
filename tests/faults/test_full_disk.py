"""The disk of the durable environments is full: 503 with Retry-After, one log line; service again as soon as there is room,
without a restart, and nothing that was acknowledged is lost."""
import os
import signal
import subprocess

import pytest
import requests

from conftest import QUICK, Partita
from server_process import wait_until
from token_process import plant
from trouble import PASSWORD, TRIES, Lines, People, events, refusals

DISK = "24m"


class OnSmallDisk(Partita):
    """Its state directory is a small file system of its own."""

    def start(self):
        self.state = os.path.join(self.dir, "state")
        self.filler = os.path.join(self.state, "filler")
        os.makedirs(self.state, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=0755", "small", self.state], check=True)
        super().start()

    def close(self):
        try:
            self.stop()
        finally:
            subprocess.run(["umount", self.state], check=True)
        super().close()

    def fill_disk(self):
        with open(self.filler, "wb", buffering=0) as file:
            with pytest.raises(OSError, match="No space left"):
                while True:
                    file.write(bytes(4096))

    def make_room(self):
        os.unlink(self.filler)


@pytest.fixture(scope="module")
def cramped():
    partita = OnSmallDisk(*QUICK)
    try:
        yield partita
    finally:
        partita.close()


@pytest.fixture(scope="module")
def people(cramped):
    people = People(cramped)
    for _ in range(3):
        people.sign_in()
    return people


def test_lock_files_have_all_their_blocks(cramped):
    """They are mapped: one that is missing on a full disk would end the process."""
    for env in os.listdir(cramped.state):
        info = os.stat(os.path.join(cramped.state, env, "lock.mdb"))
        assert info.st_size > 60000 and info.st_blocks * 512 >= info.st_size, env


def test_a_full_disk(cramped, people):
    codes = plant(cramped, people.client, 2 * TRIES)
    auth, token = Lines(cramped, "op-auth"), Lines(cramped, "op-token")
    cramped.fill_disk()
    refusals(people.try_password, 303)
    refusals(lambda: people.redeem(codes.pop()), 200)
    auth.told_once("sessions", "space")
    token.told_once("tokens", "space")
    assert requests.get(cramped.issuer + "/.well-known/jwks.json", timeout=30).status_code == 200
    assert people.try_code()[0].status_code == 303
    assert [people.userinfo(number) for number in range(3)] == [200] * 3
    cramped.make_room()
    people.sign_in()
    assert people.redeem(codes.pop()).status_code == 200
    people.are_whole()


def test_a_server_that_dies_meanwhile_comes_back(cramped, people):
    cramped.fill_disk()
    starts = len(events(cramped, "op-token", "started"))
    os.kill(next(server["pid"] for server in cramped.info["servers"] if server["name"] == "op-token"), signal.SIGKILL)
    wait_until(lambda: len(events(cramped, "op-token", "started")) > starts, 20)
    refusals(people.try_password, 303)
    done = cramped.opctl("user", "add", "nobody", secret=PASSWORD + "\n", check=False)
    assert done.returncode == 0 or "the environment or its disk is full: make room" in done.stderr
    cramped.make_room()
    people.sign_in()
    people.are_whole()
    assert (done.returncode == 0) == ("nobody" in {user["username"] for user in cramped.opctl("user", "list")})
