"""The device grant (RFC 8628) from end to end: a device that polls, and a person who types its code."""
import base64
import json
import re
import threading
import time
from datetime import datetime
from urllib.parse import urlsplit

import pytest
import requests

from visitor import Visitor, new_user, offers_a_way_on

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"


def new_device_client(partita, *more, name="Television"):
    client = partita.opctl("client", "add", "--name", name, "--public", "--grant", "device_code", "--grant", "refresh_token",
                           "--scope", "openid profile email offline_access", *more)
    return {**client, "name": name}


class Device:
    """A television: asks for a code, shows it, polls."""

    def __init__(self, partita, client, scope="openid profile", address=None):
        self.partita, self.client = partita, client
        self.headers = {"X-Forwarded-For": address} if address else {}
        response = self.post("/device_authorization", scope=scope)
        assert response.status_code == 200, response.text
        assert response.headers["Cache-Control"] == "no-store"
        self.answer = response.json()
        self.user_code, self.device_code = self.answer["user_code"], self.answer["device_code"]

    def post(self, path, **data):
        secret = self.client.get("client_secret")
        auth = (self.client["client_id"], secret) if secret else None
        if not secret:
            data["client_id"] = self.client["client_id"]
        return requests.post(self.partita.issuer + path, data=data, auth=auth, verify=self.partita.verify, headers=self.headers, timeout=30)

    def poll(self, **more):
        """The token response, or the error's name."""
        response = self.post("/token", grant_type=GRANT, device_code=self.device_code, **more)
        return response.json() if response.status_code == 200 else self.refused(response)

    def refused(self, response):
        assert response.status_code == 400 and response.headers["Cache-Control"] == "no-store", response.text
        return response.json()["error"]

    def refresh(self, tokens):
        return self.post("/token", grant_type="refresh_token", refresh_token=tokens["refresh_token"])


def type_code(visitor, code):
    """What a person does at verification_uri: opens it and types."""
    seen = visitor.get("/device")
    assert seen.status == 200 and seen.kind == "device"
    return visitor.send(seen, "device", {"user_code": code})


def through_sign_in(visitor, seen):
    return visitor.fill_in(seen) if seen.kind == "sign-in" else seen


def decide(visitor, seen, decision="allow"):
    assert seen.kind == "approve", seen.text
    return visitor.send(seen, "approve", button=("decision", decision))


def approve(visitor, device, decision="allow"):
    seen = decide(visitor, through_sign_in(visitor, type_code(visitor, device.user_code)), decision)
    assert seen.status == 200 and ("connected" if decision == "allow" else "Not allowed") in seen.text
    return seen


def userinfo(partita, tokens):
    return requests.get(partita.issuer + "/userinfo", headers={"Authorization": "Bearer " + tokens["access_token"]},
                        verify=partita.verify, timeout=30)


@pytest.fixture(scope="module")
def client(partita):
    return new_device_client(partita)


def test_the_answer_is_that_of_the_specification(partita, client):
    answer = Device(partita, client).answer
    assert set(answer) == {"device_code", "user_code", "verification_uri", "verification_uri_complete", "expires_in", "interval"}
    assert re.fullmatch(f"[{ALPHABET}]{{4}}-[{ALPHABET}]{{4}}", answer["user_code"])
    assert len(answer["device_code"]) == 43, "256 bits"
    assert answer["verification_uri"] == partita.issuer + "/device"
    assert answer["verification_uri_complete"] == f"{partita.issuer}/device?user_code={answer['user_code']}"
    assert (answer["expires_in"], answer["interval"]) == (600, 5)
    assert len({Device(partita, client).user_code for _ in range(20)}) == 20


def test_discovery_says_so(partita):
    metadata = requests.get(partita.issuer + "/.well-known/openid-configuration", verify=partita.verify, timeout=30).json()
    assert metadata["device_authorization_endpoint"] == partita.issuer + "/device_authorization"
    assert GRANT in metadata["grant_types_supported"]


def test_the_whole_way(partita, client):
    name = new_user(partita, "name=Ann Example")
    visitor, device = Visitor(partita, name), Device(partita, client)
    assert device.poll() == "authorization_pending"
    seen = type_code(visitor, device.user_code)
    assert seen.kind == "sign-in" and "to connect your device" in seen.text
    seen = visitor.fill_in(seen)
    assert seen.kind == "approve" and device.user_code in seen.text and client["name"] in seen.text and "see your profile" in seen.text
    assert f"signed in as {name}" in seen.text
    seen = decide(visitor, seen)
    assert "go back to your device" in seen.text
    tokens = device.poll()
    assert tokens["token_type"] == "Bearer" and tokens["scope"] == "openid profile" and tokens["id_token"] and tokens["refresh_token"]
    assert userinfo(partita, tokens).json()["name"] == "Ann Example"
    refreshed = device.refresh(tokens)
    assert refreshed.status_code == 200 and userinfo(partita, refreshed.json()).status_code == 200
    assert device.poll() == "invalid_grant", "a device code is used once"
    assert userinfo(partita, refreshed.json()).status_code == 200, "a device that asks once more loses nothing"


def test_who_is_signed_in_only_confirms_and_is_always_asked(partita, client):
    visitor = Visitor(partita, new_user(partita))
    visitor.enter()
    for _ in range(2):
        device = Device(partita, client)
        seen = type_code(visitor, device.user_code)
        assert seen.kind == "approve", "also where consent was given before (RFC 8628 section 5.4)"
        decide(visitor, seen)
        assert "access_token" in device.poll()


def test_a_first_party_client_asks_too(partita):
    client = new_device_client(partita, "--first-party", name="Own box")
    visitor = Visitor(partita, new_user(partita))
    visitor.enter()
    device = Device(partita, client)
    assert device.poll() == "authorization_pending"
    seen = type_code(visitor, device.user_code)
    assert seen.kind == "approve" and device.poll() != "access_denied"
    decide(visitor, seen)
    assert "access_token" in device.poll()


@pytest.mark.parametrize("change", [str.lower, lambda code: code.replace("-", ""), lambda code: code.replace("-", "").lower(),
                                    lambda code: " ".join(code), lambda code: f"  {code.lower()} ", lambda code: code.replace("-", " - ")],
                         ids=["lower case", "no hyphen", "both", "spaces", "spaces around", "spaces at the hyphen"])
def test_codes_are_read_as_people_type_them(partita, client, change):
    visitor, device = Visitor(partita, new_user(partita)), Device(partita, client)
    visitor.enter()
    decide(visitor, type_code(visitor, change(device.user_code)))
    assert "access_token" in device.poll()


def test_verification_uri_complete_fills_in_and_still_asks(partita, client):
    visitor, device = Visitor(partita, new_user(partita)), Device(partita, client)
    visitor.enter()
    seen = visitor.get(device.answer["verification_uri_complete"].removeprefix(partita.issuer))
    assert seen.kind == "device" and seen.field("user_code") == device.user_code and "show this very code" in seen.text
    assert device.poll() == "authorization_pending", "a link alone decides nothing"
    seen = visitor.send(seen, "device")
    assert seen.kind == "approve" and device.user_code in seen.text
    decide(visitor, seen)
    assert "access_token" in device.poll()


def test_a_wrong_password_on_the_way(partita, client):
    visitor, device = Visitor(partita, new_user(partita)), Device(partita, client)
    seen = visitor.fill_in(type_code(visitor, device.user_code), password="wrong")
    assert seen.refused and "to connect your device" in seen.text
    decide(visitor, visitor.fill_in(seen))
    assert "access_token" in device.poll()


def test_denial(partita, client):
    visitor, device = Visitor(partita, new_user(partita)), Device(partita, client)
    approve(visitor, device, "deny")
    assert device.poll() == "access_denied" and device.poll() == "access_denied"
    seen = type_code(visitor, device.user_code)
    assert "not known, or no longer good" in seen.text, "an answer is for good"


def test_slow_down(partita, client):
    device = Device(partita, client)
    assert device.poll() == "authorization_pending"
    assert device.poll() == "slow_down"
    time.sleep(5.5)
    assert device.poll() == "slow_down", "the interval is 10 s now"
    approve(Visitor(partita, new_user(partita)), device)
    assert "access_token" in device.poll(), "what is approved is given at once"


@pytest.fixture(scope="module")
def hasty(start_partita):
    """Short lives, few guesses, two of each server of the flow."""
    return start_partita(*(word for name in ("op-async", "op-auth", "op-token") for word in ("--instances", name + "=2")),
                         "--set", "all.device_code_lifetime=3s", "--set", "op-async.device_interval=1s", "--set", "all.user_code_guesses=5",
                         "--set", "op-async.device_address_requests=40", "--set", "op-async.device_client_requests=30")


def test_expiry(hasty):
    client, visitor = new_device_client(hasty), Visitor(hasty, new_user(hasty))
    visitor.enter()
    device, late = Device(hasty, client), Device(hasty, client)
    assert device.answer["expires_in"] == 3 and device.answer["interval"] == 1
    assert device.poll() == "authorization_pending"
    asked = type_code(visitor, device.user_code)
    assert asked.kind == "approve"
    approve(visitor, late)
    time.sleep(1.1)
    assert device.poll() == "authorization_pending", "one second is enough here"
    time.sleep(2.5)
    assert device.poll() == "expired_token" and device.poll() == "expired_token"
    assert late.poll() == "expired_token", "approved, and fetched too late"
    seen = visitor.send(asked, "approve", button=("decision", "allow"))
    assert seen.kind == "problem" and "no longer good" in seen.text
    assert "not known, or no longer good" in type_code(visitor, device.user_code).text
    assert device.poll() == "expired_token"


def test_wrong_codes_are_throttled_at_the_page_and_behind_it(hasty):
    client, ann = new_device_client(hasty), Visitor(hasty, new_user(hasty))
    ann.enter()
    wrong = "ZZZZ-ZZZ"
    for letter in "BCD":
        seen = type_code(ann, wrong + letter)
        assert seen.status == 200 and "not known" in seen.text and seen.field("user_code") == wrong + letter
    for letter in "FG":  # past the page, straight to op-auth
        assert ann.get("/device/approve", user_code=wrong + letter).kind == "problem"
    right = Device(hasty, client)
    for seen in (type_code(ann, right.user_code), type_code(ann, wrong + "H"), ann.get("/device/approve", user_code=right.user_code)):
        assert seen.status == 429 and 0 < int(seen.response.headers["Retry-After"]) <= 180 and "too many wrong codes" in seen.text
    assert type_code(ann, "nonsense").status == 200, "what cannot be a code is no guess"
    nobody = Visitor(hasty)
    assert nobody.get("/device/approve", user_code=right.user_code).kind == "sign-in", "nothing is looked up before somebody has signed in"


def test_requests_are_bounded(hasty):
    """By client first; the address has used up some already."""
    client, other = new_device_client(hasty), new_device_client(hasty, name="Other")
    asked = [Device.post(thing, "/device_authorization", scope="openid") for thing in [bare(hasty, client)] * 31]
    refused = asked[-1]
    assert {answer.status_code for answer in asked[:20]} == {200} and refused.status_code == 429
    assert refused.json()["error"] == "temporarily_unavailable" and int(refused.headers["Retry-After"]) > 0
    answers = [Device.post(bare(hasty, other), "/device_authorization", scope="openid").status_code for _ in range(20)]
    assert 429 in answers, "and by address, whatever the client"


def bare(partita, client):
    device = Device.__new__(Device)
    device.partita, device.client, device.headers = partita, client, {}
    return device


def test_two_that_poll_at_once_have_one_winner(start_partita, partita, client):
    """Two op-token processes; polls race for one approved request."""
    for _ in range(5):
        device = Device(partita, client)
        visitor = Visitor(partita, new_user(partita))
        approve(visitor, device)
        answers, start = [], threading.Barrier(6)

        def race(device=device, answers=answers, start=start):
            start.wait()
            answers.append(device.poll())
        threads = [threading.Thread(target=race) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        winners = [answer for answer in answers if isinstance(answer, dict)]
        assert len(winners) == 1 and {answer for answer in answers if isinstance(answer, str)} == {"invalid_grant"}
        assert userinfo(partita, winners[0]).status_code == 200 and device.refresh(winners[0]).status_code == 200


# --- what the tokens lean on ---

def signed_in_device(partita, client, scope):
    visitor, device = Visitor(partita, new_user(partita)), Device(partita, client, scope)
    approve(visitor, device)
    tokens = device.poll()
    assert userinfo(partita, tokens).status_code == 200
    return visitor, device, tokens


def is_dead(partita, device, tokens):
    refreshed = device.refresh(tokens)
    return userinfo(partita, tokens).status_code == 401 and (refreshed.status_code, refreshed.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize("scope", ["openid", "openid offline_access"])
def test_withdrawn_consent_ends_the_device(partita, client, scope):
    visitor, device, tokens = signed_in_device(partita, client, scope)
    account = visitor.get("/account")
    assert client["name"] in account.text
    visitor.send(account, "withdraw", client_id=client["client_id"])
    assert is_dead(partita, device, tokens)


def test_signing_out_ends_the_device_that_leans_on_the_session(partita, client):
    visitor, device, tokens = signed_in_device(partita, client, "openid")
    visitor.send(visitor.get("/logout"), "logout")
    assert is_dead(partita, device, tokens)


def test_offline_access_outlives_the_session(partita, client):
    visitor, device, tokens = signed_in_device(partita, client, "openid offline_access")
    visitor.send(visitor.get("/logout"), "logout")
    assert userinfo(partita, tokens).status_code == 200 and device.refresh(tokens).status_code == 200


def test_signing_out_before_the_device_came_back(partita, client):
    visitor, device = Visitor(partita, new_user(partita)), Device(partita, client)
    approve(visitor, device)
    visitor.send(visitor.get("/logout"), "logout")
    assert device.poll() == "invalid_grant"


def test_the_user_is_disabled_before_the_device_came_back(partita, client):
    name = new_user(partita)
    visitor, device = Visitor(partita, name), Device(partita, client, "openid offline_access")
    approve(visitor, device)
    partita.opctl("user", "disable", name)
    assert device.poll() == "invalid_grant"


def test_a_client_without_refresh_tokens_gets_none(partita):
    client = partita.opctl("client", "add", "--name", "Reader", "--public", "--grant", "device_code", "--scope", "openid offline_access")
    _, device, tokens = signed_in_device(partita, client, "openid offline_access")
    assert "refresh_token" not in tokens and tokens["scope"] == "openid", "offline_access is of no use to it"


def test_the_lifetimes_of_one_client(partita):
    client = new_device_client(partita, "--refresh-token-idle-lifetime", "1h", "--refresh-token-lifetime", "1d")
    device = Device(partita, client)
    approve(Visitor(partita, new_user(partita)), device)
    assert device.poll()["refresh_token"]
    family, = partita.opctl("family", "list", "--client", client["client_id"])
    ends = [datetime.fromisoformat(family[name]).timestamp() for name in ("created_at", "idle_expires_at", "expires_at")]
    assert (family["idle_lifetime"], ends[1] - ends[0], ends[2] - ends[0]) == (3600, 3600, 86400)


def test_a_confidential_client_has_to_authenticate(partita):
    client = partita.opctl("client", "add", "--name", "Kiosk", "--grant", "device_code", "--scope", "openid profile")
    device = Device(partita, client)
    approve(Visitor(partita, new_user(partita)), device)
    secret = client.pop("client_secret")
    assert device.post("/token", grant_type=GRANT, device_code=device.device_code).status_code == 401
    client["client_secret"] = secret
    assert "access_token" in device.poll()


def test_resources_are_carried_into_the_token(partita):
    api = "https://api.example.org/"
    client = new_device_client(partita, "--resource", api)
    device = Device(partita, client)
    response = device.post("/device_authorization", scope="openid", resource=api)
    device.user_code, device.device_code = response.json()["user_code"], response.json()["device_code"]
    approve(Visitor(partita, new_user(partita)), device)
    assert api in audience(device.poll()["access_token"])
    assert device.refused(device.post("/device_authorization", scope="openid", resource="https://other.example/")) == "invalid_target"


def audience(token):
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["aud"]


# --- the approval belongs to one person, one browser, one moment ---

def test_an_answer_in_another_session_does_not_count(partita, client):
    ann, device = Visitor(partita, new_user(partita)), Device(partita, client)
    ann.enter()
    asked = type_code(ann, device.user_code)
    ann.send(ann.get("/logout"), "logout")
    seen = decide(ann, asked)
    assert seen.kind == "sign-in" and device.poll() == "authorization_pending"
    ben = new_user(partita)
    seen = ann.fill_in(seen, ben)
    assert seen.kind == "approve" and f"signed in as {ben}" in seen.text
    seen = ann.send(asked, "approve", button=("decision", "deny"))
    assert seen.kind == "approve" and "your answer was not used" in seen.text
    decide(ann, seen)
    assert "access_token" in device.poll()


def test_an_answer_of_another_browser_does_not_count(partita, client):
    ann, thief, device = Visitor(partita, new_user(partita)), Visitor(partita, new_user(partita)), Device(partita, client)
    ann.enter()
    thief.enter()
    asked = type_code(ann, device.user_code)
    seen = decide(thief, asked)
    assert seen.kind == "problem" and "another browser" in seen.text and device.poll() == "authorization_pending"
    then = offers_a_way_on(thief, seen)
    assert then.kind == "approve" and device.user_code in then.text


def test_two_people_with_one_code(partita, client):
    ann, ben, device = Visitor(partita, new_user(partita)), Visitor(partita, new_user(partita)), Device(partita, client)
    ann.enter()
    ben.enter()
    one, two = type_code(ann, device.user_code), type_code(ben, device.user_code)
    decide(ann, one)
    seen = decide(ben, two, "deny")
    assert seen.kind == "problem" and "no longer good" in seen.text, "the first answer is the answer"
    offers_a_way_on(ben, seen)
    tokens = device.poll()
    assert userinfo(partita, tokens).status_code == 200


def test_back_and_reload_after_the_answer(partita, client):
    visitor, device = Visitor(partita, new_user(partita)), Device(partita, client)
    visitor.enter()
    asked = type_code(visitor, device.user_code)
    done = decide(visitor, asked)
    again = visitor.get(urlsplit(done.response.url).path + "?" + urlsplit(done.response.url).query)
    assert again.status == 200 and "connected" in again.text, "reload finds a page and no form that was sent"
    assert decide(visitor, asked).kind == "problem"
    assert "access_token" in device.poll()


def test_a_client_that_is_disabled_meanwhile(partita):
    client = new_device_client(partita, name="Soon gone")
    visitor, device = Visitor(partita, new_user(partita)), Device(partita, client)
    visitor.enter()
    asked = type_code(visitor, device.user_code)
    partita.opctl("client", "disable", client["client_id"])
    for seen in (decide(visitor, asked), type_code(visitor, device.user_code)):
        assert seen.kind == "problem" and "switched off" in seen.text
    assert device.post("/token", grant_type=GRANT, device_code=device.device_code).status_code == 401


# --- the QR code ---

def test_the_qr_code_is_verification_uri_complete(partita, client):
    device = Device(partita, client)
    answer = requests.get(partita.issuer + "/device/qr", params={"user_code": device.user_code.lower()}, verify=partita.verify, timeout=30)
    assert answer.status_code == 200 and answer.headers["Content-Type"] == "image/svg+xml" and len(answer.content) < 16384
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"] and answer.headers["Cache-Control"] == "no-store"
    again = requests.get(partita.issuer + "/device/qr", params={"user_code": "BCDF-GHJK"}, verify=partita.verify, timeout=30)
    assert again.status_code == 200 and again.content != answer.content, "whether there is such a code is not told"
