#!/usr/bin/python3
"""Dependencies point down: fail on an #include "folder/..." that points up or sideways.

Usage: layers.py ROOT
"""
import pathlib
import re
import sys

# Lowest first. Folders of one row may not include each other, except where ALLOWED says so.
LAYERS = [
    ["base"],
    ["net", "proto", "conf"],
    ["state", "http"],
    # features: none includes another, the role wires them together
    ["link", "front", "edge", "cert", "uplink", "map", "dns", "zone", "probe", "path", "doctor"],
    # roles
    ["agent", "gateway"],
    ["cli"],
]
ALLOWED = {  # (from, to) of one row; each with its reason
    ("net", "proto"),  # dgram: a stream whose bytes are capsules; proto is pure and below I/O
}

LEVEL = {folder: level for level, row in enumerate(LAYERS) for folder in row}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def complaint(folder, target):
    """What is wrong with an include of `target` from a file in `folder`; None: nothing."""
    if "/" not in target or target.startswith("."):
        return 'write it with its folder, as in "base/err.h"'
    to = target.split("/")[0]
    if to == folder:
        return None
    if to not in LEVEL:
        return f"{to}/ is not in the layer table of tests/layers.py"
    if LEVEL[to] > LEVEL[folder]:
        return f"{folder} is below {to}"
    if LEVEL[to] == LEVEL[folder] and (folder, to) not in ALLOWED:
        return f"{folder} and {to} stand side by side"
    return None


def check(src):
    bad = 0
    for path in sorted(src.rglob("*.[ch]")):
        folder = path.relative_to(src).parts[0]
        if folder not in LEVEL:
            print(f"{path}: folder {folder}/ is not in the layer table of tests/layers.py")
            bad += 1
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            why = complaint(folder, match[1]) if match else None
            if not why and match and not (src / match[1]).exists():
                why = "no such file"
            if why:
                print(f'{path}:{number}: #include "{match[1]}": {why}')
                bad += 1
    return bad


if __name__ == "__main__":
    sys.exit(1 if check(pathlib.Path(sys.argv[1]) / "src") else 0)
