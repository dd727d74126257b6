"""What people and clients had before anything was rolled, used all the time and looked at once more at the end: sessions,
refresh tokens, an access token, a registered client, device flows, and what was taken away and must stay so."""
import threading
import time

import requests

from person import Page, answer_of

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
ALLOW = ("decision", "allow")
DEVICE_SPAN = 20  # seconds that a device flow is left in progress, so that servers are rolled under it


class Wrong(Exception):
    pass


def must(good, otherwise):
    if not good:
        raise Wrong(otherwise)


class Kept:
    def __init__(self, load):
        self.load, self.info, self.issuer = load, load.info, load.issuer
        self.used = {"session": 0, "rotated": 0, "refreshed": 0, "introspected": 0, "registered": 0, "taken_away": 0, "devices": 0}
        self.flow, self.look_again = None, 0
        self.reboots = 0

    def kinds(self):
        return [self.session, self.rotated, self.refreshed, self.introspected, self.registered, self.taken_away, self.device]

    # --- before the first roll ---

    def make(self):
        load, client, public = self.load, self.info["client"], self.info["public"]
        self.person = load.person("kept-session")
        tokens = load.sign_in(self.person, client, "openid email")
        self.bound, self.access = tokens["refresh_token"], tokens["access_token"]
        self.offline = load.sign_in(load.person("kept-rotated"), public, "openid offline_access", prompt="consent")["refresh_token"]
        http = self.person.http
        reply = http.post(self.issuer + "/register", json={"redirect_uris": ["https://kept.example/cb"]},
                          headers={"Authorization": "Bearer " + self.info["initial_access_token"]})
        must(reply.status_code == 201, reply.text)
        self.client = reply.json()
        self.take_away()

    def take_away(self):
        load, client = self.load, self.info["client"]
        self.ended = load.person("kept-taken_away")
        tokens = load.sign_in(self.ended, client, "openid offline_access", prompt="consent")
        self.dead_refresh, self.dead_access = tokens["refresh_token"], tokens["access_token"]
        for token in (self.dead_access, self.dead_refresh):
            must(load.post(self.ended.http, "/revoke", client, token=token).status_code == 200, "/revoke")
        reply = self.ended.http.get(self.issuer + "/logout", params={"id_token_hint": tokens["id_token"]}, allow_redirects=False)
        must("signed out" in reply.text, "/logout: " + Page(reply.text).text[:200])

    # --- all the time ---

    def session(self, http):
        """Signed in once: no page is shown any more."""
        client = self.info["client"]
        url, verifier = self.load.request_for(client, "openid email", prompt="none")
        reply = self.person.http.get(url, allow_redirects=False)
        answer = answer_of(reply.headers.get("Location", ""))
        must("code" in answer, f"the session is lost: {reply.status_code} {answer}")
        self.load.redeem(self.person.http, client, answer["code"], verifier)
        self.used["session"] += 1

    def rotated(self, http):
        """A token that gets a successor each time; one whose answer was lost is shown again."""
        reply = self.load.token(http, self.info["public"], grant_type="refresh_token", refresh_token=self.offline)
        must(reply.status_code == 200, f"the rotated token is refused: {reply.text}")
        must(reply.json()["refresh_token"] != self.offline, "there is no successor")
        self.offline = reply.json()["refresh_token"]
        self.used["rotated"] += 1

    def refreshed(self, http):
        """One that lives as long as its session."""
        reply = self.load.token(http, self.info["client"], grant_type="refresh_token", refresh_token=self.bound)
        must(reply.status_code == 200, f"the session's refresh token is refused: {reply.text}")
        self.bound = reply.json().get("refresh_token", self.bound)
        self.used["refreshed"] += 1

    def introspected(self, http):
        must(self.load.is_active(http, self.access), "the first access token is not active any more")
        reply = http.get(self.issuer + "/userinfo", headers={"Authorization": "Bearer " + self.access})
        must(reply.status_code == 200, f"/userinfo: {reply.status_code} {reply.text}")
        self.used["introspected"] += 1

    def registered(self, http):
        reply = http.get(self.client["registration_client_uri"], headers={"Authorization": "Bearer " + self.client["registration_access_token"]})
        must(reply.status_code == 200 and reply.json()["redirect_uris"] == ["https://kept.example/cb"], f"/register: {reply.status_code} {reply.text}")
        self.used["registered"] += 1

    def taken_away(self, http):
        """Now and then: errors are the exception, or they would hide those that a new version makes."""
        if time.monotonic() < self.look_again and not self.load.ending.is_set():
            return
        self.look_again, client = time.monotonic() + 3, self.info["client"]
        must(not self.load.is_active(http, self.dead_access), "a revoked access token is active again")
        reply = self.load.token(http, client, grant_type="refresh_token", refresh_token=self.dead_refresh)
        must(reply.status_code == 400 and reply.json()["error"] == "invalid_grant", f"a revoked refresh token: {reply.status_code} {reply.text}")
        url, _ = self.load.request_for(client, "openid", prompt="none")
        answer = answer_of(self.ended.http.get(url, allow_redirects=False).headers.get("Location", ""))
        must(answer.get("error") == "login_required", f"a session that was ended: {answer}")
        self.used["taken_away"] += 1

    def device(self, http):
        """Begun, left in progress for a while, allowed by a person and redeemed."""
        flow = self.flow
        if flow is None or flow["reboots"] != self.reboots:
            self.flow = self.begin_device(http)
            return
        if time.monotonic() < flow["next"]:
            return
        answer = self.poll(http, flow)
        if answer.status_code == 200:
            must(flow["tries"] > 0, "a device was let in without a person")
            self.flow = None
            self.used["devices"] += 1
            return
        error = answer.json()["error"]
        if error == "slow_down":  # an answer was lost, so that we asked again too soon
            flow["interval"] += 5
        elif error != "authorization_pending":
            # What was volatile is lost with a reboot, which this flow may not have heard of yet.
            must(self.load.volatile.rebooting.is_set() or flow["reboots"] != self.reboots, f"the device flow ends with {error}")
            self.flow = None
            return
        flow["next"] = time.monotonic() + flow["interval"]
        if time.monotonic() > flow["began"] + DEVICE_SPAN:
            self.allow(flow)

    def begin_device(self, http):
        reboots = self.reboots
        reply = self.load.post(http, "/device_authorization", self.info["client"], scope="openid email")
        must(reply.status_code == 200, reply.text)
        now = time.monotonic()
        return {**reply.json(), "began": now, "next": now, "tries": 0, "reboots": reboots}

    def poll(self, http, flow):
        try:
            return self.load.token(http, self.info["client"], grant_type=DEVICE, device_code=flow["device_code"])
        except Exception:
            if flow["tries"] > 0:
                self.flow = None  # redeemed perhaps, and the answer lost; the account has the failure
            raise

    def allow(self, flow):
        """A person types the code, signs in and allows it. When the answer to that was lost, it is done again or was done already."""
        person = self.load.person("kept-device")
        reply, page = person.http.get(flow["verification_uri_complete"], allow_redirects=False), None
        for _ in range(8):
            reply, _ = person.follow(reply)
            page = Page(reply.text)
            form = next((form for form in page.forms if {"password", "user_code"} & set(dict(form.fields)) or ALLOW in form.buttons), None)
            if form is None:
                break
            values = {"username": person.username, "password": person.password} if "password" in dict(form.fields) else {}
            flow["tries"] += ALLOW in form.buttons
            reply = person.submit(reply, form, values, ALLOW if ALLOW in form.buttons else None)
        must(flow["tries"] > 0, f"no page let the person allow the device: {page.title}: {page.text[:300]}")

    # --- at the end ---

    def last_look(self):
        """Everything once more. Returns what is wrong, one sentence each."""
        lost = []
        for kind in self.kinds():
            try:
                kind(self.person.http)
            except Exception as error:
                lost.append(f"{kind.__name__}: {type(error).__name__}: {error}")
        lost += [f"{name} was never used" for name, count in self.used.items() if count == 0 and name != "devices"]
        return lost


class Volatile:
    """What may be lost with the machine's memory, and must then be refused with the right error."""

    def __init__(self, load):
        self.load, self.info, self.issuer = load, load.info, load.issuer
        self.rebooting = threading.Event()

    def make(self):
        load, client = self.load, self.info["client"]
        self.person = load.person("volatile")
        load.sign_in(self.person, client, "openid email")
        url, self.verifier = load.request_for(client, "openid email", prompt="none")
        self.code = answer_of(self.person.http.get(url, allow_redirects=False).headers["Location"])["code"]
        self.device_code = load.post(self.person.http, "/device_authorization", client, scope="openid").json()["device_code"]
        url, _ = load.request_for(client, "openid email", prompt="none")
        pushed = load.post(self.person.http, "/as/par", client, **dict(part.split("=", 1) for part in
                           requests.compat.unquote(url.split("?", 1)[1].replace("+", " ")).split("&")))
        must(pushed.status_code == 201, pushed.text)
        self.request_uri = pushed.json()["request_uri"]
        self.rebooting.set()

    def is_gone(self):
        load, client, http = self.load, self.info["client"], self.load.person("volatile-gone").http
        self.load.kept.reboots += 1
        self.rebooting.clear()
        for what, form in (("code", {"grant_type": "authorization_code", "code": self.code, "redirect_uri": client["redirect_uri"],
                                     "code_verifier": self.verifier}),
                           ("device code", {"grant_type": DEVICE, "device_code": self.device_code})):
            reply = load.token(http, client, **form)
            must(reply.status_code == 400 and reply.json()["error"] in ("invalid_grant", "expired_token"),
                 f"a {what} from before: {reply.status_code} {reply.text}")
        reply = self.person.http.get(self.issuer + "/authorize", params={"client_id": client["client_id"], "request_uri": self.request_uri},
                                     allow_redirects=False)
        must(reply.status_code == 400 and "invalid_request_uri" in reply.text, f"a pushed request from before: {reply.status_code} {reply.text[:300]}")
