"""Several sites on one edge: hosts, keys, rules, header fields, upstreams of their own."""
import pytest
from lab import get
from test_edge_cache import member

SEGMENT = bytes(range(256)) * 8

SITES = """\
sites:
  - hosts: [film.example, "*.film.example"]
    key: { query: all, exclude: [token] }
    headers: { remove: [Server, X-Powered-By], add: ["X-Site: film"] }
    rules:
      - match: { regex: ["^/v[0-9]+/.*[.]m4s$"] }
        class: segment
        headers: { add: ["X-Rule: segment"] }
      - match: { content_type: ["application/json"], prefix: [/catalogue/] }
        class: manifest
        ttl: { min: 30s, max: 60s }
      - match: { prefix: [/err/] }
        class: other
        negative: [{ status: 404, ttl: 60s }]
  - hosts: [plain.example]
    key: { query: none, include: [id] }
    cookies: drop
    requests: [no-cache]
"""


@pytest.fixture
def origin(lab):
    return lab.scripted_origin()


@pytest.fixture
def edge(lab, origin):
    return lab.edge(upstreams=[origin.url], extra=SITES)


def ask(edge, host, target, **more):
    headers = [("Host", host), *more.pop("headers", [])]
    return get(edge.url + target, headers=headers, **more)


def test_each_host_has_a_cache_of_its_own(origin, edge):
    origin.on("/v1/a.m4s", lambda e: e.reply(200, dict(e.request.headers)["Host"].encode(),
                                             {"Content-Type": "video/mp4"}))
    for host in ("film.example", "a.film.example", "plain.example", "other.example"):
        assert ask(edge, host, "/v1/a.m4s").body == host.encode()
        again = ask(edge, host, "/v1/a.m4s")
        assert again.body == host.encode() and "hit" in member(again)
    assert origin.count("/v1/a.m4s") == 4


def test_a_host_counts_in_its_normal_form(origin, edge):
    origin.put("/v1/a.m4s", SEGMENT)
    ask(edge, "film.example", "/v1/a.m4s")
    for host in ("FILM.example", "film.example:80", "Film.Example:443"):
        answer = ask(edge, host, "/v1/a.m4s")
        assert "hit" in member(answer) and answer.headers["X-Site"] == "film"
    assert [dict(r.headers)["Host"] for r in origin.requests()] == ["film.example"]


def test_a_wildcard_and_a_pattern_find_rules(origin, edge):
    origin.put("/v12/x/1.m4s", SEGMENT, {"Content-Type": "video/mp4"})
    origin.put("/w12/x/1.m4s", SEGMENT, {"Content-Type": "video/mp4"})
    for _ in range(2):
        segment = ask(edge, "a.b.film.example", "/v12/x/1.m4s")
        other = ask(edge, "a.b.film.example", "/w12/x/1.m4s")
    assert "hit" in member(segment) and segment.headers["X-Rule"] == "segment"
    assert "hit" not in member(other) and "X-Rule" not in other.headers


def test_parameters_that_do_not_count_are_not_sent(origin, edge):
    origin.on("/v1/q.m4s", lambda e: e.reply(200, e.request.target.encode(),
                                             {"Content-Type": "video/mp4"}))
    first = ask(edge, "film.example", "/v1/q.m4s?b=2&token=x&a=%31&CMCD=br%3D1")
    assert first.body == b"/v1/q.m4s?a=1&b=2"
    for query in ("?a=1&b=2", "?a=%31&b=2&token=other", "?b=2&CMCD-Request=x&a=1", "?&a=1&&b=2"):
        again = ask(edge, "film.example", "/v1/q.m4s" + query)
        assert "hit" in member(again) and again.body == b"/v1/q.m4s?a=1&b=2"
    for query in ("?a=1", "?a=1&b=2&b=3", "?a=1&b=%32%26", "?a=1&b=2&c"):
        assert "hit" not in member(ask(edge, "film.example", "/v1/q.m4s" + query))


def test_parameters_may_be_named_that_count(origin, edge):
    origin.on("/x.m4s", lambda e: e.reply(200, e.request.target.encode()))
    assert ask(edge, "plain.example", "/x.m4s?z=1&id=7&y").body == b"/x.m4s?id=7"
    assert "hit" in member(ask(edge, "plain.example", "/x.m4s?id=7&other=2"))
    assert ask(edge, "plain.example", "/x.m4s?z=1").body == b"/x.m4s"


def test_hls_directives_always_count_in_one_order(origin, edge):
    origin.on("/live.m3u8", lambda e: e.reply(200, e.request.target.encode()))
    for host in ("film.example", "plain.example", "other.example"):
        answer = ask(edge, host, "/live.m3u8?_HLS_part=2&_HLS_skip=YES&_HLS_msn=7")
        assert answer.body == b"/live.m3u8?_HLS_msn=7&_HLS_part=2&_HLS_skip=YES"
    assert "hit" in member(ask(edge, "plain.example", "/live.m3u8?_HLS_msn=7&_HLS_part=2"
                                                      "&_HLS_skip=YES&CMCD=x"))


def test_without_a_site_a_query_counts_whole_but_cmcd(origin, edge):
    origin.on("/x.m4s", lambda e: e.reply(200, e.request.target.encode()))
    assert ask(edge, "h", "/x.m4s?b=%41&token=1&&a").body == b"/x.m4s?b=%41&token=1&&a"
    assert "hit" not in member(ask(edge, "h", "/x.m4s?token=1&b=%41&&a"))
    assert "hit" in member(ask(edge, "h", "/x.m4s?CMCD=bl%3D100&b=%41&token=1&&a"))
    assert ask(edge, "h", "/x.m4s").body == b"/x.m4s"


def test_other_methods_keep_their_query(origin, edge):
    origin.on("/x", lambda e: e.reply(200, e.request.target.encode()))
    answer = ask(edge, "film.example", "/x?b=1&token=t&a=2", method="POST", body=b"")
    assert answer.body == b"/x?b=1&token=t&a=2"


def test_an_encoded_slash_is_no_slash(origin, edge):
    origin.on("/a/b.m4s", lambda e: e.reply(200, b"two"))
    origin.on("/a%2Fb.m4s", lambda e: e.reply(200, b"one"))
    assert ask(edge, "h", "/a/b.m4s").body == b"two"
    assert ask(edge, "h", "/a%2fb.m4s").body == b"one"
    assert ask(edge, "h", "/a/c/../b.m4s").body == b"two"
    assert ask(edge, "h", "/%61/./b.m4s").body == b"two"
    assert origin.count() == 2


def test_a_page_under_a_segments_name_is_not_kept(origin, edge):
    origin.on("/v1/account/me.m4s", lambda e: e.reply(
        200, b"your account", {"Content-Type": "text/html; charset=utf-8"}))
    origin.on("/account.m3u8", lambda e: e.reply(
        200, b"{}", {"Content-Type": "application/json", "Cache-Control": "no-cache"}))
    for host, path in (("film.example", "/v1/account/me.m4s"), ("h", "/v1/account/me.m4s"),
                       ("h", "/account.m3u8")):
        before = origin.count(path)
        for _ in range(2):
            assert "hit" not in member(ask(edge, host, path))
        assert origin.count(path) > before + 1


def test_a_page_that_may_be_kept_is_kept_as_it_says(origin, edge):
    origin.on("/v1/help.m4s", lambda e: e.reply(
        200, b"help", {"Content-Type": "text/html", "Cache-Control": "max-age=60"}))
    ask(edge, "h", "/v1/help.m4s")
    answer = ask(edge, "h", "/v1/help.m4s")
    assert "hit" in member(answer)
    left = int(member(answer).split("ttl=")[1].split(";")[0])
    assert 0 < left <= 60


def test_a_range_of_a_page_is_no_segment_either(origin, edge):
    origin.put("/v1/page.m4s", b"x" * 300_000, {"Content-Type": "text/html"})
    for _ in range(2):
        answer = ask(edge, "h", "/v1/page.m4s", span=(0, 99))
        assert answer.status == 206 and "hit" not in member(answer)


def test_a_rule_may_ask_for_the_content_type(origin, edge):
    origin.on("/catalogue/all", lambda e: e.reply(200, b"{}", {"Content-Type": "application/json"}))
    origin.on("/catalogue/page", lambda e: e.reply(200, b"-", {"Content-Type": "text/html"}))
    for _ in range(2):
        json = ask(edge, "film.example", "/catalogue/all")
        page = ask(edge, "film.example", "/catalogue/page")
    assert "hit" in member(json) and "hit" not in member(page)


def test_errors_live_as_a_rule_says(origin, edge):
    origin.on("/err/gone", lambda e: e.reply(404, b"no"))
    ask(edge, "film.example", "/err/gone")
    again = ask(edge, "film.example", "/err/gone")
    assert again.status == 404 and "hit" in member(again)


def test_header_fields_come_and_go(origin, edge):
    origin.on("/v1/h.m4s", lambda e: e.reply(200, b"x", {
        "Server": "secret/1.0", "X-Powered-By": "PHP", "Content-Type": "video/mp4"}))
    for _ in range(2):  # from upstream, then from the store
        answer = ask(edge, "film.example", "/v1/h.m4s")
        assert answer.headers.all("X-Site") == ["film"]
        assert answer.headers.all("X-Rule") == ["segment"]
        assert "X-Powered-By" not in answer.headers
        assert "secret" not in answer.headers.get("Server", "")
    plain = ask(edge, "h", "/v1/h.m4s")
    assert plain.headers["X-Powered-By"] == "PHP" and "X-Site" not in plain.headers
    origin.stop()
    broken = ask(edge, "film.example", "/v1/new.m4s")
    assert broken.status == 502 and broken.headers["X-Site"] == "film"
    origin.start()


def test_a_site_may_drop_cookies(origin, edge):
    origin.on("/page", lambda e: e.reply(200, b"page", {
        "Set-Cookie": "id=1", "Cache-Control": "max-age=60"}))
    for host, is_kept in (("plain.example", True), ("h", False)):
        first = ask(edge, host, "/page", headers=[("Cookie", "id=0")])
        assert ("Cookie" in origin.requests("/page")[-1].headers) == (not is_kept)
        again = ask(edge, host, "/page")
        assert ("hit" in member(again)) == is_kept
        assert ("Set-Cookie" in first.headers) == (not is_kept)
        assert ("Set-Cookie" in again.headers) == (not is_kept)


def test_a_site_may_have_upstreams_of_its_own(lab, origin):
    other = lab.scripted_origin("other")
    origin.put("/x.m4s", b"the node's")
    other.put("/x.m4s", b"its own")
    edge = lab.edge(upstreams=[origin.url], extra=(
        f"sites:\n  - hosts: [own.example]\n    upstreams: [{{ url: '{other.url}' }}]\n"))
    assert ask(edge, "own.example", "/x.m4s").body == b"its own"
    assert ask(edge, "h", "/x.m4s").body == b"the node's"
    assert ask(edge, "own.example", "/page", method="POST", body=b"").status == 404
    assert other.count() == 2 and origin.count() == 1
    urls = [upstream["url"] for upstream in edge.status()["upstreams"]]
    assert urls == [origin.url, other.url]


def test_a_purge_knows_the_sites_key(origin, edge):
    origin.put("/v1/p.m4s", SEGMENT, {"Content-Type": "video/mp4"})
    ask(edge, "film.example", "/v1/p.m4s?b=1&a=2&token=t")
    answer = get(edge.admin + "/purge?url=http%3A%2F%2Ffilm.example%2Fv1%2Fp.m4s%3Fa%3D2%26b%3D1",
                 method="POST")
    assert answer.json()["purged"] == 1
    assert "hit" not in member(ask(edge, "film.example", "/v1/p.m4s?a=2&b=1"))
