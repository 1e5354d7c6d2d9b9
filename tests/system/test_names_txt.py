"""TXT values for certificates: added beside others and removed again, by hand, by hooks, before a real ACME server."""
import json
import os
import re
import signal
import socket
import subprocess

import pytest

from harness import DEADLINE_S, HOMEPORT, ROOT, command, free_port, needs_root, wait_until
from name_servers import Knot, program
from test_name_servers import Names, every_server

NAME = "a.homes.example"
CHALLENGE = f"_acme-challenge.{NAME}"
ADDRESS = "192.0.2.7"
ONE, TWO, OTHER = "gfj9Xq_-Rg85nM", "-beginsWithADash_", "somebody else's; \"quoted\" \\ value"

needs_pebble = pytest.mark.skipif(not program("pebble") or Knot.missing() is not None,
                                  reason=f"needs pebble; {Knot.missing() or 'a name server is there'}")


@pytest.fixture
def names(run):
    return Names(run)


def start(names, server):
    up = names.up(names.section(server, NAME, ADDRESS))
    wait_until(lambda: server.records("A", NAME) == [ADDRESS], "the name has its address")
    return up


def texts(server):
    """Sorted, as in a zone file."""
    return sorted(server.ask("TXT", CHALLENGE, "+short").splitlines())


def quoted(*values):
    return sorted('"{}"'.format(value.replace("\\", "\\\\").replace('"', '\\"')) for value in values)


@every_server
def test_values_beside_each_other(run, names, kind, tmp_path):
    server = kind(run, tmp_path)
    up = start(names, server)
    out = names.command("dns", "txt", "add", "--keep", "0s", CHALLENGE, OTHER).stdout
    assert f"{CHALLENGE}: added at rfc2136" in out
    assert "1 of 1 name servers of the zone have it" in out and "removed" not in out
    out = names.command("dns", "txt", "add", "--", CHALLENGE, ONE).stdout
    assert "it is removed in 60 min, or as soon after that as homeport runs" in out
    # Once more changes nothing; a value that begins with "-" is no option.
    names.command("dns", "txt", "add", "--", CHALLENGE, ONE)
    done = json.loads(names.command("dns", "txt", "add", "--json", "--", CHALLENGE.upper() + ".", TWO).stdout)
    assert done == {"name": CHALLENGE, "value": TWO, "section": NAME, "provider": "rfc2136",
                    "changed": True, "served": "yes", "servers": 1, "serving": 1}
    assert texts(server) == quoted(ONE, TWO, OTHER)
    assert "removed at" in names.command("dns", "txt", "remove", "--wait", "10s", CHALLENGE, ONE).stdout
    names.command("dns", "txt", "remove", CHALLENGE, ONE)
    assert texts(server) == quoted(TWO, OTHER)
    assert server.records("A", NAME) == [ADDRESS]
    names.command("dns", "txt", "remove", "--", CHALLENGE, TWO)
    assert texts(server) == quoted(OTHER)
    up.wait_line(f"TXT value of {CHALLENGE}: removed, at rfc2136")
    up.stop()


def test_removed_by_itself(run, names, tmp_path):
    if Knot.missing():
        pytest.skip(Knot.missing())
    server = Knot(run, tmp_path)
    up = start(names, server)
    names.command("dns", "txt", "add", "--keep", "1s", CHALLENGE, ONE)
    up.wait_line("removed after a while")
    assert texts(server) == []
    up.stop()


def test_what_cannot_be_done(run, names, tmp_path):
    if Knot.missing():
        pytest.skip(Knot.missing())
    server = Knot(run, tmp_path)
    done = names.command("dns", "txt", "add", CHALLENGE, ONE, expect=1)
    assert "homeport is not running here" in done.stderr
    up = start(names, server)
    for words, code, reason in (
            (["add", CHALLENGE], 2, "usage: homeport dns txt add|remove NAME VALUE"),
            (["ad", CHALLENGE, ONE], 2, "usage: homeport dns txt add|remove NAME VALUE"),
            (["add", CHALLENGE, ONE, "--wait", "long"], 2, "--wait long"),
            (["add", "_acme-challenge.other.example", ONE], 1, "no [dns] section has this name or its zone"),
            (["add", "no name", ONE], 1, "this is no name"),
            (["add", CHALLENGE, ""], 1, "a TXT value is 1 to 255 printable ASCII characters"),
            (["add", CHALLENGE, "x" * 256], 1, "a TXT value is 1 to 255 printable ASCII characters"),
            # The zone's own records are not for this key, and Knot says so.
            (["add", "homes.example", ONE], 1, "DNS UPDATE with a key: the key is unknown, or may not change")):
        done = names.command("dns", "txt", *words, expect=code)
        assert reason in done.stderr, done.stderr
    assert texts(server) == []
    up.stop()


class Silent:
    """A name server that takes connections and says nothing."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.server = "127.0.0.1:{}".format(self.socket.getsockname()[1])


def test_whoever_waits_is_told_of_a_reload(run, names):
    silent = Silent()

    def config(name):  # which has no address to send
        return names.section(silent, name, ADDRESS).replace(f"address = {ADDRESS}", "family = ipv6")

    up = names.up(config(NAME))
    waits = run.start(*names.argv("dns", "txt", "add", CHALLENGE, ONE), env=names.home.env)
    silent.socket.settimeout(DEADLINE_S)
    sent, _ = silent.socket.accept()  # the value, and no answer
    with sent:
        names.config.write_text(config(f"b.{NAME}"))
        up.send_signal(signal.SIGHUP)
        waits.wait_line("homeport dns: homeport stops, or reads its configuration: try again")
        assert waits.wait() == 1
    up.stop()


# ---- hooks

def hook(name):
    return ROOT / "examples/hooks" / name


@pytest.fixture
def hooked(names):
    """The environment of a hook."""
    argv = [HOMEPORT, "--config", names.config, "--state", names.state]
    return names.home.env | {"HOMEPORT": " ".join(str(word) for word in argv)}


def test_the_hook_of_certbot(run, names, hooked, tmp_path):
    if Knot.missing():
        pytest.skip(Knot.missing())
    server = Knot(run, tmp_path)
    up = start(names, server)
    for value in ONE, TWO:  # the name and its wildcard: both before anything is checked
        command(hook("certbot"), env=hooked | {"CERTBOT_DOMAIN": NAME, "CERTBOT_VALIDATION": value})
    assert texts(server) == quoted(ONE, TWO)
    for value in ONE, TWO:
        command(hook("certbot"), env=hooked | {"CERTBOT_DOMAIN": NAME, "CERTBOT_VALIDATION": value,
                                               "CERTBOT_AUTH_OUTPUT": ""})
    assert texts(server) == []
    up.stop()


class Pebble:
    """An ACME server that looks names up at ours."""

    def __init__(self, run, folder, server):
        self.port = free_port()
        self.certificate = folder / "pebble.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", folder / "pebble.key", "-out", self.certificate, "-days", "2", "-subj", "/CN=x",
                        "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
        (folder / "pebble.json").write_text(json.dumps({"pebble": {
            "listenAddress": f"127.0.0.1:{self.port}", "managementListenAddress": f"127.0.0.1:{free_port()}",
            "certificate": str(self.certificate), "privateKey": str(folder / "pebble.key"),
            "httpPort": free_port(), "tlsPort": free_port()}}))
        self.process = run.start(program("pebble"), "-config", folder / "pebble.json", "-strict",
                                 "-dnsserver", server.server,
                                 env=os.environ | {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_AUTHZREUSE": "0",
                                                   "PEBBLE_WFE_NONCEREJECT": "0"})
        self.process.wait_line("ACME directory available")

    @property
    def directory(self):
        return f"https://localhost:{self.port}/dir"


def names_of(certificate):
    text = subprocess.run(["openssl", "x509", "-noout", "-ext", "subjectAltName", "-in", certificate], text=True,
                          capture_output=True, check=True).stdout
    return sorted(re.findall(r"DNS:([^,\s]+)", text), reverse=True)


@needs_pebble
@needs_root
@pytest.mark.skipif(not program("uacme"), reason="needs uacme")
def test_a_certificate_by_uacme(run, names, hooked, tmp_path):
    server = Knot(run, tmp_path)
    pebble = Pebble(run, tmp_path, server)
    up = start(names, server)

    def uacme(*words):
        # It believes the system's authorities only: these are others for it, in a mount namespace.
        script = "mount --bind \"$1\" /etc/ssl/certs/ca-certificates.crt; shift; exec \"$@\""
        command("unshare", "--mount", "sh", "-ec", script, "sh", pebble.certificate, program("uacme"), "-v",
                "-c", tmp_path / "ca", "-a", pebble.directory, *words, env=hooked, seconds=60)

    uacme("-y", "new")
    uacme("-h", hook("uacme"), "issue", NAME, f"*.{NAME}")
    assert names_of(tmp_path / "ca" / NAME / "cert.pem") == [NAME, f"*.{NAME}"]
    assert texts(server) == []
    assert up.text().count(f"TXT value of {CHALLENGE}: added") == 2
    assert up.text().count(f"TXT value of {CHALLENGE}: removed") == 2
    up.stop()


@pytest.mark.slow
@needs_pebble
@pytest.mark.skipif(not program("dehydrated"), reason="needs dehydrated")
def test_a_certificate_by_dehydrated(run, names, hooked, tmp_path):
    """With both values at one name at the same time: the server finds them."""
    server = Knot(run, tmp_path)
    pebble = Pebble(run, tmp_path, server)
    up = start(names, server)
    (tmp_path / "config").write_text(f"""\
CA="{pebble.directory}"
BASEDIR="{tmp_path}"
CHALLENGETYPE="dns-01"
HOOK="{hook('dehydrated')}"
HOOK_CHAIN="yes"
KEY_ALGO="prime256v1"
CURL_OPTS="--cacert {pebble.certificate}"
""")

    def dehydrated(*words):
        return command("bash", program("dehydrated"), "--config", tmp_path / "config", *words, env=hooked, seconds=60)

    dehydrated("--register", "--accept-terms")
    dehydrated("--cron", "--domain", f"{NAME} *.{NAME}", "--alias", "both")
    assert names_of(tmp_path / "certs/both/cert.pem") == [NAME, f"*.{NAME}"]
    said = [line for line in up.text().splitlines() if "TXT value" in line]
    assert ["added" in line for line in said] == [True, True, False, False]
    assert texts(server) == []
    up.stop()
