#!/usr/bin/python3
"""What the way through a gateway costs: homeport beside its peers and beside no tunnel at all.

All on loopback, or on a line between two network namespaces, in temporary folders, on free ports.
The ways take turns within every round and the order rotates, so that what disturbs the machine
disturbs all of them. Visitor, service, gateway and agent share the processors; the ratios say more
than the numbers.
"""
import argparse
import contextlib
import datetime
import os
import pathlib
import resource
import signal
import sys
import time

import names
import table
import work
from peers import PEERS, HAProxy, Ssh
from place import Line, Place
from stage import Failed, Missing, Stage
from ways import Direct, Homeport, LineServices, OneCarrier, Services

ROOT = pathlib.Path(__file__).resolve().parents[2]
QUIET_LOAD = 0.5
LINE_BITS_PER_S, LINE_ROUND_TRIP_MS, LINE_QUEUE = 200_000_000, 20, 64 * 1024
PARTS = [*table.GROUPS, "names"]
DOCUMENT = ROOT / "docs/benchmarks.md"


class Results(dict):
    """{way: {key: [values]}}"""

    def add(self, way, values):
        for key, value in values.items():
            self.setdefault(way.name, {}).setdefault(key, []).append(value)


def begin(kinds, place_for, services, build):
    """Start these ways; the ones that cannot be are left out by name."""
    ways, absent = [], []
    for kind in kinds:
        label = "".join(c for c in kind.name if c.isalnum())
        try:
            ways.append(kind(place_for(label), services, build))
        except Missing as why:
            absent.append(f"{kind.name} is left out: {why}")
        except Failed as why:
            if kind in (Direct, Homeport):
                raise
            absent.append(f"{kind.name} is left out: it did not start")
            work.warn(why)
    return ways, absent


# ---- parts

class Bench:
    def __init__(self, stage, options):
        self.stage, self.options = stage, options
        self.tools = work.Tools(stage, options.build, options.seconds)
        self.results, self.load = Results(), os.getloadavg()[0]
        self.services = Services(Place(stage, "services"), options.build)
        peers = [peer for peer in PEERS if peer.name in options.beside]
        self.ways, self.absent = begin([Direct, *peers, Homeport], self._loopback, self.services,
                                       options.build)
        self.direct, self.homeport = self.ways[0], self.ways[-1]
        self.line, self.line_ways = None, []

    def _loopback(self, label):
        return Place(self.stage, label)

    def wants(self, part):
        return part in self.options.only

    def add_line(self):
        """The line, and some of the ways on it."""
        try:
            self.line = Line(self.stage, self.options.build / "tests/bench/wire", LINE_BITS_PER_S,
                             LINE_ROUND_TRIP_MS, LINE_QUEUE)
        except Missing as why:
            self.absent.append(f"the shaped line is left out: {why}")
            return
        services = LineServices(self.line.place("line"), self.options.build)
        self.line_ways, absent = begin(
            [Direct, *(peer for peer in (Ssh, HAProxy) if peer.name in self.options.beside),
             OneCarrier, Homeport],
            lambda label: self.line.place(f"line-{label}"), services, self.options.build)
        self.absent += [f"{text} (on the line)" for text in absent]

    def items(self):
        """(what, ways, measure) of one round."""
        tools, ways = self.tools, self.ways
        if self.wants("bulk"):
            for streams in 1, 8:
                for direction in "up", "down":
                    yield (f"bulk {direction}, {streams}", ways,
                           lambda way, d=direction, n=streams: tools.bulk(way, d, n))
        if self.wants("requests"):
            for visitors in 1, 32, 256:
                yield (f"requests, {visitors} visitors", ways,
                       lambda way, n=visitors: tools.requests(way, f"requests {n}", n))
            yield "new connections", ways, lambda way: tools.connections(way, 32)
        if self.wants("ping"):
            for direction in "up", "down":
                yield (f"ping beside bulk {direction}", ways,
                       lambda way, d=direction: tools.ping(way, d))
        if self.wants("line"):
            yield "ping on the line", self.line_ways, lambda way: tools.line(self.line, way)
        if self.wants("udp"):
            flows = [way for way in ways if way.udp]
            yield "datagrams, all", flows, tools.flood
            yield "datagrams, some", flows, tools.echo
        if self.wants("http"):
            both = [self.direct, self.homeport]
            yield "HTTP service", both, tools.site
            yield "large files", both, lambda way: tools.large(way, self.lan_port)

    def _once(self):
        """What is measured before there was any load."""
        tunnels = [way for way in self.ways if way is not self.direct]
        if self.wants("memory"):
            time.sleep(1)  # nobody visits: idle
            for way in tunnels:
                self.results.add(way, work.memory(way, "idle"))
            for way in tunnels:
                work.note(f"{self.options.visitors} idle visitors, {way.name}")
                self.results.add(way, work.memory_of_visitors(self.tools, way,
                                                              self.options.visitors))
        if self.wants("agents"):
            gateway = Homeport(Place(self.stage, "crowd"), self.services, self.options.build)
            self.results.add(gateway, work.memory_of_links(self.tools, gateway,
                                                           self.options.agents))
            self.stage.stop(gateway.agent)
            self.stage.stop(gateway.gateway)

    def _rounds(self):
        for i in range(self.options.rounds):
            for what, ways, measure in self.items():
                turn = i % len(ways) if ways else 0
                for way in ways[turn:] + ways[:turn]:
                    work.note(f"round {i + 1} of {self.options.rounds}: {what}, {way.name}")
                    try:
                        self.results.add(way, measure(way))
                    except Failed as why:
                        if way.name.startswith("homeport"):
                            raise
                        work.warn(f"{what}, {way.name}: {why}")

    def run(self):
        if self.wants("line"):
            self.add_line()
        for text in self.absent:
            work.warn(text)
        self._once()
        if self.wants("http"):
            self.lan_port = work.start_share_lan(self.tools, self.homeport, self.services.folder)
        self._rounds()
        if self.wants("memory"):
            time.sleep(1)
            for way in self.ways:
                if way is not self.direct:
                    self.results.add(way, work.memory(way, "loaded"))
        if self.wants("start"):
            spans = work.first_pages(self.tools, self.homeport, self.services.folder)
            for span in spans:
                self.results.add(self.homeport, {"first page": span})
        work.note("")

    def hold(self):
        for way in self.ways:
            home, public = way.pids()
            print(f"{way.name}: bulk on port {way.bulk}, web on port {way.web}, "
                  f"pids at home {home}, in public {public}")
        print("Ctrl-C ends it", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()

    def conditions(self):
        options, peers = self.options, [way for way in self.ways if type(way) in PEERS]
        said = [
            f"Machine: {table.machine()}; load average before: {self.load:.2f}.",
            f"Versions: {table.versions([type(p) for p in peers], options.build)}.",
            f"{options.rounds} rounds of {options.seconds:g} s for each number (whole seconds for "
            "requests), the ways taking turns.",
            table.limits(self.homeport.limits()),
            "homeport: TLS 1.3, two carriers, TCP services on ports of the gateway; a thread of the "
            "gateway for each processor. " + table.peers_said(peers),
        ]
        if self.wants("memory") or self.wants("agents"):
            said.append(f"Memory is Private_Dirty, with {options.visitors} idle visitors and with "
                        f"{options.agents} idle agents of one carrier and one service each.")
        if self.line:
            said.append(f"The line: {LINE_BITS_PER_S // 1000000} Mbit/s, {LINE_ROUND_TRIP_MS} ms "
                        f"there and back, a queue of {LINE_QUEUE // 1024} KiB each way.")
        return said + [f"{text}." for text in self.absent]


# ---- the run

def report(bench, options):
    groups = table.tables(bench.results, [part for part in options.only
                                          if part != "line" or bench.line])
    said = bench.conditions()
    for title, rows in groups:
        print(title, table.as_text(rows), sep="\n\n", end="\n\n")
    print(*said, sep="\n")
    if options.write:
        kept = table.section_of(DOCUMENT.read_text(), names.TITLE) if DOCUMENT.exists() else None
        text = table.document(groups, said, datetime.date.today().isoformat())
        write(table.with_section(text, names.TITLE, kept) if kept else text)


def write(text):
    DOCUMENT.write_text(text)
    print(f"written to {DOCUMENT.relative_to(ROOT)}")


def report_names(options):
    """A part of its own: it takes nine minutes, in which the machine has hardly anything to do."""
    work.note("names beside ddclient and inadyn")
    try:
        said = names.markdown(*names.section(options.build, 5 if options.quick else names.MINUTES))
    except Missing as why:
        work.warn(f"names are left out: {why}")
        return
    work.note("")
    print(f"{names.TITLE}\n\n{said}")
    if options.write:
        write(table.with_section(DOCUMENT.read_text(), names.TITLE, said))


def read_options():
    parser = argparse.ArgumentParser(description="homeport beside its peers and beside no tunnel")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build-bench",
                        help="folder of a release build with -Dbench=true")
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("ROUNDS") or 5))
    parser.add_argument("--seconds", type=float, default=1.5, help="of one measurement")
    parser.add_argument("--only", action="append", choices=PARTS, metavar="PART",
                        help=f"only this part (may be repeated): {', '.join(PARTS)}")
    parser.add_argument("--beside", action="append", choices=[peer.name for peer in PEERS],
                        metavar="PEER", help="only beside this peer (may be repeated): "
                        + ", ".join(peer.name for peer in PEERS))
    parser.add_argument("--visitors", type=int, default=1000, help="idle ones")
    parser.add_argument("--agents", type=int, default=2000, help="idle ones")
    parser.add_argument("--quick", action="store_true",
                        help="one short round with few visitors: does the bench itself work?")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md, too")
    parser.add_argument("--hold", action="store_true",
                        help="only start everything and wait, for a profiler")
    options = parser.parse_args()
    if options.write and (options.only not in (None, ["names"]) or options.beside or options.quick):
        parser.error("--write is for all parts, or the names alone, all peers and full rounds")
    if options.quick:
        options.rounds, options.seconds, options.visitors, options.agents = 1, 0.5, 100, 100
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("--rounds and --seconds must be positive")
    options.only = options.only or PARTS
    options.beside = options.beside or [peer.name for peer in PEERS]
    options.build = options.build.resolve()
    return options


def measure(options):
    """Everything but the names."""
    stage = Stage()
    try:
        bench = Bench(stage, options)
        if options.hold:
            bench.hold()
        else:
            bench.run()
            report(bench, options)
    finally:
        work.note("")
        stage.done()


def main():
    options = read_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as Ctrl-C: what runs must be ended
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # alike for all that run here
    if not options.hold and os.getloadavg()[0] > QUIET_LOAD:
        work.warn(f"the machine is busy (load average {os.getloadavg()[0]:.2f}), which will show")
    try:
        if options.only != ["names"]:
            measure(options)
        if "names" in options.only and not options.hold:
            report_names(options)
    except (Failed, Missing) as why:
        sys.exit(f"bench: {why}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
