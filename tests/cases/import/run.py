#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""LiteLLM configurations and what becomes of them: run.py MEMBRANE FOLDER [--update]

FOLDER/NAME.yaml is imported; FOLDER/NAME.expected holds the configuration, a line "---", and the warnings. What comes
out must be a configuration, and no planted key may stand in it. TAP on stdout.
"""
import difflib
import os
import pathlib
import subprocess
import sys
import tempfile

MEMBRANE, FOLDER = (pathlib.Path(a).resolve() for a in sys.argv[1:3])
UPDATE = "--update" in sys.argv


def membrane(*args):
    env = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG") or k.endswith("SAN_OPTIONS")}
    return subprocess.run([MEMBRANE, *args], cwd=FOLDER, env={**env, "HOME": "/nonexistent"}, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False, timeout=60)


def check(path):
    done = membrane("config", "import", path.name)
    got = f"{done.stdout}---\n{done.stderr}"
    expected = path.with_suffix(".expected")
    if UPDATE:
        expected.write_text(got)
    if got != expected.read_text():
        lines = difflib.unified_diff(expected.read_text().splitlines(), got.splitlines(), "expected", "got", lineterm="", n=1)
        return "\n".join(lines)
    if "PLANTED" in got:
        return "a planted key came out"
    if done.returncode == 0:
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(done.stdout)
            file.flush()
            valid = membrane("config", "validate", file.name)
        if valid.returncode:
            return f"it is no configuration: {valid.stderr}"
    return None


def main():
    paths, failed = sorted(FOLDER.glob("*.yaml")), 0
    print(f"1..{len(paths)}")
    for number, path in enumerate(paths, 1):
        problem = check(path)
        failed |= problem is not None
        print(f"{'not ok' if problem else 'ok'} {number} - {path.stem}")
        if problem:
            print("\n".join(f"# {line}" for line in problem.splitlines()))
    return failed


sys.exit(main())
