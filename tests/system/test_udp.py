"""UDP services with real datagrams: visitor -> gateway -> link -> a UDP server at home."""
import contextlib
import json
import os
import re
import signal
import socket
import struct
import threading
import time

import h2.settings
import pytest

from foreign import ForeignAgent, Link
from harness import DEADLINE_S, Agent, Gateway, free_port, wait_until
from peers import up

SIZES = [0, 1, 1200, 1472, 9000, 65507]


def udp_socket(address, port=0):
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    s.bind((address, port))
    return s


def echo(data, peer):
    return data


class Server:
    """A UDP server: answer(data, peer) is what it sends back, None: nothing."""

    def __init__(self, answer=echo, address="127.0.0.1", port=0):
        self.peers = []  # of each datagram
        self.answer = answer
        self._socket = udp_socket(address, port)
        self._socket.settimeout(0.05)
        self.port = self._socket.getsockname()[1]
        self._end = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._end:
            with contextlib.suppress(TimeoutError, ConnectionRefusedError):
                data, peer = self._socket.recvfrom(65536)
                self.peers.append(peer)
                back = self.answer(data, peer)
                if back is not None:
                    self._socket.sendto(back, peer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._end = True
        self._thread.join()
        self._socket.close()


class Visitor:
    """A socket that speaks with one address only: answers from elsewhere do not reach it."""

    def __init__(self, port, address="127.0.0.1", source=None):
        self.socket = udp_socket(source or ("::" if ":" in address else "0.0.0.0"))
        self.socket.connect((address, port))
        self.socket.settimeout(DEADLINE_S)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.send(data)

    def receive(self, seconds=DEADLINE_S):
        """One datagram; None: none came."""
        self.socket.settimeout(seconds)
        with contextlib.suppress(TimeoutError, ConnectionRefusedError):
            return self.socket.recv(65536)

    def ask(self, data, seconds=DEADLINE_S):
        self.send(data)
        return self.receive(seconds)

    def gets(self, data):
        """Whether a try was answered; for what takes a while to work again."""
        return self.ask(data, 0.2) == data


def free_udp_port():
    """Free for both protocols, in both families."""
    while True:
        port = free_port()
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            for address in "127.0.0.1", "::1":
                stack.enter_context(udp_socket(address, port))
            return port


def gateway_on(run, hosts=("127.0.0.1", "::1")):
    """A gateway with one raw port, on these addresses (none: on all there are)."""
    gateway = Gateway(run)
    gateway.raw = free_udp_port()
    https = " ".join(f"[{h}]:{gateway.https}" if ":" in h else f"{h}:{gateway.https}" for h in hosts)
    gateway.config.write_text(
        f"[gateway]\ndomain = localhost\naddress = 127.0.0.1:{gateway.https}\n"
        f"[listen]\nhttps = {https or gateway.https}\nhttp = 127.0.0.1:{gateway.http}\n"
        f"ports = {gateway.raw}\n")
    gateway.start()
    return gateway


@pytest.fixture
def udp_gateway(run):
    return gateway_on(run)


@pytest.fixture
def home(run, udp_gateway):
    agent = Agent(run)
    agent.join(udp_gateway.invite("laptop"))
    return agent


def game(port, address="127.0.0.1"):
    host = f"[{address}]" if ":" in address else address
    return f"[service game]\nto = udp://{host}:{port}\n"


def udp_status(gateway):
    return json.loads(gateway.command("status", "--json").stdout)["udp"]


def service_status(agent, service="game"):
    services = json.loads(agent.command("status", "--json").stdout)["services"]
    return next(s for s in services if s["id"] == service)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_sizes(udp_gateway, home, address):
    """Both on the visitor's way and at home, in this family."""
    with Server(address=address) as server, Visitor(udp_gateway.raw, address) as visitor:
        process = up(home, game(server.port, address))
        for size in SIZES + SIZES[::-1]:
            data = os.urandom(size)
            assert visitor.ask(data) == data, size
        assert len(set(server.peers)) == 1
        process.stop()


def test_many_at_once(udp_gateway, home):
    """Of what arrives nothing is changed or doubled, whatever the order."""
    with Server() as server, Visitor(udp_gateway.raw) as visitor:
        process = up(home, game(server.port))
        assert visitor.ask(b"first") == b"first"
        sent = [struct.pack("!I", i) + os.urandom(i * 7 % 3000) for i in range(300)]
        for i in range(0, 300, 10):
            for data in sent[i:i + 10]:
                visitor.send(data)
            time.sleep(0.002)
        got = []
        while (data := visitor.receive(1)) is not None:
            got.append(data)
        assert set(got) <= set(sent) and len(got) == len(set(got))
        assert len(got) >= 200
        process.stop()


def test_answers_from_the_address_asked(run):
    """A gateway on every address: the visitor's connected socket takes no answer from another."""
    gateway = gateway_on(run, hosts=())
    agent = Agent(run)
    agent.join(gateway.invite("laptop"))
    with Server() as server:
        process = up(agent, game(server.port))
        for address in "127.0.0.1", "127.0.0.77", "::1":
            with Visitor(gateway.raw, address) as visitor:
                assert visitor.ask(b"hello") == b"hello", address
        process.stop()


def test_visitors_do_not_mix(udp_gateway, home):
    with Server(lambda data, peer: data + b" for %d" % peer[1]) as server:
        process = up(home, game(server.port))
        with Visitor(udp_gateway.raw) as one, Visitor(udp_gateway.raw) as other:
            for visitor, name in (one, b"one"), (other, b"other"):
                visitor.send(name)
            first, second = one.receive(), other.receive()
            assert first.startswith(b"one for ") and second.startswith(b"other for ")
            ports = [first.split()[-1], second.split()[-1]]
            assert ports[0] != ports[1]  # to the local server, too, they are two
            for i in range(20):
                assert one.ask(b"%d" % i) == b"%d for %s" % (i, ports[0])
                assert other.ask(b"-%d" % i) == b"-%d for %s" % (i, ports[1])
        assert len(set(server.peers)) == 2
        process.stop()


def test_one_flow_too_many(udp_gateway, home):
    """The 257th takes the place of the oldest without an answer; of one with an answer never."""
    def answer(data, peer):
        return data if data.startswith(b"answer") else None

    with Server(answer) as server, contextlib.ExitStack() as stack:
        process = up(home, game(server.port))
        visitors = [stack.enter_context(Visitor(udp_gateway.raw, source=f"127.0.4.{1 + i % 10}")) for i in range(257)]
        assert visitors[0].ask(b"answer 0") == b"answer 0"
        for visitor in visitors[1:256]:
            visitor.send(b"quiet")
        wait_until(lambda: udp_status(udp_gateway)["flows"] == 256, "256 flows")
        wait_until(lambda: visitors[256].gets(b"answer 256"), "a place, once the oldest is 1 s old")
        after = udp_status(udp_gateway)
        assert after["flows"] == 256
        assert after["flows_total"] == 257
        assert visitors[0].ask(b"answer again") == b"answer again"
        wait_until(lambda: service_status(home)["visitors"] == 256, "home has as many")
        # Now all have an answer, and the one that went finds no place.
        for i, visitor in enumerate(visitors[2:256], 2):
            assert visitor.ask(b"answer %d" % i) == b"answer %d" % i
        time.sleep(1.1)  # all are old enough, if that were what counts
        dropped = udp_status(udp_gateway)["dropped_limit"]
        assert visitors[1].ask(b"answer 1", 0.3) is None
        assert udp_status(udp_gateway)["dropped_limit"] == dropped + 1
        text = udp_gateway.command("status").stdout
        assert re.search(r"^udp +256 flows now, 257 since the start; \d+ datagrams in", text, re.M)
        assert re.search(r"flows +256 now, 257 since the start", home.command("status").stdout)
        process.stop()


def test_one_source_does_not_take_all_places(udp_gateway, home):
    with Server() as server, contextlib.ExitStack() as stack:
        process = up(home, game(server.port))
        for i in range(300):
            stack.enter_context(Visitor(udp_gateway.raw, source="127.0.4.1")).send(b"greedy %d" % i)
        wait_until(lambda: udp_status(udp_gateway)["flows"] == 64, "64 flows")
        for i in range(100):
            other = stack.enter_context(Visitor(udp_gateway.raw, source=f"127.0.4.{2 + i % 10}"))
            assert other.ask(b"hello") == b"hello"
        assert udp_status(udp_gateway)["flows"] == 164
        process.stop()


def test_agent_restart(udp_gateway, home):
    with Server() as server, Visitor(udp_gateway.raw) as visitor:
        process = up(home, game(server.port))
        assert visitor.ask(b"before") == b"before"
        process.kill()
        process = up(home, game(server.port))
        wait_until(lambda: visitor.gets(b"after"), "the same visitor, through the new process")
        process.stop()
        assert visitor.ask(b"away", 0.3) is None
        process = up(home, game(server.port))
        wait_until(lambda: visitor.gets(b"back"), "and again")
        process.stop()


def test_gateway_restart(udp_gateway, home):
    with Server() as server, Visitor(udp_gateway.raw) as visitor:
        process = up(home, game(server.port))
        assert visitor.ask(b"before") == b"before"
        udp_gateway.process.kill()
        udp_gateway.start()
        wait_until(lambda: visitor.gets(b"after"), "the same port, the same visitor")
        process.stop()


def test_local_service_absent(udp_gateway, home):
    port = free_udp_port()
    share = home.share(f"udp://127.0.0.1:{port}", ready=rf"^udp://localhost:{udp_gateway.raw}$")
    share.wait_line(rf"nothing listens on 127.0.0.1:{port} \(UDP\) yet; visitors get no answer")
    with Visitor(udp_gateway.raw) as visitor:
        assert visitor.ask(b"anybody?", 0.3) is None
        assert udp_status(udp_gateway)["flows"] == 1  # it stays: the server may come
        with Server(port=port):
            share.wait_line(rf"udp://127.0.0.1:{port} answers now")
            assert visitor.ask(b"hello") == b"hello"
        visitor.send(b"gone again")
        share.stop(signal.SIGINT)


def test_log_line(udp_gateway, home):
    with Server() as server, Visitor(udp_gateway.raw) as visitor:
        share = home.share(f"udp://127.0.0.1:{server.port}", ready=r"^udp://")
        assert visitor.ask(b"hello") == b"hello"
        assert visitor.ask(b"x" * 995) == b"x" * 995
        udp_gateway.process.stop()  # every flow ends
        share.wait_line(r"  127\.0\.0\.1  flow  1\.0 kB in, 1\.0 kB out  \d")
        share.stop(signal.SIGINT)


def test_reload_leaves_flows_alone(udp_gateway, home):
    with Server() as server, Visitor(udp_gateway.raw) as visitor:
        process = up(home, game(server.port))
        assert visitor.ask(b"before") == b"before"
        home.config.write_text(game(server.port) + "[service more]\nto = 127.0.0.1:1\n")
        seen = len(process.lines)
        process.send_signal(signal.SIGHUP)
        process.wait_line("service more: http://", after=seen)
        assert visitor.ask(b"after") == b"after"
        assert len(set(server.peers)) == 1  # the same socket at home: the same flow
        home.config.write_text("[service more]\nto = 127.0.0.1:1\n")
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: udp_status(udp_gateway)["flows"] == 0, "the service is gone")
        assert visitor.ask(b"too late", 0.3) is None
        process.stop()


def test_share_beside_up(udp_gateway, home):
    """On loan: the datagrams reach the process that shares over its own socket."""
    with Server() as server, Visitor(udp_gateway.raw) as visitor:
        process = up(home, "")
        share = home.share(f"udp://127.0.0.1:{server.port}", ready=r"^udp://")
        for size in SIZES:
            data = os.urandom(size)
            assert visitor.ask(data) == data, size
        share.stop(signal.SIGINT)
        assert visitor.ask(b"too late", 0.3) is None
        process.stop()


def test_tcp_and_udp_side_by_side(udp_gateway, home):
    """A number belongs to one service: the second one is told so."""
    process = home.up(game(1, "127.0.0.1") + "[service ssh]\nto = tcp://127.0.0.1:22\n"
                      f"port = {udp_gateway.raw}\n")
    process.wait_line(r"service ssh is not public: port \d+ is used by another service")
    process.stop()


# ---- foreign agents

class UdpLink(Link):
    """Answers every datagram twice: as it came, and turned around."""

    SETTINGS = {h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL: 1}

    def _on_request(self, stream, headers):
        if headers[":method"] == "CONNECT":
            self.visitors.append(headers)
            self._conn.send_headers(stream, [(":status", "200"), ("capsule-protocol", "?1")])
        else:
            super()._on_request(stream, headers)

    def _on_visitor(self, stream, data):
        kind, length, context = data[:3]  # short ones
        assert kind == 0 and context == 0 and len(data) == 2 + length
        payload = data[3:]
        unknown = bytes([0x40, 0x99, 2]) + b"??"
        for answer in payload, payload[::-1]:
            self._conn.send_data(stream, unknown + bytes([0, len(answer) + 1, 0]) + answer)


def hello(agent, services):
    return {"type": "hello", "version": 1, "instance": agent.instance, "carrier": 0, "revision": 1,
            "services": services}


def test_foreign_agent(udp_gateway):
    foreign = ForeignAgent(udp_gateway.home.path)
    foreign.join(udp_gateway.invite("laptop"))
    with UdpLink(foreign, hello(foreign, [{"id": "game", "kind": "udp"}])) as link, \
            Visitor(udp_gateway.raw) as visitor:
        grant = link.welcome["services"][0]
        assert grant["granted"] and grant["urls"] == [f"udp://localhost:{udp_gateway.raw}"]
        assert visitor.ask(b"hello") == b"hello"
        assert visitor.receive() == b"olleh"
        assert visitor.ask(b"") == b""
        headers = link.visitors[0]
        own = visitor.socket.getsockname()[1]
        assert headers == {
            ":method": "CONNECT", ":protocol": "connect-udp", ":scheme": "https",
            ":authority": "game", ":path": "/.well-known/masque/udp/game/1/",
            "capsule-protocol": "?1", "forwarded": f'for="127.0.0.1:{own}";proto=udp'}


def test_foreign_agent_without_udp(udp_gateway):
    foreign = ForeignAgent(udp_gateway.home.path)
    foreign.join(udp_gateway.invite("laptop"))
    with foreign.link([{"id": "game", "kind": "udp"}]) as link, Visitor(udp_gateway.raw) as visitor:
        grant = link.welcome["services"][0]
        assert not grant["granted"] and grant["reason"] == "not-supported"
        assert visitor.ask(b"hello", 0.2) is None
        assert link.visitors == []


# ---- figures

def test_throughput(udp_gateway, home, capsys):
    """No judgement, the machine may be busy: a line to look at."""
    rate, seconds, batch = 4000, 2, 8
    got = set()
    with Server() as server, Visitor(udp_gateway.raw) as visitor:
        process = up(home, game(server.port))
        assert visitor.ask(b"first") == b"first"

        def count():
            while (data := visitor.receive(0.5)) is not None:
                got.add(data[:4])

        counter = threading.Thread(target=count)
        counter.start()
        begin, sent = time.monotonic(), 0
        while sent < rate * seconds:
            for _ in range(batch):
                visitor.send(struct.pack("!I", sent) + bytes(1196))
                sent += 1
            time.sleep(max(0, begin + sent / rate - time.monotonic()))
        took = time.monotonic() - begin
        counter.join()
        process.stop()
    with capsys.disabled():
        print(f"\nUDP, 1200 bytes, there and back: {sent / took:.0f} packets/s sent for {took:.1f} s, "
              f"{100 * (1 - len(got) / sent):.2f} % lost")
    assert len(got) > sent / 10
