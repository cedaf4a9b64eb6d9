#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The laws of the house (docs/internals) that a compiler does not hold. One line a breach; exits with 1 if there is any.

1. A folder of src/ includes only folders above it, and the pillars never one another.
2. A third-party header is known in one place.
3. Programs in examples/ see the public headers only.
4. No file in src/ passes 800 lines, at most two functions in a hundred pass 80.
5. Each source names its licence; nothing is left to be done; some functions of the C library are not used.
"""
import re
import shutil
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
ORDER = ["base", "net", "seal", "store", "route", "tool", "mcp", "context", "place", "observe", "job", "runtime"]
PILLARS = {"route", "tool", "context", "place"}
HOMES = {  # header: where it may be included
    "curl/": ("src/net/", "tests/"),
    "sodium": ("src/seal/",),
    "sqlite3": ("src/store/sqlite.c", "tests/"),
    "simdjson": ("src/base/json.cc",),
    "yaml.h": ("src/base/yaml.c",),
    "pcre2": ("src/base/pattern.c",),
    "histedit": ("examples/membrane/",),
    "editline": ("examples/membrane/",),
    "check.h": ("tests/",),
}
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')
UNDONE = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
BANNED = re.compile(r"(?<![\w.>])(gets|strtok|alloca|tmpnam|mktemp|system|popen|setenv|putenv)\s*\(")
RAW_MEMORY = re.compile(r"(?<![\w.>])(malloc|calloc|realloc|strdup|strndup|asprintf)\s*\(")
breaches = []


def tell(path, line, what):
    breaches.append(f"{path}:{line}: {what}" if line else f"{path}: {what}")


def files():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=TOP, capture_output=True, text=True)
    names = listed.stdout.splitlines() if listed.returncode == 0 else [str(p.relative_to(TOP)) for p in TOP.rglob("*")]
    return [n for n in names if (TOP / n).is_file() and not n.startswith(("build", ".git/"))]


def check_edge(path, line, target):
    parts = path.split("/")
    room, other = parts[1], target.split("/")[0]
    if target.endswith(".inc"):  # a table, generated beside the file that holds it
        return
    if "/" not in target:
        tell(path, line, f'"{target}" is spelled without its folder')
    elif other == "membrane":
        return
    elif other not in ORDER or room not in ORDER:
        tell(path, line, f"{other}/ is no room of the house")
    elif ORDER.index(other) > ORDER.index(room):
        tell(path, line, f"{room}/ includes {other}/, which stands above it")
    elif room != other and room in PILLARS and other in PILLARS:
        tell(path, line, f"{room}/ and {other}/ are pillars and do not know each other")


def check_include(path, line, kind, target):
    for header, homes in HOMES.items():
        if kind == "<" and target.startswith(header) and not path.startswith(homes):
            tell(path, line, f"<{target}> is known only in {', '.join(homes)}")
    if kind == '"' and path.startswith("src/"):
        check_edge(path, line, target)
    if path.startswith("examples/") and target.split("/")[0] in ORDER and "/" in target:
        tell(path, line, f"a program uses the public headers only, not {target}")


def check_line(path, number, text):
    include = INCLUDE.match(text)
    if include:
        check_include(path, number, *include.groups())
    if path.startswith(("src/", "include/", "examples/")):
        undone = UNDONE.search(text)
        if undone:
            tell(path, number, f"{undone.group(0)}: finish it or leave it out")
    if path.startswith("src/") and path.endswith((".c", ".h")):
        code = text.split("//")[0]
        banned = BANNED.search(code)
        if banned:
            tell(path, number, f"{banned.group(1)}() is not used here")
        raw = RAW_MEMORY.search(code)
        if raw and not path.startswith("src/base/alloc."):
            tell(path, number, f"{raw.group(1)}() goes round the allocator seam (base/alloc.h)")


def check_file(path):
    lines = (TOP / path).read_text(encoding="utf-8", errors="replace").splitlines()
    if not any("SPDX-License-Identifier" in text for text in lines[:4]):
        tell(path, 0, "does not name its licence in its first lines")
    if path.startswith("src/") and len(lines) > 800:
        tell(path, 0, f"{len(lines)} lines, 800 at most")
    for number, text in enumerate(lines, 1):
        check_line(path, number, text)


def check_functions(paths):
    ctags = shutil.which("ctags")
    if not ctags or "Universal" not in subprocess.run([ctags, "--version"], capture_output=True, text=True).stdout:
        print("function lengths were not looked at: universal-ctags is not there")
        return
    out = subprocess.run([ctags, "-x", "--c-kinds=f", "--fields=+ne", "--_xformat=%{name} %{input} %{line} %{end}", *paths],
                         cwd=TOP, capture_output=True, text=True).stdout
    total, long = 0, []
    for name, path, start, end in (row.split() for row in out.splitlines() if len(row.split()) == 4):
        total += 1
        if int(end) - int(start) + 1 > 80:
            long.append((path, start, name, int(end) - int(start) + 1))
    if len(long) * 100 > total * 2:
        for path, start, name, lines in long:
            tell(path, start, f"{name} has {lines} lines, 80 at most (two functions in a hundred may pass)")


def main():
    sources = [f for f in files() if f.endswith((".c", ".h", ".cc", ".cpp", ".hpp", ".py", ".sh", "meson.build"))]
    for path in sources:
        check_file(path)
    check_functions([f for f in sources if f.startswith("src/") and f.endswith(".c")])
    print("\n".join(breaches))
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
