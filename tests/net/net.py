#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Calls over real connections: HTTP/2, TLS, proxies, warm connections. net.py CLIENT; TAP on stdout.

Each server counts what comes to it (servers.py), so that a test can say how a call went there, not only that it did.
"""
import json
import os
import ssl
import subprocess
import sys
import tempfile

import servers

CLIENT = sys.argv[1]
FOLDER = tempfile.TemporaryDirectory(prefix="mb-net-")
FAR = "http://192.0.2.1:80"  # an address that nobody has (TEST-NET-1)


class Skip(Exception):
    """The reason why a test cannot be run here."""


def provider(url, **more):
    """A configuration with one provider at url, as a file's path."""
    path = os.path.join(FOLDER.name, "config.json")
    with open(path, "w", encoding="utf-8") as f:
        json.dump({"providers": {"p": {"kind": "openai-compatible", "base_url": url, **more}}}, f)
    return path


def calls(config, count=1, parallel=1, stream=False, cancel=False, env=None):
    """The outcomes of so many calls."""
    request = json.dumps({"model": "p/m", "stream": stream, "messages": [{"role": "user", "content": "Hi"}]})
    command = [CLIENT, config, request, str(count), str(parallel)] + (["cancel"] if cancel else [])
    clean = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    clean.update({"HOME": FOLDER.name, "XDG_CONFIG_HOME": FOLDER.name, **(env or {})})
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=clean, check=False)
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0 and len(outcomes) == count, (done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    return outcomes


def all_good(outcomes):
    for one in outcomes:
        assert one["kind"] == "ok" and one["result"]["text"] == "Hello", one
        assert len(one["result"]["attempts"]) == 1, one


def kinds(outcomes):
    return sorted({one["kind"] for one in outcomes})


# ---- HTTP/2 --------------------------------------------------------------------------------------------------------


def need_h2():
    try:
        import h2  # noqa: F401
    except ImportError as e:
        raise Skip("python3-h2 is not installed") from e


def h2c_carries_calls_and_streams():
    need_h2()
    server = servers.Http2()
    config = provider(f"http://127.0.0.1:{server.port}/v1", http="h2c")
    all_good(calls(config, 20))
    assert server.connections in (1, 20), server.connections  # libcurl 7.88 cannot use one again
    all_good(calls(config, 20, 20, stream=True))


def more_calls_than_one_connection_may_carry_go_over_others_at_once():
    need_h2()
    server = servers.Http2(hold=64, limit=10)
    all_good(calls(provider(f"http://127.0.0.1:{server.port}/v1", http="h2c"), 64, 64))
    assert server.most_streams <= 10 and server.connections >= 7, (server.most_streams, server.connections)


def more_than_a_hundred_calls_to_one_host_do_not_queue():
    need_h2()
    server = servers.Http2(hold=250, limit=100)
    all_good(calls(provider(f"http://127.0.0.1:{server.port}/v1", http="h2c"), 250, 250))
    assert server.connections >= 3, server.connections


def a_server_without_a_limit_gets_a_hundred_streams_a_connection():
    need_h2()
    server = servers.Http2(hold=250, limit=1000)
    all_good(calls(provider(f"http://127.0.0.1:{server.port}/v1", http="h2c"), 250, 250))
    assert server.most_streams <= 100, server.most_streams


def http2_is_agreed_on_under_tls():
    need_h2()
    server = servers.Http2(tls=context("good", alpn=["h2", "http/1.1"]))
    all_good(calls(provider(f"https://127.0.0.1:{server.port}/v1", ca_file=ca()), 50))
    assert server.connections == 1, server.connections


def secure_calls_past_a_connections_limit_go_over_others_at_once():
    need_h2()
    for count, limit in ((40, 10), (250, 100), (250, 1000)):
        server = servers.Http2(tls=context("good", alpn=["h2", "http/1.1"]), hold=count, limit=limit)
        all_good(calls(provider(f"https://127.0.0.1:{server.port}/v1", ca_file=ca()), count, count))
        assert server.most_streams <= min(limit, 100), (server.most_streams, limit)


def secure_calls_to_a_server_without_http2_do_not_wait_for_each_other():
    server = servers.Http1(tls=context("good"), hold=50)
    all_good(calls(provider(f"https://127.0.0.1:{server.port}/v1", ca_file=ca()), 50, 50))


# ---- TLS -----------------------------------------------------------------------------------------------------------


def openssl(*arguments):
    try:
        done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, cwd=FOLDER.name, check=False)
    except FileNotFoundError as e:
        raise Skip("openssl is not installed") from e
    assert done.returncode == 0, (arguments, done.stderr)


def ca(name="ca"):
    """The file of a certificate authority of our own."""
    path = os.path.join(FOLDER.name, name + ".pem")
    if not os.path.exists(path):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", name + ".key", "-out", name + ".pem", "-days", "2",
                "-subj", "/CN=" + name, "-addext", "basicConstraints=critical,CA:TRUE")
    return path


def context(name, names="IP:127.0.0.1,DNS:localhost", dates=(), alpn=None):
    """A server's TLS settings with a certificate by our authority."""
    ca()
    path = os.path.join(FOLDER.name, name)
    if not os.path.exists(path + ".crt"):
        for file, text in ((".ext", "subjectAltName=" + names), (".db", ""), (".cnf", "[ca]\ndefault_ca=a\n[a]\ndatabase=" + path +
                           ".db\nnew_certs_dir=" + FOLDER.name + "\ndefault_md=sha256\npolicy=p\nrand_serial=yes\ndefault_days=2\n[p]\ncommonName=supplied\n")):
            with open(path + file, "w", encoding="utf-8") as f:
                f.write(text)
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", name + ".key", "-out", name + ".csr", "-subj", "/CN=" + name)
        openssl("ca", "-batch", "-config", name + ".cnf", "-cert", "ca.pem", "-keyfile", "ca.key", "-in", name + ".csr", "-out",
                name + ".crt", "-extfile", name + ".ext", "-notext", *dates)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(path + ".crt", path + ".key")
    if alpn:
        tls.set_alpn_protocols(alpn)
    return tls


def a_ca_file_is_believed_for_its_provider():
    server = servers.Http1(tls=context("good"))
    all_good(calls(provider(f"https://localhost:{server.port}/v1", ca_file=ca()), 3))
    assert server.connections == 1, server.connections


def another_ca_is_a_tls_error():
    server = servers.Http1(tls=context("good"))
    assert kinds(calls(provider(f"https://127.0.0.1:{server.port}/v1", ca_file=ca("another")))) == ["tls"]
    assert kinds(calls(provider(f"https://127.0.0.1:{server.port}/v1"))) == ["tls"]
    assert server.requests == 0


def a_ca_file_that_is_not_there_is_a_tls_error():
    server = servers.Http1(tls=context("good"))
    assert kinds(calls(provider(f"https://127.0.0.1:{server.port}/v1", ca_file="/nowhere.pem"))) == ["tls"]


def an_expired_certificate_is_a_tls_error():
    server = servers.Http1(tls=context("expired", dates=("-startdate", "20200101000000Z", "-enddate", "20200102000000Z")))
    assert kinds(calls(provider(f"https://127.0.0.1:{server.port}/v1", ca_file=ca()))) == ["tls"]
    assert server.requests == 0


def a_certificate_for_another_host_is_a_tls_error():
    server = servers.Http1(tls=context("other", names="DNS:other.example"))
    assert kinds(calls(provider(f"https://127.0.0.1:{server.port}/v1", ca_file=ca()))) == ["tls"]
    assert server.requests == 0


def ssl_cert_file_of_the_environment_is_believed():
    server = servers.Http1(tls=context("good"))
    config = provider(f"https://127.0.0.1:{server.port}/v1")
    all_good(calls(config, env={"NET_USER_CONFIG": "1", "SSL_CERT_FILE": ca()}))


# ---- proxies -------------------------------------------------------------------------------------------------------


def a_configured_proxy_carries_plain_and_secure_calls():
    plain, secure = servers.Http1(), servers.Http1(tls=context("named", names="DNS:far.example"))
    one, two = servers.Proxy(plain.port), servers.Proxy(secure.port)
    all_good(calls(provider("http://far.example/v1", proxy=f"http://user:secret@127.0.0.1:{one.port}"), 3))
    assert one.lines[0] == "POST http://far.example/v1/chat/completions HTTP/1.1", one.lines
    assert one.authorizations, "the proxy was not told the user"
    all_good(calls(provider("https://far.example/v1", proxy=f"http://127.0.0.1:{two.port}", ca_file=ca()), 3))
    assert two.lines == ["CONNECT far.example:443 HTTP/1.1"], two.lines


def a_configured_proxy_counts_for_loopback_too():
    server = servers.Http1()
    proxy = servers.Proxy(server.port)
    all_good(calls(provider(f"http://127.0.0.1:{server.port}/v1", proxy=f"http://127.0.0.1:{proxy.port}")))
    assert proxy.requests == 1


def proxy_variables_of_the_environment_are_read_in_both_cases():
    server = servers.Http1()
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        proxy = servers.Proxy(server.port)
        all_good(calls(provider(FAR), env={"NET_USER_CONFIG": "1", name: f"http://127.0.0.1:{proxy.port}"}))
        assert proxy.requests == 1, name
    secure = servers.Http1(tls=context("far", names="IP:192.0.2.1"))
    for name in ("https_proxy", "HTTPS_PROXY"):
        proxy = servers.Proxy(secure.port)
        config = provider("https://192.0.2.1/v1", ca_file=ca())
        all_good(calls(config, env={"NET_USER_CONFIG": "1", name: f"http://127.0.0.1:{proxy.port}"}))
        assert proxy.requests == 1, name


def no_proxy_of_the_environment_is_read_in_both_cases():
    proxy = servers.Proxy(servers.free_port())
    for name in ("no_proxy", "NO_PROXY"):
        env = {"NET_USER_CONFIG": "1", "NET_CONNECT_MS": "100", "http_proxy": f"http://127.0.0.1:{proxy.port}"}
        outcomes = calls(provider(FAR), env={**env, name: "x.example,192.0.2.1"})
        assert kinds(outcomes) in (["connect"], ["timeout"]), outcomes
    assert proxy.connections == 0


def loopback_takes_no_proxy_from_the_environment():
    server = servers.Http1()
    proxy = servers.Proxy(server.port)
    url = f"http://127.0.0.1:{proxy.port}"
    env = {"NET_USER_CONFIG": "1", "http_proxy": url, "HTTP_PROXY": url, "all_proxy": url, "ALL_PROXY": url}
    for host in ("127.0.0.1", "localhost"):
        all_good(calls(provider(f"http://{host}:{server.port}/v1"), env=env))
    assert proxy.connections == 0


def without_the_flag_the_environment_is_not_read():
    server = servers.Http1()
    proxy = servers.Proxy(server.port)
    outcomes = calls(provider(FAR), env={"NET_CONNECT_MS": "100", "http_proxy": f"http://127.0.0.1:{proxy.port}"})
    assert kinds(outcomes) in (["connect"], ["timeout"]), outcomes
    assert proxy.connections == 0


# ---- connections ---------------------------------------------------------------------------------------------------


def fifty_calls_one_after_the_other_use_one_connection():
    for stream in (False, True):
        server = servers.Http1()
        all_good(calls(provider(f"http://127.0.0.1:{server.port}/v1"), 50, stream=stream))
        assert server.connections == 1, server.connections


def calls_side_by_side_do_not_wait_for_each_other():
    server = servers.Http1(hold=200)
    all_good(calls(provider(f"http://127.0.0.1:{server.port}/v1"), 200, 200))
    assert server.connections == 200, server.connections


def a_warm_connection_that_the_server_closed_is_noticed():
    for stream in (False, True):
        server = servers.Http1(closes=True)
        all_good(calls(provider(f"http://127.0.0.1:{server.port}/v1"), 50, stream=stream))
        assert server.requests == 50, server.requests


def a_redirect_is_not_followed():
    trap = servers.Http1()
    server = servers.Http1(redirect=f"http://127.0.0.1:{trap.port}/v1/chat/completions")
    outcomes = calls(provider(f"http://127.0.0.1:{server.port}/v1", api_key="sk-PLANTED-secret"))
    assert kinds(outcomes) == ["response_invalid"] and outcomes[0]["status"] == 302, outcomes
    assert trap.connections == 0


def nobody_there_is_a_connect_error():
    assert kinds(calls(provider(f"http://127.0.0.1:{servers.free_port()}/v1"))) == ["connect"]


def another_thread_cancels_calls_that_wait():
    for stream in (False, True):
        server = servers.Http1(hold=1000)
        assert kinds(calls(provider(f"http://127.0.0.1:{server.port}/v1"), 100, 100, stream, cancel=True)) == ["cancelled"]


def another_thread_cancels_calls_over_one_connection():
    need_h2()
    server = servers.Http2(hold=1000)
    config = provider(f"http://127.0.0.1:{server.port}/v1", http="h2c")
    assert kinds(calls(config, 100, 100, True, cancel=True)) == ["cancelled"]


TESTS = [h2c_carries_calls_and_streams, more_calls_than_one_connection_may_carry_go_over_others_at_once,
         more_than_a_hundred_calls_to_one_host_do_not_queue, a_server_without_a_limit_gets_a_hundred_streams_a_connection,
         http2_is_agreed_on_under_tls, secure_calls_past_a_connections_limit_go_over_others_at_once,
         secure_calls_to_a_server_without_http2_do_not_wait_for_each_other, a_ca_file_is_believed_for_its_provider, another_ca_is_a_tls_error,
         a_ca_file_that_is_not_there_is_a_tls_error, an_expired_certificate_is_a_tls_error,
         a_certificate_for_another_host_is_a_tls_error, ssl_cert_file_of_the_environment_is_believed,
         a_configured_proxy_carries_plain_and_secure_calls, a_configured_proxy_counts_for_loopback_too,
         proxy_variables_of_the_environment_are_read_in_both_cases, no_proxy_of_the_environment_is_read_in_both_cases,
         loopback_takes_no_proxy_from_the_environment, without_the_flag_the_environment_is_not_read,
         fifty_calls_one_after_the_other_use_one_connection, calls_side_by_side_do_not_wait_for_each_other,
         a_warm_connection_that_the_server_closed_is_noticed, a_redirect_is_not_followed, nobody_there_is_a_connect_error,
         another_thread_cancels_calls_that_wait, another_thread_cancels_calls_over_one_connection]


def main():
    failed = 0
    wanted = sys.argv[2:]
    tests = [t for t in TESTS if not wanted or t.__name__ in wanted]
    print(f"1..{len(tests)}")
    for number, test in enumerate(tests, 1):
        try:
            test()
            print(f"ok {number} - {test.__name__}", flush=True)
        except Skip as e:
            print(f"ok {number} - {test.__name__} # SKIP {e}", flush=True)
        except Exception as e:  # a test that fails must not hide those behind it
            failed += 1
            print(f"not ok {number} - {test.__name__}\n# {type(e).__name__}: {e}"[:3000], flush=True)
    return 1 if failed else 0


sys.exit(main())
