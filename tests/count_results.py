#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts what meson's tests came to: count_results.py TESTLOG.json

A test that speaks TAP counts by its own lines, any other one as one. Skipped ones are named with their reason. The last
line is "N passed, N failed, N skipped"; exits with 1 on a failure, with 2 if no test ran.

Every key that a test makes up has PLANTED in it: where that word stands in what a test printed, the test has failed.
"""
import json
import re
import sys

TAP = re.compile(r"^(ok|not ok)\b\s*\d*\s*-?\s*(.*?)(?:\s*#\s*(SKIP|TODO)\b\s*(.*))?$", re.I)
SECRET = "PLANTED"
PLAN = re.compile(r"^1\.\.\d+(?:\s*#\s*SKIP\b\s*(.*))?", re.I)


def count_tap(name, text, skipped):
    passed = failed = 0
    for line in text.splitlines():
        plan = PLAN.match(line)
        if plan and plan.group(1) is not None:
            skipped.append((name, plan.group(1)))
        hit = TAP.match(line)
        if not hit:
            continue
        if (hit.group(3) or "").upper() == "SKIP":
            skipped.append((f"{name}: {hit.group(2)}", hit.group(4)))
        elif hit.group(1).lower() == "ok":
            passed += 1
        else:
            failed += 1
    return passed, failed


def main(path):
    passed = failed = tests = 0
    skipped = []
    try:
        with open(path, encoding="utf-8", errors="replace") as log:
            lines = log.readlines()
    except OSError:
        lines = []
    for line in lines:
        test = json.loads(line)
        tests += 1
        name, result, text = test["name"].split(" / ")[-1], test["result"], test.get("stdout") or ""
        is_tap = any(PLAN.match(one) for one in text.splitlines())
        good, bad = count_tap(name, text, skipped) if is_tap else (0, 0)
        if result in ("FAIL", "TIMEOUT", "ERROR", "UNEXPECTEDPASS", "INTERRUPT") and bad == 0:
            bad = 1
        if result in ("OK", "EXPECTEDFAIL") and not is_tap:
            good = 1
        if result == "SKIP" and not is_tap:
            words = text.strip().splitlines()
            skipped.append((name, words[-1] if words else ""))
        for said in (text, test.get("stderr") or ""):
            if SECRET in said:
                print(f"failed: {name}: a planted key stands in its output: {said[max(said.index(SECRET) - 80, 0):][:160]!r}")
                bad += 1
        passed += good
        failed += bad
    for name, why in skipped:
        print(f"skipped: {name}" + (f" ({why.strip()})" if why and why.strip() else ""))
    if tests == 0:
        print("no test ran: is there a suite of that name?", file=sys.stderr)
    print(f"{passed} passed, {failed} failed, {len(skipped)} skipped")
    return 1 if failed else 0 if tests else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
