"""Bandwidth caps at home: they hold, and visitors share them."""
import contextlib
import json
import socket
import threading
import time

import pytest

from harness import connect, visit
from peers import HELLO, tcp_server, up

MIB = 1 << 20
SPAN_S = 3.0


@pytest.fixture
def folder(run):
    folder = run.home().path / "site"
    folder.mkdir()
    with open(folder / "big", "wb") as big:
        big.truncate(1 << 30)
    (folder / "page").write_bytes(b"x" * 20000)
    return folder


def drain(s, until, totals, i):
    """Count what comes until then; the first 0.3 s are the beginning's burst."""
    begin = time.monotonic() + 0.3
    s.settimeout(1)
    while (now := time.monotonic()) < until:
        with contextlib.suppress(TimeoutError):
            n = len(s.recv(65536))
            assert n
            if now >= begin:
                totals[i] += n
    totals[i] /= until - begin


def download(gateway, hosts, then=None):
    """Bytes a second that each of them gets of /big, at the same time; `then` runs meanwhile."""
    totals = [0] * len(hosts)
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(connect(gateway.http)) for _ in hosts]
        for s, host in zip(sockets, hosts):
            s.sendall(f"GET /big HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        until = time.monotonic() + SPAN_S
        threads = [threading.Thread(target=drain, args=(s, until, totals, i)) for i, s in enumerate(sockets)]
        for thread in threads:
            thread.start()
        if then:
            then()
        for thread in threads:
            thread.join()
    return totals


def assert_about(value, wanted, share=0.1):
    assert wanted * (1 - share) <= value <= wanted * (1 + share), f"{value / wanted:.2f} of {wanted}"


def test_two_visitors_of_a_service(gateway, agent, folder):
    process = up(agent, f"[service site]\nto = {folder}\nname = {HELLO}\nrate = 1 MiB/s\n")
    page = []

    def view():
        begin = time.monotonic()
        assert len(visit(gateway.http, HELLO, "/page").body) == 20000
        page.append(time.monotonic() - begin)

    a, b = download(gateway, [HELLO, HELLO], view)
    assert_about(a + b, MIB)
    assert 0.4 < a / (a + b) < 0.6
    assert page[0] < 1  # it has its share: 20 kB of a third of the cap
    site = json.loads(agent.command("status", "--json").stdout)["services"][0]
    assert site["rate"] == MIB and site["rate_waits"] > 0
    assert "  rate     1 MiB/s at most" in agent.command("status").stdout
    process.stop()


def test_the_whole_line(gateway, agent, folder):
    """Two services and one on loan; one has a cap of its own, and that changes while it runs."""
    config = (f"[gateway]\nrate = 16 Mbit/s\n[service site]\nto = {folder}\nname = {HELLO}\n"
              f"[service slow]\nto = {folder}\nrate = 200 KiB/s\n")
    process = up(agent, config)
    share = agent.share(folder, "--name", "lent")
    hosts = [HELLO, "slow.laptop.localhost", "lent.laptop.localhost"]
    a, slow, lent = download(gateway, hosts)
    assert_about(a + slow + lent, 2000000)
    assert_about(slow, 200 * 1024, 0.15)
    assert 0.4 < a / (a + lent) < 0.6
    agent.config.write_text(config.replace("16 Mbit/s", "4 Mbit/s").replace("rate = 200 KiB/s\n", ""))
    process.send_signal(1)
    process.wait_line("service slow has changed")
    totals = download(gateway, hosts)
    assert_about(sum(totals), 500000)
    assert all(0.25 < each / sum(totals) < 0.42 for each in totals), totals
    assert "rate       4 Mbit/s at most" in agent.command("status").stdout
    share.stop()
    process.stop()


def test_what_visitors_send(gateway, agent):
    """The other direction has the same cap, for itself; what arrives is whole."""
    received = []

    def serve(s):
        begin, n = time.monotonic(), 0
        while data := s.recv(65536):
            n += len(data)
        received.append((n, time.monotonic() - begin))
        s.sendall(b"%d" % n)

    with tcp_server(serve) as port:
        process = agent.up(f"[service raw]\nto = tcp://127.0.0.1:{port}\nrate = 1 MiB/s\n")
        public = int(process.wait_line(r"tcp://localhost:(\d+)")[1])
        with connect(public) as s:
            s.settimeout(20)
            s.sendall(b"y" * (2 * MIB))
            s.shutdown(socket.SHUT_WR)
            assert s.recv(100) == b"%d" % (2 * MIB)
        n, seconds = max(received)  # the agent has looked whether it is there, too
        assert_about(n / seconds, MIB, 0.15)
        process.stop()


def test_datagrams(gateway, agent):
    """More than the cap: dropped, not kept; and later ones come through at once."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as visitor:
        server.bind(("127.0.0.1", 0))
        server.settimeout(0.5)
        process = agent.up(f"[service game]\nto = udp://127.0.0.1:{server.getsockname()[1]}\nrate = 100 KiB/s\n",
                           ready=r"udp://localhost")
        public = int(process.wait_line(r"udp://localhost:(\d+)")[1])
        visitor.connect(("127.0.0.1", public))
        begin, n = time.monotonic(), 0
        for _ in range(2000):
            visitor.send(b"z" * 1000)
            time.sleep(0.001)
        with contextlib.suppress(TimeoutError):
            while True:
                n += len(server.recv(2000))
        seconds = time.monotonic() - begin
        assert 50000 < n < 100 * 1024 * seconds * 1.1 + 200000, (n, seconds)
        visitor.send(b"last")
        assert server.recv(100) == b"last"
        process.stop()
