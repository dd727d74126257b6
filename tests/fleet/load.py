"""A steady load from inside the machine, as clients and people make it, that remembers every failure and every gap."""
import threading
import time

import requests

from person import Person, answer_of, pkce


class Site:
    """What the clients know of the provider."""

    verify = True

    def __init__(self, info):
        self.info, self.issuer = info, info["issuer"]


class Load:
    """Workers that go round and round until stop(); each request is one line of the account."""

    def __init__(self, info, pause=0.01):
        self.site, self.info, self.pause = Site(info), info, pause
        self.requests, self.failures, self.gap = 0, [], 0.0
        self.lock, self.ending = threading.Lock(), threading.Event()
        self.excused = []  # (from, until): a process was killed then
        kinds = [self.sign_in, self.sign_in, self.refresh, self.refresh, self.introspect, self.register, self.revoke, self.device]
        self.threads = [threading.Thread(target=self.rounds, args=(kind,), daemon=True) for kind in kinds]

    def start(self):
        for thread in self.threads:
            thread.start()
        return self

    def stop(self):
        self.ending.set()
        for thread in self.threads:
            thread.join(60)
        lost = [f for f in self.failures if not any(begin <= f["at"] <= end for begin, end in self.excused)]
        return {"requests": self.requests, "failed": len(lost), "excused": len(self.failures) - len(lost),
                "longest_gap_ms": round(self.gap * 1000), "failures": lost[:20]}

    def rounds(self, kind):
        http = requests.Session()
        http.trust_env = False
        state, last = {}, time.monotonic()
        while not self.ending.is_set():
            began = time.time()
            try:
                count, wrong = kind(http, state)
            except (requests.RequestException, AssertionError, KeyError, ValueError) as error:
                count, wrong = 1, f"{type(error).__name__}: {error}"
                state.clear()
            now = time.monotonic()
            with self.lock:
                self.requests += count
                if wrong:
                    self.failures.append({"at": began, "what": kind.__name__, "how": str(wrong)[:300]})
                else:
                    self.gap = max(self.gap, now - last)
            last = now
            time.sleep(self.pause)

    def token(self, http, **form):
        client = self.info["client"]
        return http.post(self.site.issuer + "/token", data=form, auth=(client["client_id"], client["client_secret"]), timeout=30)

    def sign_in(self, http, state):
        person = Person(self.site)
        client, (verifier, challenge) = self.info["client"], pkce()
        answer = answer_of(person.visit(
            f"{self.site.issuer}/authorize?response_type=code&client_id={client['client_id']}&redirect_uri={client['redirect_uri']}"
            f"&scope=openid+email&state=x&code_challenge={challenge}&code_challenge_method=S256"))
        reply = self.token(http, grant_type="authorization_code", code=answer["code"], redirect_uri=client["redirect_uri"], code_verifier=verifier)
        if reply.status_code != 200:
            return 4, f"token: {reply.status_code} {reply.text}"
        told = http.get(self.site.issuer + "/userinfo", headers={"Authorization": "Bearer " + reply.json()["access_token"]}, timeout=30)
        return 5, None if told.status_code == 200 else f"userinfo: {told.status_code} {told.text}"

    def refresh(self, http, state):
        if "token" not in state:
            person = Person(self.site)
            client, (verifier, challenge) = self.info["client"], pkce()
            answer = answer_of(person.visit(
                f"{self.site.issuer}/authorize?response_type=code&client_id={client['client_id']}&redirect_uri={client['redirect_uri']}"
                f"&scope=openid+offline_access&prompt=consent&state=x&code_challenge={challenge}&code_challenge_method=S256"))
            reply = self.token(http, grant_type="authorization_code", code=answer["code"], redirect_uri=client["redirect_uri"],
                               code_verifier=verifier)
            state["token"] = reply.json()["refresh_token"]
        reply = self.token(http, grant_type="refresh_token", refresh_token=state["token"])
        if reply.status_code != 200:
            return 1, f"refresh: {reply.status_code} {reply.text}"
        state["token"] = reply.json()["refresh_token"]
        return 1, None

    def introspect(self, http, state):
        client = self.info["client"]
        token = self.token(http, grant_type="client_credentials").json()["access_token"]
        reply = http.post(self.site.issuer + "/introspect", data={"token": token}, auth=(client["client_id"], client["client_secret"]), timeout=30)
        return 2, None if reply.status_code == 200 and reply.json()["active"] else f"introspect: {reply.status_code} {reply.text}"

    def register(self, http, state):
        reply = http.post(self.site.issuer + "/register", json={"redirect_uris": ["https://rp.example/cb"]}, timeout=30,
                          headers={"Authorization": "Bearer " + self.info["initial_access_token"]})
        if reply.status_code != 201:
            return 1, f"register: {reply.status_code} {reply.text}"
        made = reply.json()
        gone = http.delete(made["registration_client_uri"], timeout=30, headers={"Authorization": "Bearer " + made["registration_access_token"]})
        return 2, None if gone.status_code == 204 else f"unregister: {gone.status_code} {gone.text}"

    def revoke(self, http, state):
        client = self.info["client"]
        auth = (client["client_id"], client["client_secret"])
        token = self.token(http, grant_type="client_credentials").json()["access_token"]
        reply = http.post(self.site.issuer + "/revoke", data={"token": token}, auth=auth, timeout=30)
        after = http.post(self.site.issuer + "/introspect", data={"token": token}, auth=auth, timeout=30)
        good = reply.status_code == 200 and after.status_code == 200 and not after.json()["active"]
        return 3, None if good else f"revoke: {reply.status_code} {reply.text}, then {after.text}"

    def device(self, http, state):
        client = self.info["client"]
        reply = http.post(self.site.issuer + "/device_authorization", data={"scope": "openid"}, auth=(client["client_id"], client["client_secret"]),
                          timeout=30)
        known = http.get(self.site.issuer + "/.well-known/openid-configuration", timeout=30)
        good = reply.status_code == 200 and known.status_code == 200
        return 2, None if good else f"device: {reply.status_code} {reply.text} {known.status_code}"
