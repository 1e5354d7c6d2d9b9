"""A router that does what a test tells it to, on loopback: no root is needed, and no other test is disturbed.

	with FakeRouter() as router:			127.0.A.1, where nobody else is; the home is 127.0.A.10
		router.lease_fault = permanent_only	what this one does unlike others
		...					homeport map ... --router {router.address} --source {router.client}
		router.wait("soap", action="AddPortMapping", NewLeaseDuration="0")

Unless told otherwise it is a good one: NAT-PMP, PCP and an Internet Gateway Device of the second version, with
pinholes, whose doors are in `doors` and `pinholes`. Every request is recorded, decoded, in `requests`.
"""
import contextlib
import dataclasses
import errno
import ipaddress
import random
import re
import socket
import struct
import threading
import time
import xml.etree.ElementTree
from xml.sax.saxutils import escape

from loop import Loop

PMP_PORT, SSDP_PORT, ANNOUNCE_PORT = 5351, 1900, 5350
SSDP_GROUP, ANNOUNCE_GROUP = "239.255.255.250", "224.0.0.1"
IPPROTO = {6: "TCP", 17: "UDP"}
PUBLIC = "11.0.113.50"
WEEK_S = 604800
NEVER = float("inf")

# NAT-PMP and PCP results (RFC 6886 3.5, RFC 6887 7.4)
UNSUPP_VERSION, NOT_AUTHORIZED, MALFORMED, NETWORK_FAILURE, NO_RESOURCES = 1, 2, 3, 7, 8
CANNOT_PROVIDE_EXTERNAL, ADDRESS_MISMATCH = 11, 12
PREFER_FAILURE = 2  # an option

IGD1 = "urn:schemas-upnp-org:device:InternetGatewayDevice:1"
IGD2 = "urn:schemas-upnp-org:device:InternetGatewayDevice:2"
IP1 = "urn:schemas-upnp-org:service:WANIPConnection:1"
IP2 = "urn:schemas-upnp-org:service:WANIPConnection:2"
PPP1 = "urn:schemas-upnp-org:service:WANPPPConnection:1"
FIREWALL = "urn:schemas-upnp-org:service:WANIPv6FirewallControl:1"
LEGACY_IGD = "urn:dslforum-org:device:InternetGatewayDevice:1"
LEGACY_IP = "urn:dslforum-org:service:WANIPConnection:1"

FAULTS = {401: "Invalid Action", 402: "Invalid Args", 501: "Action Failed", 606: "Action not authorized",
          704: "NoSuchEntry", 713: "SpecifiedArrayIndexInvalid", 714: "NoSuchEntryInArray",
          718: "ConflictInMappingEntry", 725: "OnlyPermanentLeasesSupported", 728: "NoPortMapsAvailable"}


class Fault(Exception):
    def __init__(self, code):
        super().__init__(code)
        self.code = code


# ---- what a door's lifetime may be; the code of the refusal, or None

def permanent_only(lease):
    """MikroTik and others: 725 OnlyPermanentLeasesSupported."""
    return 725 if lease else None


def no_leases(lease):
    """ARRIS: 402 for what is 725 elsewhere."""
    return 402 if lease else None


def one_week_only(lease):
    """Neither two hours nor for ever."""
    return None if lease == WEEK_S else 402


# ---- how an answer to an HTTP request goes out: bytes, and seconds to wait

def plain(head, body):
    yield head + f"Content-Length: {len(body)}\r\n\r\n".encode() + body


def until_close(head, body):
    yield head + b"\r\n" + body


def chunked(head, body, size=100):
    yield head + b"Transfer-Encoding: chunked\r\n\r\n"
    for begin in range(0, len(body), size):
        part = body[begin:begin + size]
        yield f"{len(part):x};part=yes\r\n".encode() + part + b"\r\n"
    yield b"0\r\nX-Trailer: yes\r\n\r\n"


def in_pieces(head, body):
    """A byte at a time."""
    for byte in head + f"Content-Length: {len(body)}\r\n\r\n".encode() + body:
        yield bytes([byte])


def truncated(head, body):
    yield head + f"Content-Length: {len(body)}\r\n\r\n".encode() + body[:len(body) // 2]


def slow(head, body):
    """Never done, and never quiet for long."""
    yield head + f"Content-Length: {len(body)}\r\n\r\n".encode()
    for byte in body:
        yield 0.2
        yield bytes([byte])


def silent(head, body):
    """Takes the request and says nothing."""
    yield 60


def huge(head, body, size=200_000):
    """What was asked for, and then white space."""
    yield from plain(head, body + b" " * (size - len(body)))


def endless(head, body):
    """A body of no announced length that does not end."""
    yield head + b"\r\n" + body
    while True:
        yield b" " * 65536


def long_head(head, body):
    yield from plain(head + b"".join(b"X-%d: %s\r\n" % (i, b"x" * 1000) for i in range(100)), body)


def redirect(location):
    def moved(head, body):
        yield f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode()
    return moved


def status(code, reason="No"):
    def answer(head, body):
        yield f"HTTP/1.1 {code} {reason}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode()
    return answer


# ---- what there is

class Request:
    """One request: when, of what kind, from whom, and what was in it."""

    def __init__(self, kind, peer, **fields):
        self.time = time.monotonic()
        self.kind = kind
        self.peer = peer  # address and port
        self.fields = fields

    def __getattr__(self, name):
        try:
            return self.fields[name]
        except KeyError:
            raise AttributeError(name) from None

    def matches(self, kind, wanted):
        return self.kind == kind and all(self.fields.get(k) == v for k, v in wanted.items())

    def __repr__(self):
        shown = {k: v for k, v in self.fields.items() if k not in ("headers", "body", "text")}
        return f"{self.kind} from {self.peer[0]}:{self.peer[1]} {shown}"


@dataclasses.dataclass
class Door:
    protocol: str  # TCP or UDP
    outside: int
    client: str
    inside: int
    lease: int = 0  # seconds; 0: for ever
    by: str = "igd"
    description: str = ""
    nonce: bytes = None
    enabled: str = "1"
    ends: float = NEVER


@dataclasses.dataclass
class Pinhole:
    client: str
    port: int
    protocol: int
    ends: float


@dataclasses.dataclass
class Service:
    """One of the description's services; those that connect have a state and an address each."""
    urn: str
    path: str
    connection: str = "Connected"
    external: str = None  # None: the router's
    url: str = None  # what the description says instead of the path


DESCRIPTION = """<?xml version="1.0"?>
{doctype}<root xmlns="urn:schemas-upnp-org:device-1-0"><specVersion><major>1</major><minor>0</minor></specVersion>
{base}<device><deviceType>{root}</deviceType><friendlyName>{name}</friendlyName><manufacturer>Test</manufacturer>
<modelName>{name}</modelName><UDN>uuid:00000000-0000-4000-8000-000000000001</UDN>
<deviceList><device><deviceType>{wan}</deviceType><friendlyName>WAN</friendlyName>
<UDN>uuid:00000000-0000-4000-8000-000000000002</UDN>
<deviceList><device><deviceType>{connection}</deviceType><friendlyName>Connection</friendlyName>
<UDN>uuid:00000000-0000-4000-8000-000000000003</UDN>
<serviceList>
{services}</serviceList></device></deviceList></device></deviceList></device></root>
"""

SERVICE = ("<service><serviceType>{urn}</serviceType><serviceId>urn:upnp-org:serviceId:{path}</serviceId>"
           "<SCPDURL>/scpd.xml</SCPDURL><controlURL>{url}</controlURL><eventSubURL>/evt</eventSubURL></service>\n")

ENTITIES = "<!DOCTYPE root [<!ENTITY a \"aaaaaaaaaa\">" + "".join(
    f"<!ENTITY {name} \"{f'&{before};' * 10}\">" for before, name in zip("abcdefgh", "bcdefghi")) + "]>\n"

ENVELOPE = ('<?xml version="1.0"?>\n<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"'
            ' s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>{}</s:Body></s:Envelope>\n')


class FakeRouter:
    def __init__(self, address=None, uptime=5000):
        with contextlib.ExitStack() as stack:
            self._loop = Loop()
            stack.callback(self._loop.close)
            self._stop = threading.Event()
            stack.callback(self._stop.set)
            self._bind(address)
            net = self.address.rpartition(".")[0]
            self.client = f"{net}.10" if net else self.address
            self.neighbour = f"{net}.99" if net else None

            # protocols: True, False (it does not know them), "silent"
            self.natpmp = self.pcp = True
            self.search = True  # "multicast": no answer to others
            self.external = PUBLIC
            self.min_lifetime, self.max_lifetime = 120, 86400
            self.pcp_error = None  # (result, lifetime) of every MAP that is no deletion
            self.pcp_renews = True  # False: a door that is there is refused (8) until it is deleted
            self.ports = {}  # asked for -> given, by every protocol, and called success
            self.delay = {}  # "natpmp", "pcp", "search", or a path -> seconds
            self.pmp_replies = lambda reply, request: [(reply, None)]  # datagrams, and the address each comes from
            self.search_replies = lambda reply, request: [(reply, None)]

            self.root, self.device_version = IGD2, 2
            self.name = "Fake router"
            self.services = [Service(IP2, "/ctl/IPConn"), Service(FIREWALL, "/ctl/IP6FCtl")]
            self.base_url = None
            self.doctype = ""
            self.location = None  # None: the right one
            self.lowest_port = 1  # IGD: 606 below
            self.lease_fault = lambda lease: None
            self.leases_vanish = False  # what is to expire is gone at once
            self.firewall_enabled = self.pinhole_allowed = True
            self.shapes = {}  # path -> how its answers go out
            self.soap = {}  # action -> function(arguments) instead of what follows; may raise Fault

            self.doors = {}  # (protocol, outside) -> Door
            self.pinholes = {}  # number -> Pinhole
            self.requests = []
            self._arrived = threading.Condition()
            self._began = time.monotonic()
            self._started = self._began - uptime
            self._threads = []
            self._http = None
            self.control_port = None
            self._listen()
            self._stack = stack.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._stop.set()
        try:
            self._stack.close()
        finally:
            for thread in self._threads:
                thread.join(5)
            print(f"--- what {self.address} was asked")
            for request in self.requests:
                print(f"{request.time - self._began:8.3f} {request}")

    def _bind(self, address):
        """The first address where both ports are free."""
        tries = [address] if address else [f"127.0.{a}.1" for a in random.sample(range(1, 255), 100)]
        for self.address in tries:
            family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
            self._family = family
            pmp, ssdp = (socket.socket(family, socket.SOCK_DGRAM) for _ in range(2))
            try:
                pmp.bind((self.address, PMP_PORT))
                ssdp.bind((self.address, SSDP_PORT))
            except OSError as error:
                pmp.close()
                ssdp.close()
                if error.errno != errno.EADDRINUSE:
                    raise
                continue
            self._pmp, self._ssdp = pmp, ssdp
            self._loop.add(pmp, self._on_pmp)
            self._loop.add(ssdp, self._on_search)
            return
        raise AssertionError(f"ports {PMP_PORT} and {SSDP_PORT} are taken at {tries[0]} and wherever else was tried")

    # ---- what the test reads

    def _record(self, kind, peer, **fields):
        request = Request(kind, peer[:2], **fields)
        with self._arrived:
            self.requests.append(request)
            self._arrived.notify_all()
        return request

    def asked(self, kind, **wanted):
        """The requests of this kind so far that have these values."""
        with self._arrived:
            return [r for r in self.requests if r.matches(kind, wanted)]

    def wait(self, kind, seconds=10, count=1, **wanted):
        """The request number `count` of these; fails if it does not come."""
        end = time.monotonic() + seconds
        with self._arrived:
            while len(found := [r for r in self.requests if r.matches(kind, wanted)]) < count:
                left = end - time.monotonic()
                if left <= 0:
                    listed = "\n".join(f"  {r}" for r in self.requests)
                    raise AssertionError(f"no {kind} {wanted} (number {count}) in {seconds} s:\n{listed}")
                self._arrived.wait(left)
        return found[count - 1]

    def epoch(self):
        return int(time.monotonic() - self._started)

    @property
    def description_url(self):
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"http://{host}:{self.control_port}/rootDesc.xml"

    # ---- what happens to it

    def reboot(self, keep_port=True, old_answers=False):
        """All is forgotten. UPnP may be at another port then; the old one is closed, or answers 404."""
        self.doors.clear()
        self.pinholes.clear()
        self._started = time.monotonic()
        if not keep_port:
            if not old_answers:
                self._loop.remove(self._http)
            self._listen()

    def announce(self, source=None):
        """Its epoch, to everybody, as a restarted PCP server does (RFC 6887 14.1.3)."""
        packet = struct.pack("!BBxBII12x", 2, 128, 0, 0, self.epoch())
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind((source or self.address, 0))
            s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(self.address))
            s.sendto(packet, (ANNOUNCE_GROUP, ANNOUNCE_PORT))

    def refuse_pmp(self):
        """Port 5351 is closed."""
        self._loop.remove(self._pmp)

    def hear_multicast(self):
        """Searches that its home sends to everybody."""
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((SSDP_GROUP, SSDP_PORT))
        s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                     socket.inet_aton(SSDP_GROUP) + socket.inet_aton(self.address))
        self._loop.add(s, self._on_search)

    def take_port(self, outside, client=None, protocol="TCP", description="NAS"):
        """Another host at home has this door."""
        client = client or f"{self.address.rpartition('.')[0]}.77"
        self.doors[protocol, outside] = Door(protocol, outside, client, outside, description=description)

    def trap(self, address):
        """A port at this address where nobody should come; what comes is recorded as "trap"."""
        s = socket.create_server((address, 0))

        def on_accept(s):
            connection, peer = s.accept()
            connection.close()
            self._record("trap", peer, to=s.getsockname())

        port = s.getsockname()[1]
        self._loop.add(s, on_accept)
        return port

    # ---- doors, however they were asked for

    def _live(self, key):
        door = self.doors.get(key)
        if door and door.ends <= time.monotonic():
            del self.doors[key]
            return None
        return door

    def _open(self, door):
        if door.lease:
            door.ends = time.monotonic() + (0 if self.leases_vanish else door.lease)
        self.doors[door.protocol, door.outside] = door

    def _given(self, protocol, wanted, client, inside):
        """What the test says, or the wanted port, or the next that is free or the client's own."""
        if wanted in self.ports:
            return self.ports[wanted]
        for port in range(wanted or inside, 65536):
            door = self._live((protocol, port))
            if not door or (door.client, door.inside) == (client, inside):
                return port
        raise AssertionError(f"no port from {wanted or inside} on is free")

    # ---- NAT-PMP and PCP

    def _on_pmp(self, s):
        data, peer = s.recvfrom(2048)
        if data and data[0] == 0:
            kind, reply, request = "natpmp", *self._natpmp(data, peer)
        else:
            kind, reply, request = "pcp", *self._pcp(data, peer)
        if reply:
            def send():
                for packet, source in self.pmp_replies(reply, request):
                    self._send(s, packet, peer, source)

            self._loop.after(self.delay.get(kind, 0), send)

    def _send(self, s, packet, peer, source):
        if source is None:
            s.sendto(packet, peer)
            return
        with socket.socket(self._family, socket.SOCK_DGRAM) as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(source)
            other.sendto(packet, peer)

    def _natpmp(self, data, peer):
        op = data[1] if len(data) > 1 else None
        fields = {"op": op}
        if op in (1, 2) and len(data) >= 12:
            inside, outside, lifetime = struct.unpack_from("!HHI", data, 4)
            fields |= {"protocol": {1: "UDP", 2: "TCP"}[op], "inside": inside, "outside": outside,
                       "lifetime": lifetime}
        request = self._record("natpmp", peer, size=len(data), **fields)
        if self.natpmp == "silent":
            return None, request
        if not self.natpmp:  # what knows PCP alone says so in a header of its own
            return struct.pack("!BBBBII12x", 2, 128 | (op or 0), 0, UNSUPP_VERSION, 0, self.epoch()), request
        if op == 0:
            if not self.external:
                return struct.pack("!BBHI4x", 0, 128, 3, self.epoch()), request
            return struct.pack("!BBHI", 0, 128, 0, self.epoch()) + socket.inet_aton(self.external), request
        if "inside" not in fields:
            return struct.pack("!BBHI", 0, 128 | (op or 0), 5, self.epoch()), request
        protocol, granted = fields["protocol"], lifetime
        own = [k for k, d in self.doors.items() if k[0] == protocol and (d.client, d.inside) == (peer[0], inside)]
        if not self.external:
            result, given = 3, outside
        elif lifetime == 0:
            for key in own:
                del self.doors[key]
            result, given = 0, 0
        else:
            result = 0
            given = self._given(protocol, outside, peer[0], inside)
            for key in own:
                del self.doors[key]
            self._open(Door(protocol, given, peer[0], inside, lifetime, "natpmp"))
        return struct.pack("!BBHIHHI", 0, 128 | op, result, self.epoch(), inside, given, granted), request

    def _pcp(self, data, peer):
        fields = {"size": len(data)}
        if len(data) >= 24:
            version, op, lifetime = struct.unpack_from("!BBxxI", data)
            fields |= {"version": version, "op": op, "lifetime": lifetime, "client": _address(data[8:24])}
        if len(data) >= 60 and fields["op"] == 1:
            protocol, inside, outside = struct.unpack_from("!B3xHH", data, 36)
            fields |= {"nonce": data[24:36], "protocol": IPPROTO.get(protocol, protocol), "inside": inside,
                       "outside": outside, "suggested": _address(data[44:60]), "options": _options(data[60:])}
        request = self._record("pcp", peer, **fields)
        if self.pcp == "silent" or len(data) < 2:
            return None, request
        if not self.pcp and self.natpmp is True:
            return struct.pack("!BBHI", 0, 128 | data[1], UNSUPP_VERSION, self.epoch()), request
        if not self.pcp:
            return None, request
        if data[0] != 2:
            return self._pcp_reply(data, UNSUPP_VERSION, 0), request
        if len(data) < 24 or len(data) % 4:
            return self._pcp_reply(data, MALFORMED, 0), request
        if ipaddress.ip_address(fields["client"]) != ipaddress.ip_address(peer[0].partition("%")[0]):
            return self._pcp_reply(data, ADDRESS_MISMATCH, 0), request
        if fields["op"] == 0:
            return self._pcp_reply(data, 0, 0), request
        if "nonce" not in fields:
            return self._pcp_reply(data, MALFORMED, 0), request
        result, lifetime, outside, address = self._pcp_map(request, peer[0])
        return self._pcp_reply(data, result, lifetime, outside, address), request

    def _pcp_reply(self, data, result, lifetime, outside=None, address=None):
        reply = struct.pack("!BBBBII12x", 2, 128 | data[1], 0, result, lifetime, self.epoch())
        payload = data[24:60] if data[1] == 1 else b""
        if outside is not None:
            payload = payload[:18] + struct.pack("!H", outside) + _packed(address)
        return reply + payload

    def _pcp_map(self, request, client):
        """(result, lifetime, outside port, outside address)"""
        v6 = ":" in client
        external = client if v6 else self.external or "0.0.0.0"
        protocol, inside, outside = request.protocol, request.inside, request.outside
        own = next((k for k, d in self.doors.items()
                    if k[0] == protocol and (d.client, d.inside) == (client, inside)), None)
        if request.lifetime == 0:
            if own and self.doors[own].nonce != request.nonce:
                return NOT_AUTHORIZED, 0, outside, external
            self.doors.pop(own, None)
            return 0, 0, 0, external
        if self.pcp_error:
            return *self.pcp_error, outside, external
        if own and not self.pcp_renews:
            return NO_RESOURCES, 30, outside, external
        if own and self.doors[own].nonce != request.nonce:
            return NOT_AUTHORIZED, 0, outside, external
        if not v6 and not self.external:
            return NETWORK_FAILURE, 30, outside, external
        given = inside if v6 else self._given(protocol, outside, client, inside)
        if outside and given != outside and PREFER_FAILURE in request.options and outside not in self.ports:
            return CANNOT_PROVIDE_EXTERNAL, 30, outside, external
        lifetime = min(max(request.lifetime, self.min_lifetime), self.max_lifetime)
        self.doors.pop(own, None)
        self._open(Door(protocol, given, client, inside, lifetime, "pcp", nonce=request.nonce))
        return 0, lifetime, given, external

    # ---- SSDP

    def _on_search(self, s):
        data, peer = s.recvfrom(2048)
        group = s is not self._ssdp
        if group and peer[0] != self.client:  # another test's
            return
        text = data.decode(errors="replace")
        headers = {k.strip().upper(): v.strip() for k, _, v in (line.partition(":") for line in text.split("\r\n")[1:])}
        request = self._record("search", peer, st=headers.get("ST"), mx=headers.get("MX"), group=group, text=text)
        answers = self.search is True or group and self.search == "multicast"
        if not answers or not text.startswith("M-SEARCH * HTTP/1.1\r\n"):
            return
        for st in self._found(request.st):
            reply = (f"HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: {st}\r\n"
                     f"USN: uuid:00000000-0000-4000-8000-000000000001::{st}\r\nEXT:\r\nSERVER: Test/1 UPnP/1.1\r\n"
                     f"LOCATION: {self.location or self.description_url}\r\n"
                     f"BOOTID.UPNP.ORG: {int(self._started)}\r\n\r\n").encode()

            def send(reply=reply):
                for packet, source in self.search_replies(reply, request):
                    self._send(self._ssdp, packet, peer, source)

            self._loop.after(self.delay.get("search", 0), send)

    def _found(self, st):
        own = [self.root] + [service.urn for service in self.services]
        if st in ("ssdp:all", "upnp:rootdevice"):
            return own if st == "ssdp:all" else [st]
        # A device of the second version is one of the first as well.
        for urn in own:
            name, _, version = urn.rpartition(":")
            if st and st.startswith(name + ":") and st.rpartition(":")[2] <= version:
                return [st]
        return []

    # ---- HTTP

    def _listen(self):
        self._http = socket.create_server((self.address, 0), family=self._family)
        self.control_port = self._http.getsockname()[1]
        self._loop.add(self._http, self._on_accept)

    def _on_accept(self, s):
        connection, peer = s.accept()
        thread = threading.Thread(target=self._loop.guarded, daemon=True,
                                  args=(self._serve, connection, peer, s.getsockname()[1]))
        self._threads.append(thread)
        thread.start()

    def _serve(self, connection, peer, port):
        with connection:
            connection.settimeout(5)
            data = b""
            while b"\r\n\r\n" not in data and len(data) < 65536 and (more := connection.recv(65536)):
                data += more
            head, _, body = data.partition(b"\r\n\r\n")
            lines = head.decode(errors="replace").split("\r\n")
            if len(words := lines[0].split()) != 3:
                self._record("http", peer, method=None, path=None, port=port)
                return
            headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
            while len(body) < int(headers.get("content-length", 0)) and (more := connection.recv(65536)):
                body += more
            self._record("http", peer, method=words[0], path=words[1], port=port, headers=headers,
                         body=body.decode(errors="replace"))
            for part in self._answer(words[0], words[1], headers, body, peer, port):
                if self._stop.is_set():
                    return
                if isinstance(part, bytes):
                    connection.sendall(part)
                else:
                    self._stop.wait(part)

    def _answer(self, method, path, headers, body, peer, port):
        service = next((service for service in self.services if service.path == path), None)
        if port != self.control_port:  # from before it restarted
            return status(404)(b"", b"")
        if method == "GET" and path == "/rootDesc.xml":
            code, text = "200 OK", self.description()
        elif method == "POST" and service:
            code, text = self._on_soap(service, headers, body, peer)
        else:
            return status(404)(b"", b"")
        head = (f"HTTP/1.1 {code}\r\nContent-Type: text/xml; charset=\"utf-8\"\r\nServer: Test/1 UPnP/1.1\r\n"
                "Connection: close\r\n").encode()
        self._stop.wait(self.delay.get(path, 0))
        return self.shapes.get(path, plain)(head, text.encode())

    def description(self):
        services = "".join(SERVICE.format(urn=s.urn, path=escape(s.path), url=escape(s.url or s.path))
                           for s in self.services)
        version = self.root.rpartition(":")[2]
        net = self.root.partition(":device:")[0]
        return DESCRIPTION.format(
            doctype=self.doctype, root=self.root, wan=f"{net}:device:WANDevice:{version}",
            connection=f"{net}:device:WANConnectionDevice:{version}", services=services, name=escape(self.name),
            base=f"<URLBase>{escape(self.base_url)}</URLBase>" if self.base_url else "")

    def _on_soap(self, service, headers, body, peer):
        urn, _, action = headers.get("soapaction", "").strip('"').partition("#")
        try:
            element = xml.etree.ElementTree.fromstring(body).find("{*}Body/{*}" + action)
            arguments = {child.tag: child.text or "" for child in element}
            in_body = element.tag
        except (xml.etree.ElementTree.ParseError, AttributeError, TypeError, SyntaxError):
            in_body, arguments = None, {}
        self._record("soap", peer, action=action, urn=urn, path=service.path, **arguments)
        try:
            if urn != service.urn or in_body != f"{{{urn}}}{action}":
                raise Fault(401)
            do = self.soap.get(action) or getattr(self, "_do_" + action, None)
            if not do:
                raise Fault(401)
            out = do(arguments) if action in self.soap else do(arguments, service, peer[0])
        except Fault as fault:
            text = (f"<s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail>"
                    f'<UPnPError xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>{fault.code}</errorCode>'
                    f"<errorDescription>{FAULTS.get(fault.code, '')}</errorDescription></UPnPError></detail></s:Fault>")
            return "500 Internal Server Error", ENVELOPE.format(text)
        text = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in (out or {}).items())
        return "200 OK", ENVELOPE.format(f'<u:{action}Response xmlns:u="{urn}">{text}</u:{action}Response>')

    # ---- the actions of WANIPConnection and WANPPPConnection

    def _do_GetStatusInfo(self, arguments, service, client):
        return {"NewConnectionStatus": service.connection, "NewLastConnectionError": "ERROR_NONE",
                "NewUptime": self.epoch()}

    def _do_GetConnectionTypeInfo(self, arguments, service, client):
        return {"NewConnectionType": "IP_Routed", "NewPossibleConnectionTypes": "IP_Routed"}

    def _do_GetExternalIPAddress(self, arguments, service, client):
        return {"NewExternalIPAddress": self.external or "" if service.external is None else service.external}

    def _wanted(self, arguments):
        """The door that the arguments of AddPortMapping and AddAnyPortMapping describe."""
        try:
            door = Door(arguments["NewProtocol"], int(arguments["NewExternalPort"]), arguments["NewInternalClient"],
                        int(arguments["NewInternalPort"]), int(arguments["NewLeaseDuration"]),
                        description=arguments["NewPortMappingDescription"], enabled=arguments["NewEnabled"])
        except (KeyError, ValueError):
            raise Fault(402) from None
        if door.protocol not in IPPROTO.values() or not 0 < door.inside < 65536 or not 0 < door.outside < 65536:
            raise Fault(402)
        if door.outside < self.lowest_port:
            raise Fault(606)
        if code := self.lease_fault(door.lease):
            raise Fault(code)
        return door

    def _do_AddPortMapping(self, arguments, service, client):
        door = self._wanted(arguments)
        taken = self._live((door.protocol, door.outside))
        if taken and taken.client != door.client:
            raise Fault(718)
        door.outside = self.ports.get(door.outside, door.outside)
        self._open(door)

    def _do_AddAnyPortMapping(self, arguments, service, client):
        if not service.urn.endswith(":2"):
            raise Fault(401)
        door = self._wanted(arguments)
        door.outside = self._given(door.protocol, door.outside, door.client, door.inside)
        self._open(door)
        return {"NewReservedPort": door.outside}

    def _asked_for(self, arguments):
        try:
            key = arguments["NewProtocol"], int(arguments["NewExternalPort"])
        except (KeyError, ValueError):
            raise Fault(402) from None
        if not self._live(key):
            raise Fault(714)
        return key

    def _do_DeletePortMapping(self, arguments, service, client):
        del self.doors[self._asked_for(arguments)]

    def _entry(self, door):
        left = 0 if door.ends == NEVER else int(door.ends - time.monotonic())
        return {"NewInternalPort": door.inside, "NewInternalClient": door.client, "NewEnabled": door.enabled,
                "NewPortMappingDescription": door.description, "NewLeaseDuration": left}

    def _do_GetSpecificPortMappingEntry(self, arguments, service, client):
        return self._entry(self.doors[self._asked_for(arguments)])

    def _do_GetGenericPortMappingEntry(self, arguments, service, client):
        live = [door for key in list(self.doors) if (door := self._live(key))]
        try:
            door = live[int(arguments["NewPortMappingIndex"])]
        except (KeyError, ValueError, IndexError):
            raise Fault(713) from None
        return {"NewRemoteHost": "", "NewExternalPort": door.outside, "NewProtocol": door.protocol,
                **self._entry(door)}

    # ---- those of WANIPv6FirewallControl

    def _do_GetFirewallStatus(self, arguments, service, client):
        return {"FirewallEnabled": int(self.firewall_enabled), "InboundPinholeAllowed": int(self.pinhole_allowed)}

    def _do_AddPinhole(self, arguments, service, client):
        try:
            pinhole = Pinhole(arguments["InternalClient"], int(arguments["InternalPort"]),
                              int(arguments["Protocol"]), time.monotonic() + int(arguments["LeaseTime"]))
        except (KeyError, ValueError):
            raise Fault(402) from None
        if not self.pinhole_allowed or pinhole.client != client or pinhole.port < 1024:
            raise Fault(606)
        if not 0 < int(arguments["LeaseTime"]) <= 86400:
            raise Fault(402)
        number = max(self.pinholes, default=0) + 1
        self.pinholes[number] = pinhole
        return {"UniqueID": number}

    def _pinhole(self, arguments):
        try:
            return self.pinholes[int(arguments["UniqueID"])]
        except (KeyError, ValueError):
            raise Fault(704) from None

    def _do_UpdatePinhole(self, arguments, service, client):
        self._pinhole(arguments).ends = time.monotonic() + int(arguments["NewLeaseTime"])

    def _do_DeletePinhole(self, arguments, service, client):
        self._pinhole(arguments)
        del self.pinholes[int(arguments["UniqueID"])]

    def _do_GetPinholePackets(self, arguments, service, client):
        self._pinhole(arguments)
        return {"PinholePackets": 0}


def _address(packed):
    address = ipaddress.IPv6Address(packed)
    return str(address.ipv4_mapped or address)


def _packed(text):
    address = ipaddress.ip_address(text)
    return address.packed if address.version == 6 else bytes(10) + b"\xff\xff" + address.packed


def _options(data):
    """The codes of PCP options."""
    codes = []
    while len(data) >= 4:
        code, length = struct.unpack_from("!BxH", data)
        codes.append(code)
        data = data[4 + (length + 3) // 4 * 4:]
    return codes


# ---- what its NAT-PMP and PCP answers may be instead: values for `pmp_replies`

def spoiled(offset, first=True):
    """With a byte that is not the one that was asked about; the right answer follows only if `first`."""
    def replies(reply, request):
        bad = bytearray(reply)
        if offset < len(bad):
            bad[offset] ^= 0x5a
        return [(bytes(bad), None)] + [(reply, None)] * first
    return replies


NONCE_OFFSET, PROTOCOL_OFFSET, INSIDE_OFFSET = 24, 36, 40  # in a PCP MAP answer


def from_elsewhere(*sources):
    """Lies from these addresses, and never the truth from the right one."""
    return lambda reply, request: [(reply, source) for source in sources]


def spoofed(source, location):
    """Value for `search_replies`: before the router, another host answers, with this location."""
    def replies(reply, request):
        lie = re.sub(rb"LOCATION: \S+", b"LOCATION: " + location.encode(), reply)
        return [(lie, (source, SSDP_PORT)), (reply, None)]
    return replies
