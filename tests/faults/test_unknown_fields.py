"""What a newer version wrote beside what this one knows survives whatever the servers and opctl do: a field that nobody
knows is planted in every record and in every message within, and is looked for after each kind of change."""
import pytest
import requests

from administration import Desk
from person import Person, request_for, sign_in, token_request
from registration import CALLBACK, METADATA, Registrar
from server_process import wait_until
from test_device import Device, approve, new_device_client
from versions import tool
from visitor import PASSWORD, Visitor, new_user

NEW = "a much better password"


def look(partita):
    """{(table, key): (digest, {field: (planted, messages)})}"""
    found = {}
    for line in tool((partita.info["state_dir"], partita.info["runtime_dir"]), "unknown", "list").splitlines():
        table, key, digest, *fields = line.split(" ")
        counts = {name: tuple(map(int, count.split("/"))) for name, count in (field.split("=") for field in fields)}
        found[table, key] = digest, counts
    return found


def of(seen, table):
    return {key: value for (name, key), value in seen.items() if name == table}


class World:
    """Records of every kind that a person, clients and devices leave."""

    def __init__(self, partita):
        self.partita, self.name = partita, new_user(partita, "name=Ann Example", 'address={"country":"DE"}')
        self.user_id = partita.opctl("user", "show", self.name)["user_id"]
        self.client, self.other = (partita.add_client(name, CALLBACK, "--rotate", "yes") | {"redirect_uris": [CALLBACK]} for name in ("One", "Other"))
        self.registrar = Registrar(partita, partita.opctl("registration-token", "add", "--uses", "5")["initial_access_token"])
        self.registered = self.registrar.register()
        self.person, self.visitor = Person(partita, self.name, PASSWORD), Visitor(partita, self.name)
        self.tokens = sign_in(partita, self.client, "openid offline_access", self.person)
        request, self.verifier = request_for(self.client["client_id"], CALLBACK, "openid offline_access")
        self.code = self.person.authorize(request)["code"]
        television = new_device_client(partita)
        self.pending, self.approved = Device(partita, television), Device(partita, television)
        approve(self.visitor, self.approved)
        tool((partita.info["state_dir"], partita.info["runtime_dir"]), "unknown", "plant")


@pytest.fixture(scope="module", name="world")
def fixture_world(own):
    return World(own)


class Watch:
    """What stood before a change, and how it stands after."""

    def __init__(self, partita):
        self.partita, self.before = partita, look(partita)

    def kept(self, *tables):
        """Whatever is still there has what was planted, in it and within; of these tables something changed."""
        after = look(self.partita)
        for place, (_, counts) in self.before.items():
            for field, (planted, _) in counts.items() if place in after else ():
                assert after[place][1].get(field, (0, 0))[0] >= planted, f"{place}: {field} was built anew"
        for table in tables:
            changed = [key for key, (digest, counts) in of(self.before, table).items()
                       if counts["itself"][0] and (table, key) in after and after[table, key][0] != digest]
            assert changed, f"no record of {table} was changed: the test proves nothing"
        return after

    def came(self, table, after):
        """The counts of the one record that is new."""
        (_, counts), = [value for key, value in of(after, table).items() if key not in of(self.before, table)]
        return counts


def test_a_code_is_redeemed_into_a_family(own, world):
    watch = Watch(own)
    answer = token_request(own, world.client, world.verifier, grant_type="authorization_code", code=world.code, redirect_uri=CALLBACK)
    assert answer.status_code == 200, answer.text
    assert watch.came("families", watch.kept())["grant"] == (1, 1), "the grant moves as it is"


def test_a_refresh_token_is_used(own, world):
    watch = Watch(own)
    for _ in range(2):
        answer = token_request(own, world.client, grant_type="refresh_token", refresh_token=world.tokens["refresh_token"])
        assert answer.status_code == 200, answer.text
        world.tokens = answer.json()
    watch.kept("families")


def test_a_device_polls_is_approved_and_redeems(own, world):
    watch = Watch(own)
    assert world.pending.poll() in ("authorization_pending", "slow_down")
    watch.kept("device_requests")
    watch = Watch(own)
    approve(world.visitor, world.pending)
    watch.kept("device_requests")
    watch = Watch(own)
    assert world.approved.poll()["refresh_token"]
    assert watch.came("families", watch.kept())["grant"] == (1, 1)


def test_somebody_signs_in_to_more(own, world):
    watch = Watch(own)
    sign_in(own, world.other, "openid", world.person)
    sign_in(own, world.client, "openid email offline_access", world.person)
    watch.kept("sessions", "consents")


def test_clients_are_managed(own, world):
    watch = Watch(own)
    kept = {name: world.registered[name] for name in ("client_id", "client_secret") if name in world.registered}
    assert world.registrar.manage("PUT", world.registered, {**METADATA, **kept, "client_name": "Renamed"}).status_code == 200
    world.registrar.register(client_name="One more")
    watch.kept("clients", "initial_access_tokens")
    desk = Desk(own)
    for change in (lambda path: desk.change(path, {"client_name": "Renamed"}), lambda path: desk.ok("POST", path + "/secret"),
                   lambda path: own.opctl("client", "change", world.other["client_id"], "--name", "Once more")):
        watch = Watch(own)
        change("/clients/" + world.other["client_id"])
        watch.kept("clients")


def test_users_are_managed(own, world):
    desk, path = Desk(own), "/users/" + world.user_id
    for change in (lambda: desk.change(path, {"claims": {"address": {"country": "FR"}, "nickname": "A"}}),
                   lambda: own.opctl("user", "change", world.name, "--claim", "name=Ann"),
                   lambda: own.opctl("user", "disable", world.name) and own.opctl("user", "enable", world.name)):
        watch = Watch(own)
        change()
        watch.kept("users")


def test_what_was_granted_is_ended(own, world):
    watch, desk = Watch(own), Desk(own)
    family = next(row for row in own.opctl("family", "list", "--user", world.name) if row["client_id"] == world.client["client_id"])
    desk.remove("/families/" + family["family"])
    desk.remove(f"/consents/{world.user_id}/{world.client['client_id']}")
    watch.kept("consents")


def test_passwords_are_changed(own, world):
    for change in (lambda: own.opctl("user", "password", world.name, secret=NEW + "\n"),
                   lambda: Desk(own).change("/users/" + world.user_id, {"password": PASSWORD})):
        watch = Watch(own)
        change()
        watch.kept("passwords")
    watch, visitor = Watch(own), Visitor(own, world.name)
    visitor.enter()
    seen = visitor.send(visitor.get("/account"), "password", {"current": PASSWORD, "new": NEW, "repeat": NEW})
    assert "Your password has been changed" in seen.text
    watch.kept("passwords", "users")


def test_keys_are_rotated(own, world):
    watch = Watch(own)

    def states():
        return sorted((row["kid"], row["state"]) for row in own.opctl("key", "list"))
    before = states()
    own.opctl("key", "rotate")
    wait_until(lambda: states() != before, 20)
    watch.kept("signing_keys")
    assert requests.get(own.issuer + "/.well-known/jwks.json", timeout=30).status_code == 200
