"""Inside the machine, under load: new versions that will not do. The old one goes on, and the deployment says why."""
import os
import threading
import time

from hands import SERVERS, Wrong, call, expect, instances, is_ready, processes, prop, steps_of, wait_until, watch_for_death, write
from rolling import others_untouched

DIED = "/run/fleet-died"
BAD = [  # server, name, what it does, options of the deployment, words of the reason
    ("op-token", "9.0.0-never-ready", "exec sleep 600", ["--ready-timeout", "4"], ["not ready after"]),
    ("op-token", "9.0.1-crash-loop", "exit 1", ["--ready-timeout", "600"], ["it crashed"]),
    ("op-token", "9.0.2-other-keys", "c=$RUNTIME_DIRECTORY/c; mkdir $c; cp $CREDENTIALS_DIRECTORY/* $c; chmod 600 $c/*; "
     "head -c 32 /dev/urandom >$c/seal-key; CREDENTIALS_DIRECTORY=$c exec GOOD \"$@\"", ["--ready-timeout", "4"], ["self-test", "not ready after"]),
    ("op-token", "9.0.3-dies-later", f"(sleep SECONDS; [ -e {DIED} ] || kill -9 $$) & exec GOOD \"$@\"", [], ["it crashed"]),
    ("op-management", "9.0.4-errors", "exec GOOD \"$@\" --set registration=closed", [], ["error access_denied in"]),
]


def make(server, name, script, follows=None):
    """A version that is not what it should be: it says the right things when it is asked, and then does this."""
    good = os.path.realpath(f"/etc/partita/running/{server}@1/{server}")
    directory = f"/usr/lib/partita/{server}/{name}"
    os.makedirs(directory, exist_ok=True)
    write(f"{directory}/{server}", f"""#!/bin/sh
case "$*" in
*--version*) echo "{server} {name}"; echo "follows {follows or f"$({good} --version | sed -n 's/^{server} //p')"}"; exit 0 ;;
*--check-config*) exit 0 ;;
esac
{script.replace("GOOD", good)}
""", 0o755)


def see_it_die(server, name, kills):
    """Notes the death of the instance of this version, when it dies by itself."""
    wait_until(f"{name} runs", lambda: name in instances(server).values())
    kills.append(watch_for_death(next(instance for instance, version in instances(server).items() if version == name)))
    write(DIED, "")


def refuse(server, name, options, reasons, watch, kills):
    """A deployment that ends as it should: status 2, the reason, and the processes of before."""
    before = processes([server])
    began, since = time.monotonic(), time.time()
    with others_untouched(server):
        watcher = threading.Thread(target=see_it_die, args=(server, name, kills), daemon=True)
        if "dies" in name:
            watcher.start()
        done = call("opctl", "deploy", server, name, "--watch", str(watch), "--json", *options, check=False)
        if "dies" in name:
            watcher.join(60)
    steps = steps_of(done)
    expect(f"the status of {name} ({done.stdout}{done.stderr})", done.returncode, 2)
    expect(f"the last step of {name}", steps[-1][1], "went back")
    if not any(reason in steps[-1][2] for reason in reasons):
        raise Wrong(f"{name} was refused for another reason than {reasons}: {done.stdout}")
    after = processes([server])
    expect(f"the processes that run on after {name}", {instance: after.get(instance) for instance in before}, before)
    wait_until(f"{name} is gone", lambda: name not in instances(server).values())
    return {"version": name, "seconds": round(time.monotonic() - began, 1), "said": steps[-1][2], "server": server, "from": since,
            "until": time.time()}


def refuse_all(seconds, watch, kills, report):
    if os.path.exists(DIED):
        os.unlink(DIED)
    for server, name, script, options, reasons in BAD:
        make(server, name, script.replace("SECONDS", str(seconds)))
        report.append(refuse(server, name, options, reasons, max(watch, seconds + 30) if "dies" in name or "errors" in name else watch, kills))


def skip_a_release(server):
    """It is neither done nor begun; --waive-rollback would."""
    make(server, "9.9.9-skips", "exec GOOD \"$@\"", follows="9.9.8")
    before = processes(SERVERS)
    refused = call("opctl", "deploy", server, "9.9.9-skips", check=False)
    if refused.returncode != 1 or "--waive-rollback" not in refused.stdout + refused.stderr:
        raise Wrong(f"a release is skipped: {refused}")
    plan = call("opctl", "deploy", server, "9.9.9-skips", "--waive-rollback", "--dry-run")
    if "would start" not in plan.stdout:
        raise Wrong(f"--waive-rollback does not help: {plan}")
    expect("processes after it", processes(SERVERS), before)


# --- one that crash-loops, and nobody ends it ---

def link(instance, server, version):
    path = "/etc/partita/running/" + instance
    if os.path.lexists(path):
        os.unlink(path)
    os.symlink(f"/usr/lib/partita/{server}/{version}", path)


def crash_loop(server, versions, span):
    """For so many seconds, and more often than systemd's default start limit: the socket stays, and a good one serves beside it."""
    old, new = versions
    bad, beside = f"{server}@b1", f"{server}@b2"
    socket = prop(server + ".socket", "ActiveEnterTimestampMonotonic")
    before = processes([server])
    make(server, "9.0.1-crash-loop", "exit 1")
    with others_untouched(server):
        link(bad, server, "9.0.1-crash-loop")
        link(beside, server, new)
        began = time.monotonic()
        call("systemctl", "start", "--no-block", bad + ".service")
        wait_until(f"{bad} crash-loops", lambda: int(prop(bad + ".service", "NRestarts")) >= 2)
        call("systemctl", "start", "--no-block", beside + ".service")
        wait_until(f"{beside} serves", lambda: is_ready(beside))
        good_after = time.monotonic() - began
        wait_until(f"{bad} was started more often than a start limit lets it be", lambda: int(prop(bad + ".service", "NRestarts")) >= 7)
        time.sleep(max(0, began + span - time.monotonic()))
        restarts = int(prop(bad + ".service", "NRestarts"))
        expect("the state of the one that crash-loops", prop(bad + ".service", "ActiveState"), "activating")
        expect("the socket unit's state", (prop(server + ".socket", "ActiveState"), prop(server + ".socket", "ActiveEnterTimestampMonotonic")),
               ("active", socket))
        expect("processes that ran on", {name: pid for name, pid in processes([server]).items() if name in before}, before)
        refused = call("opctl", "deploy", server, new, check=False)
        expect("the status of a deployment on top of it", refused.returncode, 1)
        call("opctl", "rollback", server)  # ends what runs on the other side
        expect(f"{server} in the end", instances(server), {name: old for name in before})
        call("opctl", "deploy", server, new, "--watch", "0")
        call("opctl", "rollback", server)
    return {"version": "9.0.1-crash-loop, left alone", "seconds": round(time.monotonic() - began, 1),
            "said": f"{restarts} restarts, a good one served after {good_after:.1f} s"}
