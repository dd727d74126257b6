"""The balancers' files as operators get them (deploy/nginx, deploy/haproxy), and the same with the places of one
installation in them, for deploy/up and the tests: what is not moved here is what operators run."""
import dataclasses
import os
import re
from typing import Optional, Tuple


@dataclasses.dataclass
class Site:
    """Where everything is. certificate: None, or (certificate file, key file)."""
    source: str             # this tree
    dir: str                # for nginx's and HAProxy's own files
    logs: str
    sockets: str
    group: str              # who may connect to the sockets
    issuer: str
    listen: str             # ADDRESS:PORT
    certificate: Optional[Tuple[str, str]] = None
    playground: Optional[str] = None  # the directory of its files; None: there is no playground
    playground_listen: Optional[str] = None


def read(source, name):
    with open(os.path.join(source, "deploy", name), encoding="utf-8") as file:
        return file.read()


def edit(text, *changes):
    """Each change is (regular expression, replacement, how often it is there), so that none misses silently."""
    for pattern, new, count in changes:
        text, found = re.subn(pattern, lambda match: new, text, flags=re.M | re.S)
        if found != count:
            raise ValueError(f"{pattern!r} is there {found} times and not {count}")
    return text


def without_redirect(kind):
    return {"nginx": (r"    # Plain HTTP:.*?(?=    server \{\n        listen 443 ssl http2;)", "", 1),
            "haproxy": (r"^frontend plain .*?(?=^frontend partita )", "", 1)}[kind]


# --- nginx ---

PLAYGROUND_NGINX = """
    # The playground: a relying party on an origin of its own, files only.
    types {
        text/html html;
        text/css css;
        text/javascript js;
        application/json json;
        image/svg+xml svg;
    }
    server {
        listen LISTEN;
        server_name _;
        root ROOT;
        index index.html;
        add_header Content-Security-Policy "POLICY" always;
        add_header X-Content-Type-Options nosniff always;
        add_header Referrer-Policy no-referrer always;
        add_header Cache-Control no-cache always;
        location / { try_files $uri $uri/ =404; }
    }
}
"""


def playground_policy(site):
    return (f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' {site.issuer}; "
            "base-uri 'none'; frame-ancestors 'none'")


def nginx_places(site):
    """The files that nginx writes, and the sockets."""
    temporary = "".join(f"    {kind}_temp_path {site.dir}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    return [
        (r"^pid .*?;", f"pid {site.dir}/nginx.pid;", 1),
        (r"/var/log/nginx/error\.log", f"{site.logs}/nginx-error.log", 2),
        (r"/var/cache/nginx-partita", f"{site.dir}/cache", 1),
        (r"unix:/run/partita-sockets/", f"unix:{site.sockets}/", 6),
        (r"^http \{\n", "http {\n" + temporary, 1),
    ]


def nginx(site):
    """For a demonstration: no rates, nothing is cached, the administration API is open, any name of the host is good."""
    text = read(site.source, "nginx/nginx.conf")
    ssl = " ssl http2" if site.certificate else ""
    changes = nginx_places(site) + [
        without_redirect("nginx"),
        (r"worker_processes auto", "worker_processes 2", 1),
        (r"access_log /var/log/nginx/partita\.log partita;", "access_log off;", 1),
        (r"rate=\d+r/s", "rate=100000r/s", 4),
        (r"default 0;", "default 1;", 1),
        (r"proxy_cache well_known;", "proxy_cache off;", 1),
        (r"^        listen 443 ssl http2;\n        listen \[::\]:443 ssl http2;", f"        listen {site.listen}{ssl};", 1),
        (r"server_name login\.example\.org;", "server_name _;", 1),
        (r"^    ssl_certificate [^;]*;", f"    ssl_certificate {site.certificate[0]};" if site.certificate else "", 1),
        (r"^    ssl_certificate_key [^;]*;", f"    ssl_certificate_key {site.certificate[1]};" if site.certificate else "", 1),
    ]
    if site.playground:
        text_of_it = PLAYGROUND_NGINX.replace("LISTEN", site.playground_listen + ssl).replace("ROOT", site.playground)
        changes.append((r"\}\n\Z", text_of_it.replace("POLICY", playground_policy(site)), 1))
    if not site.certificate:
        changes.append((r"^        add_header Strict-Transport-Security [^;]*;\n", "", 1))
    return edit(text, *changes)


# --- HAProxy ---

PLAYGROUND_HAPROXY = """
# The playground: a relying party on an origin of its own, files only.
frontend playground from programs
    bind LISTEN
    http-after-response set-header Content-Security-Policy "POLICY"
    http-after-response set-header X-Content-Type-Options nosniff
    http-after-response set-header Referrer-Policy no-referrer
    http-after-response set-header Cache-Control no-cache
"""
TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "json": "application/json", "svg": "image/svg+xml"}


def playground_haproxy(site, bind):
    """HAProxy reads the files when it starts."""
    text = PLAYGROUND_HAPROXY.replace("LISTEN", bind).replace("POLICY", playground_policy(site))
    for name in sorted(os.listdir(site.playground)):
        paths = f"/{name} /" if name == "index.html" else f"/{name}"
        text += (f"    http-request return status 200 content-type {TYPES[name.rpartition('.')[2]]} file {site.playground}/{name} "
                 f"if {{ path {paths} }}\n")
    return text + "    http-request deny deny_status 404\n"


def setenv(name, value):
    return (rf"^    presetenv {name} .*?$", f"    setenv {name} {value}", 1)


def haproxy_certificate(site):
    """HAProxy wants one file; made beside the configuration."""
    path = os.path.join(site.dir, "certificate.pem")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        for part in site.certificate:
            with open(part, encoding="ascii") as source:
                file.write(source.read())
    return path


def haproxy_places(site):
    """The files that HAProxy writes, the sockets, and who may connect to them."""
    return [
        setenv("PARTITA_SOCKETS", site.sockets),
        (r"^    user haproxy$", "    user www-data", 1),
        (r"^    group partita-balancer$", f"    group {site.group}", 1),
        (r"^    stats socket /run/haproxy/admin\.sock ", f"    stats socket {site.dir}/admin.sock ", 1),
    ]


def haproxy(site):
    """For a demonstration, as nginx() above. Its log goes to standard error."""
    text = read(site.source, "haproxy/haproxy.cfg")
    crt = " ssl crt " + haproxy_certificate(site) + " alpn h2,http/1.1" if site.certificate else ""
    changes = haproxy_places(site) + [
        without_redirect("haproxy"),
        (r"^    maxconn 8000$", "    maxconn 1000", 1),
        setenv("PARTITA_ADMINISTRATORS", '"0.0.0.0/0 ::/0"'),
        *[setenv("PARTITA_RATE_" + name, "1000000") for name in ("TOKEN", "SIGN_IN", "REGISTER", "DEVICE")],
        (r"^    log /dev/log local0 notice\n    log /dev/log local1$", "    log stderr format raw local0 notice", 1),
        (r"^    http-re(quest|sponse) cache-(use|store) well-known\n", "", 2),
        (r"^    # Other names than the issuer's\.\n    http-request deny deny_status 421 .*?$\n", "", 1),
        (r"^    bind :443 .*?$\n    bind \[::\]:443 .*?$", f"    bind {site.listen}{crt}", 1),
    ]
    if not site.certificate:
        changes.append((r"^    http-response set-header Strict-Transport-Security .*?$\n", "", 1))
    text = edit(text, *changes)
    return text + playground_haproxy(site, site.playground_listen + crt) if site.playground else text
