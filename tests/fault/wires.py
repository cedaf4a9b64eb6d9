# SPDX-License-Identifier: MIT
"""The wires that the misbehaving server speaks, a class each: how a good answer looks there, piece by piece.

What goes wrong (ways.py) is said in these pieces only, so a way holds for every wire, and a new wire is one more class:
its text (delta), its finish, its end, its framing (frame) and its whole body (message).
"""
import json
import struct
import urllib.parse
import zlib

PIECES = ["Hello ", "from ", "here."]


def compact(value):
    return value.encode() if isinstance(value, str) else json.dumps(value, separators=(",", ":")).encode()


class Wire:
    """ping: what keeps a connection busy without saying anything, b"" without such. call_reason, cut_reason: the finish
    behind tool calls, and behind one that was cut."""
    name = ""
    stream_type = "text/event-stream"
    ping = b": ping\n\n"

    def matches(self, path):
        raise NotImplementedError

    def asked(self, path, body):
        """(model, streaming) of a request."""
        return str(body.get("model", "")), bool(body.get("stream", False))

    def frame(self, value, event=None):
        """One event of a stream; text is taken as it is."""
        head = b"event: " + event.encode() + b"\n" if event else b""
        return head + b"data: " + compact(value) + b"\n\n"

    def begin(self):
        """What stands before the first text."""
        return b""

    def finish(self, reason="stop", usage=(7, 3)):
        raise NotImplementedError

    def end(self, reason="stop", usage=(7, 3)):
        """The wire's terminal event, behind the finish."""
        return b""

    def tail(self, reason="stop", usage=(7, 3)):
        return self.finish(reason, usage) + self.end(reason, usage)

    def stream(self):
        return self.begin() + b"".join(map(self.delta, PIECES)) + self.finish() + self.end()

    def frames(self):
        """A good stream as (bytes, the text that has come with them, whether the answer is complete then)."""
        rows = [(self.begin(), "", False)] if self.begin() else []
        rows += [(self.delta(p), "".join(PIECES[:i + 1]), False) for i, p in enumerate(PIECES)]
        rows.append((self.finish(), "".join(PIECES), self.ends_at_finish))
        if self.end():
            rows.append((self.end(), "".join(PIECES), True))
        return rows

    ends_at_finish = False  # by the wire's own rule a finish reason is enough


class OpenAI(Wire):
    name = "openai"
    ends_at_finish = True

    def matches(self, path):
        return path.endswith("/chat/completions")

    def delta(self, text, **more):
        return self.frame({"id": "c1", "object": "chat.completion.chunk", "model": "fault",
                           "choices": [{"index": 0, "delta": {"content": text, **more}, "finish_reason": None}]})

    def finish(self, reason="stop", usage=(7, 3)):
        return self.frame({"id": "c1", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}) + self.usage(*usage)

    def usage(self, given, taken):
        return self.frame({"id": "c1", "choices": [], "usage": {"prompt_tokens": given, "completion_tokens": taken,
                                                                "total_tokens": given + taken}})

    def end(self, reason="stop", usage=(7, 3)):
        return b"data: [DONE]\n\n"

    def frames(self):
        rows = super().frames()
        data = rows[-2][0]
        cut = data.index(b"\n\n") + 2  # the finish and the usage are two events
        return rows[:-2] + [(data[:cut], rows[-2][1], True), (data[cut:], rows[-2][1], True), rows[-1]]

    def message(self, text="", calls=(), reason="stop"):
        message = {"role": "assistant", "content": text, **({"tool_calls": list(calls)} if calls else {})}
        return compact({"id": "c1", "model": "fault", "choices": [{"index": 0, "message": message, "finish_reason": reason}],
                        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}})

    def error(self, message, code="server_error"):
        return self.frame({"error": {"message": message, "type": code, "code": code}})

    def refusal(self, message, code="x"):
        return compact({"error": {"message": message, "type": code, "code": code}})

    def call(self, index, name="look", arguments='{"a":1}', ident=None):
        return {"index": index, "id": ident or f"call_{index}", "type": "function",
                "function": {"name": name, "arguments": arguments}}

    def calls(self, items, first=0):
        return self.delta("", tool_calls=items)

    def endless_call(self):
        """What opens a call, and what goes on with its arguments for ever."""
        return (self.calls([self.call(0, arguments='{"a":"')]),
                lambda text: self.calls([{"index": 0, "function": {"arguments": text}}]))

    call_reason = "tool_calls"
    cut_reason = "length"


class Ollama(Wire):
    name = "ollama"
    stream_type = "application/x-ndjson"
    ping = b"\n"
    ends_at_finish = True
    call_reason = "stop"
    cut_reason = "length"

    def matches(self, path):
        return path == "/api/chat"

    def frame(self, value, event=None):
        return compact(value) + b"\n"

    def delta(self, text, **more):
        return self.frame({"model": "fault", "message": {"role": "assistant", "content": text, **more}, "done": False})

    def finish(self, reason="stop", usage=(7, 3)):
        return self.message(reason=reason, usage=usage) + b"\n"

    def message(self, text="", calls=(), reason="stop", usage=(7, 3)):
        message = {"role": "assistant", "content": text, **({"tool_calls": list(calls)} if calls else {})}
        return compact({"model": "fault", "message": message, "done": True, "done_reason": reason,
                        "prompt_eval_count": usage[0], "eval_count": usage[1]})

    def error(self, message, code=None):
        return self.frame({"error": message})

    def refusal(self, message, code=None):
        return compact({"error": message})

    def call(self, index, name="look", arguments=None, ident=None):
        return {"function": {"name": name, "arguments": {"a": index}}}

    def calls(self, items, first=0):
        return self.delta("", tool_calls=items)

    def endless_call(self):
        return b'{"model":"fault","message":{"tool_calls":[{"function":{"name":"look","arguments":{"a":"', str.encode


class Anthropic(Wire):
    name = "anthropic"
    ping = b'event: ping\ndata: {"type": "ping"}\n\n'
    call_reason = "tool_use"
    cut_reason = "max_tokens"
    REASONS = {"stop": "end_turn"}

    def matches(self, path):
        return path.endswith("/messages")

    def frame(self, value, event=None):
        event = event or (value.get("type") if isinstance(value, dict) else None)
        return super().frame(value, event)

    def begin(self):
        return self.frame({"type": "message_start", "message": {
            "id": "m1", "type": "message", "role": "assistant", "model": "fault", "content": [],
            "usage": {"input_tokens": 7, "output_tokens": 1}}}) + self.frame(
                {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})

    def delta(self, text):
        return self.frame({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})

    def finish(self, reason="stop", usage=(7, 3)):
        return self.frame({"type": "content_block_stop", "index": 0}) + self.frame(
            {"type": "message_delta", "delta": {"stop_reason": self.REASONS.get(reason, reason), "stop_sequence": None},
             "usage": {"input_tokens": usage[0], "output_tokens": usage[1]}})

    def end(self, reason="stop", usage=(7, 3)):
        return self.frame({"type": "message_stop"})

    def message(self, text="", calls=(), reason="stop"):
        content = ([{"type": "text", "text": text}] if text else []) + list(calls)
        return compact({"id": "m1", "type": "message", "role": "assistant", "model": "fault", "content": content,
                        "stop_reason": self.REASONS.get(reason, reason), "stop_sequence": None,
                        "usage": {"input_tokens": 7, "output_tokens": 3}})

    def error(self, message, code="api_error"):
        return self.frame({"type": "error", "error": {"type": code, "message": message}})

    def refusal(self, message, code="invalid_request_error"):
        return compact({"type": "error", "error": {"type": code, "message": message}})

    def call(self, index, name="look", arguments='{"a":1}', ident=None):
        return {"type": "tool_use", "id": ident or f"call_{index}", "name": name, "input": json.loads(arguments)}

    def calls(self, items, first=0):
        return b"".join(self.frame({"type": "content_block_start", "index": i + 1, "content_block": {**item, "input": {}}}) +
                        self.frame({"type": "content_block_delta", "index": i + 1, "delta": {
                            "type": "input_json_delta", "partial_json": json.dumps(item["input"])}}) +
                        self.frame({"type": "content_block_stop", "index": i + 1}) for i, item in enumerate(items, first))

    def endless_call(self):
        item = {"type": "tool_use", "id": "call_0", "name": "look", "input": {}}

        def piece(text):
            return self.frame({"type": "content_block_delta", "index": 1,
                               "delta": {"type": "input_json_delta", "partial_json": text}})
        return self.frame({"type": "content_block_start", "index": 1, "content_block": item}) + piece('{"a":"'), piece


class Gemini(Wire):
    name = "gemini"
    ends_at_finish = True
    call_reason = "STOP"
    cut_reason = "MAX_TOKENS"
    REASONS = {"stop": "STOP"}

    def matches(self, path):
        return ":generateContent" in path or ":streamGenerateContent" in path

    def asked(self, path, body):
        name, _, verb = path.partition("?")[0].rpartition("/models/")[2].rpartition(":")
        return urllib.parse.unquote(name), verb == "streamGenerateContent"

    def parts(self, parts, reason=None, usage=None):
        value = {"candidates": [{"index": 0, "content": {"role": "model", "parts": parts},
                                 **({"finishReason": reason} if reason else {})}], "modelVersion": "fault", "responseId": "g1"}
        if usage:
            value["usageMetadata"] = {"promptTokenCount": usage[0], "candidatesTokenCount": usage[1],
                                      "totalTokenCount": sum(usage)}
        return value

    def delta(self, text):
        return self.frame(self.parts([{"text": text}]))

    def finish(self, reason="stop", usage=(7, 3)):
        return self.frame(self.parts([{"text": ""}], self.REASONS.get(reason, reason), usage))

    def message(self, text="", calls=(), reason="stop"):
        parts = ([{"text": text}] if text else []) + list(calls)
        return compact(self.parts(parts, self.REASONS.get(reason, reason), (7, 3)))

    def error(self, message, code="INTERNAL"):
        return self.frame({"error": {"code": 500, "message": message, "status": code}})

    def refusal(self, message, code="INVALID_ARGUMENT"):
        return compact({"error": {"code": 400, "message": message, "status": code}})

    def call(self, index, name="look", arguments='{"a":1}', ident=None):
        return {"functionCall": {"name": name, "args": {"a": index}}}

    def calls(self, items, first=0):
        return self.frame(self.parts(items))

    def endless_call(self):
        return (b'data: {"candidates":[{"content":{"role":"model","parts":[{"functionCall":{"name":"look","args":{"a":"',
                str.encode)


class Responses(Wire):
    name = "responses"
    call_reason = "stop"
    cut_reason = "length"

    def matches(self, path):
        return path.endswith("/responses")

    def frame(self, value, event=None):
        event = event or (value.get("type") if isinstance(value, dict) else None)
        return super().frame(value, event)

    def begin(self):
        item = {"id": "msg_1", "type": "message", "status": "in_progress", "role": "assistant", "content": []}
        return (self.frame({"type": "response.created", "response": self.state("in_progress", [])}) +
                self.frame({"type": "response.output_item.added", "output_index": 0, "item": item}) +
                self.frame({"type": "response.content_part.added", "item_id": "msg_1", "output_index": 0, "content_index": 0,
                            "part": {"type": "output_text", "text": "", "annotations": []}}))

    def delta(self, text):
        return self.frame({"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "content_index": 0,
                           "delta": text})

    def item(self, text):
        return {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant",
                "content": [{"type": "output_text", "text": text, "annotations": []}]}

    def state(self, status, output, usage=None, reason=None):
        return {"id": "r1", "object": "response", "model": "fault", "status": status, "output": output, "error": None,
                "incomplete_details": {"reason": reason} if reason else None,
                "usage": {"input_tokens": usage[0], "output_tokens": usage[1], "total_tokens": sum(usage)} if usage else None}

    def finish(self, reason="stop", usage=(7, 3)):
        return self.frame({"type": "response.in_progress", "response": self.state("in_progress", [])})

    def end(self, reason="stop", usage=(7, 3)):
        if reason == "length":
            return self.frame({"type": "response.incomplete",
                               "response": self.state("incomplete", [], usage, "max_output_tokens")})
        return self.frame({"type": "response.completed", "response": self.state("completed", [], usage)})

    def message(self, text="", calls=(), reason="stop"):
        output = ([self.item(text)] if text else []) + list(calls)
        if reason == "length":
            return compact(self.state("incomplete", output, (7, 3), "max_output_tokens"))
        return compact(self.state("completed", output, (7, 3)))

    def error(self, message, code="server_error"):
        return self.frame({"type": "error", "code": code, "message": message, "param": None})

    def refusal(self, message, code="x"):
        return compact({"error": {"message": message, "type": code, "code": code}})

    def call(self, index, name="look", arguments='{"a":1}', ident=None):
        return {"type": "function_call", "id": f"fc_{index}", "call_id": ident or f"call_{index}", "name": name,
                "arguments": arguments, "status": "completed"}

    def calls(self, items, first=0):
        return b"".join(
            self.frame({"type": "response.output_item.added", "output_index": i + 1, "item": {**item, "arguments": ""}}) +
            self.frame({"type": "response.function_call_arguments.delta", "item_id": item["id"], "output_index": i + 1,
                        "delta": item["arguments"]}) +
            self.frame({"type": "response.output_item.done", "output_index": i + 1, "item": item})
            for i, item in enumerate(items, first))

    def endless_call(self):
        def piece(text):
            return self.frame({"type": "response.function_call_arguments.delta", "item_id": "fc_0", "output_index": 1,
                               "delta": text})
        item = {**self.call(0), "arguments": "", "status": "in_progress"}
        return self.frame({"type": "response.output_item.added", "output_index": 1, "item": item}) + piece('{"a":"'), piece


class Bedrock(Wire):
    """Converse: messages of application/vnd.amazon.eventstream."""
    name = "bedrock"
    stream_type = "application/vnd.amazon.eventstream"
    ping = b""
    call_reason = "tool_use"
    cut_reason = "max_tokens"
    REASONS = {"stop": "end_turn"}

    def matches(self, path):
        return path.endswith("/converse") or path.endswith("/converse-stream")

    def asked(self, path, body):
        name, _, verb = path.rpartition("/model/")[2].rpartition("/")
        return urllib.parse.unquote(name), verb == "converse-stream"

    def frame(self, value, event="contentBlockDelta", kind="event"):
        body = compact(value)
        head = b""
        for key, text in ((":message-type", kind), (":exception-type" if kind == "exception" else ":event-type", event),
                          (":content-type", "application/json")):
            head += bytes([len(key)]) + key.encode() + b"\x07" + struct.pack(">H", len(text)) + text.encode()
        data = struct.pack(">II", len(head) + len(body) + 16, len(head))
        data += struct.pack(">I", zlib.crc32(data)) + head + body
        return data + struct.pack(">I", zlib.crc32(data))

    def begin(self):
        return self.frame({"role": "assistant"}, "messageStart")

    def delta(self, text):
        return self.frame({"contentBlockIndex": 0, "delta": {"text": text}})

    def finish(self, reason="stop", usage=(7, 3)):
        return (self.frame({"contentBlockIndex": 0}, "contentBlockStop"))

    def end(self, reason="stop", usage=(7, 3)):
        return self.frame({"stopReason": self.REASONS.get(reason, reason)}, "messageStop")

    def message(self, text="", calls=(), reason="stop"):
        content = ([{"text": text}] if text else []) + list(calls)
        return compact({"output": {"message": {"role": "assistant", "content": content}},
                        "stopReason": self.REASONS.get(reason, reason),
                        "usage": {"inputTokens": 7, "outputTokens": 3, "totalTokens": 10}, "metrics": {"latencyMs": 1}})

    def error(self, message, code="modelStreamErrorException"):
        return self.frame({"message": message}, code, "exception")

    def refusal(self, message, code="ValidationException"):
        return compact({"message": message})

    def call(self, index, name="look", arguments='{"a":1}', ident=None):
        return {"toolUse": {"toolUseId": ident or f"call_{index}", "name": name, "input": json.loads(arguments)}}

    def calls(self, items, first=0):
        out = b""
        for i, item in enumerate(items, first + 1):
            use = item["toolUse"]
            out += self.frame({"contentBlockIndex": i, "start": {"toolUse": {
                "toolUseId": use["toolUseId"], "name": use["name"]}}}, "contentBlockStart")
            out += self.frame({"contentBlockIndex": i, "delta": {"toolUse": {"input": json.dumps(use["input"])}}})
            out += self.frame({"contentBlockIndex": i}, "contentBlockStop")
        return out

    def endless_call(self):
        start = {"contentBlockIndex": 1, "start": {"toolUse": {"toolUseId": "call_0", "name": "look"}}}

        def piece(text):
            return self.frame({"contentBlockIndex": 1, "delta": {"toolUse": {"input": text}}})
        return self.frame(start, "contentBlockStart") + piece('{"a":"'), piece


class Cohere(Wire):
    name = "cohere"
    call_reason = "TOOL_CALL"
    cut_reason = "MAX_TOKENS"
    REASONS = {"stop": "COMPLETE"}

    def matches(self, path):
        return path.endswith("/v2/chat")

    def frame(self, value, event=None):
        event = event or (value.get("type") if isinstance(value, dict) else None)
        return super().frame(value, event)

    def begin(self):
        return self.frame({"type": "message-start", "id": "m1", "delta": {"message": {
            "role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}}}) + self.frame(
                {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}})

    def delta(self, text):
        return self.frame({"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": text}}}})

    def finish(self, reason="stop", usage=(7, 3)):
        return self.frame({"type": "content-end", "index": 0})

    def end(self, reason="stop", usage=(7, 3)):
        return self.frame({"type": "message-end", "delta": {"finish_reason": self.REASONS.get(reason, reason),
                                                            "usage": self.usage(*usage)}})

    def usage(self, given, taken):
        tokens = {"input_tokens": given, "output_tokens": taken}
        return {"billed_units": tokens, "tokens": tokens}

    def message(self, text="", calls=(), reason="stop"):
        message = {"role": "assistant", "content": [{"type": "text", "text": text}] if text else []}
        if calls:
            message["tool_calls"] = list(calls)
        return compact({"id": "m1", "message": message, "finish_reason": self.REASONS.get(reason, reason),
                        "usage": self.usage(7, 3)})

    def error(self, message, code="ERROR"):
        return self.frame({"type": "message-end", "delta": {"finish_reason": "ERROR", "error": message}})

    def refusal(self, message, code=None):
        return compact({"message": message})

    def call(self, index, name="look", arguments='{"a":1}', ident=None):
        return {"id": ident or f"call_{index}", "type": "function", "function": {"name": name, "arguments": arguments}}

    def calls(self, items, first=0):
        return b"".join(self.frame({"type": "tool-call-start", "index": i, "delta": {"message": {"tool_calls": item}}}) +
                        self.frame({"type": "tool-call-end", "index": i}) for i, item in enumerate(items, first))

    def endless_call(self):
        def piece(text):
            return self.frame({"type": "tool-call-delta", "index": 0,
                               "delta": {"message": {"tool_calls": {"function": {"arguments": text}}}}})
        start = {"type": "tool-call-start", "index": 0, "delta": {"message": {"tool_calls": self.call(0, arguments='{"a":"')}}}
        return self.frame(start), piece


WIRES = [OpenAI(), Ollama(), Anthropic(), Gemini(), Responses(), Bedrock(), Cohere()]


def find(path):
    """The wire that a request's path belongs to, or None."""
    plain = path.partition("?")[0]
    return next((w for w in WIRES if w.matches(plain)), None)
