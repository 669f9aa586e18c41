"""The lab's own peers against each other: what they say of a body must be true."""
import pytest
from lab import Cut, get, until
from lab_script import Answer, Stage, Status, status, tiers
from lab_wire import Headers, Response


def test_a_fixed_object_comes_whole_and_in_ranges(lab):
    origin = lab.scripted_origin()
    origin.put("/a", b"0123456789")
    assert get(origin.url + "/a").body == b"0123456789"
    assert get(origin.url + "/a", span=(2, 5)).body == b"2345"
    assert get(origin.url + "/a", span=(None, 3)).body == b"789"
    assert get(origin.url + "/a", span=(10, None)).status == 416
    assert get(origin.url + "/a", headers={"If-None-Match": '"1"'}).status == 304
    assert get(origin.url + "/b").status == 404
    assert origin.count("/a") == 5


def test_a_cut_body_is_not_complete(lab):
    origin = lab.scripted_origin()

    def cut(exchange):
        exchange.head(200, {"Content-Length": 10})
        exchange.send(b"01234")
        exchange.cut()

    def cut_chunk(exchange):
        exchange.head(200, {"Transfer-Encoding": "chunked"})
        exchange.send(b"5\r\n01234\r\n5\r\n01")
        exchange.close()

    origin.on("/cut", cut)
    origin.on("/chunk", cut_chunk)
    for path in "/cut", "/chunk":
        response = get(origin.url + path)
        assert response.status == 200 and not response.complete
    origin.on("/chunk", lambda e: (e.head(200, {"Transfer-Encoding": "chunked"}),
                                   e.send(b"5\r\n01234\r\n0\r\n\r\n")))
    whole = get(origin.url + "/chunk")
    assert whole.complete and whole.body == b"01234"


def test_a_body_is_read_while_it_arrives(lab):
    origin, go = lab.scripted_origin(), lab.event()

    def slow(exchange):
        exchange.head(200, {"Content-Length": 6})
        exchange.send(b"abc")
        exchange.wait(go)
        exchange.send(b"def")

    origin.on("/slow", slow)
    with lab.client(origin) as client:
        client.request("/slow").read_head()
        assert client.read_some(3) == b"abc"
        go.set()
        assert client.read_body() == b"abcdef" and client.response.complete
        client.request("/slow").read_head()
        assert client.read_body() == b"abcdef"


def test_an_origin_that_stopped_refuses_and_comes_back_on_its_port(lab):
    origin = lab.scripted_origin()
    origin.put("/a", b"a")
    port = origin.port
    origin.stop()
    with pytest.raises((ConnectionError, Cut)):
        get(origin.url + "/a")
    origin.start()
    assert origin.port == port
    until(lambda: get(origin.url + "/a").status == 200, "the origin is back")


def test_a_clock_that_is_turned_ages_what_is_kept(lab):
    stage = Stage(lab)
    thing = stage.put(Answer(headers={"Cache-Control": "max-age=60", "ETag": '"1"',
                                      "Date": stage.clock.dated()}), Answer(304))
    assert thing.status().fwd == "uri-miss"
    assert thing.status().hit
    stage.clock.forward(50)
    again = thing.get()
    assert 50 <= int(again.headers["Age"]) < 60 and status(again).ttl <= 10
    stage.clock.forward(15)
    assert thing.status().fwd == "stale"
    assert [r.headers.get("If-None-Match") for r in thing.requests] == [None, '"1"']


def test_cache_status_is_read_as_a_list_of_members():
    answer = Response(200, "", "", Headers([
        ("Cache-Status", 'region; hit; ttl=-3; detail=memory'),
        ("Cache-Status", '"the, edge"; fwd=uri-miss; fwd-status=200; stored; key="a;\\"b"')]))
    far, near = tiers(answer)
    assert far == Status("region", hit=True, ttl=-3, detail="memory")
    assert near == Status('"the, edge"', fwd="uri-miss", fwd_status=200, stored=True, key='a;"b')
    assert status(answer) == near
