"""Pushed authorization requests that must be refused, and references to them that lead nowhere: each with the exact status
and error, and none of them stored or used up."""
from urllib.parse import quote, urlencode

import pytest
import requests

from person import Person, pkce, request_for
from pushing import PREFIX
from test_hostile import AS, CALLBACK, LONG, basic, fill, ids, post, refused_client

CHALLENGE = pkce()[1]
GOOD = "response_type=code&client_id={cid}&redirect_uri={cb}&scope=openid&state=s1&code_challenge={ch}&code_challenge_method=S256"
PUBLIC = GOOD.replace("{cid}", "{pub}")
RT = "response_type=code&"
PKCE = "&code_challenge={ch}&code_challenge_method=S256"

# (name, headers or AS, query, body, status, error)
PUSHED = [
    ("no body", AS, "", "", 400, "invalid_request"),
    ("a request in the URL", AS, GOOD, "", 400, "invalid_request"),
    ("a part of it in the URL", AS, "state=s2", GOOD, 400, "invalid_request"),
    ("JSON", {"Content-Type": "application/json"}, "", '{"client_id":"{cid}"}', 400, "invalid_request"),
    ("no content type", {"Content-Type": ""}, "", GOOD, 400, "invalid_request"),
    ("multipart", {"Content-Type": "multipart/form-data; boundary=x"}, "", "--x--", 400, "invalid_request"),
    ("a bad percent escape", AS, "", GOOD + "&x=%zz", 400, "invalid_request"),
    ("NUL", AS, "", GOOD + "&x=%00", 400, "invalid_request"),
    ("not UTF-8", AS, "", GOOD + "&x=%ff", 400, "invalid_request"),
    ("a body too large", AS, "", GOOD + "&x=" + "a" * 17000, 413, "invalid_request"),
    ("too many parameters", AS, "", GOOD + "".join(f"&p{i}=1" for i in range(100)), 400, "invalid_request"),
    ("no client", {}, "", GOOD.replace("client_id={cid}&", ""), 401, "invalid_client"),
    ("a confidential client without its secret", {}, "", GOOD, 401, "invalid_client"),
    ("a wrong secret", "wrong", "", GOOD, 401, "invalid_client"),
    ("a disabled client", "disabled", "", GOOD.replace("{cid}", "{disabled}"), 401, "invalid_client"),
    ("another client's request", "other", "", GOOD, 400, "invalid_request"),
    ("a public client's request, by another", AS, "", PUBLIC, 400, "invalid_request"),
    ("no client_id", AS, "", GOOD.replace("client_id={cid}&", ""), 400, "invalid_request"),
    ("client_id twice", AS, "", GOOD + "&client_id={cid}", 400, "invalid_request"),
    ("request_uri", AS, "", GOOD + "&request_uri=" + PREFIX + "x", 400, "invalid_request"),
    ("request_uri alone", AS, "", "client_id={cid}&request_uri=" + PREFIX + "x", 400, "invalid_request"),
    ("an empty request_uri", AS, "", GOOD + "&request_uri=", 400, "invalid_request"),
    ("request_uri of the web", AS, "", GOOD + "&request_uri=https%3A%2F%2Fevil.example%2Fr", 400, "invalid_request"),
    ("a request object", AS, "", GOOD + "&request=eyJhbGciOiJub25lIn0.e30.", 400, "request_not_supported"),
    ("registration", AS, "", GOOD + "&registration=%7B%7D", 400, "registration_not_supported"),
    ("no redirect_uri", AS, "", GOOD.replace("redirect_uri={cb}&", ""), 400, "invalid_request"),
    ("redirect_uri twice", AS, "", GOOD + "&redirect_uri={cb}", 400, "invalid_request"),
    ("redirect_uri of somebody else", AS, "", GOOD.replace("{cb}", "https%3A%2F%2Fevil.example%2F"), 400, "invalid_request"),
    ("redirect_uri of another client", AS, "", GOOD.replace("{cb}", "https%3A%2F%2Fother.example%2Fcb"), 400, "invalid_request"),
    ("redirect_uri with a fragment", AS, "", GOOD.replace("{cb}", "{cb}%23f"), 400, "invalid_request"),
    ("redirect_uri javascript:", AS, "", GOOD.replace("{cb}", "javascript%3Aalert(1)"), 400, "invalid_request"),
    ("redirect_uri too long", AS, "", GOOD.replace("{cb}", "{cb}{long}"), 400, "invalid_request"),
    ("no response_type", AS, "", GOOD.replace(RT, ""), 400, "invalid_request"),
    ("response_type twice", AS, "", GOOD + "&response_type=code", 400, "invalid_request"),
    ("response_type token", AS, "", GOOD.replace(RT, "response_type=token&"), 400, "unsupported_response_type"),
    ("response_type code id_token", AS, "", GOOD.replace(RT, "response_type=code+id_token&"), 400, "unsupported_response_type"),
    ("a client without codes", "machine", "", GOOD.replace("{cid}", "{machine}"), 400, "invalid_request"),
    ("a response_mode of our own", AS, "", GOOD + "&response_mode=pigeon", 400, "invalid_request"),
    ("no scope", AS, "", GOOD.replace("scope=openid&", ""), 400, "invalid_scope"),
    ("scope with a quote", AS, "", GOOD.replace("scope=openid", "scope=openid+%22x"), 400, "invalid_scope"),
    ("scope that is not registered", AS, "", GOOD.replace("scope=openid", "scope=openid+address"), 400, "invalid_scope"),
    ("scope that nobody knows", AS, "", GOOD.replace("scope=openid", "scope=admin"), 400, "invalid_scope"),
    ("scope too long", AS, "", GOOD.replace("scope=openid", "scope={long}"), 400, "invalid_request"),
    ("state with a control byte", AS, "", GOOD.replace("state=s1", "state=%07"), 400, "invalid_request"),
    ("state too long", AS, "", GOOD.replace("state=s1", "state={long}"), 400, "invalid_request"),
    ("nonce twice", AS, "", GOOD + "&nonce=a&nonce=a", 400, "invalid_request"),
    ("a prompt of our own", AS, "", GOOD + "&prompt=dance", 400, "invalid_request"),
    ("prompt none with another", AS, "", GOOD + "&prompt=none+login", 400, "invalid_request"),
    ("max_age negative", AS, "", GOOD + "&max_age=-1", 400, "invalid_request"),
    ("max_age too large", AS, "", GOOD + "&max_age=99999999999999999999", 400, "invalid_request"),
    ("claims no JSON", AS, "", GOOD + "&claims=%7B", 400, "invalid_request"),
    ("claims an array", AS, "", GOOD + "&claims=%5B%5D", 400, "invalid_request"),
    ("claims with a key twice", AS, "", GOOD + "&claims=%7B%22id_token%22%3A%7B%7D%2C%22id_token%22%3A%7B%7D%7D", 400, "invalid_request"),
    ("a resource that is not registered", AS, "", GOOD + "&resource=https%3A%2F%2Fevil.example%2F", 400, "invalid_target"),
    ("a resource with a fragment", AS, "", GOOD + "&resource=https%3A%2F%2Fapi.example%2F%23x", 400, "invalid_target"),
    ("a hint that is rubbish", AS, "", GOOD + "&id_token_hint=x.y.z", 400, "invalid_request"),
    ("a hint with alg none", AS, "", GOOD + "&id_token_hint=eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.", 400, "invalid_request"),
    ("a public client without PKCE", {}, "", PUBLIC.replace(PKCE, ""), 400, "invalid_request"),
    ("PKCE plain", {}, "", PUBLIC.replace("S256", "plain"), 400, "invalid_request"),
    ("PKCE plain by default", {}, "", PUBLIC.replace("&code_challenge_method=S256", ""), 400, "invalid_request"),
    ("PKCE challenge too short", {}, "", PUBLIC.replace("{ch}", "abc"), 400, "invalid_request"),
    ("PKCE method without a challenge", AS, "", GOOD.replace("&code_challenge={ch}", ""), 400, "invalid_request"),
]


@pytest.fixture(scope="module")
def world(partita):
    """What the rows refer to by {name}."""
    client = partita.add_client("Pushes", CALLBACK)
    partita.opctl("client", "change", client["client_id"], "--scope", "openid profile")
    other = partita.add_client("Other", "https://other.example/cb")
    public = partita.add_client("Public", CALLBACK, "--public")
    disabled = partita.add_client("Disabled", CALLBACK)
    machine = partita.opctl("client", "add", "--name", "Machine", "--grant", "client_credentials")
    partita.opctl("client", "disable", disabled["client_id"])
    return {"partita": partita, "cid": client["client_id"], "secret": client["client_secret"], "other": other["client_id"],
            "other_secret": other["client_secret"], "pub": public["client_id"], "disabled": disabled["client_id"],
            "disabled_secret": disabled["client_secret"], "machine": machine["client_id"], "machine_secret": machine["client_secret"],
            "cb": quote(CALLBACK, safe=""), "ch": CHALLENGE, "long": LONG, "rt": "not used here"}


@pytest.mark.parametrize("row", PUSHED, ids=ids(PUSHED))
def test_pushing(world, row):
    _, who, query, body, status, error = row
    if who == "machine":
        who = basic(world["machine"], world["machine_secret"])
    answer = post(world, "/as/par" + ("?" + fill(query, world) if query else ""), who, body)
    refused_client(world, answer, status, error)
    assert "request_uri" not in answer.json() and "evil.example" not in answer.text and LONG not in answer.text


def test_the_same_requests_without_their_fault_are_taken(world):
    assert post(world, "/as/par", AS, GOOD).status_code == 201 and post(world, "/as/par", {}, PUBLIC).status_code == 201


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
def test_methods(world, method):
    answer = requests.request(method, world["partita"].issuer + "/as/par", timeout=20)
    assert answer.status_code == 405 and "POST" in answer.headers["Allow"]


def test_paths(world):
    for path in ("/as/par/", "/as/par/x", "/as", "/as/"):
        assert post(world, path, AS, GOOD).status_code == 404


# Where a reference leads nowhere: (name, query of /authorize, words on the page)
REFERENCES = [
    ("nobody's", "client_id={cid}&request_uri=" + PREFIX + "x" * 43, "invalid_request_uri"),
    ("an empty one", "client_id={cid}&request_uri=" + PREFIX, "invalid_request_uri"),
    ("too long", "client_id={cid}&request_uri={uri}{long}", "invalid_request"),
    ("cut short", "client_id={cid}&request_uri={cut}", "invalid_request_uri"),
    ("a character more", "client_id={cid}&request_uri={uri}A", "invalid_request_uri"),
    ("another client's", "client_id={other}&request_uri={uri}", "invalid_request_uri"),
    ("another client's, who is public", "client_id={pub}&request_uri={uri}", "invalid_request_uri"),
    ("a disabled client's", "client_id={disabled}&request_uri={uri}", "invalid_request_uri"),
    ("of an unknown client", "client_id=nobody&request_uri={uri}", "invalid_request_uri"),
    ("without client_id", "request_uri={uri}", "invalid_request"),
    ("client_id twice", "client_id={cid}&client_id={cid}&request_uri={uri}", "invalid_request"),
    ("twice", "client_id={cid}&request_uri={uri}&request_uri={uri}", "invalid_request"),
    ("two of them", "client_id={cid}&request_uri={uri}&request_uri=" + PREFIX + "x", "invalid_request"),
    ("with one of the web", "client_id={cid}&request_uri=https%3A%2F%2Fevil.example&request_uri={uri}", "invalid_request"),
    ("with a request object", "client_id={cid}&request_uri={uri}&request=eyJhbGciOiJub25lIn0.e30.", "invalid_request"),
    ("with a control byte", "client_id={cid}&request_uri={uri}%01", "invalid_request"),
    ("with NUL", "client_id={cid}&request_uri={uri}%00", "invalid_request"),
]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_references(world, method):
    """A page for the person, who is sent nowhere; and the request is there afterwards as it was before."""
    request, verifier = request_for(world["cid"], CALLBACK)
    uri = post(world, "/as/par", AS, urlencode(request)).json()["request_uri"]
    here = {**world, "uri": uri, "cut": uri[:-1]}
    for name, query, words in REFERENCES:
        text = fill(query, here)
        url, sent = world["partita"].issuer + "/authorize", {"Content-Type": "application/x-www-form-urlencoded"}
        answer = (requests.get(url + "?" + text, allow_redirects=False, timeout=20) if method == "GET" else
                  requests.post(url, data=text, headers=sent, allow_redirects=False, timeout=20))
        assert (name, answer.status_code, answer.headers.get("Location")) == (name, 400, None)
        assert words in answer.text and "evil.example" not in answer.text, name
    code = Person(world["partita"]).authorize({"client_id": world["cid"], "request_uri": uri})["code"]
    body = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": verifier}
    assert post(world, "/token", "other", body).json()["error"] == "invalid_grant"
    assert post(world, "/token", AS, body).status_code == 200
