"""Registrations that must be refused, each with the exact status and error; nothing here may register anything."""
import json

import pytest
import requests

from registration import CALLBACK, METADATA, Registrar, bearer

LONG = "a" * 5000
URI, META = "invalid_redirect_uri", "invalid_client_metadata"


def uris(*values, **more):
    return {**METADATA, "redirect_uris": list(values), **more}


def also(**more):
    return {**METADATA, **more}


# (name, metadata or raw body, error); the status is 400
BODIES = [
    ("no body", "", "invalid_request"),
    ("not JSON", "redirect_uris=x", "invalid_request"),
    ("an array", "[]", "invalid_request"),
    ("a string", '"x"', "invalid_request"),
    ("null", "null", "invalid_request"),
    ("JSON cut short", '{"redirect_uris":["https://rp.example/', "invalid_request"),
    ("a member twice", '{"redirect_uris":["https://a.example/"],"redirect_uris":["https://b.example/"]}', "invalid_request"),
    ("too deep", '{"x":' + "[" * 100 + "]" * 100 + "}", "invalid_request"),
    ("not UTF-8", b'{"client_name":"\xff"}', "invalid_request"),
    ("a NUL in a string", '{"client_name":"a\\u0000b"}', "invalid_request"),
    ("half a surrogate", '{"client_name":"\\ud800"}', "invalid_request"),
    ("nothing", {}, URI),
    ("redirect_uris a string", also(redirect_uris=CALLBACK), URI),
    ("redirect_uris numbers", uris(1), URI),
    ("redirect_uris nested", uris([CALLBACK]), URI),
    ("redirect_uris empty", uris(), URI),
    ("redirect_uri with a fragment", uris("https://rp.example/#x"), URI),
    ("redirect_uri javascript:", uris("javascript:alert(1)//"), URI),
    ("redirect_uri javascript: of a native client", uris("javascript:alert(1)", application_type="native"), URI),
    ("redirect_uri data: of a native client", uris("data:text/html,x", application_type="native"), URI),
    ("redirect_uri http elsewhere", uris("http://rp.example/"), URI),
    ("redirect_uri that looks like loopback", uris("http://127.0.0.1.evil.example/"), URI),
    ("redirect_uri with userinfo", uris("https://rp.example@evil.example/"), URI),
    ("redirect_uri with a wildcard", uris("https://*.example/"), URI),
    ("redirect_uri with CR LF", uris("https://rp.example/\r\nSet-Cookie: a=b"), URI),
    ("redirect_uri too long", uris("https://rp.example/" + LONG), URI),
    ("redirect_uri with a custom scheme of a web client", uris("com.example.app:/cb"), URI),
    ("51 redirect URIs", uris(*(f"https://rp.example/{n}" for n in range(51))), URI),
    ("one good, one bad", uris(CALLBACK, "ftp://rp.example/"), URI),
    ("client_name a number", also(client_name=1), META),
    ("client_name too long", also(client_name=LONG), META),
    ("client_name with a control character", also(client_name="a\x07"), META),
    ("client_name written backwards", also(client_name="\u202eknaB ruoY"), META),
    ("logo_uri javascript:", also(logo_uri="javascript:alert(1)"), META),
    ("client_uri http", also(client_uri="http://rp.example/"), META),
    ("grant implicit", also(grant_types=["implicit"]), META),
    ("grant password", also(grant_types=["password"]), META),
    ("grant too long", also(grant_types=[LONG]), META),
    ("response_type token", also(response_types=["token"]), META),
    ("response_type code id_token", also(response_types=["code id_token"]), META),
    ("response_types without code", also(response_types=["id_token", "token"]), META),
    ("a response_type of our own beside code", also(response_types=["code", "magic"]), META),
    ("code without authorization_code", also(grant_types=["client_credentials"], response_types=["code"]), META),
    ("client_credentials of a public client", also(grant_types=["client_credentials"], token_endpoint_auth_method="none"), META),
    ("an authentication of our own", also(token_endpoint_auth_method="magic"), META),
    ("client_secret_jwt", also(token_endpoint_auth_method="client_secret_jwt"), META),
    ("private_key_jwt without keys", also(token_endpoint_auth_method="private_key_jwt"), META),
    ("jwks and jwks_uri", also(jwks={"keys": []}, jwks_uri="https://rp.example/k"), META),
    ("a private key", also(jwks={"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "d": "AA"}]}), META),
    ("a symmetric key", also(jwks={"keys": [{"kty": "oct", "k": "AAAA"}]}), META),
    ("jwks_uri on http", also(jwks_uri="http://127.0.0.1/keys"), META),
    ("jwks_uri file:", also(jwks_uri="file:///etc/passwd"), META),
    ("ID tokens with none", also(id_token_signed_response_alg="none"), META),
    ("ID tokens with HS256", also(id_token_signed_response_alg="HS256"), META),
    ("ID tokens of keys that are not there", also(id_token_signed_response_alg="ES384"), META),
    ("a scope of the operator's", also(scope="openid admin"), META),
    ("a scope with a quote", also(scope='openid "x'), META),
    ("scope an array", also(scope=["openid"]), META),
    ("pairwise", also(subject_type="pairwise"), META),
    ("encrypted ID tokens", also(id_token_encrypted_response_alg="RSA-OAEP"), META),
    ("signed userinfo", also(userinfo_signed_response_alg="RS256"), META),
    ("default_max_age negative", also(default_max_age=-1), META),
    ("default_max_age far too large", also(default_max_age=10**18), META),
    ("require_auth_time a string", also(require_auth_time="yes"), META),
    ("a software statement", also(software_statement="eyJhbGciOiJSUzI1NiJ9.e30.AAAA"), "unapproved_software_statement"),
    ("a software statement with alg none", also(software_statement="eyJhbGciOiJub25lIn0.e30."), "unapproved_software_statement"),
    ("a software statement that is none", also(software_statement="x"), "invalid_software_statement"),
]


@pytest.fixture(scope="module")
def registrar(partita):
    return Registrar(partita)


def count(partita):
    return len(partita.opctl("client", "list"))


def send(registrar, body, method="POST", url=None, token=None, **fields):
    headers = {"Content-Type": "application/json", **bearer(registrar.token if token is None else token), **fields}
    data = body if isinstance(body, (str, bytes)) else json.dumps(body)
    return requests.request(method, url or registrar.url, data=data, headers=headers, timeout=20)


def is_refused(answer, error, status=400):
    assert answer.status_code == status, answer.text
    assert answer.json()["error"] == error and answer.headers["Cache-Control"] == "no-store"
    assert not set(answer.json()["error_description"]) & set('"\\')


@pytest.mark.parametrize("name, body, error", BODIES, ids=[row[0] for row in BODIES])
def test_registering(registrar, name, body, error):
    is_refused(send(registrar, body), error)


def test_updating(partita, registrar):
    """The same bodies as updates, which leave everything as it was."""
    client = registrar.register()
    url, token = client["registration_client_uri"], client["registration_access_token"]
    before = registrar.manage("GET", client).text
    for name, body, error in BODIES:
        if isinstance(body, dict):
            body = {"client_id": client["client_id"], **body}
        answer = send(registrar, body, "PUT", url, token)
        assert (name, answer.status_code, answer.json()["error"]) == (name, 400, error)
    assert registrar.manage("GET", client).text == before


UPDATES = [
    ("no client_id", {}, {"client_id": None}),
    ("another client_id", {"client_id": "somebody-else"}, {}),
    ("client_id a number", {"client_id": 1}, {}),
    ("a secret of its own choice", {"client_secret": "hunter2"}, {}),
    ("client_secret a number", {"client_secret": 1}, {}),
    ("a registration token of its own choice", {"registration_access_token": "x"}, {}),
    ("another registration_client_uri", {"registration_client_uri": "https://evil.example/"}, {}),
    ("another time", {"client_id_issued_at": 1}, {}),
    ("a secret that expires", {"client_secret_expires_at": 0}, {}),
]


@pytest.mark.parametrize("name, more, less", UPDATES, ids=[row[0] for row in UPDATES])
def test_updates(registrar, name, more, less):
    client = registrar.register()
    body = {**METADATA, "client_id": client["client_id"], **more}
    is_refused(send(registrar, {k: v for k, v in body.items() if k not in less}, "PUT", client["registration_client_uri"],
                    client["registration_access_token"]), META)


def test_what_is_not_a_registration_at_all(partita, registrar):
    before = count(partita)
    is_refused(send(registrar, METADATA, **{"Content-Type": "text/plain"}), "invalid_request")
    is_refused(send(registrar, METADATA, **{"Content-Type": "application/x-www-form-urlencoded"}), "invalid_request")
    is_refused(send(registrar, METADATA, url=registrar.url + "?x=1"), "invalid_request")
    is_refused(send(registrar, also(made_up="x" * 40000)), "invalid_request", 413)
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        assert send(registrar, METADATA, method).status_code == 405
    assert count(partita) == before


@pytest.mark.parametrize("method, body", [("GET", ""), ("PUT", METADATA), ("DELETE", "")])
@pytest.mark.parametrize("query", ["?x", "?x=1", "?access_token=x"])
def test_no_parameters_in_the_url(registrar, method, body, query):
    client = registrar.register()
    body = body and {**body, "client_id": client["client_id"]}
    answer = send(registrar, body, method, client["registration_client_uri"] + query, client["registration_access_token"])
    is_refused(answer, "invalid_request")
    assert registrar.manage("GET", client).json()["client_name"] == METADATA["client_name"]


TOKENS = ["", "x", "x" * 43, LONG, "a b", "eyJhbGciOiJub25lIn0.e30."]


@pytest.mark.parametrize("token", TOKENS, ids=["none", "short", "of the right length", "long", "with a space", "a JWT"])
def test_tokens(partita, registrar, token):
    before = count(partita)
    client = registrar.register()
    answers = [send(registrar, METADATA, token=token)] + [
        send(registrar, {**METADATA, "client_id": client["client_id"]}, method, client["registration_client_uri"], token)
        for method in ("GET", "PUT", "DELETE")]
    assert [answer.status_code for answer in answers] == [401] * 4
    assert all(answer.headers["WWW-Authenticate"].startswith("Bearer realm") for answer in answers)
    assert count(partita) == before + 1


def test_tokens_of_other_kinds(partita, registrar):
    """A token opens one door only."""
    client = registrar.register(grant_types=["client_credentials"])
    access = requests.post(partita.issuer + "/token", data={"grant_type": "client_credentials"},
                           auth=(client["client_id"], client["client_secret"]), timeout=20).json()["access_token"]
    for token in (access, client["registration_access_token"], client["client_secret"], client["client_id"]):
        is_refused(send(registrar, METADATA, token=token), "invalid_token", 401)
    for token in (access, registrar.token, client["client_secret"]):
        is_refused(send(registrar, "", "DELETE", client["registration_client_uri"], token), "invalid_token", 401)
    answer = requests.get(partita.issuer + "/userinfo", headers=bearer(client["registration_access_token"]), timeout=20)
    is_refused(answer, "invalid_token", 401)
    basic = requests.delete(client["registration_client_uri"], auth=(client["client_id"], client["client_secret"]), timeout=20)
    assert basic.status_code == 401


PATHS = ["/register/", "/register/..%2f", "/register/%00", "/register/" + "a" * 65, "/register/a/b", "/register/%2e%2e/token"]


@pytest.mark.parametrize("path", PATHS)
def test_paths(partita, registrar, path):
    client = registrar.register()
    answer = send(registrar, "", "DELETE", partita.issuer + path, client["registration_access_token"])
    assert answer.status_code in (400, 401, 404, 405)
    assert registrar.manage("GET", client).status_code == 200


def test_pages_of_other_origins_cannot_register(registrar):
    """docs/op-management.md says why."""
    preflight = requests.options(registrar.url, headers={"Origin": "http://localhost:8090", "Access-Control-Request-Method": "POST"}, timeout=20)
    answer = send(registrar, METADATA, Origin="http://localhost:8090")
    assert answer.status_code == 201
    assert not any(name.lower().startswith("access-control-") for reply in (preflight, answer) for name in reply.headers)
