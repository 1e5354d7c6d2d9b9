"""Doors that a running homeport keeps: its configuration's, and those that homeport map asks it for."""
import contextlib
import json
import os
import re
import signal
import socket

import pytest

from harness import Agent, wait_until
from routers import HOME, PUBLIC, RouterLab, needs_routers

pytestmark = needs_routers

SSH = """\
[door ssh]
port = 22
external = 2222
"""
GAME = """\
[door game]
port = 27015
protocol = udp
family = both
"""


class Doors(Agent):
    """A homeport in the home of a lab, which has joined no gateway."""

    def __init__(self, run, lab):
        super().__init__(run)
        self.lab = lab

    def start(self, *args):
        with self.lab.home.inside():
            return self.run.start(*self.argv(*args), env=self.home.env)

    def up(self, config, ready=None):
        with self.lab.home.inside():
            return super().up(config, ready)

    def say(self, *args, expect=0):
        return self.lab.at_home(*self.argv(*args), env=self.home.env, expect=expect)

    def json(self, *args):
        return json.loads(self.say(*args, "--json"))


@pytest.fixture
def lab():
    with RouterLab("upnp") as lab:
        yield lab


@pytest.fixture
def doors(run, lab):
    return Doors(run, lab)


def open_at(lab):
    return sorted((door.family, door.protocol, door.port) for door in lab.doors())


def wait_open(lab, *wanted):
    wait_until(lambda: open_at(lab) == sorted(wanted), f"open: {wanted}; there is {lab.doors()}")


def test_of_the_configuration(lab, doors):
    lab.serve(22)
    up = doors.up(SSH + GAME)
    wait_open(lab, (4, "tcp", 2222), (4, "udp", 27015), (6, "udp", 27015))
    assert lab.visitor_connects(PUBLIC, 2222) == "home 22"
    up.wait_line(rf"door to tcp port 22 is open at {PUBLIC}:2222 \(PCP\)")
    up.wait_line("homeport is up with 3 doors; no gateway is joined")
    status = doors.json("status")
    assert status["link"] is None and status["services"] == []
    assert {(d["protocol"], d["family"], d["state"], d["of"]) for d in status["doors"]} == {
        ("tcp", 4, "open", "configuration"), ("udp", 4, "open", "configuration"),
        ("udp", 6, "open", "configuration")}
    assert f"door       tcp port 22: open at {PUBLIC}:2222" in doors.say("status")
    up.stop()
    assert lab.doors() == []
    assert lab.visitor_connects(PUBLIC, 2222) == "refused"


def test_reloaded(lab, doors):
    up = doors.up(SSH)
    wait_open(lab, (4, "tcp", 2222))
    before = doors.json("map", "list")["doors"][0]
    doors.config.write_text(SSH + GAME)
    up.send_signal(signal.SIGHUP)
    wait_open(lab, (4, "tcp", 2222), (4, "udp", 27015), (6, "udp", 27015))
    after = next(d for d in doors.json("map", "list")["doors"] if d["protocol"] == "tcp")
    assert after["took_ms"] == before["took_ms"], "it was the same one all the time"
    doors.config.write_text(GAME.replace("both", "ipv4"))
    up.send_signal(signal.SIGHUP)
    wait_open(lab, (4, "udp", 27015))


def test_refused_for_one_family(run):
    with RouterLab("igd1") as lab:
        doors = Doors(run, lab)
        up = doors.up(GAME)
        wait_open(lab, (4, "udp", 27015))
        up.wait_line("door to udp port 27015 over IPv6 is not open: ")
        assert "udp port 27015 over IPv6: refused" in doors.say("status")
        command = doors.start("map", "8000", "--ipv4", "--ipv6")
        command.wait_line(r"refused +for IPv6: PCP is not offered")
        command.wait_line("Ctrl-C closes it")
        command.stop(signal.SIGINT)
        up.stop()


def test_another_port_for_the_same_door(lab, doors):
    up = doors.up(SSH)
    wait_open(lab, (4, "tcp", 2222))
    doors.config.write_text(SSH.replace("2222", "2223"))
    up.send_signal(signal.SIGHUP)
    wait_open(lab, (4, "tcp", 2223))
    up.stop()
    assert lab.doors() == []


def test_a_door_of_the_command_becomes_the_configurations(lab, doors):
    up = doors.up(SSH)
    wait_open(lab, (4, "tcp", 2222))
    command = doors.start("map", "8000", "--external", "8080")
    command.wait_line("Ctrl-C closes it")
    doors.config.write_text(SSH + "[door web]\nport = 8000\nexternal = 8081\n")
    up.send_signal(signal.SIGHUP)
    up.wait_line("door to tcp port 8000 waits: a homeport map has it")
    command.stop(signal.SIGINT)
    wait_open(lab, (4, "tcp", 2222), (4, "tcp", 8081))


def test_what_a_crash_left_is_closed(lab, doors):
    up = doors.up(SSH + GAME)
    wait_open(lab, (4, "tcp", 2222), (4, "udp", 27015), (6, "udp", 27015))
    up.kill()
    assert len(lab.doors()) == 3
    listed = doors.json("map", "list")["doors"]
    assert {d["state"] for d in listed} == {"left open"} and len(listed) == 3
    # One is wanted still: it stays, and is renewed by its nonce.
    up = doors.up(SSH)
    up.wait_line("udp port 27015 was left open by an earlier homeport: closing it")
    wait_open(lab, (4, "tcp", 2222))
    up.stop()
    assert lab.doors() == []
    assert doors.json("map", "list")["doors"] == []


def test_the_agent_keeps_those_of_the_command(lab, doors):
    up = doors.up(SSH)
    wait_open(lab, (4, "tcp", 2222))
    lab.serve(8000)
    command = doors.start("map", "8000", "--udp", "--ipv4", "--ipv6")
    wait_open(lab, (4, "tcp", 2222), (4, "udp", 8000), (6, "udp", 8000))
    command.wait_line("Ctrl-C closes it")
    listed = doors.say("map", "list")
    assert f"{HOME}:8000" in listed and "agent, map" in listed and "agent, configuration" in listed
    refused = doors.say("map", "22", expect=1)
    assert "there is a door to tcp port 22 already" in refused
    assert "that door is kept" in doors.say("map", "delete", "22", expect=1)
    command.stop(signal.SIGINT)
    wait_open(lab, (4, "tcp", 2222))
    command.wait_line("closed    udp port 8000")
    # One that cannot say goodbye.
    command = doors.start("map", "8001")
    wait_open(lab, (4, "tcp", 2222), (4, "tcp", 8001))
    command.kill()
    wait_open(lab, (4, "tcp", 2222))
    # And one whose agent goes.
    command = doors.start("map", "8002")
    command.wait_line("Ctrl-C closes it")
    up.stop()
    assert command.wait() == 1
    assert "the homeport that kept the door has ended" in command.text("err")
    assert lab.doors() == []


class Asker:
    """Speaks with the agent as homeport map does, in whatever order."""

    def __init__(self, doors):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        self.socket.connect(str(doors.state / "agent.sock"))
        self.lines = self.socket.makefile("rb")

    def say(self, command, **more):
        self.socket.sendall(json.dumps({"command": command, **more}).encode() + b"\n")

    def answer(self):
        return json.loads(self.lines.readline())

    def close(self):
        self.lines.close()
        self.socket.close()


@contextlib.contextmanager
def halted(lab):
    """The router's daemon takes what is sent, and does not answer for now."""
    pid = lab.router.daemon.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


ENTRY = {"protocol": "tcp", "external_port": 6310}


def test_the_network_changes_while_the_router_is_asked(lab, doors):
    up = doors.up(SSH)
    wait_open(lab, (4, "tcp", 2222))
    with contextlib.closing(Asker(doors)) as asker:
        asker.say("map-probe")
        assert asker.answer()["ok"]
        with halted(lab):
            asker.say("map-list", entry=ENTRY)
            lab.change_home_address()
            assert "the network has changed" in asker.answer()["error"]
    assert doors.json("status")["doors"][0]["internal"].startswith("192.168.1.12")
    up.stop()


def test_two_questions_at_once(lab, doors):
    up = doors.up(SSH)
    wait_open(lab, (4, "tcp", 2222))
    with contextlib.closing(Asker(doors)) as asker:
        asker.say("map-probe")
        assert asker.answer()["ok"]
        with halted(lab):
            asker.say("map-delete", family=4, protocol="tcp", port=99)
            asker.say("map-list", entry=ENTRY)
            assert "one question at a time" in asker.answer()["error"]
    assert doors.json("status")["doors"][0]["state"] == "open"
    up.stop()


def test_json_of_a_door_that_is_held(lab, doors):
    command = doors.start("map", "8000", "--json")
    command.wait_line('"state":"open"')
    command.stop(signal.SIGINT)
    events = [json.loads(line) for line in command.text("out").splitlines()]
    door = next(e for e in events if e.get("state") == "open")
    assert (door["method"], door["external"], door["class"], door["listening"]) == (
        "pcp", f"{PUBLIC}:8000", "public", "no")
    assert events[-1]["state"] == "closed" and events[-1]["event"] == "door"


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_one_family_has_no_network(run, form):
    with RouterLab("no-v6") as lab:
        doors = Doors(run, lab)
        command = doors.start("map", "8000", "--ipv4", "--ipv6", *form)
        if form:
            command.wait_line('"state":"open"')
        else:
            command.wait_line(r"^open +tcp")
            command.wait_line(r"^waiting +for IPv6: ")
            command.wait_line("Ctrl-C closes it")
        command.stop(signal.SIGINT)
        assert lab.doors() == []
    with RouterLab("none", v6=False) as lab:
        command = Doors(run, lab).start("map", "8000", "--ipv4", "--ipv6", *form)
        assert command.wait() == 1
        assert "is not offered" in command.text("out")


def test_warnings_about_who_listens(lab, doors):
    command = doors.start("map", "8000")
    command.wait_line("warning   nothing listens on tcp 192.168.1.10:8000 here")
    command.stop(signal.SIGINT)
    with lab.home.inside():
        local = socket.create_server(("127.0.0.1", 8000))
    with contextlib.closing(local):
        command = doors.start("map", "8000")
        command.wait_line("listens on this machine's own address alone; bind it to 192.168.1.10:8000")
        command.stop(signal.SIGINT)
    lab.serve(8001)
    command = doors.start("map", "8001")
    command.wait_line("Ctrl-C closes it")
    command.stop(signal.SIGINT)
    assert "warning" not in command.text()


def test_entries_that_are_not_ours(lab, doors):
    lab.at_home("upnpc", "-e", "printer", "-a", "192.168.1.11", "631", "6310", "tcp", host=lab.roommate)
    listed = doors.say("map", "list", "6310")
    assert 'leads to 192.168.1.11:631, "printer"' in listed
    refused = doors.say("map", "delete", "6310", expect=1)
    assert "leads to 192.168.1.11" in refused and open_at(lab) == [(4, "tcp", 6310)]
    lab.at_home("upnpc", "-e", "old", "-a", HOME, "99", "1099", "tcp")
    assert "tcp port 1099 is given back" in doors.say("map", "delete", "1099")
    assert open_at(lab) == [(4, "tcp", 6310)]
    assert "nothing to give back" in doors.say("map", "delete", "1099", expect=1)


@pytest.mark.parametrize("profile, says", [
    ("upnp", rf"the router says that outside it is {PUBLIC} \(NAT-PMP\): public"),
    ("wan-private", r"the router says that it has no public address outside \(UPnP\)"),
    ("none", "the router does not say what its address outside is"),
])
def test_ip_asks_the_router(run, profile, says):
    with RouterLab(profile) as lab:
        said = Doors(run, lab).say("ip")
        assert re.search(says, said), said
        assert "the router" not in Doors(run, lab).say("ip", "--no-router").split("IPv4  ")[1].split("\n", 2)[2]
        assert lab.doors() == []
