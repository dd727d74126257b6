"""A machine of its own with a real systemd: a Debian root made once, a copy for each run, packages installed, booted in a container."""
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "..", ".."))
WORK = os.path.join(ROOT, "build-tests", "fleet")
SERVERS = ["op-discovery", "op-auth", "op-token", "op-userinfo", "op-management", "op-async"]
MORE = ["systemd", "systemd-sysv", "dbus", "haproxy", "curl", "procps", "python3-requests", "man-db"]
UNIT = """[Unit]
Description=What this machine was booted for
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/usr/bin/python3 -B /opt/fleet/{script} {words}
ExecStopPost=/usr/bin/systemctl poweroff
[Install]
WantedBy=multi-user.target
"""


def call(*words, **more):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **more)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words[:3])} failed:\n{done.stdout[-3000:]}")
    return done.stdout


def run_packages():
    with open(os.path.join(ROOT, "deploy/install-packages"), encoding="utf-8") as file:
        return re.search(r"^run=\(([^)]*)\)", file.read(), re.M)[1].split()


def root():
    """A root of Debian with what Partita needs to run, made once for a list of packages."""
    packages = sorted(set(run_packages() + MORE))
    path = os.path.join(WORK, "root-" + hashlib.sha256(" ".join(packages).encode()).hexdigest()[:12])
    if not os.path.exists(path):
        shutil.rmtree(path + ".new", ignore_errors=True)
        os.makedirs(WORK, exist_ok=True)
        call("debootstrap", "--variant=minbase", "--include=" + ",".join(packages), "bookworm", path + ".new")
        os.rename(path + ".new", path)
    return path


def digest_of_sources():
    """Of every file that packages are made from, as it is now."""
    digest = hashlib.sha256()
    listed = call("git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0")
    for name in sorted(filter(None, listed)):
        path = os.path.join(ROOT, name)
        if name.startswith("tests/") or name == "deploy/RUNBOOK.md" or not os.path.isfile(path):
            continue
        with open(path, "rb") as file:
            digest.update(f"{name} {os.stat(path).st_mode:o} ".encode() + hashlib.sha256(file.read()).digest())
    return digest.hexdigest()


def packages(number=None):
    """The packages' paths, as another version when a number is given; built where they are not those of the present sources."""
    output = os.path.join(WORK, "packages" + (f"-{number}" if number else ""))
    mark, digest = os.path.join(output, "sources.sha256"), digest_of_sources()
    os.makedirs(WORK, exist_ok=True)
    with open(os.path.join(WORK, "packages.lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(mark) or open(mark, encoding="ascii").read() != digest:
            shutil.rmtree(output, ignore_errors=True)
            call(os.path.join(ROOT, "deploy/debian/build"), "--output", output, *(["--as", number] if number else []))
            with open(mark, "w", encoding="ascii") as file:
                file.write(digest)
    return sorted(os.path.join(output, name) for name in os.listdir(output) if name.endswith(".deb") and "-dbgsym_" not in name)


class Machine:
    def __init__(self, name):
        self.dir = os.path.join(WORK, name)
        shutil.rmtree(self.dir, ignore_errors=True)
        call("cp", "-a", "--reflink=auto", root(), self.dir)
        for name in ("nginx.service", "haproxy.service"):  # started when they are wanted
            for wants in ("multi-user.target.wants",):
                path = self.path("etc/systemd/system", wants, name)
                if os.path.lexists(path):
                    os.unlink(path)
        os.makedirs(self.path("var/log/journal"), exist_ok=True)
        with open(self.path("etc/machine-id"), "w", encoding="ascii"):
            pass
        with open(self.path("etc/hosts"), "w", encoding="ascii") as file:
            file.write("127.0.0.1 localhost\n")

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def install(self, debs):
        """As an administrator would, with dpkg, while the machine is off."""
        os.makedirs(self.path("opt/debs"), exist_ok=True)
        for deb in debs:
            shutil.copy(deb, self.path("opt/debs"))
        inside = ["/opt/debs/" + os.path.basename(deb) for deb in debs]
        return call("systemd-nspawn", "-q", "-D", self.dir, "--register=no", "--keep-unit", "--pipe", "dpkg", "--install", *inside)

    def boot(self, *words, seconds=600, script="inside.py", also=()):
        """Runs the script with these words as the last unit of the boot, and returns what it left as its result. It and
        the files of also lie in /opt/fleet, beside load.py and person.py."""
        fleet = self.path("opt/fleet")
        os.makedirs(fleet, exist_ok=True)
        for path in ("tests/fleet/inside.py", "tests/fleet/load.py", "tests/e2e/person.py", *also):
            shutil.copy(os.path.join(ROOT, path), fleet)
        with open(self.path("etc/systemd/system/fleet.service"), "w", encoding="ascii") as file:
            file.write(UNIT.format(script=script, words=" ".join(words)))
        link = self.path("etc/systemd/system/multi-user.target.wants/fleet.service")
        if not os.path.lexists(link):
            os.symlink("/etc/systemd/system/fleet.service", link)
        result = self.path("var/log/fleet.json")
        if os.path.exists(result):
            os.unlink(result)
        with open(self.path("..", os.path.basename(self.dir) + ".console"), "w", encoding="utf-8") as console:
            subprocess.run(["timeout", "--kill-after=10", str(seconds), "systemd-nspawn", "-q", "-D", self.dir, "--private-network",
                            "--register=no", "--keep-unit", "-b"], stdin=subprocess.DEVNULL, stdout=console, stderr=console, check=False)
        if not os.path.exists(result):
            raise RuntimeError("the machine left no result:\n" + self.journal())
        with open(result, encoding="utf-8") as file:
            return json.load(file)

    def journal(self):
        done = subprocess.run(["journalctl", "--no-pager", "-q", "-o", "short-precise", "-D", self.path("var/log/journal")],
                              capture_output=True, text=True, check=False)
        return done.stdout[-6000:]

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)
