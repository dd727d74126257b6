"""What a server has read and sent does not stay in its memory (DESIGN, conventions: secrets are wiped)."""
import base64

import requests

from person import Person, sign_in, token_request

PASSWORD = "Zq9wX-found-nowhere-afterwards"


def writable_memory(pid):
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            place, mode = line.split()[:2]
            low, high = (int(end, 16) for end in place.split("-"))
            if "w" not in mode or high - low > 1 << 28:
                continue
            try:
                memory.seek(low)
                yield memory.read(high - low)
            except OSError:  # not to be read: a guard page
                continue


def test_no_password_cookie_secret_or_token_stays(start_partita):
    house = start_partita()
    house.add_user("vera", PASSWORD)
    client = house.add_client("Wiki", "http://localhost:9/cb")
    person = Person(house, "vera", PASSWORD)
    tokens = sign_in(house, client, "openid offline_access", person)
    renewed = token_request(house, client, grant_type="refresh_token", refresh_token=tokens["refresh_token"]).json()
    for token in (tokens["access_token"], renewed["access_token"]):
        answer = requests.get(house.issuer + "/userinfo", headers={"Authorization": "Bearer " + token}, timeout=10)
        known = requests.post(house.issuer + "/introspect", data={"token": token}, auth=(client["client_id"], client["client_secret"]), timeout=10)
        assert answer.status_code == 200 and known.json()["active"] is True
    requests.get(house.issuer + "/", timeout=10)
    basic = base64.b64encode(f"{client['client_id']}:{client['client_secret']}".encode())
    secrets = {"password": PASSWORD, "session cookie": person.http.cookies.get("partita"), "first refresh token": tokens["refresh_token"],
               "second refresh token": renewed["refresh_token"], "client secret": client["client_secret"],
               "first access token": tokens["access_token"], "second access token": renewed["access_token"],
               "authorization header": basic.decode()}
    found = [(server["name"], name) for server in house.info["servers"] for part in writable_memory(server["pid"])
             for name, secret in secrets.items() if secret[-40:].encode() in part]
    assert not found
