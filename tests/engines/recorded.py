#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""recorded.py DRIVER DIR: every exchange recorded from a real engine, under DIR/engines (or DIR), is played to the
public API over a socket, byte for byte and cut where it was cut; what comes out is compared with what decode.py makes of
the same bytes. Exchanges for which we have no question are named. The last line is "N passed, N failed".
"""
import glob
import json
import os
import socket
import struct
import subprocess
import sys
import threading

import decode

OPENAI_KINDS = {"llama-server": "llamacpp", "llama-server-router": "llamacpp", "llama-cpp-python": "llama-cpp-python",
                "litellm": "litellm", "ollama": "openai-compatible"}
CALL, EMBED, COMPLETION = "chat", "embed", "completion"

# What is asked: (method, the path's end): (question, the kind's name or None for the engine's own, decoder, request kind).
QUESTIONS = {
    ("POST", "/v1/chat/completions"): ("call", None, decode.read_openai, CALL),
    ("POST", "/v1/completions"): ("call", None, decode.read_openai, COMPLETION),
    ("POST", "/v1/embeddings"): ("call", None, decode.read_vectors, EMBED),
    ("POST", "/v1/messages"): ("call", "anthropic-compatible", decode.read_anthropic, CALL),
    ("POST", "/v1/responses"): ("call", "openai-responses", decode.read_responses, CALL),
    ("POST", "/api/chat"): ("call", "ollama", decode.read_ollama, CALL),
    ("POST", "/api/generate"): ("call", "ollama", decode.read_ollama, COMPLETION),
    ("POST", "/api/embed"): ("call", "ollama", decode.read_vectors, EMBED),
    ("POST", "/api/show"): ("show", "ollama", decode.read_show, None),
    ("GET", "/v1/models"): ("models", None, decode.read_models, None),
    ("GET", "/models"): ("models", None, decode.read_models, None),
    ("GET", "/api/tags"): ("models", "ollama", decode.read_models, None),
}
# Why there is no question of ours: by the path, the first that matches.
LEFT_OUT = [("/nothing", "a path that nobody serves"), ("/api/nothing", "a path that nobody serves"),
            ("GET /api/chat", "a wrong method"), ("GET /v1/chat", "a wrong method"), ("GET /", "a page"),
            ("/health", "a state, told by the provider list together with other pages"),
            ("/props", "asked beside the model list"), ("/model/info", "a page of the proxy's own"),
            ("/slots", "asked beside the provider list"), ("/metrics", "passed on as text"),
            ("/api/ps", "asked beside the model list"), ("/api/version", "asked beside the provider list"),
            ("/models/", "an order to the router, answered without a result"), ("/api/pull", "we install no models"),
            ("/api/create", "we install no models"), ("/api/delete", "we install no models"),
            ("/api/embeddings", "the old form of /api/embed"), ("/embedding", "the engine's own form of /v1/embeddings"),
            ("/completion", "the engine's own form of /v1/completions"), ("/apply-template", "no function of ours"),
            ("tokenize", "a count is taken from it, no result")]
FINISHES = {"stop": "stop", "end_turn": "stop", "length": "length", "max_tokens": "length", "tool_calls": "tool_calls",
            "tool_use": "tool_calls", "load": "stop", "unload": "stop"}


class Player:
    """Answers one path with recorded bytes, in their recorded pieces, and everything else with 404."""

    def __init__(self):
        self.sock = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.sock.getsockname()[1]
        self.exchange = None
        self.asked = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            client, _ = self.sock.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with client:
                try:
                    self.answer(client)
                except OSError:
                    pass

    def answer(self, client):
        data = b""
        while b"\r\n\r\n" not in data:
            data += client.recv(65536) or b"\r\n\r\n"
        head, _, body = data.partition(b"\r\n\r\n")
        lower = head.lower()
        length = int(lower.split(b"content-length:")[1].split(b"\r\n")[0]) if b"content-length:" in lower else 0
        while len(body) < length:
            body += client.recv(65536)
        path = head.split(b" ")[1].decode() if b" " in head else ""
        self.asked.append(path)
        x = self.exchange
        if path.partition("?")[0] != x.path:
            client.sendall(b"HTTP/1.1 404 X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            return
        at = 0
        for size in x.pieces + [len(x.raw)]:
            if at < len(x.raw):
                client.sendall(x.raw[at:at + size])
            at += size
        if x.is_reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def request_for(x, kind):
    """Our own question of that kind: what was asked does not matter to an answer that is already there."""
    if kind is None:
        return "p/m"
    request = {"model": "p/m"}
    if kind == EMBED:
        texts = x.body.get("input", "x")
        return json.dumps({**request, "kind": "embed", "input": ["x"] * (len(texts) if isinstance(texts, list) else 1)})
    request["stream"] = x.is_stream
    if kind == COMPLETION:
        return json.dumps({**request, "kind": "completion", "prompt": "x"})
    return json.dumps({**request, "messages": [{"role": "user", "content": "x"}]})


def expected(x, read):
    """The meaning of a recording, its error included."""
    if x.status >= 400:
        m = decode.Meaning()
        m.kinds = decode.kinds_of(x.status, x.content)
        return m
    if not x.is_whole and not x.is_stream:
        m = decode.Meaning()
        m.failed("response_invalid", "connect")
        return m
    m = read(x)
    if m.kinds is None and not m.is_complete:
        m.failed("stream_truncated")
    return m


def same_arguments(a, b):
    try:
        return json.loads(a or "{}") == json.loads(b or "{}")
    except ValueError:
        return a == b


def compare_error(m, got, status):
    error = got["error"]
    if not error:
        return [f"no error, not {sorted(m.kinds)}"]
    why = []
    if error["kind"] not in m.kinds:
        why.append(f"the error is {error['kind']}, not one of {sorted(m.kinds)}: {error['message']}")
    if status >= 400 and error.get("status") != status:
        why.append(f"the error's status is {error.get('status')}, not {status}")
    if m.text and error.get("partial") != m.text:
        why.append(f"the text so far is {error.get('partial')!r}, not {m.text!r}")
    return why


def compare_answer(m, got):
    if got["error"]:
        return [f"error {got['error']['kind']}: {got['error']['message']}"]
    r, why = got["result"], []
    for key in ("text", "thinking"):
        if (r.get(key) or "") != getattr(m, key):
            why.append(f"{key} is {r.get(key)!r}, not {getattr(m, key)!r}")
    calls = [(c["function"]["name"], c["function"]["arguments"]) for c in r.get("tool_calls") or []]
    if [c[0] for c in calls] != [c[0] for c in m.calls] or not all(same_arguments(a[1], b[1]) for a, b in zip(calls, m.calls)):
        why.append(f"tool calls are {calls}, not {m.calls}")
    finish = "tool_calls" if m.calls and m.finish == "stop" else FINISHES.get(m.finish, m.finish)
    if m.finish and r.get("finish") != finish:
        why.append(f"finish is {r.get('finish')}, not {finish}")
    for key, want in zip(("input", "output"), m.usage):
        if want is not None and (r.get("usage") or {}).get(key) != want:
            why.append(f"usage.{key} is {(r.get('usage') or {}).get(key)}, not {want}")
    if not got["same"]:
        why.append("the events have another text than the result")
    return why


def compare(m, got, question, x):
    if m.kinds is not None:
        return compare_error(m, got, x.status)
    if m.vectors is not None:
        mine = (got["vectors"], got["dims"])
        return [] if mine == m.vectors else [f"vectors are {mine}, not {m.vectors}: {got['error']}"]
    if m.models is None:
        return compare_answer(m, got)
    if got["error"]:
        return [f"error {got['error']['kind']}: {got['error']['message']}"]
    text = json.dumps(got["result"], ensure_ascii=False)
    return [f"{name!r} is missing in {text[:300]}" for name in m.models if json.dumps(name, ensure_ascii=False) not in text]


def play(driver, player, x, engine, row):
    question, kind, read, request = row
    config = {"providers": {"p": {"kind": kind or OPENAI_KINDS[engine], "api_key": "sk-PLANTED-test",
                                  "base_url": f"http://127.0.0.1:{player.port}" + ("/v1" if x.path.startswith("/v1/") else "")}}}
    player.exchange, player.asked = x, []
    driver.stdin.write(f"{question}\n{json.dumps(config)}\n{request_for(x, request)}\n")
    driver.stdin.flush()
    line = driver.stdout.readline()
    if not line:
        return [f"the driver is gone: {driver.poll()}"]
    why = compare(expected(x, read), json.loads(line), question, x)
    if x.path not in [path.partition("?")[0] for path in player.asked]:
        why.append(f"{x.path} was not asked, but {player.asked}")
    return why


def reason_for(what):
    for part, reason in LEFT_OUT:
        if part == what or (part != "GET /" and part in what):
            return reason
    return "no question of ours"


def main(program, folder):
    inner = os.path.join(folder, "engines")
    files = sorted(glob.glob(os.path.join(inner if os.path.isdir(inner) else folder, "*", "*.txt")))
    driver = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    player, passed, failed, left_out = Player(), {}, {}, {}
    for path in files:
        engine, name = path.split(os.sep)[-2], os.path.basename(path)[:-4]
        x = decode.Exchange(path)
        row = QUESTIONS.get((x.method, x.path))
        if engine not in OPENAI_KINDS or not row:
            left_out.setdefault(f"{x.method} {x.path}", []).append(f"{engine}/{name}")
            continue
        why = play(driver, player, x, engine, row)
        if why:
            print(f"FAIL {engine}/{name} ({x.method} {x.path}): {'; '.join(why)}")
        counts = failed if why else passed
        counts[engine] = counts.get(engine, 0) + 1
    driver.stdin.close()
    driver.wait()
    for engine in sorted(set(passed) | set(failed)):
        print(f"{engine:20} {passed.get(engine, 0):4} passed {failed.get(engine, 0):4} failed")
    for what, names in sorted(left_out.items()):
        print(f"left out: {what}, {reason_for(what)} ({len(names)}): {' '.join(names)}")
    good, bad = sum(passed.values()), sum(failed.values())
    print(f"{sum(map(len, left_out.values()))} left out\n{good} passed, {bad} failed")
    return 0 if good and not bad else 1


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: recorded.py DRIVER DIR")
    sys.exit(main(sys.argv[1], sys.argv[2]))
