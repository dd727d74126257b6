"""The names of the audit trail: one list, all of it used, all of it documented; and where the trail lies is where units may write."""
import glob
import os
import re

import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
SERVERS = ["op-discovery", "op-auth", "op-token", "op-userinfo", "op-management", "op-async"]


def read(*parts):
    with open(os.path.join(ROOT, *parts), encoding="utf-8") as file:
        return file.read()


def enumeration():
    body = re.search(r"enum audit_event \{(.*?)\n\}", read("common/runtime/audit.h"), re.S)[1]
    return [name for name in re.findall(r"^ +AUDIT_([A-Z_]+),$", body, re.M) if name != "EVENT_COUNT"]


def table():
    """{constant: name} of the table of events."""
    body = re.search(r"EVENTS\[AUDIT_EVENT_COUNT\] = \{(.*?)\n\};", read("common/runtime/audit.c"), re.S)[1]
    return dict(re.findall(r'^ +\[AUDIT_([A-Z_]+)\] = \{"([a-z_]+)"', body, re.M))


def uses():
    """{constant: files in which an event is written}, but for the list itself."""
    found = {}
    for path in glob.glob(ROOT + "/common/**/*.c", recursive=True) + glob.glob(ROOT + "/op-*/*.c") + glob.glob(ROOT + "/opctl/*.c"):
        text = re.sub(r"EVENTS\[AUDIT_EVENT_COUNT\] = \{.*?\n\};", "", read(os.path.relpath(path, ROOT)), flags=re.S)
        for name in re.findall(r"\bAUDIT_([A-Z_]+)\b", text):
            found.setdefault(name, set()).add(os.path.relpath(path, ROOT))
    return found


def test_a_name_is_that_of_its_constant():
    """So that who reads the code knows what stands in the trail."""
    assert table() == {name: name.lower() for name in enumeration()}


def test_every_event_is_written_somewhere():
    assert set(enumeration()) <= set(uses()), set(enumeration()) - set(uses())


def test_nothing_but_the_list_is_written():
    """The compiler holds that for audit_write; nobody may go around it."""
    names = set(table().values())
    for path in glob.glob(ROOT + "/common/**/*.c", recursive=True) + glob.glob(ROOT + "/op-*/*.c") + glob.glob(ROOT + "/opctl/*.c"):
        text = read(os.path.relpath(path, ROOT))
        assert not names & set(re.findall(r'log_event\([^"]*?"([a-z_]+)"', text)), f"{path} logs an event of the trail by itself"


def test_the_documentation_lists_them():
    """What each of them says there is the program's own word: docs/pages holds that."""
    assert re.findall(r"^\| `([a-z_]+)` \| [A-Z]", read("docs/audit.md"), re.M) == [name.lower() for name in enumeration()]


@pytest.mark.parametrize("server", [*SERVERS, "opctl"])
def test_a_file_is_made_for_each(server):
    assert f"f /var/log/partita/audit/{server}.jsonl 0660 root {server} -" in read("deploy/systemd/partita.tmpfiles.conf").splitlines()


def test_units_may_write_there():
    unit = read("deploy/systemd/op@.service.in")
    assert re.search(r"^ReadWritePaths=.* -/var/log/partita/audit$", unit, re.M)
    assert '"audit_dir", CONF_PATH, "/var/log/partita/audit"' in read("common/runtime/settings.c")
    assert "/var/log/partita/audit/*.jsonl {" in read("deploy/debian/partita-common.logrotate")
