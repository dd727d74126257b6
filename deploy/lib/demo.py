"""A demonstration user and clients, made once through opctl and remembered for the operator alone."""
import json
import os
import secrets

import ending
from machine import Failure


def opctl(place, *words, secret=None):
    done = ending.call(place.opctl() + list(words) + ["--json"], secret)
    if done.returncode != 0:
        raise Failure(f"opctl {' '.join(words[:2])} failed: {done.stderr.strip()}")
    return json.loads(done.stdout) if done.stdout.strip() else {}


def make(place, playground, registers):
    """{user, client, playground_client_id, admin, and initial_access_token if clients register themselves at all}; those
    of the first run when there are any."""
    if os.path.exists(place.demo_json):
        with open(place.demo_json, encoding="utf-8") as file:
            demo = json.load(file)
    else:
        demo = make_anew(place, playground)
        keep(place, demo)
    if registers and "initial_access_token" not in demo:
        demo["initial_access_token"] = make_token(place)
        keep(place, demo)
    if "admin" not in demo:
        demo["admin"] = make_admin(place)
        keep(place, demo)
    if demo["playground"] != playground:
        opctl(place, "client", "change", demo["playground_client_id"], "--redirect-uri", playground + "/",
              "--post-logout-redirect-uri", playground + "/")
        demo["playground"] = playground
        keep(place, demo)
    write_playground(place, demo)
    return demo if registers else {name: value for name, value in demo.items() if name != "initial_access_token"}


def keep(place, demo):
    with open(os.open(place.demo_json, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(demo, file, indent=2)


def make_token(place):
    """Lets whoever has it register clients."""
    return opctl(place, "registration-token", "add", "--note", "demonstration", "--uses", "unlimited",
                 "--expires", "never")["initial_access_token"]


def make_admin(place):
    """A client that may do everything at the administration API."""
    client = opctl(place, "client", "add", "--name", "Administration", "--grant", "client_credentials",
                   "--admin", "users clients consents sessions families registration-tokens keys outbox")
    return {name: client[name] for name in ("client_id", "client_secret")}


def make_anew(place, playground):
    password = "-".join(secrets.token_hex(2) for _ in range(4))
    if any(user["username"] == "demo" for user in opctl(place, "user", "list")):  # of a run that was cut short
        opctl(place, "user", "password", "demo", secret=password + "\n")
    else:
        opctl(place, "user", "add", "demo", "--claim", "name=Demo Person", "--claim", "given_name=Demo",
              "--claim", "family_name=Person", "--claim", "preferred_username=demo", "--claim", "email=demo@example.org",
              "--claim", "email_verified=true", secret=password + "\n")
    callback = "http://localhost:8090/callback"
    client = opctl(place, "client", "add", "--name", "Demonstration client", "--redirect-uri", callback,
                   "--post-logout-redirect-uri", "http://localhost:8090/", "--grant", "authorization_code",
                   "--grant", "refresh_token", "--grant", "client_credentials",
                   "--scope", "openid profile email address phone offline_access")
    public = opctl(place, "client", "add", "--name", "Playground", "--public", "--redirect-uri", playground + "/",
                   "--post-logout-redirect-uri", playground + "/", "--grant", "authorization_code",
                   "--grant", "refresh_token", "--scope", "openid profile email address phone offline_access")
    return {"user": {"username": "demo", "password": password},
            "client": {"client_id": client["client_id"], "client_secret": client["client_secret"], "redirect_uris": [callback]},
            "playground_client_id": public["client_id"], "playground": playground}


def write_playground(place, demo):
    with open(place.conf, encoding="utf-8") as file:
        issuer = next(line.split("=", 1)[1].strip() for line in file if line.startswith("issuer"))
    path = place.at("playground", "config.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"issuer": issuer, "client_id": demo["playground_client_id"], "redirect_uri": demo["playground"] + "/"}, file)
    os.chmod(path, 0o644)
