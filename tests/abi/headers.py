# SPDX-License-Identifier: MIT
"""Reads the public C headers: functions, enumerators, structs and numbers, without any compiler.

The headers are plain C of one shape (that is itself tested), so a few regular expressions are enough.
"""
import pathlib
import re


def strip(text):
    """The text without comments, with continued lines joined."""
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    text = re.sub(r"//[^\n]*", " ", text)
    return text.replace("\\\n", " ")


def squeeze(text):
    text = re.sub(r"\s+", " ", text).strip()
    return re.sub(r"\s*([(),])\s*", lambda m: m.group(1) + (" " if m.group(1) == "," else ""), text)


class Header:
    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.raw = self.path.read_text()
        self.text = strip(self.raw)
        self.code = "\n".join(line for line in self.text.split("\n") if not line.lstrip().startswith("#"))

    def functions(self):
        """{name: prototype}"""
        found = {}
        for declaration in re.findall(r"MEMBRANE_API\s+([^;]+);", self.code):
            declaration = squeeze(declaration)
            found[re.search(r"(\w+)\(", declaration).group(1)] = declaration
        return found

    def enumerators(self):
        names = []
        for body in re.findall(r"\benum\s+\w+\s*\{([^}]*)\}", self.code):
            names += [name for name in re.findall(r"\b(MEMBRANE_\w+)\s*(?:=|,|$)", body, flags=re.M)]
        rows = re.search(r"#define MEMBRANE_ERRORS\(X\)(.*)", self.text)
        if rows:
            names += ["MEMBRANE_" + name for name in re.findall(r"\bX\(\s*(\w+)\s*,", rows.group(1))]
        return names

    def structs(self):
        """{name: [fields]} of the structs that the header lays open."""
        found = {}
        for name, body in re.findall(r"typedef\s+struct\s+(\w+)\s*\{(.*?)\}\s*\w+\s*;", self.code, flags=re.S):
            fields = []
            for part in body.split(";"):
                part = squeeze(part)
                if not part:
                    continue
                pointer = re.search(r"\(\*(\w+)\)\(", part)
                fields.append(pointer.group(1) if pointer else re.search(r"(\w+)$", part).group(1))
            found[name] = fields
        return found

    def opaque(self):
        return re.findall(r"typedef\s+struct\s+\w+\s+(\w+)\s*;", self.code)

    def numbers(self):
        """Macros that are one number."""
        return re.findall(r"^\s*#\s*define\s+(MEMBRANE_\w+)[ \t]+\(?-?\d", self.text, flags=re.M)


def read_all(folder):
    return [Header(path) for path in sorted(pathlib.Path(folder).glob("*.h"))]


def merged(headers, what):
    out = {}
    for header in headers:
        part = getattr(header, what)()
        out.update(part if isinstance(part, dict) else dict.fromkeys(part))
    return out
