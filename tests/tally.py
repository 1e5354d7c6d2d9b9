#!/usr/bin/python3
"""Add up the results of the tiers and end in one line: N passed, N failed, N skipped.

Usage: tally.py TIER:EXIT_STATUS:FILE...

FILE is what `meson test` leaves (testlog.json, one object a line) or pytest's JUnit XML. A cmocka
program in meson's log counts as many tests as it reports (TAP), any other program as one.
"""
import collections
import json
import pathlib
import re
import sys
import xml.etree.ElementTree

TAP = re.compile(r"^(not )?ok \d+(.*)$", re.MULTILINE)


def of_program(test):
    """passed, failed, skipped of one line of testlog.json."""
    counts = collections.Counter()
    for not_ok, rest in TAP.findall(test.get("stdout", "")):
        # cmocka calls a skipped test "not ok N # SKIP"
        counts["skipped" if "# SKIP" in rest else "failed" if not_ok else "passed"] += 1
    result = {"OK": "passed", "SKIP": "skipped"}.get(test["result"], "failed")
    # A crash has no line of its own in the program's output.
    if not counts or (result == "failed" and not counts["failed"]):
        counts[result] += 1
    return counts


def of_meson(text):
    return sum((of_program(json.loads(line)) for line in text.splitlines()), collections.Counter())


def of_junit(text):
    counts = collections.Counter()
    for suite in xml.etree.ElementTree.fromstring(text).iter("testsuite"):
        n = {key: int(suite.get(key)) for key in ("tests", "failures", "errors", "skipped")}
        counts["failed"] += n["failures"] + n["errors"]
        counts["skipped"] += n["skipped"]
        counts["passed"] += max(0, n["tests"] - n["failures"] - n["errors"] - n["skipped"])
    return counts


def of_tier(status, path):
    counts = collections.Counter()
    if path.exists():
        text = path.read_text()
        counts += of_junit(text) if path.suffix == ".xml" else of_meson(text)
    if (status or not counts["passed"]) and not counts["failed"]:
        counts["failed"] += 1  # it ended badly without naming a test, or tested nothing
    return counts


def line(counts):
    return ", ".join(f"{counts[key]} {key}" for key in ("passed", "failed", "skipped"))


def main():
    total = collections.Counter()
    print()
    for argument in sys.argv[1:]:
        tier, status, path = argument.split(":", 2)
        counts = of_tier(int(status), pathlib.Path(path))
        print(f"{tier:8} {line(counts)}")
        total += counts
    print(line(total))
    return 1 if total["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
