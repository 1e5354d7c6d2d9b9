"""Updates at real name servers: done, or refused, the reasons told apart as far as each server does."""
import json
import re
import signal
import time

import pytest

from harness import Agent, wait_until
from name_servers import KEY, ONLY4, SECRET, Bind, Knot, PowerDns

every_server = pytest.mark.parametrize("kind", [
    pytest.param(kind, marks=pytest.mark.skipif(kind.missing() is not None, reason=str(kind.missing())))
    for kind in (Bind, Knot, PowerDns)])

AHEAD_S = 5000
OTHER_SECRET = "b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhl"


class Names(Agent):
    """A homeport that keeps names at name servers."""

    def section(self, server, host, address, label=None, zone="homes.example", user=KEY, secret=SECRET):
        path = self.home.path / f"secret-{secret[:4]}"
        path.write_text(secret + "\n")
        path.chmod(0o600)
        return f"""\
[dns {label or host}]
name = {host}
provider = rfc2136
zone = {zone}
server = {server.server}
user = {user}
password-file = {path}
address = {address}
"""

    def faulty(self, server, faults):
        return "".join(self.section(
            server, **{"host": f"{label}.homes.example", "address": "192.0.2.7", "label": label, **settings})
            for label, (settings, _, _) in faults.items())

    def up(self, config, ready="homeport is up"):
        return super().up(config, ready)

    def status(self):
        return json.loads(self.command("dns", "status", "--json").stdout)["names"]

    def stored(self):
        """What the state folder knows: that everything is done."""
        entries = json.loads((self.state / "dns.json").read_text())["names"].values()
        return all(entry["state"] == "IDLE" and entry["sure"] for entry in entries)

    def answers(self):
        """{label: the provider's last answer}, of those that had one."""
        return {name["name"]: name["answer"] for name in self.status() if "answer" in name}


@pytest.fixture
def names(run):
    return Names(run)


@every_server
def test_addresses(run, names, kind, tmp_path):
    server = kind(run, tmp_path)
    allowed = kind is not PowerDns  # which knows the other key, and not for this zone

    def config(last):
        four = names.section(server, "only4.homes.example", f"192.0.2.{last}", user=f"hmac-sha512:{ONLY4}")
        return (names.section(server, "a.homes.example", f"192.0.2.{last}", "v4") +
                names.section(server, "a.homes.example", f"2001:db8::{last}", "v6") + (four if allowed else ""))

    up = names.up(config(7))
    wait_until(lambda: server.records("A", "a.homes.example") == ["192.0.2.7"], "the first address")
    wait_until(lambda: server.records("AAAA", "a.homes.example") == ["2001:db8::7"], "the other family")
    if allowed:
        wait_until(lambda: server.records("A", "only4.homes.example") == ["192.0.2.7"], "with a key by SHA-512")

    names.config.write_text(config(8))
    up.send_signal(signal.SIGHUP)
    wait_until(lambda: server.records("A", "a.homes.example") == ["192.0.2.8"], "the second address")
    wait_until(lambda: server.records("AAAA", "a.homes.example") == ["2001:db8::8"], "the other family")
    wait_until(lambda: all(name.get("published") == name["wanted"] for name in names.status()), "all is done")
    up.stop()  # what is said on disk does not matter
    serial = server.serial()

    # What is lost is asked for, and not sent again.
    (names.state / "dns.json").unlink()
    up = names.up(config(8))
    wait_until(lambda: all(name.get("published") for name in names.status()), "the server was asked")
    assert names.answers() == {} and server.serial() == serial
    up.stop()


@pytest.mark.skipif(Knot.missing() is not None, reason=str(Knot.missing()))
def test_a_server_with_an_ipv6_address(run, names, tmp_path):
    server = Knot(run, tmp_path, address="::1")
    up = names.up(names.section(server, "a.homes.example", "192.0.2.7"))
    wait_until(lambda: server.records("A", "a.homes.example") == ["192.0.2.7"], "the address")
    up.stop()


def expected(kind):
    """What is wrong: (how that is configured, the answer, what is told)."""
    refused = "REFUSED: not allowed by the server's policy"
    wrong_key = {
        Bind: ("badkey", "the key is unknown"), Knot: ("badkey", "the key is unknown"), PowerDns: ("refused", refused)}
    wrong_secret = {
        Bind: ("badsig", "the key has another secret"), Knot: ("badsig", "the key has another secret"),
        PowerDns: ("refused", refused)}
    not_allowed = {Bind: ("refused", refused), Knot: ("badkey", "or may not change this name or type")}
    faults = {
        "key": ({"user": "nobody"}, wrong_key[kind]),
        "algorithm": ({"user": f"hmac-sha512:{KEY}"}, wrong_key[kind]),
        "secret": ({"secret": OTHER_SECRET}, wrong_secret[kind]),
        "zone": ({"zone": "nobody.example", "host": "a.nobody.example"}, ("refused", "NOTAUTH: the server does not have")),
        "alias": ({"host": "alias.homes.example"}, ("refused", "YXRRSET: the name is an alias")),
    }
    if kind in not_allowed:
        forbidden = "ns.homes.example" if kind is Bind else "homes.example"
        faults |= {
            "name": ({"host": forbidden}, not_allowed[kind]),
            "type": ({"host": "only4.homes.example", "user": f"hmac-sha512:{ONLY4}", "address": "2001:db8::7"},
                     not_allowed[kind])}
    return {label: (settings, *answer) for label, (settings, answer) in faults.items()}


@every_server
def test_refusals(run, names, kind, tmp_path):
    server = kind(run, tmp_path)
    faults = expected(kind)
    up = names.up(names.faulty(server, faults) + names.section(server, "good.homes.example", "192.0.2.7", "good"))
    wait_until(lambda: len(names.answers()) == len(faults) + 1, "each has its answer")
    assert names.answers() == {label: answer for label, (_, answer, _) in faults.items()} | {"good": "good"}
    for label, (_, _, told) in faults.items():
        up.wait_line(rf'error: name .*{re.escape(told)}.*; nothing more is sent .* "homeport dns update {label}"')
    assert {n["state"] for n in names.status() if n["name"] != "good"} == {"parked"}
    assert server.record("A", "good.homes.example") == "192.0.2.7"
    up.stop()
    assert SECRET not in up.text() and OTHER_SECRET not in up.text()


@every_server
def test_refusals_are_foretold(run, names, kind, tmp_path):
    """By updates that change nothing."""
    server = kind(run, tmp_path)
    faults = expected(kind)
    names.config.write_text(names.faulty(server, faults) + names.section(server, "good.homes.example", "192.0.2.7", "good"))
    serial = server.serial()
    told = json.loads(names.command("dns", "test", "--json", expect=1).stdout)["names"]
    assert {name["name"]: [check["answer"] for check in name["checks"]] for name in told} == {
        label: [answer] for label, (_, answer, _) in faults.items()} | {"good": ["good"]}
    assert {name["name"] for name in told if name["works"]} == {"good"}
    assert server.serial() == serial and server.record("A", "good.homes.example") is None


@every_server
def test_another_clock(run, names, kind, tmp_path):
    server = kind(run, tmp_path, ahead_s=AHEAD_S)
    up = names.up(names.section(server, "a.homes.example", "192.0.2.7"))
    if kind is PowerDns:  # it does not say why
        up.wait_line(r"error: name a.homes.example .*REFUSED: .*PowerDNS: or a wrong key or clock")
    else:
        behind = up.wait_line(r"warning: name a.homes.example .*the clocks .* differ .*clock is (\d+) s behind the server's")
        assert abs(int(behind[1]) - AHEAD_S) <= 2
    assert server.record("A", "a.homes.example") is None
    up.stop()


@every_server
def test_a_signed_zone(run, names, kind, tmp_path):
    server = kind(run, tmp_path)
    up = names.up(names.section(server, "a.signed.example", "192.0.2.7", zone="signed.example"))
    answer = wait_until(lambda: re.search(r"^a\.signed\.example\.\s.*RRSIG\s+A\s+13\s.*",
                                          server.ask("A", "a.signed.example", "+dnssec"), re.M), "it is signed")
    assert "signed.example." in answer[0] and server.records("A", "a.signed.example") == ["192.0.2.7"]
    up.stop()


@every_server
def test_many_names_are_one_message(run, names, kind, tmp_path, figure):
    server = kind(run, tmp_path)
    hosts = [f"many{n:03}.homes.example" for n in range(300)]

    def config(address):
        return "".join(names.section(server, host, address) for host in hosts)

    up = names.up(config("192.0.2.7"))
    wait_until(lambda: list(names.answers().values()) == ["good"] * 300, "all are done", seconds=20)
    wait_until(names.stored, "that is on disk")
    serial = server.serial()
    began = time.monotonic()
    names.config.write_text(config("192.0.2.8"))
    up.send_signal(signal.SIGHUP)
    wait_until(lambda: server.record("A", hosts[-1]) == "192.0.2.8", "the last one has the other address")
    figure(f"300 names at {kind.__name__}, from the reload to the last one's record", time.monotonic() - began, 5)
    assert {server.record("A", host) for host in hosts[::60]} == {"192.0.2.8"}
    assert server.serial() == serial + 1
    up.stop()
