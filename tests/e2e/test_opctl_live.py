"""What the operator's command changes holds from the servers' next request on."""
import time

import pytest
import requests

from person import Person, request_for, sign_in, token_request

OFFLINE = "openid profile email offline_access"
PASSWORD = "correct horse battery"


def userinfo(partita, tokens):
    return requests.get(partita.issuer + "/userinfo", headers={"Authorization": "Bearer " + tokens["access_token"]}, timeout=10)


def refresh(partita, client, tokens):
    return token_request(partita, client, grant_type="refresh_token", refresh_token=tokens["refresh_token"])


def is_alive(partita, client, tokens):
    """Both ways of using what a sign-in gave must agree."""
    answers = userinfo(partita, tokens), refresh(partita, client, tokens)
    codes = tuple(answer.status_code for answer in answers)
    assert codes in ((200, 200), (401, 400)), [answer.text for answer in answers]
    if codes == (401, 400):
        assert answers[1].json()["error"] == "invalid_grant" and "invalid_token" in answers[0].headers["WWW-Authenticate"]
    return codes == (200, 200)


@pytest.fixture(name="made")
def fixture_made(partita, request):
    """A user, a client, and what a sign-in with offline_access gave."""
    name = request.node.name.replace("_", "-")[:60]
    user = partita.add_user(name, PASSWORD, ["name=" + name])
    client = partita.add_client(name, "http://localhost:8090/callback")
    person = Person(partita, name, PASSWORD)
    return user, client, person, sign_in(partita, client, OFFLINE, person=person)


def again(partita, made, password=PASSWORD):
    """A new sign-in by a new browser."""
    return sign_in(partita, made[1], OFFLINE, person=Person(partita, made[0]["username"], password))


def test_sessions_are_seen_and_ended(partita, made):
    user, client, person, tokens = made
    session, = partita.opctl("session", "list", "--user", user["username"])
    assert session["user_id"] == user["user_id"] and session["client_ids"] == [client["client_id"]] and "pwd" in session["amr"]
    assert partita.opctl("session", "show", session["sid"]) == session
    assert session["sid"] in [entry["sid"] for entry in partita.opctl("session", "list")]
    bound = sign_in(partita, client, "openid profile", person=person)
    assert partita.opctl("session", "end", session["sid"]) == {"ended": [session["sid"]]}
    assert userinfo(partita, bound).status_code == 401
    assert is_alive(partita, client, tokens)  # offline_access outlives the session
    asked, _ = request_for(client["client_id"], client["redirect_uris"][0], prompt="none")
    assert person.authorize(asked)["error"] == "login_required"
    assert partita.opctl("session", "list", "--user", user["username"]) == []


def test_a_user_is_signed_out_everywhere(partita, made):
    user, client, _, tokens = made
    other = again(partita, made)
    report = partita.opctl("session", "end", "--user", user["username"])
    assert report["sessions_ended"] == 2 and report["families_revoked"] == 2
    assert not is_alive(partita, client, tokens) and not is_alive(partita, client, other)
    assert is_alive(partita, client, again(partita, made))  # at once, in the very second


def test_families_are_seen_and_revoked(partita, made):
    user, client, _, tokens = made
    family, = partita.opctl("family", "list", "--user", user["username"])
    assert (family["state"], family["client_id"], family["offline"]) == ("alive", client["client_id"], True)
    assert family["scope"].split() == OFFLINE.split()
    assert partita.opctl("family", "show", family["family"])["family"] == family["family"]
    assert partita.opctl("family", "revoke", family["family"]) == {"revoked": [family["family"]]}
    assert not is_alive(partita, client, tokens)
    assert partita.opctl("family", "show", family["family"])["dead_reason"] == "revoked"
    second = again(partita, made)
    assert len(partita.opctl("family", "revoke", "--client", client["client_id"])["revoked"]) == 1  # the other is dead already
    assert not is_alive(partita, client, second)


def test_a_disabled_user_is_refused_and_what_died_stays_dead(partita, made):
    user, client, _, tokens = made
    report = partita.opctl("user", "disable", user["username"])
    assert report["sessions_ended"] == 1 and report["families_revoked"] == 1
    assert not is_alive(partita, client, tokens)
    with pytest.raises(AssertionError):
        again(partita, made)
    partita.opctl("user", "enable", user["username"])
    assert not is_alive(partita, client, tokens)
    assert is_alive(partita, client, again(partita, made))


def test_another_password_ends_what_the_old_one_began(partita, made):
    user, client, _, tokens = made
    partita.opctl("user", "password", user["username"], secret="another good one\n")
    assert not is_alive(partita, client, tokens)
    with pytest.raises(AssertionError):
        again(partita, made)
    assert is_alive(partita, client, again(partita, made, "another good one"))


def test_a_removed_user_leaves_nothing(partita, made):
    user, client, _, tokens = made
    partita.opctl("user", "remove", user["username"])
    assert not is_alive(partita, client, tokens)
    assert user["user_id"] not in [entry.get("user_id") for entry in partita.opctl("session", "list")]
    assert [entry["state"] for entry in partita.opctl("family", "list") if entry.get("user_id") == user["user_id"]] == ["dead"]


def test_a_withdrawn_consent_is_asked_for_again(partita, made):
    user, client, person, tokens = made
    consent, = partita.opctl("consent", "list", user["username"])
    assert consent["client_id"] == client["client_id"] and consent["state"] == "given"
    partita.opctl("consent", "withdraw", user["username"], client["client_id"])
    assert not is_alive(partita, client, tokens)
    assert is_alive(partita, client, sign_in(partita, client, OFFLINE, person=person))  # the page is there, and says yes
    assert not is_alive(partita, client, tokens)


def test_a_disabled_client_is_refused_and_what_died_stays_dead(partita, made):
    _, client, _, tokens = made
    partita.opctl("client", "disable", client["client_id"])
    assert userinfo(partita, tokens).status_code == 401
    assert refresh(partita, client, tokens).json()["error"] == "invalid_client"
    partita.opctl("client", "enable", client["client_id"])
    assert not is_alive(partita, client, tokens)
    assert is_alive(partita, client, again(partita, made))


def test_another_client_secret_replaces_the_first(partita, made):
    _, client, _, tokens = made
    other = partita.opctl("client", "secret", client["client_id"])
    assert refresh(partita, client, tokens).json()["error"] == "invalid_client"
    assert refresh(partita, other, tokens).status_code == 200


def test_keys_are_listed_and_rotated(partita):
    def current():
        return {key["kid"] for key in partita.opctl("key", "list") if key["state"] == "current"}
    before = current()
    assert {key["alg"] for key in partita.opctl("key", "list")} == {"RS256", "ES256"}
    for kid in before:
        shown = partita.opctl("key", "show", kid)
        assert shown["jwk"]["kid"] == kid and not {"d", "p", "q"} & set(shown["jwk"])
    partita.opctl("key", "rotate", "--now")
    end = time.monotonic() + 20
    while (not current() or current() & before) and time.monotonic() < end:
        time.sleep(0.2)
    assert current() and not current() & before
    published = {key["kid"] for key in requests.get(partita.issuer + "/.well-known/jwks.json", timeout=10).json()["keys"]}
    assert current() <= published and not before & published


def test_an_unknown_algorithm_of_id_tokens_is_noted(partita):
    done = partita.opctl("client", "add", "--name", "E", "--redirect-uri", "https://e.example/", "--id-token-alg", "EdDSA", check=False)
    assert done.returncode == 0 and "EdDSA" in done.stderr and "signing_algs" in done.stderr
