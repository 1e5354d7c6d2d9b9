#!/usr/bin/python3
"""Homes behind real routers, in network namespaces made by the test: Debian's miniupnpd, radvd and nftables.

	visitor 198.51.100.20 ── core ── [front] ── router 192.168.1.1 ═╦═ home      192.168.1.10
	    2001:db8:b::20                          WAN 11.0.113.50     ╚═ roommate  192.168.1.11

home and roommate have SLAAC addresses as well, a stable and a temporary one each, of the prefix that the
router announces. The front is there for some profiles only: the provider's NAT, or a second router.

	with RouterLab("upnp") as lab:
		lab.serve(8080)				an echo at home
		with lab.home.inside(): ...		open a door
		lab.visitor_connects(lab.public, 8080)	"home 8080", or "refused", "silent", "unreachable"

By hand, to look at a program in such a home (as root):

	tests/system/routers.py PROFILE COMMAND...	run at home; the answer ends with the doors that are open

What is public here is not of the documentation, whose addresses miniupnpd and others open nothing for;
no namespace has a way to the machine's own network.
"""
import contextlib
import dataclasses
import errno
import fcntl
import functools
import ipaddress
import json
import os
import pathlib
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import typing

import pytest

from harness import Process, needs_root, wait_until
from lab import Namespace
from loop import Loop

PUBLIC = "11.0.113.50"  # the router's WAN, where no front is
FRONT_PUBLIC = "11.0.113.200"  # that of a front
LINE_PUBLIC = "11.0.114.50"  # that of home's second line, or of a VPN's exit
VISITOR = "198.51.100.20"
VISITOR6 = "2001:db8:b::20"
HOME = "192.168.1.10"
ROOMMATE = "192.168.1.11"
ROUTER = "192.168.1.1"
DELEGATED = ipaddress.ip_network("2a0e:2:0:100::/56")

CHAINS = "miniupnpd", "prerouting_miniupnpd", "postrouting_miniupnpd"  # what miniupnpd writes to
PMP_PORT, SSDP_PORT = 5351, 1900
CONTROL_PORT = 5000
LOG_LINES = 200
REJECT_PORT = 5352  # where requests of a version that the profile lacks are answered


@dataclasses.dataclass(frozen=True)
class Profile:
    igd: bool = True
    natpmp: bool = True
    pcp: bool = True
    v6: bool = True
    silent: bool = False  # requests to the router itself get no answer, not even a refusal
    front: str = None  # a key of FRONTS
    conf: tuple = ()  # more lines for miniupnpd
    rules: tuple = ()  # its allow and deny lines
    secure: bool = True  # a host opens doors for itself only
    min_lifetime: int = 120
    max_lifetime: int = 86400


PROFILES = {
    "upnp": Profile(),
    "natpmp-only": Profile(igd=False, pcp=False),
    "pcp-only": Profile(igd=False, natpmp=False),
    "igd-only": Profile(natpmp=False, pcp=False),
    "igd1": Profile(natpmp=False, pcp=False, conf=("force_igd_desc_v1=yes",)),
    "none": Profile(igd=False, natpmp=False, pcp=False),
    "silent": Profile(igd=False, natpmp=False, pcp=False, silent=True),
    "cgnat": Profile(front="cgnat"),
    "wan-private": Profile(front="private"),
    "double-nat": Profile(front="router"),
    # says that its address is one that the provider's NAT has
    "lying": Profile(front="cgnat", conf=(f"ext_ip={FRONT_PUBLIC}",)),
    "low-ports-denied": Profile(rules=("allow 1024-65535 0.0.0.0/0 0-65535", "deny 0-65535 0.0.0.0/0 0-65535")),
    "insecure": Profile(secure=False),
    "no-v6": Profile(v6=False),
    "short": Profile(min_lifetime=1, max_lifetime=4),
}

# kind -> the network between front and router; the front is .1, the router .50
FRONTS = {"cgnat": "100.64.0", "private": "10.64.0", "router": "192.168.0"}


class Router:
    """A box with nftables and, where the profile wants it, miniupnpd; between `wan` and `lan`, which are there."""

    def __init__(self, name, namespace, profile, folder, wan="wan", lan="lan"):
        self.name = name
        self.namespace = namespace
        self.profile = profile
        self.folder = folder
        self.wan = wan
        self.lan = lan
        self.daemon = None
        self._restarted = False  # at first its epoch is the machine's, as of a router that has run for long
        namespace.sysctl("ipv4/ip_forward", 1)
        namespace.sysctl("ipv6/conf/all/forwarding", 1)
        self._rules()

    def _rules(self):
        """Whatever nobody asked for is refused at once, so that a test sees a closed door without waiting."""
        refuse = "meta l4proto tcp reject with tcp reset\n reject"
        local = "accept"
        if self.profile.silent:
            local = f"udp dport {{ {PMP_PORT}, {SSDP_PORT} }} drop\n iifname {self.lan} accept"
        elif not self._pmp:
            local = f"udp dport {PMP_PORT} reject\n iifname {self.lan} accept"  # miniupnpd answers PCP over IPv6
        self.namespace.nft(f"""
            table inet filter {{
                chain input {{
                    type filter hook input priority 0
                    ct state established,related accept
                    iifname lo accept
                    meta l4proto {{ icmp, icmpv6 }} accept
                    iifname {self.lan} jump local
                    {refuse}
                }}
                chain local {{
                    {local}
                }}
                chain forward {{
                    type filter hook forward priority 0
                    ct state established,related accept
                    iifname {self.lan} accept
                    meta l4proto {{ icmp, icmpv6 }} accept
                    jump miniupnpd
                    {refuse}
                }}
                chain prerouting {{
                    type nat hook prerouting priority -100
                    jump prerouting_miniupnpd
                }}
                chain postrouting {{
                    type nat hook postrouting priority 100
                    jump postrouting_miniupnpd
                    oifname {self.wan} meta nfproto ipv4 masquerade
                }}
                chain miniupnpd {{
                }}
                chain prerouting_miniupnpd {{
                }}
                chain postrouting_miniupnpd {{
                }}
            }}
            """)
        if self.profile.natpmp != self.profile.pcp:
            # Whole packets and no connection: a client may ask both versions from one socket.
            lacking = 2 if self.profile.natpmp else 0
            self.namespace.nft(f"""
                table inet versions {{
                    chain prerouting {{
                        type filter hook prerouting priority raw
                        meta nfproto ipv4 udp dport {PMP_PORT} @th,64,8 {lacking} \
                            notrack udp dport set {REJECT_PORT}
                    }}
                    chain output {{
                        type filter hook output priority raw
                        udp sport {REJECT_PORT} notrack udp sport set {PMP_PORT}
                    }}
                    chain input {{
                        type filter hook input priority -10
                        udp dport {REJECT_PORT} accept
                    }}
                }}
                """)

    @property
    def _pmp(self):
        return self.profile.natpmp or self.profile.pcp

    @property
    def _v6(self):
        return self.profile.v6 and (self.profile.igd or self.profile.pcp)

    @property
    def wanted(self):
        return self.profile.igd or self._pmp

    def start(self):
        """miniupnpd, once it answers."""
        yes = {True: "yes", False: "no"}
        conf, pid = (self.folder / f"{self.name}.{suffix}" for suffix in ("conf", "pid"))
        pid.unlink(missing_ok=True)  # it would not start while another has that number
        conf.write_text("\n".join([
            f"ext_ifname={self.wan}", f"listening_ip={self.lan}", f"http_port={CONTROL_PORT}",
            f"enable_upnp={yes[self.profile.igd]}",
            f"enable_natpmp={yes[self._pmp]}", f"ipv6_disable={yes[not self._v6]}",
            f"min_lifetime={self.profile.min_lifetime}", f"max_lifetime={self.profile.max_lifetime}",
            f"secure_mode={yes[self.profile.secure]}", f"system_uptime={yes[not self._restarted]}", "notify_interval=30",
            "uuid=00000000-0000-4000-8000-00000000000a", "friendly_name=Lab router", "serial=1", "model_number=1",
            *self.profile.conf, *self.profile.rules]) + "\n")
        with self.namespace.inside():
            # Its log would go to the machine's console as well, a serial line, and slow it down by seconds.
            self.daemon = Process(["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "sh", "-c",
                                   'mount --bind /dev/null /dev/console && exec "$0" "$@"',
                                   "miniupnpd", "-d", "-f", conf, "-P", pid])
        wait_until(self._listens, "miniupnpd listens")

    def _listens(self):
        """It has every socket that it will have: what comes then waits for it."""
        assert self.daemon.running, self.daemon.text()
        versions = ["", "6"] if self._v6 else [""]
        with self.namespace.inside():
            tables = [pathlib.Path(f"/proc/thread-self/net/udp{version}").read_text() for version in versions]
        ports = [SSDP_PORT] * self.profile.igd + [PMP_PORT] * self._pmp
        return all(f":{port:04X} " in table for table in tables for port in ports)

    def kill(self):
        """As a crash would: its rules stay in the kernel."""
        self.daemon.kill()
        print(f"--- {self.name}: the end of what its miniupnpd said")
        print("\n".join(self.daemon.text().splitlines()[-LOG_LINES:]))
        self.daemon = None

    def stop(self):
        if self.daemon:
            self.kill()

    def forget(self):
        """What was open is gone, and nobody is told; connections that are known go on."""
        for chain in CHAINS:
            self.namespace.nft(f"flush chain inet filter {chain}")

    def reboot(self):
        """Doors and connections are gone; what starts again counts its epoch from 0 and says so to the LAN."""
        self.kill()
        self.forget()
        self.namespace.forget_connections()
        self.restart()

    def restart(self):
        """After kill()."""
        self._restarted = True
        self.start()

    def doors(self):
        """What is open, from the kernel and not from the daemon."""
        found = []
        for chain in "prerouting_miniupnpd", "miniupnpd":
            listed = json.loads(self.namespace.run("nft", "-j", "list", "chain", "inet", "filter", chain))
            for item in listed["nftables"]:
                if "rule" in item:
                    found += _door(item["rule"]["expr"])
        return sorted(found)


class Door(typing.NamedTuple):
    family: int  # 4 or 6
    protocol: str
    port: int  # outside
    address: str  # inside
    inside: int  # the port there


def _door(expressions):
    """The door that a rule of miniupnpd's makes; none: it only lets pass what a door of IPv4 has led in."""
    protocol = port = address = target = None
    accepts = False
    for expression in expressions:
        if "match" in expression:
            left = expression["match"]["left"].get("payload", {})
            right = expression["match"]["right"]
            match left.get("field") or (left.get("offset"), left.get("len")):
                case "dport":
                    port = right
                case (72, 8) | (48, 8):  # protocol in an IPv4 header, next header in one of IPv6
                    protocol = {6: "tcp", 17: "udp"}[right]
                case (192, 128):
                    address = str(ipaddress.IPv6Address(int(str(right), 0)))
        target = expression.get("dnat", target)
        accepts |= "accept" in expression
    if target:
        return [Door(4, protocol, port, target["addr"], target["port"])]
    return [Door(6, protocol, port, address, port)] if accepts and address else []


class Tunnel:
    """tun0 in a namespace: what is sent there is read here. A loop closes it."""

    def __init__(self, namespace):
        with namespace.inside():
            self._fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(self._fd, 0x400454CA, struct.pack("16sH22x", b"tun0", 0x1001))  # TUNSETIFF: IFF_TUN, IFF_NO_PI

    def fileno(self):
        return self._fd

    def pass_on(self, other):
        with contextlib.suppress(BlockingIOError):
            os.write(other.fileno(), os.read(self._fd, 2048))

    def close(self):
        os.close(self._fd)


class RouterLab:
    """One home and its street. `profile` is a name in PROFILES, and what shall differ from it."""

    def __init__(self, profile="upnp", **different):
        self.profile = dataclasses.replace(PROFILES[profile], **different)
        with contextlib.ExitStack() as stack:
            self._stack = stack
            self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hp-lab-"))
            stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
            self._loop = Loop()
            stack.callback(self._loop.close)
            self.visitor, self.core, self._box, self.home, self.roommate = (self._namespace() for _ in range(5))
            self.home_address = HOME
            self._wan_number = 0
            self._prefix_number = 0
            self._radvd = None
            self._build()
            self._stack = stack.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._stack.close()

    def _namespace(self):
        made = Namespace()
        self._stack.callback(made.close)
        made.sysctl("ipv4/conf/all/promote_secondaries", 1)  # an address can go while a newer one is there
        for which in "all", "default":
            made.sysctl(f"ipv6/conf/{which}/accept_dad", 0)
            made.sysctl(f"ipv6/conf/{which}/dad_transmits", 0)
        return made

    # ---- what there is

    @property
    def wan(self):
        """The router's own IPv4 address outside."""
        net = FRONTS[self.profile.front] if self.profile.front else PUBLIC.rpartition(".")[0]
        return f"{net}.{50 + self._wan_number}"

    @property
    def public(self):
        """The IPv4 address that the world sees."""
        return FRONT_PUBLIC if self.profile.front else self.wan

    @property
    def prefix(self):
        return list(DELEGATED.subnets(new_prefix=64))[self._prefix_number]

    @property
    def router6(self):
        """The router's global address at home."""
        return str(self.prefix[1])

    def addresses(self, host=None):
        """The host's global IPv6 addresses, as `ip -json` tells them; home's by default."""
        listed = json.loads((host or self.home).run("ip", "-json", "-6", "addr", "show", "dev", "eth0",
                                                    "scope", "global"))
        return [a for entry in listed for a in entry.get("addr_info", []) if a and not a.get("tentative")]

    def _address(self, temporary, host):
        for a in self.addresses(host):
            if ipaddress.ip_address(a["local"]) in self.prefix and a.get("temporary", False) == temporary:
                return a["local"]
        return None

    def stable(self, host=None):
        """The stable one of the prefix that is announced now."""
        return self._address(False, host)

    def temporary(self, host=None):
        return self._address(True, host)

    # ---- the street

    def _build(self):
        self.core.wire("inet", self.visitor, "eth0")
        self.visitor.ip(f"addr add {VISITOR}/24 dev eth0", "route add default via 198.51.100.1",
                        f"addr add {VISITOR6}/64 dev eth0", "route add default via 2001:db8:b::1")
        self.core.ip("addr add 198.51.100.1/24 dev inet", "addr add 2001:db8:b::1/64 dev inet")
        for name in "ipv4/ip_forward", "ipv6/conf/all/forwarding":
            self.core.sysctl(name, 1)
        upstream = self._build_front() if self.profile.front else (self.core, "isp", "2001:db8:e")
        self._build_router(*upstream)
        self._build_home()
        if self.router.wanted:
            self.router.start()

    def _build_front(self):
        """Between core and router; what it does with IPv6 depends on its kind."""
        front = self._namespace()
        self.core.wire("isp", front, "wan")
        self.core.ip("addr add 11.0.113.1/24 dev isp", "addr add 2001:db8:e::1/64 dev isp",
                     f"route add {DELEGATED} via 2001:db8:e::200")
        front.ip(f"addr add {FRONT_PUBLIC}/24 dev wan", "route add default via 11.0.113.1",
                 "addr add 2001:db8:e::200/64 dev wan", "route add default via 2001:db8:e::1")
        if self.profile.front == "router":
            self.front = Router("front", front, Profile(), self.folder)
        else:
            self.front = Router("front", front, PROFILES["none"], self.folder)
            front.nft("insert rule inet filter forward meta nfproto ipv6 accept")
        return front, "lan", "2001:db8:f"

    def _build_router(self, upstream, port, net6):
        upstream.wire(port, self._box, "wan")
        net = self.wan.rpartition(".")[0]
        upstream.ip(f"addr add {net}.1/24 dev {port}", f"addr add {net6}::1/64 dev {port}",
                    f"route add {DELEGATED} via {net6}::50")
        if self.profile.front and self.front.wanted:
            self.front.start()
            self._stack.callback(self.front.stop)
        self._box.ip("link add lan type bridge mcast_snooping 0", "link set lan up",
                     f"addr add {self.wan}/24 dev wan", f"route add default via {net}.1",
                     f"addr add {net6}::50/64 dev wan", f"route add default via {net6}::1",
                     f"addr add {ROUTER}/24 dev lan")
        if self.profile.v6:
            self._box.ip(f"addr add {self.router6}/64 dev lan")
        self.router = Router("router", self._box, self.profile, self.folder)
        self._stack.callback(self.router.stop)
        if self.profile.natpmp != self.profile.pcp:
            self._refuse_version()

    def _build_home(self):
        for number, (host, address) in enumerate([(self.home, HOME), (self.roommate, ROOMMATE)]):
            self._box.wire(f"lan{number}", host, "eth0")
            self._box.ip(f"link set lan{number} master lan")
            host.ip(f"addr add {address}/24 dev eth0", f"route add default via {ROUTER}")
            host.sysctl("ipv6/conf/eth0/use_tempaddr", 2)
            host.sysctl("ipv6/conf/eth0/stable_secret", f"2001:db8::5ec:{number + 1}")
        if not self.profile.v6:
            return
        # What is sent before the link is ready is lost, and the next comes seconds later.
        for host, interface in (self._box, "lan"), (self.home, "eth0"), (self.roommate, "eth0"):
            wait_until(lambda: "inet6" in host.run("ip", "-6", "addr", "show", "dev", interface, "scope", "link",
                                                   "-tentative"), "a link-local address")
        self._announce()
        self._stack.callback(self._end_radvd)
        self._settle()

    def _announce(self, old=None):
        def prefix(net, preferred):
            return (f"prefix {net} {{ AdvOnLink on; AdvAutonomous on; AdvValidLifetime 7200;"
                    f" AdvPreferredLifetime {preferred}; }};")

        conf = self.folder / "radvd.conf"
        conf.write_text("interface lan { AdvSendAdvert on; MaxRtrAdvInterval 600;"
                        f"{prefix(self.prefix, 3600)} {prefix(old, 0) if old else ''} }};\n")
        if self._radvd:
            self._radvd.send_signal(signal.SIGHUP)
            return
        with self._box.inside():
            self._radvd = Process(["setpriv", "--pdeathsig", "KILL", "radvd", "-n", "-m", "stderr",
                                   "-C", conf, "-p", self.folder / "radvd.pid"])

    def _end_radvd(self):
        self._radvd.kill()

    def _settle(self):
        for host in self.home, self.roommate:
            wait_until(lambda: self.stable(host) and self.temporary(host), "addresses of the prefix")

    def _refuse_version(self):
        """What a router does that knows one of NAT-PMP and PCP only (RFC 6887 appendix A, RFC 6886 3.5)."""
        with self._box.inside():
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.bind(("", REJECT_PORT))

        def answer(s):
            request, peer = s.recvfrom(1100)
            if self.profile.natpmp:  # version 0, result 1
                s.sendto(struct.pack("!BBHI", 0, 128 | request[1], 1, 0), peer)
            else:
                s.sendto(struct.pack("!BBBBII12x", 2, 128 | request[1] & 127, 0, 1, 0, 0), peer)

        self._loop.add(s, answer)

    # ---- what happens to it

    def change_wan_address(self):
        """The provider gives another one; returns it."""
        before = self.wan
        self._wan_number += 1
        self._box.ip(f"addr add {self.wan}/24 dev wan", f"addr del {before}/24 dev wan")
        self._box.forget_connections()
        return self.wan

    def change_prefix(self):
        """The provider delegates another one; the old addresses at home become deprecated."""
        old = self.prefix
        self._prefix_number += 1
        self._box.ip(f"addr add {self.router6}/64 dev lan", f"addr del {old[1]}/64 dev lan")
        self._announce(old)
        self._settle()
        wait_until(lambda: all(a.get("deprecated") for a in self.addresses()
                               if ipaddress.ip_address(a["local"]) in old), "the old addresses are deprecated")

    def change_home_address(self, address="192.168.1.12"):
        """Home gets another one by DHCP, say; what was sent from the old one is not answered any more."""
        self.home.ip(f"addr add {address}/24 dev eth0", f"addr del {self.home_address}/24 dev eth0",
                     f"route replace default via {ROUTER}")
        self.home_address = address

    def start_vpn(self):
        """A tunnel that takes all of home's traffic, as VPN clients do it: two halves beat every default route."""
        self.home.ip("tuntap add mode tun name tun0", "link set tun0 up", "addr add 10.8.0.2/24 dev tun0",
                     "route add 0.0.0.0/1 dev tun0", "route add 128.0.0.0/1 dev tun0",
                     "addr add 2a0e:9::2/64 dev tun0", "route add ::/1 dev tun0", "route add 8000::/1 dev tun0")

    def add_line(self, metric=600):
        """A second line of home's, as of a mobile network, with a public address of its own: that address."""
        box = self._box_of_line()
        box.wire("lan", self.home, "eth1")
        box.ip("addr add 10.77.0.1/24 dev lan")
        self.home.ip("addr add 10.77.0.10/24 dev eth1", f"route add default via 10.77.0.1 metric {metric}")
        return LINE_PUBLIC

    def add_vpn(self):
        """The same, through a tunnel that works and takes all of home's IPv4 traffic: the address of its exit."""
        box = self._box_of_line()
        for host, number in (self.home, 2), (box, 1):
            tunnel = Tunnel(host)
            host.ip(f"addr add 10.8.0.{number}/24 dev tun0", "link set tun0 up")
            if number == 2:
                inside = tunnel
        self._loop.add(inside, lambda end: end.pass_on(tunnel))
        self._loop.add(tunnel, lambda end: end.pass_on(inside))
        self.home.ip("route add 0.0.0.0/1 dev tun0", "route add 128.0.0.0/1 dev tun0")
        return LINE_PUBLIC

    def _box_of_line(self):
        box = self._namespace()
        box.sysctl("ipv4/ip_forward", 1)
        self.core.wire("line", box, "wan")
        self.core.ip("addr add 11.0.114.1/24 dev line")
        box.ip(f"addr add {LINE_PUBLIC}/24 dev wan", "route add default via 11.0.114.1")
        box.nft("table ip nat { chain post { type nat hook postrouting priority 100; oifname wan masquerade; }; }")
        return box

    def watch_home(self):
        """From now on, strangers() knows."""
        self.home.nft("""
            table inet watch {
                set strangers4 {
                    type ipv4_addr
                    size 1024
                    flags dynamic
                }
                set strangers6 {
                    type ipv6_addr
                    size 1024
                    flags dynamic
                }
                chain output {
                    type filter hook output priority 0
                    oifname lo accept
                    ct direction reply accept
                    ip daddr != { 192.168.1.0/24, 224.0.0.0/4 } add @strangers4 { ip daddr }
                    ip6 daddr != { fe80::/10, ff00::/8, DELEGATED } add @strangers6 { ip6 daddr }
                }
            }
            """.replace("DELEGATED", str(DELEGATED)))

    def strangers(self):
        """The addresses beyond the router to which home has sent something of its own accord."""
        found = []
        for name in "strangers4", "strangers6":
            listed = json.loads(self.home.run("nft", "-j", "list", "set", "inet", "watch", name))
            found += next(item["set"] for item in listed["nftables"] if "set" in item).get("elem", [])
        return found

    def expire(self, seconds=10):
        """Until the router has closed every door by itself; whoever renews must be gone."""
        wait_until(lambda: not self.doors(), "all doors are closed", seconds)

    def doors(self):
        return self.router.doors()

    # ---- who comes

    def serve(self, port, udp=False, host=None):
        """An echo at home, on every address: answers with the name of the host, the port, and what came."""
        host = host or self.home
        name = "home" if host is self.home else "roommate"

        def answer(data):
            return f"{name} {port} ".encode() + data

        def tcp(s):
            if data := s.recv(4096):
                s.sendall(answer(data))
            else:
                self._loop.remove(s)

        def datagram(s):
            # From the address that was asked: the kernel's choice would be the temporary one.
            data, extra, _, peer = s.recvmsg(4096, 256)
            s.sendmsg([answer(data)], [e for e in extra if e[:2] == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO)],
                      0, peer)

        with host.inside():
            if udp:
                s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
                s.bind(("::", port))
            else:
                s = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
        self._loop.add(s, datagram if udp else lambda s: self._loop.add(s.accept()[0], tcp))

    def visitor_connects(self, address, port, udp=False, seconds=2):
        """Who answered: "home 8080"; or "refused", "unreachable", "silent"."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        word = secrets.token_hex(8)
        with self.visitor.inside():
            s = socket.socket(family, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
        with s:
            s.settimeout(seconds)
            try:
                s.connect((address, port))
                s.sendall(word.encode())
                answer = s.recv(4096).decode()
            except TimeoutError:
                return "silent"
            except (ConnectionRefusedError, ConnectionResetError):
                return "refused"
            except OSError as error:
                if error.errno not in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES):
                    raise
                return "unreachable"
        assert answer.endswith(" " + word), answer
        return answer.removesuffix(" " + word)

    def at_home(self, *argv, expect=0, host=None, env=None, seconds=20):
        """What this program says there, on both of its outputs; `expect` None: however it ends."""
        with (host or self.home).inside():
            done = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, errors="replace", timeout=seconds, env=env)
        assert expect is None or done.returncode == expect, f"{argv}: exit code {done.returncode}\n{done.stdout}"
        return done.stdout


def _missing():
    """Why there can be no such lab here; None: there can."""
    if needs_root.mark.args[0]:
        return needs_root.mark.kwargs["reason"]
    tools = "ip", "nft", "miniupnpd", "radvd", "upnpc", "natpmpc", "setpriv", "unshare"
    missing = [tool for tool in tools if not shutil.which(tool)]
    if missing:
        return f"needs {', '.join(missing)}"
    private = subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True)
    if private.returncode:
        return f"needs mount namespaces: {private.stderr.strip()}"
    try:
        RouterLab("none", v6=False).close()
    except (OSError, AssertionError) as error:
        return f"needs namespaces with bridges and nftables: {error}"
    return None


_reason = _missing()
needs_routers = pytest.mark.skipif(_reason is not None, reason=str(_reason))
needs_tun = pytest.mark.skipif(not pathlib.Path("/dev/net/tun").exists(), reason="needs /dev/net/tun")


def main(profile, *command):
    with contextlib.redirect_stdout(None), RouterLab(profile) as street:
        say = functools.partial(print, file=sys.stderr, flush=True)
        say(f"{profile}: WAN {street.wan}, stable {street.stable()}, temporary {street.temporary()}")
        with street.home.inside():
            code = subprocess.run(command).returncode
        for door in street.doors():
            say(*door)
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
