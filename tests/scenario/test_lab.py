"""The lab's own peers against each other: what they say of a body must be true."""
import pytest
from lab import Cut, get, until


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
