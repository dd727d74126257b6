"""Servers one by one, without deploy/up: one user, a directory of a test's own, a Unix socket each."""
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time

from conftest import BUILD, ROOT, sanitizer_reports

SERVERS = ["op-discovery", "op-auth", "op-token", "op-userinfo"]
ISSUER = "http://localhost:8080"


class Bare:
    """An initialised installation in which nothing runs yet."""

    def __init__(self, initialise=True, **settings):
        self.dir = tempfile.mkdtemp(prefix="partita-bare-", dir="/tmp")
        self.state, self.run = self.at("state"), self.at("run")
        self.credentials, self.conf = self.at("credentials"), self.at("partita.conf")
        self.processes = {}
        os.mkdir(self.at("log"))
        self.write_conf(**settings)
        if initialise:
            self.opctl("init", "--unowned")
            self.opctl("init", "--volatile", "--unowned")
            self.opctl("init", "--credentials", self.credentials)

    def at(self, *parts):
        return os.path.join(self.dir, *parts)

    def write_conf(self, text="", **settings):
        """[all] as every test needs it, changed by settings; then text."""
        everyone = {"issuer": ISSUER, "state_dir": self.state, "runtime_dir": self.run, "share_dir": os.path.join(ROOT, "share"), **settings}
        with open(self.conf, "w", encoding="utf-8") as file:
            file.write("[all]\n" + "".join(f"{name} = {value}\n" for name, value in everyone.items()) + text)

    def opctl(self, *words, check=True):
        done = subprocess.run([os.path.join(BUILD, "opctl", "opctl"), "--config", self.conf, *words], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60, check=False)
        assert not check or done.returncode == 0, done.stderr
        return done

    def command(self, server, *words):
        return [os.path.join(BUILD, server, server), "--config", self.conf, *words]

    def environment(self, **more):
        sanitizer = {name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS")}
        return {"PATH": "/usr/bin:/bin", "CREDENTIALS_DIRECTORY": self.credentials, **sanitizer, **more}

    def judge(self, server):
        """--check-config."""
        return subprocess.run(self.command(server, "--check-config"), env=self.environment(), capture_output=True, text=True,
                              timeout=30, check=False)

    def try_start(self, server, environment=None, listen=True):
        """A start that is to fail: the finished process. One that succeeds is ended and is an error."""
        words = ["--listen", "unix:" + self.at(server + ".sock")] if listen else []
        try:
            return subprocess.run(self.command(server, *words), env=environment or self.environment(), capture_output=True, text=True,
                                  timeout=15, check=False)
        except subprocess.TimeoutExpired as expired:
            raise AssertionError(f"{server} runs, though it should not: {expired.stderr}") from None

    def start(self, server, *words):
        """Starts a server and waits until it answers."""
        with open(self.log_path(server), "ab") as log:
            process = subprocess.Popen(self.command(server, "--listen", "unix:" + self.at(server + ".sock"), *words),
                                       env=self.environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.processes[server] = process
        wait_until(lambda: process.poll() is not None or self.get(server, "/.live")[0] == 200, 20, lambda: self.log(server))
        assert process.poll() is None, self.log(server)
        return process

    def get(self, server, path):
        """(status, body); (0, "") where nothing answers."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(20)
                connection.connect(self.at(server + ".sock"))
                connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
                data = b""
                while piece := connection.recv(65536):
                    data += piece
        except OSError:
            return 0, ""
        head, _, body = data.decode().partition("\r\n\r\n")
        return (int(head.split()[1]), body) if head else (0, "")

    def log_path(self, server):
        return self.at("log", server + ".log")

    def log(self, server):
        with open(self.log_path(server), encoding="utf-8", errors="replace") as file:
            return file.read()

    def events(self, server, event):
        return [line for line in map(json.loads, self.log(server).splitlines()) if line["event"] == event]

    def stop(self, server):
        process = self.processes.pop(server)
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def close(self):
        for server in list(self.processes):
            self.stop(server)
        found = sanitizer_reports(self.at("log"))
        shutil.rmtree(self.dir, ignore_errors=True)
        assert not found, found


def wait_until(condition, seconds, explain=lambda: ""):
    """Returns what condition returned once that is true."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, explain()
        time.sleep(0.02)
    return value
