"""opctl of either version over what the other one, and its servers, wrote."""
import pytest
import requests

from asking import is_good, refreshed
from mixed import SERVERS
from person import sign_in
from server_process import wait_until
from test_tokens import header_of
from visitor import CALLBACK, Visitor

NOUNS = ["user", "client", "session", "consent", "family", "key", "registration-token", "outbox"]
SHOWN = {"user": ["username"], "client": ["client_id"], "session": ["sid"], "consent": ["user_id", "client_id"], "family": ["family"],
         "key": ["kid"], "outbox": ["id"]}
PASSWORD, NEW = "correct horse battery", "correct horse battery staple"


@pytest.fixture(scope="module", params=["older", "newer"])
def written(request, mixed):
    """Something of each kind, by the servers and the opctl of one version. Returns who did it, and the names."""
    version = getattr(mixed, request.param)
    mixed.become(dict.fromkeys(SERVERS, version))
    name = "of-the-" + request.param

    def opctl(*words, **more):
        return mixed.opctl(*words, version=version, **more)
    user = opctl("user", "add", name, "--claim", "name=Ann", "--claim", f"email={name}@example.org", "--claim", "email_verified=true",
                 secret=PASSWORD + "\n")
    client = opctl("client", "add", "--name", name, "--redirect-uri", CALLBACK, "--grant", "authorization_code", "--grant", "refresh_token",
                   "--scope", "openid offline_access", "--resource", "https://api.example.org/")
    client["redirect_uris"] = [CALLBACK]
    opctl("user", "password", name, secret=NEW + "\n")  # of which a message tells
    wait_until(lambda: all(message["tries"] for message in opctl("outbox", "list")), 60)  # in vain: nobody listens there
    sign_in(mixed, client, "openid offline_access", Visitor(mixed, name, NEW))
    opctl("registration-token", "add", "--note", name)
    return {"version": version, "user": user, "client": client}


def lists(mixed, version, noun):
    return mixed.opctl(noun, "list", version=version)


def agree(older, newer):
    """What the older version shows the newer one shows, too, and perhaps more."""
    assert {name: newer.get(name) for name in older} == older


@pytest.mark.parametrize("noun", NOUNS)
def test_both_show_the_same(mixed, written, noun):
    older, newer = (lists(mixed, version, noun) for version in (mixed.older, mixed.newer))
    assert len(older) == len(newer) > 0
    for one, other in zip(older, newer):
        agree(one, other)
    for row in newer[-3:] if noun in SHOWN else []:
        words = [noun, "show", *(row[name] for name in SHOWN[noun])]
        agree(mixed.opctl(*words, version=mixed.older), mixed.opctl(*words, version=mixed.newer))


def test_both_find_everything_whole(mixed, written):
    for version in (mixed.older, mixed.newer):
        done = mixed.opctl("check", version=version, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_each_changes_what_the_other_wrote(mixed, written):
    for version in (mixed.older, mixed.newer):
        changed = mixed.opctl("client", "change", written["client"]["client_id"], "--name", "By " + version.name, version=version)
        assert changed["client_name"] == "By " + version.name and changed["resources"] == ["https://api.example.org/"]
        mixed.opctl("user", "change", written["user"]["username"], "--claim", "name=By " + version.name, version=version)
        for reader in (mixed.older, mixed.newer):
            assert mixed.opctl("user", "show", written["user"]["user_id"], version=reader)["claims"]["name"] == "By " + version.name


@pytest.mark.parametrize("asked", ["older", "newer"])
@pytest.mark.parametrize("maker", ["older", "newer"])
def test_keys_rotate(mixed, maker, asked):
    """Asked for by opctl of one version, made by op-discovery of one; who signs and who verifies are at the other."""
    maker, other = (mixed.older, mixed.newer) if maker == "older" else (mixed.newer, mixed.older)
    mixed.become({server: maker if server == "op-discovery" else other for server in SERVERS})
    client = mixed.info["client"]
    tokens = sign_in(mixed, client, "openid offline_access")

    def current():
        return {key["kid"] for key in mixed.opctl("key", "list") if key["state"] == "current"}
    before = current()
    mixed.opctl("key", "rotate", version=getattr(mixed, asked))
    wait_until(lambda: len(current()) == len(before) and not current() & before, 60)
    new = refreshed(mixed, client, tokens)
    published = {key["kid"] for key in requests.get(mixed.issuer + "/.well-known/jwks.json", timeout=30).json()["keys"]}
    assert header_of(new["access_token"])["kid"] in current() <= published
    assert header_of(tokens["access_token"])["kid"] in before <= published
    is_good(mixed, tokens)
