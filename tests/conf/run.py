#!/usr/bin/python3
"""Let a program read every configuration file of a folder, and compare what it says.

Usage: run.py FOLDER PROGRAM ARGS...	runs PROGRAM --config FILE ARGS for each FILE

good-*.conf  exit code 0, and nothing on stderr
warn-*.conf  exit code 0, and a first line on stderr that holds the expected text
bad-*.conf   exit code 2, and likewise

The expected text stands in the file's first line: "# expect: 4: unknown key". Answers in TAP.
"""
import os
import pathlib
import subprocess
import sys

EXIT_CODE = {"good": 0, "warn": 0, "bad": 2}


def complaint(path, command):
    """What is wrong with the program's answer; None: nothing."""
    done = subprocess.run([command[0], "--config", path, *command[1:]], capture_output=True,
                          text=True, timeout=10, env={**os.environ, "LANG": "C.UTF-8"})
    first = (done.stderr.splitlines() or [""])[0]
    kind = path.name.split("-")[0]
    if done.returncode != EXIT_CODE[kind]:
        return f"exit code {done.returncode}, not {EXIT_CODE[kind]}: {done.stderr}"
    if kind == "good":
        return done.stderr or None
    expected = path.read_text(errors="replace").splitlines()[0].removeprefix("# expect: ")
    if not expected or expected not in first:
        return f"expected: {expected}\ngot:      {first}"
    return None


def main():
    files = sorted(pathlib.Path(sys.argv[1]).glob("*.conf"))
    print(f"1..{len(files)}")
    failed = 0
    for number, path in enumerate(files, 1):
        why = complaint(path, sys.argv[2:])
        print(f"{'not ' if why else ''}ok {number} - {path.name}")
        for line in (why or "").splitlines():
            print(f"# {line}")
        failed += bool(why)
    return 1 if failed or not files else 0


if __name__ == "__main__":
    sys.exit(main())
