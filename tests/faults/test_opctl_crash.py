"""A removal is written to four environments, one commit each. Killed before any of them, it is simply done again, and
what takes power away has come first."""
import subprocess

import pytest

from test_opctl import OPCTL, PASSWORD, Home

STEPS = ["disable_user", "delete_password", "end_sessions", "revoke_families", "delete_consents", "delete_user"]


def kill_at(home, function, *words, stdin="/dev/null"):
    """Runs opctl in a debugger and kills it with -9 where it reaches the function, or enters a system call ("syscall rename")."""
    stop = "catch " + function if function.startswith("syscall ") else "break " + function
    done = subprocess.run(["gdb", "-q", "-nx", "-batch", "-iex", "set debuginfod enabled off", "-ex", stop, "-ex", "run",
                           "-ex", "kill", "--args", OPCTL, "--config", home.conf, *words],
                          stdin=open(stdin, encoding="utf-8"), capture_output=True, text=True, timeout=120, check=False)
    stopped = f"(call to {function})" if function.startswith("syscall ") else f", {function} ("
    assert stopped in done.stdout and "killed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("function", STEPS)
def test_a_removal_that_is_cut_short_is_done_again(tmp_path, function):
    home = Home(tmp_path)
    home.ok("init", "--unowned")
    made = home.ok("user", "add", "alice", stdin=PASSWORD)
    kill_at(home, function, "user", "remove", "alice")
    left = home.ok("user", "show", "alice")
    assert left["user_id"] == made["user_id"]
    assert left["state"] == ("enabled" if function == STEPS[0] else "disabled")
    assert left["has_password"] == (function in STEPS[:2])
    home.ok("user", "remove", "alice")
    assert home.ok("user", "list") == []
    home.ok("user", "add", "alice", stdin=PASSWORD)


def test_a_password_change_that_is_cut_short_leaves_nobody_signed_in(tmp_path):
    home = Home(tmp_path)
    home.ok("init", "--unowned")
    home.ok("user", "add", "alice", stdin=PASSWORD)
    before = home.ok("user", "show", "alice").get("since")
    (tmp_path / "password").write_text("another password of hers\n")
    kill_at(home, "put_password", "user", "password", "alice", stdin=tmp_path / "password")
    after = home.ok("user", "show", "alice").get("since")
    assert after is not None and after != before
