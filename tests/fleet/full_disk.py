"""Inside the machine, under load: going back when nothing can be written any more, without dpkg and without a network."""
import errno
import os
import shutil
import time

from hands import SERVERS, call, everything_answers, expect, instances, wait_until
from rolling import back

FILL = "/var/fleet-fill"
FEW = "/run/fleet-bin"  # all the programs that there are for a roll-back


def fill_blocks(path):
    """To the last byte, with what the file system keeps for root."""
    with open(path, "wb", buffering=0) as file:
        size = 1 << 20
        while size:
            try:
                file.write(b"\0" * size)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                size //= 2


def fill_files(directory):
    """Until there is no room for one more, however small."""
    number = 0
    try:
        while True:
            open(f"{directory}/{number}", "w", encoding="ascii").close()
            number += 1
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise


def fill():
    os.makedirs(FILL + "/files")
    fill_files(FILL + "/files")
    for part in range(3):  # what is freed meanwhile is taken, too
        os.rename(f"{FILL}/files/{part}", f"{FILL}/block-{part}")
        fill_blocks(f"{FILL}/block-{part}")
    for place in ("/etc/partita/x", "/var/lib/partita/x", "/var/log/x", "/tmp/x"):
        try:
            os.mkdir(place)
        except OSError as error:
            expect(f"what mkdir {place} says on a full disk", error.errno, errno.ENOSPC)
        else:
            os.rmdir(place)
            raise AssertionError("the disk is not full: " + place)


def few_programs():
    os.makedirs(FEW, exist_ok=True)
    for name in ("opctl", "systemctl"):
        if not os.path.lexists(f"{FEW}/{name}"):
            os.symlink(shutil.which(name), f"{FEW}/{name}")
    return {"PATH": FEW}


def roll_back_all(versions):
    """Every server onto the new version, the disk full, every server back."""
    old, new = versions
    for server in SERVERS:
        call("opctl", "deploy", server, new, "--watch", "0")
    env, full_from = few_programs(), time.time()
    try:
        fill()
        began = time.time()
        took = {server: back(server, old, env=env) for server in SERVERS}
        for server in SERVERS:
            expect(f"{server} on a full disk", set(instances(server).values()), {old})
        serving = round(time.time() - began, 2)
    finally:
        shutil.rmtree(FILL)
    freed = time.time()
    wait_until("everything answers again", everything_answers)
    return {"from": full_from, "until": freed, "rollbacks_s": took, "all_s": serving}
