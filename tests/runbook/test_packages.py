"""The packages as files: what is in which, that two builds are the same bytes, and what lintian says."""
import os
import re
import shutil
import subprocess
import sys

import pytest

from conftest import ROOT

sys.path.insert(0, os.path.join(ROOT, "tests", "fleet"))
import machine  # noqa: E402


@pytest.fixture(scope="module")
def debs():
    subprocess.run([os.path.join(ROOT, "deploy/install-packages"), "build", "packages", "fleet"], check=True)
    return machine.packages()


def names_in(deb):
    out = subprocess.run(["dpkg-deb", "--contents", deb], capture_output=True, text=True, check=True).stdout
    return [line.split(None, 5)[5].split(" -> ")[0] for line in out.splitlines()]


def test_one_for_each_server_one_for_opctl_and_one_for_what_they_share(debs):
    kinds = sorted(re.match(r"partita-(op-[a-z]+|opctl|common)", os.path.basename(deb))[1] for deb in debs)
    assert kinds == sorted([*machine.SERVERS, "opctl", "common"])


def test_versions_lie_side_by_side(debs):
    """Nothing that a server's package holds is in the way of another version's, but its documentation, which has its name."""
    for deb in debs:
        found = re.match(r"(partita-(op-(?!ctl)[a-z]+)-([^_]+))_", os.path.basename(deb))
        if not found:
            continue
        package, server, version = found.groups()
        files = [name for name in names_in(deb) if not name.endswith("/")]
        assert f"./usr/lib/partita/{server}/{version}/{server}" in files
        places = (f"./usr/lib/partita/{server}/{version}/", f"./usr/share/doc/{package}/", f"./usr/share/lintian/overrides/{package}")
        assert [name for name in files if not name.startswith(places)] == []


def test_what_they_share(debs):
    common = next(names_in(deb) for deb in debs if "partita-common" in deb)
    for name in ["usr/lib/sysusers.d/partita.conf", "usr/lib/tmpfiles.d/partita.conf", "lib/systemd/system/partita.target",
                 "lib/systemd/system/run-partita.mount", "lib/systemd/system/partita-volatile.service",
                 *[f"lib/systemd/system/{server}{end}" for server in machine.SERVERS for end in (".socket", "@.service")],
                 "usr/share/doc/partita-common/examples/nginx/nginx.conf", "usr/share/doc/partita-common/examples/haproxy/haproxy.cfg"]:
        assert "./" + name in common, name


def test_lintian_finds_no_error(debs):
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error", "--no-tag-display-limit", *debs], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_two_builds_are_the_same_bytes(debs, tmp_path):
    """At another time, in another zone; at the same path, by a mount that nobody else sees."""
    output = os.path.dirname(debs[0])
    again = tmp_path / "again"
    again.mkdir()
    script = 'mount --bind "$1" "$2" && exec "$3" --output "$2"'
    done = subprocess.run(["unshare", "--mount", "sh", "-c", script, "sh", again, output, os.path.join(ROOT, "deploy/debian/build")],
                          env={**os.environ, "TZ": "Pacific/Auckland", "LC_ALL": "C"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for deb in debs:
        with open(deb, "rb") as first, open(again / os.path.basename(deb), "rb") as second:
            assert first.read() == second.read(), os.path.basename(deb)
    shutil.rmtree(again)
