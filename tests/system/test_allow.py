"""Allow-lists: who may visit, on every path; and what is said of the others."""
import json
import socket

import pytest

from harness import Agent, connect, exchange, visit, wait_until
from peers import HELLO, http_server, response, tcp_server, up


def echo(s):
    while data := s.recv(65536):
        s.sendall(data)


def service(agent, name):
    """What the agent says of a service of its own."""
    status = json.loads(agent.command("status", "--json").stdout)
    return next(s for s in status["services"] if s["id"] == name)


def is_reset(port, source):
    with connect(port, source=source) as s:
        try:
            s.sendall(b"hello")
            return s.recv(1) == b""
        except ConnectionError:
            return True


# ---- allow-lists

@pytest.fixture
def server():
    with http_server(lambda got: response(200, b"hello")) as port:
        yield port


def test_allow_http(gateway, agent, server, site):
    process = up(agent, f"[service web]\nto = {server}\nname = {HELLO}\nallow = 127.0.0.8/31 2001:db8::/32\n"
                 f"[service files]\nto = {site}\nallow = 127.0.0.9\n[service all]\nto = {server}\n")
    for host in HELLO, "files.laptop.localhost":
        assert visit(gateway.http, host, source="127.0.0.9").status == 200
        answer = visit(gateway.http, host, source="127.0.0.1")
        assert answer.status == 403 and "not served" in answer.text
        assert answer.headers.get("Connection") == "close"
    # What a visitor says of himself changes nothing.
    for fields in {"X-Forwarded-For": "127.0.0.9"}, {"Forwarded": "for=127.0.0.9"}:
        assert visit(gateway.http, HELLO, headers=fields, source="127.0.0.1").status == 403
    assert visit(gateway.http, "all.laptop.localhost", source="127.0.0.1").status == 200
    web = service(agent, "web")
    assert (web["allow"], web["denied"], web["requests"]) == (["127.0.0.8/31", "2001:db8::/32"], 3, 4)
    assert service(agent, "all")["allow"] == []
    assert "allowed  127.0.0.8/31 2001:db8::/32; 3 others turned away" in agent.command("status").stdout
    process.stop()


def test_allow_tcp(gateway, agent):
    with tcp_server(echo) as port:
        process = up(agent, f"[service raw]\nto = tcp://127.0.0.1:{port}\nallow = 127.0.0.9\n")
        public = int(process.wait_line(r"tcp://localhost:(\d+)")[1])
        assert exchange(public, b"hello", source="127.0.0.9", half_close=True) == b"hello"
        assert is_reset(public, "127.0.0.1")
        assert service(agent, "raw")["denied"] == 1
        # Another list, while it runs: who is there stays.
        with connect(public, source="127.0.0.9") as s:
            s.sendall(b"one")
            assert s.recv(3) == b"one"
            agent.config.write_text(agent.config.read_text().replace("127.0.0.9", "127.0.0.1"))
            process.send_signal(1)
            process.wait_line("service raw has changed")
            assert exchange(public, b"hello", source="127.0.0.1", half_close=True) == b"hello"
            assert is_reset(public, "127.0.0.9")
            s.sendall(b"two")
            assert s.recv(3) == b"two"
        process.stop()


def test_allow_udp(gateway, agent):
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    server.settimeout(10)
    process = agent.up(f"[service game]\nto = udp://127.0.0.1:{server.getsockname()[1]}\nallow = 127.0.0.9\n", ready=r"udp://localhost")
    public = int(process.wait_line(r"udp://localhost:(\d+)")[1])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as friend:
        friend.bind(("127.0.0.9", 0))
        stranger.sendto(b"stranger", ("127.0.0.1", public))
        wait_until(lambda: service(agent, "game")["denied"] == 1, "the stranger is turned away")
        friend.sendto(b"friend", ("127.0.0.1", public))
        data, peer = server.recvfrom(100)
        assert data == b"friend"
        server.sendto(b"hello", peer)
        friend.settimeout(10)
        assert friend.recv(100) == b"hello"
    server.close()
    process.stop()


def test_allow_of_share(run, gateway, agent, server):
    """--allow: through the gateway, on loan to homeport up, and with --lan."""
    share = agent.share(server, "--name", HELLO, "--allow", "127.0.0.9", "-a", "2001:db8::/32")
    assert visit(gateway.http, HELLO, source="127.0.0.9").status == 200
    assert visit(gateway.http, HELLO, source="127.0.0.1").status == 403
    share.wait_line("not on the allow-list")
    share.stop()
    process = agent.up("", ready="connected to the gateway")
    share = agent.share(server, "--name", HELLO, "--allow", "127.0.0.9")
    assert visit(gateway.http, HELLO, source="127.0.0.9").status == 200
    assert visit(gateway.http, HELLO, source="127.0.0.1").status == 403
    share.stop()
    process.stop()
    share = Agent(run).share(server, "--allow", "127.0.0.9", "--lan")
    port = int(share.wait_line(r"http://localhost:(\d+)")[1])
    assert visit(port, "localhost", source="127.0.0.9").status == 200
    assert visit(port, "localhost", source="127.0.0.1").status == 403
    share.stop()
    for wrong in "home", "10.0.0.1/8", "":
        done = Agent(run).command("share", server, "--lan", "--allow", wrong, expect=2)
        assert "--allow: " in done.stderr
