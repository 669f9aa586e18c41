"""What the edge answers by itself, what it asks for, and what it makes of odd answers."""
import email
import re

import pytest
from film import said
from lab import Client, get, until

BODY = bytes(range(256)) * 4096  # 1 MiB in which every offset shows
MODIFIED = "Tue, 15 Nov 1994 12:45:26 GMT"


@pytest.fixture
def origin(lab):
    origin = lab.scripted_origin()
    origin.put("/v/seg.m4s", BODY, {"Last-Modified": MODIFIED, "Content-Type": "video/mp4"},
               etag='"s1"')
    return origin


@pytest.fixture
def edge(lab, origin):
    return lab.edge(upstreams=[origin.url])


def ranged(url, text, **fields):
    return get(url, headers={"Range": text, **{k.replace("_", "-"): v for k, v in fields.items()}})


def parts(answer):
    """Each part as (its Content-Range, its bytes), by a parser that is not ours."""
    raw = b"Content-Type: " + answer.headers["Content-Type"].encode() + b"\r\n\r\n" + answer.body
    message = email.message_from_bytes(raw)
    assert message.is_multipart()
    return [(p["Content-Range"], p.get_payload(decode=True), p["Content-Type"])
            for p in message.get_payload()]


def raw_answer(origin, path, *pieces):
    """Answers `path` with bytes as they are, and closes."""
    def script(exchange):
        for piece in pieces:
            exchange.send(piece)
        exchange.close()
    origin.on(path, script)


# ---- ranges ------------------------------------------------------------------

def test_several_ranges_come_as_parts(origin, edge):
    url = edge.url + "/v/seg.m4s"
    for _ in range(2):  # from upstream, and from the store
        answer = ranged(url, "bytes=1000-1099,0-9,-5")
        assert answer.status == 206 and "Content-Range" not in answer.headers
        assert int(answer.headers["Content-Length"]) == len(answer.body)
        assert parts(answer) == [
            (f"bytes 1000-1099/{len(BODY)}", BODY[1000:1100], "video/mp4"),
            (f"bytes 0-9/{len(BODY)}", BODY[:10], "video/mp4"),
            (f"bytes {len(BODY) - 5}-{len(BODY) - 1}/{len(BODY)}", BODY[-5:], "video/mp4")]
    assert origin.count() == 1


def test_if_range_decides_for_several_ranges(edge):
    url = edge.url + "/v/seg.m4s"
    same = ranged(url, "bytes=0-9,1000-1009", If_Range='"s1"')
    assert same.status == 206 and len(parts(same)) == 2
    other = ranged(url, "bytes=0-9,1000-1009", If_Range='"s0"')
    assert other.status == 200 and other.body == BODY


def test_ranges_are_merged_refused_or_passed_over(edge):
    url = edge.url + "/v/seg.m4s"
    assert ranged(url, "bytes=0-9,10-19,50-59").headers["Content-Range"].startswith("bytes 0-59/")
    assert ranged(url, "bytes=0-,0-").status == 200
    assert ranged(url, "bytes=" + ",".join(f"{n * 1000}-{n * 1000}" for n in range(17))).status == 200
    past = ranged(url, f"bytes={len(BODY)}-,{len(BODY) + 5}-")
    assert past.status == 416 and past.headers["Content-Range"] == f"bytes */{len(BODY)}"
    assert get(url, "HEAD", {"Range": "bytes=0-9"}).status == 200


def test_what_has_arrived_of_an_unknown_length_is_a_range(lab, origin, edge):
    more = lab.event()

    def script(exchange):
        exchange.head(200, {"Transfer-Encoding": "chunked", "ETag": '"l"'})
        exchange.send(b"a\r\n0123456789\r\n")
        exchange.wait(more)
        exchange.send(b"4\r\nabcd\r\n0\r\n\r\n")
    origin.on("/v/live.m4s", script)
    with lab.client(edge) as whole:
        whole.request("/v/live.m4s").read_head()
        whole.read_some(10)
        early = ranged(edge.url + "/v/live.m4s", "bytes=2-5")
        assert early.status == 206 and early.headers["Content-Range"] == "bytes 2-5/*"
        assert early.body == b"2345"
        with lab.client(edge) as held, lab.client(edge) as past, lab.client(edge) as gone:
            for client, span in ((held, "8-11"), (past, "20-30"), (gone, "8-12")):
                client.request("/v/live.m4s", headers={"Range": f"bytes={span}"})
            gone.cut()
            more.set()
            assert held.read().headers["Content-Range"] in ("bytes 8-11/*", "bytes 8-11/14")
            assert held.response.body == b"89ab"
            assert past.read().headers["Content-Range"] == "bytes */14"
        assert whole.read_body() == b"0123456789abcd"
    late = ranged(edge.url + "/v/live.m4s", "bytes=12-20")
    assert late.headers["Content-Range"] == "bytes 12-13/14" and late.body == b"cd"
    assert origin.count() == 1


# ---- methods -----------------------------------------------------------------

def test_a_head_fetches_no_body(origin, edge):
    answer = get(edge.url + "/v/seg.m4s", "HEAD")
    assert answer.headers["Content-Length"] == str(len(BODY))
    assert said(answer) == "box-1; fwd=uri-miss; fwd-status=200; detail=first-touch"
    assert [r.method for r in origin.requests()] == ["HEAD"]
    get(edge.url + "/v/seg.m4s")
    assert said(get(edge.url + "/v/seg.m4s", "HEAD")).startswith("box-1; hit")
    assert origin.count() == 2


def test_a_post_drops_what_its_answer_names(origin, edge):
    origin.on("/new", lambda e: e.reply(201, b"", {"Location": "/v/seg.m4s"}))
    get(edge.url + "/v/seg.m4s")
    get(edge.url + "/new", "POST", body=b"x")
    assert said(get(edge.url + "/v/seg.m4s")).startswith("box-1; fwd=uri-miss")


def test_odd_methods_are_settled_here(origin, edge):
    with Client(edge.port) as client:
        star = client.request("*", "OPTIONS").read("OPTIONS")
        assert star.status == 204 and "GET" in star.headers["Allow"]
        trace = client.request("/x", "TRACE", {"Max-Forwards": "0"}).read("TRACE")
        assert trace.status == 405 and "TRACE" not in trace.headers["Allow"]
        assert client.request("/x", "BREW").read("BREW").status == 501
    with Client(edge.port) as client:
        assert client.request("other:443", "CONNECT").read("GET").status == 501
        assert client.is_closed()
    assert origin.count() == 0


# ---- conditions --------------------------------------------------------------

def test_conditions_are_judged_by_who_may(origin, edge):
    url = edge.url + "/v/seg.m4s"
    get(url)
    known = get(url, headers={"If-None-Match": '"x", W/"s1"'})
    assert known.status == 304 and known.headers["ETag"] == '"s1"' and known.body == b""
    assert "Content-Type" not in known.headers
    assert get(url, headers={"If-None-Match": "*"}).status == 304
    assert get(url, headers={"If-None-Match": '"x"', "If-Modified-Since": MODIFIED}).status == 200
    assert get(url, headers={"If-Modified-Since": "tomorrow"}).status == 200
    assert get(url, headers={"If-Match": '"s1"'}).status == 200
    assert origin.count() == 1
    get(url, headers={"If-Match": '"s0"'})  # which the origin has to refuse
    assert origin.requests()[-1].headers["If-Match"] == '"s0"'


def test_a_clients_condition_is_judged_after_our_own_validation(origin, edge):
    origin.put("/doc", b"text", {"Cache-Control": "no-cache"}, etag='"d1"')
    get(edge.url + "/doc")
    answer = get(edge.url + "/doc", headers={"If-None-Match": '"mine"'})
    assert answer.status == 200 and answer.body == b"text"
    assert origin.requests()[-1].headers.all("If-None-Match") == ['"d1"']
    assert get(edge.url + "/doc", headers={"If-None-Match": '"d1"'}).status == 304


# ---- answers -----------------------------------------------------------------

def test_interim_answers_and_trailers_go_no_further(lab, origin, edge):
    raw_answer(origin, "/v/odd.m4s",
               b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
               b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
               b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-After\r\n\r\n"
               b"4\r\nbody\r\n0\r\nX-After: 1\r\nETag: \"t\"\r\n\r\n")
    with lab.client(edge) as client:
        client.request("/v/odd.m4s").read_interim()
        assert client.response.status == 200
        assert "Trailer" not in client.response.headers and "ETag" not in client.response.headers
        assert client.read_body() == b"body"
    until(lambda: said(get(edge.url + "/v/odd.m4s")).startswith("box-1; hit"), "it is kept")


@pytest.mark.parametrize("head", [
    "101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade",
    "200 OK\r\nTransfer-Encoding: gzip, chunked",
    "200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 4",
    "200 OK\r\nContent-Length: 4\r\nContent-Length: 5",
])
def test_what_cannot_be_understood_is_502(origin, edge, head):
    raw_answer(origin, "/v/bad.m4s", f"HTTP/1.1 {head}\r\n\r\n4\r\nbody\r\n0\r\n\r\n".encode())
    answer = get(edge.url + "/v/bad.m4s")
    assert answer.status == 502 and answer.complete
    assert said(answer).startswith("box-1; fwd=uri-miss")


def test_trailers_of_a_request_go_no_further(lab, origin, edge):
    origin.on("/post", lambda e: e.reply(200, e.request.body))
    with lab.client(edge) as client:
        client.request("/post", "POST", {"Transfer-Encoding": "chunked", "Trailer": "X-T"})
        client.send(b"4\r\nbody\r\n0\r\nX-T: 1\r\nAuthorization: x\r\n\r\n")
        assert client.read("POST").body == b"body"
    sent = origin.requests()[-1]
    assert not re.search(r"X-T|Authorization|Trailer", str(sent.headers))


# ---- causes ------------------------------------------------------------------

def test_each_miss_has_one_cause(lab, origin):
    edge = lab.edge(upstreams=[origin.url], memory="4MiB", clock=True)
    url = edge.url + "/v/seg.m4s"
    origin.put("/doc", b"text", {"Cache-Control": "max-age=1"})
    for path in ("/v/seg.m4s", "/doc"):
        assert said(get(edge.url + path)).endswith("; detail=first-touch")
    assert get(url).headers["Cache-Status"].endswith("; detail=memory")
    edge.clock.forward(2)
    assert said(get(edge.url + "/doc")).endswith("; detail=expired")
    get(f"{edge.admin}/purge?url={url}", "POST")
    assert said(get(url)).endswith("; detail=purged")
    for n in range(8):  # more than there is room for
        origin.put(f"/v/{n}.m4s", BODY)
        get(edge.url + f"/v/{n}.m4s")
    assert said(get(url)).endswith("; detail=capacity")
    assert edge.metric('edge_misses_total{cause="capacity"}') == 1
    assert edge.metric('edge_misses_total{cause="purged"}') == 1
