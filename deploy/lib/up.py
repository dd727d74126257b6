#!/usr/bin/python3
"""Builds Partita and runs it on this machine."""
import argparse
import fcntl
import grp
import json
import os
import re
import shlex
import signal
import sys
import time
from urllib.parse import urlsplit

import balancer
import demo
import ending
from machine import Failure, Place
from servers import SERVERS, Fleet


OURS = {"all.issuer": "--issuer", "all.state_dir": "--dir", "all.runtime_dir": "--dir", "all.audit_dir": "--dir"}


def arguments():
    parser = argparse.ArgumentParser(
        prog="deploy/up", description="Builds Partita and runs it on this machine: every server as its own Unix user, nginx or "
        "HAProxy in front, with a demonstration user, client and playground. A second run goes on with what the first one made.")
    parser.add_argument("--source", help=argparse.SUPPRESS, required=True)
    parser.add_argument("--dir", default="/var/lib/partita", metavar="DIR",
                        help="where programs and state lie (default %(default)s)")
    parser.add_argument("--issuer", metavar="URL", help="the address users and clients see (default http://localhost:PORT of --listen)")
    parser.add_argument("--listen", metavar="ADDRESS:PORT", help="where the balancer listens (default 127.0.0.1:8080, with --tls 127.0.0.1:8443)")
    parser.add_argument("--playground-listen", default="127.0.0.1:8081", metavar="ADDRESS:PORT",
                        help="where the playground is (default %(default)s)")
    parser.add_argument("--balancer", choices=balancer.KINDS, default="nginx", help="what stands in front (default %(default)s)")
    parser.add_argument("--tls", action="store_true", help="make a local certificate authority and serve https")
    parser.add_argument("--tls-cert", metavar="FILE", help="serve https with this certificate chain")
    parser.add_argument("--tls-key", metavar="FILE", help="its private key")
    parser.add_argument("--instances", action="append", default=[], metavar="SERVER=N", help="run N processes of a server")
    parser.add_argument("--set", action="append", default=[], metavar="SERVER.OPTION=VALUE", dest="settings",
                        help="a setting of partita.conf, for example all.name=Example or all.race_window=30s")
    parser.add_argument("--map-size", action="append", default=[], metavar="ENV=SIZE", dest="map_sizes",
                        help="the largest size of an environment, fixed when it is made, for example sessions=4GiB")
    parser.add_argument("--built", metavar="BUILD", help="run the programs of this Meson build directory instead of building")
    parser.add_argument("--detach", action="store_true", help="return when everything is ready; DIR/up.json says what runs")
    parser.add_argument("--stop", action="store_true", help="end what runs in DIR")
    args = parser.parse_args()
    if bool(args.tls_cert) != bool(args.tls_key):
        parser.error("--tls-cert and --tls-key go together")
    if not re.fullmatch(r"[\w./+,@=~-]+", os.path.abspath(args.dir)):
        parser.error("--dir: its path goes into the files of the balancer and of systemd: letters, digits and ._-+,@=~ only")
    secure = args.tls or args.tls_cert
    args.listen = args.listen or ("127.0.0.1:8443" if secure else "127.0.0.1:8080")
    for option in ("listen", "playground_listen"):
        host, colon, port = getattr(args, option).rpartition(":")
        if not colon or not re.fullmatch("[0-9]{1,5}", port) or not 1 <= int(port) <= 65535 or not host:
            parser.error(f"--{option.replace('_', '-')} is ADDRESS:PORT, for example 127.0.0.1:8080")
    if args.listen.rpartition(":")[2] == args.playground_listen.rpartition(":")[2]:
        parser.error("--playground-listen: the playground is a site of its own and needs another port than --listen")
    args.issuer = (args.issuer or f"{'https' if secure else 'http'}://localhost:{args.listen.rpartition(':')[2]}").rstrip("/").lower()
    parts = urlsplit(args.issuer)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path or parts.query or parts.fragment:
        parser.error("--issuer is https://HOST or https://HOST:PORT")
    args.instances = dict(split_pairs(parser, args.instances, "--instances SERVER=N", number=True))
    for name, count in args.instances.items():
        if name not in SERVERS or not 1 <= count <= 64:
            parser.error(f"--instances: a server is one of {', '.join(SERVERS)}, and N is 1 to 64")
    args.settings = split_pairs(parser, args.settings, "--set SERVER.OPTION=VALUE")
    for name, value in args.settings:
        if name in OURS:
            parser.error(f"--set {name}: {OURS[name]} decides that")
        if not (name + value).isprintable():
            parser.error(f"--set {name.split()[0]}: a setting is one line")
    return args


def split_pairs(parser, words, usage, number=False):
    pairs = []
    for word in words:
        name, equals, value = word.partition("=")
        if not name or not equals or (number and not value.isdigit()) or (not number and "." not in name):
            parser.error(f"{word}: the form is {usage}")
        pairs.append((name, int(value) if number else value))
    return pairs


def write_conf(place, args):
    """partita.conf: what up decides, then the operator's own settings."""
    sections = {"all": {"issuer": args.issuer, "state_dir": place.state, "runtime_dir": place.runtime,
                        "audit_dir": place.audit, "share_dir": place.share, "trusted_proxies": "unix"}}
    for name, value in args.settings:
        section, _, option = name.rpartition(".")
        sections.setdefault(section, {})[option] = value
    with open(place.conf, "w", encoding="utf-8") as file:
        file.write("# Written by deploy/up at each start; change it with --set SERVER.OPTION=VALUE.\n")
        for section, options in sections.items():
            file.write(f"\n[{section}]\n" + "".join(f"{option} = {value}\n" for option, value in options.items()))
    os.chmod(place.conf, 0o644)


def lock(place):
    """DIR is this process's, and of what it forks, while the file that is returned is open. None: it is another's."""
    directory = os.open(place.dir, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(directory)
        return None
    return directory


def running_pid(place):
    """Who has locked DIR: its process id, 0 when it has not said so yet. None: nobody, whatever up.pid says."""
    try:
        directory = lock(place)
    except FileNotFoundError:
        return None
    if directory is not None:
        os.close(directory)
        return None
    try:
        with open(place.pid_file, encoding="utf-8") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0


def take(place):
    """Locks DIR until this process ends."""
    os.makedirs(place.dir, mode=0o755, exist_ok=True)
    if lock(place) is None:
        raise Failure(f"{place.dir} is in use by process {running_pid(place)}: deploy/up --stop --dir {place.dir} ends it")
    if os.path.exists(place.pid_file):
        os.unlink(place.pid_file)  # of one that was killed: the number may be somebody else's now


def stop(place):
    pid = running_pid(place)
    if pid is None:
        print(f"nothing runs in {place.dir}")
        return 0
    if pid == 0:
        raise Failure(f"{place.dir} is just being started or ended: try again in a moment")
    os.kill(pid, signal.SIGTERM)
    for _ in range(400):
        if running_pid(place) is None:
            print("stopped")
            return 0
        ending.check()
        time.sleep(0.1)
    raise Failure(f"process {pid} has not ended after 40 s")


def prepare(place, args, say):
    """What must be there before the first user. Returns (ca_file or None, (certificate, key) or None)."""
    balancer.stop_if_left(place)
    balancer.check_port_free(args.listen, "--listen")
    balancer.check_port_free(args.playground_listen, "--playground-listen")
    place.make()
    place.install(args.built or place.build(say))
    place.make_users()
    write_conf(place, args)
    check_settings(place, args)
    place.mount_volatile(args.map_sizes, say)
    place.make_environments(args.map_sizes)
    place.hand_credentials()
    ca_file, certificate = None, None
    if args.tls_cert:
        certificate = (os.path.abspath(args.tls_cert), os.path.abspath(args.tls_key))
    elif args.tls:
        ca_file, *certificate = balancer.local_certificate(place, urlsplit(args.issuer).hostname)
    return ca_file, certificate


def registration_mode(args):
    """Who may register clients: the last word of --set, else the default."""
    words = [value.strip() for name, value in args.settings if name == "op-management.registration"]
    return words[-1] if words else "token"


def check_settings(place, args):
    """Every server judges the file before any is started."""
    for name in SERVERS:
        command = [os.path.join(place.bin, name), "--config", place.conf, "--check-config"]
        done = ending.call(command)
        sys.stderr.write(done.stderr)
        if done.returncode != 0:
            raise Failure(f"{name} refuses {place.conf} (see above)")
    unknown = {name.rpartition(".")[0] for name, _ in args.settings} - set(SERVERS) - {"all"}
    if unknown:
        raise Failure(f"--set: no server is named {', '.join(sorted(unknown))}")


def up_json(place, args, fleet, made, playground, ca_file):
    data = {"issuer": args.issuer, "ca_file": ca_file, "playground": playground, "user": made["user"], "client": made["client"],
            "playground_client_id": made["playground_client_id"], "initial_access_token": made.get("initial_access_token"),
            "admin": made["admin"], "state_dir": place.state, "runtime_dir": place.runtime,
            "opctl": place.opctl(), "pid": os.getpid(), "servers": fleet.describe()}
    with open(os.open(place.up_json + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(data, file, indent=2)
    os.replace(place.up_json + ".new", place.up_json)


def tell(text):
    """To whoever still listens: people look at the first lines and close the pipe."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open("/dev/null", os.O_WRONLY), 1)


def registering(args, made):
    """The line about it; nothing where nobody may."""
    mode = registration_mode(args)
    if mode == "closed":
        return ""
    whom = "as anybody may" if mode == "open" else f"with the initial access token  {made['initial_access_token']}"
    return f"  register     clients at {args.issuer}/register  {whom}\n"


def tell_ready(args, made, playground, ca_file, place):
    user = made["user"]
    tell(f"\nPartita is ready.\n\n  issuer       {args.issuer}\n  playground   {playground}/\n"
          f"  sign in as   {user['username']}  with the password  {user['password']}\n"
          f"{registering(args, made)}"
          f"  administer   {args.issuer}/admin/v1  as the client  {made['admin']['client_id']}  with the secret  "
          f"{made['admin']['client_secret']}\n"
          f"  operator     {shlex.join(place.opctl())} --help")
    if ca_file:
        tell(f"  trust        {ca_file}  (the local certificate authority)")
    tell(elsewhere(args, playground))


def elsewhere(args, playground):
    """What brings the addresses that are this machine's own to another one's browser."""
    words = []
    for url, listen in ((args.issuer, args.listen), (playground, args.playground_listen)):
        parts = urlsplit(url)
        if parts.hostname in ("localhost", "127.0.0.1", "::1"):
            port = parts.port or (443 if parts.scheme == "https" else 80)
            words += ["-L", f"{port}:localhost:{listen.rpartition(':')[2]}"]
    return f"\nFrom another machine:  ssh {' '.join(words)} {os.uname().nodename}\n" if words else ""


def playground_origin(args):
    """Beside the issuer under its name, for which the certificate is; without one of ours on this machine."""
    port = args.playground_listen.rpartition(":")[2]
    if not args.tls and not args.tls_cert:
        return f"http://localhost:{port}"
    host = urlsplit(args.issuer).netloc.rpartition("@")[2]
    return f"https://{re.sub(r':[0-9]*$', '', host)}:{port}"


def serve(place, args, say, ready):
    """Runs until told to stop. ready() is called once everything answers. Whatever happens, nothing is left behind."""
    fleet = None
    try:
        ca_file, certificate = prepare(place, args, say)
        playground = playground_origin(args)
        ending.check()
        made = demo.make(place, playground, registration_mode(args) != "closed")
        balancer.write_conf(place, args.issuer, args.listen, args.playground_listen, certificate, args.balancer)
        balancer.check(place, args.balancer)
        ending.check()
        fleet = Fleet(place, args.instances, say)

        def describe():
            up_json(place, args, fleet, made, playground, ca_file)

        def is_ready():
            describe()
            tell_ready(args, made, playground, ca_file, place)
            ready()
        run(place, args, fleet, is_ready, describe)
    finally:
        if fleet:
            say("stopping")
            fleet.stop()
        place.unmount_volatile()
        for path in (place.pid_file, place.up_json):
            if os.path.exists(path):
                os.unlink(path)


def run(place, args, fleet, ready, changed):
    """Starts the servers and keeps them running until it is asked to end."""
    fleet.open_sockets(grp.getgrnam("www-data").gr_gid)
    fleet.add_helper(args.balancer, lambda: balancer.start(place, args.balancer), balancer.STOP[args.balancer])
    if not fleet.wait_ready(60, lambda: balancer.answers(args.listen) and balancer.answers(args.playground_listen) and
                            balancer.knows_all(place, args.balancer)):
        late = ", ".join(str(i) for i in fleet.instances if not i.ready) or args.balancer
        raise Failure(f"not ready after a minute: {late}; their logs are in {place.logs}")
    ready()
    while not ending.asked:
        before = [i.pid for i in fleet.instances]
        fleet.turn(0.2)
        if [i.pid for i in fleet.instances] != before and all(i.pid for i in fleet.instances):
            changed()


def detach(place):
    """Forks; the parent waits for the child's word and returns its exit status."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid != 0:
        os.close(write_end)
        ending.pass_on(pid)
        with os.fdopen(read_end, "rb") as pipe:
            if pipe.read(1) == b"r":
                sys.exit(0)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    os.close(read_end)
    os.setsid()

    def ready():
        log = os.open(os.path.join(place.logs, "up.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        null = os.open("/dev/null", os.O_RDONLY)
        sys.stdout.flush()
        sys.stderr.flush()
        for source, target in ((null, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        os.write(write_end, b"r")
        os.close(write_end)
    return ready


def main():
    args = arguments()
    os.umask(0o022)  # other users run what is made here; what is secret has a mode of its own
    place = Place(args.dir, args.source)
    def say(text):
        tell(f"up: {text}")
    ending.listen()
    try:
        if args.stop:
            return stop(place)
        take(place)
        ready = detach(place) if args.detach else (lambda: None)
        with open(place.pid_file, "w", encoding="utf-8") as file:
            file.write(str(os.getpid()))
        serve(place, args, say, ready)
    except (Failure, OSError) as failure:
        print(f"up: {failure}", file=sys.stderr)
        return 1
    except ending.Interrupted:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
