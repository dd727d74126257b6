"""Real servers for the tests: deploy/up on ports and a directory of this run, ended when the run ends."""
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile

import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))  # person.py and chrome.py, for every group
BUILD = os.environ.get("PARTITA_BUILD", os.path.join(ROOT, "build"))
# Passwords that cost little, and any number of wrong ones from one address and for one account.
QUICK = ["--set", "all.password_memory=8MiB", "--set", "all.password_iterations=1",
         "--set", "op-auth.address_guesses=100000", "--set", "op-auth.account_guesses=10000"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Partita:
    """One running installation. What up.json says is in `info`."""

    def __init__(self, *options):
        self.dir = tempfile.mkdtemp(prefix="partita-", dir="/tmp")
        os.chmod(self.dir, 0o755)
        self.port, self.playground_port = free_port(), free_port()
        self.command = [os.path.join(ROOT, "deploy/up"), "--dir", self.dir]
        self.options = ["--built", BUILD, "--balancer", os.environ.get("PARTITA_BALANCER", "nginx"), "--listen", f"127.0.0.1:{self.port}", "--playground-listen",
                        f"127.0.0.1:{self.playground_port}", "--detach", *options]
        self.start()

    def start(self):
        done = subprocess.run(self.command + self.options, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=180, check=False)
        if done.returncode != 0:
            raise RuntimeError("deploy/up failed:\n" + done.stdout + self.logs())

    @property
    def info(self):
        with open(os.path.join(self.dir, "up.json"), encoding="utf-8") as file:
            return json.load(file)

    @property
    def issuer(self):
        return self.info["issuer"]

    @property
    def verify(self):
        """For requests: the CA that signed the provider's certificate."""
        return self.info["ca_file"] or True

    def opctl(self, *words, secret=None, check=True):
        """Runs opctl --json and returns what it printed; with check=False the finished process."""
        done = subprocess.run(self.info["opctl"] + [*words, "--json"], input=secret, capture_output=True, text=True,
                              timeout=60, check=False)
        if not check:
            return done
        assert done.returncode == 0, f"opctl {words}: {done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def add_user(self, name, password="correct horse battery", claims=()):
        words = [word for claim in claims for word in ("--claim", claim)]
        return self.opctl("user", "add", name, *words, secret=password + "\n")

    def add_client(self, name, redirect_uri, *more):
        return self.opctl("client", "add", "--name", name, "--redirect-uri", redirect_uri, "--grant", "authorization_code",
                          "--grant", "refresh_token", "--scope", "openid profile email address phone offline_access", *more)

    def logs(self):
        text = ""
        directory = os.path.join(self.dir, "log")
        for name in sorted(os.listdir(directory)) if os.path.isdir(directory) else []:
            with open(os.path.join(directory, name), encoding="utf-8", errors="replace") as file:
                text += f"--- {name}\n{file.read()[-4000:]}\n"
        return text

    def stop(self):
        return subprocess.run(self.command + ["--stop"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90,
                              check=False)

    def close(self):
        self.stop()
        found = sanitizer_reports(os.path.join(self.dir, "log"))
        shutil.rmtree(self.dir, ignore_errors=True)
        assert not found, "a sanitizer reported:\n" + found


SANITIZER_MARKS = ("ERROR: AddressSanitizer", "runtime error:", "ERROR: LeakSanitizer")


def sanitizer_reports(directory):
    text = ""
    for name in sorted(os.listdir(directory)) if os.path.isdir(directory) else []:
        with open(os.path.join(directory, name), encoding="utf-8", errors="replace") as file:
            content = file.read()
        for mark in SANITIZER_MARKS:
            if mark in content:
                text += f"{name}: " + content[content.index(mark):][:4000] + "\n"
    return text


@pytest.fixture(scope="session")
def start_partita():
    """A function that starts an installation with extra options of deploy/up; all are ended at the end."""
    started = []

    def start(*options):
        partita = Partita(*options)
        started.append(partita)
        return partita
    yield start
    for partita in started:
        partita.close()


@pytest.fixture(scope="session")
def partita(start_partita):
    """The installation most tests share: plain http on loopback, two op-token processes."""
    return start_partita("--instances", "op-token=2")


@pytest.fixture(scope="session")
def partita_tls(start_partita):
    """The same over TLS with a local certificate authority. Its clients may publish keys at localhost, over TLS with a
    certificate of .outside (outside.py)."""
    from outside import Authority
    directory = tempfile.mkdtemp(prefix="partita-outside-", dir="/tmp")
    authority = Authority(directory)
    started = start_partita("--tls", "--instances", "op-token=2", "--set", "op-async.outside_allowed=localhost",
                            "--set", f"op-async.outside_ca_file={authority.path}")
    started.outside = authority
    yield started
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def partita_odd(start_partita):
    """Forms and ID tokens with short lives, PKCE plain allowed, a third language that is only a file, and the operator's own name, logo and contact."""
    directory = tempfile.mkdtemp(prefix="partita-share-", dir="/tmp")
    os.chmod(directory, 0o755)  # op-auth is a user of its own
    share, logo = os.path.join(directory, "share"), os.path.join(directory, "logo.svg")
    shutil.copytree(os.path.join(ROOT, "share"), share)
    shutil.copy(os.path.join(ROOT, "deploy/playground/icon.svg"), logo)
    with open(os.path.join(share, "locales/eo.ini"), "w", encoding="utf-8") as file:
        file.write("# Esperanto, some of it\nsign_in.title = Ensaluti\nfield.password = Pasvorto\n"
                   "problem.client.title = Tiu programo ne estas konata ĉi tie\n")
    settings = {"op-auth.form_lifetime": "10s", "all.id_token_lifetime": "1s", "all.share_dir": share, "all.locales": "en de eo", "all.allow_plain_pkce": "yes",
                "all.name": "Haus & Hof", "all.contact": "help@example.org", "all.logo": logo}
    yield start_partita(*(word for name, value in settings.items() for word in ("--set", f"{name}={value}")))
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def house(partita):
    """Two processes of each server that judges tokens, each to be asked by itself (house.py)."""
    from house import House
    made = House(partita)
    yield made
    made.close()


@pytest.fixture(scope="session")
def start_mixed(request):
    """A function that starts an installation of tests/versions, whose servers are each at the version before this one or at this one."""
    import release
    from mixed import Mixed
    started = []

    def start():
        try:
            made = Mixed(release.older(), release.present(BUILD))
        except release.Missing as missing:
            pytest.fail(str(missing), pytrace=False)
        started.append(made)
        request.config.pluginmanager.register(made.teller)
        return made
    yield start
    for made in started:
        made.close()


@pytest.fixture(scope="session")
def mixed(start_mixed):
    """The one that most tests of versions share."""
    return start_mixed()


@pytest.fixture(scope="session")
def own(start_partita):
    """An installation that a test may stop and start; each leaves it running and whole."""
    return start_partita(*QUICK)
