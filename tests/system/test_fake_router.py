"""The router of the tests is what it says, for other people's clients where they can speak to it, and for bytes."""
import http.client
import re
import shutil
import socket
import struct
import subprocess
import time

import pytest

import fake_router
from fake_router import FIREWALL, IP1, IP2, LEGACY_IGD, LEGACY_IP, FakeRouter, Service
from harness import DEADLINE_S

NONCE = bytes(range(12))


@pytest.fixture
def router():
    with FakeRouter() as router:
        yield router


def run(*argv):
    if not shutil.which(argv[0]):
        pytest.skip(f"needs {argv[0]}")
    return subprocess.run([str(a) for a in argv], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, timeout=DEADLINE_S).stdout


def natpmpc(router, *args):
    return run("natpmpc", "-g", router.address, *args)


def upnpc(router, *args):
    return run("upnpc", "-u", router.description_url, *args)


class Client:
    """A socket at the router's home that takes whatever comes."""

    def __init__(self, router, port=5351, connected=False):
        self.router = (router.address, port)
        self.socket = socket.socket(socket.AF_INET6 if ":" in router.address else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(DEADLINE_S)
        self.socket.bind((router.client, 0))
        if connected:
            self.socket.connect(self.router)

    def ask(self, request, answers=1):
        """What comes, each with its source."""
        with self.socket:
            self.socket.sendto(request, self.router)
            return [self.socket.recvfrom(2048) for _ in range(answers)]


def answer_to(router, request):
    return Client(router).ask(request)[0][0]


def packed(address):
    return fake_router._packed(address)


def pcp_map(router, lifetime=7200, protocol=6, inside=8080, outside=0, nonce=NONCE, client=None, options=b""):
    return struct.pack("!BBHI", 2, 1, 0, lifetime) + packed(client or router.client) + nonce + \
        struct.pack("!B3xHH", protocol, inside, outside) + packed("0.0.0.0") + options


def pcp(router, *args, **options):
    """(result, lifetime, outside port)"""
    answer = answer_to(router, pcp_map(router, *args, **options))
    result, lifetime = struct.unpack_from("!BI", answer, 3)
    return result, lifetime, struct.unpack_from("!H", answer, 42)[0]


def get(router, path="/rootDesc.xml", port=None):
    connection = http.client.HTTPConnection(router.address, port or router.control_port, timeout=DEADLINE_S,
                                            source_address=(router.client, 0))
    connection.request("GET", path)
    return connection.getresponse()


def soap(router, action, urn=IP2, **arguments):
    """What an action answers, as a dictionary, or the number of the fault."""
    path = next((s.path for s in router.services if s.urn == urn), "/")
    connection = http.client.HTTPConnection(router.address, router.control_port, timeout=DEADLINE_S,
                                            source_address=(router.client, 0))
    text = "".join(f"<{name}>{value}</{name}>" for name, value in arguments.items())
    connection.request("POST", path, fake_router.ENVELOPE.format(f'<u:{action} xmlns:u="{urn}">{text}</u:{action}>'),
                       {"SOAPAction": f'"{urn}#{action}"'})
    answer = connection.getresponse()
    said = answer.read().decode()
    if answer.status == 500:
        return int(re.search(r"<errorCode>(\d+)", said)[1])
    assert answer.status == 200
    return dict(re.findall(r"<(\w+)>([^<]*)</", said))


def add(router, outside=8080, lease=7200, client=None, action="AddPortMapping", urn=IP2):
    return soap(router, action, urn, NewRemoteHost="", NewExternalPort=outside, NewProtocol="TCP",
                NewInternalPort=8080, NewInternalClient=client or router.client, NewEnabled=1,
                NewPortMappingDescription="test", NewLeaseDuration=lease)


def entry(router, outside=8080):
    return soap(router, "GetSpecificPortMappingEntry", NewRemoteHost="", NewExternalPort=outside, NewProtocol="TCP")


# ---- a good one

def test_natpmpc(router):
    said = natpmpc(router, "-a", "8443", "8080", "udp", "60")
    assert f"Public IP address : {router.external}" in said
    assert "Mapped public port 8443 protocol UDP to local port 8080 liftime 60" in said
    assert [(key, door.inside) for key, door in router.doors.items()] == [(("UDP", 8443), 8080)]
    request = router.wait("natpmp", op=1)
    assert (request.protocol, request.inside, request.outside, request.lifetime) == ("UDP", 8080, 8443, 60)
    natpmpc(router, "-a", "0", "8080", "udp", "0")
    assert not router.doors


def test_upnpc(router):
    router.hear_multicast()
    said = upnpc(router, "-a", router.client, "8080", "443", "tcp", "3600")
    assert f"external {router.external}:443 TCP is redirected to internal {router.client}:8080" in said
    assert router.doors["TCP", 443].inside == 8080
    assert router.wait("soap", action="AddPortMapping").NewLeaseDuration == "3600"
    assert f"TCP   443->{router.client}:8080" in upnpc(router, "-l")
    upnpc(router, "-d", "443", "tcp")
    assert not router.doors


def test_pcp(router):
    assert pcp(router, outside=443) == (0, 7200, 443)
    assert router.doors["TCP", 443].nonce == NONCE
    request = router.wait("pcp", op=1)
    assert (request.version, request.client, request.inside, request.outside) == (2, router.client, 8080, 443)
    assert pcp(router, 10)[:2] == (0, 120)
    assert pcp(router, 10**6)[:2] == (0, 86400)
    assert pcp(router, nonce=bytes(12))[0] == fake_router.NOT_AUTHORIZED
    assert pcp(router, 0, nonce=bytes(12))[0] == fake_router.NOT_AUTHORIZED
    assert pcp(router, 0)[0] == 0
    assert not router.doors
    assert pcp(router, client="192.0.2.1")[0] == fake_router.ADDRESS_MISMATCH
    answer = answer_to(router, b"\2\0" + bytes(6) + packed(router.client))
    assert answer[:4] == b"\2\x80\0\0" and len(answer) == 24


def test_pcp_with_prefer_failure(router):
    router.take_port(443)
    assert pcp(router, outside=443)[::2] == (0, 444)
    assert pcp(router, 0)[0] == 0
    option = struct.pack("!BxH", fake_router.PREFER_FAILURE, 0)
    assert pcp(router, outside=443, options=option)[0] == fake_router.CANNOT_PROVIDE_EXTERNAL
    assert router.asked("pcp")[-1].options == [fake_router.PREFER_FAILURE]


def test_ipv6():
    with FakeRouter("::1") as router:
        assert pcp(router)[0] == 0
        assert router.doors["TCP", 8080].client == "::1"
        number = soap(router, "AddPinhole", FIREWALL, RemoteHost="", RemotePort=0, InternalClient="::1",
                      InternalPort=8080, Protocol=6, LeaseTime=3600)["UniqueID"]
        assert router.pinholes[int(number)].port == 8080
        assert soap(router, "DeletePinhole", FIREWALL, UniqueID=number) == {}
        assert not router.pinholes
        assert soap(router, "DeletePinhole", FIREWALL, UniqueID=number) == 704


def test_search(router):
    def search(st):
        text = (f"M-SEARCH * HTTP/1.1\r\nHOST: {router.address}:1900\r\nMAN: \"ssdp:discover\"\r\n"
                f"MX: 2\r\nST: {st}\r\n\r\n")
        [(answer, source)] = Client(router, 1900).ask(text.encode())
        assert source == (router.address, 1900)
        return answer.decode()

    for st in fake_router.IGD1, fake_router.IGD2, IP1, FIREWALL, "upnp:rootdevice":
        answer = search(st)
        assert answer.startswith("HTTP/1.1 200 OK\r\n")
        assert f"\r\nST: {st}\r\n" in answer and f"\r\nLOCATION: {router.description_url}\r\n" in answer
    assert router.wait("search", st=FIREWALL).mx == "2"
    with pytest.raises(TimeoutError):
        client = Client(router, 1900)
        client.socket.settimeout(0.1)
        client.ask(b"M-SEARCH * HTTP/1.1\r\nST: urn:schemas-upnp-org:device:MediaServer:1\r\n\r\n")


def test_search_of_everybody(router):
    router.hear_multicast()
    router.search = "multicast"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(DEADLINE_S)
        s.bind((router.client, 0))
        s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(router.client))
        s.sendto(f"M-SEARCH * HTTP/1.1\r\nST: {fake_router.IGD1}\r\n\r\n".encode(), (router.address, 1900))
        s.sendto(f"M-SEARCH * HTTP/1.1\r\nST: {fake_router.IGD2}\r\n\r\n".encode(), ("239.255.255.250", 1900))
        answer, source = s.recvfrom(2048)
    assert source == (router.address, 1900)
    assert fake_router.IGD2.encode() in answer
    assert [r.group for r in router.asked("search")] == [False, True]


# ---- PCP and NAT-PMP that are not as they should be

def test_only_one_of_the_two(router):
    router.pcp = False
    assert answer_to(router, pcp_map(router))[:4] == b"\0\x81\0\1"
    assert answer_to(router, b"\0\0")[:4] == b"\0\x80\0\0"
    router.pcp, router.natpmp = True, False
    assert answer_to(router, b"\0\0")[:4] == b"\2\x80\0\1"
    assert pcp(router)[0] == 0


@pytest.mark.parametrize("which", ["natpmp", "pcp"])
def test_silence(router, which):
    setattr(router, which, "silent")
    client = Client(router)
    client.socket.settimeout(0.1)
    with pytest.raises(TimeoutError):
        client.ask(b"\0\0" if which == "natpmp" else pcp_map(router))
    assert router.wait(which)
    assert pcp(router)[0] == 0 if which == "natpmp" else answer_to(router, b"\0\0")[:4] == b"\0\x80\0\0"


def test_a_closed_port(router):
    router.refuse_pmp()
    client = Client(router, connected=True)
    with client.socket, pytest.raises(ConnectionRefusedError):
        client.socket.send(b"\0\0")
        client.socket.recv(2048)
    assert "FAILED" in natpmpc(router)


def test_a_wrong_port_is_called_success(router):
    router.ports = {443: 8444}
    option = struct.pack("!BxH", fake_router.PREFER_FAILURE, 0)
    assert pcp(router, outside=443, options=option) == (0, 7200, 8444)
    assert pcp(router, 0)[0] == 0
    assert "Mapped public port 8444" in natpmpc(router, "-a", "443", "8080", "tcp", "60")
    router.doors.clear()
    assert add(router, 443, action="AddAnyPortMapping") == {"NewReservedPort": "8444"}
    router.doors.clear()
    assert add(router, 443) == {}
    assert entry(router, 443) == 714
    assert list(router.doors) == [("TCP", 8444)]


def test_pcp_errors(router):
    router.pcp_error = 8, 1800
    assert pcp(router)[:2] == (8, 1800)
    assert pcp(router, 0)[0] == 0
    router.pcp_error = None
    router.external = None
    assert pcp(router)[0] == fake_router.NETWORK_FAILURE
    assert answer_to(router, b"\0\0")[:4] == b"\0\x80\0\3"


def test_no_renewal(router):
    router.pcp_renews = False
    assert pcp(router)[0] == 0
    assert pcp(router)[0] == fake_router.NO_RESOURCES
    assert pcp(router, 0)[0] == 0
    assert pcp(router)[0] == 0


@pytest.mark.parametrize("offset", [fake_router.NONCE_OFFSET, fake_router.PROTOCOL_OFFSET, fake_router.INSIDE_OFFSET])
def test_spoiled_answers(router, offset):
    router.pmp_replies = fake_router.spoiled(offset)
    (first, _), (second, _) = Client(router).ask(pcp_map(router), answers=2)
    assert first[offset] != second[offset]
    assert [a == b for a, b in zip(first, second)].count(False) == 1
    assert second[24:42] == pcp_map(router)[24:42]


def test_answers_from_elsewhere(router):
    wrong_port, wrong_host = (router.address, 5352), (router.neighbour, 5351)
    router.pmp_replies = fake_router.from_elsewhere(wrong_port, wrong_host)
    assert [source for _, source in Client(router).ask(pcp_map(router), answers=2)] == [wrong_port, wrong_host]


def test_announcement_and_epoch(router):
    assert 5000 <= struct.unpack_from("!I", answer_to(router, b"\0\0"), 4)[0] < 5000 + DEADLINE_S
    assert pcp(router)[0] == 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(DEADLINE_S)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((fake_router.ANNOUNCE_GROUP, fake_router.ANNOUNCE_PORT))
        s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                     socket.inet_aton(fake_router.ANNOUNCE_GROUP) + socket.inet_aton(router.client))

        def hear(sender):
            while (heard := s.recvfrom(2048))[1][0] != sender:
                pass  # another test's
            return heard[0]

        router.reboot()
        router.announce()
        packet = hear(router.address)
        assert (packet[:4], struct.unpack_from("!I", packet, 8)[0]) == (b"\2\x80\0\0", 0)
        router.announce(router.neighbour)
        assert hear(router.neighbour) == packet
    assert not router.doors


# ---- UPnP that is not as it should be

@pytest.mark.parametrize("fault, answers", [
    (fake_router.permanent_only, {7200: 725, 0: {}}),
    (fake_router.no_leases, {7200: 402, 0: {}}),
    (fake_router.one_week_only, {7200: 402, 0: 402, 604800: {}})])
def test_leases_it_does_not_give(router, fault, answers):
    router.lease_fault = fault
    assert {lease: add(router, lease=lease) for lease in answers} == answers


def test_leases_end(router):
    assert add(router, lease=1) == {} and add(router, 8081, lease=0) == {}
    assert entry(router)["NewInternalPort"] == "8080"
    router.doors["TCP", 8080].ends = time.monotonic()
    assert entry(router) == 714
    assert entry(router, 8081)["NewLeaseDuration"] == "0"
    router.leases_vanish = True
    assert add(router) == {}
    assert entry(router) == 714
    assert add(router, lease=0) == {}
    assert entry(router)["NewInternalClient"] == router.client


def test_ports_it_does_not_give(router):
    router.lowest_port = 1024
    assert add(router, 443) == 606
    router.take_port(8080)
    assert add(router) == 718
    theirs = router.doors["TCP", 8080].client
    assert theirs != router.client
    assert entry(router) == {"NewInternalPort": "8080", "NewInternalClient": theirs, "NewEnabled": "1",
                             "NewPortMappingDescription": "NAS", "NewLeaseDuration": "0"}
    assert add(router, 0) == 402


def test_several_services(router):
    router.root = LEGACY_IGD
    router.services = [Service(LEGACY_IP, "/old", connection="Disconnected", external="0.0.0.0"),
                       Service(fake_router.PPP1, "/ppp"), Service(IP1, "/ip", external="10.0.0.2")]
    text = get(router).read().decode()
    assert re.findall(r"<controlURL>([^<]*)<", text) == ["/old", "/ppp", "/ip"]
    assert "urn:dslforum-org:device:WANConnectionDevice:1" in text
    seen = [(soap(router, "GetStatusInfo", s.urn)["NewConnectionStatus"],
             soap(router, "GetExternalIPAddress", s.urn)["NewExternalIPAddress"]) for s in router.services]
    assert seen == [("Disconnected", "0.0.0.0"), ("Connected", router.external), ("Connected", "10.0.0.2")]
    assert soap(router, "GetNothing", IP1) == 401
    assert add(router, action="AddAnyPortMapping", urn=IP1) == 401


@pytest.mark.parametrize("keep", [False, True])
def test_another_control_port_after_a_reboot(router, keep):
    assert add(router) == {}
    before = router.control_port
    router.reboot(keep_port=False, old_answers=keep)
    assert router.control_port != before
    assert not router.doors
    if keep:
        assert get(router, port=before).status == 404
    else:
        with pytest.raises(ConnectionRefusedError):
            get(router, port=before)
    assert add(router) == {}


def test_a_firewall_that_allows_nothing():
    with FakeRouter("::1") as router:
        router.pinhole_allowed = False
        assert soap(router, "GetFirewallStatus", FIREWALL) == {"FirewallEnabled": "1", "InboundPinholeAllowed": "0"}
        assert soap(router, "AddPinhole", FIREWALL, InternalClient="::1", InternalPort=8080, Protocol=6,
                    LeaseTime=3600) == 606


def test_an_action_that_the_test_has_written(router):
    def refuse(arguments):
        raise fake_router.Fault(501)

    router.soap["AddPortMapping"] = refuse
    router.soap["GetExternalIPAddress"] = lambda arguments: {"NewExternalIPAddress": "<x>"}
    assert add(router) == 501
    assert soap(router, "GetExternalIPAddress") == {"NewExternalIPAddress": "&lt;x&gt;"}


@pytest.mark.parametrize("shape", [fake_router.chunked, fake_router.until_close, fake_router.in_pieces,
                                   fake_router.long_head])
def test_shapes_that_change_nothing(router, shape):
    router.shapes["/rootDesc.xml"] = shape
    http.client._MAXHEADERS, before = 200, http.client._MAXHEADERS
    try:
        assert get(router).read().decode() == router.description()
    finally:
        http.client._MAXHEADERS = before


def test_truncated(router):
    router.shapes["/ctl/IPConn"] = fake_router.truncated
    with pytest.raises(http.client.IncompleteRead):
        add(router)
    assert router.doors


def test_huge_and_endless(router):
    router.shapes["/rootDesc.xml"] = fake_router.huge
    assert len(get(router).read()) == 200_000
    router.shapes["/rootDesc.xml"] = fake_router.endless
    answer = get(router)
    assert len(answer.read(1_000_000)) == 1_000_000
    answer.close()


@pytest.mark.parametrize("shape, first", [(fake_router.slow, True), (fake_router.silent, False)])
def test_slow_and_silent(router, shape, first):
    """They are, and do not keep the router from ending."""
    router.shapes["/rootDesc.xml"] = shape
    with socket.create_connection((router.address, router.control_port), DEADLINE_S) as s:
        s.sendall(b"GET /rootDesc.xml HTTP/1.1\r\n\r\n")
        s.settimeout(DEADLINE_S if first else 0.1)
        if first:
            assert s.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")
            assert s.recv(4096) and len(s.recv(4096)) < 10
        else:
            with pytest.raises(TimeoutError):
                s.recv(4096)
        begin = time.monotonic()
        router.close()
        assert time.monotonic() - begin < 2


def test_lures(router):
    """Places that nobody should go to, and who goes there."""
    port = router.trap(router.neighbour)
    elsewhere = f"http://{router.neighbour}:{port}/x"
    router.services[0].url = elsewhere
    router.base_url = elsewhere
    text = get(router).read().decode()
    assert f"<controlURL>{elsewhere}<" in text and f"<URLBase>{elsewhere}<" in text
    router.shapes["/rootDesc.xml"] = fake_router.redirect(elsewhere)
    assert (get(router).status, get(router).headers["Location"]) == (302, elsewhere)
    assert not router.asked("trap")
    socket.create_connection((router.neighbour, port)).close()
    assert router.wait("trap").to == (router.neighbour, port)


def test_entities(router):
    router.doctype = fake_router.ENTITIES
    text = get(router).read().decode()
    assert text.count("<!ENTITY") == 9 and '<!ENTITY i "&h;&h;' in text


@pytest.mark.parametrize("location", ["http://192.0.2.1:5000/x", "http://router.example/x"])
def test_spoofed_searches(router, location):
    router.search_replies = fake_router.spoofed(router.neighbour, location)
    request = f"M-SEARCH * HTTP/1.1\r\nST: {fake_router.IGD1}\r\n\r\n".encode()
    (lie, liar), (truth, source) = Client(router, 1900).ask(request, answers=2)
    assert (liar, source) == ((router.neighbour, 1900), (router.address, 1900))
    assert f"LOCATION: {location}\r\n".encode() in lie
    assert f"LOCATION: {router.description_url}\r\n".encode() in truth
    router.search_replies = lambda reply, request: [(reply, None)]
    router.location = location
    assert f"LOCATION: {location}\r\n".encode() in Client(router, 1900).ask(request)[0][0]


def test_delays(router):
    router.delay = {"pcp": 0.1, "/rootDesc.xml": 0.1}
    for ask in (lambda: pcp(router)), (lambda: get(router).read()):
        begin = time.monotonic()
        ask()
        assert 0.1 <= time.monotonic() - begin < DEADLINE_S


def test_two_of_them():
    with FakeRouter() as one, FakeRouter() as other:
        assert one.address != other.address
        assert pcp(one)[0] == 0
        assert one.doors and not other.doors


def test_a_mistake_in_a_script_fails_the_test():
    with pytest.raises(ZeroDivisionError):
        with FakeRouter() as router:
            router.pmp_replies = lambda reply, request: 1 / 0
            client = Client(router)
            client.socket.settimeout(0.1)
            with pytest.raises(TimeoutError):
                client.ask(b"\0\0")
