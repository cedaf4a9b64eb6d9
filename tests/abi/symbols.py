#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Three sets that must be one: functions of the headers, names in the version map, symbols of the shared library.

  symbols.py INCLUDE MAP LIBRARY
"""
import pathlib
import re
import subprocess
import sys

import headers


def map_names(path):
    """The names of the version map; a pattern would export by accident what nobody decided on."""
    text = headers.strip(pathlib.Path(path).read_text())
    if not re.search(r"\bMEMBRANE_0\.1\b\s*\{", text):
        sys.exit(f"{path}: no node MEMBRANE_0.1")
    names = []
    for part in re.findall(r"global:(.*?)(?:local:|\})", text, flags=re.S):
        names += [name.strip() for name in part.split(";") if name.strip()]
    bad = [name for name in names if not re.fullmatch(r"\w+", name)]
    if bad:
        sys.exit(f"{path}: exports by pattern: {', '.join(bad)}")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        sys.exit(f"{path}: named twice: {', '.join(twice)}")
    return set(names)


def library_names(path):
    lines = subprocess.run(["nm", "-D", "--defined-only", path], check=True, capture_output=True, text=True).stdout
    rows = [line.split() for line in lines.splitlines()]
    names = {}
    for row in rows:
        name, _, version = row[-1].partition("@")
        if row[-2] != "A":  # the node's own name
            names[name] = version.strip("@")
    return names


def main():
    include, map_path, library = sys.argv[1:4]
    public = set(headers.merged(headers.read_all(pathlib.Path(include) / "membrane"), "functions"))
    mapped, exported = map_names(map_path), library_names(library)
    failed = False
    for first, second, a, b in [("headers", "map", public, mapped), ("map", "library", mapped, set(exported)),
                                ("headers", "library", public, set(exported))]:
        for name in sorted(a - b):
            print(f"{name}: in the {first}, not in the {second}")
            failed = True
        for name in sorted(b - a):
            print(f"{name}: in the {second}, not in the {first}")
            failed = True
    for name, version in sorted(exported.items()):
        if not version.startswith("MEMBRANE_"):
            print(f"{name}: exported without a version")
            failed = True
    return 1 if failed else 0


sys.exit(main())
