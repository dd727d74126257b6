"""Dynamic client registration (RFC 7591) and its management (RFC 7592) by real servers."""
import base64
import concurrent.futures
import json
import re
import time

import pytest
import requests

from administration import Desk
from person import Person, request_for, sign_in, token_request
from registration import CALLBACK, METADATA, Registrar
from token_process import OwnProcess

OURS = {"client_id", "client_id_issued_at", "client_secret", "client_secret_expires_at", "registration_access_token",
        "registration_client_uri"}


@pytest.fixture(scope="module")
def registrar(partita):
    return Registrar(partita)


def test_what_comes_back(partita, registrar):
    asked = {
        "redirect_uris": [CALLBACK, "https://rp.example/cb"], "client_name": "Jürgens Wiki", "client_name#de": "left out",
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"], "application_type": "web",
        "token_endpoint_auth_method": "client_secret_post", "id_token_signed_response_alg": "ES256", "scope": "openid email",
        "client_uri": "https://rp.example/", "logo_uri": "https://rp.example/logo.svg", "policy_uri": "https://rp.example/p",
        "tos_uri": "https://rp.example/t", "contacts": ["ops@rp.example"], "default_max_age": 3600, "require_auth_time": True,
        "post_logout_redirect_uris": ["https://rp.example/bye"], "initiate_login_uri": "https://rp.example/start",
        "software_id": "4NRB1", "software_version": "2.1", "subject_type": "public", "request_uris": ["https://rp.example/r"],
        "made_up": {"deep": [1]},
    }
    before = int(time.time())
    answer = registrar.post(asked)
    client = answer.json()
    assert answer.status_code == 201 and answer.headers["Cache-Control"] == "no-store"
    ignored = {"client_name#de", "subject_type", "request_uris", "made_up"}
    assert {k: v for k, v in client.items() if k not in OURS} == {k: v for k, v in asked.items() if k not in ignored}
    assert before <= client["client_id_issued_at"] <= time.time() and client["client_secret_expires_at"] == 0
    assert client["registration_client_uri"] == f"{partita.issuer}/register/{client['client_id']}"
    assert len(client["client_secret"]) == len(client["registration_access_token"]) == 43
    stored = partita.opctl("client", "show", client["client_id"])
    assert stored["client_name"] == "Jürgens Wiki" and stored["first_party"] is False and stored["scope"] == "openid email"


def test_defaults(registrar):
    client = registrar.post({"redirect_uris": [CALLBACK]}).json()
    assert {k: v for k, v in client.items() if k not in OURS} == {
        "redirect_uris": [CALLBACK], "application_type": "web", "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": ["authorization_code"], "response_types": ["code"], "scope": "openid profile email address phone offline_access"}


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "none"])
def test_a_registered_client_signs_in_at_once(partita, registrar, method):
    client = registrar.register(token_endpoint_auth_method=method)
    assert ("client_secret" in client) == (method != "none")
    tokens = sign_in(partita, client, "openid email offline_access")
    assert tokens["refresh_token"] and tokens["id_token"]
    again = token_request(partita, client, grant_type="refresh_token", refresh_token=tokens["refresh_token"]).json()
    assert again["access_token"] != tokens["access_token"]


def test_another_algorithm_of_id_tokens(partita, registrar):
    client = registrar.register(id_token_signed_response_alg="ES256")
    head = sign_in(partita, client)["id_token"].split(".")[0]
    assert b'"ES256"' in base64.urlsafe_b64decode(head + "==")


def test_client_credentials(partita, registrar):
    client = registrar.register(grant_types=["client_credentials"], redirect_uris=None)
    assert client["response_types"] == []
    assert token_request(partita, client, grant_type="client_credentials").status_code == 200


def test_a_native_client_with_any_port(partita, registrar):
    client = registrar.register(application_type="native", token_endpoint_auth_method="none",
                                redirect_uris=["http://127.0.0.1/cb", "com.example.app:/cb"])
    request, _ = request_for(client["client_id"], "http://127.0.0.1:49152/cb")
    assert "code" in Person(partita).authorize(request)


def test_the_metadata_names_the_endpoint(partita):
    metadata = requests.get(partita.issuer + "/.well-known/openid-configuration", timeout=10).json()
    assert metadata["registration_endpoint"] == partita.issuer + "/register"


# --- initial access tokens ---

def test_an_initial_access_token_is_needed(partita):
    answer = Registrar(partita, token="").post()
    assert answer.status_code == 401 and answer.headers["WWW-Authenticate"] == 'Bearer realm="partita"' and answer.text == ""
    answer = Registrar(partita, token="x" * 43).post()
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_its_uses_are_counted(partita):
    made = partita.opctl("registration-token", "add", "--uses", "2", "--note", "two for Ann")
    registrar = Registrar(partita, made["initial_access_token"])
    assert registrar.post(redirect_uris=[]).status_code == 400, "a refused registration costs nothing"
    assert registrar.post().status_code == 201
    listed = next(token for token in partita.opctl("registration-token", "list") if token["id"] == made["id"])
    assert (listed["uses_left"], listed["used"], listed["note"]) == (1, 1, "two for Ann")
    assert made["initial_access_token"] not in str(partita.opctl("registration-token", "list"))
    assert registrar.post().status_code == 201
    assert registrar.post().status_code == 401
    assert made["id"] not in [token["id"] for token in partita.opctl("registration-token", "list")]


def test_of_many_that_race_for_one_use_one_registers(partita):
    registrar = Registrar(partita, partita.opctl("registration-token", "add")["initial_access_token"])
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = sorted(answer.status_code for answer in pool.map(lambda _: registrar.post(), range(8)))
    assert answers == [201] + [401] * 7


def test_it_expires_and_is_revoked(partita):
    short = partita.opctl("registration-token", "add", "--uses", "unlimited", "--expires", "1s")["initial_access_token"]
    made = partita.opctl("registration-token", "add", "--uses", "unlimited", "--expires", "never")
    assert Registrar(partita, made["initial_access_token"]).post().status_code == 201
    partita.opctl("registration-token", "revoke", made["id"])
    assert Registrar(partita, made["initial_access_token"]).post().status_code == 401
    time.sleep(1.1)
    assert Registrar(partita, short).post().status_code == 401
    again = partita.opctl("registration-token", "revoke", made["id"], check=False)
    assert again.returncode == 1 and "there is no initial access token" in again.stderr


@pytest.mark.parametrize("words", [["--uses", "0"], ["--uses", "many"], ["--expires", "soon"], ["--expires", "0s"]])
def test_tokens_that_cannot_be_made(partita, words):
    assert partita.opctl("registration-token", "add", *words, check=False).returncode == 64


# --- management ---

def test_reading(registrar):
    client = registrar.register(default_max_age=60)
    answer = registrar.manage("GET", client)
    told = answer.json()
    secret = client.pop("client_secret")
    assert answer.status_code == 200 and told == client, "all but the secret, of which only a hash is stored"
    assert answer.headers["Cache-Control"] == "no-store" and secret not in answer.text


def test_an_update_replaces_everything(partita, registrar):
    client = registrar.register(client_uri="https://rp.example/", contacts=["a@rp.example"], default_max_age=60)
    change = {"client_id": client["client_id"], "client_secret": client["client_secret"], "redirect_uris": [CALLBACK, "https://rp.example/2"],
              "client_name": "Another name", "client_uri": None}
    answer = registrar.manage("PUT", client, change)
    told = answer.json()
    assert answer.status_code == 200, answer.text
    assert "client_uri" not in told and "contacts" not in told and "default_max_age" not in told
    assert told["grant_types"] == ["authorization_code"] and told["client_name"] == "Another name"
    assert told["redirect_uris"] == change["redirect_uris"] and "client_secret" not in told
    assert told["registration_access_token"] == client["registration_access_token"], "it does not rotate"
    assert told["client_id_issued_at"] == client["client_id_issued_at"]
    assert "refresh_token" not in sign_in(partita, {**client, "redirect_uris": ["https://rp.example/2"]}, "openid")
    assert registrar.manage("GET", client).json() == told


def test_what_the_operator_decided_stays(partita, registrar):
    wish = {"refresh_token_idle_lifetime": 30 * 86400, "refresh_token_lifetime": "for ever", "first_party": False, "audiences": []}
    client = registrar.register(**wish)
    assert not set(wish) & (set(client) | set(partita.opctl("client", "show", client["client_id"])) - {"first_party"}), "not the client's to say"
    partita.opctl("client", "change", client["client_id"], "--first-party", "yes", "--audience", "https://api.example",
                  "--scope", "openid groups", "--refresh-token-idle-lifetime", "1h", "--refresh-token-lifetime", "1d")
    change = {**METADATA, "client_id": client["client_id"], "scope": "openid groups"}
    assert registrar.manage("PUT", client, {**change, **wish}).status_code == 200
    told = registrar.manage("PUT", client, change)
    assert told.status_code == 200 and not set(wish) & set(told.json())
    stored = partita.opctl("client", "show", client["client_id"])
    assert stored["first_party"] is True and stored["audiences"] == ["https://api.example"] and stored["scope"] == "openid groups"
    assert (stored["refresh_token_idle_lifetime"], stored["refresh_token_lifetime"]) == (3600, 86400)


def test_from_public_to_confidential_and_back(partita, registrar):
    client = registrar.register(token_endpoint_auth_method="none")
    change = {**METADATA, "client_id": client["client_id"]}
    told = registrar.manage("PUT", client, {**change, "token_endpoint_auth_method": "client_secret_basic"}).json()
    assert told["client_secret"] and told["client_secret_expires_at"] == 0
    assert sign_in(partita, told)["access_token"]
    back = registrar.manage("PUT", client, {**change, "token_endpoint_auth_method": "none"}).json()
    assert "client_secret" not in back and "client_secret_expires_at" not in back
    assert sign_in(partita, back)["access_token"]
    assert token_request(partita, told, grant_type="refresh_token", refresh_token="x").status_code == 401


def test_deletion_ends_what_the_client_has(partita, registrar, house):
    client = registrar.register()
    tokens = sign_in(partita, client, "openid offline_access")
    house.is_alive(client, tokens)
    answer = registrar.manage("DELETE", client)
    assert (answer.status_code, answer.text) == (204, "")
    assert [connection.userinfo(tokens["access_token"])[0] for connection in house.userinfo] == [401, 401]
    assert [status for status, _ in house.refresh(client, tokens)] == [401, 401]
    for method in ("GET", "DELETE"):
        assert registrar.manage(method, client).status_code == 401
    assert partita.opctl("client", "show", client["client_id"], check=False).returncode == 1


def test_an_unknown_client_and_a_wrong_token_get_the_same_answer(partita, registrar):
    one, other = registrar.register(), registrar.register()
    operators = partita.add_client("The operator's", CALLBACK)
    unknown = {**one, "registration_client_uri": partita.issuer + "/register/nobody"}
    operators["registration_client_uri"] = f"{partita.issuer}/register/{operators['client_id']}"
    answers = [registrar.manage(method, client, body, token) for method, body in (("GET", None), ("PUT", METADATA), ("DELETE", None)) for client, token in (
        (one, "wrong"), (one, other["registration_access_token"]), (unknown, one["registration_access_token"]),
        (operators, one["registration_access_token"]), (one, partita.info["initial_access_token"]))]
    assert {(answer.status_code, answer.text, answer.headers["WWW-Authenticate"]) for answer in answers} == {
        (401, answers[0].text, answers[0].headers["WWW-Authenticate"])}
    assert answers[0].json()["error"] == "invalid_token"
    assert registrar.manage("GET", one).status_code == 200


def test_a_disabled_client_cannot_manage_itself(partita, registrar):
    client = registrar.register()
    partita.opctl("client", "disable", client["client_id"])
    assert registrar.manage("GET", client).status_code == 401
    partita.opctl("client", "enable", client["client_id"])
    assert registrar.manage("GET", client).status_code == 200


def test_a_client_that_administers_is_not_managed_over_the_network(partita, registrar):
    client = registrar.register(grant_types=["client_credentials"], redirect_uris=None)
    change = {"client_name": "Taken over", "client_id": client["client_id"], "grant_types": ["client_credentials"]}
    assert registrar.manage("PUT", client, change).status_code == 200
    for powers, told in (("users", True), ("keys:read", False)):
        done = partita.opctl("client", "change", client["client_id"], "--admin", powers, check=False)
        assert done.returncode == 0 and ("registration access token" in done.stderr) == told
        answers = [registrar.manage(method, client, body) for method, body in (
            ("GET", None), ("PUT", {**change, "token_endpoint_auth_method": "none"}), ("PUT", change), ("DELETE", None))]
        assert [(answer.status_code, answer.json()["error"]) for answer in answers] == [(401, "invalid_token")] * 4
    assert Desk(partita, client).get("/keys").status_code == 200, "its secret is the one of its registration"


# --- several processes ---

def send(connection, method, path, token, body=""):
    connection.send(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
                    f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
    return connection.answer()


def test_two_processes_of_each_server_see_it_on_their_next_request(partita, house):
    one, other = house.management
    initial = partita.info["initial_access_token"]
    for number in range(20):
        status, client = send(one, "POST", "/register", initial, json.dumps({**METADATA, "client_name": f"Number {number}"}))
        assert status == 201
        path, token = "/register/" + client["client_id"], client["registration_access_token"]
        for connection in house.token:
            assert connection.post(client, grant_type="refresh_token", refresh_token="x")[1]["error"] == "invalid_grant"
        assert send(other, "GET", path, token)[1]["client_name"] == f"Number {number}"
        change = json.dumps({**METADATA, "client_id": client["client_id"], "token_endpoint_auth_method": "none"})
        assert send(other, "PUT", path, token, change)[0] == 200
        assert "client_secret_expires_at" not in send(one, "GET", path, token)[1]
        for connection in house.token:
            assert connection.post(client, grant_type="refresh_token", refresh_token="x")[1]["error"] == "invalid_client"
        assert send(one, "DELETE", path, token)[0] == 204
        assert send(other, "GET", path, token)[0] == 401
        for connection in house.token:
            public = {"client_id": client["client_id"]}
            assert connection.post(public, grant_type="refresh_token", refresh_token="x")[1]["error"] == "invalid_client"


@pytest.mark.parametrize("mode", ["open", "closed"])
def test_open_and_closed(partita, mode):
    own = OwnProcess(partita, "op-management", f"registration={mode}", "registration_limit=3", "registration_limit_window=1h")
    try:
        connection = own.connect()

        def post(token=None):
            body, fields = json.dumps(METADATA), f"Authorization: Bearer {token}\r\n" if token else ""
            connection.send(f"POST /register HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 192.0.2.77\r\n{fields}"
                            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
            return connection.answer()
        if mode == "closed":
            assert [(status, body["error"]) for status, body in (post(), post(partita.info["initial_access_token"]))] == [
                (403, "access_denied")] * 2
        else:
            answers = [post() for _ in range(4)]
            assert [status for status, _ in answers] == [201, 201, 201, 429]
            assert answers[3][1]["error"] == "temporarily_unavailable"
            assert post("wrong")[0] == 401, "a token that is sent is judged"
            assert post(partita.info["initial_access_token"])[0] == 201, "and goes past the limit"
    finally:
        own.close()


def test_updates_are_bounded_by_client_and_by_address(partita, registrar):
    own = OwnProcess(partita, "op-management", "registration_updates=2", "registration_address_updates=3", "registration_updates_window=1h")
    one, other = registrar.register(), registrar.register()
    try:
        connection = own.connect()

        def put(client, address, **more):
            body = json.dumps({**METADATA, "client_id": client["client_id"], **more})
            connection.send(f"PUT /register/{client['client_id']} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: {address}\r\n"
                            f"Authorization: Bearer {client['registration_access_token']}\r\nContent-Type: application/json\r\n"
                            f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
            return connection.answer()
        assert [put(one, "192.0.2.81", client_name=1)[0] for _ in range(3)] == [400] * 3, "what is refused is not counted"
        assert [put(one, "192.0.2.81", client_name=f"Number {n}")[0] for n in range(3)] == [200, 200, 429]
        assert 1 <= int(re.search(r"^Retry-After: ([0-9]+)\r?$", connection.head, re.M)[1]) <= 3600
        assert put(one, "192.0.2.82")[0] == 429, "wherever the client is"
        assert put(other, "192.0.2.81")[1]["error"] == "temporarily_unavailable", "whichever client it is of"
        assert [put(other, "192.0.2.83")[0] for _ in range(3)] == [200, 200, 429]
        assert "registration_updates_throttled" in own.log()
        assert registrar.manage("GET", one).json()["client_name"] == "Number 1"
    finally:
        own.close()


def test_registration_of_the_whole_house_is_a_setting(start_partita):
    house = start_partita("--set", "op-management.registration=open")
    metadata = requests.get(house.issuer + "/.well-known/openid-configuration", timeout=10).json()
    answer = requests.post(metadata["registration_endpoint"], json=METADATA, timeout=10)
    assert answer.status_code == 201 and sign_in(house, answer.json())["id_token"]
