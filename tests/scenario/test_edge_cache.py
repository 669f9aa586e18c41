"""What the edge keeps, for how long, and how it answers from it."""
import re

import pytest
from lab import get, until

SEGMENT = bytes(range(256)) * 40  # 10 KiB in which every offset shows
MODIFIED = "Tue, 15 Nov 1994 12:45:26 GMT"


def member(response, node="box-1"):
    """This node's member of Cache-Status."""
    members = [m.strip() for m in response.headers["Cache-Status"].split(",")]
    assert members[-1].startswith(node), members
    return members[-1]


def ttl(response):
    return int(re.search(r"ttl=(-?\d+)", member(response))[1])


@pytest.fixture
def origin(lab):
    origin = lab.scripted_origin()
    origin.put("/v/seg-1.m4s", SEGMENT, {"Last-Modified": MODIFIED, "Content-Type": "video/mp4"},
               etag='"s1"')
    return origin


@pytest.fixture
def edge(lab, origin):
    return lab.edge(upstreams=[origin.url])


def test_a_segment_is_fetched_once_and_kept_for_a_year(origin, edge):
    first = get(edge.url + "/v/seg-1.m4s")
    assert first.status == 200 and first.body == SEGMENT
    assert re.fullmatch(r"box-1; fwd=uri-miss; fwd-status=200; stored; detail=first-touch", member(first))
    second = get(edge.url + "/v/seg-1.m4s")
    assert second.status == 200 and second.body == SEGMENT
    assert member(second).startswith("box-1; hit; ttl=")
    assert ttl(second) > 364 * 24 * 3600
    assert int(second.headers["Age"]) >= 0
    assert second.headers["Via"] == "1.1 box-1"
    assert second.headers["Content-Type"] == "video/mp4" and second.headers["ETag"] == '"s1"'
    assert second.headers["Content-Length"] == str(len(SEGMENT))
    assert len(second.headers.all("Date")) == 1
    assert origin.count("/v/seg-1.m4s") == 1
    assert edge.metric('edge_requests_total{result="hit"}') == 1
    assert edge.metric('edge_requests_total{result="miss"}') == 1


def test_an_upstreams_date_and_age_are_kept(lab, origin, edge):
    origin.on("/v/old.m4s", lambda e: e.reply(200, b"old", {
        "Date": MODIFIED, "Age": "100", "Cache-Control": "max-age=60"}))
    get(edge.url + "/v/old.m4s")
    again = get(edge.url + "/v/old.m4s")
    assert "hit" in member(again)
    assert again.headers.all("Date") == [MODIFIED]
    assert int(again.headers["Age"]) >= 100 and len(again.headers.all("Age")) == 1


@pytest.mark.parametrize("said", ["max-age=86400", "max-age=0", "no-cache", None])
def test_a_manifest_is_clamped_to_its_rule(lab, origin, said):
    edge = lab.edge(upstreams=[origin.url], rules="- match: { suffix: [.m3u8] }\n  class: manifest\n"
                                                  "  ttl: { min: 1s, max: 2s }\n")
    fields = {"Cache-Control": said} if said else {}
    origin.put("/v/index.m3u8", b"#EXTM3U", fields)
    get(edge.url + "/v/index.m3u8")
    again = get(edge.url + "/v/index.m3u8")
    assert "hit" not in member(again) or 0 <= ttl(again) <= 2
    until(lambda: origin.count("/v/index.m3u8") >= 2 or not get(edge.url + "/v/index.m3u8"),
          "the manifest was asked for again")
    assert origin.requests("/v/index.m3u8")[-1].headers["If-None-Match"] == '"1"'


def test_a_validated_object_is_served_from_the_store(lab, origin):
    edge = lab.edge(upstreams=[origin.url])
    origin.put("/page", b"content", {"Cache-Control": "max-age=0"})
    get(edge.url + "/page")
    again = get(edge.url + "/page")
    assert again.status == 200 and again.body == b"content"
    assert member(again).startswith("box-1; fwd=stale; fwd-status=304")
    assert edge.metric('edge_requests_total{result="revalidated"}') == 1


def test_stale_while_revalidate_answers_at_once_and_refreshes(lab, origin, edge):
    go = lab.event()

    def script(exchange):
        if origin.count("/page") > 1:
            exchange.wait(go)
        exchange.reply(200, b"v%d" % origin.count("/page"),
                       {"Cache-Control": "max-age=0, stale-while-revalidate=600"})

    origin.on("/page", script)
    assert get(edge.url + "/page").body == b"v1"
    stale = until(lambda: (r := get(edge.url + "/page")) and "hit" in member(r) and ttl(r) < 0 and r,
                  "the stale object is served")
    assert stale.body == b"v1"
    until(lambda: origin.count("/page") == 2, "the refresh reached the origin")
    assert get(edge.url + "/page").body == b"v1"  # still, while the origin thinks
    go.set()
    until(lambda: get(edge.url + "/page").body != b"v1", "the refreshed object is served")


def test_stale_if_error_stands_in_for_a_dead_upstream(lab, origin, edge):
    origin.put("/page", b"kept", {"Cache-Control": "max-age=0, stale-if-error=600"})
    get(edge.url + "/page")
    origin.stop()
    stale = get(edge.url + "/page")
    assert stale.status == 200 and stale.body == b"kept"
    assert "fwd=stale" in member(stale) and "stale-if-error" in member(stale)
    assert edge.metric('edge_requests_total{result="stale"}') == 1


RANGES = [
    ({"Range": "bytes=0-0"}, 206, (0, 1)),
    ({"Range": "bytes=100-199"}, 206, (100, 200)),
    ({"Range": "bytes=10000-"}, 206, (10000, 10240)),
    ({"Range": "bytes=-5"}, 206, (10235, 10240)),
    ({"Range": "bytes=10000-99999"}, 206, (10000, 10240)),
    ({"Range": "bytes=10240-"}, 416, None),
    ({"Range": "bytes=5-1"}, 200, (0, 10240)),
    ({"Range": "bytes=0-1,5-6"}, 206, (0, 7)),  # so near that it is one
    ({"Range": "lines=0-1"}, 200, (0, 10240)),
    ({"Range": "bytes=0-9", "If-Range": '"s1"'}, 206, (0, 10)),
    ({"Range": "bytes=0-9", "If-Range": '"s2"'}, 200, (0, 10240)),
    ({"Range": "bytes=0-9", "If-Range": 'W/"s1"'}, 200, (0, 10240)),
    ({"Range": "bytes=0-9", "If-Range": MODIFIED}, 206, (0, 10)),
    ({"If-None-Match": '"s1"'}, 304, None),
    ({"If-None-Match": '"x", W/"s1"'}, 304, None),
    ({"If-None-Match": "*"}, 304, None),
    ({"If-None-Match": '"x"'}, 200, (0, 10240)),
    ({"If-Modified-Since": MODIFIED}, 304, None),
    ({"If-Modified-Since": "Tue, 15 Nov 1994 12:45:25 GMT"}, 200, (0, 10240)),
    ({"If-None-Match": '"x"', "If-Modified-Since": MODIFIED}, 200, (0, 10240)),
    ({"If-None-Match": '"s1"', "Range": "bytes=0-9"}, 304, None),
    ({"If-None-Match": '"x"', "Range": "bytes=0-9"}, 206, (0, 10)),
]


@pytest.mark.parametrize("cold", [True, False], ids=["miss", "hit"])
def test_ranges_and_conditions_hold_on_misses_and_on_hits(lab, origin, cold):
    edge = lab.edge(upstreams=[origin.url], workers=1)
    for n, (fields, status, span) in enumerate(RANGES):
        target = f"/v/seg-1.m4s?{n if cold else ''}"
        if not cold and n == 0:
            get(edge.url + target)
        answer = get(edge.url + target, headers=fields)
        assert answer.status == status, fields
        assert answer.complete
        assert ("fwd=uri-miss" in member(answer)) == cold, fields
        if span:
            assert answer.body == SEGMENT[span[0]:span[1]], fields
        if status == 206:
            assert answer.headers["Content-Range"] == f"bytes {span[0]}-{span[1] - 1}/10240"
        if status == 416:
            assert answer.headers["Content-Range"] == "bytes */10240"
        if status == 304:
            assert answer.body == b"" and answer.headers["ETag"] == '"s1"'
            assert "Content-Type" not in answer.headers
        head = get(edge.url + target, "HEAD", headers=fields)
        assert head.status == (304 if status == 304 else 200), fields
        if head.status == 200:
            assert head.headers["Content-Length"] == "10240" and head.body == b""
    upstream = origin.requests("/v/seg-1.m4s")
    assert len(upstream) == (len(RANGES) if cold else 1)
    assert all(r.method == "GET" and "If-None-Match" not in r.headers and
               r.headers.get("Range") in (None, "bytes=0-1048575", "bytes=-1048581")
               for r in upstream)


@pytest.mark.parametrize("fields", [{"Cache-Control": "no-store"}, {"Cache-Control": "private"},
                                    {"Set-Cookie": "id=1", "Cache-Control": "max-age=60"},
                                    {"Vary": "*", "Cache-Control": "max-age=60"}])
def test_what_may_not_be_kept_is_not_shared(origin, edge, fields):
    origin.on("/mine", lambda e: e.reply(200, b"for %d" % origin.count("/mine"), fields))
    bodies = [get(edge.url + "/mine").body for _ in range(3)]
    assert sorted(bodies) == [b"for 1", b"for 2", b"for 3"]
    answer = get(edge.url + "/mine")
    assert answer.status == 200 and "hit" not in member(answer) and "stored" not in member(answer)
    for name, value in fields.items():
        assert answer.headers[name] == value
    assert edge.metric('edge_requests_total{result="pass"}') == 4


def test_a_range_of_what_may_not_be_kept_goes_to_the_upstream(origin, edge):
    origin.put("/private", SEGMENT, {"Cache-Control": "private"})
    for _ in range(2):
        answer = get(edge.url + "/private", span=(5, 9))
        assert answer.status == 206 and answer.body == SEGMENT[5:10]
        assert answer.headers["Content-Range"] == "bytes 5-9/10240"
    assert origin.requests("/private")[-1].headers["Range"] == "bytes=5-9"


def test_variants_are_kept_apart(origin, edge):
    origin.on("/page", lambda e: e.reply(
        200, e.request.headers.get("Accept-Language", "none").encode(),
        {"Vary": "Accept-Language", "Cache-Control": "max-age=60"}))
    for language, cause in ("de", "fwd=uri-miss"), ("fr", "fwd=vary-miss"), ("de", "hit"):
        got = get(edge.url + "/page", headers={"Accept-Language": language})
        assert got.body == language.encode() and cause in member(got)
    assert origin.count("/page") == 2


def test_spellings_of_one_path_are_one_object(origin, edge):
    get(edge.url + "/v/seg-1.m4s")
    for spelling in "/v/%73eg-1.m4s", "/v/./seg-1.m4s", "/x/../v/seg-1%2em4s":
        assert "hit" in member(get(edge.url + spelling)), spelling
    assert origin.count() == 1


@pytest.mark.parametrize("path", ["/../etc/passwd", "/a%00b", "/a%zz", "/a\\b"])
def test_a_malformed_path_is_refused_with_problem_details(lab, origin, edge, path):
    with lab.client(edge) as client:
        answer = client.request(path).read()
    assert answer.status == 400
    if answer.headers.get("Content-Type") == "application/problem+json":
        assert answer.json()["status"] == 400
    assert origin.count() == 0


def test_other_methods_go_upstream_and_drop_what_is_kept(origin, edge):
    def script(exchange):
        if exchange.request.method == "POST":
            exchange.reply(201, b"got " + exchange.request.body, {"Age": "5"})
        else:
            exchange.reply(200, b"v%d" % origin.count("/doc"), {"Cache-Control": "max-age=600"})

    origin.on("/doc", script)
    assert get(edge.url + "/doc").body == get(edge.url + "/doc").body == b"v1"
    posted = get(edge.url + "/doc", "POST", body=b"x" * 100000)
    assert posted.status == 201 and posted.body == b"got " + b"x" * 100000
    assert "fwd=method" in member(posted) and "fwd-status=201" in member(posted)
    assert get(edge.url + "/doc").body == b"v3"


def test_preflights_are_the_origins_affair(origin, edge):
    origin.on("/api", lambda e: e.reply(204, b"", {"Access-Control-Allow-Methods": "PUT"}))
    answer = get(edge.url + "/api", "OPTIONS", headers={
        "Origin": "http://page", "Access-Control-Request-Method": "PUT"})
    assert answer.status == 204 and answer.headers["Access-Control-Allow-Methods"] == "PUT"
    assert origin.requests("/api")[0].headers["Origin"] == "http://page"


def test_only_the_origin_judges_if_match(origin, edge):
    get(edge.url + "/v/seg-1.m4s")
    origin.on("/v/seg-1.m4s", lambda e: e.reply(412 if "If-Match" in e.request.headers else 200))
    answer = get(edge.url + "/v/seg-1.m4s", headers={"If-Match": '"other"'})
    assert answer.status == 412 and "fwd=bypass" in member(answer)


def test_fields_of_one_connection_stay_there(origin, edge):
    origin.on("/page", lambda e: e.reply(200, b"x", {
        "Connection": "X-Hop", "X-Hop": "1", "X-End": "2", "Keep-Alive": "timeout=5"}))
    answer = get(edge.url + "/page", headers={"X-Mine": "1", "TE": "trailers"})
    assert "X-Hop" not in answer.headers and "Keep-Alive" not in answer.headers
    assert answer.headers["X-End"] == "2"
    asked = origin.requests("/page")[0].headers
    assert "TE" not in asked and asked["Via"] == "1.1 box-1"


def test_purge_drops_every_variant(origin, edge):
    get(edge.url + "/v/seg-1.m4s")
    purged = get(f"{edge.admin}/purge?url={edge.url}/v/seg-1.m4s", "POST")
    assert purged.status == 200 and purged.json()["purged"] == 1
    assert "fwd=uri-miss" in member(get(edge.url + "/v/seg-1.m4s"))
    assert origin.count() == 2
    assert get(edge.admin + "/purge?url=nonsense", "POST").status == 400
