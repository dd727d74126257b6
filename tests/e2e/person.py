"""A person at a browser without JavaScript: follows redirects by hand, fills in the forms that the pages hold."""
import base64
import hashlib
import secrets
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import requests


class Form:
    def __init__(self, attributes):
        self.action, self.method = attributes.get("action", ""), attributes.get("method", "get").lower()
        self.fields = []
        self.buttons = []


class Page(HTMLParser):
    """The forms, links and text of a page."""

    def __init__(self, html):
        super().__init__()
        self.forms, self.links, self.text, self.title = [], [], "", ""
        self.stack = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.stack.append(tag)
        if tag == "form":
            self.forms.append(Form(attributes))
        elif tag == "a":
            self.links.append(attributes.get("href", ""))
        elif self.forms and tag == "input" and attributes.get("name"):
            if attributes.get("type") == "submit":
                self.forms[-1].buttons.append((attributes["name"], attributes.get("value", "")))
            elif attributes.get("type") not in ("checkbox", "radio") or "checked" in attributes:
                self.forms[-1].fields.append((attributes["name"], attributes.get("value", "")))
        elif self.forms and tag == "button" and attributes.get("name"):
            self.forms[-1].buttons.append((attributes["name"], attributes.get("value", "")))

    def handle_data(self, data):
        if self.stack and self.stack[-1] == "title":
            self.title += data
        self.text += data


class Person:
    """Keeps cookies like a browser; never leaves the provider by itself."""

    def __init__(self, partita, username=None, password=None):
        self.partita = partita
        self.username = username or partita.info["user"]["username"]
        self.password = password or partita.info["user"]["password"]
        self.http = requests.Session()
        self.http.trust_env = False  # no bundle or proxy of this machine
        self.http.verify = partita.verify
        self.http.headers["Accept-Language"] = "en"

    def follow(self, response):
        """Follows redirects inside the provider; returns (response, None) or (None, URL of somebody else)."""
        for _ in range(20):
            if response.status_code not in (302, 303, 307):
                return response, None
            target = urljoin(response.url, response.headers["Location"])
            if not target.startswith(self.partita.issuer + "/"):
                return None, target
            response = self.http.get(target, allow_redirects=False, timeout=30)
        raise AssertionError("redirects in a circle")

    def submit(self, response, form, values, button=None):
        fields = [(name, value) for name, value in form.fields if name not in values]
        fields += list(values.items()) + ([button] if button else [])
        url = urljoin(response.url, form.action)
        if form.method == "post":
            form_type = {"Content-Type": "application/x-www-form-urlencoded"}  # with an empty body, too, as browsers do
            return self.http.post(url, data=fields, headers=form_type, allow_redirects=False, timeout=60)
        return self.http.get(url, params=fields, allow_redirects=False, timeout=60)

    def authorize(self, parameters, allow=True):
        """Goes through /authorize, signing in and consenting as asked. Returns the parameters that came back to the client."""
        response = self.http.get(f"{self.partita.issuer}/authorize?{urlencode(parameters)}", allow_redirects=False, timeout=30)
        return answer_of(self.through_pages(response, allow))

    def visit(self, url, allow=True):
        """Opens an authorization URL that a client made; returns the URL that leads back to the client."""
        return self.through_pages(self.http.get(url, allow_redirects=False, timeout=30), allow)

    def through_pages(self, response, allow=True):
        """Answers page after page until the provider sends the browser elsewhere; returns where."""
        for _ in range(6):
            response, elsewhere = self.follow(response)
            if elsewhere:
                return elsewhere
            page = Page(response.text)
            assert page.forms, f"{response.status_code} {page.title}: {page.text[:600]}"
            response = self.answer(response, page, allow)
        raise AssertionError("too many pages: " + Page(response.text).text[:600])

    def answer(self, response, page, allow):
        for form in page.forms:
            names = [name for name, _ in form.fields]
            if "password" in names:
                return self.submit(response, form, {"username": self.username, "password": self.password})
            for wanted in (("decision", "allow"), ("decision", "deny")):
                if wanted in form.buttons and (wanted[1] == "allow") == allow:
                    return self.submit(response, form, {}, wanted)
        raise AssertionError(f"no form here that a person would answer: {page.title}: {page.text[:600]}")


def answer_of(url):
    """The parameters of an authorization response, from query or fragment."""
    parts = urlsplit(url)
    return dict(parse_qsl(parts.query) + parse_qsl(parts.fragment))


def pkce():
    verifier = secrets.token_urlsafe(48)
    return verifier, base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def request_for(client_id, redirect_uri, scope="openid", **more):
    """Parameters of an authorization request with PKCE, and the verifier."""
    verifier, challenge = pkce()
    parameters = {"response_type": "code", "client_id": client_id, "redirect_uri": redirect_uri, "scope": scope,
                  "state": secrets.token_urlsafe(16), "nonce": secrets.token_urlsafe(16), "code_challenge": challenge,
                  "code_challenge_method": "S256", **more}
    return {name: value for name, value in parameters.items() if value is not None}, verifier


def token_request(partita, client, verifier=None, **parameters):
    """POST /token, by client_secret_basic when there is a secret and client_secret_post is not registered."""
    data = dict(parameters)
    if verifier:
        data["code_verifier"] = verifier
    auth = None
    if client.get("token_endpoint_auth_method") == "client_secret_post":
        data.update(client_id=client["client_id"], client_secret=client["client_secret"])
    elif client.get("client_secret"):
        auth = (client["client_id"], client["client_secret"])
    else:
        data["client_id"] = client["client_id"]
    return requests.post(partita.issuer + "/token", data=data, auth=auth, verify=partita.verify, timeout=30)


def sign_in(partita, client, scope="openid", person=None, **more):
    """The whole way: authorize, code, tokens. Returns the token response's JSON."""
    person = person or Person(partita)
    redirect_uri = client["redirect_uris"][0]
    request, verifier = request_for(client["client_id"], redirect_uri, scope, **more)
    answer = person.authorize(request)
    assert "code" in answer, answer
    assert answer["state"] == request["state"] and answer["iss"] == partita.issuer
    response = token_request(partita, client, verifier, grant_type="authorization_code", code=answer["code"], redirect_uri=redirect_uri)
    assert response.status_code == 200, response.text
    return response.json()
