"""The live edge: playlists that block, segments that are not there yet or still grow."""
import os
import time

import pytest
from lab import PATIENCE, get, until

RELOAD = "/live/p.m3u8?_HLS_msn=7&_HLS_part=2"
PLAYLIST = b"#EXTM3U\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES\n"
BRIEFLY = """\
- match: { suffix: [.m3u8] }
  class: manifest
  ttl: { min: 300ms, max: 300ms }
- match: { suffix: [.m4s] }
  class: segment
  negative: [{ status: 404, ttl: 300ms }]
"""


def held(go, status=200, body=PLAYLIST, fields=()):
    return lambda e: (e.wait(go), e.reply(status, body, fields))


def upstream_is_up(edge):
    return [u["up"] for u in edge.status()["upstreams"]] == [True] * len(edge.status()["upstreams"])


def test_a_blocking_reload_is_held_and_asked_for_once(lab):
    origin, go = lab.scripted_origin(), lab.event()
    origin.on("/live/p.m3u8", held(go))
    edge = lab.edge(upstreams=[origin.url], workers=4)
    spellings = [RELOAD, "/live/p.m3u8?_HLS_part=2&_HLS_msn=7", RELOAD + "&CMCD=bl%3D100"]
    clients = [lab.client(edge).request(spellings[i % 3]) for i in range(99)]
    until(lambda: edge.metric("edge_fill_readers") == 99, "all are held")
    go.set()
    for client in clients:
        answer = client.read()
        assert answer.status == 200 and answer.body == PLAYLIST
        client.close()
    assert [r.target for r in origin.requests()] == [RELOAD]


def test_it_is_waited_for_longer_than_other_heads_and_tells_nothing_of_the_upstream(lab):
    origin, go = lab.scripted_origin(), lab.event()
    origin.on("/live/p.m3u8", held(go))
    origin.on("/slow.m4s", lambda e: e.stall())
    edge = lab.edge(upstreams=[origin.url], extra="timeouts: { upstream_head: 300ms }\n"
                                                  "failover: { after: 2 }\n")
    reload = lab.client(edge).request(RELOAD)
    until(lambda: origin.count("/live/p.m3u8") == 1, "it is held")
    assert get(edge.url + "/slow.m4s").status == 504  # which was asked for later
    go.set()
    assert reload.read().body == PLAYLIST
    reload.close()


def test_reloads_that_outlast_patience_put_no_upstream_out_of_service(lab):
    first, second = lab.scripted_origin("first"), lab.scripted_origin("second")
    for origin in (first, second):
        origin.on("/live/p.m3u8", lambda e: e.stall())
    edge = lab.edge(upstreams=[first.url, second.url],
                    extra="timeouts: { upstream_blocking: 200ms }\nfailover: { after: 1, min: 20s }\n")
    for msn in range(3):
        assert get(f"{edge.url}/live/p.m3u8?_HLS_msn={msn}").status == 504
    assert upstream_is_up(edge)
    assert first.count() == 3 and second.count() == 0  # which would take as long


def test_a_held_reload_is_not_hedged(lab):
    first, second, go = lab.scripted_origin("first"), lab.scripted_origin("second"), lab.event()
    first.on("/live/p.m3u8", held(go))
    first.on("/slow.m4s", lambda e: e.stall())
    second.put("/slow.m4s", b"fast")
    edge = lab.edge(upstreams=[first.url, second.url],
                    extra="failover: { hedge: { after: least, least: 100ms, share: 100 } }\n")
    reload = lab.client(edge).request(RELOAD)
    until(lambda: first.count("/live/p.m3u8") == 1, "it is held")
    assert get(edge.url + "/slow.m4s").body == b"fast"  # hedged, though asked for later
    go.set()
    assert reload.read().body == PLAYLIST
    assert second.count("/live/p.m3u8") == 0
    assert edge.metric("edge_fill_started_total") == 2  # a hedged one counts once
    reload.close()


def test_one_that_all_clients_left_is_canceled(lab):
    origin, left = lab.scripted_origin(), lab.event()

    def script(exchange):
        try:
            assert not exchange.wire.fill(), "the edge has nothing more to say"
        except ConnectionError:
            pass
        left.set()
        exchange.close()

    origin.on("/live/p.m3u8", script)
    edge = lab.edge(upstreams=[origin.url], workers=2)
    clients = [lab.client(edge).request(RELOAD) for _ in range(5)]
    until(lambda: edge.metric("edge_fill_readers") == 5, "all are held")
    for client in clients[1:]:
        client.cut()
    until(lambda: edge.metric("edge_fill_readers") == 1, "four have left")
    assert not left.is_set()
    clients[0].cut()
    until(left.is_set, "the upstream sees it canceled")
    until(lambda: edge.metric("edge_fill_abandoned_total") == 1, "it is counted")
    assert upstream_is_up(edge)


@pytest.mark.parametrize("status", [404, 503])
def test_an_error_to_a_reload_does_not_last(lab, status):
    origin, answers = lab.scripted_origin(), []

    def script(exchange):
        answers.append(1)
        if len(answers) == 1:
            exchange.reply(status, b"", {"Cache-Control": "max-age=60"})
        else:
            exchange.reply(200, PLAYLIST)

    origin.on("/live/p.m3u8", script)
    edge = lab.edge(upstreams=[origin.url], clock=True)
    assert get(edge.url + RELOAD).status == status
    edge.clock.forward(1.1)
    assert get(edge.url + RELOAD).status == 200


def test_a_playlist_is_fresh_for_less_than_a_second(lab):
    origin = lab.scripted_origin()
    origin.on("/live/p.m3u8", lambda e: e.reply(200, PLAYLIST, {"Cache-Control": "max-age=60"}))
    edge = lab.edge(upstreams=[origin.url], rules=BRIEFLY)
    begun = time.monotonic()
    assert get(edge.url + "/live/p.m3u8").status == 200
    until(lambda: get(edge.url + "/live/p.m3u8").status and origin.count() == 2, "it is stale", 5)
    assert time.monotonic() - begun >= 0.3


def test_a_segment_that_is_not_there_yet_heals_within_its_negative_lifetime(lab):
    origin, exists = lab.scripted_origin(), lab.event()
    origin.on("/live/9.m4s", lambda e: e.reply(200, b"s" * 1000) if exists.is_set()
              else e.reply(404, b"", {"Cache-Control": "max-age=3600"}))
    edge = lab.edge(upstreams=[origin.url], rules=BRIEFLY)
    begun = time.monotonic()
    assert get(edge.url + "/live/9.m4s").status == 404
    exists.set()
    until(lambda: get(edge.url + "/live/9.m4s").status == 200, "it is there", 5)
    assert 0.3 <= time.monotonic() - begun < 5 * PATIENCE
    assert origin.count() == 2


def test_a_segment_whose_404_may_not_be_kept_is_shared_as_soon_as_it_is_there(lab):
    origin, exists = lab.scripted_origin(), lab.event()
    origin.on("/live/9.m4s", lambda e: e.reply(200, b"s" * 1000) if exists.is_set()
              else e.reply(404, b"", {"Cache-Control": "no-store"}))
    edge = lab.edge(upstreams=[origin.url], clock=True)
    assert get(edge.url + "/live/9.m4s").status == 404
    exists.set()
    edge.clock.forward(1)
    assert "; stored" in get(edge.url + "/live/9.m4s").headers["Cache-Status"]
    assert "; hit" in get(edge.url + "/live/9.m4s").headers["Cache-Status"]


def test_a_404_that_tells_when_to_come_back_lasts_until_then(lab):
    origin, exists = lab.scripted_origin(), lab.event()
    origin.on("/live/9.m4s", lambda e: e.reply(200, b"s" * 1000) if exists.is_set()
              else e.reply(404, b"", {"Retry-After": "100", "Cache-Control": "max-age=3600"}))
    edge = lab.edge(upstreams=[origin.url], rules=BRIEFLY.replace("300ms }]", "1h }]"), clock=True)
    assert get(edge.url + "/live/9.m4s").status == 404
    exists.set()
    assert get(edge.url + "/live/9.m4s").status == 404 and origin.count() == 1
    edge.clock.forward(101)
    assert get(edge.url + "/live/9.m4s").status == 200 and origin.count() == 2


def test_a_segment_that_still_grows_streams_as_it_comes(lab):
    origin, go, body = lab.scripted_origin(), lab.event(), os.urandom(5000)

    def script(exchange):
        exchange.head(200, {"Transfer-Encoding": "chunked", "ETag": '"g"'})
        exchange.send(b"%x\r\n" % 2000 + body[:2000] + b"\r\n")
        exchange.wait(go)
        exchange.send(b"%x\r\n" % 3000 + body[2000:] + b"\r\n0\r\n\r\n")

    origin.on("/live/9.m4s", script)
    edge = lab.edge(upstreams=[origin.url])
    clients = [lab.client(edge).request("/live/9.m4s") for _ in range(3)]
    for client in clients:
        assert client.read_head().status == 200
        assert client.read_some(2000) == body[:2000]
    part = get(edge.url + "/live/9.m4s", span=(1000, 1999))
    assert part.status == 206 and part.body == body[1000:2000]
    assert not go.is_set()
    go.set()
    for client in clients:
        assert client.read_body() == body and client.response.complete
        client.close()
    assert origin.count() == 1
