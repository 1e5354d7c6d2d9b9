"""Names that a running homeport keeps right: at a real name server (Knot), in homes that move."""
import json
import re
import shutil
import signal
import subprocess
import time

import pytest

from harness import wait_until
from routers import VISITOR, RouterLab, needs_routers
from test_doors import Doors

pytestmark = [needs_routers, pytest.mark.skipif(not shutil.which("knotd", path="/usr/sbin:/usr/bin"),
                                                reason="needs knotd")]

SECRET = "c2VjcmV0IG9mIGEgdGVzdCwgbm90IG9mIGFueWJvZHk="
NAME = "home.homes.example"
SOON_S = 3  # 2 s until the request is sent; Knot looks at what it has to do once a second

KNOT = """\
server:
  listen: {address}@53
  rundir: {folder}
  tcp-workers: 1
  udp-workers: 1
  background-workers: 1
database:
  storage: {folder}
key:
  - id: homeport
    algorithm: hmac-sha256
    secret: {secret}
acl:
  - id: update
    key: homeport
    action: update
    update-type: [A, AAAA]
zone:
  - domain: homes.example
    file: {folder}/zone
    acl: update
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: changes
"""
ZONE = """\
homes.example. 60 SOA ns.homes.example. admin.homes.example. 1 3600 600 86400 60
homes.example. 60 NS ns.homes.example.
ns.homes.example. 60 A {address}
"""


class NameServer:
    """Knot on the visitor's machine, and what it says of a name."""

    def __init__(self, run, lab, folder):
        self.lab = lab
        folder.mkdir()
        (folder / "knot.conf").write_text(KNOT.format(address=VISITOR, folder=folder, secret=SECRET))
        (folder / "zone").write_text(ZONE.format(address=VISITOR))
        with lab.visitor.inside():
            self.process = run.start("/usr/sbin/knotd", "-c", folder / "knot.conf")
        wait_until(lambda: self.record("A", "ns.homes.example"), "the name server answers")

    def record(self, kind, name=NAME):
        with self.lab.visitor.inside():
            done = subprocess.run(["kdig", "+short", "+time=1", f"@{VISITOR}", name, kind], text=True,
                                  capture_output=True)
        found = done.stdout.split()
        return found[0] if done.returncode == 0 and found else None


@pytest.fixture
def lab():
    with RouterLab("upnp") as lab:
        yield lab


@pytest.fixture
def doors(run, lab):
    return Doors(run, lab)


def configuration(doors, secret=SECRET, more=""):
    path = doors.home.path / "secret"
    path.write_text(secret + "\n")
    return f"""\
[dns {NAME}]
provider = rfc2136
zone = homes.example
server = {VISITOR}
user = homeport
password-file = {path}
family = ipv6
{more}
"""


def test_follows_the_home(run, lab, doors, tmp_path, figure):
    server = NameServer(run, lab, tmp_path / "knot")
    told = tmp_path / "told"
    hook = tmp_path / "hook"
    hook.write_text(f'#!/bin/sh\necho "$HOMEPORT_EVENT $HOMEPORT_NAME $HOMEPORT_ADDRESS" >>{told}\n')
    hook.chmod(0o755)
    up = doors.up(configuration(doors, more=f"on-change = {hook}"))
    first = lab.stable()
    wait_until(lambda: server.record("AAAA") == first, "the name has the stable address")
    wait_until(told.exists, "the hook was started")
    assert told.read_text() == f"changed {NAME} {first}\n"
    status = doors.json("dns", "status")["names"]
    assert [(n["host"], n["family"], n["published"], n["source"]) for n in status] == [
        (NAME, "ipv6", first, "interface")]
    assert re.search(rf"{NAME} +rfc2136 +AAAA .* {first}", doors.say("dns", "status"))
    lab.change_prefix()
    began = time.monotonic()
    second = lab.stable()
    assert second != first
    wait_until(lambda: server.record("AAAA") == second, "the name followed", seconds=20)
    figure("another IPv6 prefix on the interface: the name server has the address after", time.monotonic() - began, SOON_S)
    up.stop()
    # What is published is known: a new start sends nothing.
    serial = server.record("SOA", "homes.example")
    up = doors.up(configuration(doors), ready="homeport is up")
    wait_until(lambda: doors.json("dns", "status")["names"][0].get("wanted") == second, "it is looked at")
    up.stop()
    assert server.record("SOA", "homes.example") == serial
    assert SECRET not in up.text() and SECRET not in json.dumps(status)


def test_five_hundred_names_follow_the_home(run, lab, doors, tmp_path, figure):
    server = NameServer(run, lab, tmp_path / "knot")
    hosts = [f"host{n:03}.homes.example" for n in range(500)]
    up = doors.up("".join(configuration(doors).replace(f"[dns {NAME}]", f"[dns {host}]") for host in hosts))

    def follow():
        address = lab.stable()
        wait_until(lambda: up.text().count(f" is {address} now") == len(hosts), "all names followed")
        return address

    follow()
    lab.change_prefix()
    began = time.monotonic()
    address = follow()
    figure("another IPv6 prefix on the interface: 500 names follow within", time.monotonic() - began, SOON_S)
    assert {server.record("AAAA", host) for host in (hosts[0], hosts[250], hosts[-1])} == {address}


def test_a_wrong_secret_is_sent_once(run, lab, doors, tmp_path):
    NameServer(run, lab, tmp_path / "knot")
    up = doors.up(configuration(doors, secret="d3Jvbmc="))
    up.wait_line(f"name {NAME} at rfc2136: the key has another secret at the server")
    assert "parked" in doors.say("dns", "status")
    # Mended: the new secret is read at once.
    (doors.home.path / "secret").write_text(SECRET + "\n")
    up.send_signal(signal.SIGHUP)
    up.wait_line(f"name {NAME} is {lab.stable()} now")
    up.stop()


def test_names_of_nobody(doors):
    up = doors.up(configuration(doors).replace(VISITOR, "192.0.2.1"), ready="homeport is up")
    assert "no such name in the configuration" in doors.say("dns", "update", "other.example", expect=1)
    assert "all names: " in doors.say("dns", "update")
    up.stop()
    assert "homeport is not running here" in doors.say("dns", "status", expect=1)
