"""The operator's command by itself, on environments of its own: every verb, and what it refuses."""
import grp
import json
import os
import pty
import re
import shutil
import select
import stat
import subprocess
import time

import pytest

from conftest import BUILD, ROOT

OPCTL = os.path.join(BUILD, "opctl", "opctl")
ISSUER = "https://id.example.org"
PASSWORD = "correct horse battery"
DURABLE = ["keys", "jwks", "clients", "users", "credentials", "sessions", "tokens", "outbox"]
VOLATILE = ["codes", "async", "guard", "remote"]


class Home:
    """A configuration, a state directory and a runtime directory below a directory of its own."""

    def __init__(self, directory, issuer=ISSUER):
        self.dir = str(directory)
        self.conf = os.path.join(self.dir, "partita.conf")
        self.state, self.runtime = os.path.join(self.dir, "state"), os.path.join(self.dir, "run")
        self.configure(issuer)

    def configure(self, issuer, more=""):
        with open(self.conf, "w", encoding="utf-8") as file:
            file.write(f"[all]\nissuer = {issuer}\nstate_dir = {self.state}\nruntime_dir = {self.runtime}\naudit_dir = {self.dir}\n{more}")

    def run(self, *words, stdin=""):
        return subprocess.run([OPCTL, "--config", self.conf, *words], input=stdin, capture_output=True, text=True, timeout=60,
                              check=False)

    def ok(self, *words, stdin=""):
        done = self.run(*words, "--json", stdin=stdin)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def refused(self, *words, stdin="", status=1):
        """The one line that says why."""
        done = self.run(*words, stdin=stdin)
        assert done.returncode == status, (done.stdout, done.stderr)
        assert done.stdout == ""
        assert done.stderr.startswith("opctl: ") and done.stderr.count("\n") == 1, done.stderr
        return done.stderr

    def bytes_of(self, environment):
        with open(os.path.join(self.state, environment, "data.mdb"), "rb") as file:
            return file.read()


@pytest.fixture(name="home")
def fixture_home(tmp_path):
    home = Home(tmp_path)
    home.ok("init", "--unowned")
    home.ok("init", "--unowned", "--volatile")
    return home


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


# --- init ---

def test_init_makes_and_keeps(tmp_path):
    home = Home(tmp_path)
    first = home.ok("init", "--unowned")
    assert first["issuer"] == ISSUER
    assert [e["name"] for e in first["environments"]] == DURABLE and all(e["made"] for e in first["environments"])
    for name in DURABLE:
        assert sorted(os.listdir(os.path.join(home.state, name))) == ["bell", "data.mdb", "lock.mdb"]
        assert mode(os.path.join(home.state, name)) == 0o700 and mode(os.path.join(home.state, name, "data.mdb")) == 0o600
    assert not os.path.exists(home.runtime)
    home.ok("user", "add", "alice", stdin=PASSWORD)
    again = home.ok("init", "--unowned")
    assert not any(e["made"] for e in again["environments"])
    assert home.ok("user", "show", "alice")["username"] == "alice"
    assert [e["name"] for e in home.ok("init", "--unowned", "--volatile")["environments"]] == VOLATILE


def test_init_refuses_another_issuer(home):
    home.configure("https://other.example.org")
    line = home.refused("init", "--unowned")
    assert ISSUER in line and "https://other.example.org" in line
    assert ISSUER in home.refused("user", "list")
    home.configure(ISSUER)
    home.ok("init", "--unowned")


def test_a_refused_init_makes_nothing(tmp_path):
    home = Home(tmp_path)
    home.ok("init", "--unowned")
    subprocess.run(["rm", "-r", os.path.join(home.state, "keys")], check=True)
    home.configure("https://other.example.org")
    home.refused("init", "--unowned")
    assert not os.path.exists(os.path.join(home.state, "keys"))


def test_map_sizes(tmp_path):
    home = Home(tmp_path)
    made = home.ok("init", "--unowned", "--map-size", "clients=64MiB", "--map-size", "users=33554432")
    sizes = {e["name"]: e["map_size"] for e in made["environments"]}
    assert sizes["clients"] == 64 << 20 and sizes["users"] == 32 << 20 and sizes["tokens"] not in (64 << 20, 32 << 20)
    home.ok("init", "--unowned", "--map-size", "clients=64MiB")
    assert "fixed" in home.refused("init", "--unowned", "--map-size", "clients=128MiB")
    for wrong in ("clients", "clients=", "clients=0", "clients=64MB", "clients=-1", "cliens=64MiB", "codes=64MiB", "clients=99999999TiB"):
        home.refused("init", "--unowned", "--map-size", wrong, status=64)


def test_init_sets_owners_and_modes(tmp_path):
    os.chmod(tmp_path, 0o755)
    subprocess.run(["systemd-sysusers", os.path.join(ROOT, "deploy/systemd/partita.sysusers.conf")], check=True, capture_output=True)
    home = Home(tmp_path)
    home.ok("init")
    home.ok("init", "--volatile")
    for above, names in ((home.state, DURABLE), (home.runtime, VOLATILE)):
        for name in names:
            for file, group, bits in (("", name, 0o750), ("data.mdb", name + "-w", 0o664), ("bell", name + "-w", 0o664),
                                      ("lock.mdb", name, 0o660)):
                path = os.path.join(above, name, file)
                status = os.stat(path)
                assert (status.st_uid, grp.getgrgid(status.st_gid).gr_name, mode(path)) == (0, "partita-" + group, bits), path
    os.chmod(os.path.join(home.state, "users", "data.mdb"), 0o600)
    home.ok("init")
    assert mode(os.path.join(home.state, "users", "data.mdb")) == 0o664


def test_a_verb_opens_only_what_it_needs(tmp_path):
    """op-token may read users and may not write them; it may not even read passwords."""
    for directory in (tmp_path, *tmp_path.parents):
        if str(directory).startswith("/tmp/"):
            os.chmod(directory, 0o755)
    subprocess.run(["systemd-sysusers", os.path.join(ROOT, "deploy/systemd/partita.sysusers.conf")], check=True, capture_output=True)
    home = Home(tmp_path)
    home.ok("init")
    home.ok("user", "add", "alice", stdin=PASSWORD)
    shutil.chown(os.path.join(home.dir, "opctl.jsonl"), "root", "opctl")
    os.chmod(os.path.join(home.dir, "opctl.jsonl"), 0o660)
    program = os.path.join(home.dir, "opctl")
    subprocess.run(["cp", OPCTL, program], check=True)

    def as_user(user, *words):
        return subprocess.run(["setpriv", "--reuid", user, "--regid", user, "--init-groups", program, "--config", home.conf, *words],
                              capture_output=True, text=True, timeout=60, check=False)
    assert as_user("op-token", "user", "list").returncode == 0
    for words, environment in ((("user", "enable", "alice"), "users"), (("user", "show", "alice"), "credentials")):
        done = as_user("op-token", *words)
        assert done.returncode == 1 and os.path.join(home.state, environment) in done.stderr and done.stderr.count("\n") == 1
    assert as_user("opctl", "user", "enable", "alice").returncode == 0
    assert "root" in as_user("opctl", "init").stderr


def test_missing_environment_and_configuration(tmp_path):
    home = Home(tmp_path)
    line = home.refused("user", "list")
    assert os.path.join(home.state, "users") in line and "init" in line
    assert "--config" in subprocess.run([OPCTL, "--config", "/nowhere/partita.conf", "user", "list"], capture_output=True, text=True,
                                        check=False).stderr
    assert home.run("--config", "/nowhere/x", "user", "list").returncode == 64  # given twice
    assert subprocess.run([OPCTL, "--config", "/nowhere/x", "user", "list"], capture_output=True, check=False).returncode == 66
    home.configure("ftp://id.example.org", "code_lifetime = soon\n")
    done = home.run("user", "list")
    assert done.returncode == 78
    assert [line.split(": ")[0] for line in done.stderr.splitlines()] == [f"{home.conf}:2", f"{home.conf}:6"]


def test_credentials(home, tmp_path):
    directory = tmp_path / "credentials"
    assert sorted(home.ok("init", "--credentials", str(directory))["made"]) == ["form-key", "seal-key", "token-key"]
    keys = {name: (directory / name).read_bytes() for name in sorted(os.listdir(directory))}
    assert sorted(keys) == ["form-key", "seal-key", "token-key"] and len(set(keys.values())) == 3
    assert all(len(key) == 32 for key in keys.values()) and all(mode(directory / name) == 0o400 for name in keys)
    assert mode(directory) == 0o700
    (directory / "form-key").unlink()
    assert home.ok("init", "--credentials", str(directory))["made"] == ["form-key"]
    assert (directory / "seal-key").read_bytes() == keys["seal-key"] and (directory / "form-key").read_bytes() != keys["form-key"]
    assert "/proc/none" in home.refused("init", "--credentials", "/proc/none")
    home.refused("init", "--credentials", str(directory), "--volatile", status=64)


# --- user ---

def test_a_user_is_added_shown_and_listed(home):
    made = home.ok("user", "add", "Alice", "--email", "alice@example.org", "--email-verified", "--claim", "groups=[\"admins\"]",
                   "--claim", "name=Alice Doe", stdin=PASSWORD + "\n")
    assert made["username"] == "Alice" and len(made["user_id"]) == 22 and "password" not in made
    assert made["claims"] == {"email": "alice@example.org", "email_verified": True, "groups": ["admins"], "name": "Alice Doe"}
    for name in ("alice", "ALICE", made["user_id"]):
        shown = home.ok("user", "show", name)
        assert shown["user_id"] == made["user_id"] and shown["has_password"] and shown["state"] == "enabled"
    assert home.ok("user", "list") == [{"username": "Alice", "user_id": made["user_id"], "state": "enabled", "name": "Alice Doe",
                                       "email": "alice@example.org"}]
    assert "Alice Doe" in home.run("user", "list").stdout
    assert PASSWORD.encode() not in home.bytes_of("credentials") and b"$argon2id$" in home.bytes_of("credentials")


def test_a_password_costs_what_the_configuration_says(home):
    home.configure(ISSUER, "password_memory = 9MiB\npassword_iterations = 3\n")
    home.ok("user", "add", "alice", stdin=PASSWORD)
    assert b"$argon2id$v=19$m=9216,t=3,p=1$" in home.bytes_of("credentials")
    home.ok("user", "password", "alice", "--set", "password_iterations=5", stdin=PASSWORD)
    assert b"$argon2id$v=19$m=9216,t=5,p=1$" in home.bytes_of("credentials")
    assert home.run("user", "add", "bob", "--set", "password_iterations=65", stdin=PASSWORD).returncode == 78


def test_users_that_are_refused(home):
    home.ok("user", "add", "alice", stdin=PASSWORD)
    assert "already" in home.refused("user", "add", "ALICE", stdin=PASSWORD)
    for password in ("", "\n", "short\n", "a" * 1025):
        assert "password" in home.refused("user", "add", "bob", stdin=password)
    for name in ("", " bob", "b\tb", "x" * 129):
        assert "username" in home.refused("user", "add", name, stdin=PASSWORD, status=64)
    for claim in ("sub=x", "email_verified=maybe", "nothing", "address=here"):
        home.refused("user", "add", "bob", "--claim", claim, stdin=PASSWORD, status=64)
    home.refused("user", "add", "bob", PASSWORD, status=64)  # a password is never an argument
    assert [user["username"] for user in home.ok("user", "list")] == ["alice"]
    for verb in ("show", "change", "password", "disable", "enable", "remove"):
        assert "opctl user list" in home.refused("user", verb, "nobody", stdin=PASSWORD)


def test_a_user_without_and_with_a_made_password(home):
    home.ok("user", "add", "bob", "--no-password")
    assert home.ok("user", "show", "bob")["has_password"] is False
    made = home.ok("user", "password", "bob", "--generate")["password"]
    assert len(made) == 20 and home.ok("user", "show", "bob")["has_password"]
    assert made.encode() not in home.bytes_of("credentials")
    text = home.run("user", "add", "carol", "--generate").stdout
    assert re.search(r"^password: \S{20} \(shown only now\)$", text, re.M)


def test_a_user_is_changed(home):
    made = home.ok("user", "add", "alice", "--claim", "a=1", "--claim", "b=2", stdin=PASSWORD)
    home.ok("user", "add", "bob", stdin=PASSWORD)
    changed = home.ok("user", "change", "alice", "--username", "alicia", "--remove-claim", "a", "--claim", "c:=3", "--name", "A")
    assert changed["user_id"] == made["user_id"] and changed["username"] == "alicia"
    assert changed["claims"] == {"b": "2", "c": 3, "name": "A"}
    assert "alice" in home.refused("user", "show", "alice")
    assert "already" in home.refused("user", "change", "alicia", "--username", "Bob")
    assert "no claim zzz" in home.refused("user", "change", "alicia", "--remove-claim", "zzz", status=64)
    assert home.ok("user", "show", "alicia")["claims"] == {"b": "2", "c": 3, "name": "A"}


def test_disabling_moves_since_and_enabling_does_not_move_it_back(home):
    home.ok("user", "add", "alice", stdin=PASSWORD)
    before = time.time()
    disabled = home.ok("user", "disable", "alice")
    assert disabled["state"] == "disabled" and disabled["sessions_ended"] == 0 and disabled["families_revoked"] == 0
    since = time.mktime(time.strptime(disabled["since"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
    assert before < since <= time.time()  # later than all that was, and past when the command ends
    enabled = home.ok("user", "enable", "alice")
    assert enabled["state"] == "enabled" and enabled["since"] == disabled["since"]
    home.ok("user", "password", "alice", stdin=PASSWORD)
    assert home.ok("user", "show", "alice")["since"] > disabled["since"]


def test_a_removed_user_is_gone_and_the_name_is_free(home):
    first = home.ok("user", "add", "alice", stdin=PASSWORD)
    home.ok("user", "remove", "Alice")
    assert home.ok("user", "list") == []
    second = home.ok("user", "add", "alice", stdin=PASSWORD)
    assert second["user_id"] != first["user_id"]


def test_many_users_are_listed_in_full(home):
    names = [f"user{n:03}" for n in range(300)]
    for name in names:
        home.ok("user", "add", name, "--no-password")
    assert sorted(user["username"] for user in home.ok("user", "list")) == names


def test_text_from_records_cannot_drive_the_terminal(home):
    home.ok("user", "add", "alice", "--no-password", "--claim", "email:=\"\\u001b[2J\\u009b1m\"")
    assert "\x1b" not in home.run("user", "show", "alice").stdout and "\x9b" not in home.run("user", "list").stdout


# --- passwords at a terminal ---

def at_terminal(home, words, answers):
    """Runs opctl on a terminal of its own, answers each prompt, returns (what the terminal showed, exit status)."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(OPCTL, [OPCTL, "--config", home.conf, *words])
    shown, end = "", time.monotonic() + 30
    while time.monotonic() < end:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            data = os.read(terminal, 4096)
        except OSError:
            break
        if not data:
            break
        shown += data.decode()
        if answers and shown.endswith(": "):
            time.sleep(0.05)
            os.write(terminal, answers.pop(0).encode())
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(terminal)
    return shown, status


def test_a_password_is_typed_twice_without_echo(home):
    shown, status = at_terminal(home, ["user", "add", "alice"], [PASSWORD + "\n", PASSWORD + "\n"])
    assert status == 0 and PASSWORD not in shown and "New password of alice: " in shown and "Again: " in shown
    assert home.ok("user", "show", "alice")["has_password"]


def test_typing_mistakes_change_nothing(home):
    shown, status = at_terminal(home, ["user", "add", "alice"], [PASSWORD + "\n", PASSWORD + "x\n"])
    assert status == 1 and "not the same" in shown
    shown, status = at_terminal(home, ["user", "add", "alice"], ["short\n"])
    assert status == 1 and "8 characters" in shown and "Again" not in shown
    shown, status = at_terminal(home, ["user", "add", "alice"], ["\x03"])
    assert status == -2  # ended by SIGINT, after the terminal was put back
    assert home.ok("user", "list") == []


# --- client ---

def test_a_client_is_added_and_told_what_it_needs(home):
    made = home.ok("client", "add", "--name", "Wiki", "--redirect-uri", "https://wiki.example.org/cb",
                   "--post-logout-redirect-uri", "https://wiki.example.org/", "--scope", "openid email")
    assert made["issuer"] == ISSUER and len(made["client_id"]) == 22 and len(made["client_secret"]) == 43
    assert made["redirect_uris"] == ["https://wiki.example.org/cb"] and made["scope"] == "openid email"
    assert made["grant_types"] == ["authorization_code", "refresh_token"]
    assert made["token_endpoint"] == ISSUER + "/token" and made["discovery"] == ISSUER + "/.well-known/openid-configuration"
    assert made["client_secret"].encode() not in home.bytes_of("clients")
    shown = home.ok("client", "show", made["client_id"])
    assert shown["state"] == "enabled" and "client_secret" not in shown and shown["first_party"] is False
    text = home.run("client", "add", "--name", "W", "--redirect-uri", "https://w.example/cb").stdout
    assert "shown only now" in text and re.search(r"^client_secret: \S{43}$", text, re.M) and f"issuer: {ISSUER}\n" in text
    assert len(home.ok("client", "list")) == 2


def test_kinds_of_clients(home):
    public = home.ok("client", "add", "--name", "App", "--public", "--redirect-uri", "https://app.example/")
    assert public["token_endpoint_auth_method"] == "none" and "client_secret" not in public
    native = home.ok("client", "add", "--name", "Phone", "--native", "--redirect-uri", "com.example.app:/cb", "--first-party")
    assert (native["application_type"], native["token_endpoint_auth_method"], native["first_party"]) == ("native", "none", True)
    machine = home.ok("client", "add", "--name", "Job", "--grant", "client_credentials", "--audience", "https://api.example",
                      "--scope", "api.read")
    assert machine["redirect_uris"] == [] and machine["audiences"] == ["https://api.example"] and "authorization_endpoint" not in machine
    rotating = home.ok("client", "add", "--name", "R", "--rotate", "yes", "--redirect-uri", "http://127.0.0.1/cb", "--auth-method",
                       "client_secret_post", "--default-max-age", "3600", "--id-token-alg", "ES256")
    assert rotating["rotate_refresh_tokens"] is True and rotating["default_max_age"] == 3600
    assert rotating["token_endpoint_auth_method"] == "client_secret_post" and rotating["id_token_signed_response_alg"] == "ES256"


@pytest.mark.parametrize("words", [
    ["--redirect-uri", "https://a.example/"],
    ["--name", "A"],
    ["--name", "A", "--redirect-uri", "http://a.example/"],
    ["--name", "A", "--redirect-uri", "https://a.example/#f"],
    ["--name", "A", "--redirect-uri", "https://u@a.example/"],
    ["--name", "A", "--redirect-uri", "https://*.a.example/"],
    ["--name", "A", "--redirect-uri", "javascript:alert(1)"],
    ["--name", "A", "--redirect-uri", "com.example.app:/cb"],
    ["--name", "A", "--redirect-uri", "https://a.example/", "--grant", "password"],
    ["--name", "A", "--redirect-uri", "https://a.example/", "--scope", "a\"b"],
    ["--name", "A", "--redirect-uri", "https://a.example/", "--public", "--auth-method", "client_secret_basic"],
    ["--name", "A", "--public", "--grant", "client_credentials"],
    ["--name", "A", "--redirect-uri", "https://a.example/", "--rotate", "maybe"],
    ["--name", "A", "--redirect-uri", "https://a.example/", "--secret", "mine"],
    ["--name", "A", "--redirect-uri", "https://a.example/", "--refresh-token-idle-lifetime", "31d"],
    ["--name", "A", "--redirect-uri", "https://a.example/", "--refresh-token-lifetime", "366d"],
    ["--name", "A", "--redirect-uri", "https://a.example/", "--refresh-token-lifetime", "for ever"],
])
def test_clients_that_are_refused(home, words):
    home.refused("client", "add", *words, status=64)
    assert home.ok("client", "list") == []


def test_a_scope_without_claims_is_noted(home):
    done = home.run("client", "add", "--name", "A", "--redirect-uri", "https://a.example/", "--scope", "openid groups")
    assert done.returncode == 0 and "note" in done.stderr and "groups" in done.stderr
    home.configure(ISSUER, "custom_scopes = groups:groups\n")
    done = home.run("client", "add", "--name", "A", "--redirect-uri", "https://a.example/", "--json")
    assert done.stderr == "" and "groups" in json.loads(done.stdout)["scope"].split()


def test_a_client_is_changed(home):
    made = home.ok("client", "add", "--name", "A", "--redirect-uri", "https://a.example/cb", "--tos-uri", "https://a.example/tos")
    name = made["client_id"]
    changed = home.ok("client", "change", name, "--redirect-uri", "https://b.example/cb", "--redirect-uri", "https://c.example/cb",
                      "--first-party", "yes", "--clear", "tos-uri")
    assert changed["redirect_uris"] == ["https://b.example/cb", "https://c.example/cb"] and changed["first_party"] is True
    assert "tos_uri" not in changed and changed["client_name"] == "A" and "client_secret" not in changed
    home.refused("client", "change", name, "--redirect-uri", "http://b.example/", status=64)
    home.refused("client", "change", name, "--clear", "redirect-uri", status=64)
    assert home.ok("client", "show", name)["redirect_uris"] == changed["redirect_uris"]
    assert "client_secret" not in home.ok("client", "change", name, "--auth-method", "none")
    assert len(home.ok("client", "change", name, "--auth-method", "client_secret_basic")["client_secret"]) == 43


def test_lifetimes_of_one_client(home):
    made = home.ok("client", "add", "--name", "A", "--redirect-uri", "https://a.example/cb", "--refresh-token-idle-lifetime", "90min",
                   "--refresh-token-lifetime", "30d")
    name = made["client_id"]
    assert (made["refresh_token_idle_lifetime"], made["refresh_token_lifetime"]) == (5400, 30 * 86400)
    home.configure(ISSUER, "refresh_token_lifetime = 7d\n")
    changed = home.ok("client", "change", name, "--name", "B", "--refresh-token-idle-lifetime", "0")
    assert "refresh_token_idle_lifetime" not in changed and changed["refresh_token_lifetime"] == 30 * 86400, "the house's is stricter by now"
    home.refused("client", "change", name, "--refresh-token-lifetime", "8d", status=64)
    assert home.ok("client", "change", name, "--refresh-token-lifetime", "7d")["refresh_token_lifetime"] == 7 * 86400
    assert "refresh_token_lifetime" not in home.ok("client", "change", name, "--clear", "refresh-token-lifetime")


def test_a_client_gets_another_secret(home):
    made = home.ok("client", "add", "--name", "A", "--redirect-uri", "https://a.example/cb")
    other = home.ok("client", "secret", made["client_id"])
    assert len(other["client_secret"]) == 43 and other["client_secret"] != made["client_secret"]
    public = home.ok("client", "add", "--name", "B", "--public", "--redirect-uri", "https://b.example/cb")
    assert "public" in home.refused("client", "secret", public["client_id"])


def test_a_client_is_disabled_enabled_and_removed(home):
    name = home.ok("client", "add", "--name", "A", "--redirect-uri", "https://a.example/cb")["client_id"]
    disabled = home.ok("client", "disable", name)
    assert disabled["state"] == "disabled" and disabled["since"]
    assert home.ok("client", "enable", name)["since"] == disabled["since"]
    home.ok("client", "remove", name)
    for verb in ("show", "change", "secret", "disable", "enable", "remove"):
        assert "opctl client list" in home.refused("client", verb, name)


# --- the rest ---

def test_what_is_not_there(home):
    assert home.ok("key", "list") == [] and home.ok("session", "list") == [] and home.ok("family", "list") == []
    assert home.ok("key", "rotate") == {"wished": True, "at_once": False, "done": False}
    assert home.ok("key", "rotate", "--now")["at_once"] is True
    home.ok("user", "add", "alice", "--no-password")
    assert home.ok("consent", "list", "alice") == [] and home.ok("session", "list", "--user", "alice") == []
    assert "opctl key list" in home.refused("key", "show", "nothing")
    assert "opctl session list" in home.refused("session", "show", "nothing")
    assert "opctl session list" in home.refused("session", "end", "nothing")
    assert "opctl family list" in home.refused("family", "show", "A" * 22)
    assert "opctl consent list" in home.refused("consent", "withdraw", "alice", "nobody")
    home.refused("session", "end", status=64)
    home.refused("family", "revoke", status=64)
    home.refused("family", "revoke", "short", status=64)
    home.refused("session", "list", "--user", "nobody")


def test_a_family_may_be_revoked_before_it_is_there(home):
    """An access token names its family; there may be no refresh token."""
    family = "c" * 21 + "A"
    assert home.ok("family", "revoke", family) == {"revoked": [family]}
    shown = home.ok("family", "show", family)
    assert shown["state"] == "dead" and shown["dead_reason"] == "revoked"
    assert [entry["family"] for entry in home.ok("family", "list")] == [family]
    assert home.ok("family", "list", "--client", "x") == []


def test_signing_out_a_user_everywhere_moves_since(home):
    home.ok("user", "add", "alice", "--no-password")
    report = home.ok("session", "end", "--user", "alice")
    assert report["sessions_ended"] == 0 and home.ok("user", "show", "alice")["since"]


def test_sweep(home):
    assert sorted(home.ok("sweep")) == sorted(DURABLE + VOLATILE)
    assert list(home.ok("sweep", "codes", "guard")) == ["codes", "guard"]
    home.refused("sweep", "everything", status=64)


def test_every_verb_is_in_the_manual_and_explains_itself(home):
    with open(os.path.join(BUILD, "opctl", "opctl.1"), encoding="utf-8") as file:
        manual = file.read()
    lines = re.findall(r"^  ([a-z]+(?: [a-z]+)?)(?: [A-Z\[]| {2})", home.run("--help").stdout, re.M)
    assert {"init", "user add", "user password", "client secret", "key rotate", "session end", "family revoke"} <= set(lines)
    plain = manual.replace("\\-", "-")
    for verb in lines:
        assert f".SS opctl {verb}" in plain
        help_text = home.run(*verb.split(), "--help")
        assert help_text.returncode == 0
        for option in re.findall(r"^  --([a-z-]+)", help_text.stdout, re.M):
            assert f"--{option}\\fR" in plain
    for status in ("0", "1", "64", "66", "78"):
        assert f"\n.B {status}\n" in manual
    assert all(re.match(r"\.(TH|SH|SS|TP|B|I|PP|nf|fi|BR)\b", line) for line in manual.splitlines() if line.startswith("."))


def test_bash_completes_words():
    script = (f'source {ROOT}/deploy/completion/opctl.bash; COMP_WORDS=(opctl "$@"); COMP_CWORD=$#; _opctl {OPCTL};'
              'printf "%s\\n" "${COMPREPLY[@]}"')

    def complete(*words):
        return subprocess.run(["bash", "-c", script, "bash", *words], capture_output=True, text=True, check=True).stdout.split()
    assert "client" in complete("") and complete("user", "pa") == ["password"]
    assert complete("client", "add", "--red") == ["--redirect-uri"] and complete("client", "add", "--grant", "r") == ["refresh_token"]


def test_words_that_are_no_command(home):
    assert "opctl --help" in home.refused(status=64)
    assert "opctl user --help" in home.refused("user", "ad", status=64)
    assert "opctl user add --help" in home.refused("user", "add", status=64)
    assert home.run("--version").stdout.startswith("opctl ")


def test_output_that_cannot_be_written_is_a_failure(home):
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([OPCTL, "--config", home.conf, "sweep"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1 and "standard output" in done.stderr
