#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A server that misbehaves on purpose, on every wire (wires.py), over real sockets, down to the byte.

It prints its port and those of a trap (nobody may ever connect there), of one that accepts and never reads, and of one
that does not even accept, and ends when its stdin is closed. The model's name in a request says what goes wrong (ways.py,
says.py): NAME, NAME--ARGUMENT or NAME#ANYTHING, where the whole text counts its requests (for "fails at first, then
works"). GET /__log?MODEL tells {"requests", "bytes", "sent", "keys", "peak", "hops", "last", "trapped"}; GET /__frames?WIRE the lines
"bytes ends text" of a good stream; /__engine is engine.py's.
"""
import json
import os
import re
import socket
import struct
import sys
import threading

sys.dont_write_bytecode = True
import engine
import says
import ways
import wires

lock = threading.Lock()
log = {}  # model: what came for it
trapped = 0


class Gone(Exception):
    """The connection is over."""


class Client:
    """One connection: bytes in, bytes out, and the ways to end it."""

    def __init__(self, sock, of=None):
        self.sock = sock
        self.engine = of  # engine.py; None: the server itself
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data = b""
        self.model = ""
        self.wire = wires.WIRES[0]
        self.stream = False
        self.key = ""
        self.body = {}

    def more(self):
        got = self.sock.recv(65536)
        if not got:
            raise Gone
        self.data += got

    def request(self):
        """The next request's (path, body)."""
        while b"\r\n\r\n" not in self.data:
            self.more()
        head, self.data = self.data.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        fields = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
        length = int(fields.get("content-length", 0))
        while len(self.data) < length:
            self.more()
        body, self.data = self.data[:length], self.data[length:]
        self.key = fields.get("authorization") or fields.get("x-api-key") or fields.get("x-goog-api-key") or ""
        self.cookie = "cookie" in fields
        self.hops = fields.get("x-membrane-via", "")
        return lines[0].split(" ")[1], body

    def put(self, data):
        if isinstance(data, str):
            data = data.encode()
        self.sock.sendall(data)
        with lock:
            log.setdefault(self.model, new_entry())["sent"] += len(data)

    def noted(self, what):
        with lock:
            log[self.model][what] = 1

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

    def count(self):
        """How often this model was asked for."""
        with lock:
            return log[self.model]["requests"]

    # ---- answers

    @property
    def kind(self):
        return self.wire.stream_type if self.stream else "application/json"

    def head(self, status=200, kind=None, *fields):
        lines = [f"HTTP/1.1 {status} X", f"Content-Type: {kind or self.kind}", *fields]
        self.put("\r\n".join(lines) + "\r\n\r\n")

    def whole(self, status, body, kind="application/json", *fields):
        body = body.encode() if isinstance(body, str) else body
        self.head(status, kind, f"Content-Length: {len(body)}", *fields)
        self.put(body)

    def until_close(self, *parts):
        """An answer that ends with the connection."""
        self.head(200, None, "Connection: close")
        self.put(b"".join(parts))
        self.close()

    def chunk(self, data):
        data = data.encode() if isinstance(data, str) else data
        self.put(b"%x\r\n" % len(data) + data + b"\r\n")

    def answer(self):
        """A whole answer's body, streamed or not."""
        return self.wire.stream() if self.stream else self.wire.message("".join(wires.PIECES))

    def begun(self):
        """What stands before a fault: two pieces of a stream, or the beginning of a body."""
        if not self.stream:
            return self.answer()[:20]
        return self.wire.begin() + self.wire.delta(wires.PIECES[0]) + self.wire.delta(wires.PIECES[1])

    def begin(self, *fields):
        """The header of a chunked answer, and what stands before the fault."""
        self.head(200, None, "Transfer-Encoding: chunked", *fields)
        self.chunk(self.begun())


def new_entry():
    return {"requests": 0, "bytes": 0, "sent": 0, "keys": [], "now": 0, "peak": 0, "hops": "", "last": ""}


def tell(c, model):
    with lock:
        text = json.dumps({**log.get(model, new_entry()), "trapped": trapped})
    c.whole(200, text)


def frames(c, name):
    wire = next(w for w in wires.WIRES if w.name == name)
    at, lines = 0, []
    for data, text, is_end in wire.frames():
        at += len(data)
        # The blank line behind an event, and the end of a line, may be missing where the stream ends.
        needed = at - (len(data) - len(data.rstrip(b"\n")) if wire.ping else 0)
        lines.append(f"{needed} {int(is_end)} {text}\n")
    c.whole(200, f"{len(wire.stream())} {len(wire.message(''.join(wires.PIECES)))}\n" + "".join(lines) + ".\n", "text/plain")


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


def embed(c, path, body):
    given = body.get("input", [])  # without one Ollama loads the model
    texts = given if isinstance(given, list) else [given]
    vectors = [[0.5, 0.25] for _ in texts]
    if path == "/api/embed":
        return c.whole(200, json.dumps({"model": "fault", "embeddings": vectors, "prompt_eval_count": 2}))
    return c.whole(200, json.dumps({"data": [{"index": i, "embedding": v} for i, v in enumerate(vectors)],
                                    "usage": {"prompt_tokens": 2, "total_tokens": 2}}))


def note(c, data):
    global trapped
    with lock:
        entry = log.setdefault(c.model, new_entry())
        entry["requests"] += 1
        entry["bytes"] += len(data)
        entry["keys"].append(c.key)
        entry["now"] += 1
        entry["peak"] = max(entry["peak"], entry["now"])
        entry["hops"] = c.hops
        entry["last"] = data.decode("utf-8", "replace")[-1000:]
        trapped += c.cookie  # nobody was ever given leave to keep one


def one(c):
    path, data = c.request()
    if path.startswith("/__"):
        c.model = "__"
        if path.startswith("/__engine"):
            return engine.command(c, path.partition("?")[2], serve)
        return (frames if path.startswith("/__frames") else tell)(c, path.partition("?")[2])
    if c.engine and c.engine.answers(c, path):
        return None
    body = c.body = json.loads(data or b"{}")
    wire = wires.find(path)
    c.wire = wire or wires.WIRES[0]
    c.model, c.stream = c.wire.asked(path, body) if wire else (str(body.get("model", "")), False)
    note(c, data)
    if path.endswith("/embeddings") or path == "/api/embed":
        return embed(c, path, body)
    if path.startswith("/echo/"):
        return ways.echo_key(c, "401")
    if not wire:
        return models(c, path)
    name, _, argument = re.sub("#.*", "", c.model).partition("--")
    run = find_way(name.replace("-", "_"))
    if not run:
        return c.whole(404, json.dumps({"error": {"message": f"no behaviour is called {name}",
                                                  "code": "model_not_found"}}))
    try:
        return run(c, argument)
    finally:
        with lock:
            log[c.model]["now"] -= 1


def find_way(name):
    for module in (ways, says):
        run = vars(module).get(name)
        if callable(run) and run.__module__ == module.__name__:
            return run
    return None


def serve(sock, of=None):
    client = Client(sock, of)
    try:
        while True:
            one(client)
    except (Gone, OSError):
        pass
    finally:
        sock.close()


def listen(backlog=1024):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", 0))
    sock.listen(backlog)
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


def full():
    """A port whose queue is full: whoever connects hears nothing, not even that."""
    sock, port = listen(0)
    kept = [sock]
    for _ in range(3):
        kept.append(socket.socket())
        kept[-1].setblocking(False)
        kept[-1].connect_ex(("127.0.0.1", port))
    return kept, port


def main():
    threading.stack_size(256 * 1024)
    main_sock, main_port = listen()
    trap_sock, ways.trap_port = listen()
    deaf_sock = socket.socket()
    deaf_sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf_sock.bind(("127.0.0.1", 0))
    deaf_sock.listen(16)
    kept, full_port = full()
    for target, listener in ((accept, main_sock), (trap, trap_sock), (deaf, deaf_sock)):
        threading.Thread(target=target, args=(listener,), daemon=True).start()
    print(main_port, ways.trap_port, deaf_sock.getsockname()[1], full_port, flush=True)
    while os.read(0, 4096):
        pass
    del kept
    os._exit(0)


if __name__ == "__main__":
    main()
