"""An environment whose floor was raised to what only the newer version knows (opctl migrate --raise-floor): refused while the
older version runs, and after it the older version starts no more."""
import json

import pytest

import release
from asking import is_good, refreshed
from mixed import SERVERS
from person import sign_in

__test__ = release.is_before("0.2.0")  # which understands more records than 0.1.0
SCOPE = "openid offline_access"


@pytest.fixture(scope="module")
def lasting(start_mixed):
    """An installation of these tests' own: there is no way back."""
    return start_mixed()


def raise_floor(mixed, how="--apply"):
    return mixed.opctl("migrate", how, "--raise-floor", str(mixed.newer.records), check=False)


@pytest.mark.parametrize("server", SERVERS)
def test_it_is_refused_while_one_server_is_older(lasting, server):
    lasting.become({name: lasting.older if name == server else lasting.newer for name in SERVERS})
    for how in ("--dry-run", "--apply"):
        done = raise_floor(lasting, how)
        assert done.returncode == 1 and done.stdout == "" and done.stderr.count("\n") == 1, done
        assert f"({server} {lasting.older})" in done.stderr and "end it first" in done.stderr, done.stderr


def test_migrations_need_no_floor(lasting):
    """They are applied while both versions run, and both go on."""
    lasting.become({name: lasting.older if number % 2 else lasting.newer for number, name in enumerate(SERVERS)})
    tokens = sign_in(lasting, lasting.info["client"], SCOPE)
    done = lasting.opctl("migrate", "--apply", check=False)
    assert done.returncode == 0, done.stderr
    states = [json.loads(line)["state"] for line in done.stdout.splitlines()]
    assert len(states) >= 12 and set(states) == {"applied"}, states
    for number in (0, 1):
        lasting.become({name: lasting.older if number else lasting.newer for name in SERVERS})
        tokens = refreshed(lasting, lasting.info["client"], tokens)
        is_good(lasting, sign_in(lasting, lasting.info["client"], SCOPE))
        for version in (lasting.older, lasting.newer):
            assert lasting.opctl("check", version=version, check=False).returncode == 0


@pytest.fixture(scope="module")
def raised(lasting):
    """What it answered, and tokens from before it."""
    lasting.become(dict.fromkeys(SERVERS, lasting.newer))
    tokens = sign_in(lasting, lasting.info["client"], SCOPE)
    return raise_floor(lasting), tokens


def test_it_is_raised_while_the_newer_version_runs(lasting, raised):
    """And it runs on."""
    done, tokens = raised
    assert done.returncode == 0, done.stderr
    assert '"raised"' in done.stdout, done.stdout
    refreshed(lasting, lasting.info["client"], tokens)
    is_good(lasting, sign_in(lasting, lasting.info["client"], SCOPE))


@pytest.mark.parametrize("server", SERVERS)
def test_the_older_server_starts_no_more(lasting, raised, server):
    """One line that says where and why."""
    done = lasting.try_start(server, lasting.older)
    said = [json.loads(line) for line in (done.stdout + done.stderr).splitlines()]
    assert done.returncode != 0 and len(said) == 1, done
    assert said[0]["event"] == "start_failed" and lasting.info["state_dir"] in said[0]["why"] and "a newer one is needed" in said[0]["why"]


def test_the_older_opctl_works_no_more(lasting, raised):
    for words in (["user", "list"], ["client", "list"], ["check"]):
        done = lasting.opctl(*words, version=lasting.older, check=False)
        assert done.returncode == 1 and done.stderr.count("\n") == 1 and "denied" in done.stderr, done


def test_the_newer_version_starts_again(lasting, raised):
    """Each server in turn."""
    for server in SERVERS:
        lasting.become({server: lasting.newer}, again=True)
    refreshed(lasting, lasting.info["client"], raised[1])
    is_good(lasting, sign_in(lasting, lasting.info["client"], SCOPE))
