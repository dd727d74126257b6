"""Every secret that the provider gives, at every place where it takes one of another kind: a key opens one door only, it is
not told apart from rubbish there, and nothing is used up by trying."""
import pytest
import requests

from person import request_for, token_request
from pushing import PREFIX, push
from registration import Registrar, bearer
from test_device import GRANT, Device
from visitor import CALLBACK, Visitor, new_user


class World:
    def __init__(self, partita):
        self.partita, self.url = partita, partita.issuer
        self.client = {**partita.add_client("Wiki", CALLBACK, "--grant", "device_code"), "redirect_uris": [CALLBACK]}
        self.registered = Registrar(partita).register()
        self.person = Visitor(partita, new_user(partita))
        self.tokens = self.person.tokens(self.client, "openid offline_access")
        self.code = self.person.go_on(self.person.ask(self.client)).answer["code"]
        self.verifier = self.person.verifier
        self.device = Device(partita, self.client, "openid")
        self.request, _ = request_for(self.client["client_id"], CALLBACK)
        self.request_uri = push(partita, self.client, self.request).json()["request_uri"]

    def secrets(self):
        return {
            "code": self.code, "access token": self.tokens["access_token"], "ID token": self.tokens["id_token"],
            "refresh token": self.tokens["refresh_token"], "device code": self.device.device_code, "user code": self.device.user_code,
            "request_uri": self.request_uri, "reference": self.request_uri.removeprefix(PREFIX), "session": self.person.cookie(),
            "client secret": self.client["client_secret"], "registration token": self.registered["registration_access_token"],
            "initial access token": self.partita.info["initial_access_token"],
        }

    def auth(self):
        return self.client["client_id"], self.client["client_secret"]

    def post(self, path, auth=True, **form):
        return requests.post(self.url + path, auth=self.auth() if auth else None, data=form, timeout=20)

    def grant(self, name, **form):
        return self.post("/token", grant_type=name, **form)


# {place: (whose place it is, how something is tried there)}
PLACES = {
    "code": ("code", lambda w, text: w.grant("authorization_code", code=text, redirect_uri=CALLBACK, code_verifier=w.verifier)),
    "refresh_token": ("refresh token", lambda w, text: w.grant("refresh_token", refresh_token=text)),
    "device_code": ("device code", lambda w, text: w.grant(GRANT, device_code=text)),
    "client_secret": ("client secret", lambda w, text: requests.post(w.url + "/token", auth=(w.client["client_id"], text), timeout=20,
                                                                     data={"grant_type": "refresh_token", "refresh_token": "x"})),
    "userinfo": ("access token", lambda w, text: requests.get(w.url + "/userinfo", headers=bearer(text), timeout=20)),
    "registering": ("initial access token", lambda w, text: requests.post(w.url + "/register", json={"redirect_uris": [CALLBACK]}, headers=bearer(text), timeout=20)),
    "managing": ("registration token", lambda w, text: requests.delete(w.registered["registration_client_uri"], headers=bearer(text), timeout=20)),
    "request_uri": ("request_uri", lambda w, text: requests.get(w.url + "/authorize", timeout=20, allow_redirects=False, params={
        "client_id": w.client["client_id"], "request_uri": PREFIX + text.removeprefix(PREFIX)})),
    "user_code": ("user code", lambda w, text: requests.get(w.url + "/device/approve", params={"user_code": text}, timeout=20, allow_redirects=False)),
    "session": ("session", lambda w, text: requests.get(w.url + "/account", cookies={"partita": text}, timeout=20, allow_redirects=False)),
}
# {place: status, error}; what is longer than anything that belongs there is told so
REFUSALS = {
    "code": (400, "invalid_grant"), "refresh_token": (400, "invalid_grant"), "device_code": (400, "invalid_grant"),
    "client_secret": (401, "invalid_client"), "userinfo": (401, "invalid_token"), "registering": (401, "invalid_token"),
    "managing": (401, "invalid_token"), "request_uri": (400, "invalid_request_uri"), "user_code": (303, "/device"),
    "session": (200, "Password"),
}
JWTS = ("access token", "ID token")
TOO_LONG = {(place, kind): (400, "invalid_request") for place in ("code", "device_code", "request_uri") for kind in JWTS}
OPENS = {("request_uri", "reference")}


@pytest.fixture(scope="module")
def world(partita):
    return World(partita)


def answer_of(response):
    """(status, error): of a page the words that say it, of a redirect where it leads."""
    if response.status_code == 303:
        return 303, response.headers["Location"].partition("?")[0]
    if response.headers.get("Content-Type") == "application/json":
        return response.status_code, response.json()["error"]
    found = [words for words in ("invalid_request_uri", "invalid_request", "Password") if words in response.text]
    return response.status_code, found[0] if found else response.text[:300]


@pytest.mark.parametrize("place", PLACES)
def test_of_another_kind(world, place):
    owner, attempt = PLACES[place]
    for kind, text in world.secrets().items():
        if kind == owner or (place, kind) in OPENS:
            continue
        response = attempt(world, text)
        assert (kind, answer_of(response)) == (kind, TOO_LONG.get((place, kind), REFUSALS[place]))
        assert kind == "user code" or text not in response.text, "and is not shown"


@pytest.mark.parametrize("path", ["/introspect", "/revoke"])
def test_what_is_no_token_is_nothing(world, path):
    """Not even whose it is; and what is revoked there as a token lives on."""
    for kind, text in world.secrets().items():
        if kind not in ("access token", "refresh token"):
            response = world.post(path, token=text)
            assert (kind, response.status_code, response.content) == (kind, 200, b'{"active":false}' if path == "/introspect" else b"")


def test_everything_still_opens_its_own_door(world):
    """Runs after the others: none of that used anything up."""
    assert "access_token" in token_request(world.partita, world.client, world.verifier, grant_type="authorization_code", code=world.code,
                                           redirect_uri=CALLBACK).json()
    assert world.grant("refresh_token", refresh_token=world.tokens["refresh_token"]).status_code == 200
    assert requests.get(world.url + "/userinfo", headers=bearer(world.tokens["access_token"]), timeout=20).status_code == 200
    assert world.device.poll() == "authorization_pending"
    assert "Sign out" in world.person.get("/account").text
    assert world.person.get("/device/approve", user_code=world.device.user_code).kind == "approve"
    assert world.person.get("/authorize", client_id=world.client["client_id"], request_uri=world.request_uri).kind == "code"
    assert Registrar(world.partita).manage("GET", world.registered).status_code == 200
