"""What tests of full maps and full disks ask of an installation."""
import json
import os
import subprocess

import requests

from conftest import BUILD, QUICK
from person import Page, Person, request_for, sign_in, token_request
from token_process import REDIRECT_URI

PASSWORD = "correct horse battery"
TRIES, MANY = 100, 10


def events(partita, server, *names, instance=1):
    """The log lines with these events, of one process."""
    with open(os.path.join(partita.dir, "log", f"{server}@{instance}.log"), encoding="utf-8") as log:
        return [line for line in map(json.loads, log) if line["event"] in names]


def fill(partita, env, seconds=100000):
    """Leaves no room in an environment; it comes back after so many seconds, or with make_room."""
    run_fill(partita, env, seconds)


def make_room(partita, env):
    run_fill(partita, env, 0)


def run_fill(partita, env, seconds):
    out = subprocess.run([os.path.join(BUILD, "tests", "fill"), partita.info["state_dir"], partita.info["runtime_dir"], env, str(seconds)],
                         capture_output=True, text=True, timeout=60, check=False)
    assert out.returncode == 0 and int(out.stdout) > 20, out.stdout + out.stderr


def has_session(person):
    """A wrong password, too, is answered with 303: what tells a sign-in is the cookie."""
    return "partita" in person.http.cookies


def is_passing(response):
    """503 with Retry-After."""
    return response.status_code == 503 and int(response.headers["Retry-After"]) > 0


def refusals(request, well):
    """Asks until there is no room, which gaps between entries may put off, and then some more: there is never
    another answer than yes and 503."""
    refused = 0
    for _ in range(TRIES):
        response = request()
        assert response.status_code == well or is_passing(response), (response.status_code, response.text)
        refused += response.status_code != well
        if refused == MANY:
            return
    raise AssertionError(f"only {refused} were refused")


class Lines:
    """What one server says of trouble from now on."""

    def __init__(self, partita, server):
        self.partita, self.server = partita, server
        self.before = len(self.all())

    def all(self):
        return events(self.partita, self.server, "store_full", "store_failed", "store_broken", "request", "problem_page")

    def told_once(self, env, why="MAP_FULL"):
        lines = self.all()[self.before:]
        assert [(line["event"], line.get("env"), line["level"]) for line in lines] == [("store_full", env, "warning")], lines
        assert f"/{env}/data.mdb" in lines[0]["what"] and why in lines[0]["what"]


class People:
    """Who signed in and was told so, and what each of them may rely on from then on."""

    def __init__(self, partita, name="relying"):
        self.partita, self.name = partita, name
        self.client = partita.add_client("Relies on it", REDIRECT_URI, "--public") | {"redirect_uris": [REDIRECT_URI]}
        partita.add_user(self.name, PASSWORD)
        self.signed_in, self.tokens = [], []

    def sign_in(self):
        """The whole way, to the tokens; asserts that it goes well."""
        person = Person(self.partita, self.name, PASSWORD)
        self.tokens.append(sign_in(self.partita, self.client, "openid offline_access", person))
        self.signed_in.append(person)

    def try_password(self):
        """A sign-in up to the answer to the password."""
        person = Person(self.partita, self.name, PASSWORD)
        request, _ = request_for(self.client["client_id"], REDIRECT_URI, "openid offline_access")
        page, _ = person.follow(person.http.get(self.partita.issuer + "/authorize", params=request, allow_redirects=False, timeout=30))
        response = person.answer(page, Page(page.text), True)
        assert (response.status_code == 303) == has_session(person), (response.status_code, response.text)
        if response.status_code == 303:
            self.signed_in.append(person)
        return response

    def try_code(self):
        """A code for somebody who is signed in: the answer of /authorize."""
        request, verifier = request_for(self.client["client_id"], REDIRECT_URI, "openid offline_access", prompt="none")
        response = self.signed_in[0].http.get(self.partita.issuer + "/authorize", params=request, allow_redirects=False, timeout=30)
        return response, verifier

    def sign_out(self):
        """The last who signed in signs out: the answer to the button."""
        person = self.signed_in.pop()
        page = person.http.get(self.partita.issuer + "/logout", timeout=30)
        return person.submit(page, Page(page.text).forms[0], {})

    def redeem(self, code):
        """A planted code."""
        response = token_request(self.partita, self.client, grant_type="authorization_code", code=code, redirect_uri=REDIRECT_URI)
        if response.status_code == 200:
            self.tokens.append(response.json())
        return response

    def refresh(self, number):
        response = token_request(self.partita, self.client, grant_type="refresh_token", refresh_token=self.tokens[number]["refresh_token"])
        if response.status_code == 200:
            self.tokens[number] = response.json()
        return response

    def userinfo(self, number):
        return requests.get(self.partita.issuer + "/userinfo", headers={"Authorization": "Bearer " + self.tokens[number]["access_token"]},
                            verify=self.partita.verify, timeout=30).status_code

    def are_whole(self):
        """Every session and every refresh token that was handed out still works."""
        for person in self.signed_in:
            request, _ = request_for(self.client["client_id"], REDIRECT_URI, "openid offline_access", prompt="none")
            answer = person.authorize(request)
            assert "code" in answer, answer
        for number in range(len(self.tokens)):
            response = self.refresh(number)
            assert response.status_code == 200, response.text
