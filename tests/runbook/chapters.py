"""What the book leaves to life: the trouble that each chapter is about, really made, and requests that show what it claims."""
import base64
import crypt
import json
import os
import subprocess
import threading
import time

import requests

from load import Load
from person import Person, sign_in

SERVERS = ["op-discovery", "op-auth", "op-token", "op-userinfo", "op-management", "op-async"]
ISSUER = "https://id.example.org"
PASSWORD = "correct horse battery"  # typed wherever a command of the book asks for one
STATE = "/opt/fleet/state.json"  # what the test knows, also on the next machine
# Added to the configuration of the book: tests have no time.
ADDED = {"/etc/partita/partita.conf": """
password_memory = 8MiB
password_iterations = 1
balancer_keepalive = 1s
[op-discovery]
shared_cache_max_age = 1s
[op-auth]
address_guesses = 100000
[op-async]
device_client_requests = 1000000
device_address_requests = 1000000
"""}


def call(*words, secret=PASSWORD + "\n", check=True):
    done = subprocess.run(words, input=secret, capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, f"{' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def opctl(*words):
    return json.loads(call("opctl", *words, "--json").stdout)


def write_file(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text + ADDED.get(path, ""))


def wait(what, condition, seconds=40):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)


# --- the machine, before anybody opens the book ---

def prepare(host, old, new):
    World.old, World.new = old, new
    os.makedirs("/mnt/safe", exist_ok=True)
    with open("/etc/hosts", "a", encoding="ascii") as file:
        file.write("127.0.0.1 id.example.org\n")
    make_certificate()


def make_certificate():
    """Of a CA that this machine trusts."""
    ca = "/usr/local/share/ca-certificates/test.crt"
    call("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=Test CA",
         "-keyout", "/root/ca.key", "-out", ca)
    call("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=id.example.org",
         "-keyout", "/etc/nginx/partita.key", "-out", "/root/id.csr")
    write_file("/root/id.ext", "subjectAltName=DNS:id.example.org\n")
    call("openssl", "x509", "-req", "-days", "2", "-in", "/root/id.csr", "-CA", ca, "-CAkey", "/root/ca.key", "-CAcreateserial",
         "-extfile", "/root/id.ext", "-out", "/etc/nginx/partita.pem")
    call("update-ca-certificates")


# --- clients and people ---

class World:
    """What clients and people know and hold."""

    verify, issuer = True, ISSUER
    old = new = info = None
    held = {}  # tokens by name

    @classmethod
    def save(cls):
        with open(STATE, "w", encoding="utf-8") as file:
            json.dump({"info": cls.info, "held": cls.held}, file)

    @classmethod
    def load(cls):
        with open(STATE, encoding="utf-8") as file:
            state = json.load(file)
        cls.info, cls.held = state["info"], state["held"]


def client():
    made = World.info["client"]
    return {**made, "redirect_uris": [made["redirect_uri"]]}


def signs_in(name=None):
    """A person signs in and the client is given tokens, which are kept by this name."""
    tokens = sign_in(World, client(), "openid email offline_access", prompt="consent")
    if name:
        World.held[name] = tokens
    return tokens


def post(path, **form):
    made = World.info["client"]
    return requests.post(ISSUER + path, data=form, auth=(made["client_id"], made["client_secret"]), timeout=30)


def refresh(name):
    """The status; the next tokens are kept."""
    reply = post("/token", grant_type="refresh_token", refresh_token=World.held[name]["refresh_token"])
    if reply.status_code == 200:
        World.held[name] = {**World.held[name], **reply.json()}
    else:
        assert reply.status_code != 400 or reply.json()["error"] == "invalid_grant", reply.text
    return reply.status_code


def userinfo(name):
    return requests.get(ISSUER + "/userinfo", headers={"Authorization": "Bearer " + World.held[name]["access_token"]}, timeout=30).status_code


def goes_on(name):
    assert (refresh(name), userinfo(name)) == (200, 200), f"the tokens of {name} are refused"


def is_dead(name):
    before = userinfo(name)
    assert (before, refresh(name)) == (401, 400), f"the tokens of {name} are accepted"


def works():
    """Whether somebody can sign in just now."""
    try:
        signs_in()
        return True
    except (AssertionError, requests.RequestException):
        return False


class Trying:
    """People who go on trying, whatever comes."""

    def __init__(self):
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.rounds, daemon=True)
        self.thread.start()

    def rounds(self):
        while not self.ending.wait(0.2):
            works()

    def stop(self):
        self.ending.set()
        self.thread.join(60)


def published():
    """None where a provider has not made its first keys yet."""
    return {key["kid"] for key in requests.get(ISSUER + "/.well-known/jwks.json", timeout=30).json().get("keys", [])}


def balancer_is_at(keys):
    """Waits for who publishes these. While nginx reloads its configuration, workers of before still take connections; then they
    are named otherwise."""
    wait("the balancer leads there", lambda: published() == keys)
    wait("and nowhere else", lambda: len(call("pgrep", "-f", "^nginx: worker process *$").stdout.split()) == os.cpu_count())


def prints():
    return {row["name"]: row["fingerprint"] for row in opctl("credential", "list")}


def instances(server):
    """{instance: version} of those that run."""
    out = call("systemctl", "list-units", "--plain", "--no-legend", "--state=active", f"{server}@*.service").stdout
    names = [line.split()[0].removesuffix(".service") for line in out.strip().split("\n") if line]
    return {name: os.path.basename(os.readlink("/etc/partita/running/" + name)) for name in names}


# --- the chapters ---

class Chapter:
    """begin() makes the trouble, judge() looks whether the book was right."""

    def begin(self):
        pass

    def before(self, text):
        """Before a block of the chapter is done."""

    def judge(self):
        signs_in()


class UnderLoad(Chapter):
    """Nothing of it may be seen from outside."""

    def begin(self):
        self.load = Load(World.info).start()

    def judge(self):
        account = self.load.stop()
        assert account["failed"] == 0 and account["requests"] > 0, account
        goes_on("first")


class FirstInstallation(Chapter):
    def begin(self):
        assert not os.path.exists("/etc/partita")

    started = False

    def before(self, text):
        self.started = self.started or "enable --now" in text
        active = call("systemctl", "list-units", "--plain", "--no-legend", "--state=active", "op-*", "partita*").stdout
        assert self.started or active == "", active  # installing starts nothing

    def judge(self):
        redirect_uri = "https://shop.example.org/cb"
        grants = ("authorization_code", "refresh_token", "client_credentials", "urn:ietf:params:oauth:grant-type:device_code")
        made = opctl("client", "add", "--name", "Shop", "--redirect-uri", redirect_uri, "--scope", "openid email offline_access",
                     *[word for grant in grants for word in ("--grant", grant)])
        token = opctl("registration-token", "add", "--uses", "unlimited", "--expires", "never")["initial_access_token"]
        World.info = {"issuer": ISSUER, "user": {"username": "ann", "password": PASSWORD},
                      "client": {**made, "redirect_uri": redirect_uri}, "initial_access_token": token}
        for server in SERVERS:
            assert set(instances(server).values()) == {World.old}, instances(server)
        signs_in("first")
        goes_on("first")
        World.save()


class Upgrade(UnderLoad):
    def begin(self):
        call("cp", *[f"/opt/next/{name}" for name in os.listdir("/opt/next")], "/root/packages/")
        super().begin()

    def judge(self):
        super().judge()
        assert set(instances("op-token").values()) == {World.new}


class Rollback(UnderLoad):
    def judge(self):
        super().judge()
        assert set(instances("op-token").values()) == {World.old}


class Scale(UnderLoad):
    def judge(self):
        super().judge()
        assert len(instances("op-token")) == 1


class KeyRotation(Chapter):
    def begin(self):
        signs_in("signed before")

    def judge(self):
        goes_on("signed before")
        signs_in()


class EmergencyRotation(Chapter):
    def begin(self):
        signs_in("forged")
        self.published = published()

    def judge(self):
        wait("no key that leaked is published, not even by the balancer", lambda: not self.published & published())
        assert userinfo("forged") == 401
        goes_on("forged")  # its refresh token
        signs_in()


class LeakedKey(Chapter):
    def begin(self):
        signs_in("of before")
        self.published, self.prints = published(), prints()

    def before(self, text):
        if "op-discovery.socket" in text:
            assert {name for name in self.prints if self.prints[name] != prints()[name]} == {"token-key", "form-key"}
            goes_on("of before")
        if "revoke-all" in text:
            assert not set(self.prints.values()) & set(prints().values())
            wait("no key that leaked is published, not even by the balancer", lambda: not self.published & published())
            assert userinfo("of before") == 401
            goes_on("of before")

    def judge(self):
        is_dead("of before")
        is_dead("first")
        signs_in("first")
        goes_on("first")


class Export(Chapter):
    def judge(self):
        assert os.stat("/mnt/safe/partita-secrets").st_mode & 0o777 == 0o600
        files = ["/mnt/safe/partita-secrets", "/mnt/safe/partita-secrets.old"]
        assert not set.intersection(*(set(line for line in open(path, encoding="ascii") if not line.startswith("#")) for path in files))


class Backup(Chapter):
    def begin(self):
        opctl("user", "add", "bob")
        for name in ("at the backup", "revoked after", "ended after", "rotated after"):
            signs_in(name)
        World.held["ended after"] = sign_in(World, client(), "openid email")

    def judge(self):
        goes_on("at the backup")
        World.save()


class Restore(Chapter):
    """Much happened since the backup."""

    def begin(self):
        signs_in("after the backup")
        assert post("/revoke", token=World.held["revoked after"]["refresh_token"]).status_code == 200
        is_dead("revoked after")
        call("opctl", "user", "password", "bob", secret="another password here\n")
        opctl("user", "add", "carol")

    def before(self, text):
        if "revoke-all" not in text:
            return
        goes_on("at the backup")
        goes_on("revoked after")  # it came back to life
        assert userinfo("after the backup") == 200 and refresh("after the backup") == 400
        assert call("opctl", "user", "show", "carol", check=False).returncode == 1
        sign_in(World, client(), person=Person(World, "bob", PASSWORD))

    def judge(self):
        for name in ("at the backup", "revoked after"):
            is_dead(name)
        signs_in("first")
        goes_on("first")
        assert os.path.exists("/var/lib/partita/reserve")


class LostHost(Chapter):
    """Another machine, with what lies in the safe place."""

    def begin(self):
        World.load()
        assert not os.path.exists("/etc/partita")

    def judge(self):
        assert userinfo("at the backup") == 200, "the signing keys are others"
        goes_on("at the backup")
        signs_in()


class CutOver(Chapter):
    """Another provider: an installation of its own, of the same issuer, on other sockets. Only upstreams differ between the
    balancer's two files."""

    DIR, SOCKETS = "/srv/other", "/run/other-sockets"
    CONF = f"""[all]
issuer = {ISSUER}
state_dir = {DIR}/state
runtime_dir = {DIR}/run
audit_dir = {DIR}/audit
trusted_proxies = unix
password_memory = 8MiB
password_iterations = 1
[op-discovery]
shared_cache_max_age = 1s
"""
    SHOP = ("shop", "what the other one gave it")

    def begin(self):
        for directory in ("/root/other", self.SOCKETS, f"{self.DIR}/audit"):
            os.makedirs(directory)
        write_file(f"{self.DIR}/partita.conf", self.CONF)
        self.export("zoe")
        write_file("/root/other/shop.secret", self.SHOP[1] + "\n")
        for words in (["init", "--unowned"], ["init", "--unowned", "--volatile"], ["init", "--credentials", f"{self.DIR}/credentials"],
                      ["import", "/root/other/users.json", "--keep-ids"],
                      ["client", "add", "--client-id", "shop", "--secret-file", "/root/other/shop.secret", "--name", "Shop",
                       "--redirect-uri", "https://shop.example.org/cb", "--grant", "authorization_code", "--grant", "refresh_token",
                       "--scope", "openid email offline_access"]):
            call("opctl", "--config", f"{self.DIR}/partita.conf", *words)
        self.servers = [self.serve(server) for server in SERVERS]
        wait("the other provider has its sockets", lambda: len(os.listdir(self.SOCKETS)) == len(SERVERS))
        wait("it has its keys", lambda: opctl("--config", f"{self.DIR}/partita.conf", "key", "list"))
        self.point_balancer_at_the_other()
        self.shops("by the other", "zoe")

    @staticmethod
    def export(*names):
        """What the other provider gives away of its people."""
        hashed = crypt.crypt(PASSWORD, "$2b$05$abcdefghijklmnopqrstuu")
        people = [{"username": name, "sub": f"{name}-of-before", "password_hash": hashed, "email": f"{name}@example.org"} for name in names]
        write_file("/root/other/users.json", json.dumps(people))

    def serve(self, server):
        return subprocess.Popen([f"/usr/lib/partita/{server}/{World.old}/{server}", "--config", f"{self.DIR}/partita.conf",
                                 "--listen", f"unix:{self.SOCKETS}/{server}.sock"],
                                env={"PATH": "/usr/bin:/bin", "CREDENTIALS_DIRECTORY": f"{self.DIR}/credentials"},
                                stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def point_balancer_at_the_other(self):
        self.of_partita = published()
        with open("/etc/nginx/nginx.conf", encoding="utf-8") as file:
            text = file.read()
        write_file("/etc/nginx/nginx.conf.other", text.replace("/run/partita-sockets/", self.SOCKETS + "/"))
        os.rename("/etc/nginx/nginx.conf", "/etc/nginx/nginx.conf.partita")
        os.symlink("nginx.conf.other", "/etc/nginx/nginx.conf")
        for name in os.listdir(self.SOCKETS):
            os.chmod(f"{self.SOCKETS}/{name}", 0o666)
        self.of_other = {key["kid"] for key in opctl("--config", f"{self.DIR}/partita.conf", "key", "list")}
        call("systemctl", "reload", "nginx")
        balancer_is_at(self.of_other)

    def shops(self, name, who):
        """Somebody signs in at the application as it is configured since ever, which knows the person again."""
        shop = {"client_id": self.SHOP[0], "client_secret": self.SHOP[1], "redirect_uris": ["https://shop.example.org/cb"]}
        World.held[name] = sign_in(World, shop, "openid email offline_access", Person(World, who, PASSWORD), prompt="consent")
        payload = World.held[name]["id_token"].split(".")[1]
        assert json.loads(base64.urlsafe_b64decode(payload + "==="))["sub"] == f"{who}-of-before"

    def refreshes(self, name):
        form = {"grant_type": "refresh_token", "refresh_token": World.held[name]["refresh_token"]}
        return requests.post(ISSUER + "/token", data=form, auth=self.SHOP, timeout=30).status_code

    def before(self, text):
        if "--existing update" in text:
            self.export("zoe", "yan")  # who came in between
        if "nginx.conf.other" not in text:
            return
        balancer_is_at(self.of_partita)
        assert (userinfo("by the other"), self.refreshes("by the other")) == (401, 400)
        self.shops("by Partita", "zoe")
        self.shops("of yan", "yan")
        goes_on("first")

    def judge(self):
        balancer_is_at(self.of_other)
        assert (userinfo("by the other"), self.refreshes("by the other")) == (200, 200)
        assert (userinfo("by Partita"), self.refreshes("by Partita")) == (401, 400)
        os.rename("/etc/nginx/nginx.conf.partita", "/etc/nginx/nginx.conf")
        call("systemctl", "reload", "nginx")
        balancer_is_at(self.of_partita)
        for server in self.servers:
            server.terminate()
        for server in self.servers:
            server.wait(60)


class FullDisk(Chapter):
    """The state directory is a small file system of its own, which somebody fills."""

    FILLER = "/var/lib/partita/old-dump"

    def begin(self):
        call("systemctl", "stop", "partita.target", *[f"{server}.socket" for server in SERVERS], "op-*@*.service")
        used = int(call("du", "-sm", "/var/lib/partita").stdout.split()[0])
        os.rename("/var/lib/partita", "/var/lib/partita.moved")
        os.mkdir("/var/lib/partita")
        call("mount", "-t", "tmpfs", "-o", f"size={used + 24}m,mode=0755", "small", "/var/lib/partita")
        call("cp", "-a", "/var/lib/partita.moved/.", "/var/lib/partita/")
        call("systemctl", "start", "partita.target")
        wait("sign-in works on the small disk", works)
        signs_in("before the disk was full")
        with open(self.FILLER, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass
        wait("a sign-in is put off", lambda: not works())
        assert userinfo("before the disk was full") == 200
        self.people = Trying()

    def before(self, text):
        if "fallocate" in text:
            os.unlink(self.FILLER)

    def judge(self):
        self.people.stop()
        goes_on("before the disk was full")
        signs_in()
        assert "nothing is wrong" in call("opctl", "check").stdout


class CrashLoop(Chapter):
    """A version that did well, and then does not any more."""

    def begin(self):
        program = f"/usr/lib/partita/op-token/{World.new}/op-token"
        os.rename(program, program + ".good")
        write_file(program, f"""#!/bin/sh
case "$*" in *--admin*) [ ! -e /run/trouble ] || exit 1 ;; esac
exec {program}.good "$@"
""")
        os.chmod(program, 0o755)
        call("opctl", "deploy", "op-token", World.new, "--watch", "0")
        signs_in("before the crash")
        write_file("/run/trouble", "")
        running = list(instances("op-token"))
        call("systemctl", "kill", "--signal=KILL", *running)
        restarts = ["systemctl", "show", "--property=NRestarts", "--value", running[0]]
        wait("it crashed more often than a start limit would allow", lambda: int(call(*restarts).stdout) > 5)
        assert call("systemctl", "is-active", "op-token.socket").stdout == "active\n"

    def judge(self):
        assert set(instances("op-token").values()) == {World.old}
        goes_on("before the crash")
        signs_in()
        os.unlink("/run/trouble")


class TamperedLock(Chapter):
    """A server that only reads tokens writes to its lock file: the last transaction's id, as LMDB 0.9 has it."""

    TXNID_AT = 48

    def begin(self):
        signs_in("before the tampering")
        call("setpriv", "--reuid=op-userinfo", "--regid=op-userinfo", "--init-groups", "python3", "-c", f"""
import struct
with open("/var/lib/partita/tokens/lock.mdb", "r+b", buffering=0) as file:
    file.seek({self.TXNID_AT})
    before = struct.unpack("<Q", file.read(8))[0]
    file.seek({self.TXNID_AT})
    file.write(struct.pack("<Q", before - 2))
""")
        reply = post("/revoke", token="A" * 43)
        assert not works(), reply.text
        assert userinfo("before the tampering") == 200

    def judge(self):
        goes_on("before the tampering")
        signs_in()


CHAPTERS = {
    "first-installation": FirstInstallation, "upgrade": Upgrade, "rollback": Rollback, "scale": Scale, "data-migrations": Chapter,
    "key-rotation": KeyRotation,
    "emergency-rotation": EmergencyRotation, "a-leaked-key": LeakedKey, "export-of-the-sealing-key": Export, "backup": Backup,
    "restore": Restore, "a-lost-host": LostHost, "cutting-over-from-another-provider": CutOver,
    "a-full-disk": FullDisk, "a-server-that-crash-loops": CrashLoop,
    "a-tampered-lock-file": TamperedLock,
}


def is_for(chapter, host):
    """Whether there is something to do in it on this machine."""
    return any((block.where == "new-host") == (host == "new-host") and block.where != "build-host" for block in chapter.blocks)


def of(anchor, host):
    return CHAPTERS[anchor]()
