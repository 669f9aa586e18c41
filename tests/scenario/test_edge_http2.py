"""Players over HTTP/2: what they get, in which order, and what is refused."""
import json
import pathlib
import subprocess

import pytest
from lab import until
from lab_h2 import (AUTHORITY, CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM,
                    ENHANCE_YOUR_CALM, GOAWAY, HEADERS, NO_ERROR, PING, PRIORITY_UPDATE,
                    PROTOCOL_ERROR, REFUSED_STREAM, RST_STREAM, WIDE, WIDE_CONNECTION,
                    Frames, curl, frame, nghttp, request)
from lab_tls import Authority, entry, tls_edge

SEGMENT = bytes(i * 7 % 251 for i in range(1 << 20))
REFUSED = 'http2_refused_streams_total{server="forebay-edge"}'
KEPT_FIELD = b"\x40\x01x\x7f\xa1\x1e" + b"y" * 4000  # goes into the table of fields
SAME_FIELD = b"\xbe"


@pytest.fixture(scope="module")
def origin(module_lab):
    origin = module_lab.scripted_origin()
    origin.put("/seg.m4s", SEGMENT)
    origin.put("/list.m3u8", b"#EXTM3U\n")
    return origin


@pytest.fixture(scope="module")
def edge(module_lab, origin):
    return module_lab.edge(upstreams=[origin.url],
                           extra="access_log: { format: json, path: access.log }\n")


def h2(edge, path, *args):
    return curl("--http2-prior-knowledge", *args, edge.url + path)


def bring(edge, path):
    """Has it in memory for who asks by frames; what curl asks for by itself is of another host."""
    return h2(edge, path, "-H", f"Host: {AUTHORITY}")


def faults(edge, cause):
    return edge.metric(f'http2_faults_total{{cause="{cause}",server="forebay-edge"}}')


# ---- what comes through -----------------------------------------------------

def test_a_segment_comes_whole_and_in_parts(edge):
    for _ in range(2):
        assert h2(edge, "/seg.m4s") == SEGMENT
    assert h2(edge, "/seg.m4s", "-r", "100000-100099") == SEGMENT[100000:100100]
    head = h2(edge, "/seg.m4s", "-I").decode()
    assert head.startswith("HTTP/2 200") and "content-length: 1048576" in head
    assert "hit" in head[head.index("cache-status"):]


def long_head(exchange):
    fields = "".join(f"x-{n:03}: {'a' * 675}\r\n" for n in range(95))
    exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nCache-Control: max-age=60\r\n"
                  + fields + "\r\nhi")


def test_a_head_as_long_as_an_origin_may_send_comes(edge, origin):
    origin.on("/long-head", long_head)
    for _ in range(2):
        assert h2(edge, "/long-head") == b"hi"


def test_the_log_tells_the_protocol(edge):
    h2(edge, "/list.m3u8?of=log")
    path = edge.dir / "access.log"

    def line():
        found = [text for text in path.read_text().splitlines() if "of=log" in text]
        return found and json.loads(found[0])

    assert until(line, "the request is logged")["protocol"] == "HTTP/2"


def test_many_requests_share_a_connection(edge):
    urls = [f"{edge.url}/list.m3u8?n={n}" for n in range(60)]
    before = edge.metric('http2_connections_total{server="forebay-edge"}')
    assert nghttp(*urls) == b"#EXTM3U\n" * 60
    assert edge.metric('http2_connections_total{server="forebay-edge"}') - before == 1


def test_a_load_of_requests_fails_none(edge):
    done = subprocess.run(["h2load", "-n", "600", "-c", "3", "-m", "30", edge.url + "/list.m3u8"],
                          capture_output=True, text=True, check=True, timeout=120)
    assert "600 succeeded, 0 failed, 0 errored" in done.stdout


def test_http_2_is_agreed_on_over_tls(module_lab, origin):
    authority = Authority(module_lab.dir / "ca")
    edge = tls_edge(module_lab, origin, entry("players", [authority.issue("a.example")]),
                    name="box-tls")
    got = curl("--cacert", str(authority.path), "--resolve", f"a.example:{edge.tls_port}:127.0.0.1",
               "-w", "%{http_version}", f"https://a.example:{edge.tls_port}/list.m3u8")
    assert got == b"#EXTM3U\n2"


def test_without_it_http_1_is_spoken(module_lab, origin):
    authority = Authority(module_lab.dir / "ca-1")
    edge = tls_edge(module_lab, origin, entry("players", [authority.issue("a.example")]),
                    name="box-1-only", extra="http2: { enabled: false }\n")
    got = curl("--cacert", str(authority.path), "--resolve", f"a.example:{edge.tls_port}:127.0.0.1",
               "-w", "%{http_version}", f"https://a.example:{edge.tls_port}/list.m3u8")
    assert got == b"#EXTM3U\n1.1"
    assert curl("--http1.1", "-w", "%{http_version}", edge.url + "/list.m3u8") == b"#EXTM3U\n1.1"
    with Frames(edge.port) as peer:
        peer.sock.settimeout(20)
        assert peer.sock.recv(100).startswith(b"HTTP/1.1 505")


# ---- in which order ---------------------------------------------------------

def open_window(peer):
    """Opens the connection's window once what was sent before the server had seen all requests
    has filled the first one."""
    n = 0
    while n < 65535:
        got = peer.read()
        n += len(got.payload) if got.type == DATA else 0
    peer.send(WIDE_CONNECTION)


def order_of_ends(peer, n):
    ends = []
    peer.read_until(lambda got: got.type == DATA and got.flags & END_STREAM and
                    not ends.append(got.stream) and len(ends) == n)
    return ends


def ends_of(edge, frames):
    """In which order the streams 1, 3 and 5 end."""
    with Frames(edge.port, WIDE) as peer:
        peer.send(frames)
        open_window(peer)
        return order_of_ends(peer, 3)


def test_the_urgent_overtakes(edge):
    bring(edge, "/seg.m4s")
    frames = b"".join(
        frame(HEADERS, END_STREAM | END_HEADERS, stream, request("/seg.m4s", priority=urgency))
        for stream, urgency in ((1, "u=6"), (3, "u=0"), (5, "u=3")))
    assert ends_of(edge, frames) == [3, 5, 1]


def test_an_update_changes_what_is_urgent(edge):
    bring(edge, "/seg.m4s")
    frames = frame(PRIORITY_UPDATE, 0, 0, b"\0\0\0\5u=0") + b"".join(
        frame(HEADERS, END_STREAM | END_HEADERS, stream, request("/seg.m4s"))
        for stream in (1, 3, 5))
    assert ends_of(edge, frames)[0] == 5


def test_incremental_responses_take_turns(edge):
    bring(edge, "/seg.m4s")
    with Frames(edge.port, WIDE) as peer:
        peer.send(b"".join(
            frame(HEADERS, END_STREAM | END_HEADERS, stream, request("/seg.m4s", priority="i"))
            for stream in (1, 3)))
        open_window(peer)
        frames = peer.read_until(lambda got: got.type == DATA and got.flags & END_STREAM)
        order = [got.stream for got in frames if got.type == DATA]
        assert sum(a != b for a, b in zip(order, order[1:])) > len(order) // 2


def test_a_window_is_kept_to(edge):
    with Frames(edge.port) as peer:
        peer.get(1, "/seg.m4s")
        n = 0
        while n < 65535:
            got = peer.read()
            n += len(got.payload) if got.type == DATA else 0
        peer.send(frame(PING, 0, 0, b"12345678"))
        after = peer.read_until(lambda got: got.type == PING)
        assert n == 65535 and not any(got.type == DATA for got in after)


# ---- what is refused --------------------------------------------------------

FLOODS = {
    "resets": lambda: b"".join(
        frame(HEADERS, END_STREAM | END_HEADERS, stream, request("/list.m3u8")) +
        frame(RST_STREAM, 0, stream, CANCEL.to_bytes(4, "big")) for stream in range(1, 2001, 2)),
    "control": lambda: frame(PRIORITY_UPDATE, 0, 0, b"\0\0\0\1u=1") * 4000,
    "fields": lambda: frame(HEADERS, END_STREAM, 1, request("/list.m3u8")) +
    frame(CONTINUATION, 0, 1) * 20,
}


@pytest.mark.parametrize("cause", FLOODS)
def test_a_flood_ends_its_connection(edge, cause):
    before = faults(edge, cause)
    with Frames(edge.port) as peer:
        try:
            peer.send(FLOODS[cause]())
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert peer.error() in (ENHANCE_YOUR_CALM, None)
    until(lambda: faults(edge, cause) == before + 1, "the fault is counted")
    assert h2(edge, "/list.m3u8") == b"#EXTM3U\n"


def test_a_broken_rule_ends_its_connection(edge):
    with Frames(edge.port) as peer:
        peer.send(frame(HEADERS, END_STREAM | END_HEADERS, 2, request("/list.m3u8")))
        assert peer.error() == PROTOCOL_ERROR


def test_too_many_requests_at_once_are_refused(module_lab, edge, origin):
    gate = module_lab.event()

    def held(exchange):
        exchange.wait(gate)
        exchange.reply(200, b"at last")

    origin.on("/held.m4s", held)
    with Frames(edge.port) as peer:
        peer.send(b"".join(frame(HEADERS, END_STREAM | END_HEADERS, stream, request("/held.m4s"))
                           for stream in range(1, 2 * 130, 2)))
        refused = [got for got in peer.read_until(lambda got: got.stream == 259)
                   if got.type == RST_STREAM]
        assert [got.stream for got in refused] == [257, 259]
        assert all(got.payload == REFUSED_STREAM.to_bytes(4, "big") for got in refused)
        gate.set()
        assert len(order_of_ends(peer, 128)) == 128


def test_the_configuration_says_how_many_come_at_once(module_lab, origin):
    edge = module_lab.edge(upstreams=[origin.url], name="box-2", extra="http2: { streams: 2 }\n")
    bring(edge, "/seg.m4s")
    with Frames(edge.port) as peer:  # whose window lets none of them end
        peer.send(b"".join(frame(HEADERS, END_STREAM | END_HEADERS, stream, request("/seg.m4s"))
                           for stream in (1, 3, 5)))
        refused = peer.read_until(lambda got: got.type == RST_STREAM)[-1]
        assert (refused.stream, refused.payload) == (5, REFUSED_STREAM.to_bytes(4, "big"))


def memory_kib(edge):
    status = pathlib.Path(f"/proc/{edge.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


def test_heads_that_are_small_on_the_wire_alone_have_a_limit(edge):
    """Who takes no content holds what its heads unpack to; -s shows what a connection costs."""
    base = request("/seg.m4s")
    heads = frame(HEADERS, END_STREAM | END_HEADERS, 1, base + KEPT_FIELD)
    heads += b"".join(frame(HEADERS, END_STREAM | END_HEADERS, stream, base + SAME_FIELD * 7)
                      for stream in range(3, 2 * 128, 2))
    bring(edge, "/seg.m4s")
    before, refused_before = memory_kib(edge), edge.metric(REFUSED)
    peers = [Frames(edge.port, settings=b"\0\4\0\0\0\0") for _ in range(20)]
    try:
        for peer in peers:
            peer.send(heads)
            frames = peer.read_until(lambda got: got.type == RST_STREAM and got.stream == 255)
            refused = [got.stream for got in frames if got.type == RST_STREAM]
            assert refused == list(range(257 - 2 * len(refused), 257, 2))
            assert 128 - 22 <= len(refused) <= 128 - 18
        print(f"{(memory_kib(edge) - before) // len(peers)} KiB for each of {len(peers)}")
        assert edge.metric(REFUSED) - refused_before >= len(peers) * (128 - 22)
    finally:
        for peer in peers:
            peer.sock.close()
    assert h2(edge, "/seg.m4s") == SEGMENT


def test_long_heads_of_responses_have_a_limit_too(edge, origin):
    """Also of a client that takes them, but none of the content."""
    origin.on("/long-head", long_head)
    bring(edge, "/long-head")
    with Frames(edge.port, settings=b"\0\4\0\0\0\0") as peer:
        for stream in range(1, 17, 2):
            peer.get(stream, "/long-head")
            peer.read_until(lambda got, stream=stream: got.stream == stream and
                            got.flags & END_HEADERS)
        peer.get(17, "/long-head")
        refused = peer.read_until(lambda got: got.stream == 17)[-1]
        assert (refused.type, refused.payload) == (RST_STREAM, REFUSED_STREAM.to_bytes(4, "big"))


# ---- the end ----------------------------------------------------------------

def test_a_stopping_edge_says_so_and_answers_what_has_come(lab):
    origin = lab.scripted_origin()
    origin.put("/list.m3u8", b"#EXTM3U\n")
    edge = lab.edge(upstreams=[origin.url])
    with Frames(edge.port) as peer:
        peer.get(1, "/list.m3u8")
        peer.read_until(lambda got: got.type == DATA)
        edge.terminate()
        warned = peer.read_until(lambda got: got.type == GOAWAY)[-1]
        assert warned.payload == b"\x7f\xff\xff\xff" + NO_ERROR.to_bytes(4, "big")
        peer.get(3, "/list.m3u8")
        frames = peer.read_until(lambda got: False)
        assert any(got.type == DATA and got.stream == 3 for got in frames)
        assert [got.payload[:4] for got in frames if got.type == GOAWAY] == [b"\0\0\0\3"]
    edge.wait()
