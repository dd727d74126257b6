"""Clients that push their authorization requests (RFC 9126): at an installation, or at op-auth processes of a test's own."""
import requests

from person import request_for
from server_process import Home
from visitor import CALLBACK, PASSWORD, OpAuth, UnixAdapter

PREFIX = "urn:ietf:params:oauth:request_uri:"


def session(place):
    """A requests session that reaches an installation, or a process by its socket."""
    http = requests.Session()
    http.trust_env, http.verify = False, place.verify
    if getattr(place, "socket", None):
        http.mount(place.issuer, UnixAdapter(place.socket))
    return http


def push(place, client, request, **headers):
    """POST /as/par as the client, with its secret where it has one."""
    auth = (client["client_id"], client["client_secret"]) if client.get("client_secret") else None
    return session(place).post(place.issuer + "/as/par", data=request, auth=auth, headers=headers, timeout=30)


def pushed(place, client, scope="openid", **more):
    """What the client sends the browser with, and the request and verifier that it remembers."""
    request, verifier = request_for(client["client_id"], CALLBACK, scope, **more)
    answer = push(place, client, request)
    assert answer.status_code == 201, answer.text
    return {"client_id": client["client_id"], "request_uri": answer.json()["request_uri"]}, request, verifier


def redeem(place, client, verifier, code, **more):
    return session(place).post(place.issuer + "/token", timeout=30, auth=(client["client_id"], client["client_secret"]), data={
        "grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": verifier, **more})


class Pair:
    """Two op-auth processes over one home, a user ann, and clients."""

    def __init__(self, **settings):
        self.home = Home(balancer_keepalive="0s", **settings)
        self.home.opctl("user", "add", "ann", secret=PASSWORD + "\n")
        self.one, self.two = OpAuth(self.home), OpAuth(self.home)

    def client(self, *more, redirect_uri=CALLBACK):
        made = self.home.opctl("client", "add", "--name", "Wiki", "--redirect-uri", redirect_uri, "--grant", "authorization_code",
                               "--grant", "refresh_token", "--scope", "openid profile email offline_access", *more)
        return {**made, "redirect_uris": [redirect_uri]}

    def close(self):
        for process in self.home.processes:
            process.popen.terminate()
        for process in self.home.processes:
            assert process.popen.wait(20) == 0 and "Sanitizer" not in process.log, process.log[-3000:]
        self.home.close()
