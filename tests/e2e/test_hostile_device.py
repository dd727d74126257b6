"""Requests of the device grant that must be refused, each with the exact status and error."""
import base64
from urllib.parse import urlencode

import pytest
import requests

from test_device import GRANT, Device, approve, new_device_client
from visitor import Visitor, new_user

LONG = "a" * 5000


def basic(client_id, secret):
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}


@pytest.fixture(scope="module")
def world(partita):
    """What the rows refer to by {name}: clients, and device codes in every state."""
    client, other = new_device_client(partita), new_device_client(partita, name="Other")
    kiosk = partita.opctl("client", "add", "--name", "Kiosk", "--grant", "device_code", "--scope", "openid")
    off = new_device_client(partita, name="Off")
    partita.opctl("client", "disable", off["client_id"])
    visitor = Visitor(partita, new_user(partita))
    visitor.enter()
    pending, denied, used, approved = (Device(partita, client) for _ in range(4))
    approve(visitor, denied, "deny")
    approve(visitor, used)
    approve(visitor, approved)
    assert "access_token" in used.poll()
    return {"partita": partita, "tv": client["client_id"], "other": other["client_id"], "off": off["client_id"], "kiosk": kiosk["client_id"],
            "kiosk_secret": kiosk["client_secret"], "web": partita.info["client"]["client_id"], "web_secret": partita.info["client"]["client_secret"],
            "pending": pending.device_code, "denied": denied.device_code, "used": used.device_code, "approved": approved.device_code,
            "short": pending.user_code, "visitor": visitor, "long": LONG}


def fill(value, world):
    if isinstance(value, dict):
        return {name: fill(text, world) for name, text in value.items()}
    for name, text in world.items():
        if isinstance(value, str) and isinstance(text, str):
            value = value.replace("{" + name + "}", text)
    return value


TV = {"client_id": "{tv}", "scope": "openid"}
FORM = "application/x-www-form-urlencoded"
WEB, KIOSK, WRONG = ("{web}", "{web_secret}"), ("{kiosk}", "{kiosk_secret}"), ("{kiosk}", "wrong")

# (name, credentials or None, form or raw body, status, error[, content type])
ASKING = [
    ("no body", None, {}, 401, "invalid_client"),
    ("no client", None, {"scope": "openid"}, 401, "invalid_client"),
    ("unknown client", None, {**TV, "client_id": "nobody"}, 401, "invalid_client"),
    ("disabled client", None, {**TV, "client_id": "{off}"}, 401, "invalid_client"),
    ("a confidential client without its secret", None, {**TV, "client_id": "{kiosk}"}, 401, "invalid_client"),
    ("a wrong secret", WRONG, {"scope": "openid"}, 401, "invalid_client"),
    ("a public client with a secret", ("{tv}", "x"), {"scope": "openid"}, 401, "invalid_client"),
    ("two ways to authenticate", KIOSK, {"scope": "openid", "client_secret": "{kiosk_secret}"}, 400, "invalid_request"),
    ("another client_id in the body", KIOSK, TV, 400, "invalid_request"),
    ("a client without this grant", WEB, {"scope": "openid"}, 400, "unauthorized_client"),
    ("no scope", None, {"client_id": "{tv}"}, 400, "invalid_scope"),
    ("an empty scope", None, {**TV, "scope": ""}, 400, "invalid_scope"),
    ("a malformed scope", None, {**TV, "scope": 'openid "x"'}, 400, "invalid_scope"),
    ("two spaces between scopes", None, {**TV, "scope": "openid  profile"}, 400, "invalid_scope"),
    ("a scope it is not registered for", None, {**TV, "scope": "openid address"}, 400, "invalid_scope"),
    ("only scopes that nobody knows", None, {**TV, "scope": "magic"}, 400, "invalid_scope"),
    ("a scope too long", None, {**TV, "scope": "{long}"}, 400, "invalid_request"),
    ("scope twice", None, "client_id={tv}&scope=openid&scope=profile", 400, "invalid_request"),
    ("client_id twice", None, "client_id={tv}&client_id={tv}&scope=openid", 400, "invalid_request"),
    ("client_id too long", None, {**TV, "client_id": "{long}"}, 400, "invalid_request"),
    ("JSON", None, '{"client_id":"{tv}","scope":"openid"}', 400, "invalid_request", "application/json"),
    ("no content type", None, "client_id={tv}&scope=openid", 400, "invalid_request", ""),
    ("a bad percent escape", None, "client_id={tv}&scope=%zz", 400, "invalid_request"),
    ("a NUL", None, "client_id={tv}&scope=openid%00", 400, "invalid_request"),
    ("not UTF-8", None, "client_id={tv}&scope=%ff", 400, "invalid_request"),
    ("a resource that is not registered", None, {**TV, "resource": "https://evil.example/"}, 400, "invalid_target"),
    ("a resource with a fragment", None, {**TV, "resource": "https://evil.example/#x"}, 400, "invalid_target"),
    ("a body too large", None, {**TV, "x": "y" * 20000}, 413, "invalid_request"),
]

POLL = {"grant_type": GRANT, "client_id": "{tv}", "device_code": "{pending}"}
POLLING = [
    ("no device_code", None, {"grant_type": GRANT, "client_id": "{tv}"}, 400, "invalid_request"),
    ("an empty one", None, {**POLL, "device_code": ""}, 400, "invalid_request"),
    ("twice", None, {**POLL, "device_code": ["x", "y"]}, 400, "invalid_request"),
    ("too long", None, {**POLL, "device_code": "{long}"}, 400, "invalid_request"),
    ("with control characters", None, {**POLL, "device_code": "a\nb"}, 400, "invalid_request"),
    ("one that nobody made", None, {**POLL, "device_code": "x" * 43}, 400, "invalid_grant"),
    ("the short code instead", None, {**POLL, "device_code": "{short}"}, 400, "invalid_grant"),
    ("in lower case", None, {**POLL, "device_code": "x{approved}"}, 400, "invalid_grant"),
    ("one that was used", None, {**POLL, "device_code": "{used}"}, 400, "invalid_grant"),
    ("one that was denied", None, {**POLL, "device_code": "{denied}"}, 400, "access_denied"),
    ("another client's, pending", None, {**POLL, "client_id": "{other}"}, 400, "invalid_grant"),
    ("another client's, denied", None, {**POLL, "client_id": "{other}", "device_code": "{denied}"}, 400, "invalid_grant"),
    ("another client's, approved", None, {**POLL, "client_id": "{other}", "device_code": "{approved}"}, 400, "invalid_grant"),
    ("a confidential client's try", KIOSK, {"grant_type": GRANT, "device_code": "{approved}"}, 400, "invalid_grant"),
    ("a client without this grant", WEB, {"grant_type": GRANT, "device_code": "{approved}"}, 400, "unauthorized_client"),
    ("no client", None, {"grant_type": GRANT, "device_code": "{approved}"}, 401, "invalid_client"),
    ("an unknown client", None, {**POLL, "client_id": "nobody"}, 401, "invalid_client"),
    ("as an authorization code", None, {"grant_type": "authorization_code", "client_id": "{tv}", "code": "{approved}"}, 400, "unauthorized_client"),
    ("the short name of the grant", None, {**POLL, "grant_type": "device_code"}, 400, "unsupported_grant_type"),
    ("the grant in upper case", None, {**POLL, "grant_type": GRANT.upper()}, 400, "unsupported_grant_type"),
    ("a resource that was not asked for", None, {**POLL, "device_code": "{approved}", "resource": "https://evil.example/"}, 400, "invalid_target"),
]


def post(world, path, row):
    _, who, body, _, _, *kind = row
    headers = basic(*(fill(word, world) for word in who)) if who else {}
    headers["Content-Type"] = kind[0] if kind else FORM
    body = fill(body, world)
    if isinstance(body, dict):
        body = urlencode(body, doseq=True)
    return requests.post(world["partita"].issuer + path, data=body, headers=headers, allow_redirects=False, timeout=20)


def check(world, path, row):
    response = post(world, path, row)
    assert (response.status_code, response.json()["error"]) == row[3:5], response.text
    assert response.json()["error_description"] and "evil.example" not in response.text and LONG not in response.text
    assert ("WWW-Authenticate" in response.headers) == (response.status_code == 401)
    if response.status_code != 413:
        assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("row", ASKING, ids=[row[0] for row in ASKING])
def test_a_request_for_codes_is_refused(world, row):
    check(world, "/device_authorization", row)


@pytest.mark.parametrize("row", POLLING, ids=[row[0] for row in POLLING])
def test_a_poll_is_refused(world, row):
    check(world, "/token", row)


def test_none_of_that_spent_anything(world):
    body = {"grant_type": GRANT, "client_id": world["tv"], "device_code": world["approved"]}
    assert requests.post(world["partita"].issuer + "/token", data=body, timeout=20).status_code == 200
    body["device_code"] = world["pending"]
    assert requests.post(world["partita"].issuer + "/token", data=body, timeout=20).json()["error"] == "authorization_pending"


# --- what browsers can send; (name, method, path, form or raw body, status, what the page says or where it leads) ---
BROWSING = [
    ("no code", "POST", "/device", {}, 303, "/device?error=missing"),
    ("an empty code", "POST", "/device", {"user_code": ""}, 303, "/device?error=missing"),
    ("no letters of a code", "POST", "/device", {"user_code": "12-34"}, 303, "/device?error=malformed&user_code=12-34"),
    ("markup for a code", "POST", "/device", {"user_code": "<script>alert(1)</script>"}, 303,
     "/device?error=malformed&user_code=%3Cscript%3Ealert%281%29%3C%2Fscript%3E"),
    ("a code too long", "POST", "/device", {"user_code": "B" * 200}, 303, "/device?error=malformed"),
    ("the code twice", "POST", "/device", "user_code=BCDF-GHJK&user_code={short}", 303, "/device?error="),
    ("JSON", "POST", "/device", "{}", 400, "cannot be used"),
    ("a bad percent escape", "POST", "/device", "user_code=%zz", 400, "cannot be used"),
    ("a code that is not UTF-8", "POST", "/device", "user_code=%ff", 400, "cannot be used"),
    ("a body too large", "POST", "/device", {"x": "y" * 5000}, 413, ""),
    ("markup in the link", "GET", "/device?user_code=%3Cb%3EBCDFGHJK", None, 200, "Connect a device"),
    ("a message of somebody else's", "GET", "/device?error=%3Cb%3Ecall+0900", None, 200, "Connect a device"),
    ("a link that is not well-formed", "GET", "/device?user_code=%zz", None, 200, "Connect a device"),
    ("PUT", "PUT", "/device", {}, 405, "cannot be used this way"),
    ("GET of the device's endpoint", "GET", "/device_authorization", None, 405, ""),
    ("an approval without its form", "POST", "/device/approve", {"decision": "allow", "user_code": "{short}"}, 400, "cannot be used"),
    ("an approval with a form of rubbish", "POST", "/device/approve", {"decision": "allow", "interaction": "x"}, 400, "cannot be used"),
    ("an approval in the URL", "GET", "/device/approve?user_code={short}&decision=allow", None, 200, "Your device must show this code"),
    ("an approval of nothing", "GET", "/device/approve", None, 303, "/device"),
    ("an approval of what is no code", "GET", "/device/approve?user_code=%3Cb%3E", None, 303, "/device"),
    ("DELETE", "DELETE", "/device/approve", {}, 405, "cannot be used this way"),
    ("a page below", "GET", "/device/nothing", None, 404, "no such page"),
    ("a QR code of nothing", "GET", "/device/qr", None, 400, "missing"),
    ("a QR code of any text", "GET", "/device/qr?user_code=https%3A%2F%2Fevil.example", None, 400, "missing"),
    ("a QR code of markup", "GET", "/device/qr?user_code=%22%3E%3Cscript%3E", None, 400, "missing"),
]


@pytest.mark.parametrize("row", BROWSING, ids=[row[0] for row in BROWSING])
def test_browsers(world, row):
    name, method, path, body, status, said = row
    visitor, issuer = world["visitor"], world["partita"].issuer
    headers = {"Content-Type": "application/json" if name == "JSON" else FORM} if body is not None else {}
    body = fill(body, world)
    response = visitor.http.request(method, issuer + fill(path, world), data=urlencode(body) if isinstance(body, dict) else body,
                                    headers=headers, allow_redirects=False, timeout=20)
    assert response.status_code == status, response.text[:300]
    if status == 303:
        where = response.headers["Location"]
        assert where == said or said.endswith("=") and where.startswith(said), where
    else:
        assert said in response.text
    assert "<script>" not in response.text and "<b>" not in response.text and "0900" not in response.text
    if status in (200, 303, 400):
        assert response.headers["Cache-Control"] == "no-store"


def test_the_form_of_another_page_approves_nothing(world):
    """Every form is bound to its purpose: consent, sign-in and account forms are no approvals."""
    visitor = world["visitor"]
    device = Device(world["partita"], {"client_id": world["tv"]})
    account = visitor.get("/account")
    sealed = account.field("interaction", "sign-out-everywhere")
    seen = visitor.post("/device/approve", {"interaction": sealed, "decision": "allow", "user_code": device.user_code})
    assert seen.kind == "problem" and device.poll() == "authorization_pending"
    asked = visitor.get("/device/approve", user_code=device.user_code)
    for decision in ({}, {"decision": "maybe"}):
        seen = visitor.post("/device/approve", {"interaction": asked.field("interaction"), **decision})
        assert seen.kind == "problem"
    seen = visitor.post("/consent", {"interaction": asked.field("interaction"), "decision": "allow"})
    assert seen.kind == "problem" and device.refused(device.post("/token", grant_type=GRANT, device_code=device.device_code)) == "slow_down"


def test_the_same_bytes_for_every_code_that_is_not_ones_own(world):
    answers = set()
    for code in ("x" * 43, world["used"], world["denied"], world["pending"]):
        body = {"grant_type": GRANT, "client_id": world["other"], "device_code": code}
        answers.add(requests.post(world["partita"].issuer + "/token", data=body, timeout=20).content)
    assert len(answers) == 1
