"""Rotations of the signing keys as op-token and those who verify see them."""
import base64
import json

import pytest
import requests

from person import sign_in, token_request
from server_process import Home, wait_until


def kid_of(token):
    head = token.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]


def published(partita):
    return [key["kid"] for key in requests.get(partita.issuer + "/.well-known/jwks.json", verify=partita.verify, timeout=30).json()["keys"]]


def userinfo(partita, tokens):
    return requests.get(partita.issuer + "/userinfo", headers={"Authorization": "Bearer " + tokens["access_token"]},
                        verify=partita.verify, timeout=30).status_code


def refresh(partita, tokens):
    response = token_request(partita, partita.info["client"], grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert response.status_code == 200, response.text
    return response.json()


def states(partita):
    return {key["kid"]: key["state"] for key in partita.opctl("key", "list")}


@pytest.fixture(scope="module")
def rotating(start_partita):
    """Its keys change under it: nobody else's test is to see that."""
    return start_partita("--instances", "op-token=2")


def rotate(partita, *words):
    """A rotation, to its end. Returns the kids that were current and those that are."""
    before = {kid for kid, state in states(partita).items() if state == "current"}
    partita.opctl("key", "rotate", *words)
    wait_until(lambda: not before & {kid for kid, state in states(partita).items() if state == "current"}, 20)
    return before, {kid for kid, state in states(partita).items() if state == "current"}


@pytest.mark.parametrize("words", [[], ["--now"]])
def test_a_rotation_is_seen_on_the_next_request(rotating, words):
    old = sign_in(rotating, rotating.info["client"], "openid offline_access")
    before, after = rotate(rotating, *words)
    new = refresh(rotating, old)
    for name in ("access_token", "id_token"):
        assert kid_of(old[name]) in before and kid_of(new[name]) in after
    assert after <= set(published(rotating))
    assert userinfo(rotating, new) == 200
    if not words:
        assert before <= set(published(rotating))
        assert userinfo(rotating, old) == 200, "what a retired key signed verifies until it expires"


def test_op_token_waits_for_keys_and_needs_no_restart(request):
    home = Home()
    request.addfinalizer(home.close)
    token = home.start("op-token")
    wait_until(lambda: token.events("not_ready"), 20, lambda: token.log)
    assert token.get("/.live")[0] == 200
    status, _, body = token.get("/.ready")
    assert (status, body) == (503, b"not ready: there is no signing key of ES256 yet\n")
    home.start("op-discovery")
    token.wait_ready()
    wait_until(lambda: token.events("ready"), 5)
    said = [event["why"] for event in token.events("not_ready")]  # one of the keys may be made a moment before the other
    assert said in [[f"there is no signing key of {alg} yet" for alg in algs] for algs in (["ES256"], ["ES256", "RS256"])]
