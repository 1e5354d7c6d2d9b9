"""Who moves here from ddclient or inadyn: these programs run, and what they leave is imported. No request is sent that
is not needed, at servers that each program takes for the real Dyn and DuckDNS."""
import http.server
import json
import ssl
import subprocess
import threading
import urllib.parse

import pytest

from harness import Agent, wait_until
from name_servers import program
from provider_net import V4, ProviderNet, needs_provider_net

DYN, DUCKDNS = "members.dyndns.org", "www.duckdns.org"
SECRET, TOKEN = "dyn-secret", "duck-token"
HOSTS = "home.example.org", "nas.example.org", "ann.duckdns.org"


def needs(*names):
    absent = [name for name in names if not program(name)]
    return pytest.mark.skipif(bool(absent), reason=f"needs {', '.join(absent)}")


pytestmark = needs_provider_net


class Providers:
    """Dyn and DuckDNS, with and without TLS: everything is good. They note who came."""

    def __init__(self, net):
        self.asked = []  # (host, path, User-Agent)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append((self.headers["Host"].split(":")[0], self.path, self.headers["User-Agent"]))
                query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
                hosts = query.get("hostname", [""])[0].split(",")  # Dyn has a line for each
                body = f"good {query['myip'][0]}\n" * len(hosts) if "myip" in query else "OK"
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(net.certificate, net.key)
        with net.inside():
            self._servers = [http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler) for port in (80, 443)]
        self._servers[1].socket = context.wrap_socket(self._servers[1].socket, server_side=True)
        for server in self._servers:
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def close(self):
        for server in self._servers:
            server.shutdown()
            server.server_close()


@pytest.fixture
def net(tmp_path):
    with ProviderNet(tmp_path / "net", DYN, DUCKDNS) as net:
        yield net


@pytest.fixture
def providers(net):
    providers = Providers(net)
    yield providers
    providers.close()


class Here(Agent):
    """homeport on that machine."""

    def __init__(self, run, net):
        super().__init__(run)
        self.net = net

    def take_over(self, file, cache):
        done = self.command("import", file, "--cache", cache, "--output", self.config)
        assert not any(secret in done.stdout + done.stderr for secret in (SECRET, TOKEN))
        return done.stderr

    def up(self):
        with self.net.inside():
            process = self.run.start(*self.net.argv(*self.argv("up")), env=self.home.env)
        process.wait_line("homeport is up")
        return process

    def published(self):
        with self.net.inside():
            names = json.loads(self.command("dns", "status", "--json").stdout)["names"]
        return {(name["host"], name["family"]): (name.get("published"), name["state"]) for name in names}


@pytest.fixture
def here(run, net):
    return Here(run, net)


def run_once(net, *argv):
    """Another client's one round."""
    with net.inside():
        done = subprocess.run([str(word) for word in net.argv(*argv)], text=True, capture_output=True, timeout=60)
    print(done.stdout, done.stderr)


def moves_here(net, providers, here):
    """What is imported is current, and not sent; the next address is, once for each."""
    def current(address):
        return here.published() == {(host, "ipv4"): (address, "current") for host in HOSTS}

    before = len(providers.asked)
    up = here.up()
    wait_until(lambda: current(V4), "all is known")
    assert len(providers.asked) == before
    net.move(V4, "8.8.4.8")
    wait_until(lambda: current("8.8.4.8"), "they followed")
    paths = sorted(path for _, path, agent in providers.asked[before:] if agent.startswith("homeport "))
    assert paths == ["/update?domains=ann&token=duck-token&ip=8.8.4.8",
                     "/v3/update?hostname=home.example.org&myip=8.8.4.8",
                     "/v3/update?hostname=nas.example.org&myip=8.8.4.8"]
    assert len(providers.asked) == before + 3
    up.stop()


@needs("ddclient")
@pytest.mark.parametrize("how", ["use=if, if=wan", "usev4=ifv4, ifv4=wan"])
def test_from_ddclient(net, providers, here, tmp_path, how):
    config, cache = tmp_path / "ddclient.conf", tmp_path / "ddclient.cache"
    config.write_text(f"""\
daemon=300
ssl=yes
{how}
protocol=dyndns2, server={DYN}, login=ann, password='{SECRET}' home.example.org,nas.example.org
protocol=duckdns, password={TOKEN} ann.duckdns.org
""")
    config.chmod(0o600)
    run_once(net, "ddclient", "-daemon=0", "-verbose", "-file", config, "-cache", cache, "-pid", tmp_path / "pid")
    assert len(providers.asked) == 2 and all("ddclient" in agent for _, _, agent in providers.asked)
    assert "3 of 3 names of ddclient can be used" in here.take_over(config, cache)
    moves_here(net, providers, here)


@needs("inadyn")
def test_from_inadyn(net, providers, here, tmp_path):
    config, cache = tmp_path / "inadyn.conf", tmp_path / "cache"
    cache.mkdir()
    config.write_text(f"""\
period = 300
iface = wan
provider dyndns.org {{
    username = ann
    password = {SECRET}
    hostname = {{ "home.example.org", "nas.example.org" }}
}}
provider duckdns.org {{
    username = {TOKEN}
    password = unused
    hostname = ann.duckdns.org
}}
""")
    run_once(net, program("inadyn"), "--once", "--foreground", "--loglevel=debug", "--no-pidfile", f"--config={config}",
             f"--cache-dir={cache}")
    assert len(providers.asked) == 3 and all("inadyn" in agent for _, _, agent in providers.asked)
    assert "3 of 3 names of inadyn can be used" in here.take_over(config, cache)
    moves_here(net, providers, here)
