"""Requests of clients, by the front door of an installation."""
import requests

from person import token_request


def as_client(client):
    return (client["client_id"], client["client_secret"]) if client.get("client_secret") else None


def userinfo(mixed, tokens):
    return requests.get(mixed.issuer + "/userinfo", headers={"Authorization": "Bearer " + tokens["access_token"]}, timeout=30)


def ask(mixed, path, client, **form):
    """POST by the client."""
    return requests.post(mixed.issuer + path, data=form, auth=as_client(client), timeout=30)


def introspect(mixed, token, client=None):
    return ask(mixed, "/introspect", client or mixed.info["client"], token=token)


def revoke(mixed, token, client=None):
    return ask(mixed, "/revoke", client or mixed.info["client"], token=token)


def refresh(mixed, client, tokens):
    return token_request(mixed, client, grant_type="refresh_token", refresh_token=tokens["refresh_token"])


def is_good(mixed, tokens):
    """The access token is served. Returns its claims."""
    answer = userinfo(mixed, tokens)
    assert answer.status_code == 200 and answer.json()["sub"], answer.text
    return answer.json()


def refreshed(mixed, client, tokens):
    """The new tokens, which are good."""
    answer = refresh(mixed, client, tokens)
    assert answer.status_code == 200, answer.text
    is_good(mixed, answer.json())
    return answer.json()


def is_active(mixed, token, client=None):
    answer = introspect(mixed, token, client)
    assert answer.status_code == 200, answer.text
    assert answer.json()["active"] or answer.json() == {"active": False}
    return answer.json()["active"]


def is_dead(mixed, client, tokens):
    """Both tokens, everywhere; client is the one that may introspect them, and their own."""
    assert not is_active(mixed, tokens["access_token"], client) and not is_active(mixed, tokens["refresh_token"], client)
    assert userinfo(mixed, tokens).status_code == 401
    answer = refresh(mixed, client, tokens)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
