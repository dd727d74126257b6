"""Clients that we did not write, unchanged, through nginx over TLS: what each can do with each way to authenticate, all of
them registered by themselves. One run of a client goes through everything; a row of the table is what came of one thing."""
import concurrent.futures
import json
import os
import subprocess
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import JsonWebKey
from authlib.jose import jwt as authlib_jwt
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oidc.core import CodeIDToken

from apache import Apache
from conftest import ROOT
from outside import Signer, jwks
from person import Person, answer_of
from test_device import GRANT, decide, through_sign_in, type_code
from visitor import CALLBACK, GOODBYE, Visitor

METHODS = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"]

class Cannot(str):
    """Why the client itself cannot do it."""


WORKS = True
# What a public client is told: introspection needs a client that authenticates (RFC 7662 §2.1).
REFUSED = "invalid_client"

# {client: {what: what comes of it, or {method: ...} where that is not WORKS with each}}
TABLE = {
    "openid-client": {
        "registration": WORKS, "sign-in": WORKS, "pushed request": WORKS, "userinfo": WORKS, "refresh": WORKS,
        "introspection": {"none": REFUSED}, "revocation": WORKS, "device": WORKS, "sign-out": WORKS,
    },
    "Authlib": {
        "registration": WORKS,  # no function for it: its session posts the document
        "sign-in": WORKS,
        "pushed request": WORKS,  # none either: its session posts the request, authenticated by it
        "userinfo": WORKS, "refresh": WORKS, "introspection": {"none": REFUSED}, "revocation": WORKS,
        "device": WORKS,  # asks for codes like that, and redeems them by fetch_token
        "sign-out": Cannot("it has nothing to do with browsers"),
    },
    "mod_auth_openidc": {
        "registration": WORKS, "sign-in": WORKS, "pushed request": Cannot("Debian's 2.4.12 knows none"), "userinfo": WORKS,
        "refresh": WORKS, "introspection": {"none": Cannot("it asks as an API, which has to authenticate")},
        "revocation": WORKS,  # when somebody signs out
        "device": Cannot("a web server is none"), "sign-out": WORKS,
    },
}


def expected(client, method, what):
    cell = TABLE[client][what]
    return cell.get(method, WORKS) if isinstance(cell, dict) else cell


CELLS = [(client, method, what) for client, row in TABLE.items() for what in row for method in METHODS
         if not isinstance(expected(client, method, what), Cannot)]


@pytest.fixture(scope="module")
def metadata(partita_tls):
    return requests.get(partita_tls.issuer + "/.well-known/openid-configuration", verify=partita_tls.verify, timeout=10).json()


@pytest.fixture(scope="module")
def outcomes(partita_tls, metadata):
    """{(client, method): {what: what came of it}}; an exception is its own outcome. Many at once."""
    apache = Apache(partita_tls, partita_tls.outside, METHODS)
    runs = {"openid-client": run_openid_client, "Authlib": lambda *place: AuthlibRun(*place).everything(),
            "mod_auth_openidc": lambda *place: ApacheRun(apache, *place).everything()}
    try:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            made = {(client, method): pool.submit(runs[client], partita_tls, metadata, method) for client in TABLE for method in METHODS}
            found = {key: future.exception() or future.result() for key, future in made.items()}
    finally:
        apache.close()
    return found


@pytest.mark.parametrize("client, method, what", CELLS)
def test_client(outcomes, client, method, what):
    outcome = outcomes[client, method]
    if isinstance(outcome, Exception):
        raise outcome
    assert outcome[what] == expected(client, method, what)


def test_the_documentation_says_so():
    """docs/clients.md has the same table, for people: "-" where a client cannot, whatever the method."""
    with open(os.path.join(ROOT, "docs/clients.md"), encoding="utf-8") as file:
        rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in file if line.startswith("| ")]
    with open(os.path.join(ROOT, "tests/e2e/package.json"), encoding="utf-8") as file:
        versions = json.load(file)["dependencies"]
    told = {row[0].replace("`", ""): dict(zip(rows[0][1:], row[1:])) for row in rows[1:]}
    assert {name: told["version, language"][name].split(",")[0] for name in ("openid-client", "oidc-client-ts")} == {
        name: versions[name] for name in ("openid-client", "oidc-client-ts")}
    for client, row in TABLE.items():
        assert [method for method in METHODS if told[method if method != "none" else "none (public client)"][client] == "-"] == []
        for what, cell in row.items():
            assert (client, what, told[what][client] == "-") == (client, what, isinstance(cell, Cannot))


def registration(name, method, *grants):
    return {"client_name": f"{name} {method}", "redirect_uris": [CALLBACK], "post_logout_redirect_uris": [GOODBYE],
            "token_endpoint_auth_method": method, "grant_types": ["authorization_code", "refresh_token", *grants]}


def has_registered(partita, client_id, name, method):
    shown = partita.opctl("client", "show", client_id)
    return (shown["client_name"], shown["token_endpoint_auth_method"]) == (f"{name} {method}", method)


def is_signed_out(person, metadata, client_id, redirect_uri=CALLBACK):
    answer = person.http.get(metadata["authorization_endpoint"], params={
        "response_type": "code", "client_id": client_id, "redirect_uri": redirect_uri, "scope": "openid", "prompt": "none", "state": "x",
        "code_challenge": "c" * 43, "code_challenge_method": "S256"}, allow_redirects=False, timeout=20)
    return answer_of(answer.headers["Location"])["error"] == "login_required"


def approve_device(partita, user_code):
    visitor = Visitor(partita)
    seen = decide(visitor, through_sign_in(visitor, type_code(visitor, user_code)))
    assert seen.status == 200 and "connected" in seen.text


def judged(before, after):
    """By introspection, of an access token and a refresh token before and after the latter was revoked."""
    if before == [True, True] and after == [False, False]:
        return WORKS
    return before[0] if len({*before, *after}) == 1 else [before, after]


# --- openid-client ---

def run_openid_client(partita, metadata, method):
    environment = {**os.environ, "NODE_EXTRA_CA_CERTS": partita.info["ca_file"]}
    with subprocess.Popen(["node", os.path.join(ROOT, "tests/e2e/openid_client.mjs")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, env=environment) as node:
        def say(value):
            node.stdin.write(json.dumps(value) + "\n")
            node.stdin.flush()
            line = node.stdout.readline()
            assert line, node.stderr.read()
            return json.loads(line)
        person = Person(partita)
        codes = say({"issuer": partita.issuer, "method": method, "redirect_uri": CALLBACK, "scope": "openid profile email offline_access",
                     "initial_access_token": partita.info["initial_access_token"],
                     "metadata": registration("openid-client", method, GRANT)})
        approve_device(partita, codes["user_code"])
        plain = say({})["url"]
        pushed = say({"back": person.visit(plain)})["url"]
        result = say({"back": person.visit(pushed)})
    gone = person.visit(result["logout"])
    return {
        "registration": has_registered(partita, result["client_id"], "openid-client", method),
        "sign-in": "request_uri" not in plain and len(set(result["subs"])) == 1,
        "pushed request": set(answer_of(pushed)) == {"client_id", "request_uri"},
        "userinfo": result["email"] == "demo@example.org",
        "refresh": result["refreshed"],
        "introspection": judged(result["before"], result["after"]),
        "revocation": result["afterRevocation"] == "invalid_token",
        "device": result["device"],
        "sign-out": gone.startswith(GOODBYE) and answer_of(gone)["state"] == "bye" and is_signed_out(person, metadata, result["client_id"]),
    }


# --- Authlib ---

class AuthlibRun:
    def __init__(self, partita, metadata, method):
        self.partita, self.metadata, self.method = partita, metadata, method
        self.person, self.signer = Person(partita), Signer(kid=None, alg="RS256")
        self.registered = self.register()

    def session(self, *words, **more):
        made = OAuth2Session(*words, **more)
        made.trust_env, made.verify = False, self.partita.info["ca_file"]
        return made

    def register(self):
        asked = registration("Authlib", self.method, GRANT)
        if self.method == "private_key_jwt":
            asked["jwks"] = jwks(self.signer)
        answer = self.session(token={"access_token": self.partita.info["initial_access_token"], "token_type": "Bearer"}).post(
            self.metadata["registration_endpoint"], json=asked)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def client(self):
        """A session of the registered client's; its assertions are good for an hour, of which the first minutes count."""
        secret = self.signer.key.as_pem(is_private=True) if self.method == "private_key_jwt" else self.registered.get("client_secret")
        made = self.session(self.registered["client_id"], secret, scope="openid profile email offline_access", redirect_uri=CALLBACK,
                            code_challenge_method="S256", token_endpoint_auth_method=self.method, revocation_endpoint_auth_method=self.method)
        made.register_client_auth_method(PrivateKeyJWT(self.metadata["token_endpoint"]))
        return made

    def post(self, session, endpoint, form):
        """For what it has no function for."""
        answer = session.post(self.metadata[endpoint], data=form, withhold_token=True, auth=session.client_auth(self.method))
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def sign_in(self, session, push):
        url, state = session.create_authorization_url(self.metadata["authorization_endpoint"], nonce="the-nonce", code_verifier="v" * 48)
        if push:
            request = dict(parse_qsl(urlsplit(url).query))
            client_id = self.registered["client_id"]
            if self.method in ("client_secret_post", "none"):
                del request["client_id"]  # comes with the authentication
            uri = self.post(session, "pushed_authorization_request_endpoint", request)["request_uri"]
            url = self.metadata["authorization_endpoint"] + "?" + urlencode({"client_id": client_id, "request_uri": uri})
        tokens = session.fetch_token(self.metadata["token_endpoint"], authorization_response=self.person.visit(url), state=state, code_verifier="v" * 48)
        return self.claims(tokens, nonce="the-nonce")["sub"]

    def claims(self, tokens, **asked):
        keys = JsonWebKey.import_key_set(requests.get(self.metadata["jwks_uri"], verify=self.partita.verify, timeout=10).json())
        client_id = self.registered["client_id"]
        claims = authlib_jwt.decode(tokens["id_token"], keys, claims_cls=CodeIDToken, claims_options={
            "iss": {"essential": True, "value": self.partita.issuer}, "aud": {"essential": True, "value": client_id}},
            claims_params={**asked, "client_id": client_id, "access_token": tokens["access_token"]})
        claims.validate(leeway=5)
        return claims

    def active(self, session, tokens):
        answers = [session.introspect_token(self.metadata["introspection_endpoint"], token=tokens[name]).json() for name in ("access_token", "refresh_token")]
        return [answer.get("active", answer.get("error")) for answer in answers]

    def device(self):
        session = self.client()
        codes = self.post(session, "device_authorization_endpoint", {"scope": session.scope})
        approve_device(self.partita, codes["user_code"])
        tokens = session.fetch_token(self.metadata["token_endpoint"], grant_type=GRANT, device_code=codes["device_code"])
        return session.get(self.metadata["userinfo_endpoint"]).json()["sub"] == self.claims(tokens)["sub"]

    def everything(self):
        session = self.client()
        subs = [self.sign_in(session, push) for push in (False, True)]
        userinfo = session.get(self.metadata["userinfo_endpoint"]).json()
        first = dict(session.token)
        refreshed = dict(session.refresh_token(self.metadata["token_endpoint"], refresh_token=first["refresh_token"]))
        before = self.active(session, refreshed)
        revoked = session.revoke_token(self.metadata["revocation_endpoint"], token=refreshed["refresh_token"])
        return {
            "registration": has_registered(self.partita, self.registered["client_id"], "Authlib", self.method),
            "sign-in": subs[0] == userinfo["sub"], "pushed request": subs[1] == userinfo["sub"], "userinfo": userinfo["email"] == "demo@example.org",
            "refresh": refreshed["access_token"] != first["access_token"],
            "introspection": judged(before, self.active(session, refreshed)),
            "revocation": revoked.status_code == 200 and session.get(self.metadata["userinfo_endpoint"]).status_code == 401,
            "device": self.device(),
        }


# --- mod_auth_openidc ---

class ApacheRun:
    def __init__(self, apache, partita, metadata, method):
        self.apache, self.partita, self.metadata, self.method = apache, partita, metadata, method
        self.origin, self.person = apache.origins[method], Person(partita)
        self.person.http.verify = apache.http.verify

    def get(self, path, **parameters):
        return self.person.http.get(self.origin + path, params=parameters, allow_redirects=False, timeout=30)

    def info(self, **parameters):
        answer = self.get("/oidc", info="json", **parameters)
        assert answer.status_code == 200, self.apache.log()
        return answer.json()

    def sign_in(self):
        """Where there are several providers the person chooses one; here by the address that a page for it would have."""
        first = self.get("/oidc", iss=self.partita.issuer, target_link_uri=self.origin + "/index.html")
        assert first.status_code == 302 and first.headers["Location"].startswith(self.metadata["authorization_endpoint"]), self.apache.log()
        back = self.person.visit(first.headers["Location"])
        assert back.startswith(self.origin + "/oidc?"), back
        answer = self.person.http.get(back, timeout=30)
        return answer.status_code == 200 and "the protected page" in answer.text

    def introspection(self):
        """The API's own token, which it has to ask about."""
        api = self.apache.apis[self.method]
        assertion = {}
        if self.method == "private_key_jwt":
            with open(self.apache.dir + "/key.pem", "rb") as file:
                signer = Signer(alg="RS256", kid="one", key=file.read())
            assertion = signer.form(api["client_id"], self.partita.issuer)
        elif self.method == "client_secret_post":
            assertion = {"client_id": api["client_id"], "client_secret": api["client_secret"]}
        auth = (api["client_id"], api["client_secret"]) if self.method == "client_secret_basic" else None
        answer = requests.post(self.metadata["token_endpoint"], data={"grant_type": "client_credentials", **assertion}, auth=auth,
                               verify=self.partita.verify, timeout=30)
        token = answer.json()["access_token"]
        asked = [requests.get(self.origin + "/api/index.html", headers={"Authorization": "Bearer " + text}, verify=self.apache.http.verify, timeout=30)
                 for text in (token, token + "x")]
        assert asked[0].status_code == 200, self.apache.log()
        return "the protected API" in asked[0].text and asked[1].status_code == 401

    def userinfo_status(self, token):
        return requests.get(self.metadata["userinfo_endpoint"], headers={"Authorization": "Bearer " + token}, verify=self.partita.verify, timeout=30).status_code

    def everything(self):
        outcome = {"sign-in": self.sign_in()}
        client = self.apache.registered(self.method)
        outcome["registration"] = has_registered(self.partita, client["client_id"], "Apache", self.method)
        first = self.info()
        outcome["userinfo"] = first["userinfo"]["email"] == "demo@example.org"
        refreshed = self.info(access_token_refresh_interval=0)
        outcome["refresh"] = refreshed["access_token"] != first["access_token"] and self.userinfo_status(refreshed["access_token"]) == 200
        if self.method != "none":
            outcome["introspection"] = self.introspection()
        gone = self.get("/oidc", logout=self.origin + "/bye")
        outcome["revocation"] = self.userinfo_status(refreshed["access_token"]) == 401
        back = self.person.visit(urljoin(self.origin, gone.headers["Location"]))
        outcome["sign-out"] = back == self.origin + "/bye" and is_signed_out(self.person, self.metadata, client["client_id"], self.origin + "/oidc")
        return outcome
