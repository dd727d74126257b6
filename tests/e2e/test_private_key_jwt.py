"""Clients that authenticate with assertions signed by keys of their own (RFC 7523, OpenID Connect Core §9)."""
import base64
import concurrent.futures
import hashlib
import hmac
import json
import os
import shutil
import time

import pytest
import requests

from outside import ASSERTION_TYPE, Signer, b64, jwks, unsigned
from person import Person, request_for
from server_process import ISSUER, Home

CALLBACK = "http://localhost:8090/callback"


def add(partita, directory, signer, *more, grants=("client_credentials",)):
    path = os.path.join(str(directory), "jwks.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(jwks(signer), file)
    words = [word for grant in grants for word in ("--grant", grant)]
    return partita.opctl("client", "add", "--name", "Machine", "--scope", "api", "--auth-method", "private_key_jwt", "--jwks", path, *words,
                         *more)


class World:
    def __init__(self, partita, directory):
        self.partita, self.url = partita, partita.issuer
        self.signer, self.pinned, self.stranger = Signer("one"), Signer("one", "ES256"), Signer("one")
        self.client = add(partita, directory, self.signer)["client_id"]
        self.pinned_client = add(partita, directory, self.pinned, "--auth-alg", "ES256")["client_id"]
        self.other_signer = Signer("one")
        self.other = add(partita, directory, self.other_signer)["client_id"]
        self.rsa = Signer("rsa", "RS256")
        self.rsa_client = add(partita, directory, self.rsa)["client_id"]
        self.with_secret = partita.info["client"]

    def token(self, **form):
        return requests.post(self.url + "/token", data={"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE, **form},
                             timeout=30)

    def ask(self, assertion, **form):
        return self.token(client_assertion=assertion, **form)

    def good(self, **claims):
        return self.signer.assertion(self.client, self.url, **claims)


@pytest.fixture(scope="module")
def partita(start_partita):
    """Its clients may fail more often than tests should rely on."""
    return start_partita("--instances", "op-token=2", "--set", "op-token.client_secret_failures=100000",
                         "--set", "op-management.client_secret_failures=100000")


@pytest.fixture(scope="module")
def world(partita, tmp_path_factory):
    return World(partita, tmp_path_factory.mktemp("keys"))


def test_metadata_says_so(partita):
    metadata = requests.get(partita.issuer + "/.well-known/openid-configuration", timeout=10).json()
    for endpoint in ("token", "revocation", "introspection"):
        assert "private_key_jwt" in metadata[f"{endpoint}_endpoint_auth_methods_supported"]
        assert set(metadata[f"{endpoint}_endpoint_auth_signing_alg_values_supported"]) == {"RS256", "PS256", "ES256", "ES384", "EdDSA"}


def test_no_secret_is_made_and_none_is_given(partita, tmp_path):
    made = add(partita, tmp_path, Signer())
    assert "client_secret" not in made and made["token_endpoint_auth_method"] == "private_key_jwt"
    assert len(made["jwks"]["keys"]) == 1
    assert "keys of its own" in partita.opctl("client", "secret", made["client_id"], check=False).stderr


@pytest.mark.parametrize("audience", ["", "/token"])
@pytest.mark.parametrize("more", [{}, {"nbf": 1}, {"iat": None}, {"extra": ["x"]}], ids=["plain", "nbf", "no iat", "extra"])
def test_good_assertions(world, audience, more):
    if "iat" in more:  # it counts as issued five minutes before its exp, which must not be before the guard was made
        more = {"iat": None, "exp": int(time.time()) + 355}
    response = world.ask(world.signer.assertion(world.client, world.url + audience, **more))
    assert response.status_code == 200, response.text
    assert response.json()["scope"] == "api"


def test_audience_among_others_and_client_id_in_the_form(world):
    assert world.ask(world.signer.assertion(world.client, ["https://other.example", world.url]), client_id=world.client).status_code == 200


def hs256(key, header, claims):
    signed = b64({**header, "alg": "HS256"}) + "." + b64(claims)
    return signed + "." + b64(hmac.new(key, signed.encode(), hashlib.sha256).digest())


def claims_of(world, **more):
    now = int(time.time())
    return {"iss": world.client, "sub": world.client, "aud": world.url, "jti": os.urandom(8).hex(), "iat": now, "exp": now + 60, **more}


def pem(signer):
    return signer.key.as_pem(is_private=False)


def now():
    """When the row runs, which may be minutes after this file was read."""
    return int(time.time())
# name, what makes the form, status, error, part of the description
HOSTILE = [
    ("no signature", lambda w: unsigned({"alg": "none"}, claims_of(w), b""), 401, "invalid_client", "alg"),
    ("None with a capital", lambda w: unsigned({"alg": "None"}, claims_of(w), b""), 401, "invalid_client", "alg"),
    ("no alg", lambda w: unsigned({"kid": "one"}, claims_of(w)), 401, "invalid_client", "not a signed JWT"),
    ("HS256 under the public key's PEM", lambda w: hs256(pem(w.signer), {"kid": "one"}, claims_of(w)), 401, "invalid_client", "alg"),
    ("HS256 under the public JWK", lambda w: hs256(json.dumps(w.signer.public).encode(), {"kid": "one"}, claims_of(w)), 401, "invalid_client",
     "alg"),
    ("HS256 under nothing", lambda w: hs256(b"", {"kid": "one"}, claims_of(w)), 401, "invalid_client", "alg"),
    ("crit", lambda w: w.signer.sign(claims_of(w), crit=["exp"], exp=now()), 401, "invalid_client", "not a signed JWT"),
    ("b64", lambda w: w.signer.sign(claims_of(w), b64=False), 401, "invalid_client", "not a signed JWT"),
    ("typ of an access token", lambda w: w.signer.sign(claims_of(w), typ="at+jwt"), 401, "invalid_client", "typ"),
    ("typ of a logout token", lambda w: w.signer.sign(claims_of(w), typ="logout+jwt"), 401, "invalid_client", "typ"),
    ("a stranger's key under the kid", lambda w: w.stranger.assertion(w.client, w.url), 401, "invalid_client", "client authentication failed"),
    ("another client's key", lambda w: w.other_signer.assertion(w.client, w.url), 401, "invalid_client", "client authentication failed"),
    ("an unknown kid", lambda w: w.signer.sign(claims_of(w), kid="two"), 401, "invalid_client", "client authentication failed"),
    ("a kid that looks like a path", lambda w: w.signer.sign(claims_of(w), kid="../../../dev/null"), 401, "invalid_client", "client authentication failed"),
    ("a key in the header", lambda w: w.stranger.sign(claims_of(w), kid=None, jwk=w.stranger.public), 401, "invalid_client",
     "client authentication failed"),
    ("an address of keys in the header", lambda w: w.stranger.sign(claims_of(w), jku="https://evil.example/jwks"), 401, "invalid_client",
     "client authentication failed"),
    ("PS256 where RS256 is signed with the same key", lambda w: (lambda t: b64({"alg": "PS256", "kid": "rsa"}) + t[t.index("."):])(
        w.rsa.assertion(w.rsa_client, w.url)), 401, "invalid_client", "client authentication failed"),
    ("a signature cut short", lambda w: (lambda h, c, s: f"{h}.{c}.{b64(base64.urlsafe_b64decode(s + '==')[:-1])}")(*w.good().split(".")), 401, "invalid_client", "client authentication failed"),
    ("a changed claim", lambda w: (lambda h, c, s: f"{h}.{b64(claims_of(w, scope='admin'))}.{s}")(*w.good().split(".")), 401, "invalid_client",
     "client authentication failed"),
    ("unknown client", lambda w: w.signer.assertion("nobody", w.url), 401, "invalid_client", "client authentication failed"),
    ("a client with a secret", lambda w: w.signer.assertion(w.with_secret["client_id"], w.url), 401, "invalid_client",
     "client authentication failed"),
    ("another iss", lambda w: w.signer.assertion(w.client, w.url, iss=w.other), 401, "invalid_client", "differ"),
    ("no iss", lambda w: w.good(iss=None), 401, "invalid_client", "iss"),
    ("no sub", lambda w: w.good(sub=None), 401, "invalid_client", "sub"),
    ("no aud", lambda w: w.good(aud=None), 401, "invalid_client", "aud"),
    ("somebody else's aud", lambda w: w.good(aud="https://evil.example"), 401, "invalid_client", "aud"),
    ("aud with a slash more", lambda w: w.good(aud=w.url + "/"), 401, "invalid_client", "aud"),
    ("aud of another endpoint", lambda w: w.good(aud=w.url + "/revoke"), 401, "invalid_client", "aud"),
    ("no exp", lambda w: w.good(exp=None), 401, "invalid_client", "exp"),
    ("exp as text", lambda w: w.good(exp=str(now() + 60)), 401, "invalid_client", "exp"),
    ("expired", lambda w: w.good(exp=now() - 61, iat=now() - 100), 401, "invalid_client", "expired"),
    ("exp next year", lambda w: w.good(exp=now() + 365 * 86400), 401, "invalid_client", "too far"),
    ("exp next year, without iat", lambda w: w.good(exp=now() + 365 * 86400, iat=None), 401, "invalid_client", "too far"),
    ("exp in milliseconds", lambda w: w.good(exp=(now() + 60) * 1000), 401, "invalid_client", "exp"),
    ("issued yesterday", lambda w: w.good(iat=now() - 86400, exp=now() - 86400 + 3600), 401, "invalid_client", "expired"),
    ("issued ten minutes ago", lambda w: w.good(iat=now() - 600, exp=now() + 60), 401, "invalid_client", "too long ago"),
    ("issued tomorrow", lambda w: w.good(iat=now() + 86400, exp=now() + 86460), 401, "invalid_client", "future"),
    ("not yet", lambda w: w.good(nbf=now() + 86400), 401, "invalid_client", "nbf"),
    ("no jti", lambda w: w.good(jti=None), 401, "invalid_client", "jti"),
    ("an empty jti", lambda w: w.good(jti=""), 401, "invalid_client", "jti"),
    ("a long jti", lambda w: w.good(jti="x" * 257), 401, "invalid_client", "jti"),
    ("a jti that is a number", lambda w: w.good(jti=1), 401, "invalid_client", "jti"),
    ("no JWT", lambda w: "secret", 401, "invalid_client", "not a signed JWT"),
    ("five parts", lambda w: w.good() + ".e30.e30", 401, "invalid_client", "not a signed JWT"),
    ("padding", lambda w: w.good() + "==", 401, "invalid_client", "not a signed JWT"),
    ("claims that are an array", lambda w: w.signer.sign(claims_of(w)).split(".")[0] + "." + b64([1]) + ".AA", 401, "invalid_client",
     "not a signed JWT"),
    ("an access token of ours", lambda w: w.ask(w.good()).json()["access_token"], 401, "invalid_client", "typ"),
    ("too long", lambda w: w.good(x="x" * 8192), 400, "invalid_request", "client_assertion"),
]


@pytest.mark.parametrize("name, make, status, error, words", HOSTILE, ids=[row[0] for row in HOSTILE])
def test_hostile_assertions(world, name, make, status, error, words):
    response = world.ask(make(world))
    body = response.json()
    assert (response.status_code, body["error"]) == (status, error), response.text
    assert words in body["error_description"]
    assert response.headers["Cache-Control"] == "no-store"


FORMS = [
    ("another client_id", lambda w: {"client_assertion": w.good(), "client_id": w.other}, 401, "invalid_client"),
    ("and a secret", lambda w: {"client_assertion": w.good(), "client_secret": "secret"}, 400, "invalid_request"),
    ("no type", lambda w: {"client_assertion": w.good(), "client_assertion_type": ""}, 400, "invalid_request"),
    ("another type", lambda w: {"client_assertion": w.good(), "client_assertion_type": ASSERTION_TYPE.replace("jwt", "saml2")}, 401, "invalid_client"),
    ("type alone", lambda w: {}, 400, "invalid_request"),
    ("twice", lambda w: {"client_assertion": [w.good(), w.good()]}, 400, "invalid_request"),
    ("type twice", lambda w: {"client_assertion": w.good(), "client_assertion_type": [ASSERTION_TYPE] * 2}, 400, "invalid_request"),
    ("no method", lambda w: {"client_assertion_type": "", "client_id": w.client}, 401, "invalid_client"),
    ("the wrong method", lambda w: {"client_assertion_type": "", "client_id": w.client, "client_secret": "x"}, 401, "invalid_client"),
]


@pytest.mark.parametrize("name, make, status, error", FORMS, ids=[row[0] for row in FORMS])
def test_hostile_forms(world, name, make, status, error):
    response = world.token(**make(world))
    assert (response.status_code, response.json()["error"]) == (status, error), response.text


def test_basic_beside_an_assertion(world):
    response = requests.post(world.url + "/token", data={"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE,
                                                         "client_assertion": world.good()}, auth=(world.client, "x"), timeout=30)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


def test_an_unknown_client_and_a_wrong_signature_get_the_same_bytes(world):
    answers = [world.ask(assertion) for assertion in (world.signer.assertion("nobody", world.url), world.stranger.assertion(world.client, world.url),
                                                      world.signer.sign(claims_of(world), kid="two"))]
    assert len({answer.content for answer in answers}) == 1
    assert len({json.dumps(sorted((k, v) for k, v in answer.headers.items() if k not in ("Date", "X-Request-Id"))) for answer in answers}) == 1


def test_the_registered_algorithm_is_the_only_one(world, partita, tmp_path):
    signer = Signer("rsa", "RS256")
    del_alg = {k: v for k, v in signer.public.items() if k != "alg"}
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": [del_alg]}))
    client = partita.opctl("client", "add", "--name", "Machine", "--grant", "client_credentials", "--auth-method", "private_key_jwt",
                           "--jwks", str(path), "--auth-alg", "PS256")["client_id"]
    assert world.ask(signer.assertion(client, world.url)).status_code == 401
    signer.alg = "PS256"
    assert world.ask(signer.assertion(client, world.url)).status_code == 200
    partita.opctl("client", "change", client, "--clear", "auth-alg")
    signer.alg = "RS256"
    assert world.ask(signer.assertion(client, world.url)).status_code == 200


def test_an_assertion_is_used_once(world):
    """By whichever instance, at whichever endpoint."""
    assertion = world.good()
    assert world.ask(assertion).status_code == 200
    for _ in range(6):
        response = world.ask(assertion)
        assert (response.status_code, response.json()["error"]) == (401, "invalid_client") and "used before" in response.text
    other = world.other_signer.assertion(world.other, world.url, jti=json.loads(base64.urlsafe_b64decode(assertion.split(".")[1] + "=="))["jti"])
    assert world.ask(other).status_code == 200, "another client's jti is another"
    shared = world.good(aud=[world.url])
    assert requests.post(world.url + "/introspect", data={"token": "x", "client_assertion_type": ASSERTION_TYPE, "client_assertion": shared},
                         timeout=30).status_code == 200
    assert world.ask(shared).status_code == 401


def test_of_many_that_race_with_one_assertion_one_wins(world):
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        for _ in range(10):
            assertion = world.good()
            assert sorted(answer.status_code for answer in pool.map(lambda _, a=assertion: world.ask(a), range(16))) == [200] + [401] * 15


def test_a_refused_assertion_uses_nothing_up(world):
    """Only what verified is remembered: a forger cannot use up a client's jti."""
    claims = claims_of(world)
    assert world.ask(world.stranger.sign(claims)).status_code == 401
    assert world.ask(world.signer.sign(claims)).status_code == 200


@pytest.mark.parametrize("endpoint, audience", [("/introspect", ""), ("/introspect", "/introspect"), ("/introspect", "/token"),
                                                ("/revoke", "/revoke")])
def test_other_endpoints(world, endpoint, audience):
    token = world.ask(world.good()).json()["access_token"]
    response = requests.post(world.url + endpoint, data={"token": token, "client_assertion_type": ASSERTION_TYPE,
                                                         "client_assertion": world.good(aud=world.url + audience)}, timeout=30)
    assert response.status_code == 200, response.text
    if endpoint == "/introspect":
        assert response.json()["active"] is True


def test_a_sign_in_with_it(world, partita, tmp_path):
    signer = Signer("web")
    client = add(partita, tmp_path, signer, "--redirect-uri", CALLBACK, "--scope", "openid offline_access",
                 grants=("authorization_code", "refresh_token"))["client_id"]
    request, verifier = request_for(client, CALLBACK, "openid offline_access")
    code = Person(partita).authorize(request)["code"]
    tokens = world.token(grant_type="authorization_code", code=code, redirect_uri=CALLBACK, code_verifier=verifier,
                         client_assertion=signer.assertion(client, world.url)).json()
    assert "id_token" in tokens
    again = world.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"],
                        client_assertion=signer.assertion(client, world.url + "/token"))
    assert again.status_code == 200, again.text


def test_a_change_by_the_operator_is_seen_on_the_next_request(world, partita, tmp_path):
    signer, new = Signer("one"), Signer("one")
    client = add(partita, tmp_path, signer)["client_id"]
    assert world.ask(signer.assertion(client, world.url)).status_code == 200
    path = tmp_path / "new.json"
    path.write_text(json.dumps(jwks(new)))
    partita.opctl("client", "change", client, "--jwks", str(path))
    assert world.ask(signer.assertion(client, world.url)).status_code == 401
    assert world.ask(new.assertion(client, world.url)).status_code == 200
    partita.opctl("client", "disable", client)
    assert world.ask(new.assertion(client, world.url)).status_code == 401
    partita.opctl("client", "enable", client)
    secret = partita.opctl("client", "change", client, "--auth-method", "client_secret_basic")["client_secret"]
    assert world.ask(new.assertion(client, world.url)).status_code == 401
    assert requests.post(world.url + "/token", data={"grant_type": "client_credentials"}, auth=(client, secret), timeout=30).status_code == 200


def test_many_failures_are_asked_to_wait(request, tmp_path):
    home = Home(op_token__client_secret_failures="3")
    request.addfinalizer(home.close)
    for name in ("op-discovery", "op-token"):
        token = home.start(name).wait_ready()
    signer = Signer()
    client = add(home, tmp_path, signer)["client_id"]
    form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE}
    statuses = [token.post("/token", {**form, "client_assertion": Signer("one").assertion(client, ISSUER)})[0] for _ in range(5)]
    assert statuses == [401, 401, 401, 429, 429]


def test_a_client_has_so_many_assertions_in_a_time(request, tmp_path):
    """Each accepted one is kept for a while: one client cannot fill guard with them."""
    home = Home(op_token__client_assertions="3", op_token__client_assertions_window="1h")
    request.addfinalizer(home.close)
    for name in ("op-discovery", "op-token"):
        token = home.start(name).wait_ready()
    signer, other_signer = Signer(), Signer()
    client, other = add(home, tmp_path, signer)["client_id"], add(home, tmp_path, other_signer)["client_id"]

    def ask(assertion):
        return token.post("/token", {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion})
    replayed = signer.assertion(client, ISSUER)
    assert [ask(replayed)[0] for _ in range(5)] == [200] + [401] * 4
    assert ask(Signer("forger").assertion(client, ISSUER))[0] == 401
    assert [ask(signer.assertion(client, ISSUER))[0] for _ in range(2)] == [200] * 2, "only what is accepted counts"
    status, headers, body = ask(signer.assertion(client, ISSUER))
    assert (status, body["error"]) == (429, "temporarily_unavailable") and 1 <= int(headers["retry-after"]) <= 1200
    assert ask(Signer("forger").assertion(client, ISSUER))[0] == 401, "a forger does not learn of it"
    assert [ask(other_signer.assertion(other, ISSUER))[0] for _ in range(3)] == [200] * 3, "others are not in its way"
    assert [event["client_id"] for event in token.events("client_assertions_throttled")] == [client]


def test_a_reboot_opens_no_window_for_replays(request, tmp_path):
    """What was issued before guard was made might have been used already."""
    home = Home()
    request.addfinalizer(home.close)
    discovery, token = (home.start(name).wait_ready() for name in ("op-discovery", "op-token"))
    signer = Signer()
    client = add(home, tmp_path, signer)["client_id"]
    form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE}
    used, unused, without_iat = (signer.assertion(client, ISSUER, **more) for more in ({}, {}, {"iat": None}))
    assert token.post("/token", {**form, "client_assertion": used})[0] == 200
    time.sleep(1.1)
    for process in (token, discovery):
        process.end()
    shutil.rmtree(home.dir + "/run")
    os.mkdir(home.dir + "/run")
    home.opctl("init", "--unowned", "--volatile")
    home.start("op-discovery").wait_ready()
    token = home.start("op-token").wait_ready()
    for assertion in (used, unused, without_iat):
        status, _, body = token.post("/token", {**form, "client_assertion": assertion})
        assert (status, body["error"]) == (401, "invalid_client") and "before this server's start" in body["error_description"]
    assert token.post("/token", {**form, "client_assertion": signer.assertion(client, ISSUER)})[0] == 200
