"""Requests that are nearly right: good ones of every endpoint, changed at random (the same way in every run), straight at the
servers. Each is answered, none with 500, and nobody dies of one; on the sanitized build nothing is reported either."""
import json
import random
import re
import socket
from urllib.parse import urlencode, urlsplit

import requests

from person import request_for
from visitor import Visitor, new_client, new_user

COUNT = 6000
SPLICES = [b"%00", b"%", b"%zz", b"&&", b"=", b"\xff", b"\xc3\xa9", b"%F0%9F%98%80", b"A" * 3000, b"0", b"-1", b"9" * 25, b"{", b"[", b'"',
           b"\\u0000", b"null", b"..", b"\r\n", b"\0", b"+", b" ", b"eyJhbGciOiJub25lIn0", b".", b"openid", b"scope=", b"request=x",
           b"resource=https%3A%2F%2Fx", b"claims=%7B%22userinfo%22%3A%5B%5D%7D", b"request_uri=urn:ietf:params:oauth:request_uri:x"]


def get(path, *fields):
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *fields, "", ""])


def send(path, body, *fields, method="POST", kind="application/x-www-form-urlencoded"):
    body = body if isinstance(body, str) else urlencode(body)
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Type: {kind}", *fields, f"Content-Length: {len(body)}", "", body])


def good_requests(partita):
    """(server, request): of a client that authenticates, of a person who is signed in, of nobody."""
    client, person = new_client(partita), Visitor(partita, new_user(partita))
    tokens = person.tokens(client, "openid profile offline_access")
    request, _ = request_for(client["client_id"], client["redirect_uris"][0], "openid profile")
    request |= {"claims": json.dumps({"userinfo": {"email": {"essential": True}}, "id_token": {"acr": {"values": ["a", "b"]}}})}
    wanted = json.dumps({"redirect_uris": ["https://rp.example/cb"], "client_name": "x", "contacts": ["a@b"], "logo_uri": "https://x/y"})
    credentials = {"client_id": client["client_id"], "client_secret": client["client_secret"]}
    registrar = "Authorization: Bearer " + partita.info["initial_access_token"]
    bearer = "Authorization: Bearer " + tokens["access_token"]
    cookies = "Cookie: " + "; ".join(f"{cookie.name}={cookie.value}" for cookie in person.http.cookies)
    yield "op-discovery", get("/.well-known/openid-configuration", 'If-None-Match: "x"')
    yield "op-auth", get("/authorize?" + urlencode(request), cookies)
    yield "op-auth", get("/authorize?" + urlencode(request | {"prompt": "login consent", "max_age": "9", "ui_locales": "de en"}))
    yield "op-auth", send("/authorize", request)
    yield "op-auth", send("/as/par", request | credentials)
    yield "op-auth", get(f"/logout?id_token_hint={tokens['id_token']}&state=x")
    yield "op-auth", get("/device/approve?user_code=BCDF-GHJK", cookies)
    for seen in person.get("/account"), person.ask(client, prompt="consent"), person.ask(client, prompt="select_account"), person.get("/logout"):
        for form in seen.page.forms:
            yield "op-auth", send(urlsplit(form.action).path, urlencode(dict(form.fields)) + "&decision=x&account=other&current=x&new=y", cookies)
    yield "op-token", send("/token", credentials | {"grant_type": "client_credentials", "scope": "email"})
    yield "op-token", send("/token", credentials | {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]})
    yield "op-token", send("/token", credentials | {"grant_type": "authorization_code", "code": "c" * 43, "code_verifier": "v" * 50,
                                                   "redirect_uri": client["redirect_uris"][0]})
    yield "op-token", send("/token", {"grant_type": "client_credentials", "client_assertion": tokens["id_token"], "client_assertion_type":
                                      "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"})
    yield "op-token", send("/token", credentials | {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": "d" * 43})
    yield "op-userinfo", get("/userinfo", bearer, "Origin: http://localhost:9")
    yield "op-userinfo", send("/userinfo", {"access_token": tokens["access_token"]})
    yield "op-management", send("/introspect", credentials | {"token": tokens["access_token"]})
    yield "op-management", send("/revoke", credentials | {"token": tokens["refresh_token"][:-9]})
    yield "op-management", send("/register", wanted, registrar, kind="application/json")
    yield "op-management", send("/register/x", wanted, registrar, method="PUT", kind="application/json")
    yield "op-async", send("/device_authorization", credentials | {"scope": "openid"})
    yield "op-async", send("/device", {"user_code": "BCDFGHJK"})
    yield "op-async", get("/device/qr?user_code=BCDF-GHJK")


def mutate(dice, text):
    for _ in range(dice.choice((1, 1, 2, 3, 6))):
        at, end = dice.randrange(len(text) + 1), dice.randrange(1, 40)
        how = dice.randrange(5)
        if how == 0:
            text = text[:at] + dice.choice(SPLICES) + text[at:]
        elif how == 1:
            text = text[:at] + text[at + end:]
        elif how == 2:
            text = text[:at] + text[at:at + end] + text[at:]
        elif how == 3:
            text = text[:at] + bytes(dice.randrange(256) for _ in range(dice.randrange(1, 5))) + text[at + 1:]
        else:
            parts = text.split(b"&")
            dice.shuffle(parts)
            text = b"&".join(parts + parts[:1])
    return text


def change(dice, request):
    """Body or target, which reach the endpoints; sometimes the whole head, which seldom does."""
    head, _, body = request.encode("latin-1").partition(b"\r\n\r\n")
    line, _, fields = head.partition(b"\r\n")
    if body and dice.random() < 0.7:
        body = mutate(dice, body)
        fields = re.sub(rb"Content-Length: \d+", b"Content-Length: %d" % len(body), fields)
    elif dice.random() < 0.8:
        method, target, version = line.split(b" ")
        line = b" ".join([method, bytes(c if 33 <= c < 127 else 65 for c in mutate(dice, target)), version])
    else:
        fields = mutate(dice, fields)
    return line + b"\r\n" + fields + b"\r\n\r\n" + body


def answer(path, data):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(path)
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while part := connection.recv(65536):
            received += part
    return received


def test_requests_that_are_nearly_right(own):
    dice, requests_ = random.Random(20), list(good_requests(own))
    sockets = {server["name"]: server["socket"] for server in own.info["servers"]}
    pids = [server["pid"] for server in own.info["servers"]]
    statuses = set()
    for number in range(COUNT):
        server, request = dice.choice(requests_)
        data = change(dice, request)
        received = answer(sockets[server], data)
        assert re.match(rb"HTTP/1.1 [2345]\d\d ", received) and not received.startswith(b"HTTP/1.1 500"), (number, server, data, received[:300])
        statuses.add(int(received[9:12]))
    assert [server["pid"] for server in own.info["servers"]] == pids, "somebody was started again"
    assert {200, 303, 400, 401, 404} <= statuses
    assert requests.get(own.issuer + "/", timeout=20).status_code == 200
