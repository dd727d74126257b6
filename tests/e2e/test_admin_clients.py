"""Clients, sessions, families, consents, registration tokens and keys at the administration API (/admin/v1/), through the
front door; what it changes is seen by every process of every server on its next request."""
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from administration import Desk
from person import Person, request_for, sign_in

OFFLINE = "openid profile email offline_access"
PASSWORD = "correct horse battery"
BACK = "http://localhost:8090/callback"
MANY = 250


@pytest.fixture(scope="module")
def desk(partita):
    return Desk(partita)


def new_client(desk, **more):
    made = desk.ok("POST", "/clients", {"client_name": "Shop", "redirect_uris": [BACK], **more}, 201).json()
    return {**made, "path": "/clients/" + made["client_id"]}


@pytest.fixture(name="world")
def fixture_world(partita, desk, house, request):
    """A user and a client made by the API, and what a sign-in with offline_access gave."""
    name = "desk-" + request.node.name.replace("_", "-")[:60]
    user = desk.ok("POST", "/users", {"username": name, "password": PASSWORD, "claims": {"name": name}}, 201).json()
    client = new_client(desk)
    person = Person(partita, name, PASSWORD)
    tokens = sign_in(partita, client, OFFLINE, person=person)
    house.is_alive(client, tokens)
    return user, client, person, tokens


# --- clients ---

def test_a_client_is_added_shown_changed_and_removed(partita, desk):
    made = desk.ok("POST", "/clients", {"client_name": "Wiki", "redirect_uris": [BACK], "audiences": ["api"], "contacts": ["a@b.example"]}, 201)
    client = made.json()
    path = "/clients/" + client["client_id"]
    assert made.headers["Location"] == desk.root + path and made.headers["ETag"] == '"1"'
    assert len(client["client_secret"]) == 43 and client["grant_types"] == ["authorization_code", "refresh_token"]
    assert client["response_types"] == ["code"] and "openid" in client["scope"].split() and client["first_party"] is False
    shown = desk.ok("GET", path)
    assert shown.json() == {name: value for name, value in client.items() if name != "client_secret"}
    assert shown.json() == partita.opctl("client", "show", client["client_id"])
    assert desk.get(path, headers={"If-None-Match": '"1"'}).status_code == 304
    changed = desk.change(path, {"client_name": "Wikis", "contacts": None, "first_party": True, "default_max_age": 60}, '"1"')
    assert changed.headers["ETag"] == '"2"' and changed.json()["client_name"] == "Wikis" and "contacts" not in changed.json()
    assert changed.json()["default_max_age"] == 60 and changed.json()["audiences"] == ["api"] and "client_secret" not in changed.json()
    by_hand = partita.opctl("client", "change", client["client_id"], "--tos-uri", "https://wiki.example/tos")
    assert by_hand["tos_uri"] == "https://wiki.example/tos"
    assert desk.call("PATCH", path, {"client_name": "Late"}, headers={"If-Match": '"2"'}).status_code == 412
    assert desk.ok("GET", path).headers["ETag"] == '"3"'
    assert desk.call("DELETE", path).status_code == 428
    desk.remove(path, '"3"')
    assert desk.get(path).status_code == 404 and client["client_id"] not in [c["client_id"] for c in partita.opctl("client", "list")]


def test_lifetimes_of_one_client(partita, desk):
    client = new_client(desk, refresh_token_idle_lifetime=3600, refresh_token_lifetime=86400)
    own = {"refresh_token_idle_lifetime": 3600, "refresh_token_lifetime": 86400}
    shown = desk.get(client["path"]).json()
    assert {name: shown[name] for name in own} == own and shown == partita.opctl("client", "show", client["client_id"])
    assert [one for one in desk.all("/clients?limit=200") if one["client_id"] == client["client_id"]] == [shown]
    changed = desk.change(client["path"], {"refresh_token_idle_lifetime": 60, "refresh_token_lifetime": 0}).json()
    assert changed["refresh_token_idle_lifetime"] == 60 and "refresh_token_lifetime" not in changed
    assert "refresh_token_idle_lifetime" not in desk.change(client["path"], {"refresh_token_idle_lifetime": None}).json()
    whole = {"refresh_token_idle_lifetime": 30 * 86400, "refresh_token_lifetime": 365 * 86400}
    assert whole.items() <= desk.change(client["path"], whole).json().items(), "as long as the house's"
    for name, most in whole.items():
        answer = desk.call("PATCH", client["path"], {name: most + 1}, headers={"If-Match": "*"})
        assert (answer.status_code, answer.json()["member"]) == (400, name)
    desk.remove(client["path"])


def test_a_method_that_changes_brings_a_secret_and_takes_it_away(desk):
    client = new_client(desk, token_endpoint_auth_method="none")
    assert "client_secret" not in client
    refused = desk.call("POST", client["path"] + "/secret")
    assert refused.status_code == 400 and "public client has no secret" in refused.json()["error_description"]
    changed = desk.change(client["path"], {"token_endpoint_auth_method": None}).json()
    assert len(changed["client_secret"]) == 43 and changed["token_endpoint_auth_method"] == "client_secret_basic"
    assert "client_secret" not in desk.change(client["path"], {"client_name": "Other"}).json()


def test_another_secret_is_the_only_one_from_the_next_request_on(desk, house, world):
    _, client, _, tokens = world
    made = desk.ok("POST", client["path"] + "/secret").json()
    assert made["client_secret"] != client["client_secret"] and made["client_id"] == client["client_id"]
    for connection in house.token + house.management:
        path = "/token" if connection in house.token else "/introspect"
        status, answer = connection.post(client, path, grant_type="refresh_token", refresh_token="x", token="x")
        assert (status, answer["error"]) == (401, "invalid_client")
    house.is_alive({**client, "client_secret": made["client_secret"]}, tokens)


def test_a_disabled_client_is_refused_everywhere_and_its_tokens_stay_dead(partita, desk, house, world):
    _, client, person, tokens = world
    disabled = desk.change(client["path"], {"state": "disabled", "client_name": "Shut"}).json()
    assert disabled["state"] == "disabled" and disabled["client_name"] == "Shut" and disabled["since"]
    assert {status for status, _ in house.refresh(client, tokens)} == {401}
    assert [connection.userinfo(tokens["access_token"])[0] for connection in house.userinfo] == [401, 401]
    asked, _ = request_for(client["client_id"], BACK)
    assert requests.get(partita.issuer + "/authorize", params=asked, verify=partita.verify, timeout=20).status_code == 400
    assert desk.change(client["path"], {"state": "enabled"}).json()["since"] == disabled["since"]
    house.is_dead(client, tokens)
    house.is_alive(client, sign_in(partita, client, OFFLINE, person=person))  # at once, in the very second


def test_what_is_registered_counts_on_the_next_request(partita, desk, world):
    _, client, person, _ = world
    other = "http://localhost:8090/elsewhere"
    asked, _ = request_for(client["client_id"], other)
    assert requests.get(partita.issuer + "/authorize", params=asked, verify=partita.verify, timeout=20).status_code == 400
    desk.change(client["path"], {"redirect_uris": [other]})
    assert "code" in person.authorize(asked)
    asked, _ = request_for(client["client_id"], BACK)
    assert requests.get(partita.issuer + "/authorize", params=asked, verify=partita.verify, timeout=20).status_code == 400


def test_a_removed_client_is_unknown_at_once(desk, house, world):
    _, client, _, tokens = world
    desk.remove(client["path"])
    assert {status for status, _ in house.refresh(client, tokens)} == {401}
    assert [connection.userinfo(tokens["access_token"])[0] for connection in house.userinfo] == [401, 401]


def test_of_changes_under_one_etag_one_wins(desk):
    client = new_client(desk)
    gate = threading.Barrier(6)

    def change(number):
        gate.wait(timeout=20)
        return desk.call("PATCH", client["path"], {"client_name": f"Name {number}"}, headers={"If-Match": '"1"'}).status_code
    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(change, range(6)))
    assert sorted(outcomes) == [200] + [412] * 5
    shown = desk.ok("GET", client["path"])
    assert shown.headers["ETag"] == '"2"' and shown.json()["client_name"] == f"Name {outcomes.index(200)}"


def test_a_list_goes_on_while_it_changes(desk):
    def add(number):
        return new_client(desk, client_name=f"Many {number}")["client_id"]
    with ThreadPoolExecutor(6) as pool:
        ids = set(pool.map(add, range(MANY)))
        assert len(ids) == MANY
        seen, answer, gone, parts = [], desk.ok("GET", "/clients?limit=40").json(), set(), 0
        while True:
            seen += [item["client_id"] for item in answer["items"]]
            assert len(answer["items"]) <= 40
            if "next" not in answer:
                break
            parts += 1
            later = [one for one in sorted(ids) if one > seen[-1] and one not in gone][-2:]
            list(pool.map(add, range(3)))                                     # some before, some behind the place
            list(pool.map(lambda one: desk.remove("/clients/" + one), later))
            gone |= set(later)
            answer = desk.ok("GET", answer["next"]).json()
        assert parts >= MANY // 40 and len(seen) == len(set(seen)) and seen == sorted(seen)
        assert ids - gone <= set(seen) and not gone & set(seen)
        mine = [item["client_id"] for item in desk.all("/clients?limit=200") if item.get("client_name", "").startswith("Many ")]  # one that registered itself may have none
        list(pool.map(lambda one: desk.remove("/clients/" + one), mine))


def test_who_may_change_clients_does_not_get_what_administrators_may(partita, desk):
    """Else a power over clients would be one over everything."""
    other = partita.opctl("client", "add", "--name", "Strong", "--grant", "client_credentials", "--admin", "users keys:read")
    weak, path = Desk.of(partita, "clients"), "/clients/" + other["client_id"]
    assert weak.get(path).json()["administration"] == ["users", "keys:read"]
    for body in ({"client_name": "Mine"}, {"token_endpoint_auth_method": "none"}, {"jwks_uri": "https://evil.example/"}, {"state": "enabled"}):
        refused = weak.call("PATCH", path, body, headers={"If-Match": "*"})
        assert refused.status_code == 400 and "on the machine only" in refused.json()["error_description"]
    assert weak.call("POST", path + "/secret").status_code == 400
    assert Desk(partita, other).ok("GET", "/keys")  # the secret is as it was
    for given in ("administration", "scope"):
        value = ["users"] if given == "administration" else "openid admin:users"
        refused = weak.call("POST", "/clients", {"client_name": "Mine", "redirect_uris": [BACK], given: value})
        assert (refused.status_code, refused.json()["member"]) == (400, given)
    strong = Desk(partita, other)
    weak.change(path, {"state": "disabled"})
    assert strong.get("/keys").status_code == 401  # power may be taken away


REFUSED_CLIENTS = [
    ({"client_name": "A"}, "redirect_uris"),
    ({"redirect_uris": [BACK]}, "client_name"),
    ({"client_name": "A", "redirect_uris": BACK}, "redirect_uris"),
    ({"client_name": "A", "redirect_uris": [BACK, BACK]}, "redirect_uris"),
    ({"client_name": "A", "redirect_uris": ["javascript:alert(1)"]}, "redirect_uris"),
    ({"client_name": "A", "redirect_uris": ["http://a.example/"]}, "redirect_uris"),
    ({"client_name": "A", "redirect_uris": ["https://a.example/#f"]}, "redirect_uris"),
    ({"client_name": "A", "redirect_uris": ["https://a.example/" + "a" * 2048]}, "redirect_uris"),
    ({"client_name": "A", "redirect_uris": [f"https://a.example/{n}" for n in range(51)]}, "redirect_uris"),
    ({"client_name": "A\n", "redirect_uris": [BACK]}, "client_name"),
    ({"client_name": "Bank\u202etsurT", "redirect_uris": [BACK]}, "client_name"),
    ({"client_name": "a" * 201, "redirect_uris": [BACK]}, "client_name"),
    ({"client_name": 1, "redirect_uris": [BACK]}, "client_name"),
    ({"client_name": None, "redirect_uris": [BACK]}, "client_name"),
    ({"client_name": "A", "redirect_uris": [BACK], "client_id": "mine"}, "client_id"),
    ({"client_name": "A", "redirect_uris": [BACK], "client_secret": "mine"}, "client_secret"),
    ({"client_name": "A", "redirect_uris": [BACK], "state": "disabled"}, "state"),
    ({"client_name": "A", "redirect_uris": [BACK], "since": "2026-01-01T00:00:00Z"}, "since"),
    ({"client_name": "A", "redirect_uris": [BACK], "nmae": "typo"}, "nmae"),
    ({"client_name": "A", "redirect_uris": [BACK], "grant_types": ["password"]}, "grant_types"),
    ({"client_name": "A", "redirect_uris": [BACK], "grant_types": ["client_credentials"]}, "redirect_uris"),
    ({"client_name": "A", "grant_types": ["client_credentials"], "token_endpoint_auth_method": "none"}, "grant_types"),
    ({"client_name": "A", "redirect_uris": [BACK], "response_types": ["token"]}, "response_types"),
    ({"client_name": "A", "redirect_uris": [BACK], "token_endpoint_auth_method": "private_key_jwt"}, "jwks"),
    ({"client_name": "A", "redirect_uris": [BACK], "jwks": {"keys": [{"kty": "oct", "k": "AAAA"}]}}, "jwks"),
    ({"client_name": "A", "redirect_uris": [BACK], "jwks": "{}"}, "jwks"),
    ({"client_name": "A", "redirect_uris": [BACK], "jwks_uri": "http://a.example/"}, "jwks_uri"),
    ({"client_name": "A", "redirect_uris": [BACK], "logo_uri": "data:image/png;base64,"}, "logo_uri"),
    ({"client_name": "A", "redirect_uris": [BACK], "default_max_age": -1}, "default_max_age"),
    ({"client_name": "A", "redirect_uris": [BACK], "default_max_age": 1.5}, "default_max_age"),
    ({"client_name": "A", "redirect_uris": [BACK], "refresh_token_lifetime": "1h"}, "refresh_token_lifetime"),
    ({"client_name": "A", "redirect_uris": [BACK], "refresh_token_lifetime": -1}, "refresh_token_lifetime"),
    ({"client_name": "A", "redirect_uris": [BACK], "refresh_token_lifetime": 0.5}, "refresh_token_lifetime"),
    ({"client_name": "A", "redirect_uris": [BACK], "refresh_token_lifetime": 2**63 - 1}, "refresh_token_lifetime"),
    ({"client_name": "A", "redirect_uris": [BACK], "refresh_token_idle_lifetime": [60]}, "refresh_token_idle_lifetime"),
    ({"client_name": "A", "redirect_uris": [BACK], "refresh_token_idle_lifetime": True}, "refresh_token_idle_lifetime"),
    ({"client_name": "A", "redirect_uris": [BACK], "refresh_token_idle_lifetime": 30 * 86400 + 1}, "refresh_token_idle_lifetime"),
    ({"client_name": "A", "redirect_uris": [BACK], "first_party": "yes"}, "first_party"),
    ({"client_name": "A", "redirect_uris": [BACK], "resources": ["api"]}, "resources"),
    ({"client_name": "A", "redirect_uris": [BACK], "audiences": [""]}, "audiences"),
    ({"client_name": "A", "redirect_uris": [BACK], "scope": "a\"b"}, "scope"),
    ({"client_name": "A", "redirect_uris": [BACK], "id_token_signed_response_alg": "none"}, "id_token_signed_response_alg"),
]


@pytest.mark.parametrize("body, member", REFUSED_CLIENTS, ids=[f"{n}-{member}" for n, (_, member) in enumerate(REFUSED_CLIENTS)])
def test_clients_that_are_refused(desk, body, member):
    answer = desk.call("POST", "/clients", body)
    assert answer.status_code == 400, answer.text
    said = answer.json()
    assert (said["error"], said["member"]) == ("invalid_request", member) and said["error_description"].startswith(member + " ")


@pytest.mark.parametrize("body, member", [
    ({"redirect_uris": None}, "redirect_uris"), ({"client_name": None}, "client_name"), ({"grant_types": []}, "grant_types"),
    ({"client_id": "other"}, "client_id"), ({"state": "unreadable"}, "state"), ({"state": None}, "state"), ({"created_at": None}, "created_at"),
    ({"administration": ["users"]}, "administration"), ({"first_party": None}, "first_party"), ({"jwks": None, "token_endpoint_auth_method":
                                                                                               "private_key_jwt"}, "jwks"),
])
def test_changes_that_are_refused(desk, body, member):
    client = new_client(desk)
    before = desk.get(client["path"]).json()
    answer = desk.call("PATCH", client["path"], body, headers={"If-Match": "*"})
    assert (answer.status_code, answer.json().get("member")) == (400, member), answer.text
    assert desk.get(client["path"]).json() == before
    desk.remove(client["path"])


# --- sessions, families, consents ---

def test_sessions_are_seen_and_ended(partita, desk, house, world):
    user, client, person, _ = world
    bound = sign_in(partita, client, "openid profile", person=person)
    mine = f"/users/{user['user_id']}/sessions"
    session, = desk.all(mine)
    assert session["client_ids"] == [client["client_id"]] and "pwd" in session["amr"]
    assert desk.all("/sessions?user_id=" + user["user_id"]) == [session] and session["sid"] in [one["sid"] for one in desk.all("/sessions")]
    assert desk.ok("GET", "/sessions/" + session["sid"]).json() == session == partita.opctl("session", "show", session["sid"])
    house.is_alive(client, bound)
    desk.ok("DELETE", "/sessions/" + session["sid"], status=204)
    house.is_dead(client, bound)
    asked, _ = request_for(client["client_id"], BACK, prompt="none")
    assert person.authorize(asked)["error"] == "login_required"
    assert desk.all(mine) == [] and desk.get("/sessions/" + session["sid"]).status_code == 404
    assert desk.call("DELETE", "/sessions/" + session["sid"]).status_code == 404
    assert desk.get("/users/nobody/sessions").status_code == 404


def test_a_user_is_signed_out_everywhere(partita, desk, house, world):
    user, client, _, tokens = world
    again = Person(partita, user["username"], PASSWORD)
    other = sign_in(partita, client, OFFLINE, person=again)
    desk.ok("DELETE", f"/users/{user['user_id']}/sessions", status=204)
    house.is_dead(client, tokens)
    house.is_dead(client, other)
    assert desk.all(f"/users/{user['user_id']}/sessions") == []
    house.is_alive(client, sign_in(partita, client, OFFLINE, person=Person(partita, user["username"], PASSWORD)))
    assert desk.call("DELETE", "/users/nobody/sessions").status_code == 404


def test_families_are_seen_and_revoked(partita, desk, house, world):
    user, client, person, tokens = world
    family, = desk.all("/families?user_id=" + user["user_id"])
    assert (family["state"], family["client_id"], family["offline"]) == ("alive", client["client_id"], True)
    assert desk.all("/families?client_id=" + client["client_id"]) == [family]
    assert desk.all(f"/families?client_id={client['client_id']}&user_id=nobody") == []
    path = "/families/" + family["family"]
    assert desk.ok("GET", path).json() == family == partita.opctl("family", "show", family["family"])
    desk.ok("DELETE", path, status=204)
    house.is_dead(client, tokens)
    assert desk.ok("GET", path).json()["dead_reason"] == "revoked"
    second, third = (sign_in(partita, client, OFFLINE, person=person) for _ in range(2))
    assert desk.ok("DELETE", "/families?client_id=" + client["client_id"]).json() == {"revoked": 2}
    house.is_dead(client, second)
    house.is_dead(client, third)
    assert desk.ok("DELETE", "/families?user_id=" + user["user_id"]).json() == {"revoked": 0}
    assert desk.call("DELETE", "/families").status_code == 400


def test_consents_are_seen_and_withdrawn(partita, desk, house, world):
    user, client, person, tokens = world
    consent, = desk.all("/consents?user_id=" + user["user_id"])
    assert consent["client_id"] == client["client_id"] and consent["state"] == "given" and "profile" in consent["scope"].split()
    assert desk.all("/consents?client_id=" + client["client_id"]) == [consent] and consent in desk.all("/consents?limit=1")
    path = f"/consents/{user['user_id']}/{client['client_id']}"
    assert desk.ok("GET", path).json() == consent == partita.opctl("consent", "show", user["username"], client["client_id"])
    desk.ok("DELETE", path, status=204)
    house.is_dead(client, tokens)
    assert desk.ok("GET", path).json()["state"] == "withdrawn"
    asked, _ = request_for(client["client_id"], BACK, prompt="none")
    assert person.authorize(asked)["error"] == "consent_required"
    house.is_alive(client, sign_in(partita, client, OFFLINE, person=person))
    assert desk.call("DELETE", f"/consents/{user['user_id']}/nobody").status_code == 404


# --- registration tokens, keys ---

def test_registration_tokens_are_made_used_and_revoked(partita, desk):
    made = desk.ok("POST", "/registration-tokens", {"note": "for the shop", "uses": 2, "expires_in": 600}, 201)
    token = made.json()
    assert len(token["initial_access_token"]) == 43 and token["uses_left"] == 2 and token["expires_at"] > token["created_at"]
    assert made.headers["Location"] == f"{desk.root}/registration-tokens/{token['id']}" and "ETag" not in made.headers

    def register():
        return requests.post(token["registration_endpoint"], json={"redirect_uris": [BACK]}, verify=partita.verify, timeout=20,
                             headers={"Authorization": "Bearer " + token["initial_access_token"]}).status_code
    assert register() == 201
    listed = {one["id"]: one for one in desk.all("/registration-tokens?limit=1")}
    assert (listed[token["id"]]["uses_left"], listed[token["id"]]["used"], listed[token["id"]]["note"]) == (1, 1, "for the shop")
    assert list(listed.values()) == partita.opctl("registration-token", "list") and token["initial_access_token"] not in json.dumps(listed)
    desk.ok("DELETE", "/registration-tokens/" + token["id"], status=204)
    assert register() == 401 and desk.call("DELETE", "/registration-tokens/" + token["id"]).status_code == 404
    endless = desk.ok("POST", "/registration-tokens", {"uses": 0, "expires_in": 0}, 201).json()
    assert "uses_left" not in endless and "expires_at" not in endless
    plain = desk.ok("POST", "/registration-tokens", {}, 201).json()
    assert plain["uses_left"] == 1 and "expires_at" in plain
    for one in (endless, plain):
        partita.opctl("registration-token", "revoke", one["id"])


def test_keys_are_seen(partita, desk):
    keys = desk.all("/keys?limit=1")
    published = {key["kid"]: key for key in requests.get(partita.issuer + "/.well-known/jwks.json", verify=partita.verify, timeout=20).json()["keys"]}
    assert {key["kid"] for key in keys} >= set(published) and {"current", "next"} <= {key["state"] for key in keys}
    assert keys == partita.opctl("key", "list") and all("jwk" not in key for key in keys)
    for kid in published:
        shown = desk.ok("GET", "/keys/" + kid).json()
        assert shown == partita.opctl("key", "show", kid)
        assert {name: shown["jwk"][name] for name in ("kty",)} == {"kty": published[kid]["kty"]} and not set("dpq") & set(shown["jwk"])


# --- who may, and what is malformed ---

PLACES = {"clients": "/clients", "sessions": "/sessions", "families": "/families", "consents": "/consents",
          "registration-tokens": "/registration-tokens", "keys": "/keys"}


def test_a_power_over_one_noun_is_none_over_another(partita):
    for noun, place in PLACES.items():
        looker = Desk.of(partita, noun + ":read")
        for other, path in PLACES.items():
            answer = looker.get(path)
            assert answer.status_code == (200 if other == noun else 403), (noun, other)
            if other != noun:
                assert f'scope="admin:{other}:read"' in answer.headers["WWW-Authenticate"]
        method, path = ("POST", place) if noun in ("clients", "registration-tokens") else ("DELETE", place + "/x")
        answer = looker.call(method, "/consents/x/y" if noun == "consents" else path, {} if method == "POST" else None)
        assert answer.status_code in ((403,) if noun != "keys" else (405,)), noun


HOSTILE = [
    ("GET", "/clients?cursor=x", 400), ("GET", "/clients?cursor=", 400), ("GET", "/clients?limit=0", 400), ("GET", "/clients?limit=201", 400),
    ("GET", "/clients?limit=1&limit=2", 400), ("GET", "/clients?user_id=x", 400), ("GET", "/clients/%ff", 404),
    ("GET", "/clients/" + "a" * 1000, 404), ("GET", "/clients/..%2f..%2fkeys", 404), ("GET", "/clients/a/b/c", 404), ("PUT", "/clients", 405),
    ("DELETE", "/clients", 405), ("POST", "/clients/nobody/secret", 404), ("GET", "/clients/nobody/secret", 405),
    ("GET", "/sessions?user_id=", 400), ("GET", "/sessions?user_id=" + "a" * 65, 400), ("DELETE", "/sessions", 405), ("GET", "/families/short", 404),
    ("DELETE", "/families/short", 404), ("GET", "/families/" + "A" * 22, 404), ("GET", "/families?limit=-1", 400), ("DELETE", "/families?limit=1", 400),
    ("DELETE", "/families?client_id=", 400), ("GET", "/consents/x", 404), ("GET", "/consents/x/y", 404), ("DELETE", "/consents/x/y", 404),
    ("GET", "/registration-tokens/0011223344556677", 405), ("DELETE", "/registration-tokens/zz", 404), ("DELETE", "/registration-tokens/00", 404),
    ("GET", "/keys/nothing", 404), ("DELETE", "/keys/nothing", 405), ("POST", "/keys", 405), ("GET", "/keys?cursor=AA", 400),
]


@pytest.mark.parametrize("method, path, status", HOSTILE, ids=[f"{method} {path[:40]}" for method, path, _ in HOSTILE])
def test_hostile_requests(desk, method, path, status):
    answer = desk.call(method, path)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"].startswith("application/json") and answer.json()["error"]


@pytest.mark.parametrize("body, member", [
    ({"uses": -1}, "uses"), ({"uses": 1000001}, "uses"), ({"uses": "many"}, "uses"), ({"uses": None}, "uses"), ({"expires_in": 315360001}, "expires_in"),
    ({"note": "a" * 201}, "note"), ({"note": "a\u0000b"}, None), ({"note": "a\nb"}, "note"), ({"id": "0011223344556677"}, "id"),
    ({"initial_access_token": "mine"}, "initial_access_token"),
])
def test_registration_tokens_that_are_refused(desk, body, member):
    answer = desk.call("POST", "/registration-tokens", body)
    assert answer.status_code == 400 and (member is None or answer.json()["member"] == member), answer.text


def test_a_cursor_is_of_its_own_list(desk):
    for _ in range(2):
        new_client(desk)
    place = desk.ok("GET", "/clients?limit=1").json()["next"].split("cursor=")[1]
    for path in ("/sessions", "/families", "/consents", "/keys", "/registration-tokens", "/users"):
        assert desk.get(f"{path}?cursor={place}").json()["member"] == "cursor"


# --- parity ---

# What needs the machine, or is no record that servers share: the API does the rest under the same names.
ON_THE_MACHINE = {"init", "sweep", "check", "backup", "restore", "deploy", "rollback", "scale", "status", "top", "completion", "manual", "key rotate",
                  "import", "migrate", "metrics", "revoke-all", "credential list", "credential make", "credential export",
                  "credential import", "audit events"}


def test_opctl_and_the_api_do_the_same_under_the_same_names(partita, desk):
    document = desk.ok("GET", "/openapi.json").json()
    operations = [operation for path in document["paths"].values() for operation in path.values() if isinstance(operation, dict)]
    answered = {name.strip() for operation in operations for name in operation.get("x-opctl", "").split(",") if name.strip()}
    verbs = {f"{row['noun']} {row['verb']}" if row.get("verb") else row["noun"] for row in commands(partita)}
    assert len(verbs) > 30 and ON_THE_MACHINE <= verbs and "client change" in verbs
    assert verbs - answered - ON_THE_MACHINE == set(), "opctl does what the API does not"
    assert answered - verbs == set(), "the API names commands that are none"
    assert answered & ON_THE_MACHINE == set()
    named = [operation for operation in operations if operation.get("x-opctl")]
    for operation in named:  # client_change stands for client change, or for what begins so
        first = operation["x-opctl"].split(",")[0].strip()
        assert operation["operationId"].startswith(re.sub(r"[ -]", "_", first)), operation["operationId"]


def commands(partita):
    """The commands of opctl, from its help."""
    lines = re.findall(r"^  ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?(?= [A-Z\[]|  )", partita.opctl("--help", check=False).stdout, re.M)
    return [{"noun": noun, "verb": verb} for noun, verb in lines]
