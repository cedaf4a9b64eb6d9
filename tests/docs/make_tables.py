#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the tables of docs/guide/quirks.md and prices.md out of the built-in ones; --check only compares (exit 1).

    make_tables.py [--check]
"""
import json
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
ROUTE, GUIDE = TOP / "src" / "route", TOP / "docs" / "guide"


def rows():
    table = json.loads((ROUTE / "providers.json").read_text())
    out = ["| kind | wire | base URL | key | what else is particular |", "|---|---|---|---|---|"]
    for name, row in table["kinds"].items():
        shown = {k: v for k, v in row.items() if k not in ("wire", "base_url", "key_env", "key_needed", "local", "default_model")}
        rest = ", ".join(f"`{k}`: {json.dumps(v, ensure_ascii=False) if not isinstance(v, str) else v}" for k, v in shown.items())
        url = row.get("base_url")
        out.append(f"| `{name}` | {row['wire']} | {url if url else '—'} | {row.get('key_env', '—')} | {rest} |")
    return out


def prices():
    table = json.loads((ROUTE / "models.json").read_text())
    out = ["| providers | model | window | input | cached | output | date |", "|---|---|---|---|---|---|---|"]
    for group in table["lists"]:
        for m in group["models"]:
            cells = [f"{m[k]:,}" if k in m and k == "window" else str(m[k]) if k in m else "" for k in ("window", "input", "cached", "output")]
            model = m["model"].replace("|", "\\|")
            out.append(f"| {', '.join(group['providers'])} | `{model}` | {' | '.join(cells)} | {group['date']} |")
    return out


def main(check):
    wrong = 0
    for page, make in (("quirks.md", rows), ("prices.md", prices)):
        path = GUIDE / page
        text = path.read_text()
        made = re.sub(r"(<!-- rows:[^\n]*-->\n).*?(<!-- end of rows -->)", lambda m: m[1] + "\n".join(make()) + "\n" + m[2], text, flags=re.S)
        if made == text:
            continue
        if check:
            print(f"{path} is not what the table says: run tests/docs/make_tables.py")
            wrong = 1
        else:
            path.write_text(made)
            print(f"{path}: written")
    return wrong


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
