"""What the book leaves to life: the trouble that each chapter is about, really made, and requests that show what it claims."""
import json
import os
import re
import subprocess
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
[op-auth]
address_guesses = 100000
[op-async]
device_client_requests = 1000000
device_address_requests = 1000000
"""}
NGINX = {"login.example.org": "id.example.org", "/etc/nginx/partita.pem": "/etc/nginx/id.pem", "/etc/nginx/partita.key": "/etc/nginx/id.key",
         "keepalive_timeout 5s": "keepalive_timeout 1s"}  # as an operator fills in the file that is shipped


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
    with open("/opt/fleet/nginx.conf", encoding="utf-8") as file:
        text = file.read()
    for shipped, ours in NGINX.items():
        text = text.replace(shipped, ours)
    write_file("/etc/nginx/nginx.conf", text)


def make_certificate():
    """Of a CA that this machine trusts."""
    ca = "/usr/local/share/ca-certificates/test.crt"
    call("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=Test CA",
         "-keyout", "/root/ca.key", "-out", ca)
    call("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=id.example.org",
         "-keyout", "/etc/nginx/id.key", "-out", "/root/id.csr")
    write_file("/root/id.ext", "subjectAltName=DNS:id.example.org\n")
    call("openssl", "x509", "-req", "-days", "2", "-in", "/root/id.csr", "-CA", ca, "-CAkey", "/root/ca.key", "-CAcreateserial",
         "-extfile", "/root/id.ext", "-out", "/etc/nginx/id.pem")
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


CHAPTERS = {"first-installation": FirstInstallation, "upgrade": Upgrade, "rollback": Rollback, "scale": Scale}


def is_for(chapter, host):
    """Whether there is something to do in it on this machine."""
    return any((block.where == "new-host") == (host == "new-host") and block.where != "build-host" for block in chapter.blocks)


def of(anchor, host):
    return CHAPTERS[anchor]()
