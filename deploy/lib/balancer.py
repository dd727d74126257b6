"""The balancer in front, nginx or HAProxy, and the certificate it shows."""
import os
import shutil
import signal
import socket
import subprocess

import ending
import shipped
from machine import Failure, run

KINDS = ("nginx", "haproxy")
STOP = {"nginx": signal.SIGQUIT, "haproxy": signal.SIGUSR1}  # what lets them end what they have begun


def conf_path(place, kind):
    return place.at(kind, "nginx.conf" if kind == "nginx" else "haproxy.cfg")


def write_conf(place, issuer, listen, playground_listen, certificate, kind="nginx"):
    """certificate is None or (certificate file, key file)."""
    os.makedirs(place.at(kind), mode=0o755, exist_ok=True)
    site = shipped.Site(place.source, place.at(kind), place.logs, place.sockets, "www-data", issuer, listen, certificate,
                        place.at("playground"), playground_listen)
    try:
        text = {"nginx": shipped.nginx, "haproxy": shipped.haproxy}[kind](site)
    except OSError as error:
        raise Failure(f"{error.filename}: {error.strerror}") from None
    with open(conf_path(place, kind), "w", encoding="utf-8") as file:
        file.write(text)


def check(place, kind="nginx"):
    """The balancer judges what it was given before anything starts: certificates, keys, addresses."""
    if kind == "nginx":
        done = ending.call(["nginx", "-t", "-e", "/dev/null", "-c", conf_path(place, kind)])
    else:
        done = ending.call(["haproxy", "-c", "-q", "-f", conf_path(place, kind)])
    if done.returncode != 0:
        words = [line for line in done.stderr.split("\n") if "[emerg]" in line or "[ALERT]" in line] or [done.stderr.strip()]
        raise Failure(words[0])


def answers(listen):
    """True when somebody accepts connections there."""
    host, port = listen.rsplit(":", 1)
    host = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=2):
            return True
    except OSError:
        return False


def knows_all(place, kind):
    """False while HAProxy takes a server for dead."""
    if kind != "haproxy":
        return True
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(2)
            connection.connect(place.at(kind, "admin.sock"))
            connection.sendall(b"show stat -1 4 -1\n")
            table = b""
            while piece := connection.recv(65536):
                table += piece
        return b",UP" in table and b",DOWN" not in table
    except OSError:
        return False


def start(place, kind="nginx"):
    """Runs as root, and its workers do not."""
    command = {"nginx": ["nginx", "-e", os.path.join(place.logs, "nginx-error.log"), "-c", conf_path(place, kind), "-g", "daemon off;"],
               "haproxy": ["haproxy", "-db", "-f", conf_path(place, kind)]}[kind]
    with open(os.path.join(place.logs, kind + ".log"), "ab") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                                preexec_fn=lambda: ending.die_with_parent(STOP[kind]))


def check_port_free(listen, option):
    host, port = listen.rsplit(":", 1)
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), int(port)))
        except OSError as error:
            raise Failure(f"{listen} cannot be listened on ({error.strerror}): choose another with {option}") from None


def local_certificate(place, host):
    """A CA of this installation, made once, and a certificate for the host. Returns (ca, certificate, key)."""
    tls = place.at("tls")
    os.makedirs(tls, mode=0o755, exist_ok=True)
    ca, ca_key, cert, key = (os.path.join(tls, name) for name in ("ca.pem", "ca.key", f"{host}.pem", f"{host}.key"))
    if not os.path.exists(ca):
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650",
             "-subj", "/CN=Partita local CA", "-addext", "basicConstraints=critical,CA:TRUE,pathlen:0",
             "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", ca_key, "-out", ca])
    if not os.path.exists(cert):
        names = f"subjectAltName=DNS:{host},DNS:localhost,IP:127.0.0.1"
        if host.replace(".", "").isdigit():
            names = f"subjectAltName=IP:{host},DNS:localhost"
        request = os.path.join(tls, "request.pem")
        run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={host}",
             "-keyout", key, "-out", request])
        extensions = os.path.join(tls, "extensions")
        with open(extensions, "w", encoding="utf-8") as file:
            file.write(names + "\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n")
        run(["openssl", "x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", "825",
             "-extfile", extensions, "-out", cert])
        os.unlink(request)
        os.unlink(extensions)
    for path in (ca_key, key):
        os.chmod(path, 0o600)
    return ca, cert, key


def stop_if_left(place):
    """Ends an nginx that an earlier, killed run left behind."""
    pid_file = place.at("nginx", "nginx.pid")
    if os.path.exists(pid_file) and shutil.which("nginx"):
        ending.call(["nginx", "-e", "/dev/null", "-c", place.at("nginx", "nginx.conf"), "-s", "quit"])
