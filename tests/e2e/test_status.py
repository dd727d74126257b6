"""opctl status: every instance, as it tells by itself."""
import os

import requests


def test_every_instance_is_shown(partita):
    servers = partita.info["servers"]
    rows = partita.opctl("status", "--admin-dir", os.path.join(partita.dir, "sockets/admin"))
    assert [row["instance"] for row in rows] == sorted(f"{s['name']}@{s['instance']}" for s in servers)
    for row in rows:
        assert row["state"] == "ready" and row["version"] == servers[0]["version"] and row["5xx"] >= 0 and row["memory"].endswith(" MiB"), row


def test_requests_and_errors_are_counted(partita):
    def count():
        rows = partita.opctl("status", "--admin-dir", os.path.join(partita.dir, "sockets/admin"))
        return [sum(row[name] for row in rows if row["instance"].startswith("op-token@")) for name in ("requests", "errors")]
    before = count()
    for _ in range(3):
        assert requests.post(partita.issuer + "/token", data={"grant_type": "x"}, verify=partita.verify, timeout=10).json()["error"]
    assert count() == [before[0] + 3, before[1] + 3]


def test_no_instances_are_said_so(partita):
    done = partita.opctl("status", "--admin-dir", "/nonexistent/admin", check=False)
    assert done.returncode == 1 and done.stderr.startswith("opctl: /nonexistent/admin: No such file") and done.stderr.count("\n") == 1
