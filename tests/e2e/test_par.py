"""Pushed authorization requests by real servers: two op-auth processes over the same environments, pushed to one and used at
the other."""
import itertools
import threading
import time
from urllib.parse import urlsplit

import pytest
import requests

from person import answer_of, request_for, token_request
from pushing import PREFIX, Pair, push, pushed, session
from test_tokens import claims_of
from visitor import CALLBACK, Visitor, new_client, new_user


@pytest.fixture(scope="module")
def pair():
    made = Pair()
    yield made
    made.close()


@pytest.fixture
def client(pair):
    return pair.client()


def is_gone(seen):
    """The page for a request_uri that cannot be used: nobody is sent anywhere."""
    return seen.away is None and seen.status == 400 and "no longer valid" in seen.page.title and "invalid_request_uri" in seen.text


def redirected(place, parameters):
    """The answer of /authorize to the client, without a browser."""
    answer = session(place).get(place.issuer + "/authorize", params=parameters, allow_redirects=False, timeout=30)
    return answer, answer_of(answer.headers.get("Location", ""))


# --- the endpoint ---

def test_the_answer(pair, client):
    request, _ = request_for(client["client_id"], CALLBACK)
    answer = push(pair.one, client, request)
    assert answer.status_code == 201 and answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.json()
    assert set(body) == {"request_uri", "expires_in"} and body["expires_in"] == 90
    assert body["request_uri"].startswith(PREFIX) and len(body["request_uri"]) == len(PREFIX) + 43
    assert push(pair.one, client, request).json()["request_uri"] != body["request_uri"]


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "none"])
def test_each_client_authentication(pair, method):
    client = pair.client(*(["--public"] if method == "none" else ["--auth-method", method]))
    request, _ = request_for(client["client_id"], CALLBACK)
    if method == "client_secret_post":
        answer = session(pair.one).post(pair.one.issuer + "/as/par", data={**request, "client_secret": client["client_secret"]}, timeout=30)
    else:
        answer = push(pair.one, client, request)
    assert answer.status_code == 201, answer.text


def test_other_methods_than_post(pair):
    for method in ("GET", "PUT", "DELETE", "HEAD"):
        answer = session(pair.one).request(method, pair.one.issuer + "/as/par", timeout=30)
        assert answer.status_code == 405 and "POST" in answer.headers["Allow"]


def test_nothing_secret_is_in_the_store_or_the_log(pair, client):
    request, _ = request_for(client["client_id"], CALLBACK, login_hint="ann-of-the-hint")
    uri = push(pair.one, client, request).json()["request_uri"]
    with open(pair.home.dir + "/run/codes/data.mdb", "rb") as file:
        content = file.read()
    assert uri.removeprefix(PREFIX).encode() not in content and client["client_secret"].encode() not in content
    for process in pair.home.processes:
        assert uri.removeprefix(PREFIX) not in process.log and "ann-of-the-hint" not in process.log
    assert any(process.events("authorization_request_pushed") for process in pair.home.processes)


# --- pushed to one, used at the other ---

def test_the_whole_way(pair, client):
    reference, request, _ = pushed(pair.one, client, "openid email", login_hint="ann", ui_locales="de")
    visitor = Visitor(pair.two, "ann")
    page = visitor.get("/authorize", **reference)
    assert page.kind == "sign-in" and "Anmelden" in page.text, "the language that was asked for"
    assert page.field("username") == "ann", "and the hint"
    seen = visitor.go_on(page)
    assert seen.kind == "code" and seen.away.startswith(CALLBACK + "?")
    assert seen.answer["state"] == request["state"] and seen.answer["iss"] == pair.two.issuer
    assert is_gone(visitor.get("/authorize", **reference)), "once"
    assert is_gone(Visitor(pair.one, "ann").get("/authorize", **reference))


def test_other_parameters_are_ignored(pair, client):
    reference, request, _ = pushed(pair.one, client)
    stranger = pair.client()
    more = {"state": "other", "redirect_uri": "https://evil.example/", "scope": "openid profile", "response_mode": "fragment", "prompt": "none",
            "login_hint": "mallory", "response_type": "token", "nonce": "x"}
    seen = Visitor(pair.two, "ann")
    page = seen.get("/authorize", **reference, **more)
    assert page.kind == "sign-in" and "mallory" not in page.text
    done = seen.go_on(page)
    assert done.kind == "code" and done.away.startswith(CALLBACK + "?") and done.answer["state"] == request["state"]
    assert stranger["client_id"] not in done.away


def test_reloading_does_no_harm(pair, client):
    """Neither of the first page, nor of the one after a wrong password, nor at the other process."""
    reference, request, _ = pushed(pair.one, client)
    visitor = Visitor(pair.two, "ann")
    for _ in range(3):
        page = visitor.get("/authorize", **reference)
        assert page.kind == "sign-in"
    wrong = visitor.fill_in(page, password="wrong")
    assert wrong.refused
    again = visitor.seen(visitor.http.get(wrong.response.url, allow_redirects=False, timeout=30))
    assert again.kind == "sign-in"
    consent = visitor.fill_in(again)
    assert consent.kind == "consent"
    reloaded = visitor.get("/authorize", **reference)
    assert reloaded.kind == "consent", "signed in by now"
    done = visitor.decide(reloaded, "allow")
    assert done.kind == "code" and done.answer["state"] == request["state"]
    assert is_gone(visitor.decide(consent, "allow")), "the first consent page, by Back"
    assert is_gone(visitor.fill_in(page)), "the sign-in page, by Back"


def test_a_redirect_of_ours_that_grew_old_keeps_the_request(pair, client):
    """After a wrong password the browser is at /authorize?interaction=...; reloading that address needs no second push."""
    reference, request, _ = pushed(pair.one, client)
    visitor = Visitor(pair.two, "ann")
    wrong = visitor.fill_in(visitor.get("/authorize", **reference), password="wrong")
    assert "interaction=" in wrong.response.url and "request_uri" not in wrong.response.url
    other = Visitor(pair.two, "ann")
    assert other.get("/authorize?" + urlsplit(wrong.response.url).query).kind == "sign-in", "the request_uri is still good for another browser"
    done = visitor.go_on(visitor.fill_in(wrong))
    assert done.kind == "code" and done.answer["state"] == request["state"]
    assert is_gone(other.get("/authorize?" + urlsplit(wrong.response.url).query))


def test_a_post_from_another_site_is_sent_round(pair, client):
    reference, request, _ = pushed(pair.one, client)
    visitor = Visitor(pair.two, "ann")
    answer = visitor.http.post(pair.two.issuer + "/authorize", data=reference, headers={"Sec-Fetch-Site": "cross-site"}, allow_redirects=False, timeout=30)
    assert answer.status_code == 303 and dict([part.split("=", 1) for part in urlsplit(answer.headers["Location"]).query.split("&")]).keys() == {"client_id", "request_uri"}
    done = visitor.go_on(visitor.seen(answer))
    assert done.kind == "code" and done.answer["state"] == request["state"]


def test_errors_for_the_client_take_nothing(pair, client):
    """prompt=none, or no consent, answers with an error; the request can still be used."""
    reference, request, _ = pushed(pair.one, client, prompt="none")
    for place in (pair.one, pair.two):
        answer, back = redirected(place, reference)
        assert answer.status_code == 303 and back["error"] == "login_required" and back["state"] == request["state"]
    reference, request, _ = pushed(pair.one, client)
    visitor = Visitor(pair.two, "ann")
    denied = visitor.decide(visitor.fill_in(visitor.get("/authorize", **reference)), "deny")
    assert denied.kind == "access_denied"
    assert visitor.go_on(visitor.get("/authorize", **reference)).kind == "code"


def test_one_of_many_tabs_gets_the_code(pair):
    """All at once, at both processes: one code, the others the page that says so."""
    client = pair.client("--first-party")
    visitor = Visitor(pair.one, "ann")
    visitor.enter()
    cookies = visitor.http.cookies
    for _ in range(10):
        reference, _, _ = pushed(pair.one, client)
        answers, barrier = [], threading.Barrier(8)

        def open_tab(place):
            http = session(place)
            http.cookies.update(cookies)
            barrier.wait()
            answers.append(http.get(place.issuer + "/authorize", params=reference, allow_redirects=False, timeout=30))
        tabs = [threading.Thread(target=open_tab, args=(place,)) for place in [pair.one, pair.two] * 4]
        for tab in tabs:
            tab.start()
        for tab in tabs:
            tab.join()
        assert sorted(answer.status_code for answer in answers) == [303] + [400] * 7
        assert [answer for answer in answers if "code=" in answer.headers.get("Location", "")]


# --- what cannot be used ---

def test_another_clients_request_uri(pair, client):
    reference, _, _ = pushed(pair.one, client)
    other = pair.client()
    assert is_gone(Visitor(pair.two, "ann").get("/authorize", client_id=other["client_id"], request_uri=reference["request_uri"]))
    assert Visitor(pair.two, "ann").get("/authorize", **reference).kind == "sign-in", "its own still can"


def test_what_changed_since_the_push_counts(pair):
    client = pair.client()
    reference, _, _ = pushed(pair.one, client, "openid profile")
    pair.home.opctl("client", "change", client["client_id"], "--scope", "openid")
    _, back = redirected(pair.two, reference)
    assert back["error"] == "invalid_scope"
    pair.home.opctl("client", "change", client["client_id"], "--scope", "openid profile", "--redirect-uri", CALLBACK + "/new")
    answer, _ = redirected(pair.two, reference)
    assert answer.status_code == 400 and "Location" not in answer.headers
    pair.home.opctl("client", "disable", client["client_id"])
    answer, _ = redirected(pair.two, reference)
    assert answer.status_code == 400 and "not known here" in answer.text


def test_expiry():
    """The request expires; a visit that began in time goes on, but not for ever; and what was taken stays taken."""
    pair = Pair(op_auth__pushed_request_lifetime="2s", op_auth__form_lifetime="10s")
    try:
        client = pair.client()
        late, _, _ = pushed(pair.one, client)
        reference, request, _ = pushed(pair.one, client)
        slow, _, _ = pushed(pair.one, client)
        visitor, dreamer = Visitor(pair.two, "ann"), Visitor(pair.two, "ann")
        page, dream = visitor.get("/authorize", **reference), dreamer.get("/authorize", **slow)
        began = time.monotonic()
        time.sleep(3.2)
        assert is_gone(Visitor(pair.two, "ann").get("/authorize", **late))
        assert is_gone(visitor.get("/authorize", **reference)), "an expired request_uri MUST be rejected"
        wrong = visitor.fill_in(page, password="wrong")
        assert wrong.refused
        done = visitor.go_on(visitor.fill_in(wrong))
        assert done.kind == "code" and done.answer["state"] == request["state"]
        assert is_gone(visitor.fill_in(wrong))
        seen = dream
        while time.monotonic() - began < 13 and seen.kind == "sign-in":  # a new form each time, so none of them is too old
            seen = dreamer.fill_in(seen, password="wrong")
            time.sleep(1)
        assert is_gone(seen) and time.monotonic() - began > 8
    finally:
        pair.close()


# --- the only way ---

def test_a_client_that_has_to_push(pair):
    client = pair.client("--require-par", "yes")
    assert client["require_pushed_authorization_requests"] is True and client["pushed_authorization_request_endpoint"].endswith("/as/par")
    request, _ = request_for(client["client_id"], CALLBACK)
    answer, back = redirected(pair.two, request)
    assert answer.status_code == 303 and back["error"] == "invalid_request" and "/as/par" in back["error_description"]
    assert back["state"] == request["state"]
    reference, _, _ = pushed(pair.one, client)
    seen = Visitor(pair.two, "ann").get("/authorize", **reference)
    assert seen.kind == "sign-in"
    pair.home.opctl("client", "change", client["client_id"], "--require-par", "no")
    assert Visitor(pair.two, "ann").get("/authorize", **request).kind == "sign-in", "on the next request"


def test_all_have_to_push():
    pair = Pair(require_pushed_authorization_requests="yes")
    try:
        client = pair.client()
        request, _ = request_for(client["client_id"], CALLBACK)
        answer, back = redirected(pair.one, request)
        assert answer.status_code == 303 and back["error"] == "invalid_request" and "/as/par" in back["error_description"]
        reference, _, _ = pushed(pair.one, client)
        visitor = Visitor(pair.two, "ann")
        assert visitor.go_on(visitor.get("/authorize", **reference)).kind == "code"
        discovery = pair.home.start("op-discovery").wait_ready()
        assert b'"require_pushed_authorization_requests":true' in discovery.get("/.well-known/openid-configuration")[2]
    finally:
        pair.close()


def test_a_form_does_not_lead_around_it(pair):
    """The way on that a page offers is the same request_uri, never what was pushed."""
    client = pair.client("--require-par", "yes")
    reference, request, _ = pushed(pair.one, client)
    visitor = Visitor(pair.two, "ann")
    page = visitor.get("/authorize", **reference)
    visitor.http.cookies.clear()
    problem = visitor.fill_in(page)
    assert problem.status == 400 and request["state"] not in problem.response.text
    assert dict(problem.page.forms[0].fields) == reference
    assert visitor.seen(visitor.submit(problem.response, problem.page.forms[0], {})).kind == "sign-in"


# --- bounds ---

def test_pushes_are_bounded_across_processes():
    pair = Pair(op_auth__pushed_requests=4, op_auth__address_pushed_requests=6, op_auth__public_pushed_requests=2,
                op_auth__pushed_requests_window="1h")
    try:
        def ask(place, client, address, **more):
            request, _ = request_for(client["client_id"], CALLBACK, **more)
            answer = push(place, client, request, **{"X-Forwarded-For": address})
            if answer.status_code == 429:
                assert answer.json()["error"] == "temporarily_unavailable" and 1 <= int(answer.headers["Retry-After"]) <= 3600
            return answer.status_code
        places = itertools.cycle([pair.one, pair.two])
        secret, other, third = (pair.client() for _ in range(3))
        public, another_public = (pair.client("--public") for _ in range(2))
        assert [ask(next(places), secret, f"192.0.2.{n}") for n in range(6)] == [201] * 4 + [429] * 2, "by client, wherever it is"
        assert ask(pair.one, secret, "192.0.2.1", scope="nonsense") == 400, "what is refused is told so"
        assert [ask(next(places), other, "192.0.2.1") for _ in range(3)] == [201] * 3, "others are not in its way"
        assert [ask(next(places), secret, "192.0.2.1") for _ in range(6)] == [429] * 6
        assert [ask(next(places), third, "192.0.2.1") for _ in range(3)] == [201, 201, 429], "by address: all clients there"
        assert ask(next(places), other, "192.0.2.1") == 429, "though its own share is not used up,"
        assert ask(next(places), other, "203.0.113.1") == 201, "nor by what was refused"
        assert ask(next(places), another_public, "192.0.2.1") == 201, "clients without proof have a share of their own"
        assert [ask(next(places), public, "198.51.100.1") for _ in range(3)] == [201, 201, 429], "by address"
        assert [ask(next(places), public, f"2001:db8::{n}") for n in range(3)] == [201, 201, 429], "one /64 is one"
        assert ask(next(places), public, "198.51.100.2") == 429, "and by client"
        assert pair.one.process.events("pushes_throttled")
    finally:
        pair.close()


def test_guesses_at_a_secret_count_here_too(pair):
    client = pair.client()
    request, _ = request_for(client["client_id"], CALLBACK)
    wrong = {**client, "client_secret": "wrong"}
    statuses = [push(place, wrong, request, **{"X-Forwarded-For": "192.0.2.77"}).status_code for place in [pair.one, pair.two] * 16]
    assert set(statuses[:29]) == {401} and statuses[-1] == 429
    assert push(pair.one, client, request).status_code == 201, "from another address it goes on"


# --- through nginx, to the tokens ---

def test_through_the_balancer(partita):
    client, visitor = new_client(partita, "--require-par", "yes"), Visitor(partita, new_user(partita))
    reference, request, verifier = pushed(partita, client, "openid profile offline_access")
    seen = visitor.go_on(visitor.get("/authorize", **reference))
    assert seen.kind == "code"
    answer = token_request(partita, client, verifier, grant_type="authorization_code", code=seen.answer["code"], redirect_uri=CALLBACK)
    assert answer.status_code == 200 and answer.json()["scope"] == "openid profile offline_access"
    assert claims_of(answer.json()["id_token"])["nonce"] == request["nonce"]


def test_metadata(partita):
    for name in ("openid-configuration", "oauth-authorization-server"):
        metadata = requests.get(f"{partita.issuer}/.well-known/{name}", timeout=20).json()
        assert metadata["pushed_authorization_request_endpoint"] == partita.issuer + "/as/par"
        assert metadata["require_pushed_authorization_requests"] is False and metadata["request_uri_parameter_supported"] is False
