"""What the servers say of themselves on their operator's sockets."""
import re
import subprocess

LABEL = re.compile(r'(\w+)="([^"]*)"')


def ask(socket_path, path):
    """(status, text) of GET path."""
    done = subprocess.run(["curl", "-s", "-m", "20", "-w", "\n%{http_code}", "--unix-socket", socket_path, "http://localhost" + path],
                          capture_output=True, text=True, check=True)
    text, _, status = done.stdout.rpartition("\n")
    return int(status), text


def samples(text):
    """{(name, {(label, value), ...}): number}"""
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, labels, number = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line).groups()
            found[name, frozenset(LABEL.findall(labels or ""))] = float(number)
    return found


class Metrics:
    """Of some instances, at one moment."""

    def __init__(self, *socket_paths):
        self.each = []
        for path in socket_paths:
            status, text = ask(path, "/.metrics")
            assert status == 200
            self.each.append(samples(text))

    def sum(self, name, **labels):
        """None: it is not there."""
        found = [number for each in self.each for (other, has), number in each.items() if other == name and set(labels.items()) <= has]
        return sum(found) if found else None

    def names(self):
        return {name for each in self.each for name, _ in each}


def sockets_of(partita, server):
    return [each["admin_socket"] for each in partita.info["servers"] if each["name"] == server]


def promtool(text):
    """What `promtool check metrics` has to say: nothing, when all is well."""
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr + ("" if done.returncode == 0 else f"status {done.returncode}")
