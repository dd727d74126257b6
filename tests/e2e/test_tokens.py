"""What the token endpoint hands out, to whom, and how long it lives: sign-ins through real servers, then one thing ends."""
import base64
import hashlib
import json
import time
from datetime import datetime

import pytest
import requests

from person import Person, request_for, sign_in, token_request
from token_process import REDIRECT_URI, TokenProcess

PASSWORD = "correct horse battery"
SCOPE = "openid profile email offline_access"


def claims_of(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def header_of(token):
    part = token.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def userinfo(partita, token, **more):
    return requests.get(partita.issuer + "/userinfo", headers={"Authorization": "Bearer " + token, **more}, timeout=20)


def refresh(partita, client, tokens, **more):
    return token_request(partita, client, grant_type="refresh_token", refresh_token=tokens["refresh_token"], **more)


@pytest.fixture
def world(partita, request):
    """A user and a client of this test's own: what ends here ends nobody else's."""
    name = "tokens-" + hashlib.sha256(request.node.name.encode()).hexdigest()[:8]
    partita.add_user(name, PASSWORD, claims=["name=Ann", "email=ann@example.org"])
    client = partita.add_client(name, REDIRECT_URI)
    client["redirect_uris"] = [REDIRECT_URI]
    return {"partita": partita, "name": name, "client": client, "person": Person(partita, name, PASSWORD)}


# --- what ends is refused on the very next request ---

ENDINGS = {
    "the session ends": lambda p, w, t: p.opctl("session", "end", t["sid"]),
    "signed out everywhere": lambda p, w, t: p.opctl("session", "end", "--user", w["name"]),
    "the consent is withdrawn": lambda p, w, t: p.opctl("consent", "withdraw", w["name"], w["client"]["client_id"]),
    "the user is disabled": lambda p, w, t: p.opctl("user", "disable", w["name"]),
    "the user is removed": lambda p, w, t: p.opctl("user", "remove", w["name"]),
    "the password is changed": lambda p, w, t: p.opctl("user", "password", w["name"], secret="another good password\n"),
    "the client is disabled": lambda p, w, t: p.opctl("client", "disable", w["client"]["client_id"]),
    "the client is removed": lambda p, w, t: p.opctl("client", "remove", w["client"]["client_id"]),
    "the family is revoked": lambda p, w, t: p.opctl("family", "revoke", "--user", w["name"]),
}
OUTLIVES = {("the session ends", SCOPE)}


@pytest.mark.parametrize("scope", ["openid", SCOPE], ids=["online", "offline"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_what_ends_is_refused_on_the_next_request(partita, world, ending, scope):
    client = world["client"]
    tokens = sign_in(partita, client, scope, world["person"])
    assert userinfo(partita, tokens["access_token"]).status_code == 200
    assert refresh(partita, client, tokens).status_code == 200
    ENDINGS[ending](partita, world, claims_of(tokens["id_token"]))
    answer, again = userinfo(partita, tokens["access_token"]), refresh(partita, client, tokens)
    if (ending, scope) in OUTLIVES:
        assert (answer.status_code, again.status_code) == (200, 200)
        return
    assert answer.status_code == 401 and 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    gone = "client" in ending
    assert (again.status_code, again.json()["error"]) == ((401, "invalid_client") if gone else (400, "invalid_grant"))


# --- lifetimes that the operator set for one client ---

def introspect(partita, client, token):
    answer = requests.post(partita.issuer + "/introspect", data={"token": token}, timeout=20,
                           auth=(client["client_id"], client["client_secret"]))
    assert answer.status_code == 200, answer.text
    return answer.json()


def family_of(partita, client):
    family, = partita.opctl("family", "list", "--client", client["client_id"])
    return {**family, **{name: seconds(family[name]) for name in ("created_at", "last_used", "idle_expires_at", "expires_at")}}


def seconds(text):
    return int(datetime.fromisoformat(text).timestamp())


def until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def change(partita, client, *words):
    return partita.opctl("client", "change", client["client_id"], *words)


@pytest.mark.parametrize("rotate", ["yes", "no"])
def test_a_clients_own_lifetimes(partita, world, rotate):
    client = world["client"]
    change(partita, client, "--rotate", rotate, "--refresh-token-idle-lifetime", "1h", "--refresh-token-lifetime", "2h")
    tokens = sign_in(partita, client, SCOPE, world["person"])
    family = family_of(partita, client)
    assert (family["state"], family["idle_lifetime"]) == ("alive", 3600)
    assert (family["idle_expires_at"] - family["last_used"], family["expires_at"] - family["created_at"]) == (3600, 7200)
    assert introspect(partita, client, tokens["refresh_token"])["exp"] == family["idle_expires_at"]
    tokens = refresh(partita, client, tokens).json()
    family = family_of(partita, client)
    assert (family["idle_expires_at"] - family["last_used"], family["expires_at"] - family["created_at"]) == (3600, 7200)
    change(partita, client, "--refresh-token-idle-lifetime", "2h", "--refresh-token-lifetime", "4h")
    assert family_of(partita, client) == family, "what was granted is not lengthened"
    change(partita, client, "--refresh-token-lifetime", "30min")
    family = family_of(partita, client)
    assert (family["idle_expires_at"] - family["last_used"], family["expires_at"] - family["created_at"]) == (3600, 1800)
    assert introspect(partita, client, tokens["refresh_token"])["exp"] == family["expires_at"]
    assert refresh(partita, client, tokens).status_code == 200


def test_a_use_under_a_shorter_idle_lifetime_is_written_so(partita, world):
    client = world["client"]
    change(partita, client, "--rotate", "yes")
    tokens = sign_in(partita, client, SCOPE, world["person"])
    change(partita, client, "--refresh-token-idle-lifetime", "1h")
    assert refresh(partita, client, tokens).status_code == 200
    change(partita, client, "--clear", "refresh-token-idle-lifetime")
    family = family_of(partita, client)
    assert family["idle_expires_at"] - family["last_used"] == 3600 and "idle_lifetime" not in family


def test_a_family_in_use_does_not_end_by_a_clients_own_idle_lifetime(partita, world):
    """A token that does not change is noted as used every tenth of what holds for it, not of the house's 30 days."""
    client = world["client"]
    change(partita, client, "--refresh-token-idle-lifetime", "40s")
    tokens = sign_in(partita, client, SCOPE, world["person"])
    born = family_of(partita, client)["created_at"]

    def is_noted():
        assert refresh(partita, client, tokens).status_code == 200
        return family_of(partita, client)["last_used"] > born
    until(is_noted)
    assert family_of(partita, client)["last_used"] - born >= 4


@pytest.mark.parametrize("lifetime", ["refresh-token-idle-lifetime", "refresh-token-lifetime"])
def test_a_lifetime_that_is_shortened_holds_at_once(partita, world, lifetime):
    client = world["client"]
    tokens = sign_in(partita, client, SCOPE, world["person"])
    assert "idle_lifetime" not in family_of(partita, client)
    change(partita, client, "--" + lifetime, "1s")
    until(lambda: not introspect(partita, client, tokens["refresh_token"])["active"])
    assert introspect(partita, client, tokens["access_token"]) == {"active": False}
    assert userinfo(partita, tokens["access_token"]).status_code == 401
    assert refresh(partita, client, tokens).json()["error"] == "invalid_grant"
    assert family_of(partita, client)["state"] == "expired"
    later = sign_in(partita, client, SCOPE, world["person"])
    until(lambda: not introspect(partita, client, later["refresh_token"])["active"])
    change(partita, client, "--clear", lifetime)
    assert refresh(partita, client, later).json()["error"] == "invalid_grant", "as it was granted"


@pytest.mark.parametrize("what", ["user", "client"])
def test_nothing_comes_back_to_life(partita, world, what):
    client, name = world["client"], world["name"]
    tokens = sign_in(partita, client, SCOPE, world["person"])
    partita.opctl(what, "disable", name if what == "user" else client["client_id"])
    partita.opctl(what, "enable", name if what == "user" else client["client_id"])
    assert userinfo(partita, tokens["access_token"]).status_code == 401
    assert refresh(partita, client, tokens).json()["error"] == "invalid_grant"
    fresh = sign_in(partita, client, SCOPE, Person(partita, name, PASSWORD))
    assert userinfo(partita, fresh["access_token"]).status_code == 200
    assert refresh(partita, client, fresh).status_code == 200


def test_a_withdrawn_consent_ends_one_client_only(partita, world):
    other = partita.add_client("Another", REDIRECT_URI)
    other["redirect_uris"] = [REDIRECT_URI]
    mine = sign_in(partita, world["client"], "openid", world["person"])
    others = sign_in(partita, other, "openid", world["person"])
    partita.opctl("consent", "withdraw", world["name"], other["client_id"])
    assert userinfo(partita, mine["access_token"]).status_code == 200
    assert userinfo(partita, others["access_token"]).status_code == 401


def test_a_code_whose_session_ended_is_refused(partita, world):
    client, person = world["client"], world["person"]
    tokens = sign_in(partita, client, "openid", person)
    request, verifier = request_for(client["client_id"], REDIRECT_URI)
    code = person.authorize(request)["code"]
    partita.opctl("session", "end", claims_of(tokens["id_token"])["sid"])
    response = token_request(partita, client, verifier, grant_type="authorization_code", code=code, redirect_uri=REDIRECT_URI)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")


# --- what is in the tokens ---

def at_hash(access_token):
    return base64.urlsafe_b64encode(hashlib.sha256(access_token.encode()).digest()[:16]).rstrip(b"=").decode()


def test_id_tokens_and_their_refresh(partita, world):
    client, person = world["client"], world["person"]
    request, verifier = request_for(client["client_id"], REDIRECT_URI, SCOPE)
    code = person.authorize(request)["code"]
    first = token_request(partita, client, verifier, grant_type="authorization_code", code=code, redirect_uri=REDIRECT_URI)
    assert first.headers["Cache-Control"] == "no-store" and first.headers["Pragma"] == "no-cache"
    tokens = first.json()
    one = claims_of(tokens["id_token"])
    assert (tokens["token_type"], tokens["expires_in"], tokens["scope"]) == ("Bearer", 600, SCOPE)
    assert header_of(tokens["id_token"])["alg"] == "RS256" and header_of(tokens["access_token"]) | {"kid": 0} == {"alg": "ES256", "kid": 0, "typ": "at+jwt"}
    assert (one["iss"], one["aud"], one["nonce"]) == (partita.issuer, client["client_id"], request["nonce"])
    assert one["at_hash"] == at_hash(tokens["access_token"]) and one["sid"] and one["auth_time"] <= one["iat"] < one["exp"]
    assert one["amr"] == ["pwd"] and one["acr"]
    again = refresh(partita, client, tokens).json()
    two = claims_of(again["id_token"])
    for same in ("iss", "sub", "aud", "auth_time", "sid", "acr", "amr"):  # OpenID Connect Core §12.2
        assert two[same] == one[same]
    assert two["iat"] >= one["iat"] and "nonce" not in two and two["at_hash"] == at_hash(again["access_token"])
    assert claims_of(again["access_token"])["jti"] != claims_of(tokens["access_token"])["jti"]
    narrowed = refresh(partita, client, tokens, scope="email").json()
    assert "id_token" not in narrowed and narrowed["scope"] == "email"
    assert userinfo(partita, narrowed["access_token"]).status_code == 403


def test_audiences(partita, world):
    client = world["client"]
    partita.opctl("client", "change", client["client_id"], "--audience", "https://api.example")
    tokens = sign_in(partita, client, "openid", world["person"])
    assert claims_of(tokens["access_token"])["aud"] == ["https://api.example", partita.issuer]
    assert userinfo(partita, tokens["access_token"]).json()["sub"] == claims_of(tokens["id_token"])["sub"]
    tokens = sign_in(partita, client, "profile", world["person"])
    assert claims_of(tokens["access_token"])["aud"] == "https://api.example" and "id_token" not in tokens
    answer = userinfo(partita, tokens["access_token"])
    assert answer.status_code == 403 and 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


def test_userinfo_in_every_way(partita, world):
    claims = json.dumps({"userinfo": {"email": None, "nickname": None}})
    tokens = sign_in(partita, world["client"], "openid", world["person"], claims=claims)
    url, token = partita.issuer + "/userinfo", tokens["access_token"]
    expected = {"sub": claims_of(tokens["id_token"])["sub"], "email": "ann@example.org"}
    header = {"Authorization": "Bearer " + token}
    assert requests.get(url, headers=header, timeout=20).json() == expected
    assert requests.post(url, headers=header, timeout=20).json() == expected
    assert requests.post(url, data={"access_token": token}, timeout=20).json() == expected
    head = requests.head(url, headers=header, timeout=20)
    assert (head.status_code, head.content, head.headers["Cache-Control"]) == (200, b"", "no-store")


def test_client_credentials(partita):
    machine = partita.opctl("client", "add", "--name", "Machine", "--grant", "client_credentials", "--scope",
                            "openid api:read api:write", "--audience", "https://api.example", "--auth-method", "client_secret_post")
    data = {"grant_type": "client_credentials", "client_id": machine["client_id"], "client_secret": machine["client_secret"]}
    response = requests.post(partita.issuer + "/token", data=data, timeout=20)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert set(answer) == {"access_token", "token_type", "expires_in", "scope"} and answer["scope"] == "api:read api:write"
    claims = claims_of(answer["access_token"])
    assert claims["sub"] == claims["client_id"] == machine["client_id"] and claims["aud"] == "https://api.example"
    assert userinfo(partita, answer["access_token"]).status_code == 403
    for scope in ("openid", "api:read admin", 'a"b'):
        response = requests.post(partita.issuer + "/token", data={**data, "scope": scope}, timeout=20)
        assert (response.status_code, response.json()["error"]) == (400, "invalid_scope")


def test_the_operators_scopes(start_partita):
    """What Grafana, GitLab and Nextcloud need: groups."""
    partita = start_partita("--set", "all.custom_scopes=groups:groups")
    partita.add_user("ann", PASSWORD, claims=['groups=["staff","admins"]'])
    client = partita.opctl("client", "add", "--name", "Grafana", "--redirect-uri", REDIRECT_URI, "--grant", "authorization_code",
                           "--scope", "openid groups")
    client["redirect_uris"] = [REDIRECT_URI]
    tokens = sign_in(partita, client, "openid groups", Person(partita, "ann", PASSWORD))
    assert "refresh_token" not in tokens, "the client may not refresh"
    assert userinfo(partita, tokens["access_token"]).json()["groups"] == ["staff", "admins"]


# --- guesses, and browsers of other origins ---

def test_guesses_at_a_secret_are_throttled(partita):
    client, process = partita.add_client("Guessed", REDIRECT_URI), TokenProcess(partita, "client_secret_failures=3", "client_secret_failures_window=1h")
    try:
        connection = process.connect()
        form = {"grant_type": "refresh_token", "refresh_token": "x"}
        wrong = {**client, "client_secret": "wrong"}
        assert connection.post(client, **form) == (400, {"error": "invalid_grant", "error_description": "the refresh token is not one of ours"})
        for who in (wrong, {"client_id": "nobody-" + client["client_id"], "client_secret": "x"}):
            answers = [connection.post(who, **form) for _ in range(4)]
            assert [status for status, _ in answers] == [401, 401, 401, 429]
            assert [answer["error"] for _, answer in answers] == ["invalid_client"] * 3 + ["temporarily_unavailable"]
        assert connection.post(client, **form)[0] == 429, "from this address the right secret waits, too"
        assert token_request(partita, client, **form).status_code == 400, "from another it does not"
    finally:
        process.close()


@pytest.mark.parametrize("path, method", [("/token", "POST"), ("/userinfo", "GET"), ("/revoke", "POST")])
def test_browsers_of_other_origins(partita, path, method):
    def ask(verb, origin, **more):
        answer = requests.request(verb, partita.issuer + path, headers={"Origin": origin, **more}, timeout=20)
        assert "Access-Control-Allow-Credentials" not in answer.headers and "Origin" in answer.headers["Vary"]
        return answer
    partita.add_client("Browser", "https://spa.example/cb", "--public")
    preflight = ask("OPTIONS", "https://spa.example", **{"Access-Control-Request-Method": method, "Access-Control-Request-Headers": "authorization"})
    assert preflight.status_code == 204 and preflight.headers["Access-Control-Allow-Origin"] == "https://spa.example"
    assert method in preflight.headers["Access-Control-Allow-Methods"] and "uthorization" in preflight.headers["Access-Control-Allow-Headers"]
    answer = ask(method, "https://spa.example")
    assert answer.headers["Access-Control-Allow-Origin"] == "https://spa.example"
    assert "WWW-Authenticate" in answer.headers.get("Access-Control-Expose-Headers", "")
    for stranger in ("https://evil.example", "https://spa.example.evil.example", "http://spa.example", "null"):
        assert "Access-Control-Allow-Origin" not in ask(method, stranger).headers
        assert "Access-Control-Allow-Origin" not in ask("OPTIONS", stranger, **{"Access-Control-Request-Method": method}).headers
