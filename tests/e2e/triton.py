#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Drives the built command line against a small Triton: a real socket, the protocol as the server's http_server.cc speaks
it (chunked bodies, a stream that ends with its body, errors inside a 200), and ways to misbehave by the model's name.

  triton.py MEMBRANE
"""
import http.server
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time

MEMBRANE = str(pathlib.Path(sys.argv[1]).resolve())
PIECES = ["Hello", " from", " here."]
TESTS = []


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=None, content_type="application/json"):
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def error(self, message, status=400):
        self.answer(status, {"error": message})

    def start(self, status=200):
        self.send_response(status)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def chunk(self, value):
        data = b"data: " + json.dumps(value, separators=(",", ":")).encode() + b"\n\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def end(self):
        self.wfile.write(b"0\r\n\r\n")

    def cut(self):
        self.close_connection = True

    def do_GET(self):
        triton = self.server
        if self.path == "/v2":
            return self.answer(200, {"name": "triton", "version": "2.55.0", "extensions": ["model_repository", "generate"]})
        if self.path == "/v2/health/ready":
            return self.answer(200 if triton.loaded else 400)
        name = re.fullmatch(r"/v2/models/([^/]+)(?:/versions/\d+)?", self.path)
        if not name:
            return self.error("Not Found", 404)
        if name[1] not in triton.loaded:
            return self.error(f"Request for unknown model: '{name[1]}' is not found")
        return self.answer(200, {"name": name[1], "versions": ["1"], "platform": "ensemble",
                                 "inputs": [{"name": "text_input", "datatype": "BYTES", "shape": [-1, 1]}],
                                 "outputs": [{"name": "text_output", "datatype": "BYTES", "shape": [-1, -1]}]})

    def do_POST(self):
        triton = self.server
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        triton.requests.append((self.path, body))
        if self.path == "/v2/repository/index":
            rows = [{"name": n, "version": "1", "state": "READY"} for n in sorted(triton.loaded)]
            rows.append({"name": "sleeping", "version": "1", "state": "UNAVAILABLE", "reason": "unloaded"})
            return self.answer(200, rows)
        control = re.fullmatch(r"/v2/repository/models/([^/]+)/(load|unload)", self.path)
        if control:
            return self.control(*control.groups())
        model = re.fullmatch(r"/v2/models/([^/]+)(?:/versions/\d+)?/(infer|generate|generate_stream)", self.path)
        if not model:
            return self.error("Not Found", 404)
        name, verb = model.groups()
        if name not in triton.loaded:
            return self.error(f"Request for unknown model: '{name}' is not found")
        return getattr(self, verb)(name, body)

    def control(self, name, verb):
        if name == "nowhere":
            return self.error("failed to load 'nowhere', failed to poll from model repository")
        if verb == "load":
            self.server.loaded.add(name)
        else:
            self.server.loaded.discard(name)
        return self.answer(200)

    def infer(self, name, body):
        tensor = body["inputs"][0]
        if tensor["name"] != "text" or tensor["datatype"] != "BYTES" or tensor["shape"] != [len(tensor["data"])]:
            return self.error(f"unexpected inference input '{tensor['name']}' for model '{name}'")
        numbers = [x for text in tensor["data"] for x in (0.5, len(text) / 8, -0.25)]
        return self.answer(200, {"model_name": name, "model_version": "1", "outputs": [
            {"name": "embedding", "datatype": "FP32", "shape": [len(tensor["data"]), 3], "data": numbers}]})

    def piece(self, name, text):
        return {"model_name": name, "model_version": "1", "sequence_end": False, "sequence_id": 0, "text_output": text}

    def generate(self, name, body):
        if name == "decoupled":
            return self.answer(200, {"error": "generate expects model to produce exactly 1 response, use generate stream for "
                                              "model that generates various number of responses"})
        text = body["text_input"] if name == "echo" else "".join(PIECES)
        return self.answer(200, self.piece(name, text))

    def generate_stream(self, name, body):
        if not body.get("stream"):
            return self.error("stream is off")
        if name == "long":
            self.start(400)
            self.chunk({"error": "Prompt length (200) exceeds maximum input length (100)."})
            return self.end()
        self.start()
        for text in [body["text_input"]] if name == "echo" else PIECES:
            self.chunk(self.piece(name, text))
        if name == "breaks":
            return self.cut()
        if name == "fails":
            self.chunk({"error": "in ensemble 'fails', Executor failed"})
        return self.end()


class Triton(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.loaded = {"ensemble", "echo", "breaks", "fails", "long", "decoupled", "bge"}
        self.requests = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


server = Triton()
home = pathlib.Path(tempfile.mkdtemp(prefix="membrane-triton-"))
config = home / "config.yaml"
URL = f"http://127.0.0.1:{server.server_address[1]}"
config.write_text(f"version: 1\nproviders:\n  box: {{kind: triton, base_url: '{URL}'}}\n"
                  f"  vbox: {{kind: triton-vllm, base_url: '{URL}'}}\n"
                  f"  plain: {{kind: triton, base_url: '{URL}/elsewhere'}}\n")


def test(function):
    TESTS.append(function)
    return function


def run(*args, code=0):
    env = {k: v for k, v in os.environ.items() if not re.search(r"_API_KEY$|_proxy$|_PROXY$|^MEMBRANE", k)}
    env.update(HOME=str(home), XDG_CONFIG_HOME=str(home), XDG_STATE_HOME=str(home), XDG_DATA_HOME=str(home))
    done = subprocess.run([MEMBRANE, *args, "--config", str(config)], capture_output=True, timeout=60, env=env, cwd=home,
                          check=False, stdin=subprocess.DEVNULL, text=True)
    if (done.returncode != 0) != (code != 0):
        raise AssertionError(f"{args}: exit code {done.returncode}, stdout {done.stdout[:300]!r}, stderr {done.stderr[:500]!r}")
    return done


def answer(*args):
    return json.loads(run(*args, "--json").stdout)


def failure(*args):
    return json.loads(run(*args, "--json", code=1).stdout.splitlines()[-1])["error"]


def expect(got, want):
    if got != want:
        raise AssertionError(f"got {got!r}, expected {want!r}")


@test
def its_models_are_listed():
    items = {i["name"]: i for i in answer("models", "list", "box")["items"]}
    expect(items["box/ensemble"]["loaded"], True)
    expect((items["box/sleeping"]["loaded"], items["box/sleeping"]["reason"]), (False, "unloaded"))


@test
def a_model_is_loaded_and_unloaded():
    expect(answer("models", "load", "box/more")["state"], "loaded")
    expect("more" in server.loaded, True)
    expect(answer("models", "show", "box/more")["health"]["state"], "ok")
    expect(answer("models", "unload", "box/more")["state"], "unloaded")
    expect("more" in server.loaded, False)
    expect(failure("models", "show", "box/more")["kind"], "model_not_found")


@test
def a_model_that_is_nowhere_is_not_loaded():
    expect(failure("models", "load", "box/nowhere")["kind"], "model_not_found")


@test
def a_model_is_shown():
    shown = answer("models", "show", "box/ensemble/versions/1")
    expect((shown["engine"], shown["capabilities"], shown["raw"]["platform"]), ("triton", ["completion"], "ensemble"))


@test
def a_server_without_a_repository_says_so():
    error = failure("models", "list", "plain")
    expect((error["kind"], "no model repository" in error["message"]), ("unsupported_parameter", True))


@test
def chat_streams():
    expect(run("run", "-m", "box/ensemble", "Hi").stdout.strip(), "Hello from here.")
    path, body = server.requests[-1]
    expect((path, body["text_input"], body["stream"]), ("/v2/models/ensemble/generate_stream", "Hi", True))


@test
def a_system_prompt_makes_it_a_conversation():
    expect(run("run", "-m", "box/echo", "--system", "Be brief.", "Hi").stdout.strip(), "Be brief.\n\nUser: Hi\n\nAssistant:")


@test
def vllm_gets_its_sampling_as_text():
    run("run", "-m", "vbox/ensemble", "Hi", "--max-tokens", "9")
    expect(json.loads(server.requests[-1][1]["sampling_parameters"])["max_tokens"], 9)


@test
def a_model_of_many_responses_must_be_streamed():
    expect(failure("run", "-m", "box/decoupled", "Hi")["kind"], "unsupported_parameter")


@test
def a_connection_that_breaks_is_an_error_with_the_partial_text():
    done = run("run", "-m", "box/breaks", "Hi", code=1)
    expect(("Hello from here." in done.stdout, "stream ended before" in done.stderr), (True, True))


@test
def an_error_inside_a_stream_is_an_error():
    expect(failure("run", "--stream", "-m", "box/fails", "Hi")["kind"], "stream_error")


@test
def a_stream_that_is_refused_in_a_frame_is_understood():
    expect(failure("run", "--stream", "-m", "box/long", "Hi")["kind"], "context_overflow")


@test
def an_unknown_model_is_named():
    error = failure("run", "-m", "box/nobody", "Hi")
    expect((error["kind"], error["provider_message"]), ("model_not_found", "Request for unknown model: 'nobody' is not found"))


@test
def texts_become_vectors():
    lines = run("embed", "-m", "box/bge", "ab", "abcd").stdout.splitlines()
    expect([line.split("\t")[0] for line in lines], ["3", "3"])
    expect(lines[1].split("\t")[1].split()[:2], ["0.5", "0.5"])


@test
def a_server_without_loaded_models_answers_all_the_same():
    loaded, server.loaded = server.loaded, set()
    try:
        boxes = {p["name"]: p for p in answer("providers")["items"]}
        expect((boxes["box"]["probe"]["state"], boxes["box"]["probe"]["version"]), ("ok", "2.55.0"))
        expect(failure("models", "show", "box/ensemble")["kind"], "model_not_found")
    finally:
        server.loaded = loaded


def main():
    print(f"1..{len(TESTS)}")
    failed = 0
    for number, function in enumerate(TESTS, 1):
        name, start = function.__name__.replace("_", " "), time.monotonic()
        try:
            function()
            print(f"ok {number} - {name} # {time.monotonic() - start:.2f} s", flush=True)
        except Exception as e:  # noqa: BLE001: a test's failure, whatever it is
            failed += 1
            print(f"not ok {number} - {name}\n# {type(e).__name__}: {e}", flush=True)
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
