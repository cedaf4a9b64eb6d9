#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The ABI as text: prototypes, numbers, struct layouts. Compared with the committed dump, so that a change is seen.

  dump.py INCLUDE COMMITTED [--update] [CC…]
"""
import difflib
import pathlib
import subprocess
import sys
import tempfile

import headers


def program(parts):
    """A C program that prints what only a compiler knows."""
    lines = ['#include "membrane/membrane.h"', "#include <stddef.h>", "#include <stdio.h>", "int main(void) {"]
    for name in sorted(headers.merged(parts, "numbers")):
        lines.append(f'    printf("number {name} %lld\\n", (long long){name});')
    for name in sorted(headers.merged(parts, "enumerators")):
        lines.append(f'    printf("enumerator {name} %lld\\n", (long long){name});')
    for name, fields in sorted(headers.merged(parts, "structs").items()):
        lines.append(f'    printf("struct {name} %zu\\n", sizeof({name}));')
        for field in fields:
            lines.append(f'    printf("  {field} %zu %zu\\n", offsetof({name}, {field}), sizeof((({name} *)0)->{field}));')
    return "\n".join(lines + ["    return 0;", "}", ""])


def dump(include, compiler):
    parts = headers.read_all(pathlib.Path(include) / "membrane")
    out = ["# The ABI of libmembrane on 64-bit systems. Made by tests/abi/dump.py --update; a line that is gone or"]
    out += ["# changed breaks programs that are compiled already."]
    out += [f"function {text}" for _, text in sorted(headers.merged(parts, "functions").items())]
    out += [f"opaque {name}" for name in sorted(headers.merged(parts, "opaque"))]
    with tempfile.TemporaryDirectory() as folder:
        source, binary = pathlib.Path(folder) / "dump.c", pathlib.Path(folder) / "dump"
        source.write_text(program(parts))
        subprocess.run([*compiler, "-std=c11", "-Wall", "-Werror", f"-I{include}", str(source), "-o", str(binary)], check=True)
        out += subprocess.run([str(binary)], check=True, capture_output=True, text=True).stdout.splitlines()
    return out


def main():
    args = [a for a in sys.argv[1:] if a != "--update"]
    include, committed, compiler = args[0], pathlib.Path(args[1]), args[2:] or ["cc"]
    if sys.maxsize < 2**32:
        print("the dump is of 64-bit systems")
        return 77
    now = dump(include, compiler)
    if "--update" in sys.argv:
        committed.write_text("\n".join(now) + "\n")
        return 0
    old = committed.read_text().splitlines()
    if old == now:
        return 0
    print("\n".join(difflib.unified_diff(old, now, "committed", "headers", lineterm="")))
    print("\nIf the change is meant and breaks nothing: tests/abi/dump.py --update, and commit the dump with it.")
    return 1


sys.exit(main())
