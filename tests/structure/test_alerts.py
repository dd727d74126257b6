"""deploy/prometheus: the rules load, each alert fires in a test of its own and leads to a chapter that is there."""
import os
import re
import subprocess

import pytest
import yaml

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
PLACE = os.path.join(ROOT, "deploy/prometheus")


def read(*parts):
    with open(os.path.join(ROOT, *parts), encoding="utf-8") as file:
        return file.read()


def rules():
    return [rule for group in yaml.safe_load(read("deploy/prometheus/partita.rules.yml"))["groups"] for rule in group["rules"]]


def cases():
    return [test for name in sorted(os.listdir(PLACE)) if name.endswith(".test.yml") for test in yaml.safe_load(read(PLACE, name))["tests"]]


def promtool(*words):
    done = subprocess.run(["promtool", *words], cwd=PLACE, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


def test_prometheus_takes_the_configuration_and_the_rules():
    status, said = promtool("check", "config", "prometheus.yml")
    assert status == 0 and f"{len(rules())} rules found" in said, said
    status, said = promtool("check", "rules", "partita.rules.yml")
    assert status == 0, said


def test_the_rules_do_what_their_tests_say():
    status, said = promtool("test", "rules", *sorted(name for name in os.listdir(PLACE) if name.endswith(".test.yml")))
    assert status == 0, said


def test_every_alert_fires_in_a_test_and_is_quiet_before():
    """A test fires one alert, alone, and begins with a moment in which none fires, but where nothing is scraped at all."""
    fired = {}
    for test in cases():
        expected = [{re.search(r'alertname="(\w+)"', sample["labels"])[1] for sample in each.get("exp_samples", [])} for each in test["promql_expr_test"]]
        assert all(each["expr"].startswith("count by (alertname") and 'ALERTS{alertstate="firing"}' in each["expr"] for each in test["promql_expr_test"])
        for names in expected:
            assert len(names) <= 1
            for name in names:
                assert test["name"].startswith(name), test["name"]
                fired[name] = fired.get(name, False) or expected[0] == set()
    assert fired == {rule["alert"]: True for rule in rules()}


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_says_what_it_is_and_what_to_do(rule):
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert set(rule["annotations"]) == {"summary", "description", "runbook"}
    page, anchor = rule["annotations"]["runbook"].split("#")
    headings = re.findall(r"^## (.*)$", read(page), re.M)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert anchor in anchors


def metrics_of(expression):
    return set(re.findall(r"\bpartita_\w+", expression))


def test_every_metric_that_an_alert_asks_for_is_documented():
    pages = "".join(read("docs", name) for name in sorted(os.listdir(os.path.join(ROOT, "docs"))) if name.endswith(".md"))
    known = set(re.findall(r"`(partita_\w+)`", pages)) | {"partita_up"}
    for rule in rules():
        for name in metrics_of(rule["expr"]):
            assert name in known or name.removesuffix("_bucket") in known, f"{rule['alert']}: {name}"


def test_the_page_lists_every_alert():
    rows = re.findall(r"^\| `(Partita\w+)` \| (\w+) \|", read("docs/monitoring.md"), re.M)
    assert rows == [(rule["alert"], rule["labels"]["severity"]) for rule in rules()]
