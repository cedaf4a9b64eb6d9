#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Groups, limits, hedges and cuts against real engines that are slowed, halted, killed and started again under load.
TAP on stdout; a case whose engines were not built is skipped by its name.

    engines_routing.py MEMBRANE PROBE          (MEMBRANE_ENGINES: the cache folder that build_engines.sh fills)
"""
import json
import os
import re
import signal
import statistics
import sys
import threading

import rig
from rig import (COUNT, DOG, FOX, WORK, Crowd, Session, cli, cli_json, config, equal, http, llama, ollama, probe, provider,
                 result_of, run, start_probe, user, wait_for)

CALLS, FLIGHT = 500, 8
RETRIES_AT_ONCE = 3  # a fifth of the calls in flight, and never fewer


def who(result):
    return [(a["provider"], a.get("kind", "ok")) for a in result["attempts"]]


def pieces_of(lines):
    return [line["text"] for line in lines if line.get("type") == "text"]


# ---- under load ---------------------------------------------------------------------------------------------------------

class Slowed:
    """An engine that is halted for 300 ms, again and again."""

    def __init__(self, engine):
        self.engine, self.over = engine, threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        while not self.over.wait(0.3):
            self.engine.halt()
            self.over.wait(0.3)
            self.engine.go_on()

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def question(i):
    return {"request_id": f"call-{i}", "messages": user(f"Question {i}"), "stream": i % 2 == 0, "seed": 1}


def most_at_once(spans):
    steps = sorted([(start, 1) for start, _ in spans] + [(end, -1) for _, end in spans])
    most = now = 0
    for _, step in steps:
        now += step
        most = max(most, now)
    return most


def retries_of(log):
    """When each retry held its part of the budget: from the failure before it on. Clocks are rounded: a little less."""
    for row in log.values():
        for before, a in zip(row["attempts"], row["attempts"][1:]):
            if a["reason"] == "retry":
                yield (row["ts_ms"] + before["started_ms"] + before["latency_ms"] + 5,
                       row["ts_ms"] + a["started_ms"] + a["latency_ms"] - 5)


def seen_of(log, name):
    """How calls found one target, in the order of their beginning."""
    rows = sorted(log.values(), key=lambda row: row["ts_ms"])
    return [c for row in rows for c in row["decision"]["candidates"] if c["provider"] == name]


def openings(seen):
    """How often the breaker was found open by a call after one that had found it closed."""
    states = [c.get("breaker") == "open" for c in seen]
    return sum(now and not before for before, now in zip([False] + states, states))


def attempts_counted(page):
    counted = {}
    for reason, number in re.findall(r'^membrane_attempts_total\{.*reason="(\w+)".*\} (\d+)$', page, re.M):
        counted[reason] = counted.get(reason, 0) + int(number)
    return counted


def judge(line, log):
    result = line["result"]
    row = log[result["request_id"]]
    equal(line["ends"], 1, "terminal events")
    equal(row["attempts"], result["attempts"], "the log's attempts")
    if "error" in result:
        equal(result["error"]["kind"], "stream_truncated", "kind")
        assert line["handed_bytes"] > 0 and result["error"]["partial"], line
        return
    equal(result["text"], {"first": FOX, "second": DOG}[result["target"]["provider"]], "the answer")
    equal(who(result)[-1], (result["target"]["provider"], "ok"), "who answered last")
    assert line["matches"] or line["handed_bytes"] == 0, line
    assert all(kind != "ok" for _, kind in who(result)[:-1]), who(result)


def load_under(policy):
    first, second = llama("tiny-say", "-np", "4"), ollama("tiny-other")
    page = os.path.join(WORK, f"{policy}.prom")
    path = config({"first": provider(first), "second": provider(second)},
                  {"m": {"targets": ["first/tiny-say", "second/tiny-other"], "policy": policy, "retries": 1}},
                  os.path.join(WORK, f"{policy}.db"), probes={"interval": "1s"})
    probe(path, {"model": "second/tiny-other", "messages": user("Load it")})
    crowd, numbers, lines = Crowd(path, FLIGHT, "--metrics", page), iter(range(CALLS)), []

    def ask(many):
        asked = [{"model": "m", **question(i)} for _, i in zip(range(many), numbers)]
        crowd.ask(*asked)
        return len(asked)

    def take(many):
        lines.extend(crowd.next() for _ in range(many))
        return lines[len(lines) - many:]

    def comes_back():
        return any(line["result"]["target"]["provider"] == "first" for line in take(ask(FLIGHT)))

    with Slowed(first):
        ask(260)
        take(120)
    first.stop()
    take(80)
    first.start()
    take(60)
    wait_for(comes_back, 30, step=0.5)  # by its latency not before what it was is long ago
    before = len(lines)
    take(ask(CALLS))
    rest, log = crowd.end()
    equal((len(lines), rest), (CALLS, []), "calls")
    for line in lines:
        judge(line, log)
    ids = {line["result"]["request_id"] for line in lines}
    log = {name: row for name, row in log.items() if name in ids}
    equal((len(ids), len(log)), (CALLS, CALLS), "ids, and rows of the log")
    again = [line["result"]["target"]["provider"] for line in lines[before:]]
    assert "first" in again, again
    if policy == "ordered":
        equal(set(again), {"first"}, "after it is back")
    cut = sum("error" in line["result"] for line in lines)
    assert cut <= CALLS // 100, f"{cut} were cut"
    most = most_at_once(list(retries_of(log)))
    assert most <= RETRIES_AT_ONCE, f"{most} retries at a time"
    counted = attempts_counted(open(page).read())
    equal(sum(counted.values()), sum(len(line["result"]["attempts"]) for line in lines), "attempts of the metrics")
    seen = seen_of(log, "first")
    passed = sum(c["why"] in ("its breaker is open", "it does not answer probes") for c in seen)
    assert passed >= 1, "nobody passed it over while it was away"
    answered = [line["result"]["target"]["provider"] for line in lines if "error" not in line["result"]]
    times = statistics.quantiles([row["latency_ms"] for row in log.values()], n=100)
    print(f"# {policy}: {answered.count('first')} by the first engine, {answered.count('second')} by the second, {cut} cut; p50 "
          f"{times[49]:.0f} ms, p99 {times[98]:.0f} ms; {counted.get('retry', 0)} retries, no more than {most} at a time, "
          f"{counted.get('fallback', 0)} fallbacks; {passed} calls passed over the first, whose breaker opened "
          f"{openings(seen)} times")
    for line in lines[:: CALLS // 4]:
        explained(path, line["result"])
    first.stop()
    second.stop()


def five_hundred_calls_in_order():
    load_under("ordered")


def five_hundred_calls_to_the_least_busy():
    load_under("least_busy")


def five_hundred_calls_to_the_quicker():
    load_under("latency")


# ---- the log's story ----------------------------------------------------------------------------------------------------

def explained(path, result):
    """membrane explain says of a call what its result says."""
    row = cli_json(path, "explain", result["request_id"])
    equal(row["attempts"], result["attempts"], "explained attempts")
    text = cli(path, "explain", result["request_id"]).stdout
    table = text[text.index("TRY "):].splitlines()[1:1 + len(result["attempts"])]
    for n, (line, a) in enumerate(zip(table, result["attempts"]), 1):
        words = line.split()
        equal(words[:3], [str(n), f"{a['provider']}/{a['model']}", a.get("kind", "ok")], line)
        assert line.endswith(a["reason"]), line
    taken = [c for c in row["decision"]["candidates"] if c["verdict"] == "taken"]
    equal([(c["provider"], c["why"]) for c in taken], [(row["attempts"][0]["provider"], row["attempts"][0]["reason"])], "taken")
    equal(re.search(r"^outcome +(\w+)", text, re.M).group(1), "error" if "error" in result else "ok", text)


# ---- windows ------------------------------------------------------------------------------------------------------------

LONG = user("window " * 900)


def a_prompt_that_is_too_long_goes_to_a_larger_window():
    small, large = llama("tiny-say", "-c", "512", "-np", "1"), ollama("tiny-other")
    path = config({"small": provider(small), "large": provider(large)},
                  {"m": {"targets": ["small/tiny-say"], "fallbacks": {"context_overflow": ["large/tiny-other"]}}},
                  os.path.join(WORK, "larger.db"))
    for stream in (False, True):
        result = result_of(probe(path, {"model": "m", "messages": LONG, "stream": stream}))
        equal((who(result), result["text"]), ([("small", "context_overflow"), ("large", "ok")], DOG), f"stream {stream}")
        equal(result["attempts"][1]["reason"], "fallback", "reason")
        explained(path, result)
        result = result_of(probe(path, {"model": "m", "messages": user("Short"), "stream": stream}))
        equal((who(result), result["text"]), ([("small", "ok")], FOX), "a short one")
    result = result_of(probe(path, {"model": "m", "messages": user("window " * 6000)}))
    equal(who(result), [("small", "context_overflow"), ("large", "context_overflow")], "too long for both")
    small.stop()
    large.stop()


def in_one_group_the_window_that_is_known_to_be_larger_is_asked():
    small, large = llama("tiny-say", "-c", "512", "-np", "1"), llama("tiny-other", "-c", "2048", "-np", "1")
    prices = os.path.join(WORK, "windows.json")
    with open(prices, "w") as f:
        json.dump({"lists": [{"providers": ["llamacpp"], "models": [{"model": "tiny-other", "window": 2048}]}]}, f)
    targets = {"m": {"targets": ["small/tiny-say", "large/tiny-other"]}}
    providers = {"small": provider(small), "large": provider(large)}
    path = config(providers, targets, os.path.join(WORK, "known.db"), prices=prices)
    for stream in (False, True):
        result = result_of(probe(path, {"model": "m", "messages": LONG, "stream": stream}))
        equal((who(result), result["text"]), ([("small", "context_overflow"), ("large", "ok")], DOG), f"stream {stream}")
        explained(path, result)
    result = result_of(probe(config(providers, targets), {"model": "m", "messages": LONG}))
    equal(who(result), [("small", "context_overflow")], "where nobody knows")
    known = Session(config(providers, targets, probes={"interval": "1s"}))  # the engines say it themselves
    known.call(model="m")
    wait_for(lambda: known.call(model="m", messages=LONG) == [("small", "context_overflow"), ("large", "ok")])
    known.close()
    small.stop()
    large.stop()


# ---- hedges -------------------------------------------------------------------------------------------------------------

def busy(engine):
    return sum(slot["is_processing"] for slot in http(engine.port, "/slots")[1])


def a_hedge_is_won_by_the_second():
    first, second = llama("tiny-slow"), llama("tiny-other")
    path = config({"first": provider(first), "second": provider(second)},
                  {"m": {"targets": ["first/tiny-slow", "second/tiny-other"], "hedge": "150ms"}}, os.path.join(WORK, "hedge.db"))
    for stream in (False, True):
        first.halt()
        lines = probe(path, {"model": "m", "messages": user("Go on"), "stream": stream, "max_tokens": 1800})
        first.go_on()
        result = result_of(lines)
        equal((who(result), result["text"]), ([("first", "cancelled"), ("second", "ok")], DOG), f"stream {stream}")
        equal((result["attempts"][1]["reason"], result["target"]["provider"]), ("hedge", "second"), "who won")
        equal(sum(line.get("type") in ("done", "error") for line in lines), 1, "terminal events")
        equal("".join(pieces_of(lines)) or DOG, DOG, "what was handed out")
        explained(path, result)
        # An answer of so many tokens would take it much longer. It looks for closed connections once a second of silence,
        # and a question about its slots is none.
        wait_for(lambda: busy(first) == 0, 15, step=1.5)
    first.stop()
    second.stop()


# ---- limits of our own --------------------------------------------------------------------------------------------------

def sessions_take_turns_where_one_at_a_time_may_go_in():
    engine = llama("tiny-count", "-np", "1")
    path = config({"one": provider(engine, limits={"parallel": 1})}, {"m": {"targets": ["one/tiny-count"], "max_wait": "60s"}})
    crowd, most, over = Crowd(path, 16), [0], threading.Event()

    def watch():
        while not over.wait(0.02):
            page = http(engine.port, "/metrics")[1]
            deferred = int(re.search(r"^llamacpp:requests_deferred (\d+)", page, re.M).group(1))
            most[0] = max(most[0], busy(engine) + deferred)

    watcher = threading.Thread(target=watch)
    watcher.start()
    crowd.ask(*[{"model": "m", "request_id": f"{name}{i}", "session": name, "messages": user("Count"), "stream": i % 2 == 0,
                 "max_tokens": 10} for name in "abcd" for i in range(4)])
    lines, _ = crowd.end(60)
    over.set()
    watcher.join()
    for line in lines:
        equal((who(line["result"]), line["result"]["text"]), ([("one", "ok")], " ".join(COUNT.split()[:10])), "each call")
    equal(most[0], 1, "at a time")
    order = [line["result"]["request_id"][0] for line in lines]
    for n in range(4, 17):  # who was first of all may have been so before the others stood there
        counts = [order[:n].count(name) for name in "abcd"]
        assert max(counts) - min(counts) <= 2, order
    engine.stop()


# ---- answers that break off ---------------------------------------------------------------------------------------------

def cut_after(path, pieces, kill):
    """The events of an answer whose engine was killed once so many pieces had been handed out."""
    process = start_probe(path, {"model": "m", "messages": user("Count"), "stream": True, "temperature": 0, "seed": 1})
    lines = []
    for line in process.stdout:
        lines.append(json.loads(line))
        if len(pieces_of(lines)) == pieces and lines[-1].get("type") == "text":
            kill()
    process.wait(timeout=60)
    return lines


def kill_runner(engine):
    for pid in engine.runners():
        os.kill(pid, signal.SIGKILL)


def cut(first, second, on_cut):
    path = config({"first": provider(first), "second": provider(second)},
                  {"m": {"targets": ["first/tiny-count", "second/tiny-count"], "on_cut": on_cut, "retries": 0}},
                  os.path.join(WORK, f"{on_cut}.db"))
    equal(result_of(probe(path, {"model": "second/tiny-count", "messages": user("Count")}))["text"], COUNT, "unbroken")
    lines = cut_after(path, 3, lambda: first.stop() if first.name == "llama" else kill_runner(first))
    result = result_of(lines)
    assert "error" not in result, result["error"]
    equal([name for name, _ in who(result)], ["first", "second"], "who was asked")
    assert result["attempts"][0]["kind"] in ("stream_truncated", "stream_error"), who(result)
    equal(result["text"], COUNT, "the answer")
    explained(path, result)
    return lines


def an_answer_goes_on_where_it_broke_off():
    second = llama("tiny-count")
    other = ollama("tiny-count")
    for first, then in ((llama("tiny-count"), second), (llama("tiny-count"), other), (other, second)):
        lines = cut(first, then, "continue")
        equal("".join(pieces_of(lines)), COUNT, f"handed out, {first.name} and then {then.name}")
        assert not any(line.get("type") == "reset" for line in lines), lines
    second.stop()
    other.stop()


def an_answer_begins_again_where_that_is_wanted():
    second = llama("tiny-count")
    lines = cut(llama("tiny-count"), second, "restart")
    at = [i for i, line in enumerate(lines) if line.get("type") == "reset"]
    equal(len(at), 1, "resets")
    begun = "".join(pieces_of(lines[:at[0]]))
    assert begun and COUNT.startswith(begun) and begun != COUNT, begun
    equal("".join(pieces_of(lines[at[0]:])), COUNT, "after it began again")
    second.stop()


BOTH, ONE = ("llama-server", "ollama"), ("llama-server",)
CASES = [(five_hundred_calls_in_order, BOTH), (five_hundred_calls_to_the_least_busy, BOTH),
         (five_hundred_calls_to_the_quicker, BOTH), (a_prompt_that_is_too_long_goes_to_a_larger_window, BOTH),
         (in_one_group_the_window_that_is_known_to_be_larger_is_asked, ONE), (a_hedge_is_won_by_the_second, ONE),
         (sessions_take_turns_where_one_at_a_time_may_go_in, ONE), (an_answer_goes_on_where_it_broke_off, BOTH),
         (an_answer_begins_again_where_that_is_wanted, ONE)]


def main():
    for test, needs in CASES:
        why = next(filter(None, map(rig.missing, needs)), None)
        if why:
            rig.skip("routing", [test], why)
            continue
        run("routing", test)
        for engine in list(rig.running):  # those of a case that failed
            engine.stop()
    return rig.finish()


try:
    code = main()
finally:
    rig.clean_up()
sys.exit(code)
