"""Names whose IPv4 address somebody else has to tell: the router, a STUN server, web servers, the gateway.

The world is the visitor's machine: Knot as the provider, Debian's STUN server, and web servers that answer with
the address that they see.
"""
import contextlib
import http.server
import re
import shutil
import signal
import ssl
import subprocess
import threading
import time

import pytest

from harness import Gateway, wait_until
from routers import HOME, ROOMMATE, VISITOR, RouterLab, needs_routers, needs_tun
from test_doors import Doors
from test_map import switches
from test_names import NAME, NameServer, SECRET, SOON_S

pytestmark = [needs_routers,
              pytest.mark.skipif(not shutil.which("knotd", path="/usr/sbin:/usr/bin"), reason="needs knotd"),
              pytest.mark.skipif(not shutil.which("stund", path="/usr/sbin:/usr/bin"), reason="needs stun-server")]

SECOND_STUN_ADDRESS = "198.51.100.21"  # a STUN server of that time has two
OTHER = "home2.homes.example"


class Echo:
    """A web server that answers with its visitor's address, or with what it is told to say."""

    def __init__(self, lab, certificate, says=None):
        self.asked = 0

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(handler):
                self.asked += 1
                body = (says or handler.client_address[0]).encode() + b"\n"
                handler.send_response(200)
                handler.send_header("Content-Length", str(len(body)))
                handler.end_headers()
                handler.wfile.write(body)

            def log_message(self, *_):
                pass

        with lab.visitor.inside():
            self._server = http.server.ThreadingHTTPServer((VISITOR, 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://{VISITOR}:{self._server.server_address[1]}/"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class World:
    """What there is on the visitor's machine."""

    def __init__(self, run, lab, folder):
        self.run = run
        self.lab = lab
        self.folder = folder
        self.names = NameServer(run, lab, folder / "knot")
        self._stack = contextlib.ExitStack()

    def close(self):
        self._stack.close()

    def stun(self):
        self.lab.visitor.ip(f"addr add {SECOND_STUN_ADDRESS}/24 dev eth0")
        with self.lab.visitor.inside():
            self.run.start("/usr/sbin/stund", "-h", VISITOR, "-a", SECOND_STUN_ADDRESS)
            wait_until(lambda: ":0D97 " in open("/proc/thread-self/net/udp").read(), "the STUN server listens")
        return " ".join(f"{a}:{port}" for a in (VISITOR, SECOND_STUN_ADDRESS) for port in (3478, 3479))

    def echoes(self, *says):
        """One for each of these: what it says; None: the truth."""
        certificate = self.folder / "cert", self.folder / "key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-subj", "/CN=echo", "-addext", f"subjectAltName=IP:{VISITOR}", "-keyout",
                        certificate[1], "-out", certificate[0]], check=True, capture_output=True)
        self.authorities = self.folder / "authorities"
        self.authorities.mkdir()
        (self.authorities / "ca-certificates.crt").write_bytes(certificate[0].read_bytes())
        found = [Echo(self.lab, certificate, word) for word in says]
        for echo in found:
            self._stack.callback(echo.close)
        return found

    def address(self, name=NAME):
        return self.names.record("A", name)


class Names(Doors):
    """A homeport at home, or on another machine there, with one name at the world's provider."""

    def __init__(self, run, lab, world, host=None):
        super().__init__(run, lab)
        self.world = world
        self.host = host or lab.home

    def argv(self, *args):
        argv = super().argv(*args)
        if args[0] != "up" or not hasattr(self.world, "authorities"):
            return argv
        return ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/ssl/certs && exec "$@"',
                self.world.authorities, *argv]

    def keep(self, observe, name=NAME, more=""):
        secret = self.home.path / "secret"
        secret.write_text(SECRET + "\n")
        self.config.write_text(f"""\
[dns {name}]
provider = rfc2136
zone = homes.example
server = {VISITOR}
user = homeport
password-file = {secret}
family = ipv4

[observe]
{observe}
{more}
""")
        with self.host.inside():
            process = self.run.start(*self.argv("up"), env=self.home.env)
        process.wait_line("homeport is up")
        return process

    def why(self):
        return self.json("dns", "status")["names"][0].get("why", "")

    def say(self, *args, expect=0):
        return self.lab.at_home(*self.argv(*args), env=self.home.env, expect=expect, host=self.host)


@pytest.fixture
def home(run, tmp_path):
    """home(profile): a homeport there; closes what was made."""
    with contextlib.ExitStack() as stack:
        def make(profile, **different):
            lab = stack.enter_context(RouterLab(profile, **different))
            world = World(run, lab, tmp_path)
            stack.callback(world.close)
            return Names(run, lab, world)
        yield make


def is_published(names, address, name=NAME, seconds=20):
    """How long it took."""
    began = time.monotonic()
    wait_until(lambda: names.world.address(name) == address, f"{name} is {address}", seconds)
    return time.monotonic() - began


@pytest.mark.soak  # it takes half a minute, and tests/unit/dns/test_choose.c has the rule
def test_one_kind_of_stranger_alone(run, home):
    """A STUN server, or web servers: what they say is believed when they say it again."""
    first = home("none", v6=False)
    lab, world = first.lab, first.world
    echoes = world.echoes(None, None, "11.9.9.9", None, None)
    second = Names(run, lab, world, host=lab.roommate)
    first.keep(f"stun = {world.stun()}\necho = none")
    second.keep("stun = none\necho = " + " ".join(echo.url for echo in echoes), name=OTHER)
    began = time.monotonic()
    wait_until(lambda: "is said by nobody else yet" in first.why(), "the STUN server has answered")
    wait_until(lambda: "is said by nobody else yet" in second.why(), "the web servers have answered")
    assert world.address() is None and world.address(OTHER) is None
    is_published(first, lab.public, seconds=60)
    is_published(second, lab.public, OTHER, seconds=60)
    assert time.monotonic() - began > 25
    assert first.why() == f"{lab.public} from a STUN server"
    assert second.why() == f"{lab.public} from echo services"
    assert all(echo.asked <= 1 for echo in echoes)


@pytest.mark.parametrize("profile", ["upnp", "natpmp-only", "igd-only", "pcp-only"])
def test_the_router_and_a_stranger(home, profile):
    """Two that agree are believed at once. By PCP a router tells its address only with a door."""
    names = home(profile, v6=False)
    lab = names.lab
    names.keep(f"stun = {names.world.stun()}\necho = none", more="[door web]\nport = 80" * (profile == "pcp-only"))
    is_published(names, lab.public)
    assert names.why() == f"{lab.public} from the router, confirmed by a STUN server"
    assert len(lab.doors()) == (profile == "pcp-only")  # nobody else wanted one


def test_the_router_tells_of_a_change(home, figure):
    names = home("upnp", v6=False)
    lab = names.lab
    names.keep(f"stun = {names.world.stun()}\necho = none")
    is_published(names, lab.public)
    address = lab.change_wan_address()
    figure("the router's address outside changes: the name server has it after", is_published(names, address), SOON_S)


@pytest.mark.parametrize("profile", ["natpmp-only", "upnp"])
def test_a_router_that_tells_nobody_of_a_change(home, profile, figure):
    """It is asked again when a stranger says something else, and the two of them agree; whatever it said of a door
    that it opened by PCP before."""
    names = home(profile, v6=False)
    lab = names.lab
    up = names.keep(f"stun = {names.world.stun()}\necho = none", more="[door web]\nport = 80" * (profile == "upnp"))
    is_published(names, lab.public)
    if profile == "upnp":
        wait_until(lambda: len(lab.doors()) == 1, "the door is open")
        names.config.write_text(names.config.read_text().partition("[door web]")[0])
        up.send_signal(signal.SIGHUP)
        wait_until(lambda: not lab.doors(), "the door is closed")
        is_published(names, lab.public)
    lab.router.namespace.nft("""table ip silence {
        chain out { type filter hook output priority 0; ip daddr { 224.0.0.1, 239.255.255.250 } drop;
        }
    }""")
    address = lab.change_wan_address()
    lab.home.ip("addr add 192.168.1.77/24 dev eth0")  # the network is another one, so strangers are asked
    figure("another address outside, which a router that is silent has to be asked for: the name server has it after",
           is_published(names, address), SOON_S)


@pytest.mark.parametrize("profile", ["cgnat", "double-nat"])
def test_the_router_has_no_public_address(home, profile):
    names = home(profile, v6=False)
    lab, world = names.lab, names.world
    observe = f"stun = {world.stun()}\necho = {world.echoes(None)[0].url}"
    up = names.keep(observe)
    wait_until(lambda: "the router says that it has none" in names.why(), "the router has answered")
    assert names.why() == (
        f"{HOME} from the interface is private (RFC 1918); the router says that it has none; another router or the "
        "provider translates (if it is a router whose ports lead here: double-nat = yes)")
    assert "translates" in names.say("dns", "status")
    assert world.address() is None
    up.stop()
    # Somebody knows better.
    names.keep(observe + "\ndouble-nat = yes")
    is_published(names, lab.public)
    assert names.why().startswith(f"{lab.public} from a STUN server, confirmed by echo services")


def join_a_gateway(run, lab, names, host=None, address=VISITOR):
    with (host or lab.visitor).inside():
        gateway = Gateway(run, address=address)
        gateway.start()
        code = gateway.invite("laptop")
    with lab.home.inside():
        names.join(code)


@pytest.mark.parametrize("profile, most", [("none", 12), ("upnp", 8)])
def test_the_gateway(run, home, profile, most, figure):
    """A change kills the link, of which nobody is told: it is found when a question is not answered, within
    seconds, or refused. Where the router tells of the change, that is asked at once."""
    names = home(profile, v6=False)
    lab = names.lab
    join_a_gateway(run, lab, names)
    names.keep("stun = none\necho = none")
    is_published(names, lab.public)
    wait_until(lambda: names.why().startswith(f"{lab.public} from the gateway"), "the gateway says so")
    address = lab.change_wan_address()
    told = "the router tells of it" if profile == "upnp" else "nobody tells"
    figure(f"another address at the gateway ({told}): the name server has it after", is_published(names, address),
           most)


def test_the_gateway_and_another_place_in_the_same_house(run, home):
    """The router, which is slow, has the first word there again: nobody can come in by what the gateway sees."""
    names = home("cgnat", v6=False)
    lab = names.lab
    join_a_gateway(run, lab, names)
    up = names.keep("stun = none\necho = none")
    up.wait_line("connected to the gateway")
    wait_until(lambda: "from the gateway is not ours" in names.why(), "the gateway and the router have spoken")
    lab.router.namespace.nft("""table ip slow {
        chain out {
            type filter hook output priority 0;
            oifname lan tcp sport != 0 drop; oifname lan udp sport 1900 drop; udp sport 5351 quota until 180 bytes drop;
        }
    }""")  # three answers by NAT-PMP and PCP are lost
    lab.change_home_address()
    both = f"{lab.home_address} from the interface .* the router says that it has none"
    wait_until(lambda: re.search(both, names.why()), "the router has spoken")
    assert names.world.address() is None


def test_a_gateway_in_the_house(run, home):
    """It sees an address that nobody can come to, and others are asked for the one outside."""
    names = home("none", v6=False)
    lab, world = names.lab, names.world
    join_a_gateway(run, lab, names, lab.roommate, ROOMMATE)
    echoes = world.echoes(None, None, None, None)
    up = names.keep(f"stun = {world.stun()}\necho = " + " ".join(echo.url for echo in echoes))
    up.wait_line("connected to the gateway")
    is_published(names, lab.public)
    address = lab.change_wan_address()
    lab.home.ip("addr add 192.168.1.77/24 dev eth0")  # the network is another one
    is_published(names, address)
    assert names.why() == f"{address} from a STUN server, confirmed by echo services"


@needs_tun
def test_a_vpn_is_not_the_way_in(run, home):
    """It takes all traffic and has another address outside, which the gateway sees and strangers would."""
    names = home("none", v6=False)
    lab, world = names.lab, names.world
    join_a_gateway(run, lab, names)
    exit_address = lab.add_vpn()
    echo = world.echoes(None)[0]
    up = names.keep(f"stun = {world.stun()}\necho = {echo.url}")
    up.wait_line("connected to the gateway")
    wait_until(lambda: re.search(rf"seen from +{exit_address}:", names.say("status")), "the link goes through the VPN")
    is_published(names, lab.public)
    assert names.why() == f"{lab.public} from a STUN server, confirmed by echo services"


@pytest.mark.parametrize("back", [False, pytest.param(True, marks=pytest.mark.soak)], ids=["over", "and back"])
def test_the_other_line_takes_over(home, figure, back):
    """Back again no web server may be asked so soon: the STUN server must say it twice."""
    names = home("none", v6=False)
    lab, world = names.lab, names.world
    line = lab.add_line()
    echoes = world.echoes(None, None, None, None)
    up = names.keep(f"stun = {world.stun()}\necho = " + " ".join(echo.url for echo in echoes))
    is_published(names, lab.public)  # the one that the routes prefer
    lab.home.ip("link set eth0 down")
    figure("the other line takes over: the name server has its address after", is_published(names, line), 4)
    if back:
        lab.home.ip("link set eth0 up", "route add default via 192.168.1.1")
        is_published(names, lab.public, seconds=60)
    up.stop()


@pytest.mark.soak
def test_wake_ups_while_nothing_changes(home, figure):
    """Strangers are asked every five minutes, nobody else does anything."""
    names = home("upnp", v6=False)
    up = names.keep(f"stun = {names.world.stun()}\necho = none")
    is_published(names, names.lab.public)
    time.sleep(60)  # what follows from the start is over
    before, minutes = switches(up.pid), 10
    time.sleep(60 * minutes)
    figure("wake-ups a minute behind a router, with a name", (switches(up.pid) - before) / minutes, 1, unit="")
