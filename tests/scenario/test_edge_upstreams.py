"""Several upstreams, several tiers, and what happens when they fail."""
import os
import select

import pytest
from lab import PATIENCE, get, until

BODY = os.urandom(100000)


def test_the_second_upstream_stands_in_for_one_that_refuses(lab):
    first, second = lab.scripted_origin("first"), lab.scripted_origin("second")
    second.put("/v/1.m4s", BODY)
    first.stop()
    edge = lab.edge(upstreams=[first.url, second.url])
    answer = get(edge.url + "/v/1.m4s")
    assert answer.status == 200 and answer.body == BODY
    assert second.count() == 1


def test_the_second_upstream_stands_in_for_one_that_answers_503(lab):
    first, second = lab.scripted_origin("first"), lab.scripted_origin("second")
    second.put("/v/1.m4s", BODY)
    first.on("/v/1.m4s", lambda e: e.reply(503, b"busy"))
    edge = lab.edge(upstreams=[first.url, second.url])
    assert get(edge.url + "/v/1.m4s").body == BODY
    assert first.count() == second.count() == 1


def test_the_second_upstream_stands_in_for_one_that_is_silent(lab):
    first, second = lab.scripted_origin("first"), lab.scripted_origin("second")
    second.put("/v/1.m4s", BODY)
    first.on("/v/1.m4s", lambda e: e.wait(lab.event()))
    edge = lab.edge(upstreams=[first.url, second.url],
                    extra="timeouts: { upstream_head: 300ms }\n")
    assert get(edge.url + "/v/1.m4s").body == BODY


def test_a_client_that_cannot_send_does_not_put_an_upstream_out_of_service(lab):
    origin = lab.scripted_origin()
    edge = lab.edge(upstreams=[origin.url], workers=1,
                    extra="failover: { after: 1, min: 20s }\ntimeouts: { body: 200ms }\nlimits: { body: 10 }\n")
    head = "POST /x HTTP/1.1\r\nHost: a\r\n"
    chunked = head + "Transfer-Encoding: chunked\r\n\r\n"
    for request, status in ((chunked + "zz\r\n", 400), (head + "Content-Length: 5\r\n\r\nab", 408),
                            (chunked + "b\r\nhello world\r\n0\r\n\r\n", 413)):
        with lab.client(edge) as client:
            client.send(request)
            assert client.read("POST").status == status, request
    with lab.client(edge) as client:
        client.send(head + "Content-Length: 5\r\n\r\nab")  # and leaves
    until(lambda: edge.metric('edge_requests_total{result="error"}') == 4, "the edge sees it leave")
    assert [u["up"] for u in edge.status()["upstreams"]] == [True]
    assert edge.metric(f'edge_upstream_failures_total{{upstream="{origin.url}"}}') == 0


def test_clients_that_send_slowly_keep_nobody_from_filling(lab):
    origin = lab.scripted_origin()
    origin.put("/v/1.m4s", BODY)
    edge = lab.edge(upstreams=[origin.url], workers=1,
                    extra="limits: { upstream_connections: 2 }\ntimeouts: { upstream_head: 300ms }\n"
                          "failover: { after: 1, min: 20s }\n")
    slow = [lab.client(edge) for _ in range(3)]
    for client in slow:
        client.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
    refused, _, _ = select.select([client.sock for client in slow], [], [], 20 * PATIENCE)
    assert len(refused) == 1  # whichever came last
    assert next(c for c in slow if c.sock in refused).read("POST").status == 503
    assert get(edge.url + "/v/1.m4s").body == BODY
    assert [u["up"] for u in edge.status()["upstreams"]] == [True]


@pytest.mark.parametrize("raw", [
    b"what is this\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: evil\r\n\r\nx"],
    ids=["garbage", "two lengths", "unknown coding"])
def test_an_answer_that_nobody_understands_is_told_as_such(lab, raw):
    origin = lab.scripted_origin()

    def answer(exchange):
        exchange.send(raw)
        exchange.close()

    origin.on("/x", answer)
    edge = lab.edge(upstreams=[origin.url])
    told = get(edge.url + "/x")
    assert told.status == 502
    assert told.json()["detail"] == "The upstream answered what cannot be understood."
    assert told.headers["Cache-Status"] == "box-1; fwd=uri-miss; detail=malformed"
    (upstream,) = edge.status()["upstreams"]
    assert upstream["error"] == "the syntax is wrong" and upstream["error_at"].endswith("Z")


def test_errors_of_an_upstream_are_told_once_and_once_when_they_are_over(lab):
    origin = lab.scripted_origin()
    origin.put("/good", BODY)
    for n in range(4):
        origin.on(f"/{n}", lambda e: e.reply(500, b"no"))
    edge = lab.edge(upstreams=[origin.url])
    for n in range(4):
        assert get(f"{edge.url}/{n}").status == 500
    assert edge.log().count("an upstream answers with errors") == 1
    assert edge.status()["upstreams"][0]["error"] == "answered 500"
    assert get(edge.url + "/good").body == BODY
    assert get(edge.url + "/0").status == 500
    assert edge.log().count("answers without errors again") == 1
    assert edge.log().count("an upstream answers with errors") == 2


def test_a_dead_upstream_is_left_alone_and_taken_back(lab):
    first, second = lab.scripted_origin("first"), lab.scripted_origin("second")
    for origin in first, second:
        for n in range(60):
            origin.on(f"/{n}", lambda e, name=origin.name: e.reply(200, name.encode()))
    edge = lab.edge(upstreams=[first.url, second.url], workers=1,
                    extra="failover: { after: 2, min: 100ms, max: 200ms }\n")
    assert get(edge.url + "/0").body == b"first"
    first.stop()
    assert [get(f"{edge.url}/{n}").body for n in range(1, 4)] == [b"second"] * 3
    dead, well = edge.status()["upstreams"]
    assert not dead["up"] and well["up"]
    assert dead["error"] and "error" not in well and "until" not in well
    assert edge.metric(f'edge_upstream_up{{upstream="{first.url}"}}') == 0
    first.start()
    until(lambda: get(edge.url + "/5").body == b"first", "the first upstream is taken back")
    assert [u["up"] for u in edge.status()["upstreams"]] == [True, True]


def test_without_any_upstream_a_miss_is_502_and_hits_go_on(lab):
    origin = lab.scripted_origin()
    origin.put("/v/1.m4s", BODY)
    edge = lab.edge(upstreams=[origin.url])
    get(edge.url + "/v/1.m4s")
    origin.stop()
    answer = get(edge.url + "/v/2.m4s")
    assert answer.status == 502
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.json() == {"type": "about:blank", "title": "Bad Gateway", "status": 502,
                             "detail": "No upstream could be reached."}
    assert answer.headers["Cache-Status"] == "box-1; fwd=uri-miss; detail=unreachable"
    assert get(edge.url + "/v/1.m4s").body == BODY
    assert edge.status()["requests"]["errors"] == 1
    for n in range(3, 8):
        assert get(f"{edge.url}/v/{n}.m4s").status == 502
    assert edge.log().count("no upstream gave an answer") == 1
    assert edge.metric("edge_upstream_unanswered_total") == 6
    origin.start()
    origin.put("/v/2.m4s", BODY)
    assert get(edge.url + "/v/2.m4s").body == BODY  # one upstream is never refused
    assert edge.log().count("upstreams answer again") == 1


def test_a_silent_upstream_is_504(lab):
    origin = lab.scripted_origin()
    origin.on("/v/1.m4s", lambda e: e.wait(lab.event()))
    edge = lab.edge(upstreams=[origin.url], extra="timeouts: { upstream_head: 200ms }\n")
    answer = get(edge.url + "/v/1.m4s")
    assert answer.status == 504 and "in time" in answer.json()["detail"]


def test_a_body_that_stalls_is_cut(lab):
    origin = lab.scripted_origin()

    def stall(exchange):
        exchange.head(200, {"Content-Length": 100, "Cache-Control": "max-age=60"})
        exchange.send(b"x" * 50)
        exchange.wait(lab.event())

    origin.on("/v/1.m4s", stall)
    edge = lab.edge(upstreams=[origin.url], extra="timeouts: { upstream_body: 200ms }\n")
    answer = get(edge.url + "/v/1.m4s")
    assert answer.body == b"x" * 50 and not answer.complete


def test_a_connection_that_died_while_idle_is_not_noticed(lab):
    origin = lab.scripted_origin()
    for n in range(2):
        origin.put(f"/v/{n}.m4s", BODY)
    edge = lab.edge(upstreams=[origin.url], workers=1)
    assert get(edge.url + "/v/0.m4s").status == 200
    origin.stop()
    origin.start()
    assert get(edge.url + "/v/1.m4s").status == 200


def test_two_tiers_each_tell_what_they_did(lab):
    origin = lab.scripted_origin()
    origin.put("/v/1.m4s", BODY, {"Cache-Control": "max-age=31536000"})
    regional = lab.edge(upstreams=[origin.url], name="region-1", role="regional")
    edge = lab.edge(upstreams=[regional.url], name="box-1")
    host = {"Host": "video.example"}

    first = get(edge.url + "/v/1.m4s", headers=host)
    assert first.body == BODY
    assert first.headers["Cache-Status"] == (
        "region-1; fwd=uri-miss; fwd-status=200; stored; detail=first-touch, "
        "box-1; fwd=uri-miss; fwd-status=200; stored; detail=first-touch")
    assert first.headers["Via"] == "1.1 region-1, 1.1 box-1"
    assert origin.requests()[0].headers["Via"] == "1.1 box-1, 1.1 region-1"

    get(f"{edge.admin}/purge?url=http://video.example/v/1.m4s", "POST")
    second = get(edge.url + "/v/1.m4s", headers=host)
    told = second.headers["Cache-Status"].split(", ")
    assert told[0].startswith("region-1; hit; ttl=")
    assert told[1] == "box-1; fwd=uri-miss; fwd-status=200; stored; detail=purged"
    third = get(edge.url + "/v/1.m4s", headers=host)
    assert third.headers["Cache-Status"].split(", ")[1].startswith("box-1; hit; ttl=")
    assert len(third.headers.all("Age")) == 1
    assert origin.count() == 1


def test_an_upstream_killed_in_the_middle_cuts_the_client(lab):
    origin, go = lab.scripted_origin(), lab.event()

    def slow(exchange):
        exchange.head(200, {"Content-Length": len(BODY), "Cache-Control": "max-age=60"})
        exchange.send(BODY[:1000])
        exchange.wait(go)
        exchange.send(BODY[1000:])

    origin.on("/v/1.m4s", slow)
    regional = lab.edge(upstreams=[origin.url], name="region-1", role="regional")
    edge = lab.edge(upstreams=[regional.url], name="box-1")
    with lab.client(edge) as client:
        client.request("/v/1.m4s").read_head()
        assert client.read_some(1000) == BODY[:1000]
        regional.kill()
        client.read_body()
        assert not client.response.complete
    go.set()
    assert get(edge.url + "/v/1.m4s").status == 502
    regional.start()
    answer = get(edge.url + "/v/1.m4s")
    assert answer.status == 200 and answer.body == BODY


def test_a_circle_of_upstreams_is_told_not_turned(lab):
    edge = lab.edge(upstreams=["http://127.0.0.1:1"], start=False)
    edge.config_path.write_text(edge.config_path.read_text().replace(
        "http://127.0.0.1:1\n", edge.url + "\n"))
    edge.start()
    answer = get(edge.url + "/v/1.m4s")
    assert answer.status == 508 and "circle" in answer.json()["detail"]
