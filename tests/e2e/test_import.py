"""opctl import: users of other providers come with their password hashes, sign in, and have a hash of ours from then on."""
import base64
import csv
import io
import json
import os
import random
import subprocess
import threading
import time

import pytest

from conftest import BUILD
from person import Person, sign_in
from server_process import Home as ServerHome
from server_process import wait_until
from test_opctl import OPCTL, PASSWORD, fixture_home  # pylint: disable=unused-import
from visitor import OpAuth, Visitor

SALT_16 = "AAECAwQFBgcICQoLDA0ODw=="
# Of PASSWORD, made by passlib, Django, bcrypt and argon2-cffi.
HASHES = {
    "bcrypt-2a": "$2a$04$RN6DSkbYEQob0vnjnZQxjezfmLkDlPBqohaY29htpgaWtpUbXgXwa",
    "bcrypt-2b": "$2b$04$WAoPk5JQoueuSiHOUXfHXu8JS/QQ6dEscC2qN.V.LaKt0Q5dydv/e",
    "bcrypt-2y": "$2y$04$fS1k8NrS2kEM9KmUZkNI8.oUyVFpRgtt4NBP4yP2agmuEBK7zkcPa",
    "bcrypt-django": "bcrypt$$2b$04$JgMERCCrdaqfT27bh/Y9xeCPVbJkbPhz2DXDSqJGmOMxoHm6TMXIi",
    "argon2i": "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$rB+Ck6dzT0jJfdaVhwLFTVeAoy0V19WrEz2yedJeJW4",
    "argon2d": "$argon2d$v=19$m=256,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$gV0q7e4k0WNulZmw7N0iHrn7+VLKNLQMoh+Tuf786Jk",
    "argon2id": "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$128dXHbpND/ejgFQ9JJYHDD7w0meEN4m07Qzyeoko2E",
    "argon2-django": "argon2$argon2id$v=19$m=256,t=1,p=1$c2FsdHNhbHRzYWx0MTI$AltSygYWya5aV2nHpvw8hr5K/buiO3J96fARoIOIq/g",
    "pbkdf2-passlib-sha1": "$pbkdf2$1000$UCqFMAYgREjp/X/POaeUkg$TluQUWhDi9PsLPXKQCABxEonfYE",
    "pbkdf2-passlib-sha256": "$pbkdf2-sha256$1000$ofTeW.t9790bY6yVEkJI6Q$J9GCKT5dOdeQiEoUm4lDqZJYVqcU5n.UceTW5l.YgNg",
    "pbkdf2-passlib-sha512": "$pbkdf2-sha512$1000$zDmnNMaYs/Ze6x3j3JsTYg$"
                             "IirDP9IDS5MqGFTq9.QqGN3JvAUD4N7qm58K06F/kkKYGx9QcCINZt6vGTll52QMP00eE.LsBhilsPyK0CB9rA",
    "pbkdf2-django": "pbkdf2_sha256$1000$saltsaltsalt12$dmDCTKfV48AcdVZZCa9b7C6aNklGlQxoDDRUCHkPlMQ=",
}
KEYCLOAK = {
    "pbkdf2": ({"algorithm": "pbkdf2", "hashIterations": 1000, "additionalParameters": {}},
               {"value": "yr+bZKkEnTtGf3f18VjXM5CIxT9gt2kfzsoPOBHUS/RLDCZ42k0onOKxREnD3cAEEtG4G7TZX43IWO1b/MW15g==", "salt": SALT_16}),
    "pbkdf2-sha256": ({"algorithm": "pbkdf2-sha256", "hashIterations": 1000},
                      {"value": "AhaeZ02AwPxykuhhDI8XvhQN8GKvmqM+qF6qvs/98I3oPrOafEIqFGOq0+8aVYIT/+xVcPChXj+A8gpxtbBrFQ==", "salt": SALT_16}),
    "pbkdf2-sha512": ({"algorithm": "pbkdf2-sha512", "hashIterations": 1000},
                      {"value": "ToxFUi5y3fprZRW/V6CupR2uIDYfuy5rlsF9Z4E648lE68lw5lzmucru/HdPvmBJDSLroVh1Q2xCvjqd8NI/6Q==", "salt": SALT_16}),
    "argon2": ({"algorithm": "argon2", "hashIterations": 2, "additionalParameters": {
        "version": ["1.3"], "type": ["id"], "hashLength": ["32"], "memory": ["256"], "parallelism": ["1"]}},
               {"value": "128dXHbpND/ejgFQ9JJYHDD7w0meEN4m07Qzyeoko2E=", "salt": "c29tZXNhbHRzb21lc2FsdA=="}),
}
# Of a password of 80 bytes, of which bcrypt looks at 72.
OTHER_PASSWORD, OTHER_HASH = "0123456789" * 8, "$2b$04$v.BPVyWiRu2EMPzabzTy4.BZlMkmN7YqzPQJySZ9cxHNDMVP3Ph1S"
DEAR = "$2b$13$WAoPk5JQoueuSiHOUXfHXu8JS/QQ6dEscC2qN.V.LaKt0Q5dydv/e"  # of no password that is known, half a second
COUNTS = ["read", "added", "updated", "completed", "unchanged", "skipped", "refused"]


def credential(name):
    data, secret = KEYCLOAK[name]
    return {"type": "password", "credentialData": json.dumps(data), "secretData": json.dumps(secret)}


def realm(*users):
    """As Keycloak exports one: users in the middle."""
    return json.dumps({"realm": "old", "roles": {"realm": [{"name": "users"}]}, "users": list(users), "clients": [{"clientId": "x"}]}, indent=2)


def lines(*users):
    return "".join(json.dumps(user) + "\n" for user in users)


def counts(report, **expected):
    """The report's counts are these, and 0 where nothing is said."""
    assert {name: report[name] for name in COUNTS} == {**dict.fromkeys(COUNTS, 0), **expected}, report
    return report


def run(home, text, *words, status=0):
    """The report of an import from standard input."""
    done = subprocess.run([OPCTL, "--config", home.conf, "import", "-", "--json", *words], input=text.encode() if isinstance(text, str) else text,
                          capture_output=True, timeout=120, check=False)
    assert done.returncode == status, done.stderr
    return {**json.loads(done.stdout), "stderr": done.stderr.decode()}


def problems(report):
    return [(problem["line"], problem["what"]) for problem in report["problems"]]


# --- signing in ---

@pytest.fixture(scope="module", name="auth")
def fixture_auth():
    """One op-auth, with users of every kind imported."""
    home = ServerHome(balancer_keepalive="0s", password_memory="8MiB", password_iterations="1", op_auth__address_guesses="100000")
    os.makedirs(home.dir + "/files")
    with open(home.dir + "/files/users.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["username", "password_hash", "name"])
        writer.writerows((name, phc, f"Of {name}, \"imported\"") for name, phc in HASHES.items())
    with open(home.dir + "/files/realm.json", "w", encoding="utf-8") as file:
        file.write(realm(*({"id": f"kc-{name}", "username": f"kc-{name}", "enabled": True, "credentials": [credential(name)]} for name in KEYCLOAK)))
    counts(home.opctl("import", home.dir + "/files/users.csv"), read=len(HASHES), added=len(HASHES))
    counts(home.opctl("import", home.dir + "/files/realm.json"), read=len(KEYCLOAK), added=len(KEYCLOAK))
    yield OpAuth(home)
    home.close()


def phc_of(home, name):
    user = home.opctl("user", "show", name)
    done = subprocess.run([os.path.join(BUILD, "tests/phc_of"), home.dir + "/state", user["user_id"]], capture_output=True, text=True,
                          timeout=20, check=True)
    return done.stdout.strip()


def is_in(auth, name, password=PASSWORD):
    visitor = Visitor(auth)
    seen = visitor.fill_in(visitor.get("/account"), name, password)
    assert seen.refused or visitor.cookie(), seen.text[:300]
    return not seen.refused


@pytest.mark.parametrize("name", [*HASHES, *(f"kc-{name}" for name in KEYCLOAK)])
def test_each_scheme_signs_in_and_is_hashed_anew(auth, name):
    before = phc_of(auth.home, name)
    assert not is_in(auth, name, PASSWORD + "!") and phc_of(auth.home, name) == before
    assert is_in(auth, name)
    wait_until(lambda: phc_of(auth.home, name) != before, 20)
    after = phc_of(auth.home, name)
    assert after.startswith("$argon2id$v=19$m=8192,t=1,p=1$")
    assert is_in(auth, name) and not is_in(auth, name, "wrong") and phc_of(auth.home, name) == after


def test_a_password_that_bcrypt_did_not_see_to_its_end_stays_as_it_is(auth):
    with open(auth.home.dir + "/files/long.json", "w", encoding="utf-8") as file:
        json.dump([{"username": "long", "password_hash": OTHER_HASH}], file)
    auth.home.opctl("import", auth.home.dir + "/files/long.json")
    assert is_in(auth, "long", OTHER_PASSWORD + "mistyped") and not is_in(auth, "long", OTHER_PASSWORD[:71])
    assert is_in(auth, "long", OTHER_PASSWORD) and phc_of(auth.home, "long") == OTHER_HASH
    assert is_in(auth, "long", OTHER_PASSWORD[:72])
    wait_until(lambda: phc_of(auth.home, "long").startswith("$argon2id$"), 20)


def test_a_password_that_is_set_meanwhile_is_not_overwritten(auth):
    """While the old one is verified, and the account's hash would be made anew."""
    for number in range(2):
        name, path = f"meanwhile{number}", auth.home.dir + "/files/one.json"
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"username": name, "password_hash": HASHES["pbkdf2-passlib-sha512"]}, file)
        auth.home.opctl("import", path)
        tries = [threading.Thread(target=is_in, args=(auth, name)) for _ in range(4)]
        for one in tries:
            one.start()
        auth.home.opctl("user", "password", name, secret="set by somebody else\n")
        for one in tries:
            one.join(60)
        assert is_in(auth, name, "set by somebody else") and not is_in(auth, name)


def test_refusals_do_not_tell_who_was_imported(auth):
    """Where a hash of half a second was seen, an unknown name is refused no sooner."""
    def refusal(name):
        started = time.monotonic()
        assert not is_in(auth, name, "wrong")
        return time.monotonic() - started
    with open(auth.home.dir + "/files/dear.json", "w", encoding="utf-8") as file:
        json.dump({"username": "dear", "password_hash": DEAR}, file)
    auth.home.opctl("import", auth.home.dir + "/files/dear.json")
    cpu_before = processor_seconds(auth.process.popen.pid)
    refusal("dear")
    cost = processor_seconds(auth.process.popen.pid) - cpu_before
    assert cost > 0.1, "bcrypt of 13 costs something"
    assert min(refusal("nobody") for _ in range(2)) > 0.6 * cost
    assert min(refusal("argon2id") for _ in range(2)) > 0.6 * cost


def processor_seconds(pid):
    """Seconds on a processor."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_kept_id_is_the_sub_of_tokens(partita):
    """Through all servers: relying parties know the person again."""
    user = {"id": "f3a1c0de-0000-4000-8000-00000000cafe", "username": "moved", "email": "moved@example.org", "emailVerified": True,
            "enabled": True, "credentials": [credential("pbkdf2-sha256")]}
    report = json.loads(partita.opctl("import", "-", "--keep-ids", secret=realm(user), check=False).stdout)
    counts(report, read=1, added=1)
    tokens = sign_in(partita, partita.info["client"], "openid email", person=Person(partita, "moved", PASSWORD))
    shown = partita.opctl("user", "show", "moved")
    assert shown["user_id"] == user["id"] and shown["claims"]["email"] == user["email"]
    body = tokens["id_token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    assert claims["sub"] == user["id"]


# --- what an import does ---

def test_formats_are_told_by_their_beginning(home):
    counts(run(home, '[{"username":"a"},\n{"username":"b"}]'), read=2, added=2)
    counts(run(home, '\n {"username":"c"}\n{"username":"d"}\n'), read=2, added=2)
    counts(run(home, "username,name\r\ne,\"E, \"\"the\"\" e\"\r\n"), read=1, added=1)
    counts(run(home, realm({"username": "f", "credentials": []})), read=1, added=1)
    counts(run(home, ""), read=0)
    counts(run(home, "[]"), read=0)
    counts(run(home, "username\n"), read=0)
    assert [user["username"] for user in sorted(home.ok("user", "list"), key=lambda user: user["username"])] == list("abcdef")
    assert home.ok("user", "show", "e")["claims"] == {"name": "E, \"the\" e"}
    report = run(home, "username,name\ng,G\n", "--format", "json", status=1)
    assert all("expected" in what for _, what in problems(report)) and len(problems(report)) == 2
    assert ":1: " in home.refused("import", "-", "--format", "csv", stdin='[{"username":"h"}]')
    assert "cannot be read" in home.refused("import", home.dir + "/nothing-here.json")
    assert "cannot be read" in home.refused("import", home.dir)


def test_a_dry_run_says_the_same_and_writes_nothing(home):
    home.ok("user", "add", "native", "--no-password")
    text = lines({"username": "ann", "password_hash": HASHES["bcrypt-2b"]}, {"username": "native"}, {"username": "ANN"}, {"username": "bad", "aud": 1})
    before = home.bytes_of("users"), home.bytes_of("credentials")
    dry = counts(run(home, text, "--dry-run", status=1), read=4, added=1, refused=3)
    assert (home.bytes_of("users"), home.bytes_of("credentials")) == before and dry["dry_run"] is True
    wet = run(home, text, status=1)
    assert {**wet, "dry_run": True} == dry


def test_the_same_file_again_changes_nothing(home):
    text = lines(*({"username": f"user{n}", "email": f"u{n}@example.org", "groups": ["a"], "enabled": n != 3,
                    "password_hash": HASHES["bcrypt-2b"]} for n in range(5)))
    counts(run(home, text), read=5, added=5)
    first = home.ok("user", "list"), home.ok("user", "show", "user3")
    for words in ((), ("--existing", "update"), ("--dry-run",)):
        counts(run(home, text, *words), read=5, unchanged=5)
    counts(run(home, text, "--existing", "skip"), read=5, skipped=5)
    assert (home.ok("user", "list"), home.ok("user", "show", "user3")) == first and first[1]["state"] == "disabled"


def test_who_is_there_and_differs(home):
    native = home.ok("user", "add", "native", "--name", "N", stdin=PASSWORD)
    run(home, lines({"username": "ann", "name": "A", "nickname": "a", "password_hash": HASHES["bcrypt-2b"]}))
    ann = home.ok("user", "show", "ann")
    changed = lines({"username": "Ann", "name": "B", "enabled": False, "password_hash": HASHES["bcrypt-2a"]}, {"username": "native", "name": "M"})
    report = counts(run(home, changed, status=1), read=2, refused=2)
    assert [line for line, _ in problems(report)] == [1, 2] and "who differs" in problems(report)[0][1] and "not imported" in problems(report)[1][1]
    counts(run(home, changed, "--existing", "skip"), read=2, skipped=2)
    assert home.ok("user", "show", "ann") == ann
    counts(run(home, changed, "--existing", "update"), read=2, updated=2)
    after = home.ok("user", "show", "ann")
    assert after["claims"] == {"name": "B", "nickname": "a"} and after["state"] == "disabled" and after["username"] == "ann"
    assert after["user_id"] == ann["user_id"] and after["since"] > after["created_at"]
    assert home.ok("user", "show", "native")["claims"] == {"name": "M"} and home.ok("user", "show", "native")["user_id"] == native["user_id"]
    counts(run(home, changed, "--existing", "update"), read=2, unchanged=2)
    home.ok("user", "enable", "ann")
    home.ok("user", "disable", "ann")
    counts(run(home, lines({"username": "ann", "name": "B", "enabled": True}), "--existing", "update"), read=1, unchanged=1)
    assert home.ok("user", "show", "ann")["state"] == "disabled", "an import enables nobody whom somebody disabled here"


def test_a_password_that_was_set_here_stays(home):
    """While nobody used the imported one, a later file may bring another; afterwards it is older than ours."""
    server = ServerHome()
    try:
        def bring(phc):
            path = server.dir + "/one.json"
            with open(path, "w", encoding="utf-8") as file:
                json.dump({"username": "ann", "password_hash": phc}, file)
            return server.opctl("import", path, "--existing", "update")
        counts(bring(HASHES["bcrypt-2b"]), read=1, added=1)
        counts(bring(HASHES["bcrypt-2a"]), read=1, updated=1)
        assert phc_of(server, "ann") == HASHES["bcrypt-2a"] and server.opctl("user", "show", "ann")["since"]
        server.opctl("user", "password", "ann", secret=PASSWORD + "\n")
        own = phc_of(server, "ann")
        counts(bring(HASHES["bcrypt-2b"]), read=1, unchanged=1)
        assert phc_of(server, "ann") == own
    finally:
        server.close()


def test_ids(home):
    run(home, lines({"username": "ann", "sub": "auth0|1"}, {"username": "bob", "sub": "2"}), "--keep-ids")
    run(home, lines({"username": "carol", "sub": "auth0|3"}))
    assert home.ok("user", "show", "ann")["user_id"] == "auth0|1" and home.ok("user", "show", "carol")["user_id"] != "auth0|3"
    report = counts(run(home, lines({"username": "ann", "sub": "9"}, {"username": "dave", "sub": "2"}, {"username": "eve", "sub": "8"},
                                    {"username": "eva", "sub": "8"}, {"username": "x", "sub": "a b"}), "--keep-ids", "--existing", "update", status=1),
                    read=5, added=1, refused=4)
    said = dict(problems(report))
    assert "sub is another" in said[1] and "sub of another user" in said[2] and "this id stands on line 3" in said[4] and "visible ASCII" in said[5]
    counts(run(home, lines({"username": "ann"}), "--keep-ids"), read=1, unchanged=1)


def test_what_is_left_out_is_said(home):
    report = counts(run(home, realm(
        {"username": "ann", "credentials": [credential("argon2"), {"type": "otp"}], "attributes": {"sub": ["x"], "team": ["a"]},
         "federatedIdentities": [{"identityProvider": "google"}], "groups": ["/staff"]},
        {"username": "service-account-x", "serviceAccountClientId": "x", "credentials": []}), "--keep-ids"), read=2, added=1, skipped=1)
    notes = " ".join(note["what"] for note in report["notes"])
    for word in ("second factor", "claim sub", "identity provider", "service account"):
        assert word in notes
    assert report["problems"] == [] and home.ok("user", "show", "ann")["claims"] == {"groups": ["/staff"], "team": "a"}


# --- hostile files ---

def test_bad_rows_are_told_by_line_and_the_others_come_in(home):
    rows = [
        ({"username": "ok1"}, None),
        ({"username": "ok1"}, "stands on line 1 already"),
        ({"username": "OK1"}, "stands on line 1 already"),
        ({"username": "b31", "password_hash": "$2b$31$" + "a" * 53}, "bcrypt of 31"),
        ({"username": "scheme", "password_hash": "sha1$abc$def"}, "no scheme that is known"),
        ({"username": "plain", "password_hash": "hunter2"}, "no scheme that is known"),
        ({"username": "memory", "password_hash": "$argon2id$v=19$m=1048576,t=1,p=1$c29tZXNhbHQ$" + "A" * 43}, "1048576 KiB"),
        ({"username": "rounds", "password_hash": "$pbkdf2-sha256$100000000$c29tZXNhbHQ$" + "A" * 43}, "100000000 iterations"),
        ({"username": "x\x1b[2J"}, "username has control"),
        ({"username": "x" * 129}, "username is not 1 to 128"),
        ({"name": "nobody"}, "no username"),
        ({"username": "claim", "iss": "me"}, "the claim iss"),
        ({"username": "name\x1b[2J", "\x1b[2J": 1}, "username has control"),
        ({"username": "member", "\x1b[2J": 1}, "claim"),
        ({"username": "ok2", "password_hash": HASHES["argon2i"]}, None),
    ]
    text = lines(*(row for row, _ in rows)).encode()
    raw = [(b'{"username":"nul\x00"}\n', "not JSON"), (b'{"username":"nul\\u0000"}\n', "not JSON"), (b'{"username":"\xff\xfe"}\n', "not JSON"),
           (b'{"username":"twice","username":"x"}\n', "not JSON"), (b"nonsense\n", "expected"), (b"[[]]\n", "a user is an object"),
           (b'{"username":"unended\n', "does not end before its line"), (b'{"username":"deep","x":' + b"[" * 40 + b"]" * 40 + b"}\n", "nested deeper"),
           (b'{"username":"ok3"}\n', None), (b'{"username":"cut', "does not end before the file")]
    text += b"".join(line for line, _ in raw)
    report = run(home, text, status=1)
    expected = [(number, why) for number, (_, why) in enumerate(rows + raw, 1) if why]
    found = sorted(problem for problem in problems(report) if problem[1] != "what follows is not read")
    assert [line for line, _ in found] == [line for line, _ in expected], found
    assert all(why in what for (_, why), (_, what) in zip(expected, found)), found
    assert (report["added"], report["refused"], report["read"]) == (3, len(expected), len(rows) + len(raw))
    assert sorted(user["username"] for user in home.ok("user", "list")) == ["ok1", "ok2", "ok3"]
    assert "\x1b" not in report["stderr"] and all(f":{line}: " in report["stderr"] for line, _ in expected)


def test_how_much_memory_a_hash_may_ask_for_is_a_setting(home):
    text = lines({"username": "ann", "password_hash": "$argon2id$v=19$m=131072,t=1,p=4$c29tZXNhbHQ$" + "A" * 43})
    assert "imported_password_memory" in problems(run(home, text, status=1))[0][1]
    counts(run(home, text, "--set", "imported_password_memory=128MiB"), read=1, added=1)


def test_bad_rows_of_csv(home):
    text = (b"username,password_hash,team\n" b"ok1,,\"One\nand a half\"\n" b"bad\xff,,\n" b"nul\0,,\n" b"few,\n" b"quo\"te,,\n" b"b31,$2b$31$" + b"a" * 53 + b",\n"
            b"OK1,,\n" b"ok2," + HASHES["bcrypt-2b"].encode() + b",Two\n" b"\"unended,,\n" b"ok3,,\n")
    report = counts(run(home, text, status=1), read=9, added=2, refused=7)
    assert sorted(line for line, _ in problems(report)) == [4, 5, 6, 7, 8, 9, 11]
    assert sorted(user["username"] for user in home.ok("user", "list")) == ["ok1", "ok2"]
    for header in ("name,email\n", "username,username\n", "username,\n", "\"username\n", "user\0name\n"):
        assert ":1: " in home.refused("import", "-", stdin=header + "x,y\n")


@pytest.mark.parametrize("begin, end", [('{"username":"', '"}\n'), ("username\n", "\n")])
def test_a_line_of_100_megabytes(home, begin, end):
    """It is refused, and takes no memory."""
    path = os.path.join(home.dir, "long")
    with open(path, "w", encoding="utf-8") as file:
        file.write(begin)
        for _ in range(100):
            file.write("x" * (1 << 20))
        file.write(end)
    out = os.path.join(home.dir, "long.out")
    with open(out, "w", encoding="utf-8") as file, subprocess.Popen([OPCTL, "--config", home.conf, "import", path, "--json"], stdout=file) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    with open(out, encoding="utf-8") as file:
        report = json.load(file)
    assert process.returncode == 1 and used.ru_maxrss < 90 * 1024, f"{process.returncode}, {used.ru_maxrss} KiB"
    assert report["refused"] == 1 and "256 KiB" in report["problems"][0]["what"]


def test_no_hash_is_ever_said(home):
    secret = "S3cretS4ltS5ecret"
    rows = [{"username": f"u{number}", "password_hash": phc} for number, phc in enumerate((
        f"$2b$31${secret:a<53}", f"${secret}$", secret, f"$argon2id$v=19$m=1,t=1,p=1${secret}${secret}", f"pbkdf2_sha256$9${secret}",
        f"$pbkdf2-sha256$99999999${secret}${secret}{secret}"))]
    for text in (lines(*rows), realm(*({"username": row["username"], "credentials": [
            {"type": "password", "credentialData": secret, "secretData": json.dumps({"value": secret})}]} for row in rows))):
        for words in ((), ("--json",)):
            done = home.run("import", "-", *words, stdin=text)
            assert done.returncode == 1 and secret not in done.stdout + done.stderr
    run(home, lines({"username": "ok", "password_hash": HASHES["bcrypt-2b"]}))
    assert HASHES["bcrypt-2b"][7:] not in json.dumps(home.ok("user", "show", "ok"))


# --- many ---

def test_ten_thousand_users(home):
    kinds = list(HASHES.values())
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["username", "password_hash", "email", "email_verified", "sub"])
    order = list(range(10000))
    random.Random(7).shuffle(order)
    for n in order:
        writer.writerow([f"user{n:05}", kinds[n % len(kinds)], f"user{n}@example.org", "TRUE", f"sub-{n}"])
    started = time.monotonic()
    counts(run(home, out.getvalue(), "--keep-ids"), read=10000, added=10000)
    assert time.monotonic() - started < 30, "it takes less than one"
    counts(run(home, out.getvalue(), "--keep-ids"), read=10000, unchanged=10000)
    shown = home.ok("user", "show", "user00017")
    assert shown["user_id"] == "sub-17" and shown["has_password"] and shown["claims"] == {"email": "user17@example.org", "email_verified": True}
    assert home.ok("check")["clean"] is True
