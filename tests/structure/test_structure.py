"""The walls of the house: which way includes may point, one home per fenced header, and what the tree never says."""
import os
import re

import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
FLOORS = {
    "common/base": set(),
    "common/data": {"common/base"},
    "common/protocol": {"common/base", "common/data"},
    "common/store": {"common/base", "common/data"},
    # What an operator does, through opctl or the administration API: runtime does not know it.
    "common/operator": {"common/base", "common/data", "common/protocol", "common/store"},
    # reply.h renders protocol's errors, so runtime stands on protocol too.
    "common/runtime": {"common/base", "common/data", "common/protocol", "common/store"},
}
HOMES = {
    "lmdb.h": "common/store/kv_lmdb.h", "event2/listener.h": "common/runtime/http.c", "cjose/": "common/data/jose.c common/data/jose_key.h",
    "argon2.h": "common/data/password.c", "crypt.h": "common/data/password_foreign.c", "systemd/": "common/runtime/server.c", "ini.h": "common/runtime/conf.c",
    "curl/": "op-async/wire.h", "qrencode.h": "op-async/qr.c",
}
GENERATED = {"records.pb-c.h": "common/data"}


def sources():
    """Every C file of the product, relative to the root."""
    found = []
    for top in sorted(os.listdir(ROOT)):
        if top == "common" or (top.startswith("op") and os.path.isdir(os.path.join(ROOT, top))):
            for directory, _, names in os.walk(os.path.join(ROOT, top)):
                found += [os.path.relpath(os.path.join(directory, name), ROOT) for name in sorted(names) if name.endswith((".c", ".h"))]
    return found


def test_there_is_something_to_look_at():
    assert "common/store/kv.c" in sources() and "op-token/main.c" in sources() and "opctl/main.c" in sources()


def includes(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', file.read(), re.M)


def room_of(path):
    parts = path.split("/")
    return "/".join(parts[:2]) if parts[0] == "common" else parts[0]


def room_of_include(path, include):
    """The room an include leads to, None for system headers and libraries."""
    if include in GENERATED:
        return GENERATED[include]
    if os.path.exists(os.path.join(ROOT, "common", include)):
        return room_of("common/" + include)
    beside = os.path.normpath(os.path.join(os.path.dirname(path), include))
    if os.path.exists(os.path.join(ROOT, beside)):
        return room_of(beside)
    return None


def wrong_arrows(path, found):
    room = room_of(path)
    for include in found:
        target = room_of_include(path, include)
        if target in (None, room):
            continue
        allowed = FLOORS[room] if room in FLOORS else set(FLOORS)
        if target not in allowed:
            yield f"{path} includes {include}: {room} may not stand on {target}"


def test_includes_point_down():
    assert [line for path in sources() for line in wrong_arrows(path, includes(path))] == []


@pytest.mark.parametrize("path, include", [
    ("common/base/mem.c", "data/form.h"), ("common/protocol/pkce.c", "store/kv.h"), ("common/runtime/route.c", "operator/listing.h"),
    ("common/operator/operate_sessions.c", "runtime/http.h"), ("common/store/kv.c", "protocol/pkce.h"),
    ("common/store/kv.c", "runtime/http.h"), ("common/data/form.c", "runtime/conf.h"),
])
def test_an_arrow_that_points_up_or_sideways_is_seen(path, include):
    assert list(wrong_arrows(path, [include]))


def test_fenced_headers_have_one_home():
    astray = []
    for path in sources():
        for include in includes(path):
            for header, home in HOMES.items():
                if (include == header or (header.endswith("/") and include.startswith(header))) and path not in home.split():
                    astray.append(f"{path} includes {include}, whose home is {home}")
    assert astray == []


def has_header(path):
    """foo.c has foo.h; a part foo_bar.c of a module that has grown may do with foo.h."""
    words = path[:-2].split("_")
    return any(os.path.exists(os.path.join(ROOT, "_".join(words[:n]) + ".h")) for n in range(len(words), 0, -1))


def test_every_module_has_its_header():
    assert [path for path in sources() if path.endswith(".c") and os.path.basename(path) != "main.c" and not has_header(path)] == []


def test_the_catalogue_lists_every_table():
    """What looks at everything (check, backup, migrations) goes by it."""
    with open(os.path.join(ROOT, "common/store/tables.h"), encoding="utf-8") as file:
        tables = re.findall(r"struct kv_table (TABLE_\w+)", file.read())
    with open(os.path.join(ROOT, "common/store/catalogue.c"), encoding="utf-8") as file:
        rows = re.findall(r"\{&(TABLE_\w+),", file.read())
    assert len(tables) > 20 and sorted(rows) == sorted(tables)


def test_migrations_are_owned_by_the_first_writer_of_the_table():
    """Of each environment, in the order of the servers in ARCHITECTURE.md's table."""
    with open(os.path.join(ROOT, "ARCHITECTURE.md"), encoding="utf-8") as file:
        text = file.read()
    servers = re.findall(r"op-[a-z]+", re.search(r"^\| environment \|.*", text, re.M)[0])
    rows = re.findall(r"^\| (\w+)(?:: [^|]*)? \| (?:durable|volatile) \|(.*)\|$", text, re.M)
    writers = {name: servers[[cell.strip() for cell in cells.split("|")].index("w")] for name, cells in rows}
    with open(os.path.join(ROOT, "common/store/migration.c"), encoding="utf-8") as file:
        owners = {name.lower(): server for name, server in re.findall(r'\[KV_(\w+)\] = "(op-[a-z]+)"', file.read())}
    assert len(owners) == 12 and owners == writers


def test_no_warning_is_silenced():
    pragmas = [path for path in sources()
               if re.search(r"#\s*pragma\s+(GCC|clang)\s+diagnostic", open(os.path.join(ROOT, path), encoding="utf-8").read())]
    assert pragmas == []


def test_functions_stay_readable():
    """None over 80 lines; the plan aims at 50."""
    long = []
    for path in sources():
        if not path.endswith(".c"):
            continue
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            lines = file.read().split("\n")
        start = None
        for number, line in enumerate(lines):
            if line == "{" or (line.endswith("{") and re.match(r"^[A-Za-z_].*\)\s*\{$", line)):
                start = number
            elif line == "}" and start is not None:
                if number - start - 1 > 80:
                    long.append(f"{path}:{start + 1}: {number - start - 1} lines")
                start = None
    assert long == []


def test_every_server_may_have_a_section_in_the_configuration():
    with open(os.path.join(ROOT, "common/runtime/settings.c"), encoding="utf-8") as file:
        programs = re.findall(r'"(op-\w+)"', file.read().split("SETTINGS_PROGRAMS[] = {")[1].split("}")[0])
    assert sorted(programs) == sorted(name for name in os.listdir(ROOT) if os.path.exists(os.path.join(ROOT, name, "main.c"))
                                      and name != "opctl")


def test_the_folders_and_files_that_ARCHITECTURE_names_are_there():
    with open(os.path.join(ROOT, "ARCHITECTURE.md"), encoding="utf-8") as file:
        rows = [line for line in file if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`([\w./-]+/[\w./-]*)`", row.split("|")[1])}
    assert len(named) > 10
    assert not [name for name in sorted(named) if not os.path.exists(os.path.join(ROOT, name))]


def test_ARCHITECTURE_names_every_folder_and_every_home():
    with open(os.path.join(ROOT, "ARCHITECTURE.md"), encoding="utf-8") as file:
        text = file.read()
    folders = [name for name in os.listdir(ROOT) if os.path.isdir(os.path.join(ROOT, name)) and not name.startswith((".", "_", "build"))]
    for top in ("common", "tests"):
        folders.remove(top)
        folders += [f"{top}/{name}" for name in os.listdir(os.path.join(ROOT, top))
                    if os.path.isdir(os.path.join(ROOT, top, name)) and not name.startswith((".", "_"))]
    assert [folder for folder in sorted(folders) if f"`{folder}/`" not in text] == []
    rows = dict(re.findall(r"^\| `<([a-z0-9_./]+?)(?:\.\.\.)?>` \| (.*) \|$", text, re.M))
    assert {header: home.replace("`", "").replace(",", "") for header, home in rows.items()} == HOMES
