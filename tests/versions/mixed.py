"""One installation whose servers are each at one of two versions: deploy/lib's machine and sockets, nginx in front, processes
swapped one by one as a deployment does, over state that the older version's opctl made."""
import grp
import itertools
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import pytest

from conftest import free_port, sanitizer_reports
from release import ROOT

sys.path.insert(0, os.path.join(ROOT, "deploy", "lib"))
import balancer
import demo
import machine
import servers
from servers import SERVERS

# Passwords that cost little; nothing ends because a machine is slow; no connection is worth waiting for (nginx keeps none); mail
# is tried once and stays.
CONF = """[all]
issuer = {issuer}
state_dir = {state}
runtime_dir = {runtime}
audit_dir = {audit}
trusted_proxies = unix
password_memory = 8MiB
password_iterations = 1
code_lifetime = 10min
access_token_lifetime = 2h
device_code_lifetime = 1h
balancer_keepalive = 0s
mail_server = smtp://127.0.0.1:9
mail_from = partita@example.org
[op-async]
device_client_requests = 100000
device_address_requests = 100000
outbox_retry_first = 1d
"""
PATIENCE = 60


class Processes(servers.Fleet):
    """Processes of each server, at the versions that they were told; one that ends by itself is a failure."""

    def __init__(self, place):
        super().__init__(place, {}, lambda text: None)
        self.instances, self.running, self.leaving = [], {}, []
        self.started = 0

    def begin(self, server, version):
        """The link first, as opctl deploy does: the program is found by it, and its pages beside the program."""
        link(self.place, server, version)
        self.started += 1
        instance = servers.Instance(server, self.started)
        instance.version = version
        self.instances.append(instance)
        self.start(instance)
        return instance

    def reap(self):
        """Of children only these: there may be another fleet."""
        for pid in [i.pid for i in self.instances if i.pid] + list(self.helpers):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended and pid in self.helpers:
                name = self.helpers.pop(pid)[0]
                assert self.stopping, f"{name} {servers.describe(status)}"
            elif ended:
                self.died(next(i for i in self.instances if i.pid == pid), status)

    def died(self, instance, status):
        self.instances.remove(instance)
        shutil.rmtree(os.path.dirname(self.admin_path(instance)))
        if not self.stopping:
            assert instance in self.leaving and status == 0, f"{instance} at {instance.version} {servers.describe(status)}"
            self.leaving.remove(instance)

    def until(self, condition, what):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, what()
            self.turn(0.01)

    def become(self, versions, again=False):
        """Of each server one process of each of its versions, or a new one of each: those that are missing are started beside
        those that run, on the same socket, and who is not wanted is ended when they are ready."""
        before = {name: self.running.get(name, []) for name in versions}
        staying = {name: [i for i in before[name] if i.version in wanted and not again] for name, wanted in versions.items()}
        new = [self.begin(name, version) for name, wanted in versions.items() for version in wanted
               if version not in [i.version for i in staying[name]]]

        def late():
            return [i for i in new if not i.ready or not servers.answers_ready(self.admin_path(i))]
        self.until(lambda: not late(), lambda: "not ready: " + ", ".join(f"{i} at {i.version}" for i in late()))
        for name in versions:
            self.running[name] = staying[name] + [i for i in new if i.name == name]
            for instance in before[name]:
                if instance not in staying[name]:
                    self.leaving.append(instance)
                    os.kill(instance.pid, signal.SIGTERM)
        self.until(lambda: not self.leaving, lambda: f"not ended after SIGTERM: {', '.join(map(str, self.leaving))}")


def link(place, program, version):
    path = os.path.join(place.bin, program)
    os.symlink(os.path.join("..", "versions", version.name, program), path + ".new")
    os.replace(path + ".new", path)


def without_warnings(text):
    """The older version says of each setting that is new that it does not know it, and goes on."""
    return re.sub(r'^.* has no setting "\w+"\n', "", text, flags=re.M)


class Teller:
    """Of a test that failed, which server was at which version."""

    def __init__(self, mixed):
        self.mixed = mixed

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item):
        report = (yield).get_result()
        if report.failed and self.mixed in item.funcargs.values():
            report.sections.append(("servers", self.mixed.describe()))


class Mixed:
    """What tests/e2e asks of an installation, and `become`."""

    def __init__(self, older, newer):
        self.older, self.newer, self.teller = older, newer, Teller(self)
        self.dir = tempfile.mkdtemp(prefix="partita-mixed-", dir="/tmp")
        os.chmod(self.dir, 0o755)
        self.place = machine.Place(self.dir, ROOT)
        self.place.state = os.path.join(self.place.runtime, "durable")  # in memory: no commit waits for a disk that others use
        self.listen, self.playground = (f"127.0.0.1:{free_port()}" for _ in range(2))
        self.issuer, self.verify = "http://localhost:" + self.listen.rpartition(":")[2], True
        self.fleet = None
        try:
            self.make()
        except BaseException:
            self.close()
            raise

    def make(self):
        place = self.place
        place.make()
        for version in (self.older, self.newer):
            copy = machine.Place(self.dir, version.source)
            copy.bin, copy.share = place.at("versions", version.name), place.at("versions", version.name, "share")
            copy.make()
            copy.install(version.build)
        link(place, "opctl", self.older)
        place.make_users()
        with open(place.conf, "w", encoding="utf-8") as file:
            file.write(CONF.format(issuer=self.issuer, state=place.state, runtime=place.runtime, audit=place.audit))
        place.mount_volatile([], lambda text: None)
        place.make_environments([])
        place.hand_credentials()
        balancer.write_conf(place, self.issuer, self.listen, self.playground, None)
        self.keep_no_connections()
        balancer.check(place)
        self.info = {**demo.make(place, "http://localhost:" + self.playground.rpartition(":")[2], True), "issuer": self.issuer,
                     "state_dir": place.state, "runtime_dir": place.runtime, "ca_file": None}
        self.fleet = Processes(place)
        self.fleet.open_sockets(grp.getgrnam("www-data").gr_gid)
        self.become(dict.fromkeys(SERVERS, self.older))
        self.fleet.add_helper("nginx", lambda: balancer.start(place))
        self.fleet.until(lambda: balancer.answers(self.listen), lambda: "nginx does not answer")

    def keep_no_connections(self):
        """With a connection kept, the first request after a swap could still be the old process's."""
        path = balancer.conf_path(self.place, "nginx")
        with open(path, encoding="utf-8") as file:
            lines = file.read().split("\n")
        upstreams = [line for line in lines if line.strip().startswith("upstream ") and " keepalive " in line]
        assert len(upstreams) == len(SERVERS), upstreams
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(re.sub(r"keepalive\w* \w+;", "", line) if line in upstreams else line for line in lines))

    def become(self, versions, again=False):
        """{server: Version, or more than one at a time}; those that are not named stay."""
        self.fleet.become({name: wanted if isinstance(wanted, tuple) else (wanted,) for name, wanted in versions.items()}, again)

    def opctl(self, *words, secret=None, check=True, version=None):
        """Of this tree, or of another version. Returns what it printed; with check=False the finished process."""
        program = self.place.at("versions", (version or self.newer).name, "opctl")
        done = subprocess.run([program, "--config", self.place.conf, *words, "--json"], input=secret, capture_output=True, text=True,
                              timeout=60, check=False)
        done.stderr = without_warnings(done.stderr)
        if not check:
            return done
        assert done.returncode == 0, f"opctl {words}: {done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def try_start(self, server, version):
        """Starts a process beside those that run, one that is not expected to stay. Returns what became of it, and what it said."""
        user = pwd.getpwnam(server)
        done = subprocess.run(
            [self.place.at("versions", version.name, server), "--config", self.place.conf, "--listen", "unix:/proc/nonexistent/socket"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False, user=user.pw_uid, group=user.pw_gid,
            extra_groups=os.getgrouplist(server, user.pw_gid),
            env={"PATH": "/usr/bin:/bin", "CREDENTIALS_DIRECTORY": self.place.credentials_of(server)})
        done.stderr = without_warnings(done.stderr)
        return done

    def describe(self):
        """Who is at which version, and what each server last complained of."""
        text = ""
        for instance in sorted(itertools.chain(*self.fleet.running.values()), key=str):
            with open(os.path.join(self.place.logs, f"{instance}.log"), encoding="utf-8", errors="replace") as file:
                lines = [line for line in file if '"level":"info"' not in line]
            text += f"{instance.name} {instance.version}\n" + "".join("    " + line for line in lines[-5:])
        return text

    def close(self):
        try:
            if self.fleet:
                self.fleet.stop()
            found = sanitizer_reports(self.place.logs)
        finally:
            self.place.unmount_volatile()
            shutil.rmtree(self.dir, ignore_errors=True)
        assert not found, "a sanitizer reported:\n" + found
