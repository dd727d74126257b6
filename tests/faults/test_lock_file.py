"""Somebody writes to a lock file, or removes it: the server that would write next stops writing there and raises the alarm;
what was acknowledged is own."""
import os
import pwd
import shutil
import struct
import subprocess

import pytest
import requests

from token_process import plant
from trouble import People, events

TXNID_AT = 48  # of struct MDB_txbody in LMDB 0.9: magic, format, a mutex of 40 bytes, then the last transaction's id
TAMPER = """
import struct, sys
with open(sys.argv[1], "r+b", buffering=0) as file:
    file.seek(int(sys.argv[2]))
    before = struct.unpack("<Q", file.read(8))[0]
    file.seek(int(sys.argv[2]))
    file.write(struct.pack("<Q", before - 2))
"""
CALM = 3


@pytest.fixture(scope="module")
def people(own):
    people = People(own, "unharmed")
    for _ in range(CALM):
        people.sign_in()
    return people


def lock_of(partita, env):
    return os.path.join(partita.info["state_dir"], env, "lock.mdb")


def alarms(partita, server):
    return [line["reason"] for line in events(partita, server, "store_broken")]


def stops_writing(partita, people, words):
    """op-token refuses what it would have to write in tokens, says so once, and everything else goes on."""
    before = len(alarms(partita, "op-token"))
    codes = plant(partita, people.client, 3)
    for code in codes:
        response = people.redeem(code)
        assert (response.status_code, response.json()["error"]) == (500, "server_error"), response.text
    told = alarms(partita, "op-token")[before:]
    assert len(told) == 1 and all(word in told[0] for word in [lock_of(partita, "tokens"), *words]), told
    assert people.try_password().status_code == 303 and people.try_code()[0].status_code == 303
    assert [people.userinfo(number) for number in range(CALM)] == [200] * CALM
    assert requests.get(partita.issuer + "/.well-known/jwks.json", timeout=30).status_code == 200


def starts_again_whole(partita, people):
    partita.start()
    people.are_whole()
    assert people.redeem(plant(partita, people.client)[0]).status_code == 200


def test_a_taken_over_reader_writes_to_the_lock_file(own, people):
    user = pwd.getpwnam("op-userinfo")
    subprocess.run(["/usr/bin/python3", "-c", TAMPER, lock_of(own, "tokens"), str(TXNID_AT)], user=user.pw_uid, group=user.pw_gid,
                   extra_groups=os.getgrouplist("op-userinfo", user.pw_gid), check=True)
    stops_writing(own, people, ["transaction id", "stop every server"])
    assert own.stop().returncode == 0
    starts_again_whole(own, people)


@pytest.mark.parametrize("replaced", [False, True], ids=["removed", "replaced"])
def test_the_lock_file_is_lost(own, people, replaced):
    path = lock_of(own, "tokens")
    if replaced:
        shutil.copy(path, path + ".copy")
        os.replace(path + ".copy", path)
    else:
        os.unlink(path)
    stops_writing(own, people, ["removed or replaced", "stop every server"])
    if not replaced:
        done = own.opctl("init", check=False)
        assert done.returncode == 1 and path in done.stderr and "stop every server" in done.stderr
        assert not os.path.exists(path), "a second lock file beside the one that is held would let two write at once"
        done = own.opctl("family", "list", check=False)
        assert done.returncode == 1 and path in done.stderr
    else:
        os.unlink(path)
    assert own.stop().returncode == 0
    starts_again_whole(own, people)
