"""Records that only a newer version may act on, as a roll-back finds them: denied, never absent (DESIGN, records and
versions). Clients are told to come back and keep their tokens; what is to end still can be ended."""
import os
import subprocess

import pytest
import requests

from administration import Desk
from conftest import BUILD
from person import Person, request_for, sign_in, token_request
from server_process import wait_until
from test_tokens import claims_of
from token_process import REDIRECT_URI
from trouble import events, is_passing

PASSWORD = "correct horse battery"
NEWER = 1000
KINDS = ["client", "user", "session", "consent", "family"]


class World:
    """A person with tokens of a client, and the keys of the records they lean on."""

    def __init__(self, partita, name):
        self.partita = partita
        self.client = partita.add_client("Rolled back", REDIRECT_URI, "--introspection", "yes") | {"redirect_uris": [REDIRECT_URI]}
        user_id = partita.add_user(name, PASSWORD)["user_id"]
        self.person = Person(partita, name, PASSWORD)
        self.tokens = sign_in(partita, self.client, "openid", self.person)
        family, = partita.opctl("family", "list", "--user", name)
        self.keys = {"client": self.client["client_id"], "user": user_id, "session": claims_of(self.tokens["id_token"])["sid"],
                     "consent": user_id + "/" + self.client["client_id"], "family": family["family"]}

    def needs(self, kind, number):
        info = self.partita.info
        subprocess.run([os.path.join(BUILD, "tests", "needs"), info["state_dir"], info["runtime_dir"], kind, self.keys[kind], str(number)],
                       check=True, timeout=60)

    def authorize(self, **more):
        request, verifier = request_for(self.client["client_id"], REDIRECT_URI, "openid", **more)
        return self.person.http.get(self.partita.issuer + "/authorize", params=request, allow_redirects=False, timeout=30), verifier

    def code(self):
        request, verifier = request_for(self.client["client_id"], REDIRECT_URI, "openid")
        return self.person.authorize(request)["code"], verifier

    def redeem(self, code, verifier):
        return token_request(self.partita, self.client, verifier, grant_type="authorization_code", code=code, redirect_uri=REDIRECT_URI)

    def refresh(self):
        return token_request(self.partita, self.client, grant_type="refresh_token", refresh_token=self.tokens["refresh_token"])

    def userinfo(self):
        return requests.get(self.partita.issuer + "/userinfo", headers={"Authorization": "Bearer " + self.tokens["access_token"]}, timeout=30)

    def introspect(self):
        return requests.post(self.partita.issuer + "/introspect", data={"token": self.tokens["access_token"]},
                             auth=(self.client["client_id"], self.client["client_secret"]), timeout=30)


def is_put_off(response):
    assert is_passing(response), (response.status_code, response.text)
    return response.json()["error"] == "temporarily_unavailable"


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_denied_and_nothing_is_lost(partita, kind):
    world = World(partita, "rolled-back-" + kind)
    code, verifier = world.code()
    world.needs(kind, NEWER)
    assert is_put_off(world.refresh()) and is_put_off(world.userinfo()) and is_put_off(world.introspect())
    if kind != "family":  # the code's own is not there yet
        assert is_put_off(world.redeem(code, verifier))
    if kind in ("client", "user", "consent"):
        page, _ = world.authorize()
        assert is_passing(page) and "try again later" in page.text, page.text
    if kind == "session":  # another can take its place
        page, _ = world.authorize()
        assert page.status_code == 200 and 'name="password"' in page.text
    world.needs(kind, 0)
    assert world.redeem(code, verifier).status_code == 200
    assert (world.userinfo().status_code, world.introspect().json()["active"], world.refresh().status_code) == (200, True, 200)
    assert "code=" in world.authorize()[0].headers["Location"]


def test_it_is_told_once(partita):
    world = World(partita, "rolled-back-often")
    world.needs("user", NEWER)
    count = len(events(partita, "op-userinfo", "store_failed"))
    for _ in range(20):
        assert is_put_off(world.userinfo())
    lines = events(partita, "op-userinfo", "store_failed")[count:]
    assert len(lines) <= 1 and all(line["level"] == "warning" for line in lines), lines
    every = events(partita, "op-userinfo", "store_failed")
    assert every and every[-1]["result"] == "denied" and "newer version" in every[-1]["what"]


@pytest.mark.parametrize("kind, words", [("session", ["session", "end"]), ("family", ["family", "revoke"])])
def test_it_can_be_ended(partita, kind, words):
    world = World(partita, "ended-" + kind)
    world.needs(kind, NEWER)
    assert is_put_off(world.refresh())
    partita.opctl(*words, world.keys[kind])
    if kind == "family":
        assert partita.opctl("family", "show", world.keys[kind])["state"] == "dead"
    for back in (False, True):  # the newer version
        if back and kind == "family":
            world.needs(kind, 0)
        wait_until(lambda: world.refresh().status_code == 400, 5)
        assert world.refresh().json()["error"] == "invalid_grant"
        assert world.userinfo().status_code == 401 and world.introspect().json() == {"active": False}


@pytest.mark.parametrize("kind, place", [("client", "/clients"), ("session", "/sessions"), ("family", "/families"), ("consent", "/consents")])
def test_the_administration_api_can_end_it_and_nothing_else(partita, kind, place):
    world, desk = World(partita, "desk-" + kind), Desk(partita)
    path = f"{place}/{world.keys[kind]}"
    before = len([one for one in desk.all(place + "?limit=200") if one.get("state") == "unreadable"])
    world.needs(kind, NEWER)
    shown = desk.get(path)
    assert shown.status_code == 503 and "Retry-After" in shown.headers and "newer version" in shown.json()["error_description"]
    if kind == "client":
        for refused in (desk.call("PATCH", path, {"client_name": "Mine"}, headers={"If-Match": "*"}), desk.call("POST", path + "/secret")):
            assert refused.status_code == 503
    assert len([one for one in desk.all(place + "?limit=200") if one.get("state") == "unreadable"]) == before + 1
    desk.remove(path)
    if kind in ("family", "consent"):  # the newer version sees it dead
        world.needs(kind, 0)
    assert world.refresh().status_code == (401 if kind == "client" else 400)
