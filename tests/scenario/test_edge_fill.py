"""One fetch and many readers, while the body is still on its way."""
import os
import socket
import threading

import pytest
from lab import Cut, get, until

HALF = os.urandom(64 * 1024)
REST = os.urandom(192 * 1024)
WHOLE = HALF + REST
ALL = {"Content-Length": len(WHOLE), "Cache-Control": "max-age=600", "ETag": '"w"'}


def half_then_rest(go):
    def script(exchange):
        exchange.head(200, ALL)
        exchange.send(HALF)
        exchange.wait(go)
        exchange.send(REST)
    return script


def test_64_clients_of_one_cold_segment_share_one_fetch_from_its_first_byte(lab):
    origin, go = lab.scripted_origin(), lab.event()
    origin.on("/v/seg.m4s", half_then_rest(go))
    edge = lab.edge(upstreams=[origin.url], workers=2)
    clients = [lab.client(edge).request("/v/seg.m4s") for _ in range(64)]
    for client in clients:
        assert client.read_head().status == 200
        assert client.read_some(len(HALF)) == HALF
    assert not go.is_set()
    until(lambda: edge.metric("edge_fill_readers") == 64, "all 64 read from the fill")
    go.set()
    for client in clients:
        assert client.read_body() == WHOLE and client.response.complete
        client.close()
    assert origin.count("/v/seg.m4s") == 1
    assert edge.metric("edge_fill_started_total") == 1
    until(lambda: edge.metric("edge_bytes_filled_total") == len(WHOLE), "the fill is counted")
    collapsed = [c for c in clients if "collapsed" in c.response.headers["Cache-Status"]]
    assert len(collapsed) <= 63


def test_a_slow_client_delays_nobody(lab):
    origin, go = lab.scripted_origin(), lab.event()
    body = os.urandom(8 * 1024 * 1024)  # more than the kernel keeps for a client
    origin.on("/v/seg.m4s", lambda e: (e.head(200, {"Content-Length": len(body)}),
                                       e.send(body[:100000]), e.wait(go), e.send(body[100000:])))
    edge = lab.edge(upstreams=[origin.url], workers=1)
    slow = lab.client(edge).request("/v/seg.m4s")
    assert slow.read_head().status == 200
    go.set()  # and reads no further
    assert get(edge.url + "/v/seg.m4s").body == body
    assert get(edge.url + "/v/seg.m4s").body == body
    assert slow.read_body() == body
    assert origin.count("/v/seg.m4s") == 1
    slow.close()


def test_a_range_is_served_while_the_body_arrives(lab):
    origin, go = lab.scripted_origin(), lab.event()
    origin.on("/v/seg.m4s", half_then_rest(go))
    edge = lab.edge(upstreams=[origin.url])
    first = lab.client(edge).request("/v/seg.m4s")
    first.read_head()
    ranged = get(edge.url + "/v/seg.m4s", span=(100, 199))
    assert ranged.status == 206 and ranged.body == HALF[100:200] and not go.is_set()
    beyond = lab.client(edge).request("/v/seg.m4s", headers={"Range": f"bytes={len(HALF) - 10}-"})
    assert beyond.read_head().status == 206
    assert beyond.read_some(10) == HALF[-10:]
    known = get(edge.url + "/v/seg.m4s", headers={"If-None-Match": '"w"'})
    assert known.status == 304
    head = get(edge.url + "/v/seg.m4s", "HEAD")
    assert head.headers["Content-Length"] == str(len(WHOLE))
    go.set()
    assert beyond.read_body() == HALF[-10:] + REST and beyond.response.complete
    assert first.read_body() == WHOLE
    assert origin.count("/v/seg.m4s") == 1
    first.close()
    beyond.close()


def test_heads_of_what_is_being_fetched_wait_for_its_head(lab):
    origin, go = lab.scripted_origin(), lab.event()
    origin.on("/v/seg.m4s", lambda e: (e.wait(go), e.head(200, ALL), e.send(WHOLE)))
    edge = lab.edge(upstreams=[origin.url], workers=2)
    first = lab.client(edge).request("/v/seg.m4s")
    until(lambda: origin.count("/v/seg.m4s") == 1, "the fetch is under way")
    heads = [lab.client(edge).request("/v/seg.m4s", "HEAD") for _ in range(8)]
    until(lambda: edge.metric("edge_fill_readers") == 9, "all wait for it")
    go.set()
    for head in heads:
        response = head.read_head()
        assert response.status == 200 and response.headers["Content-Length"] == str(len(WHOLE))
        assert "collapsed" in response.headers["Cache-Status"]
        head.close()
    assert first.read_head().status == 200 and first.read_body() == WHOLE
    assert [r.method for r in origin.requests()] == ["GET"]
    first.close()


def test_a_client_that_leaves_does_not_end_the_fill(lab):
    origin, go = lab.scripted_origin(), lab.event()
    origin.on("/v/seg.m4s", half_then_rest(go))
    edge = lab.edge(upstreams=[origin.url])
    leaver = lab.client(edge).request("/v/seg.m4s")
    leaver.read_head()
    leaver.cut()
    go.set()
    assert get(edge.url + "/v/seg.m4s").body == WHOLE
    assert origin.count("/v/seg.m4s") == 1


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_cut_body_never_looks_whole(lab, framing):
    origin, go = lab.scripted_origin(), lab.event()

    def cut(exchange):
        if framing == "length":
            exchange.head(200, {**ALL, "ETag": 'W/"w"'})  # nothing to go on with
            exchange.send(HALF)
        else:
            exchange.head(200, {"Transfer-Encoding": "chunked", "Cache-Control": "max-age=60"})
            exchange.send(b"%x\r\n" % len(HALF) + HALF + b"\r\n")
        exchange.wait(go)
        exchange.cut()

    origin.on("/v/seg.m4s", cut)
    edge = lab.edge(upstreams=[origin.url])
    clients = [lab.client(edge).request("/v/seg.m4s") for _ in range(16)]
    for client in clients:
        client.read_head()
        assert client.read_some(len(HALF)) == HALF
    go.set()
    for client in clients:
        assert client.read_body() == HALF and not client.response.complete
        client.close()
    until(lambda: edge.metric("edge_fill_failed_total") == 1, "the failure is counted")
    origin.put("/v/seg.m4s", WHOLE)
    again = get(edge.url + "/v/seg.m4s")
    assert again.body == WHOLE and again.complete
    assert origin.count("/v/seg.m4s") == 2


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_cut_body_that_is_passed_never_looks_whole(lab, framing):
    origin = lab.scripted_origin()

    def cut(exchange):
        if framing == "length":
            exchange.head(200, {"Content-Length": 100, "Cache-Control": "no-store"})
            exchange.send(b"x" * 50)
        else:
            exchange.head(200, {"Transfer-Encoding": "chunked", "Cache-Control": "no-store"})
            exchange.send(b"32\r\n" + b"x" * 50 + b"\r\n")
        exchange.cut()

    origin.on("/mine", cut)
    edge = lab.edge(upstreams=[origin.url])
    for _ in range(2):
        try:
            assert not get(edge.url + "/mine").complete
        except (ConnectionError, Cut):
            pass  # the reset may overtake the head


def test_a_body_of_unknown_length_is_kept_whole(lab):
    origin, go = lab.scripted_origin(), lab.event()

    def chunked(exchange):
        exchange.head(200, {"Transfer-Encoding": "chunked"})
        exchange.send(b"3\r\nabc\r\n")
        exchange.wait(go)
        exchange.send(b"3\r\ndef\r\n0\r\n\r\n")

    origin.on("/v/seg.m4s", chunked)
    edge = lab.edge(upstreams=[origin.url])
    with lab.client(edge) as client:
        client.request("/v/seg.m4s").read_head()
        assert client.read_some(3) == b"abc"
        go.set()
        assert client.read_body() == b"abcdef" and client.response.complete
    again = get(edge.url + "/v/seg.m4s", span=(2, 3))
    assert again.status == 206 and again.body == b"cd"
    assert again.headers["Content-Range"] == "bytes 2-3/6"
    assert origin.count("/v/seg.m4s") == 1


def test_what_is_too_large_to_keep_is_passed(lab):
    origin = lab.scripted_origin()
    body = os.urandom(3 * 1024 * 1024)
    origin.put("/v/film.mp4", body)
    edge = lab.edge(upstreams=[origin.url], memory="4MiB")
    for _ in range(2):
        assert get(edge.url + "/v/film.mp4").body == body
    assert edge.status()["store"]["memory_bytes"] <= 4 * 1024 * 1024


def test_the_store_stays_within_its_bound(lab):
    origin = lab.scripted_origin()
    body = os.urandom(256 * 1024)
    edge = lab.edge(upstreams=[origin.url], memory="4MiB")
    for n in range(40):
        origin.put(f"/v/{n}.m4s", body)
        assert get(f"{edge.url}/v/{n}.m4s").body == body
    store = edge.status()["store"]
    assert store["memory_bytes"] <= store["memory_limit"] == 4 * 1024 * 1024
    assert edge.metric("edge_store_evictions_total") > 0


@pytest.mark.parametrize("eviction, kept", [("rate", 6), ("s3-fifo", 6), ("lru", 0)])
def test_what_goes_from_memory_is_what_the_eviction_says(lab, eviction, kept):
    """Six that were asked for often, and then eighty that nobody asks for again."""
    origin = lab.scripted_origin()
    body = os.urandom(256 * 1024)
    for n in range(86):
        origin.put(f"/v/{n}.m4s", body)
    edge = lab.edge(upstreams=[origin.url], memory=f"8MiB\n  eviction: {eviction}")
    for n in [*range(6)] * 4 + [*range(6, 86)]:
        assert get(f"{edge.url}/v/{n}.m4s").body == body
    again = [get(f"{edge.url}/v/{n}.m4s").headers["Cache-Status"] for n in range(6)]
    assert sum("; hit" in story for story in again) == kept


def test_a_passed_body_is_pulled_no_faster_than_its_client_reads(lab):
    origin, sent = lab.scripted_origin(), threading.Event()
    size = 64 * 1024 * 1024

    def flood(exchange):
        exchange.head(200, {"Content-Length": size, "Cache-Control": "no-store"})
        for _ in range(size // 65536):
            exchange.send(bytes(65536))
        sent.set()

    origin.on("/flood", flood)
    edge = lab.edge(upstreams=[origin.url])
    with lab.client(edge) as client:
        client.request("/flood").read_head()
        other = get(edge.url + "/nothing")  # the loop goes on meanwhile
        assert other.status == 404 and not sent.is_set()
        assert len(client.read_body()) == size and client.response.complete


def test_content_streams_upstream_while_it_is_sent(lab):
    origin = lab.scripted_origin()
    origin.on("/in", lambda e: e.reply(200, b"%d" % len(e.request.body)))
    edge = lab.edge(upstreams=[origin.url])
    body = os.urandom(5 * 1024 * 1024)
    answer = get(edge.url + "/in", "PUT", body=body)
    assert answer.status == 200 and answer.body == b"%d" % len(body)
    assert origin.requests("/in")[0].body == body


def test_an_answer_may_come_before_the_content_is_whole(lab):
    over = lab.event()

    def answer_early(listener):
        sock, _ = listener.accept()
        with sock:
            seen = b""
            while b"\r\n\r\n" not in seen:
                seen += sock.recv(65536)
            sock.sendall(b"HTTP/1.1 413 No\r\nContent-Length: 8\r\n\r\ntoo much")
            over.wait(60)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        upstream = threading.Thread(target=answer_early, args=(listener,))
        upstream.start()
        edge = lab.edge(upstreams=["http://127.0.0.1:%d" % listener.getsockname()[1]])
        with lab.client(edge) as client:
            client.request("/in", "POST", {"Content-Length": "100000"})
            client.send(b"0123456789")  # and no more
            answer = client.read()
            assert answer.status == 413 and answer.body == b"too much" and answer.complete
        over.set()
        upstream.join()
