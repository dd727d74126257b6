"""Requests to the administration API that must be refused, each with the exact status and error."""
import base64
import http.client
import json
import secrets

import pytest
import requests

from administration import Desk
from person import sign_in
from registration import Registrar

DEEP = '{"claims":' + '{"a":' * 40 + "1" + "}" * 40 + "}"


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def world(partita):
    """What the rows refer to by {name}."""
    desk, client = Desk(partita), partita.info["client"]
    tokens = sign_in(partita, client, "openid profile offline_access")
    app = partita.opctl("client", "add", "--name", "App", "--grant", "client_credentials", "--audience", partita.issuer + "/admin",
                        "--scope", "users")
    own = requests.post(partita.issuer + "/token", data={"grant_type": "client_credentials"}, verify=partita.verify, timeout=20,
                        auth=(app["client_id"], app["client_secret"])).json()
    plain = partita.opctl("client", "add", "--name", "Plain", "--grant", "client_credentials", "--admin", "users", "--scope", "users")
    elsewhere = requests.post(partita.issuer + "/token", data={"grant_type": "client_credentials"}, verify=partita.verify, timeout=20,
                              auth=(plain["client_id"], plain["client_secret"])).json()
    user = desk.ok("POST", "/users", {"username": "hostile-" + secrets.token_hex(6)}, 201).json()
    head, body, signature = desk.token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    registered = Registrar(partita).register()
    return {
        "desk": desk, "user": user["user_id"], "name": user["username"], "at": desk.token, "person": tokens["access_token"],
        "idt": tokens["id_token"], "rt": tokens["refresh_token"], "iat": partita.info["initial_access_token"],
        "rat": registered["registration_access_token"], "secret": desk.client["client_secret"], "own": own["access_token"],
        "elsewhere": elsewhere["access_token"], "read": Desk.of(partita, "users:read").token, "keys": Desk.of(partita, "keys").token,
        "none": part({"alg": "none", "typ": "at+jwt"}) + "." + body + ".",
        "crit": part({"alg": "ES256", "typ": "at+jwt", "crit": ["x"], "x": 1}) + "." + body + "." + signature,
        "forged": head + "." + part({**claims, "scope": "admin:clients"}) + "." + signature,
        "cut": head + "." + body + "." + signature[:-4],
        "basic": base64.b64encode(f"{desk.client['client_id']}:{desk.client['client_secret']}".encode()).decode(),
        "cursor": base64.urlsafe_b64encode(b"user_show\nx").decode().rstrip("="),
        "nul": base64.urlsafe_b64encode(b"user_list\na\0b").decode().rstrip("="),
    }


def filled(value, world):
    for name in ("user", "name", "at", "person", "idt", "rt", "iat", "rat", "secret", "own", "elsewhere", "read", "keys", "none", "crit",
                 "forged", "cut", "basic", "cursor", "nul"):
        value = value.replace("{" + name + "}", world[name])
    return value


# Who asks: the Authorization field (None: none at all), status, error.
TOKENS = [
    ("no token", None, 401, "no_token"),
    ("another scheme", "Basic {basic}", 401, "no_token"),
    ("an empty token", "Bearer ", 401, "no_token"),
    ("rubbish", "Bearer rubbish", 401, "invalid_token"),
    ("an access token of a person", "Bearer {person}", 401, "invalid_token"),
    ("an ID token", "Bearer {idt}", 401, "invalid_token"),
    ("a refresh token", "Bearer {rt}", 401, "invalid_token"),
    ("an initial access token", "Bearer {iat}", 401, "invalid_token"),
    ("a registration access token", "Bearer {rat}", 401, "invalid_token"),
    ("a client secret", "Bearer {secret}", 401, "invalid_token"),
    ("a client without power, whose audience is the API by mistake", "Bearer {own}", 403, "insufficient_scope"),
    ("a client with power, a token for elsewhere", "Bearer {elsewhere}", 401, "invalid_token"),
    ("alg none", "Bearer {none}", 401, "invalid_token"),
    ("crit", "Bearer {crit}", 401, "invalid_token"),
    ("other claims under the signature", "Bearer {forged}", 401, "invalid_token"),
    ("a shortened signature", "Bearer {cut}", 401, "invalid_token"),
    ("power over another noun", "Bearer {keys}", 403, "insufficient_scope"),
    ("two tokens in one field", "Bearer {at}, Bearer {at}", 401, "invalid_token"),
    ("something after the token", "Bearer {at} x", 401, "invalid_token"),
]


@pytest.mark.parametrize("authorization, status, error", [row[1:] for row in TOKENS], ids=[row[0] for row in TOKENS])
def test_who_may_not(world, authorization, status, error):
    fields = {} if authorization is None else {"Authorization": filled(authorization, world)}
    answer = requests.get(world["desk"].root + "/users", headers=fields, verify=world["desk"].verify, timeout=20)
    assert answer.status_code == status and answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["error"] == error and answer.json()["request_id"]


def test_a_token_in_the_query_or_twice_is_none(world):
    desk = world["desk"]
    answer = requests.get(desk.root + "/users?access_token=" + desk.token, verify=desk.verify, timeout=20)
    assert answer.status_code == 401
    connection = http.client.HTTPConnection("localhost", int(desk.partita.issuer.rpartition(":")[2]), timeout=20)
    connection.putrequest("GET", "/admin/v1/users")
    for _ in range(2):
        connection.putheader("Authorization", "Bearer " + desk.token)
    connection.endheaders()
    assert connection.getresponse().status == 400


# method, path below /admin/v1, body (bytes or text; None: none), fields, status, error, member
REQUESTS = [
    ("no such path", "GET", "/", None, {}, 404, "not_found", None),
    ("no such resource", "GET", "/things", None, {}, 404, "not_found", None),
    ("no such version", "GET", "/../v2/users", None, {}, 404, "not_found", None),
    ("dots", "GET", "/users/../users", None, {}, 404, "not_found", None),
    ("dots as an id", "GET", "/users/..", None, {}, 404, "not_found", None),
    ("encoded dots", "GET", "/users/%2e%2e%2fusers", None, {}, 404, "not_found", None),
    ("an encoded slash", "GET", "/users/{user}%2F", None, {}, 404, "not_found", None),
    ("a slash behind", "GET", "/users/{user}/", None, {}, 404, "not_found", None),
    ("two slashes", "GET", "//users", None, {}, 404, "not_found", None),
    ("upper case", "GET", "/Users", None, {}, 404, "not_found", None),
    ("a NUL in the id", "GET", "/users/{user}%00", None, {}, 400, None, None),
    ("an id that is not UTF-8", "GET", "/users/%ff", None, {}, 404, "not_found", None),
    ("an id longer than any", "GET", "/users/" + "a" * 3000, None, {}, 404, "not_found", None),
    ("a name where an id is", "GET", "/users/{name}", None, {}, 404, "not_found", None),
    ("PUT", "PUT", "/users/{user}", "{}", {}, 405, "invalid_request", None),
    ("DELETE of a list", "DELETE", "/users", None, {}, 405, "invalid_request", None),
    ("PATCH of a list", "PATCH", "/users", "{}", {}, 405, "invalid_request", None),
    ("POST to one", "POST", "/users/{user}", "{}", {}, 405, "invalid_request", None),
    ("POST as a GET with a word", "POST", "/users/{user}?_method=PATCH", "{}", {}, 405, "invalid_request", None),
    ("TRACE", "TRACE", "/users", None, {}, 405, None, None),
    ("a method of another's", "PROPFIND", "/users", None, {}, 405, "invalid_request", None),
    ("a body where none is", "DELETE", "/users/{user}", "{}", {"If-Match": "*"}, 413, None, None),
    ("no media type", "POST", "/users", '{"username":"x"}', {"Content-Type": ""}, 415, "unsupported_media_type", None),
    ("a form", "POST", "/users", "username=x", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "unsupported_media_type", None),
    ("text that is JSON", "POST", "/users", '{"username":"x"}', {"Content-Type": "text/plain"}, 415, "unsupported_media_type", None),
    ("a merge patch makes nothing", "POST", "/users", '{"username":"x"}', {"Content-Type": "application/merge-patch+json"}, 415,
     "unsupported_media_type", None),
    ("another kind of patch", "PATCH", "/users/{user}", "[]", {"Content-Type": "application/json-patch+json", "If-Match": "*"}, 415,
     "unsupported_media_type", None),
    ("no body", "POST", "/users", "", {}, 400, "invalid_request", None),
    ("no JSON", "POST", "/users", "username", {}, 400, "invalid_request", None),
    ("an array", "POST", "/users", "[]", {}, 400, "invalid_request", None),
    ("two values", "POST", "/users", '{"username":"x"}{}', {}, 400, "invalid_request", None),
    ("a comment", "POST", "/users", '{"username":"x"/**/}', {}, 400, "invalid_request", None),
    ("a comma too many", "POST", "/users", '{"username":"x",}', {}, 400, "invalid_request", None),
    ("bytes that are not UTF-8", "POST", "/users", b'{"username":"x\xff"}', {}, 400, "invalid_request", None),
    ("UTF-16", "POST", "/users", '{"username":"x"}'.encode("utf-16"), {}, 400, "invalid_request", None),
    ("a byte order mark", "POST", "/users", b'\xef\xbb\xbf{"username":"x"}', {}, 400, "invalid_request", None),
    ("half a surrogate", "POST", "/users", '{"username":"\\ud800"}', {}, 400, "invalid_request", None),
    ("a NUL", "POST", "/users", '{"username":"x\\u0000y"}', {}, 400, "invalid_request", None),
    ("deeper than deep", "POST", "/users", DEEP, {}, 400, "invalid_request", None),
    ("larger than large", "POST", "/users", '{"username":"x","claims":{"a":"' + "b" * 60000 + '"}}', {}, 400, "invalid_request", "claims/a"),
    ("larger than the frame", "POST", "/users", '{"username":"' + "b" * 70000 + '"}', {}, 413, None, None),
    ("a member twice", "POST", "/users", '{"username":"x","username":"y"}', {}, 400, "invalid_request", "username"),
    ("a member twice under another spelling", "POST", "/users", '{"username":"x","\\u0075sername":"y"}', {}, 400, "invalid_request", "username"),
    ("a claim twice", "POST", "/users", '{"username":"x","claims":{"name":"a","name":"b"}}', {}, 400, "invalid_request", "name"),
    ("an unknown member", "POST", "/users", '{"username":"x","admin":true}', {}, 400, "invalid_request", "admin"),
    ("__proto__", "POST", "/users", '{"username":"x","__proto__":{}}', {}, 400, "invalid_request", "__proto__"),
    ("an id of one's own", "POST", "/users", '{"username":"x","user_id":"me"}', {}, 400, "invalid_request", "user_id"),
    ("a since of one's own", "PATCH", "/users/{user}", '{"since":"2000-01-01T00:00:00Z"}', {"If-Match": "*"}, 400, "invalid_request", "since"),
    ("a hash for a password", "PATCH", "/users/{user}", '{"phc":"$argon2id$"}', {"If-Match": "*"}, 400, "invalid_request", "phc"),
    ("no username", "POST", "/users", "{}", {}, 400, "invalid_request", "username"),
    ("an empty username", "POST", "/users", '{"username":""}', {}, 400, "invalid_request", "username"),
    ("a username of spaces", "POST", "/users", '{"username":" "}', {}, 400, "invalid_request", "username"),
    ("a username that turns round", "POST", "/users", '{"username":"x\\u202ey"}', {}, 400, "invalid_request", "username"),
    ("a username with a line", "POST", "/users", '{"username":"x\\ny"}', {}, 400, "invalid_request", "username"),
    ("a username too long", "POST", "/users", '{"username":"' + "x" * 129 + '"}', {}, 400, "invalid_request", "username"),
    ("a username that is a number", "POST", "/users", '{"username":7}', {}, 400, "invalid_request", "username"),
    ("a username that is taken", "POST", "/users", '{"username":"{name}"}', {}, 409, "already_exists", "username"),
    ("a username that is taken, in capitals", "POST", "/users", '{"username":"HOSTILE-{name}"}'.replace("HOSTILE-{name}", "DEMO"), {}, 409,
     "already_exists", "username"),
    ("a change to a username that is taken", "PATCH", "/users/{user}", '{"username":"demo"}', {"If-Match": "*"}, 409, "already_exists", "username"),
    ("no username any more", "PATCH", "/users/{user}", '{"username":null}', {"If-Match": "*"}, 400, "invalid_request", "username"),
    ("a short password", "POST", "/users", '{"username":"x","password":"seven77"}', {}, 400, "invalid_request", "password"),
    ("a long password", "POST", "/users", '{"username":"x","password":"' + "x" * 1025 + '"}', {}, 400, "invalid_request", "password"),
    ("a password with a control byte", "POST", "/users", '{"username":"x","password":"correct\\u0007horse"}', {}, 400, "invalid_request", "password"),
    ("a password that is a number", "POST", "/users", '{"username":"x","password":12345678}', {}, 400, "invalid_request", "password"),
    ("no password any more", "PATCH", "/users/{user}", '{"password":null}', {"If-Match": "*"}, 400, "invalid_request", "password"),
    ("a state there is not", "PATCH", "/users/{user}", '{"state":"root"}', {"If-Match": "*"}, 400, "invalid_request", "state"),
    ("a state nobody can wish", "PATCH", "/users/{user}", '{"state":"unreadable"}', {"If-Match": "*"}, 400, "invalid_request", "state"),
    ("claims that are an array", "PATCH", "/users/{user}", '{"claims":[]}', {"If-Match": "*"}, 400, "invalid_request", "claims"),
    ("no claims at all any more", "PATCH", "/users/{user}", '{"claims":null}', {"If-Match": "*"}, 400, "invalid_request", "claims"),
    ("a claim of the protocol's", "PATCH", "/users/{user}", '{"claims":{"sub":"root"}}', {"If-Match": "*"}, 400, "invalid_request", "claims/sub"),
    ("scope as a claim", "POST", "/users", '{"username":"x","claims":{"scope":"admin:users"}}', {}, 400, "invalid_request", "claims/scope"),
    ("a claim of another type", "PATCH", "/users/{user}", '{"claims":{"email":["a"]}}', {"If-Match": "*"}, 400, "invalid_request", "claims/email"),
    ("a claim that is verified by a word", "PATCH", "/users/{user}", '{"claims":{"email_verified":"yes"}}', {"If-Match": "*"}, 400,
     "invalid_request", "claims/email_verified"),
    ("a claim with a space in its name", "PATCH", "/users/{user}", '{"claims":{"a b":1}}', {"If-Match": "*"}, 400, "invalid_request", "claims/a b"),
    ("no precondition", "PATCH", "/users/{user}", "{}", {}, 428, "precondition_required", "If-Match"),
    ("no precondition to remove", "DELETE", "/users/{user}", None, {}, 428, "precondition_required", "If-Match"),
    ("a version without quotes", "PATCH", "/users/{user}", "{}", {"If-Match": "1"}, 400, "invalid_request", "If-Match"),
    ("half a tag", "PATCH", "/users/{user}", "{}", {"If-Match": '"1'}, 400, "invalid_request", "If-Match"),
    ("an empty precondition", "PATCH", "/users/{user}", "{}", {"If-Match": ""}, 400, "invalid_request", "If-Match"),
    ("all and one", "PATCH", "/users/{user}", "{}", {"If-Match": '*, "1"'}, 400, "invalid_request", "If-Match"),
    ("a weak tag", "DELETE", "/users/{user}", None, {"If-Match": 'W/"1"'}, 412, "precondition_failed", "If-Match"),
    ("another's tag", "DELETE", "/users/{user}", None, {"If-Match": '"etag"'}, 412, "precondition_failed", "If-Match"),
    ("a version to come", "DELETE", "/users/{user}", None, {"If-Match": '"2"'}, 412, "precondition_failed", "If-Match"),
    ("a rubbish If-None-Match", "GET", "/users/{user}", None, {"If-None-Match": "x"}, 400, "invalid_request", "If-None-Match"),
    ("a cursor of another list", "GET", "/users?cursor={cursor}", None, {}, 400, "invalid_request", "cursor"),
    ("a cursor with a NUL", "GET", "/users?cursor={nul}", None, {}, 400, "invalid_request", "cursor"),
    ("a cursor that is none", "GET", "/users?cursor=***", None, {}, 400, "invalid_request", "cursor"),
    ("a cursor longer than any", "GET", "/users?cursor=" + "A" * 2000, None, {}, 400, "invalid_request", "cursor"),
    ("a negative limit", "GET", "/users?limit=-1", None, {}, 400, "invalid_request", "limit"),
    ("a limit in hex", "GET", "/users?limit=0x10", None, {}, 400, "invalid_request", "limit"),
    ("a limit beyond numbers", "GET", "/users?limit=99999999999999999999", None, {}, 400, "invalid_request", "limit"),
    ("a filter twice", "GET", "/users?username=a&username=b", None, {}, 400, "invalid_request", "username"),
    ("a filter there is not", "GET", "/users?email=a", None, {}, 400, "invalid_request", "email"),
    ("a filter that is not UTF-8", "GET", "/users?username=%ff", None, {}, 400, "invalid_request", None),
    ("a query where none is", "GET", "/users/{user}?fields=all", None, {}, 400, "invalid_request", "fields"),
]


@pytest.mark.parametrize("row", [row[1:] for row in REQUESTS], ids=[row[0] for row in REQUESTS])
def test_what_is_refused(world, row):
    method, path, body, fields, status, error, member = row
    desk = world["desk"]
    if isinstance(body, str):
        body = filled(body, world).encode()
    headers = {"Authorization": "Bearer " + desk.token, **({"Content-Type": "application/json"} if body is not None else {}), **fields}
    session = requests.Session()
    request = session.prepare_request(requests.Request(method, desk.root, data=body, headers=headers))
    request.url = desk.root + filled(path, world)  # as it stands: nothing normalized
    answer = session.send(request, verify=desk.verify, timeout=20, allow_redirects=False)
    assert answer.status_code == status, answer.text
    if error is not None:
        told = answer.json()
        assert (told["error"], told.get("member")) == (error, member), told
        assert told["request_id"]
    assert "Allow" in answer.headers or status != 405 or method == "TRACE"  # which nginx answers


def test_nothing_of_that_changed_anything(world):
    answer = world["desk"].get("/users/" + world["user"])
    assert answer.status_code == 200 and answer.headers["ETag"] == '"1"' and answer.json()["claims"] == {}
