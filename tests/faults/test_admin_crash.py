"""op-management is killed between the commits of a change that the administration API makes: what takes power away has come
first, and the same call once more completes it."""
import json
import secrets

import pytest
import requests

from administration import Desk
from person import Person, sign_in
from token_process import OwnProcess

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def desk(partita):
    return Desk(partita)


@pytest.fixture
def user(partita, desk):
    """Somebody who is signed in."""
    name = "crash-" + secrets.token_hex(6)
    made = desk.ok("POST", "/users", {"username": name, "password": PASSWORD}, 201).json()
    made["path"] = "/users/" + made["user_id"]
    made["tokens"] = sign_in(partita, partita.info["client"], "openid offline_access", Person(partita, name, PASSWORD))
    return made


def is_alive(partita, tokens):
    answer = requests.get(partita.issuer + "/userinfo", headers={"Authorization": "Bearer " + tokens["access_token"]},
                          verify=partita.verify, timeout=30)
    assert answer.status_code in (200, 401), answer.text
    return answer.status_code == 200


def call_and_kill(partita, desk, function, method, path, body=""):
    """The call, of a process of its own that is killed with -9 where it reaches the function."""
    process = OwnProcess(partita, "op-management", wrap=[
        "gdb", "-q", "-nx", "-batch", "-iex", "set debuginfod enabled off", "-ex", "break " + function, "-ex", "run", "-ex", "kill", "--args"])
    try:
        connection = process.connect()
        connection.send(f"{method} /admin/v1{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {desk.token}\r\nIf-Match: *\r\n"
                        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        with pytest.raises(ConnectionError):
            connection.answer()
        process.process.wait(30)
        assert f"{function} (" in process.log() and "killed" in process.log(), process.log()
    finally:
        process.close()


@pytest.mark.parametrize("function", ["delete_password", "revoke_families", "delete_user"])
def test_a_removal_that_is_cut_short_is_done_again(partita, desk, user, function):
    assert is_alive(partita, user["tokens"])
    call_and_kill(partita, desk, function, "DELETE", user["path"])
    left = desk.get(user["path"]).json()
    assert left["state"] == "disabled" and left["has_password"] == (function == "delete_password")
    assert not is_alive(partita, user["tokens"])
    desk.remove(user["path"])
    assert desk.get(user["path"]).status_code == 404


def test_a_password_that_is_cut_short_leaves_nobody_signed_in(partita, desk, user):
    call_and_kill(partita, desk, "put_password", "PATCH", user["path"], json.dumps({"password": "another horse"}))
    assert not is_alive(partita, user["tokens"])
    assert sign_in(partita, partita.info["client"], "openid", Person(partita, user["username"], PASSWORD))["access_token"]
    desk.change(user["path"], {"password": "another horse"})
    assert sign_in(partita, partita.info["client"], "openid", Person(partita, user["username"], "another horse"))["access_token"]
