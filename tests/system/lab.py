"""A home behind a router, the internet and its visitors, in network namespaces made by the test.

	visitor 198.51.100.20 ──── gateway 192.0.2.10 ──── router 203.0.113.50 ════ home 192.168.1.10
	                                                   nftables, masquerade     and 192.168.2.10

	with Lab() as lab, lab.home.inside():
		...			sockets made and programs started here are at home

The namespaces have no names: they are open files of this process, and gone with it, whatever becomes of the
test. None has a way to the machine's own network.
"""
import contextlib
import ctypes
import os
import shutil
import socket
import struct
import subprocess

import pytest

from harness import needs_root

GATEWAY = "192.0.2.10"
WAN = "203.0.113.50"
CLONE_NEWNET = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)


def _check(result):
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _own():
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


class Namespace:
    def __init__(self):
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
        """This thread is there, and so is what it starts; sockets stay where they were made."""
        before = _own()
        try:
            _check(libc.setns(self.fd, CLONE_NEWNET))
            yield self
        finally:
            _check(libc.setns(before, CLONE_NEWNET))
            os.close(before)

    def run(self, *argv, data=None):
        with self.inside():
            done = subprocess.run(argv, input=data, text=True, capture_output=True)
        assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr}"
        return done.stdout

    def ip(self, *commands):
        for command in commands:
            self.run("ip", *command.split())

    def nft(self, rules):
        self.run("nft", "-f", "-", data=rules)

    def sysctl(self, name, value):
        with self.inside(), open("/proc/sys/net/" + name, "w") as file:
            file.write(str(value))

    def wire(self, name, other, peer):
        """A cable from here to there, both ends up."""
        self.ip(f"link add {name} type veth peer name {peer} netns /proc/{os.getpid()}/fd/{other.fd}",
                f"link set {name} up")
        other.ip(f"link set {peer} up")

    def forget_connections(self):
        """What `conntrack -F` does: an IPCTNL_MSG_CT_DELETE that names none (nfnetlink)."""
        with self.inside(), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as s:
            s.send(struct.pack("=IHHII BBH", 20, 1 << 8 | 2, 0x5, 1, 0, socket.AF_UNSPEC, 0, 0))
            answer = struct.unpack_from("=IHHIIi", s.recv(4096))
        assert answer[5] == 0, os.strerror(-answer[5])

    def close(self):
        os.close(self.fd)


class Lab:
    def __init__(self):
        with contextlib.ExitStack() as stack:
            def namespace():
                made = Namespace()
                stack.callback(made.close)
                return made

            self.visitor, self.gateway, self.router, self.home = (namespace() for _ in range(4))
            self._build()
            self._stack = stack.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stack.close()

    def _build(self):
        self.gateway.wire("inet", self.visitor, "eth0")
        self.gateway.wire("isp", self.router, "wan")
        self.router.wire("lan1", self.home, "eth0")
        self.router.wire("lan2", self.home, "eth1")
        self.visitor.ip("addr add 198.51.100.20/24 dev eth0", "route add default via 198.51.100.1")
        self.gateway.ip("addr add 198.51.100.1/24 dev inet", "addr add 203.0.113.1/24 dev isp",
                        f"addr add {GATEWAY}/32 dev lo")
        self.router.ip(f"addr add {WAN}/24 dev wan", "route add default via 203.0.113.1",
                       "addr add 192.168.1.1/24 dev lan1", "addr add 192.168.2.1/24 dev lan2")
        self.router.sysctl("ipv4/ip_forward", 1)
        for interface in "all", "lan1", "lan2":
            self.router.sysctl(f"ipv4/conf/{interface}/rp_filter", 1)
        self.home.ip("addr add 192.168.1.10/24 dev eth0", "addr add 192.168.2.10/24 dev eth1",
                     "route add default via 192.168.1.1")
        self.masquerade()

    def masquerade(self, how="masquerade"):
        """The router's only rule for what leaves; connections it knows keep theirs."""
        self.router.nft(f"""
            table ip nat
            delete table ip nat
            table ip nat {{
                chain out {{ type nat hook postrouting priority srcnat; oif wan meta l4proto tcp {how}; }}
            }}
            """)

    def unplug(self):
        """The cable between home and router: home loses its carrier."""
        self.router.ip("link set lan1 down")

    def plug(self):
        self.router.ip("link set lan1 up")

    def silence(self):
        """Nothing passes the router any more, and nobody is told."""
        self.router.nft("table ip dead { chain line { type filter hook forward priority 0; policy drop; }\n}")

    def sound(self):
        self.router.nft("delete table ip dead")

    def narrow(self, rate):
        """What leaves home has no more than this."""
        self.router.run("tc", "qdisc", "replace", "dev", "wan", "root", "tbf", "rate", rate, "burst", "16kb",
                        "latency", "100ms")


def _missing():
    """Why there can be no lab here; None: there can."""
    missing = [tool for tool in ("ip", "nft", "tc") if not shutil.which(tool)]
    if missing:
        return f"needs {', '.join(missing)}"
    try:
        Lab().__exit__()
    except (OSError, AssertionError) as error:
        return f"needs namespaces with nftables: {error}"


_reason = None if needs_root.mark.args[0] else _missing()


def needs_lab(test):
    return needs_root(pytest.mark.skipif(_reason is not None, reason=str(_reason))(test))
