"""A running `up` that changes: only who must notices. (test_up.py has the simple cases.)"""
import contextlib
import json
import os
import signal
import socket

import pytest

from harness import Agent, Gateway, connect, exchange, free_port, read_all, visit, wait_until
from peers import HELLO, Visitor, echo, http_server, receive, response, sha256, tcp_server, up

BIG = os.urandom(24 << 20)


@pytest.fixture
def folder(agent):
    """With a file that is more than all buffers on the way hold."""
    folder = agent.home.path / "site"
    folder.mkdir()
    (folder / "index.html").write_text("front")
    (folder / "big").write_bytes(BIG)
    return folder


def service(name, to, *lines):
    return "\n".join([f"[service {name}]", f"to = {to}", *lines, ""])


def reload(process, agent, config, line="the configuration was read again"):
    """SIGHUP with this configuration; returns the line that says how it went."""
    after = len(process.lines)
    agent.config.write_text(config)
    process.send_signal(signal.SIGHUP)
    return process.wait_line(rf".*{line}.*", after=after)[0]


def status(agent):
    """By service: what `homeport status --json` shows."""
    answer = json.loads(agent.command("status", "--json").stdout)
    return {service["id"]: service for service in answer["services"]}


def served(gateway, name):
    return visit(gateway.http, f"{name}.laptop.localhost").status == 200


def page(gateway, name):
    return visit(gateway.http, f"{name}.laptop.localhost").text


@contextlib.contextmanager
def download(gateway, goes_on=True):
    """A visitor of hello.localhost in the middle of the big file: he must get all of it in the end.
    `goes_on`: and more on the same connection."""
    with Visitor(gateway.http, rcvbuf=4096) as visitor:
        visitor.ask("/big")
        assert visitor.head().get("Content-Length") == str(len(BIG))
        data = visitor.file.read(1000)
        yield
        data += visitor.file.read(len(BIG) - 1000)
        assert sha256(data) == sha256(BIG)
        if goes_on:
            assert visitor.get("/").body == b"front"


@pytest.fixture
def servers():
    """Ports of three local servers that say which one they are."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(http_server(lambda got, text=text: response(200, text)))
               for text in (b"one", b"two", b"three")]


def test_all_at_once(gateway, agent, folder, servers):
    """Added, changed and removed in one go; the untouched one keeps its visitor, mid-download."""
    one, two, three = servers
    keep = service("hello", folder, f"name = {HELLO}")
    process = up(agent, keep + service("changes", one) + service("goes", two))
    assert [page(gateway, name) for name in ("changes", "goes")] == ["one", "two"]
    with download(gateway), Visitor(gateway.http, "goes.laptop.localhost") as leaving:
        leaving.get("/")
        reload(process, agent, service("comes", three) + service("changes", two) + keep)
        assert leaving.ended()
        wait_until(lambda: served(gateway, "comes"), "the new service")
        assert [page(gateway, name) for name in ("comes", "changes")] == ["three", "two"]
        assert not served(gateway, "goes")
        now = status(agent)
        assert set(now) == {"hello", "comes", "changes"}
        assert now["changes"]["to"].endswith(str(two)) and now["comes"]["to"].endswith(str(three))
        assert all(s["granted"] and s["reachable"] and not s["on_loan"] for s in now.values())
        assert now["hello"]["visitors"] == 1
        assert now["hello"]["urls"] == [f"http://{HELLO}:{gateway.http}/"]
    assert process.text().count("service hello: http") == 1  # never announced anew
    process.stop()


def test_a_name_is_added_to_a_service(gateway, agent, folder):
    """Answers under way are finished."""
    process = up(agent, service("hello", folder, f"name = {HELLO}"))
    with download(gateway, goes_on=False):
        reload(process, agent, service("hello", folder, f"name = {HELLO}", "name = also.laptop.localhost"))
        wait_until(lambda: served(gateway, "also"), "the new name")
    process.stop()


@pytest.mark.parametrize("broken, says", [
    ("[service hello]\nto = 8000\nnmae = x\n", r":3: unknown key \"nmae\".*\"name\""),
    ("[servise hello]\n", r":1: .*servise.*\"?service"),
    ("[service hello]\nto = gopher://x\n", r":2: .*to.*"),
    ("[service hello]\n", r":1: .*to"),
    ("[service a]\nto = 80\n[service a]\nto = 81\n", r":3: "),
    ("to = 80\n", r":1: "),
    ("[service a]\nto = 80\nname = x.y\n[service b]\nto = 81\nname = x.y\n", r":6: .*x\.y.*service a"),
])
def test_a_broken_file_changes_nothing(gateway, agent, folder, broken, says):
    keep = service("hello", folder, f"name = {HELLO}")
    process = up(agent, keep)
    before = status(agent)
    with download(gateway):
        line = reload(process, agent, broken, "the configuration stays as it was: .*homeport.conf" + says)
        assert str(agent.config) in line
        done = agent.command("config", expect=2)  # the same words, before one tries
        assert done.stderr.strip() in line
        assert status(agent)["hello"]["urls"] == before["hello"]["urls"]
    reload(process, agent, keep)
    process.stop()


def test_a_file_that_is_gone_changes_nothing(gateway, agent, folder):
    process = up(agent, service("hello", folder, f"name = {HELLO}"))
    with download(gateway):
        agent.config.unlink()
        process.send_signal(signal.SIGHUP)
        process.wait_line("the configuration stays as it was: .*homeport.conf.*No such file")
    process.stop()


def free_pair():
    """The first of two ports in a row that nobody listens on now."""
    while True:
        first = free_port()
        with contextlib.suppress(OSError, OverflowError):
            socket.create_server(("127.0.0.1", first + 1)).close()
            return first


def test_raw_ports(run, folder):
    """A visitor of an untouched TCP service stays; a port that is not used any more is closed."""
    first = free_pair()
    gateway = Gateway(run, extra=f"ports = {first}-{first + 1}\n")
    gateway.start()
    agent = Agent(run)
    agent.join(gateway.invite("laptop"))
    with tcp_server(echo) as port:
        keep = service("keep", f"tcp://127.0.0.1:{port}", f"port = {first}")
        process = up(agent, keep + service("goes", f"tcp://127.0.0.1:{port}", f"port = {first + 1}"))
        assert exchange(first + 1, b"hi", half_close=True) == b"hi"
        with connect(first) as stays, connect(first + 1) as leaves:
            for s in stays, leaves:
                s.sendall(b"a")
                assert receive(s, 1) == b"a"
            reload(process, agent, keep)
            assert read_all(leaves) == b""
            stays.sendall(b"b")
            assert receive(stays, 1) == b"b"
            with pytest.raises(ConnectionRefusedError):
                connect(first + 1)
        process.stop()


def test_a_share_comes_and_goes(gateway, agent, folder, servers):
    """Beside up: nobody of up's notices, from its start to its end, and status shows both."""
    process = up(agent, service("hello", folder, f"name = {HELLO}"))
    with download(gateway):
        share = agent.share(servers[0], "--name", "more")
        assert page(gateway, "more") == "one"
        now = status(agent)
        assert now["hello"]["granted"] and not now["hello"]["on_loan"]
        assert now["more"]["granted"] and now["more"]["on_loan"]
        assert now["more"]["urls"] == [f"http://more.laptop.localhost:{gateway.http}/"]
        reload(process, agent, service("hello", folder, f"name = {HELLO}") + service("new", servers[1]))
        assert page(gateway, "more") == "one"  # a reload leaves the share alone, too
        share.stop(signal.SIGINT)
        wait_until(lambda: not served(gateway, "more"), "the share is over", 2)
        wait_until(lambda: "more" not in status(agent), "the service is gone")
        wait_until(lambda: served(gateway, "new"), "the new service")
    process.stop()
