"""Days that go wrong: the line, the router, the neighbours, the crowd. What it did to visitors, and for how long.

Each test is short here; `make soak` does many rounds of it, and more of everything, and prints how long they took.
"""
import asyncio
import contextlib
import email.utils
import http.client
import json
import os
import pathlib
import random
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from harness import Agent, Gateway, command, connect, free_port, needs_root, visit, wait_until
from lab import GATEWAY, Lab, needs_lab
from manager import Manager, start_with
from peers import HELLO, Visitor, client_hello, receive, reset, tcp_server, up

PAGE = "front"
BIG = random.Random(1).randbytes(24 << 20)


def elapse(seconds):
    """A state of the world lasts."""
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= end, "time passes", 2 * seconds + 1)


@pytest.fixture
def folder(run):
    """A page, and a file that is more than all buffers on the way hold."""
    folder = run.home().path / "site"
    folder.mkdir()
    (folder / "index.html").write_text(PAGE)
    (folder / "big").write_bytes(BIG)
    return folder


def hello(folder, extra=""):
    return f"{extra}[service hello]\nto = {folder}\nname = {HELLO}\n"


def served(port, address="127.0.0.1", seconds=0.5):
    """Whether the page comes soon; who does not get it leaves nothing behind."""
    with contextlib.suppress(OSError), Visitor(port, address=address) as visitor:
        visitor.socket.settimeout(seconds)
        try:
            visitor.ask("/", "GET", "Connection: close")
            return (head := visitor.head()) is not None and head.status == 200
        finally:
            visitor.reset()


def rss_mib(process):
    with open(f"/proc/{process.pid}/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE") / (1 << 20)


def sanitized(process):
    """Whether its memory is a sanitizer's more than its own."""
    with open(f"/proc/{process.pid}/maps") as maps:
        return "libasan" in maps.read()


def carriers(agent):
    return json.loads(agent.command("status", "--json").stdout)["link"]["carriers"]


class Visits(threading.Thread):
    """One page after the other, in the background; how long each took."""

    def __init__(self, port, address="127.0.0.1", namespace=None):
        super().__init__(daemon=True)
        self.port, self.address = port, address
        self.namespace = namespace
        self.took, self.failed = [], []
        self._end = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self.join()

    def run(self):
        with self.namespace.inside() if self.namespace else contextlib.nullcontext():
            while not self._end.wait(0.005):  # or it would meet the limit for one source
                start = time.monotonic()
                try:
                    answer = visit(self.port, HELLO, address=self.address)
                    assert (answer.status, answer.text) == (200, PAGE), answer.status
                    self.took.append(time.monotonic() - start)
                except (OSError, http.client.HTTPException, AssertionError) as failure:
                    self.failed.append(f"{failure!r} after {time.monotonic() - start:.2f} s")

    def check(self, figures, what, most):
        """Every page came, and 99 of 100 within this time."""
        assert not self.failed, self.failed
        took = sorted(self.took)
        p99 = took[int(len(took) * 0.99)]
        figures(f"{what}: {len(took)} pages, p50 {took[len(took) // 2]:.3f} s, p99 {p99:.3f} s")
        assert p99 < most


# ---- the line, in a network of the test's own

@pytest.fixture
def lab():
    with Lab() as lab:
        yield lab


class House:
    """A gateway on the internet, an agent at home, and one who wants to see the page."""

    def __init__(self, lab, run, folder):
        self.lab = lab
        with lab.gateway.inside():
            self.gateway = Gateway(run, address=GATEWAY)
            self.gateway.start()
        self.agent = Agent(run)
        with lab.home.inside():
            self.agent.join(self.gateway.invite("laptop", HELLO))
            self.process = up(self.agent, hello(folder))
        self.whole()
        assert self.served()

    def whole(self):
        wait_until(lambda: carriers(self.agent) == 2, "two carriers", 30)

    def ports(self):
        """The agent's ends of its connections."""
        with self.lab.home.inside(), open("/proc/thread-self/net/tcp") as tcp:
            lines = [line.split() for line in list(tcp)[1:]]
        return {line[1] for line in lines if line[3] == "01" and int(line[2][-4:], 16) == self.gateway.https}

    def served(self):
        with self.lab.visitor.inside():
            return served(self.gateway.http, GATEWAY)

    def served_again(self, rounds, start, what, most):
        wait_until(self.served, "served again", most + 30)
        rounds.took(what, time.monotonic() - start, most)
        self.whole()


@pytest.fixture
def house(lab, run, folder):
    house = House(lab, run, folder)
    yield house
    house.process.stop()


@needs_lab
def test_the_cable_is_pulled(house, lab, rounds):
    """Home sees that it has no carrier. A download over a short break goes on as if nothing had been."""
    for seconds in rounds.each(1, 30):
        with lab.visitor.inside(), Visitor(house.gateway.http, address=GATEWAY, rcvbuf=4096) as visitor:
            visitor.ask("/big", "GET", "Connection: close")
            visitor.head()
            lab.unplug()
            elapse(seconds)
            lab.plug()
            start = time.monotonic()
            house.served_again(rounds, start, f"the cable was out for {seconds} s", 2)
            if seconds == 1:
                assert visitor.file.read() == BIG


@needs_lab
def test_the_line_is_silent(house, lab, rounds):
    """Half open at both ends; nobody is told."""
    for seconds in rounds.each(12, 30):
        lab.silence()
        elapse(seconds)
        lab.sound()
        start = time.monotonic()
        house.served_again(rounds, start, f"the line was silent for {seconds} s", 2)


@needs_lab
@pytest.mark.parametrize("what", ["ports", "address", "uplink"])
def test_the_router_changes_its_mind(house, lab, rounds, what):
    for i in rounds:
        start = time.monotonic()
        if what == "ports":  # it forgot its connections, and gives each a new port
            lab.masquerade(f"masquerade to :{20000 + 1000 * (i % 20)}-{20999 + 1000 * (i % 20)}")
            lab.router.forget_connections()
        elif what == "address":  # a new one from its provider
            lab.router.ip("addr flush dev wan", f"addr add 203.0.113.{60 + i}/24 dev wan",
                          "route add default via 203.0.113.1")
        else:  # the cable is out, and there is another network
            uplink = 1 + (i + 1) % 2
            lab.router.ip(f"link set lan{uplink} up", f"link set lan{3 - uplink} down")
            lab.home.ip(f"route replace default via 192.168.{uplink}.1")
        house.served_again(rounds, start, f"NAT, another {what}", 7)


@needs_lab
def test_a_full_line(house, lab, rounds):
    """2 Mbit/s up, a download that takes all of it, and networks that come and go at home."""
    lab.narrow("2mbit")
    seconds = 10 if rounds.soak else 2
    for _ in rounds:
        before = house.ports()
        with lab.visitor.inside():
            bulk = Visitor(house.gateway.http, address=GATEWAY)
            bulk.ask("/big")
        with bulk:
            got = []
            reader = threading.Thread(target=lambda: got.extend(iter(lambda: len(bulk.socket.recv(65536)), 0)))
            reader.start()
            wait_until(lambda: sum(got) > 65536, "the line is full")
            begun, start = sum(got), time.monotonic()
            with Visits(house.gateway.http, GATEWAY, lab.visitor) as visits:
                for i in range(seconds):
                    lab.home.ip("addr add 10.9.8.7/32 dev eth1")
                    elapse(0.5)
                    lab.home.ip("addr del 10.9.8.7/32 dev eth1")
                    elapse(0.5)
                rate = (sum(got) - begun) * 8 / 1e6 / (time.monotonic() - start)
            bulk.socket.shutdown(socket.SHUT_RDWR)
            reader.join()
        visits.check(rounds.say, f"beside a bulk upload of {rate:.1f} Mbit/s on 2", 1)
        assert 1 < rate < 2.2
        assert house.ports() == before, "another connection was dialled"


# ---- programs that stand still

@pytest.mark.parametrize("who", ["agent", "gateway"])
def test_stopped_for_a_while(gateway, agent, folder, rounds, who):
    """Who comes meanwhile gets his page, later; what was under way is whole."""
    process = up(agent, hello(folder))
    stopped = process if who == "agent" else gateway.process
    for seconds in rounds.each(2, 5):
        with Visitor(gateway.http, rcvbuf=4096) as downloading, contextlib.ExitStack() as stack:
            downloading.ask("/big", "GET", "Connection: close")
            downloading.head()
            stopped.send_signal(signal.SIGSTOP)
            visitors = [stack.enter_context(Visitor(gateway.http)) for _ in range(10)]
            for visitor in visitors:
                visitor.ask("/")
            elapse(seconds)
            stopped.send_signal(signal.SIGCONT)
            start = time.monotonic()
            assert [visitor.answer().body for visitor in visitors] == [PAGE.encode()] * 10
            rounds.took(f"the {who} stood still for {seconds} s", time.monotonic() - start, 2)
            assert downloading.file.read() == BIG
    process.stop()


# ---- programs that start again

@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
@pytest.mark.parametrize("who", ["agent", "gateway"])
def test_a_restart_under_load(run, folder, rounds, who, how):
    """Who comes meanwhile waits. A program that is killed takes along those it was about to answer, one of
    each visitor, and nobody whom it had answered."""
    gateway = Gateway(run)
    with contextlib.closing(Manager(gateway.home)) as manager, contextlib.ExitStack() as stack:
        gateway.start()
        agent = Agent(run)
        agent.join(gateway.invite("laptop", HELLO))
        process = up(agent, hello(folder))
        visitors = [stack.enter_context(Visits(gateway.http)) for _ in range(4)]

        def some_more(n):
            goals = [len(visits.took) + n for visits in visitors]
            wait_until(lambda: all(len(visits.took) >= goal for visits, goal in zip(visitors, goals)), "pages")

        for _ in rounds:
            some_more(5)
            begun = [len(visits.took) for visits in visitors]
            stopped = process if who == "agent" else gateway.process
            if how == signal.SIGTERM:
                stopped.stop()
            else:
                stopped.kill()
            if who == "agent":
                process = agent.up(hello(folder))
            else:
                start_with(gateway, manager.fds)
            some_more(5)
            longest = max(took for visits, at in zip(visitors, begun) for took in visits.took[at:])
            rounds.took(f"the longest visit while the {who} was {'stopped' if how == signal.SIGTERM else 'killed'}"
                        " and started again", longest, 3)
        failed = [failure for visits in visitors for failure in visits.failed]
        rounds.say(f"{sum(len(visits.took) for visits in visitors)} pages, {len(failed)} visits broken off")
        assert not [failure for failure in failed if "AssertionError" in failure], failed
        assert len(failed) <= (0 if how == signal.SIGTERM else 4 * rounds.n), failed
        stack.pop_all().close()
        process.stop()


# ---- crowds

def test_aborted_downloads(gateway, agent, folder, rounds):
    """5000 within 10 s, and one who takes his time."""
    process = up(agent, hello(folder))
    wait_until(lambda: carriers(agent) == 2, "two carriers")
    n = 5000 if rounds.soak else 1000
    for _ in rounds:
        with Visitor(gateway.http, rcvbuf=4096) as slow:
            slow.ask("/big", "GET", "Connection: close")
            slow.head()
            got = [slow.file.read(1000)]
            start = time.monotonic()
            for i in range(n):
                with Visitor(gateway.http, source=f"127.0.1.{1 + i % 50}") as visitor:
                    visitor.ask("/big")
                    if i % 3:
                        visitor.socket.recv(100)
                    visitor.reset()
                got.append(slow.file.read(500))
            rounds.took(f"{n} aborted downloads", time.monotonic() - start, 10)
            got.append(slow.file.read())
            assert b"".join(got) == BIG
    assert "not connected" not in process.text()
    wait_until(lambda: visitors_now(gateway) == 0, "nobody stays")
    process.stop()


def visitors_now(gateway):
    return json.loads(gateway.command("status", "--json").stdout)["visitors"]["now"]


def speed(gateway, enough=0):
    """MB/s of one who takes the big file; the best of some attempts, as other programs run here, too: of more of
    them if that is not enough."""
    best = tries = 0
    end = time.monotonic() + 10
    with Visitor(gateway.http) as visitor:
        while tries < 6 or (best < enough and time.monotonic() < end):
            tries += 1
            start = time.monotonic()
            visitor.ask("/big")
            visitor.head()
            assert visitor.file.read(len(BIG)) == BIG
            best = max(best, len(BIG) / 1e6 / (time.monotonic() - start))
    return best


def test_visitors_who_stop_reading(gateway, agent, folder, rounds):
    process = up(agent, hello(folder))
    programs = {"agent": process, "gateway": gateway.process}
    for _ in rounds:
        alone = speed(gateway)
        before = {name: rss_mib(program) for name, program in programs.items()}
        with contextlib.ExitStack() as stack:
            for i in range(200):
                visitor = stack.enter_context(Visitor(gateway.http, rcvbuf=4096))
                visitor.ask("/big")
                assert visitor.socket.recv(100)
            beside = speed(gateway, alone / 2)
            after = {name: rss_mib(program) for name, program in programs.items()}
        rounds.say(f"one fast visitor: {alone:.0f} MB/s alone, {beside:.0f} MB/s beside 200 who do not read; "
                   + ", ".join(f"{name} {before[name]:.0f} MiB before, {after[name]:.0f} after" for name in before))
        assert beside > alone / 2
        for name, program in programs.items():
            assert after[name] - before[name] < (400 if sanitized(program) else 64)
        wait_until(lambda: visitors_now(gateway) == 0, "nobody stays")
    process.stop()


# ---- local services

BLOCK = random.Random(2).randbytes(1 << 20)


def send_blocks(s, n):
    for _ in range(n):
        s.sendall(BLOCK)


def receive_blocks(s, n):
    """Exactly these, and then the end."""
    for i in range(n):
        assert receive(s, len(BLOCK)) == BLOCK, f"block {i} is another"
    assert s.recv(1) == b""


def raw(agent, port):
    """A public TCP port of a local server."""
    process = agent.up(f"[service raw]\nto = tcp://127.0.0.1:{port}\n")
    return process, int(process.wait_line(r"tcp://localhost:(\d+)")[1])


def at_once(n, task):
    """task(i) on n threads; all of their failures."""
    failures = []

    def attempt(i):
        try:
            task(i)
        except Exception as failure:  # told below, whatever it is
            failures.append(f"{i}: {failure!r}")

    threads = [threading.Thread(target=attempt, args=(i,), daemon=True) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures


def test_half_closed_with_much_to_come(gateway, agent, rounds):
    """50 MB after the other side has said its last: of the server to one half of the visitors, of the other
    half to the server."""
    size = 50
    received = []

    def serve(s):
        s.settimeout(60)
        kind = s.recv(1)
        if kind == b"d":
            assert s.recv(1) == b""
            send_blocks(s, size)
        elif kind == b"u":
            s.shutdown(socket.SHUT_WR)
            receive_blocks(s, size)
            received.append(True)

    def visitor(i):
        with connect(public, seconds=60) as s:
            if i % 2:
                s.sendall(b"d")
                s.shutdown(socket.SHUT_WR)
                receive_blocks(s, size)
            else:
                s.sendall(b"u")
                assert s.recv(1) == b""
                send_blocks(s, size)

    with tcp_server(serve) as port:
        process, public = raw(agent, port)
        for _ in rounds:
            received.clear()
            n = 100 if rounds.soak else 20
            start = time.monotonic()
            at_once(n, visitor)
            wait_until(lambda: len(received) == n // 2, "all uploads are whole")
            rounds.took(f"{n} half-closed connections of {size} MiB", time.monotonic() - start, 60)
        process.stop()


@pytest.mark.parametrize("end", ["end", "reset"])
def test_the_service_leaves_in_the_middle(gateway, agent, rounds, end):
    """What it had said arrives before its end; after a reset whatever had got through, and a reset."""
    def serve(s):
        if s.recv(1):
            send_blocks(s, 2)
            if end == "reset":
                reset(s)

    def visitor(i):
        with connect(public) as s:
            s.sendall(b"?")
            if end == "end":
                return receive_blocks(s, 2)
            got = bytearray()
            with pytest.raises(ConnectionResetError):
                while more := s.recv(65536):
                    got += more
            assert (BLOCK * 2).startswith(got)

    with tcp_server(serve) as port:
        process, public = raw(agent, port)
        for _ in rounds:
            at_once(20, visitor)
        process.stop()


def test_an_answer_cut_short(gateway, agent, rounds):
    """By a web server: its visitor sees that there is less than he was promised, and soon."""
    def serve(s):
        if s.recv(65536):
            s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + BLOCK)

    with tcp_server(serve) as port:
        process = up(agent, f"[service hello]\nto = http://127.0.0.1:{port}\nname = {HELLO}\n")
        for _ in rounds:
            with Visitor(gateway.http) as visitor:
                visitor.ask("/")
                start = time.monotonic()
                assert visitor.head().get("Content-Length") == "2000000"
                got = b""
                with contextlib.suppress(ConnectionResetError):
                    while more := visitor.file.read1(65536):
                        got += more
                assert BLOCK.startswith(got)
                rounds.took("the end of an answer cut short", time.monotonic() - start, 2)
        process.stop()


def test_a_service_that_stops_reading(gateway, agent, folder, rounds):
    """Those who send to it wait; nobody else does; and all arrives when it reads again."""
    reads = threading.Event()
    whole = []

    def serve(s):
        if s.recv(1):
            reads.wait(60)
            receive_blocks(s, 8)
            whole.append(True)
            s.sendall(b"!")

    def visitor(i):
        with connect(public, seconds=60) as s:
            s.sendall(b"?")
            send_blocks(s, 8)
            s.shutdown(socket.SHUT_WR)
            assert s.recv(2) == b"!"

    with tcp_server(serve) as port:
        process = up(agent, hello(folder, f"[service raw]\nto = tcp://127.0.0.1:{port}\n"))
        public = int(process.wait_line(r"tcp://localhost:(\d+)")[1])
        for _ in rounds:
            reads.clear()
            with Visits(gateway.http) as visits:
                crowd = threading.Thread(target=at_once, args=(50, visitor))
                crowd.start()
                elapse(2)
            before = rss_mib(process)
            visits.check(rounds.say, "beside 50 uploads that do not move", 0.5)
            reads.set()
            crowd.join()
            rounds.say(f"agent with 50 uploads that do not move: {before:.0f} MiB")
        assert len(whole) == 50 * rounds.n
        process.stop()


# ---- strangers

def test_strangers_who_say_next_to_nothing(gateway, agent, folder, rounds):
    """Silent ones, and a byte now and then, at both ports; from elsewhere, so that they are not our own
    visitor's share."""
    process = up(agent, hello(folder))
    n = 2000 if rounds.soak else 1000
    head = b"GET / HTTP/1.1\r\nHost: " + b"x" * 8000
    for _ in rounds:
        gone = 0
        with contextlib.ExitStack() as stack:
            sockets = [stack.enter_context(connect((gateway.http, gateway.https)[i % 2],
                                                   source=f"127.0.2.{1 + i % 200}")) for i in range(n)]
            with Visits(gateway.http) as visits:
                start = time.monotonic()
                for i in range(3):
                    for j, s in enumerate(sockets):
                        if j % 4 > 1:
                            with contextlib.suppress(OSError):
                                s.sendall((head, client_hello(HELLO))[j % 2][i:i + 1])
                    elapse(max(0, start + i + 1 - time.monotonic()))
            visits.check(rounds.say, f"beside {n} who say next to nothing", 0.5)
            for s in sockets:
                s.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    gone += not s.recv(1)
            rounds.say(f"{gone} of {n} were sent away")
    process.stop()


def test_a_client_hello_byte_by_byte(gateway, agent, rounds):
    """16 KiB of it, each byte in a packet of its own, reach the service as they are."""
    hello = client_hello(HELLO)

    def serve(s):
        with contextlib.suppress(AssertionError):
            s.sendall(b"yes" if receive(s, len(hello)) == hello else b"no")

    with tcp_server(serve) as port:
        process = up(agent, f"[service hello]\nto = https://127.0.0.1:{port}\nname = {HELLO}\n")
        for _ in rounds:
            with connect(gateway.https, source="127.0.2.1") as s:
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                start = time.monotonic()
                for byte in hello:
                    s.send(bytes([byte]))
                assert s.recv(3) == b"yes"
                rounds.took(f"{len(hello)} bytes of ClientHello, one by one", time.monotonic() - start, 5)
        process.stop()


# ---- what the machine lacks

def settled(sockets):
    """What each has got once nothing more comes for a second: bytes, b"" for the end, None for nothing."""
    answers = {}
    last = time.monotonic()
    for s in sockets:
        s.setblocking(False)
    while time.monotonic() - last < 1:
        ready, _, _ = select.select([s for s in sockets if s not in answers], [], [], 0.1)
        for s in ready:
            try:
                answers[s] = s.recv(65536)
            except ConnectionResetError:
                answers[s] = b""
            last = time.monotonic()
    return [answers.get(s) for s in sockets]


def test_the_gateway_has_no_descriptors(run, rounds):
    """Those who find no place are sent away; the link, the commands and other agents find theirs."""
    port = free_port()
    gateway = Gateway(run, extra=f"ports = {port}-{port}\n")
    gateway.process = run.start("prlimit", "--nofile=150:150", *gateway.argv("run"), env=gateway.home.env)
    wait_until(gateway._listens, "the gateway listens")
    agent = Agent(run)
    agent.join(gateway.invite("laptop", HELLO))
    said = b"hello"

    def serve(s):
        s.sendall(said)
        s.recv(1)

    with tcp_server(serve) as local:
        process = agent.up(f"[service raw]\nto = tcp://127.0.0.1:{local}\nport = {port}\n")
        process.wait_line("service raw: tcp")
        wait_until(lambda: carriers(agent) == 2, "two carriers")
        for i in rounds:
            with contextlib.ExitStack() as stack:
                visitors = []
                for _ in range(300):
                    with contextlib.suppress(ConnectionResetError):
                        visitors.append(stack.enter_context(connect(port)))
                answers = settled(visitors)
                rounds.say(f"150 descriptors, 300 visitors: {answers.count(said)} are served, "
                           f"{answers.count(None)} wait, the others are sent away")
                assert 50 < answers.count(said) < 150 and None not in answers
                assert json.loads(gateway.command("status", "--json").stdout)["agents"]["online"] == 1
                assert carriers(agent) == 2
                Agent(run).join(gateway.invite(f"other{i}"))
            start = time.monotonic()

            def again():
                with contextlib.suppress(OSError), connect(port) as s:
                    return s.recv(5) == said
            wait_until(again, "served again")
            rounds.took("all descriptors were taken", time.monotonic() - start, 1)
        process.stop()


PRIVATE_DISK = 'mount -t tmpfs -o size=8m,mode=0700 full "$0" && exec "$@"'


@needs_root
def test_the_gateway_has_no_disk(run, folder, rounds):
    """What cannot be kept is refused, in words; who is there stays, and with room again all is well."""
    gateway = Gateway(run)
    gateway.state.mkdir()
    gateway.process = run.start("unshare", "--mount", "sh", "-c", PRIVATE_DISK, gateway.state,
                                *gateway.argv("run"), env=gateway.home.env)
    wait_until(gateway._listens, "the gateway listens")

    def there(*args, **options):
        return command("nsenter", "--mount", "--root", f"--target={gateway.process.pid}", *gateway.argv(*args),
                       env=gateway.home.env, **options)

    def invite(name, *args):
        return re.search(r"hp1:\S+", there("invite", name, *args).stdout)[0]

    agent = Agent(run)
    agent.join(invite("laptop", "--name", HELLO))
    process = up(agent, hello(folder))
    filler = pathlib.Path(f"/proc/{gateway.process.pid}/root{gateway.state}/filler")
    for i in rounds:
        code = invite(f"early{i}")
        with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(4096)):
                pass
        failed = there("invite", f"late{i}", expect=None)
        assert failed.returncode != 0 and "full" in failed.stderr, failed
        other = Agent(run)
        failed = other.join(code, expect=None)
        assert failed.returncode != 0 and failed.stderr, failed
        rounds.say(f"disk full: {failed.stderr.strip()}")
        assert visit(gateway.http, HELLO).text == PAGE
        process.stop()
        process = up(agent, hello(folder))
        assert visit(gateway.http, HELLO).text == PAGE
        filler.unlink()
        other.join(code)
        invite(f"late{i}")
    process.stop()


YEAR_S = 365 * 24 * 3600

CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

int clock_gettime(clockid_t id, struct timespec *ts)
{
	int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
	int r = real(id, ts);

	if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
		ts->tv_sec += atol(getenv("CLOCK_OFF"));
	return r;
}

int gettimeofday(struct timeval *tv, void *tz)
{
	struct timespec ts;

	(void)tz;
	clock_gettime(CLOCK_REALTIME, &ts);
	*tv = (struct timeval){ts.tv_sec, ts.tv_nsec / 1000};
	return 0;
}

time_t time(time_t *ret)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (ret)
		*ret = ts.tv_sec;
	return ts.tv_sec;
}
"""


@pytest.fixture(scope="module")
def clock(tmp_path_factory):
    """A library before which the time of day is another one."""
    if not shutil.which("cc"):
        pytest.skip("needs a C compiler")
    folder = tmp_path_factory.mktemp("clock")
    (folder / "clock.c").write_text(CLOCK)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", folder / "clock.so", folder / "clock.c", "-ldl"], check=True)
    return folder / "clock.so"


@pytest.mark.parametrize("off", [YEAR_S, -YEAR_S], ids=["fast", "slow"])
@pytest.mark.parametrize("who", ["agent", "gateway"])
def test_a_clock_that_is_off_by_a_year(run, folder, clock, who, off):
    """Keys have no dates that count, and nothing else needs both clocks."""
    gateway, agent = Gateway(run), Agent(run)
    wrong = agent.home if who == "agent" else gateway.home
    wrong.env |= {"LD_PRELOAD": str(clock), "CLOCK_OFF": str(off),
                  "ASAN_OPTIONS": wrong.env.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}
    gateway.start()
    agent.join(gateway.invite("laptop", HELLO))
    process = up(agent, hello(folder))
    answer = visit(gateway.http, HELLO)
    assert answer.text == PAGE
    if who == "agent":
        date = email.utils.parsedate_to_datetime(answer.headers["Date"]).timestamp()
        assert abs(date - time.time() - off) < 1000, "the clock is right"
    process.stop()
    assert visit(gateway.http, HELLO).status == 503
    process = up(agent, hello(folder))
    assert visit(gateway.http, HELLO).text == PAGE
    process.stop()


# ---- many streams, each at its own pace

POOL = random.Random(3).randbytes(1 << 20)


async def hesitate(rng, most):
    if rng.random() < 0.3:
        await asyncio.sleep(rng.random() * most)


async def send_slice(writer, rng, begin, n):
    end = begin + n
    while begin < end:
        size = min(rng.choice((1, 100, 5000, 70000, 300000)), end - begin)
        writer.write(POOL[begin:begin + size])
        await writer.drain()
        await hesitate(rng, 0.3)
        begin += size
    writer.write_eof()


async def receive_slice(reader, rng, begin, n):
    """Exactly these bytes, and then the end."""
    got = 0
    while data := await reader.read(rng.choice((1, 1000, 65536, 1 << 20))):
        assert POOL[begin + got:begin + got + len(data)] == data, f"another byte after {got} of {n}"
        got += len(data)
        await hesitate(rng, 0.3)
    assert got == n, f"the end after {got} of {n} bytes"


HEAD = struct.Struct("!QIIII")  # seed; begin and size of what the visitor sends, and of what he gets


async def serve_slices(reader, writer):
    with contextlib.closing(writer), contextlib.suppress(OSError, asyncio.IncompleteReadError):
        seed, up_begin, up_size, down_begin, down_size = HEAD.unpack(await reader.readexactly(HEAD.size))
        rng = random.Random(seed)
        if rng.random() < 0.3:  # one after the other: half-closed with the rest to come
            await receive_slice(reader, rng, up_begin, up_size)
            await send_slice(writer, rng, down_begin, down_size)
        else:
            await asyncio.gather(receive_slice(reader, rng, up_begin, up_size),
                                 send_slice(writer, random.Random(seed + 1), down_begin, down_size))
        await reader.read()


async def visit_slices(port, rng, source):
    sizes = (0, 1, 1000, 16384, 65536, 300000, len(POOL) // 2)
    up_size, down_size = rng.choice(sizes), rng.choice(sizes)
    up_begin, down_begin = (rng.randrange(len(POOL) // 2) for _ in "ud")
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0),
                                                   limit=rng.choice((1024, 65536)))
    with contextlib.closing(writer):
        writer.write(HEAD.pack(rng.getrandbits(60), up_begin, up_size, down_begin, down_size))
        await asyncio.gather(send_slice(writer, rng, up_begin, up_size),
                             receive_slice(reader, random.Random(rng.getrandbits(30)), down_begin, down_size))


async def stress(port, seconds, streams, seed):
    """How many visits were whole."""
    end = time.monotonic() + seconds
    done = 0

    async def visitor(i):
        nonlocal done
        rng = random.Random(seed * 1000 + i)
        while time.monotonic() < end:
            await asyncio.wait_for(visit_slices(port, rng, f"127.0.3.{1 + i % 250}"), 30)
            done += 1

    await asyncio.gather(*(visitor(i) for i in range(streams)))
    return done


def test_streams_that_pause_and_go_on(gateway, agent, rounds):
    """300 at once, of random sizes, in random pieces with random pauses: no byte is missing, none waits for ever."""
    seconds = 60 if rounds.soak else 3
    ready, loop = threading.Event(), asyncio.new_event_loop()
    ports = []

    async def serve():
        server = await asyncio.start_server(serve_slices, "127.0.0.1", 0, backlog=512)
        ports.append(server.sockets[0].getsockname()[1])
        ready.set()

    loop.create_task(serve())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    assert ready.wait(5)
    process, public = raw(agent, ports[0])
    try:
        for i in rounds:
            seed = random.randrange(1 << 30)
            print(f"seed {seed}")
            start = time.monotonic()
            done = asyncio.run(stress(public, seconds, 300, seed))
            rounds.say(f"{done} whole streams in {time.monotonic() - start:.1f} s, 300 at once (seed {seed})")
        wait_until(lambda: visitors_now(gateway) == 0, "nobody stays")
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
    process.stop()
