"""Clients that we did not write, unchanged, through nginx over TLS."""
import json
import os
import subprocess
import time

import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import JsonWebKey
from authlib.jose import jwt as authlib_jwt
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oidc.core import CodeIDToken

from conftest import ROOT, free_port
from outside import Signer, jwks
from person import Person, answer_of

CALLBACK = "http://localhost:8090/callback"
AFTER = "http://localhost:8090/bye"


def make_client(partita, method, *more):
    words = ["--public"] if method == "none" else ["--auth-method", method]
    return partita.add_client(f"Client {method}", CALLBACK, "--post-logout-redirect-uri", AFTER, *words, *more)


def make_signing_client(partita, directory, signer):
    path = os.path.join(str(directory), "jwks.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(jwks(signer), file)
    return make_client(partita, "private_key_jwt", "--jwks", path)


METHODS = ["client_secret_basic", "client_secret_post", "none"]


@pytest.mark.parametrize("method", METHODS)
def test_openid_client(partita_tls, method):
    client = make_client(partita_tls, method)
    check_openid_client(partita_tls, method, client_id=client["client_id"], client_secret=client.get("client_secret"))


@pytest.mark.parametrize("method", METHODS + ["private_key_jwt"])
def test_openid_client_registers_itself(partita_tls, method):
    before = {client["client_id"] for client in partita_tls.opctl("client", "list")}
    check_openid_client(partita_tls, method, initial_access_token=partita_tls.info["initial_access_token"], metadata={
        "client_name": f"Registered {method}", "redirect_uris": [CALLBACK], "post_logout_redirect_uris": [AFTER],
        "token_endpoint_auth_method": method, "grant_types": ["authorization_code", "refresh_token"]})
    made = [client for client in partita_tls.opctl("client", "list") if client["client_id"] not in before]
    assert [client["client_name"] for client in made] == [f"Registered {method}"]


def check_openid_client(partita_tls, method, **setup):
    environment = {**os.environ, "NODE_EXTRA_CA_CERTS": partita_tls.info["ca_file"]}
    with subprocess.Popen(["node", os.path.join(ROOT, "tests/e2e/openid_client.mjs")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, env=environment) as node:
        def say(value):
            node.stdin.write(json.dumps(value) + "\n")
            node.stdin.flush()
            line = node.stdout.readline()
            assert line, node.stderr.read()
            return json.loads(line)
        person = Person(partita_tls)
        url = say({"issuer": partita_tls.issuer, "method": method, "redirect_uri": CALLBACK, "post_logout_redirect_uri": AFTER,
                   "scope": "openid profile email offline_access", **setup})["url"]
        client_id = answer_of(url)["client_id"]
        result = say({"back": person.visit(url)})
    assert result["userinfo"]["email"] == "demo@example.org"
    assert result["userinfo"]["sub"] == result["claims"]["sub"]
    assert result["refreshed"]["access_token"] != result["first_access_token"]
    gone = person.visit(result["logout"])
    assert gone.startswith(AFTER) and answer_of(gone)["state"] == "bye"
    answer = person.http.get(partita_tls.issuer + "/authorize", params={
        "response_type": "code", "client_id": client_id, "redirect_uri": CALLBACK, "scope": "openid", "prompt": "none", "state": "x",
        "code_challenge": "c" * 43, "code_challenge_method": "S256"}, allow_redirects=False, timeout=20)
    assert answer_of(answer.headers["Location"])["error"] == "login_required"


def test_authlib(partita_tls):
    client = make_client(partita_tls, "client_secret_basic")
    ca_file = partita_tls.info["ca_file"]
    metadata = requests.get(partita_tls.issuer + "/.well-known/openid-configuration", verify=ca_file, timeout=10).json()
    session = OAuth2Session(client["client_id"], client["client_secret"], scope="openid profile email offline_access", redirect_uri=CALLBACK,
                            code_challenge_method="S256", token_endpoint=metadata["token_endpoint"])
    session.trust_env, session.verify = False, ca_file
    url, state = session.create_authorization_url(metadata["authorization_endpoint"], nonce="the-nonce", code_verifier="v" * 48)
    back = Person(partita_tls).visit(url)
    tokens = session.fetch_token(metadata["token_endpoint"], authorization_response=back, state=state, code_verifier="v" * 48)
    keys = JsonWebKey.import_key_set(requests.get(metadata["jwks_uri"], verify=ca_file, timeout=10).json())
    claims = authlib_jwt.decode(tokens["id_token"], keys, claims_cls=CodeIDToken, claims_options={
        "iss": {"essential": True, "value": partita_tls.issuer}, "aud": {"essential": True, "value": client["client_id"]}},
        claims_params={"nonce": "the-nonce", "client_id": client["client_id"], "access_token": tokens["access_token"]})
    claims.validate(leeway=5)
    assert session.get(metadata["userinfo_endpoint"]).json()["sub"] == claims["sub"]
    before = tokens["access_token"]
    assert session.refresh_token(metadata["token_endpoint"], refresh_token=tokens["refresh_token"])["access_token"] != before


def test_authlib_with_a_key_of_its_own(partita_tls, tmp_path):
    """PrivateKeyJWT as it comes: its assertions are good for an hour, of which the first minutes count."""
    signer = Signer(kid=None, alg="RS256")
    client = make_signing_client(partita_tls, tmp_path, signer)
    endpoint = partita_tls.issuer + "/token"
    session = OAuth2Session(client["client_id"], signer.key.as_pem(is_private=True), scope="openid offline_access", redirect_uri=CALLBACK,
                            code_challenge_method="S256", token_endpoint_auth_method="private_key_jwt")
    session.register_client_auth_method(PrivateKeyJWT(endpoint))
    session.trust_env, session.verify = False, partita_tls.info["ca_file"]
    url, state = session.create_authorization_url(partita_tls.issuer + "/authorize", nonce="the-nonce", code_verifier="v" * 48)
    tokens = session.fetch_token(endpoint, authorization_response=Person(partita_tls).visit(url), state=state, code_verifier="v" * 48)
    assert tokens["id_token"]
    assert session.refresh_token(endpoint, refresh_token=tokens["refresh_token"])["access_token"] != tokens["access_token"]


APACHE = """
ServerRoot {dir}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {dir}/apache.pid
ErrorLog {dir}/error.log
LogLevel warn auth_openidc:debug
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authn_core_module /usr/lib/apache2/modules/mod_authn_core.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule authz_user_module /usr/lib/apache2/modules/mod_authz_user.so
LoadModule auth_openidc_module /usr/lib/apache2/modules/mod_auth_openidc.so
DocumentRoot {dir}/www
OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration
OIDCClientID {client_id}
OIDCClientSecret {client_secret}
OIDCRedirectURI http://localhost:{port}/oidc
OIDCCryptoPassphrase only-for-this-test
OIDCScope "openid profile email"
OIDCPKCEMethod S256
OIDCCABundlePath {ca}
OIDCRemoteUserClaim email
OIDCPassIDTokenAs claims
<Location "/">
  AuthType openid-connect
  Require valid-user
</Location>
"""


def test_mod_auth_openidc_protects_a_page(partita_tls, tmp_path):
    port = free_port()
    client = partita_tls.add_client("Apache", f"http://localhost:{port}/oidc")
    os.makedirs(tmp_path / "www")
    (tmp_path / "www" / "index.html").write_text("the protected page")
    conf = tmp_path / "apache.conf"
    conf.write_text(APACHE.format(dir=tmp_path, port=port, issuer=partita_tls.issuer, ca=partita_tls.info["ca_file"], **{
        key: client[key] for key in ("client_id", "client_secret")}))
    apache = subprocess.Popen(["/usr/sbin/apache2", "-f", str(conf), "-DFOREGROUND"], stdin=subprocess.DEVNULL)
    try:
        page = f"http://localhost:{port}/index.html"
        person = Person(partita_tls)
        first = reach(person, page)
        assert first.status_code == 302 and first.headers["Location"].startswith(partita_tls.issuer + "/authorize?")
        back = person.visit(first.headers["Location"])
        assert back.startswith(f"http://localhost:{port}/oidc?")
        answer = person.http.get(back, timeout=30)
        assert answer.status_code == 200 and "the protected page" in answer.text, (tmp_path / "error.log").read_text()[-3000:]
    finally:
        apache.terminate()
        apache.wait(20)


def reach(person, url):
    for _ in range(100):
        try:
            return person.http.get(url, allow_redirects=False, timeout=10)
        except requests.ConnectionError:
            time.sleep(0.1)
    raise AssertionError("apache does not answer")
