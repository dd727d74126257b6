"""Every thread that hashes passwords is held and their queue is full: 503 with Retry-After, and any other request is still
answered."""
import threading
import time

import pytest
import requests

from person import Page, Person, request_for, token_request
from token_process import REDIRECT_URI, plant
from trouble import PASSWORD, People, events, has_session, is_passing

GUESSES = 3


@pytest.fixture(scope="module")
def slow(start_partita):
    """One thread, one place in the queue, and hashes of seconds."""
    return start_partita("--set", "op-auth.password_threads=1", "--set", "op-auth.password_queue=1", "--set", "all.password_memory=64MiB",
                         "--set", "all.password_iterations=30", "--set", f"op-auth.account_guesses={GUESSES}")


class Try:
    """Somebody at the sign-in page, whose password takes its time."""

    def __init__(self, people, name):
        self.person = Person(people.partita, name, PASSWORD)
        request, _ = request_for(people.client["client_id"], REDIRECT_URI)
        self.page, _ = self.person.follow(self.person.http.get(people.partita.issuer + "/authorize", params=request,
                                                               allow_redirects=False, timeout=30))
        self.response, self.thread = None, None

    def send(self):
        self.response = self.person.answer(self.page, Page(self.page.text), True)
        return self.response

    def send_aside(self):
        self.thread = threading.Thread(target=self.send)
        self.thread.start()


def all_else(partita, people):
    """What people and clients ask meanwhile, with the status that each is to get."""
    person, issuer = people.signed_in[0], partita.issuer
    request, _ = request_for(people.client["client_id"], REDIRECT_URI)
    code = plant(partita, people.client)[0]
    yield "front page", lambda: requests.get(issuer + "/", timeout=30), 200
    yield "sign-in page", lambda: requests.get(issuer + "/authorize", params=request, timeout=30), 200
    yield "single sign-on", lambda: people.try_code()[0], 303
    yield "account", lambda: person.http.get(issuer + "/account", timeout=30), 200
    yield "sign-out page", lambda: person.http.get(issuer + "/logout", timeout=30), 200
    yield "no form", lambda: requests.post(issuer + "/sign-in", data={"username": "x"}, timeout=30), 400
    yield "code", lambda: people.redeem(code), 200
    yield "refresh", lambda: people.refresh(0), 200
    yield "wrong client", lambda: token_request(partita, {"client_id": "nobody"}, grant_type="client_credentials"), 401
    yield "userinfo", lambda: requests.get(issuer + "/userinfo", timeout=30), 401
    yield "keys", lambda: requests.get(issuer + "/.well-known/jwks.json", timeout=30), 200
    yield "metadata", lambda: requests.get(issuer + "/.well-known/openid-configuration", timeout=30), 200


def change_password(people):
    person = people.signed_in[0]
    page = person.http.get(people.partita.issuer + "/account", timeout=30)
    form = next(form for form in Page(page.text).forms if form.action.endswith("/account/password"))
    words = {name: "" for name, _ in form.fields if name not in ("interaction", "username")}
    words = {name: PASSWORD if "current" in name else "another horse battery" for name in words}
    return person.submit(page, form, words)


def test_threads_held_and_queue_full(slow):
    people = People(slow)
    people.sign_in()  # which gives the account a hash of the slow kind
    held = [Try(people, f"stranger{number}") for number in range(2)]
    late = [Try(people, people.name) for _ in range(GUESSES + 2)]
    for one in held:
        one.send_aside()
        time.sleep(0.3)
    answers = [one.send() for one in late] + [change_password(people)]
    assert all(map(is_passing, answers)), [answer.status_code for answer in answers]
    assert all(Page(answer.text).forms for answer in answers), "each is a page on which to try again"
    took = {}
    for name, ask, status in all_else(slow, people):
        started = time.monotonic()
        assert ask().status_code == status, name
        took[name] = time.monotonic() - started
    assert max(took.values()) < 1, took
    assert all(one.thread.is_alive() for one in held), "they were held all the while"
    for one in held:
        one.thread.join(60)
        assert one.response.status_code == 303 and not has_session(one.person)
    assert late[0].send().status_code == 303 and has_session(late[0].person), "what was refused did not count as a guess"
    lines = events(slow, "op-auth", "password_queue_full", "request")
    assert [line["event"] for line in lines] == ["password_queue_full"], lines
