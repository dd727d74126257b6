"""Clients that are not who they say, at every endpoint where clients authenticate: each refused with the exact status and
error, and nobody learns whether there is such a client, neither by the bytes of the answer nor by the clock."""
import hashlib
import hmac
import json
import os
import re
import time

import pytest
import requests

from outside import ASSERTION_TYPE, Signer, b64, jwks, unsigned
from person import request_for
from token_process import OwnProcess
from visitor import CALLBACK, UnixAdapter

ENDPOINTS = {"/token": "op-token", "/as/par": "op-auth", "/introspect": "op-management", "/revoke": "op-management",
             "/device_authorization": "op-async"}
# A request that is whole but for the client.
FORMS = {"/token": {"grant_type": "client_credentials"}, "/as/par": {**request_for("x", CALLBACK)[0], "client_id": None},
         "/introspect": {"token": "x"}, "/revoke": {"token": "x"}, "/device_authorization": {"scope": "openid"}}
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


class World:
    """A process of each server, which lets clients fail as often as they like, and clients of every kind."""

    def __init__(self, partita, directory):
        self.partita, self.url = partita, partita.issuer
        self.processes = {server: OwnProcess(partita, server, "client_secret_failures=100000") for server in set(ENDPOINTS.values())}
        self.sessions = {server: self.session(process) for server, process in self.processes.items()}
        self.signer, self.other_signer, self.stranger = Signer("one"), Signer("two"), Signer("one")
        self.basic, self.second = self.add(), self.add()
        self.by_post = self.add("--auth-method", "client_secret_post")
        self.public = self.add("--public")
        self.jwt = self.add("--auth-method", "private_key_jwt", "--jwks", self.keys(directory / "one", self.signer))
        self.other_jwt = self.add("--auth-method", "private_key_jwt", "--jwks", self.keys(directory / "two", self.other_signer))
        self.pinned = self.add("--auth-method", "private_key_jwt", "--auth-alg", "ES384", "--jwks", self.keys(directory / "384", self.signer, Signer("one", "ES384")))
        self.off = self.add()
        partita.opctl("client", "disable", self.off["client_id"])

    def session(self, process):
        http = requests.Session()
        http.trust_env = False
        http.mount(self.url, UnixAdapter(process.path))
        return http

    def keys(self, path, *signers):
        path.write_text(json.dumps(jwks(*signers)))
        return str(path)

    def add(self, *more):
        grants = [] if "--public" in more else ["--grant", "client_credentials"]
        return self.partita.add_client("Mixed up", CALLBACK, "--grant", DEVICE.rpartition(":")[2], *grants, *more)

    def post(self, path, auth=None, **form):
        return self.sessions[ENDPOINTS[path]].post(self.url + path, auth=auth, data={**FORMS[path], **form}, timeout=30)

    def assertion(self, signer=None, client=None, header=None, **claims):
        return {"client_assertion_type": ASSERTION_TYPE,
                "client_assertion": (signer or self.signer).assertion((client or self.jwt)["client_id"], self.url, header, **claims)}

    def token(self, text):
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": text}

    def claims(self):
        now = int(time.time())
        return {"iss": self.jwt["client_id"], "sub": self.jwt["client_id"], "aud": self.url, "jti": str(time.time_ns()), "iat": now, "exp": now + 60}

    def close(self):
        for process in self.processes.values():
            process.close()


@pytest.fixture(scope="module")
def world(partita, tmp_path_factory):
    made = World(partita, tmp_path_factory.mktemp("keys"))
    yield made
    made.close()


def hs256(w, key):
    signed = b64({"alg": "HS256", "kid": "one"}) + "." + b64(w.claims())
    return signed + "." + b64(hmac.new(key, signed.encode(), hashlib.sha256).digest())


def pair(client, secret=None):
    return client["client_id"], client["client_secret"] if secret is None else secret


def used_before(w):
    """At another endpoint, a moment ago."""
    assertion = w.assertion()
    for path in ("/introspect", "/token"):
        w.post(path, **assertion)
    return assertion


NOBODY = {"client_id": "nobody-knows-this-one"}
CLIENT, REQUEST = (401, "invalid_client"), (400, "invalid_request")
# (name, what is sent: Authorization as a pair or a string, and parameters; what is answered)
WAYS = [
    ("nothing", lambda w: (None, {}), CLIENT),
    ("an unknown client with a secret", lambda w: (pair(NOBODY, "x"), {}), CLIENT),
    ("an unknown client with a secret in the body", lambda w: (None, {**NOBODY, "client_secret": "x"}), CLIENT),
    ("an unknown client that is public", lambda w: (None, NOBODY), CLIENT),
    ("an unknown client with an assertion", lambda w: (None, w.assertion(client=NOBODY)), CLIENT),
    ("a wrong secret", lambda w: (pair(w.basic, "wrong"), {}), CLIENT),
    ("an empty secret", lambda w: (pair(w.basic, ""), {}), CLIENT),
    ("the secret and a character more", lambda w: (pair(w.basic, w.basic["client_secret"] + "A"), {}), CLIENT),
    ("half the secret", lambda w: (pair(w.basic, w.basic["client_secret"][:20]), {}), CLIENT),
    ("its hash", lambda w: (pair(w.basic, b64(hashlib.sha256(w.basic["client_secret"].encode()).digest())), {}), CLIENT),
    ("another client's secret", lambda w: (pair(w.basic, w.second["client_secret"]), {}), CLIENT),
    ("another client's client_id beside one's own secret", lambda w: (pair(w.second, w.basic["client_secret"]), {}), CLIENT),
    ("a wrong secret in the body", lambda w: (None, {"client_id": w.by_post["client_id"], "client_secret": "wrong"}), CLIENT),
    ("the secret in the body, registered for the header",
     lambda w: (None, {"client_id": w.basic["client_id"], "client_secret": w.basic["client_secret"]}), CLIENT),
    ("the secret in the header, registered for the body", lambda w: (pair(w.by_post), {}), CLIENT),
    ("a disabled client", lambda w: (pair(w.off), {}), CLIENT),
    ("a confidential client without its secret", lambda w: (None, {"client_id": w.basic["client_id"]}), CLIENT),
    ("a client with a key, without an assertion", lambda w: (None, {"client_id": w.jwt["client_id"]}), CLIENT),
    ("a client with a key, with a secret", lambda w: (pair(w.jwt, "x"), {}), CLIENT),
    ("a public client with a secret", lambda w: (pair(w.public, "x"), {}), CLIENT),
    ("a public client with an empty secret", lambda w: (pair(w.public, ""), {}), CLIENT),
    ("a public client with an assertion", lambda w: (None, w.assertion(client=w.public)), CLIENT),
    ("the secret in both places", lambda w: (pair(w.basic), {"client_secret": w.basic["client_secret"]}), REQUEST),
    ("a secret and an assertion", lambda w: (pair(w.basic), w.assertion()), REQUEST),
    ("a secret in the body and an assertion", lambda w: (None, {**w.assertion(), "client_secret": "x"}), REQUEST),
    ("another client_id in the body", lambda w: (pair(w.basic), {"client_id": w.second["client_id"]}), REQUEST),
    ("client_id twice", lambda w: (None, {"client_id": [w.public["client_id"]] * 2}), REQUEST),
    ("a bearer token", lambda w: ("Bearer " + w.basic["client_secret"], {}), CLIENT),
    ("another client_id beside an assertion", lambda w: (None, {**w.assertion(), "client_id": w.other_jwt["client_id"]}), CLIENT),
    ("an assertion of no type", lambda w: (None, {**w.assertion(), "client_assertion_type": None}), REQUEST),
    ("an assertion of SAML", lambda w: (None, {**w.assertion(), "client_assertion_type": ASSERTION_TYPE.replace("jwt", "saml2")}), CLIENT),
    ("two assertions", lambda w: (None, {**w.assertion(), "client_assertion": ["x", "y"]}), REQUEST),
    ("an assertion too long", lambda w: (None, w.assertion(x="x" * 8192)), REQUEST),
    ("alg none", lambda w: (None, w.token(unsigned({"alg": "none", "kid": "one"}, w.claims(), b""))), CLIENT),
    ("alg none, and a signature", lambda w: (None, w.token(unsigned({"alg": "none", "kid": "one"}, w.claims()))), CLIENT),
    ("HS256 under the public key", lambda w: (None, w.token(hs256(w, json.dumps(w.signer.public).encode()))), CLIENT),
    ("HS256 under nothing", lambda w: (None, w.token(hs256(w, b""))), CLIENT),
    ("crit", lambda w: (None, w.assertion(header={"crit": ["exp"], "exp": 1})), CLIENT),
    ("b64 false", lambda w: (None, w.assertion(header={"b64": False, "crit": ["b64"]})), CLIENT),
    ("typ of an access token", lambda w: (None, w.assertion(header={"typ": "at+jwt"})), CLIENT),
    ("typ of a security event", lambda w: (None, w.assertion(header={"typ": "secevent+jwt"})), CLIENT),
    ("a stranger's key under the kid", lambda w: (None, w.assertion(w.stranger)), CLIENT),
    ("another client's key and its kid", lambda w: (None, w.assertion(w.other_signer)), CLIENT),
    ("another client's kid over one's own signature", lambda w: (None, w.assertion(header={"kid": "two"})), CLIENT),
    ("a kid that is a path", lambda w: (None, w.assertion(header={"kid": "../../one"})), CLIENT),
    ("a kid that is a number", lambda w: (None, w.assertion(header={"kid": 1})), CLIENT),
    ("a key of its own in the header", lambda w: (None, w.assertion(w.stranger, header={"kid": None, "jwk": w.stranger.public})), CLIENT),
    ("an address of keys in the header", lambda w: (None, w.assertion(w.stranger, header={"jku": "https://evil.example/jwks"})), CLIENT),
    ("another algorithm than registered", lambda w: (None, w.assertion(client=w.pinned)), CLIENT),
    ("another client as iss", lambda w: (None, w.assertion(iss=w.other_jwt["client_id"])), CLIENT),
    ("another client as sub", lambda w: (None, w.assertion(sub=w.other_jwt["client_id"])), CLIENT),
    ("aud of an endpoint without clients", lambda w: (None, w.assertion(aud=w.url + "/userinfo")), CLIENT),
    ("a list of other auds", lambda w: (None, w.assertion(aud=["https://evil.example", w.url + "/", w.url.upper()])), CLIENT),
    ("an empty list of auds", lambda w: (None, w.assertion(aud=[])), CLIENT),
    ("a list of auds with a number", lambda w: (None, w.assertion(aud=[w.url, 1])), CLIENT),
    ("expired", lambda w: (None, w.assertion(iat=int(time.time()) - 200, exp=int(time.time()) - 100)), CLIENT),
    ("exp in a year", lambda w: (None, w.assertion(exp=int(time.time()) + 31536000)), CLIENT),
    ("exp in an hour, and no iat", lambda w: (None, w.assertion(exp=int(time.time()) + 3600, iat=None)), CLIENT),
    ("exp below nothing", lambda w: (None, w.assertion(exp=-1)), CLIENT),
    ("no exp", lambda w: (None, w.assertion(exp=None)), CLIENT),
    ("iat tomorrow", lambda w: (None, w.assertion(iat=int(time.time()) + 86400, exp=int(time.time()) + 86460)), CLIENT),
    ("no jti", lambda w: (None, w.assertion(jti=None)), CLIENT),
    ("a jti that was used", lambda w: (None, used_before(w)), CLIENT),
]


@pytest.mark.parametrize("path", ENDPOINTS)
@pytest.mark.parametrize("name, make, answer", WAYS, ids=[row[0] for row in WAYS])
def test_refused(world, path, name, make, answer):
    auth, form = make(world)
    if isinstance(auth, str):
        header, auth = auth, None
        world.sessions[ENDPOINTS[path]].headers["Authorization"] = header
    try:
        response = world.post(path, auth, **form)
    finally:
        world.sessions[ENDPOINTS[path]].headers.pop("Authorization", None)
    assert (response.status_code, response.json()["error"]) == answer, response.text
    assert response.json()["error_description"] and response.headers["Cache-Control"] == "no-store"
    assert ("WWW-Authenticate" in response.headers) == (response.status_code == 401)
    assert world.basic["client_secret"] not in response.text


@pytest.mark.parametrize("path", ENDPOINTS)
def test_who_does_it_right_is_let_in(world, path):
    """The same requests: what was refused above was refused for the client."""
    right = [(pair(world.basic), {}), (None, {"client_id": world.by_post["client_id"], "client_secret": world.by_post["client_secret"]}),
             (None, world.assertion()), (None, world.assertion(aud=["https://other.example", world.url + path]))]
    for auth, form in right:
        if path == "/as/par":
            form = {"client_id": auth[0] if auth else form.get("client_id", world.jwt["client_id"]), **form}
        response = world.post(path, auth, **form)
        assert response.status_code in (200, 201), response.text


def guesses(w):
    """{way: (of an unknown client, of a known one)}, each made anew; nothing but the client differs."""
    return {
        "client_secret_basic": (lambda: (pair(NOBODY, "w" * 43), {}), lambda: (pair(w.basic, "w" * 43), {})),
        "client_secret_post": (lambda: (None, {**NOBODY, "client_secret": "w" * 43}), lambda: (None, {"client_id": w.by_post["client_id"], "client_secret": "w" * 43})),
        "private_key_jwt": (lambda: (None, w.assertion(w.stranger, NOBODY)), lambda: (None, w.assertion(w.stranger))),
        "private_key_jwt, an unknown kid": (lambda: (None, w.assertion(w.other_signer, NOBODY)), lambda: (None, w.assertion(w.other_signer))),
        "none": (lambda: (None, NOBODY), lambda: (None, {"client_id": w.basic["client_id"]})),
    }


@pytest.mark.parametrize("path", ENDPOINTS)
def test_the_same_bytes_for_an_unknown_client_and_a_wrong_secret(world, path):
    seen = set()
    for unknown, known in guesses(world).values():
        for make in (unknown, known):
            auth, form = make()
            response = world.post(path, auth, **form)
            fields = tuple(sorted((name.lower(), value) for name, value in response.headers.items() if name.lower() not in ("date", "x-request-id")))
            seen.add((response.status_code, response.reason, fields, response.content))
    assert len(seen) == 1 and next(iter(seen))[0] == 401, seen


def on_processor(process):
    """Nanoseconds that its threads have worked, however busy the machine is."""
    threads = f"/proc/{process.process.pid}/task"
    found = 0
    for thread in os.listdir(threads):
        with open(f"{threads}/{thread}/schedstat", encoding="utf-8") as file:
            found += int(file.read().split()[0])
    return found


def test_the_clock_does_not_tell_them_apart(world):
    """By the work that an answer takes. ES384 takes longest to verify, more than all the rest of a request."""
    signer = Signer("one", "ES384")
    kinds = {"secret": [(pair(client, "w" * 43), {}) for client in (NOBODY, world.basic)],
             "assertion": [(None, world.assertion(signer, client)) for client in (NOBODY, world.pinned)],
             "unknown kid": [(None, world.assertion(signer, client, {"kid": "none"})) for client in (NOBODY, world.pinned)]}
    for path, server in ENDPOINTS.items():
        process = world.processes[server]
        for kind, ways in kinds.items():
            work = [[], []]
            for which in [0, 1] * 6:
                auth, form = ways[which]
                before = on_processor(process)
                assert [world.post(path, auth, **form).status_code for _ in range(6)] == [401] * 6
                work[which].append(on_processor(process) - before)
            least = [min(each) for each in work]  # what came in between only adds to it
            assert min(least) > 0.7 * max(least), (path, kind, work)


def test_the_log_tells_the_operator(world):
    """What the stranger is not told stands there, without the secret."""
    world.post("/token", **world.assertion(world.stranger))
    log = world.processes["op-token"].log()
    assert re.search(r'"event":"client_authentication_failed".*"reason":"a wrong signature"', log)
    assert world.basic["client_secret"] not in log
