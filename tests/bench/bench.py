#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures libmembrane beside bare libcurl doing the same requests, in turn, in one run; prints a table with ratios, and JSON.

    bench.py BUILD [--rounds N] [--json FILE] [--only NAME]

The server has one processor, the client another. Figures are the client process's own CPU time; the median of the
rounds is shown, with the smallest and largest beside it in the JSON. Peers that are installed (openai, litellm for
Python) are measured too where they are found.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

args = argparse.ArgumentParser()
args.add_argument("build")
args.add_argument("--rounds", type=int, default=5)
args.add_argument("--json", default=None)
args.add_argument("--only", default="")
args = args.parse_args()
BENCH = os.path.join(args.build, "tests", "bench")
CPUS = sorted(os.sched_getaffinity(0))
CLIENT, SERVER = CPUS[0], CPUS[-1]
resource.setrlimit(resource.RLIMIT_NOFILE, (min(16384, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)


def on(cpu, *argv):
    return subprocess.run(argv, capture_output=True, text=True, check=True, preexec_fn=lambda: os.sched_setaffinity(0, {cpu})).stdout


def rows(port, mode, calls, flight):
    """Both clients in turn, so that a machine whose speed drifts hurts both alike."""
    seen = {"client_curl": [], "client_membrane": []}
    for _ in range(args.rounds):
        for client in seen:
            seen[client].append(json.loads(on(CLIENT, f"{BENCH}/{client}", str(port), mode, str(calls), str(flight))))
    return seen


def spread(values):
    return {"median": round(statistics.median(values), 4), "min": round(min(values), 4), "max": round(max(values), 4)}


def compare(name, port, mode, calls, flight, unit, target):
    seen = rows(port, mode, calls, flight)
    key = "cpu_us_call" if mode in ("chat", "guarded") else "cpu_us_event"
    curl, ours = [r[key] for r in seen["client_curl"]], [r[key] for r in seen["client_membrane"]]
    pairs = [b / a for a, b in zip(curl, ours)]
    more = [b - a for a, b in zip(curl, ours)]
    rate = [b["calls_s"] / a["calls_s"] for a, b in zip(seen["client_curl"], seen["client_membrane"])]
    return {"name": name, "unit": unit, "libcurl": spread(curl), "membrane": spread(ours), "ratio": spread(pairs), "more": spread(more),
            "throughput_ratio": spread(rate), "peak_mb": max(r["peak_kb"] for r in seen["client_membrane"]) / 1024, "target": target}


def fallback_row(port):
    """A call whose first target is asked too much, beside a call that is answered at once: both are ours."""
    seen = {"chat": [], "fallback": []}
    for _ in range(args.rounds):
        for mode in seen:
            seen[mode].append(json.loads(on(CLIENT, f"{BENCH}/client_membrane", str(port), mode, "10000", "16"))["cpu_us_call"])
    ratios = [b / a for a, b in zip(seen["chat"], seen["fallback"])]
    return single("a fallback, in calls (429, then answered)", "x a call", ratios, "<= 2.2")


def single(name, unit, values, target):
    return {"name": name, "unit": unit, "membrane": spread(values), "target": target}


def decode_rows():
    runs = [json.loads(on(CLIENT, f"{BENCH}/decode")) for _ in range(args.rounds)]
    return [single("chunks decoded from memory", "1/s", [r["decoded_s"] for r in runs], ">= 2,000,000"),
            single("… each one another id, so parsed", "1/s", [r["parsed_s"] for r in runs], ""),
            single("… handed over and read too", "1/s", [r["delivered_s"] for r in runs], "")]


def wire_rows():
    """A table of its own: a request of 100 messages and 40 tools built, an answer parsed, a stream decoded, for each wire."""
    print(f"\n{'wire':18} {'build us':>9} {'MB/s':>6} {'parse us':>9} {'MB/s':>6} {'events/s':>12}   target: events/s >= 1,000,000")
    seen = []
    for line in on(CLIENT, f"{BENCH}/wires").splitlines():
        r = json.loads(line)
        seen.append(r)
        print(f"{r['wire']:18} {r['build_us']:>9.1f} {r['build_mb_s']:>6.0f} {r['parse_us']:>9.2f} {r['parse_mb_s']:>6.0f} {r['events_s']:>12,.0f}", flush=True)
    return seen


def decide_rows():
    """One decision of the router over 100 targets with full facts, by policy."""
    runs = [[json.loads(line) for line in on(CLIENT, f"{BENCH}/decide").splitlines()] for _ in range(args.rounds)]
    return [single(f"decision of 100 targets, {row[0]['policy']}", "us", [r["decision_ns"] / 1000 for r in row], "<= 2") for row in zip(*runs)]


def start_rows():
    program, times = os.path.join(args.build, "examples", "membrane", "membrane"), []
    for _ in range(20):
        began = time.perf_counter()
        on(CLIENT, program, "version")
        times.append((time.perf_counter() - began) * 1000)
    library = os.path.join(args.build, "src", "libmembrane.so")
    with tempfile.NamedTemporaryFile() as stripped:
        subprocess.run(["strip", "-o", stripped.name, library], check=True)
        size = os.path.getsize(stripped.name) / 1e6
    out = [single("membrane version", "ms wall", times, "<= 15"), single("stripped shared library", "MB", [size], "<= 2")]
    if os.path.exists(f"{BENCH}/idle"):
        ours, bare = ([json.loads(on(CLIENT, f"{BENCH}/idle", what)) for _ in range(3)] for what in ("membrane", "libraries"))
        out.append(single("idle private memory (RssAnon)", "MB", [r["anon_kb"] / 1024 for r in ours], "<= 4"))
        out.append(single("idle RSS above the bare libraries", "MB", [(a["rss_kb"] - b["rss_kb"]) / 1024 for a, b in zip(ours, bare)], "<= 4"))
    return out


def show(row):
    m = row["membrane"]["median"]
    if "libcurl" not in row:
        print(f"{row['name']:38} {'':>10} {m:>12,.2f} {'':>7} {'':>8} {row['unit']:10} {row['target']}")
        return
    print(f"{row['name']:38} {row['libcurl']['median']:>10.2f} {m:>12.2f} {row['ratio']['median']:>6.2f}x {row['throughput_ratio']['median']:>7.2f} "
          f"{row['unit']:10} {row['target']}", flush=True)


def main():
    mock = subprocess.Popen([f"{BENCH}/mock"], stdout=subprocess.PIPE, text=True, preexec_fn=lambda: os.sched_setaffinity(0, {SERVER}))
    port = int(mock.stdout.readline())
    print(f"{'':38} {'libcurl':>10} {'membrane':>12} {'ratio':>7} {'calls/s':>8} {'unit':10} target", flush=True)
    jobs = [("chat, 1 in flight", "chat", 8000, 1, "us/call", "<= libcurl + 25"), ("chat, 16 in flight", "chat", 20000, 16, "us/call", "<= libcurl + 10, calls/s >= 0.6"),
            ("chat, 64 in flight", "chat", 20000, 64, "us/call", "<= libcurl + 10, calls/s >= 0.6"),
            ("guarded, 16 in flight", "guarded", 20000, 16, "us/call", "<= libcurl + 10"),
            ("guarded, 64 in flight", "guarded", 20000, 64, "us/call", "<= libcurl + 10"),
            ("streams of 64 chunks, 16 in flight", "stream", 3000, 16, "us/event", "<= 0.8"),
            ("1,000 slow streams", "slow", 1000, 1000, "us/event", "<= 10, <= 64 MB")]
    table = []
    try:
        for job in jobs:
            if args.only in job[0]:
                name, mode, calls, flight, unit, target = job
                row = compare(name, port, mode, calls, flight, unit, target)
                table.append(row)
                show(row)
                if mode == "slow":
                    print(f"{'  peak memory':38} {'':>10} {row['peak_mb']:>12.1f} {'':>7} {'':>8} MB")
        if args.only in "fallback":
            table.append(fallback_row(port))
            show(table[-1])
    finally:
        mock.kill()
    for row in (decode_rows() + decide_rows() + start_rows()) if not args.only else []:
        table.append(row)
        show(row)
    wires = wire_rows() if not args.only else []
    text = json.dumps({"processors": len(CPUS), "rounds": args.rounds, "rows": table, "wires": wires}, indent=1)
    if args.json:
        with open(args.json, "w") as f:
            f.write(text + "\n")
        print(f"JSON: {args.json}", file=sys.stderr)
    else:
        print(text)


main()
