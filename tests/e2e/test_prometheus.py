"""deploy/prometheus and deploy/grafana with a real Prometheus, which scrapes `opctl metrics` as systemd would start it."""
import json
import os
import re
import socketserver
import subprocess
import threading

import pytest
import requests

from conftest import BUILD, ROOT, free_port
from monitoring import promtool
from person import Person, sign_in, token_request
from registration import Registrar
from server_process import wait_until

OPCTL = os.path.join(BUILD, "opctl/opctl")
PROMETHEUS = os.path.join(ROOT, "deploy/prometheus")
EMPTY_PANELS = {}  # title -> why nothing can be seen in it here


class Scrape(socketserver.BaseRequestHandler):
    """partita-metrics@.service: one process for each connection, which is its standard input and output."""

    def handle(self):
        subprocess.run([OPCTL, "metrics", "--http", "--admin-dir", self.server.admin_dir], stdin=self.request, stdout=self.request,
                       timeout=30, check=False)


class Listener(socketserver.ThreadingTCPServer):
    """partita-metrics.socket."""
    allow_reuse_address = daemon_threads = True

    def __init__(self, admin_dir):
        super().__init__(("127.0.0.1", 0), Scrape)
        self.admin_dir, self.address = admin_dir, "127.0.0.1:%d" % self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def listener(partita):
    with Listener(os.path.join(partita.dir, "sockets/admin")) as made:
        yield made
        made.shutdown()


class Prometheus:
    def __init__(self, directory, target):
        self.url = f"http://127.0.0.1:{free_port()}"
        self.log = os.path.join(directory, "log")
        with open(os.path.join(PROMETHEUS, "prometheus.yml"), encoding="utf-8") as file:
            text = file.read()
        for old, new in (("127.0.0.1:9723", target), ("_interval: 15s", "_interval: 1s"), ("scrape_timeout: 10s", "scrape_timeout: 1s"),
                         ("- partita.rules.yml", f"- {PROMETHEUS}/partita.rules.yml")):
            assert old in text
            text = text.replace(old, new)
        with open(os.path.join(directory, "prometheus.yml"), "w", encoding="utf-8") as file:
            file.write(text)
        with open(self.log, "wb") as log:
            self.popen = subprocess.Popen(["prometheus", f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data",
                                           f"--web.listen-address={self.url[7:]}", "--log.level=warn"], stdout=log, stderr=log)

    def get(self, path, **parameters):
        answer = requests.get(self.url + "/api/v1/" + path, params=parameters, timeout=30).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression):
        """The values that are numbers."""
        return [sample["value"][1] for sample in self.get("query", query=expression)["result"] if sample["value"][1] != "NaN"]

    def is_up(self):
        assert self.popen.poll() is None, self.told()
        try:
            return requests.get(self.url + "/-/ready", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    def told(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()


@pytest.fixture(scope="module")
def prometheus(listener, tmp_path_factory):
    made = Prometheus(str(tmp_path_factory.mktemp("prometheus")), listener.address)
    wait_until(made.is_up, 60, made.told)
    yield made
    made.popen.terminate()
    made.popen.wait(30)


def make_traffic(partita):
    """A little of everything that a dashboard shows."""
    client = partita.info["client"]
    tokens = sign_in(partita, client, "openid offline_access")
    with pytest.raises(AssertionError):
        sign_in(partita, client, person=Person(partita, password="wrong"))
    token_request(partita, client, grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    token_request(partita, client, grant_type="refresh_token", refresh_token="rubbish")
    requests.get(partita.issuer + "/.well-known/jwks.json", verify=partita.verify, timeout=30)
    requests.get(partita.issuer + "/userinfo", headers={"Authorization": "Bearer " + tokens["access_token"]}, verify=partita.verify, timeout=30)
    auth = (client["client_id"], client["client_secret"])
    for path in ("/introspect", "/revoke"):
        requests.post(partita.issuer + path, data={"token": tokens["access_token"]}, auth=auth, verify=partita.verify, timeout=30)
    device = partita.opctl("client", "add", "--name", "TV", "--grant", "urn:ietf:params:oauth:grant-type:device_code", "--auth-method", "none")
    requests.post(partita.issuer + "/device_authorization", data={"client_id": device["client_id"]}, verify=partita.verify, timeout=30)
    Registrar(partita).register()


def dashboard():
    with open(os.path.join(ROOT, "deploy/grafana/partita.json"), encoding="utf-8") as file:
        return json.load(file)


def panels():
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def expressions():
    """(title, expression) as Grafana would send it, with every server and instance chosen."""
    found = []
    for panel in panels():
        for target in panel["targets"]:
            text = target["expr"].replace("$server", ".*").replace("$instance", ".*").replace("$__rate_interval", "1m")
            assert "$" not in text, text
            found.append((panel["title"], text))
    return found


# --- the dashboard by itself ---

def test_the_dashboard_is_one_that_grafana_imports():
    board = dashboard()
    assert board["schemaVersion"] >= 36 and board["id"] is None and board["title"] == "Partita" and re.fullmatch(r"[a-z-]+", board["uid"])
    assert [(each["name"], each["type"], each["pluginId"]) for each in board["__inputs"]] == [("DS_PROMETHEUS", "datasource", "prometheus")]
    variables = {each["name"]: each for each in board["templating"]["list"]}
    assert {name: each["type"] for name, each in variables.items()} == {"datasource": "datasource", "server": "query", "instance": "query"}
    assert variables["datasource"]["current"]["value"] == "${DS_PROMETHEUS}"
    assert {panel["type"] for panel in board["panels"]} - {"row"} <= {each["id"] for each in board["__requires"] if each["type"] == "panel"}
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in panels():
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"} and panel["title"] and panel["description"] and panel["targets"]
        assert all(target["datasource"] == panel["datasource"] for target in panel["targets"])


def test_no_panel_lies_on_another():
    taken = {}
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for cell in ((x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])):
            assert cell not in taken, (panel["title"], taken[cell])
            taken[cell] = panel["title"]


def test_promtool_takes_every_expression(tmp_path):
    rules = [{"record": f"partita:panel:{number}", "expr": text} for number, (_, text) in enumerate(expressions())]
    with open(tmp_path / "rules.yml", "w", encoding="utf-8") as file:
        json.dump({"groups": [{"name": "panels", "rules": rules}]}, file)  # which is YAML, too
    done = subprocess.run(["promtool", "check", "rules", tmp_path / "rules.yml"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and f"{len(rules)} rules found" in done.stdout, done.stdout + done.stderr


# --- all instances as one target ---

def test_one_answer_for_all_instances(partita, listener):
    answer = requests.get(f"http://{listener.address}/metrics", timeout=30)
    assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert promtool(answer.text) == ""
    instances = {f"{each['name']}@{each['instance']}" for each in partita.info["servers"]}
    assert set(re.findall(r'^partita_up\{server="[a-z-]+",instance="([^"]+)"\} 1$', answer.text, re.M)) == instances
    assert set(re.findall(r'^partita_ready\{server="[a-z-]+",instance="([^"]+)"\} 1$', answer.text, re.M)) == instances
    assert requests.get(f"http://{listener.address}/", timeout=30).status_code == 404
    assert requests.post(f"http://{listener.address}/metrics", timeout=30).status_code == 404
    samples = partita.opctl("metrics", "--admin-dir", listener.admin_dir)
    assert {"name": "partita_up", "labels": {"server": "op-token", "instance": "op-token@2"}, "value": 1.0} in samples


def test_no_panel_is_empty_and_no_alert_fires(partita, prometheus):
    """After a little traffic, which goes on until two scrapes have seen each of it."""
    todo = {title: [text for other, text in expressions() if other == title] for title, _ in expressions() if title not in EMPTY_PANELS}
    servers = {each["name"] for each in partita.info["servers"]}
    wait_until(lambda: prometheus.query("partita_up"), 30, prometheus.told)

    def all_seen():
        make_traffic(partita)
        for title in list(todo):
            todo[title] = [text for text in todo[title] if not prometheus.query(text)]
            if not todo[title]:
                del todo[title]
        return not todo
    wait_until(all_seen, 90, lambda: f"empty: {todo}")
    assert set(prometheus.get("label/server/values", **{"match[]": "partita_up"})) == servers, "what the variable of the dashboard offers"
    def is_well():
        target, = prometheus.get("targets", state="active")["activeTargets"]
        return target["health"] == "up" and target["lastError"] == ""
    wait_until(is_well, 30, lambda: str(prometheus.get("targets")))
    rules = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
    assert len(rules) > 20 and {(rule["name"], rule["lastError"] if "lastError" in rule else "") for rule in rules if rule["health"] == "err"} == set()
    assert [rule["name"] for rule in rules if rule["state"] == "firing" and rule["labels"]["severity"] == "critical"] == []
