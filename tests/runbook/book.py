"""deploy/RUNBOOK.md as a machine reads it: chapters, and in each the blocks in their order.

A block ```sh is run by bash. A word behind sh says where: build-host or new-host, else on the host that the book is about.
A block ```text right after it is what it prints: line by line, where ... stands for anything and a line of ... for any lines.
A block that names a file (```ini /etc/partita/partita.conf) is written to that file as it stands. There are no others, and
no indented ones. The paragraph before a block begins with **You see**, **Do** or **It is over when**, or the last such one
goes on: what stands under Do is done once; under the others somebody looks, again and again until it is there."""
import re

# What the test reads instead of what is written, beside the versions: 0.1.0 is the one that is built, 0.2.0 one that follows it.
# Each row must be needed: the test says so when one is not.
REPLACED = [
    (r"^(opctl deploy \S+ (?!.*--dry-run).*)$", r"\1 --watch 2", "nobody waits 90 s in a test"),
    (r"^(sed .*>/etc/nginx/nginx.conf)$", r"\1; sed -i 's/keepalive_timeout 5s/keepalive_timeout 1s/; s/rate=[0-9]*r/rate=10000r/' /etc/nginx/nginx.conf",
     "a drain takes as long as the balancer keeps idle connections; everybody comes from one address"),
]
LOOKS = {"You see": True, "Do": False, "It is over when": True}
PROGRAMS = ["opctl", "systemctl", "journalctl", "systemd-creds", "apt", "rm", "mv", "cp", "df", "du", "nginx", "curl", "usermod", "fallocate", "deploy/"]


class Block:
    def __init__(self, chapter, line, kind, where, text, looks):
        self.chapter, self.line, self.kind, self.where, self.text, self.looks = chapter, line, kind, where, text, looks
        self.shown = None

    def __repr__(self):
        return f"RUNBOOK.md:{self.line}"


class Chapter:
    def __init__(self, title, line):
        self.title, self.line, self.blocks, self.prose = title, line, [], ""
        self.anchor = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def read(text):
    """The chapters of the book. A line that is no prose and not understood is an error."""
    chapters, part, lines, n = [], "Do", text.split("\n"), 0
    chapter = Chapter("", 1)
    while n < len(lines):
        line = lines[n]
        n += 1
        if line.startswith("## "):
            chapter, part = Chapter(line[3:].strip(), n), "Do"
            chapters.append(chapter)
        elif line.startswith("```"):
            began, kind, body = n, line[3:].split(), []
            while n < len(lines) and lines[n] != "```":
                body.append(lines[n])
                n += 1
            assert n < len(lines) and kind, f"RUNBOOK.md:{began}: a block without a kind or an end"
            n += 1
            add(chapter, Block(chapter, began, kind[0], " ".join(kind[1:]), "\n".join(body) + "\n", LOOKS[part]))
        else:
            assert not re.match(r"( {4,}|\t| *```)", line), f"RUNBOOK.md:{n}: an indented block, which nobody runs"
            part = next((name for name in LOOKS if line.startswith(f"**{name}")), part)
            chapter.prose += line + "\n"
    return chapters


def add(chapter, block):
    if block.kind == "text":
        assert chapter.blocks and chapter.blocks[-1].kind == "sh" and chapter.blocks[-1].shown is None, f"{block}: what prints this?"
        chapter.blocks[-1].shown = block.text
        return
    if block.kind == "sh":
        assert block.where in ("", "build-host", "new-host"), f"{block}: where is {block.where}?"
    else:
        assert block.where.startswith("/"), f"{block}: {block.kind} is neither sh nor text, and names no file"
    chapter.blocks.append(block)


def fill(text, old, new):
    """The text with the replacements of the table. Returns it, and the rows that it needed."""
    used = set()
    for pattern, replacement, why in REPLACED:
        text, count = re.subn(pattern, replacement, text, flags=re.M)
        if count:
            used.add(why)
    return re.sub(r"(?<![\d.])0\.([12])\.0(?![\d.])", lambda found: old if found[1] == "1" else new, text), used


def commands(text):
    """The commands of a block, one a line, without what continues, comments and indentation."""
    joined = text.replace("\\\n", " ")
    return [re.sub(r"\s+", " ", line).strip() for line in joined.split("\n") if line.strip() and not line.strip().startswith("#")]


def named(prose):
    """Commands that running text names."""
    spans = re.findall(r"`([^`\n]+)`", prose)
    return [span for span in spans if any(span.startswith(program + ("" if program.endswith("/") else " ")) for program in PROGRAMS)]


def is_shown(shown, printed):
    """Whether all that is shown was printed, in this order."""
    lines = printed.rstrip("\n").split("\n")
    patterns = [re.sub(r"(?:\\ )+", r"\\s+", re.escape(line.strip()).replace(r"\.\.\.", ".*")) for line in shown.rstrip("\n").split("\n")]
    return matches(patterns, [line.strip() for line in lines])


def matches(patterns, lines):
    if not patterns:
        return not lines
    if patterns[0] == ".*":
        return any(matches(patterns[1:], lines[n:]) for n in range(len(lines) + 1))
    return bool(lines) and re.fullmatch(patterns[0], lines[0]) is not None and matches(patterns[1:], lines[1:])
