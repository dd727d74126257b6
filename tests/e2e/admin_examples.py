"""How the operations on clients, sessions, families, consents, registration tokens and keys are called at the administration
API: well, and so that each answers all it may. For test_admin_document.py, which holds the answers to the document."""
import secrets

from person import Person, sign_in

BACK = "http://localhost:8090/callback"
PASSWORD = "correct horse battery"
JWKS = {"keys": [{"kty": "EC", "crv": "P-256", "use": "sig", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
                  "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}
FULL = {"client_name": "Everything", "redirect_uris": [BACK], "post_logout_redirect_uris": [BACK], "application_type": "web",
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"], "scope": "openid profile",
        "token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256", "jwks": JWKS,
        "id_token_signed_response_alg": "ES256", "audiences": ["api"], "resources": ["https://api.example/"], "first_party": True,
        "rotate_refresh_tokens": True, "introspection_allowed": False, "require_pushed_authorization_requests": False,
        "refresh_token_idle_lifetime": 3600, "refresh_token_lifetime": 86400,
        "default_max_age": 0, "require_auth_time": True, "client_uri": "https://a.example/", "logo_uri": "https://a.example/l",
        "policy_uri": "https://a.example/p", "tos_uri": "https://a.example/t", "initiate_login_uri": "https://a.example/i",
        "contacts": ["a@example.org"], "software_id": "everything", "software_version": "1"}


def client_of_ours(book, **more):
    return book.call("client_add", body={"client_name": "Of the book", "redirect_uris": [BACK], **more}).json()


class Visit:
    """A new user signed in at a new client, with offline_access."""

    def __init__(self, book):
        name = "book-" + secrets.token_hex(6)
        self.user_id = book.call("user_add", body={"username": name, "password": PASSWORD}).json()["user_id"]
        self.client = client_of_ours(book)
        self.client_id = self.client["client_id"]
        sign_in(book.partita, self.client, "openid profile offline_access", Person(book.partita, name, PASSWORD))


# --- clients ---

def client_list(book):
    client_of_ours(book), client_of_ours(book)
    assert "next" in book.call("client_list", query="?limit=1").json()
    assert book.call("client_list", query="?limit=200").json()["items"]


def client_add(book):
    made = book.call("client_add", body=FULL)
    told = made.json()
    assert {name: told[name] for name in FULL} == FULL and "client_secret" not in told
    assert made.headers["Location"].endswith("/clients/" + told["client_id"])
    assert book.call("client_add", body={"client_name": "A", "redirect_uris": ["http://a.example/"]}, status=400).json()["member"] == "redirect_uris"


def client_show(book):
    client = client_of_ours(book)
    shown = book.call("client_show", client["client_id"])
    assert {**shown.json(), "client_secret": client["client_secret"]} == client
    book.call("client_show", client["client_id"], headers={"If-None-Match": shown.headers["ETag"]}, status=304)


def client_change(book):
    client = client_of_ours(book)
    match = {"If-Match": book.call("client_show", client["client_id"]).headers["ETag"]}
    changed = book.call("client_change", client["client_id"], body={**FULL, "state": "disabled"}, headers=match).json()
    assert changed["state"] == "disabled" and {name: changed[name] for name in FULL} == FULL
    cleared = {name: None for name in ("jwks", "token_endpoint_auth_method", "token_endpoint_auth_signing_alg", "contacts", "tos_uri",
                                       "audiences", "default_max_age", "refresh_token_idle_lifetime", "rotate_refresh_tokens", "scope")}
    again = book.call("client_change", client["client_id"], body=cleared, headers={"If-Match": "*"}).json()
    assert again["client_secret"] and "jwks" not in again and "scope" not in again and again["state"] == "disabled"
    book.call("client_change", client["client_id"], body={"state": "enabled"}, headers=match, status=412)


def client_secret(book):
    client = client_of_ours(book)
    other = book.call("client_secret", client["client_id"])
    assert other.json()["client_secret"] != client["client_secret"]
    book.call("client_secret", client["client_id"], headers={"If-Match": '"1"'}, status=412)
    book.call("client_secret", client["client_id"], headers={"If-Match": other.headers["ETag"]})


def client_remove(book):
    client = client_of_ours(book)
    book.call("client_remove", client["client_id"], headers={"If-Match": '"77"'}, status=412)
    book.call("client_remove", client["client_id"], headers={"If-Match": "*"})
    book.call("client_show", client["client_id"], status=404)


# --- sessions ---

def session_list(book):
    session, = book.call("session_list", query="?user_id=" + Visit(book).user_id).json()["items"]
    assert session["sid"] and Visit(book) and "next" in book.call("session_list", query="?limit=1").json()


def session_list_of_user(book):
    visit = Visit(book)
    assert book.call("session_list_of_user", visit.user_id).json() == book.call("session_list", query="?user_id=" + visit.user_id).json()


def session_show(book):
    session, = book.call("session_list_of_user", Visit(book).user_id).json()["items"]
    assert book.call("session_show", session["sid"]).json() == session


def session_end(book):
    session, = book.call("session_list_of_user", Visit(book).user_id).json()["items"]
    book.call("session_end", session["sid"])
    book.call("session_show", session["sid"], status=404)


def session_end_of_user(book):
    visit = Visit(book)
    book.call("session_end_of_user", visit.user_id)
    assert book.call("session_list_of_user", visit.user_id).json() == {"items": []}
    assert [one["state"] for one in book.call("family_list", query="?user_id=" + visit.user_id).json()["items"]] == ["dead"]


# --- families, consents ---

def family_of(book, visit):
    family, = book.call("family_list", query=f"?user_id={visit.user_id}&client_id={visit.client_id}").json()["items"]
    return family


def family_list(book):
    assert family_of(book, Visit(book))["state"] == "alive" and family_of(book, Visit(book))
    assert "next" in book.call("family_list", query="?limit=1").json()


def family_show(book):
    family = family_of(book, Visit(book))
    assert book.call("family_show", family["family"]).json() == family


def family_revoke(book):
    family = family_of(book, Visit(book))
    book.call("family_revoke", family["family"])
    assert book.call("family_show", family["family"]).json()["state"] == "dead"
    book.call("family_revoke", "short", status=404)


def family_revoke_all(book):
    visit = Visit(book)
    assert book.call("family_revoke_all", query="?client_id=" + visit.client_id).json() == {"revoked": 1}
    book.call("family_revoke_all", status=400)


def consent_list(book):
    visit = Visit(book)
    consent, = book.call("consent_list", query="?user_id=" + visit.user_id).json()["items"]
    assert consent["client_id"] == visit.client_id and Visit(book)
    assert "next" in book.call("consent_list", query="?limit=1").json()


def consent_show(book):
    visit = Visit(book)
    assert book.call("consent_show", visit.user_id, visit.client_id).json()["state"] == "given"


def consent_withdraw(book):
    visit = Visit(book)
    book.call("consent_withdraw", visit.user_id, visit.client_id)
    assert book.call("consent_show", visit.user_id, visit.client_id).json()["state"] == "withdrawn"


# --- registration tokens, keys ---

def registration_token_list(book):
    ids = {book.call("registration_token_add", body={"note": "book"}).json()["id"] for _ in range(2)}
    assert "next" in book.call("registration_token_list", query="?limit=1").json()
    assert ids <= {one["id"] for one in book.call("registration_token_list", query="?limit=200").json()["items"]}


def registration_token_add(book):
    made = book.call("registration_token_add", body={"note": "book", "uses": 3, "expires_in": 60})
    assert made.json()["uses_left"] == 3 and made.headers["Location"].endswith("/registration-tokens/" + made.json()["id"])


def registration_token_revoke(book):
    token = book.call("registration_token_add", body={}).json()
    book.call("registration_token_revoke", token["id"])
    book.call("registration_token_revoke", token["id"], status=404)


def key_list(book):
    assert "next" in book.call("key_list", query="?limit=1").json()


def key_show(book):
    key = book.call("key_list").json()["items"][0]
    assert book.call("key_show", key["kid"]).json()["jwk"]["kty"]


# --- the outbox ---

def message_of_ours(book):
    """op-async of the book's house has no mail server: what opctl leaves there stays."""
    name = "book-" + secrets.token_hex(6)
    claims = {"email": name + "@example.org", "email_verified": True, "name": "Ada"}
    book.call("user_add", body={"username": name, "password": PASSWORD, "claims": claims})
    book.partita.opctl("user", "password", name, "--set", "mail_server=smtp://localhost", "--set", "mail_from=op@example.org",
                       secret="another long password\n")
    return next(one["id"] for one in book.desk.all("/outbox?limit=200") if one["to"] == claims["email"])


def outbox_list(book):
    ids = {message_of_ours(book) for _ in range(2)}
    assert "next" in book.call("outbox_list", query="?limit=1").json()
    assert ids <= {one["id"] for one in book.call("outbox_list", query="?limit=200").json()["items"]}
    assert book.call("outbox_list", query="?state=dead").json()["items"] == []
    assert book.call("outbox_list", query="?state=well", status=400).json()["member"] == "state"


def outbox_show(book):
    message = message_of_ours(book)
    shown = book.call("outbox_show", message).json()
    assert (shown["state"], shown["event"], shown["name"], shown["tries"]) == ("waiting", "password_changed", "Ada", 0)
    assert book.partita.opctl("outbox", "show", message) == shown
    book.call("outbox_show", "0" * 32, status=404)
    book.call("outbox_show", "x", status=404)


def outbox_retry(book):
    message = message_of_ours(book)
    assert book.call("outbox_retry", message).json()["state"] == "waiting"
    book.call("outbox_retry", "0" * 32, status=404)


def outbox_drop(book):
    message = message_of_ours(book)
    book.call("outbox_drop", message)
    book.call("outbox_drop", message, status=404)


OTHER_EXAMPLES = {function.__name__: function for function in (
    client_list, client_add, client_show, client_change, client_secret, client_remove, session_list, session_list_of_user, session_show,
    session_end, session_end_of_user, family_list, family_show, family_revoke, family_revoke_all, consent_list, consent_show,
    consent_withdraw, registration_token_list, registration_token_add, registration_token_revoke, key_list, key_show,
    outbox_list, outbox_show, outbox_retry, outbox_drop,
)}
