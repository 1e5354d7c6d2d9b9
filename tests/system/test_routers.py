"""The homes behind real routers are what they say: other people's clients open and close doors in each, and a
visitor gets through an open one only."""
import contextlib
import http.client
import ipaddress
import re
import socket
import struct
import time

import pytest

from routers import CONTROL_PORT, HOME, PMP_PORT, PROFILES, ROOMMATE, ROUTER, Door, RouterLab, needs_routers, needs_tun

pytestmark = needs_routers

TCP, UDP = 6, 17
NONCE = bytes(range(12))


@contextlib.contextmanager
def street(profile="upnp", **different):
    with RouterLab(profile, **different) as lab:
        lab.serve(8080)
        lab.serve(8080, udp=True)
        yield lab


def natpmpc(lab, *args, expect=0):
    return lab.at_home("natpmpc", "-g", ROUTER, *args, expect=expect)


def upnpc(lab, *args, expect=0, **options):
    """Given the address of the description: its own search waits for two seconds."""
    return lab.at_home("upnpc", "-u", f"http://{ROUTER}:{CONTROL_PORT}/rootDesc.xml", *args, expect=expect, **options)


def ask(lab, request, source=HOME, router=ROUTER):
    """One datagram to port 5351; the answer, or "refused", or "silent"."""
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    with lab.home.inside(), socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(0.3 if lab.profile.silent else 2)
        s.bind((source, 0))
        s.connect(socket.getaddrinfo(router, PMP_PORT, family, socket.SOCK_DGRAM)[0][4])  # with its scope
        s.send(request)
        try:
            return s.recv(1100)
        except ConnectionRefusedError:
            return "refused"
        except TimeoutError:
            return "silent"


def pcp_map(source, port, lifetime=120, protocol=TCP, outside=0):
    address = ipaddress.ip_address(source)
    mapped = address.packed if address.version == 6 else bytes(10) + b"\xff\xff" + address.packed
    any_address = bytes(16) if address.version == 6 else bytes(10) + b"\xff\xff" + bytes(4)
    return struct.pack("!BBHI", 2, 1, 0, lifetime) + mapped + NONCE + \
        struct.pack("!B3xHH", protocol, port, outside) + any_address


def pcp(lab, source, port, lifetime=120, protocol=TCP, outside=0, router=None):
    """(result, granted lifetime, outside port, outside address) of a PCP MAP."""
    router = router or (lab.router6 if ":" in source else ROUTER)
    answer = ask(lab, pcp_map(source, port, lifetime, protocol, outside), source, router)
    version, op, result, granted, _ = struct.unpack_from("!BBxBII", answer)
    assert (version, op) == (2, 129) and answer[24:36] == NONCE
    address = ipaddress.ip_address(answer[44:60])
    return result, granted, struct.unpack_from("!H", answer, 42)[0], str(address.ipv4_mapped or address)


def soap(lab, source, action, **arguments):
    """One action of WANIPv6FirewallControl:1; its answer, or the number of the refusal."""
    service = "urn:schemas-upnp-org:service:WANIPv6FirewallControl:1"
    body = "".join(f"<{name}>{value}</{name}>" for name, value in arguments.items())
    text = ('<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"'
            ' s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>'
            f'<u:{action} xmlns:u="{service}">{body}</u:{action}></s:Body></s:Envelope>')
    with lab.home.inside():
        connection = http.client.HTTPConnection(lab.router6, CONTROL_PORT, timeout=5, source_address=(source, 0))
        connection.request("POST", "/ctl/IP6FCtl", text, {
            "Content-Type": 'text/xml; charset="utf-8"', "SOAPAction": f'"{service}#{action}"'})
        answer = connection.getresponse()
        said = answer.read().decode()
        connection.close()
    return said if answer.status == 200 else int(re.search(r"<errorCode>(\d+)<", said)[1])


def pinhole(lab, address, source=None, port=8080, protocol=TCP):
    """The number of a new pinhole, or of the refusal as a negative one."""
    said = soap(lab, source or address, "AddPinhole", RemoteHost="", RemotePort=0, InternalClient=address,
                InternalPort=port, Protocol=protocol, LeaseTime=120)
    return -said if isinstance(said, int) else int(re.search(r"<UniqueID>(\d+)<", said)[1])


# ---- each protocol, each family

def test_nothing_is_open_at_first():
    with street() as lab:
        assert lab.doors() == []
        for address in lab.public, lab.stable(), lab.temporary():
            assert lab.visitor_connects(address, 8080) == "refused"
            assert lab.visitor_connects(address, 8080, udp=True) == "refused"


@pytest.mark.parametrize("profile", ["upnp", "natpmp-only"])
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_natpmpc(profile, protocol):
    with street(profile) as lab:
        said = natpmpc(lab, "-a", "8443", "8080", protocol, "60")
        assert f"Public IP address : {lab.wan}" in said
        assert "Mapped public port 8443" in said
        assert lab.doors() == [Door(4, protocol, 8443, HOME, 8080)]
        assert lab.visitor_connects(lab.public, 8443, udp=protocol == "udp") == "home 8080"
        assert lab.visitor_connects(lab.public, 8443, udp=protocol == "tcp") == "refused"
        natpmpc(lab, "-a", "0", "8080", protocol, "0")
        assert lab.doors() == []
        assert lab.visitor_connects(lab.public, 8443, udp=protocol == "udp") == "refused"


@pytest.mark.parametrize("profile", ["upnp", "igd-only", "igd1"])
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_upnpc(profile, protocol):
    with street(profile) as lab:
        said = upnpc(lab, "-a", HOME, "8080", "443", protocol, "60")
        assert f"external {lab.wan}:443 {protocol.upper()} is redirected to internal {HOME}:8080 (duration=60)" in said
        assert lab.doors() == [Door(4, protocol, 443, HOME, 8080)]
        assert lab.visitor_connects(lab.public, 443, udp=protocol == "udp") == "home 8080"
        assert f"{protocol.upper()}   443->{HOME}:8080" in upnpc(lab, "-l", expect=None)
        upnpc(lab, "-d", "443", protocol)
        assert lab.doors() == []
        assert lab.visitor_connects(lab.public, 443, udp=protocol == "udp") == "refused"


def test_upnpc_finds_the_router():
    with street("igd-only") as lab:
        assert f"Found valid IGD : http://{ROUTER}:{CONTROL_PORT}/" in lab.at_home("upnpc", "-s")


@pytest.mark.parametrize("profile", ["upnp", "pcp-only"])
@pytest.mark.parametrize("protocol", [TCP, UDP])
def test_pcp(profile, protocol):
    with street(profile) as lab:
        udp = protocol == UDP
        assert pcp(lab, HOME, 8080, protocol=protocol, outside=8443) == (0, 120, 8443, lab.wan)
        assert lab.visitor_connects(lab.public, 8443, udp=udp) == "home 8080"
        assert pcp(lab, HOME, 8080, 0, protocol)[0] == 0
        assert lab.doors() == []
        assert lab.visitor_connects(lab.public, 8443, udp=udp) == "refused"


@pytest.mark.parametrize("profile", ["upnp", "pcp-only"])
@pytest.mark.parametrize("protocol", [TCP, UDP])
def test_pcp_pinhole(profile, protocol):
    with street(profile) as lab:
        udp = protocol == UDP
        stable = lab.stable()
        assert pcp(lab, stable, 8080, protocol=protocol) == (0, 120, 8080, stable)
        assert lab.doors() == [Door(6, "udp" if udp else "tcp", 8080, stable, 8080)]
        assert lab.visitor_connects(stable, 8080, udp=udp) == "home 8080"
        assert lab.visitor_connects(stable, 8080, udp=not udp) == "refused"
        assert lab.visitor_connects(lab.temporary(), 8080, udp=udp) == "refused"
        assert pcp(lab, stable, 8080, 0, protocol)[0] == 0
        assert lab.visitor_connects(stable, 8080, udp=udp) == "refused"


def test_pinhole_by_the_routers_link_local_address():
    with street("pcp-only") as lab:
        router = re.search(r"via (fe80::\S+)", lab.at_home("ip", "-6", "route", "show", "default"))[1] + "%eth0"
        assert pcp(lab, lab.stable(), 8080, router=router)[0] == 0
        assert lab.visitor_connects(lab.stable(), 8080) == "home 8080"


@pytest.mark.parametrize("protocol", [TCP, UDP])
def test_igd_pinhole(protocol):
    with street("igd-only") as lab:
        udp = protocol == UDP
        stable, temporary = lab.stable(), lab.temporary()
        assert "<InboundPinholeAllowed>1<" in soap(lab, stable, "GetFirewallStatus")
        assert pinhole(lab, stable, source=temporary, protocol=protocol) == -606
        number = pinhole(lab, stable, protocol=protocol)
        assert number >= 0
        assert lab.doors() == [Door(6, "udp" if udp else "tcp", 8080, stable, 8080)]
        assert lab.visitor_connects(stable, 8080, udp=udp) == "home 8080"
        assert lab.visitor_connects(temporary, 8080, udp=udp) == "refused"
        soap(lab, stable, "DeletePinhole", UniqueID=number)
        assert lab.doors() == []
        assert lab.visitor_connects(stable, 8080, udp=udp) == "refused"


# ---- what a profile lacks

@pytest.mark.parametrize("profile", PROFILES)
def test_what_answers(profile):
    """NAT-PMP, PCP, PCP over IPv6, UPnP: the version and the result of an answer to each."""
    refused, silent = ("refused",) * 3, ("silent",) * 3
    failed = ((0, 3), (2, 8), (2, 0))
    expected = {"natpmp-only": ((0, 0), (0, 1), "refused"), "pcp-only": ((2, 1), (2, 0), (2, 0)),
                "igd-only": refused, "igd1": refused, "none": refused, "silent": silent,
                "cgnat": failed, "wan-private": failed, "double-nat": failed, "no-v6": ((0, 0), (2, 0), None)}
    with street(profile) as lab:
        answers = [ask(lab, b"\0\0"), ask(lab, pcp_map(HOME, 8080)),
                   lab.stable() and ask(lab, pcp_map(lab.stable(), 8080), lab.stable(), lab.router6)]
        seen = tuple(a if a is None or isinstance(a, str) else (a[0], a[3]) for a in answers)
        assert seen == expected.get(profile, ((0, 0), (2, 0), (2, 0)))
        description = lab.at_home("curl", "--silent", f"http://{ROUTER}:{CONTROL_PORT}/rootDesc.xml", expect=None)
        assert ("InternetGatewayDevice" in description) == lab.profile.igd


def test_a_router_of_the_first_version_has_no_pinholes():
    with street("igd1") as lab:
        assert "WANIPv6Firewall" not in lab.at_home("curl", "-s", f"http://{ROUTER}:{CONTROL_PORT}/rootDesc.xml")
    with street("igd-only") as lab:
        assert "WANIPv6Firewall" in lab.at_home("curl", "-s", f"http://{ROUTER}:{CONTROL_PORT}/rootDesc.xml")


@pytest.mark.parametrize("profile, net", [
    ("cgnat", "100.64.0"), ("wan-private", "10.64.0"), ("double-nat", "192.168.0")])
def test_no_public_address(profile, net):
    with street(profile) as lab:
        assert lab.wan == f"{net}.50" and lab.public == "11.0.113.200"
        assert pcp(lab, HOME, 8080)[::3] == (8, lab.wan)
        assert "failed with code 501" in upnpc(lab, "-a", HOME, "8080", "8080", "tcp", "60", expect=None)
        assert lab.visitor_connects(lab.public, 8080) == "refused"
        assert pcp(lab, lab.stable(), 8080)[0] == 0
        behind = "refused" if profile == "double-nat" else "home 8080"
        assert lab.visitor_connects(lab.stable(), 8080) == behind


def test_both_routers_of_a_double_nat():
    with street("double-nat") as lab:
        lab.at_home("natpmpc", "-g", "192.168.0.1", "-a", "8080", "8080", "tcp", "60")
        assert lab.front.doors() == [Door(4, "tcp", 8080, lab.wan, 8080)]
        assert ask(lab, pcp_map(HOME, 8080), router="192.168.0.1")[3] == 12


def test_a_lying_router():
    with street("lying") as lab:
        assert f"Public IP address : {lab.public}" in natpmpc(lab, "-a", "8080", "8080", "tcp", "60")
        assert lab.doors() == [Door(4, "tcp", 8080, HOME, 8080)]
        assert lab.visitor_connects(lab.public, 8080) == "refused"


def test_low_ports():
    with street("low-ports-denied") as lab:
        lab.serve(443)
        assert "failed with code 606" in upnpc(lab, "-a", HOME, "8080", "443", "tcp", "60", expect=None)
        assert "Mapped public port 1024" in natpmpc(lab, "-a", "443", "8080", "tcp", "60")
        natpmpc(lab, "-a", "0", "8080", "tcp", "0")
        assert pcp(lab, HOME, 8080, outside=443)[::2] == (0, 1024)
        assert pinhole(lab, lab.stable(), port=443) == -606
        assert pcp(lab, lab.stable(), 443)[::2] == (0, 443)
        assert lab.visitor_connects(lab.stable(), 443) == "home 443"


@pytest.mark.parametrize("profile, answer", [("upnp", "failed with code 718"), ("insecure", f"internal {HOME}:8080")])
def test_a_door_for_another_host(profile, answer):
    with street(profile) as lab:
        assert answer in upnpc(lab, "-a", HOME, "8080", "8080", "tcp", "60", host=lab.roommate, expect=None)
        assert bool(lab.doors()) == (profile == "insecure")


def test_a_port_that_the_roommate_has():
    with street() as lab:
        lab.serve(9090, host=lab.roommate)
        upnpc(lab, "-a", ROOMMATE, "9090", "8080", "tcp", "60", host=lab.roommate)
        assert lab.visitor_connects(lab.public, 8080) == "roommate 9090"
        assert "failed with code 718" in upnpc(lab, "-a", HOME, "8080", "8080", "tcp", "60", expect=None)
        assert pcp(lab, HOME, 8080, outside=8080)[::2] == (0, 8081)
        assert lab.doors() == [Door(4, "tcp", 8080, ROOMMATE, 9090), Door(4, "tcp", 8081, HOME, 8080)]


# ---- what happens to it

@contextlib.contextmanager
def announcements(lab):
    """Packets to 224.0.0.1, port 5350, that arrive at home."""
    with lab.home.inside():
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("", 5350))
        s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                     socket.inet_aton("224.0.0.1") + socket.inet_aton(HOME))
    with s:
        s.settimeout(5)
        yield s


def test_reboot():
    with street() as lab, announcements(lab) as heard:
        assert pcp(lab, HOME, 8080)[0] == 0
        assert pcp(lab, lab.stable(), 8080)[0] == 0
        assert struct.unpack_from("!I", ask(lab, b"\0\0"), 4)[0] > 10
        lab.router.reboot()
        assert lab.doors() == []
        assert lab.visitor_connects(lab.public, 8080) == "refused"
        assert lab.visitor_connects(lab.stable(), 8080) == "refused"
        assert struct.unpack_from("!I", ask(lab, b"\0\0"), 4)[0] <= 1
        packet, (address, port) = heard.recvfrom(1100)
        assert (address, len(packet)) == (ROUTER, 24)
        assert packet[:2] == b"\2\x80", "an ANNOUNCE"


def test_the_daemon_dies_and_comes_back():
    with street() as lab:
        assert pcp(lab, HOME, 8080)[0] == 0
        lab.router.kill()
        assert ask(lab, b"\0\0") == "refused"
        assert lab.visitor_connects(lab.public, 8080) == "home 8080"
        lab.router.start()
        assert ask(lab, b"\0\0")[:2] == b"\0\x80"
        assert lab.visitor_connects(lab.public, 8080) == "home 8080"
        lab.router.forget()
        assert lab.visitor_connects(lab.public, 8080) == "refused"


def test_another_wan_address():
    with street() as lab, announcements(lab) as heard:
        before = lab.public
        assert pcp(lab, HOME, 8080)[0] == 0
        assert lab.change_wan_address() == lab.public == "11.0.113.51"
        assert {heard.recv(1100)[:1] for _ in range(3)} >= {b"\2"}
        assert lab.visitor_connects(lab.public, 8080) == "home 8080"
        assert lab.visitor_connects(before, 8080, seconds=0.3) in ("silent", "unreachable")
        assert pcp(lab, HOME, 8080)[3] == lab.public


def test_another_prefix():
    with street() as lab:
        old, old_temporary = lab.stable(), lab.temporary()
        assert pcp(lab, old, 8080)[0] == 0
        lab.change_prefix()
        new = lab.stable()
        assert new not in (old, old_temporary)
        deprecated = {a["local"] for a in lab.addresses() if a.get("deprecated")}
        assert deprecated == {old, old_temporary}
        assert lab.visitor_connects(new, 8080) == "refused"
        assert pcp(lab, new, 8080)[0] == 0
        assert lab.visitor_connects(new, 8080) == "home 8080"


def test_another_address_at_home():
    with street() as lab:
        assert pcp(lab, HOME, 8080, outside=8443)[0] == 0
        lab.change_home_address()
        assert lab.visitor_connects(lab.public, 8443, seconds=0.3) in ("silent", "unreachable")
        assert pcp(lab, lab.home_address, 8080)[0] == 0
        assert lab.visitor_connects(lab.public, 8080) == "home 8080"


@needs_tun
def test_a_vpn_takes_everything_but_the_router():
    with street() as lab:
        lab.start_vpn()
        for address in "198.51.100.20", "2001:db8:b::20":
            assert "dev tun0" in lab.at_home("ip", "route", "get", address)
        assert pcp(lab, HOME, 8080)[0] == 0
        assert "default via 192.168.1.1 dev eth0" in lab.at_home("ip", "route")


def test_who_is_spoken_to():
    with street() as lab:
        lab.watch_home()
        assert pcp(lab, HOME, 8080)[0] == pcp(lab, lab.stable(), 8080)[0] == 0
        assert lab.visitor_connects(lab.public, 8080) == lab.visitor_connects(lab.stable(), 8080) == "home 8080"
        assert lab.strangers() == []
        for address in "198.51.100.20", "2001:db8:b::20":
            with lab.home.inside(), pytest.raises(ConnectionRefusedError):
                socket.create_connection((address, 80), 2)
        assert lab.strangers() == ["198.51.100.20", "2001:db8:b::20"]


def test_leases_end():
    with street("short", max_lifetime=2) as lab:
        assert pcp(lab, HOME, 8080, 3600)[1] == 2
        assert pcp(lab, lab.stable(), 8080, 1)[:2] == (0, 1)
        assert len(lab.doors()) == 2
        assert lab.visitor_connects(lab.public, 8080) == "home 8080"
        lab.expire()
        assert lab.visitor_connects(lab.public, 8080) == "refused"
        assert lab.visitor_connects(lab.stable(), 8080) == "refused"


def test_it_is_built_quickly_and_leaves_nothing():
    begin = time.monotonic()
    with street("double-nat") as lab:
        daemons = [lab.router.daemon, lab.front.daemon, lab._radvd]
        assert all(daemon.running for daemon in daemons)
    assert time.monotonic() - begin < 2
    assert not any(daemon.running for daemon in daemons)
    assert not lab.folder.exists()
