"""Names at a name server on the loopback interface: what is told when something happens to one."""
import http.server
import json
import shutil
import subprocess
import threading

import pytest

from harness import Agent, free_port, wait_until

pytestmark = pytest.mark.skipif(not shutil.which("knotd", path="/usr/sbin:/usr/bin") or not shutil.which("kdig"),
                                reason="needs knotd and kdig")

SECRET = "c2VjcmV0IG9mIGEgdGVzdCwgbm90IG9mIGFueWJvZHk="
NAME = "home.homes.example"
ADDRESS = "8.8.4.4"

KNOT = """\
server:
  listen: 127.0.0.1@{port}
  rundir: {folder}
  tcp-workers: 1
  udp-workers: 1
  background-workers: 1
database:
  storage: {folder}
key:
  - id: homeport
    algorithm: hmac-sha256
    secret: {secret}
acl:
  - id: update
    key: homeport
    action: update
    update-type: [A, AAAA]
    update-owner: name
    update-owner-match: equal
    update-owner-name: [home]
zone:
  - domain: homes.example
    file: {folder}/zone
    acl: update
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: changes
"""
ZONE = """\
homes.example. 60 SOA ns.homes.example. admin.homes.example. 1 3600 600 86400 60
homes.example. 60 NS ns.homes.example.
ns.homes.example. 60 A 127.0.0.1
"""


class NameServer:
    def __init__(self, run, folder):
        self.port = free_port()
        folder.mkdir()
        (folder / "knot.conf").write_text(KNOT.format(port=self.port, folder=folder, secret=SECRET))
        (folder / "zone").write_text(ZONE)
        self.process = run.start("/usr/sbin/knotd", "-c", folder / "knot.conf")
        wait_until(lambda: self.record("A", "ns.homes.example"), "the name server answers")

    def record(self, kind, name=NAME):
        done = subprocess.run(["kdig", "+tcp", "+short", "+time=1", "-p", str(self.port), "@127.0.0.1", name, kind],
                              text=True, capture_output=True)
        found = done.stdout.split()
        return found if done.returncode == 0 and found else None


class Listener:
    """A web server that takes what is posted; the first `fail` requests get a 503."""

    def __init__(self, fail=0):
        self.posts = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(handler):
                body = handler.rfile.read(int(handler.headers["Content-Length"]))
                self.posts.append((handler.path, dict(handler.headers), json.loads(body)))
                handler.send_response(503 if len(self.posts) <= fail else 200)
                handler.send_header("Content-Length", "0")
                handler.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def server(run, tmp_path):
    return NameServer(run, tmp_path / "knot")


@pytest.fixture
def agent(run):
    return Agent(run)


def section(agent, server, name=NAME, secret=SECRET, more="", address=ADDRESS):
    path = agent.home.path / f"secret-of-{name}"
    path.write_text(secret + "\n")
    path.chmod(0o600)
    return f"""\
[dns {name}]
provider = rfc2136
zone = homes.example
server = 127.0.0.1:{server.port}
user = homeport
password-file = {path}
address = {address}
{more}
"""


def test_webhook(server, agent):
    with Listener(fail=1) as listener:
        url = f"http://127.0.0.1:{listener.port}/t/hook-token"
        (agent.home.path / "url").write_text(url + "\n")
        up = agent.up(section(agent, server, more=f"webhook = {agent.home.path}/url") +
                      section(agent, server, name="other.homes.example", more=f"webhook = {url}"))
        wait_until(lambda: len(listener.posts) == 3, "all is told", seconds=30)
        told = {post["event"]: post for path, headers, post in listener.posts}
        path, headers, _ = listener.posts[0]
        assert path == "/t/hook-token" and headers["Content-Type"] == "application/json"
        assert told["changed"].items() >= {
            "name": NAME, "host": NAME, "provider": "rfc2136", "family": "ipv4", "address": ADDRESS,
            "verdict": "good", "text": f"name {NAME} is {ADDRESS} now, at rfc2136"}.items()
        assert told["parked"].items() >= {"name": "other.homes.example", "verdict": "badkey"}.items()
        assert "hook-token" not in agent.command("config").stdout
        up.stop()
        assert "hook-token" not in up.text() and SECRET not in json.dumps(told)


def test_a_webhook_that_nobody_hears(server, agent):
    with Listener() as listener:
        gone = listener.port
    up = agent.up(section(agent, server, more=f"webhook = http://127.0.0.1:{gone}/t/hook-token"))
    up.wait_line(f"name {NAME} is {ADDRESS} now")
    up.stop()  # tries that are left do not keep it
    up = agent.up(section(agent, server, more=f"webhook = {agent.home.path}/missing"))
    up.wait_line(f"name {NAME} has no webhook: .*/missing: No such file")
    up.stop()
    assert "hook-token" not in up.text()
