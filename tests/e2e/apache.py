"""Apache with mod_auth_openidc, as somebody runs it who has several ways to authenticate at one provider: a virtual host
for each, with TLS, a metadata directory from which the module registers itself, and an API whose tokens it has introspected."""
import json
import os
import shutil
import subprocess
import tempfile
from urllib.parse import quote

import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from conftest import free_port
from registration import Registrar
from server_process import wait_until

MODULES = ["mpm_event", "authn_core", "authz_core", "authz_user", "socache_shmcb", "ssl", "auth_openidc"]
HEAD = """
ServerRoot {dir}
ServerName localhost
PidFile {dir}/apache.pid
ErrorLog {dir}/error.log
LogLevel warn auth_openidc:debug
StartServers 1
{modules}
"""
HOST = """
Listen 127.0.0.1:{port}
<VirtualHost *:{port}>
  ServerName localhost
  SSLEngine on
  SSLCertificateFile {certificate}
  DocumentRoot {dir}/www
  OIDCMetadataDir {metadata}
  OIDCRedirectURI {origin}/oidc
  OIDCDefaultLoggedOutURL {origin}/bye
  OIDCCryptoPassphrase only-for-this-test
  OIDCCABundlePath {ca}
  OIDCRemoteUserClaim email
  OIDCInfoHook access_token refresh_token id_token userinfo
  OIDCPrivateKeyFiles "one#{key}"
  OIDCPublicKeyFiles "one#{public_key}"
  OIDCOAuthIntrospectionEndpoint {issuer}/introspect
  OIDCOAuthIntrospectionEndpointAuth {api_method}
  OIDCOAuthClientID {api_id}
  OIDCOAuthClientSecret {api_secret}
  OIDCOAuthRemoteUserClaim client_id
  <Location "/">
    AuthType openid-connect
    Require valid-user
  </Location>
  <Location "/api">
    AuthType oauth20
    Require valid-user
  </Location>
</VirtualHost>
"""


class Apache:
    def __init__(self, partita, authority, methods):
        self.partita, self.methods = partita, methods
        self.dir = tempfile.mkdtemp(prefix="partita-apache-", dir="/tmp")
        os.chmod(self.dir, 0o755)
        self.certificate = authority.server_certificate("localhost")
        self.origins = {method: f"https://localhost:{free_port()}" for method in methods}
        self.apis = {method: self.register_api(method) for method in methods if method != "none"}
        self.make_files()
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.verify = self.write("everybody.pem", open(authority.path, encoding="utf-8").read() + open(partita.info["ca_file"], encoding="utf-8").read())
        self.process = subprocess.Popen(["/usr/sbin/apache2", "-f", self.write("apache.conf", self.configuration()), "-DFOREGROUND"],
                                        stdin=subprocess.DEVNULL)
        wait_until(self.answers, 20, self.log)

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def register_api(self, method):
        """A client of its own, whose tokens are for itself; its keys are where the module publishes them."""
        keys = {"jwks_uri": self.origins[method] + "/oidc?jwks=rsa"} if method == "private_key_jwt" else {}
        return Registrar(self.partita).register(client_name="An API", grant_types=["client_credentials"], redirect_uris=None,
                                                token_endpoint_auth_method=method, **keys)

    def make_files(self):
        os.makedirs(self.dir + "/www/api")
        self.write("www/index.html", "the protected page")
        self.write("www/api/index.html", "the protected API")
        key = rsa.generate_private_key(65537, 2048)
        self.write("key.pem", key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode())
        self.write("public.pem", key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode())
        provider = requests.get(self.partita.issuer + "/.well-known/openid-configuration", verify=self.partita.verify, timeout=20).text
        for method in self.methods:
            os.mkdir(self.metadata(method))
            os.chmod(self.metadata(method), 0o777)
            self.write(self.about_provider(method) + ".provider", provider)
            self.write(self.about_provider(method) + ".conf", json.dumps({
                "registration_token": self.partita.info["initial_access_token"], "client_name": f"Apache {method}", "pkce_method": "S256",
                "scope": "openid profile email offline_access", "registration_endpoint_json": json.dumps({
                    "grant_types": ["authorization_code", "refresh_token"], "token_endpoint_auth_method": method})}))

    def metadata(self, method):
        return f"{self.dir}/metadata-{method}"

    def about_provider(self, method):
        """Where the module looks for what it knows of the provider, without the ending."""
        return self.metadata(method) + "/" + quote(self.partita.issuer.split("://")[1], safe="")

    def configuration(self):
        text = HEAD.format(dir=self.dir, modules="\n".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in MODULES))
        for method, origin in self.origins.items():
            api = self.apis.get(method, {"client_id": "none", "client_secret": "none"})
            text += HOST.format(
                dir=self.dir, port=origin.rpartition(":")[2], certificate=self.certificate, metadata=self.metadata(method), origin=origin,
                ca=self.partita.info["ca_file"], key=self.dir + "/key.pem", public_key=self.dir + "/public.pem", issuer=self.partita.issuer,
                api_method="client_secret_basic" if method == "none" else method, api_id=api["client_id"],
                api_secret=api.get("client_secret", "none"))
        return text

    def registered(self, method):
        """What the module keeps of its registration."""
        with open(self.about_provider(method) + ".client", encoding="utf-8") as file:
            return json.load(file)

    def answers(self):
        try:
            return all(self.http.get(origin + "/oidc?jwks=rsa", timeout=5).json()["keys"] for origin in self.origins.values())
        except requests.ConnectionError:
            assert self.process.poll() is None, self.log()
            return False

    def log(self):
        try:
            with open(self.dir + "/error.log", encoding="utf-8") as file:
                return file.read()[-6000:]
        except FileNotFoundError:
            return "no log"

    def close(self):
        self.process.terminate()
        self.process.wait(20)
        shutil.rmtree(self.dir, ignore_errors=True)
