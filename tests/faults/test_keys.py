"""The life of signing keys: made once, rotated on schedule and on the operator's word, whole after every crash."""
import json
import os
import random
import signal
import time

import pytest

from server_process import Home


@pytest.fixture
def make_home():
    homes = []

    def make(**settings):
        homes.append(Home(**settings))
        return homes[-1]
    yield make
    for home in homes:
        home.close()


def states(home):
    keys = home.opctl("key", "list")
    return {state: sorted(key["kid"] for key in keys if key["state"] == state) for state in ("next", "current", "retired")}


def published(process):
    status, fields, body = process.get("/.well-known/jwks.json")
    assert status == 200, (status, fields, body)
    return [key["kid"] for key in json.loads(body)["keys"]]


def changes(process):
    return [event for name in ("key_made", "key_rotated", "key_retired", "key_deleted") for event in process.events(name)]


def wait_for(condition, seconds=15):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def test_many_instances_make_one_set_of_keys(make_home):
    for _ in range(3):
        home = make_home()
        processes = [home.start("op-discovery") for _ in range(4)]
        for process in processes:
            process.wait_ready()
        made = states(home)
        assert (len(made["current"]), len(made["next"]), len(made["retired"])) == (2, 2, 0)
        for process in processes:
            assert sorted(published(process)) == sorted(made["current"] + made["next"])
            assert published(process)[:2] == sorted(made["current"])
        assert sum(len(process.events("key_made")) for process in processes) == 4


def test_no_keys_no_readiness_and_then_without_a_restart(make_home):
    home = make_home(op_discovery__signing_algs="RS256 PS256 ES256 ES384")
    process = home.start("op-discovery")
    process.wait_ready()
    assert [e["why"] for e in process.events("not_ready")] == ["there are no signing keys yet"]
    wait_for(lambda: process.events("ready"))
    assert len(published(process)) == 8
    assert process.get("/.live")[0] == 200


def test_keys_survive_a_restart(make_home):
    home = make_home()
    home.start("op-discovery").wait_ready().end()
    before = states(home)
    home.start("op-discovery").wait_ready()
    assert states(home) == before


def test_the_operators_word(make_home):
    home = make_home()
    process = home.start("op-discovery").wait_ready()
    first = states(home)
    home.opctl("key", "rotate")
    wait_for(lambda: states(home)["current"] == first["next"], 5)
    second = states(home)
    assert second["retired"] == first["current"] and not set(second["next"]) & set(sum(first.values(), []))
    assert sorted(published(process)) == sorted(sum(second.values(), []))
    assert home.opctl("key", "rotate", "--now", "--wait")["done"]
    third = states(home)
    assert not set(sum(third.values(), [])) & set(sum(second.values(), []))
    assert sorted(published(process)) == sorted(third["current"] + third["next"])
    assert process.events("key_deleted")[-1]["reason"] == "leaked"


def test_the_schedule_publishes_every_key_before_it_signs(make_home):
    home = make_home(op_discovery__rotation_interval="2s", op_discovery__publication_lead="1s", op_discovery__cache_max_age="0s",
                     op_discovery__key_retention="2s", access_token_lifetime="1s", id_token_lifetime="1s", session_lifetime="4s")
    process = home.start("op-discovery").wait_ready()
    first_published, first_current, last_published = {}, {}, {}
    started = time.monotonic()
    while time.monotonic() < started + 11:
        now = time.monotonic() - started
        current = states(home)["current"]
        for kid in published(process):
            first_published.setdefault(kid, now)
            last_published[kid] = now
        for kid in current:
            first_current.setdefault(kid, now)
        time.sleep(0.1)
    later = [kid for kid in first_current if first_current[kid] > 0.5]
    assert len(later) >= 6, first_current
    for kid in later:
        assert first_current[kid] - first_published[kid] >= 0.9, kid
    gone = [kid for kid in first_current if last_published[kid] < 10]
    assert gone
    for kid in gone:  # 2 s as the current key, 2 s retired, each on a clock of whole seconds
        assert 2.5 <= last_published[kid] - first_current[kid] <= 6, kid
    for key in home.opctl("key", "list"):
        assert key["state"] != "retired" or key["kid"] in last_published


def test_a_crash_at_any_moment_leaves_every_published_key_whole(make_home):
    """A current or next key without its private half would be replaced at the next start; none ever is."""
    home = make_home()
    home.start("op-discovery").wait_ready().end(signal.SIGKILL)
    chance = random.Random(7)
    for _ in range(25):
        process = home.start("op-discovery").wait_ready()
        assert changes(process) == [] or {e["reason"] for e in changes(process)} != {"schedule"}, process.log
        home.opctl("key", "rotate", *(["--now"] if chance.random() < 0.5 else []))
        time.sleep(chance.random() * 0.25)
        process.end(signal.SIGKILL)
    process = home.start("op-discovery").wait_ready()
    now = states(home)
    assert (len(now["current"]), len(now["next"])) == (2, 2)
    assert all(e["reason"] != "schedule" for e in changes(process))


def test_a_wish_made_while_nobody_runs_is_kept(make_home):
    home = make_home()
    home.start("op-discovery").wait_ready().end()
    before = states(home)
    home.opctl("key", "rotate")
    home.start("op-discovery").wait_ready()
    wait_for(lambda: states(home)["current"] == before["next"], 5)


def test_an_algorithm_more_and_one_less(make_home):
    home = make_home()
    home.start("op-discovery").wait_ready().end()
    process = home.start("op-discovery", "--set", "signing_algs=RS256 ES256 EdDSA").wait_ready()
    assert len(published(process)) == 6
    metadata = json.loads(process.get("/.well-known/openid-configuration")[2])
    assert metadata["id_token_signing_alg_values_supported"] == ["RS256", "ES256", "EdDSA"]
    process.end()
    process = home.start("op-discovery").wait_ready()
    wait_for(lambda: len(states(home)["retired"]) == 1)
    assert len(states(home)["current"]) == 2 and len(published(process)) == 5


def test_another_seal_key_is_refused(make_home):
    home = make_home()
    home.start("op-discovery").wait_ready().end()
    path = home.credentials + "/seal-key"
    os.chmod(path, 0o600)
    with open(path, "wb") as file:
        file.write(bytes(32))
    done = home.run("op-discovery", "--listen", f"unix:{home.dir}/x.sock")
    assert done.returncode == 1 and len(done.stderr.strip().split("\n")) == 1
    assert "seal-key does not open" in done.stderr


def test_a_lost_seal_key_is_got_over(make_home):
    """As docs/op-discovery.md says: without the sealed halves new keys are made, and the old ones go on verifying."""
    home = make_home()
    process = home.start("op-discovery").wait_ready()
    before = states(home)
    process.end()
    with open(home.credentials + "/seal-key", "wb") as file:
        file.write(os.urandom(32))
    for name in os.listdir(home.dir + "/state/keys"):
        os.unlink(f"{home.dir}/state/keys/{name}")
    home.opctl("init", "--unowned")
    process = home.start("op-discovery").wait_ready()
    wait_for(lambda: not set(before["current"]) & set(states(home)["current"]))
    after = states(home)
    assert after["retired"] == before["current"] and len(after["current"]) == len(after["next"]) == 2
    assert set(before["current"]) <= set(published(process)) and not set(before["next"]) & set(published(process))
    process.end()
