"""Requests that must be refused, each with the exact status and error. Nothing here may redirect anywhere but to the
registered URI, and nothing may be a 5xx."""
import base64
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest
import requests

from person import Person, pkce, request_for, sign_in

CALLBACK = "http://localhost:8090/callback"
LONG = "a" * 5000
CHALLENGE = pkce()[1]


@pytest.fixture(scope="module")
def world(partita):
    """Clients, a user, live tokens: what the rows refer to by {name}."""
    client = partita.info["client"]
    other = partita.add_client("Other", CALLBACK)
    public = partita.add_client("Public", CALLBACK, "--public")
    disabled = partita.add_client("Disabled", CALLBACK)
    partita.opctl("client", "disable", disabled["client_id"])
    tokens = sign_in(partita, client, "openid profile offline_access")
    head, body, signature = tokens["access_token"].split(".")

    def part(value):
        return base64.urlsafe_b64encode(value.encode()).rstrip(b"=").decode()
    return {
        "partita": partita, "cid": client["client_id"], "secret": client["client_secret"], "pub": public["client_id"],
        "disabled": disabled["client_id"], "disabled_secret": disabled["client_secret"],
        "other": other["client_id"], "other_secret": other["client_secret"], "cb": quote(CALLBACK, safe=""), "ch": CHALLENGE,
        "long": LONG, "at": tokens["access_token"], "idt": tokens["id_token"], "rt": tokens["refresh_token"],
        "at_none": part('{"alg":"none","typ":"at+jwt"}') + "." + body + ".",
        "at_crit": part('{"alg":"ES256","typ":"at+jwt","crit":["x"],"x":1}') + "." + body + "." + signature,
        "at_bad": head + "." + body + "." + ("A" if signature[0] != "A" else "B") + signature[1:],
        "at_body": head + "." + part('{"sub":"admin"}') + "." + signature,
    }


def basic(client_id, secret):
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}


GOOD = "response_type=code&client_id={cid}&redirect_uri={cb}&scope=openid&state=s1&code_challenge={ch}&code_challenge_method=S256"
PUBLIC = "response_type=code&client_id={pub}&redirect_uri={cb}&scope=openid&state=s1"

# What is shown to the person, because where to answer is not known to be good: 400, a page, no Location.
AUTHORIZE_PAGES = [
    ("no parameters", ""),
    ("no client_id", "response_type=code&redirect_uri={cb}&scope=openid"),
    ("unknown client", GOOD.replace("{cid}", "nobody")),
    ("empty client_id", GOOD.replace("{cid}", "")),
    ("client_id too long", GOOD.replace("{cid}", "{long}")),
    ("client_id twice", GOOD + "&client_id={cid}"),
    ("client_id with a control byte", GOOD.replace("{cid}", "{cid}%01")),
    ("client_id with NUL", GOOD.replace("{cid}", "{cid}%00")),
    ("client_id not UTF-8", GOOD.replace("{cid}", "%ff%fe")),
    ("bad percent escape", GOOD + "&x=%zz"),
    ("disabled client", GOOD.replace("{cid}", "{disabled}")),
    ("no redirect_uri", "response_type=code&client_id={cid}&scope=openid"),
    ("redirect_uri twice", GOOD + "&redirect_uri={cb}"),
    ("redirect_uri of somebody else", GOOD.replace("{cb}", "https%3A%2F%2Fevil.example%2F")),
    ("redirect_uri with a longer path", GOOD.replace("{cb}", "{cb}%2Fmore")),
    ("redirect_uri with a query", GOOD.replace("{cb}", "{cb}%3Fa%3Db")),
    ("redirect_uri with a fragment", GOOD.replace("{cb}", "{cb}%23f")),
    ("redirect_uri in upper case", GOOD.replace("{cb}", "HTTP%3A%2F%2FLOCALHOST%3A8090%2Fcallback")),
    ("redirect_uri with another port", GOOD.replace("8090", "8091").replace("{cb}", "http%3A%2F%2Flocalhost%3A8091%2Fcallback")),
    ("redirect_uri with userinfo", GOOD.replace("{cb}", "http%3A%2F%2Flocalhost%3A8090%40evil.example%2Fcallback")),
    ("redirect_uri with dot segments", GOOD.replace("{cb}", "http%3A%2F%2Flocalhost%3A8090%2Fx%2F..%2Fcallback")),
    ("redirect_uri javascript:", GOOD.replace("{cb}", "javascript%3Aalert(1)")),
    ("redirect_uri data:", GOOD.replace("{cb}", "data%3Atext%2Fhtml%2Cx")),
    ("redirect_uri with CR LF", GOOD.replace("{cb}", "{cb}%0D%0ALocation%3A%20https%3A%2F%2Fevil.example")),
    ("redirect_uri with a trailing space", GOOD.replace("{cb}", "{cb}%20")),
    ("redirect_uri too long", GOOD.replace("{cb}", "{cb}{long}")),
]

# What goes back to the client at its registered URI.
AUTHORIZE_REDIRECTS = [
    ("no response_type", GOOD.replace("response_type=code&", ""), "invalid_request"),
    ("response_type=token", GOOD.replace("response_type=code", "response_type=token"), "unsupported_response_type"),
    ("response_type=id_token", GOOD.replace("response_type=code", "response_type=id_token"), "unsupported_response_type"),
    ("response_type=code token", GOOD.replace("response_type=code", "response_type=code%20token"), "unsupported_response_type"),
    ("response_type twice", GOOD + "&response_type=code", "invalid_request"),
    ("a response_mode of our own", GOOD + "&response_mode=pigeon", "invalid_request"),
    ("scope twice", GOOD + "&scope=openid", "invalid_request"),
    ("scope with a quote", GOOD.replace("scope=openid", "scope=openid%20%22x"), "invalid_scope"),
    ("no scope that anybody knows", GOOD.replace("scope=openid", "scope=admin"), "invalid_scope"),
    ("scope too long", GOOD.replace("scope=openid", "scope={long}"), "invalid_request"),
    ("state twice", GOOD + "&state=s2", "invalid_request"),
    ("nonce too long", GOOD + "&nonce={long}", "invalid_request"),
    ("nonce with a control byte", GOOD + "&nonce=a%07", "invalid_request"),
    ("prompt of our own", GOOD + "&prompt=dance", "invalid_request"),
    ("prompt none with another", GOOD + "&prompt=none%20login", "invalid_request"),
    ("prompt none, nobody signed in", GOOD + "&prompt=none", "login_required"),
    ("max_age negative", GOOD + "&max_age=-1", "invalid_request"),
    ("max_age no number", GOOD + "&max_age=soon", "invalid_request"),
    ("max_age too large", GOOD + "&max_age=99999999999999999999", "invalid_request"),
    ("claims no JSON", GOOD + "&claims=%7B", "invalid_request"),
    ("claims an array", GOOD + "&claims=%5B%5D", "invalid_request"),
    ("claims of the wrong shape", GOOD + "&claims=%7B%22id_token%22%3A%5B1%5D%7D", "invalid_request"),
    ("claims with a key twice", GOOD + "&claims=%7B%22id_token%22%3A%7B%7D%2C%22id_token%22%3A%7B%7D%7D", "invalid_request"),
    ("PKCE missing for a public client", PUBLIC, "invalid_request"),
    ("PKCE plain", PUBLIC + "&code_challenge={ch}&code_challenge_method=plain", "invalid_request"),
    ("PKCE plain by default", PUBLIC + "&code_challenge={ch}", "invalid_request"),
    ("PKCE method of our own", PUBLIC + "&code_challenge={ch}&code_challenge_method=S1", "invalid_request"),
    ("PKCE challenge too short", PUBLIC + "&code_challenge=abc&code_challenge_method=S256", "invalid_request"),
    ("PKCE challenge with strange characters", PUBLIC + "&code_challenge={ch}%2B&code_challenge_method=S256", "invalid_request"),
    ("PKCE method without a challenge", PUBLIC + "&code_challenge_method=S256", "invalid_request"),
    ("request object", GOOD + "&request=eyJhbGciOiJub25lIn0.e30.", "request_not_supported"),
    ("request_uri", GOOD + "&request_uri=https%3A%2F%2Fevil.example%2Fr", "request_uri_not_supported"),
    ("registration", GOOD + "&registration=%7B%7D", "registration_not_supported"),
    ("id_token_hint that is rubbish", GOOD + "&prompt=none&id_token_hint=x.y.z", "invalid_request"),
    ("id_token_hint with alg none", GOOD + "&prompt=none&id_token_hint=eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.", "invalid_request"),
]

CODE = {"grant_type": "authorization_code", "code": "x" * 43, "redirect_uri": CALLBACK}
AS = "basic"  # the demonstration client by client_secret_basic

# (name, headers or AS, form or raw body, status, error)
TOKEN = [
    ("no body", AS, {}, 400, "invalid_request"),
    ("no grant_type", AS, {"code": "x"}, 400, "invalid_request"),
    ("unknown grant_type", AS, {"grant_type": "magic"}, 400, "unsupported_grant_type"),
    ("password grant", AS, {"grant_type": "password", "username": "demo", "password": "x"}, 400, "unsupported_grant_type"),
    ("grant_type twice", AS, "grant_type=authorization_code&grant_type=refresh_token", 400, "invalid_request"),
    ("grant_type too long", AS, {"grant_type": LONG}, 400, "invalid_request"),
    ("JSON instead of a form", {"Content-Type": "application/json"}, '{"grant_type":"client_credentials"}', 400, "invalid_request"),
    ("no content type", {"Content-Type": ""}, "grant_type=client_credentials", 400, "invalid_request"),
    ("bad percent escape", AS, "grant_type=%zz", 400, "invalid_request"),
    ("a NUL", AS, "grant_type=authorization_code&code=%00", 400, "invalid_request"),
    ("not UTF-8", AS, "grant_type=authorization_code&code=%ff", 400, "invalid_request"),
    ("no client", {}, CODE, 401, "invalid_client"),
    ("unknown client", basic("nobody", "x"), CODE, 401, "invalid_client"),
    ("wrong secret", "wrong", CODE, 401, "invalid_client"),
    ("empty secret", "empty", CODE, 401, "invalid_client"),
    ("disabled client", "disabled", CODE, 401, "invalid_client"),
    ("public client with a secret", {}, {**CODE, "client_id": "{pub}", "client_secret": "x"}, 401, "invalid_client"),
    ("confidential client without its secret", {}, {**CODE, "client_id": "{cid}"}, 401, "invalid_client"),
    ("another method than registered", {}, {**CODE, "client_id": "{cid}", "client_secret": "{secret}"}, 401, "invalid_client"),
    ("two methods at once", AS, {**CODE, "client_id": "{cid}", "client_secret": "{secret}"}, 400, "invalid_request"),
    ("client_ids that differ", AS, {**CODE, "client_id": "{pub}"}, 400, "invalid_request"),
    ("Basic that is no base64", {"Authorization": "Basic ???"}, CODE, 401, "invalid_client"),
    ("Basic without a colon", {"Authorization": "Basic " + base64.b64encode(b"abc").decode()}, CODE, 401, "invalid_client"),
    ("another scheme", {"Authorization": "Digest x"}, CODE, 401, "invalid_client"),
    ("no code", AS, {"grant_type": "authorization_code", "redirect_uri": CALLBACK}, 400, "invalid_request"),
    ("a code nobody made", AS, {**CODE, "code_verifier": "v" * 43}, 400, "invalid_grant"),
    ("code twice", AS, urlencode(CODE) + "&code=y", 400, "invalid_request"),
    ("code too long", AS, {**CODE, "code": LONG}, 400, "invalid_request"),
    ("verifier too short", AS, {**CODE, "code_verifier": "short"}, 400, "invalid_request"),
    ("verifier with strange characters", AS, {**CODE, "code_verifier": "+" * 43}, 400, "invalid_request"),
    ("no refresh_token", AS, {"grant_type": "refresh_token"}, 400, "invalid_request"),
    ("refresh token of rubbish", AS, {"grant_type": "refresh_token", "refresh_token": "rubbish"}, 400, "invalid_grant"),
    ("refresh token cut short", AS, {"grant_type": "refresh_token", "refresh_token": "{rt_cut}"}, 400, "invalid_grant"),
    ("refresh token with a changed tag", AS, {"grant_type": "refresh_token", "refresh_token": "{rt_tag}"}, 400, "invalid_grant"),
    ("refresh token of another client", "other", {"grant_type": "refresh_token", "refresh_token": "{rt}"}, 400, "invalid_grant"),
    ("refresh token at a public client", {}, {"grant_type": "refresh_token", "refresh_token": "{rt}", "client_id": "{pub}"}, 400, "invalid_grant"),
    ("an access token as refresh token", AS, {"grant_type": "refresh_token", "refresh_token": "{at}"}, 400, "invalid_grant"),
    ("a refresh that asks for more", AS, {"grant_type": "refresh_token", "refresh_token": "{rt}", "scope": "openid email"}, 400, "invalid_scope"),
    ("refresh token too long", AS, {"grant_type": "refresh_token", "refresh_token": LONG}, 400, "invalid_request"),
    ("client_credentials of a public client", {}, {"grant_type": "client_credentials", "client_id": "{pub}"}, 400, "unauthorized_client"),
    ("client_credentials not registered", "other", {"grant_type": "client_credentials"}, 400, "unauthorized_client"),
    ("client_credentials with a foreign scope", AS, {"grant_type": "client_credentials", "scope": "admin"}, 400, "invalid_scope"),
    ("a body larger than any request", AS, "x=" + "a" * 20000, 413, "invalid_request"),
    ("too many parameters", AS, "&".join(f"p{i}=1" for i in range(500)), 400, "invalid_request"),
]

T = {"token": "{at}"}
BOTH = ["/introspect", "/revoke"]
# What introspection and revocation refuse alike: (name, headers or AS, query, form or raw body, status, error)
MANAGEMENT = [
    ("no body", AS, "", "", 400, "invalid_request"),
    ("no token", AS, "", {"token_type_hint": "access_token"}, 400, "invalid_request"),
    ("an empty token", AS, "", {"token": ""}, 400, "invalid_request"),
    ("token twice", AS, "", "token={at}&token={rt}", 400, "invalid_request"),
    ("token too long", AS, "", {"token": "a" * 13000}, 400, "invalid_request"),
    ("token with a control byte", AS, "", "token=a%0Ab", 400, "invalid_request"),
    ("token with NUL", AS, "", "token={at}%00", 400, "invalid_request"),
    ("token not ASCII", AS, "", "token=%C3%A4", 400, "invalid_request"),
    ("token not UTF-8", AS, "", "token=%ff", 400, "invalid_request"),
    ("bad percent escape", AS, "", "token=%zz", 400, "invalid_request"),
    ("token_type_hint twice", AS, "", "token={at}&token_type_hint=access_token&token_type_hint=access_token", 400, "invalid_request"),
    ("token_type_hint too long", AS, "", {**T, "token_type_hint": LONG}, 400, "invalid_request"),
    ("token in the query", AS, "token={at}", {}, 400, "invalid_request"),
    ("token in the query and in the body", AS, "token={at}", T, 400, "invalid_request"),
    ("client in the query", {}, "client_id={cid}&client_secret={secret}", T, 400, "invalid_request"),
    ("JSON instead of a form", {"Content-Type": "application/json"}, "", '{"token":"{at}"}', 400, "invalid_request"),
    ("no content type", {"Content-Type": ""}, "", "token={at}", 400, "invalid_request"),
    ("multipart", {"Content-Type": "multipart/form-data; boundary=x"}, "", "--x--", 400, "invalid_request"),
    ("too many parameters", AS, "", "token={at}&" + "&".join(f"p{i}=1" for i in range(500)), 400, "invalid_request"),
    ("no client", {}, "", T, 401, "invalid_client"),
    ("a bearer token instead of a client", {"Authorization": "Bearer {at}"}, "", T, 401, "invalid_client"),
    ("unknown client", basic("nobody", "x"), "", T, 401, "invalid_client"),
    ("wrong secret", "wrong", "", T, 401, "invalid_client"),
    ("empty secret", "empty", "", T, 401, "invalid_client"),
    ("disabled client", "disabled", "", T, 401, "invalid_client"),
    ("confidential client without its secret", {}, "", {**T, "client_id": "{cid}"}, 401, "invalid_client"),
    ("public client with a secret", {}, "", {**T, "client_id": "{pub}", "client_secret": "x"}, 401, "invalid_client"),
    ("another method than registered", {}, "", {**T, "client_id": "{cid}", "client_secret": "{secret}"}, 401, "invalid_client"),
    ("two methods at once", AS, "", {**T, "client_id": "{cid}", "client_secret": "{secret}"}, 400, "invalid_request"),
    ("client_ids that differ", AS, "", {**T, "client_id": "{pub}"}, 400, "invalid_request"),
    ("client_secret too long", {}, "", {**T, "client_id": "{cid}", "client_secret": LONG}, 400, "invalid_request"),
    ("Basic that is no base64", {"Authorization": "Basic ???"}, "", T, 401, "invalid_client"),
    ("Basic of a client_id that is too long", basic(LONG, "x"), "", T, 401, "invalid_client"),
    ("a body too large", AS, "", "token=" + "a" * 17000, 413, "invalid_request"),
]

# What is no live token of this client's: inactive, and for revocation no error. (name, headers or AS, token)
NOT_OURS = [
    ("rubbish", AS, "rubbish"),
    ("dots", AS, ".."),
    ("spaces", AS, "   "),
    ("an ID token", AS, "{idt}"),
    ("alg none", AS, "{at_none}"),
    ("crit", AS, "{at_crit}"),
    ("a changed signature", AS, "{at_bad}"),
    ("a changed body", AS, "{at_body}"),
    ("a token and a space", AS, "{at} "),
    ("a refresh token cut short", AS, "{rt_cut}"),
    ("a refresh token with a changed tag", AS, "{rt_tag}"),
    ("a refresh token that is longer", AS, "{rt}A"),
    ("a refresh token of another client with a changed tag", "other", "{rt_tag}"),
    ("another client's access token with a changed signature", "other", "{at_bad}"),
]

# (name, method, headers, query, body, status, error in WWW-Authenticate or None)
USERINFO = [
    ("no token", "GET", {}, "", None, 401, None),
    ("token in the query", "GET", {}, "access_token={at}", None, 401, None),
    ("rubbish", "GET", {"Authorization": "Bearer rubbish"}, "", None, 401, "invalid_token"),
    ("three dots", "GET", {"Authorization": "Bearer ..."}, "", None, 401, "invalid_token"),
    ("empty", "GET", {"Authorization": "Bearer "}, "", None, 401, None),
    ("Basic", "GET", {"Authorization": "Basic eDp5"}, "", None, 401, None),
    ("alg none", "GET", {"Authorization": "Bearer {at_none}"}, "", None, 401, "invalid_token"),
    ("crit", "GET", {"Authorization": "Bearer {at_crit}"}, "", None, 401, "invalid_token"),
    ("a changed signature", "GET", {"Authorization": "Bearer {at_bad}"}, "", None, 401, "invalid_token"),
    ("a changed body", "GET", {"Authorization": "Bearer {at_body}"}, "", None, 401, "invalid_token"),
    ("an ID token", "GET", {"Authorization": "Bearer {idt}"}, "", None, 401, "invalid_token"),
    ("a refresh token", "GET", {"Authorization": "Bearer {rt}"}, "", None, 401, "invalid_token"),
    ("in both places", "POST", {"Authorization": "Bearer {at}"}, "", {"access_token": "{at}"}, 400, "invalid_request"),
    ("twice in the form", "POST", {}, "", "access_token={at}&access_token={at}", 400, "invalid_request"),
    ("too long", "GET", {"Authorization": "Bearer {long}"}, "", None, 401, "invalid_token"),
]

# (name, method, path, status)
ELSEWHERE = [
    ("no such page", "GET", "/nothing-here", 404),
    ("readiness is not for the world", "GET", "/.ready", 404),
    ("metrics are not for the world", "GET", "/.metrics", 404),
    ("liveness is not for the world", "GET", "/.live", 404),
    ("GET /token", "GET", "/token", 405),
    ("PUT /token", "PUT", "/token", 405),
    ("DELETE /userinfo", "DELETE", "/userinfo", 405),
    ("GET /introspect", "GET", "/introspect?token=x", 405),
    ("HEAD /introspect", "HEAD", "/introspect", 405),
    ("GET /revoke", "GET", "/revoke?token=x", 405),
    ("DELETE /revoke", "DELETE", "/revoke", 405),
    ("below /introspect", "POST", "/introspect/x", 404),
    ("below /revoke", "POST", "/revoke/", 404),
    ("PUT /authorize", "PUT", "/authorize", 405),
    ("POST to discovery", "POST", "/.well-known/openid-configuration", 405),
    ("an unknown well-known document", "GET", "/.well-known/nothing", 404),
    ("an asset outside", "GET", "/assets/../pages/sign-in.html", 404),
    ("an encoded asset outside", "GET", "/assets/%2e%2e%2fpages%2fsign-in.html", 404),
    ("GET /sign-in posts nothing", "GET", "/sign-in", 303),
    ("POST /sign-in without its form", "POST", "/sign-in", 400),
    ("POST /consent without its form", "POST", "/consent", 400),
]


def ids(rows):
    return [row[0] for row in rows]


def fill(value, world):
    """Replaces {name} by what the world has under it, in strings and in forms."""
    if isinstance(value, dict):
        return {name: fill(text, world) for name, text in value.items()}
    if not isinstance(value, str):
        return value
    for name, text in world.items():
        if isinstance(text, str):
            value = value.replace("{" + name + "}", text)
    return value.replace("{rt_cut}", world["rt"][:-5]).replace("{rt_tag}", world["rt"][:-4] + ("AAAA" if world["rt"][-4:] != "AAAA" else "BBBB"))


def get(world, url, **more):
    response = requests.get(url, allow_redirects=False, timeout=20, **more)
    assert response.status_code < 500
    return response


@pytest.mark.parametrize("row", AUTHORIZE_PAGES, ids=ids(AUTHORIZE_PAGES))
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_authorize_shows_a_page(world, row, method):
    url, query = world["partita"].issuer + "/authorize", fill(row[1], world)
    if method == "GET":
        response = get(world, url + "?" + query)
    else:
        response = requests.post(url, data=query, headers={"Content-Type": "application/x-www-form-urlencoded"}, allow_redirects=False, timeout=20)
    assert (response.status_code, response.headers.get("Location")) == (400, None)
    assert response.headers["Content-Type"].startswith("text/html")
    assert "evil.example" not in response.text and LONG not in response.text


@pytest.mark.parametrize("row", AUTHORIZE_REDIRECTS, ids=ids(AUTHORIZE_REDIRECTS))
def test_authorize_answers_the_client(world, row):
    response = get(world, world["partita"].issuer + "/authorize?" + fill(row[1], world))
    assert response.status_code in (302, 303), response.text[:500]
    location = response.headers["Location"]
    assert location.startswith(CALLBACK + "?"), location
    answer = dict(parse_qsl(urlsplit(location).query))
    assert answer["error"] == row[2] and answer["error_description"]
    assert answer["iss"] == world["partita"].issuer and "code" not in answer
    if row[0] != "state twice":
        assert answer["state"] == "s1"


@pytest.mark.parametrize("row", TOKEN, ids=ids(TOKEN))
def test_token_refuses(world, row):
    _, who, body, status, error = row
    response = post(world, "/token", who, body)
    refused_client(world, response, status, error)


def post(world, path, who, body):
    """The client is named by the row, or its headers are there."""
    headers = {"basic": basic(world["cid"], world["secret"]), "wrong": basic(world["cid"], "wrong"), "empty": basic(world["cid"], ""),
               "other": basic(world["other"], world["other_secret"]),
               "disabled": basic(world["disabled"], world["disabled_secret"])}.get(who) if isinstance(who, str) else fill(dict(who), world)
    headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    body = fill(body, world)
    return requests.post(world["partita"].issuer + path, data=urlencode(body) if isinstance(body, dict) else body, headers=headers,
                         allow_redirects=False, timeout=20)


def refused_client(world, response, status, error):
    assert response.status_code == status, response.text
    answer = response.json()
    assert answer["error"] == error and answer["error_description"]
    assert response.headers["Cache-Control"] == "no-store"
    assert ("WWW-Authenticate" in response.headers) == (status == 401)
    assert world["secret"] not in response.text


@pytest.mark.parametrize("path", BOTH)
@pytest.mark.parametrize("row", MANAGEMENT, ids=ids(MANAGEMENT))
def test_introspection_and_revocation_refuse(world, row, path):
    _, who, query, body, status, error = row
    refused_client(world, post(world, path + ("?" + fill(query, world) if query else ""), who, body), status, error)


@pytest.mark.parametrize("row", NOT_OURS, ids=ids(NOT_OURS))
def test_what_is_no_token_tells_nothing(world, row):
    _, who, token = row
    answer = post(world, "/introspect", who, {"token": token})
    assert (answer.status_code, answer.content, answer.headers["Cache-Control"]) == (200, b'{"active":false}', "no-store")
    answer = post(world, "/revoke", who, {"token": token})
    assert (answer.status_code, answer.content, answer.headers["Cache-Control"]) == (200, b"", "no-store")
    assert post(world, "/introspect", AS, T).json()["active"] is True and post(world, "/introspect", AS, {"token": "{rt}"}).json()["active"] is True


@pytest.mark.parametrize("token", ["{at}", "{rt}"])
@pytest.mark.parametrize("who", ["other", "public"])
def test_a_foreign_token(world, token, who):
    """Nobody is told about it, nobody can revoke it, nobody learns whose it is."""
    body = {"token": token, **({"client_id": "{pub}"} if who == "public" else {})}
    asked = post(world, "/introspect", {} if who == "public" else who, body)
    if who == "public":
        refused_client(world, asked, 401, "invalid_client")
    else:
        assert (asked.status_code, asked.content) == (200, b'{"active":false}')
    revoked = post(world, "/revoke", {} if who == "public" else who, body)
    refused_client(world, revoked, 400, "invalid_grant")
    assert world["cid"] not in revoked.text
    assert post(world, "/introspect", AS, {"token": token}).json()["active"] is True


@pytest.mark.parametrize("path", BOTH)
def test_the_same_bytes_for_an_unknown_client_and_a_wrong_secret_elsewhere(world, path):
    answers = [post(world, path, basic(client_id, "wrong"), T) for client_id in ("nobody", world["cid"])]
    assert answers[0].content == answers[1].content and [answer.status_code for answer in answers] == [401, 401]


@pytest.mark.parametrize("row", USERINFO, ids=ids(USERINFO))
def test_userinfo_refuses(world, row):
    _, method, headers, query, body, status, error = row
    headers, body = fill(dict(headers), world), fill(body, world)
    if isinstance(body, str):
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    response = requests.request(method, world["partita"].issuer + "/userinfo?" + fill(query, world), headers=headers, data=body, timeout=20)
    assert response.status_code == status, response.text
    challenge = response.headers["WWW-Authenticate"]
    assert challenge.startswith("Bearer")
    assert (f'error="{error}"' in challenge) if error else ("error=" not in challenge)


@pytest.mark.parametrize("row", ELSEWHERE, ids=ids(ELSEWHERE))
def test_elsewhere(world, row):
    _, method, path, status = row
    session = requests.Session()
    prepared = requests.Request(method, world["partita"].issuer + "/").prepare()
    prepared.url = world["partita"].issuer + path  # as it stands, dots and all
    response = session.send(prepared, allow_redirects=False, timeout=20)
    assert response.status_code == status
    if status == 405:
        assert response.headers["Allow"]


def test_the_same_bytes_for_an_unknown_client_and_a_wrong_secret(world):
    answers = []
    for client_id, secret in (("nobody", "x"), (world["cid"], "wrong")):
        response = requests.post(world["partita"].issuer + "/token", data=CODE, headers=basic(client_id, secret), timeout=20)
        answers.append((response.status_code, response.content))
    assert answers[0] == answers[1]


def test_a_code_is_bound_to_its_client_and_not_spent_by_another(world):
    partita, person = world["partita"], Person(world["partita"])
    request, verifier = request_for(world["cid"], CALLBACK)
    code = person.authorize(request)["code"]
    body = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": verifier}
    stranger = requests.post(partita.issuer + "/token", data=body, headers=basic(world["other"], world["other_secret"]), timeout=20)
    assert (stranger.status_code, stranger.json()["error"]) == (400, "invalid_grant")
    wrong_uri = requests.post(partita.issuer + "/token", data={**body, "redirect_uri": CALLBACK + "/x"}, headers=basic(world["cid"], world["secret"]), timeout=20)
    assert (wrong_uri.status_code, wrong_uri.json()["error"]) == (400, "invalid_grant")
    wrong_verifier = requests.post(partita.issuer + "/token", data={**body, "code_verifier": "w" * 43}, headers=basic(world["cid"], world["secret"]), timeout=20)
    assert (wrong_verifier.status_code, wrong_verifier.json()["error"]) == (400, "invalid_grant")


def test_a_code_played_twice_kills_what_it_produced(world):
    partita, person = world["partita"], Person(world["partita"])
    request, verifier = request_for(world["cid"], CALLBACK, "openid offline_access")
    code = person.authorize(request)["code"]
    body = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": verifier}
    first = requests.post(partita.issuer + "/token", data=body, headers=basic(world["cid"], world["secret"]), timeout=20)
    assert first.status_code == 200
    token = first.json()["access_token"]
    assert requests.get(partita.issuer + "/userinfo", headers={"Authorization": "Bearer " + token}, timeout=20).status_code == 200
    second = requests.post(partita.issuer + "/token", data=body, headers=basic(world["cid"], world["secret"]), timeout=20)
    assert (second.status_code, second.json()["error"]) == (400, "invalid_grant")
    assert requests.get(partita.issuer + "/userinfo", headers={"Authorization": "Bearer " + token}, timeout=20).status_code == 401
    refresh = requests.post(partita.issuer + "/token", data={"grant_type": "refresh_token", "refresh_token": first.json()["refresh_token"]},
                            headers=basic(world["cid"], world["secret"]), timeout=20)
    assert (refresh.status_code, refresh.json()["error"]) == (400, "invalid_grant")
