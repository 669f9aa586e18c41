"""What clients have already, and what only the origin may judge (RFC 9110 section 13)."""
import itertools

import pytest
from lab import get

BODY = b"a body of some bytes"
MODIFIED = "Tue, 15 Nov 1994 12:45:26 GMT"
LATER, EARLIER = "Wed, 16 Nov 1994 00:00:00 GMT", "Mon, 14 Nov 1994 00:00:00 GMT"
FIELDS = {"Cache-Control": "max-age=600", "Content-Type": "video/mp4", "Last-Modified": MODIFIED,
          "Vary": "Accept", "Expires": "Thu, 01 Jan 2099 00:00:00 GMT", "Content-Location": "/x"}
NAMES = itertools.count()


def url_of(edge, fields=(), etag='"v1"'):
    path = f"/{next(NAMES)}"
    edge.origin.put(path, BODY, {**FIELDS, **dict(fields)}, etag=etag)
    return edge.url + path


@pytest.fixture(params=["miss", "hit"])
def kept(request, edge):
    """The URL of BODY, which is asked for first, or kept."""
    url = url_of(edge)
    if request.param == "hit":
        get(url)
    return url


def asked(edge, url):
    return edge.origin.requests(url[len(edge.url):])


@pytest.mark.parametrize("tags", ['"v1"', 'W/"v1"', '"v0", "v1"', '"a,b" , W/"v1"', "*"])
def test_who_has_it_is_told_so_by_304(kept, tags):
    answer = get(kept, headers={"If-None-Match": tags})
    assert answer.status == 304 and answer.body == b""


@pytest.mark.parametrize("tags", ['"v0"', "v1", '"V1"', '"v1', ""])
def test_who_has_something_else_is_sent_it(kept, tags):
    assert get(kept, headers={"If-None-Match": tags}).body == BODY


def test_tags_on_several_lines_are_one_list(kept):
    answer = get(kept, headers=[("If-None-Match", '"v0"'), ("If-None-Match", '"v1"')])
    assert answer.status == 304


@pytest.mark.parametrize("date,status", [(MODIFIED, 304), (LATER, 304), (EARLIER, 200),
                                         ("yesterday", 200), ("Tuesday, 15-Nov-94 12:45:26 GMT", 304),
                                         ("Tue Nov 15 12:45:26 1994", 304)])
def test_a_date_counts_as_any_of_its_three_forms_or_not_at_all(kept, date, status):
    assert get(kept, headers={"If-Modified-Since": date}).status == status


def test_tags_go_before_dates(kept):
    assert get(kept, headers={"If-None-Match": '"v0"', "If-Modified-Since": LATER}).status == 200
    assert get(kept, headers={"If-None-Match": '"v1"', "If-Modified-Since": EARLIER}).status == 304


def test_conditions_go_before_ranges(kept):
    ranged = {"Range": "bytes=0-3", "If-Range": '"v1"'}
    assert get(kept, headers={**ranged, "If-None-Match": '"v1"'}).status == 304
    assert get(kept, headers={**ranged, "If-None-Match": '"v0"'}).status == 206
    assert get(kept, headers={"Range": "bytes=99-", "If-None-Match": '"v1"'}).status == 304


def test_a_head_may_be_conditional(kept):
    get(kept)
    assert get(kept, "HEAD", {"If-None-Match": '"v1"'}).status == 304
    assert get(kept, "HEAD", {"If-None-Match": '"v0"'}).status == 200


def test_a_304_bears_what_identifies_and_no_fields_of_content(kept):
    answer = get(kept, headers={"If-None-Match": '"v1"'})
    for name in ("ETag", "Cache-Control", "Vary", "Expires", "Content-Location", "Date"):
        assert name in answer.headers, name
    assert "Content-Type" not in answer.headers and "Content-Range" not in answer.headers


def test_a_304_is_a_hit_as_any_other(edge):
    url = url_of(edge)
    get(url)
    answer = get(url, headers={"If-None-Match": '"v1"'})
    assert "; hit" in answer.headers["Cache-Status"] and answer.headers["Age"].isdigit()
    assert len(asked(edge, url)) == 1


def test_what_is_kept_in_part_answers_conditions_too(edge):
    path, body = f"/{next(NAMES)}.mp4", bytes(3 << 20)
    edge.origin.put(path, body, FIELDS, etag='"v1"')
    assert get(edge.url + path, span=(1 << 20, (1 << 20) + 9)).status == 206
    for method in "GET", "HEAD":
        assert get(edge.url + path, method, {"If-None-Match": '"v1"'}).status == 304
    assert edge.origin.count(path) == 1


def test_a_clients_condition_is_never_sent_for_what_others_will_get(edge):
    url = url_of(edge)
    get(url, headers={"If-None-Match": '"v1"', "If-Modified-Since": MODIFIED})
    sent = asked(edge, url)[0].headers
    assert "If-None-Match" not in sent and "If-Modified-Since" not in sent
    assert get(url).body == BODY and len(asked(edge, url)) == 1


def test_an_error_is_never_304(edge):
    path = f"/{next(NAMES)}"
    edge.origin.on(path, lambda e: e.reply(404, b"none", {"Cache-Control": "max-age=600",
                                                          "ETag": '"v1"'}))
    for _ in range(2):
        answer = get(edge.url + path, headers={"If-None-Match": '"v1"'})
        assert answer.status == 404 and answer.body == b"none"
    assert edge.origin.count(path) == 1


@pytest.mark.parametrize("fields", [{"If-Match": '"v0"'}, {"If-Match": 'W/"v1"'},
                                    {"If-Unmodified-Since": EARLIER}])
def test_what_may_fail_a_precondition_is_for_the_origin_to_judge(edge, fields):
    url = url_of(edge)
    get(url)
    name, value = next(iter(fields.items()))
    edge.origin.on(url[len(edge.url):], lambda e: e.reply(412 if name in e.request.headers else 200))
    answer = get(url, headers=fields)
    assert answer.status == 412 and asked(edge, url)[-1].headers[name] == value
    assert get(url).body == BODY  # which is still there


@pytest.mark.parametrize("fields", [{"If-Match": '"v0", "v1"'}, {"If-Match": "*"},
                                    {"If-Unmodified-Since": LATER},
                                    {"If-Match": '"v1"', "If-Unmodified-Since": EARLIER}])
def test_a_precondition_that_holds_is_answered_here(edge, fields):
    url = url_of(edge)
    get(url)
    assert get(url, headers=fields).body == BODY and len(asked(edge, url)) == 1


def test_conditions_of_unsafe_methods_go_on(edge):
    path = f"/{next(NAMES)}"
    edge.origin.on(path, lambda e: e.reply(412))
    assert get(edge.url + path, "PUT", {"If-Match": '"v1"', "If-None-Match": "*"}, b"x").status == 412
    sent = edge.origin.requests(path)[0].headers
    assert sent["If-Match"] == '"v1"' and sent["If-None-Match"] == "*"
