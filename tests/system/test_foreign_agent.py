"""Agents that are not homeport's: the examples as they are, and one that breaks the rules."""
import collections
import contextlib
import json
import re
import shutil
import socket
import struct
import subprocess

import pytest

from foreign import ForeignAgent, Link
from harness import (DEADLINE_S, ROOT, Gateway, connect, exchange, read_all, visit, wait_until)

HELLO = "hello.localhost"

# What to replace in it so that its page is large: 256 different bytes, 40000 times.
Program = collections.namedtuple("Program", "path language body large")
PYTHON = Program(ROOT / "examples/agents/agent.py", "Python",
                 'body = b"Hello from Python. You asked for " + path + b".\\n"',
                 "body = bytes(range(256)) * 40000")
NODE = Program(ROOT / "examples/agents/agent.mjs", "Node",
               "Buffer.from(`Hello from Node. You asked for ${head.split(' ', 2)[1] ?? '/'}.\\n`)",
               "Buffer.alloc(256 * 40000, Buffer.from(Array.from({length: 256}, (_, i) => i)))")


def status(gateway):
    return json.loads(gateway.command("status", "--json").stdout)


# ---- examples/agents

class Example:
    def __init__(self, program, run, gateway, *names):
        self.program = program
        self.run = run
        self.gateway = gateway
        self.folder = gateway.home.path / "example"
        code = gateway.invite("pi", *names)
        for _ in range(2):  # the same key may redeem a code again
            done = self.command("join", stdin=code + "\n")
            assert done.stdout == "joined as pi.localhost\n", done.stderr
        self.names = names
        self.process = None

    def command(self, *args, stdin=None):
        return subprocess.run([self.program.path, args[0], self.folder, *args[1:]], input=stdin, text=True,
                              capture_output=True, timeout=DEADLINE_S)

    def start(self):
        self.process = self.run.start(self.program.path, "serve", self.folder, *self.names, env=self.gateway.home.env)
        self.process.wait_line("http://")
        return self.process


@pytest.fixture(params=[
    PYTHON, pytest.param(NODE, marks=pytest.mark.skipif(not shutil.which("node"), reason="needs node"))],
    ids=lambda program: program.language)
def program(request):
    return request.param


@pytest.fixture
def example(program, run, gateway):
    example = Example(program, run, gateway, HELLO)
    example.start()
    return example


def test_example_serves_a_page(gateway, example, program):
    answer = visit(gateway.http, HELLO, "/from/a/visitor")
    assert answer.status == 200
    assert answer.text == f"Hello from {program.language}. You asked for /from/a/visitor.\n"
    example.process.wait_line(r'for="127\.0\.0\.1:\d+";host="?hello\.localhost"?;proto=http GET /from/a/visitor')
    assert visit(gateway.http, "pi.localhost").status == 421
    for _ in range(100):
        assert visit(gateway.http, HELLO).status == 200
    wait_until(lambda: status(gateway)["visitors"]["now"] == 0, "nobody stays")


def test_example_and_a_visitor_who_half_closes(gateway, example):
    head = f"GET / HTTP/1.1\r\nHost: {HELLO}\r\n\r\n".encode()
    assert b"Hello from " in exchange(gateway.http, head, half_close=True)


def test_example_and_visitors_who_leave(gateway, example):
    head = f"GET / HTTP/1.1\r\nHost: {HELLO}\r\nX-Long: ".encode()
    for _ in range(50):
        with connect(gateway.http) as s:
            s.sendall(head)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close resets
    assert visit(gateway.http, HELLO).status == 200
    wait_until(lambda: status(gateway)["visitors"]["now"] == 0, "nobody stays")
    assert example.process.text("err") == ""


def test_example_and_many_at_once(gateway, example):
    head = f"GET /x HTTP/1.1\r\nHost: {HELLO}\r\n\r\n".encode()
    with contextlib.ExitStack() as stack:
        visitors = [stack.enter_context(connect(gateway.http)) for _ in range(30)]
        for s in visitors:
            s.sendall(head)
        for s in visitors:
            assert read_all(s).endswith(b"You asked for /x.\n")


def test_example_with_a_large_page(program, run, gateway):
    """Larger than every window and buffer, and taken slowly: flow control as the protocol has it."""
    source = program.path.read_text()
    assert program.body in source
    large = gateway.home.path / f"large{program.path.suffix}"
    large.write_text(source.replace(program.body, program.large))
    large.chmod(0o755)
    example = Example(program, run, gateway, HELLO)
    process = run.start(large, "serve", example.folder, HELLO, env=gateway.home.env)
    process.wait_line("http://")
    with connect(gateway.http) as s:
        s.sendall(f"GET / HTTP/1.1\r\nHost: {HELLO}\r\n\r\n".encode())
        assert s.recv(20)  # and then nothing for a while
        for _ in range(20):
            assert len(visit(gateway.http, HELLO).body) == 256 * 40000
        assert read_all(s).endswith(bytes(range(256)) * 1000)


def test_example_goes_and_comes(gateway, example):
    example.process.stop()
    wait_until(lambda: status(gateway)["agents"]["online"] == 0, "it is gone")
    assert visit(gateway.http, HELLO).status == 503  # known here, but offline
    example.start()
    assert visit(gateway.http, HELLO).status == 200
    gateway.process.stop()  # says `drain`
    gateway.start()
    wait_until(lambda: visit(gateway.http, HELLO).status == 200, "it dials again")


def test_example_is_revoked(gateway, example):
    gateway.command("revoke", "pi")
    assert example.process.wait() == 1
    assert "refused: " in example.process.text("err")


def test_example_and_another_gateways_key(program, run, gateway):
    other = Gateway(run)
    other.start()
    example = Example(program, run, gateway, HELLO)
    at = json.loads((example.folder / "gateway.json").read_text())
    (example.folder / "gateway.json").write_text(json.dumps(at | {"port": other.https}))
    done = example.command("serve")
    assert done.returncode == 1 and "shows another key" in done.stderr
    assert status(other)["links"] == 0


# ---- agents who break the rules

@pytest.fixture
def foreign(gateway):
    agent = ForeignAgent(gateway.home.path)
    assert agent.join(gateway.invite("laptop", HELLO))["type"] == "joined"
    return agent


def web():
    return {"id": "web", "kind": "http", "names": [HELLO]}


@pytest.mark.parametrize("version", [0, 2, 2147483647])
def test_unknown_version(gateway, foreign, version):
    hello = {"type": "hello", "version": version, "whatever": [{}], "services": "of a later version"}
    with Link(foreign, hello) as link:
        refused = link.message("refused")
        assert refused["reason"] == "version"
        assert refused["versions"] == [1]
        assert "version 1" in refused["text"]
        assert link.closed.wait(DEADLINE_S)
    with Link(foreign, {"type": "join", "version": version}) as link:
        assert link.message("refused")["versions"] == [1]


@pytest.mark.parametrize("fields, text", [
    ({"instance": "me"}, 'field "instance"'),
    ({"carrier": 4}, 'field "carrier"'),
    ({"services": [{"id": "Web", "kind": "http"}]}, '"id"'),
    ({"services": [{"id": "web", "kind": 70}]}, 'service "web"'),
    ({"services": [web(), web()]}, 'service "web" is there twice'),
])
def test_a_hello_that_is_wrong(gateway, foreign, fields, text):
    hello = {"type": "hello", "version": 1, "instance": "0" * 32, "services": [web()]} | fields
    with Link(foreign, hello) as link:
        refused = link.message("refused")
        assert refused["reason"] == "invalid"
        assert text in refused["text"]
        assert link.closed.wait(DEADLINE_S)


def test_a_kind_of_a_newer_agent(gateway, foreign):
    """What this gateway does not know yet does not cost the other services their link."""
    with foreign.link([web(), {"id": "hologram", "kind": "hologram"}]) as link:
        known, new = link.welcome["services"]
        assert known["granted"]
        assert (new["granted"], new["reason"]) == (False, "not-supported")
        assert "update homeport-gateway" in new["text"]


JUNK = [b"junk\n", b"[]\n", b"{}\n", b'{"type":7}\n', b'{"type":"x","type":"x"}\n', b'{"type":"\xff"}\n',
        b'{"type":"x","a":' + b"[" * 16 + b"]" * 16 + b"}\n",
        b'{"type":"services","revision":"new"}\n',
        b'{"type":"x","a":"' + b"x" * 65536]


@pytest.mark.parametrize("junk", JUNK, ids=range(len(JUNK)))
def test_junk_on_control(gateway, foreign, junk):
    with foreign.link([web()]) as link:
        link.welcome
        raw(link, junk)
        assert link.closed.wait(DEADLINE_S)
    with foreign.link([web()]) as link:  # nobody else noticed
        link.welcome
        assert visit(gateway.http, HELLO).status == 200


def raw(link, data):
    """Bytes on the control channel, until all are sent or the link is closed."""
    def piece():
        nonlocal data
        with link._lock, contextlib.suppress(OSError):
            n = min(len(data), 16384, link._conn.local_flow_control_window(link._control))
            if n and not link.closed.is_set():
                link._conn.send_data(link._control, data[:n])
                link._flush()
                data = data[n:]
        return not data or link.closed.is_set()
    wait_until(piece, "the control channel takes it")


def test_what_is_not_known_is_ignored(gateway, foreign):
    with foreign.link([web() | {"colour": "blue"}], mood={"a": [1]}) as link:
        link.welcome
        link.send(type="song", text="la la")
        link.send(type="services", revision=99, services=[web()], x=None)
        link.message("services")
        assert visit(gateway.http, HELLO).status == 200


def test_a_hello_that_never_comes(gateway, foreign, tmp_path):
    """5 s; an unknown key has no longer either, and 4096 bytes."""
    stranger = ForeignAgent(tmp_path)
    stranger.gateway = foreign.gateway
    with silent(foreign) as one, silent(stranger) as two, foreign.link([web()]) as link:
        link.welcome
        assert visit(gateway.http, HELLO).status == 200
        assert two.closed.wait(DEADLINE_S)
        assert one.closed.wait(DEADLINE_S)
        assert not link.closed.is_set()
    with silent(stranger) as link:
        raw(link, b'{"type":"hello"' + b" " * 4096)
        assert link.closed.wait(2)


def silent(agent):
    """A link that opens its control channel and says nothing."""
    link = Link.__new__(Link)
    link.send = lambda **first: None
    Link.__init__(link, agent, {})
    wait_until(lambda: link._control or link.closed.is_set(), "the control channel")
    return link


def test_not_http2(gateway, foreign):
    for data in b"GET / HTTP/1.1\r\n\r\n", b"\0" * 100, b"\0\0\0\x63\0\0\0\0\0" * 50:
        with foreign.dial() as s:
            s.sendall(data)
            while s.recv(4096):
                pass
    with foreign.link([web()]) as link:
        link.welcome
        assert visit(gateway.http, HELLO).status == 200
