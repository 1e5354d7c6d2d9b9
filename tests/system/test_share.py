"""homeport share through a gateway: alone, beside homeport up, and beside another share."""
import contextlib
import http.server
import json
import os
import pathlib
import re
import signal
import socket
import socketserver
import subprocess
import threading
import time

import pytest

from harness import Agent, Gateway, connect, exchange, free_port, needs_root, read_all, visit, wait_until

HELLO = "hello.localhost"


def gone(gateway, host):
    """Whether the gateway no longer serves this name."""
    return visit(gateway.http, host).status != 200


@contextlib.contextmanager
def local_server(port):
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps(dict(self.headers)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Page)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


# ---- alone

def test_a_folder(gateway, agent, site):
    share = agent.share(site, "--name", HELLO)
    assert f"http://{HELLO}:{gateway.http}/" in share.text("out").splitlines()
    answer = visit(gateway.http, HELLO, source="127.0.0.9")
    assert answer.status == 200
    assert answer.body == (site / "index.html").read_bytes()
    share.wait_line(r"^\d\d:\d\d:\d\d  127\.0\.0\.9  GET /  200  ")
    share.stop()
    assert gone(gateway, HELLO)


@pytest.mark.parametrize("what", ["share", "up"])
def test_who_reads_the_output_leaves(gateway, agent, site, what):
    """`homeport share . | head -1`: the folder is served on."""
    agent.config.write_text(f"[service hello]\nto = {site}\nname = {HELLO}\n")
    argv = agent.argv(*(["up"] if what == "up" else ["share", site, "--name", HELLO]))
    with subprocess.Popen(argv, env=agent.home.env, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            process.stdout.readline()
            process.stdout.close()
            for _ in range(3):  # each is a line that nobody reads
                wait_until(lambda: visit(gateway.http, HELLO).status == 200, "the page")
            process.send_signal(signal.SIGHUP if what == "up" else 0)  # up tells of that
            assert visit(gateway.http, HELLO).status == 200
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_name_closes_at_once(gateway, agent, site, number):
    share = agent.share(site, "--name", HELLO)
    with connect(gateway.http) as idle:
        idle.sendall(b"GET / HTTP/1.1\r\nHost: hello.localhost\r\n\r\n")
        idle.recv(1)
        start = time.monotonic()
        share.stop(number)
        assert time.monotonic() - start < 5
    wait_until(lambda: gone(gateway, HELLO), "the name is closed", 2)


def test_ready_soon(gateway, agent, site):
    start = time.monotonic()
    share = agent.share(site, "--name", HELLO, ready=None)
    wait_until(lambda: not gone(gateway, HELLO), "the first page")
    took = time.monotonic() - start
    print(f"from start to the first page: {took * 1000:.0f} ms")
    assert took < 3
    share.stop()


def test_the_gateway_gives_a_name(gateway, agent, site):
    share = agent.share(site)
    url = f"http://site.laptop.localhost:{gateway.http}/"
    assert url in share.text("out").splitlines()
    assert visit(gateway.http, "site.laptop.localhost").status == 200
    share.stop()


def test_the_first_part_of_a_name(gateway, agent, site):
    share = agent.share(site, "--name", "blog")
    assert f"http://blog.laptop.localhost:{gateway.http}/" in share.text("out").splitlines()
    share.stop()


def test_json(gateway, agent, site):
    share = agent.share(site, "--name", HELLO, "--json", ready='"event":"url"')
    visit(gateway.http, HELLO)
    share.wait_line('"event":"request"')
    events = [json.loads(line) for line in share.text("out").splitlines()]
    assert {"event": "url", "service": "hello", "url": f"http://{HELLO}:{gateway.http}/"} in events
    assert any(e["event"] == "state" and e["state"] == "up" for e in events)
    assert next(e for e in events if e["event"] == "request")["host"] == HELLO
    share.stop()


def test_a_local_server(gateway, agent):
    port = free_port()
    share = agent.share(port, "--name", HELLO)
    share.wait_line(rf"nothing listens on 127\.0\.0\.1:{port} yet")
    assert visit(gateway.http, HELLO).status in (502, 503)
    with local_server(port):
        share.wait_line("answers now")
        answer = visit(gateway.http, HELLO, source="127.0.0.9")
        assert answer.status == 200
        seen = json.loads(answer.text)
        assert seen["X-Forwarded-For"] == "127.0.0.9"
        assert seen["Host"].startswith(HELLO)
    share.stop()


def test_a_tcp_server(run):
    class Echo(socketserver.BaseRequestHandler):
        def handle(self):
            while data := self.request.recv(65536):
                self.request.sendall(data)

    port = free_port()
    gateway = Gateway(run, extra=f"ports = {port}-{port}\n")
    gateway.start()
    agent = Agent(run)
    agent.join(gateway.invite("laptop"))
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        share = agent.share(f"tcp://127.0.0.1:{server.server_address[1]}", "--port", port, ready=rf":{port}")
        assert exchange(port, b"\x00\xffhello", half_close=True) == b"\x00\xffhello"
        share.wait_line(r"  127\.0\.0\.1  connection  7 B in, 7 B out")
        share.stop()
        server.shutdown()


# ---- what a person must hear

def test_a_name_of_somebody_else(run, gateway, agent, site):
    other = Agent(run)
    other.join(gateway.invite("nas"))
    done = other.command("share", site, "--name", HELLO, expect=1)
    assert "does not make it public" in done.stderr
    assert HELLO in done.stderr


def test_a_revoked_machine(gateway, agent, site):
    gateway.command("revoke", "laptop")
    done = agent.command("share", site, "--name", HELLO, expect=1)
    assert "homeport join" in done.stderr


def test_no_gateway_now(gateway, agent, site):
    gateway.process.kill()
    share = agent.share(site, "--name", HELLO, ready="not connected to the gateway")
    gateway.start()
    share.wait_line(r"^http://")
    share.stop()


def test_a_gateway_killed_and_restarted(gateway, agent, site):
    share = agent.share(site, "--name", HELLO)
    gateway.process.kill()
    start = time.monotonic()
    gateway.start()
    wait_until(lambda: not gone(gateway, HELLO), "served again", 15)
    print(f"served again {time.monotonic() - start:.2f} s after the gateway's start")
    share.wait_line("connected to the gateway again")
    share.stop()


def test_another_key_at_the_gateways_address(run, gateway, agent, site):
    gateway.process.stop()
    other = Gateway(run)
    other.https, other.http = gateway.https, gateway.http
    other.config.write_text(gateway.config.read_text())
    other.start()
    done = agent.command("share", site, "--name", HELLO, expect=1)
    assert "key" in done.stderr


# ---- beside others

def test_two_shares(gateway, agent, site):
    first = agent.share(site, "--name", HELLO)
    second = agent.share(site, "--name", "second")
    name = "second.laptop.localhost"
    assert visit(gateway.http, name, source="127.0.0.9").status == 200
    second.wait_line(r"  127\.0\.0\.9  GET /  200")
    assert visit(gateway.http, HELLO).status == 200
    second.stop()
    wait_until(lambda: gone(gateway, name), "the second is closed", 2)
    assert visit(gateway.http, HELLO).status == 200
    first.stop()


def test_the_second_share_goes_on_alone(gateway, agent, site):
    first = agent.share(site, "--name", HELLO)
    second = agent.share(site, "--name", "second")
    third = agent.share(site, "--name", "third")
    first.stop()
    for name in ("second", "third"):
        wait_until(lambda: not gone(gateway, f"{name}.laptop.localhost"), "served again", 2)
    assert gone(gateway, HELLO)
    assert "homeport up" not in second.text() + third.text()
    second.stop()
    third.stop()


def test_a_share_that_was_killed_leaves_the_link_to_the_next(gateway, agent, site):
    first = agent.share(site, "--name", HELLO)
    second = agent.share(site, "--name", "second")
    first.kill()
    wait_until(lambda: not gone(gateway, "second.laptop.localhost"), "served again", 2)
    second.stop()


def test_a_name_of_another_share(gateway, agent, site):
    first = agent.share(site, "--name", HELLO)
    done = agent.command("share", site, "--name", HELLO, expect=1)
    assert "from another homeport share" in done.stderr
    first.stop()


def test_up_takes_the_link_over(gateway, agent, site):
    first = agent.share(site, "--name", HELLO)
    second = agent.share(site, "--name", "second")
    start = time.monotonic()
    up = agent.up("", ready="connected to the gateway")
    assert time.monotonic() - start < 2
    for name in (HELLO, "second.laptop.localhost"):
        wait_until(lambda: not gone(gateway, name), "served again", 2)
    answer = json.loads(agent.command("status", "--json").stdout)
    assert answer["pid"] == up.pid
    assert sorted((s["id"], s["on_loan"]) for s in answer["services"]) == [
        ("hello", True), ("second", True)]
    for process in (first, second, up):
        process.stop()


def test_up_beside_a_share_that_hangs(gateway, agent, site):
    share = agent.share(site, "--name", HELLO)
    share.send_signal(signal.SIGSTOP)
    agent.config.write_text("")
    done = agent.command("up", expect=1, seconds=20)
    share.send_signal(signal.SIGCONT)
    assert f"process {share.pid}" in done.stderr
    assert "no answer" in done.stderr
    share.stop()


def test_a_share_beside_an_up_that_hangs(gateway, agent, site):
    up = agent.up("", ready="connected to the gateway")
    up.send_signal(signal.SIGSTOP)
    done = agent.command("share", site, "--name", HELLO, expect=1, seconds=20)
    up.send_signal(signal.SIGCONT)
    assert f"(process {up.pid}) does not answer" in done.stderr
    up.stop()


def test_beside_up(gateway, agent, site):
    up = agent.up(f"[service hello]\nto = {site}\nname = {HELLO}\n", ready=HELLO)
    with connect(gateway.http) as visitor:
        visitor.sendall(b"GET / HTTP/1.1\r\nHost: hello.localhost\r\n\r\n")
        visitor.recv(1)
        share = agent.share(site, "--name", "more")
        assert visit(gateway.http, "more.laptop.localhost").status == 200
        share.wait_line(r"GET /  200")
        services = json.loads(agent.command("status", "--json").stdout)["services"]
        assert [(s["id"], s["on_loan"], s["granted"]) for s in services] == [
            ("hello", False, True), ("more", True, True)]
        share.stop()
        wait_until(lambda: gone(gateway, "more.laptop.localhost"), "the loan is over", 2)
        visitor.sendall(b"GET /style.css HTTP/1.1\r\nHost: hello.localhost\r\nConnection: close\r\n\r\n")
        rest = b""
        while data := visitor.recv(65536):
            rest += data
        assert b"text/css" in rest
    up.stop()


def test_a_killed_share_is_withdrawn(gateway, agent, site):
    up = agent.up("", ready="connected to the gateway")
    share = agent.share(site, "--name", HELLO)
    share.kill()
    wait_until(lambda: gone(gateway, HELLO), "the loan is over", 2)
    up.stop()


def test_an_id_that_is_taken(gateway, agent, site):
    up = agent.up(f"[service hello]\nto = {site}\nname = {HELLO}\n", ready=HELLO)
    done = agent.command("share", site, "--name", HELLO, expect=1)
    assert "there is a service hello already" in done.stderr
    assert visit(gateway.http, HELLO).status == 200
    up.stop()


@needs_root
def test_an_agent_of_another_user(run, gateway, site):
    """It may not look into our folders, and our socket is not for everybody."""
    agent = Agent(run)
    agent.join(gateway.invite("laptop", HELLO))
    for path in [agent.home.path, *agent.home.path.rglob("*")]:
        os.chown(path, 65534, 65534)
    agent.config.write_text("")
    agent.config.chmod(0o644)
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    up = run.start(*nobody, *agent.argv("up"), env=agent.home.env)
    up.wait_line("connected to the gateway")
    share = agent.share(site, "--name", HELLO)
    assert visit(gateway.http, HELLO).status == 200
    folders = [p for p in pathlib.Path("/tmp").glob("homeport-*") if (p / f"share-{share.pid}.sock").exists()]
    assert len(folders) == 1
    with socket.socket(socket.AF_UNIX) as s:  # root is let in; who he says he is counts
        s.connect(str(folders[0] / f"share-{share.pid}.sock"))
        s.sendall(b"who knows\n")
        assert read_all(s) == b""
    share.stop()
    assert not folders[0].exists()
    up.stop()


def test_up_restarts_under_a_share(gateway, agent, site):
    up = agent.up("", ready="connected to the gateway")
    share = agent.share(site, "--name", HELLO)
    up.stop()
    up = agent.up("", ready="connected to the gateway")
    wait_until(lambda: not gone(gateway, HELLO), "served again")
    services = json.loads(agent.command("status", "--json").stdout)["services"]
    assert [s["id"] for s in services] == ["hello"]
    share.stop()
    up.stop()


def test_status_of_a_share(gateway, agent, site):
    share = agent.share(site, "--name", HELLO)
    answer = json.loads(agent.command("status", "--json").stdout)
    assert answer["link"]["state"] == "up"
    assert answer["services"][0]["urls"] == [f"http://{HELLO}:{gateway.http}/"]
    text = agent.command("status").stdout
    assert re.search(r"^link +up for ", text, re.M)
    assert re.search(rf"^this key +{answer['key']}$", text, re.M)
    assert re.search(rf"^its key +{answer['gateway_key']}$", text, re.M)
    assert f", key {answer['gateway_key']}" in gateway.process.text()
    assert f"with the key {answer['key']}" in gateway.process.text()
    assert f"http://{HELLO}:{gateway.http}/" in text
    share.stop()


# ---- pairing

def test_join_says_what_comes_next(run, gateway):
    agent = Agent(run)
    code = gateway.invite("laptop", HELLO)
    done = agent.join(code)
    for words in ("laptop", HELLO, "homeport share"):
        assert words in done.stdout
    assert code not in done.stdout + done.stderr
    assert re.search(r"^this key +([0-9a-f]{4} ){15}[0-9a-f]{4}$", done.stdout, re.M)


def test_join_twice_with_the_same_key(run, gateway):
    agent = Agent(run)
    code = gateway.invite("laptop")
    agent.join(code)
    agent.join(code)
    other = Agent(run)
    done = other.join(code, expect=1)
    assert "used" in done.stderr


def test_join_with_the_wrong_gateway_key(run, gateway):
    other = Gateway(run)
    other.start()
    agent = Agent(run)
    code = gateway.invite("laptop").replace(f":{gateway.https}/", f":{other.https}/")
    done = agent.join(code, expect=1)
    assert "key" in done.stderr
    assert not (agent.state / "gateway.json").exists()
