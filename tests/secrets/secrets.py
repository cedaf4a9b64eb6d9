#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Plants secrets wherever one may be written and looks for them in everything that comes out: secrets.py MEMBRANE PROBE.

The server says back every header that it was sent, in every kind of error answer. TAP on stdout.
"""
import base64
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import urllib.parse
import uuid

MEMBRANE, PROBE = (str(pathlib.Path(a).resolve()) for a in sys.argv[1:3])
FOLDER = tempfile.TemporaryDirectory(prefix="mb-secrets-")
HOME = pathlib.Path(FOLDER.name)


def plant():
    """A secret with no part in common with any other."""
    return f"PLANTED{uuid.uuid4().hex}"


LITERAL, ENV, FILE, HEADER, HEADER_ENV, EXTRA, OPENAI = (plant() for _ in range(7))
USER, PASSWORD, PROXY_USER, PROXY_PASSWORD, OLLAMA_PASSWORD, ENV_PROXY_PASSWORD, SLASH = (plant() for _ in range(7))
SECOND, SEALED, SEALED_HEADER, PASSPHRASE = (plant() for _ in range(4))
AWS_ID, AWS_SECRET, AWS_TOKEN, AWS_ENV_ID, AWS_ENV_SECRET, AWS_BEARER = (plant() for _ in range(6))


def basic(user, password):
    return base64.b64encode(f"{user}:{password}".encode()).decode()


PLANTED = {name: globals()[name] for name in ("LITERAL", "ENV", "FILE", "HEADER", "HEADER_ENV", "EXTRA", "OPENAI", "USER", "PASSWORD",
                                              "PROXY_USER", "PROXY_PASSWORD", "OLLAMA_PASSWORD", "ENV_PROXY_PASSWORD", "SLASH", "SECOND", "SEALED",
                                              "SEALED_HEADER", "PASSPHRASE", "AWS_ID", "AWS_SECRET", "AWS_TOKEN", "AWS_ENV_ID", "AWS_ENV_SECRET",
                                              "AWS_BEARER")}
PLANTED["BASIC"] = basic(USER, PASSWORD)
PLANTED["PROXY_BASIC"] = basic(PROXY_USER, PROXY_PASSWORD)

# ---- the server ------------------------------------------------------------------------------------------------------

seen = set()  # header values that came
signatures = {"right": 0, "wrong": []}
SECRETS = {AWS_ID: AWS_SECRET, AWS_ENV_ID: AWS_ENV_SECRET}


def check_signature(request, body):
    """AWS Signature V4, made anew from what came."""
    found = re.match(r"AWS4-HMAC-SHA256 Credential=(\w+)/(\d{8})/([\w-]+)/(\w+)/aws4_request, SignedHeaders=([\w;-]+), Signature=(\w+)$",
                     request.headers.get("Authorization", ""))
    if not found:
        return
    identity, day, region, service, names, signature = found.groups()
    path = urllib.parse.quote(request.path.partition("?")[0], safe="/~")
    lines = "".join(f"{name}:{' '.join(request.headers[name].split())}\n" for name in names.split(";"))
    canonical = "\n".join([request.command, path, "", lines, names, hashlib.sha256(body).hexdigest()])
    scope = f"{day}/{region}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{request.headers['X-Amz-Date']}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = b"AWS4" + SECRETS[identity].encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    if hmac.new(key, text.encode(), hashlib.sha256).hexdigest() == signature and "host" in names:
        signatures["right"] += 1
    else:
        signatures["wrong"].append((request.path, names, canonical))


class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def said(self):
        """All that was sent, and what Basic hides."""
        words = []
        for value in self.headers.values():
            seen.add(value)
            words.append(value)
            if value.startswith("Basic "):
                words.append(base64.b64decode(value[6:]).decode())
                seen.add(words[-1])
        return " ".join(words)

    def answer(self, status, kind, body, **headers):
        data = body.encode()
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), "X-Request-Id": self.said(), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        check_signature(self, b"")
        self.answer(401, "application/json", json.dumps({"error": {"message": "GET with " + self.said()}}))

    def do_POST(self):
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        check_signature(self, data)
        body = json.loads(data or b"{}")
        model, said = str(body.get("model", urllib.parse.unquote(self.path).partition("/model/")[2].partition("/")[0].partition(":")[0])), self.said()
        error = json.dumps({"error": {"message": "sent " + said, "type": "type " + said, "code": said}})
        if model == "server":
            return self.answer(500, "text/plain", said)
        if model == "html":
            return self.answer(502, "text/html", f"<html><title>{said}</title></html>")
        if model == "cut":
            return self.answer(400, "text/plain", "x" * 180 + said)
        if model == "limit":
            return self.answer(429, "application/json", error, **{"Retry-After": "0"})
        if model == "moved":
            return self.answer(302, "text/plain", "", Location="http://127.0.0.1:9/" + said.replace(" ", "/"))
        if model == "notjson":
            return self.answer(200, "application/json", "what is this: " + said)
        if model == "page":
            return self.answer(200, "text/html", "<html>" + said)
        if model == "stream":
            first = 'data: {"choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
            return self.answer(200, "text/event-stream", first + "data: " + error + "\n\n")
        if model == "lines":
            return self.answer(200, "application/x-ndjson", json.dumps({"error": "sent " + said}) + "\n")
        if model == "broken":
            return self.answer(200, "text/event-stream", "data: {" + said + "\n\n")
        return self.answer(401, "application/json", error)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
PORT = server.server_address[1]
threading.Thread(target=server.serve_forever, daemon=True).start()
MODELS = ["refused", "server", "html", "cut", "limit", "moved", "notjson", "page", "stream", "lines", "broken"]

# ---- what is configured ----------------------------------------------------------------------------------------------

HOST = f"http://127.0.0.1:{PORT}/v1"
PROVIDERS = {
    "literal": {"kind": "openai-compatible", "base_url": HOST, "api_key": LITERAL},
    "env": {"kind": "openai-compatible", "base_url": HOST, "api_key": "env:PLANTED_KEY"},
    "file": {"kind": "openai-compatible", "base_url": HOST, "api_keys": [f"file:{HOME}/key", SECOND]},
    "sealed": {"kind": "openai-compatible", "base_url": HOST, "api_key": "sealed:cloud", "headers": {"X-Sealed": "sealed:header"}},
    "header": {"kind": "openai-compatible", "base_url": HOST, "headers": {"X-Token": HEADER, "X-Other": "env:PLANTED_HEADER"}},
    "url": {"kind": "openai-compatible", "base_url": f"http://{USER}:{PASSWORD}@127.0.0.1:{PORT}/v1"},
    "proxy": {"kind": "openai-compatible", "base_url": "http://far.example/v1",
              "proxy": f"http://{PROXY_USER}:{PROXY_PASSWORD}@127.0.0.1:{PORT}"},
    "badproxy": {"kind": "openai-compatible", "base_url": "http://far.example/v1", "proxy": f"http://user:x/{SLASH}@127.0.0.1:{PORT}"},
    "envproxy": {"kind": "openai-compatible", "base_url": "http://192.0.2.1/v1"},
    "gone": {"kind": "openai-compatible", "base_url": f"http://{USER}:{PASSWORD}@127.0.0.1:9/v1", "api_key": LITERAL},
    "aws": {"kind": "bedrock", "base_url": HOST, "aws": {"access_key_id": AWS_ID, "secret_access_key": AWS_SECRET, "session_token": AWS_TOKEN,
                                                         "region": "us-east-1"}},
    "awsenv": {"kind": "bedrock", "base_url": HOST, "aws": {"access_key_id": "env:PLANTED_AWS_ID", "secret_access_key": "env:PLANTED_AWS_SECRET"}},
    "awskey": {"kind": "bedrock", "base_url": HOST},
    "engine": {"kind": "ollama", "base_url": f"http://127.0.0.1:{PORT}", "api_key": LITERAL},
}
CONFIG = {"version": 1, "providers": PROVIDERS,
          "models": {"all": {"retries": 0, "targets": [f"{name}/refused" for name in PROVIDERS if name != "badproxy"]},
                     **{f"{p}-{m}": {"retries": 0, "targets": [f"{p}/{m}"]} for p in [*PROVIDERS, "openai", "ollama"] for m in MODELS}},
          "log": {"path": f"{HOME}/calls.db", "prompts": True}}
(HOME / "config" / "membrane").mkdir(parents=True)
CONFIG_FILE = HOME / "config" / "membrane" / "config.json"
CONFIG_FILE.write_text(json.dumps(CONFIG, indent=1))
(HOME / "key").write_text(FILE + "\n")

# ---- what comes out --------------------------------------------------------------------------------------------------

outputs = []  # (what was done, bytes)


def environment(**more):
    env = {k: v for k, v in os.environ.items()
           if not re.search(r"_API_KEY$|^HF_TOKEN$|_proxy$|_PROXY$|^MEMBRANE|^OPENAI|^OLLAMA|^AWS", k)}
    env.update(HOME=str(HOME), XDG_CONFIG_HOME=str(HOME / "config"), XDG_STATE_HOME=str(HOME / "state"), PLANTED_KEY=ENV,
               PLANTED_HEADER=HEADER_ENV, MEMBRANE_PASSPHRASE=PASSPHRASE, OPENAI_API_KEY=OPENAI, OPENAI_BASE_URL=HOST,
               PLANTED_AWS_ID=AWS_ENV_ID, PLANTED_AWS_SECRET=AWS_ENV_SECRET, AWS_REGION="us-west-2", AWS_BEARER_TOKEN_BEDROCK=AWS_BEARER,
               OLLAMA_HOST=f"http://user:{OLLAMA_PASSWORD}@127.0.0.1:{PORT}", http_proxy=f"http://user:{ENV_PROXY_PASSWORD}@127.0.0.1:{PORT}")
    return {**env, **more}


def run(*command, stdin=None, **env):
    given = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
    done = subprocess.run(command, **given, capture_output=True, timeout=60, env=environment(**env), cwd=HOME, check=False)
    outputs.append((" ".join(pathlib.Path(command[0]).name if i == 0 else c for i, c in enumerate(command)), done.stdout + done.stderr))
    return done


def membrane(*args, **kwargs):
    return run(MEMBRANE, *args, **kwargs)


def found(data):
    """The names of what was planted and stands in data, also a part of it that would be enough to know it."""
    return [name for name, text in PLANTED.items() if any(text[i:i + 12].encode() in data for i in range(len(text) - 11))]


def nothing_is_in(what):
    for done, data in what:
        names = found(data)
        if names:
            at = min(data.find(PLANTED[n][:12].encode()) for n in names)
            raise AssertionError(f"{names} in what came of `{done[:200]}`: …{data[max(0, at - 300):at + 80]!r}")


def since(count):
    return outputs[count:]


# ---- tests -----------------------------------------------------------------------------------------------------------


def the_search_finds_what_is_said_aloud():
    (HOME / "note.txt").write_text(f"The token is {EXTRA} and no other.\n")
    done = membrane("-m", "builtin/extractive", "What is the token?", "-a", "note.txt")
    outputs.pop()
    (HOME / "note.txt").unlink()
    assert found(done.stdout) == ["EXTRA"], done
    assert found(CONFIG_FILE.read_bytes()), "not even the configuration holds them"
    for row in (HOME / "calls.db", HOME / "calls.db-wal"):
        row.unlink(missing_ok=True)  # prompts are kept here


def keys_are_sealed_without_a_word_of_them():
    before = len(outputs)
    (HOME / "value").write_text(SEALED_HEADER)
    for args, value in ((["cloud"], SEALED), (["header", "--file", str(HOME / "value")], "")):
        done = membrane("keys", "set", *args, stdin=value.encode() + b"\n")
        assert done.returncode == 0, done
    (HOME / "value").unlink()
    for args in (["list"], ["set", "cloud", SEALED], ["set", SEALED, SEALED], [SEALED, "set", SEALED], ["remove", "cloud", SEALED]):
        done = membrane("keys", *args)
        membrane("keys", *args, "--json")
        assert done.returncode == (0 if args == ["list"] else 2), done
    membrane("keys", "list", MEMBRANE_PASSPHRASE="PLANTED-wrong")
    membrane("config", "show", MEMBRANE_PASSPHRASE="PLANTED-wrong")
    nothing_is_in(since(before))


def an_import_says_no_secret():
    before = len(outputs)
    path = HOME / "wrong.json"
    path.write_text(json.dumps({"model_list": [{"model_name": "m", "litellm_params": {
        "model": "openai/x", "api_base": f"http://{USER}:{PASSWORD}@host/v1?key={SLASH}", "api_key": LITERAL,
        "extra_headers": {"X-Token": HEADER, "Authorization": "Bearer " + EXTRA}, "aws_secret_access_key": SECOND}}],
        "general_settings": {"master_key": FILE}, "environment_variables": {"OPENAI_API_KEY": ENV}}))
    for more in ([], ["--json"], ["--with-keys", "--json"], ["--with-keys"]):
        done = membrane("config", "import", str(path), *more)
        assert done.returncode == 0, done
    nothing_is_in(since(before))


def errors_of_every_kind_say_no_secret():
    before = len(outputs)
    for provider in PROVIDERS:
        for model in MODELS if provider in ("literal", "url", "proxy") else ["refused", "cut", "stream"]:
            membrane("-m", f"{provider}-{model}", "hi", *([] if provider == "literal" else ["--json"]))
    membrane("-m", "all", "hi", "--json")
    membrane("-m", "all", "hi")
    for how in (["--stream", "--json"], ["--no-stream"], ["--stream"]):
        for model in MODELS:
            membrane("-m", f"file-{model}", *how, "hi")
    nothing_is_in(since(before))


def requests_are_signed_as_aws_checks_it():
    membrane("-m", "aws/a:b/c é", "hi")
    membrane("-m", "awsenv-refused", "--stream", "hi")
    membrane("models", "list", "aws")
    assert signatures["right"] > 10 and not signatures["wrong"], signatures


def implicit_providers_say_no_secret():
    before = len(outputs)
    for name in ("openai-refused", "ollama-refused", "ollama-lines", "engine-lines"):
        membrane("-m", name, "hi")
        membrane("-m", name, "--json", "--stream", "hi")
    nothing_is_in(since(before))


def plans_say_no_secret():
    before = len(outputs)
    for provider in [*PROVIDERS, "openai", "ollama"]:
        membrane("-m", f"{provider}/m", "--dry-run", "hi")
        membrane("-m", f"{provider}/m", "--dry-run", "--json", "hi")
    membrane("-m", "all", "--dry-run", "hi")
    nothing_is_in(since(before))


def other_verbs_say_no_secret():
    before = len(outputs)
    for verb in (["keys"], ["models"], ["providers"], ["providers", "--no-probe"], ["config", "show"], ["config", "show", "--origin"], ["config", "validate"],
                 ["config", "path"], ["doctor"], ["version"], ["logs"], ["completion", "bash"], ["help"]):
        membrane(*verb)
        membrane(*verb, "--json")
    for provider in PROVIDERS:
        membrane("models", "list", provider)
        for verb in ("show", "load", "unload", "warm"):
            membrane("models", verb, f"{provider}/refused")
        membrane("embed", "-m", f"{provider}/refused", "text")
    nothing_is_in(since(before))


def wrong_configurations_say_no_secret():
    before = len(outputs)
    path = HOME / "wrong.json"
    for provider in ({"kind": "openai", "api_key": LITERAL, "api_keys": [SECOND]}, {"kind": "openai", "api_key": [LITERAL]},
                     {"kind": "openai", "api_key": LITERAL + "\r\nX: y"}, {"kind": "openai", "api_keys": LITERAL},
                     {"kind": "openai", "api_key": LITERAL, "base_url": f"ftp://user:{PASSWORD}@host"},
                     {"kind": "openai", "base_url": f"http://user:{PASSWORD}@host:port"}, {"kind": "openai", "base_url": f"http://user:a/{PASSWORD}@host"},
                     {"kind": "openai", "headers": {"X": LITERAL + "\n"}}, {"kind": "openai", "headers": LITERAL},
                     {"kind": "bedrock", "aws": {"region": AWS_ID + "/", "access_key_id": AWS_ID, "secret_access_key": AWS_SECRET}},
                     {"kind": "bedrock", "aws": {"secret_access_key": AWS_SECRET, "region": "r"}}, {"kind": "bedrock", "aws": AWS_SECRET},
                     {"kind": "bedrock", "aws": {"session_token": AWS_TOKEN + "\n", "access_key_id": AWS_ID, "secret_access_key": AWS_SECRET}},
                     {"kind": "bedrock", "api_key": AWS_BEARER, "aws": {"access_key_id": AWS_ID, "secret_access_key": AWS_SECRET, "region": "r"}},
                     {"kind": "openai", "api_key": LITERAL, "nonsense": 1}):
        path.write_text(json.dumps({"providers": {"p": provider}}))
        for verb in (["config", "validate"], ["config", "show"], ["-m", "p/m", "hi"]):
            done = membrane(*verb, MEMBRANE_CONFIG=str(path))
            assert done.returncode == 2, (provider, done)
    path.write_text(json.dumps({"providers": {"p": {"kind": "openai", "api_key": LITERAL}}})[:-3])
    membrane("config", "validate", MEMBRANE_CONFIG=str(path))
    for host in (f"http://user:{PASSWORD}@host:port", f"user:{PASSWORD}@host:1:2", f"ftp://user:{PASSWORD}@host"):
        membrane("providers", OLLAMA_HOST=host)
    membrane("providers", OPENAI_BASE_URL=f"http://user:{PASSWORD}@host:port")
    nothing_is_in(since(before))


def the_c_api_says_no_secret():
    before = len(outputs)
    calls = [json.dumps({"model": f"{provider}/{model}", "stream": stream, "messages": [{"role": "user", "content": "hi"}],
                         "extra_headers": {"X-Extra": EXTRA, "X-More": "Bearer " + EXTRA}})
             for provider in PROVIDERS for model in MODELS for stream in (False, True)]
    done = run(PROBE, str(CONFIG_FILE), str(HOME / "probe.db"), *PROVIDERS, *calls)
    assert done.returncode == 0 and b"record: " in done.stdout and b"doctor: " in done.stdout, done
    nothing_is_in(since(before))


def the_files_that_are_left_hold_no_secret():
    left = [(str(path), path.read_bytes()) for path in HOME.rglob("*")
            if path.is_file() and path not in (CONFIG_FILE, HOME / "key", HOME / "wrong.json")]
    assert {"calls.db", "probe.db", "keys"} <= {pathlib.Path(name).name for name, _ in left}, [name for name, _ in left]
    nothing_is_in(left)


def every_secret_was_sent():
    """Otherwise nothing could have been found."""
    sent = " ".join(seen)
    never = [name for name, text in PLANTED.items() if text not in sent and name not in ("SLASH", "PASSPHRASE", "AWS_SECRET", "AWS_ENV_SECRET")]
    assert not never, never


TESTS = [keys_are_sealed_without_a_word_of_them, an_import_says_no_secret, the_search_finds_what_is_said_aloud, errors_of_every_kind_say_no_secret, requests_are_signed_as_aws_checks_it, implicit_providers_say_no_secret, plans_say_no_secret,
         other_verbs_say_no_secret, wrong_configurations_say_no_secret, the_c_api_says_no_secret, the_files_that_are_left_hold_no_secret,
         every_secret_was_sent]


def main():
    failed = 0
    print(f"1..{len(TESTS)}")
    for number, test in enumerate(TESTS, 1):
        try:
            test()
            print(f"ok {number} - {test.__name__}", flush=True)
        except Exception as e:  # a test that fails must not hide those behind it
            failed += 1
            print(f"not ok {number} - {test.__name__}\n# {type(e).__name__}: {e}"[:3000], flush=True)
    return 1 if failed else 0


sys.exit(main())
