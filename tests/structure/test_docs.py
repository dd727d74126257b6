"""What the documentation says beside its tables (docs/pages holds those): links, log events, counters, what it quotes."""
import glob
import os
import re

import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
SERVERS = ["op-discovery", "op-auth", "op-token", "op-userinfo", "op-management", "op-async"]
PAGES = ["README.md", "ARCHITECTURE.md", *sorted(os.path.relpath(path, ROOT) for path in glob.glob(ROOT + "/docs/*.md"))]
HEADINGS = ["Endpoints", "Settings", "Environments", "What to watch", "When it fails"]
WORD = r'"([a-z]+(?:_[a-z]+)*)"'


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def sources(*folders):
    found = [path for folder in folders for path in glob.glob(os.path.join(ROOT, folder, "**", "*.[ch]"), recursive=True)]
    assert found
    return [read(path) for path in sorted(found)]


NO_EVENTS = {"event_count"}


def second_argument(call):
    """Of the text behind "log_event(": its second argument."""
    depth, parts = 0, [""]
    for char in call:
        depth += (char in "([") - (char in ")]")
        if depth < 0 or len(parts) > 2:
            break
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return parts[1].strip()


def events_of(text):
    """The events that a source file logs, those of the audit trail too (AUDIT_NAME is "name"); where the event is a variable, all that it is ever given."""
    text = re.sub(r"(enum audit_event \{|EVENTS\[AUDIT_EVENT_COUNT\] = \{).*?\n\}", "", text, flags=re.S)  # the list itself uses none
    found = {name.lower() for name in re.findall(r"\bAUDIT_([A-Z_]+)\b", text)} - NO_EVENTS
    for call in text.split("log_event(")[1:]:
        event = second_argument(call)
        found |= set(re.findall(WORD, event))
        if event == "event":
            found |= set(re.findall(r"\b(?:note|log_refusal)\(\w+, " + WORD, text))
            for value in re.findall(r"\bevent = ([^;]+);", text):
                found |= set(re.findall(WORD, value))
    return found


def logged(*folders):
    return set().union(*map(events_of, sources(*folders)))


def events_in(page):
    """What the page's tables of events name."""
    found = set()
    for table in re.findall(r"^\| event \|.*\n\|-.*\n((?:\|.*\n)+)", read(page), re.M):
        for row in table.splitlines():
            found |= set(re.findall(r"`([a-z_]+)`", row.split("|")[1]))
    return found


def test_events_are_found():
    assert events_of('log_event(level_of(a, b), x ? "one" : "two_three", NULL, "key", NULL);') == {"one", "two_three"}
    assert events_of('note(a, "gone");\nlog_event(L, event, NULL);\nconst char *event = x ? "a_b" : "c_d";') == {"gone", "a_b", "c_d"}
    assert events_of("audit_write(theft ? AUDIT_CODE_REPLAYED : AUDIT_SIGNED_IN, req, AUDIT_EVENT_COUNT);") == {"code_replayed", "signed_in"}
    assert {"store_full", "request_refused", "request_put_off", "started", "store_broken"} <= logged("common/runtime")


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_s_page_names_every_event_that_it_logs_and_no_other(server):
    assert events_in(f"docs/{server}.md") == logged(server)


def test_the_page_of_all_servers_does_so_too():
    assert events_in("docs/servers.md") == logged("common")


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_declares_what_it_counts(server):
    """So that a counter is there, at 0, before anything is counted, and in the documentation."""
    declared = re.search(r"METRICS\[\] = \{(.*?)\n\};", read(server + "/main.c"), re.S)
    names = set(re.findall(r'\{"(\w+)"', declared[1])) if declared else set()
    names -= set(re.findall(r'\{"(\w+)",[^{}]*",\s+\w+\}', declared[1])) if declared else set()  # gauges: asked for, not counted
    assert names == set(re.findall(r'metrics_count\("(\w+)"', "".join(sources(server))))
    assert "metrics_count(" not in "".join(text for text in sources("common") if "struct metric {" not in text and "counter_of" not in text)


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_s_page_has_its_parts(server):
    page = read(f"docs/{server}.md")
    headings = re.findall(r"^## (.*)$", page, re.M)
    assert [heading for heading in headings if heading in HEADINGS] == HEADINGS
    for kind in ("endpoints", "settings", "environments", "counters"):
        assert f"<!-- made by docs/pages: {server} {kind} -->" in page


def anchors(page):
    """As they are made of headings: lower case, letters, digits, hyphens and underscores, spaces to hyphens."""
    text = re.sub(r"^```.*?^```$", "", read(page), flags=re.M | re.S)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in re.findall(r"^#+ (.*)$", text, re.M)}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", read(page)):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        path = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
        assert os.path.exists(os.path.join(ROOT, path)), target
        assert not anchor or anchor in anchors(path), target


def test_every_page_is_in_the_index():
    index = read("docs/README.md")
    assert [page for page in PAGES if page.startswith("docs/") and page != "docs/README.md" and f"]({page[5:]})" not in index] == []


def plain(text):
    """Without what a line break in the source adds."""
    return re.sub(r'"\s*\n\s*"', "", text)


@pytest.mark.parametrize("page", [f"docs/{server}.md" for server in [*SERVERS, "servers"]])
def test_what_people_see_is_what_the_programs_say(page):
    """The first column under "When it fails": what stands in quotes or backticks with a space in it, but for "..."."""
    said = plain("".join(sources("common", *SERVERS)) + read("share/locales/en.ini"))
    rows = re.findall(r"^\| (.*?) \|", read(page).split("## When it fails")[1], re.M)
    quoted = ["".join(pair) for row in rows for pair in re.findall(r'`([^`]*)`|"([^"]*)"', row)]
    for words in quoted:
        for part in filter(None, (part.strip() for part in words.split("...") if " " in words)):
            assert part in said, f"{words}: nothing says {part}"
