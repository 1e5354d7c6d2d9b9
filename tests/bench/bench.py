#!/usr/bin/python3
"""What the way through a gateway costs: homeport beside `ssh -R` and beside no tunnel at all.

All on loopback, in temporary folders, on free ports. The ways take turns within every round and
the order rotates, so that what disturbs the machine disturbs all of them. Visitor, service, gateway
and agent share the processors; the ratios say more than the numbers.
"""
import argparse
import contextlib
import datetime
import os
import pathlib
import re
import signal
import sys
import time

import table
from stage import Failed, Missing, Stage, cpu_s, fetch, find, private_kib
from ways import WAYS, Services

ROOT = pathlib.Path(__file__).resolve().parents[2]
WRK_RESULT = pathlib.Path(__file__).resolve().parent / "wrk.lua"
VISITORS = 32
FIRST_PAGES = 10
QUIET_LOAD = 0.5


def note(text):
    """Progress, on a terminal."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


# ---- measurements

def bulk(stage, way, tool, direction, seconds):
    pids = sum(way.pids(), [])
    before = cpu_s(pids)
    said = stage.run(tool, direction, way.bulk, seconds, seconds=seconds + 30)
    time.sleep(0.05)  # what is still on its way costs, too
    spent = cpu_s(pids) - before
    count, span = (float(word) for word in said.split())
    return {f"bulk {direction}": count * 8 / span / 1e9,
            f"bulk {direction} cpu": spent / (count / 1e9) if pids else None}


def web(stage, way, what, seconds):
    headers = ["-H", "Connection: close"] if what == "connections" else []
    pids = sum(way.pids(), [])
    before = cpu_s(pids)
    said = stage.run(find("wrk"), "-t", 1, "-c", VISITORS, "-d", f"{seconds}s", "--timeout", "5s",
                     *headers, "-s", WRK_RESULT, f"http://127.0.0.1:{way.web}/",
                     seconds=seconds + 30)
    time.sleep(0.1)
    spent = cpu_s(pids) - before
    result = re.search(r"^RESULT (.*)$", said, re.M)[1]
    count, span, p50, p99, errors = (float(word) for word in result.split())
    if errors or not count:
        note("")
        print(f"bench: {what}, {way.name}: {count:.0f} answers, {errors:.0f} errors",
              file=sys.stderr)
    return {what: count / span, f"{what} p50": p50 / 1000, f"{what} p99": p99 / 1000,
            f"{what} cpu": spent * 1e6 / count if pids and count else None}


def first_pages(stage, homeport, folder):
    """Milliseconds from the start of `homeport share` to the first page that a visitor gets."""
    name = "first.localhost"
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


def measure_load(stage, ways, tool, options):
    """Everything of every way, round by round: {way: {what: [values]}}."""
    results = {way.name: {} for way in ways}
    for i in range(options.rounds):
        for what in ("up", "down", "requests", "connections"):
            for way in ways[i % len(ways):] + ways[:i % len(ways)]:
                note(f"round {i + 1} of {options.rounds}: {what}, {way.name}")
                values = bulk(stage, way, tool, what, options.seconds) if what in ("up", "down") \
                    else web(stage, way, what, options.seconds)
                for key, value in values.items():
                    results[way.name].setdefault(key, []).append(value)
    return results


def measure_memory(ways):
    time.sleep(1)  # nobody visits: idle
    return {way.name: tuple(private_kib(pids) for pids in way.pids())
            for way in ways if way.name != "direct"}


# ---- the run

def begin(stage, build):
    tool = build / "tests/bench/bulk"
    services = Services(stage, tool)
    ways = []
    for kind in WAYS:
        try:
            ways.append(kind(stage, services, build))
        except Missing as why:
            print(f"bench: {kind.name} is left out: {why}", file=sys.stderr)
    return tool, services, ways


def hold(ways):
    for way in ways:
        home, public = way.pids()
        print(f"{way.name}: bulk on port {way.bulk}, web on port {way.web}, "
              f"pids at home {home}, in public {public}")
    print("Ctrl-C ends it", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()


def bench(stage, options):
    load = os.getloadavg()[0]
    tool, services, ways = begin(stage, options.build)
    if options.hold:
        hold(ways)
        return
    if load > QUIET_LOAD:
        print(f"bench: the machine is busy (load average {load:.2f}), which will show",
              file=sys.stderr)
    memory = {"idle": measure_memory(ways)}
    results = measure_load(stage, ways, tool, options)
    memory["after the load"] = measure_memory(ways)
    spans = first_pages(stage, ways[-1], services.folder)
    note("")
    rows = [table.HEADER, *table.load_rows(results), *table.memory_rows(memory),
            table.first_page_row(spans)]
    said = table.conditions(options.rounds, options.seconds, load)
    print(table.as_text(rows), *said, sep="\n")
    if options.write:
        path = ROOT / "docs/benchmarks.md"
        path.write_text(table.document(rows, said, datetime.date.today().isoformat()))
        print(f"written to {path.relative_to(ROOT)}")


def main():
    parser = argparse.ArgumentParser(description="homeport beside ssh -R and no tunnel, on loopback")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build-bench",
                        help="folder of a release build with -Dbench=true")
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("ROUNDS") or 3))
    parser.add_argument("--seconds", type=int, default=2, help="of one measurement")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md, too")
    parser.add_argument("--hold", action="store_true",
                        help="only start everything and wait, for a profiler")
    options = parser.parse_args()
    options.build = options.build.resolve()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as Ctrl-C: what runs must be ended
    stage = Stage()
    try:
        bench(stage, options)
    except (Failed, Missing) as why:
        sys.exit(f"bench: {why}")
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        note("")
        stage.done()


if __name__ == "__main__":
    main()
