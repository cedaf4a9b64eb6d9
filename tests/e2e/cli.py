#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Drives the built command line as people and scripts do, against a server of our own and builtin/extractive.

  cli.py MEMBRANE BUILD SOURCE [PATTERN]     the names of the tests that hold PATTERN only
"""
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import termios
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import cli_server  # noqa: E402

MEMBRANE, BUILD, SOURCE = (str(pathlib.Path(a).resolve()) for a in sys.argv[1:4])
VERBS = ["run", "models", "providers", "embed", "logs", "explain", "usage", "budgets", "config", "keys", "doctor", "version", "completion", "help"]
TESTS = []
server = cli_server.Server()
home = pathlib.Path(tempfile.mkdtemp(prefix="membrane-cli-"))


class Skip(Exception):
    pass


def test(function):
    TESTS.append(function)
    return function


def write_home():
    folder = home / "config" / "membrane"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(
        f"version: 1\n"
        f"providers:\n"
        f"  mock: {{kind: openai-compatible, base_url: {server.url}/v1, api_key: sk-PLANTED-very-secret}}\n"
        f"  lama: {{kind: ollama, base_url: {server.url}}}\n"
        f"  gone: {{kind: openai-compatible, base_url: 'http://127.0.0.1:9/v1', timeouts: {{connect: 500ms}}}}\n"
        f"models:\n"
        f"  once: {{targets: [{{target: mock/broken}}], retries: 0}}\n"
        f"  twice: {{targets: [{{target: mock/broken}}, {{target: lama/tiny}}], retries: 0}}\n"
        f"log: {{path: {home}/calls.db}}\n")


def environment(**more):
    env = {k: v for k, v in os.environ.items()
           if not re.search(r"_API_KEY$|^HF_TOKEN$|_proxy$|_PROXY$|^MEMBRANE|^OPENAI|^OLLAMA|^NO_COLOR$", k)}
    env.update(HOME=str(home), XDG_CONFIG_HOME=str(home / "config"), XDG_STATE_HOME=str(home / "state"),
               XDG_DATA_HOME=str(home / "data"), XDG_CACHE_HOME=str(home / "cache"), TERM="xterm-256color",
               OLLAMA_HOST="127.0.0.1:9", TZ="UTC")
    env.update(more)
    return env


def run(*args, code=0, stdin=None, env=None, cwd=None):
    """What the program writes; its exit code must be the one expected (None: any)."""
    kwargs = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
    done = subprocess.run([MEMBRANE, *args], capture_output=True, timeout=60, env=environment(**(env or {})),
                          cwd=cwd or home, check=False, **kwargs)
    if code is not None:
        expect(done.returncode, code, f"exit code of {' '.join(args)}; stdout {done.stdout[:300]!r}, stderr {done.stderr[:500]!r}")
    done.out, done.err = done.stdout.decode(), done.stderr.decode()
    return done


def expect(got, want, what=""):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, expected {want!r}")


def expect_in(part, whole, what=""):
    if part not in whole:
        raise AssertionError(f"{what}: no {part!r} in {whole[:1500]!r}")


def run_json(*args, code=0, **kwargs):
    done = run(*args, "--json", code=code, **kwargs)
    expect(done.out.count("\n"), 1, f"one line of JSON from {args}")
    return json.loads(done.out)


def run_error(*args, kind, code, **kwargs):
    """The same failure, told in words and as JSON."""
    done = run(*args, code=code, **kwargs)
    expect_in(kind, done.err, "stderr")
    error = run_json(*args, code=code, **kwargs)["error"]
    expect(error["kind"], kind)
    for key in ("kind", "message", "provider", "retryable", "hint", "partial"):
        if key not in error:
            raise AssertionError(f"no {key} in {error}")
    return error


def run_pty(*args, env=None, stdout_only=False):
    """What a terminal gets, and the exit code."""
    master, slave = pty.openpty()
    process = subprocess.Popen([MEMBRANE, *args], stdin=subprocess.DEVNULL, stdout=slave,
                               stderr=subprocess.DEVNULL if stdout_only else slave, env=environment(**(env or {})), cwd=home)
    os.close(slave)
    out = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # EIO: the other side is closed
            break
        if not piece:
            break
        out += piece
    os.close(master)
    return out, process.wait(timeout=30)


# ---- answers --------------------------------------------------------------------------------------------------------

@test
def an_answer_is_all_that_stands_on_stdout():
    done = run("-m", "mock/ok", "say", "hello")
    expect(done.out, "Hello world\n")
    expect(done.err, "")
    expect(server.requests[-1][1]["messages"], [{"role": "user", "content": "say hello"}])


@test
def no_stream_asks_for_one_piece():
    expect(run("-m", "mock/ok", "--no-stream", "hi").out, "Hello world\n")
    expect(bool(server.requests[-1][1].get("stream")), False)


@test
def ollama_answers_too():
    expect(run("-m", "lama/tiny", "hi").out, "Tiny answer\n")


@test
def json_is_the_result():
    result = run_json("-m", "mock/ok", "hi")
    expect(result["text"], "Hello world")
    expect(result["finish"], "stop")
    expect(result["target"]["provider"], "mock")
    expect(result["usage"]["output"], 2)
    expect(len(result["attempts"]), 1)


@test
def a_call_costs_what_the_table_of_prices_says():
    expect(run_json("-m", "mock/ok", "hi")["cost_usd_micros"], None, "nobody knows")
    expect(run_json("-m", "lama/tiny", "hi")["cost_usd_micros"], 0, "an engine at home")
    (home / "prices.yaml").write_text("lists:\n  - providers: [openai-compatible]\n    date: '2026-11'\n    models:\n"
                                      "      - {model: 'o*', input: 100, output: 500, window: 4096}\n")
    priced = home / "priced.yaml"
    priced.write_text((home / "config" / "membrane" / "config.yaml").read_text() + f"prices: {home}/prices.yaml\n")
    result = run_json("--config", str(priced), "-m", "mock/ok", "hi")
    expect(result["cost_usd_micros"], result["usage"]["input"] * 100 + result["usage"]["output"] * 500)
    expect(run_json("logs", "--config", str(priced), "-n", "1")["items"][0]["cost_usd_micros"], result["cost_usd_micros"])
    shown = run_json("models", "show", "mock/ok", "--config", str(priced))
    expect((shown["context_window"], shown["usd_per_million_tokens"]), (4096, {"input": 100.0, "output": 500.0, "date": "2026-11"}))
    listed = {m["name"]: m for m in run_json("models", "list", "mock", "--config", str(priced))["items"]}
    expect((listed["mock/ok"].get("context_window"), listed["mock/slow"].get("context_window")), (4096, None))
    (home / "prices.yaml").write_text("lists: [{providers: [x], models: [{model: a, prise: 1}]}]\n")
    expect("prise: unknown key" in run("config", "validate", str(priced), code=None).err, True)


@test
def json_stream_is_events_and_then_the_result():
    lines = [json.loads(line) for line in run("-m", "mock/ok", "--json", "--stream", "hi").out.splitlines()]
    types = [line.get("type") for line in lines[:-1]]
    expect(types[0], "attempt")
    expect("".join(line["text"] for line in lines if line.get("type") == "text"), "Hello world")
    expect(set(types) & {"done", "error"}, set())
    expect(lines[-1]["result"]["text"], "Hello world")


@test
def json_stream_ends_with_the_error():
    done = run("-m", "mock/cut", "--json", "--stream", "--no-fallback", "hi", code=3)
    last = json.loads(done.out.splitlines()[-1])
    expect(last["error"]["kind"], "stream_truncated")
    expect(last["error"]["partial"], "Hello")


@test
def a_pipe_is_the_prompt():
    run("-m", "mock/ok", stdin=b"from a pipe\n")
    expect(server.requests[-1][1]["messages"][-1]["content"], "from a pipe\n")


@test
def a_pipe_follows_the_words():
    run("-m", "mock/ok", "look:", stdin=b"data")
    expect(server.requests[-1][1]["messages"][-1]["content"], "look:\n\ndata")


@test
def a_system_prompt_and_sampling_reach_the_wire():
    run("-m", "mock/ok", "-s", "be brief", "--temperature", "0", "--max-tokens", "5", "--seed", "7", "--stop", "x", "--stop", "y", "hi")
    body = server.requests[-1][1]
    expect(body["messages"][0], {"role": "system", "content": "be brief"})
    expect((body["temperature"], body["max_tokens"], body["seed"], body["stop"]), (0, 5, 7, ["x", "y"]))


@test
def a_schema_file_becomes_the_response_format():
    (home / "person.schema.json").write_text('{"type": "object"}')
    run("-m", "mock/ok", "--schema", "person.schema.json", "hi", code=None)
    expect(server.requests[-1][1]["response_format"]["json_schema"]["name"], "person")
    (home / "half.json").write_text('{"type": ')
    run_error("-m", "mock/ok", "--schema", "half.json", "hi", kind="invalid_argument", code=2)


@test
def an_attached_text_is_quoted_by_the_builtin_model():
    (home / "tides.txt").write_text("The moon pulls the sea. That makes the tides. Fish swim.\n")
    done = run("-m", "builtin/extractive", "-a", "tides.txt", "What makes the tides?")
    expect_in("makes the tides", done.out)
    expect_in("tides.txt", done.out)


@test
def an_attached_image_reaches_the_wire():
    (home / "dot.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    run("-m", "mock/ok", "-a", "dot.png", "what is it?")
    expect_in("image/png;base64,iVBORw0KGgo", json.dumps(server.requests[-1][1]["messages"]))


@test
def a_file_that_is_no_text_is_refused():
    (home / "latin.txt").write_bytes(b"caf\xe9")
    error = run_error("-m", "mock/ok", "-a", "latin.txt", "hi", kind="invalid_argument", code=2)
    expect_in("byte 4", error["message"])
    run_error("-m", "mock/ok", "-a", "no-such-file", "hi", kind="not_found", code=6)
    run_error("-m", "mock/ok", kind="invalid_argument", code=2, stdin=b"\xff\xfe")


@test
def a_file_that_is_too_large_is_refused():
    with open(home / "large.txt", "wb") as file:
        file.truncate((16 << 20) + 1)
    expect_in("16 MiB", run_error("-m", "mock/ok", "-a", "large.txt", "hi", kind="invalid_argument", code=2)["message"])


@test
def a_dry_run_sends_nothing():
    before = len(server.requests)
    plan = run_json("-m", "mock/ok", "--dry-run", "hi")
    expect(plan["candidates"][0]["provider"], "mock")
    expect_in("hi", json.dumps(plan["body"]))
    done = run("-m", "mock/ok", "--dry-run", "hi")
    expect_in("mock", done.out)
    expect_in("chosen because", done.out)
    expect("sk-PLANTED-very-secret" in done.out, False, "the key is not shown")
    expect(len(server.requests), before)


@test
def the_choice_without_configuration_is_told():
    (home / "empty").mkdir(exist_ok=True)
    done = run("-a", "tides.txt", "What makes the tides?", env={"XDG_CONFIG_HOME": str(home / "empty")}, code=None)
    if not re.match(r"membrane: [\w-]+/\S+: \w", done.err):  # whatever engine this machine has
        raise AssertionError(done.err)
    quiet = run("-q", "-m", "builtin/extractive", "-a", "tides.txt", "What makes the tides?")
    expect(quiet.err, "")


@test
def the_session_and_request_id_are_in_the_result():
    result = run_json("-m", "mock/ok", "--session", "s-1", "--request-id", "r-42", "hi")
    expect((result["session"], result["request_id"]), ("s-1", "r-42"))


# ---- failures -------------------------------------------------------------------------------------------------------

@test
def exit_codes_follow_the_kind():
    for model, kind, code in [("auth", "auth", 4), ("missing", "model_not_found", 6), ("bad", "bad_request", 2)]:
        error = run_error("-m", f"mock/{model}", "hi", kind=kind, code=code)
        expect(error["provider"], "mock")
    expect(run_error("-m", "once", "hi", kind="server", code=3)["retryable"], True)
    run_error("-m", "mock/rate", "--deadline", "20s", "hi", kind="rate_limit", code=3)
    run_error("-m", "gone/x", "--deadline", "20s", "hi", kind="connect", code=3)


@test
def a_fallback_answers_and_no_fallback_does_not():
    result = run_json("-m", "twice", "hi")
    expect([a["provider"] for a in result["attempts"]], ["mock", "lama"])
    expect(result["text"], "Tiny answer")
    run_error("-m", "twice", "--no-fallback", "hi", kind="server", code=3)


@test
def via_skips_a_target():
    expect(run_json("-m", "twice", "--via", "mock", "hi")["attempts"][0]["provider"], "lama")


@test
def one_provider_may_be_asked_for():
    result = run_json("-m", "twice", "--provider", "lama", "hi")
    expect([a["provider"] for a in result["attempts"]], ["lama"])
    expect(run_json("-p", "mock", "-m", "ok", "hi")["target"]["model"], "ok")
    plan = run("-m", "twice", "-p", "lama", "--dry-run", "hi").out
    expect_in("passed over", plan)
    expect_in("another provider was asked for", plan)
    run_error("-p", "lama", "-m", "mock/ok", "hi", kind="no_target", code=3)
    expect_in('(did you mean "mock"?)', run_error("-p", "mok", "-m", "ok", "hi", kind="not_found", code=6)["message"])


@test
def the_way_of_a_call_can_be_said():
    for args in (["--policy", "least_busy"], ["--max-cost", "0.05"], ["--max-cost", "$0.05"], ["--max-cost", "50000u"],
                 ["--max-cost", "5"], ["--hedge"], ["--hedge", "p95"], ["--hedge=off"], ["--hedge", "1.5s"], ["--max-attempts", "1"],
                 ["--max-wait", "2s"], ["--max-wait", "0"], ["--retries", "0"], ["--on-cut", "restart"], ["--on-cut=continue"]):
        expect(json.loads(run("--json", "--dry-run", "-m", "twice", *args, "hi").out)["candidates"][1]["provider"], "lama", str(args))
    expect_in('"hi"', run("--dry-run", "--hedge", "-m", "mock/ok", "hi").out)
    expect_in('"hi you"', run("--dry-run", "-m", "mock/ok", "--hedge", "hi", "you").out)  # no time: a word
    before = len(server.requests)
    run("-m", "mock/broken", "--retries", "0", "hi", code=3)
    expect(len(server.requests), before + 1)


@test
def a_cut_stream_keeps_what_came():
    done = run("-m", "mock/cut", "--no-fallback", "hi", code=3)
    expect(done.out, "Hello\n")
    expect_in("stream_truncated", done.err)


@test
def the_own_deadline_exits_with_124():
    done = run("-m", "mock/slow", "--deadline", "700ms", "hi", code=124)
    expect(done.out, "Hello\n")
    expect_in("timeout", done.err)
    expect(run_json("-m", "mock/slow", "--deadline", "700ms", "hi", code=124)["error"]["phase"], "total")


def start_slow(*args):
    server.stalled.clear()
    process = subprocess.Popen([MEMBRANE, "-m", "mock/slow", *args, "hi"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=environment(), cwd=home)
    if not server.stalled.wait(20):
        process.kill()
        raise AssertionError("the request did not arrive")
    return process


@test
def an_interrupt_stops_the_call_and_keeps_what_came():
    process = start_slow()
    expect(process.stdout.read(5), b"Hello", "the answer comes as it is made")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    expect((out, process.returncode), (b"\n", 130), err)
    expect(err, b"")


@test
def an_interrupt_under_json_is_an_error_with_the_partial_text():
    process = start_slow("--json", "--stream")
    while b'"Hello"' not in process.stdout.readline():
        pass
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=10)
    error = json.loads(out.splitlines()[-1])["error"]
    expect((error["kind"], error["partial"], process.returncode), ("cancelled", "Hello", 130))


@test
def an_interrupt_ends_a_verb_that_waits():
    (home / "stall.yaml").write_text(f"version: 1\nproviders:\n  stall: {{kind: openai-compatible, base_url: {server.url}/stall/v1}}\n")
    server.stalled.clear()
    process = subprocess.Popen([MEMBRANE, "models", "-p", "stall", "--config", "stall.yaml"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), cwd=home)
    expect(server.stalled.wait(20), True)
    process.send_signal(signal.SIGINT)
    expect((process.communicate(timeout=5), process.returncode), ((b"", b""), 130))


@test
def local_keeps_a_call_here():
    (home / "cloud.yaml").write_text("version: 1\nproviders:\n  cloud: {kind: openai-compatible, base_url: 'http://203.0.113.1/v1'}\n"
                                     "models:\n  both: {targets: [{target: cloud/x}, {target: mock/ok}]}\n")
    result = run_json("-m", "both", "--local", "--config", "cloud.yaml", "hi")
    expect(result["target"]["provider"], "mock")
    expect(run("-m", "cloud/x", "--local", "--config", "cloud.yaml", "hi", code=None).returncode in (3, 5), True)


@test
def sigterm_stops_it_too():
    process = start_slow()
    process.stdout.read(5)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    expect(process.returncode, 143)


@test
def a_closed_stdout_is_no_drama():
    process = subprocess.Popen([MEMBRANE, "-m", "mock/long", "hi"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=environment(), cwd=home)
    process.stdout.read(10)
    process.stdout.close()
    err = process.stderr.read()
    process.wait(timeout=20)
    expect(err, b"")


@test
def a_full_disk_is_told():
    if not os.path.exists("/dev/full"):
        raise Skip("no /dev/full")
    with open("/dev/full", "wb") as full:
        done = subprocess.run([MEMBRANE, "help"], stdout=full, stderr=subprocess.PIPE, env=environment(), check=False)
    expect(done.returncode, 1)
    expect_in(b"No space left", done.stderr)


@test
def wrong_usage_exits_with_2_and_names_the_nearest():
    for args, near in [(["--modle", "x", "hi"], "--model"), (["models", "lst"], "list"), (["providrs"], "providers"),
                       (["help", "modles"], "models"), (["config", "validaet"], "validate"), (["--think=hgh", "hi"], "high"),
                       (["--deadline", "30", "hi"], "30s"), (["-m"], "MODEL"), (["--json=1", "hi"], "no value"),
                       (["providers", "x"], "unexpected"), (["--seed", "1.5", "hi"], "whole number"),
                       (["--temperature", "nan", "hi"], "number"), (["models", "load"], "provider/model"),
                       (["completion", "tcsh"], "fish"), (["logs", "--outcome", "errors"], "error"),
                       (["--policy", "chepest", "hi"], '"cheapest"'), (["--max-cost", "1e3", "hi"], "no amount"),
                       (["--max-cost", "0.0000001", "hi"], "no amount"), (["--max-cost", "-1", "hi"], "no amount"),
                       (["--max-cost", "0", "hi"], "50000u"), (["--max-cost", "$5u", "hi"], "no amount"),
                       (["--max-cost", "0.5u", "hi"], "no amount"), (["--max-cost", "1.", "hi"], "no amount"),
                       (["--max-cost", "99999999999999999999", "hi"], "no amount"), (["--hedge=p59", "hi"], '"p95"'),
                       (["--hedge=-1s", "hi"], "none of its values"), (["--on-cut", "restrat", "hi"], '"restart"'),
                       (["--max-attempts", "0", "hi"], "from 1 to 64"), (["--max-atempts", "1", "hi"], "--max-attempts"),
                       (["--max-wait", "soon", "hi"], "30s"), (["--retries", "-1", "hi"], "whole number"), ([], "no prompt")]:
        expect_in(near, run(*args, code=2).err, str(args))
        error = run_json(*[a for a in args if a != "--json=1"], code=2)["error"] if args not in (["-m"], ["--json=1", "hi"]) else None
        if error:
            expect(error["kind"], "invalid_argument")


@test
def one_word_that_is_nearly_a_verb_is_a_prompt_after_run():
    expect(run("run", "-m", "mock/ok", "modles").out, "Hello world\n")
    expect(run("-m", "mock/ok", "--", "--modle").out, "Hello world\n")


# ---- terminals ------------------------------------------------------------------------------------------------------

@test
def a_terminal_is_not_driven_by_the_model():
    out, code = run_pty("-m", "mock/escape", "hi", stdout_only=True)
    expect(code, 0)
    expect(out.replace(b"\r\n", b"\n"), "a^[[31mred^G\ufffd2J end\n".encode())
    expect_in("\x1b[31m", run("-m", "mock/escape", "hi").out, "a pipe gets the bytes as they are")


@test
def a_terminal_is_not_driven_by_json():
    out, _ = run_pty("-m", "mock/escape", "--json", "hi", stdout_only=True)
    expect(any(b in out for b in (b"\x1b", b"\x07", "\u009b".encode())), False, repr(out))
    expect(json.loads(out)["text"], "a\x1b[31mred\x07\u009b2J end")


@test
def a_terminal_is_not_driven_by_a_server():
    out, code = run_pty("-m", "once", "hi", env={"NO_COLOR": "1"})
    expect(code, 3)
    expect(b"\x1b" in out, False, repr(out))


@test
def colours_only_on_a_terminal_and_without_no_color():
    coloured, _ = run_pty("-m", "mock/ok", "hi")
    plain, _ = run_pty("-m", "mock/ok", "hi", env={"NO_COLOR": "1"})
    dumb, _ = run_pty("-m", "mock/ok", "hi", env={"TERM": "dumb"})
    expect(b"\x1b[" in coloured, True, "colour on a terminal")
    expect(b"\x1b" in plain or b"\x1b" in dumb, False, "no colour")
    for out in (coloured, plain):
        expect_in(b"mock/ok, 7 tokens in, 2 out", out, "the figures after an answer")
    for args in (["-m", "mock/ok", "hi"], ["help"], ["providers"], ["doctor"], ["models"]):
        done = run(*args, code=None)
        expect("\x1b" in done.out + done.err, False, f"no colour in a pipe: {args}")


@test
def a_conversation_keeps_its_messages():
    master, slave = pty.openpty()
    process = subprocess.Popen([MEMBRANE, "-m", "mock/ok"], stdin=slave, stdout=slave, stderr=slave,
                               env=environment(NO_COLOR="1"), cwd=home, start_new_session=True)
    os.close(slave)
    out = b""

    def read_until(part, times):
        nonlocal out
        end = time.monotonic() + 20
        while out.count(part) < times and time.monotonic() < end:
            if select.select([master], [], [], 0.2)[0]:
                out += os.read(master, 65536)
        expect(out.count(part) >= times, True, repr(out))

    read_until(b"> ", 1)
    os.write(master, b"first\n")
    read_until(b"Hello world", 1)
    read_until(b"tokens in", 1)
    os.write(master, b"second\n")
    read_until(b"Hello world", 2)
    read_until(b"tokens in", 2)
    os.write(master, b"\n")
    expect(process.wait(timeout=10), 0)
    os.close(master)
    expect([(m["role"], m["content"]) for m in server.requests[-1][1]["messages"]],
           [("user", "first"), ("assistant", "Hello world"), ("user", "second")])


# ---- the other verbs ------------------------------------------------------------------------------------------------

@test
def models_are_listed_and_the_missing_provider_is_named():
    done = run("models")
    expect_in("lama/tiny", done.out)
    expect_in("mock/ok", done.out)
    expect_in("gone", done.err)
    listed = run_json("models", "list")
    expect({"items", "errors"} <= set(listed), True)
    expect(all("/" in i["name"] or i["name"] in ("once", "twice") for i in listed["items"]), True)
    expect({i["provider"] for i in run_json("models", "list", "-p", "lama")["items"] if i.get("provider")}, {"lama"})


@test
def a_model_is_shown_loaded_warmed_and_unloaded():
    expect(run_json("models", "show", "lama/tiny")["provider"], "lama")
    run_json("models", "load", "lama/tiny", "--keep-alive", "5m")
    expect(server.requests[-1][1]["keep_alive"] not in (None, 0), True)
    run_json("models", "warm", "lama/tiny")
    run_json("models", "unload", "lama/tiny")
    expect(str(server.requests[-1][1]["keep_alive"]).startswith("0"), True)
    run("models", "show", "lama/tiny")
    run("models", "show", "nobody/tiny", code=6)


@test
def providers_tell_who_answers():
    done = run("providers")
    for name in ("mock", "lama", "gone"):
        expect_in(name, done.out)
    items = {i["name"]: i for i in run_json("providers")["items"]}
    expect(items["lama"]["probe"]["state"], "ok")
    expect(items["gone"]["probe"]["state"] == "ok", False)
    expect(items["mock"]["key"], "set")
    expect(any("probe" in i for i in run_json("providers", "--no-probe")["items"]), False)
    expect("sk-PLANTED-very-secret" in done.out + done.err, False)


@test
def texts_become_vectors():
    expect(run("embed", "-m", "mock/vec", "abcd", "ab").out, "3\t0.5 0.5 -0.25\n3\t0.5 0.25 -0.25\n")
    expect(run("embed", "-m", "lama/vec", stdin=b"abcd\n\nab\n").out, "3\t0.5 0.5 -0.25\n3\t0.5 0.25 -0.25\n")
    (home / "abcd.txt").write_text("abcd")
    expect(run_json("embed", "-m", "mock/vec", "-a", "abcd.txt")["embeddings"], [[0.5, 0.5, -0.25]])
    run_error("embed", "-m", "mock/vec", kind="invalid_argument", code=2)


@test
def the_call_log_has_the_calls():
    run("-m", "mock/ok", "--session", "log-test", "hi")
    run("-m", "mock/auth", "--session", "log-test", "hi", code=4)
    rows = run_json("logs", "--session", "log-test")["items"]
    expect([r["outcome"] for r in rows], ["ok", "error"])
    expect(len(run_json("logs", "-n", "1")["items"]), 1)
    expect([r["kind"] for r in run_json("logs", "--session", "log-test", "--outcome", "error")["items"]], ["auth"])
    expect(run_json("logs", "--since", "2000-01-01", "--match", "log-test", "-m", "mock/auth")["items"][0]["model"], "auth")
    expect_in("mock/ok", run("logs").out)
    run_error("logs", "--since", "yesterday", kind="invalid_argument", code=2)


DECISION = {"policy": "cheapest", "chosen_because": "the cheapest", "input_tokens": 120, "candidates": [
    {"provider": "mock", "model": "ok", "engine": "openai-compatible", "local": True, "list": "main", "verdict": "taken",
     "why": "the cheapest", "cost_usd_micros": 123, "window": 4096, "in_flight": 2, "expected_ms": 1450},
    {"provider": "gone", "model": "x", "engine": "openai-compatible", "local": True, "list": "error",
     "verdict": "passed over", "why": "\x1b[31mthe breaker is open", "ready_in_ms": 4200, "cost_usd_micros": None,
     "window": None, "breaker": "open"}]}


def write_log(name, *rows):
    """A call log of its own with these rows, made by the program and filled by hand."""
    path = home / name
    run("--log", str(path), "-m", "builtin/extractive", "--request-id", "first", "hi")
    with sqlite3.connect(path) as db:
        for row in rows:
            names = ",".join(row)
            db.execute(f"INSERT INTO calls ({names}) VALUES ({','.join('?' * len(row))})", list(row.values()))
    db.close()
    return str(path)


def log_row(request_id, days_ago=0, **more):
    attempts = more.pop("attempts", [{"provider": "mock", "model": "ok", "started_ms": 0, "latency_ms": 12}])
    return {"ts_ms": int(time.time() - days_ago * 86400) * 1000, "request_id": request_id, "provider": "mock", "model": "ok", "outcome": "ok", "exact": 1,
            "latency_ms": 1500, "attempts": json.dumps(attempts), **more}


@test
def a_past_call_is_explained():
    attempts = [{"provider": "mock", "model": "ok", "key": 1, "kind": "rate_limit", "status": 429, "reason": "the cheapest",
                 "started_ms": 0, "latency_ms": 31},
                {"provider": "mock", "model": "ok", "key": 2, "reason": "the next key", "started_ms": 32, "latency_ms": 1200}]
    log = write_log("explain.db", log_row("abc-1", attempts=attempts, session="s-7", decision=json.dumps(DECISION), input=100,
                                          cached=60, output=20, cost_usd_micros=123, first_token_ms=300,
                                          prompt='{"model":"smart"}'),
                    log_row("hedged", cost_usd_micros=123, attempts=[{"provider": "mock", "model": "ok", "cost_usd_micros": None},
                                                                     {"provider": "lama", "model": "ok", "cost_usd_micros": 123}]),
                    log_row("abc-2", outcome="error", kind="server", message="bang"))
    text = run("--log", log, "explain", "abc-1").out
    for line in (r"request +abc-1", r"session +s-7", r"asked +model smart, about 120 tokens, policy cheapest",
                 r"TARGET +ENGINE +LOCAL +LIST +VERDICT +COST +WINDOW +EXPECTED +BUSY +READY IN +BREAKER +WHY",
                 r"mock/ok +openai-compatible +yes +- +taken +\$0.000123 +4096 +1.4 s +2 +- +- +the cheapest",
                 r"gone/x .* error +passed over +unknown .* 4.2 s +open +\^\[\[31mthe breaker is open",
                 r"chosen because: the cheapest", r"TRY +TARGET +KEY +ENDED +AFTER +TOOK +REASON",
                 r" +1 +mock/ok +1 +rate_limit 429 +0 ms +31 ms +the cheapest", r" +2 +mock/ok +2 +ok +32 ms +1.2 s +the next key",
                 r"outcome +ok", r"took +1.5 s, first after 300 ms", r"tokens +100 in \(60 cached\), 20 out", r"cost +\$0.000123"):
        if not re.search(f"^{line}$", text, flags=re.M):
            raise AssertionError(f"no {line!r} in\n{text}")
    expect(run_json("--log", log, "explain", "abc-1")["decision"], DECISION)
    expect_in("abc-2", run("--log", log, "explain", "last").out)
    expect_in("server", run("--log", log, "explain", "abc-2").out)
    expect_in("cost      unknown", run("--log", log, "explain", "abc-2").out)
    expect_in("cost      $0.000123, and 1 attempt of unknown cost", run("--log", log, "explain", "hedged").out)
    expect(run_json("--log", log, "explain", "fir")["request_id"], "first")
    expect_in("abc-1, abc-2", run_error("--log", log, "explain", "abc", kind="invalid_argument", code=2)["message"])
    run_error("--log", log, "explain", "nobody", kind="not_found", code=6)
    run_error("--log", str(home / "none.db"), "explain", "last", kind="not_found", code=6)
    expect_in("membrane run explain", run_error("explain", "this", "text", kind="invalid_argument", code=2)["hint"])


@test
def usage_is_summed_up():
    log = write_log("usage.db", log_row("a", 3, session="s", input=100, cached=60, output=20, cost_usd_micros=1500),
                    log_row("b", 1, model="big", input=300, output=40, cost_usd_micros=500),
                    log_row("c", 1, provider="lama", outcome="error", kind="server"))
    sums = run_json("--log", log, "usage", "--since", time.strftime("%Y-%m-%d", time.gmtime(time.time() - 9 * 86400)))
    days = sums["items"]  # three days ago, yesterday, today
    expect((days[0]["cost_usd_micros"], days[0]["cached"]), (1500, 60))
    expect((days[1]["calls"], days[1]["errors"], days[1]["cost_unknown"]), (2, 1, 1))
    expect((sums["total"]["calls"], sums["total"]["cost_usd_micros"], sums["total"]["cost_unknown"]), (4, 2000, 1))
    text = run("--log", log, "usage", "--by", "model").out
    for line in (r"MODEL +CALLS +ERRORS +IN +CACHED +OUT +COST", r"mock/ok +1 +0 +100 +60 +20 +\$0.001500", r"lama/ok +1 +1 +0 +0 +0 +1 unknown",
                 r"total +4 +1 +\d+ +60 +\d+ +\$0.002000 \+ 1 unknown", r"1 call of unknown cost is not in the sum of costs."):
        if not re.search(f"^{line}$", text, flags=re.M):
            raise AssertionError(f"no {line!r} in\n{text}")
    expect([i["key"] for i in run_json("--log", log, "usage", "--by", "provider", "--since", "1h")["items"]], ["builtin"])
    expect([i["key"] for i in run_json("--log", log, "usage", "--by=session")["items"]], [None, "s"])
    expect_in("day", run("usage", "--by", "dya", code=2).err)
    expect_in("one of day, model, provider, session", run_error("usage", "--by", "x", kind="invalid_argument", code=2)["hint"])
    run_error("usage", "--since", "yesterday", kind="invalid_argument", code=2)
    for env, sign in (({"LC_ALL": "C"}, "#"), ({"LC_ALL": "C.UTF-8"}, "█")):
        out, code = run_pty("--log", log, "usage", "--by", "model", "--since", "9d", env=env, stdout_only=True)
        bars = {line.split()[0]: line.count(sign) for line in out.decode().splitlines() if line.strip()}
        expect((code, bars["mock/ok"] > bars["mock/big"] > 0, bars["lama/ok"], bars["total"]), (0, True, 0, 0), out.decode())


@test
def providers_tell_how_their_keys_did():
    config = home / "keys.yaml"
    config.write_text("version: 1\nproviders:\n  many: {kind: openai-compatible, base_url: 'http://127.0.0.1:9/v1', api_keys: [a-1, b-2, c-3]}\n")
    def tried(*ends):
        return [{"provider": "many", "model": "m", "key": i + 1, **({"kind": kind} if kind else {})} for i, kind in enumerate(ends)]
    for ends, said in (((), "set, 3 keys"), (("auth", None), "1 of 3 keys ok, 1 not used yet"), (("rate_limit", "server", None), "2 of 3 keys ok")):
        log = write_log(f"keys-{len(ends)}.db", *([log_row("k", provider="many", attempts=tried(*ends))] if ends else []))
        expect_in(said, run("--config", str(config), "--log", log, "providers", "--no-probe").out)
        item = [i for i in run_json("--config", str(config), "--log", log, "providers", "--no-probe")["items"] if i["name"] == "many"][0]
        expect((item["keys"], [k.get("kind") for k in item.get("last", {}).get("keys", [])]), (3, list(ends)))


@test
def a_prompt_is_in_the_log_only_if_asked():
    run("-m", "mock/ok", "--session", "quiet", "whisper-1")
    run("-m", "mock/ok", "--session", "loud", "--log-prompt", "shout-2")
    expect("whisper-1" in json.dumps(run_json("logs", "--session", "quiet")), False)
    expect_in("shout-2", json.dumps(run_json("logs", "--session", "loud")))


@test
def following_the_log_shows_new_rows():
    process = subprocess.Popen([MEMBRANE, "logs", "-f", "--json", "--session", "follow"], stdout=subprocess.PIPE,
                               stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment(), cwd=home)
    run("-m", "mock/ok", "--session", "follow", "hi")
    ready = select.select([process.stdout], [], [], 20)[0]
    line = process.stdout.readline() if ready else b"{}"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    expect(json.loads(line).get("session"), "follow")
    expect(process.returncode, 130)


@test
def configuration_is_shown_with_its_origin():
    shown = run_json("config", "show")
    expect(shown["config"]["providers"]["lama"]["kind"], "ollama")
    out = run("config", "show", "--origin").out
    expect_in("providers.lama.kind", out)
    expect_in("config.yaml:", out)
    json.loads(run("config").out)
    expect("sk-PLANTED-very-secret" in out + json.dumps(shown), False, "secrets are not shown")


@test
def a_wrong_file_is_told_with_line_and_nearest_key():
    (home / "wrong.yaml").write_text("version: 1\nproviders:\n  a:\n    kind: ollama\n    base_ulr: http://x\n")
    error = run_error("config", "validate", "wrong.yaml", kind="config", code=2)
    expect_in("wrong.yaml:5", error["message"])
    expect_in("base_url", error["message"])
    expect(run_json("config", "validate", str(home / "config/membrane/config.yaml"))["ok"], True)
    expect_in("ok", run("config", "validate").out)
    run_error("--config", "wrong.yaml", "-m", "mock/ok", "hi", kind="config", code=2)
    run_error("--config", "nowhere.yaml", "-m", "mock/ok", "hi", kind="not_found", code=6)
    expect_in("or a time", run_error("--hedge=1x", "-m", "mock/ok", "hi", kind="invalid_argument", code=2)["hint"])


@test
def a_project_counts_once_it_is_trusted():
    project = home / "project"
    (project / ".membrane").mkdir(parents=True)
    (project / ".membrane" / "config.yaml").write_text("version: 1\nmodels:\n  local-name: {targets: [{target: mock/ok}]}\n")
    run("-m", "local-name", "hi", cwd=project, code=6)
    expect_in("not trusted", json.dumps(run_json("config", "path", cwd=project)))
    expect_in("project", run_json("config", "trust", cwd=project)["path"])
    expect(run("-m", "local-name", "hi", cwd=project).out, "Hello world\n")


# ---- budgets --------------------------------------------------------------------------------------------------------

@test
def budgets_are_set_listed_and_removed():
    log = ("--log", "budgets.db")
    expect_in("there are no budgets", run("budgets", *log).err)
    expect(run("budgets", "set", "key", "cloud#1", "day", "$5", *log).out, "key cloud#1 day: $5.00\n")
    expect(run_json("budgets", "set", "all", "month", "0.000001", *log)["usd_micros"], 1)
    run("budgets", "set", "key", "cloud#1", "day", "999999999.999999", *log)
    items = run_json("budgets", "list", *log)["items"]
    expect([(i["scope"], i["match"], i["period"], i["usd_micros"]) for i in items],
           [("all", None, "month", 1), ("key", "cloud#1", "day", 999999999999999)])
    expect_in("$999999999.999999", run("budgets", *log).out)
    run_json("budgets", "remove", "all", "month", *log)
    run_error("budgets", "remove", "all", "month", *log, kind="not_found", code=6)


def write_priced(name, budgets):
    (home / "prices.yaml").write_text("lists:\n  - providers: [openai-compatible]\n    date: '2026-11'\n    models:\n"
                                      "      - {model: ok, window: 10000, max_output: 1000, input: 1, output: 2}\n")
    (home / name).write_text(f"prices: prices.yaml\nproviders:\n  priced: {{kind: openai-compatible, base_url: {server.url}/v1}}\n"
                             f"budgets:\n{budgets}")
    return "--config", name, "--log", name + ".db"


@test
def what_a_call_costs_is_counted_and_a_call_that_costs_too_much_is_not_made():
    with_budget = write_priced("spend.yaml", "  - {scope: key, match: priced, period: total, usd_micros: 5000}\n")
    expect(run("-m", "priced/ok", "hi", *with_budget).out, "Hello world\n")
    expect(run("-m", "priced/ok", "hi", *with_budget).out, "Hello world\n")
    item = run_json("budgets", *with_budget)["items"][0]
    expect((item["settled"], item["unknown"], item["reserved"], item["left"]), (22, 0, 0, 4978))
    expect_in("priced  total   $0.005  $0.000022", run("budgets", *with_budget).out)
    asked = len(server.requests)
    error = run_error("-m", "priced/ok", "hi", "--max-tokens", "2600", *with_budget, kind="budget", code=5)
    expect_in("the budget of $0.005 in all for the keys priced together has $0.004978 left", error["message"])
    error = run_error("-m", "priced/broken", "hi", *with_budget, kind="budget", code=5)
    expect_in("nobody knows what a call of priced/broken costs at most", error["message"])
    expect(len(server.requests), asked)
    expect(run("-m", "lama/tiny", "hi", *with_budget).out, "Tiny answer\n")  # no key of priced


@test
def whom_a_budget_passed_over_is_told_afterwards():
    more = write_priced("passed.yaml", "  - {scope: key, match: priced, period: total, usd_micros: 1}\n"
                        "models:\n  both: {targets: [priced/ok, lama/tiny]}\n")
    expect(run("-m", "both", "hi", *more).out, "Tiny answer\n")
    row = run_json("explain", "last", *more)
    expect([c["verdict"] for c in row["decision"]["candidates"]], ["passed over", "taken"])
    expect_in("the budget of $0.000001 in all for the keys priced together", row["decision"]["candidates"][0]["why"])
    run_error("-m", "priced/ok", "hi", *more, kind="budget", code=5)
    expect(run_json("explain", "last", *more)["cost_usd_micros"], 0)  # nothing was sent
    expect(run_json("usage", *more)["total"]["cost_unknown"], 0)


@test
def a_wrong_budget_is_refused_with_what_would_be_right():
    for amount in ("5.", ".5", "-5", "5,0", "5.1234567", "1e3", "$", "", "9999999999", "five", "5 $"):
        expect_in("is no amount in dollars", run("budgets", "set", "all", "day", "--", amount, code=2).err)
    for words in (["all"], ["all", "day"], ["key", "a", "day", "5", "6"]):
        run("budgets", "set", *words, code=2)
    expect_in("scope: ", run("budgets", "set", "keys", "day", "5", code=2).err)
    expect_in("period: ", run("budgets", "set", "key", "week", "5", code=2).err)
    expect_in("match: ", run("budgets", "set", "all", "x", "day", "5", code=2).err)
    expect_in("SCOPE [MATCH] PERIOD", run("budgets", "remove", "all", code=2).err)


# ---- keys -----------------------------------------------------------------------------------------------------------

def own_ring(name):
    """An environment with a key ring of its own."""
    folder = home / f"ring-{name}"
    folder.mkdir(exist_ok=True)
    return {"XDG_CONFIG_HOME": str(folder)}, folder / "membrane" / "keys"


@test
def a_sealed_key_reaches_the_wire_and_nothing_else():
    env, ring = own_ring("wire")
    expect_in("empty", run("keys", env=env).err)
    done = run("keys", "set", "cloud", stdin=b"sk-PLANTED-sealed\n", env=env)
    expect_in("api_key: sealed:cloud", done.out)
    expect_in("master.key", done.err)
    (home / "key.txt").write_text("sk-PLANTED-file\r\n")
    expect(run_json("keys", "set", "other", "--file", "key.txt", env=env)["path"], str(ring))
    expect([i["name"] for i in run_json("keys", env=env)["items"]], ["cloud", "other"])
    expect(re.sub(r"\d", "9", run("keys", "list", env=env).out), "NAME   SET\ncloud  9999-99-99 99:99:99\nother  9999-99-99 99:99:99\n")
    (home / "sealed.yaml").write_text(f"providers:\n  c: {{kind: openai-compatible, base_url: {server.url}/v1, api_key: sealed:cloud}}\n"
                                      f"  o: {{kind: openai-compatible, base_url: {server.url}/v1, api_key: sealed:other}}\n")
    for model, key in (("c/ok", "sk-PLANTED-sealed"), ("o/ok", "sk-PLANTED-file")):
        expect(run("-m", model, "--config", "sealed.yaml", "hi", env=env).out, "Hello world\n")
        expect(server.requests[-1][2].get("Authorization"), f"Bearer {key}")
    expect_in("sealed:cloud", run("config", "show", "--config", "sealed.yaml", env=env).out)
    expect_in("2 keys, sealed with a key file", run("doctor", env=env, code=None).out)
    run("keys", "remove", "cloud", env=env)
    error = run_error("-m", "c/ok", "--config", "sealed.yaml", "hi", kind="config", code=2, env=env)
    expect((error["hint"], "sealed.yaml:2: " in error["message"]), ("membrane keys set cloud", True))
    run_error("keys", "remove", "cloud", kind="not_found", code=6, env=env)


@test
def a_value_is_never_an_argument():
    env, ring = own_ring("argument")
    for args in (["set", "cloud", "sk-PLANTED-argument"], ["sk-PLANTED-argument", "cloud", "set"]):
        done = run("keys", *args, code=2, env=env)
        expect("PLANTED" in done.out + done.err, False)
    expect_in("no value", run("keys", "set", "cloud", code=2, env=env).err)
    expect_in("no name", run("keys", "set", "a b", code=2, stdin=b"x", env=env).err)
    run("keys", "set", "cloud", "--file", "nowhere", code=6, env=env)
    run("keys", "set", code=2, env=env)
    expect_in("set", run("keys", "ste", code=2, env=env).err)
    expect(ring.exists(), False)


@test
def a_ring_that_cannot_be_read_says_what_to_do():
    env, ring = own_ring("broken")
    run("keys", "set", "cloud", stdin=b"sk-PLANTED-x", env=env)
    ring.chmod(0o644)
    expect(run_error("keys", kind="config", code=2, env=env)["hint"], f"chmod 600 {ring}")
    expect_in(f"fail key ring: {ring} may be read", run("doctor", code=1, env=env).out)
    ring.chmod(0o600)
    ring.write_text(ring.read_text().replace("cloud", "clown"))
    expect_in("was changed", run_error("keys", kind="config", code=2, env=env)["message"])
    ring.write_text("membrane-keys 2\n")
    run_error("keys", kind="newer_version", code=2, env=env)


def at_terminal(args, answers, env):
    """A session of its own whose terminal is asked; what it shows, and the exit code."""
    master, slave = pty.openpty()
    process = subprocess.Popen([MEMBRANE, *args], stdin=slave, stdout=slave, stderr=slave, env=environment(NO_COLOR="1", **env),
                               cwd=home, start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    os.close(slave)
    out, end = b"", time.monotonic() + 30
    try:
        while time.monotonic() < end:
            if answers and answers[0][0] in out and not termios.tcgetattr(master)[3] & termios.ECHO:
                os.write(master, answers.pop(0)[1])
            if select.select([master], [], [], 0.02)[0]:
                out += os.read(master, 65536)
    except OSError:  # EIO: the other side is closed
        pass
    echoes = bool(termios.tcgetattr(master)[3] & termios.ECHO)
    os.close(master)
    expect(echoes, True, "the echo is on again")
    return out, process.wait(timeout=10)


@test
def passphrase_and_value_are_typed_unseen():
    env, ring = own_ring("typed")
    out, code = at_terminal(["keys", "set", "cloud", "--passphrase"],
                            [(b"New passphrase", b"PLANTED words\n"), (b"Once more", b"PLANTED words\n"), (b"Value of cloud", b"sk-PLANTED-typed\n")], env)
    expect((code, b"PLANTED" in out), (0, False), repr(out))
    expect_in("argon2id", ring.read_text())
    (home / "typed.yaml").write_text(f"providers:\n  c: {{kind: openai-compatible, base_url: {server.url}/v1, api_key: sealed:cloud}}\n")
    ask = ["-m", "c/ok", "--config", "typed.yaml", "hi"]
    out, code = at_terminal(ask, [(b"Passphrase", b"PLANTED words\n")], env)
    expect((code, b"Hello world" in out, b"PLANTED" in out), (0, True, False), repr(out))
    expect(server.requests[-1][2].get("Authorization"), "Bearer sk-PLANTED-typed")
    out, code = at_terminal(ask, [(b"Passphrase", b"PLANTED wrong\n")], env)
    expect((code, b"does not open" in out), (4, True), repr(out))
    out, code = at_terminal(["keys", "remove", "cloud"], [(b"Passphrase", b"\x03")], env)  # Ctrl-C
    expect(code, 130, repr(out))
    expect(run(*ask, env={**env, "MEMBRANE_PASSPHRASE": "PLANTED words"}).out, "Hello world\n")
    expect_in("MEMBRANE_PASSPHRASE", run_error(*ask, kind="auth", code=4, env=env)["hint"])
    expect([i["name"] for i in run_json("keys", env=env)["items"]], ["cloud"])  # names need none
    out, code = at_terminal(["keys", "set", "x", "--passphrase"], [(b"New passphrase", b"one\n"), (b"Once more", b"two\n")], own_ring("differ")[0])
    expect((code, b"not the same" in out), (2, True), repr(out))


# ---- import ---------------------------------------------------------------------------------------------------------

def write_lite(*entries, more=""):
    (home / "lite.yaml").write_text("model_list:\n" + "".join(
        f"  - {{model_name: {name}, litellm_params: {{{params}}}}}\n" for name, params in entries) + more)


@test
def a_litellm_file_becomes_a_configuration_that_answers():
    write_lite(("chat", f"model: openai/broken, api_base: '{server.url}/v1', order: 1"),
               ("chat", f"model: ollama_chat/tiny, api_base: '{server.url}', order: 2"),
               more="router_settings: {num_retries: 0, cooldown_time: 5}\n")
    done = run("config", "import", "lite.yaml", "-o", "imported.yaml")
    expect(done.out, "")
    expect(done.err.splitlines(), ["lite.yaml:4: router_settings.cooldown_time: when a target is left alone, and for how long, is decided by the router itself"])
    expect(run("config", "validate", "imported.yaml").out, "imported.yaml: ok\n")
    result = run_json("-m", "chat", "--config", "imported.yaml", "hi")
    expect([a["model"] for a in result["attempts"]], ["broken", "tiny"])
    expect(result["text"], "Tiny answer")


@test
def an_import_replaces_no_file_unless_forced():
    write_lite(("a", "model: ollama/x"))
    (home / "kept.yaml").write_text("mine\n")
    error = run_error("config", "import", "lite.yaml", "--output", "kept.yaml", kind="conflict", code=1)
    expect_in("--force", error["hint"])
    expect((home / "kept.yaml").read_text(), "mine\n")
    run("config", "import", "lite.yaml", "--output", "kept.yaml", "--force")
    expect_in("kind: ollama", (home / "kept.yaml").read_text())
    expect([p.name for p in home.glob("kept.yaml*")], ["kept.yaml"])
    run("config", "import", "lite.yaml", "--output", "no/such/folder.yaml", code=1)


@test
def keys_of_an_import_are_sealed_if_asked():
    env, ring = own_ring("import")
    write_lite(("a", f"model: openai/ok, api_base: '{server.url}/v1', api_key: sk-PLANTED-import"))
    done = run("config", "import", "lite.yaml", env=env)
    expect(("PLANTED" in done.out + done.err, ring.exists()), (False, False))
    name = re.search(r"sealed:(\S+)", done.out).group(1)
    expect_in(f"membrane keys set {name}", done.err)
    imported = run_json("config", "import", "lite.yaml", "--with-keys", "-o", "sealed-import.yaml", env=env)
    expect((imported["keys"], imported["warnings"]), ([{"name": name, "stored": True}], []))
    expect("PLANTED" in json.dumps(imported) + (home / "sealed-import.yaml").read_text(), False)
    run("-m", "a", "--config", "sealed-import.yaml", "hi", env=env)
    expect(server.requests[-1][2].get("Authorization"), "Bearer sk-PLANTED-import")
    expect_in("which stays", run("config", "import", "lite.yaml", "--with-keys", env=env).err)


@test
def what_is_no_litellm_file_is_refused():
    (home / "lite.yaml").write_text("providers: {}\n")
    expect_in("no model_list", run_error("config", "import", "lite.yaml", kind="config", code=2)["message"])
    (home / "lite.yaml").write_text("model_list: [\n")
    expect_in("lite.yaml:2", run_error("config", "import", "lite.yaml", kind="config", code=2)["message"])
    (home / "lite.yaml").write_text("")
    run_error("config", "import", "lite.yaml", kind="config", code=2)
    run_error("config", "import", "nowhere.yaml", kind="not_found", code=6)
    run_error("config", "import", kind="invalid_argument", code=2)


@test
def the_doctor_exits_with_1_if_something_fails():
    report = run_json("doctor", code=None)
    expect({i["state"] for i in report["items"]} <= {"ok", "warn", "fail"}, True)
    expect(run("doctor", code=None).returncode, 0 if report["ok"] else 1)


@test
def every_verb_has_help():
    for verb in VERBS:
        text = run("help", verb).out
        expect(run(verb, "--help").out, text)
        expect(text.startswith(f"usage: membrane {verb}"), True)
        expect(max(len(line) for line in text.splitlines()) <= 100, True, verb)
        expect(run_json("help", verb)["name"], verb)
        expect_in(verb, run("help").out)
    expect([i["name"] for i in run_json("help")["items"]], VERBS)


@test
def manual_pages_are_clean():
    linter = next((c for c in (["mandoc", "-T", "lint", "-W", "warning"], ["groff", "-man", "-Tutf8", "-ww", "-z"]) if shutil.which(c[0])), None)
    if not linter:
        raise Skip("neither mandoc nor groff")
    for verb in [[], *([v] for v in VERBS)]:
        page = run("help", "--man", *verb).stdout
        done = subprocess.run(linter, input=page, capture_output=True, check=False)
        expect(done.stdout + done.stderr, b"", f"{linter[0]} {verb}")


@test
def completions_are_read_by_their_shells():
    for shell in ("bash", "zsh", "fish"):
        script = run("completion", shell).stdout
        expect(run_json("completion", shell)["text"].encode(), script)
        if shutil.which(shell):
            done = subprocess.run([shell, "-n"], input=script, capture_output=True, check=False)
            expect((done.returncode, done.stderr), (0, b""), shell)


@test
def bash_completes_verbs_options_and_values():
    def complete(*words):
        script = ("source <(\"$0\" completion bash); COMP_WORDS=(membrane \"$@\"); COMP_CWORD=$#; _membrane; "
                  "printf '%s\\n' \"${COMPREPLY[@]}\"")
        return subprocess.run(["bash", "-c", script, MEMBRANE, *words], capture_output=True, text=True, env=environment(),
                              cwd=home, check=True).stdout.split()
    expect(complete("mod"), ["models"])
    expect("--model" in complete("--mod"), True)
    expect(complete("models", "lo"), ["load"])
    expect(complete("--think", "h"), ["high"])
    expect(complete("completion", "f"), ["fish"])
    expect("--origin" in complete("config", "--"), True)
    expect("--origin" in complete("run", "--"), False)


@test
def the_example_that_embeds_runs():
    program = pathlib.Path(BUILD) / "examples" / "embed" / "example-embed"
    if not program.exists():
        raise Skip("the examples are not built")
    done = subprocess.run([program, "mock/vec"], capture_output=True, text=True, env=environment(), check=False)
    expect((done.returncode, done.stdout.startswith("3 dimensions, cosine ")), (0, True), done.stderr)


# ---- the page -------------------------------------------------------------------------------------------------------

@test
def the_version_is_told():
    expect_in("membrane 0.", run("version").out)
    expect(run("--version").out, run("version").out)
    expect("version" in run_json("version"), True)


@test
def every_command_of_the_guide_runs():
    page = pathlib.Path(SOURCE) / "docs" / "guide" / "cli.md"
    folder = home / "guide"
    folder.mkdir()
    (folder / "membrane").symlink_to(MEMBRANE)
    (folder / "tides.txt").write_text("The moon pulls the sea. That makes the tides. Fish swim.\n")
    env = environment(PATH=f"{folder}:{os.environ['PATH']}", MOCK=server.url)
    for block in re.findall(r"```console\n(.*?)```", page.read_text(), flags=re.S):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, want = part.partition("\n")
            done = subprocess.run(["bash", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, env=env, cwd=folder, check=False, timeout=60)
            pattern = ".*".join(re.escape(p) for p in want.split("…"))
            if not re.fullmatch(pattern, done.stdout, flags=re.S):
                raise AssertionError(f"$ {command}\n{done.stdout}\ninstead of\n{want}")


def main():
    pattern = sys.argv[4] if len(sys.argv) > 4 else ""
    chosen = [t for t in TESTS if pattern in t.__name__]
    write_home()
    failed = 0
    for number, function in enumerate(chosen, 1):
        name = function.__name__.replace("_", " ")
        try:
            function()
            print(f"ok {number} - {name}", flush=True)
        except Skip as why:
            print(f"ok {number} - {name} # SKIP {why}", flush=True)
        except (AssertionError, KeyError, IndexError, ValueError, OSError, subprocess.SubprocessError) as problem:
            failed = 1
            print(f"not ok {number} - {name}", flush=True)
            print("\n".join(f"# {line}" for line in f"{type(problem).__name__}: {problem}".splitlines()[:20]), flush=True)
    print(f"1..{len(chosen)}")
    server.release.set()
    shutil.rmtree(home, ignore_errors=True)
    return failed


sys.exit(main())
