"""Which release is the one before this tree."""
import subprocess

import pytest

import release

RELEASES = "# Each release and its commit\n0.1.0 aaa\n0.2.0 bbb\n0.10.0 ccc\n"


@pytest.mark.parametrize("version, found", [
    ("0.2.0-dev", "0.1.0"), ("0.2.0", "0.1.0"), ("0.3.0-dev", "0.2.0"), ("0.9.0", "0.2.0"), ("0.10.0-dev", "0.2.0"),
    ("0.10.1-dev", "0.10.0"), ("1.0.0", "0.10.0"),
])
def test_the_newest_that_is_older(version, found):
    assert release.newest_before(version, RELEASES)[0] == found


def test_the_first_release_has_none_before_it():
    with pytest.raises(release.Missing, match="names nothing older than 0.1.0"):
        release.newest_before("0.1.0", RELEASES)


def test_a_commit_that_is_not_here(tmp_path):
    """As in a shallow clone: one line says what to do."""
    with pytest.raises(release.Missing) as missing:
        release.check_out("0.0.9", "0" * 40, str(tmp_path / "source"))
    assert "git fetch --unshallow" in str(missing.value) and "\n" not in str(missing.value)


def test_what_both_versions_say_of_themselves(mixed):
    """Each is built with the number that it is taken for."""
    for version in (mixed.older, mixed.newer):
        for program in release.PROGRAMS:
            said = subprocess.run([version.program(program), "--version"], capture_output=True, text=True, check=True).stdout
            assert said.split("\n")[0] == f"{program} {version}"
    assert f"follows {mixed.older}\n" in said
