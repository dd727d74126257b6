"""A server of a test's own over environments of its own: for starts that are refused, drains, and many restarts."""
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from urllib.parse import urlencode

from conftest import BUILD, ROOT, SANITIZER_MARKS

ISSUER = "http://localhost:9"


class Home:
    """Environments, credentials and partita.conf in a directory of this test's."""

    def __init__(self, **settings):
        self.dir = tempfile.mkdtemp(prefix="partita-home-", dir="/tmp")
        self.conf = os.path.join(self.dir, "partita.conf")
        self.credentials = os.path.join(self.dir, "credentials")
        for name in ("state", "run", "audit", "credentials"):
            os.mkdir(os.path.join(self.dir, name))
        self.processes = []
        self.wrap = {}  # server -> words in front of its command: another network, another root
        self.write_conf(**settings)
        self.opctl("init", "--unowned")
        self.opctl("init", "--unowned", "--volatile")
        self.opctl("init", "--credentials", self.credentials)

    def write_conf(self, issuer=ISSUER, text="", **settings):
        """Settings are SERVER__NAME=VALUE, of [all] without a server; "_" stands for "-" in a server's name. text is added
        as it is, and continues [all] where there are none of servers."""
        sections = {"all": {"issuer": issuer, "state_dir": self.dir + "/state", "runtime_dir": self.dir + "/run",
                            "audit_dir": self.dir + "/audit", "share_dir": os.path.join(ROOT, "share")}}
        for name, value in settings.items():
            section, _, option = name.rpartition("__")
            sections.setdefault(section.replace("_", "-") or "all", {})[option] = value
        with open(self.conf, "w", encoding="utf-8") as file:
            for section, options in sections.items():
                file.write(f"[{section}]\n" + "".join(f"{k} = {v}\n" for k, v in options.items()))
            file.write(text)

    def opctl(self, *words, secret=None):
        done = subprocess.run([os.path.join(BUILD, "opctl/opctl"), "--config", self.conf, *words, "--json"],
                              input=secret, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    def command(self, server, *options):
        return [*self.wrap.get(server, []), os.path.join(BUILD, server, server), "--config", self.conf, *options]

    def environment(self, **more):
        return {"PATH": os.environ["PATH"], "CREDENTIALS_DIRECTORY": self.credentials,
                **{k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")}, **more}

    def run(self, server, *options, **more):
        """For starts that end by themselves."""
        return subprocess.run(self.command(server, *options), capture_output=True, text=True, timeout=30, check=False,
                              env=self.environment(**more))

    def start(self, server, *options, **more):
        process = Process(self, server, options, more)
        self.processes.append(process)
        return process

    def close(self):
        for process in self.processes:
            process.end(signal.SIGKILL)
        logs = "".join(process.log for process in self.processes)
        shutil.rmtree(self.dir, ignore_errors=True)
        assert not any(mark in logs for mark in SANITIZER_MARKS), logs


class Process:
    """One running server on a Unix socket of its own."""

    def __init__(self, home, server, options, environment):
        self.server, number = server, len(home.processes)
        self.path = os.path.join(home.dir, f"{server}-{number}.sock")
        self.log_path = os.path.join(home.dir, f"{server}-{number}.log")
        with open(self.log_path, "wb") as log:
            self.popen = subprocess.Popen(home.command(server, "--listen", "unix:" + self.path, *options), stdin=subprocess.DEVNULL,
                                          stdout=log, stderr=log, env=home.environment(**environment))

    @property
    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def events(self, name):
        lines = [json.loads(line) for line in self.log.split("\n") if line.startswith("{")]
        return [line for line in lines if line["event"] == name]

    def connect(self):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(10)
        connection.connect(self.path)
        return connection

    def get(self, path, connection=None, fields=""):
        """(status, fields, body); on the given connection, which stays open, or on one of its own."""
        own = connection or self.connect()
        try:
            own.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n".encode())
            return read_reply(own)
        finally:
            if connection is None:
                own.close()

    def post(self, path, form, fields=""):
        """(status, fields, JSON or None) of a form sent on a connection of its own, with more header fields."""
        body = urlencode(form)
        with self.connect() as connection:
            connection.settimeout(60)
            connection.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                               f"Content-Length: {len(body)}\r\n{fields}\r\n{body}".encode())
            status, fields, reply = read_reply(connection)
            return status, fields, json.loads(reply) if reply else None

    def wait_live(self):
        """Until it answers at all: for those who need no key, or have nobody that makes one."""
        return self.wait_ready(path="/.live")

    def wait_ready(self, seconds=20, path="/.ready"):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.popen.poll() is None, self.log
            try:
                if self.get(path)[0] == 200:
                    return self
            except OSError:
                pass
            time.sleep(0.02)
        raise AssertionError("not ready: " + self.log)

    def end(self, number=signal.SIGTERM, seconds=20):
        if self.popen.poll() is None:
            self.popen.send_signal(number)
        return self.popen.wait(seconds)


def read_reply(connection):
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            raise ConnectionError("closed before the reply was whole")
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    fields = {line.split(": ", 1)[0].lower(): line.split(": ", 1)[1] for line in lines[1:]}
    while len(body) < int(fields.get("content-length", 0)):
        body += connection.recv(65536)
    return int(lines[0].split()[1]), fields, body


def wait_until(condition, seconds, explain=lambda: "waited in vain"):
    """Returns what condition returned once that is true."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, explain()
        time.sleep(0.02)
    return value
