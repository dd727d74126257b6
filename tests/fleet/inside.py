"""Runs inside the machine, as root: sets Partita up, or changes it under load. What it found is left in /var/log/fleet.json."""
import json
import os
import subprocess
import sys
import time
import traceback

from load import Load

SERVERS = ["op-discovery", "op-auth", "op-token", "op-userinfo", "op-management", "op-async"]
CONF = """[all]
issuer = http://localhost:8080
trusted_proxies = unix
password_memory = 8MiB
password_iterations = 1
balancer_keepalive = {keepalive}s
[op-auth]
address_guesses = 100000
[op-async]
device_client_requests = 1000000
device_address_requests = 1000000
"""
INFO = "/opt/fleet/info.json"


class Wrong(Exception):
    pass


def call(*words, secret=None, check=True):
    done = subprocess.run(words, input=secret, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise Wrong(f"{' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def opctl(*words, **more):
    return json.loads(call("opctl", *words, "--json", **more).stdout)


def write(path, text, mode=0o644):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)


def set_up(version, keepalive):
    """The first installation, as the runbook says it."""
    write("/etc/partita/partita.conf", CONF.format(keepalive=keepalive))
    call("opctl", "init")
    call("opctl", "init", "--credentials", "/run/credentials-plain")
    for name in ("seal-key", "form-key", "token-key"):
        call("systemd-creds", "encrypt", "--with-key=host", "--name=" + name, f"/run/credentials-plain/{name}", f"/etc/partita/credentials/{name}.cred")
    call("systemctl", "enable", "partita.target")
    call("systemctl", "start", "partita.target")
    for server in SERVERS:
        call("systemctl", "enable", "--now", server + ".socket")
        call("opctl", "deploy", server, version)
    call("usermod", "-aG", "partita-balancer", "www-data")
    call("usermod", "-aG", "partita-balancer", "haproxy")
    call("systemctl", "enable", "nginx")
    call("systemctl", "restart", "nginx")
    return people()


def people():
    opctl("user", "add", "ann", "--claim", "email=ann@example.org", secret="correct horse battery\n")
    redirect_uri = "http://localhost:8090/cb"
    client = opctl("client", "add", "--name", "Load", "--redirect-uri", redirect_uri, "--scope", "openid email offline_access",
                   *[word for grant in ("authorization_code", "refresh_token", "client_credentials", "urn:ietf:params:oauth:grant-type:device_code")
                     for word in ("--grant", grant)])
    token = opctl("registration-token", "add", "--uses", "unlimited", "--expires", "never")["initial_access_token"]
    info = {"issuer": "http://localhost:8080", "user": {"username": "ann", "password": "correct horse battery"},
            "client": {**client, "redirect_uri": redirect_uri}, "initial_access_token": token}
    write(INFO, json.dumps(info), 0o600)
    return info


def info():
    with open(INFO, encoding="utf-8") as file:
        return json.load(file)


def instances(server):
    """{instance: version} of those that run."""
    out = call("systemctl", "list-units", "--plain", "--no-legend", "--state=active", f"{server}@*.service").stdout
    return {name: os.path.basename(os.readlink("/etc/partita/running/" + name))
            for name in (line.split()[0].removesuffix(".service") for line in out.strip().split("\n") if line)}


def expect(what, got, wanted):
    if got != wanted:
        raise Wrong(f"{what}: {got!r} instead of {wanted!r}")


def kill(load, server):
    """kill -9 of each instance; what was in flight may fail, and nothing after it."""
    for name in instances(server):
        pid = call("systemctl", "show", "--property=MainPID", "--value", name).stdout.strip()
        began = time.time()
        call("kill", "-9", pid)
        while call("systemctl", "is-active", name, check=False).stdout.strip() != "active" or \
                call("systemctl", "show", "--property=MainPID", "--value", name).stdout.strip() in (pid, "0"):
            time.sleep(0.05)
        load.excused.append((began - 1, time.time()))


def roll(load, server, versions, rounds, watch, report):
    old, new = versions
    for _ in range(rounds):
        expect(server + " at first", set(instances(server).values()), {old})
        began = time.monotonic()
        call("opctl", "deploy", server, new, "--watch", str(watch))
        expect(server + " deployed", set(instances(server).values()), {new})
        deployed = time.monotonic()
        steps = [json.loads(line) for line in call("opctl", "rollback", server, "--json").stdout.strip().split("\n")]
        expect(server + " rolled back", set(instances(server).values()), {old})
        expect(server + " at the end", steps[-1]["step"], "done")
        report.append({"server": server, "deploy_s": round(deployed - began, 2), "rollback_s": round(time.monotonic() - deployed, 2)})
    call("opctl", "scale", server, "3")
    expect(server + " scaled up", len(instances(server)), 3)
    call("opctl", "scale", server, "1")
    expect(server + " scaled down", len(instances(server)), 1)


def bad_version(server, name, script):
    """A version that is not what it should be: it says the right things when it is asked, and then does this."""
    good = os.path.realpath(f"/etc/partita/running/{server}@1/{server}")
    directory = f"/usr/lib/partita/{server}/{name}"
    os.makedirs(directory, exist_ok=True)
    write(f"{directory}/{server}", f"""#!/bin/sh
case "$*" in
*--version*) echo "{server} {name}"; echo "follows $({good} --version | sed -n 's/^{server} //p')"; exit 0 ;;
*--check-config*) exit 0 ;;
esac
{script.replace("GOOD", good)}
""", 0o755)


BAD = [  # server, name, what it does, options of the deployment, words of the reason
    ("op-token", "9.0.0-never-ready", "exec sleep 600", ["--ready-timeout", "4"], ["failed", "not ready"]),
    ("op-token", "9.0.1-crash-loop", "exit 1", ["--ready-timeout", "6"], ["failed", "crashed"]),
    ("op-token", "9.0.2-other-keys", "mkdir -p /tmp/c; cp $CREDENTIALS_DIRECTORY/* /tmp/c; chmod 600 /tmp/c/*; head -c 32 /dev/urandom > /tmp/c/seal-key; "
     "CREDENTIALS_DIRECTORY=/tmp/c exec GOOD \"$@\"", ["--ready-timeout", "4"], ["self-test", "not ready"]),
    ("op-token", "9.0.3-dies-soon", "(sleep SECONDS; kill -9 $$) & exec GOOD \"$@\"", [], ["it crashed"]),
    ("op-management", "9.0.4-errors", "exec GOOD \"$@\" --set registration=closed", [], ["error "]),
]


def refuse_bad(version, seconds, watch, report):
    """A new version that will not do: the old one goes on, the deployment says why, and a good one can follow at once."""
    for server, name, script, options, reasons in BAD:
        bad_version(server, name, script.replace("SECONDS", str(seconds)))
        before = instances(server)
        began = time.monotonic()
        done = call("opctl", "deploy", server, name, "--watch", str(watch), *options, check=False)
        report.append({"version": name, "status": done.returncode, "seconds": round(time.monotonic() - began, 1), "said": done.stdout.strip().split("\n")[-1]})
        expect(f"the status of {name} ({done.stdout}{done.stderr})", done.returncode, 2)
        if not any(reason in done.stdout for reason in reasons):
            raise Wrong(f"{name} was refused for another reason than {reasons}: {done.stdout}")
        expect(f"after {name}", set(instances(server)) & set(before), set(before))


def rollouts(new, rounds, watch, dies_after):
    old = next(iter(instances("op-token").values()))
    rolled, refused = [], []
    load = Load(info()).start()
    try:
        for server in SERVERS:
            roll(load, server, (old, new), rounds, watch, rolled)
        call("systemctl", "reload", "nginx")
        refuse_bad(old, dies_after, max(watch, dies_after + 3, 6), refused)
        for server in SERVERS:
            kill(load, server)
        time.sleep(2)
    finally:
        account = load.stop()
    return {"load": account, "rolled": rolled, "refused": refused}


def after_reboot():
    deadline = time.monotonic() + 30
    while call("curl", "-sf", "http://localhost:8080/.well-known/jwks.json", check=False).returncode != 0:
        if time.monotonic() > deadline:
            raise Wrong("nothing answers after the boot")
        time.sleep(0.2)
    load = Load(info()).start()
    time.sleep(3)
    return {"load": load.stop(), "instances": {server: instances(server) for server in SERVERS}}


def journal_of_trouble():
    return call("journalctl", "--no-pager", "-q", "-u", "op-*", "-p", "warning", "-n", "40", "-o", "cat").stdout


def main(what, *words):
    if what == "set-up":
        set_up(words[0], int(words[1]))
        load = Load(info()).start()
        time.sleep(2)
        return {"load": load.stop(), "units": unit_judgements()}
    if what == "rollouts":
        return rollouts(words[0], int(words[1]), int(words[2]), int(words[3]))
    if what == "after-reboot":
        return after_reboot()
    raise Wrong("no such word: " + what)


def unit_judgements():
    units = [f"{server}@a1.service" for server in SERVERS] + [server + ".socket" for server in SERVERS] + \
        ["partita.target", "partita-volatile.service", "run-partita.mount"]
    verify = call("systemd-analyze", "verify", *units, check=False)
    return {"verify": verify.stdout + verify.stderr}


if __name__ == "__main__":
    try:
        result = {"ok": True, **main(*sys.argv[1:])}
    except Exception:  # whatever went wrong is what the test wants to know
        result = {"ok": False, "why": traceback.format_exc(), "journal": journal_of_trouble()}
    write("/var/log/fleet.json", json.dumps(result))
