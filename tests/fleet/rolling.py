"""Inside the machine, under load: each server up and back, three instances, kills, the balancer."""
import contextlib
import subprocess
import time

from hands import SERVERS, Wrong, ask_load, call, expect, instances, kill, processes, steps_of, wait_until, write


@contextlib.contextmanager
def others_untouched(server):
    """No process of another server is another one afterwards."""
    rest = [other for other in SERVERS if other != server]
    before = processes(rest)
    yield
    expect(f"processes of the others, after {server}", processes(rest), before)


def plan_of(*words):
    return [(subject, step.removeprefix("would ")) for subject, step, _ in steps_of(call("opctl", *words, "--dry-run", "--json"))]


def done_of(steps):
    """What a deployment did, in the words of its plan."""
    words = {"ready": "start", "draining": "drain"}
    return [(subject, words[step]) for subject, step, _ in steps if step in words]


def upgrade(server, version, watch, *more):
    """opctl deploy, which does what its plan said, one instance at a time."""
    before, plan = instances(server), plan_of("deploy", server, version, "--watch", str(watch))
    expect(f"{server} after --dry-run", instances(server), before)
    steps = steps_of(call("opctl", "deploy", server, version, "--watch", str(watch), "--json", *more))
    did = done_of(steps)
    expect(f"what deploying {server} did", sorted(did), sorted(plan))
    for number in range(len(before)):
        expect(f"step {number} of {server}", [step for _, step in did[2 * number:2 * number + 2]], ["start", "drain"])
    expect(f"the last step of {server}", steps[-1][1], "done")
    expect(f"{server} deployed", set(instances(server).values()), {version})
    expect(f"instances of {server}", len(instances(server)), len(before))


def back(server, version, **more):
    """opctl rollback: all old ones are started, then the others drained. How long until the old version served, and all of it."""
    before = len(instances(server))
    began = time.monotonic()
    done = call("opctl", "rollback", server, "--json", **more)
    took = time.monotonic() - began
    steps = steps_of(done)
    expect(f"the last step of {server}", steps[-1][1], "done")
    kinds = [step for _, step, _ in steps if step in ("ready", "serving", "draining")]
    expect(f"order of going back with {server}", kinds, ["ready"] * before + ["serving"] + ["draining"] * before)
    expect(f"{server} rolled back", set(instances(server).values()), {version})
    return round(took, 2)


def roll(server, versions, rounds, watch, report):
    old, new = versions
    for _ in range(rounds):
        with others_untouched(server):
            expect(server + " at first", set(instances(server).values()), {old})
            began = time.monotonic()
            upgrade(server, new, watch)
            deployed = time.monotonic()
            report.append({"server": server, "deploy_s": round(deployed - began, 2), "rollback_s": back(server, old)})


def scale(server, count):
    with others_untouched(server):
        before, plan = processes([server]), plan_of("scale", server, str(count))
        steps = steps_of(call("opctl", "scale", server, str(count), "--json"))
        expect(f"what scaling {server} did", done_of(steps), plan)
        after = processes([server])
        expect(f"instances of {server}", len(after), count)
        expect(f"instances of {server} that stay", {name: pid for name, pid in after.items() if name in before},
               {name: pid for name, pid in before.items() if name in after})


def scale_and_kill(server, kills):
    """1 -> 3, each killed, 3 -> 1, that one killed."""
    for count in (3, 1):
        scale(server, count)
        socket = call("systemctl", "show", "--property=ActiveEnterTimestampMonotonic", server + ".socket").stdout
        for name in sorted(instances(server)):
            kills.append(kill(name))
        expect(f"the socket of {server}", call("systemctl", "show", "--property=ActiveEnterTimestampMonotonic", server + ".socket").stdout, socket)


def rolled_as_three(server, versions, watch, report):
    """An upgrade of three instances: one old one goes for each new one, and going back starts all three first."""
    scale(server, 3)
    roll(server, versions, 1, watch, report)
    scale(server, 1)


def interrupted(server, versions):
    """opctl killed in the middle: nothing new may begin on top of it, and rollback ends it."""

    old, new = versions
    with others_untouched(server):
        running = subprocess.Popen(["opctl", "deploy", server, new], stdout=subprocess.PIPE, text=True)
        said = next(line for line in running.stdout if ": watching: " in line)
        if ": watching: 90 s " not in said:
            raise Wrong(f"a new version is not watched for 90 s: {said}")
        expect(f"versions of {server} while it is watched", set(instances(server).values()), {old, new})
        busy = call("opctl", "deploy", "op-userinfo" if server != "op-userinfo" else "op-token", new, check=False)
        expect("the status of a second deployment beside it", busy.returncode, 1)
        running.kill()
        running.wait()
        for words in (["deploy", server, new], ["scale", server, "2"]):
            refused = call("opctl", *words, check=False)
            if refused.returncode != 1 or "interrupted" not in refused.stdout + refused.stderr:
                raise Wrong(f"opctl {' '.join(words)} after an interrupted one: {refused}")
        call("opctl", "rollback", server)
        expect(f"{server} after it", set(instances(server).values()), {old})


def reload_balancer(balancer, config=None):
    """The one thing that closes connections of clients, who may not then be using one that stood idle: they know it from HTTP."""
    ask_load("fresh-connections")
    if config is not None:
        path = {"nginx": "/etc/nginx/nginx.conf", "haproxy": "/etc/haproxy/haproxy.cfg"}[balancer]
        with open(config, encoding="utf-8") as file:
            write(path, file.read())
    workers = workers_of(balancer)
    call("systemctl", "reload", balancer)
    wait_until(f"{balancer} runs with other workers", lambda: workers_of(balancer) - workers)
    ask_load("kept-connections")
    return {"balancer": balancer, "config": config}


def workers_of(balancer):
    main = call("systemctl", "show", "--property=MainPID", "--value", balancer).stdout.strip()
    return set(call("pgrep", "-P", main, check=False).stdout.split())
