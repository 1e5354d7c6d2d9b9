"""Names on the loopback interface, at a name server and at scripted providers: what is told when something
happens to one, and whether it would work."""
import contextlib
import http.server
import json
import shutil
import signal
import socket
import ssl
import subprocess
import threading

import pytest

from harness import Agent, command, free_port, needs_root, wait_until
from lab import Namespace

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


class Provider:
    """A web server with TLS that says what it is told to say; `answers`: by method and path."""

    def __init__(self, certificate, answers, port=0):
        self.requests = []
        self.answers = answers

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(handler):
                body = handler.rfile.read(int(handler.headers["Content-Length"] or 0)).decode()
                self.requests.append((handler.command, handler.path, handler.headers["Authorization"], body))
                status, text = self.answers.get(f"{handler.command} {handler.path.split('?')[0]}", (404, ""))
                handler.send_response(status)
                handler.send_header("Content-Length", str(len(text)))
                handler.end_headers()
                handler.wfile.write(text.encode())

            do_GET = do_POST = do_PATCH = do_PUT = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class Trusting(Agent):
    """A homeport that takes a certificate of ours for anybody's, and knows the providers' hosts as this machine."""

    def __init__(self, run, folder, *hosts):
        super().__init__(run)
        self.network = None
        self.certificate = folder / "cert", folder / "key"
        names = ",".join(f"DNS:{name}" for name in ("localhost", *hosts))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-subj", "/CN=localhost", "-addext", f"subjectAltName={names}", "-keyout",
                        self.certificate[1], "-out", self.certificate[0]], check=True, capture_output=True)
        hashed = subprocess.run(["openssl", "x509", "-hash", "-noout", "-in", self.certificate[0]], check=True,
                                text=True, capture_output=True).stdout.strip()
        self.authorities = folder / "authorities"
        self.authorities.mkdir()
        for file in f"{hashed}.0", "ca-certificates.crt":
            (self.authorities / file).write_bytes(self.certificate[0].read_bytes())
        self.hosts = folder / "hosts"
        self.hosts.write_text(f"127.0.0.1 localhost {' '.join(hosts)}\n")

    def argv(self, *args):
        return ["unshare", "-m", "sh", "-c", f"mount --bind {self.authorities} /etc/ssl/certs && "
                f'mount --bind {self.hosts} /etc/hosts && exec "$@"', "sh", *super().argv(*args)]

    def inside(self):
        return self.network.inside() if self.network else contextlib.nullcontext()

    def up(self, config, ready=None):
        with self.inside():
            return super().up(config, ready)

    def test(self, *args, expect=0):
        """`homeport dns test`, for people and for programs."""
        with self.inside():
            said = command(*self.argv("dns", "test", *args), env=self.home.env, expect=expect, seconds=60).stdout
            told = command(*self.argv("dns", "test", *args, "--json"), env=self.home.env, expect=expect, seconds=60)
        return said, json.loads(told.stdout)


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
    up = agent.up(section(agent, server, more=f"webhook = {agent.home.path}/missing") +
                  section(agent, server, name="lost.homes.example").replace("-of-lost", "-that-is-lost"))
    up.wait_line(f"name {NAME} has no webhook: .*/missing: No such file")
    assert "lost.homes.example  rfc2136   A       left out" in agent.command("dns", "status").stdout
    up.stop()
    assert "hook-token" not in up.text()


# ---- would it work?

def serial(server):
    return server.record("SOA", "homes.example")[2]


def check_at_a_name_server(server, agent, running):
    before = serial(server)
    said = agent.command("dns", "test", NAME).stdout
    assert ("homeport is not running here" in said) == (not running)
    assert f"{NAME} at rfc2136\n" in said and "works   yes\n" in said
    assert "check   good: the server takes updates of this name with this key" in said
    assert f"update  DNS UPDATE at 127.0.0.1:{server.port}, zone homes.example, signed with the key homeport" in said
    told = json.loads(agent.command("dns", "test", "--json", expect=1).stdout)
    assert told["agent"] == running
    good, bad = told["names"]
    assert good["works"] is True and good["checks"][0]["good"] is True
    assert good["records"][0]["found"] == (ADDRESS if running else "")
    assert good["records"][0]["send"] == ("nothing" if running else "asks")
    # A key that may not change that name is told without a change, too.
    assert bad["works"] is False and bad["checks"][0]["answer"] == "badkey"
    assert SECRET not in said + json.dumps(told)
    assert serial(server) == before


def test_at_a_name_server(server, agent):
    config = section(agent, server) + section(agent, server, name="other.homes.example")
    agent.config.write_text(config)
    check_at_a_name_server(server, agent, running=False)
    up = agent.up(config, ready=f"is {ADDRESS} now")
    check_at_a_name_server(server, agent, running=True)
    assert "no such name in the configuration" in agent.command("dns", "test", "x.example", expect=1).stderr
    said = agent.command("dns", "test", NAME, "--send", "--force").stdout
    assert "sent    good: updated (A)\n" in said
    up.stop()


def test_at_a_name_server_that_refuses(server, agent):
    agent.config.write_text(section(agent, server, secret="d3Jvbmc="))
    assert "check   bad: the key has another secret at the server (A)" in agent.command(
        "dns", "test", expect=1).stdout
    agent.config.write_text(section(agent, server).replace("zone = homes", "zone = homes.homes").replace(
        "[dns home.", "[dns home.homes."))
    told = json.loads(agent.command("dns", "test", "--json", expect=1).stdout)
    assert told["names"][0]["checks"][0]["good"] is False
    agent.config.write_text(section(agent, server).replace(str(server.port), str(free_port())))
    assert "bad: the provider could not be reached" in agent.command("dns", "test", expect=1).stdout


def test_interrupted(run, server, agent):
    """The homeport that tests reads its configuration again, or ends."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = section(agent, server).replace(str(server.port), str(silent.getsockname()[1]))
        up = agent.up(config, ready="homeport is up")
        silent.settimeout(10)
        for interrupt, told in ((lambda: up.send_signal(signal.SIGHUP), "the configuration was read again meanwhile"),
                                (up.stop, "the homeport that runs here hung up")):
            with silent.accept()[0]:  # what it asks by itself
                test = run.start(*agent.argv("dns", "test"), env=agent.home.env)
                with silent.accept()[0]:
                    interrupt()
                    assert test.wait() == 1
                    assert told in test.text("err")


def test_what_nobody_can_test(agent):
    assert "no names are configured" in agent.command("dns", "test", expect=1).stderr
    agent.config.write_text("[dns a.example.org]\nprovider = dyn\nuser = me\n"
                            f"password-file = {agent.home.path}/missing\naddress = 8.8.4.4\n")
    said = agent.command("dns", "test", expect=1).stdout
    assert "check   bad: " in said and "missing: No such file or directory\n" in said
    # All that needs no secret is there.
    assert f"  update  GET https://members.dyndns.org/v3/update?hostname=a.example.org&myip={ADDRESS}\n" in said
    assert "only it sends updates" in agent.command("dns", "test", "a.example.org", "--send", expect=1).stderr
    assert "wants a NAME" in agent.command("dns", "test", "--send", expect=2).stderr
    assert "without --send" in agent.command("dns", "test", "--force", expect=2).stderr
    agent.config.write_text("[dns a.example.org]\nprovider = dyn\nuser =\n")
    assert "homeport.conf:3" in agent.command("dns", "test", expect=2).stderr


@needs_root
def test_at_a_provider_of_one_request(run, tmp_path):
    agent = Trusting(run, tmp_path)
    port = free_port()
    (tmp_path / "password").write_text("s3cret\n")
    with Provider(agent.certificate, {"GET /nic/update": (200, "badauth")}) as other:
        config = "".join(f"[dns {name}]\nname = {name}.localhost\nprovider = dyndns2\nserver = localhost:{at}\n"
                         f"user = {name}\npassword-file = {tmp_path}/password\naddress = {ADDRESS}\n"
                         for name, at in (("blog", port), ("shop", other.port)))
        config += f"webhook = https://localhost:{other.port}/t/hook-token\n"
        agent.config.write_text(config)
        said, told = agent.test()
        assert said.count("works   perhaps: ") == 2 and not other.requests
        assert (f"  update  GET https://localhost:{port}/nic/update?hostname=blog.localhost&myip={ADDRESS}\n"
                in said) and "          Authorization: Basic ***\n" in said
        # With a homeport that runs: what it has sent by itself, and nothing more.
        up = agent.up(config)
        up.wait_line("shop.localhost at dyndns2: wrong user, password or token")
        up.wait_line("blog.localhost at dyndns2: the provider could not be reached")
        said, told = agent.test(expect=1)
        assert "nothing is sent until the configuration is another one" in said
        assert [name["records"][0]["send"] for name in told["names"]] == ["trouble", "parked"]
        wait_until(lambda: len(other.requests) == 2, "the webhook is told")
        assert [path.split("?")[0] for _, path, *_ in other.requests] == ["/nic/update", "/t/hook-token"]
        assert json.loads(other.requests[1][3])["event"] == "parked"
        with Provider(agent.certificate, {"GET /nic/update": (200, f"good {ADDRESS}")}, port) as provider:
            assert f"  sent    good: updated (good {ADDRESS}) (A)\n  works   yes\n" in agent.command(
                "dns", "test", "blog", "--send").stdout
            assert len(provider.requests) == 1
            # It is there: by the rules nothing is to be sent.
            assert "  sent    nothing\n" in agent.command("dns", "test", "blog", "--send").stdout
            assert len(provider.requests) == 1
        up.stop()
        assert "s3cret" not in said + json.dumps(told) + up.text()


@needs_root
def test_at_a_provider_of_several_requests(run, tmp_path):
    agent = Trusting(run, tmp_path, "api.cloudflare.com")
    agent.network = Namespace()
    zones = "/client/v4/zones"
    answers = {f"GET {zones}": (200, '{"success":true,"result":[{"id":"z1"}]}'),
               f"GET {zones}/z1/dns_records": (200, '{"success":true,"result":[{"id":"r1","content":"192.0.2.1"}]}')}
    (tmp_path / "token").write_text("s3cret\n")
    agent.config.write_text("[dns blog.example.org]\nprovider = cloudflare\nzone = example.org\n"
                            f"password-file = {tmp_path}/token\naddress = {ADDRESS}\n")
    with agent.network.inside():
        provider = Provider(agent.certificate, answers, port=443)
    with provider:
        said, told = agent.test()
        assert "check   good: user or token are good, and there is an A record (A)\n  works   yes\n" in said
        assert f"  update  PATCH https://api.cloudflare.com{zones}/z1/dns_records/r1\n" in said
        assert f'          {{"content":"{ADDRESS}"}}\n' in said
        assert [r["changes"] for r in told["names"][0]["requests"]] == [False, False, True]
        assert {method for method, *_ in provider.requests} == {"GET"}
        assert {authorization for _, _, authorization, _ in provider.requests} == {"Bearer s3cret"}
        answers[f"GET {zones}"] = 403, '{"success":false,"errors":[{"code":9109}]}'
        refused, told = agent.test(expect=1)
        assert "works   no: wrong user, password or token" in refused
        assert "s3cret" not in said + refused + json.dumps(told)
