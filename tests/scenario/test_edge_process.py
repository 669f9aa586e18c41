"""The program: its configuration, its addresses, its end."""
import json
import os
import random
import re
import signal
import subprocess

import pytest
from lab import BUILD, Cut, free_port, get, until

CONTRACT = """\
node: box-1
role: edge                       # edge | regional
workers: auto                    # loop threads
listen:
  - address: 127.0.0.1:8080
admin:
  address: 127.0.0.1:9100        # /metrics /healthz /readyz /status
upstreams:
  - url: http://127.0.0.1:7100
store:
  memory: 256MiB
rules:
  - match: { suffix: [.m3u8, .mpd] }
    class: manifest
    ttl: { min: 1s, max: 30s }
  - match: { suffix: [.m4s, .mp4, .ts, .vtt, .jpg] }
    class: segment
"""


def run(*args):
    return subprocess.run([str(BUILD / "forebay-edge"), *map(str, args)], capture_output=True,
                          text=True, timeout=60, check=False)


def test_the_configuration_of_the_contract_works_as_it_stands(lab):
    path = lab.dir / "edge.yaml"
    path.write_text(CONTRACT)
    assert run("--config", path, "--check").returncode == 0
    printed = run("--config", path, "--print-config")
    assert printed.returncode == 0
    path.write_text(printed.stdout)
    again = run("--config", path, "--print-config")
    assert again.stdout == printed.stdout


MISTAKES = [
    ("memory: 256MiB", "memroy: 256MiB", r"edge\.yaml:11:3: .*memroy.*memory"),
    ("memory: 256MiB", "memory: much", r"edge\.yaml:11:\d+: "),
    ("role: edge", "role: core", r"edge\.yaml:2:\d+: .*core"),
    ("http://127.0.0.1:7100", "ftp://127.0.0.1:7100", r"edge\.yaml:9:\d+: .*http://"),
    ("address: 127.0.0.1:8080", "address: nowhere", r"edge\.yaml:5:\d+: .*nowhere"),
    ("class: segment", "class: segmnt", r"edge\.yaml:17:\d+: .*segment"),
    ("node: box-1\n", "", r"edge\.yaml.*node"),
    ("node: box-1", "node: 'box 1'", r"edge\.yaml:1:\d+: "),
]


@pytest.mark.parametrize("before,after,told", MISTAKES)
def test_a_mistake_is_told_with_its_place(lab, before, after, told):
    path = lab.dir / "edge.yaml"
    path.write_text(CONTRACT.replace(before, after, 1))
    for option in (["--check"], []):
        ran = run("--config", path, *option)
        assert ran.returncode == 2
        assert re.search(told, ran.stdout + ran.stderr), ran.stderr


@pytest.mark.parametrize("line, told", [
    ("state: none/state", "18:8: 'state': cannot keep files in 'none/state': No such file"),
    ("state: file", "18:8: 'state': cannot keep files in 'file': Not a directory"),
    ("access_log: {format: json, path: none/log}",
     "18:34: 'path': cannot write to 'none/log': No such file"),
    ("access_log: {format: json, path: folder}",
     "18:34: 'path': cannot write to 'folder': .* directory"),
    ("sites: [{hosts: [a], access: {keys: [{id: k, secret_file: none}]}}]",
     "18:59: 'secret_file': cannot read 'none': No such file"),
    ("sites: [{hosts: [a], access: {keys: [{id: k, secret_file: file}]}}]",
     "18:43: site 'a': key 'k': the secret has less than 16 bytes"),
    ("store: {volumes: [{path: none}]}", "18:26: there is no 'none', and without a 'size' it is not made"),
    ("store: {volumes: [{path: none/v, size: 64MiB}]}", "18:26: cannot write to 'none/v': No such file"),
    ("store: {volumes: [{path: v, size: 1000TB}]}",
     "18:26: no room for 1000000000000000 bytes on the file system of 'v'"),
    ("store: {volumes: [{path: a, size: 64MiB}, {path: file}]}", "18:50: 'file' is empty"),
    ("store: {volumes: [{path: text, size: 64MiB}]}", "18:26: 'text' is shorter than a block"),
    ("store: {volumes: [{path: noise, size: 64MiB}]}",
     "18:26: 'noise' holds something else, which is left as it is"),
    ("store: {volumes: [{path: blank, size: 64MiB}]}",
     "18:26: 'blank' has 1048576 bytes, too few for a volume: 64MiB will do"),
    ("tls: [{name: t, certificates: [{chain: none, key: k}]}]",
     "18:40: tls 't': open 'none': No such file"),
    ("tls: [{name: t, certificates: [{chain: file, key: file}]}]",
     "18:40: tls 't': 'file' is empty"),
])
def test_what_cannot_be_used_is_told_with_its_place(lab, line, told):
    (lab.dir / "file").write_text("")
    (lab.dir / "folder").mkdir()
    (lab.dir / "text").write_text("what I have to buy\n")
    (lab.dir / "noise").write_bytes(random.randbytes(1 << 20))
    (lab.dir / "blank").write_bytes(bytes(1 << 20))
    path = lab.dir / "edge.yaml"
    contract = CONTRACT.replace("store:\n  memory: 256MiB\n", "#\n#\n")  # as many lines
    path.write_text(contract + line + "\n")
    ran = subprocess.run([str(BUILD / "forebay-edge"), "--config", path, "--check"], cwd=lab.dir,
                         capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 2 and re.search(rf"edge\.yaml:{told}", ran.stderr), ran.stderr


def test_a_volume_is_checked_as_the_start_would_and_left_alone(lab):
    """In use, too: who checks neither locks nor writes."""
    origin = lab.scripted_origin()
    edge = lab.edge(upstreams=[origin.url], volumes=[(lab.dir / "volume", "64MiB")])
    until(lambda: (lab.dir / "volume").exists(), "the volume is made")
    assert run("--config", edge.config_path, "--check").returncode == 0
    edge.stop()
    volume = (lab.dir / "volume").read_bytes()
    path = lab.dir / "other.yaml"
    path.write_text(edge.config_path.read_text().replace("node: box-1", "node: box-2"))
    ran = run("--config", path, "--check")
    assert ran.returncode == 2 and re.search(
        r"other\.yaml:\d+:\d+: '.*volume' is a volume of node 'box-1', not of 'box-2'", ran.stderr)
    assert (lab.dir / "volume").read_bytes() == volume
    (lab.dir / "volume").unlink()
    assert run("--config", edge.config_path, "--check").returncode == 0
    assert not (lab.dir / "volume").exists()


def test_what_is_made_when_missing_need_not_be_there(lab):
    path = lab.dir / "edge.yaml"
    path.write_text(CONTRACT + f"state: {lab.dir}/state\n"
                    f"access_log: {{format: json, path: {lab.dir}/access.log}}\n")
    assert run("--config", path, "--check").returncode == 0
    assert not (lab.dir / "state").exists() and not (lab.dir / "access.log").exists()


def test_an_address_in_use_is_told_with_the_address(lab):
    edge = lab.edge(upstreams=["http://127.0.0.1:1"])
    path = lab.dir / "second.yaml"
    text = edge.config_path.read_text().replace(f":{edge.admin_port}", f":{free_port()}")
    path.write_text(text.replace(f":{edge.port}", f":{edge.admin_port}"))
    ran = run("--config", path)
    assert ran.returncode == 1
    assert str(edge.admin_port) in ran.stdout + ran.stderr


def test_status_and_metrics_tell_what_happened(lab):
    origin = lab.scripted_origin()
    origin.put("/v/1.m4s", b"x" * 1000)
    edge = lab.edge(upstreams=[origin.url])
    assert get(edge.admin + "/healthz").status == 200
    for _ in range(3):
        get(edge.url + "/v/1.m4s")
    status = edge.status()
    assert status["node"] == "box-1" and status["role"] == "edge" and status["version"]
    assert status["requests"] == {"total": 3, "hits": 2, "hits_memory": 2, "hits_volume": 0,
                                  "misses": 1, "errors": 0}
    until(lambda: edge.status()["bytes"] == {"served": 3000, "from_upstream": 1000},
          "all bytes are counted")
    assert status["store"]["objects"] == 1
    assert 1000 < status["store"]["memory_bytes"] < status["store"]["memory_limit"]
    assert [(u["url"], u["up"]) for u in status["upstreams"]] == [(origin.url, True)]
    until(lambda: edge.metric("edge_bytes_served_total") == 3000, "the bytes are counted")
    assert edge.metric("edge_store_objects") == 1


def test_the_access_log_has_a_line_for_each_request_and_no_address(lab):
    origin = lab.scripted_origin()
    origin.put("/v/1.m4s", b"x" * 1000)
    edge = lab.edge(upstreams=[origin.url], extra="access_log: {format: json}\n")
    get(edge.url + "/v/1.m4s?q=1")
    get(edge.url + "/v/1.m4s?q=1", "HEAD")
    # the two come over connections of their own, so either may be logged first
    lines = until(lambda: (found := [json.loads(line) for line in edge.log_lines()
                                     if '"access"' in line]) and len(found) == 2 and found,
                  "both requests are logged")
    by_method = {line["method"]: line for line in lines}
    assert set(by_method) == {"GET", "HEAD"}
    assert by_method["GET"]["bytes"] == 1000 and by_method["HEAD"]["bytes"] == 0
    assert by_method["GET"]["result"] == "miss" and by_method["HEAD"]["result"] == "hit"
    assert all(line["status"] == 200 and line["target"] == "/v/1.m4s?q=1" for line in lines)
    assert not any("peer" in line or "client" in line for line in lines)


def test_sigterm_lets_a_transfer_end(lab):
    origin, go = lab.scripted_origin(), lab.event()
    body = os.urandom(200000)

    def slow(exchange):
        exchange.head(200, {"Content-Length": len(body), "Cache-Control": "max-age=60"})
        exchange.send(body[:1000])
        exchange.wait(go)
        exchange.send(body[1000:])

    origin.on("/v/1.m4s", slow)
    edge = lab.edge(upstreams=[origin.url], workers=2)
    clients = [lab.client(edge).request("/v/1.m4s") for _ in range(8)]
    for client in clients:
        client.read_head()
        client.read_some(1000)
    idle = lab.client(edge)
    edge.terminate()
    assert idle.is_closed()
    until(lambda: get(edge.admin + "/readyz").status == 503, "it is not ready any more")

    def refuses():
        try:
            return not get(edge.url + "/v/1.m4s")
        except (Cut, ConnectionError):
            return True

    until(refuses, "it accepts no more")
    assert edge.is_running()
    go.set()
    for client in clients:
        assert client.read_body() == body and client.response.complete
        client.close()
    assert edge.wait() == 0
    edge.check_log()


def test_sigterm_cuts_what_outlasts_the_grace(lab):
    origin = lab.scripted_origin()

    def endless(exchange):
        exchange.head(200, {"Content-Length": 1000, "Cache-Control": "max-age=60"})
        exchange.send(b"x" * 500)
        exchange.wait(lab.event())

    origin.on("/v/1.m4s", endless)
    origin.on("/silent", lambda e: e.wait(lab.event()))
    edge = lab.edge(upstreams=[origin.url], extra="timeouts: { drain: 200ms }\n")
    client = lab.client(edge).request("/v/1.m4s")
    client.read_head()
    silent = lab.client(edge).request("/silent")
    until(lambda: origin.count("/silent") == 1, "the silent request is under way")
    edge.terminate()
    client.read_body()
    assert not client.response.complete
    assert edge.wait() == 0
    edge.check_log()
    for each in client, silent:
        each.close()


def test_a_stopped_edge_starts_again_at_once(lab):
    edge = lab.edge(upstreams=["http://127.0.0.1:1"])
    edge.process.send_signal(signal.SIGINT)
    assert edge.wait() == 0
    edge.start()
    assert get(edge.url + "/x").status == 502
