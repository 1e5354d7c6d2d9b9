"""What is measured: one function for each kind of work, {key: value} for one way and one round."""
import math
import re
import sys
import time

from stage import Failed, cpu_s, fetch, find, free_ports, private_kib

WRK_RESULT = __file__.rpartition("/")[0] + "/wrk.lua"
DATAGRAM_BYTES = 1200
ECHOES_PER_S = 5000
FIRST_PAGES = 10
PINGS_ALONE_S = 1
LINE_SETTLE_S = 1.5
LARGE_VISITORS = 8
CROWD = 500  # a gateway has at most 1000 invites open


def note(text):
    """Progress, on a terminal."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def warn(text):
    note("")
    print(f"bench: {text}", file=sys.stderr)


class Cpu:
    """Processor time that a way's processes use between here and spent()."""

    def __init__(self, way):
        self.pids = sum(way.pids(), [])
        self.before = cpu_s(self.pids)

    def spent(self):
        """Seconds; None: there are no processes."""
        time.sleep(0.05)  # what is still on its way costs, too
        return cpu_s(self.pids) - self.before if self.pids else None


def per(value, count):
    return None if value is None else value / count


class Tools:
    """The load programs, and for how long they run."""

    def __init__(self, stage, build, seconds):
        self.stage, self.seconds = stage, seconds
        self.folder = build / "tests/bench"

    def run(self, spot, program, *args):
        said = spot.run(self.folder / program, *args, seconds=self.seconds + 30)
        return [float(word) for word in said.split()]

    # ---- bytes

    def bulk(self, way, direction, streams):
        cpu = Cpu(way)
        count, span = self.run(self.stage, "bulk", direction, f"{way.address}:{way.bulk}",
                               self.seconds, streams)
        key = f"{direction} {streams}"
        return {key: count * 8 / span / 1e9, f"{key} cpu": per(cpu.spent(), count / 1e9)}

    def ping(self, way, direction):
        """A byte there and back beside one connection full of bytes."""
        p50, p99, count, span = self.run(self.stage, "bulk", "beside", direction,
                                         f"{way.address}:{way.bulk}", self.seconds, 0.3)
        return {f"beside {direction}": count * 8 / span / 1e9,
                f"beside {direction} p50": p50 / 1000, f"beside {direction} p99": p99 / 1000}

    def line(self, line, way):
        """The same on a line that is full, and alone."""
        at = f"{way.address}:{way.bulk}"
        alone, alone_99 = self.run(line.public, "bulk", "ping", at, PINGS_ALONE_S)
        values = {"line alone p50": alone / 1000, "line alone p99": alone_99 / 1000}
        for direction in "up", "down":
            p50, p99, count, span = self.run(line.public, "bulk", "beside", direction, at,
                                             self.seconds + 0.5, LINE_SETTLE_S)
            key = f"line {direction}"
            values |= {key: count * 8 / span / 1e6, f"{key} p99": p99 / 1000,
                       f"{key} added": (p50 - alone) / 1000}
        return values

    # ---- HTTP

    def requests(self, way, key, visitors, port=None, path="/", headers=()):
        options = [word for header in headers for word in ("-H", header)]
        cpu = Cpu(way)
        said = self.stage.run(
            find("wrk"), "-t", 1, "-c", visitors, "-d", f"{math.ceil(self.seconds)}s",
            "--timeout", "5s", *options, "-s", WRK_RESULT,
            f"http://{way.address}:{port or way.web}{path}", seconds=self.seconds + 30)
        spent = cpu.spent()
        count, span, p50, p99, errors = (
            float(word) for word in re.search(r"^RESULT (.*)$", said, re.M)[1].split())
        if errors or not count:
            warn(f"{key}, {way.name}: {count:.0f} answers, {errors:.0f} errors")
        return {key: count / span, f"{key} p50": p50 / 1000, f"{key} p99": p99 / 1000,
                f"{key} cpu": per(spent, count / 1e6) if count else None}

    def connections(self, way, visitors):
        return self.requests(way, "connections", visitors, headers=["Connection: close"])

    def site(self, way):
        """The service with a name: its HTTP is read and written anew."""
        if way.name == "direct":
            return self.requests(way, "site", 32)
        return self.requests(way, "site", 32, port=way.http, headers=[f"Host: {way.host}"])

    def large(self, way, lan_port):
        """1 MiB files from a folder: nginx, and homeport share --lan."""
        port = None if way.name == "direct" else lan_port
        values = self.requests(way, "large", LARGE_VISITORS, port=port, path="/large.bin")
        del values["large cpu"]  # nginx is no tunnel, and not the way's processes serve the folder
        return values

    # ---- datagrams

    def flood(self, way):
        sent, came, span = self.run(self.stage, "datagrams", "send", f"{way.address}:{way.udp}",
                                    self.seconds, DATAGRAM_BYTES)
        return {"flood": came / span, "flood sent": sent / self.seconds}

    def echo(self, way):
        sent, came, p50, p99 = self.run(self.stage, "datagrams", "echo",
                                        f"{way.address}:{way.udp}", self.seconds, DATAGRAM_BYTES,
                                        ECHOES_PER_S)
        return {"echo loss": (sent - came) * 100 / sent, "echo p50": p50 / 1000,
                "echo p99": p99 / 1000}


# ---- once

def memory(way, when):
    home, public = (private_kib(pids) for pids in way.pids())
    return {f"{when} home": home, f"{when} public": public}


def memory_of_visitors(tools, way, n):
    """What each of n idle visitors costs, in KiB."""
    before = memory(way, "")
    holder = tools.stage.start(f"hold-{way.name.replace(' ', '')}", tools.folder / "bulk", "hold",
                               f"{way.address}:{way.bulk}", n)
    tools.stage.wait(holder, lambda: tools.stage.log(holder.name).strip(),
                     f"{n} visitors of {way.name}", seconds=30)
    time.sleep(0.3)
    after = memory(way, "")
    tools.stage.stop(holder)
    return {f"visitor{end}": (after[end] - before[end]) / n for end in (" home", " public")}


def memory_of_links(tools, homeport, n):
    """What each of n idle agents costs the gateway, and what TLS alone costs there, in KiB."""
    stage, crowds = tools.stage, []
    gateway = homeport.pids()[1]
    before = private_kib(gateway)
    for first in range(0, n, CROWD):
        size = min(CROWD, n - first)
        note(f"{first + size} of {n} idle agents")
        codes = stage.path / "codes"
        codes.write_text("\n".join(homeport.invite_many(first, size)) + "\n")
        with codes.open() as stdin:
            crowds.append(stage.start(f"links-{first}", tools.folder / "links", "agents",
                                      stdin=stdin))
        stage.wait(crowds[-1], lambda: stage.log(crowds[-1].name).strip() == str(size),
                   f"{size} links", seconds=60)
    time.sleep(0.5)
    link = (private_kib(gateway) - before) / n
    for crowd in crowds:
        stage.stop(crowd)
    note(f"{n} connections of TLS alone")
    server = stage.start("tls-server", tools.folder / "links", "serve")
    port = stage.wait(server, lambda: stage.log("tls-server").strip(), "the TLS server")
    before = private_kib([server.pid])
    clients = stage.start("tls-clients", tools.folder / "links", "tls", port, n)
    stage.wait(clients, lambda: stage.log("tls-clients").strip() == str(n), f"{n} connections",
               seconds=120)
    time.sleep(0.5)
    tls = (private_kib([server.pid]) - before) / n
    stage.stop(clients)
    stage.stop(server)
    return {"link": link, "link tls": tls, "link beyond": link - tls}


def start_share_lan(tools, homeport, folder):
    """homeport share FOLDER --lan; its port."""
    port = free_ports(1)[0]
    share = tools.stage.start("share-lan", *homeport.homeport("lan", "share", folder, "--lan",
                                                              "--port", port))
    tools.stage.wait(share, lambda: fetch(port) == 200, "homeport share --lan")
    return port


def first_pages(tools, homeport, folder):
    """Milliseconds from the start of `homeport share` to the first page that a visitor gets."""
    name, stage = "first.localhost", tools.stage
    homeport.join("first", name)
    spans = []
    for i in range(FIRST_PAGES):
        note(f"first page {i + 1} of {FIRST_PAGES}")
        start = time.monotonic()
        share = stage.start("share", *homeport.homeport("first", "share", folder, "--name", name))
        while fetch(homeport.http, name) != 200:
            if time.monotonic() > start + 15 or share.poll() is not None:
                raise Failed(f"homeport share: no page within 15 s\n{stage.log('share')}")
        spans.append((time.monotonic() - start) * 1000)
        stage.stop(share)
    return spans
