"""The administration API (/admin/v1/) by real servers: who may, and accounts."""
import concurrent.futures
import json
import secrets
import time

import pytest
import requests

from administration import Desk
from person import Person, request_for, sign_in, token_request
from registration import Registrar
from token_process import OwnProcess

PASSWORD = "correct horse battery"
SCOPE = "openid profile email offline_access"


@pytest.fixture(scope="module")
def desk(partita):
    return Desk(partita)


def add(desk, **more):
    body = {"username": "staff-" + secrets.token_hex(6), "password": PASSWORD, **more}
    return desk.ok("POST", "/users", {name: value for name, value in body.items() if value is not None}, 201).json()


def path_of(user):
    return "/users/" + user["user_id"]


def may_sign_in(partita, username, password):
    try:
        return "access_token" in sign_in(partita, partita.info["client"], "openid", Person(partita, username, password))
    except AssertionError:
        return False


def is_alive(partita, tokens):
    answer = requests.get(partita.issuer + "/userinfo", headers={"Authorization": "Bearer " + tokens["access_token"]},
                          verify=partita.verify, timeout=20)
    return answer.status_code == 200


# --- accounts ---

def test_an_account_is_added_shown_changed_and_removed(partita, desk):
    made = desk.ok("POST", "/users", {"username": "adele", "password": PASSWORD, "claims": {"name": "Adele", "email": "a@example.org"}}, 201)
    user = made.json()
    assert user["username"] == "adele" and user["state"] == "enabled" and user["has_password"] is True
    assert user["claims"] == {"name": "Adele", "email": "a@example.org"} and PASSWORD not in made.text
    path = path_of(user)
    assert made.headers["Location"] == desk.root + path and made.headers["ETag"] == '"1"'
    shown = desk.ok("GET", made.headers["Location"])
    assert shown.json() == user and shown.headers["ETag"] == '"1"' and shown.headers["Cache-Control"] == "no-store"
    assert desk.call("HEAD", path).headers["ETag"] == '"1"'
    changed = desk.change(path, {"username": "Adela", "claims": {"email": None, "address": {"country": "DE"}}}, '"1"')
    assert changed.headers["ETag"] == '"2"' and changed.json()["claims"] == {"name": "Adele", "address": {"country": "DE"}}
    assert partita.opctl("user", "show", "adela")["claims"] == changed.json()["claims"]
    assert may_sign_in(partita, "adela", PASSWORD)
    assert desk.ok("GET", "/users?username=ADELA").json()["items"] == [changed.json()]
    desk.remove(path, '"2"')
    assert desk.get(path).status_code == 404 and desk.ok("GET", "/users?username=adela").json() == {"items": []}
    assert not may_sign_in(partita, "adela", PASSWORD)


def test_a_change_is_a_merge_patch(desk):
    path = path_of(add(desk, claims={"name": "A", "address": {"country": "DE", "locality": "Ulm"}, "roles": ["a", "b"], "x": {"y": {"z": 1}}}))
    changed = desk.change(path, {"claims": {"address": {"locality": None, "postal_code": "89073"}, "roles": ["c"], "x": {"y": {"w": 2}},
                                            "gone": None}}).json()
    assert changed["claims"] == {"name": "A", "address": {"country": "DE", "postal_code": "89073"}, "roles": ["c"], "x": {"y": {"z": 1, "w": 2}}}
    before = desk.get(path)
    assert desk.change(path, {"username": changed["username"].upper()}).json()["claims"] == changed["claims"]
    assert int(desk.get(path).headers["ETag"].strip('"')) == int(before.headers["ETag"].strip('"')) + 1


def test_of_changes_that_race_one_wins(desk):
    path = path_of(add(desk, password=None))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: desk.call("PATCH", path, {"claims": {"name": str(i)}}, headers={"If-Match": '"1"'}), range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 7
    winner = next(answer for answer in answers if answer.status_code == 200)
    assert desk.get(path).json() == winner.json() and winner.headers["ETag"] == '"2"'


def test_a_version_is_compared_as_it_is_meant(desk):
    path = path_of(add(desk, password=None))
    for match, status in (('"9", "1"', 200), ('"1"', 412), ('W/"2"', 412), ("*", 200), ('"3"', 200)):
        answer = desk.call("PATCH", path, {"claims": {"name": match}}, headers={"If-Match": match})
        assert answer.status_code == status, (match, answer.text)
    now = desk.get(path).headers["ETag"]
    for match, status in ((now, 304), ("W/" + now, 304), ("*", 304), ('"1"', 200), ('"1", ' + now, 304)):
        answer = desk.get(path, headers={"If-None-Match": match})
        assert (answer.status_code, answer.headers["ETag"]) == (status, now), match


def test_a_disabled_account_is_signed_out_and_stays_so(partita, desk):
    user = add(desk)
    tokens = sign_in(partita, partita.info["client"], SCOPE, Person(partita, user["username"], PASSWORD))
    assert is_alive(partita, tokens)
    disabled = desk.change(path_of(user), {"state": "disabled"}).json()
    assert disabled["state"] == "disabled" and disabled["since"] and not is_alive(partita, tokens)
    assert not may_sign_in(partita, user["username"], PASSWORD)
    enabled = desk.change(path_of(user), {"state": "enabled"}).json()
    assert enabled["state"] == "enabled" and enabled["since"] == disabled["since"] and not is_alive(partita, tokens)
    again = token_request(partita, partita.info["client"], grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert again.json()["error"] == "invalid_grant"
    assert may_sign_in(partita, user["username"], PASSWORD)


def test_another_password_signs_out_everywhere(partita, desk):
    bare = add(desk, password=None)
    assert bare["has_password"] is False and not may_sign_in(partita, bare["username"], PASSWORD)
    user = add(desk)
    tokens = sign_in(partita, partita.info["client"], SCOPE, Person(partita, user["username"], PASSWORD))
    assert desk.change(path_of(user), {"password": "another horse"}).json()["has_password"] is True
    assert not is_alive(partita, tokens) and not may_sign_in(partita, user["username"], PASSWORD)
    assert may_sign_in(partita, user["username"], "another horse")


def test_what_a_removed_account_had_is_gone(partita, desk):
    user = add(desk)
    tokens = sign_in(partita, partita.info["client"], SCOPE, Person(partita, user["username"], PASSWORD))
    desk.remove(path_of(user))
    assert not is_alive(partita, tokens) and not may_sign_in(partita, user["username"], PASSWORD)
    again = token_request(partita, partita.info["client"], grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert again.json()["error"] == "invalid_grant"
    assert add(desk, username=user["username"])["user_id"] != user["user_id"]


# --- lists ---

def test_a_list_goes_on_where_it_was_while_others_are_added(desk):
    prefix = "list-" + secrets.token_hex(4)
    made = {add(desk, username=f"{prefix}-{i}", password=None)["user_id"] for i in range(7)}
    answer = desk.ok("GET", f"/users?username_prefix={prefix.upper()}&limit=2").json()
    seen, parts = [user["user_id"] for user in answer["items"]], 1
    while "next" in answer:
        later = add(desk, username=f"{prefix}-later-{parts}", password=None)["user_id"]
        answer = desk.ok("GET", answer["next"]).json()
        assert len(answer["items"]) <= 2
        seen += [user["user_id"] for user in answer["items"] if user["user_id"] != later]
        parts += 1
    assert len(seen) == len(set(seen)) and made <= set(seen) and parts >= 4
    everybody = [user["user_id"] for user in desk.all("/users?limit=200")]
    assert everybody == sorted(everybody) and made <= set(everybody)


def test_a_list_survives_the_removal_of_where_it_stood(desk):
    prefix = "gone-" + secrets.token_hex(4)
    made = sorted((add(desk, username=f"{prefix}-{i}", password=None) for i in range(3)), key=lambda user: user["user_id"])
    answer = desk.ok("GET", f"/users?username_prefix={prefix}&limit=1").json()
    assert answer["items"] == [made[0]]
    desk.remove(path_of(made[0]))
    assert desk.all(answer["next"]) == made[1:]


# --- who may ---

def test_a_power_that_is_taken_back_is_gone_on_the_next_request(partita):
    desk = Desk.of(partita, "users:read clients")
    assert desk.get("/users").status_code == 200
    partita.opctl("client", "change", desk.client["client_id"], "--admin", "clients")
    answer = desk.get("/users")
    assert answer.status_code == 403 and 'scope="admin:users:read"' in answer.headers["WWW-Authenticate"]
    assert desk.ask("admin:users:read").json()["error"] == "invalid_scope"


def test_a_token_asks_for_less_than_its_client_may(partita):
    desk = Desk.of(partita, "users clients:read")
    narrow = desk.ask("admin:clients:read").json()
    assert narrow["scope"] == "admin:clients:read" and desk.get("/users", token=narrow["access_token"]).status_code == 403
    assert desk.ask().json()["scope"] == "admin:users admin:clients:read"


def test_a_disabled_client_and_a_revoked_token_are_refused_at_once(partita):
    desk = Desk.of(partita, "users")
    other = desk.ask().json()["access_token"]
    requests.post(partita.issuer + "/revoke", data={"token": other}, verify=partita.verify, timeout=20,
                  auth=(desk.client["client_id"], desk.client["client_secret"])).raise_for_status()
    assert desk.get("/users", token=other).json()["error"] == "invalid_token" and desk.get("/users").status_code == 200
    partita.opctl("client", "disable", desk.client["client_id"])
    assert desk.get("/users").status_code == 401
    partita.opctl("client", "enable", desk.client["client_id"])
    assert desk.get("/users").status_code == 401  # what died stays dead
    removed = Desk.of(partita, "users")
    partita.opctl("client", "remove", removed.client["client_id"])
    assert removed.get("/users").json()["error"] == "invalid_token"


def test_nobody_registers_for_it(partita, desk):
    registrar = Registrar(partita)
    for scope in ("admin:users", "openid admin:users", "admin:"):
        answer = registrar.post(scope=scope)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")
    client = registrar.register(grant_types=["client_credentials"], redirect_uris=[], administration=["users"],
                                resources=[partita.issuer + "/admin"], audiences=[partita.issuer + "/admin"])
    assert "administration" not in client and "administration" not in partita.opctl("client", "show", client["client_id"])
    for more in ({}, {"scope": "admin:users"}):
        answer = token_request(partita, client, grant_type="client_credentials", resource=partita.issuer + "/admin", **more)
        assert answer.json()["error"] == "invalid_target"
    answer = token_request(partita, client, grant_type="client_credentials", scope="admin:users")
    assert answer.json()["error"] == "invalid_scope"


def test_what_the_operator_gave_stays_and_no_update_of_a_registration_gives_more(partita):
    registrar = Registrar(partita)
    client = registrar.register(grant_types=["authorization_code", "client_credentials"])
    partita.opctl("client", "change", client["client_id"], "--admin", "users:read")
    metadata = {name: client[name] for name in ("client_id", "redirect_uris", "client_name")}
    registrar.manage("PUT", client, {**metadata, "grant_types": ["authorization_code", "client_credentials"], "administration": ["users"]})
    assert partita.opctl("client", "show", client["client_id"])["administration"] == ["users:read"]


def test_nobody_is_asked_to_consent_to_it(partita):
    """Even a client that may administer, and that the operator let name the resource, gets no token of a person for it."""
    resource = partita.issuer + "/admin"
    client = partita.add_client("Both", "http://localhost:8090/callback", "--grant", "client_credentials", "--admin", "users",
                                "--resource", resource)
    for scope in ("openid admin:users", "admin:users:read"):
        request, _ = request_for(client["client_id"], client["redirect_uris"][0], scope, resource=resource)
        assert Person(partita).authorize(request)["error"] == "invalid_scope"
    device = partita.opctl("client", "add", "--name", "Device", "--grant", "device_code", "--public")
    answer = requests.post(partita.issuer + "/device_authorization", data={"client_id": device["client_id"], "scope": "admin:users"},
                           verify=partita.verify, timeout=20)
    assert answer.json()["error"] == "invalid_scope"
    tokens = sign_in(partita, client, "openid", resource=resource)
    answer = Desk(partita).get("/users", token=tokens["access_token"])
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")


@pytest.mark.parametrize("words", [
    ["--admin", "everything"], ["--admin", "users:write"], ["--admin", "admin:users"], ["--admin", ""], ["--admin", "users", "--grant", "authorization_code"],
    ["--scope", "admin:users"],
])
def test_powers_that_do_not_exist_are_not_given(partita, words):
    words = words if "--grant" in words else ["--grant", "client_credentials", *words]
    done = partita.opctl("client", "add", "--name", "x", "--redirect-uri", "http://localhost/cb", *words, check=False)
    assert done.returncode == 64, done.stderr


def test_a_token_for_it_is_for_nothing_else(partita, desk):
    answer = desk.ask(resource=[partita.issuer + "/admin", "https://api.example"])
    assert answer.json()["error"] == "invalid_target"
    answer = requests.get(partita.issuer + "/userinfo", headers={"Authorization": "Bearer " + desk.token}, verify=partita.verify, timeout=20)
    assert answer.status_code in (401, 403)


# --- the frame ---

def ask(connection, method, path, token, body=""):
    connection.send(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
                    f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
    return connection.answer()


def test_changes_are_in_the_log_without_secrets(partita, desk):
    process = OwnProcess(partita, "op-management")
    try:
        name = "logged-" + secrets.token_hex(4)
        status, made = ask(process.connect(), "POST", "/admin/v1/users", desk.token, json.dumps({"username": name, "password": "quite a secret"}))
        assert status == 201
        deadline = time.monotonic() + 10
        while '"administration"' not in process.log():
            assert time.monotonic() < deadline, process.log()
            time.sleep(0.02)
        line = next(json.loads(line) for line in process.log().split("\n") if '"administration"' in line)
        assert (line["actor"], line["operation"], line["object"], line["user_id"]) == (
            "client:" + desk.client["client_id"], "user_add", made["user_id"], made["user_id"])
        assert (line["changed"], line["result"]) == ("username password", "done")
        assert "quite a secret" not in process.log() and name not in process.log() and desk.token not in process.log()
    finally:
        process.close()


def test_it_can_be_switched_off(partita, desk):
    process = OwnProcess(partita, "op-management", "administration=no")
    try:
        connection = process.connect()
        for path in ("/admin/v1/openapi.json", "/admin/v1/users"):
            status, body = ask(connection, "GET", path, desk.token)
            assert (status, body["error"]) == (404, "not_found")
    finally:
        process.close()


def test_more_passwords_than_can_be_hashed_are_put_off(partita, desk):
    """One thread and a short queue: the rest comes back later, and nothing was made of it."""
    process = OwnProcess(partita, "op-management", "all.password_memory=16MiB", "all.password_iterations=3")
    try:
        names = [f"queue-{secrets.token_hex(6)}" for _ in range(40)]
        bodies = [json.dumps({"username": name, "password": PASSWORD}) for name in names]
        connections = [process.connect() for _ in names]
        for connection, body in zip(connections, bodies):
            connection.send(f"POST /admin/v1/users HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {desk.token}\r\n"
                            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        answers = [connection.answer() for connection in connections]
        refused = [name for name, (status, body) in zip(names, answers) if (status, body.get("error")) == (503, "temporarily_unavailable")]
        assert 1 <= len(refused) < 40 and all(status in (201, 503) for status, _ in answers)
        assert desk.ok("GET", "/users?username=" + refused[0]).json() == {"items": []}
    finally:
        process.close()


def test_pages_of_other_origins_get_nothing(desk):
    answer = desk.get("/users", headers={"Origin": "http://localhost:8090"})
    assert answer.status_code == 200 and not [name for name in answer.headers if name.lower().startswith("access-control-")]
    answer = requests.options(desk.root + "/users", verify=desk.verify, timeout=20, headers={
        "Origin": "http://localhost:8090", "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"})
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
    assert answer.status_code == 204 and answer.headers["Allow"] == "GET, HEAD, POST, OPTIONS"
