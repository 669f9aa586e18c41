"""Which methods are settled here, which go on, and what is done twice (RFC 9110 sections 9, 7.6.2,
10.1.1)."""
import itertools

import pytest
from lab import Client, get

BODY = b"a body of some bytes"
KEPT = {"Cache-Control": "max-age=600"}
NAMES = itertools.count()


@pytest.fixture(scope="module")
def pair(module_lab):
    """An edge with two upstreams, of which the first is never put out of service."""
    first, second = module_lab.scripted_origin("first"), module_lab.scripted_origin("second")
    edge = module_lab.edge(upstreams=[first.url, second.url], name="box-2",
                           extra="failover: { after: 1000 }\n")
    edge.first, edge.second = first, second
    return edge


@pytest.fixture
def path(edge):
    """Of what tells by which method it was asked for."""
    path = f"/{next(NAMES)}"
    edge.origin.on(path, lambda e: e.reply(200, e.request.method.encode() + b" " + e.request.body,
                                           KEPT))
    return path


def ask(edge, target, method, headers=(), body=None):
    """On a connection of its own, with a target as it is."""
    with Client(edge.port) as client:
        return client.request(target, method, headers, body).read(method)


@pytest.mark.parametrize("method", ["BREW", "get", "PROPFIND", "G"])
def test_a_method_that_nobody_knows_is_501(edge, path, method):
    answer = ask(edge, path, method)
    assert answer.status == 501 and answer.complete
    assert edge.origin.count(path) == 0


def test_no_tunnels_are_opened(edge):
    with Client(edge.port) as client:
        assert client.request("other:443", "CONNECT").read("GET").status == 501
        assert client.is_closed()


@pytest.mark.parametrize("fields", [{}, {"Max-Forwards": "0"}, {"Max-Forwards": "9"}])
def test_trace_is_refused_however_far_it_may_go(edge, path, fields):
    answer = ask(edge, path, "TRACE", fields)
    assert answer.status == 405 and "GET" in answer.headers["Allow"]
    assert "TRACE" not in answer.headers["Allow"]
    assert edge.origin.count(path) == 0


def test_options_of_nothing_is_answered_here(edge):
    n = edge.origin.count()
    answer = ask(edge, "*", "OPTIONS")
    assert answer.status == 204 and "GET" in answer.headers["Allow"]
    assert edge.origin.count() == n


def test_options_of_a_resource_is_passed_and_never_kept(edge, path):
    for n in 1, 2:
        assert ask(edge, path, "OPTIONS").body == b"OPTIONS "
        assert edge.origin.count(path) == n
    assert get(edge.url + path).body == b"GET "


def test_options_goes_as_far_as_it_may(edge, path):
    assert ask(edge, path, "OPTIONS", {"Max-Forwards": "2"}).body == b"OPTIONS "
    assert edge.origin.requests(path)[-1].headers.all("Max-Forwards") == ["1"]
    ended = ask(edge, path, "OPTIONS", {"Max-Forwards": "0"})
    assert ended.status == 204 and "GET" in ended.headers["Allow"]
    assert edge.origin.count(path) == 1


def test_forwards_of_other_methods_are_not_counted(edge, path):
    assert ask(edge, path, "POST", {"Max-Forwards": "0"}, b"x").body == b"POST x"
    assert edge.origin.requests(path)[-1].headers.all("Max-Forwards") == ["0"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_what_changes_something_is_passed_with_its_content_and_never_kept(edge, path, method):
    for _ in range(2):
        answer = ask(edge, path, method, body=b"content")
        assert answer.body == method.encode() + b" content"
        assert "; fwd=method; fwd-status=200" in answer.headers["Cache-Status"]
        assert "stored" not in answer.headers["Cache-Status"]
    assert edge.origin.count(path) == 2


def test_head_is_answered_from_what_a_get_has_kept(edge, path):
    whole = get(edge.url + path)
    answer = get(edge.url + path, "HEAD")
    assert "; hit" in answer.headers["Cache-Status"] and edge.origin.count(path) == 1
    assert answer.headers["Content-Length"] == str(len(whole.body)) and answer.body == b""


def test_a_head_that_misses_goes_on_as_one_and_keeps_nothing(edge, path):
    for n in 1, 2:
        answer = get(edge.url + path, "HEAD")
        assert answer.status == 200 and answer.body == b""
        assert "; fwd=uri-miss" in answer.headers["Cache-Status"]
        assert [r.method for r in edge.origin.requests(path)] == ["HEAD"] * n


@pytest.mark.parametrize("status", [404, 500])
def test_the_answer_to_a_head_has_no_content_whatever_it_is(edge, status):
    path = f"/{next(NAMES)}"
    edge.origin.on(path, lambda e: e.reply(status, BODY))
    with Client(edge.port) as client:
        assert client.request(path, "HEAD").read("HEAD").status == status
        client.request(path).read_head()  # in step with what was asked for
        assert client.response.status == status and client.read_body() == BODY


def test_what_has_no_content_is_sent_without_any(edge, path):
    ask(edge, path, "DELETE")
    sent = edge.origin.requests(path)[0].headers
    assert "Content-Length" not in sent and "Transfer-Encoding" not in sent


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_what_may_not_be_done_twice_is_not_asked_for_twice(edge, method):
    path, asked = f"/{next(NAMES)}", []

    def script(exchange):
        asked.append(1)
        exchange.close()
    edge.origin.on("/warm", lambda e: e.reply(200, b""))
    get(edge.url + "/warm", "POST")  # leaves a connection, on which a request may fail
    edge.origin.on(path, script)
    assert ask(edge, path, method, body=b"once").status == 502
    assert len(asked) == 1


@pytest.mark.parametrize("method,asked", [("POST", 0), ("PATCH", 0), ("GET", 1), ("HEAD", 1),
                                          ("OPTIONS", 1), ("DELETE", 1)])
def test_another_upstream_is_asked_only_for_what_may_be_done_twice(pair, method, asked):
    path = f"/{next(NAMES)}"
    pair.first.on(path, lambda e: e.close())
    pair.second.on(path, lambda e: e.reply(200, BODY))
    assert ask(pair, path, method).status == (200 if asked else 502)
    assert pair.first.count(path) >= 1 and pair.second.count(path) == asked


def test_who_waits_for_leave_to_send_is_given_it(edge, path):
    with Client(edge.port) as client:
        client.request(path, "PUT", {"Expect": "100-continue", "Content-Length": "4"})
        assert client.read_interim().status == 100
        client.send(b"late")
        assert client.read().body == b"PUT late"
    assert "Expect" not in edge.origin.requests(path)[0].headers


def test_who_expects_anything_else_is_told_417(edge, path):
    assert ask(edge, path, "GET", {"Expect": "miracles"}).status == 417
    assert edge.origin.count(path) == 0
