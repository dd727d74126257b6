"""The administration API (/admin/v1/) by real servers: who may, and accounts."""
import pytest
import requests

from administration import Desk

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def desk(partita):
    return Desk(partita)


def test_an_account_is_added_shown_changed_and_removed(partita, desk):
    made = desk.ok("POST", "/users", {"username": "adele", "password": PASSWORD, "claims": {"name": "Adele", "email": "a@example.org"}}, 201)
    user = made.json()
    assert user["username"] == "adele" and user["state"] == "enabled" and user["has_password"] is True
    assert user["claims"] == {"name": "Adele", "email": "a@example.org"}
    path = "/users/" + user["user_id"]
    assert made.headers["Location"] == desk.root + path and made.headers["ETag"] == '"1"'
    shown = desk.ok("GET", path)
    assert shown.json() == user and shown.headers["ETag"] == '"1"'
    assert desk.get(path, headers={"If-None-Match": '"1"'}).status_code == 304
    changed = desk.change(path, {"username": "Adela", "claims": {"email": None, "address": {"country": "DE"}}}, '"1"')
    assert changed.headers["ETag"] == '"2"' and changed.json()["claims"] == {"name": "Adele", "address": {"country": "DE"}}
    assert partita.opctl("user", "show", "adela")["claims"] == changed.json()["claims"]
    assert desk.ok("GET", "/users?username=ADELA").json()["items"] == [changed.json()]
    desk.remove(path, '"2"')
    assert desk.get(path).status_code == 404 and desk.ok("GET", "/users?username=adela").json() == {"items": []}
