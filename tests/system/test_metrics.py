"""/metrics, read as strictly as Prometheus and its linter read it; and the same numbers in `status`."""
import contextlib
import json
import re
import shutil
import socket
import sqlite3
import subprocess

import pytest

from harness import Gateway, connect, exchange, free_port, visit, wait_until
from peers import HELLO, up

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? ([0-9]+)")
BASE_UNITS = re.compile(r"_(ms|millis|milliseconds|us|minutes|hours|days|kib|mib|kilobytes|bits|percent)(_|$)")


def parse(text):
    """{name: {labels: value}} of the text format 0.0.4: every family has HELP and TYPE, once and in
    front of its samples, which stand together; names and units follow the conventions."""
    families, types, current = {}, {}, None
    assert text.endswith("\n")
    for line in text.splitlines():
        if match := re.fullmatch(rf"# HELP ({NAME}) (\S.*)", line):
            current = match[1]
            assert current not in families, f"{current} stands there twice"
            assert match[2].endswith(".")
            families[current] = {}
        elif match := re.fullmatch(rf"# TYPE ({NAME}) (counter|gauge)", line):
            assert match[1] == current and not families[current] and current not in types
            types[current] = match[2]
        else:
            match = SAMPLE.fullmatch(line)
            assert match, f"not a sample: {line!r}"
            assert match[1] == current and current in types, line
            labels = match[2] or ""
            assert labels not in families[current], f"twice: {line}"
            families[current][labels] = int(match[3])
    for name, kind in types.items():
        assert name.startswith("homeport_") and name == name.lower()
        assert name.endswith("_total") == (kind == "counter"), name
        assert not BASE_UNITS.search(name), name
    assert set(types) == set(families)
    return families


@pytest.fixture
def metrics_port():
    return free_port()


@pytest.fixture
def gateway(run, metrics_port):
    gateway = Gateway(run, extra=f"ports = {free_port()}\nmetrics = 127.0.0.1:{metrics_port}\n"
                      "[limits]\nvisitors-per-agent = 2\n")
    gateway.start()
    return gateway


def scrape(port):
    answer = visit(port, f"127.0.0.1:{port}", "/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return parse(answer.text)


def test_metrics(run, gateway, agent, site, metrics_port):
    before = scrape(metrics_port)
    assert before["homeport_agents"][""] == 1 and before["homeport_agents_online"][""] == 0
    assert before["homeport_agent_online"] == {'agent="laptop"': 0}
    process = up(agent, f"[service site]\nto = {site}\nname = {HELLO}\n")
    assert visit(gateway.http, HELLO).status == 200
    assert visit(gateway.http, "nobody.example").status == 421
    exchange(gateway.https, b"\0\0\0\0\0\0")
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            s = stack.enter_context(connect(gateway.http))
            s.sendall(f"GET / HTTP/1.1\r\nHost: {HELLO}\r\n\r\n".encode())
            assert s.recv(100)
        assert visit(gateway.http, HELLO).status == 503
        now = scrape(metrics_port)
        assert now["homeport_visitors"][""] == now["homeport_agent_visitors"]['agent="laptop"'] == 2
    process.stop()
    assert visit(gateway.http, HELLO).status == 503
    after = scrape(metrics_port)
    assert after["homeport_agent_visitors_total"] == {'agent="laptop"': 4}
    assert after["homeport_agent_refused_total"] == {
        'agent="laptop",reason="full"': 1, 'agent="laptop",reason="fast"': 0, 'agent="laptop",reason="agent"': 1}
    refused = after["homeport_connections_refused_total"]
    assert refused['reason="unknown"'] == refused['reason="invalid"'] == 1
    assert refused['reason="busy"'] == refused['reason="offline"'] == 1
    assert after["homeport_handshakes_done_total"][""] >= 2
    assert after["homeport_link_bytes_total"]['to="visitors"'] > 1000
    assert after["homeport_build_info"] == {f'version="{version(gateway)}"': 1}
    assert_counters_grow(before, after)
    assert_same_as_status(gateway, metrics_port)


def version(gateway):
    return status(gateway)["version"]


def status(gateway):
    return json.loads(gateway.command("status", "--json").stdout)


def assert_counters_grow(before, after):
    for name, samples in before.items():
        for labels, value in samples.items():
            if name.endswith("_total"):
                assert after[name][labels] >= value, name


def assert_same_as_status(gateway, port):
    """Both stand still meanwhile: nobody visits."""
    said, now = status(gateway), scrape(port)
    connections = said["connections"]
    for reason, value in now["homeport_connections_refused_total"].items():
        assert connections["refused_" + reason.split('"')[1]] == value
    assert connections["accepted"] == now["homeport_connections_total"][""]
    assert said["visitors"]["total"] == now["homeport_visitors_total"][""]
    assert said["handshakes"]["done"] == now["homeport_handshakes_done_total"][""]
    assert said["agents"]["refused_full"] == now["homeport_agent_refused_total"]['agent="laptop",reason="full"'] == 1
    assert "refused      1 (agent full)" in gateway.command("status").stdout
    assert said["links"] == now["homeport_links"][""]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool(gateway, agent, metrics_port):
    text = visit(metrics_port, "any", "/metrics").text
    done = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_else_is_there(gateway, metrics_port):
    assert visit(metrics_port, "any", "/").status == 404
    assert visit(metrics_port, "any", "/metrics/").status == 404
    assert visit(metrics_port, "any", "/metrics?name=x").status == 200
    answer = visit(metrics_port, "any", "/metrics", "POST", body=b"x")
    assert answer.status == 405 and answer.headers["Allow"] == "GET, HEAD"
    head = visit(metrics_port, "any", "/metrics", "HEAD")
    assert head.status == 200 and int(head.headers["Content-Length"]) > 1000 and head.body == b""


def test_more_scrapers_than_there_is_room_for(gateway, metrics_port):
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            with contextlib.suppress(OSError):
                s = stack.enter_context(connect(metrics_port))
                s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        assert visit(gateway.http, "nobody.example").status == 421  # visitors do not feel it
    wait_until(lambda: scrapes(metrics_port), "there is room again")
    for _ in range(50):  # who leaves in the middle of it
        with connect(metrics_port) as s:
            s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    wait_until(lambda: scrapes(metrics_port), "it answers still")


def scrapes(port):
    with contextlib.suppress(OSError):
        return scrape(port)


def test_more_agents_than_have_numbers(gateway, metrics_port):
    """The answer is long, and has an end."""
    gateway.process.stop()
    [store] = [path for path in gateway.state.iterdir() if path.read_bytes()[:15] == b"SQLite format 3"]
    with contextlib.closing(sqlite3.connect(store)) as db, db:
        db.executemany("INSERT INTO agents (name, key, created) VALUES (?, ?, 1)",
                       [(f"agent-{i}", i.to_bytes(32, "big")) for i in range(1200)])
    gateway.start()
    now = scrape(metrics_port)
    assert now["homeport_agents"][""] == 1200 and now["homeport_agents_left_out"][""] == 200
    assert len(now["homeport_agent_online"]) == 1000 and len(now["homeport_agent_refused_total"]) == 3000


def test_port_in_use(run):
    with socket.create_server(("127.0.0.1", 0)) as s:
        gateway = Gateway(run, extra=f"metrics = 127.0.0.1:{s.getsockname()[1]}\n")
        done = gateway.command("run", expect=1)
        assert re.search(r"metrics: .*127\.0\.0\.1:\d+.*in use", done.stderr)
