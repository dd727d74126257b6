"""A steady load, as clients and people make it. Every request is in the account: how many there were, each that failed (when it
began and ended, its server, how), and the longest pauses of each worker between two requests that were answered."""
import threading
import time
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from person import Person, answer_of, pkce

PAUSE, KEPT_PAUSE = 0.03, 0.2
NOTED_PAUSES = 2000
SERVERS = {"token": "op-token", "userinfo": "op-userinfo", "introspect": "op-management", "revoke": "op-management",
           "register": "op-management", "device_authorization": "op-async", "device": "op-async", ".well-known": "op-discovery"}


class Unexpected(AssertionError):
    """An answer that is not what was due."""

    def __init__(self, url, said):
        super().__init__(said)
        self.url = url


class Failed(Exception):
    """A request that was not answered, and is in the account already."""


def expect(status, reply):
    if reply.status_code != status:
        raise Unexpected(reply.url, f"{urlsplit(reply.url).path}: {reply.status_code} instead of {status}: {reply.text[:200]}")
    return reply


def expect_that(good, otherwise):
    if not good:
        raise AssertionError(otherwise)


class Account:
    def __init__(self):
        self.lock = threading.Lock()
        self.requests, self.failures, self.pauses = 0, [], []
        self.answered = {}  # worker: when its last request was

    def note(self, worker, url, began, how):
        """how: None when it was answered as it should be."""
        now = time.time()
        with self.lock:
            self.requests += 1
            if how is None:
                since = self.answered.get(worker, began)
                self.pauses.append((now - since, worker, since, now))
                if len(self.pauses) > 2 * NOTED_PAUSES:
                    self.pauses = sorted(self.pauses)[-NOTED_PAUSES:]
                self.answered[worker] = now
                return
            server = SERVERS.get(urlsplit(url).path.split("/")[1], "op-auth")
            self.failures.append({"began": began, "ended": now, "worker": worker, "server": server, "how": how[:300]})


class Http(requests.Session):
    """One worker's requests, all in the account; with the load's `fresh` each on a connection of its own."""

    def __init__(self, load, worker):
        super().__init__()
        self.trust_env = False
        self.load, self.worker = load, worker
        for scheme in ("http://", "https://"):
            self.mount(scheme, load.adapter(worker))

    def request(self, method, url, **more):
        began = time.time()
        if self.load.fresh.is_set():
            more["headers"] = {**(more.get("headers") or {}), "Connection": "close"}
        more.setdefault("timeout", 60)
        try:
            reply = super().request(method, url, **more)
        except requests.RequestException as error:
            self.load.account.note(self.worker, url, began, f"connection: {type(error).__name__}: {error}")
            raise Failed from error
        if reply.status_code >= 500:
            self.load.account.note(self.worker, url, began, f"{reply.status_code}: {reply.text}")
            raise Failed
        self.load.account.note(self.worker, url, began, None)
        return reply


class Load:
    """Workers that go round and round until they are told to end."""

    verify = True

    def __init__(self, info):
        self.info, self.issuer, self.account = info, info["issuer"], Account()
        self.fresh, self.ending = threading.Event(), threading.Event()
        self.adapters, self.threads, self.rounds = {}, [], {}

    def adapter(self, worker):
        """A worker's connections outlive its sessions, as a browser's do."""
        return self.adapters.setdefault(worker, HTTPAdapter())

    # --- what workers are given ---

    def person(self, worker):
        person = Person(self)
        person.http = Http(self, worker)
        person.http.headers["Accept-Language"] = "en"
        return person

    def request_for(self, client, scope, **more):
        """The URL of an authorization request, and the verifier."""
        verifier, challenge = pkce()
        asked = {"response_type": "code", "client_id": client["client_id"], "redirect_uri": client["redirect_uri"], "scope": scope, "state": "x",
                 "code_challenge": challenge, "code_challenge_method": "S256", **more}
        return requests.Request("GET", self.issuer + "/authorize", params=asked).prepare().url, verifier

    def post(self, http, path, client, **form):
        auth = (client["client_id"], client["client_secret"]) if "client_secret" in client else None
        if auth is None:
            form["client_id"] = client["client_id"]
        return http.post(self.issuer + path, data=form, auth=auth)

    def token(self, http, client, **form):
        return self.post(http, "/token", client, **form)

    def redeem(self, http, client, code, verifier):
        return expect(200, self.token(http, client, grant_type="authorization_code", code=code, redirect_uri=client["redirect_uri"],
                                      code_verifier=verifier)).json()

    def sign_in(self, person, client, scope, **more):
        """Through the pages as they are shown; the tokens."""
        url, verifier = self.request_for(client, scope, **more)
        answer = answer_of(person.visit(url))
        expect_that("code" in answer, f"the answer to {scope} {more} is {answer}")
        return self.redeem(person.http, client, answer["code"], verifier)

    # --- the workers ---

    def start(self):
        kinds = [self.signs_in, self.signs_in, self.refreshes, self.refreshes, self.introspects, self.registers, self.revokes, self.asks_for_device]
        for number, kind in enumerate(kinds):
            self.run(f"{kind.__name__}-{number}", kind)
        return self

    def stop(self):
        self.ending.set()
        for thread in self.threads:
            thread.join(90)
        account = self.account
        return {"requests": account.requests, "failed": len(account.failures), "failures": account.failures, "pauses": account.pauses,
                "stuck": [thread.name for thread in self.threads if thread.is_alive()]}

    def run(self, worker, kind):
        self.threads.append(threading.Thread(target=self.go_round, args=(worker, kind), daemon=True))
        self.rounds[worker] = 0
        self.threads[-1].start()

    def go_round(self, worker, kind):
        http = Http(self, worker)
        while not self.ending.is_set():
            began = time.time()
            try:
                kind(http)
            except Failed:
                time.sleep(0.1)
            except Exception as error:  # whatever else went wrong is a failure that nothing excuses
                self.account.note(worker, getattr(error, "url", self.issuer + "/"), began, f"{kind.__name__}: {type(error).__name__}: {error}")
                time.sleep(0.5)
            self.rounds[worker] += 1
            time.sleep(KEPT_PAUSE if worker.startswith("kept-") else PAUSE)

    def signs_in(self, http):
        person = self.person(http.worker)
        tokens = self.sign_in(person, self.info["client"], "openid email")
        expect(200, http.get(self.issuer + "/userinfo", headers={"Authorization": "Bearer " + tokens["access_token"]}))

    def refreshes(self, http):
        """A short-lived grant: some refreshes, each with the successor of the last."""
        client = self.info.get("public", self.info["client"])
        tokens = self.sign_in(self.person(http.worker), client, "openid offline_access", prompt="consent")
        for _ in range(20):
            tokens = expect(200, self.token(http, client, grant_type="refresh_token", refresh_token=tokens["refresh_token"])).json()
            time.sleep(PAUSE)

    def service_token(self, http):
        return expect(200, self.token(http, self.info["client"], grant_type="client_credentials")).json()["access_token"]

    def is_active(self, http, token):
        return expect(200, self.post(http, "/introspect", self.info["client"], token=token)).json()["active"]

    def introspects(self, http):
        expect_that(self.is_active(http, self.service_token(http)), "a new token is not active")

    def registers(self, http):
        made = expect(201, http.post(self.issuer + "/register", json={"redirect_uris": ["https://rp.example/cb"]},
                                     headers={"Authorization": "Bearer " + self.info["initial_access_token"]})).json()
        expect(204, http.delete(made["registration_client_uri"], headers={"Authorization": "Bearer " + made["registration_access_token"]}))

    def revokes(self, http):
        token = self.service_token(http)
        expect(200, self.post(http, "/revoke", self.info["client"], token=token))
        expect_that(not self.is_active(http, token), "a revoked token is active")

    def asks_for_device(self, http):
        expect(200, self.post(http, "/device_authorization", self.info["client"], scope="openid"))
        expect(200, http.get(self.issuer + "/.well-known/openid-configuration"))
