"""Calls of the administration API, as an operator's own program makes them."""
import json

import requests


class Desk:
    """A client with power, and a token of it."""

    def __init__(self, partita, admin=None, scope=None):
        self.partita, self.root, self.verify = partita, partita.issuer + "/admin/v1", partita.verify
        self.client = admin or partita.info["admin"]
        self.token = self.ask(scope).json()["access_token"]

    @classmethod
    def of(cls, partita, powers):
        """A new client with these powers."""
        return cls(partita, partita.opctl("client", "add", "--name", "Desk", "--grant", "client_credentials", "--admin", powers))

    def ask(self, scope=None, **more):
        """The answer of /token."""
        form = {"grant_type": "client_credentials", "resource": self.partita.issuer + "/admin", **more}
        form.update({"scope": scope} if scope else {})
        return requests.post(self.partita.issuer + "/token", data=form, verify=self.verify, timeout=20,
                             auth=(self.client["client_id"], self.client["client_secret"]))

    def call(self, method, path, body=None, headers=(), token=None, **more):
        """path is below /admin/v1, or a whole address (next, Location)."""
        fields = {"Authorization": "Bearer " + (token or self.token), **dict(headers)}
        if body is not None:
            fields.setdefault("Content-Type", "application/merge-patch+json" if method == "PATCH" else "application/json")
        data = body if body is None or isinstance(body, (bytes, str)) else json.dumps(body)
        url = path if path.startswith("http") else self.root + path
        return requests.request(method, url, data=data, headers=fields, verify=self.verify, timeout=30, **more)

    def get(self, path, **more):
        return self.call("GET", path, **more)

    def ok(self, method, path, body=None, status=200, **more):
        answer = self.call(method, path, body, **more)
        assert answer.status_code == status, (answer.status_code, answer.text)
        return answer

    def change(self, path, body, match=None, status=200):
        """PATCH under the present ETag."""
        match = match or self.get(path).headers["ETag"]
        return self.ok("PATCH", path, body, status, headers={"If-Match": match})

    def remove(self, path, match="*", status=204):
        return self.ok("DELETE", path, status=status, headers={"If-Match": match})

    def all(self, path):
        """The whole list, part by part."""
        items, answer = [], self.ok("GET", path).json()
        while True:
            items += answer["items"]
            if "next" not in answer:
                return items
            answer = self.ok("GET", answer["next"]).json()
