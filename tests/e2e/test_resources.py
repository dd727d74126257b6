"""Resource indicators (RFC 8707) by real servers: pushed to one op-auth, authorized at the other, tokens for what was named."""
import pytest
import requests

from person import request_for
from pushing import Pair, pushed, redeem, session
from test_device import Device, approve, new_device_client
from test_tokens import claims_of, refresh, userinfo
from token_process import OwnProcess
from visitor import CALLBACK, Visitor, new_client, new_user

A, B, C = "https://a.example/", "https://b.example/api?tenant=7", "urn:example:c"
NAMED = ("--resource", A, "--resource", B, "--resource", C)


@pytest.fixture(scope="module")
def auths(partita):
    """Two op-auth processes over the installation's environments."""
    processes = [OwnProcess(partita, "op-auth") for _ in range(2)]
    yield [At(partita, process) for process in processes]
    for process in processes:
        process.close()


class At:
    """What Visitor and push need to reach one process."""

    def __init__(self, partita, process):
        self.issuer, self.verify, self.info, self.socket = partita.issuer, partita.verify, partita.info, process.path


@pytest.fixture
def person(partita):
    return new_user(partita)


def audience(tokens):
    """Of the access token, as a set; the ID token is always for the client alone."""
    claims = claims_of(tokens["access_token"])
    if "id_token" in tokens:
        assert claims_of(tokens["id_token"])["aud"] == claims["client_id"]
    return {claims["aud"]} if isinstance(claims["aud"], str) else set(claims["aud"])


def code_for(auths, client, person, scope="profile offline_access", **more):
    """Pushed to one, authorized at the other: (code, verifier)."""
    one, other = auths
    reference, request, verifier = pushed(one, client, scope, **more)
    visitor = Visitor(other, person)
    seen = visitor.go_on(visitor.get("/authorize", **reference))
    assert seen.kind == "code" and seen.answer["state"] == request["state"]
    return seen.answer["code"], verifier


def test_what_was_named_is_the_audience(partita, auths, person):
    client = new_client(partita, *NAMED, "--audience", "https://default.example")
    code, verifier = code_for(auths, client, person, resource=[A, C])
    tokens = redeem(partita, client, verifier, code).json()
    assert audience(tokens) == {A, C}
    assert audience(refresh(partita, client, tokens).json()) == {A, C}
    code, verifier = code_for(auths, client, person, resource=B)
    assert claims_of(redeem(partita, client, verifier, code).json()["access_token"])["aud"] == B
    code, verifier = code_for(auths, client, person)
    assert audience(redeem(partita, client, verifier, code).json()) == {"https://default.example"}, "none: the default"


def test_without_pushing(partita, person):
    client, visitor = new_client(partita, *NAMED), Visitor(partita, person)
    assert audience(visitor.tokens(client, "profile", resource=[A, B])) == {A, B}
    seen = visitor.go_on(visitor.ask(client, method="POST", scope="profile", resource=A))
    assert claims_of(redeem(partita, client, visitor.verifier, seen.answer["code"]).json()["access_token"])["aud"] == A


def test_openid_keeps_userinfo(partita, auths, person):
    """The issuer stands beside the resources, for its own endpoint, while openid is among the scopes."""
    client = new_client(partita, *NAMED)
    code, verifier = code_for(auths, client, person, "openid profile offline_access", resource=[A, B])
    tokens = redeem(partita, client, verifier, code, resource=A).json()
    assert audience(tokens) == {A, partita.issuer} and userinfo(partita, tokens["access_token"]).status_code == 200
    narrowed = refresh(partita, client, tokens, resource=B, scope="profile").json()
    assert audience(narrowed) == {B} and userinfo(partita, narrowed["access_token"]).status_code == 403


def test_a_subset_at_the_token_endpoint(partita, auths, person):
    """The access token is for those that were named, the refresh token stays bound to all (§2.2)."""
    client = new_client(partita, *NAMED)
    code, verifier = code_for(auths, client, person, resource=[A, B])
    tokens = redeem(partita, client, verifier, code, resource=A).json()
    assert audience(tokens) == {A}
    assert audience(refresh(partita, client, tokens, resource=B).json()) == {B}
    assert audience(refresh(partita, client, tokens, resource=[A, B, A]).json()) == {A, B}
    assert audience(refresh(partita, client, tokens).json()) == {A, B}, "none: all that was granted"


@pytest.mark.parametrize("resource", [C, "https://a.example", A + "x", "a.example", A + "#f", [A, C]], ids=str)
def test_no_more_than_was_granted(partita, auths, person, resource):
    """C is registered, too, but was not granted. Nothing is spent by asking."""
    client = new_client(partita, *NAMED)
    code, verifier = code_for(auths, client, person, resource=[A, B])
    answer = redeem(partita, client, verifier, code, resource=resource)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_target") and answer.json()["error_description"]
    tokens = redeem(partita, client, verifier, code)
    assert tokens.status_code == 200 and audience(tokens.json()) == {A, B}
    answer = refresh(partita, client, tokens.json(), resource=resource)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_target")
    assert refresh(partita, client, tokens.json()).status_code == 200


@pytest.mark.parametrize("resource", ["https://unknown.example/", A + "#f", "a.example", [A, "https://unknown.example/"]], ids=str)
def test_what_is_not_registered(partita, auths, resource):
    client = new_client(partita, "--resource", A)
    request, _ = request_for(client["client_id"], CALLBACK, resource=resource)
    answer = session(partita).post(partita.issuer + "/as/par", data=request, auth=(client["client_id"], client["client_secret"]), timeout=20)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_target")
    seen = Visitor(partita).get("/authorize", **request)
    assert seen.kind == "invalid_target" and seen.answer["state"] == request["state"] and seen.answer["error_description"]


def test_a_grant_without_resources_is_for_the_default(partita, person):
    client = new_client(partita, *NAMED, "--audience", A)
    tokens = Visitor(partita, person).tokens(client, "profile offline_access")
    assert audience(refresh(partita, client, tokens, resource=A).json()) == {A}
    assert refresh(partita, client, tokens, resource=B).json()["error"] == "invalid_target"


def test_a_refresh_that_rotates_is_not_spent_by_a_wrong_resource(partita, person):
    client = new_client(partita, *NAMED, "--public")
    tokens = Visitor(partita, person).tokens(client, "profile offline_access", resource=[A, B])
    assert refresh(partita, client, tokens, resource=C).json()["error"] == "invalid_target"
    first, second = refresh(partita, client, tokens, resource=A).json(), refresh(partita, client, tokens, resource=B).json()
    assert first["refresh_token"] == second["refresh_token"] != tokens["refresh_token"]
    assert (audience(first), audience(second)) == ({A}, {B})
    assert audience(refresh(partita, client, second).json()) == {A, B}


def test_client_credentials(partita):
    machine = partita.opctl("client", "add", "--name", "Machine", "--grant", "client_credentials", "--scope", "api:read", "--audience",
                            "https://default.example", *NAMED)

    def ask(**more):
        return requests.post(partita.issuer + "/token", data={"grant_type": "client_credentials", **more}, timeout=20,
                             auth=(machine["client_id"], machine["client_secret"]))
    assert audience(ask().json()) == {"https://default.example"}
    assert audience(ask(resource=[B, C]).json()) == {B, C}
    for wrong in ("https://default.example", "https://unknown.example", A + "#f", "x"):
        assert (ask(resource=wrong).status_code, ask(resource=wrong).json()["error"]) == (400, "invalid_target")
    partita.opctl("client", "change", machine["client_id"], "--clear", "resource")
    assert ask(resource=A).json()["error"] == "invalid_target", "on the next request"


def test_devices(partita, person):
    client, visitor = new_device_client(partita, *NAMED, "--audience", A), Visitor(partita, person)
    device = Device(partita, client, "profile")
    approve(visitor, device)
    for wrong in (B, "https://unknown.example/", A + "#f"):
        assert device.poll(resource=wrong) == "invalid_target"
    tokens = device.poll(resource=A)
    assert audience(tokens) == {A}
    assert device.refresh(tokens).status_code == 200


def test_introspection_by_the_resource_server(partita, person):
    """A resource server sees the tokens that name it, and no others."""
    client = new_client(partita, *NAMED)
    server = partita.opctl("client", "add", "--name", "API", "--grant", "client_credentials", "--introspection", "yes", "--audience", A)
    tokens = Visitor(partita, person).tokens(client, "profile offline_access", resource=[A, B])

    def ask(token):
        return requests.post(partita.issuer + "/introspect", data={"token": token}, auth=(server["client_id"], server["client_secret"]), timeout=20).json()
    assert ask(tokens["access_token"])["active"] is True and set(ask(tokens["access_token"])["aud"]) == {A, B}
    assert ask(refresh(partita, client, tokens, resource=B).json()["access_token"]) == {"active": False}


def test_over_a_home_of_two(partita):
    """The same where nothing but the environments is shared: processes of a home of their own."""
    pair = Pair()
    try:
        pair.home.start("op-discovery").wait_ready()
        token = pair.home.start("op-token").wait_ready()
        client = pair.client(*NAMED)
        reference, _, verifier = pushed(pair.one, client, "profile", resource=[B, A])
        visitor = Visitor(pair.two, "ann")
        code = visitor.go_on(visitor.get("/authorize", **reference)).answer["code"]
        pair.socket, pair.issuer, pair.verify = token.path, pair.one.issuer, True
        assert claims_of(redeem(pair, client, verifier, code).json()["access_token"])["aud"] == [B, A]
    finally:
        pair.close()
