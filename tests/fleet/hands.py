"""What the programs of this folder do inside the machine: commands, instances, conditions."""
import json
import os
import select
import signal
import subprocess
import time

SERVERS = ["op-discovery", "op-auth", "op-token", "op-userinfo", "op-management", "op-async"]
BOARD = "/mnt"  # shared with whoever booted the machine, and not on its disk
WAIT = 180  # what a condition may take at most; nothing is judged by how long it took


class Wrong(Exception):
    pass


def call(*words, secret=None, check=True, env=None):
    done = subprocess.run(words, input=secret, capture_output=True, text=True, check=False, env=env)
    if check and done.returncode != 0:
        raise Wrong(f"{' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def opctl(*words, **more):
    return json.loads(call("opctl", *words, "--json", **more).stdout)


def steps_of(done):
    """[(subject, step, detail)] of a deployment that was asked for --json."""
    lines = [json.loads(line) for line in done.stdout.strip().split("\n") if line.startswith("{")]
    return [(line["subject"], line["step"], line["detail"]) for line in lines]


def write(path, text, mode=0o644):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)


def expect(what, got, wanted):
    if got != wanted:
        raise Wrong(f"{what}: {got!r} instead of {wanted!r}")


def wait_until(what, condition):
    deadline = time.monotonic() + WAIT
    while not condition():
        if time.monotonic() > deadline:
            raise Wrong(f"{WAIT} s went by and still not: {what}")
        time.sleep(0.05)


def ask_load(word):
    """The load outside does it and says so."""
    path = f"{BOARD}/ask-{word}.{time.time_ns()}"
    write(path, "")
    wait_until(f"the load has done {word}", lambda: os.path.exists(path + ".done"))
    with open(path + ".done", encoding="utf-8") as file:
        said = file.read()
    expect(f"what the load says of {word}", said, "")


def prop(unit, name):
    return call("systemctl", "show", f"--property={name}", "--value", unit).stdout.strip()


def main_pid(unit):
    return int(prop(unit, "MainPID") or 0)


def instances(server):
    """{instance: version} of those that run."""
    out = call("systemctl", "list-units", "--plain", "--no-legend", "--state=active", f"{server}@*.service").stdout
    return {name: os.path.basename(os.readlink("/etc/partita/running/" + name))
            for name in (line.split()[0].removesuffix(".service") for line in out.strip().split("\n") if line)}


def processes(servers):
    """{instance: main process} of the instances of these servers."""
    return {name: main_pid(name + ".service") for server in servers for name in instances(server)}


def ask(instance, path):
    """(status, body) of a GET at the operator's socket of one instance; (0, "") when nothing answers."""
    done = call("curl", "-s", "--max-time", "10", "-w", "\n%{http_code}", "--unix-socket", f"/run/partita-admin/{instance}/socket",
                "http://localhost" + path, check=False)
    body, _, status = done.stdout.rpartition("\n")
    return int(status or 0), body


def is_ready(instance):
    return ask(instance, "/.ready")[0] == 200 and ask(instance, "/.self-test")[0] == 200


# Paths that each server answers with these when it is there.
PATHS = {"op-discovery": ("/.well-known/jwks.json", {"200"}), "op-auth": ("/authorize", {"400"}), "op-token": ("/token", {"405"}),
         "op-userinfo": ("/userinfo", {"401"}), "op-management": ("/revoke", {"405"}), "op-async": ("/device", {"200", "302", "303"})}


def everything_answers():
    def status(path):
        return call("curl", "-s", "-o", "/dev/null", "--max-time", "30", "-w", "%{http_code}", "http://localhost:8080" + path, check=False).stdout
    return all(status(path) in good for path, good in PATHS.values())


# --- kills ---

def connections_of(pid):
    """Sockets that the process has open: no fewer than its connections."""
    count = 0
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            count += os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:")
        except FileNotFoundError:
            pass
    return count


def death_of(pid, pidfd):
    """Waits until the process is gone, its descriptors closed."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    if not poll.poll(WAIT * 1000):
        raise Wrong(f"process {pid} does not die")
    os.close(pidfd)
    return time.time()


def kill(instance):
    """kill -9. What it had in hand at that moment is lost: its connections are counted while it stands still."""
    pid = main_pid(instance + ".service")
    pidfd = os.pidfd_open(pid)
    os.kill(pid, signal.SIGSTOP)
    sent, count = time.time(), connections_of(pid)
    os.kill(pid, signal.SIGKILL)
    dead = death_of(pid, pidfd)
    wait_until(f"{instance} is started again", lambda: main_pid(instance + ".service") not in (0, pid) and is_ready(instance))
    return {"instance": instance, "server": instance.split("@")[0], "sent": sent, "dead": dead, "connections": count}


def watch_for_death(instance):
    """Of one that will die by itself: when it was last seen alive, when it was gone, its most connections."""
    pid = main_pid(instance + ".service")
    pidfd, count, alive = os.pidfd_open(pid), 0, time.time()
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    while not poll.poll(10):
        alive = time.time()
        try:
            count = max(count, connections_of(pid))
        except (FileNotFoundError, ProcessLookupError):
            break
    return {"instance": instance, "server": instance.split("@")[0], "sent": alive, "dead": death_of(pid, pidfd), "connections": count}
