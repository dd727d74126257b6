"""Tokens of ours that somebody else has made, at every place where we take our own: none is believed, anywhere."""
import base64
import functools
import hashlib
import hmac
import json

import pytest
import requests
from authlib.jose import JsonWebKey

from outside import Signer, b64
from person import request_for, sign_in
from registration import bearer
from visitor import CALLBACK, Visitor, new_client, new_user


def decoded(part):
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def hs256(header, claims, key):
    signed = b64({**header, "alg": "HS256"}) + "." + b64(claims)
    return signed + "." + b64(hmac.new(key, signed.encode(), hashlib.sha256).digest())


@functools.cache
def stranger():
    return Signer("strange", "RS256")


# {name: function of (header, claims, signature text, our public JWK) that makes the forgery}
FORGERIES = {
    "none": lambda h, c, s, k: b64({**h, "alg": "none"}) + "." + b64(c) + ".",
    "None": lambda h, c, s, k: b64({**h, "alg": "None"}) + "." + b64(c) + ".",
    "nOnE with a signature": lambda h, c, s, k: b64({**h, "alg": "nOnE"}) + "." + b64(c) + "." + s,
    "no alg": lambda h, c, s, k: b64({"typ": h["typ"], "kid": h["kid"]}) + "." + b64(c) + "." + s,
    "no signature": lambda h, c, s, k: b64(h) + "." + b64(c) + ".",
    "two parts": lambda h, c, s, k: b64(h) + "." + b64(c),
    "a signature of nothing": lambda h, c, s, k: b64(h) + "." + b64(c) + "." + b64(b"\0" * 64),
    "ES256 with r and s of zero": lambda h, c, s, k: b64({**h, "alg": "ES256"}) + "." + b64(c) + "." + b64(b"\0" * 64),
    "HS256 under the public key as PEM": lambda h, c, s, k: hs256(h, c, JsonWebKey.import_key(k).as_pem()),
    "HS256 under the public key as JWK": lambda h, c, s, k: hs256(h, c, json.dumps(k).encode()),
    "HS256 under its modulus": lambda h, c, s, k: hs256(h, c, base64.urlsafe_b64decode((k.get("n") or k.get("x")) + "==")),
    "HS256 under nothing": lambda h, c, s, k: hs256(h, c, b""),
    "HS256 without kid": lambda h, c, s, k: hs256({"typ": h["typ"]}, c, JsonWebKey.import_key(k).as_pem()),
    "another alg of the same key": lambda h, c, s, k: b64({**h, "alg": "PS256"}) + "." + b64(c) + "." + s,
    "a stranger's key": lambda h, c, s, k: stranger().sign(c, typ=h["typ"], kid=h["kid"]),
    "a stranger's key, without kid": lambda h, c, s, k: stranger().sign(c, typ=h["typ"], kid=None),
    "a stranger's key in the header": lambda h, c, s, k: stranger().sign(c, typ=h["typ"], jwk=stranger().public),
    "a stranger's keys at an address": lambda h, c, s, k: stranger().sign(c, typ=h["typ"], kid=h["kid"], jku="https://evil.example/jwks"),
    "a stranger's certificate": lambda h, c, s, k: stranger().sign(c, typ=h["typ"], kid=h["kid"], x5c=["MIIB"]),
    "crit": lambda h, c, s, k: b64({**h, "crit": ["exp"], "exp": 1}) + "." + b64(c) + "." + s,
    "b64 false": lambda h, c, s, k: b64({**h, "b64": False, "crit": ["b64"]}) + "." + b64(c) + "." + s,
    "zip": lambda h, c, s, k: b64({**h, "zip": "DEF"}) + "." + b64(c) + "." + s,
    "another kid": lambda h, c, s, k: b64({**h, "kid": "somebody"}) + "." + b64(c) + "." + s,
    "a kid that is a path": lambda h, c, s, k: b64({**h, "kid": "../../dev/null"}) + "." + b64(c) + "." + s,
    "another typ": lambda h, c, s, k: b64({**h, "typ": "logout+jwt"}) + "." + b64(c) + "." + s,
    "another sub": lambda h, c, s, k: b64(h) + "." + b64({**c, "sub": "admin"}) + "." + s,
    "a longer life": lambda h, c, s, k: b64(h) + "." + b64({**c, "exp": c["exp"] + 86400}) + "." + s,
    "another aud": lambda h, c, s, k: b64(h) + "." + b64({**c, "aud": "https://evil.example"}) + "." + s,
    "a signature with a bit turned": lambda h, c, s, k: b64(h) + "." + b64(c) + "." + ("B" if s[0] == "A" else "A") + s[1:],
    "a signature cut short": lambda h, c, s, k: b64(h) + "." + b64(c) + "." + s[:-4],
    "a signature that goes on": lambda h, c, s, k: b64(h) + "." + b64(c) + "." + s + "AAAA",
    "the JSON serialization": lambda h, c, s, k: json.dumps({"protected": b64(h), "payload": b64(c), "signature": s}),
    "five parts": lambda h, c, s, k: ".".join([b64({**h, "alg": "RSA-OAEP", "enc": "A128GCM"}), "", "AA", b64(c), s]),
}


class World:
    def __init__(self, partita):
        self.partita, self.url = partita, partita.issuer
        self.client = new_client(partita)
        self.person = Visitor(partita, new_user(partita))
        self.tokens = self.person.tokens(self.client, "openid offline_access")
        self.keys = {key["kid"]: key for key in requests.get(self.url + "/.well-known/jwks.json", timeout=20).json()["keys"]}

    def forge(self, make, kind):
        head, body, signature = self.tokens[kind].split(".")
        header = {"typ": "JWT", **decoded(head)}
        return make(header, decoded(body), signature, self.keys[header["kid"]])

    def management(self, path, token):
        return requests.post(self.url + path, data={"token": token}, auth=(self.client["client_id"], self.client["client_secret"]), timeout=20)

    def userinfo(self, token):
        return requests.get(self.url + "/userinfo", headers=bearer(token), timeout=20)


@pytest.fixture(scope="module")
def world(partita):
    return World(partita)


@pytest.mark.parametrize("name", FORGERIES)
def test_access_tokens(world, name):
    token = world.forge(FORGERIES[name], "access_token")
    refused = world.userinfo(token)
    assert refused.status_code == 401 and 'error="invalid_token"' in refused.headers["WWW-Authenticate"]
    posted = requests.post(world.url + "/userinfo", data={"access_token": token}, timeout=20)
    assert posted.status_code == 401 and 'error="invalid_token"' in posted.headers["WWW-Authenticate"]
    asked, revoked = (world.management(path, token) for path in ("/introspect", "/revoke"))
    assert (asked.status_code, asked.content) == (200, b'{"active":false}')
    assert (revoked.status_code, revoked.content) == (200, b""), "it is nothing of ours"
    assert world.userinfo(world.tokens["access_token"]).status_code == 200, "and what it was made from lives on"


@pytest.mark.parametrize("name", FORGERIES)
def test_hints(world, name):
    """Nobody is found by one, and nobody is signed out."""
    hint = world.forge(FORGERIES[name], "id_token")
    request, _ = request_for(world.client["client_id"], CALLBACK, id_token_hint=hint)
    assert world.person.get("/authorize", **{**request, "prompt": "none"}).kind == "invalid_request"
    pushed = requests.post(world.url + "/as/par", data=request, auth=(world.client["client_id"], world.client["client_secret"]), timeout=20)
    assert (pushed.status_code, pushed.json()["error"]) == (400, "invalid_request")
    left = world.person.get("/logout", id_token_hint=hint)
    assert (left.kind, left.status) == ("problem", 400) and "not an ID token of this issuer" in left.text
    assert "Sign out" in world.person.get("/account").text


def test_what_they_were_made_from_is_good(world):
    request, _ = request_for(world.client["client_id"], CALLBACK, id_token_hint=world.tokens["id_token"])
    assert world.person.get("/authorize", **{**request, "prompt": "none"}).kind == "code"


def test_tokens_of_another_issuer(world, partita_tls):
    """As well made as ours, by another installation."""
    tokens = sign_in(partita_tls, partita_tls.info["client"])
    assert world.userinfo(tokens["access_token"]).status_code == 401
    assert world.management("/introspect", tokens["access_token"]).json() == {"active": False}
    seen = world.person.get("/logout", id_token_hint=tokens["id_token"])
    assert seen.kind == "problem" and seen.status == 400
