"""deploy/RUNBOOK.md is followed on machines with a real systemd, each of its commands, and each chapter's claims are held
against real requests."""
import os
import re
import shutil
import subprocess
import sys

import pytest

import book
from conftest import ROOT

sys.path.insert(0, os.path.join(ROOT, "tests", "fleet"))
import machine  # noqa: E402

NEXT = "99.0.0"
ALSO = ["deploy/RUNBOOK.md", "tests/runbook/book.py", "tests/runbook/chapters.py", "tests/runbook/installed.py", "tests/runbook/reader.py"]
with open(os.path.join(ROOT, "deploy/RUNBOOK.md"), encoding="utf-8") as runbook:
    TEXT = runbook.read()
CHAPTERS = book.read(TEXT)


def blocks():
    return [block for chapter in CHAPTERS for block in chapter.blocks]


@pytest.fixture(scope="module")
def built():
    """{"old": packages, "new": packages}, and their versions."""
    subprocess.run([os.path.join(ROOT, "deploy/install-packages"), "build", "packages", "fleet"], check=True)
    old = machine.packages()
    version = next(re.search(r"partita-op-token-([^_]+)_", os.path.basename(deb))[1] for deb in old if "op-token" in deb)
    return {"old": old, "new": [deb for deb in machine.packages(NEXT) if "partita-op-token-" in deb], "version": version}


def copy(paths, directory):
    os.makedirs(directory, exist_ok=True)
    for path in paths:
        shutil.copy(path, directory)


@pytest.fixture(scope="module")
def followed(built):
    """What came of each chapter: {(host, anchor): result}."""
    found = {}
    host, other = machine.Machine("runbook"), machine.Machine("runbook-new")
    host.works = other.works = False
    for each in (host, other):
        copy(built["old"], each.path("root/packages"))
    copy(built["new"], host.path("opt/next"))
    follow(host, "host", built, found)
    if host.works:
        shutil.copytree(host.board + "/safe", other.board + "/safe")
        copy([host.path("opt/fleet/state.json")], other.path("opt/fleet"))
        follow(other, "new-host", built, found)
    for each in (host, other):
        if each.works:
            each.remove()
    return found


def follow(host, name, built, found):
    told = host.boot(name, built["version"], NEXT, script="reader.py", also=ALSO)
    assert not told.get("why"), told["why"]
    for result in told["chapters"]:
        found[name, result["chapter"]] = result
        print(f"{name}: {result['chapter']}: {result['seconds']} s")
    host.works = all(result["why"] is None for result in told["chapters"])


def test_the_packages_are_built_as_the_book_says():
    """What machine.packages() runs."""
    commands = [line for block in blocks() if block.where == "build-host" for line in book.commands(block.text)]
    assert commands == ["deploy/debian/build --output /root/packages"]


def test_every_command_that_the_text_names_is_in_a_block():
    run = [line for block in blocks() if block.kind == "sh" for line in book.commands(block.text)]
    for chapter in CHAPTERS:
        for span in book.named(chapter.prose):
            assert any(line.startswith(span) for line in run), f"{chapter.title}: {span}"


def test_every_alert_leads_to_where_it_is_named():
    with open(os.path.join(ROOT, "deploy/prometheus/partita.rules.yml"), encoding="utf-8") as file:
        rules = file.read().split("- alert: ")[1:]
    led = {(re.search(r"runbook: deploy/RUNBOOK.md#(\S+)", rule)[1], rule.split()[0]) for rule in rules if "deploy/RUNBOOK.md" in rule}
    assert len(led) > 10
    assert led == {(chapter.anchor, alert) for chapter in CHAPTERS for alert in re.findall(r"`(Partita[A-Z]\w+)`", chapter.prose)}


def test_every_replacement_is_needed():
    used = set()
    for block in blocks():
        used |= book.fill(block.text, "1.2.3", "4.5.6")[1]
    assert used == {why for _, _, why in book.REPLACED}


@pytest.mark.parametrize("anchor", [chapter.anchor for chapter in CHAPTERS if chapter.blocks])
def test_chapter(followed, anchor):
    chapter = next(each for each in CHAPTERS if each.anchor == anchor)
    results = [result for (_, name), result in followed.items() if name == anchor]
    assert results, "not reached"
    for result in results:
        assert result["why"] is None, result["why"]
    wanted = {block.line for block in chapter.blocks if block.where != "build-host"}
    assert wanted == {line for result in results for line in result["done"]}, "not every block was run"


@pytest.mark.parametrize("claim", ["units", "packages"])
def test_what_is_installed(followed, claim):
    assert ("host", claim) in followed, "not reached"
    assert followed["host", claim]["why"] is None, followed["host", claim]["why"]
