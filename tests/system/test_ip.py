"""`homeport ip`: what it says of this machine's addresses, and of machines that the test makes."""
import contextlib
import fcntl
import json
import os
import shutil
import struct
import subprocess

import pytest

from harness import Agent, needs_root, wait_until
from lab import Namespace
from routers import HOME, ROUTER, RouterLab, needs_routers, needs_tun

ADDRESS_KEYS = ["address", "prefix_length", "family", "interface", "kind", "class", "verdict", "why", "chosen", "flags",
                "preferred_s", "valid_s"]
PLACE_KEYS = ["address", "prefix_length", "interface", "router", "verdict", "why"]

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000


@pytest.fixture
def lone(run):
    return Agent(run)


@pytest.fixture
def home():
    """A machine with one cable, to a router that answers nothing."""
    home, other = Namespace(), Namespace()
    home.wire("eth0", other, "lan")
    wait_until(lambda: "LOWER_UP" in home.run("ip", "link", "show", "eth0"), "a carrier")
    yield home
    other.close()
    home.close()


@pytest.fixture
def street():
    with RouterLab("none") as street:
        yield street


def look(lone, namespace=None, *args):
    with namespace.inside() if namespace else contextlib.nullcontext():
        return json.loads(lone.command("ip", "--json", *args).stdout)


def text(lone, namespace, *args):
    with namespace.inside():
        return lone.command("ip", *args).stdout


def verdicts(report):
    return {a["address"]: a["verdict"] for a in report["addresses"]}


# ---- this machine

def test_shape(lone):
    report = look(lone)
    assert list(report) == ["addresses", "ipv4", "ipv6", "routers", "complete"]
    assert report["complete"] is True
    for address in report["addresses"]:
        assert list(address) == ADDRESS_KEYS
        assert address["why"]
    for family in "ipv4", "ipv6":
        place = report[family]
        assert list(place) == PLACE_KEYS
        chosen = [a["address"] for a in report["addresses"] if a["chosen"] and f"ipv{a['family']}" == family]
        assert chosen == ([place["address"]] if place["address"] else [])
        assert (place["address"] is None) == (place["why"] != "")


@pytest.mark.skipif(not shutil.which("ip"), reason="needs ip(8)")
def test_every_address_is_listed(lone):
    def ours():
        return {(a["interface"], a["address"], a["prefix_length"]) for a in look(lone)["addresses"]}

    def theirs():
        listed = json.loads(subprocess.run(["ip", "-json", "addr"], capture_output=True, check=True).stdout)
        return {(link["ifname"], a["local"], a["prefixlen"]) for link in listed for a in link["addr_info"]
                if a["family"] in ("inet", "inet6")}

    wait_until(lambda: ours() == theirs(), "both list the same")  # they may change meanwhile


def test_the_table_has_them_all(lone):
    table = lone.command("ip").stdout
    for a in look(lone)["addresses"]:
        if "temporary" not in a["flags"] and "tentative" not in a["flags"]:  # these may change meanwhile
            assert f"{a['interface']} " in table and f"{a['address']}/{a['prefix_length']} " in table
    assert "\nIPv4  " in table and "\nIPv6  " in table


def test_an_interface_that_is_not_there(lone):
    done = lone.command("ip", "--interface", "nowhere0", expect=1)
    assert done.stderr == "homeport ip: there is no interface nowhere0\n"
    assert "at most 15 bytes" in lone.command("ip", "--interface", "x" * 16, expect=2).stderr


def test_a_full_disk_is_an_error(lone):
    with open("/dev/full", "w") as full:
        for more in [], ["--json"]:
            done = subprocess.run([str(a) for a in lone.argv("ip", *more)], stdout=full, stderr=subprocess.PIPE,
                                  text=True, env=lone.home.env, timeout=10)
            assert (done.returncode, "could not be written" in done.stderr) == (1, True)


# ---- homes behind a real router

@needs_routers
def test_stable_and_temporary(lone, street):
    report = look(lone, street.home)
    assert report["ipv6"]["address"] == street.stable()
    assert report["ipv6"]["router"].startswith("fe80::") and report["ipv6"]["router"].endswith("%eth0")
    assert report["ipv6"]["interface"] == "eth0"
    assert (report["ipv4"]["address"], report["ipv4"]["router"]) == (HOME, ROUTER)
    said = verdicts(report)
    assert said[street.stable()] == "usable"
    assert said[street.temporary()] == "temporary"
    assert said[HOME] == "private"
    table = text(lone, street.home)
    assert f"IPv6  {street.stable()} on eth0, router fe80::" in table
    assert f"IPv4  {HOME} on eth0, router {ROUTER}\n" in table


@needs_routers
def test_the_provider_gives_another_prefix(lone, street):
    before = street.stable()
    street.change_prefix()
    report = look(lone, street.home)
    assert report["ipv6"]["address"] == street.stable() != before
    assert verdicts(report)[before] == "deprecated"


@needs_tun
@needs_routers
def test_a_vpn_does_not_hide_the_router(lone, street):
    street.start_vpn()
    with street.home.inside():
        reply = subprocess.run(["ip", "route", "get", "198.51.100.20"], capture_output=True, text=True).stdout
    assert "dev tun0" in reply  # it really takes everything
    report = look(lone, street.home)
    assert (report["ipv4"]["address"], report["ipv4"]["router"]) == (HOME, ROUTER)
    assert report["ipv6"]["address"] == street.stable()
    assert verdicts(report)["2a0e:9::2"] in ("tunnel", "down")


@needs_routers
def test_forwarding_makes_it_deaf(lone, street):
    """What a container engine does when it starts."""
    for name in "all", "eth0":
        street.home.sysctl(f"ipv6/conf/{name}/forwarding", 1)
    wait_until(lambda: not street.home.run("ip", "-6", "route", "show", "default"), "the default route is gone")
    report = look(lone, street.home)
    assert report["ipv6"]["address"] is None
    assert "net.ipv6.conf.eth0.accept_ra=2" in report["ipv6"]["why"]
    assert "net.ipv6.conf.eth0.accept_ra=2" in text(lone, street.home)
    assert verdicts(report)[street.stable()] == "no-default-route"


# ---- machines of all kinds

@needs_root
def test_nothing_at_all(lone):
    with contextlib.closing(Namespace()) as nowhere:
        report = look(lone, nowhere)
    assert verdicts(report) == {"127.0.0.1": "loopback", "::1": "loopback"}
    assert report["ipv4"]["why"] == report["ipv6"]["why"] == "no interface has an address beyond its own link"


@needs_root
def test_without_a_router(lone, home):
    home.ip("addr add 192.168.1.10/24 dev eth0", "addr add 2a0e:2:0:1::5/64 dev eth0 nodad")
    report = look(lone, home)
    assert report["ipv4"]["address"] is report["ipv6"]["address"] is None
    assert "192.168.1.10: no default route" in report["ipv4"]["why"]
    assert "2a0e:2:0:1::5: no default route" in report["ipv6"]["why"]


@needs_root
def test_lifetimes_and_flags(lone, home):
    home.ip("addr add 2a0e:2:0:1::5/64 dev eth0 nodad valid_lft 900 preferred_lft 0",
            "addr add 2a0e:2:0:2::5/64 dev eth0 nodad noprefixroute valid_lft 900 preferred_lft 600",
            "addr add 192.168.1.10/24 dev eth0", "addr add 192.168.1.11/24 dev eth0",
            "-6 route add default via fe80::1 dev eth0", "route add default via 192.168.1.1")
    report = look(lone, home)
    old, new, second = (next(a for a in report["addresses"] if a["address"] == which)
                        for which in ("2a0e:2:0:1::5", "2a0e:2:0:2::5", "192.168.1.11"))
    assert (old["verdict"], old["preferred_s"], old["flags"]) == ("deprecated", 0, ["deprecated"])
    assert new["chosen"] and 500 < new["preferred_s"] <= 600 and 800 < new["valid_s"] <= 900
    assert new["flags"] == ["noprefixroute"]
    assert second["flags"] == ["secondary", "permanent"] and second["valid_s"] is None
    assert (second["verdict"], second["why"]) == ("outranked", "another address is used: it is the interface's first")


@contextlib.contextmanager
def tunnel(namespace, name):
    """A tun device with somebody at its other end."""
    with namespace.inside():
        fd = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    namespace.ip(f"link set {name} up")
    try:
        yield
    finally:
        os.close(fd)


@needs_root
@needs_tun
def test_a_default_route_through_a_tunnel(lone, home):
    home.ip("addr add 192.168.1.10/24 dev eth0", "route add default via 192.168.1.1 metric 100")
    with tunnel(home, "tun0"):
        home.ip("addr add 10.8.0.2/24 dev tun0", "route add default dev tun0 metric 1",
                "addr add 2a0e:9::2/64 dev tun0 nodad", "-6 route add default dev tun0")
        report = look(lone, home)
        assert (report["ipv4"]["address"], report["ipv4"]["router"]) == ("192.168.1.10", "192.168.1.1")
        assert report["ipv6"]["address"] is None
        assert verdicts(report)["10.8.0.2"] == verdicts(report)["2a0e:9::2"] == "tunnel"
        report = look(lone, home, "--interface", "tun0")
        assert report["ipv6"]["address"] == "2a0e:9::2"
        assert verdicts(report)["192.168.1.10"] == "other-interface"


@needs_root
def test_a_vpn_with_a_table_of_its_own(lone, home):
    """As wg-quick does it: the default route is in another table, and rules lead there."""
    home.ip("link add vpn0 type veth peer name vpn1", "link set vpn0 up", "link set vpn1 up",
            "addr add 10.2.0.2/32 dev vpn0", "route add default dev vpn0 table 51820",
            "rule add not fwmark 51820 lookup 51820", "rule add lookup main suppress_prefixlength 0",
            "addr add 192.168.1.10/24 dev eth0", "route add default via 192.168.1.1 metric 100")
    wait_until(lambda: "LOWER_UP" in home.run("ip", "link", "show", "vpn0"), "a carrier")
    assert "dev vpn0" in home.run("ip", "route", "get", "198.51.100.20")
    report = look(lone, home)
    assert (report["ipv4"]["address"], report["ipv4"]["router"]) == ("192.168.1.10", "192.168.1.1")
    assert verdicts(report)["10.2.0.2"] == "other-interface"


@needs_root
def test_names_are_printed_escaped(lone, home):
    name = "e\x1b[31mX"
    home.ip("link set eth0 down")
    home.run("ip", "link", "set", "eth0", "name", name)
    home.run("ip", "link", "set", name, "up")
    home.run("ip", "addr", "add", "192.168.1.10/24", "dev", name)
    home.run("ip", "route", "add", "default", "via", "192.168.1.1", "dev", name)
    said = text(lone, home)
    assert "192.168.1.10/24" in said and "\x1b" not in said
    assert "\x1b" not in look(lone, home)["ipv4"]["interface"]
