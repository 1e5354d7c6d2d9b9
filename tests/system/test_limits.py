"""homeport at the limits of its machine: descriptors."""
import contextlib
import json
import socketserver
import threading

import pytest

from harness import Agent, Gateway, connect, free_port, visit, wait_until

HELLO = "hello.localhost"
FILES = 200


@contextlib.contextmanager
def silent_server():
    """Takes connections and says nothing; yields its port."""
    class Silent(socketserver.BaseRequestHandler):
        def handle(self):
            while self.request.recv(65536):
                pass

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 512

    with Server(("127.0.0.1", 0), Silent) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def limited(agent, soft, *args):
    """homeport with few descriptors: soft now, FILES if it asks for more."""
    return agent.run.start("prlimit", f"--nofile={soft}:{FILES}", *agent.argv(*args), env=agent.home.env)


@pytest.fixture
def public(run):
    """A gateway with one public TCP port, its agent, and the port."""
    port = free_port()
    gateway = Gateway(run, extra=f"ports = {port}-{port}\n")
    gateway.start()
    agent = Agent(run)
    agent.join(gateway.invite("laptop", HELLO))
    return gateway, agent, port


def fill(stack, port, n=FILES + 50):
    """Visitors who stay; returns those connections, without who was sent away at the door."""
    visitors = []
    for _ in range(n):
        with contextlib.suppress(ConnectionResetError):
            visitors.append(stack.enter_context(connect(port)))
    return visitors


def refused(visitors):
    """Those of them whom the other side has left."""
    count = 0
    for s in visitors:
        s.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            try:
                count += s.recv(1) == b""
            except ConnectionResetError:
                count += 1
    return count


def test_visitors_do_not_take_the_last_descriptors(public, site):
    gateway, agent, port = public
    with silent_server() as local, contextlib.ExitStack() as visitors:
        agent.config.write_text(f"[service hello]\nto = {site}\nname = {HELLO}\n"
                                f"[service raw]\nto = tcp://127.0.0.1:{local}\nport = {port}\n")
        up = limited(agent, 100, "up")
        up.wait_line("service raw: tcp")
        many = fill(visitors, port)
        wait_until(lambda: len(many) - refused(many) <= FILES - 50, "those who find no place are sent away")
        assert len(many) - refused(many) > 90  # the soft limit was raised
        answer = json.loads(agent.command("status", "--json").stdout)
        assert answer["link"]["state"] == "up"
        assert {s["id"]: s["reachable"] for s in answer["services"]} == {"hello": True, "raw": True}
        page = visit(gateway.http, HELLO)
        assert page.status == 503
        assert "is not there" not in page.text
        visitors.close()
        wait_until(lambda: visit(gateway.http, HELLO).status == 200, "pages again")
        up.stop()


def test_a_share_keeps_some(public, site):
    gateway, agent, port = public
    with silent_server() as local, contextlib.ExitStack() as visitors:
        share = limited(agent, 100, "share", f"tcp://127.0.0.1:{local}", "--port", port)
        share.wait_line(rf":{port}")
        many = fill(visitors, port)
        wait_until(lambda: len(many) - refused(many) <= FILES - 50, "those who find no place are sent away")
        other = agent.share(site, "--name", HELLO)
        other.stop()
        share.stop()


def test_a_share_in_the_own_network(run, site):
    port = free_port()
    agent = Agent(run)
    with silent_server() as local, contextlib.ExitStack() as visitors:
        share = limited(agent, 100, "share", f"tcp://127.0.0.1:{local}", "--lan", "--port", port)
        share.wait_line(rf"localhost:{port}")
        many = fill(visitors, port)
        wait_until(lambda: len(many) - refused(many) <= FILES - 50, "those who find no place are sent away")
        share.stop()
