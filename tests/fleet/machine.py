"""A machine of its own with a real systemd: a Debian root made once, a copy for each run, packages installed, booted in a container."""
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
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


def make_cgroups(name):
    """Control groups of its own for a machine, where its systemd makes more: two of them in one would end each other's processes."""
    made = []
    with open("/proc/self/cgroup", encoding="ascii") as file:
        lines = [line.rstrip("\n").split(":", 2) for line in file]
    for _, kind, path in lines:
        if kind not in ("", "name=systemd"):
            continue
        mounts = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"] if kind == "" else ["/sys/fs/cgroup/systemd"]
        mount = next((each for each in mounts if os.path.exists(each + "/cgroup.procs")), None)
        if mount:
            made.append(f"{mount}{path.rstrip('/')}/fleet-{name}")
            os.makedirs(made[-1], exist_ok=True)
    return made


def enter(groups):
    for group in groups:
        with open(group + "/cgroup.procs", "w", encoding="ascii") as file:
            file.write("0")


def remove_cgroups(groups):
    for group in groups:
        for path, _, _ in os.walk(group, topdown=False):
            try:
                os.rmdir(path)
            except OSError:
                pass  # somebody is still about to leave it


class Network:
    """A network of its own, with nothing but a loopback, that outlives the boots of the machine in it."""

    def __init__(self):
        self.holder = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec sleep 86400"],
                                       stdout=subprocess.PIPE)
        if self.holder.stdout.readline() != b"up\n":
            raise RuntimeError("no network of its own can be made")
        self.path = f"/proc/{self.holder.pid}/ns/net"

    def start(self, *words, **more):
        """A program outside the machine, in its network."""
        return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "nsenter", "--net=" + self.path, *words], **more)

    def remove(self):
        self.holder.kill()
        self.holder.wait()


class Machine:
    """disk: its root lies on a file system of its own of that size (such as 1200M), which can be filled."""

    def __init__(self, name, disk=None):
        self.dir = os.path.join(WORK, name)
        self.board = self.dir + ".board"  # /mnt in the machine, on another disk than its own
        self.booted, self.groups = None, make_cgroups(name + "-" + hashlib.sha256(ROOT.encode()).hexdigest()[:8])
        self.remove()
        if disk:
            self.make_disk(disk)
        call("cp", "-a", "--reflink=auto", root() + "/.", self.dir + "/")
        for service in ("nginx.service", "haproxy.service"):  # started when they are wanted
            path = self.path("etc/systemd/system/multi-user.target.wants", service)
            if os.path.lexists(path):
                os.unlink(path)
        os.makedirs(self.path("var/log/journal"), exist_ok=True)
        os.makedirs(self.board)
        with open(self.path("etc/machine-id"), "w", encoding="ascii"):
            pass
        with open(self.path("etc/hosts"), "w", encoding="ascii") as file:
            file.write("127.0.0.1 localhost\n")

    def make_disk(self, size):
        os.makedirs(self.dir)
        call("truncate", "--size=" + size, self.dir + ".disk")
        call("mkfs.ext4", "-q", "-N", "40000", self.dir + ".disk")
        call("mount", "-o", "loop", self.dir + ".disk", self.dir)

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def copy_debs(self, debs, name="debs"):
        os.makedirs(self.path("opt", name), exist_ok=True)
        for deb in debs:
            shutil.copy(deb, self.path("opt", name))

    def install(self, debs):
        """As an administrator would, with dpkg, while the machine is off."""
        self.copy_debs(debs)
        inside = ["/opt/debs/" + os.path.basename(deb) for deb in debs]
        return call("systemd-nspawn", "-q", "-D", self.dir, "--register=no", "--keep-unit", "--pipe", "dpkg", "--install", *inside)

    def boot(self, *words, seconds=600, script="inside.py", also=()):
        """Runs the script with these words as the last unit of the boot, and returns what it left as its result. It and
        the files of also lie in /opt/fleet, beside those of this folder and person.py."""
        self.start(*words, script=script, also=also)
        return self.result(seconds)

    def start(self, *words, script="inside.py", also=(), network=None):
        """Boots and returns at once. network: a Network to be in."""
        fleet = self.path("opt/fleet")
        os.makedirs(fleet, exist_ok=True)
        own = ["tests/fleet/" + name for name in os.listdir(HERE) if name.endswith(".py")]
        for path in (*own, "tests/e2e/person.py", *also):
            shutil.copy(os.path.join(ROOT, path), fleet)
        with open(self.path("etc/systemd/system/fleet.service"), "w", encoding="ascii") as file:
            file.write(UNIT.format(script=script, words=" ".join(words)))
        link = self.path("etc/systemd/system/multi-user.target.wants/fleet.service")
        if not os.path.lexists(link):
            os.symlink("/etc/systemd/system/fleet.service", link)
        if os.path.exists(self.path("var/log/fleet.json")):
            os.unlink(self.path("var/log/fleet.json"))
        net = ["--network-namespace-path=" + network.path, "--capability=CAP_NET_ADMIN"] if network else ["--private-network"]
        with open(self.dir + ".console", "a", encoding="utf-8") as console:
            self.booted = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", "systemd-nspawn", "-q", "-D", self.dir, *net, "--bind=" + self.board + ":/mnt",
                                            "--register=no", "--keep-unit", "--rlimit=NOFILE=1024:524288", "-b"],
                                           stdin=subprocess.DEVNULL, stdout=console, stderr=console,
                                           preexec_fn=self.enter_cgroups,
                                           env={**os.environ, "SYSTEMD_NSPAWN_TMPFS_TMP": "0"})  # /tmp is on its disk

    def enter_cgroups(self):
        for group in self.groups:
            os.makedirs(group, exist_ok=True)
        enter(self.groups)

    def result(self, seconds=600):
        """Waits until the machine is off, and returns what inside.py left."""
        try:
            self.booted.wait(seconds)
        except subprocess.TimeoutExpired:
            self.power_off()
            raise RuntimeError(f"the machine ran longer than {seconds} s:\n" + self.journal()) from None
        self.booted = None
        if not os.path.exists(self.path("var/log/fleet.json")):
            raise RuntimeError("the machine left no result:\n" + self.journal())
        with open(self.path("var/log/fleet.json"), encoding="utf-8") as file:
            return json.load(file)

    def power_off(self):
        """As when the power fails: every process is gone at once."""
        if self.booted is None or self.booted.poll() is not None:
            self.booted = None
            return
        with open(f"/proc/{self.booted.pid}/task/{self.booted.pid}/children", encoding="ascii") as file:
            first = [int(word) for word in file.read().split()]
        for pid in first:
            os.kill(pid, signal.SIGKILL)
        try:
            self.booted.wait(30)
        except subprocess.TimeoutExpired:
            self.booted.kill()
            self.booted.wait()
        self.booted = None

    def journal(self):
        done = subprocess.run(["journalctl", "--no-pager", "-q", "-o", "short-precise", "-D", self.path("var/log/journal")],
                              capture_output=True, text=True, check=False)
        return done.stdout[-6000:]

    def remove(self):
        self.power_off()
        remove_cgroups(self.groups)
        if os.path.ismount(self.dir):
            call("umount", self.dir)
        for path in (self.dir, self.board):
            shutil.rmtree(path, ignore_errors=True)
        if os.path.exists(self.dir + ".disk"):
            os.unlink(self.dir + ".disk")
        if os.path.exists(self.dir + ".console"):
            os.unlink(self.dir + ".console")
