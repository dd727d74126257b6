"""A person who looks at each page on the way, for tests of the pages themselves; and op-auth processes of a test's own,
reached by their sockets."""
import itertools
import re
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from person import Page, Person, answer_of, request_for, token_request
from server_process import ISSUER

PASSWORD = "correct horse battery"
CALLBACK = "http://localhost:8090/callback"
GOODBYE = "http://localhost:8090/bye"
SCOPES = "openid profile email address phone offline_access"
numbers = itertools.count(1)


def new_user(partita, *claims):
    """A user of this test's own; returns the username."""
    name = f"user-{next(numbers)}"
    partita.add_user(name, PASSWORD, claims=claims)
    return name


def new_client(partita, *more, redirect_uri=CALLBACK):
    """A client of this test's own, by the name that is in client["name"]."""
    name = f"Client {next(numbers)}"
    client = partita.add_client(name, redirect_uri, "--post-logout-redirect-uri", GOODBYE, *more)
    return {**client, "name": name, "redirect_uris": [redirect_uri]}


class Seen:
    """Where a browser has come to: a page of the provider, or (away) the address of somebody else."""

    def __init__(self, response, away=None):
        self.response, self.away = response, away
        self.answer = answer_of(away) if away else {}
        self.page = Page(response.text) if response is not None else None

    @property
    def status(self):
        return self.response.status_code

    @property
    def text(self):
        return " ".join(self.page.text.split())

    @property
    def kind(self):
        """code, the error that the client gets, problem, or the last word of the action of the page's first form."""
        if self.away:
            return self.answer.get("error") or ("code" if "code" in self.answer else self.away)
        if self.request_id:
            return "problem"
        return self.page.forms[0].action.rsplit("/", 1)[-1] if self.page.forms else self.page.title.split(" · ")[0]

    @property
    def request_id(self):
        found = re.search(r"<dt>[^<]*</dt><dd><code>([0-9a-f]{32})</code>", self.response.text)
        return found and found.group(1)

    @property
    def refused(self):
        """True on the sign-in page that says so."""
        return self.kind == "sign-in" and "do not belong together" in self.text

    def form(self, action, **fields):
        """The form with that action (its last word) and these hidden fields."""
        for form in self.page.forms:
            if form.action.rsplit("/", 1)[-1] == action and set(fields.items()) <= set(form.fields):
                return form
        raise AssertionError(f"no form {action} {fields} on {self.page.title}: {self.text[:300]}")

    def field(self, name, action=None):
        return dict(self.form(action or self.kind).fields)[name]


class Visitor(Person):
    """username and password are for when they are wanted; nobody is signed in at first."""

    def __init__(self, partita, username=None, password=PASSWORD, address=None):
        super().__init__(partita, username, password if username else None)
        if address:
            self.http.headers["X-Forwarded-For"] = address
        if getattr(partita, "socket", None):
            self.http.mount(ISSUER, UnixAdapter(partita.socket))

    def seen(self, response):
        assert response.status_code < 500, response.text[:300]
        return Seen(*self.follow(response))

    def get(self, path, **parameters):
        return self.seen(self.http.get(urljoin(self.partita.issuer, path), params=parameters, allow_redirects=False, timeout=30))

    def post(self, path, data, **headers):
        return self.seen(self.http.post(urljoin(self.partita.issuer, path), data=data, headers=headers, allow_redirects=False, timeout=30))

    def ask(self, client, method="GET", scope="openid", **more):
        """An authorization request; self.request and self.verifier remember it."""
        self.request, self.verifier = request_for(client["client_id"], client["redirect_uris"][0], scope, **more)
        return self.get("/authorize", **self.request) if method == "GET" else self.post("/authorize", self.request)

    def send(self, seen, action, values=(), button=None, **fields):
        return self.seen(self.submit(seen.response, seen.form(action, **fields), dict(values), button))

    def fill_in(self, seen, username=None, password=None):
        return self.send(seen, "sign-in", {"username": username or self.username, "password": password or self.password})

    def decide(self, seen, decision):
        return self.send(seen, "consent", button=("decision", decision))

    def enter(self):
        """Signs in on the account page, and returns it."""
        return self.fill_in(self.get("/account"))

    def go_on(self, seen):
        """Through sign-in and consent as they come."""
        for _ in range(4):
            if seen.kind == "sign-in":
                seen = self.fill_in(seen)
            elif seen.kind == "consent":
                seen = self.decide(seen, "allow")
        return seen

    def tokens(self, client, scope="openid", **more):
        """All the way; the token response."""
        seen = self.go_on(self.ask(client, scope=scope, **more))
        assert seen.kind == "code", seen.kind
        response = token_request(self.partita, client, self.verifier, grant_type="authorization_code", code=seen.answer["code"],
                                 redirect_uri=client["redirect_uris"][0])
        assert response.status_code == 200, response.text
        return response.json()

    def cookie(self, name="partita"):
        """The session cookie's value, None without one."""
        return next((cookie.value for cookie in self.http.cookies if cookie.name in (name, "__Host-" + name)), None)


def offers_a_way_on(visitor, seen):
    """A problem page says what happened and where to go, and going there is no dead end."""
    assert seen.kind == "problem" and 400 <= seen.status < 500 and seen.page.title and seen.request_id
    if seen.page.forms:
        then = visitor.seen(visitor.submit(seen.response, seen.page.forms[0], {}))
    else:
        links = [link for link in seen.page.links if urljoin(seen.response.url, link) != visitor.partita.issuer + "/"]
        then = visitor.get((links or ["/"])[0])
    assert then.away or then.status == 200, then.text[:300]
    return then


# --- op-auth by itself ---

class UnixAdapter(HTTPAdapter):
    """Requests by a Unix socket."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def get_connection(self, url, proxies=None):
        pool = HTTPConnectionPool(urlsplit(url).hostname)
        pool.ConnectionCls = type("Connection", (UnixConnection,), {"path": self.path})
        return pool


class UnixConnection(HTTPConnection):
    path = None

    def _new_conn(self):
        import socket
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(30)
        connection.connect(self.path)
        return connection


class OpAuth:
    """One op-auth process over a Home that several may share; what Visitor needs of an installation."""

    def __init__(self, home, **more):
        self.home, self.issuer, self.verify = home, ISSUER, True
        self.info = {"user": {"username": "ann", "password": PASSWORD}}
        self.process = home.start("op-auth", **more)
        self.socket = self.process.path
        self.process.wait_live()
