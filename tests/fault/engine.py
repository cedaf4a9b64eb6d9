# SPDX-License-Identifier: MIT
"""Engines that are stopped, started, hung up and emptied while somebody uses them, each at a port of its own.

GET /__engine?NAME=COMMAND of the server makes the engine when it is first named, does the command (start, stop, hang,
load, well, models:A,B) and tells {"port", "asked": {PATH: how often}, "health_ms": when its health was asked}. Chats are
answered as the server does.
"""
import json
import socket
import threading
import time

lock = threading.Lock()
engines = {}


class Engine:
    def __init__(self, serve):
        self.serve = serve
        self.port = 0
        self.listener = None
        self.clients = set()
        self.asked, self.health_ms = {}, []
        self.state, self.models = "well", ["good"]
        self.start()

    def start(self):
        if self.listener:
            return
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def stop(self):
        """As if it had been killed: the port is closed, and every connection."""
        listener, self.listener = self.listener, None
        if not listener:
            return
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for client in list(self.clients):
            try:
                client.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with lock:
                self.clients.add(client)
            threading.Thread(target=self.run, args=(client,), daemon=True).start()

    def run(self, client):
        try:
            self.serve(client, self)
        finally:
            with lock:
                self.clients.discard(client)

    def answers(self, c, path):
        """Whether the question was one for the engine itself, which is answered then."""
        with lock:
            self.asked[path] = self.asked.get(path, 0) + 1
            if path in ("/health", "/api/version"):
                self.health_ms.append(int(time.monotonic() * 1000))
        if self.state == "hang":
            c.hang()
        if self.state == "load":
            c.whole(503, '{"error":{"message":"Loading model","type":"unavailable_error","code":503}}')
        elif path == "/health":
            c.whole(200, '{"status":"ok"}')
        elif path == "/api/version":
            c.whole(200, '{"version":"0.0.1"}')
        elif path == "/api/ps":
            c.whole(200, '{"models":[]}')
        elif path == "/api/tags":
            c.whole(200, json.dumps({"models": [{"name": n, "model": n} for n in self.models]}))
        elif path.endswith("/models"):
            c.whole(200, json.dumps({"data": [{"id": n, "object": "model"} for n in self.models]}))
        else:
            return False
        return True


def command(c, query, serve):
    name, _, what = query.partition("=")
    with lock:
        if name not in engines:
            engines[name] = Engine(serve)
    engine = engines[name]
    if what in ("start", "stop"):
        getattr(engine, what)()
    elif what.startswith("models:"):
        engine.models = what[len("models:"):].split(",")
    elif what:
        engine.state = what
    with lock:
        text = json.dumps({"port": engine.port, "asked": engine.asked, "health_ms": engine.health_ms})
    c.whole(200, text)
