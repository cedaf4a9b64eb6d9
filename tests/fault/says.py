# SPDX-License-Identifier: MIT
"""What goes wrong on the wire itself: frames, ends, text, numbers, tool calls. As ways.py, one function a way."""
import json
import time

from wires import PIECES


# ---- what is no answer -------------------------------------------------------------------------------------------------

def bad_json(c, _):
    broken = '{"choices":[{"delta":{"content":"x"'
    c.whole(200, c.wire.begin() + c.wire.delta(PIECES[0]) + c.wire.frame(broken) if c.stream else broken, c.kind)


def other_json(c, _):
    c.whole(200, c.wire.frame([1, 2, 3]) if c.stream else "[1,2,3]", None)


def json_then_more(c, _):
    c.whole(200, c.answer() + b"{}garbage", c.kind)


def types_wrong(c, _):
    """The right members with values of other types, whatever the wire."""
    odd = {"id": 7, "type": [], "choices": {"a": 1}, "candidates": "x", "message": 3, "content": {"x": []}, "output": 1.5,
           "usage": "many", "done": "no", "error": None, "delta": 4, "model": {}, "response": []}
    c.whole(200, c.wire.frame(odd) * 3 if c.stream else json.dumps(odd), c.kind)


def utf16(c, _):
    c.whole(200, c.answer().decode("latin-1").encode("utf-16"), c.kind)


def deep(c, _):
    text = '{"choices":' + "[" * 5000 + "]" * 5000 + "}"
    c.whole(200, c.wire.frame(text) if c.stream else text, c.kind)


def line_100mb(c, _):
    c.head(200, None, "Transfer-Encoding: chunked")
    c.chunk(b"data: " * (c.wire.ping == b": ping\n\n") + b'{"message":{"content":"')
    for _ in range(100):
        c.chunk(b"x" * (1 << 20))
    c.chunk('"}}\n\n')
    c.put("0\r\n\r\n")


def empty_frames(c, count):
    """So many frames that say nothing."""
    c.head(200, None, "Connection: close")
    c.put(c.wire.begin())
    block = c.wire.delta("") * 100
    for _ in range(int(count) // 100):
        c.put(block)
    c.put(b"".join(map(c.wire.delta, PIECES)) + c.wire.tail())
    c.close()


# ---- errors inside -----------------------------------------------------------------------------------------------------

def inband_error(c, _):
    c.until_close(c.wire.begin(), c.wire.delta(PIECES[0]), c.wire.error("the model has crashed"))


def inband_first(c, _):
    c.until_close(c.wire.error("the model has crashed"))


def inband_late(c, _):
    """Behind the end nothing counts."""
    c.until_close(c.wire.stream(), c.wire.error("the model has crashed"))


def error_in_200(c, _):
    c.whole(200, c.wire.refusal("the model has crashed"))


# ---- ends --------------------------------------------------------------------------------------------------------------

def text_only(c):
    return c.wire.begin() + b"".join(map(c.wire.delta, PIECES))


def done_twice(c, _):
    c.until_close(c.wire.stream(), c.wire.tail())


def after_done(c, _):
    c.until_close(c.wire.stream(), c.wire.delta("never to be seen"), b"data: {broken\n\n")


def finish_no_done(c, _):
    c.until_close(text_only(c), c.wire.finish())


def no_finish(c, _):
    c.until_close(text_only(c))


def done_no_finish(c, _):
    c.until_close(text_only(c), c.wire.end())


def finish_then_reset(c, _):
    c.head(200, None, "Transfer-Encoding: chunked")
    c.chunk(text_only(c) + c.wire.finish())
    time.sleep(0.05)
    c.reset()


def stall_after_finish(c, _):
    c.head(200, None, "Transfer-Encoding: chunked")
    c.chunk(text_only(c) + c.wire.finish())
    c.hang()


def usage_twice(c, _):
    """A later report counts, and only it."""
    c.until_close(text_only(c), c.wire.tail(usage=(5, 1))[:-len(c.wire.end())] if c.wire.name == "openai" else b"",
                  c.wire.tail())


# ---- the text of a stream ----------------------------------------------------------------------------------------------

def eol(c, how):
    """--HOW: the ends of lines."""
    data = c.answer()
    data = {"cr": lambda: data.replace(b"\n", b"\r"), "crlf": lambda: data.replace(b"\n", b"\r\n"),
            "mixed": lambda: data.replace(b"\n\n", b"\r\n\r", 1).replace(b"\n\n", b"\r\n\n", 1).replace(b"\n\n", b"\n\r\n", 1),
            "none": lambda: data.rstrip(b"\n"), "blank": lambda: data.replace(b"\n\n", b"\n\n\n\n\n")}[how]()
    c.until_close(data)


def bom(c, _):
    c.until_close(b"\xef\xbb\xbf" + c.answer())


def sse_odd(c, _):
    """Comments, unknown fields, no space behind the colon, ids and retries between the lines of an event."""
    data = c.answer().replace(b"data: ", b": comment\nid: 7\nretry: 99999999999999999999\nunknown: x\nunknown\ndata:")
    c.until_close(data)


def sse_split(c, _):
    """One event's JSON over several data lines."""
    c.until_close(c.answer().replace(b'{"', b'{\ndata: "').replace(b'":{\ndata: ', b'":{'))


def bad_utf8(c, _):
    c.whole(200, c.answer().replace(b"from", b"fr\xffom"), c.kind)


def surrogate(c, _):
    c.whole(200, c.answer().replace(b"from", b"fr\\ud800om"), c.kind)


def split_character(c, _):
    """A character in two chunks, and a surrogate pair in two escapes."""
    data = c.answer().replace("from".encode(), "fr\u00e9m".encode()).replace(b"here", b"\\ud83d\\ude00")
    at = data.index(b"\xa9")
    c.head(200, None, "Transfer-Encoding: chunked")
    c.chunk(data[:at])
    time.sleep(0.01)
    c.chunk(data[at:])
    c.put("0\r\n\r\n")


def nul_escaped(c, _):
    c.whole(200, c.answer().replace(b"from", b"fr\\u0000om"), c.kind)


def nul_raw(c, _):
    c.whole(200, c.answer().replace(b"from", b"fr\0om"), c.kind)


def numbers(c, which):
    """--WHICH: figures that no 64 bits hold, or that count below nothing."""
    figure = {"huge": b"99999999999999999999999999", "exponent": b"1e400", "negative": b"-9223372036854775809",
              "minus": b"-7", "fraction": b"7.5", "most": b"9223372036854775807"}[which]
    data = c.wire.begin() + b"".join(map(c.wire.delta, PIECES)) + c.wire.tail() if c.stream else c.answer()
    for name in (b"prompt_tokens", b"prompt_eval_count", b"input_tokens", b"promptTokenCount", b"inputTokens"):
        data = data.replace(b'"%s":7' % name, b'"%s":%s' % (name, figure))
    for name in (b"completion_tokens", b"eval_count", b"output_tokens", b"candidatesTokenCount", b"outputTokens"):
        if which == "most":
            data = data.replace(b'"%s":3' % name, b'"%s":%s' % (name, figure))
    c.until_close(data.replace(b'"index":0', b'"index":' + figure) if c.wire.name == "openai" and which == "huge" else data)


# ---- tool calls --------------------------------------------------------------------------------------------------------

def send_calls(c, items, reason=None):
    reason = reason or c.wire.call_reason
    if not c.stream:
        return c.whole(200, c.wire.message(calls=items, reason=reason))
    c.head(200, None, "Connection: close")
    c.put(c.wire.begin())
    for at in range(0, len(items), 100):
        c.put(c.wire.calls(items[at:at + 100], at))
    c.put(c.wire.tail(reason))
    return c.close()


def calls(c, number):
    send_calls(c, [c.wire.call(i) for i in range(int(number))])


def call_cut(c, _):
    """The arguments stop in the middle, and the finish says so (Ollama sends whole calls only)."""
    send_calls(c, [c.wire.call(0, arguments='{"a":"half of')], c.wire.cut_reason)


def ids_twice(c, _):
    """Two calls with one id."""
    send_calls(c, [c.wire.call(0, ident="same"), c.wire.call(1, "other", ident="same")])


def same_index(c, _):
    items = [c.wire.call(0), {**c.wire.call(0, "other"), "id": "call_b"}]
    c.until_close(c.wire.calls(items[:1]), c.wire.calls(items[1:]), c.wire.tail("tool_calls"))


def id_late(c, _):
    """The name and the arguments first, the id behind them, and once more."""
    item = c.wire.call(0)
    late = [{"index": 0, "id": None, "function": {"name": "look", "arguments": '{"a"'}},
            {"index": 0, "id": item["id"], "function": {"arguments": ":1}"}}, {"index": 0, "id": item["id"]}]
    c.until_close(*[c.wire.calls([piece]) for piece in late], c.wire.tail("tool_calls"))


def index_odd(c, _):
    """Indices that no array has."""
    items = [{**c.wire.call(0), "index": index, "id": f"call_{i}"}
             for i, index in enumerate((-1, 2 ** 62, "zero", None, 1e300, [0]))]
    c.until_close(c.wire.calls(items), c.wire.tail("tool_calls"))


def call_endless(c, mib):
    """A tool call whose arguments never end."""
    opening, piece = c.wire.endless_call()
    c.head(200, None, "Transfer-Encoding: chunked")
    c.chunk(c.wire.begin() + opening)
    block = piece("x" * 65536)
    for _ in range(int(mib) * 16):
        c.chunk(block)
    c.close()


def text_endless(c, mib):
    """An answer that never ends, as fast as it is read."""
    c.head(200, None, "Transfer-Encoding: chunked")
    c.chunk(c.wire.begin() or c.wire.delta("x"))
    block = c.wire.delta("x" * 65536)
    for _ in range(int(mib) * 16):
        c.chunk(block)
    c.close()


def call_deep(c, _):
    """Arguments that nest deeper than anybody reads."""
    depth = 5000
    text = '{"a":' * depth + "1" + "}" * depth
    item = json.dumps(c.wire.call(0, arguments='{"a":1}'))
    data = c.wire.calls([json.loads(item)]) if c.stream else c.wire.message(calls=[json.loads(item)])
    deep_text = json.dumps(text)[1:-1].encode()
    data = data.replace(b'{\\"a\\":1}', deep_text).replace(b'{\\"a\\": 1}', deep_text)
    data = data.replace(b'{"a":1}', text.encode()).replace(b'{"a":0}', text.encode())
    c.until_close(c.wire.begin() + data + c.wire.tail(c.wire.call_reason) if c.stream else data)
