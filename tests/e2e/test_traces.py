"""W3C Trace Context: one trace id from who calls us, through every server that has a part in it, to whom we call."""
import json
import re
import secrets

import pytest
import requests

from outside import Signer
from server_process import wait_until
from test_jwks_uri import World
from test_pages import log_lines


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("traces"), log_level="debug")
    yield made
    made.close()


def new_trace(flags="01"):
    trace_id = secrets.token_hex(16)
    return trace_id, f"00-{trace_id}-{secrets.token_hex(8)}-{flags}"


def lines_of(process, trace_id):
    return [line for line in map(json.loads, filter(lambda text: text.startswith("{"), process.log.split("\n"))) if line.get("trace_id") == trace_id]


def ask(world, *fields):
    """A token request whose client's keys have to be fetched, with these header fields: (what the client's server was asked
    with, that request's trace id)."""
    signer = Signer()
    client, path = world.publishing_client(signer)
    status, _, body = world.ask(client, signer, fields="".join(field + "\r\n" for field in fields))
    assert status == 200, body
    found = re.findall(r"(?im)^traceparent: 00-([0-9a-f]{32})-([0-9a-f]{16})-(0[01])\r$", world.machine.heads[path])
    assert len(found) == 1, world.machine.heads[path]
    return world.machine.heads[path], *found[0]


@pytest.mark.parametrize("flags", ["00", "01"])
def test_one_trace_from_the_client_to_the_clients_own_server(world, flags):
    trace_id, parent = new_trace(flags)
    head, outgoing, span, outgoing_flags = ask(world, "traceparent: " + parent, "tracestate: congo=t61rcWkgMzE")
    assert (outgoing, outgoing_flags) == (trace_id, flags)
    assert "tracestate" not in head.lower()
    token_lines = wait_until(lambda: lines_of(world.token, trace_id), 10, lambda: world.token.log)
    async_lines = wait_until(lambda: lines_of(world.async_, trace_id), 10, lambda: world.async_.log)
    assert [line["route"] for line in token_lines if line["event"] == "request"] == ["/token"]
    assert [line["span_id"] for line in async_lines if line["event"] == "document_fetched"] == [span]
    spans = {line["span_id"] for line in token_lines} | {span}
    assert len(spans) == 2 and parent.split("-")[2] not in spans, "each server has a span of its own"


ONE, TWO = new_trace()[1], new_trace()[1]
NOT_GONE_ON_WITH = {
    "none": (),
    "two": ("traceparent: " + ONE, "traceparent: " + TWO),
    "the same one twice": ("traceparent: " + ONE, "traceparent: " + ONE),
    "two in one field": (f"traceparent: {ONE}, {TWO}",),
    "upper case": ("traceparent: " + ONE.upper(),),
    "version ff": ("traceparent: ff" + ONE[2:],),
    "more than version 00 has": (f"traceparent: {ONE}-more",),
    "zeros": ("traceparent: 00-" + "0" * 32 + "-" + "1" * 16 + "-01",),
    "a tracestate alone": ("tracestate: congo=t61rcWkgMzE",),
}


@pytest.mark.parametrize("case", NOT_GONE_ON_WITH)
def test_a_trace_begins_here(world, case):
    head, outgoing, _, flags = ask(world, *NOT_GONE_ON_WITH[case])
    assert outgoing not in " ".join(NOT_GONE_ON_WITH[case]).lower() and flags == "00" and "tracestate" not in head.lower()
    assert wait_until(lambda: lines_of(world.token, outgoing), 10, lambda: world.token.log)
    assert wait_until(lambda: lines_of(world.async_, outgoing), 10, lambda: world.async_.log)


def test_the_balancer_passes_it_on(partita):
    trace_id, parent = new_trace()
    answer = requests.post(partita.issuer + "/token", {"grant_type": "client_credentials", "client_id": "nobody-knows-me", "client_secret": "x"},
                           headers={"traceparent": parent}, verify=partita.verify, timeout=20)
    assert answer.status_code == 401 and trace_id not in str(answer.headers)
    lines = wait_until(lambda: [line for line in log_lines(partita, "op-token") if line.get("trace_id") == trace_id], 10, partita.logs)
    assert {line["error"] for line in lines if "error" in line} == {"invalid_client"}
