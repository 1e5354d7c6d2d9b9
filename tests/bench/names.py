#!/usr/bin/python3
"""homeport, ddclient and inadyn beside each other at the same scripted provider (dyndns2), for some minutes.

Usage, as root: names.py BUILD [MINUTES]		BUILD: the folder that was compiled in

For requests each client has one name for each answer that the provider may give, in processes of their own where
one name's answer may end them all (inadyn). Clients that poll look at their address once a minute (ddclient cannot
do that more often); all are given another one after 145 s. For memory and wake-ups each runs once, with five names
whose updates are answered well. homeport speaks HTTPS only: it gets a certificate of ours, beside those of the
system, in a mount namespace of its own.
"""
import contextlib
import datetime
import http.server
import os
import pathlib
import re
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time

from stage import Failed, Missing, Stage, answers, family, find, free_ports, private_kib
from table import version

TITLE = "Names beside ddclient and inadyn"
ANSWERS = ["good", "nochg", "badauth", "abuse", "911"]
GOOD = [f"good{n}" for n in range(5)]
FIRST, SECOND = "8.8.4.4", "8.8.4.5"
CHANGE_AT_S = 145
IDLE_FROM_S = 225  # what follows from the change is over
MINUTES = 9
SYSTEM_CERTIFICATES = pathlib.Path("/etc/ssl/certs")


class Provider:
    """One port: one name's requests, all with the same answer."""

    def __init__(self, answer, certificate=None):
        self.requests = []
        answer = answer.rstrip("01234") if answer.startswith("good") else answer

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(handler):
                self.requests.append((time.monotonic(), handler.path))
                address = SECOND if SECOND in handler.path else FIRST
                body = f"{answer} {address}" if answer in ("good", "nochg") else answer
                handler.send_response(200)
                handler.send_header("Content-Length", str(len(body)))
                handler.end_headers()
                handler.wfile.write(body.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def first_after(self, moment, address):
        """Seconds; None: no request named it."""
        return min((at - moment for at, path in self.requests if address in path), default=None)


def switches(pid):
    """How often it has waited for something: each is a wake-up."""
    total = 0
    for status in pathlib.Path(f"/proc/{pid}/task").glob("*/status"):
        total += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status.read_text(), re.M)[1])
    return total


class Client:
    """One program with these names. Its configuration is in a folder of its own."""
    certificate = None

    def __init__(self, stage, label, names):
        self.stage = stage
        self.label = label
        self.folder = stage.path / label
        self.folder.mkdir()
        self.providers = {name: Provider(name, self.certificate) for name in names}
        self.process = None

    def run(self, *argv):
        self.process = self.stage.start(self.label, *argv)

    def write_address(self, address):
        (self.folder / "address").write_text(address + "\n")

    change = write_address

    @property
    def alive(self):
        return self.process.poll() is None

    def memory(self):
        return private_kib(family(self.process.pid)) if self.alive else None

    def switches(self):
        return sum(map(switches, family(self.process.pid))) if self.alive else None


class Ddclient(Client):
    name = "ddclient"

    def start(self):
        self.write_address(FIRST)
        config = self.folder / "ddclient.conf"
        config.write_text(f"use=cmd, cmd='cat {self.folder}/address'\nssl=no\nprotocol=dyndns2\n" + "".join(
            f"server=127.0.0.1:{p.port}, login={name}, password=secret {name}.example.org\n"
            for name, p in self.providers.items()))
        config.chmod(0o600)
        self.run("ddclient", "-foreground", "-daemon", "60", "-file", config, "-cache", self.folder / "cache",
                 "-pid", self.folder / "pid")


class Inadyn(Client):
    name = "inadyn"

    def start(self):
        self.write_address(FIRST)
        config = self.folder / "inadyn.conf"
        config.write_text("period = 60\n" + "".join(
            f'custom {name} {{\nssl = false\nusername = {name}\npassword = secret\n'
            f'checkip-command = "cat {self.folder}/address"\nddns-server = 127.0.0.1:{p.port}\n'
            f'ddns-path = "/nic/update?hostname=%h&myip=%i"\nhostname = {name}.example.org\n}}\n'
            for name, p in self.providers.items()))
        cache = self.folder / "cache"
        cache.mkdir()
        self.run("inadyn", "-n", "--no-pidfile", "-f", config, f"--cache-dir={cache}")


class Homeport(Client):
    name = "homeport"
    program = authorities = None
    more = ""  # configuration

    def write_address(self, address):
        (self.folder / "secret").write_text("secret\n")
        (self.folder / "secret").chmod(0o600)
        # Names below localhost need no name server. An account each: a wrong password is one account's.
        (self.folder / "homeport.conf").write_text(self.more + "".join(
            f"[dns {name}]\nname = {name}.localhost\nprovider = dyndns2\nserver = localhost:{p.port}\n"
            f"user = {name}\npassword-file = {self.folder}/secret\naddress = {address}\n"
            for name, p in self.providers.items()))

    def argv(self, *args):
        return [self.program, "--config", self.folder / "homeport.conf", "--state", self.folder / "state", *args]

    def start(self):
        self.write_address(FIRST)
        self.up()

    def up(self):
        self.run("unshare", "--mount", "sh", "-c", f'mount --bind "$0" {SYSTEM_CERTIFICATES} && exec "$@"',
                 self.authorities, *self.argv("up"))
        self.stage.wait(self.process, lambda: "homeport is up" in self.stage.log(self.label), "homeport")

    def change(self, address):
        self.write_address(address)
        self.process.send_signal(signal.SIGHUP)


KINDS = [Homeport, Ddclient, Inadyn]


def make_certificates(stage):
    """Ours, and a folder with it and the system's."""
    cert, key = stage.path / "cert", stage.path / "key"
    stage.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
              "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert)
    authorities = stage.path / "authorities"
    shutil.copytree(SYSTEM_CERTIFICATES, authorities, ignore_dangling_symlinks=True)
    hashed = stage.run("openssl", "x509", "-hash", "-noout", "-in", cert).strip()
    for file in f"{hashed}.0", "ca-certificates.crt":
        with open(authorities / file, "ab") as out:
            out.write(cert.read_bytes())
    Homeport.certificate, Homeport.authorities = (cert, key), authorities


# ---- a joined homeport without names and with them

def start_gateway(stage, build):
    """Its command line, and where it listens."""
    https, http = free_ports(2)
    folder = stage.path / "gateway"
    folder.mkdir()
    config = folder / "gateway.conf"
    config.write_text(f"[gateway]\ndomain = localhost\naddress = 127.0.0.1:{https}\n\n[listen]\n"
                      f"https = 127.0.0.1:{https}\nhttp = 127.0.0.1:{http}\n")
    argv = [build / "src/homeport-gateway", "--config", config, "--state", folder / "state"]
    process = stage.start("gateway-run", *argv, "run")
    stage.wait(process, lambda: answers(http), "the gateway")
    return argv


def memory_beside_a_link(stage, build):
    """[(what, KiB)]"""
    gateway = start_gateway(stage, build)

    def joined(label, names):
        made = Homeport(stage, label, names)
        made.more = f"[service web]\nto = http://127.0.0.1:9\nname = {label}.localhost\n\n"
        made.write_address(FIRST)
        code = re.search(r"hp1:\S+", stage.run(*gateway, "invite", label, "--name", f"{label}.localhost"))[0]
        stage.run(*made.argv("join"), stdin=code + "\n")
        made.up()
        stage.wait(made.process, lambda: "connected to the gateway" in stage.log(label), "the link")
        return made

    def settled(client):
        """Until it has not grown for a while."""
        was, since = client.memory(), time.monotonic()
        while time.monotonic() - since < 5:
            time.sleep(0.5)
            if abs((now := client.memory()) - was) > 8:
                was, since = now, time.monotonic()
        return was

    plain = joined("plain", [])
    named = joined("named", GOOD)
    stage.wait(named.process, lambda: stage.log("named").count(" now, at dyndns2") == len(GOOD), "the updates", 60)
    without, sent = settled(plain), settled(named)
    stage.stop(named.process)
    (stage.path / "named.log").write_text("")
    named.up()
    quiet = settled(named)
    return [("no names", without), ("five names, nothing to send since it started", quiet),
            ("five names, each updated once", sent)]


# ---- the day

def seconds(value):
    return "never" if value is None else f"{value:.1f} s"


def run_day(stage, minutes):
    """[rows] of the comparison."""
    groups = {kind: [[name] for name in ANSWERS] if kind is Inadyn else [ANSWERS] for kind in KINDS}
    each = {kind: [kind(stage, f"{kind.name}-{i}", names) for i, names in enumerate(groups[kind])] for kind in KINDS}
    good = {kind: kind(stage, f"{kind.name}-good", GOOD) for kind in KINDS}
    clients = [client for made in each.values() for client in made] + list(good.values())
    began = time.monotonic()
    for client in clients:
        client.start()
    time.sleep(CHANGE_AT_S - (time.monotonic() - began))
    changed = time.monotonic()
    for client in clients:
        client.change(SECOND)
    time.sleep(max(0, IDLE_FROM_S - (time.monotonic() - began)))
    idle_from, before = time.monotonic(), {kind: client.switches() for kind, client in good.items()}
    time.sleep(max(0, minutes * 60 - (time.monotonic() - began)))
    idle_minutes = (time.monotonic() - idle_from) / 60
    providers = {kind: {name: p for client in made for name, p in client.providers.items()}
                 for kind, made in each.items()}
    rows = [[f"{minutes:g} minutes", *(kind.name for kind in KINDS)]]
    for answer in ANSWERS:
        rows.append([f"requests, the answer is `{answer}`",
                     *(str(len(providers[kind][answer].requests)) for kind in KINDS)])
    rows.append(["another address: first request after",
                 *(seconds(providers[kind]["good"].first_after(changed, SECOND)) for kind in KINDS)])
    rows.append(["processes that have ended by themselves",
                 *(f"{sum(not c.alive for c in each[kind])} of {len(each[kind])}" for kind in KINDS)])
    rows.append(["one process with five names: private memory", *(f"{good[kind].memory()} KiB" for kind in KINDS)])
    rows.append(["  wake-ups a minute when idle", *(
        f"{(good[kind].switches() - before[kind]) / idle_minutes:.1f}" for kind in KINDS)])
    return rows


NOTES = """\
Each client has one name for each answer, for {minutes:g} minutes; another address after {change} s. ddclient {ddclient} and inadyn {inadyn} look at
their address once a minute here (their defaults are 5 and 2 minutes), so half a minute passes in the middle until they find another
one. homeport is told of it by a reload here; one that it sees itself is let settle for 0.25 s more ([names.md](names.md)). homeport speaks
HTTPS, the others plain HTTP. ddclient and homeport are one process with all names. inadyn, which ends at the first answer that it takes for
final, is one process for each name in the first rows. This is of {date}."""
MEMORY_NOTES = """\
What names cost a homeport that has joined a gateway and has a service (Private_Dirty). libcurl is loaded for the first request, with some
thirty libraries that Debian's is linked with: that is nearly all of the difference. DNS UPDATE (`provider = rfc2136`) needs none of it."""


def section(build, minutes=MINUTES):
    """What docs/benchmarks.md says below TITLE. Missing: a program or a right is."""
    if os.geteuid() != 0:
        raise Missing("names are measured by root alone")
    for program in "ddclient", "inadyn", "openssl":
        find(program)
    os.sync()  # a program that was just linked would count as memory that it has written to
    Homeport.program = build / "src/homeport"
    stage = Stage()
    try:
        make_certificates(stage)
        beside_link = memory_beside_a_link(stage, build)
        rows = run_day(stage, minutes)
    finally:
        with contextlib.suppress(OSError):
            for log in sorted(stage.path.glob("*.log")):
                print(f"\n{log.stem}, the end of its log:", *log.read_text().splitlines()[-8:], sep="\n", file=sys.stderr)
        stage.done()
    notes = NOTES.format(minutes=minutes, change=CHANGE_AT_S, date=datetime.date.today().isoformat(),
                         **{package: version(r"([\d.]+)", "dpkg-query", "-W", "-f", "${Version}", package)
                            for package in ("ddclient", "inadyn")})
    without = beside_link[0][1]
    memory = [["homeport, joined", "private memory", "more than without"],
              *([what, f"{kib} KiB", f"{kib - without} KiB" if kib != without else ""] for what, kib in beside_link)]
    return notes, rows, MEMORY_NOTES, memory


def as_markdown(rows):
    lines = ["| " + " | ".join(cell.strip() for cell in row) + " |" for row in rows]
    return "\n".join([lines[0], "|---|" + "---:|" * (len(rows[0]) - 1), *lines[1:]])


def markdown(notes, rows, memory_notes, memory):
    return f"{notes}\n\n{as_markdown(rows)}\n\n{memory_notes}\n\n{as_markdown(memory)}\n"


def main():
    minutes = float(sys.argv[2]) if len(sys.argv) > 2 else MINUTES
    try:
        print(markdown(*section(pathlib.Path(sys.argv[1]).resolve(), minutes)))
    except (Failed, Missing) as why:
        sys.exit(f"names: {why}")


if __name__ == "__main__":
    main()
