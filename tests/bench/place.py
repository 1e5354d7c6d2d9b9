"""Where programs run: this machine's loopback, or both ends of a line made for the purpose.

A way has two spots, in public (visitors are there, too) and at home (services are there, too).
"""
import contextlib
import ctypes
import fcntl
import os
import pathlib
import socket
import struct

from stage import Failed, Missing, find

CLONE_NEWNET = 0x40000000
SIOCETHTOOL, ETHTOOL_STSO, ETHTOOL_SGSO = 0x8946, 0x1F, 0x24
libc = ctypes.CDLL(None, use_errno=True)


class Spot:
    """A place with an address of its own."""

    def __init__(self, stage, address="127.0.0.1"):
        self.stage, self.address = stage, address

    def inside(self):
        """This thread is there, and so is what it starts."""
        return contextlib.nullcontext()

    def start(self, name, *argv):
        with self.inside():
            return self.stage.start(name, *argv)

    def run(self, *argv, **options):
        with self.inside():
            return self.stage.run(*argv, **options)

    def at(self, port):
        """ADDRESS:PORT"""
        return f"{self.address}:{port}"


class Place:
    """Both spots on loopback; folder is for the files of what runs there."""

    def __init__(self, stage, name):
        self.folder = stage.path / name
        self.folder.mkdir()
        self.home = self.public = Spot(stage)


# ---- a line between two network namespaces

def _check(result):
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _own():
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


class Namespace(Spot):
    """It has no name: it is an open file of this process, and gone with what is in it."""

    def __init__(self, stage, address=None):
        super().__init__(stage, address)
        before = _own()
        try:
            _check(libc.unshare(CLONE_NEWNET))
            self.fd = _own()
            _check(libc.setns(before, CLONE_NEWNET))
        finally:
            os.close(before)
        self.ip("link set lo up")

    @contextlib.contextmanager
    def inside(self):
        before = _own()
        try:
            _check(libc.setns(self.fd, CLONE_NEWNET))
            yield
        finally:
            _check(libc.setns(before, CLONE_NEWNET))
            os.close(before)

    def ip(self, *commands):
        for command in commands:
            self.run(find("ip"), *command.split())

    def wire(self, name, other, peer):
        """A cable from here to there; what goes through it is cut into packets first."""
        self.ip(f"link add {name} type veth peer name {peer} netns /proc/{os.getpid()}/fd/{other.fd}",
                f"link set {name} up")
        other.ip(f"link set {peer} up")
        self.cut_packets(name)

    def cut_packets(self, name):
        """No segmentation behind the interface (linux/ethtool.h): the line sees what a modem sees."""
        with self.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for command in ETHTOOL_STSO, ETHTOOL_SGSO:
                value = ctypes.create_string_buffer(struct.pack("=II", command, 0))
                request = struct.pack("@16sP16x", name.encode(), ctypes.addressof(value))
                fcntl.ioctl(s, SIOCETHTOOL, request)


class Line:
    """Home and public with a line of so many bits a second and so many ms there and back between
    them."""

    def __init__(self, stage, wire, bits_per_s, round_trip_ms, queue_bytes):
        if os.geteuid() != 0:
            raise Missing("not root, who alone can make network namespaces")
        self.stage = stage
        try:
            self.public = Namespace(stage, "10.9.0.1")
            self.home = Namespace(stage, "10.9.0.2")
            middle = Namespace(stage)
            self.public.wire("home", middle, "wire-a")
            self.home.wire("public", middle, "wire-b")
            self.public.ip("addr add 10.9.0.1/24 dev home")
            self.home.ip("addr add 10.9.0.2/24 dev public")
        except (OSError, Failed) as why:
            raise Missing(f"no network namespaces here: {why}") from None
        carrier = middle.start("wire", wire, "wire-a", "wire-b", bits_per_s, round_trip_ms * 500, queue_bytes)
        stage.wait(carrier, lambda: stage.log("wire").strip(), "the line")

    def place(self, name):
        """A place at its two ends."""
        place = Place(self.stage, name)
        place.home, place.public = self.home, self.public
        return place


def certificate(stage):
    """A key and a certificate for localhost that signs itself, for peers that speak TLS; where."""
    folder = stage.path / "tls"
    if not folder.exists():
        folder.mkdir(mode=0o700)
        stage.run(find("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt",
                  "ec_paramgen_curve:prime256v1", "-nodes", "-days", 2, "-subj", "/CN=localhost",
                  "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "key.pem",
                  "-out", folder / "certificate.pem")
        (folder / "both.pem").write_bytes((folder / "certificate.pem").read_bytes()
                                          + (folder / "key.pem").read_bytes())
        stage.run(find("openssl"), "pkcs12", "-export", "-passout", "pass:bench",
                  "-inkey", folder / "key.pem", "-in", folder / "certificate.pem",
                  "-out", folder / "both.p12")
    return folder


def congestion_control():
    """How TCP here finds its rate; new namespaces do as the first."""
    return pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()
