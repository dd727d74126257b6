"""What opctl takes away is refused on the very next request, by each process that holds parsed records in memory."""
import time

import pytest
import requests

from person import Person, sign_in
from token_process import REDIRECT_URI, TokenProcess


@pytest.fixture(scope="module")
def connections(partita):
    """To two op-token processes of our own, so that each can be asked."""
    processes = [TokenProcess(partita) for _ in range(2)]
    made = [process.connect() for process in processes]
    yield made
    for connection, process in zip(made, processes):
        connection.close()
        process.close()


class SignedIn:
    """A new person at a new client, with tokens that all work, everywhere."""

    def __init__(self, partita, connections, name, scope="openid profile"):
        self.partita, self.connections, self.name = partita, connections, name
        self.client = partita.add_client("Client of " + name, REDIRECT_URI)
        self.client.setdefault("redirect_uris", [REDIRECT_URI])
        partita.add_user(name, claims=["name=Somebody"])
        self.person = Person(partita, name, "correct horse battery")
        self.tokens = sign_in(partita, self.client, scope, self.person)
        assert self.userinfo() == (200, None)
        assert self.refreshes() == [(200, None)] * 2
        assert self.introspection() is True

    def userinfo(self):
        response = requests.get(self.partita.issuer + "/userinfo", timeout=30, verify=self.partita.verify,
                                headers={"Authorization": "Bearer " + self.tokens["access_token"]})
        challenge = response.headers.get("WWW-Authenticate", "")
        return response.status_code, challenge.split('error="')[1].split('"')[0] if challenge else None

    def refreshes(self):
        """(status, error) of each op-token process."""
        answers = [connection.post(self.client, grant_type="refresh_token", refresh_token=self.tokens["refresh_token"])
                   for connection in self.connections]
        return [(status, answer.get("error")) for status, answer in answers]

    def introspection(self):
        """What the client hears of its own access token: active or not; None where it is refused itself."""
        response = requests.post(self.partita.issuer + "/introspect", data={"token": self.tokens["access_token"]}, timeout=30,
                                 auth=(self.client["client_id"], self.client["client_secret"]), verify=self.partita.verify)
        return response.json()["active"] if response.status_code == 200 else None

    def sessions(self):
        user_id = self.partita.opctl("user", "show", self.name)["user_id"]
        return [session["sid"] for session in self.partita.opctl("session", "list") if session["user_id"] == user_id]

    def families(self):
        return [family["family"] for family in self.partita.opctl("family", "list", "--client", self.client["client_id"])]

    def is_dead(self, refresh=(400, "invalid_grant")):
        assert self.userinfo() == (401, "invalid_token")
        assert self.refreshes() == [refresh] * 2
        assert self.introspection() is (None if refresh[0] == 401 else False)


@pytest.mark.parametrize("scope", ["openid profile", "openid profile offline_access"])
def test_a_disabled_user(partita, connections, scope):
    here = SignedIn(partita, connections, f"disabled{len(scope)}", scope)
    partita.opctl("user", "disable", here.name)
    here.is_dead()
    partita.opctl("user", "enable", here.name)
    here.is_dead()
    time.sleep(1)
    assert sign_in(partita, here.client, scope, Person(partita, here.name, "correct horse battery"))


def test_a_removed_user(partita, connections):
    here = SignedIn(partita, connections, "removed")
    partita.opctl("user", "remove", here.name)
    here.is_dead()


def test_another_password(partita, connections):
    here = SignedIn(partita, connections, "forgetful", "openid offline_access")
    partita.opctl("user", "password", here.name, secret="another horse battery\n")
    here.is_dead()


def test_a_disabled_client(partita, connections):
    here = SignedIn(partita, connections, "client-off", "openid offline_access")
    partita.opctl("client", "disable", here.client["client_id"])
    here.is_dead((401, "invalid_client"))
    partita.opctl("client", "enable", here.client["client_id"])
    here.is_dead()


def test_a_removed_client(partita, connections):
    here = SignedIn(partita, connections, "client-gone")
    partita.opctl("client", "remove", here.client["client_id"])
    here.is_dead((401, "invalid_client"))


def test_another_client_secret(partita, connections):
    here = SignedIn(partita, connections, "client-secret")
    secret = partita.opctl("client", "secret", here.client["client_id"])["client_secret"]
    assert here.refreshes() == [(401, "invalid_client")] * 2
    assert here.userinfo() == (200, None)
    here.client["client_secret"] = secret
    assert here.refreshes() == [(200, None)] * 2


def test_an_ended_session(partita, connections):
    here = SignedIn(partita, connections, "session-over")
    partita.opctl("session", "end", *here.sessions())
    here.is_dead()


def test_an_ended_session_leaves_offline_access(partita, connections):
    here = SignedIn(partita, connections, "session-over-offline", "openid offline_access")
    partita.opctl("session", "end", *here.sessions())
    assert here.userinfo() == (200, None)
    assert here.refreshes() == [(200, None)] * 2


def test_a_withdrawn_consent(partita, connections):
    here = SignedIn(partita, connections, "withdrawn", "openid offline_access")
    partita.opctl("consent", "withdraw", here.name, here.client["client_id"])
    here.is_dead()


def test_a_revoked_family(partita, connections):
    here = SignedIn(partita, connections, "revoked", "openid offline_access")
    partita.opctl("family", "revoke", *here.families())
    here.is_dead()


def test_changed_claims(partita, connections):
    here = SignedIn(partita, connections, "renamed")
    partita.opctl("user", "change", here.name, "--claim", "name=Somebody Else")
    response = requests.get(partita.issuer + "/userinfo", timeout=30, verify=partita.verify,
                            headers={"Authorization": "Bearer " + here.tokens["access_token"]})
    assert response.json()["name"] == "Somebody Else"
