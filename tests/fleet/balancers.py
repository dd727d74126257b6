"""The balancers in front of a machine's servers: as they are shipped, and as an operator might have set them who knows nothing
of the drain, so that they hold idle connections much longer than it waits."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "deploy", "lib"))
import shipped  # noqa: E402

PLACES = {"nginx": "etc/nginx/nginx.conf", "haproxy": "etc/haproxy/haproxy.cfg"}


def site(directory):
    return shipped.Site(ROOT, directory, "/var/log/nginx", "/run/partita-sockets", "partita-balancer", "http://localhost:8080", "127.0.0.1:8080")


def nginx(keepalive, adverse):
    """keepalive: seconds, as the servers' setting; adverse: connections are never let go. deferred is said in the shipped file at a
    place that a site without other names does not have."""
    text = shipped.edit(shipped.nginx(site("/var/lib/fleet-nginx")), (r"listen 127\.0\.0\.1:8080;", "listen 127.0.0.1:8080 deferred;", 1))
    held = "keepalive_timeout 600s; keepalive_requests 1000000" if adverse else f"keepalive_timeout {keepalive}s; keepalive_requests 50"
    return shipped.edit(text, (r"/var/lib/fleet-nginx/nginx\.pid", "/run/nginx.pid", 1), (r"keepalive_timeout 5s; keepalive_requests 50", held, 6))


def haproxy(keepalive, adverse):
    """It has no such setting; adverse: connections are for any client and any thread, and never let go."""
    text = shipped.haproxy(site("/run/haproxy"))
    if not adverse:
        return text
    return shipped.edit(text, (r"pool-purge-delay 250ms pool-max-conn 64", "pool-purge-delay 600s", 1), (r"http-reuse safe", "http-reuse always", 1))


def write(machine, balancer, keepalive):
    """Its configuration, and the adverse one beside it as /opt/fleet/adverse.conf."""
    make = {"nginx": nginx, "haproxy": haproxy}[balancer]
    for folder in ("var/lib/fleet-nginx", "opt/fleet"):
        os.makedirs(machine.path(folder), exist_ok=True)
    for path, adverse in ((PLACES[balancer], False), ("opt/fleet/adverse.conf", True)):
        with open(machine.path(path), "w", encoding="utf-8") as file:
            file.write(make(keepalive, adverse))
