"""The servers: sockets held here and handed over as systemd would, one process per instance, started
again should it die."""
import os
import pwd
import select
import signal
import socket
import subprocess
import time

import ending

SERVERS = ["op-discovery", "op-auth", "op-token", "op-userinfo", "op-management", "op-async"]
CREDENTIALS = {
    "op-discovery": ["seal-key"],
    "op-auth": ["form-key"],
    "op-token": ["seal-key", "token-key"],
    "op-userinfo": [],
    "op-management": [],
    "op-async": [],
}
GIVEN_CREDENTIALS = {"op-async": ["mail-password"]}  # handed over where somebody has put them


class Instance:
    """One process of one server."""

    def __init__(self, name, number):
        self.name, self.number = name, number
        self.pid = None
        self.ready = False
        self.started = 0.0
        self.restart_at = 0.0
        self.delay = 0.2

    def __str__(self):
        return f"{self.name}@{self.number}"


class Fleet:
    """All instances, their listening sockets and the socket on which they say that they are ready."""

    def __init__(self, place, instances, say):
        self.place, self.say = place, say
        self.instances = [Instance(name, n + 1) for name in SERVERS for n in range(instances.get(name, 1))]
        self.listeners = {}
        self.helpers = {}  # pid -> (name, function that starts it again, the signal that ends it well)
        self.stopping = False
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify_path = os.path.join(place.sockets, "notify")

    def open_sockets(self, group):
        """One Unix socket per server, which only the balancer's group may connect to."""
        for path in [self.notify_path] + [self.socket_path(name) for name in SERVERS]:
            if os.path.exists(path):
                os.unlink(path)
        self.notify.bind(self.notify_path)
        os.chmod(self.notify_path, 0o666)
        self.notify.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        for name in SERVERS:
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listener.bind(self.socket_path(name))
            os.chown(self.socket_path(name), 0, group)
            os.chmod(self.socket_path(name), 0o660)
            listener.listen(4096)
            self.listeners[name] = listener

    def admin_path(self, instance):
        """Of one process, for its operator."""
        return os.path.join(self.place.sockets, "admin", str(instance), "socket")

    def make_admin_directory(self, instance, user):
        directory = os.path.dirname(self.admin_path(instance))
        os.makedirs(directory, mode=0o755, exist_ok=True)
        os.chown(directory, user.pw_uid, user.pw_gid)

    def socket_path(self, name):
        return os.path.join(self.place.sockets, name + ".sock")

    def start(self, instance):
        """Forks; the child becomes the server's user with the listening socket as descriptor 3."""
        user = pwd.getpwnam(instance.name)
        groups = os.getgrouplist(user.pw_name, user.pw_gid)
        command = [os.path.join(self.place.bin, instance.name), "--config", self.place.conf, "--admin", "unix:" + self.admin_path(instance)]
        self.make_admin_directory(instance, user)
        environment = {
            "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "LISTEN_FDS": "1", "NOTIFY_SOCKET": self.notify_path,
            "CREDENTIALS_DIRECTORY": self.place.credentials_of(instance.name),
        }
        environment.update({k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")})
        log = os.open(os.path.join(self.place.logs, f"{instance}.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        listener = self.listeners[instance.name].fileno()
        pid = ending.fork()
        if pid == 0:
            try:
                become(user, groups, listener, log, environment, command)
            finally:
                os._exit(127)
        os.close(log)
        instance.pid, instance.ready, instance.started = pid, False, time.monotonic()

    def add_helper(self, name, start, stop=signal.SIGQUIT):
        """A process that is no server of ours (the balancer): kept running in the same way."""
        self.helpers[start().pid] = (name, start, stop)

    def wait_ready(self, seconds, front):
        """True once every instance has said READY=1 and front() is true."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.turn(0.2)
            ending.check()
            if all(instance.ready for instance in self.instances) and all(map(answers_ready, map(self.socket_path, SERVERS))) and front():
                return True
        return False

    def turn(self, timeout):
        """One look at who is ready, who died, and who is due to be started again."""
        readable, _, _ = select.select([self.notify], [], [], timeout)
        if readable:
            self.read_notice()
        self.reap()
        now = time.monotonic()
        for instance in self.instances:
            if instance.pid is None and not self.stopping and now >= instance.restart_at:
                self.start(instance)

    def read_notice(self):
        data, ancillary, _, _ = self.notify.recvmsg(4096, socket.CMSG_SPACE(12))
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
                pid = int.from_bytes(payload[:4], "little")
                for instance in self.instances:
                    if instance.pid == pid and b"READY=1" in data:
                        instance.ready = True

    def reap(self):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self.helpers:
                name, start, stop = self.helpers.pop(pid)
                if not self.stopping:
                    self.say(f"{name} {describe(status)}; starting it again")
                    time.sleep(0.2)
                    self.helpers[start().pid] = (name, start, stop)
            for instance in self.instances:
                if instance.pid == pid:
                    self.died(instance, status)

    def died(self, instance, status):
        instance.pid, instance.ready = None, False
        if self.stopping:
            return
        lived = time.monotonic() - instance.started
        instance.delay = 0.2 if lived > 10 else min(instance.delay * 2, 5)
        instance.restart_at = time.monotonic() + instance.delay
        self.say(f"{instance} {describe(status)}; starting it again (its log: {self.place.logs}/{instance}.log)")

    def stop(self, seconds=15):
        """SIGTERM to everyone, the balancer first so that no new request arrives, then a wait."""
        self.stopping = True
        for pid, (_, _, stop) in list(self.helpers.items()):
            signal_quietly(pid, stop)
        self.wait_gone(lambda: not self.helpers, 5)
        for pid in list(self.helpers):
            signal_quietly(pid, signal.SIGTERM)
        for instance in self.instances:
            if instance.pid:
                signal_quietly(instance.pid, signal.SIGTERM)
        self.wait_gone(lambda: all(i.pid is None for i in self.instances) and not self.helpers, seconds)
        for pid in [i.pid for i in self.instances if i.pid] + list(self.helpers):
            signal_quietly(pid, signal.SIGKILL)
        self.wait_gone(lambda: all(i.pid is None for i in self.instances) and not self.helpers, 2)
        for path in [self.notify_path] + [self.socket_path(name) for name in SERVERS]:
            if os.path.exists(path):
                os.unlink(path)

    def wait_gone(self, gone, seconds):
        deadline = time.monotonic() + seconds
        while not gone() and time.monotonic() < deadline:
            self.reap()
            if select.select([self.notify], [], [], 0.05)[0]:
                self.read_notice()  # one that still has something to say waits until it is heard

    def describe(self):
        """For up.json."""
        return [{"name": i.name, "instance": i.number, "pid": i.pid, "socket": self.socket_path(i.name), "admin_socket": self.admin_path(i),
                 "version": self.version(i.name)} for i in self.instances]

    def version(self, name):
        out = subprocess.run([os.path.join(self.place.bin, name), "--version"], capture_output=True, text=True, check=False)
        return out.stdout.strip().split("\n")[0].removeprefix(name).strip()


def become(user, groups, listener, log, environment, command):
    """In the child: descriptors, user, exec."""
    null = os.open("/dev/null", os.O_RDONLY)
    if listener != 3:
        os.dup2(listener, 3)
    os.set_inheritable(3, True)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.closerange(4, 256)
    os.setsid()
    os.setgroups(groups)
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    os.chdir("/")
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    ending.die_with_parent(signal.SIGTERM)
    environment["LISTEN_PID"] = str(os.getpid())
    os.execve(command[0], command, environment)


def answers_ready(path):
    """True when the readiness endpoint of who listens there says 200: keys are there, stores are open."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(2)
            connection.connect(path)
            connection.sendall(b"GET /.ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return connection.recv(64).startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False


def signal_quietly(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def describe(status):
    if os.WIFSIGNALED(status):
        return f"was ended by {signal.Signals(os.WTERMSIG(status)).name}"
    return f"ended with status {os.WEXITSTATUS(status)}"
