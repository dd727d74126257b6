"""/.ready of every server: environments that are not what they were, keys that are not there, the end; each with its reason."""
import os
import signal

import pytest

from monitoring import ask
from server_process import Home, wait_until

SERVERS = {  # each with an environment that it writes or reads, and the key that it needs
    "op-discovery": ("keys", None), "op-auth": ("sessions", "RS256"), "op-token": ("tokens", "ES256"), "op-userinfo": ("users", "ES256"),
    "op-management": ("clients", "ES256"), "op-async": ("outbox", None),
}
VOLATILE = {"op-auth": "codes", "op-token": "async", "op-management": "guard", "op-async": "remote"}


class Instance:
    def __init__(self, home, server):
        self.socket = os.path.join(home.dir, f"{server}-{len(home.processes)}-operator")
        self.process = home.start(server, "--admin", "unix:" + self.socket)
        wait_until(lambda: os.path.exists(self.socket) and self.live(), 20, lambda: self.process.log)

    def live(self):
        return ask(self.socket, "/.live") == (200, "alive\n")

    def ready(self):
        return ask(self.socket, "/.ready")

    def wait_ready(self):
        wait_until(lambda: self.ready() == (200, "ready\n") and os.path.exists(self.process.path), 20, lambda: self.process.log)
        return self


@pytest.fixture(scope="module")
def home():
    made = Home()
    Instance(made, "op-discovery").wait_ready()
    yield made
    made.close()


def test_without_keys_a_server_is_not_ready_and_with_them_it_is():
    home = Home()
    try:
        waiting = {server: Instance(home, server) for server, (_, alg) in SERVERS.items() if alg}
        for server, instance in waiting.items():
            assert instance.ready() == (503, f"not ready: there is no signing key of {SERVERS[server][1]} yet\n") and instance.live()
        discovery = Instance(home, "op-discovery").wait_ready()
        for instance in waiting.values():
            instance.wait_ready()
        discovery.process.end(signal.SIGKILL)
        for instance in waiting.values():
            assert instance.ready() == (200, "ready\n"), "the keys are there all the same"
    finally:
        home.close()


@pytest.mark.parametrize("server", sorted(SERVERS))
def test_a_lost_environment_and_the_end(home, server):
    """One home for all: each has an instance of its own, which the others do not disturb."""
    instance = Instance(home, server).wait_ready()
    lost = [("state", SERVERS[server][0])] + ([("run", VOLATILE[server])] if server in VOLATILE else [])
    for where, env in lost:
        for name in ("data.mdb", "lock.mdb"):
            path = os.path.join(home.dir, where, env, name)
            os.rename(path, path + ".aside")
            try:
                assert instance.ready() == (503, f"not ready: the environment {env} is lost: {path} was removed or replaced\n")
                with open(path, "wb"):
                    pass
                assert instance.ready()[0] == 503, "another file in its place is not what was opened"
            finally:
                os.rename(path + ".aside", path)
            assert instance.ready() == (200, "ready\n")
    with instance.process.connect() as connection:
        connection.sendall(b"GET /.live HTTP/1.1\r\nHost: x\r\n\r\nGET /.live HTTP/1.1\r\n")  # the second is not whole: it keeps the process
        assert b"alive" in connection.recv(65536)
        instance.process.popen.send_signal(signal.SIGTERM)
        wait_until(lambda: instance.ready() == (503, "not ready: draining\n"), 5, lambda: instance.process.log)
        assert instance.live()
    assert instance.process.popen.wait(20) == 0
    assert {event["why"] for event in instance.process.events("not_ready")} <= {
        "draining", *(f"the environment {env} is lost: {home.dir}/{where}/{env}/{name} was removed or replaced"
                      for where, env in lost for name in ("data.mdb", "lock.mdb"))}
