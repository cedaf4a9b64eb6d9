# SPDX-License-Identifier: MIT
"""A small HTTP server that speaks OpenAI's and Ollama's wires and misbehaves by the model's name."""
import http.server
import json
import threading

ERRORS = {  # model: status, body
    "auth": (401, {"error": {"message": "Incorrect API key", "type": "invalid_request_error", "code": "invalid_api_key"}}),
    "rate": (429, {"error": {"message": "Too many requests", "type": "rate_limit_error"}}),
    "missing": (404, {"error": {"message": "no such model", "code": "model_not_found"}}),
    "bad": (400, {"error": {"message": "temperature is too warm", "type": "invalid_request_error"}}),
    "broken": (500, {"error": {"message": "\x1b[31mbang\x1b[0m"}}),
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def send_json(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def start_stream(self, content_type):
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    def put(self, text):
        self.wfile.write(text.encode())
        self.wfile.flush()

    def do_GET(self):
        if self.path == "/stall/v1/models":
            self.server.stalled.set()
            self.server.release.wait(20)
        if self.path.endswith("/v1/models"):
            return self.send_json(200, {"object": "list", "data": [{"id": "ok", "object": "model"}, {"id": "slow", "object": "model"}]})
        if self.path == "/api/tags":
            return self.send_json(200, {"models": [{"name": "tiny:latest", "model": "tiny:latest", "size": 1234567}]})
        if self.path == "/api/ps":
            return self.send_json(200, {"models": [{"name": "tiny:latest", "model": "tiny:latest", "size": 1234567}]})
        if self.path == "/api/version":
            return self.send_json(200, {"version": "0.9.9"})
        if self.path in ("/", "/health"):
            return self.send_json(200, {"status": "ok"})
        return self.send_json(404, {"error": {"message": "not found"}})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        self.server.requests.append((self.path, body, dict(self.headers)))
        try:
            if self.path == "/v1/chat/completions":
                self.openai_chat(body)
            elif self.path == "/v1/embeddings":
                texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
                self.send_json(200, {"object": "list", "model": body["model"], "usage": {"prompt_tokens": 4, "total_tokens": 4},
                                     "data": [{"index": i, "object": "embedding", "embedding": [0.5, len(t) / 8, -0.25]}
                                              for i, t in enumerate(texts)]})
            elif self.path == "/api/chat":
                self.ollama_chat(body)
            elif self.path == "/api/embed":
                texts = body.get("input", [])
                texts = texts if isinstance(texts, list) else [texts]
                self.send_json(200, {"model": body["model"], "embeddings": [[0.5, len(t) / 8, -0.25] for t in texts]})
            elif self.path == "/api/show":
                self.send_json(200, {"capabilities": ["completion"], "model_info": {"general.architecture": "llama", "llama.context_length": 4096}})
            elif self.path == "/api/generate":
                self.send_json(200, {"model": body["model"], "response": "", "done": True, "done_reason": "load"})
            else:
                self.send_json(404, {"error": {"message": "not found"}})
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def openai_chat(self, body):
        model = body["model"]
        if model in ERRORS:
            return self.send_json(*ERRORS[model])
        pieces = {"escape": ["a\x1b[31mred\x07", "\u009b2J end"], "long": ["0123456789" * 20] * 400}.get(model, ["Hello", " world"])
        if model == "slow" and not body.get("stream"):
            self.server.stalled.set()
            self.server.release.wait(20)
            return None
        if not body.get("stream"):
            return self.send_json(200, {
                "id": "r1", "object": "chat.completion", "model": model,
                "choices": [{"index": 0, "message": {"role": "assistant", "content": "".join(pieces)}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}})
        self.start_stream("text/event-stream")
        for piece in pieces:
            self.put("data: " + json.dumps({"id": "r1", "object": "chat.completion.chunk", "model": model,
                                            "choices": [{"index": 0, "delta": {"content": piece}}]}) + "\n\n")
            if model == "cut":
                return None
            if model == "slow":
                self.server.stalled.set()
                self.server.release.wait(20)
                return None
        self.put("data: " + json.dumps({"id": "r1", "object": "chat.completion.chunk", "model": model,
                                        "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}) + "\n\n")
        self.put("data: " + json.dumps({"id": "r1", "object": "chat.completion.chunk", "model": model, "choices": [],
                                        "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}}) + "\n\n")
        self.put("data: [DONE]\n\n")
        return None

    def ollama_chat(self, body):
        rows = [{"message": {"role": "assistant", "content": "Tiny"}, "done": False},
                {"message": {"role": "assistant", "content": " answer"}, "done": False},
                {"message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop",
                 "prompt_eval_count": 5, "eval_count": 2}]
        if body.get("stream") is False:
            return self.send_json(200, {**rows[-1], "model": body["model"], "message": {"role": "assistant", "content": "Tiny answer"}})
        self.start_stream("application/x-ndjson")
        for row in rows:
            self.put(json.dumps({"model": body["model"], **row}) + "\n")
        return None


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests = []
        self.stalled = threading.Event()
        self.release = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass
