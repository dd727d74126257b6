"""Runs inside the machine, as root: sets Partita up, or changes it under load. What it found is left in /var/log/fleet.json."""
import glob
import json
import os
import sys
import time
import traceback

import bad
import full_disk
import rolling
from hands import BOARD, SERVERS, ask_load, call, everything_answers, expect, instances, opctl, processes, wait_until, write

CONF = """[all]
issuer = http://localhost:8080
trusted_proxies = unix
password_memory = 8MiB
password_iterations = 1
access_token_lifetime = 24h
device_code_lifetime = 1h
balancer_keepalive = {keepalive}s
[op-auth]
address_guesses = 100000
[op-async]
device_client_requests = 1000000
device_address_requests = 1000000
"""
GRANTS = ("authorization_code", "refresh_token", "client_credentials", "device_code")


def set_up(version, keepalive, balancer):
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
    for user in ("www-data", "haproxy"):
        call("usermod", "-aG", "partita-balancer", user)
    call("systemctl", "enable", balancer)
    call("systemctl", "restart", balancer)
    wait_until("everything answers", everything_answers)
    people()


def people():
    opctl("user", "add", "ann", "--claim", "email=ann@example.org", secret="correct horse battery\n")
    redirect_uri = "http://localhost:8090/cb"
    grants = [word for grant in GRANTS for word in ("--grant", grant)]
    more = ["--redirect-uri", redirect_uri, "--scope", "openid email offline_access"]
    client = opctl("client", "add", "--name", "Load", *more, *grants)
    public = opctl("client", "add", "--name", "Phone", "--public", *more, *grants[:4])
    token = opctl("registration-token", "add", "--uses", "unlimited", "--expires", "never")["initial_access_token"]
    info = {"issuer": "http://localhost:8080", "user": {"username": "ann", "password": "correct horse battery"},
            "client": {**client, "redirect_uri": redirect_uri}, "public": {**public, "redirect_uri": redirect_uri}, "initial_access_token": token}
    write(BOARD + "/info.json.new", json.dumps(info), 0o600)
    os.rename(BOARD + "/info.json.new", BOARD + "/info.json")


def unit_judgements():
    units = [f"{server}@a1.service" for server in SERVERS] + [server + ".socket" for server in SERVERS] + \
        ["partita.target", "partita-volatile.service", "run-partita.mount", "partita-metrics.socket"]
    verify = call("systemd-analyze", "verify", *units, check=False)
    said = verify.stdout + verify.stderr
    for server in SERVERS:
        most = 13 if server == "op-async" else 5  # tenths
        judged = call("systemd-analyze", "security", "--offline=true", f"--threshold={most}", f"/lib/systemd/system/{server}@.service", check=False)
        if judged.returncode != 0:
            said += judged.stdout.strip().split("\n")[-1]
    return said


def install_next():
    """The packages of another version: nothing is started, nothing restarted."""
    before = processes(SERVERS)
    call("dpkg", "--install", *glob.glob("/opt/debs-next/*.deb"))
    expect("processes after an installation", processes(SERVERS), before)


def rollouts(balancer, old, new, rounds, watch, minute, keepalive):
    """Everything that is done under load before the machine goes down. rounds: with the shipped settings of the balancer, and the adverse ones."""
    set_up(old, keepalive, balancer)
    found = {"verify": unit_judgements(), "rolled": [], "refused": [], "kills": []}
    versions = (old, new)
    ask_load("steady")
    install_next()
    bad.skip_a_release("op-token")
    long = int(rounds) > 1
    for server in SERVERS:
        rolling.roll(server, versions, int(rounds) // 2 if long else 1, int(watch), found["rolled"])
    rolling.reload_balancer(balancer, "/opt/fleet/adverse.conf")
    for server in SERVERS if long else ("op-auth", "op-token"):
        rolling.roll(server, versions, (int(rounds) + 1) // 2, int(watch), found["rolled"])
    rolling.rolled_as_three("op-token", versions, int(watch), found["rolled"])
    rolling.interrupted("op-auth", versions)
    bad.refuse_all(int(minute), int(watch), found["kills"], found["refused"])
    found["refused"].append(bad.crash_loop("op-token", versions, int(minute)))
    for server in SERVERS:
        rolling.scale_and_kill(server, found["kills"])
    rolling.reload_balancer(balancer)
    found["full"] = full_disk.roll_back_all(versions)
    go_down(found)
    return found


def go_down(found):
    """In the middle of the load, with requests, codes and device flows under way."""
    ask_load("steady")
    ask_load("make-volatile")
    found["down_from"] = time.time()


def come_up():
    """Everything serves again; what was volatile is gone, what is durable is in use by the load all the time."""
    wait_until("everything answers after the boot", everything_answers)
    up = time.time()
    ask_load("volatile-is-gone")
    ask_load("steady")
    return {"up": up, "instances": {server: instances(server) for server in SERVERS}}


def after_reboot(old, then):
    """then: end, or power: whoever booted us pulls the plug in the middle of the load."""
    found = come_up()
    expect("the versions after a boot", {version for server in SERVERS for version in found["instances"][server].values()}, {old})
    if then == "end":
        ask_load("last-look")
        return found
    go_down(found)
    write(BOARD + "/plug.json.new", json.dumps(found))
    os.rename(BOARD + "/plug.json.new", BOARD + "/plug.json")
    while True:
        time.sleep(1)


def journal_of_trouble():
    """What the units said of it, without the many lines of a good day."""
    return call("journalctl", "--no-pager", "-q", "_PID=1", "-g", "exited|[Ff]ail|Scheduled|killed", "-n", "40", "-o", "short-precise", check=False).stdout + \
        call("journalctl", "--no-pager", "-q", "-u", "nginx", "-u", "haproxy", "-p", "warning", "-n", "20", "-o", "cat", check=False).stdout


PHASES = {"rollouts": rollouts, "after-reboot": after_reboot}


def main():
    try:
        words = dict(word.split("=", 1) for word in sys.argv[2:])
        result = {"ok": True, **PHASES[sys.argv[1]](**words)}
    except Exception:  # whatever went wrong is what the test wants to know
        result = {"ok": False, "why": traceback.format_exc(), "journal": journal_of_trouble()}
    write("/var/log/fleet.json", json.dumps(result))


main()
