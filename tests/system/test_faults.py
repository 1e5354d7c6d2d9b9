"""What breaks in real life: programs killed, lines cut or dead. Nobody's hand, and how long it took."""
import contextlib
import json
import os
import shutil
import signal
import time

import pytest

from harness import Agent, connect, visit, wait_until
from peers import HELLO, Line, Visitor, client_hello, needs_filters, sha256, tcp_server, up

BIG = os.urandom(24 << 20)


@pytest.fixture
def folder(agent):
    """A folder with a file that is more than all buffers on the way hold."""
    folder = agent.home.path / "site"
    folder.mkdir()
    (folder / "index.html").write_text("front")
    (folder / "big").write_bytes(BIG)
    return folder


def hello(folder, extra=""):
    return f"{extra}[service hello]\nto = {folder}\nname = {HELLO}\n"


def served(gateway):
    with contextlib.suppress(OSError):
        return visit(gateway.http, HELLO).status == 200


def time_until_served(gateway, start, what, most):
    wait_until(lambda: served(gateway), "served again", 2 * most)
    took = time.monotonic() - start
    print(f"served again {took:.2f} s after {what}")
    assert took < most


@contextlib.contextmanager
def download(gateway):
    """A visitor in the middle of the big file; rest(): what he still gets of it."""
    with Visitor(gateway.http, rcvbuf=4096) as visitor:
        visitor.ask("/big", "GET", "Connection: close")
        assert visitor.head().get("Content-Length") == str(len(BIG))
        begun = visitor.file.read(1000)
        visitor.rest = lambda: begun + visitor.file.read()
        yield visitor


def ends(visitor):
    """The visitor sees an end, soon."""
    start = time.monotonic()
    with contextlib.suppress(ConnectionResetError):
        visitor.file.read()
    assert time.monotonic() - start < 5


def waiting(gateway):
    return json.loads(gateway.command("status", "--json").stdout)["visitors"]["waiting"]


# ---- killed

def test_gateway_killed(gateway, agent, folder):
    process = up(agent, hello(folder))
    with download(gateway) as visitor:
        gateway.process.kill()
        start = time.monotonic()
        ends(visitor)
        gateway.start()
        time_until_served(gateway, start, "the gateway was killed", 3)
        process.wait_line("not connected to the gateway: lost the gateway")
    process.stop()


def test_agent_killed(gateway, agent, folder):
    process = up(agent, hello(folder))
    with download(gateway) as visitor:
        process.kill()
        start = time.monotonic()
        process = agent.up(hello(folder))
        ends(visitor)
        time_until_served(gateway, start, "the agent was killed", 2)
    process.stop()


def test_visitors_wait_for_a_restarting_agent(gateway, agent, folder):
    """Who comes in between gets the page, later."""
    process = up(agent, hello(folder))
    process.kill()
    with contextlib.ExitStack() as stack:
        visitors = [stack.enter_context(Visitor(gateway.http)) for _ in range(10)]
        for visitor in visitors:
            visitor.ask("/")
        process = agent.up(hello(folder))
        assert [visitor.answer().body for visitor in visitors] == [b"front"] * 10
    process.stop()


def test_visitors_wait_for_the_agent_of_a_restarted_gateway(gateway, agent, folder):
    """It knows the name, and nothing of its services yet. A raw port is the same again."""
    with tcp_server(lambda s: s.sendall(s.recv(100))) as port:
        config = hello(folder, f"[service raw]\nto = tcp://127.0.0.1:{port}\n"
                               f"[service safe]\nto = https://127.0.0.1:{port}\nname = safe.laptop.localhost\n")
        process = agent.up(config)
        public = int(process.wait_line(r"tcp://localhost:(\d+)")[1])
        process.wait_line("service hello: http://")
        process.send_signal(signal.SIGSTOP)  # it will be late
        gateway.process.kill()
        gateway.start()
        with contextlib.ExitStack() as stack:
            visitors = [stack.enter_context(Visitor(gateway.http)) for _ in range(10)]
            for visitor in visitors:
                visitor.ask("/")
            safe = stack.enter_context(connect(gateway.https))
            said = client_hello("safe.laptop.localhost")
            safe.sendall(said)
            plain = stack.enter_context(Visitor(gateway.http, "safe.laptop.localhost"))
            plain.ask("/a?b")
            wait_until(lambda: waiting(gateway) == 12, "all of them wait")
            process.send_signal(signal.SIGCONT)
            assert [visitor.answer().body for visitor in visitors] == [b"front"] * 10
            assert safe.recv(100) == said[:100]
            redirect = plain.head()
            assert (redirect.status, redirect.get("Location")) == (308, f"https://safe.laptop.localhost:{gateway.https}/a?b")
        process.wait_line(rf"tcp://localhost:{public}\b")
        with connect(public) as s:
            s.sendall(b"again")
            assert s.recv(100) == b"again"
        process.stop()


def test_a_restarted_gateway_does_not_wait_for_ever(gateway, agent, folder):
    up(agent, hello(folder)).stop()
    gateway.process.stop()
    gateway.start()
    start = time.monotonic()
    answer = visit(gateway.http, HELLO)
    assert answer.status == 503 and "known here, but offline since" in answer.text
    assert 1 < time.monotonic() - start < 5


def test_visitors_do_not_wait_for_ever(gateway, agent, folder):
    process = up(agent, hello(folder))
    process.kill()
    start = time.monotonic()
    answer = visit(gateway.http, HELLO)
    assert answer.status == 503 and "known here, but offline since" in answer.text
    assert 1 < time.monotonic() - start < 5


def test_the_local_server_killed(run, gateway, agent):
    """The visitor sees the end; the next one is told; and it works again with the server."""
    server = run.start("/usr/bin/python3", "-u", "-m", "http.server", "--bind", "127.0.0.1", "0",
                       cwd=agent.home.path)
    port = server.wait_line(r"port (\d+)")[1]
    share = agent.share(port, "--name", HELLO)
    assert visit(gateway.http, HELLO).status == 200
    server.kill()
    answer = visit(gateway.http, HELLO)
    assert answer.status == 502 and "not answering" in answer.text
    share.wait_line(rf"nothing listens on 127\.0\.0\.1:{port} any more")
    run.start("/usr/bin/python3", "-u", "-m", "http.server", "--bind", "127.0.0.1", port,
              cwd=agent.home.path)
    share.wait_line("answers now")
    assert visit(gateway.http, HELLO).status == 200
    share.stop()


# ---- told to stop

def refuses(port):
    with contextlib.suppress(ConnectionRefusedError):
        connect(port).close()
        return False
    return True


def test_gateway_stops_after_its_visitors(gateway, agent, folder):
    process = up(agent, hello(folder))
    with download(gateway) as visitor:
        gateway.process.send_signal(signal.SIGTERM)
        gateway.process.wait_line("no new visitors from now on")
        wait_until(lambda: refuses(gateway.http), "the port is closed")
        assert gateway.process.running
        assert sha256(visitor.rest()) == sha256(BIG)
    assert gateway.process.wait() == 0
    gateway.start()
    wait_until(lambda: served(gateway), "served again")
    process.stop()


def test_a_planned_restart_of_the_gateway(gateway, agent, folder):
    """Is over as soon as one by kill -9, however long the last visitors took."""
    process = up(agent, hello(folder))
    with download(gateway) as visitor:
        gateway.process.send_signal(signal.SIGTERM)
        stays = time.monotonic() + 3
        wait_until(lambda: time.monotonic() > stays, "three seconds of draining")
        visitor.rest()
    assert gateway.process.wait() == 0
    start = time.monotonic()
    gateway.start()
    try:
        time_until_served(gateway, start, "the gateway's start", 3)
    finally:
        process.stop()


def test_up_stops_after_its_visitors(gateway, agent, folder):
    process = up(agent, hello(folder))
    with download(gateway) as visitor:
        process.send_signal(signal.SIGTERM)
        process.wait_line("1 visitors have 30 s to finish")
        wait_until(lambda: not served(gateway), "no new visitors")
        assert process.running
        assert sha256(visitor.rest()) == sha256(BIG)
    assert process.wait() == 0


def test_share_ends_at_once(gateway, agent, folder):
    """Its visitors, too: Ctrl-C means that nothing is open any more."""
    share = agent.share(folder, "--name", HELLO)
    with download(gateway) as visitor:
        start = time.monotonic()
        share.stop(signal.SIGINT)
        answer = visit(gateway.http, HELLO)
        assert answer.status == 503 and answer.headers["Retry-After"]
        assert HELLO in answer.text and "known here, but offline since 2" in answer.text
        ends(visitor)
        print(f"closed after {time.monotonic() - start:.2f} s")


# ---- one key, several processes

def test_two_processes_with_one_key(run, gateway, agent, folder):
    """The newest is served at once; the one before says so; after the third time both ends say more."""
    processes = [up(agent, hello(folder))]
    for i in range(3):
        copy = Agent(run)
        shutil.copytree(agent.state, copy.state, ignore=shutil.ignore_patterns("*.sock", "*lock*"))
        (copy.home.path / "index.html").write_text(f"copy {i}")
        processes.append(up(copy, hello(copy.home.path)))
        processes[-2].wait_line("another process took over .*key")
        wait_until(lambda: visit(gateway.http, HELLO).text == f"copy {i}", "served by the newest")
    processes[2].wait_line("used by two machines.*homeport join")
    processes[3].wait_line("the gateway says: this key was used by two machines")
    gateway.process.wait_line("key of agent laptop is used by two machines, at .*: revoke it and invite")
    assert visit(gateway.http, HELLO).text == "copy 2"  # nobody takes it back
    for process in processes:
        assert process.running
        process.stop()


def test_revoked(gateway, agent, folder):
    process = up(agent, hello(folder))
    with download(gateway) as visitor:
        gateway.command("revoke", "laptop")
        ends(visitor)
    process.wait_line("the gateway refuses this machine: .*revoked.*homeport join")
    wait_until(lambda: visit(gateway.http, HELLO).status == 421, "the name is nobody's")
    assert process.running
    key = (agent.state / "agent-key.pem").read_text()
    agent.join(gateway.invite("laptop", HELLO))  # as it says
    assert (agent.state / "agent-key.pem").read_text() != key
    assert not (agent.state / "agent-key-new.pem").exists()
    wait_until(lambda: visit(gateway.http, HELLO).status == 200, "it is back, with another key")
    process.stop()


# ---- the line

@pytest.fixture
def line(gateway):
    with Line(gateway.https) as line:
        yield line


def carriers(agent):
    return json.loads(agent.command("status", "--json").stdout)["link"]["carriers"]


def up_through(line, agent, folder):
    process = up(agent, hello(folder, f"[gateway]\naddress = 127.0.0.1:{line.port}\n"))
    wait_until(lambda: carriers(agent) == 2, "two carriers")
    return process


def test_a_carrier_cut(gateway, agent, folder, line):
    """One of two: nothing is to be seen but for those who were on it."""
    process = up_through(line, agent, folder)
    for number in 0, 1:
        line.cut(number)
        assert served(gateway)
        wait_until(lambda: len(line.pairs) == 3 + number, "a new carrier", 3)
        wait_until(lambda: carriers(agent) == 2, "two carriers again", 3)
        assert served(gateway)
    assert "not connected" not in process.text()
    process.stop()


def test_all_carriers_cut(gateway, agent, folder, line):
    process = up_through(line, agent, folder)
    with download(gateway) as visitor:
        line.cut()
        start = time.monotonic()
        ends(visitor)
        time_until_served(gateway, start, "the line was cut", 2)
    process.stop()


@needs_filters
def test_a_dead_line(gateway, agent, folder, line):
    """Connections that stay as they are, and nothing passes: silence is noticed, a new one dialled,
    and who came in between gets his page after all."""
    process = up_through(line, agent, folder)
    with download(gateway) as downloading, Visitor(gateway.http) as waiting:
        waiting.socket.settimeout(30)
        line.silence()
        start = time.monotonic()
        waiting.ask("/")
        assert waiting.answer().body == b"front"
        took = time.monotonic() - start
        print(f"served {took:.2f} s after the line died")
        assert took < 13
        ends(downloading)
    process.stop()


@needs_filters
def test_a_dead_line_that_stays_dead(gateway, agent, folder, line):
    """New connections get no answer for a while, either; then the line is back."""
    process = up_through(line, agent, folder)
    line.silence()
    line.refuse_new()
    process.wait_line("not connected to the gateway", 20)
    assert visit(gateway.http, HELLO, seconds=20).status == 503
    line.take_new()
    start = time.monotonic()
    time_until_served(gateway, start, "the line came back", 2)
    process.stop()


@needs_filters
def test_one_dead_carrier(gateway, agent, folder, line):
    """Visitors go on over the other one."""
    process = up_through(line, agent, folder)
    line.silence(1)
    start = time.monotonic()
    slowest = 0
    while time.monotonic() - start < 1:
        before = time.monotonic()
        assert visit(gateway.http, HELLO, seconds=30).status == 200
        slowest = max(slowest, time.monotonic() - before)
    print(f"slowest page beside a dead carrier: {slowest:.2f} s")
    assert slowest < 13
    process.stop()
