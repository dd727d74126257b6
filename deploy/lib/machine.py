"""The place on this machine: directories, users and groups, the volatile file system, credentials, programs."""
import os
import re
import shutil
import subprocess

import ending
from servers import CREDENTIALS, GIVEN_CREDENTIALS, SERVERS

VOLATILE = {"codes": 256 << 20, "async": 64 << 20, "guard": 64 << 20, "remote": 64 << 20}  # the maps of opctl init
SIZE = re.compile(r"(\w+)=(\d+)(?:([KMGT])iB)?")


class Failure(Exception):
    """One sentence for the operator."""


def run(command, patience=5):
    """Runs a command; its own words become the failure."""
    ending.check()
    done = ending.call(command, patience=patience)
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip()).split("\n")
        raise Failure(f"{' '.join(map(str, command[:3]))} failed: " + " / ".join(words[-6:]))
    return done.stdout


def volatile_bytes(map_sizes):
    """The sum of the volatile maps, and a little for lock files."""
    sizes = dict(VOLATILE)
    for match in filter(None, map(SIZE.fullmatch, map_sizes)):
        if match[1] in sizes:
            sizes[match[1]] = int(match[2]) << (10 * " KMGT".index(match[3] or " "))
    return sum(sizes.values()) + (64 << 20)


class Place:
    """Where everything of one installation lies."""

    def __init__(self, directory, source):
        self.dir, self.source = os.path.abspath(directory), source
        self.bin = self.at("bin")
        self.state = self.at("state")
        self.runtime = self.at("run")
        self.share = self.at("share")
        self.sockets = self.at("sockets")
        self.logs = self.at("log")
        self.audit = self.at("audit")
        self.conf = self.at("etc", "partita.conf")
        self.credentials = self.at("credentials")
        self.up_json = self.at("up.json")
        self.demo_json = self.at("demo.json")
        self.pid_file = self.at("up.pid")

    def at(self, *parts):
        return os.path.join(self.dir, *parts)

    def credentials_of(self, server):
        return self.at("sockets", "credentials", server)

    def make(self):
        """The directories, and a check that other users can reach the programs in them."""
        for path in (self.dir, self.bin, self.sockets, self.at("etc"), self.at("nginx")):
            os.makedirs(path, mode=0o755, exist_ok=True)
        os.makedirs(self.logs, mode=0o750, exist_ok=True)
        os.makedirs(self.credentials, mode=0o700, exist_ok=True)
        path = self.dir
        while path != "/":
            if not os.stat(path).st_mode & 0o001:
                raise Failure(f"{path} cannot be entered by other users, and the servers run as users of their own: "
                              "choose another --dir, for example below /var/lib or /tmp")
            path = os.path.dirname(path)

    def opctl(self):
        return [os.path.join(self.bin, "opctl"), "--config", self.conf]

    # --- programs ---

    def build(self, say):
        build = self.at("build")
        if not os.path.exists(os.path.join(build, "build.ninja")):
            run(["meson", "setup", build, self.source, "--buildtype=release"], patience=0)
        say("building")
        run(["ninja", "-C", build], patience=0)
        return build

    def install(self, build):
        """Copies programs and pages to where every user may read them."""
        for name in SERVERS + ["opctl"]:
            target = os.path.join(self.bin, name)
            if not os.path.exists(os.path.join(build, name, name)):
                raise Failure(f"{build} has no {name}/{name}: --built names a Meson build directory in which all was built")
            shutil.copy2(os.path.join(build, name, name), target + ".new")
            os.chmod(target + ".new", 0o755)
            os.replace(target + ".new", target)
        copy_readable(os.path.join(self.source, "share"), self.share)
        copy_readable(os.path.join(self.source, "deploy", "playground"), self.at("playground"))

    # --- users, environments ---

    def make_users(self):
        run(["systemd-sysusers", os.path.join(self.source, "deploy/systemd/partita.sysusers.conf")])

    def make_environments(self, map_sizes):
        """Directories by the shipped tmpfiles.d, with its roots replaced by ours; then the files."""
        with open(os.path.join(self.source, "deploy/systemd/partita.tmpfiles.conf"), encoding="utf-8") as file:
            text = file.read()
        text = re.sub(r"/var/lib/partita(?=[/\s])", self.state, text)
        text = re.sub(r"/run/partita(?=[/\s])", self.runtime, text)
        text = re.sub(r"/var/log/partita(?=[/\s])", self.dir, text)
        ours = self.at("etc", "tmpfiles.conf")
        with open(ours, "w", encoding="utf-8") as file:
            file.write(text)
        run(["systemd-tmpfiles", "--create", ours])
        durable, volatile = [], []
        for size in map_sizes:
            (volatile if size.partition("=")[0] in VOLATILE else durable).extend(["--map-size", size])
        run(self.opctl() + ["init"] + durable)
        run(self.opctl() + ["init", "--volatile"] + volatile)

    def mount_volatile(self, map_sizes, say):
        """A tmpfs of our own; else /dev/shm; else a directory, wiped."""
        if os.path.islink(self.runtime):
            os.unlink(self.runtime)
        os.makedirs(self.runtime, mode=0o755, exist_ok=True)
        if os.path.ismount(self.runtime):
            unmount(self.runtime)
        size = volatile_bytes(map_sizes)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0755,nosuid,nodev,noexec", "partita", self.runtime]
        if ending.call(mount).returncode == 0:
            return
        if os.path.isdir("/dev/shm") and os.path.ismount("/dev/shm") and shutil.disk_usage("/dev/shm").free > size:
            os.rmdir(self.runtime)
            target = "/dev/shm/partita" + self.dir.replace("/", "-")
            wipe(target)
            os.symlink(target, self.runtime)
            say(f"no tmpfs can be mounted here: the volatile environments are in {target}")
        else:
            wipe(self.runtime)
            say(f"no tmpfs can be mounted here: the volatile environments are on disk in {self.runtime}, wiped at each start")

    def unmount_volatile(self):
        if os.path.islink(self.runtime):
            shutil.rmtree(os.path.realpath(self.runtime), ignore_errors=True)
            os.unlink(self.runtime)
        elif os.path.ismount(self.runtime):
            unmount(self.runtime)

    def hand_credentials(self):
        """Makes the keys once, and gives each server copies of its own, as systemd's LoadCredential does."""
        run(self.opctl() + ["init", "--credentials", self.credentials])
        shutil.rmtree(self.at("sockets", "credentials"), ignore_errors=True)
        for server, names in CREDENTIALS.items():
            directory = self.credentials_of(server)
            os.makedirs(directory, mode=0o755)
            given = [name for name in GIVEN_CREDENTIALS.get(server, []) if os.path.exists(os.path.join(self.credentials, name))]
            for name in names + given:
                target = os.path.join(directory, name)
                shutil.copy(os.path.join(self.credentials, name), target)
                shutil.chown(target, server)
                os.chmod(target, 0o400)
            shutil.chown(directory, server)
            os.chmod(directory, 0o500)


def unmount(path):
    """For good: somebody who still has a file of it open keeps only that."""
    for command in (["umount", path], ["umount", "--lazy", path]):
        if subprocess.run(command, capture_output=True, check=False, start_new_session=True).returncode == 0:
            return


def wipe(path):
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path, mode=0o755)


def copy_readable(source, target):
    """A tree that every user may read, whatever the umask was."""
    shutil.copytree(source, target, dirs_exist_ok=True)
    for directory, _, files in os.walk(target):
        os.chmod(directory, 0o755)
        for name in files:
            os.chmod(os.path.join(directory, name), 0o644)
