"""Inside the machine: somebody who follows the runbook, chapter by chapter, as root. What came of it is left in /var/log/fleet.json.

usage: reader.py HOST OLD NEW     HOST: host or new-host"""
import json
import os
import subprocess
import sys
import time
import traceback

import book
import chapters
import installed

PATIENCE_S = 40  # of somebody who looks


def run(text):
    done = subprocess.run(["bash", "-e", "-u", "-o", "pipefail", "-c", text], input=chapters.PASSWORD + "\n", stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, cwd="/root", timeout=300, check=False)
    return done.returncode, done.stdout


def follow(block, old, new):
    """Does what the block says."""
    text, _ = book.fill(block.text, old, new)
    shown = book.fill(block.shown, old, new)[0] if block.shown else None
    if block.kind != "sh":
        chapters.write_file(block.where, text)
        return
    deadline = time.monotonic() + (PATIENCE_S if block.looks else 0)
    while True:
        status, printed = run(text)
        if status == 0 and (shown is None or book.is_shown(shown, printed)):
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"{block}: exit status {status}\n{text}\nprints\n{printed}" + (f"\ninstead of\n{shown}" if shown else ""))
        time.sleep(0.3)


def read_chapter(chapter, host, old, new, done):
    blocks = [block for block in chapter.blocks if (block.where if block.where == "new-host" else "host") == host and block.where != "build-host"]
    trouble = chapters.of(chapter.anchor, host)
    trouble.begin()
    for block in blocks:
        trouble.before(block.text)
        follow(block, old, new)
        done.append(block.line)
    trouble.judge()


def journal():
    return subprocess.run(["journalctl", "--no-pager", "-q", "-n", "60", "-o", "short-precise"], capture_output=True, text=True, check=False).stdout


def attempt(name, work, results):
    """One chapter or claim. False: what follows leans on it."""
    done, began, why = [], time.monotonic(), None
    try:
        work(done)
    except Exception:  # whatever went wrong is what the test wants to know
        why = traceback.format_exc() + "\n" + journal()
    results.append({"chapter": name, "why": why, "done": done, "seconds": round(time.monotonic() - began, 1)})
    return why is None


def main(host, old, new):
    chapters.prepare(host, old, new)
    results = []
    with open("/opt/fleet/RUNBOOK.md", encoding="utf-8") as file:
        wanted = [chapter for chapter in book.read(file.read()) if chapters.is_for(chapter, host)]
    for chapter in wanted:
        if not attempt(chapter.anchor, lambda done, this=chapter: read_chapter(this, host, old, new, done), results):
            return results
    for name, claim in installed.CLAIMS.items() if host == "host" else ():
        if not attempt(name, lambda done, this=claim: this().judge(), results):
            return results
    return results


if __name__ == "__main__":
    try:
        result = {"chapters": main(*sys.argv[1:])}
    except Exception:
        result = {"chapters": [], "why": traceback.format_exc() + journal()}
    with open("/var/log/fleet.json.new", "w", encoding="utf-8") as out:
        json.dump(result, out)
    os.rename("/var/log/fleet.json.new", "/var/log/fleet.json")
