"""Requests to /register and /register/CLIENT_ID, as a client's own code makes them."""
import json

import requests

CALLBACK = "http://localhost:8090/callback"
METADATA = {"redirect_uris": [CALLBACK], "client_name": "Registered", "grant_types": ["authorization_code", "refresh_token"]}


def bearer(token):
    return {"Authorization": "Bearer " + token} if token else {}


class Registrar:
    """At an issuer, with an initial access token; token="" sends none."""

    def __init__(self, partita, token=None):
        self.url, self.verify = partita.issuer + "/register", partita.verify
        self.token = partita.info["initial_access_token"] if token is None else token

    def post(self, metadata=None, **more):
        metadata = {**METADATA, **more} if metadata is None else metadata
        return requests.post(self.url, json=metadata, headers=bearer(self.token), verify=self.verify, timeout=20)

    def register(self, **more):
        """The client information response; members that are None are left out of the request."""
        metadata = {name: value for name, value in {**METADATA, **more}.items() if value is not None}
        answer = self.post(metadata)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def manage(self, method, client, metadata=None, token=None):
        headers = bearer(client["registration_access_token"] if token is None else token)
        if metadata is not None:
            headers["Content-Type"] = "application/json"
        return requests.request(method, client["registration_client_uri"], headers=headers, verify=self.verify, timeout=20,
                                data=None if metadata is None else json.dumps(metadata))
