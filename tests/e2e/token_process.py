"""A server's process of a test's own, op-token's above all, on a socket of its own, over the environments of an
installation; and grants planted for it as a sign-in would leave them."""
import base64
import json
import os
import pwd
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from urllib.parse import urlencode

from conftest import BUILD

REDIRECT_URI = "http://localhost:8090/callback"


class OwnProcess:
    """Runs as the server's user; settings are NAME=VALUE. token_key replaces K; wrap stands before the command."""

    def __init__(self, partita, server, *settings, token_key=None, wrap=()):
        self.server = server
        self.dir = tempfile.mkdtemp(prefix=f"partita-{server}-", dir="/tmp")
        user = pwd.getpwnam(server)
        os.chown(self.dir, user.pw_uid, user.pw_gid)
        self.path = os.path.join(self.dir, "own.sock")
        self.connections = []
        credentials = os.path.join(partita.dir, "sockets", "credentials", server)
        if token_key:
            credentials = self.own_credentials(credentials, token_key, user)
        command = [os.path.join(partita.dir, "bin", server), "--config", os.path.join(partita.dir, "etc", "partita.conf"),
                   "--listen", "unix:" + self.path]
        for setting in settings:
            command += ["--set", setting]
        self.log_path = os.path.join(partita.dir, "log", "own-" + os.path.basename(self.dir) + ".log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [*wrap, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, user=user.pw_uid, group=user.pw_gid,
                extra_groups=os.getgrouplist(server, user.pw_gid),
                env={"PATH": "/usr/bin:/bin", "CREDENTIALS_DIRECTORY": credentials,
                     **{k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")}})
        self.wait_ready()

    def own_credentials(self, source, token_key, user):
        target = os.path.join(self.dir, "credentials")
        shutil.copytree(source, target)
        os.chmod(target, 0o700)
        path = os.path.join(target, "token-key")
        os.chmod(path, 0o600)
        with open(path, "wb") as file:
            file.write(token_key)
        for name in [target] + [os.path.join(target, name) for name in os.listdir(target)]:
            os.chown(name, user.pw_uid, user.pw_gid)
        return target

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait_ready(self):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                connection = self.connect()
                connection.send(b"GET /.ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
                if connection.answer()[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise AssertionError(self.server + " did not become ready: " + self.log())

    def connect(self):
        self.connections.append(Connection(self.path))
        return self.connections[-1]

    def close(self):
        for connection in self.connections:
            connection.close()  # an idle one would be waited for
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


class TokenProcess(OwnProcess):
    def __init__(self, partita, *settings, token_key=None):
        super().__init__(partita, "op-token", *settings, token_key=token_key)


class Connection:
    """Requests and answers apart, so that many can be under way at once. One that the server has ended (after 100 requests, or
    65 idle seconds on a busy machine) is made anew."""

    def __init__(self, path):
        self.path, self.rest, self.head = path, b"", ""
        self.connect()

    def connect(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(20)
        self.socket.connect(self.path)
        self.ended = False

    def send(self, data):
        idle_too_long = not self.rest and select.select([self.socket], [], [], 0)[0] and self.socket.recv(1, socket.MSG_PEEK) == b""
        if self.ended or idle_too_long:
            self.socket.close()
            self.connect()
        self.socket.sendall(data)

    def answer(self):
        """(status, JSON or None); its fields are in head."""
        while b"\r\n\r\n" not in self.rest:
            self.read()
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        self.head = head.decode()
        self.ended = "\r\nconnection: close" in self.head.lower()
        lines = self.head.split("\r\n")
        length = next((int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length:")), 0)
        while len(self.rest) < length:
            self.read()
        body, self.rest = self.rest[:length], self.rest[length:]
        return int(lines[0].split()[1]), json.loads(body) if body.startswith(b"{") else None

    def read(self):
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the server closed the connection")
        self.rest += data

    def post(self, client, path="/token", **form):
        self.send(token_post(client, path, **form))
        return self.answer()

    def userinfo(self, access_token):
        self.send(f"GET /userinfo HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {access_token}\r\n\r\n".encode())
        return self.answer()

    def close(self):
        self.socket.close()


def token_post(client, path="/token", **form):
    """The bytes of a request of the client."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    if client.get("client_secret"):
        pair = f"{client['client_id']}:{client['client_secret']}"
        head += "Authorization: Basic " + base64.b64encode(pair.encode()).decode() + "\r\n"
    else:
        form["client_id"] = client["client_id"]
    body = urlencode(form)
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def plant(partita, client, count=1, scope="offline_access"):
    """Codes for the client, as after a sign-in of the demonstration user."""
    user = partita.opctl("user", "show", partita.info["user"]["username"])
    out = subprocess.run([os.path.join(BUILD, "tests", "plant"), partita.info["state_dir"], partita.info["runtime_dir"],
                          client["client_id"], user["user_id"], REDIRECT_URI, scope, str(count)],
                         capture_output=True, text=True, timeout=60, check=False)
    assert out.returncode == 0, out.stderr
    return out.stdout.split()
