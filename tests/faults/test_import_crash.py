"""An import that is killed with -9: between users and passwords, in a later batch, or anywhere. Done again, all is there."""
import json
import signal
import subprocess
import time

import pytest

from test_import import HASHES, counts
from test_opctl import OPCTL, fixture_home  # pylint: disable=unused-import
from test_opctl_crash import kill_at

USERS = 1200  # of more than one batch


@pytest.fixture(autouse=True)
def users_file(home):
    home.file = home.dir + "/users.jsonl"
    with open(home.file, "w", encoding="utf-8") as file:
        for number in range(USERS):
            file.write(json.dumps({"username": f"user{number}", "sub": f"id-{number}", "password_hash": HASHES["bcrypt-2b"]}) + "\n")


def finish(home):
    """Runs the import again and looks at all of them; its report."""
    report = home.ok("import", home.file, "--keep-ids")
    assert len(home.ok("user", "list")) == USERS and home.ok("check")["clean"] is True
    counts(home.ok("import", home.file, "--keep-ids"), read=USERS, unchanged=USERS)
    assert all(home.ok("user", "show", f"user{number}")["has_password"] for number in (0, 499, 500, 1199))
    return report


@pytest.mark.parametrize("function, there", [("import_write_users", 0), ("import_write_passwords", 500)])
def test_killed_between_its_writes(home, function, there):
    kill_at(home, function, "import", home.file, "--keep-ids")
    assert len(home.ok("user", "list")) == there
    if there:
        assert home.ok("user", "show", "user0")["has_password"] is False
    counts(finish(home), read=USERS, completed=there, added=USERS - there)


def test_skipping_who_is_there_completes_too(home):
    kill_at(home, "import_write_passwords", "import", home.file, "--keep-ids")
    counts(home.ok("import", home.file, "--keep-ids", "--existing", "skip"), read=USERS, completed=500, added=USERS - 500)
    counts(home.ok("import", home.file, "--keep-ids", "--existing", "skip"), read=USERS, skipped=USERS)
    finish(home)


def test_killed_anywhere(home):
    """By the clock, at three moments; what is there then is whole or is completed."""
    for wait in (0.01, 0.05, 0.1):
        process = subprocess.Popen([OPCTL, "--config", home.conf, "import", home.file, "--keep-ids"], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.wait(20)
    there = len(home.ok("user", "list"))
    assert there % 500 == 0 or there == USERS, "a batch is there as a whole or not at all"
    report = finish(home)
    assert report["added"] == USERS - there and report["completed"] + report["unchanged"] == there
