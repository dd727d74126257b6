"""Somebody else's machine, as a client has one: a TLS server that publishes documents well or badly, a certificate
authority that the provider under test is told to believe, and the client's own keys."""
import base64
import datetime
import ipaddress
import json
import os
import secrets
import socket
import ssl
import threading
import time

from authlib.jose import JsonWebKey, JsonWebSignature
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Authority:
    """A certificate authority in a directory that every user may read."""

    def __init__(self, directory):
        self.directory = directory
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tests of what is outside " + secrets.token_hex(4))])
        self.certificate = self.sign(self.name, self.key.public_key(), [(x509.BasicConstraints(True, 0), True)])
        self.path = self.write("ca.pem", self.certificate.public_bytes(serialization.Encoding.PEM))
        os.chmod(directory, 0o755)

    def sign(self, subject, public_key, extensions):
        now = datetime.datetime.utcnow()
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(public_key)
                   .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
                   .not_valid_after(now + datetime.timedelta(days=1)))
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(self.key, hashes.SHA256())

    def write(self, name, data):
        path = os.path.join(self.directory, name)
        with open(path, "wb") as file:
            file.write(data)
        os.chmod(path, 0o644)
        return path

    def server_certificate(self, *names):
        """The path of a certificate for host names and addresses, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        certificate = self.sign(subject, key.public_key(), [(x509.SubjectAlternativeName([general_name(n) for n in names]), False)])
        return self.write(f"server-{secrets.token_hex(4)}.pem", certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))

    def server_context(self, *names):
        """A TLS context with such a certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server_certificate(*names))
        return context


def general_name(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class Machine:
    """A TLS server on its own thread. pages: path -> function(connection, path); hits: every path asked for, in order; heads: of those
    requests, by path;
    connections: how many there were, whatever came of them."""

    def __init__(self, context, address=("127.0.0.1", 0)):
        self.context, self.pages, self.hits, self.heads, self.connections = context, {}, [], {}, 0
        self.sent = 0  # bytes of bodies that went into the socket
        self.stall_handshakes = False
        self.listener = socket.create_server(address, family=socket.AF_INET6 if ":" in address[0] else socket.AF_INET, backlog=64)
        self.port = self.listener.getsockname()[1]
        self.stopped = threading.Event()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while not self.stopped.is_set():
            try:
                raw, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(raw,), daemon=True).start()

    def serve(self, raw):
        raw.settimeout(60)
        try:
            if self.stall_handshakes:
                self.stopped.wait(60)
                return
            with self.context.wrap_socket(raw, server_side=True) as connection:
                head = b""
                while b"\r\n\r\n" not in head:
                    more = connection.recv(4096)
                    if not more:
                        return
                    head += more
                path = head.split()[1].decode()
                self.heads[path] = head.decode("latin-1")
                self.hits.append(path)
                self.pages.get(path.partition("?")[0], not_found)(self, connection)
        except (OSError, ssl.SSLError):
            pass
        finally:
            raw.close()

    def send(self, connection, data):
        connection.sendall(data)
        self.sent += len(data)

    def put(self, path, document, fields=""):
        """Publishes a document as it should be done."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.pages[path] = lambda machine, connection: machine.send(connection, (
            f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{fields}\r\n"
        ).encode() + body)

    def answer(self, path, raw):
        self.pages[path] = lambda machine, connection: machine.send(connection, raw)

    def close(self):
        self.stopped.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def not_found(machine, connection):
    machine.send(connection, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


# --- ways to answer badly ---

def hang(machine, connection):
    del connection
    machine.stopped.wait(60)


def hang_after_head(machine, connection):
    machine.send(connection, b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
    machine.stopped.wait(60)


def trickle(machine, connection):
    machine.send(connection, b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n")
    while not machine.stopped.wait(0.2):
        machine.send(connection, b" ")


def trickle_head(machine, connection):
    machine.send(connection, b"HTTP/1.1 200 OK\r\nX: ")
    while not machine.stopped.wait(0.2):
        machine.send(connection, b"x")


def gigabyte(machine, connection):
    machine.send(connection, b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1073741824\r\n\r\n")
    for _ in range(1 << 14):
        machine.send(connection, b" " * (1 << 16))


def endless_chunks(machine, connection):
    machine.send(connection, b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(1 << 14):
        machine.send(connection, b"10000\r\n" + b" " * (1 << 16) + b"\r\n")


def endless_head(machine, connection):
    machine.send(connection, b"HTTP/1.1 200 OK\r\n")
    for n in range(1 << 18):
        machine.send(connection, b"X-%d: " % n + b"x" * 4000 + b"\r\n")


def early_end(machine, connection):
    machine.send(connection, b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"keys\":[]}")


# --- a client's keys and assertions ---

class Signer:
    """A key of a client, made or (key) read from PEM; kid None leaves it out."""

    def __init__(self, kid="one", alg="ES256", key=None):
        kind, size = {"ES256": ("EC", "P-256"), "ES384": ("EC", "P-384"), "RS256": ("RSA", 2048), "PS256": ("RSA", 2048),
                      "EdDSA": ("OKP", "Ed25519")}[alg]
        self.alg, self.kid = alg, kid
        self.key = JsonWebKey.import_key(key, {"kty": kind}) if key else JsonWebKey.generate_key(kind, size, is_private=True)

    @property
    def public(self):
        jwk = {**self.key.as_dict(is_private=False), "use": "sig", "alg": self.alg}
        jwk.pop("kid", None)
        for coordinate in {"x", "y"} & jwk.keys() if jwk["kty"] == "EC" else ():
            jwk[coordinate] = padded(jwk[coordinate], {"P-256": 32, "P-384": 48}[jwk["crv"]])
        return jwk if self.kid is None else {**jwk, "kid": self.kid}

    def sign(self, claims, **header):
        """A compact JWS with just these header fields, whatever they mean; one that is None is left out."""
        fields = {"alg": self.alg, "kid": self.kid, **header}
        algorithm = JsonWebSignature.ALGORITHMS_REGISTRY[self.alg]
        signed = b64({k: v for k, v in fields.items() if v is not None}) + "." + b64(claims)
        return signed + "." + b64(algorithm.sign(signed.encode(), algorithm.prepare_key(self.key)))

    def assertion(self, client_id, audience, header=None, **claims):
        """As client libraries make it; a claim that is None is left out."""
        now = int(time.time())
        all_claims = {"iss": client_id, "sub": client_id, "aud": audience, "jti": secrets.token_urlsafe(16), "iat": now, "exp": now + 60,
                      **claims}
        return self.sign({k: v for k, v in all_claims.items() if v is not None}, **(header or {}))

    def form(self, client_id, audience, **claims):
        """The parameters of a request that authenticates so."""
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": self.assertion(client_id, audience, **claims)}


def padded(text, length):
    """A coordinate of its full length (RFC 7518 §6.2.1.2); Authlib leaves out zeros in front."""
    return b64(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).rjust(length, b"\0"))


def jwks(*signers):
    return {"keys": [signer.public for signer in signers]}


def b64(data):
    return base64.urlsafe_b64encode(data if isinstance(data, bytes) else json.dumps(data).encode()).rstrip(b"=").decode()


def unsigned(header, claims, signature=b"signature"):
    return f"{b64(header)}.{b64(claims)}.{b64(signature)}"
