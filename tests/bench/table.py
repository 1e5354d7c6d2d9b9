"""What was measured, as tables for people and as docs/benchmarks.md."""
import contextlib
import dataclasses
import os
import pathlib
import platform
import re
import statistics
import subprocess

from peers import CIPHER, PEERS
from place import congestion_control
from stage import PATH, Missing, find
from ways import RAISED

ROOT = pathlib.Path(__file__).resolve().parents[2]
SUBJECT = "homeport"
COLUMNS = ["direct", *(peer.name for peer in PEERS), "homeport, one carrier", SUBJECT]
COMPARED = ["direct", "HAProxy", "ssh -R"]


@dataclasses.dataclass
class Row:
    """One line of a table; what is wanted is given as ratios to other ways, or as a number."""
    what: str
    unit: str
    key: str
    decimals: int = 2
    least: dict = dataclasses.field(default_factory=dict)  # {way: homeport's ratio to it}
    most: dict = dataclasses.field(default_factory=dict)
    limit: dict = dataclasses.field(default_factory=dict)  # {way: its own value at most}
    compared: bool = True  # ratios of it mean something


def ratios(direct, haproxy, ssh):
    return {"direct": direct, "HAProxy": haproxy, "ssh -R": ssh}


def bulk_rows(streams, up, down):
    name = "1 stream" if streams == 1 else f"{streams} streams"
    for direction, way, least in ("up", "visitor to service", up), \
                                 ("down", "service to visitor", down):
        yield Row(f"{name}, {way}", "Gbit/s", f"{direction} {streams}", 2, least)
        yield Row("  processor time of the tunnel", "s/GB", f"{direction} {streams} cpu", 2,
                  most={"HAProxy": 0.77})


def request_rows(what, key, least, p99=None):
    return [Row(what, "1/s", key, 0, least),
            Row("  median", "ms", f"{key} p50"),
            Row("  99 of 100 within", "ms", f"{key} p99", most=p99 or {}),
            Row("  processor time of the tunnel", "us each", f"{key} cpu", 1)]


def ping_rows(direction, way):
    return [Row(f"bulk, {way}", "Gbit/s", f"beside {direction}"),
            Row("  ping beside it, median", "ms", f"beside {direction} p50"),
            Row("  99 of 100 within", "ms", f"beside {direction} p99", most={"HAProxy": 0.25})]


def line_rows(direction, way):
    return [Row(f"bulk, {way}", "Mbit/s", f"line {direction}", 0),
            Row("  it adds to the ping, median", "ms", f"line {direction} added", 1,
                limit={"homeport, one carrier": 8, SUBJECT: 3.5}, compared=False),
            Row("  99 of 100 within", "ms", f"line {direction} p99", 1)]


# part -> title, rows
GROUPS = {
    "bulk": ("Bulk", [*bulk_rows(1, ratios(0.32, 1.4, 0.97), ratios(0.31, 1.33, 1.08)),
                      *bulk_rows(8, ratios(0.21, 1.2, 1.15), ratios(0.21, 1.2, 1.15))]),
    "requests": ("Requests for a page of 1 KiB", [
        *request_rows("requests, 1 visitor", "requests 1", {}),
        *request_rows("requests, 32 visitors", "requests 32", ratios(0.52, 1.4, 9)),
        *request_rows("requests, 256 visitors", "requests 256", ratios(0.50, 1.6, 2.1),
                      {"HAProxy": 0.1}),
        *request_rows("a new connection for each, 32 visitors", "connections",
                      ratios(0.50, 5, 3))]),
    "ping": ("A byte there and back beside bulk, processors full", [
        *ping_rows("up", "visitor to service"), *ping_rows("down", "service to visitor")]),
    "line": ("A byte there and back beside bulk, line full", [
        Row("ping alone, median", "ms", "line alone p50", 1),
        Row("  99 of 100 within", "ms", "line alone p99", 1),
        *line_rows("up", "visitor to service"), *line_rows("down", "service to visitor")]),
    "udp": ("Datagrams of 1200 bytes", [
        Row("as fast as they can be sent: arrive", "1/s", "flood", 0),
        Row("  sent", "1/s", "flood sent", 0),
        Row("5000 a second, there and back: lost", "%", "echo loss", compared=False),
        Row("  median", "ms", "echo p50"),
        Row("  99 of 100 within", "ms", "echo p99")]),
    "http": ("HTTP that is read (direct is nginx)", [
        *request_rows("HTTP service, 32 visitors", "site", {"direct": 0.35}),
        *request_rows("`share --lan`, files of 1 MiB, 8 visitors", "large",
                      {"direct": 0.7})[:-1]]),
    "memory": ("Private memory", [
        Row("nobody there, at home", "KiB", "idle home", 0, limit={SUBJECT: 3072}),
        Row("nobody there, in public", "KiB", "idle public", 0),
        Row("each idle visitor, at home", "KiB", "visitor home", 2, limit={SUBJECT: 2}),
        Row("each idle visitor, in public", "KiB", "visitor public", 2, limit={SUBJECT: 2}),
        Row("after the load, at home", "KiB", "loaded home", 0),
        Row("after the load, in public", "KiB", "loaded public", 0)]),
    "agents": ("Idle agents on one gateway", [
        Row("each link, in public", "KiB", "link", 1),
        Row("  TLS alone", "KiB", "link tls", 1),
        Row("  beyond TLS", "KiB", "link beyond", 1, limit={SUBJECT: 48})]),
    "start": ("Start", [
        Row("from `homeport share` to the first page", "ms", "first page", 0,
            limit={SUBJECT: 300})]),
}


def number(value, decimals=2):
    return "-" if value is None else f"{value:.{decimals}f}"


def values_of(results, way, key):
    return [v for v in results.get(way, {}).get(key, []) if v is not None]


def median(results, way, key):
    values = values_of(results, way, key)
    return statistics.median(values) if values else None


def ratio(results, key, way):
    ours, theirs = median(results, SUBJECT, key), median(results, way, key)
    return ours / theirs if ours is not None and theirs else None


def verdict(results, row):
    """What is wanted, and whether it is so."""
    wanted, missed, judged = [], [], []

    def judge(way, text, value, met):
        wanted.append(text + ("" if value is not None else " (not there)"))
        if value is not None:
            judged.append(way)
            if not met(value):
                missed.append(way)

    for way, least in row.least.items():
        judge(way, f">= {least:g} {way}", ratio(results, row.key, way), lambda v: v >= least)
    for way, most in row.most.items():
        judge(way, f"<= {most:g} {way}", ratio(results, row.key, way), lambda v: v <= most)
    for way, limit in row.limit.items():
        text = f"<= {limit:g}" + ("" if way == SUBJECT else f" {way.partition(', ')[2]}")
        judge(way, text, median(results, way, row.key), lambda v: v <= limit)
    if not judged:
        return ", ".join(wanted)
    return ", ".join(wanted) + (f": NOT MET ({', '.join(missed)})" if missed else ": met")


def group_rows(results, rows):
    """The table's lines, header first; only ways and ratios that have something in it."""
    ways = [way for way in COLUMNS if any(values_of(results, way, row.key) for row in rows)]
    compared = [way for way in COMPARED if way in ways]
    yield ["", "unit", *ways, "from-to", *(f"/{way}" for way in compared), "wanted"]
    for row in rows:
        ours = values_of(results, SUBJECT, row.key)
        spread = f"{min(ours):.{row.decimals}f}-{max(ours):.{row.decimals}f}" if len(ours) > 1 else ""
        yield [row.what, row.unit,
               *(number(median(results, way, row.key), row.decimals) for way in ways), spread,
               *(number(ratio(results, row.key, way)) if row.compared else "-" for way in compared),
               verdict(results, row)]


def tables(results, parts):
    """[(title, lines)] of what was measured."""
    return [(title, list(group_rows(results, rows)))
            for part, (title, rows) in GROUPS.items() if part in parts]


def is_text(i, n):
    return i < 2 or i == n - 1


def as_text(rows):
    n = len(rows[0])
    widths = [max(len(row[i]) for row in rows) for i in range(n)]
    return "\n".join("  ".join(cell.ljust(width) if is_text(i, n) else cell.rjust(width)
                               for i, (cell, width) in enumerate(zip(row, widths))).rstrip()
                     for row in rows)


def as_markdown(rows):
    n = len(rows[0])
    lines = ["| " + " | ".join(cell.strip() for cell in row) + " |" for row in rows]
    rule = "|" + "|".join("---" if is_text(i, n) else "---:" for i in range(n)) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


# ---- under which conditions

def version(pattern, *argv):
    with contextlib.suppress(OSError):
        done = subprocess.run([str(a) for a in argv], capture_output=True, text=True,
                              env={"PATH": PATH, "LANG": "C.UTF-8"})
        if match := re.search(pattern, done.stdout + done.stderr, re.M):
            return match[1]
    return "?"


def machine():
    cpuinfo = pathlib.Path("/proc/cpuinfo").read_text()
    cpu = re.search(r"^(?:model name|Model)\s*:\s*(.*)$", cpuinfo, re.M)
    system = platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    return (f"{cpu[1] if cpu else platform.machine()}, {os.cpu_count()} processors, {system}, "
            f"kernel {platform.release()}, TCP {congestion_control()}")


def versions(peers, build):
    named = {
        "homeport": version(r"^(?!fatal)(\S+)", "git", "-C", ROOT, "describe", "--always", "--dirty"),
        "OpenSSL": version(r"(\S+)", "pkg-config", "--modversion", "openssl"),
        "nghttp2": version(r"(\S+)", "pkg-config", "--modversion", "libnghttp2"),
        "libuv": version(r"(\S+)", "pkg-config", "--modversion", "libuv"),
        "wrk": version(r"wrk (?:debian/)?([\w.]+)", "wrk", "-v"),
    }
    for peer in peers:
        with contextlib.suppress(Missing):
            named[peer.name] = version(peer.version_pattern,
                                       find(peer.program_name, build / "peers/bin"),
                                       *peer.version_args)
    return ", ".join(f"{name} {text}" for name, text in named.items())


def limits(defaults):
    """homeport's, as they were and as they are installed."""
    kept = ", ".join(f"{key} = {value}" for key, value in defaults.items() if key not in RAISED)
    raised = ", ".join(f"{key} = {value} (default {defaults.get(key, '?')})"
                       for key, value in RAISED.items())
    return (f"homeport's limits: {raised}, since all visitors come from one address; as installed: "
            f"{kept}.")


def peers_said(peers):
    said = {
        "ssh -R": f"ssh: {CIPHER}, one connection.",
        "HAProxy": "HAProxy, nginx: two processes with TLS 1.3 between them, one connection for each "
                   "visitor, dialled from the public side; AES-128-GCM.",
        "rathole": "rathole: TLS, one connection for each visitor.",
        "frp": "frp: TLS, one connection.",
        "bore": "bore does not encrypt.",
        "chisel": "chisel: ssh in a WebSocket, one connection.",
    }
    return " ".join(said[peer.name] for peer in peers if peer.name in said)


DOCUMENT = """\
# Benchmarks

`make bench` measures what the way through a gateway costs, beside other tunnels and beside no
tunnel at all (direct). Everything is on one machine: visitor, service and both ends of the tunnel
share its processors, so the ratios say more than the numbers. This is what it printed on {date};
`scripts/bench --write` writes it anew. In the columns are medians; from-to and the ratios are
homeport's.

{tables}
## Conditions

{conditions}
"""


def section_of(text, title):
    """What a document says below that title; None: it has none such."""
    match = re.search(rf"^## {re.escape(title)}\n\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    return match and match[1].rstrip() + "\n"


def with_section(text, title, body):
    """The document with that section instead of its own, or before its conditions."""
    made = f"## {title}\n\n{body.rstrip()}\n\n"
    if section_of(text, title) is None:
        return text.replace("## Conditions\n", made + "## Conditions\n")
    return re.sub(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", lambda _: made, text, flags=re.M | re.S)


def document(groups, said, date):
    return DOCUMENT.format(
        date=date,
        tables="\n".join(f"## {title}\n\n{as_markdown(rows)}\n" for title, rows in groups),
        conditions="\n".join(f"* {line}" for line in said))
