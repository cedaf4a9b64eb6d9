#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A server that misbehaves on purpose: OpenAI's SSE and Ollama's NDJSON over real sockets, down to the byte.

It prints its port and the port of a trap (nobody may ever connect there), and ends when its stdin is closed. The model's
name in a request says what goes wrong: NAME or NAME#ANYTHING, where the whole text counts its requests (for "fails at
first, then works"). GET /__log?MODEL tells {"requests", "bytes", "sent", "keys", "trapped"}.
"""
import email.utils
import json
import os
import re
import socket
import struct
import sys
import threading
import time

PIECES = ["Hello ", "from ", "here."]
lock = threading.Lock()
log = {}  # model: what came for it
trapped = 0


class Gone(Exception):
    """The other side has closed."""


class Client:
    """One connection: bytes in, bytes out, and the ways to end it."""

    def __init__(self, sock):
        self.sock = sock
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data = b""
        self.model = ""
        self.wire = "openai"
        self.stream = False
        self.key = ""

    def more(self):
        got = self.sock.recv(65536)
        if not got:
            raise Gone
        self.data += got

    def request(self):
        """The next request's (path, body); None when the client has closed."""
        while b"\r\n\r\n" not in self.data:
            self.more()
        head, self.data = self.data.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        fields = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
        length = int(fields.get("content-length", 0))
        while len(self.data) < length:
            self.more()
        body, self.data = self.data[:length], self.data[length:]
        self.key = fields.get("authorization", "")
        return lines[0].split(" ")[1], body

    def put(self, data):
        if isinstance(data, str):
            data = data.encode()
        self.sock.sendall(data)
        with lock:
            log.setdefault(self.model, new_entry())["sent"] += len(data)

    def close(self):
        raise Gone

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Gone

    def hang(self):
        """Until the client goes away; what it says is not answered."""
        while True:
            self.more()
            self.data = b""

    # ---- answers

    def head(self, status=200, kind=None, *fields):
        kind = kind or ("application/json" if not self.stream else
                        "text/event-stream" if self.wire == "openai" else "application/x-ndjson")
        lines = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", *fields]
        self.put("\r\n".join(lines) + "\r\n\r\n")

    def whole(self, status, body, kind="application/json", *fields):
        body = body.encode() if isinstance(body, str) else body
        self.head(status, kind, f"Content-Length: {len(body)}", *fields)
        self.put(body)

    def chunk(self, data):
        data = data.encode() if isinstance(data, str) else data
        self.put(b"%x\r\n" % len(data) + data + b"\r\n")

    def frame(self, value):
        """One event of a stream, as bytes; text is taken as it is."""
        text = value if isinstance(value, str) else json.dumps(value)
        return f"data: {text}\n\n" if self.wire == "openai" else text + "\n"

    def delta(self, text, **more):
        if self.wire == "openai":
            return self.frame({"id": "c1", "object": "chat.completion.chunk", "model": "fault",
                               "choices": [{"index": 0, "delta": {"content": text, **more}, "finish_reason": None}]})
        return self.frame({"model": "fault", "message": {"role": "assistant", "content": text, **more}, "done": False})

    def finish(self, reason="stop"):
        if self.wire == "openai":
            return self.frame({"id": "c1", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
        return self.frame({"model": "fault", "message": {"role": "assistant", "content": ""}, "done": True,
                           "done_reason": reason, "prompt_eval_count": 7, "eval_count": 3})

    def tail(self):
        if self.wire == "ollama":
            return ""
        return self.frame({"id": "c1", "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3,
                                                                "total_tokens": 10}}) + "data: [DONE]\n\n"

    def answer(self):
        """A whole answer's body, streamed or not."""
        if self.stream:
            return "".join(map(self.delta, PIECES)) + self.finish() + self.tail()
        return self.message({"content": "".join(PIECES)})

    def message(self, message, reason="stop"):
        message = {"role": "assistant", "content": "", **message}
        if self.wire == "ollama":
            return json.dumps({"model": "fault", "message": message, "done": True, "done_reason": reason,
                               "prompt_eval_count": 7, "eval_count": 3})
        return json.dumps({"id": "c1", "model": "fault", "choices": [{"index": 0, "message": message,
                                                                      "finish_reason": reason}],
                           "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}})

    def begin(self, *fields):
        """The header of a chunked answer and what stands before the fault: two pieces, or half a body."""
        self.head(200, None, "Transfer-Encoding: chunked", *fields)
        if self.stream:
            self.chunk(self.delta(PIECES[0]))
            self.chunk(self.delta(PIECES[1]))
        else:
            self.chunk(self.answer()[:20])


# ---- what goes wrong: one function a name, "_" for "-"; the rest of a name after "--" is its argument ----------------

def good(c, _):
    c.whole(200, c.answer(), "text/event-stream" if c.stream and c.wire == "openai" else "application/json"
            if not c.stream else "application/x-ndjson")


def pieces(c, count):
    """A good stream of COUNT pieces, each a chunk."""
    c.head(200, None, "Transfer-Encoding: chunked")
    for i in range(int(count)):
        c.chunk(c.delta(f"{i} "))
    c.chunk(c.finish() + c.tail())
    c.put("0\r\n\r\n")


def slow(c, ms):
    """A piece each so many ms, for ever."""
    c.head(200, None, "Transfer-Encoding: chunked")
    while True:
        c.chunk(c.delta("tick "))
        time.sleep(int(ms) / 1000)


def flood(c, mib):
    c.head(200, None, "Transfer-Encoding: chunked")
    piece = c.delta("x" * 16000)
    for _ in range(int(mib) * 64):
        c.chunk(piece)
    c.chunk(c.finish() + c.tail())
    c.put("0\r\n\r\n")


def cut_length(c, _):
    text = c.answer()
    c.head(200, None, f"Content-Length: {len(text) + 1000}")
    c.put(c.delta(PIECES[0]) + c.delta(PIECES[1]) if c.stream else text[:30])
    c.close()


def cut_chunk(c, _):
    c.begin()
    c.put("400\r\n" + (c.delta(PIECES[2])[:10] if c.stream else "0"))
    c.close()


def cut_close(c, _):
    c.head(200, None, "Connection: close")
    c.put(c.delta(PIECES[0]) + c.delta(PIECES[1]) if c.stream else c.answer()[:30])
    c.close()


def cut_header(c, _):
    c.put("HTTP/1.1 200 OK\r\nContent-Ty")
    c.close()


def reset_before(c, _):
    c.reset()


def reset_header(c, _):
    c.put("HTTP/1.1 200 OK\r\nContent-Ty")
    c.reset()


def reset_mid(c, _):
    c.begin()
    time.sleep(0.05)  # a reset takes along what the other side has not read yet
    c.reset()


def type_png(c, _):
    c.whole(200, b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "image/png")


def type_text(c, _):
    """Right bytes under a wrong name."""
    c.whole(200, c.answer(), "text/plain")


def html(c, _):
    c.whole(200, "<!doctype html><html><body>Please log in.</body></html>", "text/html; charset=utf-8")


def bad_json(c, _):
    body = c.delta(PIECES[0]) + c.frame('{"choices":[{"delta":{"content":"x"') if c.stream else '{"choices":[{'
    c.whole(200, body, "text/event-stream" if c.stream else "application/json")


def other_json(c, _):
    c.whole(200, c.frame([1, 2, 3]) if c.stream else "[1,2,3]", None)


def line_100mb(c, _):
    c.head(200, None, "Transfer-Encoding: chunked")
    c.chunk('data: {"choices":[{"delta":{"content":"' if c.wire == "openai" else '{"message":{"content":"')
    for _ in range(100):
        c.chunk(b"x" * (1 << 20))
    c.chunk('"}}]}\n\n')
    c.put("0\r\n\r\n")


def headers_10000(c, _):
    c.put("HTTP/1.1 200 OK\r\n" + "".join(f"X-Header-{i}: {'v' * 40}\r\n" for i in range(10000)))
    c.put("Content-Length: 2\r\n\r\n{}")


def bytewise(c, _):
    text = c.answer().encode()
    c.head(200, None, "Connection: close")
    for i in range(len(text)):
        c.put(text[i:i + 1])
    c.close()


def length_small(c, _):
    text = c.answer()
    c.head(200, None, "Content-Length: 40")
    c.put(text)
    c.close()


def length_is(c, text):
    c.head(200, None, f"Content-Length: {text}")
    c.put(c.answer())
    c.close()


def silent(c, _):
    c.hang()


def keepalive(c, _):
    c.head(200, None, "Transfer-Encoding: chunked")
    while True:
        c.chunk(": ping\n\n" if c.stream and c.wire == "openai" else "\n")
        time.sleep(0.02)


def keepalive_mid(c, _):
    c.begin()
    while True:
        c.chunk(": ping\n\n" if c.stream and c.wire == "openai" else "\n")
        time.sleep(0.02)


def stall(c, _):
    c.begin()
    c.hang()


def empty(c, _):
    c.whole(200, "", None)


def status_204(c, _):
    c.put("HTTP/1.1 204 No Content\r\n\r\n")


def redirect(c, status):
    c.whole(int(status), "", "text/html", f"Location: http://127.0.0.1:{trap_port}/v1/chat/completions")


def status(c, argument):
    """--CODE-FORM, FORM one of json, text, html, empty."""
    code, form = argument.split("-", 1)
    body, kind = {"json": (json.dumps({"error": {"message": f"status {code} it is"}}), "application/json"),
                  "text": (f"status {code} it is", "text/plain"), "empty": ("", "text/plain"),
                  "html": (f"<html><title>{code}</title></html>", "text/html")}[form]
    if c.wire == "ollama" and form == "json":
        body = json.dumps({"error": f"status {code} it is"})
    c.whole(int(code), body, kind)


def error_code(c, argument):
    """--STATUS-CODE: an error object with OpenAI's code."""
    number, code = argument.split("-", 1)
    c.whole(int(number), json.dumps({"error": {"message": "no", "type": code, "code": code}}))


def retry(c, argument):
    """--STATUS-HOW: refuses once, with retry-after said as HOW, then works."""
    number, how = argument.split("-")
    fields = {"s": "Retry-After: 1", "ms": "retry-after-ms: 150", "none": "X-None: 1",
              "date": "Retry-After: " + email.utils.formatdate(time.time() + 1.5, usegmt=True),
              "long": "Retry-After: 3600"}
    if count(c) <= 1:
        return c.whole(int(number), '{"error":{"message":"not now"}}', "application/json", fields[how])
    return good(c, _=None)


def overloaded(c, _):
    c.whole(503, '{"error":{"message":"The server is overloaded","type":"overloaded_error"}}')


def loading(c, times):
    if count(c) <= int(times):
        return c.whole(503, '{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}')
    return good(c, None)


def first_key_refused(c, _):
    if "second" in c.key:
        return good(c, None)
    return c.whole(401, '{"error":{"message":"Incorrect API key provided","code":"invalid_api_key"}}')


def echo_key(c, argument):
    text = f"key {c.key.split(' ')[-1]} is refused"
    if argument == "stream":
        c.head(200, None, "Connection: close")
        c.put(c.delta(PIECES[0]) + c.frame({"error": {"message": text}} if c.wire == "openai" else {"error": text}))
        c.close()
    c.whole(int(argument), json.dumps({"error": {"message": text, "type": "x", "code": c.key.split(" ")[-1]}}),
            "application/json", f"x-request-id: id-{c.key.split(' ')[-1]}")


def echo_key_html(c, _):
    c.whole(200, f"<html>{c.key}</html>", "text/html")


def inband_error(c, _):
    c.head(200, None, "Connection: close")
    c.put(c.delta(PIECES[0]) + c.frame({"error": {"message": "the model has crashed", "type": "server_error"}}
                                       if c.wire == "openai" else {"error": "the model has crashed"}))
    c.close()


def gzip(c, _):
    c.whole(200, b"\x1f\x8b\x08\x00garbage that is no gzip", None, "Content-Encoding: gzip")


def http_09(c, _):
    c.put(c.answer())
    c.close()


def continue_100(c, _):
    c.put("HTTP/1.1 100 Continue\r\n\r\n")
    good(c, None)


def hints_103(c, _):
    c.put("HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n")
    good(c, None)


def chunk_extensions(c, _):
    c.head(200, None, "Transfer-Encoding: chunked", "Trailer: X-After")
    text = c.answer().encode()
    c.put(b"%x;name=value;other=\"quoted\"\r\n" % len(text) + text + b"\r\n0;last\r\nX-After: 1\r\n\r\n")


def chunk_absurd(c, _):
    c.begin()
    c.put("FFFFFFFFFFFFFFFFF\r\nx")
    c.close()


def done_twice(c, _):
    c.head(200, None, "Connection: close")
    c.put(c.answer() + c.tail() + (c.finish() if c.wire == "ollama" else "data: [DONE]\n\n"))
    c.close()


def after_done(c, _):
    c.head(200, None, "Connection: close")
    c.put(c.answer() + c.delta("never to be seen") + "data: {broken\n\n")
    c.close()


def finish_no_done(c, _):
    c.head(200, None, "Connection: close")
    c.put("".join(map(c.delta, PIECES)) + c.finish())
    c.close()


def finish_then_reset(c, _):
    c.head(200, None, "Transfer-Encoding: chunked")
    c.chunk("".join(map(c.delta, PIECES)) + c.finish())
    time.sleep(0.05)
    c.reset()


def open_after_done(c, _):
    c.head(200, None, "Transfer-Encoding: chunked")
    c.chunk(c.answer())
    c.hang()


def bad_utf8(c, _):
    text = c.answer().encode().replace(b"from", b"fr\xffom")
    c.whole(200, text, "text/event-stream" if c.stream else "application/json")


def surrogate(c, _):
    c.whole(200, c.answer().replace("from", "fr\\ud800om"), "text/event-stream" if c.stream else "application/json")


def deep(c, _):
    text = '{"choices":' + "[" * 5000 + "]" * 5000 + "}"
    c.whole(200, c.frame(text) if c.stream else text, "text/event-stream" if c.stream else "application/json")


def call(index, name="look", arguments='{"a":1}', wire="openai"):
    if wire == "ollama":
        return {"function": {"name": name, "arguments": {"a": index}}}
    return {"index": index, "id": f"call_{index}", "type": "function", "function": {"name": name, "arguments": arguments}}


def calls(c, number):
    items = [call(i, wire=c.wire) for i in range(int(number))]
    if not c.stream:
        return c.whole(200, c.message({"tool_calls": items}, "tool_calls"))
    c.head(200, None, "Connection: close")
    for at in range(0, len(items), 100):
        c.put(c.delta("", tool_calls=items[at:at + 100]))
    c.put(c.finish("tool_calls") + c.tail())
    return c.close()


def call_cut(c, _):
    """The arguments stop in the middle, and the finish says so (Ollama sends whole calls only)."""
    item = call(0, arguments='{"a":"half of', wire=c.wire)
    if not c.stream:
        return c.whole(200, c.message({"tool_calls": [item]}, "length"))
    c.head(200, None, "Connection: close")
    c.put(c.delta("", tool_calls=[item]) + c.finish("length") + c.tail())
    return c.close()


def same_index(c, _):
    items = [call(0), {**call(0, "other"), "id": "call_b"}]
    c.head(200, None, "Connection: close")
    c.put(c.delta("", tool_calls=items[:1]) + c.delta("", tool_calls=items[1:]) + c.finish("tool_calls") + c.tail())
    c.close()


# ---- the server --------------------------------------------------------------------------------------------------------

def new_entry():
    return {"requests": 0, "bytes": 0, "sent": 0, "keys": []}


def count(c):
    with lock:
        return log[c.model]["requests"]


def tell(c, model):
    with lock:
        text = json.dumps({**log.get(model, new_entry()), "trapped": trapped})
    c.whole(200, text)


def models(c, path):
    names = ["good"]
    if path == "/api/tags":
        return c.whole(200, json.dumps({"models": [{"name": n, "model": n} for n in names]}))
    if path == "/api/version":
        return c.whole(200, '{"version":"0.0.1"}')
    if path == "/api/ps":
        return c.whole(200, '{"models":[]}')
    if path.endswith("/models"):
        return c.whole(200, json.dumps({"data": [{"id": n, "object": "model"} for n in names]}))
    return c.whole(404, '{"error":{"message":"nothing is here"}}')


def embed(c, body):
    texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
    vectors = [[0.5, 0.25] for _ in texts]
    if c.wire == "ollama":
        return c.whole(200, json.dumps({"model": "fault", "embeddings": vectors, "prompt_eval_count": 2}))
    return c.whole(200, json.dumps({"data": [{"index": i, "embedding": v} for i, v in enumerate(vectors)],
                                    "usage": {"prompt_tokens": 2, "total_tokens": 2}}))


def one(c):
    path, data = c.request()
    if path.startswith("/__log"):
        c.model = "__log"
        return tell(c, path.partition("?")[2])
    body = json.loads(data or b"{}")
    c.model = str(body.get("model", ""))
    c.wire = "ollama" if path.startswith("/api/") else "openai"
    c.stream = bool(body.get("stream", False))
    with lock:
        entry = log.setdefault(c.model, new_entry())
        entry["requests"] += 1
        entry["bytes"] += len(data)
        entry["keys"].append(c.key)
    if path.endswith("/embeddings") or path == "/api/embed":
        return embed(c, body)
    if path.startswith("/echo/"):
        return echo_key(c, "401")
    if not path.endswith("/chat/completions") and path != "/api/chat":
        return models(c, path)
    name, _, argument = re.sub("#.*", "", c.model).partition("--")
    run = globals().get(name.replace("-", "_"))
    if not callable(run) or run.__module__ != __name__:
        return c.whole(404, json.dumps({"error": {"message": f"no behaviour is called {name}",
                                                  "code": "model_not_found"}}))
    return run(c, argument)


def serve(sock):
    client = Client(sock)
    try:
        while True:
            one(client)
    except (Gone, OSError):
        pass
    finally:
        sock.close()


def listen():
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", 0))
    sock.listen(1024)
    return sock, sock.getsockname()[1]


def accept(sock):
    while True:
        client, _ = sock.accept()
        threading.Thread(target=serve, args=(client,), daemon=True).start()


def trap(sock):
    global trapped
    while True:
        client, _ = sock.accept()
        with lock:
            trapped += 1
        client.close()


def deaf(sock):
    """Accepts and never reads: its small window fills up."""
    kept = []
    while True:
        kept.append(sock.accept()[0])


threading.stack_size(256 * 1024)
main_sock, main_port = listen()
trap_sock, trap_port = listen()
deaf_sock = socket.socket()
deaf_sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
deaf_sock.bind(("127.0.0.1", 0))
deaf_sock.listen(16)
for target, listener in ((accept, main_sock), (trap, trap_sock), (deaf, deaf_sock)):
    threading.Thread(target=target, args=(listener,), daemon=True).start()
print(main_port, trap_port, deaf_sock.getsockname()[1], flush=True)
while os.read(0, 4096):
    pass
sys.stdout.flush()
os._exit(0)
