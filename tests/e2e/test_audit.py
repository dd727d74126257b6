"""The audit trail: every event that docs/audit.md lists is provoked once and seen, with what it is to say and nothing else."""
import concurrent.futures
import glob
import json
import os
import pwd
import re
import subprocess
from collections import Counter

import pytest
import requests

from administration import Desk
from conftest import BUILD, QUICK, ROOT
from outside import ASSERTION_TYPE, Signer, jwks
from person import request_for, token_request
from pushing import push
from registration import METADATA, Registrar
from server_process import Home, wait_until
from test_device import Device, decide, new_device_client, through_sign_in, type_code
from test_tokens import claims_of
from token_process import OwnProcess
from visitor import PASSWORD, SCOPES, Visitor, new_client, new_user

NEW_PASSWORD = "quite another password"
LIMITS = {"op-auth.account_guesses": "2", "op-token.client_secret_failures": "2", "op-token.client_assertions": "1", "op-auth.pushed_requests": "1",
          "op-async.device_client_requests": "3", "all.user_code_guesses": "2", "op-management.registration": "open",
          "op-management.registration_limit": "1", "op-management.registration_updates": "1", "all.lost_answer_window": "1s",
          "all.race_window": "1s"}
EVERY = {"time", "server", "event"}
SOMETHING = object()  # a value that is made up


class Trail:
    """The files of an installation's trail."""

    def __init__(self, directory):
        self.directory, self.read = directory, {}

    def new(self):
        """What was written since the last call, in the order of time."""
        found = []
        for path in sorted(glob.glob(os.path.join(self.directory, "*.jsonl"))):
            with open(path, "rb") as file:
                file.seek(self.read.get(path, 0))
                data = file.read()
            assert data == b"" or data.endswith(b"\n")
            self.read[path] = self.read.get(path, 0) + len(data)
            lines = [json.loads(line) for line in data.decode("ascii").splitlines()]
            assert {line["server"] for line in lines} <= {os.path.basename(path).removesuffix(".jsonl")}
            found += lines
        return sorted(found, key=lambda line: line["time"])


def agrees(line, expected):
    """The fields that an event has are these and no others; those of the request are in every line of one."""
    of_request = {"request_id", "trace_id", "address"} if expected.get("address") else set()
    if set(line) != EVERY | of_request | set(expected):
        return False
    return all(value is SOMETHING and line[name] or line[name] == value for name, value in expected.items())


class World:
    """An installation with low limits, people and clients, and what of theirs is secret."""

    def __init__(self, partita):
        self.partita, self.trail = partita, Trail(os.path.join(partita.dir, "audit"))
        self.seen, self.secrets = Counter(), [PASSWORD, NEW_PASSWORD]
        self.people = {name: self.person(name) for name in ("ann", "ben", "disabled", "victim", "device", "leaver")}
        self.client = self.keep(new_client(partita, "--rotate", "yes"))
        self.other = self.keep(new_client(partita))
        self.trail.new()

    def person(self, name):
        """Named by a mail address, as many providers have it: neither it nor the name may be in any line."""
        name = f"{name}@secret-address.example"
        self.secrets.append(name)
        user = self.partita.add_user(name, PASSWORD, claims=["email=" + name])
        visitor = Visitor(self.partita, name)
        visitor.user_id = user["user_id"]
        return visitor

    def keep(self, client):
        self.secrets += [client[name] for name in ("client_secret", "registration_access_token", "initial_access_token") if client.get(name)]
        return client

    def keep_tokens(self, tokens):
        self.secrets += [tokens[name] for name in ("access_token", "refresh_token", "id_token") if tokens.get(name)]
        return tokens

    def keep_cookies(self):
        for visitor in self.people.values():
            self.secrets += [cookie.value for cookie in visitor.http.cookies]

    def expect(self, server, event, **fields):
        return {"server": server, "event": event, **fields}

    def during(self, action, *expected):
        """Runs action: these lines, each once, and no others. Returns what action returns."""
        self.keep_cookies()
        stray = self.trail.new()
        assert stray == [], f"nobody did this: {stray}"
        result = action()
        self.see(self.trail.new(), expected)
        return result

    def see(self, lines, expected):
        left = list(lines)
        for line in expected:
            match = next((one for one in left if agrees(one, line)), None)
            assert match, f"no {line} in {lines}"
            left.remove(match)
            self.seen[line["event"]] += 1
        assert left == [], f"not expected: {left}"

    def token(self, client, **form):
        return token_request(self.partita, client, **form)

    def tokens(self, visitor, client, scope="openid"):
        """Tokens by a code, without a look at the trail."""
        seen = visitor.go_on(visitor.ask(client, scope=scope))
        self.secrets.append(seen.answer["code"])
        answer = self.redeem(visitor, client, seen)
        self.trail.new()
        return self.keep_tokens(answer.json())

    def redeem(self, visitor, client, seen):
        return self.token(client, grant_type="authorization_code", code=seen.answer["code"], code_verifier=visitor.verifier,
                          redirect_uri=client["redirect_uris"][0])


HERE = "127.0.0.1"


def sign_ins(world):
    def failure(reason, **more):
        return world.expect("op-auth", "sign_in_failed", reason=reason, address=HERE, **more)
    partita, ann, ben, victim = world.partita, world.people["ann"], world.people["ben"], world.people["victim"]
    world.during(ann.enter, world.expect("op-auth", "signed_in", user_id=ann.user_id, sid=SOMETHING, address=HERE))
    ben.enter()
    world.trail.new()
    partita.opctl("user", "disable", world.people["disabled"].username)
    bare = partita.opctl("user", "add", "bare", "--no-password")["user_id"]
    world.trail.new()
    world.during(lambda: Visitor(partita, "nobody-is-called@so.example").enter(), failure("unknown_account"))
    world.secrets.append("nobody-is-called@so.example")
    world.during(world.people["disabled"].enter, failure("disabled_account", user_id=world.people["disabled"].user_id))
    world.during(lambda: Visitor(partita, "bare").enter(), failure("no_password", user_id=bare))
    for _ in range(2):
        world.during(lambda: victim.fill_in(victim.get("/account"), password="a wrong password"), failure("wrong_password", user_id=victim.user_id))
    world.during(lambda: victim.fill_in(victim.get("/account")), world.expect("op-auth", "sign_in_throttled", address=HERE))


def consents_and_codes(world):
    ann, client = world.people["ann"], world.client
    about = {"client_id": client["client_id"], "user_id": ann.user_id, "sid": SOMETHING, "address": HERE}
    page = world.during(lambda: ann.ask(client, scope=SCOPES))
    seen = world.during(lambda: ann.decide(page, "allow"), world.expect("op-auth", "consent_granted", **about))
    world.secrets.append(seen.answer["code"])
    tokens = world.keep_tokens(world.during(lambda: world.redeem(ann, client, seen)).json())
    world.during(lambda: world.redeem(ann, client, seen), world.expect("op-token", "code_replayed", object=SOMETHING, **about))
    assert world.token(client, grant_type="refresh_token", refresh_token=tokens["refresh_token"]).status_code == 400
    world.trail.new()
    denied = ann.ask(world.other)
    world.during(lambda: ann.decide(denied, "deny"), world.expect("op-auth", "consent_denied", **{**about, "client_id": world.other["client_id"]}))
    world.during(lambda: ann.send(ann.get("/account"), "withdraw", client_id=client["client_id"]),
                 world.expect("op-auth", "consent_withdrawn", user_id=ann.user_id, client_id=client["client_id"], address=HERE))


def tokens_stolen_and_revoked(world):
    ben, client = world.people["ben"], world.client
    about = {"client_id": client["client_id"], "user_id": ben.user_id, "sid": SOMETHING, "object": SOMETHING, "address": HERE}
    first = world.tokens(ben, client, SCOPES)
    second = world.keep_tokens(world.token(client, grant_type="refresh_token", refresh_token=first["refresh_token"]).json())
    world.keep_tokens(world.token(client, grant_type="refresh_token", refresh_token=second["refresh_token"]).json())
    world.during(lambda: wait_until(lambda: world.token(client, grant_type="refresh_token", refresh_token=first["refresh_token"]).status_code == 400, 20),
                 world.expect("op-token", "refresh_token_replayed", **about))

    def revoke(token):
        return requests.post(world.partita.issuer + "/revoke", {"token": token}, auth=(client["client_id"], client["client_secret"]),
                             verify=world.partita.verify, timeout=20)
    third = world.tokens(ben, client, SCOPES)
    world.during(lambda: revoke(third["refresh_token"]), world.expect("op-management", "token_revoked", reason="family", **about))
    world.during(lambda: revoke(third["refresh_token"]))
    world.during(lambda: revoke("no-token-of-ours"))


def accounts(world):
    ann, ben = world.people["ann"], world.people["ben"]
    there = Visitor(world.partita, ben.username)
    sid = claims_of(world.tokens(there, world.client)["id_token"])["sid"]
    world.during(lambda: ben.send(ben.get("/account"), "end-session", sid=sid),
                 world.expect("op-auth", "session_ended", user_id=ben.user_id, sid=sid, address=HERE))
    world.during(lambda: ben.send(ben.get("/account"), "sign-out-everywhere"),
                 world.expect("op-auth", "signed_out_everywhere", user_id=ben.user_id, address=HERE))

    def change(current, new=NEW_PASSWORD):
        return lambda: ann.send(ann.get("/account"), "password", {"current": current, "new": new, "repeat": new})
    about = {"user_id": ann.user_id, "address": HERE}
    world.during(change("a wrong password"), world.expect("op-auth", "password_change_failed", reason="wrong_password", **about))
    world.during(change(PASSWORD), world.expect("op-auth", "password_changed", **about))
    for _ in range(2):
        change("a wrong password")()
    world.trail.new()
    world.during(change(NEW_PASSWORD, PASSWORD), world.expect("op-auth", "password_change_failed", reason="throttled", **about))
    leaver = world.people["leaver"]
    leaver.enter()
    world.trail.new()
    world.during(lambda: leaver.send(leaver.get("/logout"), "logout"),
                 world.expect("op-auth", "signed_out", user_id=leaver.user_id, sid=SOMETHING, address=HERE))


def client_authentication(world):
    def failure(reason, **more):
        return world.expect("op-token", "client_authentication_failed", reason=reason, address=HERE, **more)

    def ask(client_id, **form):
        return lambda: requests.post(world.partita.issuer + "/token", {"grant_type": "client_credentials", "client_id": client_id, **form},
                                     verify=world.partita.verify, timeout=20)
    known = {"client_id": world.other["client_id"]}
    for _ in range(2):
        world.during(ask(world.other["client_id"], client_secret="wrong"), failure("wrong_credentials", **known))
    world.during(ask(world.other["client_id"], client_secret="wrong"), world.expect("op-token", "client_throttled", address=HERE, **known))
    world.during(ask("somebody@secret-address.example", client_secret="x"), failure("unknown_client"))
    disabled = world.keep(world.partita.opctl("client", "add", "--name", "Gone", "--grant", "client_credentials"))
    world.partita.opctl("client", "disable", disabled["client_id"])
    world.trail.new()
    world.during(ask(disabled["client_id"], client_secret=disabled["client_secret"]), failure("disabled_client", client_id=disabled["client_id"]))
    signer, stranger = Signer(), Signer()
    path = os.path.join(world.partita.dir, "keys.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(jwks(signer), file)
    machine = world.partita.opctl("client", "add", "--name", "Machine", "--grant", "client_credentials", "--auth-method", "private_key_jwt",
                                  "--jwks", path)["client_id"]
    world.trail.new()

    def assertion(key):
        form = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": key.assertion(machine, world.partita.issuer + "/token")}
        world.secrets.append(form["client_assertion"])
        return ask(machine, **form)
    world.during(assertion(stranger), failure("a wrong signature", client_id=machine))
    world.during(assertion(signer))
    world.during(assertion(signer), world.expect("op-token", "client_assertions_throttled", client_id=machine, address=HERE))


def pushes(world):
    client = world.keep(new_client(world.partita))
    world.trail.new()

    def one():
        return push(world.partita, client, request_for(client["client_id"], client["redirect_uris"][0])[0])
    world.secrets.append(world.during(one).json()["request_uri"].rpartition(":")[2])
    world.during(one, world.expect("op-auth", "pushes_throttled", client_id=client["client_id"], address=HERE))


def devices(world):
    person, client = world.people["device"], new_device_client(world.partita)
    person.enter()
    world.trail.new()
    about = {"client_id": client["client_id"], "user_id": person.user_id, "sid": SOMETHING, "address": HERE}
    allowed, denied, _ = [world.during(lambda: Device(world.partita, client)) for _ in range(3)]
    world.secrets += [code for device in (allowed, denied) for code in (device.device_code, device.user_code, device.user_code.replace("-", ""))]
    world.during(lambda: requests.post(world.partita.issuer + "/device_authorization", {"client_id": client["client_id"], "scope": "openid"}, timeout=20),
                 world.expect("op-async", "device_requests_throttled", client_id=client["client_id"], address=HERE))
    page = world.during(lambda: through_sign_in(person, type_code(person, allowed.user_code)))
    world.during(lambda: decide(person, page), world.expect("op-auth", "consent_granted", **about), world.expect("op-auth", "device_approved", **about))
    page = world.during(lambda: through_sign_in(person, type_code(person, denied.user_code)))
    world.during(lambda: decide(person, page, "deny"), world.expect("op-auth", "device_denied", **about))
    for _ in range(2):
        world.during(lambda: type_code(person, "BBBB-BBBB"))
    world.during(lambda: type_code(person, "BBBB-BBBB"), world.expect("op-async", "user_codes_throttled", address=HERE))
    world.during(lambda: person.get("/device/approve", user_code="BBBB-BBBB"),
                 world.expect("op-auth", "user_codes_throttled", user_id=person.user_id, address=HERE))


def registrations(world):
    def line(event, **more):
        return world.expect("op-management", event, address=HERE, **more)
    registrar, stranger = Registrar(world.partita), Registrar(world.partita, "no-initial-access-token-of-ours")
    client = world.keep(world.during(registrar.register, line("client_registered", client_id=SOMETHING)))
    about = {"client_id": client["client_id"]}

    def update(name):
        return lambda: registrar.manage("PUT", client, {**METADATA, "client_id": client["client_id"], "client_name": name})
    world.during(lambda: registrar.manage("GET", client))
    world.during(update("Other"), line("client_changed", **about))
    world.during(update("Another"), line("registration_updates_throttled", **about))
    world.during(lambda: registrar.manage("GET", client, token="wrong-token"), line("registration_refused", reason="registration_access_token"))
    world.during(lambda: registrar.manage("DELETE", client), line("client_deleted", **about))
    world.during(stranger.post, line("registration_refused", reason="initial_access_token"))
    anybody = Registrar(world.partita, "")
    world.keep(world.during(anybody.register, line("client_registered", client_id=SOMETHING)))
    world.during(anybody.post, line("registration_throttled"))
    world.secrets += ["no-initial-access-token-of-ours", "wrong-token"]


def administration(world):
    desk, reader = Desk(world.partita), Desk.of(world.partita, "users:read")
    for each in (desk, reader):
        world.keep(each.client)
        world.secrets.append(each.token)
    user_id, actor = world.people["victim"].user_id, "client:" + desk.client["client_id"]
    world.trail.new()

    def line(operation, **more):
        return world.expect("op-management", "administration", operation=operation, actor=actor, address=HERE, **more)
    world.during(lambda: desk.get("/users/" + user_id))
    world.during(lambda: desk.change("/users/" + user_id, {"state": "disabled", "claims": {"email": "new@secret-address.example"}}),
                 line("user_disable", user_id=user_id, object=user_id, changed="state=disabled claims", result="done"))
    body = {"username": "new@secret-address.example", "password": PASSWORD}
    world.secrets.append(body["username"])
    world.during(lambda: desk.ok("POST", "/users", body, 201),
                 line("user_add", user_id=SOMETHING, object=SOMETHING, changed="username password", result="done"))
    world.during(lambda: desk.ok("POST", "/users", body, 409), line("user_add", changed="username password", result="failed", reason="already_exists"))
    world.during(lambda: desk.remove("/users/nobody@secret-address.example", status=404), line("user_remove", result="failed", reason="not_found"))
    world.during(lambda: desk.ok("POST", "/clients", {"client_name": "By API", "redirect_uris": ["https://rp.example/cb"]}, 201),
                 line("client_add", client_id=SOMETHING, object=SOMETHING, changed="client_name redirect_uris", result="done"))

    def refusal(reason, **more):
        return world.expect("op-management", "administration_refused", operation="user_add", reason=reason, address=HERE, **more)
    world.during(lambda: requests.post(desk.root + "/users", json=body, verify=desk.verify, timeout=20), refusal("no_token"))
    world.during(lambda: desk.call("POST", "/users", body, token="x.y.z"), refusal("invalid_token"))
    world.during(lambda: reader.call("POST", "/users", body), refusal("insufficient_scope", actor="client:" + reader.client["client_id"]))
    world.during(lambda: world.partita.opctl("user", "enable", world.people["disabled"].username), world.expect(
        "opctl", "administration", operation="user_enable", actor=SOMETHING, user_id=world.people["disabled"].user_id, result="done"))


def keys(world):
    def line(event, state, reason):
        return [world.expect("op-discovery", event, object=SOMETHING, changed=f"alg={alg} state={state}", reason=reason) for alg in ("RS256", "ES256")]

    def rotate(*options, expected):
        lines = world.trail.new()
        assert lines == []
        world.partita.opctl("key", "rotate", *options)
        lines = []

        def all_there():
            lines.extend(world.trail.new())
            return len(lines) >= len(expected) + 1
        wait_until(all_there, 20, lambda: str(lines))
        changed = {"changed": options[0].strip("-")} if options else {}
        world.see(lines, [world.expect("opctl", "administration", operation="key_rotate", actor=SOMETHING, result="done", **changed), *expected])
    rotate(expected=line("key_retired", "retired", "asked") + line("key_rotated", "current", "asked") + line("key_made", "next", "asked"))
    rotate("--now", expected=3 * line("key_deleted", "deleted", "leaked") + line("key_made", "current", "leaked") + line("key_made", "next", "leaked"))


def strangers_without_end(world):
    """Beyond its bound an event is counted; and a process says when it begins and when it ends."""
    own = OwnProcess(world.partita, "op-management", "all.audit_failures=3")
    began = world.expect("op-management", "started", object=SOMETHING)
    world.see(world.trail.new(), [began])
    connection = own.connect()
    refusal = world.expect("op-management", "administration_refused", operation="user_list", reason="no_token")
    for _ in range(5):
        connection.send(b"GET /admin/v1/users HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.answer()[0] == 401
    own.close()
    lines = world.trail.new()
    for line in lines:
        line.pop("request_id", None), line.pop("trace_id", None)  # by a Unix socket there is no address
    world.see(lines, 3 * [refusal] + [world.expect("op-management", "lines_left_out", object="2", reason="administration_refused"),
                                      world.expect("op-management", "ended")])


TAMPER = """
import struct, sys
with open(sys.argv[1], "r+b", buffering=0) as file:
    file.seek(48)
    before = struct.unpack("<Q", file.read(8))[0]
    file.seek(48)
    file.write(struct.pack("<Q", before - 2))
"""


def tampered_lock(world):
    user = pwd.getpwnam("op-userinfo")
    path = os.path.join(world.partita.info["state_dir"], "tokens", "lock.mdb")
    ann = world.people["device"]
    seen = ann.go_on(ann.ask(world.client, scope=SCOPES))
    world.secrets.append(seen.answer["code"])
    world.trail.new()
    subprocess.run(["/usr/bin/python3", "-c", TAMPER, path], user=user.pw_uid, group=user.pw_gid,
                   extra_groups=os.getgrouplist("op-userinfo", user.pw_gid), check=True)
    world.during(lambda: world.redeem(ann, world.client, seen), world.expect("op-token", "store_broken", object="tokens", reason=SOMETHING))


PARTS = [sign_ins, consents_and_codes, tokens_stolen_and_revoked, accounts, client_authentication, pushes, devices, registrations, administration,
         keys, strangers_without_end, tampered_lock]


@pytest.fixture(scope="module")
def world(start_partita):
    partita = start_partita(*QUICK[:6], *(word for name, value in LIMITS.items() for word in ("--set", f"{name}={value}")))
    return World(partita)


def events():
    said = subprocess.run([os.path.join(BUILD, "opctl", "opctl"), "audit", "events", "--json"], capture_output=True, text=True, check=True)
    return [row["event"] for row in json.loads(said.stdout)]


def test_every_event_is_seen_and_no_secret(world):
    for part in PARTS:
        part(world)
    assert sorted(world.seen) == sorted(events()), "an event that nobody provokes"
    world.keep_cookies()
    written = ""
    for path in glob.glob(os.path.join(world.partita.dir, "audit", "*")) + glob.glob(os.path.join(world.partita.dir, "log", "*@*.log")):
        with open(path, encoding="utf-8", errors="replace") as file:
            written += file.read()
    assert len(set(world.secrets)) > 60 and len(written) > 10000
    assert [secret for secret in set(world.secrets) if secret in written] == []


def test_a_trail_that_is_rotated_goes_on(world, tmp_path):
    """The shipped configuration of logrotate, also where the files are append-only."""
    with open(os.path.join(ROOT, "deploy/debian/partita-common.logrotate"), encoding="utf-8") as file:
        text = file.read().replace("/var/log/partita/audit", os.path.join(world.partita.dir, "audit"))
    conf, path = tmp_path / "logrotate.conf", os.path.join(world.partita.dir, "audit", "op-auth.jsonl")
    conf.write_text(text)
    before, old = os.stat(path), os.path.getsize(path)
    append_only = subprocess.run(["chattr", "+a", path], capture_output=True, check=False).returncode == 0  # not on every file system
    try:
        subprocess.run(["logrotate", "--force", "--state", str(tmp_path / "state"), str(conf)], check=True)
        world.trail.read.clear()
        after = os.stat(path)
        assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
        assert after.st_ino != before.st_ino and after.st_size == 0 and os.path.getsize(path + ".1") == old
        flags = subprocess.run(["lsattr", "-d", path], capture_output=True, text=True, check=False).stdout.partition(" ")[0]
        assert ("a" in flags) == append_only
        Visitor(world.partita, "nobody").enter()
        assert [line["event"] for line in world.trail.new() if line["server"] == "op-auth"] == ["sign_in_failed"]
        assert os.path.getsize(path + ".1") == old
    finally:
        subprocess.run(["chattr", "-a", path, path + ".1"], capture_output=True, check=False)


def test_a_trail_that_cannot_be_opened_stops_the_start_and_opctl():
    home = Home()
    try:
        nowhere = os.path.join(home.dir, "nowhere")
        done = home.run("op-userinfo", "--set", "all.audit_dir=" + nowhere, "--listen", f"unix:{home.dir}/x.sock")
        line = json.loads(done.stderr.strip().splitlines()[-1])
        assert done.returncode == 1 and line["event"] == "start_failed"
        assert nowhere + "/op-userinfo.jsonl cannot be opened: No such file or directory" in line["why"]

        def opctl(*words, directory=nowhere):
            return subprocess.run([os.path.join(BUILD, "opctl/opctl"), "--config", home.conf, "--set", "audit_dir=" + directory, *words],
                                  capture_output=True, text=True, check=False)
        refused = opctl("user", "add", "ann", "--no-password")
        assert refused.returncode == 1 and nowhere + "/opctl.jsonl cannot be opened" in refused.stderr
        assert opctl("user", "list").returncode == 0, "who only looks leaves no line"
        assert opctl("user", "add", "ann", "--no-password", directory="").returncode == 0, "none is wanted"
        assert "cannot be opened" in opctl("rollback", "op-auth").stderr, "and is not stopped by it"
    finally:
        home.close()


# --- opctl ---

LOOKS = {"user list", "user show", "client list", "client show", "registration-token list", "key list", "key show",
         "credential list", "session list", "session show", "family list", "family show", "consent list", "consent show", "outbox list", "outbox show", "status", "top",
         "metrics", "audit events", "manual", "completion"}


def lines_of_commands(home):
    """[those that may be run at the same time, ...]; of each the words, whether it is to be done, and what its line says."""
    users = {name: home.opctl("user", "add", name, "--no-password")["user_id"] for name in ("ann", "bea", "cat", "dan", "eve", "fay", "gus")}
    clients = [home.opctl("client", "add", "--name", "A", "--grant", "client_credentials")["client_id"] for _ in range(5)]
    token = home.opctl("registration-token", "add")["id"]
    for name, text in (("users", '[{"username": "imported@secret-address.example"}]'), ("none", "[")):
        with open(os.path.join(home.dir, name + ".json"), "w", encoding="utf-8") as file:
            file.write(text)

    def of(name, **more):
        return {"user_id": users[name], **more}
    bob = "bob@secret-address.example"
    return [[
        (f"user add {bob} --no-password --email {bob}", True, {"user_id": SOMETHING, "changed": "email no-password"}),
        ("user add ann --no-password", False, {"changed": "no-password"}),
        ("user change ann --given-name Ann", True, of("ann", changed="given-name")),
        ("user password bea --generate", True, of("bea", changed="generate")),
        ("user disable cat", True, of("cat")), ("user enable dan", True, of("dan")), ("user remove eve", True, of("eve")),
        ("user remove nobody@secret-address.example", False, {}),
        ("session end --user fay", True, of("fay", changed="user")), ("family revoke --user gus", True, of("gus", changed="user")),
        (f"consent withdraw fay {clients[0]}", False, of("fay", client_id=clients[0])),
        ("client add --name B --grant client_credentials", True, {"client_id": SOMETHING, "changed": "name grant=client_credentials"}),
        (f"client change {clients[0]} --introspection yes", True, {"client_id": clients[0], "changed": "introspection=yes"}),
        *[(f"client {verb} {client}", True, {"client_id": client}) for verb, client in zip(("secret", "disable", "enable", "remove"), clients[1:])],
        ("registration-token add --uses 2", True, {"object": SOMETHING, "changed": "uses"}),
        (f"registration-token revoke {token}", True, {"object": token}),
        ("key rotate --now", True, {"changed": "now"}),
        ("outbox retry --dead", True, {"changed": "dead"}), ("outbox drop --dead", True, {"changed": "dead"}),
        ("sweep codes", True, {"object": "codes"}),
        (f"import {home.dir}/users.json --existing skip", True, {"object": home.dir + "/users.json", "changed": "existing=skip"}),
        (f"import {home.dir}/none.json", False, {"object": home.dir + "/none.json"}),
        (f"credential export {home.dir}/keys", False, {"object": home.dir + "/keys"}),
        (f"credential import {home.dir}/keys", False, {"object": home.dir + "/keys"}),
        (f"credential make seal-key --dir {home.dir}/nowhere/at/all", False, {"object": "seal-key", "changed": "dir"}),
        ("deploy op-none 1.0", False, {"object": "op-none 1.0"}), ("rollback op-none", False, {"object": "op-none"}),
        ("scale op-none 2", False, {"object": "op-none 2"}),
    ], [("revoke-all", True, {}), (f"backup {home.dir}/saved", True, {"object": home.dir + "/saved"})],
        [("check --repair", True, {"changed": "repair"})], [("migrate --apply", True, {"changed": "apply"})],
        [("init --unowned", True, {"changed": "unowned"})],
        [(f"restore {home.dir}/saved --unowned --keep-families", True, {"object": home.dir + "/saved", "changed": "keep-families unowned"})]]


def looks(home):
    return ["user list", "user show ann", "client list", "key list", "credential list", "session list", "family list", "consent list", "outbox list",
            "check", "migrate --dry-run", f"import {home.dir}/users.json --dry-run", f"backup {home.dir}/saved --verify",
            "deploy op-auth 1.0 --dry-run", "audit events", "user frobnicate", "user add", "user change ann --no-such-option", "--version"]


def run(home, line):
    return subprocess.run([os.path.join(BUILD, "opctl/opctl"), "--config", home.conf, *line.split()], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=60, check=False)


def test_every_command_that_changes_something_leaves_a_line():
    home = Home()
    trail, known = Trail(os.path.join(home.dir, "audit")), set(LOOKS)
    try:
        phases = lines_of_commands(home)
        trail.new()
        for phase in phases:
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                ended = list(pool.map(lambda row: run(home, row[0]), phase))
            left = trail.new()
            for (line, succeeds, fields), done in zip(phase, ended):
                assert (done.returncode == 0) == succeeds and "audit" not in done.stderr, (line, done.stderr)
                words = command_of(line)
                known.add(" ".join(words))
                result = {"result": "done"} if succeeds else {"result": "failed", "reason": f"exit status {done.returncode}"}
                want = {"event": "administration", "server": "opctl", "actor": SOMETHING, **result, **fields,
                        "operation": "_".join(words).replace("-", "_")}
                match = next((one for one in left if agrees(one, want)), None)
                assert match, (line, want, left)
                left.remove(match)
            assert left == []
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda line: run(home, line), looks(home)))
        assert trail.new() == [], "who only looks leaves no line"
        with open(os.path.join(home.dir, "audit", "opctl.jsonl"), encoding="utf-8") as file:
            assert "secret-address" not in file.read()
        assert known == every_command(), "a command that this test does not know"
    finally:
        home.close()


def command_of(line):
    """Noun and verb, or the noun that is the whole."""
    words = line.split()
    return words[:2] if words[0] in NOUNS else words[:1]


def every_command():
    """As opctl's manual has them."""
    text = subprocess.run([os.path.join(BUILD, "opctl/opctl"), "manual"], capture_output=True, text=True, check=True).stdout
    return {found[1] for found in re.finditer(r"^\.SS opctl ([a-z-]+(?: [a-z-]+)?)(?= |$)", text.replace("\\-", "-"), re.M)}


NOUNS = {"user", "client", "registration-token", "key", "session", "family", "consent", "outbox", "credential", "audit"}
