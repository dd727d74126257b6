"""A balancer of a test's own: the file that operators get, its ports and places moved, in front of servers that a test plays or
of real ones. Its clients come from any address of 127.0.0.0/8."""
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

from conftest import ROOT, free_port

sys.path.insert(0, os.path.join(ROOT, "deploy/lib"))
import shipped  # noqa: E402

HOST = "login.example.org"
SERVERS = ["op-discovery", "op-auth", "op-token", "op-userinfo", "op-management", "op-async"]


# --- servers that tell what they saw ---

class Played:
    """A Unix socket for each server. answers: path -> function(request) that returns bytes, or None to close without a word."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="partita-played-", dir="/tmp")
        os.chmod(self.dir, 0o755)
        self.seen, self.answers, self.idle, self.open = [], {}, {}, {}
        self.ready = True
        self.lock = threading.Lock()
        self.listeners = {}
        for server in SERVERS:
            self.listen(server)

    def listen(self, server):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.path(server))
        os.chmod(self.path(server), 0o666)
        listener.listen(1000)
        self.listeners[server] = listener
        threading.Thread(target=self.accept, args=(server, listener), daemon=True).start()

    def path(self, server):
        return os.path.join(self.dir, server + ".sock")

    def away(self, server):
        """Nobody listens any more, and nobody answers on what was open."""
        os.unlink(self.path(server))
        self.listeners.pop(server).shutdown(socket.SHUT_RDWR)
        with self.lock:
            connections = [connection for connection, whose in self.open.items() if whose == server]
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def accept(self, server, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(server, connection), daemon=True).start()

    def serve(self, server, connection):
        rest = b""
        with self.lock:
            self.open[connection] = server
        try:
            while (request := self.read(server, connection, rest)) is not None:
                rest = request.pop("rest")
                answer = self.answer(request)
                if answer is None:
                    break
                connection.sendall(answer)
                if request["fields"].get("connection") == "close":
                    break
                with self.lock:
                    self.idle[connection] = time.monotonic()
        except OSError:
            pass
        with self.lock:
            self.open.pop(connection)
        connection.close()

    def read(self, server, connection, data):
        """The next request, or None."""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            with self.lock:
                self.idle.pop(connection, None)
            if not piece:
                return None
            data += piece
        head, _, data = data.partition(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")
        fields = [(name.lower(), value.strip()) for name, _, value in (field.partition(":") for field in fields)]
        length = int(dict(fields).get("content-length", 0))
        while len(data) < length:
            piece = connection.recv(65536)
            if not piece:
                return None
            data += piece
        method, path, _ = line.split(" ")
        return {"server": server, "method": method, "path": path, "fields": dict(fields), "all": fields, "body": data[:length], "rest": data[length:]}

    def answer(self, request):
        path = request["path"].partition("?")[0]
        if path == "/.ready":
            return reply(200 if self.ready else 503, "")
        with self.lock:
            self.seen.append(request)
        return self.answers.get(path, lambda _: reply(200, json.dumps({"server": request["server"]})))(request)

    def of(self, mark):
        """The requests with this mark in their path."""
        with self.lock:
            return [request for request in self.seen if mark in request["path"]]

    def close(self):
        for server in list(self.listeners):
            self.away(server)
        shutil.rmtree(self.dir, ignore_errors=True)


def reply(status, text, *fields):
    body = text.encode()
    return "\r\n".join([f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Content-Type: application/json", *fields, "", ""]).encode() + body


def is_whole(heard):
    """An answer to the end that it announced."""
    head, end, body = heard.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.I)
    return bool(end and length) and len(body) >= int(length[1])


# --- the balancer ---

def certificate(directory):
    """(certificate, key) for HOST, signed by itself."""
    cert, key = os.path.join(directory, "cert.pem"), os.path.join(directory, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                    "/CN=" + HOST, "-addext", "subjectAltName=DNS:" + HOST, "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


def nginx_moved(site, plain, secure):
    return shipped.edit(
        shipped.read(ROOT, "nginx/nginx.conf"), *shipped.nginx_places(site),
        (r"/var/log/nginx/partita\.log", site.logs + "/access.log", 1),
        (r"/etc/nginx/partita\.pem", site.certificate[0], 1), (r"/etc/nginx/partita\.key", site.certificate[1], 1),
        (r"worker_processes auto", "worker_processes 2", 1),
        (r"listen 80 default_server;\n *listen \[::\]:80 default_server;", f"listen 127.0.0.1:{plain} default_server;", 1),
        (r"listen 443 ssl http2 default_server deferred;\n *listen \[::\]:443 [^;]*;", f"listen 127.0.0.1:{secure} ssl http2 default_server deferred;", 1),
        (r"listen 443 ssl http2;\n *listen \[::\]:443 ssl http2;", f"listen 127.0.0.1:{secure} ssl http2;", 1))


def haproxy_moved(site, plain, secure):
    return shipped.edit(
        shipped.read(ROOT, "haproxy/haproxy.cfg"), *shipped.haproxy_places(site),
        shipped.setenv("PARTITA_CERTIFICATE", shipped.haproxy_certificate(site)),
        (r"^    maxconn 8000$", "    maxconn 1000", 1),
        (r"^    log /dev/log local0 notice\n    log /dev/log local1$", "    log stdout format raw local1", 1),
        (r"^    bind :80\n    bind \[::\]:80 v6only$", f"    bind 127.0.0.1:{plain}", 1),
        (r"^    bind :443 (.*?)\n    bind \[::\]:443 .*?$", f'    bind 127.0.0.1:{secure} ssl crt "${{PARTITA_CERTIFICATE}}" alpn h2,http/1.1', 1))


class Front:
    """changes: more edits of the shipped file, by kind."""

    def __init__(self, kind, sockets, *changes):
        self.kind, self.dir = kind, tempfile.mkdtemp(prefix="partita-front-", dir="/tmp")
        os.chmod(self.dir, 0o755)
        self.logs = os.path.join(self.dir, "log")
        os.mkdir(self.logs)
        self.plain, self.secure = free_port(), free_port()
        self.certificate = certificate(self.dir)
        site = shipped.Site(ROOT, self.dir, self.logs, sockets, "www-data", "https://" + HOST, "", self.certificate)
        self.conf = os.path.join(self.dir, kind + ".conf")
        moved = {"nginx": nginx_moved, "haproxy": haproxy_moved}[kind](site, self.plain, self.secure)
        with open(self.conf, "w", encoding="utf-8") as file:
            file.write(shipped.edit(moved, *changes))
        self.process = None

    def judged(self):
        """What it says about its configuration."""
        command = {"nginx": ["nginx", "-t", "-q", "-e", "/dev/null", "-c"], "haproxy": ["haproxy", "-c", "-q", "-f"]}[self.kind]
        done = subprocess.run([*command, self.conf], capture_output=True, text=True, timeout=30, check=False)
        return done.returncode, done.stdout + done.stderr

    def start(self):
        command = {"nginx": ["nginx", "-e", self.logs + "/start.log", "-g", "daemon off;", "-c", self.conf],
                   "haproxy": ["haproxy", "-db", "-f", self.conf]}[self.kind]
        with open(self.logs + "/output.log", "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while True:
            try:
                if self.ask("GET", "/")[0] < 500:
                    return self
            except OSError:
                pass
            assert self.process.poll() is None and time.monotonic() < deadline, self.logged()
            time.sleep(0.02)

    def logged(self):
        text = ""
        for name in sorted(os.listdir(self.logs)):
            with open(os.path.join(self.logs, name), encoding="utf-8", errors="replace") as file:
                text += file.read()
        return text

    def context(self, version=None):
        context = ssl.create_default_context(cafile=self.certificate[0])
        if version:
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = context.maximum_version = version
        return context

    def connect(self, address="127.0.0.1", name=HOST, version=None):
        """A TLS connection from that address."""
        plain = socket.create_connection(("127.0.0.1", self.secure), 30, (address, 0))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            return self.context(version).wrap_socket(plain, server_hostname=name)
        except BaseException:
            plain.close()
            raise

    def session(self, address="127.0.0.1"):
        """An http.client connection, which keeps its TLS connection."""
        connection = http.client.HTTPConnection(HOST, self.secure, timeout=30)
        connection.sock = self.connect(address)
        return connection

    def ask(self, method, path, fields=None, body=None, address="127.0.0.1", session=None):
        """(status, fields, body)."""
        connection = session or self.session(address)
        try:
            connection.request(method, path, body, fields or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            if session is None:
                connection.close()

    def raw(self, request, plain=False):
        """The status of the answer to these bytes, None when there was none, and the answer."""
        with socket.create_connection(("127.0.0.1", self.plain), 30) if plain else self.connect() as connection:
            connection.sendall(request)
            heard = b""
            try:
                while not is_whole(heard) and (piece := connection.recv(65536)):
                    heard += piece
            except (ConnectionResetError, ssl.SSLEOFError):
                pass
        found = re.match(rb"HTTP/1\.[01] (\d{3})", heard)
        return (int(found[1]) if found else None), heard.decode("latin-1")

    def close(self):
        if self.process:
            self.process.send_signal(signal.SIGQUIT if self.kind == "nginx" else signal.SIGUSR1)
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                self.process.terminate()
                self.process.wait(20)
        shutil.rmtree(self.dir, ignore_errors=True)
