"""homeport at providers' servers that nobody here wrote, in front of BIND: the software of nsupdate.info (dyndns2), and
dyndns (words of its own).

	homeport ── https ──▶ nginx ── http ──▶ nsupdate.info ── TSIG ──▶ BIND ◀── what is published? ── homeport

All in one network namespace, whose resolver is that BIND. scripts/install-peers has them; without, this is skipped.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from harness import ROOT, Agent, wait_until
from name_servers import Bind, program
from provider_net import V4, V6, ProviderNet, needs_provider_net

PEERS = ROOT / "build-bench/peers/bin"
PYTHON = PEERS / "nsupdate-python"
SITE = ROOT / "tests/system/nsupdate_site.py"
SERVER = "ddns.example"
ZONE = "homes.example"
KEY_SECRET = "c2VjcmV0IG9mIGEgdGVzdCwgbm90IG9mIGFueWJvZHksIGFuZCBsb25nIGVub3VnaCBmb3IgU0hBLTUxMg=="
HOSTS = {host: f"pass:word # {host}" for host in "abc"}


def missing():
    return Bind.missing() or (None if program("nginx") else "needs nginx")


pytestmark = [needs_provider_net, pytest.mark.skipif(missing() is not None, reason=str(missing()))]


def needs_peer(name):
    if not (PEERS / f"{name}-python").exists():
        pytest.skip(f"needs {name}: scripts/install-peers {name}")


def operator(folder, *words):
    done = subprocess.run([PYTHON, SITE, folder, *words], text=True, capture_output=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


class ZoneServer(Bind):
    """The key is called as the zone is: nsupdate.info has it so."""

    def configure(self):
        argv = super().configure()
        path = self.folder / "named.conf"
        path.write_text(path.read_text() + f"""
key "{ZONE}" {{ algorithm hmac-sha512; secret "{KEY_SECRET}"; }};
""")
        text = path.read_text()
        path.write_text(text.replace("update-policy {", f"update-policy {{\n\t\tgrant {ZONE} subdomain {ZONE} A AAAA;", 1))
        return argv


class Site:
    """A server at 127.0.0.1:8000 behind nginx, and what it is asked."""

    update = r""  # of a request: what is before the update's own words

    def __init__(self, run, net, folder):
        self.net, self.folder = net, folder
        (folder / "nginx.conf").write_text(f"""\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr;
events {{ }}
http {{
	log_format asked '$status $request';
	access_log {folder}/asked asked;
	client_body_temp_path {folder};
	proxy_temp_path {folder};
	fastcgi_temp_path {folder};
	uwsgi_temp_path {folder};
	scgi_temp_path {folder};
	server {{
		listen 127.0.0.1:443 ssl;
		ssl_certificate {net.certificate};
		ssl_certificate_key {net.key};
		location / {{
			proxy_pass http://127.0.0.1:8000;
			proxy_set_header Host $host;
			proxy_set_header X-Forwarded-Proto https;
		}}
	}}
}}
""")
        with net.inside():
            self.process = self.serve(run)
            run.start(program("nginx"), "-p", folder, "-c", folder / "nginx.conf")
        wait_until(self._answers, f"{type(self).__name__} answers", seconds=30)

    def _answers(self):
        with self.net.inside():
            done = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "5", "--cacert",
                                   self.net.certificate, "--resolve", f"{SERVER}:443:127.0.0.1", f"https://{SERVER}/myip"],
                                  text=True, capture_output=True)
        return done.stdout not in ("000", "502")

    def asked(self):
        """Status and what was asked for, of each update so far."""
        return [f"{status} {what}" for status, what in re.findall(
            rf"^(\d+) GET {self.update}(.*) HTTP/1.1$", (self.folder / "asked").read_text(), re.M)]

    def was_asked(self, expected):
        """Exactly that, in this order. nginx writes a line after the answer."""
        wait_until(lambda: len(self.asked()) >= len(expected), f"asked: {expected}")
        assert self.asked() == expected


class NsupdateInfo(Site):
    update = r"/nic/update\?hostname="

    def __init__(self, run, net, folder, made):
        folder.mkdir()
        shutil.copy(made, folder)
        super().__init__(run, net, folder)

    def serve(self, run):
        process = run.start(PYTHON, SITE, self.folder, "serve", 8000, cwd=self.folder, env={
            **os.environ, "DNS_RESOLVER_TIMEOUT": "1", "DNS_UPDATE_TIMEOUT": "1"})
        process.wait_line("Starting development server", seconds=60)
        return process

    def operator(self, *words):
        """What he does with nsupdate_site.py: changing a host changes its records, too."""
        with self.net.inside():
            return operator(self.folder, *words)


class Dyndns(Site):
    """One secret for all names. What an update does not name is deleted."""

    update = r"/update-by-query\?"
    secret = "secretOfAllNames"

    def __init__(self, run, net, folder):
        folder.mkdir()
        (folder / "dyndns.yml").write_text(f"""\
secret: {self.secret}
nameserver: 127.0.0.1
zones:
  - name: {ZONE}
    tsig_key: {KEY_SECRET}
""")
        super().__init__(run, net, folder)

    def serve(self, run):
        process = run.start(PEERS / "dyndns-python", "-c", "import dyndns.cli; dyndns.cli.main()", "--config",
                            self.folder / "dyndns.yml", "serve", "--port", 8000, cwd=self.folder)
        process.wait_line("Serving Flask app", seconds=60)
        return process


class Home(Agent):
    """A machine with public addresses, which trusts the site's certificate and asks BIND for names."""

    def __init__(self, run, net):
        super().__init__(run)
        self.net = net

    def section(self, host, provider="nsupdate.info", password=None, **settings):
        path = self.home.path / f"secret-{host}"
        path.write_text((password or HOSTS[host]) + "\n")
        path.chmod(0o600)
        settings = {"provider": provider, "password-file": path, "server": SERVER} | settings
        return f"[dns {host}]\nname = {host}.{ZONE}\n" + "".join(
            f"{key} = {value}\n" for key, value in settings.items() if value)

    def up(self, config, ready="homeport is up"):
        self.config.write_text(config)
        with self.net.inside():
            process = self.run.start(*self.net.argv(*self.argv("up")), env=self.home.env)
        process.wait_line(ready)
        return process

    def dns(self, *words):
        with self.net.inside():
            return self.command("dns", *words).stdout

    def statuses(self):
        return json.loads(self.dns("status", "--json"))["names"]

    def answers(self):
        """{(label, family): the provider's last answer}"""
        return {(name["name"], name["family"]): name.get("answer") for name in self.statuses()}

    def age(self):
        """What is stored becomes five minutes old: the least time between two requests is over."""
        path = self.state / "dns.json"
        stored = json.loads(path.read_text())
        for name in stored["names"].values():
            for key in "attempted", "confirmed", "interval_spent", "since":
                name[key] = max(0, name[key] - 300)
        path.write_text(json.dumps(stored))


@pytest.fixture
def net(tmp_path):
    with ProviderNet(tmp_path / "net", SERVER) as net:
        yield net


@pytest.fixture
def server(run, net, tmp_path):
    with net.inside():
        return ZoneServer(run, tmp_path, port=53)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """nsupdate.info's database: seconds of work."""
    needs_peer("nsupdate")
    folder = tmp_path_factory.mktemp("made")
    operator(folder, "make", ZONE, KEY_SECRET, *[f"{host}={password}" for host, password in HOSTS.items()])
    return folder / "site.sqlite"


@pytest.fixture
def site(run, net, server, made, tmp_path):
    return NsupdateInfo(run, net, tmp_path / "site", made)


@pytest.fixture
def home(run, net):
    return Home(run, net)


def records(net, server, host="a"):
    with net.inside():
        return server.record("A", f"{host}.{ZONE}"), server.record("AAAA", f"{host}.{ZONE}")


def wait_current(home, *addresses):
    wait_until(lambda: [name.get("published") for name in home.statuses()] == list(addresses), f"published: {addresses}")


def test_a_name_that_moves(net, server, site, home, figure):
    """Each change is sent once; what is known, or can be asked for, is not."""
    config = home.section("a")
    up = home.up(config)
    wait_current(home, V4, V6)
    assert records(net, server) == (V4, V6)
    asked = [f"200 a.{ZONE}&myip={V4},{V6}"]
    site.was_asked(asked)
    up.stop()
    home.age()

    up = home.up(config)
    wait_current(home, V4, V6)
    site.was_asked(asked)
    began = time.monotonic()
    net.move(V4, "8.8.4.8")
    wait_until(lambda: records(net, server) == ("8.8.4.8", V6), "the name followed")
    figure("another address of the interface: the site's name server has it", time.monotonic() - began, 5)
    net.move(V6, "2606:4700:1::8")
    wait_current(home, "8.8.4.8", "2606:4700:1::8")
    assert records(net, server) == ("8.8.4.8", "2606:4700:1::8")
    asked += [f"200 a.{ZONE}&myip=8.8.4.8", f"200 a.{ZONE}&myip=2606:4700:1::8"]
    site.was_asked(asked)

    held = json.loads(site.operator("show", "a"))
    assert (held["client_faults"], held["api_auth_faults"], held["over_tls"]) == (0, 0, True)

    home.dns("update", "--force", "a")
    wait_until(lambda: set(home.answers().values()) == {"nochg"}, "it had that already")
    asked.append(f"200 a.{ZONE}&myip=8.8.4.8,2606:4700:1::8")
    site.was_asked(asked)
    up.stop()
    (home.state / "dns.json").unlink()

    up = home.up(config)
    wait_current(home, "8.8.4.8", "2606:4700:1::8")  # the name server was asked
    site.was_asked(asked)
    up.stop()


@pytest.mark.parametrize("settings", [
    {"provider": "dyndns2", "user": f"a.{ZONE}"},
    {"provider": "template", "user": f"a.{ZONE}", "server": None, "good": "good ...", "nochg": "nochg ...",
     "url": f"https://{SERVER}/nic/update?hostname={{host}}&myip={{value}}"},
], ids=["dyndns2", "template"])
def test_other_ways_to_say_the_same(net, server, site, home, settings):
    up = home.up(home.section("a", **settings))
    wait_current(home, V4, V6)
    assert records(net, server) == (V4, V6)
    assert set(home.answers().values()) == {"good"}
    up.stop()


def test_what_only_a_person_can_mend(net, server, site, home):
    site.operator("set", "b", "abuse=1")
    site.operator("set", "c", "available=0")
    config = (home.section("a", password="not it") + home.section("b") + home.section("c") +
              home.section("nobody", password="whatever"))
    wrong = {"a": "badauth", "b": "abuse", "c": "nohost", "nobody": "badauth"}

    def all_parked():
        return {(name["name"], name["state"]) for name in home.statuses()} == {(host, "parked") for host in wrong}

    up = home.up(config)
    wait_until(all_parked, "each was refused")
    assert home.answers() == {(host, family): answer for host, answer in wrong.items() for family in ("ipv4", "ipv6")}
    wait_until(lambda: len(site.asked()) >= len(wrong), "the requests are noted")
    asked = site.asked()
    assert sorted(line.split("&")[0] for line in asked) == sorted(
        f"{401 if answer == 'badauth' else 200} {host}.{ZONE}" for host, answer in wrong.items())

    # Neither another address nor a restart changes that; a person's word does.
    net.move(V4, "8.8.4.8")
    wait_until(lambda: {name["wanted"] for name in home.statuses() if name["family"] == "ipv4"} == {"8.8.4.8"}, "it is seen")
    up.stop()
    home.age()
    up = home.up(config)
    assert all_parked()
    site.operator("set", "b", "abuse=0")
    home.dns("update", "b")
    wait_until(lambda: records(net, server, "b") == ("8.8.4.8", V6), "b is served again")
    site.was_asked(asked + [f"200 b.{ZONE}&myip=8.8.4.8,{V6}"])
    assert records(net, server) == (None, None)
    up.stop()
    assert not any(password in up.text() for password in HOSTS.values())


def test_a_name_server_that_is_away(net, server, site, home):
    up = home.up(home.section("a", family="ipv4"))
    wait_current(home, V4)
    up.stop()
    home.age()
    up = home.up(home.section("a", family="ipv4"))
    wait_current(home, V4)
    server.process.stop()
    net.move(V4, "8.8.4.8")
    up.wait_line(rf"warning: name a.{ZONE} at nsupdate.info: the provider's name server has trouble \(dnserr\); "
                 r"trying again in 3\d min")
    assert home.statuses()[0]["retry_s"] >= 1790
    site.was_asked([f"200 a.{ZONE}&myip={V4}", f"200 a.{ZONE}&myip=8.8.4.8"])
    up.stop()


def test_a_site_that_is_away(net, server, site, home):
    site.process.stop(expect=-signal.SIGTERM)
    up = home.up(home.section("a", family="ipv4"))
    up.wait_line(rf"warning: name a.{ZONE} at nsupdate.info: .*; trying again in \d+ s")
    site.was_asked([f"502 a.{ZONE}&myip={V4}"])
    up.stop()


# ---- a server with words of its own

URL = f"https://{SERVER}/update-by-query?secret={{pass}}&fqdn={{host}}&ipv4={{ip4}}&ipv6={{ip6}}&ttl={{ttl}}"
WORDS = {"provider": "template", "server": None, "user": "anybody", "url": URL, "good": "updated: ...",
         "nochg": "unchanged: ...", "fatal": "parameter_error: ...", "retry": "dns_server_error: ..."}


def test_a_template_for_a_server_with_words_of_its_own(run, net, server, home, tmp_path):
    needs_peer("dyndns")
    site = Dyndns(run, net, tmp_path / "site")

    def query(v4, v6, host="a"):
        return f"secret={site.secret}&fqdn={host}.{ZONE}&ipv4={v4}&ipv6={v6}&ttl=60"

    config = home.section("a", password=site.secret, **WORDS)
    up = home.up(config)
    wait_current(home, V4, V6)
    assert records(net, server) == (V4, V6)
    up.stop()
    home.age()
    up = home.up(config)
    wait_current(home, V4, V6)
    net.move(V4, "8.8.4.8")
    wait_current(home, "8.8.4.8", V6)
    assert records(net, server) == ("8.8.4.8", V6)  # both, because the one that is not named would be gone
    assert set(home.answers().values()) == {"good"}
    home.dns("update", "--force", "a")
    wait_until(lambda: set(home.answers().values()) == {"nochg"}, "it had that already")
    site.was_asked([f"200 {query(*addresses)}" for addresses in ((V4, V6), ("8.8.4.8", V6), ("8.8.4.8", V6))])
    up.stop()


def test_a_template_s_refusals(run, net, server, home, tmp_path):
    needs_peer("dyndns")
    site = Dyndns(run, net, tmp_path / "site")
    up = home.up(home.section("a", password="wrongSecret", **WORDS))
    up.wait_line(rf"error: name a.{ZONE} at template: .*wrong secret key.*nothing more is sent")
    site.was_asked([f"456 secret=wrongSecret&fqdn=a.{ZONE}&ipv4={V4}&ipv6={V6}&ttl=60"])
    assert {name["state"] for name in home.statuses()} == {"parked"} and records(net, server) == (None, None)
    up.stop()
