"""Bodies that are not what their digest says (RFC 9530)."""
import base64
import hashlib
import os

import pytest
from lab import get, until

BODY = os.urandom(300000)
SMALL = os.urandom(20000)


def digest(body, algorithm="sha-256"):
    value = hashlib.new(algorithm.replace("-", ""), body).digest()
    return f"{algorithm}=:{base64.b64encode(value).decode()}:"


def fields(name="Repr-Digest", of=BODY, algorithm="sha-256"):
    return {"Cache-Control": "max-age=600", "ETag": '"1"', name: digest(of, algorithm)}


def spoiled(body):
    return body[:-1] + bytes([body[-1] ^ 1])


@pytest.mark.parametrize("name", ["Repr-Digest", "Content-Digest"])
@pytest.mark.parametrize("algorithm", ["sha-256", "sha-512"])
def test_a_body_that_is_what_it_says_is_kept(lab, name, algorithm):
    origin = lab.scripted_origin()
    origin.on("/v/1.m4s", lambda e: e.reply(200, BODY, fields(name, algorithm=algorithm)))
    edge = lab.edge(upstreams=[origin.url])
    for _ in range(2):
        answer = get(edge.url + "/v/1.m4s")
        assert answer.body == BODY and answer.complete
        assert answer.headers[name] == digest(BODY, algorithm)
    assert origin.count() == 1
    assert edge.metric("edge_fill_proven_total") == 1


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_what_is_proven_goes_to_a_volume_whole(lab, framing):
    origin, go, body = lab.scripted_origin(), lab.event(), os.urandom((9 << 20) + 5)

    def script(exchange):
        if framing == "length":
            exchange.head(200, {"Content-Length": len(body), **fields(of=body)})
            exchange.send(body[:-1])
            exchange.wait(go)
            exchange.send(body[-1:])
        else:
            exchange.head(200, {"Transfer-Encoding": "chunked", **fields(of=body)})
            exchange.send(b"%x\r\n" % len(body) + body[:-1])
            exchange.wait(go)
            exchange.send(body[-1:] + b"\r\n0\r\n\r\n")

    origin.on("/v/1.m4s", script)
    edge = lab.edge(upstreams=[origin.url], volumes=[("volume", "128MiB")])
    client = lab.client(edge).request("/v/1.m4s")
    client.read_head()
    client.read_some(len(body) - (64 << 10))
    assert edge.metric("edge_store_admitted_total") == 0  # nobody knows yet whether it is right
    go.set()
    assert client.read_body() == body and client.response.complete
    client.close()
    until(lambda: edge.metric("edge_store_admitted_total") == 3, "all its extents are given")
    edge.stop()
    edge.start()
    assert get(edge.url + "/v/1.m4s").body == body
    assert origin.count() == 1


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_body_that_is_something_else_never_passes_for_whole_nor_reaches_a_volume(lab, framing):
    origin, tried = lab.scripted_origin(), []

    def script(exchange):
        tried.append(1)
        body = spoiled(BODY) if len(tried) == 1 else BODY
        if framing == "length":
            exchange.reply(200, body, fields("Repr-Digest"))
        else:
            exchange.head(200, {"Transfer-Encoding": "chunked", **fields("Repr-Digest")})
            exchange.send(b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n")

    origin.on("/v/1.m4s", script)
    edge = lab.edge(upstreams=[origin.url], volumes=[("volume", "64MiB")])
    answer = get(edge.url + "/v/1.m4s")
    assert answer.status == 200 and not answer.complete
    until(lambda: edge.metric("edge_fill_corrupt_total") == 1, "it is counted")
    assert edge.metric("edge_store_admitted_total") == 0
    assert edge.metric(f'edge_upstream_failures_total{{upstream="{origin.url}"}}') == 1
    again = get(edge.url + "/v/1.m4s")
    assert again.body == BODY and again.complete
    assert edge.metric('edge_misses_total{cause="corrupt"}') == 1
    assert len(tried) == 2


def test_another_upstream_is_asked_for_what_nobody_has_seen_yet(lab):
    first, second = lab.scripted_origin("first"), lab.scripted_origin("second")
    first.on("/v/1.m4s", lambda e: e.reply(200, spoiled(SMALL), fields(of=SMALL)))
    second.on("/v/1.m4s", lambda e: e.reply(200, SMALL, fields(of=SMALL)))
    edge = lab.edge(upstreams=[first.url, second.url])
    answer = get(edge.url + "/v/1.m4s")
    assert answer.body == SMALL and answer.complete
    assert first.count() == second.count() == 1
    assert get(edge.url + "/v/1.m4s").body == SMALL
    assert first.count() == second.count() == 1


def test_a_part_is_held_to_the_digest_of_its_content(lab):
    body, parts = os.urandom(3 << 20), []

    def script(exchange):
        part = body[1 << 20:2 << 20]
        parts.append(exchange.request.headers["Range"])
        exchange.reply(206, spoiled(part) if len(parts) == 1 else part,
                       {"Content-Range": f"bytes {1 << 20}-{(2 << 20) - 1}/{len(body)}",
                        **fields("Content-Digest", of=part)})

    origin = lab.scripted_origin()
    origin.on("/v/1.m4s", script)
    edge = lab.edge(upstreams=[origin.url])
    span = (1 << 20, (2 << 20) - 1)
    assert not get(edge.url + "/v/1.m4s", span=span).complete
    answer = get(edge.url + "/v/1.m4s", span=span)
    assert answer.status == 206 and answer.body == body[1 << 20:2 << 20] and answer.complete
    assert len(parts) == 2


def test_digests_are_not_looked_at_where_that_is_said(lab):
    origin = lab.scripted_origin()
    origin.on("/v/1.m4s", lambda e: e.reply(200, BODY, fields(of=SMALL)))
    edge = lab.edge(upstreams=[origin.url], extra="fills: { verify_digest: false }\n")
    assert get(edge.url + "/v/1.m4s").complete
    assert edge.metric("edge_fill_corrupt_total") == 0
