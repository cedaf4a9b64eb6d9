# SPDX-License-Identifier: MIT
"""What the tests against real engines share: engines that are started, stopped, halted and started again, with tiny models
whose answers are known; the probe, the command line, and TAP.

Whoever imports it is called with MEMBRANE PROBE (MEMBRANE_ENGINES: the cache folder that build_engines.sh fills).
"""
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

CACHE = os.environ.get("MEMBRANE_ENGINES") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "membrane-engines")
MEMBRANE, PROBE = sys.argv[1], sys.argv[2]
FOX = "The quick brown fox."    # tiny-say
DOG = "A lazy dog sleeps."      # tiny-other
COUNT = ("One two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
         "eighteen nineteen twenty.")  # tiny-count, which is slow
HERE = os.path.dirname(os.path.abspath(__file__))
WORK = tempfile.mkdtemp(prefix="membrane-e2e-")
TEMPLATE = open(os.path.join(HERE, "ollama_template.txt")).read()
running = []
count = failed = 0


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def http(port, path, body=None, method=None):
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read().decode()
            return answer.status, json.loads(text) if text.startswith(("{", "[")) else text
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def wait_for(what, seconds=30, step=0.02):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = what()
        if value:
            return value
        time.sleep(step)
    raise AssertionError(f"it did not come within {seconds} s")


def is_up(port, path):
    try:
        return http(port, path)[0] == 200
    except OSError:
        return False


# ---- engines ------------------------------------------------------------------------------------------------------------

class Engine:
    def __init__(self, name, argv, port, health, env=None):
        self.port, self.name, self.argv, self.health = port, name, argv, health
        self.env = {**os.environ, **(env or {})}
        self.log = open(os.path.join(WORK, f"{name}-{port}.log"), "wb")
        self.start()

    def start(self):
        """At the port where it was before."""
        self.process = subprocess.Popen(self.argv, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL, env=self.env,
                                        start_new_session=True)
        running.append(self)
        if self.health:
            wait_for(lambda: is_up(self.port, self.health))

    def tell(self, sig):
        try:
            os.killpg(self.process.pid, sig)
        except ProcessLookupError:
            pass

    def halt(self):
        """It is there, takes connections and says nothing."""
        self.tell(signal.SIGSTOP)

    def go_on(self):
        self.tell(signal.SIGCONT)

    def stop(self, sig=signal.SIGKILL):
        self.tell(sig)
        if sig == signal.SIGKILL:
            self.process.wait()
        if self in running:
            running.remove(self)

    def runners(self):
        """Ollama's processes that hold models."""
        found = subprocess.run(["pgrep", "-g", str(self.process.pid), "-f", "runner"], capture_output=True, text=True)
        return [int(pid) for pid in found.stdout.split()]


def llama(model, *args, wait=True):
    port = free_port()
    argv = [f"{CACHE}/bin/llama-server", "--host", "127.0.0.1", "--port", str(port), "-t", "1"]
    if model:
        argv += ["-m", f"{CACHE}/models/{model}.gguf", "--alias", model, "-c", "2048", "-np", "2", "--metrics", "--jinja"]
    return Engine("llama", argv + list(args), port, "/health" if wait else None)


def ollama(*models):
    port = free_port()
    home = os.path.join(WORK, f"ollama-{port}")
    env = {"HOME": home, "OLLAMA_HOST": f"127.0.0.1:{port}", "OLLAMA_MODELS": os.path.join(home, "models"),
           "OLLAMA_NO_CLOUD": "1", "OLLAMA_MAX_LOADED_MODELS": "8"}  # else whichever of three goes for a fourth
    os.makedirs(home)
    engine = Engine("ollama", [f"{CACHE}/bin/ollama", "serve"], port, "/api/version", env)
    for name in models:
        path = os.path.join(home, name + ".modelfile")
        with open(path, "w") as f:
            f.write(f"FROM {CACHE}/models/{name}.gguf\n")
            if name != "tiny-embed":
                f.write(TEMPLATE)
        subprocess.run([f"{CACHE}/bin/ollama", "create", name, "-f", path], check=True, capture_output=True,
                       env={**os.environ, **env})
    return engine


def provider(engine, **more):
    if engine.name == "ollama":
        return {"kind": "ollama", "base_url": f"http://127.0.0.1:{engine.port}", **more}
    return {"kind": "llamacpp", "base_url": f"http://127.0.0.1:{engine.port}/v1", **more}


# ---- the product --------------------------------------------------------------------------------------------------------

def config(providers, models=None, log=None, **more):
    path = os.path.join(WORK, f"config-{time.monotonic_ns()}.json")
    tree = {"version": 1, "providers": providers, **more}
    if models:
        tree["models"] = models
    if log:
        tree["log"] = {"path": log}
    with open(path, "w") as f:
        json.dump(tree, f)
    return path


def cli(path, *args, code=0, text_in=None):
    env = {k: v for k, v in os.environ.items() if not k.startswith("MEMBRANE_")}
    env.update(HOME=os.path.join(WORK, "nobody"), XDG_CONFIG_HOME=os.path.join(WORK, "nothing"))
    done = subprocess.run([MEMBRANE, *args, "--config", path], capture_output=True, text=True, timeout=120, env=env,
                          input=text_in, stdin=None if text_in else subprocess.DEVNULL)
    assert code is None or done.returncode == code, f"{args}: exit {done.returncode}, {done.stdout}{done.stderr}"
    return done


def cli_json(path, *args, code=0):
    return json.loads(cli(path, *args, "--json", code=code).stdout)


def start_probe(path, request, *args):
    process = subprocess.Popen([PROBE, path, *map(str, args)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.stdin.write(json.dumps(request))
    process.stdin.close()
    return process


def probe(path, request, *args):
    process = start_probe(path, request, *args)
    lines = [json.loads(line) for line in process.stdout]
    process.wait(timeout=60)
    return lines


class Crowd:
    """Many calls of one program: requests go in while answers come out."""

    def __init__(self, path, flight, *args):
        self.process = subprocess.Popen([PROBE, path, "--flight", str(flight), *map(str, args)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))

    def ask(self, *requests):
        self.process.stdin.write("".join(json.dumps(request) + "\n" for request in requests))
        self.process.stdin.flush()

    def next(self, seconds=60):
        """What came of the call that ended next."""
        return self.lines.get(timeout=seconds)

    def end(self, wait=60):
        """No more requests: the rest of the answers, and the rows of the call log by their ids."""
        self.process.stdin.close()
        self.process.wait(timeout=wait)
        rest = []
        while not rest or "log" not in rest[-1]:
            rest.append(self.next(5))
        return rest[:-1], {row["request_id"]: row for row in rest[-1]["log"]["items"]}


class Session:
    """One handle over many calls: a request, or the beginning of a record of its running log that is waited for."""

    def __init__(self, path):
        self.process = subprocess.Popen([PROBE, path, "--lines"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def call(self, **request):
        result = self.say(json.dumps({"messages": user("Hello"), "max_tokens": 8, "stream": True, **request}))["result"]
        return [(a["provider"], a.get("kind", "ok")) for a in result["attempts"]]

    def waits_for(self, text):
        started = time.monotonic()
        assert self.say(text)["told"], f"nobody said {text}"
        return time.monotonic() - started

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=10)


def result_of(lines):
    return lines[-1]["result"]


def user(text):
    return [{"role": "user", "content": text}]


def equal(got, want, what=""):
    assert got == want, f"{what}: {got!r}, not {want!r}"


# ---- TAP ----------------------------------------------------------------------------------------------------------------

def run(name, test, *engine):
    global count, failed
    count += 1
    title = f"{name}: {test.__name__.replace('_', ' ')}"
    wanted = os.environ.get("E2E_ONLY")
    if wanted and wanted not in title:
        print(f"ok {count} {title} # SKIP not asked for")
        return
    started = time.monotonic()
    try:
        test(*engine)
        print(f"ok {count} {title} ({time.monotonic() - started:.1f} s)", flush=True)
    except Exception as error:  # every failure is one line of TAP
        failed += 1
        print(f"not ok {count} {title}\n# {type(error).__name__}: {str(error)[:1500]}", flush=True)


def skip(name, tests, why):
    global count
    for test in tests:
        count += 1
        print(f"ok {count} {name}: {test.__name__.replace('_', ' ')} # SKIP {why}")


def missing(engine):
    if not os.path.exists(f"{CACHE}/models/tiny-count.gguf"):  # the last one to be made
        return "the tiny models are not built (./dev engines)"
    if os.access(f"{CACHE}/bin/{engine}", os.X_OK):
        return None
    reason = f"{CACHE}/{'llama' if engine == 'llama-server' else engine}.failed"
    return open(reason).read().strip().replace("\n", " ")[-200:] if os.path.exists(reason) else f"{engine} is not built (./dev engines)"


def finish():
    """The plan; the exit status."""
    print(f"1..{count}")
    return 1 if failed else 0


def clean_up():
    for engine in list(running):
        engine.stop()
    if not failed:
        shutil.rmtree(WORK, ignore_errors=True)
