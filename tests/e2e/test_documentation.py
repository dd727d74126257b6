"""The documentation against the programs: its commands are run as they stand, and what it names is there.

A block that begins with ```sh is run by bash, all blocks of a page in one shell, with ISSUER, SOCKETS, AUDIT and CONFIG set and the
programs in PATH. A ```json or ```text block right after it is what it prints: the same members, and
values where they are not made up, or the same lines, where ... stands for anything. Where a block reads an answer, the person at the browser gives it. A ```ini block is
configuration that every server accepts."""
import glob
import json
import os
import re
import select
import shlex
import subprocess
import textwrap
import time

import pytest
import requests

from conftest import ROOT
from visitor import PASSWORD, Visitor

SERVERS = ["op-discovery", "op-auth", "op-token", "op-userinfo", "op-management", "op-async"]
PAGES = {os.path.relpath(path, ROOT): None for path in [ROOT + "/README.md", *sorted(glob.glob(ROOT + "/docs/*.md"))]}
LEANS_ON = {"docs/op-userinfo.md": ["docs/op-token.md"], "docs/op-management.md": ["docs/op-token.md"]}  # it says so
DONE = "the block is done:"


def read_page(page):
    with open(os.path.join(ROOT, page), encoding="utf-8") as file:
        return file.read()


def blocks(page):
    """[(command, (kind, text) of what it prints or None), ...]"""
    found = []
    for _, kind, text in re.findall(r"^( *)```([a-z]+)\n(.*?)^\1```$", read_page(page), re.M | re.S):
        text = textwrap.dedent(text)
        if kind == "sh":
            found.append((text, None))
        elif kind in ("json", "text"):
            assert found and found[-1][1] is None, f"{page}: what prints this? {text}"
            found[-1] = (found[-1][0], (kind, text))
        else:
            assert kind == "ini", f"{page}: a block of {kind}"
    return found


def configurations(page):
    return re.findall(r"^```ini\n(.*?)^```$", read_page(page), re.M | re.S)


class Reader:
    """Somebody who follows a page in a terminal, with a browser beside it."""

    def __init__(self, partita, directory):
        self.partita, self.person, self.seen = partita, Visitor(partita), ""
        self.person.username, self.person.password = partita.info["user"]["username"], partita.info["user"]["password"]
        programs = os.path.join(directory, "programs")
        os.mkdir(programs)
        self.wrap(os.path.join(programs, "opctl"), partita.info["opctl"])
        installed = os.path.dirname(partita.info["opctl"][0])
        for server in SERVERS:
            self.wrap(os.path.join(programs, server), [os.path.join(installed, server)])
        self.directory, self.errors = directory, open(os.path.join(directory, "errors"), "w+", encoding="utf-8")
        end, self.commands = os.pipe()
        environment = {"PATH": programs + ":" + os.environ["PATH"], "HOME": directory, "ISSUER": partita.issuer, "AUDIT": os.path.join(partita.dir, "audit"),
                       "SOCKETS": os.path.join(os.path.dirname(partita.info["servers"][0]["socket"]), "admin"),
                       "CONFIG": partita.info["opctl"][partita.info["opctl"].index("--config") + 1],
                       **{name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS")}}
        self.shell = subprocess.Popen(["bash", f"/dev/fd/{end}"], cwd=directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=self.errors, pass_fds=[end], env=environment, bufsize=0)
        os.close(end)

    @staticmethod
    def wrap(path, command):
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o755), "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')

    def run(self, block):
        """What the block printed."""
        path = os.path.join(self.directory, "block")
        with open(path, "w", encoding="utf-8") as file:
            file.write(block)
        os.write(self.commands, f"source {path}\nprintf '\\n%s %d\\n' '{DONE}' $?\n".encode())
        printed, deadline = "", time.monotonic() + 60
        if "opctl user add" in block:
            self.answer(PASSWORD)
        if "read -r" in block:
            self.answer(self.look_at_the_browser())
        while True:
            assert select.select([self.shell.stdout], [], [], max(0, deadline - time.monotonic()))[0], f"it waits: {block}\n{printed}"
            some = os.read(self.shell.stdout.fileno(), 65536).decode()
            assert some, f"the shell has ended: {block}\n{self.told()}"
            printed += some
            self.seen += some
            done = re.search(rf"\n{DONE} (\d+)\n$", printed)
            if done:
                assert done[1] == "0", f"{block}\nended with {done[1]}: {printed}\n{self.told()}"
                return printed[:done.start()]

    def look_at_the_browser(self):
        """Opens the last address that was printed, and does what a person does there."""
        address = re.findall(re.escape(self.partita.issuer) + r"/(?:authorize|device)\?[^\s\"]+", self.seen)[-1]
        seen = self.person.get(address.removeprefix(self.partita.issuer))
        for _ in range(4):
            if seen.kind == "device":
                seen = self.person.send(seen, "device")
            elif seen.kind == "approve":
                seen = self.person.send(seen, "approve", button=("decision", "allow"))
            else:
                seen = self.person.go_on(seen)
        assert seen.kind == "code" if seen.away else seen.status == 200, seen.away or seen.text
        return seen.away or ""

    def answer(self, line):
        os.write(self.shell.stdin.fileno(), (line + "\n").encode())

    def told(self):
        self.errors.seek(0)
        return self.errors.read()

    def close(self):
        self.shell.stdin.close()
        os.close(self.commands)
        self.shell.stdout.close()
        self.shell.wait(10)
        self.errors.close()


def metrics_of(partita, server):
    """The names of what the instances of a server tell."""
    return set().union(*(metrics_at(each["admin_socket"]) for each in partita.info["servers"] if each["name"] == server))


def metrics_at(path):
    """/.metrics, read strictly: a metric's lines stand together, with HELP and TYPE."""
    done = subprocess.run(["curl", "-sf", "--unix-socket", path, "http://localhost/.metrics"], capture_output=True, text=True, check=True)
    found, name = {}, None
    for line in done.stdout.splitlines():
        head = re.fullmatch(r"# (HELP|TYPE) (\w+) (.+)", line)
        if head and head[1] == "HELP":
            name = head[2]
            assert name not in found, f"{name} comes twice"
            found[name] = 0
        elif head:
            assert head[2] == name and head[3] in ("counter", "gauge", "histogram"), line
        else:
            sample = re.fullmatch(r'(\w+?)(_bucket|_sum|_count)?(\{\w+="[^"]*"(?:,\w+="[^"]*")*\})? [0-9.e+-]+', line)
            assert sample and name in (sample[1], sample[1] + (sample[2] or "")), line
            found[name] += 1
    assert all(found.values())
    return set(found)


def metrics_in(page):
    return set(re.findall(r"`(partita_\w+)`", read_page(page)))


def test_every_metric_that_is_named_is_there(partita):
    """And every one that is there is named, if not of all servers then on the page of its own; some show only where there is
    something to say, such as those of writing in a server that writes nothing."""
    for path in ("/token", "/userinfo", "/introspect", "/authorize", "/device", "/.well-known/jwks.json"):
        requests.get(partita.issuer + path, timeout=20)  # so that each server has answered something
    shown = {server: metrics_of(partita, server) for server in SERVERS}
    of_all = metrics_in("docs/monitoring.md")
    assert of_all - shown["op-token"] == {"partita_up"}, "which opctl adds"
    for server in SERVERS:
        assert metrics_in(f"docs/{server}.md") == shown[server] - of_all


def commands_in(page):
    """What opctl is given, in running text and in blocks: lines go on after a backslash, words in capitals are the reader's."""
    text = read_page(page).replace("\\\n", " ")
    return re.findall(r"(?:`|^ *|\()(opctl [^`\n|>)]*)", text, re.M)


@pytest.mark.parametrize("page", [page for page in PAGES if commands_in(page)])
def test_every_verb_of_opctl_that_is_named_is_there(partita, page):
    known = subprocess.run([*partita.info["opctl"], "--help"], capture_output=True, text=True, check=True).stdout
    for command in commands_in(page):
        words = [word for word in command.split()[1:] if word != "--json"]
        verb = " ".join(words[:2]) if re.search(rf"^  {re.escape(' '.join(words[:2]))}\b", known, re.M) else words[0]
        assert re.search(rf"^  {re.escape(verb)}\b", known, re.M), command
        told = subprocess.run([*partita.info["opctl"], *verb.split(), "--help"], capture_output=True, text=True, check=True).stdout
        for option in re.findall(r" (--[a-z-]+)", command):
            assert f"  {option} " in told, f"{command}: {option}"


@pytest.mark.parametrize("page", [page for page in PAGES if configurations(page)])
def test_every_server_accepts_the_configuration_that_is_shown(partita, tmp_path, page):
    for text in configurations(page):
        with open(tmp_path / "partita.conf", "w", encoding="utf-8") as file:
            file.write("[all]\nissuer = https://op.example\n" + text)
        for server in SERVERS:
            program = os.path.join(os.path.dirname(partita.info["opctl"][0]), server)
            done = subprocess.run([program, "--config", tmp_path / "partita.conf", "--check-config"], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr


def is_like(shown, got, where=""):
    """None, or where JSON differs from what is shown, but for what an example makes up."""
    if type(shown) is not type(got):
        return f"{where} is {got!r}"
    if isinstance(shown, dict):
        if set(shown) != set(got):
            return f"{where}: members {sorted(set(shown) ^ set(got))}"
        return next((found for name in shown if (found := is_like(shown[name], got[name], f"{where}.{name}"))), None)
    if isinstance(shown, list):
        return next((found for one, other in zip(shown, got) if (found := is_like(one, other, where + "[]"))), None)
    made_up = isinstance(shown, str) and (re.search(r"\.\.\.|op\.example|^\d{4}-\d\d-\d\dT", shown) or where == ".user_code") \
        or isinstance(shown, int) and shown > 10**9  # a time
    return f"{where} is {got!r}" if not made_up and shown != got else None


def compare(block, shown, printed):
    kind, text = shown
    if kind == "json":
        difference = is_like(json.loads(text), json.loads(printed))
        assert difference is None, f"{block}\nprints {printed}\n{difference}"
    else:
        pattern = re.escape(text.strip()).replace(r"\.\.\.", ".*")
        assert re.fullmatch(pattern, printed.strip(), re.S), f"{block}\nprints {printed}"


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)])
def test_the_examples(partita, tmp_path, page):
    reader = Reader(partita, str(tmp_path))
    try:
        for before in LEANS_ON.get(page, []):
            for block, _ in blocks(before):
                reader.run(block)
        for block, shown in blocks(page):
            printed = reader.run(block)
            if shown:
                compare(block, shown, printed)
    finally:
        reader.close()
