#!/usr/bin/python3
"""docs/architecture.md maps the tree: fail on a module or folder of src/ that it does not mention.

Usage: architecture.py ROOT
"""
import pathlib
import re
import sys


def missing(root):
    map_file = root / "docs/architecture.md"
    text = map_file.read_text() if map_file.exists() else ""
    words = set(re.findall(r"[\w.+-]+", text))
    for path in sorted((root / "src").glob("*/*.c")):
        # A line may name the file (lease.c) or the module (lease).
        if not words & {path.name, path.stem}:
            yield path.relative_to(root)
    for folder in sorted(p for p in (root / "src").iterdir() if p.is_dir()):
        if f"{folder.name}/" not in text:
            yield f"src/{folder.name}/"


def main():
    gaps = list(missing(pathlib.Path(sys.argv[1])))
    for gap in gaps:
        print(f"docs/architecture.md has no line about {gap}")
    return 1 if gaps else 0


if __name__ == "__main__":
    sys.exit(main())
