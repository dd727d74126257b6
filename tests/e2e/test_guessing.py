"""Guesses of passwords: counted per account and per address by all op-auth processes together; what an unknown account
costs; and a pool of password threads that is full."""
import os
import re
import threading
import time

import pytest

from server_process import Home
from visitor import PASSWORD, OpAuth, Visitor

HOUR = {"op_auth__account_guess_window": "1h", "op_auth__address_guess_window": "1h"}


@pytest.fixture(scope="module")
def start_auth():
    """A function that starts op-auth processes over one home with these settings and users ann and bob."""
    homes = []

    def start(count=1, then=None, **settings):
        """then: settings that are changed after the users have got their passwords."""
        home = Home(balancer_keepalive="0s", **settings)
        homes.append(home)
        for name in ("ann", "bob"):
            home.opctl("user", "add", name, secret=PASSWORD + "\n")
        home.write_conf(balancer_keepalive="0s", **settings, **(then or {}))
        return [OpAuth(home) for _ in range(count)]
    yield start
    for process in [process for home in homes for process in home.processes]:
        process.popen.terminate()
    for home in homes:
        for process in home.processes:
            assert process.popen.wait(20) == 0 and "Sanitizer" not in process.log, process.log[-3000:]
        home.close()


def guess(auth, username, password="wrong", address="192.0.2.1"):
    visitor = Visitor(auth, address=address)
    return visitor.fill_in(visitor.get("/account"), username, password)


def is_throttled(seen, limit):
    """429 with an honest Retry-After, on the sign-in page."""
    if seen.status != 429:
        assert seen.refused or seen.kind != "sign-in"
        return False
    assert seen.kind == "sign-in" and "too many attempts" in seen.text
    assert 1 <= int(seen.response.headers["Retry-After"]) <= limit
    return True


@pytest.mark.parametrize("username", ["ann", "nobody-at-all"])
def test_an_account_across_processes(start_auth, username):
    one, two = start_auth(2, op_auth__account_guesses=3, **HOUR)
    for number, auth in enumerate((one, two, two)):
        assert guess(auth, username, address=f"192.0.2.{number}").refused
    for auth in (one, two):
        assert is_throttled(guess(auth, username, PASSWORD, "198.51.100.9"), 3600), "the right password, from another address, has to wait"
        assert is_throttled(guess(auth, f" {username.upper()} ", address="192.0.2.0"), 3600), "another way to write the name"
        assert guess(auth, "bob", PASSWORD, "192.0.2.0").kind != "sign-in", "another account does not"
    assert one.process.events("sign_in_throttled") and two.process.events("sign_in_throttled")


def test_an_address_across_processes(start_auth):
    one, two = start_auth(2, op_auth__address_guesses=4, **HOUR)
    for number, auth in enumerate((one, two, one, two)):
        assert guess(auth, f"account-{number}").refused
    for auth in (one, two):
        assert is_throttled(guess(auth, "ann", PASSWORD), 3600)
        assert guess(auth, "ann", PASSWORD, "192.0.2.2").kind != "sign-in"
    for number in range(4):
        assert guess(one, f"account-{number}", address=f"2001:db8:1:2:{number}::1").refused
    assert is_throttled(guess(two, "ann", PASSWORD, "2001:db8:1:2:ffff::9"), 3600), "one customer has a whole /64"
    assert guess(two, "ann", PASSWORD, "2001:db8:1:3::1").kind != "sign-in"


def test_right_passwords_do_not_use_up_an_address(start_auth):
    """Many people behind one address sign in; only what is wrong is counted."""
    auth, = start_auth(op_auth__address_guesses=3, **HOUR)
    for _ in range(8):
        assert guess(auth, "ann", PASSWORD).kind != "sign-in"
    for number in range(3):
        assert guess(auth, f"account-{number}").refused
    assert is_throttled(guess(auth, "ann", PASSWORD), 3600)


def test_the_count_of_an_account_is_forgotten(start_auth):
    auth, = start_auth(op_auth__account_guesses=3, **HOUR)
    for _ in range(3):
        assert guess(auth, "ann").refused and guess(auth, "ann").refused
        assert guess(auth, "ann", PASSWORD).kind != "sign-in", "by signing in"
    auth, = start_auth(op_auth__account_guesses=1, op_auth__account_guess_window="2s")
    assert guess(auth, "ann").refused
    seen = guess(auth, "ann", PASSWORD)
    assert is_throttled(seen, 2)
    time.sleep(int(seen.response.headers["Retry-After"]))
    assert guess(auth, "ann", PASSWORD).kind != "sign-in", "by waiting as long as it said"


def test_guesses_at_the_present_password(start_auth):
    """Whoever finds a browser signed in cannot try passwords there without end."""
    auth, = start_auth(op_auth__account_guesses=3, **HOUR)
    visitor = Visitor(auth)
    account = visitor.fill_in(visitor.get("/account"), "ann", PASSWORD)

    def change(current):
        return visitor.send(account, "password", {"current": current, "new": "another good one", "repeat": "another good one"})
    for _ in range(3):
        seen = change("wrong")
        assert seen.status == 422 and "not your present password" in seen.text
    seen = change(PASSWORD)
    assert seen.status == 429 and int(seen.response.headers["Retry-After"]) <= 3600 and "too many attempts" in seen.text
    assert is_throttled(guess(auth, "ann", PASSWORD), 3600) and not is_throttled(guess(auth, "bob", PASSWORD), 3600)


# --- what an unknown account gets, and costs ---

def cpu_ns(pid):
    """Time on a processor of all threads that live."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total


def cost(auth, name, password="wrong"):
    """(the page, nanoseconds on a processor)"""
    before = cpu_ns(auth.process.popen.pid)
    seen = guess(auth, name, password)
    return seen, cpu_ns(auth.process.popen.pid) - before


def test_an_unknown_account_looks_and_costs_the_same(start_auth):
    auth, = start_auth(op_auth__account_guesses=1000, then={"password_memory": "32MiB"})
    auth.home.opctl("user", "add", "off", secret=PASSWORD + "\n")
    auth.home.opctl("user", "disable", "off")
    before = min(cost(auth, "bob")[1] for _ in range(3))
    assert guess(auth, "bob", PASSWORD).kind != "sign-in", "from now on the hash is of the cost that op-auth is told"
    assert any(cost(auth, "bob")[1] > 1.3 * before for _ in range(30)), "it is stored while we are answered"
    names, spent, pages = {"bob": "wrong", "nobody": "wrong", "off": PASSWORD}, {}, {}
    for _ in range(8):
        for name, password in names.items():
            seen, nanoseconds = cost(auth, name, password)
            spent[name] = min(spent.get(name, nanoseconds), nanoseconds)
            text = seen.response.text.replace(f'value="{name}"', 'value="NAME"')
            pages[name] = (seen.status, re.sub(r'name="interaction" value="[^"]+"', "", text), sorted(seen.response.headers))
            assert seen.refused
    assert pages["bob"] == pages["nobody"] == pages["off"]
    for name in ("nobody", "off"):
        assert 0.7 < spent[name] / spent["bob"] < 1.4, spent


def test_passwords_are_hashed_anew_when_the_cost_changed(start_auth):
    """So that after each person's next sign-in all accounts cost the same again."""
    auth, = start_auth(op_auth__account_guesses=1000, then={"password_memory": "8MiB"})
    first = min(cost(auth, "ann")[1] for _ in range(3))
    assert guess(auth, "ann", PASSWORD).kind != "sign-in"
    tries = [cost(auth, "ann")[1] for _ in range(3)]  # the new hash is stored while we are answered
    assert min(tries) < 0.7 * first, tries
    assert guess(auth, "ann", PASSWORD).kind != "sign-in"


def test_a_right_password_is_right_while_it_is_hashed_anew(start_auth):
    """From several browsers at the first moment after the cost changed."""
    one, two = start_auth(2, op_auth__password_threads=4, op_auth__account_guesses=1000, then={"password_memory": "8MiB"})
    for name in ("ann", "bob"):
        results = []
        browsers = [threading.Thread(target=lambda auth=auth: results.append(guess(auth, name, PASSWORD).kind)) for auth in (one, two) * 4]
        for browser in browsers:
            browser.start()
        for browser in browsers:
            browser.join(60)
        assert len(results) == 8 and "sign-in" not in results


# --- a pool that is full ---

def test_a_full_pool(start_auth):
    """One thread, no queue, a slow hash: whoever comes then is told when to come again; everything else is answered."""
    auth, = start_auth(op_auth__password_threads=1, op_auth__password_queue=0, password_memory="64MiB",
                       password_iterations=12, op_auth__account_guesses=2, **HOUR)
    signed_in = Visitor(auth, "ann")
    account = signed_in.fill_in(signed_in.get("/account"), password=PASSWORD)
    assert account.form("password")
    policies = [os.sched_getscheduler(int(thread)) for thread in os.listdir(f"/proc/{auth.process.popen.pid}/task")]
    assert policies.count(os.SCHED_IDLE) == 1 and os.sched_getscheduler(auth.process.popen.pid) == os.SCHED_OTHER
    ready = Visitor(auth, "bob")
    form = ready.get("/account")
    results, statuses = [], []
    busy_names = []
    holders = [threading.Thread(target=lambda name=name: results.append(busy_or_refused(auth, name, busy_names))) for name in ("x", "y", "z")]
    for holder in holders:
        holder.start()
    deadline = time.monotonic() + 20
    while "busy" not in results and time.monotonic() < deadline:  # one of them has the thread then
        time.sleep(0.01)
    seen = ready.http.post(auth.issuer + "/sign-in", data=dict(form.form("sign-in").fields) | {"username": "bob", "password": PASSWORD},
                           allow_redirects=False, timeout=20)
    change = signed_in.http.post(auth.issuer + "/account/password", data=dict(account.form("password").fields) | {
        "current": PASSWORD, "new": "another good one", "repeat": "another good one"}, allow_redirects=False, timeout=20)
    started = time.monotonic()
    for path in ("/", "/account", "/logout", "/authorize", "/assets/partita.css", "/.live"):
        statuses.append(ready.http.get(auth.issuer + path, timeout=20).status_code)
    waited = time.monotonic() - started
    assert "refused" not in results, "the thread was held all the time"
    assert statuses == [200, 200, 200, 400, 200, 200] and waited < 2
    for answer in (seen, change):
        assert answer.status_code == 503 and 1 <= int(answer.headers["Retry-After"]) <= 60
        assert "Many people are signing in" in answer.text and 'name="interaction"' in answer.text, "with the form to send again"
    for holder in holders:
        holder.join(60)
    assert sorted(results) == ["busy", "busy", "refused"]
    assert ready.fill_in(form, password=PASSWORD).form("password"), "the same form, sent again"
    assert [guess(auth, busy_names[0]).refused for _ in range(2)] == [True, True], "what could not be tried was no guess"


def busy_or_refused(auth, name, busy_names):
    visitor = Visitor(auth)
    form = visitor.get("/account").form("sign-in")
    answer = visitor.http.post(auth.issuer + "/sign-in", data=dict(form.fields) | {"username": name, "password": "x"}, timeout=60,
                               allow_redirects=False)
    if answer.status_code == 503:
        busy_names.append(name)
    return {503: "busy", 303: "refused"}[answer.status_code]
