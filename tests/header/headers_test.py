#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The public headers under strict compilers: each alone, all together, C11 and C++17; and what they may not hold.

  headers_test.py INCLUDE      CC and CXX name the compilers
"""
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "abi"))
import headers  # noqa: E402

STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror", "-fsyntax-only"]
FORBIDDEN = [
    (r"\binline\b", "an inline function"),
    (r"\bFILE\b", "FILE"),
    (r"\btime_t\b", "time_t"),
    (r"\bva_list\b|\.\.\.", "variadic arguments"),
    (r"\b\w+\s*:\s*\d+\s*;", "a bit-field"),
    (r"\b(long|short|unsigned|signed|bool|_Bool|double|char)\s+\w+\s*[;,)]", "a type whose size differs between systems"),
    (r"\bstatic\b", "a static object"),
]
count = failed = 0


def check(name, problem):
    """One TAP line; problem is what is wrong, or nothing."""
    global count, failed
    count += 1
    print(f"{'not ok' if problem else 'ok'} {count} - {name}")
    if problem:
        failed = 1
        for line in problem.strip().splitlines()[:12]:
            print(f"# {line}")


def compile_lines(includes, compiler, language, standard):
    text = "".join(f"#include <membrane/{name}>\n" for name in includes)
    command = [*compiler.split(), f"-std={standard}", *STRICT, "-I", sys.argv[1], "-x", language, "-"]
    if language == "c":
        command[1:1] = ["-Wstrict-prototypes", "-Wmissing-prototypes"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    return done.stderr or "failed" if done.returncode else ""


def by_value(header, structs):
    """Structs that cross a function boundary whole."""
    found = []
    for name, prototype in header.functions().items():
        for part in re.split(r"[(),]", prototype):
            for struct in structs:
                if re.search(rf"\b{struct}\b(?!\s*\*)(?!\()", part) and "*" not in part:
                    found.append(f"{name}: {struct} by value")
    return "\n".join(found)


def nested(header, structs):
    """Structs that hold another one by value: neither could grow."""
    bodies = re.findall(r"typedef\s+struct\s+(\w+)\s*\{(.*?)\}", header.code, flags=re.S)
    return "\n".join(f"{owner}: {inner} by value" for owner, body in bodies for inner in structs
                     if re.search(rf"\b{inner}\s+\w+\s*;", body))


def documented(header):
    """Every header says what it is and shows ten lines; every option struct begins with its size."""
    wants = ["SPDX-License-Identifier", "@file", "@brief", "@code"]
    missing = [f"no {want}" for want in wants if want not in header.raw]
    missing += [f"{name} does not begin with struct_size" for name, fields in header.structs().items()
                if fields[0] != "struct_size"]
    return "\n".join(missing)


def main():
    folder = pathlib.Path(sys.argv[1]) / "membrane"
    cc, cxx = os.environ.get("CC", "cc"), os.environ.get("CXX", "c++")
    parts = headers.read_all(folder)
    names = [part.path.name for part in parts]
    structs = list(headers.merged(parts, "structs")) + list(headers.merged(parts, "opaque"))
    for name in names:
        check(f"{name} compiles alone as C11", compile_lines([name], cc, "c", "c11"))
        check(f"{name} compiles alone as C++17", compile_lines([name], cxx, "c++", "c++17"))
    for order, listed in (("", names), (" backwards", names[::-1]), (" twice", names + names)):
        check(f"all headers{order} compile as C11", compile_lines(listed, cc, "c", "c11"))
        check(f"all headers{order} compile as C++17", compile_lines(listed, cxx, "c++", "c++17"))
    check("membrane.hpp compiles alone as C++17", compile_lines(["membrane.hpp"], cxx, "c++", "c++17"))
    check("membrane.hpp compiles as C++20", compile_lines(["membrane.hpp"], cxx, "c++", "c++20"))
    check("membrane.hpp compiles after membrane.h", compile_lines(["membrane.h", "membrane.hpp"], cxx, "c++", "c++17"))
    umbrella = (folder / "membrane.h").read_text()
    check("membrane.h includes every header", "\n".join(n for n in names if n != "membrane.h" and f"membrane/{n}" not in umbrella))
    for part in parts:
        problems = [text for pattern, text in FORBIDDEN if re.search(pattern, part.code)]
        check(f"{part.path.name} holds nothing forbidden", "\n".join(problems))
        check(f"{part.path.name} passes no struct by value", by_value(part, structs) + nested(part, structs))
        check(f"{part.path.name} is documented", documented(part))
        loose = [line for line in re.findall(r"^\w[\w \*]*\bmembrane_\w+\(", part.code, flags=re.M) if "MEMBRANE_API" not in line]
        check(f"{part.path.name} marks every function MEMBRANE_API", "\n".join(loose))
    print(f"1..{count}")
    return failed


sys.exit(main())
