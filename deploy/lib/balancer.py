"""nginx in front, and the certificate it shows."""
import os
import shutil
import signal
import socket
import subprocess

import ending
from machine import Failure, run


def fill(template, values):
    for name, value in values.items():
        template = template.replace(f"@{name}@", value)
    return template


def write_conf(place, issuer, listen, playground_listen, certificate):
    """certificate is None or (certificate file, key file)."""
    tls = ""
    if certificate:
        tls = (f"ssl_certificate {certificate[0]};\n        ssl_certificate_key {certificate[1]};\n"
               "        ssl_protocols TLSv1.2 TLSv1.3;\n        ssl_session_cache shared:tls:4m;\n"
               "        ssl_session_tickets off;\n"
               "        add_header Strict-Transport-Security \"max-age=31536000\" always;")
    with open(os.path.join(place.source, "deploy/nginx/nginx.conf.in"), encoding="utf-8") as file:
        text = fill(file.read(), {
            "DIR": place.dir, "LOGS": place.logs, "SOCKETS": place.sockets, "ISSUER": issuer, "LISTEN": listen,
            "PLAYGROUND_LISTEN": playground_listen, "LISTEN_SSL": " ssl" if certificate else "", "TLS": tls})
    with open(place.at("nginx", "nginx.conf"), "w", encoding="utf-8") as file:
        file.write(text)


def check(place):
    """nginx judges what it was given before anything starts: certificates, keys, addresses."""
    done = ending.call(["nginx", "-t", "-e", "/dev/null", "-c", place.at("nginx", "nginx.conf")])
    if done.returncode != 0:
        words = [line for line in done.stderr.split("\n") if "[emerg]" in line] or [done.stderr.strip()]
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


def start(place):
    log = open(os.path.join(place.logs, "nginx.log"), "ab")
    return subprocess.Popen(["nginx", "-e", os.path.join(place.logs, "nginx-error.log"), "-c", place.at("nginx", "nginx.conf"),
                             "-g", "daemon off;"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                            preexec_fn=lambda: ending.die_with_parent(signal.SIGQUIT))


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
