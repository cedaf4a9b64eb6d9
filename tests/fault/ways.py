# SPDX-License-Identifier: MIT
"""What goes wrong below the wire: connections, headers, lengths, chunks, encodings, statuses, time.

One function a way, "_" for the name's "-"; what stands behind "--" is its argument. c is the connection (server.py).
"""
import email.utils
import functools
import gzip as gzip_module
import json
import time
import zlib

from wires import PIECES

trap_port = 0  # server.py's: nobody may ever connect there


def good(c, _):
    c.whole(200, c.answer(), c.kind)


def pieces(c, count):
    """A good stream of COUNT pieces, each a chunk."""
    c.head(200, None, "Transfer-Encoding: chunked")
    if c.wire.begin():
        c.chunk(c.wire.begin())
    for i in range(int(count)):
        c.chunk(c.wire.delta(f"{i} "))
    c.chunk(c.wire.tail())
    c.put("0\r\n\r\n")


def slow(c, ms):
    """A piece each so many ms, for ever."""
    c.head(200, None, "Transfer-Encoding: chunked")
    if c.wire.begin():
        c.chunk(c.wire.begin())
    while True:
        c.chunk(c.wire.delta("tick "))
        time.sleep(int(ms) / 1000)


def late(c, ms):
    """A good answer, so many ms later."""
    time.sleep(int(ms) / 1000)
    return good(c, None)


def late_status(c, argument):
    """--MS-STATUS."""
    ms, number = argument.split("-")
    time.sleep(int(ms) / 1000)
    return status(c, f"{number}-json")


def stall_cut(c, ms):
    """Two pieces, and so many ms later the connection is gone: they have been handed out by then."""
    c.begin()
    time.sleep(int(ms) / 1000)
    c.close()


def goes_on_twice(c, ms):
    """A space and a word, and so many ms later the connection is gone."""
    c.head(200, None, "Transfer-Encoding: chunked")
    c.chunk(c.wire.begin() + c.wire.delta(" and") + c.wire.delta(" "))
    time.sleep(int(ms) / 1000)
    c.close()


def goes_on(c, _):
    """What follows when the answer was begun for it; as llama.cpp does it, its beginning too unless it is told."""
    begun = "" if c.body.get("continue_final_message") else c.body["messages"][-1]["content"]
    c.whole(200, c.wire.begin() + c.wire.delta(begun + " and goes on.") + c.wire.finish() + c.wire.end(), c.kind)


def flood(c, mib):
    c.head(200, None, "Transfer-Encoding: chunked")
    if c.wire.begin():
        c.chunk(c.wire.begin())
    piece = c.wire.delta("x" * 16000)
    for _ in range(int(mib) * 64):
        c.chunk(piece)
    c.chunk(c.wire.tail())
    c.put("0\r\n\r\n")


# ---- cut and reset -----------------------------------------------------------------------------------------------------

def cut_at(c, argument):
    """--N-HOW: N bytes of a good answer, in one of three framings."""
    count, how = argument.split("-")
    data = c.answer()
    part = data[:int(count)]
    if how == "close":
        return c.until_close(part)
    if how == "length":
        c.head(200, None, f"Content-Length: {len(data)}")
        c.put(part)
        return c.close() if len(part) < len(data) else None
    c.head(200, None, "Transfer-Encoding: chunked")
    if part:
        c.put(b"%x\r\n" % len(data) + part)
    return c.close()


def cut_head(c, count):
    """N bytes of a header."""
    c.put(f"HTTP/1.1 200 OK\r\nContent-Type: {c.kind}\r\nTransfer-Encoding: chunked\r\n\r\n"[:int(count)])
    c.close()


def cut_length(c, _):
    c.head(200, None, f"Content-Length: {len(c.answer()) + 1000}")
    c.put(c.begun())
    c.close()


def cut_chunk(c, _):
    c.begin()
    c.put(b"400\r\n" + (c.wire.delta(PIECES[2])[:10] if c.stream else b"0"))
    c.close()


def cut_close(c, _):
    c.until_close(c.begun())


def cut_header(c, _):
    c.put("HTTP/1.1 200 OK\r\nContent-Ty")
    c.close()


def cut_before(c, _):
    c.close()


def reset_before(c, _):
    c.reset()


def reset_header(c, _):
    c.put("HTTP/1.1 200 OK\r\nContent-Ty")
    c.reset()


def reset_after_header(c, _):
    c.head(200, None, "Transfer-Encoding: chunked")
    time.sleep(0.05)  # a reset takes along what the other side has not read yet
    c.reset()


def reset_mid(c, _):
    c.begin()
    time.sleep(0.05)
    c.reset()


def no_last_chunk(c, _):
    c.head(200, None, "Transfer-Encoding: chunked")
    c.chunk(c.answer())
    c.close()


# ---- lengths and chunks ------------------------------------------------------------------------------------------------

def length_small(c, _):
    """What comes behind the length that was said must not be taken for the next answer."""
    text = c.answer()
    c.head(200, None, "Content-Length: 40")
    c.put(text)
    c.close()


def length_is(c, text):
    c.head(200, None, f"Content-Length: {text}")
    c.put(c.answer())
    c.close()


def length_stall(c, _):
    """The whole answer has come, but more was promised."""
    c.head(200, None, f"Content-Length: {len(c.answer()) + 1000}")
    c.put(c.answer())
    c.hang()


def lengths_two(c, _):
    c.head(200, None, "Content-Length: 40", f"Content-Length: {len(c.answer())}")
    c.put(c.answer())
    c.close()


def length_and_chunked(c, _):
    """The length lies: chunks count."""
    c.head(200, None, "Content-Length: 5", "Transfer-Encoding: chunked")
    c.chunk(c.answer())
    c.put("0\r\n\r\n")
    c.close()


def length_0(c, _):
    """As if HEAD had been asked."""
    c.head(200, None, "Content-Length: 0")
    c.put(c.answer())
    c.close()


def chunk_extensions(c, _):
    c.head(200, None, "Transfer-Encoding: chunked")
    text = c.answer()
    c.put(b"%x;name=value;other=\"quoted\"\r\n" % len(text) + text + b"\r\n0;last\r\n\r\n")


def trailers(c, _):
    c.head(200, None, "Transfer-Encoding: chunked", "Trailer: X-After")
    c.chunk(c.answer())
    c.put("0\r\nX-After: 1\r\nContent-Length: 3\r\nContent-Type: text/html\r\n\r\n")


def trailers_endless(c, _):
    c.head(200, None, "Transfer-Encoding: chunked")
    c.chunk(c.answer())
    c.put("0\r\n")
    for i in range(100000):
        c.put(f"X-After-{i}: {'v' * 200}\r\n")
    c.close()


def chunk_absurd(c, _):
    c.begin()
    c.put("FFFFFFFFFFFFFFFFF\r\nx")
    c.close()


def chunk_negative(c, _):
    c.begin()
    c.put("-5\r\nhello\r\n")
    c.close()


def chunk_no_end(c, _):
    """A chunk is longer than its size."""
    c.begin()
    c.put("3\r\nabcdefgh\r\n")
    c.close()


def chunk_size_endless(c, _):
    c.begin()
    for _ in range(1000):
        c.put("0" * 4096)
    c.close()


def chunks_of_one(c, _):
    c.head(200, None, "Transfer-Encoding: chunked")
    c.put(b"".join(b"1\r\n" + bytes([b]) + b"\r\n" for b in c.answer()) + b"0\r\n\r\n")


def bytewise(c, _):
    """Each byte in a segment of its own."""
    text = c.answer()
    c.head(200, None, f"Content-Length: {len(text)}")
    for i in range(len(text)):
        c.put(text[i:i + 1])


# ---- headers -----------------------------------------------------------------------------------------------------------

def headers_10000(c, _):
    c.put("HTTP/1.1 200 OK\r\n" + "".join(f"X-Header-{i}: {'v' * 40}\r\n" for i in range(10000)))
    c.put(f"Content-Length: {len(c.answer())}\r\n\r\n")
    c.put(c.answer())
    c.close()


def header_1mb(c, _):
    c.put("HTTP/1.1 200 OK\r\nX-Long: ")
    c.put("v" * (1 << 20))
    c.put(f"\r\nContent-Length: {len(c.answer())}\r\n\r\n")
    c.put(c.answer())
    c.close()


def header_endless(c, _):
    c.put("HTTP/1.1 200 OK\r\n")
    while True:
        c.put("X-More: and more\r\n" * 1000)


def status_line(c, which):
    """--WHICH: a status line that is none."""
    lines = {"text": "HTTP/1.1 abc OK", "version": "HTTP/9.9 200 OK", "big": "HTTP/1.1 99999 OK", "zero": "HTTP/1.1 000 X",
             "none": "ICY 200 OK", "endless": "HTTP/1.1 200 " + "x" * (1 << 20)}
    c.put(f"{lines[which]}\r\nContent-Type: {c.kind}\r\nConnection: close\r\n\r\n")
    c.put(c.answer())
    c.close()


def header_nul(c, _):
    c.put(f"HTTP/1.1 200 OK\r\nX-Nul: a\0b\r\nContent-Type: {c.kind}\r\nConnection: close\r\n\r\n")
    c.put(c.answer())
    c.close()


def header_folded(c, _):
    c.put(f"HTTP/1.1 200 OK\r\nX-Folded: a\r\n b\r\nContent-Type: {c.kind}\r\nConnection: close\r\n\r\n")
    c.put(c.answer())
    c.close()


def http_10(c, _):
    c.put(f"HTTP/1.0 200 OK\r\nContent-Type: {c.kind}\r\n\r\n")
    c.put(c.answer())
    c.close()


def http_09(c, _):
    c.put(c.answer())
    c.close()


def continue_100(c, count):
    c.put("HTTP/1.1 100 Continue\r\n\r\n" * int(count or 1))
    good(c, None)


def hints_103(c, _):
    c.put("HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n")
    good(c, None)


def continue_endless(c, ms):
    """1xx for ever, as fast as it goes or one each so many ms."""
    while True:
        c.put("HTTP/1.1 100 Continue\r\n\r\n" * (1 if ms else 1000))
        time.sleep(int(ms or 0) / 1000)


def upgrade(c, _):
    """Another protocol, which nobody asked for."""
    c.put("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
    c.put(c.answer())
    c.close()


def cookies(c, _):
    """Neither kept nor sent back; nor is anything else that a server would like us to remember."""
    c.whole(200, c.answer(), c.kind, "Set-Cookie: id=1; Path=/", f'Alt-Svc: h2="127.0.0.1:{trap_port}"; ma=9999',
            f"Refresh: 0; url=http://127.0.0.1:{trap_port}/", "Strict-Transport-Security: max-age=9999",
            f"Location: http://127.0.0.1:{trap_port}/")


def type_none(c, _):
    text = c.answer()
    c.put(f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\n\r\n")
    c.put(text)


def type_png(c, _):
    c.whole(200, b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "image/png")


def type_text(c, _):
    """Right bytes under a wrong name."""
    c.whole(200, c.answer(), "text/plain")


def type_json(c, _):
    """A stream, called a whole answer."""
    c.whole(200, c.answer(), "application/json")


def whole_for_stream(c, _):
    """Streaming was asked for, and not granted."""
    c.whole(200, c.wire.message("".join(PIECES)), "application/json")


def stream_for_whole(c, _):
    c.whole(200, c.wire.stream(), c.wire.stream_type)


def empty(c, _):
    c.whole(200, "", None)


def status_204(c, _):
    c.put("HTTP/1.1 204 No Content\r\n\r\n")


def html(c, _):
    c.whole(200, "<!doctype html><html><body>Please log in.</body></html>", "text/html; charset=utf-8")


def html_unnamed(c, _):
    c.whole(200, "<!doctype html>\n<html><body>Please log in.</body></html>\n", c.kind)


# ---- encodings ---------------------------------------------------------------------------------------------------------

def gzip(c, _):
    c.whole(200, b"\x1f\x8b\x08\x00garbage that is no gzip", None, "Content-Encoding: gzip")


def encoded(c, how):
    """--HOW: a good answer, compressed, which nobody asked for."""
    data = {"gzip": gzip_module.compress, "deflate": zlib.compress, "br": lambda b: b"\x8b\x02\x80" + b + b"\x03",
            "zstd": lambda b: b"\x28\xb5\x2f\xfd" + b}[how](c.answer())
    c.whole(200, data, c.kind, f"Content-Encoding: {how}")


def encoded_error(c, _):
    c.whole(429, gzip_module.compress(b'{"error":{"message":"slow down"}}'), "application/json", "Content-Encoding: gzip")


def transfer_gzip(c, _):
    """libcurl 7.88 inflates a transfer encoding though nobody asked for it."""
    c.head(200, c.kind, "Transfer-Encoding: gzip, chunked")
    c.chunk(gzip_module.compress(c.answer()))
    c.put("0\r\n\r\n")


@functools.lru_cache
def packed(how, stream):
    packer = zlib.compressobj(1, zlib.DEFLATED, 31 if how != "deflate" else 15)
    block = (b": " if stream else b" ") * (1 << 19)
    data = b"".join(packer.compress(block) for _ in range(200)) + packer.flush()
    return gzip_module.compress(data) if how == "twice" else data


def bomb(c, how):
    """--HOW: a little that would be 200 MiB; as a content encoding (gzip, deflate, br), or as a transfer encoding
    (transfer), which a layer of gzip may surround once more (twice)."""
    field = {"transfer": "Transfer-Encoding: gzip", "twice": "Transfer-Encoding: gzip, gzip"}.get(how, f"Content-Encoding: {how}")
    c.head(200, c.kind, field, "Connection: close")
    c.put(packed(how, c.stream))
    c.close()


# ---- statuses ----------------------------------------------------------------------------------------------------------

def redirect(c, status):
    c.whole(int(status), "", "text/html", f"Location: http://127.0.0.1:{trap_port}/v1/chat/completions")


def status(c, argument):
    """--CODE-FORM, FORM one of json, text, html, empty."""
    code, form = argument.split("-", 1)
    body, kind = {"json": (c.wire.refusal(f"status {code} it is"), "application/json"),
                  "text": (f"status {code} it is", "text/plain"), "empty": ("", "text/plain"),
                  "html": (f"<html><title>{code}</title></html>", "text/html")}[form]
    c.whole(int(code), body, kind)


def refusal_long(c, _):
    """100 MB of an error: its beginning is enough."""
    c.head(500, "text/plain", "Transfer-Encoding: chunked")
    for _ in range(100):
        c.chunk(b"no " * 350000)
    c.put("0\r\n\r\n")


def refusal_endless(c, _):
    c.head(500, "text/plain", "Transfer-Encoding: chunked")
    while True:
        c.chunk(b"no " * 35000)


def refusal_stall(c, status):
    """The status has come, its body never ends."""
    c.head(int(status), "application/json", "Content-Length: 1000")
    c.put('{"error":{"mess')
    c.hang()


def refusal_cut(c, status):
    c.head(int(status), "application/json", "Content-Length: 1000")
    c.put('{"error":{"mess')
    c.close()


def challenge(c, _):
    """No name and no password is sent to whoever asks for one."""
    c.whole(401, "", "text/plain", 'WWW-Authenticate: Basic realm="x"', "WWW-Authenticate: Negotiate", "WWW-Authenticate: NTLM")


def proxy_challenge(c, _):
    c.whole(407, "", "text/plain", 'Proxy-Authenticate: Basic realm="x"')


def error_code(c, argument):
    """--STATUS-CODE: an error object with OpenAI's code."""
    number, code = argument.split("-", 1)
    c.whole(int(number), json.dumps({"error": {"message": "no", "type": code, "code": code}}))


def retry(c, argument):
    """--STATUS-HOW: refuses once, with retry-after said as HOW, then works."""
    number, how = argument.split("-")
    fields = {"s": "Retry-After: 1", "ms": "retry-after-ms: 150", "none": "X-None: 1",
              "date": "Retry-After: " + email.utils.formatdate(time.time() + 1.5, usegmt=True),
              "long": "Retry-After: 3600", "huge": "Retry-After: 99999999999999999999999", "negative": "Retry-After: -5",
              "nan": "Retry-After: NaN", "inf": "retry-after-ms: inf", "exponent": "Retry-After: 1e308",
              "far": "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT", "past": "Retry-After: Thu, 01 Jan 1970 00:00:00 GMT",
              "junk": "Retry-After: soon; " + "x" * 4000, "empty": "Retry-After:", "hugems": "retry-after-ms: 9e18",
              "negativems": "retry-after-ms: -1", "min": "Retry-After: -9223372036854775808"}
    if c.count() <= 1:
        return c.whole(int(number), '{"error":{"message":"not now"}}', "application/json", fields[how])
    return good(c, _=None)


def overloaded(c, _):
    c.whole(503, '{"error":{"message":"The server is overloaded","type":"overloaded_error"}}')


def loading(c, times):
    if c.count() <= int(times):
        return c.whole(503, '{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}')
    return good(c, None)


def first_key_refused(c, _):
    if "second" in c.key:
        return good(c, None)
    return c.whole(401, '{"error":{"message":"Incorrect API key provided","code":"invalid_api_key"}}')


def echo_key(c, argument):
    text = f"key {c.key.split(' ')[-1]} is refused"
    if argument == "stream":
        c.until_close(c.wire.begin(), c.wire.delta(PIECES[0]), c.wire.error(text))
    c.whole(int(argument), json.dumps({"error": {"message": text, "type": "x", "code": c.key.split(" ")[-1]}}),
            "application/json", f"x-request-id: id-{c.key.split(' ')[-1]}")


def echo_key_html(c, _):
    c.whole(200, f"<html>{c.key}</html>", "text/html")


# ---- more than one answer ----------------------------------------------------------------------------------------------

def two_answers(c, ms):
    """A second answer behind the first one, so many ms later: nobody has asked for it. What it notes in the log says
    when it has gone out."""
    good(c, None)
    time.sleep(int(ms or 0) / 1000)
    body = c.wire.message("smuggled")
    c.put(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    c.noted("second")


# ---- time --------------------------------------------------------------------------------------------------------------

def silent(c, _):
    c.hang()


def stall_header(c, _):
    c.put("HTTP/1.1 200 OK\r\nContent-Ty")
    c.hang()


def stall_body(c, _):
    """The header, and nothing more."""
    c.head(200, None, "Transfer-Encoding: chunked")
    c.hang()


def stall(c, _):
    c.begin()
    c.hang()


def drip(c, ms):
    """A frame that never ends, a byte at a time."""
    c.head(200, None, "Transfer-Encoding: chunked")
    c.chunk(c.wire.delta("x" * 1000)[:100])
    while True:
        c.chunk("x")
        time.sleep(int(ms) / 1000)


def keepalive(c, _):
    c.head(200, None, "Transfer-Encoding: chunked")
    while True:
        c.chunk(c.wire.ping if c.stream else "\n")
        time.sleep(0.02)


def keepalive_mid(c, _):
    c.begin()
    while True:
        c.chunk(c.wire.ping if c.stream else "\n")
        time.sleep(0.02)


def open_after_done(c, _):
    c.head(200, None, "Transfer-Encoding: chunked")
    c.chunk(c.answer())
    c.hang()
