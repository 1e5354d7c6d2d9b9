"""What a service manager sees of the two programs: this plays its part. NOTIFY_SOCKET takes what they
say and the descriptors they give away; a restart hands those back with LISTEN_FDS."""
import contextlib
import http.client
import os
import signal
import socket
import threading
import time

import pytest

from harness import Gateway, connect, free_port, visit, wait_until
from manager import Manager, start_with

HELLO = "hello.localhost"


@pytest.fixture
def manager(run):
    made = []

    def make(home):
        made.append(Manager(home))
        return made[-1]

    yield make
    for each in made:
        each.close()


def settle(read, seconds=0.4):
    """Wait until read() gives the same for a while; returns that."""
    last, since = read(), time.monotonic()

    def settled():
        nonlocal last, since
        now = read()
        if now != last:
            last, since = now, time.monotonic()
        return time.monotonic() - since > seconds
    wait_until(settled, "it settles")
    return last


def visit_soon(port):
    """The status, once somebody listens."""
    def answer():
        with contextlib.suppress(ConnectionRefusedError):
            return visit(port, "nobody.invalid").status
    return wait_until(answer, "an answer")


class Visitors:
    """Connect in a loop, each with a request; count what becomes of them."""

    def __init__(self, port):
        self.port = port
        self.answered, self.failed = 0, []
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._visit, daemon=True) for _ in range(4)]
        for thread in self._threads:
            thread.start()

    def _visit(self):
        while not self._end.is_set():
            try:
                visit(self.port, "nobody.invalid")
                self.answered += 1
            except OSError as failure:
                self.failed.append(repr(failure))
            except http.client.HTTPException as failure:
                self.failed.append(repr(failure))

    def wait_until_all_wait(self):
        """Until nothing becomes of any of them."""
        settle(lambda: (self.answered, len(self.failed)))

    def wait_for(self, more):
        goal = self.answered + more
        wait_until(lambda: self.answered >= goal, f"{more} more visitors")

    def end(self):
        self._end.set()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def kept(run, manager):
    """A gateway whose sockets the manager keeps: (gateway, manager)."""
    gateway = Gateway(run)
    gateway.config.write_text(gateway.config.read_text().replace("[listen]", "workers = 3\n\n[listen]"))
    m = manager(gateway.home)
    gateway.start()
    m.wait("READY=1")
    return gateway, m


def test_every_listening_socket_is_given_away(kept):
    gateway, manager = kept
    assert len(manager.fds) == 6, manager.fds  # 2 ports, 3 workers
    assert len({name for name, _ in manager.fds}) == 6
    assert all(":" not in name for name, _ in manager.fds)
    ports = [socket.socket(fileno=os.dup(fd)).getsockname()[1] for _, fd in manager.fds]
    assert sorted(ports) == sorted([gateway.https, gateway.http] * 3)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("workers", [1, 3, 5])
def test_no_visitor_is_refused_across_a_restart(kept, how, workers):
    gateway, manager = kept
    visitors = Visitors(gateway.http)
    visitors.wait_for(20)
    assert visitors.failed == []
    if how == signal.SIGTERM:
        gateway.process.stop()
    else:
        gateway.process.kill()
    visitors.wait_until_all_wait()
    gateway.config.write_text(gateway.config.read_text().replace("workers = 3", f"workers = {workers}"))
    start_with(gateway, manager.fds)
    visitors.wait_for(40)
    visitors.end()
    assert not [f for f in visitors.failed if "Refused" in f], visitors.failed
    # a gateway that is killed takes along those it had accepted, one a thread
    assert len(visitors.failed) <= (0 if how == signal.SIGTERM else 4), visitors.failed
    assert len(manager.fds) == 6  # nothing new was opened


def test_a_second_restart_is_like_the_first(kept):
    gateway, manager = kept
    for _ in range(2):
        gateway.process.stop()
        start_with(gateway, manager.fds)
        wait_until(gateway._listens, "the gateway listens")
        for _ in range(20):
            assert visit(gateway.http, "nobody.invalid").status == 421
    assert len(manager.fds) == 6


def test_a_socket_that_is_not_wanted_any_more_is_closed(kept):
    gateway, manager = kept
    gateway.process.stop()
    old, gateway.http = gateway.http, free_port()
    gateway.config.write_text(gateway.config.read_text().replace(f":{old}", f":{gateway.http}"))
    start_with(gateway, manager.fds)
    assert visit_soon(gateway.http) == 421
    manager.wait("FDSTOREREMOVE", 3)
    wait_until(lambda: len(manager.fds) == 6, "the new ones are kept")
    with pytest.raises(ConnectionRefusedError):
        connect(old)


def test_sockets_of_a_socket_unit(run, manager):
    """Made by somebody else: one for all workers, and IPv6 that takes IPv4, too."""
    gateway = Gateway(run)
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as https, \
            socket.create_server(("127.0.0.1", gateway.http)) as plain, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        gateway.https = https.getsockname()[1]
        gateway.config.write_text(f"""\
[gateway]
domain = localhost
workers = 3
[listen]
https = {gateway.https}
http = 127.0.0.1:{gateway.http}
""")
        start_with(gateway, [("unit", https.fileno()), ("unit", other.fileno()),
                             ("unit", plain.fileno())])
    wait_until(gateway._listens, "the gateway listens")
    for _ in range(20):
        assert visit(gateway.http, "nobody.invalid").status == 421
        connect(gateway.https, "::1").close()


def test_descriptors_for_another_process_are_left_alone(run, manager):
    gateway = Gateway(run)
    gateway.home.env |= {"LISTEN_PID": "1", "LISTEN_FDS": "5"}
    gateway.start()
    assert visit(gateway.http, "nobody.invalid").status == 421


def test_the_gateway_is_alive_as_long_as_every_worker_answers(run, manager):
    gateway = Gateway(run)
    m = manager(gateway.home)
    gateway.home.env["WATCHDOG_USEC"] = "100000"
    process = gateway.start()
    m.wait("WATCHDOG=1", 5)
    process.send_signal(signal.SIGSTOP)
    said = settle(lambda: m.said.count("WATCHDOG=1"))
    process.send_signal(signal.SIGCONT)
    m.wait("WATCHDOG=1", said + 1)
    process.stop()
    assert m.wait("STOPPING=1")


def test_the_watchdog_of_another_process(run, manager):
    gateway = Gateway(run)
    m = manager(gateway.home)
    gateway.home.env |= {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}
    process = gateway.start()
    m.wait("READY=1")
    process.stop()
    assert "WATCHDOG=1" not in m.said


def test_the_agent_tells_how_it_is(gateway, agent, site, manager):
    m = manager(agent.home)
    agent.home.env["WATCHDOG_USEC"] = "100000"
    config = f"[service hello]\nto = {site}\nname = {HELLO}\n"
    up = agent.up(config)
    m.wait("READY=1")
    m.wait(f"STATUS=1 service; link to 127.0.0.1:{gateway.https}: up")
    m.wait("WATCHDOG=1", 3)
    gateway.process.stop()
    m.wait("STATUS=1 service; link to .*: connecting: ")
    m.wait("WATCHDOG=1", m.said.count("WATCHDOG=1") + 5)  # an outage is no reason to be restarted
    assert m.said.count("READY=1") == 1
    up.stop()
    m.wait("STOPPING=1")


def test_the_agent_tells_of_a_reload(gateway, agent, site, manager):
    m = manager(agent.home)
    config = f"[service hello]\nto = {site}\nname = {HELLO}\n"
    up = agent.up(config, ready=HELLO)
    before = time.clock_gettime(time.CLOCK_MONOTONIC)
    agent.config.write_text(config + "[service more]\nto = 127.0.0.1:1\n")
    up.send_signal(signal.SIGHUP)
    m.wait("READY=1", 2)
    m.wait("STATUS=2 services")
    assert m.said.index("RELOADING=1") < len(m.said) - 1 - m.said[::-1].index("READY=1")
    told = int(m.wait("MONOTONIC_USEC=").split("=")[1]) / 1e6
    assert before <= told <= time.clock_gettime(time.CLOCK_MONOTONIC)
    agent.config.write_text("nonsense")
    up.send_signal(signal.SIGHUP)  # a mistake ends the reload, too
    m.wait("READY=1", 3)
    up.stop()
    assert "WATCHDOG=1" not in m.said
