"""homeport map: doors at routers, real ones in namespaces and one that does what the test wants.

That a door is open means here that a visitor got through it, and that it is closed that he did not.
"""
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import time

import pytest

import fake_router
from fake_router import IP1, LEGACY_IP, PPP1, FakeRouter, Service
from harness import DEADLINE_S, Agent, wait_until
from routers import CONTROL_PORT, HOME, ROOMMATE, ROUTER, Door, RouterLab, needs_routers, needs_tun

DESCRIPTION = f"http://{ROUTER}:{CONTROL_PORT}/rootDesc.xml"
REMEMBERED = "doors/*/doors.json"  # in the state folder


class Held:
    """`homeport map PORT --json` while it runs: what it tells of its doors."""

    def __init__(self, process):
        self.process = process

    def told(self):
        return [json.loads(line) for stream, line in list(self.process.lines) if stream == "out"]

    def wait(self, state, after=0, seconds=DEADLINE_S, **wanted):
        """The next of its doors, from event number `after` on, that is in this state and like this."""
        def find():
            return next((e for e in self.told()[after:] if e.get("state") == state
                         and all(e.get(k) == v for k, v in wanted.items())), None)

        def over():
            return find() or not self.process.running

        wait_until(over, f"a door that is {state} and {wanted}:\n" + self.process.text(), seconds)
        assert find(), f"homeport ended:\n{self.process.text()}"
        return find()

    def count(self):
        return len(self.told())

    def stop(self, **options):
        self.process.stop(**options)


class Home:
    """A machine with homeport, at home in a lab or on loopback."""

    def __init__(self, run, lab=None, router=None):
        self.run = run
        self.lab = lab
        self.agent = Agent(run)
        self.options = ["--router", router.address, "--source", router.client] if router else []

    def inside(self):
        return self.lab.home.inside() if self.lab else contextlib.nullcontext()

    def start(self, *args):
        with self.inside():
            return self.run.start(*self.agent.argv(*args), env=self.agent.home.env)

    def hold(self, *args):
        return Held(self.start("map", *args, *self.options, "--json"))

    def map(self, *args, **options):
        """`homeport map` that ends by itself, or with `list`, `probe`, `delete`."""
        with self.inside():
            return self.agent.command("map", *args, *self.options, **options)

    def json(self, *args, **options):
        return json.loads(self.map(*args, "--json", **options).stdout)

    def remembered(self):
        """What is on disk."""
        return list(self.agent.state.glob(REMEMBERED))

    def wait_noted(self, doors=1):
        """So many are open and on disk as such."""
        def noted():
            with contextlib.suppress(FileNotFoundError):
                text = "".join(path.read_text() for path in self.remembered())
                return text.count('"method"') == doors and '"method": "none"' not in text

        wait_until(noted, "open doors are on disk")


@contextlib.contextmanager
def street(run, profile="upnp", **different):
    """A home with homeport behind a router; echoes at some ports."""
    with RouterLab(profile, **{"min_lifetime": 1, **different}) as lab:
        for port in 8000, 443:
            lab.serve(port)
            lab.serve(port, udp=True)
        yield lab, Home(run, lab)


def all_closed(lab):
    """At once; but miniupnpd deletes no pinhole that it was asked for twice (a lost answer is enough), and
    homeport makes such a one end as soon as this router lets it, in a second."""
    wait_until(lambda: not lab.doors(), "all doors are closed", 3)


@pytest.fixture
def routers():
    """Makes fake routers, each with a network of its own."""
    with contextlib.ExitStack() as stack:
        made = []

        def make(*args):
            made.append(stack.enter_context(FakeRouter(*args)))
            return made[-1]

        yield make
        for request in (request for router in made for request in router.requests):
            wanted = request.fields.get("outside", request.fields.get("NewExternalPort"))
            if request.fields.get("lifetime") != 0 and wanted is not None:
                assert int(wanted) != 0, f"0 is all ports, or whichever: {request}"


@pytest.fixture
def router(routers):
    return routers()


@pytest.fixture
def home(run, router):
    return Home(run, router=router)


def settled(held):
    """Open or refused, once it is decided."""
    return wait_until(lambda: next((e for e in held.told() if e["state"] in ("open", "refused")), None),
                      "it is decided")


# ---- a visitor gets through: every protocol, alone and with the others

METHODS = {"upnp": "pcp", "pcp-only": "pcp", "natpmp-only": "nat-pmp", "igd-only": "upnp", "igd1": "upnp"}


@needs_routers
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
@pytest.mark.parametrize("profile", METHODS)
def test_a_port(run, profile, protocol):
    udp = protocol == "udp"
    with street(run, profile) as (lab, home):
        held = home.hold(8000, "--external", 443, *(["--udp"] if udp else []))
        door = held.wait("open")
        assert (door["method"], door["external"], door["class"]) == (METHODS[profile], f"{lab.public}:443", "public")
        assert door["lifetime_s"] <= 7200
        assert lab.doors() == [Door(4, protocol, 443, HOME, 8000)]
        assert lab.visitor_connects(lab.public, 443, udp=udp) == "home 8000"
        assert lab.visitor_connects(lab.public, 443, udp=not udp) == "refused"
        held.stop()
        assert held.told()[-1]["state"] == "closed"
        all_closed(lab)
        assert lab.visitor_connects(lab.public, 443, udp=udp) == "refused"
        assert not home.remembered()


@needs_routers
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
@pytest.mark.parametrize("profile", ["upnp", "pcp-only", "igd-only"])
def test_a_pinhole(run, profile, protocol):
    udp = protocol == "udp"
    with street(run, profile) as (lab, home):
        stable, temporary = lab.stable(), lab.temporary()
        held = home.hold(8000, "--ipv6", *(["--udp"] if udp else []))
        door = held.wait("open")
        assert (door["method"], door["external"]) == (METHODS[profile], f"[{stable}]:8000")
        assert lab.doors() == [Door(6, protocol, 8000, stable, 8000)]
        assert lab.visitor_connects(stable, 8000, udp=udp) == "home 8000"
        assert lab.visitor_connects(stable, 8000, udp=not udp) == "refused"
        assert lab.visitor_connects(temporary, 8000, udp=udp) == "refused"
        held.stop()
        all_closed(lab)
        assert lab.visitor_connects(stable, 8000, udp=udp) == "refused"


@needs_routers
def test_both_families_at_once(run):
    with street(run) as (lab, home):
        held = home.hold(443, "--ipv4", "--ipv6")
        held.wait("open", family=4)
        held.wait("open", family=6)
        assert lab.visitor_connects(lab.public, 443) == lab.visitor_connects(lab.stable(), 443) == "home 443"
        held.stop(number=signal.SIGINT)
        all_closed(lab)


@needs_routers
@pytest.mark.parametrize("profile", ["natpmp-only", "igd1"])
def test_no_pinholes(run, profile):
    with street(run, profile) as (lab, home):
        said = home.map(8000, "--ipv6", expect=1).stdout
        assert re.search("refused .*PCP is not offered; UPnP", said)
        assert lab.doors() == []


@needs_routers
def test_low_ports(run):
    """UPnP opens no pinholes below 1024, and this router no such port at all; PCP gives another one instead."""
    with street(run, "igd-only") as (lab, home):
        said = home.map(443, "--ipv6", expect=1).stdout
        assert "UPnP: the router refuses ports below 1024 (606)" in said
    with street(run, "low-ports-denied") as (lab, home):
        said = home.map(443, expect=1).stdout
        for why in ("PCP: port 443 is used by another device, or not allowed (CANNOT_PROVIDE_EXTERNAL, 11)",
                    "NAT-PMP: port 443 is not to be had, the router gave 1024 instead",
                    "UPnP: the router refuses ports below 1024 (606)"):
            assert why in said
        assert lab.doors() == []
        home.hold(443, "--ipv6").wait("open")
        assert lab.visitor_connects(lab.stable(), 443) == "home 443"


# ---- what happens to a door

@needs_routers
@pytest.mark.parametrize("profile", ["upnp", "pcp-only", "natpmp-only"])
def test_a_router_restarts(run, profile, figure):
    with street(run, profile) as (lab, home):
        v6 = lab.profile.pcp
        doors = [home.hold(8000, *(["--ipv4", "--ipv6"] if v6 else [])), home.hold(8000, "--udp"), home.hold(443)]
        for held in doors:
            held.wait("open", family=4)
        if v6:
            doors[0].wait("open", family=6)
        before = lab.doors()
        assert len(before) == 3 + v6
        lab.router.reboot()
        begin = time.monotonic()
        wait_until(lambda: lab.doors() == before, "all doors are back", 5)
        figure(f"all doors back after a restart ({profile})", time.monotonic() - begin, 5)
        assert lab.visitor_connects(lab.public, 443) == "home 443"
        assert lab.visitor_connects(lab.public, 8000, udp=True) == "home 8000"
        assert not v6 or lab.visitor_connects(lab.stable(), 8000) == "home 8000"


@needs_routers
def test_a_upnp_router_restarts(run, figure):
    """It says so to whoever listens (SSDP), long before its doors are looked up again."""
    with street(run, "igd-only") as (lab, home):
        held = home.hold(8000, "--ipv4", "--ipv6")
        held.wait("open", family=4)
        held.wait("open", family=6)
        for action in "GetSpecificPortMappingEntry", "GetPinholePackets":
            lab.router.daemon.wait_line(f"SOAPAction: .*#{action}")
        before = lab.doors()
        lab.router.reboot()
        begin = time.monotonic()
        wait_until(lambda: lab.doors() == before, "both doors are back", 5)
        figure("all doors back after a restart (igd-only)", time.monotonic() - begin, 5)
        assert lab.visitor_connects(lab.public, 8000) == lab.visitor_connects(lab.stable(), 8000) == "home 8000"


@needs_routers
@pytest.mark.parametrize("profile", ["pcp-only", "natpmp-only"])
def test_the_routers_daemon_dies(run, profile):
    with street(run, profile) as (lab, home):
        held = home.hold(8000)
        held.wait("open")
        before = lab.doors()
        lab.router.kill()
        assert lab.visitor_connects(lab.public, 8000) == "home 8000"
        lab.router.forget()
        assert lab.visitor_connects(lab.public, 8000) == "refused"
        lab.router.restart()
        wait_until(lambda: lab.doors() == before, "the door is back", 5)
        assert lab.visitor_connects(lab.public, 8000) == "home 8000"


@needs_routers
def test_another_wan_address(run):
    """Without UPnP miniupnpd does not watch its own, and tells nobody."""
    with street(run) as (lab, home):
        held = home.hold(8000)
        held.wait("open", external=f"{lab.public}:8000")
        new = lab.change_wan_address()
        held.wait("open", external=f"{new}:8000", seconds=5)
        assert lab.visitor_connects(new, 8000) == "home 8000"


@needs_routers
@pytest.mark.parametrize("profile", ["upnp", "igd-only"])
def test_another_prefix(run, profile):
    with street(run, profile) as (lab, home):
        held = home.hold(8000, "--ipv6")
        old = lab.stable()
        held.wait("open", external=f"[{old}]:8000")
        lab.change_prefix()
        new = lab.stable()
        held.wait("open", external=f"[{new}]:8000", seconds=15)
        assert lab.visitor_connects(new, 8000) == "home 8000"
        # Visitors may have the old one for a while.
        assert Door(6, "tcp", 8000, old, 8000) in lab.doors()


@needs_routers
@pytest.mark.parametrize("profile", ["upnp", "natpmp-only", "igd-only"])
def test_another_address_at_home(run, profile):
    with street(run, profile) as (lab, home):
        held = home.hold(8000)
        held.wait("open", internal=f"{HOME}:8000")
        lab.change_home_address()
        door = held.wait("open", internal=f"{lab.home_address}:8000")
        assert lab.visitor_connects(lab.public, door["external_port"]) == "home 8000"


@needs_tun
@needs_routers
@pytest.mark.parametrize("profile", ["upnp", "igd-only"])
def test_a_vpn(run, profile):
    """Doors are asked for where the router is, and nowhere else."""
    with street(run, profile) as (lab, home):
        lab.start_vpn()
        held = home.hold(8000, "--ipv4", "--ipv6")
        held.wait("open", family=4, internal=f"{HOME}:8000")
        held.wait("open", family=6)
        assert {door.address for door in lab.doors()} == {HOME, lab.stable()}


@needs_routers
def test_leases_are_renewed_and_end(run):
    with street(run, "short", max_lifetime=5) as (lab, home):
        held = home.hold(8000)
        assert held.wait("open")["lifetime_s"] == 5
        begin = time.monotonic()
        while time.monotonic() - begin < 7:
            assert lab.doors() == [Door(4, "tcp", 8000, HOME, 8000)]
            time.sleep(0.1)
        assert lab.visitor_connects(lab.public, 8000) == "home 8000"
        held.process.kill()
        lab.expire()
        assert lab.visitor_connects(lab.public, 8000) == "refused"


# ---- what others have, and what they may

@needs_routers
def test_a_port_that_the_roommate_has(run):
    with street(run) as (lab, home):
        lab.serve(9090, host=lab.roommate)
        lab.at_home("upnpc", "-u", DESCRIPTION, "-a", ROOMMATE, 9090, 8000, "tcp", 600, host=lab.roommate)
        said = home.map(8000, "--external", 8000, expect=1).stdout
        assert "PCP: port 8000 is not to be had, the router gave 8001 instead" in said
        assert f"UPnP: port 8000 is used by {ROOMMATE} (libminiupnpc) (718)" in said
        assert lab.doors() == [Door(4, "tcp", 8000, ROOMMATE, 9090)]
        door = home.hold(8000).wait("open")  # any other port does
        assert door["external_port"] != 8000
        assert lab.visitor_connects(lab.public, door["external_port"]) == "home 8000"
        assert lab.visitor_connects(lab.public, 8000) == "roommate 9090"


@needs_routers
def test_a_roommate_with_homeport(run):
    """Also one whose machine was copied from ours, as machines from one image are."""
    with street(run, "igd-only", secure=False) as (lab, home):
        home.hold(8000).wait("open")
        roommate = Agent(run)
        said = lab.at_home(*roommate.argv("map", 9090, "--external", 8000), env=roommate.home.env,
                           host=lab.roommate, expect=1)
        assert f"UPnP: port 8000 is used by {HOME} (homeport-" in said
        assert lab.doors() == [Door(4, "tcp", 8000, HOME, 8000)]


@needs_routers
@pytest.mark.parametrize("profile", ["upnp", "igd-only"])
def test_a_port_that_another_program_here_has(run, profile):
    """UPnP routers let a machine overwrite its own doors; whose they are is asked before."""
    with street(run, profile) as (lab, home):
        lab.serve(9090)
        lab.at_home("upnpc", "-u", DESCRIPTION, "-a", HOME, 9090, 8000, "tcp", 600)
        said = home.map(8000, "--external", 8000, expect=1).stdout
        assert "UPnP: port 8000 is used by another program of this machine (libminiupnpc) (718)" in said
        held = home.hold(8000)
        door = held.wait("open")
        assert lab.visitor_connects(lab.public, door["external_port"]) == "home 8000"
        assert lab.visitor_connects(lab.public, 8000) == "home 9090"
        held.stop()
        assert lab.doors() == [Door(4, "tcp", 8000, HOME, 9090)]


@needs_routers
@pytest.mark.parametrize("profile, secure", [("igd-only", True), ("igd-only", False)])
def test_a_roommate_who_deletes(run, profile, secure):
    with street(run, profile, secure=secure) as (lab, home):
        home.hold(8000).wait("open")
        lab.at_home("upnpc", "-u", DESCRIPTION, "-d", 8000, "tcp", host=lab.roommate, expect=None)
        assert bool(lab.doors()) == secure
        wait_until(lab.doors, "the door is there again")
        assert lab.visitor_connects(lab.public, 8000) == "home 8000"


# ---- routers that the world cannot reach

@needs_routers
@pytest.mark.parametrize("profile, words", [
    ("cgnat", "shared by the provider (100.64.0.0/10)"), ("wan-private", "private (RFC 1918)"),
    ("double-nat", "private (RFC 1918)")])
def test_no_public_address(run, profile, words):
    with street(run, profile) as (lab, home):
        said = home.map(8000, expect=1).stdout
        for code in "NO_RESOURCES, 8", "NETWORK_FAILURE, 3", "501":
            assert f"({code})" in said or f"; {code})" in said, said
        assert f"the router's own address outside, {lab.wan}, is {words}" in said
        offers = {o["method"]: o for r in home.json("probe") if r["family"] == 4 for o in r["offers"]}
        assert offers["nat-pmp"]["external"] == offers["upnp"]["external"] == ""
        home.hold(8000, "--ipv6").wait("open")
        behind = "refused" if profile == "double-nat" else "home 8000"
        assert lab.visitor_connects(lab.stable(), 8000) == behind


# ---- what homeport tells

@needs_routers
def test_probe(run):
    expected = {
        "upnp": {4: ["offered"] * 3, 6: ["offered"] * 2},
        "pcp-only": {4: ["offered", "absent", "silent"], 6: ["offered", "silent"]},
        "natpmp-only": {4: ["absent", "offered", "silent"], 6: ["absent", "silent"]},
        "igd-only": {4: ["absent", "absent", "offered"], 6: ["absent", "offered"]},
        "igd1": {4: ["absent", "absent", "offered"], 6: ["absent", "absent"]},
    }
    with contextlib.ExitStack() as stack:
        streets = {profile: stack.enter_context(street(run, profile)) for profile in expected}
        probes = {profile: home.start("map", "probe", "--json") for profile, (_, home) in streets.items()}
        for profile, (lab, _) in streets.items():
            assert probes[profile].wait() == 0
            seen = json.loads(probes[profile].text("out"))
            assert {r["family"]: [o["state"] for o in r["offers"]] for r in seen} == expected[profile], profile
            assert [r["address"] for r in seen] == [HOME, lab.stable()]
            told = {o["external"] for r in seen for o in r["offers"] if "external" in o}
            assert told == ({lab.public} if profile != "pcp-only" else set())


@needs_routers
@pytest.mark.parametrize("profile", ["none", "silent"])
def test_probe_of_nothing(run, profile, figure):
    with street(run, profile) as (lab, home):
        took = []
        for _ in range(3):
            begin = time.monotonic()
            said = home.map("probe", expect=1).stdout
            took.append(time.monotonic() - begin)
            assert said.count("It opens no doors.") == 2
            if took[-1] < 3.5:  # else this machine was busy with other things
                break
        figure(f"homeport map probe ({profile})", min(took), 3.5)


@needs_routers
def test_what_others_see_is_what_it_lists(run):
    with street(run) as (lab, home):
        home.hold(8000, "--external", 8443).wait("open")
        home.hold(443, "--udp").wait("open")
        listed = {(d["protocol"], d["external_port"], d["internal"]) for d in home.json("list")["doors"]}
        entries = re.findall(r" (TCP|UDP) +(\d+)->(\S+:\d+)",
                             lab.at_home("upnpc", "-u", DESCRIPTION, "-l", expect=None))
        assert {(p.lower(), int(outside), inside) for p, outside, inside in entries} == listed
        assert listed == {("tcp", 8443, f"{HOME}:8000"), ("udp", 443, f"{HOME}:443")}
        entry = home.json("list", 8443)["entry"]
        assert entry["there"] and entry["client"] == f"{HOME}:8000"
        assert not home.json("list", 8444)["entry"]["there"]
        address = re.search(r"Public IP address : (\S+)", lab.at_home("natpmpc", "-g", ROUTER))[1]
        assert {o.get("external") for r in home.json("probe") for o in r["offers"]} - {None} == {address}


@needs_routers
def test_a_door_that_nothing_listens_behind(run):
    with street(run) as (lab, home):
        process = home.start("map", 8001)
        process.wait_line("nothing listens on tcp .*:8001 here")
        process.wait_line("Ctrl-C closes it")
        process.stop(number=signal.SIGINT)
        with lab.home.inside(), socket.create_server(("127.0.0.1", 8002)):
            process = home.start("map", 8002)
            process.wait_line("listens on this machine's own address alone")
        process = home.start("map", 8000)
        process.wait_line("Ctrl-C closes it")
        assert "warning" not in process.text("out")


# ---- processes that end

@needs_routers
@pytest.mark.parametrize("profile", ["upnp", "natpmp-only", "igd-only"])
def test_a_killed_homeport_has_its_door_again(run, profile):
    with street(run, profile) as (lab, home):
        held = home.hold(8000, "--external", 8443)
        held.wait("open")
        home.wait_noted()
        assert all(path.stat().st_mode & 0o777 == 0o600 for path in home.remembered())
        held.process.kill()
        assert lab.visitor_connects(lab.public, 8443) == "home 8000"
        assert [d["state"] for d in home.json("list")["doors"]] == ["left open"]
        held = home.hold(8000, "--external", 8443)
        held.wait("open")
        assert lab.doors() == [Door(4, "tcp", 8443, HOME, 8000)]
        held.stop()
        all_closed(lab)
        assert not home.remembered()


@needs_routers
@pytest.mark.parametrize("profile", ["upnp", "natpmp-only", "igd-only"])
def test_the_next_one_closes_what_a_killed_one_left(run, profile):
    with street(run, profile) as (lab, home):
        families = ["--ipv4"] if profile == "natpmp-only" else ["--ipv4", "--ipv6"]
        held = home.hold(8000, *families)
        for family in families:
            held.wait("open", family=int(family[-1]))
        home.wait_noted(len(families))
        held.process.kill()
        assert len(lab.doors()) == len(families)
        home.hold(443, *families).wait("open")
        wait_until(lambda: not any(door.inside == 8000 for door in lab.doors()), "what was left is closed")
        assert any(door.inside == 443 for door in lab.doors())


@needs_routers
@pytest.mark.parametrize("profile", ["upnp", "igd-only"])
def test_delete(run, profile):
    with street(run, profile) as (lab, home):
        held = home.hold(8000)
        held.wait("open")
        held.process.kill()  # noted or not
        assert "given back" in home.map("delete", 8000).stdout
        assert lab.doors() == []
        assert home.json("list")["doors"] == []
        assert "nothing to give back" in home.map("delete", 8000, expect=1).stderr


def test_delete_is_not_said_to_be_done_before_it_is(home, router):
    held = home.hold(8000)
    held.wait("open")
    home.wait_noted()
    held.process.kill()
    router.pcp = "silent"
    assert "the router did not take it back" in home.map("delete", 8000, expect=1).stderr
    assert router.doors and home.json("list")["doors"][0]["state"] == "left open"
    router.pcp = True
    assert home.json("delete", 8000) == {"given_back": True, "family": 4, "protocol": "tcp", "port": 8000}
    assert not router.doors


@pytest.mark.parametrize("answers, says", [
    (True, r"^closed +tcp port 8000$"),
    ("silent", r"^closed +tcp port 8000: the router did not take it back; it ends by itself within 10 min$"),
])
def test_closed_is_what_the_router_has_closed(home, router, answers, says):
    held = home.start("map", 8000, "--lifetime", "10m", *home.options)
    held.wait_line("Ctrl-C closes it")
    router.pcp = answers
    held.stop(signal.SIGINT)
    assert re.search(says, held.text("out"), re.MULTILINE), held.text("out")
    assert bool(router.doors) == (answers == "silent")


def test_many_begin_at_once(run, router):
    """Each with the same state folder; none takes another's for one that was left."""
    home = Home(run, router=router)
    helds = [home.hold(port) for port in range(8000, 8008)]
    for held in helds:
        held.wait("open")
    assert len(router.doors) == len(home.remembered()) == len(helds)
    for held in helds:
        held.process.send_signal(signal.SIGTERM)
    assert {held.process.wait() for held in helds} == {0}
    assert not router.doors and not home.remembered()


@needs_routers
def test_it_ends_although_the_router_does_not_answer(run):
    with street(run, "pcp-only") as (lab, home):
        held = home.hold(8000)
        held.wait("open")
        os.kill(lab.router.daemon.pid, signal.SIGSTOP)
        begin = time.monotonic()
        held.stop()
        assert time.monotonic() - begin < 3
        os.kill(lab.router.daemon.pid, signal.SIGCONT)
        assert home.remembered(), "the next one gives it back"


# ---- an agent

@needs_routers
def test_an_agent_keeps_doors(run):
    with street(run) as (lab, home):
        home.agent.config.write_text("[door web]\nport = 443\nfamily = both\n")
        agent = home.start("up")
        wait_until(lambda: len(lab.doors()) == 2, "the doors of the configuration")
        assert lab.visitor_connects(lab.public, 443) == lab.visitor_connects(lab.stable(), 443) == "home 443"
        held = home.hold(8000)
        held.wait("open")
        assert lab.visitor_connects(lab.public, 8000) == "home 8000"
        listed = home.json("list")["doors"]
        assert sorted((d["internal_port"], d["family"], d["of"]) for d in listed) == [
            (443, 4, "configuration"), (443, 6, "configuration"), (8000, 4, "map")]
        held.process.kill()
        wait_until(lambda: not any(door.inside == 8000 for door in lab.doors()), "it keeps none for nobody")
        agent.stop()
        all_closed(lab)


# ---- safety

@needs_routers
def test_nothing_is_said_beyond_the_router(run):
    with street(run) as (lab, home):
        lab.watch_home()
        home.map("probe")
        held = home.hold(8000, "--ipv4", "--ipv6")
        held.wait("open", family=4)
        held.wait("open", family=6)
        assert lab.visitor_connects(lab.public, 8000) == "home 8000"
        held.stop()
        assert lab.strangers() == []


@needs_routers
def test_a_roommate_who_answers_searches(run):
    """Whatever he says and asks for leads to nobody but himself, and he is not believed while the router answers."""
    with street(run, "igd-only") as (lab, home):
        lab.watch_home()
        with lab.roommate.inside(), FakeRouter(ROOMMATE) as rogue:
            rogue.client = HOME
            rogue.hear_multicast()
            held = home.hold(8000)
            held.wait("open")
            assert lab.doors() == [Door(4, "tcp", 8000, HOME, 8000)]
            assert not rogue.asked("soap")
        assert lab.strangers() == []
    with street(run, "none") as (lab, home):
        lab.watch_home()
        with lab.roommate.inside(), FakeRouter(ROOMMATE) as rogue:
            rogue.client = HOME
            rogue.hear_multicast()
            rogue.location = f"http://{lab.public}:80/rootDesc.xml"
            home.map("probe", expect=1)
            rogue.location = "http://www.example.com/rootDesc.xml"
            home.map("probe", expect=1)
            assert rogue.asked("search", group=True) and not rogue.asked("http")
        assert lab.strangers() == []


@needs_routers
def test_a_device_that_answers_only_to_everybody(run):
    """And speaks the language of before UPnP."""
    with street(run, "none") as (lab, home):
        with lab.router.namespace.inside(), FakeRouter(ROUTER) as device:
            device.client = HOME
            device.hear_multicast()
            device.refuse_pmp()
            device.search = "multicast"
            device.root = fake_router.LEGACY_IGD
            device.services = [Service(LEGACY_IP, "/old")]
            door = home.hold(8000).wait("open")
            assert (door["method"], door["external"]) == ("upnp", f"{device.external}:8000")


# ---- figures

@needs_routers
@pytest.mark.parametrize("profile, most", [("upnp", 0.4), ("pcp-only", 0.4), ("natpmp-only", 0.4), ("igd-only", 1.5)])
def test_how_soon_a_door_is_open(run, profile, most, figure):
    """From the start of the program: the best of three, since this machine does other things, too."""
    with street(run, profile) as (lab, home):
        took = []
        for _ in range(3):
            begin = time.monotonic()
            held = home.hold(8000)
            held.wait("open")
            took.append(time.monotonic() - begin)
            held.stop()
        figure(f"first door open after start ({profile})", min(took), most)


def switches(pid):
    """How often the threads of a process have gone to sleep."""
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return sum(int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", (task / "status").read_text(), re.M)[1])
               for task in tasks)


@needs_routers
@pytest.mark.slow
def test_idle(run, figure):
    """Nothing changes, and nothing happens."""
    with street(run, "pcp-only") as (lab, home):
        held = home.hold(8000, "--ipv4", "--ipv6")
        held.wait("open", family=4)
        held.wait("open", family=6)
        home.wait_noted(2)
        time.sleep(4)  # the search for what this router does not have
        before = switches(held.process.pid)
        time.sleep(10)
        figure("wake-ups in 10 idle seconds", switches(held.process.pid) - before, 1, "")


# ---- routers with ways of their own

@pytest.mark.parametrize("fault, leases", [
    (fake_router.permanent_only, [7200, 0]), (fake_router.no_leases, [7200, 0]),
    (fake_router.one_week_only, [7200, 0, 604800])])
def test_leases_that_a_router_refuses(home, router, fault, leases):
    router.refuse_pmp()
    router.lease_fault = fault
    held = home.hold(8000)
    door = held.wait("open")
    asked = [int(r.NewLeaseDuration) for r in router.asked("soap", action="AddPortMapping")]
    assert sorted(set(asked), key=asked.index) == leases
    assert door["permanent"] == (leases[-1] == 0)
    held.stop()
    assert not router.doors and not home.remembered()


@pytest.mark.parametrize("next_one", ["delete", "map"])
def test_a_permanent_door_of_a_killed_homeport(home, router, next_one):
    router.refuse_pmp()
    router.lease_fault = fake_router.permanent_only
    held = home.hold(8000)
    held.wait("open", permanent=True)
    assert '"permanent": true' in home.remembered()[0].read_text()
    held.process.kill()
    assert ("TCP", 8000) in router.doors
    if next_one == "delete":
        home.map("delete", 8000)
    else:
        home.hold(9000).wait("open")
        router.wait("soap", action="DeletePortMapping", NewExternalPort="8000")
    wait_until(lambda: ("TCP", 8000) not in router.doors, "the door is closed")


def test_leases_that_vanish(home, router):
    """What is to expire is gone at once, and nobody says so."""
    router.refuse_pmp()
    router.leases_vanish = True
    held = home.hold(8000)
    held.wait("open", permanent=True, seconds=15)
    assert router.doors["TCP", 8000].lease == 0
    held.stop()
    assert not router.doors


@pytest.mark.parametrize("method", ["pcp", "nat-pmp"])
def test_a_wrong_port_is_given_back(home, router, method):
    router.search = False
    router.pcp = method == "pcp"
    router.ports = {443: 8443}
    said = home.map(8000, "--external", 443, expect=1).stdout
    assert "port 443 is not to be had, the router gave 8443 instead" in said
    assert not router.doors
    router.ports = {8000: 8443}
    assert home.hold(8000).wait("open")["external"] == f"{router.external}:8443"


def test_another_port_is_what_upnp_gives(home, router):
    router.refuse_pmp()
    router.take_port(8000)
    said = home.map(8000, "--external", 8000, expect=1).stdout
    assert f"UPnP: port 8000 is used by {router.doors['TCP', 8000].client} (NAS) (718)" in said
    door = home.hold(8000).wait("open")
    assert door["external_port"] != 8000
    assert router.doors["TCP", door["external_port"]].client == router.client
    assert router.doors["TCP", 8000].description == "NAS"


@pytest.mark.parametrize("old_answers", [False, True], ids=["refused", "404"])
def test_a_control_port_that_moves(home, router, old_answers):
    router.refuse_pmp()
    held = home.hold(8000)
    held.wait("open")
    before = held.count()
    router.reboot(keep_port=False, old_answers=old_answers)
    held.wait("open", after=before)
    assert ("TCP", 8000) in router.doors


def test_the_connected_one_of_several_services(home, router):
    router.refuse_pmp()
    router.services = [Service(IP1, "/dead", connection="Disconnected", external="0.0.0.0"), Service(PPP1, "/live")]
    assert home.hold(8000).wait("open")["external"] == f"{router.external}:8000"
    assert {r.path for r in router.asked("soap", action="AddPortMapping")} == {"/live"}


def test_a_service_of_before_upnp(home, router):
    router.refuse_pmp()
    router.services = [Service(LEGACY_IP, "/old")]
    home.hold(8000).wait("open")
    assert router.asked("soap", action="AddPortMapping")[0].urn == LEGACY_IP


@pytest.mark.parametrize("shape", [fake_router.chunked, fake_router.in_pieces, fake_router.until_close])
def test_shapes_of_answers(home, router, shape):
    router.refuse_pmp()
    router.shapes = {"/rootDesc.xml": shape, "/ctl/IPConn": shape}
    held = home.hold(8000)
    held.wait("open")
    held.stop()
    assert not router.doors


def test_answers_that_are_not_taken(run, routers):
    """Neither descriptions nor actions; what they take of time is bounded, and of memory."""
    helds = {}
    for shape in (fake_router.truncated, fake_router.huge, fake_router.endless, fake_router.slow,
                  fake_router.silent, fake_router.long_head):
        for path in "/rootDesc.xml", "/ctl/IPConn":
            router = routers()
            router.refuse_pmp()
            router.shapes[path] = shape
            helds[shape.__name__, path] = Home(run, router=router).hold(8000)
    for case, held in helds.items():
        assert "UPnP" in held.wait("refused")["why"], case
        assert held.process.wait() == 1


def test_entities(home, router):
    router.refuse_pmp()
    router.doctype = fake_router.ENTITIES
    assert "UPnP is not offered" in home.map(8000, expect=1).stdout


def lure(kind, router):
    trap = f"http://{router.neighbour}:{router.trap(router.neighbour)}"
    elsewhere = trap + "/rootDesc.xml"
    if kind == "control":
        router.services[0].url = trap + router.services[0].path
    elif kind == "base":
        router.base_url = trap
    elif kind == "redirect":
        router.shapes["/rootDesc.xml"] = fake_router.redirect(elsewhere)
    elif kind == "redirected control":
        router.shapes["/ctl/IPConn"] = fake_router.redirect(elsewhere)
    elif kind == "location":
        router.location = elsewhere
    elif kind == "name":
        router.location = f"http://localhost:{router.control_port}/rootDesc.xml"
    elif kind == "neighbour":
        router.search_replies = fake_router.spoofed(router.neighbour, elsewhere)
    else:
        router.search_replies = fake_router.spoofed(router.neighbour, router.description_url)


def test_lures(run, routers):
    """No answer makes it speak to anybody else."""
    kinds = {"control": True, "base": True, "redirect": False, "redirected control": False, "location": False,
             "name": False, "neighbour": True, "neighbour for the router": True}
    cases = {}
    for kind in kinds:
        router = routers()
        router.refuse_pmp()
        lure(kind, router)
        cases[kind] = router, Home(run, router=router).hold(8000)
    assert {kind: settled(held)["state"] == "open" for kind, (_, held) in cases.items()} == kinds
    for router, _ in cases.values():
        assert not router.asked("trap")
        assert {r.port for r in router.asked("http")} <= {router.control_port}


@pytest.mark.parametrize("truth", [True, False])
def test_answers_to_something_else(run, routers, truth):
    """Of another nonce, protocol or port inside; if the right one follows, that is taken."""
    helds = []
    for offset in fake_router.NONCE_OFFSET, fake_router.PROTOCOL_OFFSET, fake_router.INSIDE_OFFSET:
        router = routers()
        router.search, router.natpmp = False, "silent"
        router.pmp_replies = fake_router.spoiled(offset, first=truth)
        helds.append((router, Home(run, router=router).hold(8000)))
    for router, held in helds:
        door = settled(held)
        if truth:
            assert door["state"] == "open"
            held.stop()
            assert not router.doors
        else:
            assert "PCP: the router does not answer" in door["why"]


def test_answers_of_somebody_else(home, router):
    router.search = False
    router.pmp_replies = fake_router.from_elsewhere((router.address, 5352), (router.neighbour, 5351))
    said = home.map(8000, expect=1).stdout
    assert "PCP is not offered; NAT-PMP is not offered" in said


def test_only_natpmp(home, router):
    router.search = router.pcp = False
    held = home.hold(8000)
    assert held.wait("open", seconds=2)["method"] == "nat-pmp"
    assert {r.version for r in router.asked("pcp")} == {2}


def test_pcp_without_natpmp(home, router):
    router.search, router.natpmp = False, "silent"
    assert home.hold(8000).wait("open", seconds=2)["method"] == "pcp"


def test_a_closed_port_is_no_silence(home, router):
    router.refuse_pmp()
    begin = time.monotonic()
    home.hold(8000).wait("open", method="upnp")
    assert time.monotonic() - begin < 2


def test_pcp_refuses(run, routers):
    words = {2: "NOT_AUTHORIZED, 2", 8: "NO_RESOURCES, 8", 10: "USER_EX_QUOTA, 10", 13: "13"}
    helds = {}
    for result in words:
        router = routers()
        router.pcp_error = result, 30
        router.natpmp, router.search = "silent", False
        helds[result] = Home(run, router=router).hold(8000)
    for result, held in helds.items():
        door = settled(held)
        assert re.search(rf"PCP: .*{words[result]}\)", door["why"])
        assert door["retry_in_s"] >= 29


def test_what_another_method_gives(home, router):
    """A door by the next method is a door; why not by a better one is told."""
    router.pcp_error = 2, 0
    door = home.hold(8000).wait("open")
    assert door["method"] == "nat-pmp" and "NOT_AUTHORIZED, 2" in door["why"]


def test_renewal_by_a_router_that_cannot(home, router):
    router.search, router.natpmp = False, "silent"
    router.pcp_renews, router.min_lifetime, router.max_lifetime = False, 1, 9
    held = home.hold(8000)
    held.wait("open")
    router.wait("pcp", op=1, count=4)  # open, renew, delete, open
    wait_until(lambda: router.doors, "the door is open")
    assert [r.lifetime for r in router.asked("pcp", op=1)] == [7200, 7200, 0, 7200]
    assert len({r.nonce for r in router.asked("pcp", op=1)}) == 1


def test_a_firewall_that_allows_nothing(run, routers):
    router = routers("::1")
    router.refuse_pmp()
    router.pinhole_allowed = False
    said = Home(run, router=router).map(8000, "--ipv6", expect=1).stdout
    assert router.asked("soap", action="AddPinhole")
    assert re.search(r"UPnP: .*606", said) and "allow" in said


def test_an_announcement(home, router, figure):
    router.search = False
    held = home.hold(8000)
    held.wait("open")
    asked = len(router.asked("pcp"))
    router.announce(router.neighbour)  # who is he?
    router.reboot()
    begin = time.monotonic()
    router.announce()
    wait_until(lambda: router.doors, "the door is back", 5)
    figure("a door back after an announcement", time.monotonic() - begin, 5)
    assert len(router.asked("pcp")) > asked


def test_an_announcement_before_it_answers(home, router):
    """It was silent when it was asked the last time: the next announcement counts all the same."""
    held = home.hold(8000)
    held.wait("open")
    router.pcp = router.natpmp = "silent"
    router.announce()
    router.wait("pcp", op=0, count=5)  # the probe's, and what nobody answers
    time.sleep(2.2)  # how long the last of them is waited for
    router.reboot()
    router.pcp = router.natpmp = True
    router.announce()
    wait_until(lambda: router.doors, "the door is back", 6)


def test_announcements_that_are_not_true(home, router):
    """It is asked, not too often, and nothing else happens."""
    router.search = False
    held = home.hold(8000)
    held.wait("open")
    before = len(router.asked("pcp", op=1))
    router.announce()
    first = router.wait("pcp", op=0, count=2)
    for _ in range(20):
        router.announce()
        router.announce(router.neighbour)
    second = router.wait("pcp", op=0, count=3)
    assert second.time - first.time > 0.9
    assert len(router.asked("pcp", op=0)) == 3
    assert len(router.asked("pcp", op=1)) == before


def test_what_a_router_says_is_printed_harmlessly(home, router):
    router.refuse_pmp()
    router.name = "Evil \u009b31m router"
    router.take_port(8000, description="NAS \u009b2J")
    for said in (home.map("probe").stdout, home.map(8000, "--external", 8000, expect=1).stdout,
                 home.map("list", 8000).stdout):
        assert "Evil" in said or "NAS" in said
        assert not re.search("[\u0080-\u009f\x00-\x09\x0b-\x1f]", said), ascii(said)
