#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs what the pages say: run_docs.py MEMBRANE SOURCE BUILD [PAGE]

    ```console   lines "$ COMMAND" are run, the lines below must be what they print; … stands for anything
    ```yaml      if the first line is "# NAME": saved under that name for the blocks below
    ```c         with a main: compiled as strict C11 against the built library and run; an ```output block below is
                 what it must print

Each page has an empty home and a folder of its own; docs/ and README.md are there under their names. docs/guide/cli.md
is run by tests/e2e/cli.py, which has the mock provider that this page needs.
"""
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

MEMBRANE, SOURCE, BUILD = (Path(arg).resolve() for arg in sys.argv[1:4])
ONLY = sys.argv[4] if len(sys.argv) > 4 else ""
BLOCK = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```$", re.S | re.M)


def pages():
    guide = sorted((SOURCE / "docs/guide").rglob("*.md"))
    return [p for p in [SOURCE / "README.md", *guide] if p.name != "cli.md" and ONLY in str(p)]


def environment(folder):
    """Nothing of the user's: no keys, no engines, no configuration."""
    kept = {name: os.environ[name] for name in ("LANG", "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS") if name in os.environ}
    return {**kept, "HOME": str(folder), "PATH": f"{folder}/bin:{os.environ['PATH']}", "OLLAMA_HOST": "127.0.0.1:1",
            "OPENAI_API_KEY": "sk-PLANTED-docs-test", "OPENROUTER_API_KEY": "sk-PLANTED-docs-test"}


def matches(want, got):
    pattern = ".*".join(re.escape(part) for part in want.rstrip().split("…"))
    return re.fullmatch(pattern, got.rstrip(), flags=re.S)


def run(command, folder):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env=environment(folder), cwd=folder, timeout=60, check=False)
    return done.returncode, done.stdout


def run_console(text, folder):
    for part in re.split(r"^\$ ", text, flags=re.M)[1:]:
        command, _, want = part.partition("\n")
        _, got = run(["bash", "-c", command], folder)
        if not matches(want, got):
            raise AssertionError(f"$ {command}\n{got}\ninstead of\n{want}")


def run_c(text, want, folder):
    (folder / "page.c").write_text(text)
    compiler = shlex.split(os.environ.get("CC", "cc"))
    code, said = run([*compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", "page.c", f"-I{SOURCE}/include", f"-L{BUILD}/src",
                      f"-Wl,-rpath,{BUILD}/src", "-lmembrane", "-o", "page"], folder)
    if code:
        raise AssertionError(f"it does not compile:\n{said}")
    code, said = run(["./page"], folder)
    if code or (want is not None and not matches(want, said)):
        raise AssertionError(f"exit code {code}\n{said}\ninstead of\n{want}")


def run_page(page, folder):
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    for number, (kind, text) in enumerate(blocks):
        below = blocks[number + 1] if number + 1 < len(blocks) else ("", "")
        name = re.match(r"# (\S+\.\w+)$", text.split("\n", 1)[0])
        if kind == "console":
            run_console(text, folder)
        elif kind == "yaml" and name:
            (folder / name.group(1)).write_text(text)
        elif kind == "c" and re.search(r"\bmain\(", text):
            run_c(text, below[1] if below[0] == "output" else None, folder)


def main():
    failed = 0
    for number, page in enumerate(pages(), 1):
        name = page.relative_to(SOURCE)
        with tempfile.TemporaryDirectory(prefix="mb_docs_") as home:
            folder = Path(home)
            (folder / "bin").mkdir()
            (folder / "bin/membrane").symlink_to(MEMBRANE)
            for shared in ("docs", "README.md"):
                (folder / shared).symlink_to(SOURCE / shared)
            try:
                run_page(page, folder)
                print(f"ok {number} - {name}")
            except (AssertionError, subprocess.SubprocessError, OSError) as problem:
                failed = 1
                print(f"not ok {number} - {name}")
                print("\n".join(f"# {line}" for line in str(problem).splitlines()[:40]))
    print(f"1..{len(pages())}")
    return failed


sys.exit(main())
