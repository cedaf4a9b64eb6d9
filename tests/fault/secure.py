#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What goes wrong in TLS and HTTP/2: servers on ports of their own, with certificates of an authority of their own.

secure.py FOLDER prints lines "NAME PORT" and ". 0", and ends when its stdin is closed. FOLDER/ca.pem is to be believed. An
HTTP/2 server does what the model's name says (h2_…); those of HTTP/1.1 differ by port.
"""
import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
import wires

try:
    import h2.config
    import h2.connection
    import h2.errors
    import h2.events
    import h2.settings
except ImportError:
    h2 = None

FOLDER = sys.argv[1]
WIRE = wires.WIRES[0]


# ---- certificates ------------------------------------------------------------------------------------------------------

def openssl(*arguments):
    subprocess.run(["openssl", *arguments], cwd=FOLDER, check=True, capture_output=True)


def make_key(name, *arguments):
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", name + ".key", "-subj",
            "/CN=" + name, *arguments)


def make_ca():
    make_key("ca", "-x509", "-out", "ca.pem", "-days", "2", "-addext", "basicConstraints=critical,CA:TRUE")
    for name, names, dates in (("good", "IP:127.0.0.1", ()), ("other", "DNS:other.example", ()),
                               ("expired", "IP:127.0.0.1", ("-startdate", "20200101000000Z", "-enddate", "20200102000000Z")),
                               ("early", "IP:127.0.0.1", ("-startdate", "20980101000000Z", "-enddate", "20990101000000Z"))):
        make_key(name, "-out", name + ".csr")
        for end, text in ((".ext", "subjectAltName=" + names), (".db", ""), (".cnf", f"""[ca]
default_ca=a
[a]
database={FOLDER}/{name}.db
new_certs_dir={FOLDER}
default_md=sha256
policy=p
rand_serial=yes
default_days=2
[p]
commonName=supplied
""")):
            with open(os.path.join(FOLDER, name + end), "w", encoding="utf-8") as f:
                f.write(text)
        openssl("ca", "-batch", "-config", name + ".cnf", "-cert", "ca.pem", "-keyfile", "ca.key", "-in", name + ".csr", "-out",
                name + ".crt", "-extfile", name + ".ext", "-notext", *dates)
    make_key("self", "-x509", "-out", "self.crt", "-days", "2", "-addext", "subjectAltName=IP:127.0.0.1")


def tls(name, *protocols):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(FOLDER, name + ".crt"), os.path.join(FOLDER, name + ".key"))
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


# ---- HTTP/1.1 under TLS ------------------------------------------------------------------------------------------------

def read_request(sock):
    data = b""
    while b"\r\n\r\n" not in data:
        data += sock.recv(65536) or b"\r\n\r\n"
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]) if b"ontent-" in head else 0
    while len(body) < length:
        body += sock.recv(65536)
    return json.loads(body or b"{}")


def answer_of(body):
    stream = body.get("stream")
    return (WIRE.stream_type, WIRE.stream()) if stream else ("application/json", WIRE.message("".join(wires.PIECES)))


def answers(sock):
    while True:
        kind, data = answer_of(read_request(sock))
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (kind.encode(), len(data)) + data)


def cut(sock):
    """The TCP connection ends without a word of TLS."""
    kind, data = answer_of(read_request(sock))
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\n\r\n" % kind.encode() + data[:len(WIRE.delta("Hello ")) if kind == WIRE.stream_type else 30])
    plain = socket.socket(fileno=os.dup(sock.fileno()))
    plain.shutdown(socket.SHUT_RDWR)


def cut_behind_the_end(sock):
    kind, data = answer_of(read_request(sock))
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\n\r\n" % kind.encode() + data)
    plain = socket.socket(fileno=os.dup(sock.fileno()))
    plain.shutdown(socket.SHUT_RDWR)


# ---- before TLS --------------------------------------------------------------------------------------------------------

def hangs(sock):
    while sock.recv(65536):
        pass


def half_a_handshake(sock):
    sock.recv(65536)
    sock.sendall(b"\x16\x03\x03\x40\x00\x02")
    hangs(sock)


def speaks_plainly(sock):
    sock.recv(65536)
    sock.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def resets(sock):
    sock.recv(16)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


# ---- HTTP/2 ------------------------------------------------------------------------------------------------------------

class Http2:
    """One connection; what is done about a request is the function h2_<model>."""

    def __init__(self, sock):
        self.sock = sock
        self.conn = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, validate_outbound_headers=False))
        self.bodies = {}
        self.lock = threading.Lock()

    def flush(self):
        data = self.conn.data_to_send()
        if data:
            self.sock.sendall(data)

    def run(self, streams):
        self.conn.initiate_connection()
        if streams:
            self.conn.update_settings({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: streams})
        self.flush()
        while data := self.sock.recv(65536):
            for event in self.conn.receive_data(data):
                self.on(event)
            self.flush()

    def on(self, event):
        if isinstance(event, h2.events.RequestReceived):
            self.bodies[event.stream_id] = b""
        elif isinstance(event, h2.events.DataReceived):
            self.conn.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            self.bodies[event.stream_id] += event.data
        elif isinstance(event, h2.events.StreamEnded):
            body = json.loads(self.bodies.pop(event.stream_id))
            name = body["model"].partition("#")[0].replace("-", "_")
            globals()["h2_" + name](self, event.stream_id, body)

    def begin(self, stream, body, part):
        kind, data = answer_of(body)
        self.conn.send_headers(stream, [(":status", "200"), ("content-type", kind)])
        half = len(WIRE.delta("Hello ")) if kind == WIRE.stream_type else 30
        self.conn.send_data(stream, data[:half] if part else data)
        self.flush()


def h2_good(c, stream, body):
    c.begin(stream, body, False)
    c.conn.end_stream(stream)


def h2_goaway_before(c, stream, body):
    c.conn.close_connection(h2.errors.ErrorCodes.INTERNAL_ERROR, last_stream_id=0)
    c.flush()
    raise OSError


def h2_goaway_mid(c, stream, body):
    c.begin(stream, body, True)
    c.conn.close_connection(h2.errors.ErrorCodes.INTERNAL_ERROR)
    c.flush()
    raise OSError


def h2_goaway_gracefully(c, stream, body):
    """No new streams; this one is answered to its end."""
    c.sock.sendall(struct.pack(">I", 8)[1:] + b"\x07\x00" + struct.pack(">III", 0, stream, 0))
    h2_good(c, stream, body)


def h2_reset_before(c, stream, body):
    c.conn.reset_stream(stream, h2.errors.ErrorCodes.INTERNAL_ERROR)


def h2_reset_mid(c, stream, body):
    c.begin(stream, body, True)
    time.sleep(0.05)
    c.conn.reset_stream(stream, h2.errors.ErrorCodes.INTERNAL_ERROR)


def h2_cut_mid(c, stream, body):
    c.begin(stream, body, True)
    raise OSError


def h2_end_early(c, stream, body):
    c.begin(stream, body, True)
    c.conn.end_stream(stream)


def h2_stall(c, stream, body):
    c.begin(stream, body, True)


def h2_silent(c, stream, body):
    return


def h2_garbage(c, stream, body):
    c.sock.sendall(b"\xff" * 4096)


def h2_pings(c, stream, body):
    """Pings for ever are no answer."""
    def ping():
        try:
            while True:
                c.sock.sendall(struct.pack(">I", 8)[1:] + b"\x06\x00\x00\x00\x00\x00" + b"12345678")
                time.sleep(0.02)
        except OSError:
            pass
    threading.Thread(target=ping, daemon=True).start()


def h2_headers_huge(c, stream, body):
    c.conn.send_headers(stream, [(":status", "200")] + [(f"x-{i}", "v" * 4000) for i in range(120)])


def h2_length_lies(c, stream, body):
    kind, data = answer_of(body)
    c.conn.send_headers(stream, [(":status", "200"), ("content-type", kind), ("content-length", "40"), ("content-length", "41")])
    c.conn.send_data(stream, data, end_stream=True)


# ---- running -----------------------------------------------------------------------------------------------------------

def serve(name, behaviour, context=None):
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)

    def one(client):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            sock = context.wrap_socket(client, server_side=True, suppress_ragged_eofs=True) if context else client
            with sock:
                behaviour(sock)
        except (OSError, ValueError, KeyError, IndexError):
            client.close()
        except Exception:  # what h2 thinks of a connection that was closed
            client.close()

    def accept():
        while True:
            client, _ = listener.accept()
            threading.Thread(target=one, args=(client,), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    print(name, listener.getsockname()[1])


def main():
    make_ca()
    serve("good", answers, tls("good"))
    for name in ("expired", "early", "self", "other"):
        serve(name, answers, tls(name))
    serve("cut", cut, tls("good"))
    serve("cut_end", cut_behind_the_end, tls("good"))
    for name, behaviour in (("mute", hangs), ("half", half_a_handshake), ("plain", speaks_plainly), ("reset", resets)):
        serve(name, behaviour)
    if h2:
        serve("h2", lambda sock: Http2(sock).run(0), tls("good", "h2", "http/1.1"))
        serve("h2one", lambda sock: Http2(sock).run(1), tls("good", "h2", "http/1.1"))
        serve("h2c", lambda sock: Http2(sock).run(0))
    print(". 0", flush=True)
    while os.read(0, 4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
