"""What was measured, as a table for people and as docs/benchmarks.md."""
import contextlib
import os
import pathlib
import platform
import re
import statistics
import subprocess

from stage import PATH
from ways import CIPHER, RAISED

ROOT = pathlib.Path(__file__).resolve().parents[2]

# what, unit, key, decimals, wanted ÷direct, wanted ÷ssh
LOAD = [
    ("bulk, visitor to service", "Gbit/s", "bulk up", 2, 0.32, 0.97),
    ("  processor time of the tunnel", "s/GB", "bulk up cpu", 2, None, None),
    ("bulk, service to visitor", "Gbit/s", "bulk down", 2, 0.31, 1.08),
    ("  processor time of the tunnel", "s/GB", "bulk down cpu", 2, None, None),
    ("requests, 32 visitors", "1/s", "requests", 0, 0.52, 9),
    ("  median", "ms", "requests p50", 2, None, None),
    ("  99 of 100 within", "ms", "requests p99", 2, None, None),
    ("  processor time of the tunnel", "us each", "requests cpu", 1, None, None),
    ("new connections, 32 visitors", "1/s", "connections", 0, 0.50, 3),
    ("  median", "ms", "connections p50", 2, None, None),
    ("  99 of 100 within", "ms", "connections p99", 2, None, None),
    ("  processor time of the tunnel", "us each", "connections cpu", 1, None, None),
]
AGENT_IDLE_KIB_MAX = 3072
FIRST_PAGE_MS_MAX = 300

HEADER = ["", "unit", "direct", "ssh -R", "from-to", "homeport", "from-to", "/direct", "/ssh",
          "wanted"]
TEXT_COLUMNS = (0, 1, 9)


def number(value, decimals=2):
    return "-" if value is None else f"{value:.{decimals}f}"


def ratio(value, peer):
    return value / peer if value is not None and peer else None


def verdict(wanted, met):
    return f"{wanted}: {'met' if met else 'NOT MET'}"


def median(results, name, key):
    values = [v for v in results.get(name, {}).get(key, []) if v is not None]
    return statistics.median(values) if values else None


def spread(results, name, key, decimals):
    values = [v for v in results.get(name, {}).get(key, []) if v is not None]
    return f"{min(values):.{decimals}f}-{max(values):.{decimals}f}" if values else "-"


def load_rows(results):
    for what, unit, key, decimals, want_direct, want_ssh in LOAD:
        direct, ssh, ours = (median(results, name, key) for name in ("direct", "ssh -R", "homeport"))
        of_direct, of_ssh = ratio(ours, direct), ratio(ours, ssh)
        wanted = ""
        if want_direct:
            met = of_direct >= want_direct and (of_ssh is None or of_ssh >= want_ssh)
            wanted = verdict(f">= {want_direct:.2f}, {want_ssh:.2f}", met)
        yield [what, unit, number(direct, decimals),
               number(ssh, decimals), spread(results, "ssh -R", key, decimals),
               number(ours, decimals), spread(results, "homeport", key, decimals),
               number(of_direct), number(of_ssh), wanted]


def memory_rows(memory):
    for when, taken in memory.items():
        ssh, ours = taken.get("ssh -R", (None, None)), taken["homeport"]
        for i, what in enumerate(("at home", "in public")):
            wanted = ""
            if (when, what) == ("idle", "at home"):
                wanted = verdict(f"<= {AGENT_IDLE_KIB_MAX}", ours[i] <= AGENT_IDLE_KIB_MAX)
            yield [f"private memory {what}, {when}", "KiB", "-", number(ssh[i], 0), "",
                   number(ours[i], 0), "", "-", number(ratio(ours[i], ssh[i])), wanted]


def first_page_row(spans_ms):
    middle = statistics.median(spans_ms)
    return ["from `homeport share` to the first page", "ms", "-", "-", "-", number(middle, 0),
            f"{min(spans_ms):.0f}-{max(spans_ms):.0f}", "-", "-",
            verdict(f"<= {FIRST_PAGE_MS_MAX}", middle <= FIRST_PAGE_MS_MAX)]


def as_text(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADER))]
    lines = []
    for row in rows:
        cells = (cell.ljust(width) if i in TEXT_COLUMNS else cell.rjust(width)
                 for i, (cell, width) in enumerate(zip(row, widths)))
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def as_markdown(rows):
    lines = ["| " + " | ".join(cell.strip() for cell in row) + " |" for row in rows]
    rule = "|" + "|".join("---" if i in TEXT_COLUMNS else "---:" for i in range(len(HEADER))) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


# ---- under which conditions

def version(pattern, *argv):
    with contextlib.suppress(OSError):
        done = subprocess.run([str(a) for a in argv], capture_output=True, text=True,
                              env={"PATH": PATH, "LANG": "C.UTF-8"})
        if match := re.search(pattern, done.stdout + done.stderr):
            return match[1]
    return "?"


def machine():
    cpuinfo = pathlib.Path("/proc/cpuinfo").read_text()
    cpu = re.search(r"^(?:model name|Model)\s*:\s*(.*)$", cpuinfo, re.M)
    system = platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    return (f"{cpu[1] if cpu else platform.machine()}, {os.cpu_count()} processors, {system}, "
            f"kernel {platform.release()}")


def versions():
    named = {
        "homeport": version(r"^(?!fatal)(\S+)", "git", "-C", ROOT, "describe", "--always", "--dirty"),
        "OpenSSL": version(r"(\S+)", "pkg-config", "--modversion", "openssl"),
        "nghttp2": version(r"(\S+)", "pkg-config", "--modversion", "libnghttp2"),
        "libuv": version(r"(\S+)", "pkg-config", "--modversion", "libuv"),
        "OpenSSH": version(r"OpenSSH_([\w.]+)", "ssh", "-V"),
        "nginx": version(r"nginx/([\w.]+)", "nginx", "-v"),
        "wrk": version(r"wrk (?:debian/)?([\w.]+)", "wrk", "-v"),
    }
    return ", ".join(f"{name} {text}" for name, text in named.items())


def conditions(rounds, seconds, load):
    raised = ", ".join(f"{key} = {value}" for key, value in RAISED.items())
    return [
        f"Machine: {machine()}; load average before: {load:.2f}.",
        f"Versions: {versions()}.",
        f"{rounds} rounds of {seconds} s for each number, the ways taking turns; medians.",
        f"All visitors come from one address, so this limit is raised: {raised}. "
        "The others are the defaults.",
        f"ssh: {CIPHER}, one connection. homeport: TLS 1.3, two carriers, TCP services on ports "
        "of the gateway.",
    ]


DOCUMENT = """\
# Benchmarks

`make bench` measures what the way through a gateway costs, beside `ssh -R` and beside no tunnel at
all. Everything is on one machine: visitor, service, gateway and agent share its processors, so the
ratios say more than the numbers. This is what it printed on {date}; `scripts/bench --write` writes
it anew.

{table}

{conditions}
"""


def document(rows, said, date):
    return DOCUMENT.format(date=date, table=as_markdown(rows),
                           conditions="\n".join(f"* {line}" for line in said))
