# SPDX-License-Identifier: MIT
"""What the calls of net.py meet: HTTP/2 (h2c and TLS), HTTP/1.1 and a proxy, each counting what comes.

A server may hold every answer back until so many requests are there: whoever queues some of them never gets an answer.
"""
import asyncio
import json
import socket
import ssl
import threading

ANSWER = {"id": "1", "object": "chat.completion", "model": "m",
          "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
          "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}
PIECES = ["Hel", "lo"]


def sse():
    """The same answer as a stream."""
    chunks = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in PIECES]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    return "".join("data: " + json.dumps(chunk) + "\n\n" for chunk in chunks) + "data: [DONE]\n\n"


def answer(body):
    """(content type, bytes) for a request's body."""
    if b'"stream":true' in body.replace(b" ", b""):
        return "text/event-stream", sse().encode()
    return "application/json", json.dumps(ANSWER).encode()


class Loop:
    """One event loop in a thread of its own, for all servers."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)


LOOP = Loop()


class Server:
    """A listening socket on loopback; connection() is called for each that comes."""

    def __init__(self, tls=None, hold=1):
        self.connections = 0
        self.requests = 0
        self.waiting = []
        self.hold = hold
        self.server = LOOP.run(asyncio.start_server(self.accept, "127.0.0.1", 0, ssl=tls, backlog=512))
        self.port = self.server.sockets[0].getsockname()[1]

    async def accept(self, reader, writer):
        self.connections += 1
        try:
            await self.connection(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def all_are_here(self):
        """Returns when as many requests as asked for are waiting side by side."""
        self.requests += 1
        mine = asyncio.get_running_loop().create_future()
        self.waiting.append(mine)
        if len(self.waiting) >= self.hold:
            for one in self.waiting:
                one.set_result(None)
            self.waiting = []
        await mine

    def close(self):
        LOOP.loop.call_soon_threadsafe(self.server.close)


class Http1(Server):
    """closes: after each answer, without having said so. redirect: where every answer points to."""

    def __init__(self, tls=None, hold=1, closes=False, redirect=None):
        self.closes = closes
        self.redirect = redirect
        super().__init__(tls, hold)

    async def connection(self, reader, writer):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0]) if b"content-length:" in head else 0
            body = await reader.readexactly(length)
            await self.all_are_here()
            kind, data = answer(body)
            line = f"302 Found\r\nLocation: {self.redirect}" if self.redirect else "200 OK"
            writer.write(f"HTTP/1.1 {line}\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
            await writer.drain()
            if self.closes:
                return


class Proxy(Server):
    """Forwards everything to one server, wherever it was meant to go."""

    def __init__(self, to):
        self.to = to
        self.lines = []
        self.authorizations = []
        super().__init__()

    async def connection(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        self.requests += 1
        self.lines.append(head.split(b"\r\n")[0].decode())
        self.authorizations += [line for line in head.decode().split("\r\n") if line.lower().startswith("proxy-auth")]
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.to)
        if head.startswith(b"CONNECT "):
            writer.write(b"HTTP/1.1 200 Go on\r\n\r\n")
        else:
            method, url, version = head.split(b"\r\n")[0].split(b" ")
            path = b"/" + url.split(b"/", 3)[3]
            far_writer.write(b" ".join([method, path, version]) + b"\r\n" + head.split(b"\r\n", 1)[1])
        await asyncio.gather(self.pump(reader, far_writer), self.pump(far_reader, writer))

    @staticmethod
    async def pump(reader, writer):
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        writer.close()


class Http2(Server):
    """limit: streams a connection may have; what is over it is refused, as servers do before their limit is known."""

    def __init__(self, tls=None, hold=1, limit=100):
        self.limit = limit
        self.most_streams = 0
        self.refused = 0
        super().__init__(tls, hold)

    async def connection(self, reader, writer):
        import h2.config
        import h2.connection
        import h2.errors
        import h2.events
        import h2.settings
        conn = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        conn.initiate_connection()
        conn.update_settings({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: self.limit})
        bodies = {}
        writer.write(conn.data_to_send())

        async def respond(stream, body):
            await self.all_are_here()
            kind, data = answer(body)
            if stream not in bodies:
                return  # it was given up meanwhile
            del bodies[stream]
            conn.send_headers(stream, [(":status", "200"), ("content-type", kind)])
            conn.send_data(stream, data, end_stream=True)
            writer.write(conn.data_to_send())

        while data := await reader.read(65536):
            for event in conn.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    if len(bodies) >= self.limit:
                        self.refused += 1
                        conn.reset_stream(event.stream_id, h2.errors.ErrorCodes.REFUSED_STREAM)
                        continue
                    bodies[event.stream_id] = b""
                    self.most_streams = max(self.most_streams, len(bodies))
                elif isinstance(event, h2.events.DataReceived):
                    conn.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    if event.stream_id in bodies:
                        bodies[event.stream_id] += event.data
                elif isinstance(event, h2.events.StreamEnded):
                    if event.stream_id in bodies:
                        asyncio.ensure_future(respond(event.stream_id, bodies[event.stream_id]))
                elif isinstance(event, h2.events.StreamReset):
                    bodies.pop(event.stream_id, None)
            writer.write(conn.data_to_send())
            await writer.drain()


def free_port():
    """A port where nobody listens."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
