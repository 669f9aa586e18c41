"""Who a message has passed, and what goes in a circle (RFC 8586, RFC 9110 section 7.6.3)."""
import itertools

import pytest
from lab import Client, get
from lab_h2 import curl
from lab_tls import Authority, entry, tls_edge

KEPT = {"Cache-Control": "max-age=600"}
NAMES = itertools.count()


@pytest.fixture
def path(edge):
    path = f"/{next(NAMES)}"
    edge.origin.on(path, lambda e: e.reply(200, b"x", KEPT))
    return path


def sent(edge, path):
    return edge.origin.requests(path)[-1].headers


def test_this_node_stands_in_via_behind_those_before_it(edge, path):
    get(edge.url + path, "POST", [("Via", "1.0 a"), ("via", "2 b (x, y)")], b"")
    assert sent(edge, path).all("Via") == ["1.0 a, 2 b (x, y), 1.1 box-1"]


def test_via_tells_the_version_in_which_a_request_came(edge, path):
    with Client(edge.port) as client:
        client.send(f"POST {path} HTTP/1.0\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        assert client.read("POST").status == 200
    assert sent(edge, path).all("Via") == ["1.0 box-1"]


@pytest.mark.parametrize("args", [(), ("-d", "x")], ids=["GET", "POST"])
def test_via_tells_of_http_2(edge, path, args):
    curl("--http2-prior-knowledge", *args, edge.url + path)
    assert sent(edge, path).all("Via") == ["2 box-1"]


def test_via_tells_of_http_2_over_tls(module_lab, edge, path):
    authority = Authority(module_lab.dir / "ca")
    secured = tls_edge(module_lab, edge.origin, entry("players", [authority.issue("a.example")]),
                       name="box-tls")
    curl("--cacert", str(authority.path), "--resolve", f"a.example:{secured.tls_port}:127.0.0.1",
         f"https://a.example:{secured.tls_port}{path}")
    assert sent(edge, path).all("Via") == ["2 box-tls"]


def test_a_fetch_for_all_tells_by_whom_the_first_of_them_came(edge, path):
    for name in ("a", "b"):
        get(edge.url + path, headers={"Via": f"1.1 {name}"})
    assert [r.headers["Via"] for r in edge.origin.requests(path)] == ["1.1 a, 1.1 box-1"]


def test_a_response_tells_by_whom_it_came(edge):
    path = f"/{next(NAMES)}"
    edge.origin.on(path, lambda e: e.reply(200, b"x", {**KEPT, "Via": "1.1 region"}))
    for _ in range(2):
        assert get(edge.url + path).headers["Via"] == "1.1 region, 1.1 box-1"


def test_this_node_is_the_last_in_cdn_loop(edge, path):
    get(edge.url + path, "POST", [("CDN-Loop", "a.example; v=1"), ("CDN-Loop", "b")], b"")
    assert sent(edge, path).all("CDN-Loop") == ["a.example; v=1, b, box-1"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("name,value", [
    ("CDN-Loop", "box-1"), ("CDN-Loop", "a; x=\"1, 2\", BOX-1; v=\"2\""), ("CDN-Loop", "\"torn, box-1"),
    ("Via", "1.1 a, 1.1 box-1 (x)"), ("Via", "HTTP/1.1 box-1")])
def test_what_has_been_here_is_refused(edge, path, method, name, value):
    answer = get(edge.url + path, method, {name: value})
    assert answer.status == 508 and edge.origin.count(path) == 0


@pytest.mark.parametrize("name,value", [("CDN-Loop", "box-10, a-box-1"), ("CDN-Loop", "a; v=\"box-1\""),
                                        ("Via", "1.1 a (box-1), 1.1 box-10")])
def test_a_node_whose_name_is_alike_is_another(edge, path, name, value):
    assert get(edge.url + path, headers={name: value}).status == 200


@pytest.mark.parametrize("name,member", [("CDN-Loop", "n{}"), ("Via", "1.1 n{}")])
def test_more_nodes_than_any_chain_has_are_a_circle(edge, path, name, member):
    chain = ", ".join(member.format(n) for n in range(33))
    assert get(edge.url + path, headers={name: chain}).status == 508
    chain = ", ".join(member.format(n) for n in range(32))
    assert get(edge.url + path, headers={name: chain}).status == 200
