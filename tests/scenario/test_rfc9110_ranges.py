"""Ranges of what is kept, of what is asked for first, and of what is neither (RFC 9110 section 14)."""
import itertools

import pytest
from lab import get
from test_edge_http import parts

BODY = bytes(range(256)) * 40  # 10 KiB in which every offset shows
MODIFIED = "Tue, 15 Nov 1994 12:45:26 GMT"
FIELDS = {"Cache-Control": "max-age=600", "Content-Type": "video/mp4", "Last-Modified": MODIFIED}
NAMES = itertools.count()


@pytest.fixture(params=["miss", "hit"])
def kept(request, edge):
    """The URL of BODY, which is asked for first, or kept."""
    path = f"/{next(NAMES)}"
    edge.origin.put(path, BODY, FIELDS, etag='"v1"')
    if request.param == "hit":
        get(edge.url + path)
    return edge.url + path


def ranged(url, text, **fields):
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return get(url, headers={"Range": text, **named})


def is_part(answer, first, last):
    return (answer.status == 206 and answer.body == BODY[first:last + 1] and
            answer.headers["Content-Range"] == f"bytes {first}-{last}/{len(BODY)}")


def is_whole(answer):
    return answer.status == 200 and answer.body == BODY and "Content-Range" not in answer.headers


# ---- one range ---------------------------------------------------------------

def test_a_range_is_sent_with_its_place(kept):
    assert is_part(ranged(kept, "bytes=100-199"), 100, 199)


def test_a_range_without_an_end_goes_to_the_last_byte(kept):
    assert is_part(ranged(kept, "bytes=10000-"), 10000, len(BODY) - 1)


def test_a_range_that_ends_too_late_ends_at_the_last_byte(kept):
    assert is_part(ranged(kept, f"bytes=10000-{2 ** 62}"), 10000, len(BODY) - 1)


def test_a_suffix_is_the_last_bytes(kept):
    assert is_part(ranged(kept, "bytes=-7"), len(BODY) - 7, len(BODY) - 1)


def test_a_suffix_longer_than_all_is_all_of_it_as_a_part(kept):
    assert is_part(ranged(kept, f"bytes=-{len(BODY) + 1}"), 0, len(BODY) - 1)


def test_the_unit_is_read_in_any_case(kept):
    assert is_part(ranged(kept, "Bytes=0-0"), 0, 0)


@pytest.mark.parametrize("text", ["bytes=10240-", "bytes=20000-30000", "bytes=-0"])
def test_a_range_past_the_end_is_416_with_the_length(kept, text):
    answer = ranged(kept, text)
    assert answer.status == 416 and answer.headers["Content-Range"] == f"bytes */{len(BODY)}"
    assert is_whole(get(kept))


@pytest.mark.parametrize("text", ["items=0-9", "bytes=9-0", "bytes=a-9", "bytes=0-9x", "bytes 0-9",
                                  "bytes=", "bytes=-", "bytes=0-9,9-0"])
def test_what_is_no_range_of_bytes_is_passed_over(kept, text):
    assert is_whole(ranged(kept, text))


def test_a_part_bears_the_fields_of_the_whole_but_of_its_own_length(kept):
    answer = ranged(kept, "bytes=0-9")
    assert answer.headers["Content-Length"] == "10" and answer.headers["ETag"] == '"v1"'
    assert answer.headers["Content-Type"] == "video/mp4" and answer.headers["Date"]
    assert answer.headers["Cache-Control"] == "max-age=600"


@pytest.mark.parametrize("method", ["HEAD", "POST"])
def test_a_range_counts_for_get_alone(edge, method):
    path = f"/{next(NAMES)}"
    edge.origin.on(path, lambda e: e.reply(200, BODY, FIELDS))
    for _ in range(2):
        answer = get(edge.url + path, method, {"Range": "bytes=0-9"})
        assert answer.status == 200 and answer.headers["Content-Length"] == str(len(BODY))
        get(edge.url + path)


def test_the_last_bytes_of_nothing_are_the_whole(edge):
    path = f"/{next(NAMES)}"
    edge.origin.on(path, lambda e: e.reply(200, b"", FIELDS))
    for _ in range(2):
        answer = ranged(edge.url + path, "bytes=-5")
        assert answer.status == 200 and answer.headers["Content-Length"] == "0"
        get(edge.url + path)
    assert ranged(edge.url + path, "bytes=0-").headers["Content-Range"] == "bytes */0"


def test_an_upstream_that_knows_no_ranges_is_cut_to_what_is_wanted(edge):
    path = f"/{next(NAMES)}"
    edge.origin.on(path, lambda e: e.reply(200, BODY, FIELDS))
    for _ in range(2):
        assert is_part(ranged(edge.url + path, "bytes=5000-5009"), 5000, 5009)
    assert edge.origin.count(path) == 1


def test_an_error_has_no_parts(edge):
    path = f"/{next(NAMES)}"
    edge.origin.on(path, lambda e: e.reply(404, BODY, {"Cache-Control": "max-age=600"}))
    for _ in range(2):
        answer = ranged(edge.url + path, "bytes=0-9")
        assert answer.status == 404 and answer.body == BODY


# ---- of what is stale --------------------------------------------------------

def stale(edge):
    """The path of BODY, which is kept and has to be validated."""
    path = f"/{next(NAMES)}"
    edge.origin.put(path, BODY, {**FIELDS, "Cache-Control": "max-age=0"}, etag='"v1"')
    get(edge.url + path)
    return path


def test_a_range_of_what_is_stale_comes_from_the_store_once_it_is_validated(edge):
    path = stale(edge)
    answer = ranged(edge.url + path, "bytes=5-9", If_Range='"v1"')
    assert is_part(answer, 5, 9) and "; fwd=stale; fwd-status=304" in answer.headers["Cache-Status"]
    assert edge.origin.requests(path)[-1].headers["If-None-Match"] == '"v1"'


def test_a_range_is_of_what_took_the_place_of_the_stale(edge):
    path, newer = stale(edge), BODY[::-1]
    edge.origin.put(path, newer, FIELDS, etag='"v2"')
    old = ranged(edge.url + path, "bytes=5-9", If_Range='"v1"')
    assert old.status == 200 and old.body == newer and old.headers["ETag"] == '"v2"'
    part = ranged(edge.url + path, "bytes=5-9", If_Range='"v2"')
    assert part.status == 206 and part.body == newer[5:10]


# ---- several -----------------------------------------------------------------

def test_several_ranges_are_parts_in_the_order_of_the_request(kept):
    answer = ranged(kept, "bytes=9000-9009,0-9,-3")
    assert answer.status == 206 and "Content-Range" not in answer.headers
    assert int(answer.headers["Content-Length"]) == len(answer.body)
    assert [(where, body) for where, body, _ in parts(answer)] == [
        ("bytes 9000-9009/10240", BODY[9000:9010]), ("bytes 0-9/10240", BODY[:10]),
        ("bytes 10237-10239/10240", BODY[-3:])]


def test_ranges_that_overlap_or_nearly_touch_are_one(kept):
    assert is_part(ranged(kept, "bytes=0-99,50-149,200-299"), 0, 299)


def test_a_range_past_the_end_does_not_hide_the_others(kept):
    assert is_part(ranged(kept, "bytes=20000-20009,0-9"), 0, 9)


def test_of_what_is_encoded_there_are_no_several_parts(edge):
    path = f"/{next(NAMES)}"
    edge.origin.put(path, BODY, {**FIELDS, "Content-Encoding": "gzip"})
    for _ in range(2):
        assert is_whole(ranged(edge.url + path, "bytes=0-9,5000-5009"))
    assert is_part(ranged(edge.url + path, "bytes=0-9"), 0, 9)


@pytest.mark.parametrize("text", [
    "bytes=" + ",".join(f"{n}-{n}" for n in range(0, 10000, 500)), "bytes=0-,0-,0-",
    "bytes=0-9999,1-9999,2-9999"])
def test_floods_of_ranges_are_as_if_absent(kept, text):
    assert is_whole(ranged(kept, text))


# ---- If-Range ----------------------------------------------------------------

@pytest.mark.parametrize("same", ['"v1"', MODIFIED])
def test_if_range_continues_the_same_bytes(kept, same):
    assert is_part(ranged(kept, "bytes=5-9", If_Range=same), 5, 9)


@pytest.mark.parametrize("other", [
    '"v0"', 'W/"v1"', "v1", '"v1", "v2"', "*", "Tue, 15 Nov 1994 12:45:27 GMT",
    "Tue, 15 Nov 1994 12:45:25 GMT", "Tuesday"])
def test_if_range_sends_the_whole_of_anything_else(kept, other):
    assert is_whole(ranged(kept, "bytes=5-9", If_Range=other))


def test_a_weak_validator_continues_nothing(edge):
    path = f"/{next(NAMES)}"
    edge.origin.on(path, lambda e: e.reply(200, BODY, {**FIELDS, "ETag": 'W/"v1"'}))
    for _ in range(2):
        assert is_whole(ranged(edge.url + path, "bytes=5-9", If_Range='W/"v1"'))
    assert is_part(ranged(edge.url + path, "bytes=5-9"), 5, 9)


def test_if_range_without_range_means_nothing(kept):
    assert is_whole(get(kept, headers={"If-Range": '"v1"'}))


def test_if_range_decides_for_several_ranges_too(kept):
    assert len(parts(ranged(kept, "bytes=0-9,5000-5009", If_Range='"v1"'))) == 2
    assert is_whole(ranged(kept, "bytes=0-9,5000-5009", If_Range='"v0"'))
