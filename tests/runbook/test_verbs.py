"""The verbs of opctl that the runbook needs, by themselves: what they do and what they refuse."""
import base64
import os
import re
import stat

import pytest

from test_opctl import Home

NAMES = ["form-key", "seal-key", "token-key"]


class Safe(Home):
    """An installation whose sealed credentials lie in a directory of this test."""

    def __init__(self, directory):
        super().__init__(directory)
        self.sealed = os.path.join(self.dir, "sealed")
        os.mkdir(self.sealed)

    def credential(self, *words, **more):
        return self.ok("credential", *words, "--dir", self.sealed, **more)

    def denied(self, *words, status=1, **more):
        return self.refused("credential", *words, "--dir", self.sealed, status=status, **more)

    def prints(self):
        return {row["name"]: row.get("fingerprint") for row in self.credential("list")}

    def export(self):
        path = os.path.join(self.dir, f"export-{len(os.listdir(self.dir))}")
        self.credential("export", path)
        with open(path, encoding="ascii") as file:
            return path, dict(line.split() for line in file if not line.startswith("#"))


@pytest.fixture(name="safe")
def fixture_safe(tmp_path):
    return Safe(tmp_path)


def test_credentials_are_made_once(safe):
    assert safe.credential("make") == {"made": ["seal-key", "token-key", "form-key"], "there": []}
    before = safe.prints()
    assert sorted(before) == NAMES and len(set(before.values())) == 3
    assert safe.credential("make") == {"made": [], "there": ["seal-key", "token-key", "form-key"]}
    assert safe.prints() == before
    assert sorted(os.listdir(safe.sealed)) == [name + ".cred" for name in NAMES]
    for name in NAMES:
        assert stat.S_IMODE(os.stat(os.path.join(safe.sealed, name + ".cred")).st_mode) == 0o600


def test_one_that_leaked_is_replaced_and_kept_beside(safe):
    safe.credential("make")
    before = safe.prints()
    assert safe.credential("make", "token-key", "--replace") == {"made": ["token-key"], "there": []}
    after = safe.prints()
    assert [name for name in NAMES if before[name] != after[name]] == ["token-key"]
    aside = [name for name in os.listdir(safe.sealed) if not name.endswith(".cred")]
    assert len(aside) == 1 and aside[0].startswith("token-key.cred.replaced-")
    os.rename(os.path.join(safe.sealed, aside[0]), os.path.join(safe.sealed, "token-key.cred"))
    assert safe.prints() == before
    assert "--replace needs the name" in safe.denied("make", "--replace", status=64)
    assert "none of seal-key" in safe.denied("make", "mail-password", status=64)


def test_an_export_is_readable_by_nobody_else_and_opens_on_another_host(safe, tmp_path):
    safe.credential("make")
    path, secrets = safe.export()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert sorted(secrets) == NAMES and all(len(base64.b64decode(value)) == 32 for value in secrets.values())
    for name in os.listdir(safe.sealed):
        with open(os.path.join(safe.sealed, name), encoding="ascii") as file:
            assert not any(value in file.read() for value in secrets.values())
    os.mkdir(tmp_path / "there")
    other = Safe(tmp_path / "there")
    assert other.credential("import", path) == {"sealed": NAMES, "there": []}
    assert other.prints() == safe.prints()
    assert other.credential("import", path) == {"sealed": [], "there": NAMES}
    with open(path, encoding="ascii") as file:
        assert other.credential("import", "-", stdin=file.read()) == {"sealed": [], "there": NAMES}


def test_it_is_said_that_an_export_is_the_secrets_themselves(safe):
    safe.credential("make")
    done = safe.run("credential", "export", "-", "--dir", safe.sealed)
    assert done.returncode == 0 and "these are the secrets themselves" in done.stderr
    assert re.findall(r"^([a-z-]+) [A-Za-z0-9+/]{43}=$", done.stdout, re.M) == NAMES


def test_nothing_is_overwritten(safe):
    safe.credential("make")
    path, _ = safe.export()
    assert path in safe.run("credential", "export", path, "--dir", safe.sealed).stderr
    safe.credential("make", "form-key", "--replace")
    before = safe.prints()
    assert "form-key is another one on this machine: nothing was changed" in safe.denied("import", path)
    assert safe.prints() == before
    assert safe.credential("import", path, "--replace") == {"sealed": ["form-key"], "there": ["seal-key", "token-key"]}
    assert safe.prints()["form-key"] != before["form-key"]


@pytest.mark.parametrize("text", ["", "# nothing\n", "seal-key\n", "seal-key AAA\n", "../seal-key AAAA\n", "Seal AAAA\n",
                                  f"seal-key {base64.b64encode(bytes(2000)).decode()}\n"])
def test_what_is_no_export_changes_nothing(safe, text):
    safe.denied("import", "-", stdin=text)
    assert os.listdir(safe.sealed) == []


def test_one_that_another_host_sealed_is_named(safe):
    safe.credential("make")
    with open(os.path.join(safe.sealed, "seal-key.cred"), encoding="ascii") as file:
        text = file.read()
    with open(os.path.join(safe.sealed, "form-key.cred"), "w", encoding="ascii") as file:
        file.write(text)  # sealed under another name, which is refused as another machine's is
    rows = {row["name"]: row for row in safe.credential("list")}
    assert "cannot be opened on this machine" in rows["form-key"]["problem"] and "problem" not in rows["seal-key"]
    done = safe.run("credential", "export", os.path.join(safe.dir, "never"), "--dir", safe.sealed)
    assert done.returncode == 1 and "form-key.cred cannot be opened" in done.stderr
    assert not os.path.exists(os.path.join(safe.dir, "never"))


# --- a client that another provider knew ---

ADD = ["client", "add", "--name", "Shop", "--redirect-uri", "https://shop.example.org/cb"]


@pytest.fixture(name="home")
def fixture_home(tmp_path):
    home = Home(tmp_path)
    home.ok("init", "--unowned")
    return home


def test_a_client_keeps_its_id_and_secret(home):
    made = home.ok(*ADD, "--client-id", "shop:1", "--secret-file", "-", stdin="a secret of long ago\n")
    assert (made["client_id"], made["client_secret"]) == ("shop:1", "a secret of long ago")
    assert home.ok("client", "show", "shop:1")["client_name"] == "Shop"
    assert "already" in home.refused(*ADD, "--client-id", "shop:1")
    assert b"a secret of long ago" not in home.bytes_of("clients")


@pytest.mark.parametrize("words, stdin, why", [
    (["--client-id", "a b"], "", "--client-id is 1 to 128"), (["--client-id", "a" * 129], "", "--client-id is 1 to 128"),
    (["--client-id", ""], "", "--client-id is 1 to 128"), (["--secret-file", "-"], "too short\n", "16 to 512"),
    (["--secret-file", "-"], "a" * 513 + "\n", "16 to 512"), (["--secret-file", "-"], "caf\u00e9 caf\u00e9 caf\u00e9\n", "printable"),
    (["--secret-file", "/nowhere"], "", "/nowhere"), (["--public", "--secret-file", "-"], "a secret of long ago\n", "has no secret")],
    ids=["space", "long", "empty", "short secret", "long secret", "not ASCII", "no file", "public"])
def test_what_no_client_has_is_refused(home, words, stdin, why):
    assert why in home.refused(*ADD, *words, stdin=stdin, status=64)
    assert home.ok("client", "list") == []
