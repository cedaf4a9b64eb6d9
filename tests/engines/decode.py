# SPDX-License-Identifier: MIT
"""What recorded bytes mean, by a small decoder of its own that shares nothing with the library: HTTP, the wires of local
engines, and which kinds of error a refusal may be called."""
import base64
import json
import re


class Exchange:
    """One recorded file: the request, the raw response, and the sizes of the pieces in which it came."""

    def __init__(self, path):
        with open(path, "rb") as f:
            data = f.read()
        head, rest = data.split(b"\n===== RESPONSE =====\n", 1)
        self.raw, marks = rest.rsplit(b"\n===== RECV (seconds, bytes) =====\n", 1)
        request = head.split(b"===== REQUEST =====\n", 1)[1]
        line, _, body = request.partition(b"\r\n\r\n")
        self.method, self.path = line.split(b"\r\n")[0].decode().split(" ")[:2]
        try:
            self.body = json.loads(body)
        except ValueError:
            self.body = None
        self.body = self.body if isinstance(self.body, dict) else {}
        words = [line.split(" ", 1)[1] for line in marks.decode().splitlines() if " " in line]
        self.pieces = [int(w) for w in words if w.isdigit()]
        self.is_reset = any("ConnectionReset" in w for w in words)
        self.status, self.headers, self.content, self.is_whole = read_http(self.raw)

    @property
    def is_stream(self):
        kind = self.headers.get("content-type", "")
        return self.status < 300 and ("event-stream" in kind or "ndjson" in kind)


def read_http(raw):
    """(status, headers, body, whether all of it came)"""
    head, _, rest = raw.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    fields = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
    status = int(lines[0].split(" ")[1]) if lines[0].startswith("HTTP/") else 0
    if "chunked" not in fields.get("transfer-encoding", ""):
        length = fields.get("content-length")
        return status, fields, rest, length is None or len(rest) >= int(length)
    body = b""
    while True:
        line, found, rest = rest.partition(b"\r\n")
        if not found or not re.fullmatch(rb"[0-9a-fA-F]+", line):
            return status, fields, body, False
        size = int(line, 16)
        body += rest[:size]
        if size == 0 or len(rest) < size:
            return status, fields, body, size == 0
        rest = rest[size + 2:]


class Meaning:
    """text, thinking, calls [(name, arguments)], finish (the wire's word), usage (input, output), kinds (of the error)."""

    def __init__(self):
        self.text = self.thinking = ""
        self.calls = []
        self.finish = None
        self.usage = [None, None]
        self.is_complete = False
        self.kinds = None
        self.vectors = None
        self.models = None

    def failed(self, *kinds):
        self.kinds = set(kinds)


# Phrases that say more than the status, in order: the first one counts.
PHRASES = [(r"too large to process|context (size|length|window)|exceeds? .*context|too long|context_length", {"context_overflow", "bad_request"}),
           (r"does not support (thinking|tools|chat|generate|embed|logits)|not supported|image input|created with embedding", {"unsupported", "unsupported_parameter",
                                                                                                "bad_request"}),
           (r"parse_error", {"bad_request"}),
           (r"model.{0,40}not found|invalid model|not found in model|no model", {"model_not_found", "bad_request"}),
           (r"api key|no_db_connection|authenti", {"auth", "bad_request", "server"})]
STATUSES = {400: {"bad_request"}, 401: {"auth"}, 403: {"permission"}, 404: {"model_not_found", "not_found"}, 405: {"bad_request"},
            429: {"rate_limit"}, 500: {"server"}, 501: {"unsupported", "server"}, 503: {"overloaded"}}


def kinds_of(status, body):
    text = body.decode("utf-8", "replace").lower()
    for pattern, kinds in PHRASES:
        if re.search(pattern, text):
            return kinds | (STATUSES.get(status, {"server"}) if status >= 500 else set())
    return STATUSES.get(status, {"server"} if status >= 500 else {"bad_request"})


def events(body, is_whole):
    """The data of each event of an SSE stream; the last one may lack its blank line."""
    for block in re.split(rb"\r?\n\r?\n", body):
        data = b"\n".join(line[5:].lstrip(b" ") for line in block.splitlines() if line.startswith(b"data:"))
        if data and data != b"[DONE]":
            try:
                yield json.loads(data)
            except ValueError:
                if is_whole:
                    raise
        elif data:
            yield None


def add_openai(m, value, key, calls):
    if value is None:
        m.is_complete = True
        return
    if value.get("error"):
        m.failed("stream_error", "server", "overloaded", "bad_gateway", "connect", "context_overflow")
        return
    usage = value.get("usage") or {}
    if usage:
        m.usage = [usage.get("prompt_tokens"), usage.get("completion_tokens")]
    for choice in value.get("choices", [])[:1]:
        part = choice.get(key) or {}
        m.text += part.get("content") or choice.get("text") or ""
        m.thinking += part.get("reasoning_content") or part.get("reasoning") or ""
        for call in part.get("tool_calls") or []:
            entry = calls.setdefault(call.get("index", len(calls)), ["", ""])
            entry[0] = entry[0] or call["function"].get("name") or ""  # llama-cpp-python says it again in each chunk
            entry[1] += call["function"].get("arguments") or ""
        if choice.get("finish_reason"):
            m.finish, m.is_complete = choice["finish_reason"], True


def read_openai(x):
    m, calls = Meaning(), {}
    if x.is_stream:
        for value in events(x.content, x.is_whole):
            add_openai(m, value, "delta", calls)
    else:
        add_openai(m, json.loads(x.content), "message", calls)
    m.calls = [tuple(calls[i]) for i in sorted(calls)]
    return m


def read_ollama(x):
    m = Meaning()
    for line in x.content.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            if x.is_whole:
                raise
            continue
        if value.get("error"):
            m.failed("stream_error", "server", "overloaded")
            return m
        message = value.get("message") or {}
        m.text += message.get("content") or value.get("response") or ""
        m.thinking += message.get("thinking") or value.get("thinking") or ""
        m.calls += [(c["function"]["name"], json.dumps(c["function"]["arguments"])) for c in message.get("tool_calls") or []]
        if value.get("done"):
            m.finish, m.is_complete = value.get("done_reason"), True
            m.usage = [value.get("prompt_eval_count"), value.get("eval_count")]
    return m


def read_anthropic(x):
    m, blocks = Meaning(), []
    if not x.is_stream:
        value = json.loads(x.content)
        blocks = value["content"]
        m.finish, m.is_complete, usage = value["stop_reason"], True, value["usage"]
    else:
        usage = {}
        for value in events(x.content, x.is_whole):
            kind = value["type"]
            if kind == "message_start":
                usage.update(value["message"]["usage"])
            elif kind == "content_block_start":
                blocks.append({**value["content_block"], "json": ""})
            elif kind == "content_block_delta":
                delta = value["delta"]
                for key in ("text", "thinking"):
                    blocks[-1][key] = blocks[-1].get(key, "") + delta.get(key, "")
                blocks[-1]["json"] += delta.get("partial_json", "")
            elif kind == "message_delta":
                m.finish = value["delta"]["stop_reason"]
                usage.update(value.get("usage") or {})
            elif kind == "message_stop":
                m.is_complete = True
    m.text = "".join(b.get("text", "") for b in blocks)
    m.thinking = "".join(b.get("thinking", "") for b in blocks)
    m.calls = [(b["name"], b.get("json") or json.dumps(b["input"])) for b in blocks if b["type"] == "tool_use"]
    cached = usage.get("cache_read_input_tokens") or 0
    m.usage = [usage["input_tokens"] + cached if "input_tokens" in usage else None, usage.get("output_tokens")]
    return m


def read_responses(x):
    m, value = Meaning(), json.loads(x.content)
    for item in value["output"]:
        parts = item.get("content") or []
        if item["type"] == "message":
            m.text += "".join(p["text"] for p in parts if p["type"] == "output_text")
        elif item["type"] == "reasoning":
            m.thinking += "".join(p["text"] for p in (item.get("summary") or parts))
    m.usage = [value["usage"]["input_tokens"], value["usage"]["output_tokens"]]
    why = (value.get("incomplete_details") or {}).get("reason")
    m.finish, m.is_complete = ("length" if why == "max_output_tokens" else "stop"), True
    return m


def read_vectors(x):
    m, value = Meaning(), json.loads(x.content)
    rows = value.get("embeddings") or [row["embedding"] for row in value["data"]]
    m.vectors = (len(rows), len(base64.b64decode(rows[0])) // 4 if isinstance(rows[0], str) else len(rows[0]))
    m.is_complete = True
    return m


def read_models(x):
    m, value = Meaning(), json.loads(x.content)
    rows = value.get("data") or value.get("models") or []
    m.models = {row.get("id") or row.get("name") for row in rows}
    m.is_complete = True
    return m


def read_show(x):
    m, value = Meaning(), json.loads(x.content)
    m.models = {v for k, v in value["model_info"].items() if k.endswith(".context_length")}
    m.is_complete = True
    return m
