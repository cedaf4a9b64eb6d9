#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The command line and the C API against real engines: llama.cpp's server and Ollama, with tiny models whose answers
are known. TAP on stdout; an engine that was not built is skipped by its name.

    engines.py MEMBRANE PROBE          (MEMBRANE_ENGINES: the cache folder that build_engines.sh fills)
"""
import json
import os
import shutil
import signal
import socket
import sys
import time

import rig
from rig import (CACHE, FOX, WORK, Crowd, Session, cli, cli_json, config, equal, free_port, http, llama, ollama, probe, provider,
                 result_of, run, skip, start_probe, user, wait_for)

TOOLS = [{"type": "function", "function": {"name": "get_weather", "description": "The weather of a city",
                                           "parameters": {"type": "object", "properties": {"city": {"type": "string"}},
                                                          "required": ["city"]}}}]


# ---- what both engines must do ------------------------------------------------------------------------------------------

def list_of_models(e):
    items = cli_json(config({"e": provider(e)}), "models", "list", "e")["items"]
    names = [i["name"] for i in items]
    assert any(n.startswith("e/tiny-say") for n in names), names


def chat_and_stream_say_the_same(e):
    path = config({"e": provider(e)})
    equal(cli(path, "run", "-m", "e/tiny-say", "--no-stream", "Hello").stdout.strip(), FOX, "whole")
    lines = probe(path, {"model": "e/tiny-say", "messages": user("Hello"), "stream": True})
    pieces = [l["text"] for l in lines if l.get("type") == "text"]
    equal("".join(pieces), FOX, "streamed")
    assert len(pieces) >= 3, pieces
    equal([l["type"] for l in lines if "type" in l][-2:], ["usage", "done"], "the last events")


def usage_is_what_the_engine_reports(e):
    path = config({"e": provider(e)})
    result = cli_json(path, "run", "-m", "e/tiny-say", "--no-stream", "Hello there")
    if e.name == "ollama":
        _, raw = http(e.port, "/api/chat", {"model": "tiny-say", "messages": user("Hello there"), "stream": False})
        want = (raw["prompt_eval_count"], raw["eval_count"])
    else:
        _, raw = http(e.port, "/v1/chat/completions", {"model": "tiny-say", "messages": user("Hello there")})
        want = (raw["usage"]["prompt_tokens"], raw["usage"]["completion_tokens"])
    equal((result["usage"]["input"], result["usage"]["output"]), want, "usage")
    assert result["usage"]["exact"]
    streamed = result_of(probe(path, {"model": "e/tiny-say", "messages": user("Hello there"), "stream": True}))
    equal((streamed["usage"]["input"], streamed["usage"]["output"]), want, "usage of the stream")


def tool_call_out_and_result_back(e):
    path = config({"e": provider(e)})
    for stream in (False, True):
        request = {"model": "e/tiny-tool", "messages": user("Weather in Paris?"), "tools": TOOLS, "stream": stream}
        lines = probe(path, request)
        calls = [l for l in lines if l.get("type") == "tool_call"]
        equal(len(calls), 1, "tool calls")
        equal((calls[0]["name"], json.loads(calls[0]["arguments"])), ("get_weather", {"city": "Paris"}), "the call")
        result = result_of(lines)
        equal(result["finish"], "tool_calls", "finish")
        request["messages"] = request["messages"] + [result["message"], {
            "role": "tool", "tool_call_id": result["tool_calls"][0]["id"], "name": "get_weather", "content": "sunny"}]
        equal(result_of(probe(path, request))["text"].strip(), "It is sunny in Paris.", "the answer")


def thinking_is_kept_apart(e):
    path = config({"e": provider(e)})
    for stream in (False, True):
        result = result_of(probe(path, {"model": "e/tiny-think", "messages": user("Weather?"), "stream": stream, "thinking": True}))
        equal((result.get("thinking", "").strip(), result["text"].strip()), ("Let me see.", "It is sunny."), f"stream {stream}")


def structured_output_fits_its_schema(e):
    schema = {"type": "object", "properties": {"city": {"type": "string", "enum": ["Paris", "London"]}, "hot": {"type": "boolean"}},
              "required": ["city", "hot"], "additionalProperties": False}
    request = {"model": "e/tiny-chat", "messages": user("Which city?"), "seed": 1, "thinking": False, "max_tokens": 400,
               "response_format": {"type": "json_schema", "json_schema": {"name": "city", "schema": schema, "strict": True}}}
    lines = probe(config({"e": provider(e)}), request)
    result = result_of(lines)
    assert "error" not in result, result
    value = json.loads(result["text"])
    assert value["city"] in ("Paris", "London") and isinstance(value["hot"], bool), value


def a_prompt_that_is_too_long_is_context_overflow(e):
    text = "window " * 6000
    lines = probe(config({"e": provider(e)}), {"model": "e/tiny-chat", "messages": user(text), "max_tokens": 4, "stream": True})
    equal(lines[-2]["error"]["kind"], "context_overflow", "kind")
    equal(len(lines[-1]["result"]["attempts"]), 1, "attempts")


def an_unknown_model_is_not_found(e):
    if e.name == "ollama":
        equal(cli_json(config({"e": provider(e)}), "run", "-m", "e/nope", "Hi", code=6)["error"]["kind"], "model_not_found", "kind")


def cancelled_in_mid_stream_the_engine_is_free(e):
    slow = slow_engine(e)
    model = "e/tiny-slow"
    request = {"model": model, "messages": user("Go on"), "max_tokens": 2000, "stream": True, "extra_body": {} if e.name == "ollama" else {"ignore_eos": True}}
    lines = probe(config({"e": provider(slow)}), request, "--cancel-after", 4)
    equal(lines[-2]["error"]["kind"], "cancelled", "kind")
    assert lines[-2]["error"].get("partial"), lines[-2]
    if e.name == "llama":
        wait_for(lambda: not any(s["is_processing"] for s in http(slow.port, "/slots")[1]), 1.0)
    else:  # its one runner answers the next call at once
        started = time.monotonic()
        request.update(max_tokens=1, stream=False)
        probe(config({"e": provider(slow)}), request)
        assert time.monotonic() - started < 5
    slow_done(e, slow)


def killed_in_mid_stream_the_partial_text_is_there(e):
    slow = slow_engine(e)
    for sig in ((signal.SIGTERM, signal.SIGKILL) if e.name == "llama" else (signal.SIGKILL,)):
        slow = slow or slow_engine(e)
        process = start_probe(config({"e": provider(slow)}), {"model": "e/tiny-slow", "messages": user("Go on"), "max_tokens": 100000,
                                                              "stream": True, "extra_body": {} if e.name == "ollama" else {"ignore_eos": True}},
                              "--idle", 1500, "--retries", 0)
        lines, pieces = [], 0
        for line in process.stdout:
            lines.append(json.loads(line))
            pieces += lines[-1].get("type") == "text"
            if pieces == 3:
                kill_runner(slow, sig)
                killed = time.monotonic()
        process.wait()
        error = lines[-2]["error"]
        assert error["kind"] in ("stream_truncated", "timeout", "stream_error"), error
        assert error["partial"].strip(), error
        assert time.monotonic() - killed < 6, "it took too long"
        equal(len(lines[-1]["result"]["attempts"]), 1, "attempts")
        slow.stop() if e.name == "llama" else None
        slow = None


def slow_engine(e):
    return llama("tiny-slow", "-c", "16384") if e.name == "llama" else e


def slow_done(e, slow):
    if slow is not e:
        slow.stop()


def kill_runner(engine, sig):
    if engine.name == "llama":
        engine.stop(sig) if sig == signal.SIGKILL else engine.process.send_signal(sig)
        return
    for pid in engine.runners():
        os.kill(pid, sig)


# ---- llama.cpp's server ---------------------------------------------------------------------------------------------------

def embeddings_are_the_engines(e):
    if e.name == "ollama":
        path, name = config({"e": provider(e)}), "tiny-embed"
        want = http(e.port, "/api/embed", {"model": name, "input": ["hello", "stone river"]})[1]["embeddings"]
        close = e
    else:
        close = llama(None, "-m", f"{CACHE}/models/tiny-embed.gguf", "--alias", "tiny-embed", "--embeddings")
        path, name = config({"e": provider(close)}), "tiny-embed"
        want = [d["embedding"] for d in http(close.port, "/v1/embeddings", {"model": name, "input": ["hello", "stone river"]})[1]["data"]]
    got = cli_json(path, "embed", "-m", f"e/{name}", "hello", "stone river")["embeddings"]
    equal((len(got), len(got[0])), (len(want), len(want[0])), "shape")
    assert all(abs(a - b) < 1e-4 for g, w in zip(got, want) for a, b in zip(g, w)), "the numbers differ"
    slow_done(e, close)


def is_bound(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def a_loading_engine_is_waited_for(_):
    for _ in range(8):  # how long it loads is the machine's affair: until one call has met the 503
        engine = llama("tiny-slow", "-c", "32768", wait=False)
        wait_for(lambda: is_bound(engine.port), step=0.001)
        path = config({"e": provider(engine)})
        result = result_of(probe(path, {"model": "e/tiny-slow", "messages": user("Hello"), "max_tokens": 2}, "--deadline", 30000))
        engine.stop()
        assert result["text"] and "error" not in result, result
        kinds = {a.get("kind") for a in result["attempts"][:-1]}
        if kinds:
            equal(kinds, {"overloaded"}, "the attempts before")
            return
    raise AssertionError("no call met an engine that was loading")


def a_router_loads_and_unloads(_):
    folder = os.path.join(WORK, "router")
    os.makedirs(folder, exist_ok=True)
    for name in ("tiny-say", "tiny-chat"):
        shutil.copy(f"{CACHE}/models/{name}.gguf", folder)
    engine = llama(None, "--models-dir", folder, "--models-max", "1")
    path = config({"e": provider(engine)})
    state = lambda: {i["model"]: i.get("loaded") for i in cli_json(path, "models", "list", "e")["items"]}
    equal(state(), {"tiny-say": False, "tiny-chat": False}, "at first")
    cli(path, "models", "load", "e/tiny-say")
    wait_for(lambda: state()["tiny-say"])
    cli(path, "models", "unload", "e/tiny-say")
    wait_for(lambda: not state()["tiny-say"])
    engine.stop()


def ollama_loads_and_unloads(e):
    path = config({"e": provider(e)})
    state = lambda: {i["model"].split(":")[0]: i.get("loaded") for i in cli_json(path, "models", "list", "e")["items"]}
    cli(path, "models", "load", "e/tiny-say")
    assert state()["tiny-say"]
    shown = cli_json(path, "models", "show", "e/tiny-say")
    assert shown["context_window"] > 0, shown
    cli(path, "models", "unload", "e/tiny-say")
    wait_for(lambda: not state()["tiny-say"], 5)
    cli(path, "models", "warm", "e/tiny-say")
    assert state()["tiny-say"]


def the_first_engine_dies_in_the_middle_of_200_calls(_):
    first, second = llama("tiny-slow", "-np", "4", "-c", "8192"), llama("tiny-say", "-np", "4")
    path = config({"first": provider(first), "second": provider(second)},
                  {"default": {"targets": ["first/tiny-slow", "second/tiny-say"], "retries": 0}})
    crowd = Crowd(path, 8, "--idle", 3000)
    crowd.ask(*[{"messages": user("Go on"), "max_tokens": 12, "stream": True, "seed": 1}] * 200)
    lines = [crowd.next() for _ in range(50)]
    first.stop()
    rest, log = crowd.end()
    lines += rest
    equal(len(lines), 200, "calls")
    fell_back = cut = passed = 0
    for call in lines:
        result = call["result"]
        attempts = result["attempts"]
        equal(call["ends"], 1, "terminal events")
        equal([a["provider"] for a in log[result["request_id"]]["attempts"]], [a["provider"] for a in attempts], "the log's attempts")
        if "error" in result:
            equal(result["error"]["kind"], "stream_truncated", "kind")
            assert result["error"]["partial"] and call["handed_bytes"] > 0, call
            cut += 1
        elif len(attempts) == 2:
            equal((result["text"], call["handed_bytes"]), (FOX, len(FOX)), "the fallback's answer")
            fell_back += 1
        elif attempts[0]["provider"] == "second":  # the first one's breaker is open
            equal((attempts[0]["reason"], result["text"]), ("the first that is free", FOX), "the answer past the first")
            passed += 1
        else:
            equal(attempts[0]["provider"], "first", "who answered")
            assert call["matches"], call
    print(f"# 200 calls: {200 - fell_back - cut - passed} by the first engine, {fell_back} by the fallback, "
          f"{passed} past the first, whose breaker was open, {cut} cut in mid-stream")
    assert fell_back >= 4 and fell_back + passed > 50 and passed > fell_back, (fell_back, passed)
    second.stop()


def a_killed_engine_is_passed_over_and_used_again_when_it_is_back(_):
    first, second = llama("tiny-say"), llama("tiny-say")
    path = config({"first": provider(first), "second": provider(second)},
                  {"default": {"targets": [{"target": "first/tiny-say"}, {"target": "second/tiny-say"}], "retries": 0}},
                  probes={"interval": "1s"})
    session = Session(path)
    equal(session.call(), [("first", "ok")], "at first")
    for _ in range(2):
        first.stop()
        down = session.waits_for("first: does not answer probes")
        for _ in range(5):
            equal(session.call(), [("second", "ok")], "while it is away")
        first.start()
        up = session.waits_for("first: answers again")
        equal(session.call(), [("first", "ok")], "when it is back")
        print(f"# killed: passed over after {down:.2f} s; started: used again after {up:.2f} s")
        assert down < 2 and up < 2, "more than its interval"
    session.close()
    first.stop()
    second.stop()


def empty(path, name):
    """Nothing in the engine's memory: it holds a few models at a time, and drops one for another."""
    loaded = lambda: [i["model"] for i in cli_json(path, "models", "list", name)["items"] if i.get("loaded")]
    for model in loaded():
        cli(path, "models", "unload", f"{name}/{model}")
    wait_for(lambda: not loaded(), 10)


def a_model_is_loaded_wherever_it_is_local(e):
    """One that loads on demand, one that holds its model anyway, one that does not know it, one that is away."""
    holds = llama("tiny-say")
    providers = {"o": provider(e), "l": provider(holds), "gone": {"kind": "vllm", "base_url": f"http://127.0.0.1:{free_port()}/v1"}}
    names = ["o/tiny-say", "l/tiny-say", "o/nope", "gone/x", "o/tiny-tool"]
    path = config(providers, {"all": {"targets": [{"target": n} for n in names]}, "none": {"targets": [{"target": "gone/x"}]}})
    empty(path, "o")
    told = cli_json(path, "models", "load", "all", "--keep-alive", "5m")["targets"]
    equal([(t["name"], t["state"]) for t in told], list(zip(names, ["loaded", "there", "failed", "failed", "loaded"])), "states")
    equal([told[i]["error"]["kind"] for i in (2, 3)], ["model_not_found", "connect"], "errors")
    assert "on demand" in told[1]["note"], told[1]
    state = lambda: {i["model"].split(":")[0]: i.get("loaded") for i in cli_json(path, "models", "list", "o")["items"]}
    assert state()["tiny-say"] and state()["tiny-tool"], state()
    shown = cli(path, "models", "load", "all").stdout
    assert "l/tiny-say" in shown and "there" in shown, shown
    equal(cli_json(path, "models", "load", "none", code=3)["error"]["kind"], "connect", "where all fail")
    cli(path, "models", "unload", "all")
    wait_for(lambda: not state()["tiny-say"] and not state()["tiny-tool"], 5)
    holds.stop()


def a_warm_model_is_loaded_in_the_background(e):
    other = llama("tiny-say")
    path = config({"o": provider(e), "l": provider(other)},
                  {"default": {"targets": [{"target": "l/tiny-say"}, {"target": "o/tiny-say"}, {"target": "o/tiny-tool"}], "warm": True}},
                  probes={"interval": 0})
    empty(path, "o")
    session = Session(path)
    equal(session.call(), [("l", "ok")], "who answers")
    session.waits_for("o/tiny-say was loaded")
    session.waits_for("o/tiny-tool was loaded")
    session.close()
    state = {i["model"].split(":")[0]: i.get("loaded") for i in cli_json(path, "models", "list", "o")["items"]}
    assert state["tiny-say"] and state["tiny-tool"], state
    other.stop()


SHARED = [list_of_models, chat_and_stream_say_the_same, usage_is_what_the_engine_reports, tool_call_out_and_result_back,
          thinking_is_kept_apart, structured_output_fits_its_schema, a_prompt_that_is_too_long_is_context_overflow,
          an_unknown_model_is_not_found, embeddings_are_the_engines, cancelled_in_mid_stream_the_engine_is_free,
          killed_in_mid_stream_the_partial_text_is_there]
LLAMA = SHARED + [a_loading_engine_is_waited_for, a_router_loads_and_unloads, the_first_engine_dies_in_the_middle_of_200_calls,
                  a_killed_engine_is_passed_over_and_used_again_when_it_is_back]
OLLAMA = SHARED + [ollama_loads_and_unloads, a_model_is_loaded_wherever_it_is_local, a_warm_model_is_loaded_in_the_background]


def all_of_ollama():
    return ollama("tiny-say", "tiny-tool", "tiny-think", "tiny-chat", "tiny-embed", "tiny-slow")


class Many:
    """One llama-server serves one model: each is started when it is first asked for."""
    name = "llama"

    def __init__(self):
        self.router = None
        folder = os.path.join(WORK, "all")
        os.makedirs(folder, exist_ok=True)
        for name in ("tiny-say", "tiny-tool", "tiny-think", "tiny-chat"):
            shutil.copy(f"{CACHE}/models/{name}.gguf", folder)
        self.router = llama(None, "--models-dir", folder, "--models-max", "4", "--jinja", "-c", "2048")
        self.port = self.router.port
        for name in ("tiny-say", "tiny-tool", "tiny-think", "tiny-chat"):
            http(self.port, "/models/load", {"model": name})
        wait_for(lambda: all(m["status"]["value"] == "loaded" for m in http(self.port, "/models")[1]["data"]))

    def stop(self):
        self.router.stop()


def main():
    for name, binary, tests, start in (("llama.cpp", "llama-server", LLAMA, Many), ("ollama", "ollama", OLLAMA, all_of_ollama)):
        why = rig.missing(binary)
        if why:
            skip(name, tests, why)
            continue
        engine = start()
        for test in tests:
            run(name, test, engine)
        engine.stop()
    return rig.finish()


try:
    code = main()
finally:
    rig.clean_up()
sys.exit(code)
