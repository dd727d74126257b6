"""The OpenAPI document of the administration API against the server: it is one, says all and nothing else, every operation
is called as it says, and every answer is what it says."""
import json
import re
import secrets
import subprocess

import jsonschema
import pytest
import requests

from admin_examples import OTHER_EXAMPLES
from administration import Desk
from conftest import BUILD

METHODS = ("get", "post", "put", "patch", "delete")
ABSENT = "BBBBBBBBBBBBBBBBBBBBBA"


@pytest.fixture(scope="module")
def book(partita):
    return Book(partita)


class Book:
    """The document, and calls by it."""

    def __init__(self, partita):
        self.partita, self.desk = partita, Desk(partita)
        answer = requests.get(self.desk.root + "/openapi.json", verify=partita.verify, timeout=20)
        assert answer.status_code == 200 and answer.headers["Content-Type"] == "application/json"
        self.document = answer.json()
        self.operations = {operation["operationId"]: (method, path, operation) for path, item in self.document["paths"].items()
                           for method, operation in item.items()}

    def resolve(self, value):
        while isinstance(value, dict) and "$ref" in value:
            target = self.document
            for word in value["$ref"].removeprefix("#/").split("/"):
                target = target[word]
            value = target
        return value

    def validate(self, schema, value):
        whole = {**schema, "components": self.document["components"]}
        jsonschema.Draft202012Validator(whole, format_checker=jsonschema.FormatChecker()).validate(value)

    def path_of(self, name, ids=()):
        path = self.operations[name][1]
        for one in ids:
            path = re.sub(r"\{\w+\}", one, path, count=1)
        return re.sub(r"\{\w+\}", ABSENT, path).removeprefix("/admin/v1")

    def judge(self, name, answer):
        """The answer is one that the document promises."""
        operation = self.operations[name][2]
        assert str(answer.status_code) in operation["responses"], f"{name}: {answer.status_code} {answer.text}"
        assert answer.reason, f"{name}: {answer.status_code} has no reason phrase"
        promised = self.resolve(operation["responses"][str(answer.status_code)])
        for field in promised.get("headers", {}):
            assert field in answer.headers, f"{name}: {answer.status_code} has no {field}"
        if not answer.content:
            assert answer.status_code in (204, 304) and "content" not in promised
            return answer
        assert answer.headers["Content-Type"] == "application/json" and answer.headers["Cache-Control"] == "no-store"
        self.validate(promised["content"]["application/json"]["schema"], answer.json())
        return answer

    def call(self, name, *ids, body=None, query="", status=None, **more):
        method, _, operation = self.operations[name]
        if body is not None and isinstance(body, dict) and (status or 200) < 300:
            types = operation["requestBody"]["content"]
            for content in types.values():
                self.validate(content["schema"], body)
        answer = self.judge(name, self.desk.call(method.upper(), self.path_of(name, ids) + query, body, **more))
        good = next(one for one in operation["responses"] if one.startswith("2"))
        assert answer.status_code == int(status or good), f"{name}: {answer.status_code} {answer.text}"
        return answer


# --- how each operation is called: well, and so that it answers all it may ---

def name_of_ours():
    return "book-" + secrets.token_hex(6)


def user_of_ours(book):
    return book.call("user_add", body={"username": name_of_ours(), "claims": {"name": "Of the book"}}).json()


def document(book):
    assert book.call("document").json() == book.document


def user_list(book):
    user = user_of_ours(book)
    assert book.call("user_list", query="?username=" + user["username"]).json() == {"items": [user]}
    assert "next" in book.call("user_list", query="?limit=1").json()


def user_add(book):
    body = {"username": name_of_ours(), "password": "correct horse", "claims": {"email": "a@example.org", "address": {"country": "DE"}}}
    made = book.call("user_add", body=body)
    assert made.headers["Location"].endswith("/users/" + made.json()["user_id"])
    assert book.call("user_add", body=body, status=409).json()["member"] == "username"


def user_show(book):
    user = user_of_ours(book)
    shown = book.call("user_show", user["user_id"])
    assert shown.json() == user
    book.call("user_show", user["user_id"], headers={"If-None-Match": shown.headers["ETag"]}, status=304)


def user_change(book):
    user = user_of_ours(book)
    match = {"If-Match": book.call("user_show", user["user_id"]).headers["ETag"]}
    changed = book.call("user_change", user["user_id"], body={"state": "disabled", "claims": {"name": None}}, headers=match)
    assert changed.json()["state"] == "disabled" and changed.json()["claims"] == {}
    book.call("user_change", user["user_id"], body={"state": "enabled"}, headers=match, status=412)


def user_remove(book):
    user = user_of_ours(book)
    book.call("user_remove", user["user_id"], headers={"If-Match": '"77"'}, status=412)
    book.call("user_remove", user["user_id"], headers={"If-Match": "*"})
    book.call("user_show", user["user_id"], status=404)


EXAMPLES = {function.__name__: function for function in (
    document, user_list, user_add, user_show, user_change, user_remove,
)} | OTHER_EXAMPLES


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_operation_answers_as_the_document_says(book, name):
    EXAMPLES[name](book)


def test_every_operation_is_called(book):
    assert set(EXAMPLES) == set(book.operations)


# --- the document itself ---

def test_it_is_an_openapi_document(book):
    document = book.document
    assert document["openapi"].startswith("3.1.") and document["info"]["title"] and document["info"]["version"]
    assert document["servers"] == [{"url": book.partita.issuer}]
    references = re.findall(r'"\$ref": ?"([^"]+)"', json.dumps(document))
    assert references and all(book.resolve({"$ref": reference}) for reference in references)
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    for path, item in document["paths"].items():
        assert path.startswith("/admin/v1/") and set(item) <= set(METHODS)
        for method, operation in item.items():
            check_operation(document, path, method, operation)
    flow = document["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]
    assert flow["tokenUrl"] == book.partita.issuer + "/token"


def check_operation(document, path, method, operation):
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", operation["operationId"]) and operation["summary"].endswith(".")
    in_path = [one["name"] for one in operation["parameters"] if one["in"] == "path"]
    assert in_path == re.findall(r"\{(\w+)\}", path) and all(one["required"] for one in operation["parameters"] if one["in"] == "path")
    assert len({(one["in"], one["name"]) for one in operation["parameters"]}) == len(operation["parameters"])
    assert ("requestBody" in operation) <= (method in ("post", "put", "patch"))
    assert [one for one in operation["responses"] if one.startswith("2")] and all(len(one) == 3 for one in operation["responses"])
    scopes = document["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]["scopes"]
    for security in operation["security"]:
        assert set(security["oauth2"]) <= set(scopes) and (method == "get") == security["oauth2"][0].endswith(":read")


def test_every_operation_has_a_name_of_its_own(book):
    assert len(book.operations) == sum(len(item) for item in book.document["paths"].values())


def test_the_routes_of_the_server_are_those_of_the_document(book):
    text = subprocess.run([f"{BUILD}/op-management/op-management", "--help"], capture_output=True, text=True, check=True).stdout
    routes = {(method.lower(), path) for methods, path in re.findall(r"^  ([A-Z, ]+) (/admin/\S+)$", text, re.M) for method in methods.split(", ")}
    assert routes == {(method, path) for method, path, _ in book.operations.values()}


# --- what holds for every operation, whatever it is ---

def operations_of(book, wanted=lambda method, operation: True):
    found = [name for name, (method, _, operation) in book.operations.items() if operation["security"] and wanted(method, operation)]
    assert found
    return found


def test_errors_of_every_kind_are_of_the_schema_error(book):
    """Those before an operation is found, too."""
    error, root = book.document["components"]["schemas"]["Error"], book.desk.root
    assert set(error["required"]) == {"error", "error_description", "request_id"}
    good, seen = {"Authorization": "Bearer " + book.desk.token}, set()
    for method, path, fields, body, status in (
            ("GET", "/users", {}, None, 401), ("GET", "/users", {"Authorization": "Bearer x"}, None, 401),
            ("GET", "/users?access_token=x", {}, None, 401), ("GET", "/nothing", good, None, 404), ("GET", "/", {}, None, 404),
            ("PUT", "/users", good, None, 405), ("POST", "/openapi.json", {}, None, 405), ("DELETE", "/keys", {}, None, 405),
            ("DELETE", "/users/" + ABSENT, good, "x", 413), ("POST", "/users", good, "x", 415), ("GET", "/users/" + ABSENT, good, None, 404)):
        answer = requests.request(method, root + path, headers=fields, data=body, verify=book.desk.verify, timeout=20)
        assert answer.status_code == status and answer.headers["Content-Type"] == "application/json", (method, path, answer.text)
        book.validate(error, answer.json())
        seen.add(answer.json()["request_id"])
    assert len(seen) == 11, "each request has an id of its own"


def test_without_a_token_nothing_is_told(book):
    for name in operations_of(book):
        method = book.operations[name][0].upper()
        answer = book.judge(name, requests.request(method, book.desk.root + book.path_of(name), verify=book.desk.verify, timeout=20))
        assert answer.status_code == 401 and answer.headers["WWW-Authenticate"] == 'Bearer realm="partita"'
        assert answer.json()["error"] == "no_token"


def test_each_needs_the_scope_that_it_names(book):
    nouns = sorted({book.operations[name][2]["tags"][0] for name in operations_of(book)})
    for noun in nouns:
        others = " ".join(word for word in ("users", "clients", "keys") if word != noun)
        other, reader = Desk.of(book.partita, others), Desk.of(book.partita, noun + ":read")
        for name in operations_of(book, lambda method, operation: operation["tags"] == [noun]):
            method, _, operation = book.operations[name]
            scope = operation["security"][0]["oauth2"][0]
            for desk in [other] + ([] if method == "get" else [reader]):
                answer = book.judge(name, desk.call(method.upper(), book.path_of(name)))
                assert answer.status_code == 403 and answer.json()["error"] == "insufficient_scope"
                assert f'scope="{scope}"' in answer.headers["WWW-Authenticate"]
            if method == "get":
                assert book.judge(name, reader.call("GET", book.path_of(name))).status_code in (200, 404)


def test_what_is_not_there_is_not_found(book):
    for name in operations_of(book, lambda method, operation: "404" in operation["responses"]):
        body = {} if "requestBody" in book.operations[name][2] else None
        answer = book.judge(name, book.desk.call(book.operations[name][0].upper(), book.path_of(name), body, headers={"If-Match": "*"}))
        if name == "family_revoke":  # an access token may name a family that was never stored
            assert answer.status_code == 204
            continue
        assert answer.status_code == 404 and answer.json()["error"] == "not_found", name


def test_a_change_needs_a_precondition(book):
    for name in operations_of(book, lambda method, operation: "428" in operation["responses"]):
        body = {} if "requestBody" in book.operations[name][2] else None
        answer = book.judge(name, book.desk.call(book.operations[name][0].upper(), book.path_of(name), body))
        assert answer.status_code == 428 and answer.json()["member"] == "If-Match", name


def test_bodies_are_read_strictly(book):
    for name in operations_of(book, lambda method, operation: "requestBody" in operation):
        method, path = book.operations[name][0].upper(), book.path_of(name)
        more = {"If-Match": "*"}
        for body, status, member in (({"nonsense": 1}, 400, "nonsense"), ('{"a":1,"a":2}', 400, "a"), ("[]", 400, None), ("", 400, None)):
            answer = book.judge(name, book.desk.call(method, path, body, headers=more))
            assert (answer.status_code, answer.json().get("member")) == (status, member), (name, body, answer.text)
        answer = book.judge(name, book.desk.call(method, path, "a=b", headers={**more, "Content-Type": "application/x-www-form-urlencoded"}))
        assert answer.status_code == 415 and ("Accept-Patch" in answer.headers) == (method == "PATCH")


def test_lists_are_read_part_by_part_and_take_no_nonsense(book):
    for name in operations_of(book, lambda method, operation: any(one["name"] == "cursor" for one in operation["parameters"])):
        path = book.path_of(name)
        for query, member in (("?limit=0", "limit"), ("?limit=1000", "limit"), ("?cursor=AAAA", "cursor"), ("?nonsense=1", "nonsense"),
                              ("?limit=1&limit=2", "limit")):
            answer = book.judge(name, book.desk.call("GET", path + query))
            assert (answer.status_code, answer.json().get("member")) == (400, member), (name, query)
        assert book.judge(name, book.desk.call("GET", path)).status_code == (404 if "{" in book.operations[name][1] else 200), name
