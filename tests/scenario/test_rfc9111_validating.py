"""Validation: RFC 9111 section 4.3, towards the upstream and towards clients."""
import pytest
from lab_script import Answer, status

OLD, OLDER, NEWER = ("Tue, 15 Nov 1994 12:45:26 GMT", "Tue, 15 Nov 1994 12:45:25 GMT",
                     "Wed, 16 Nov 1994 12:45:26 GMT")
TAG = '"a"'


def kept(fields=None, body=b"kept"):
    return Answer(200, {"Cache-Control": "max-age=60", **({"ETag": TAG} if fields is None else fields)},
                 body)


def confirmed(fields=None, said="max-age=60"):
    return Answer(304, {"Cache-Control": said, **({"ETag": TAG} if fields is None else fields)})


NEW = Answer(200, {"Cache-Control": "max-age=60", "ETag": '"b"'}, b"new")


# ---- asking the upstream: sections 4.3.1, 4.3.3, 4.3.4 ---------------------------

def test_what_is_stale_is_asked_about_with_its_validators(stage):
    thing = stage.put(kept({"ETag": TAG, "Last-Modified": OLD}), confirmed())
    thing.get()
    stage.clock.forward(61)
    answer = thing.get()
    assert answer.body == b"kept" and int(answer.headers["Age"]) < 60
    assert status(answer).fwd == "stale" and status(answer).fwd_status == 304
    asked = thing.requests[1].headers
    assert asked.all("If-None-Match") == [TAG] and asked.all("If-Modified-Since") == [OLD]
    assert status(thing.get()).hit


def test_only_the_variant_that_is_selected_is_asked_about(stage):
    thing = stage.put(lambda e: Answer(200, {"Cache-Control": "max-age=60", "Vary": "Accept-Language",
                                    "ETag": f'"{e.request.headers["Accept-Language"]}"'},
                              b"text")(e))
    for language in "de", "fr":
        thing.get({"Accept-Language": language})
    stage.clock.forward(61)
    thing.get({"Accept-Language": "de"})
    assert thing.requests[2].headers.all("If-None-Match") == ['"de"']


def test_a_new_response_takes_the_place_of_what_is_stale(stage):
    thing = stage.put(kept(), NEW)
    thing.get()
    stage.clock.forward(61)
    assert thing.get().body == b"new"
    answer = thing.get()
    assert answer.body == b"new" and answer.headers["ETag"] == '"b"' and status(answer).hit


def test_a_304_that_nobody_asked_for_is_an_error(stage):
    thing = stage.put(confirmed())
    answer = thing.get()
    assert answer.status == 502 and status(answer).fwd == "uri-miss"


def test_a_304_where_there_was_nothing_to_ask_about_is_an_error(stage):
    thing = stage.put(kept({}), confirmed({}))
    thing.get()
    stage.clock.forward(61)
    assert thing.get().status == 502
    assert "If-None-Match" not in thing.requests[1].headers


@pytest.mark.parametrize("said, told", [("stale-if-error=60", 200), ("public", 503)])
def test_a_failure_to_a_question_leaves_what_is_stale_where_that_is_allowed(stage, said, told):
    thing = stage.put(Answer(200, {"Cache-Control": f"max-age=60, {said}", "ETag": TAG}, b"kept"), Answer(503))
    thing.get()
    stage.clock.forward(61)
    assert thing.get().status == told


CONFIRMING = [  # what is kept, what a 304 says, if that speaks of it
    ({"ETag": TAG}, {"ETag": TAG}, True),
    ({"ETag": TAG}, {"ETag": 'W/"a"'}, True),
    ({"ETag": 'W/"a"'}, {"ETag": 'W/"a"'}, True),
    ({"ETag": 'W/"a"'}, {"ETag": TAG}, False),
    ({"ETag": TAG}, {"ETag": '"b"'}, False),
    ({"ETag": TAG, "Last-Modified": OLD}, {"ETag": TAG, "Last-Modified": NEWER}, True),
    ({"Last-Modified": OLD}, {"Last-Modified": OLD}, True),
    ({"Last-Modified": OLD}, {"Last-Modified": NEWER}, False),
    ({"ETag": TAG}, {}, True),
    ({"Last-Modified": OLD}, {}, True),
]


@pytest.mark.parametrize("stored, told, confirms", CONFIRMING)
def test_a_304_renews_what_its_validators_name(stage, stored, told, confirms):
    thing = stage.put(kept(stored), confirmed(told), NEW)
    thing.get()
    stage.clock.forward(61)
    assert thing.get().body == (b"kept" if confirms else b"new")
    again = thing.get()
    assert again.body == (b"kept" if confirms else b"new") and status(again).hit
    assert thing.count == (2 if confirms else 3)


def test_after_a_304_of_another_version_the_whole_is_asked_for_without_a_condition(stage):
    thing = stage.put(kept(), confirmed({"ETag": '"b"'}), NEW)
    thing.get()
    stage.clock.forward(61)
    assert thing.get().body == b"new"
    assert "If-None-Match" in thing.requests[1].headers
    assert "If-None-Match" not in thing.requests[2].headers


@pytest.mark.parametrize("said", ["no-store", "private"])
def test_a_304_that_forbids_keeping_serves_and_forgets(stage, said):
    thing = stage.put(kept(), confirmed(said=said), NEW)
    thing.get()
    stage.clock.forward(61)
    assert thing.get().body == b"kept"
    answer = thing.get()
    assert answer.body == b"new" and status(answer).fwd == "uri-miss"


def test_a_304_updates_the_fields_and_not_the_content(stage):
    thing = stage.put(kept({"ETag": TAG, "X-A": "1", "X-B": "1", "Content-Language": "de"}),
              confirmed({"ETag": TAG, "X-B": "2", "X-C": "2", "Content-Encoding": "gzip"}))
    thing.get()
    stage.clock.forward(61)
    for _ in range(2):
        answer = thing.get()
        assert answer.body == b"kept" and answer.headers["Content-Length"] == "4"
        assert [answer.headers[name] for name in ("X-A", "X-B", "X-C")] == ["1", "2", "2"]
        assert "Content-Encoding" not in answer.headers
    assert thing.count == 2


@pytest.mark.parametrize("news, seconds", [
    ({"Cache-Control": "max-age=600"}, 600), ({}, 60), ({"Cache-Control": "max-age=600", "Age": "540"}, 60),
    ({"Expires": "0", "Cache-Control": "public"}, 0)])
def test_a_304_begins_a_lifetime_by_what_it_says_and_else_by_what_is_stored(stage, news, seconds):
    thing = stage.put(kept(), Answer(304, {"ETag": TAG, **news}))
    thing.get()
    stage.clock.forward(61)
    thing.get()
    left = thing.status()
    assert seconds - 40 < left.ttl <= seconds if left.hit else seconds == 0


# ---- freshened by HEAD: section 4.3.5 --------------------------------------------

def headed(fields, length=4):
    return Answer(200, {"Cache-Control": "max-age=60", **fields}, b"x" * length)


def test_a_head_makes_what_is_the_same_fresh_again(stage):
    thing = stage.put(kept(), headed({"ETag": TAG, "X-New": "1"}))
    thing.get()
    stage.clock.forward(61)
    answer = thing.get(method="HEAD")
    assert answer.headers["Content-Length"] == "4" and status(answer).fwd == "stale"
    answer = thing.get()
    assert answer.body == b"kept" and answer.headers["X-New"] == "1" and status(answer).hit
    assert [r.method for r in thing.requests] == ["GET", "HEAD"]


@pytest.mark.parametrize("fields, length", [
    ({"ETag": '"b"'}, 4), ({"ETag": TAG}, 5), ({}, 4), ({"ETag": TAG, "Last-Modified": NEWER}, 4)])
def test_a_head_of_another_version_makes_nothing_fresh(stage, fields, length):
    thing = stage.put(kept({"ETag": TAG, "Last-Modified": OLD}), headed(fields, length), NEW)
    thing.get()
    stage.clock.forward(61)
    assert thing.get(method="HEAD").headers["Content-Length"] == str(length)
    assert thing.get().body == b"new"


# ---- conditions of clients: section 4.3.2 ----------------------------------------

def test_a_tag_counts_before_a_date(stage):
    thing = stage.put(kept({"ETag": TAG, "Last-Modified": OLD}))
    thing.get()
    assert thing.get({"If-None-Match": TAG, "If-Modified-Since": OLDER}).status == 304
    assert thing.get({"If-None-Match": '"b"', "If-Modified-Since": OLD}).status == 200
    assert thing.get({"If-Modified-Since": OLD}).status == 304
    assert thing.get({"If-Modified-Since": OLDER}).status == 200
    assert thing.count == 1


def test_a_known_tag_is_answered_with_304_and_no_content(stage):
    thing = stage.put(kept())
    thing.get()
    answer = thing.get({"If-None-Match": '"x", W/"a"'})
    assert answer.status == 304 and answer.body == b"" and answer.headers["ETag"] == TAG
    assert status(answer).hit


@pytest.mark.parametrize("stored", [{"ETag": TAG}, {}], ids=["tag", "no tag"])
def test_a_star_is_known_whatever_is_stored(stage, stored):
    thing = stage.put(kept(stored))
    thing.get()
    assert thing.get({"If-None-Match": "*"}).status == 304


def test_without_last_modified_the_date_of_what_is_stored_counts(stage):
    thing = stage.put(kept({"Date": OLD, "Cache-Control": "max-age=99999999999"}))
    thing.get()
    assert thing.get({"If-Modified-Since": OLD}).status == 304
    assert thing.get({"If-Modified-Since": OLDER}).status == 200


@pytest.mark.parametrize("date", ["tomorrow", "784903526", OLD + ", " + OLD])
def test_what_is_no_date_is_as_if_absent(stage, date):
    thing = stage.put(kept({"Last-Modified": OLD}))
    thing.get()
    answer = thing.get({"If-Modified-Since": date})
    assert answer.status == 200 and status(answer).hit


@pytest.mark.parametrize("field", [{"If-Match": '"x", "a"'}, {"If-Match": "*"},
                                   {"If-Unmodified-Since": OLD}])
def test_what_holds_of_a_fresh_response_is_answered_with_it(stage, field):
    thing = stage.put(kept({"ETag": TAG, "Last-Modified": OLD}))
    thing.get()
    answer = thing.get(field)
    assert answer.status == 200 and answer.body == b"kept" and status(answer).hit


@pytest.mark.parametrize("field", [{"If-Match": '"x"'}, {"If-Match": 'W/"a"'},
                                   {"If-Unmodified-Since": OLDER}])
def test_what_does_not_hold_is_for_the_origin_to_tell(stage, field):
    thing = stage.put(kept({"ETag": TAG, "Last-Modified": OLD}), Answer(412))
    thing.get()
    answer = thing.get(field)
    assert answer.status == 412 and status(answer).fwd == "bypass"
    name, value = next(iter(field.items()))
    assert thing.requests[1].headers[name] == value


def test_of_what_is_stale_the_origin_judges_too(stage):
    thing = stage.put(kept(), Answer(200, {}, b"changed"))
    thing.get()
    stage.clock.forward(61)
    assert thing.get({"If-Match": TAG}).body == b"changed"
    assert thing.requests[1].headers["If-Match"] == TAG


def test_our_own_question_comes_before_a_clients_condition(stage):
    thing = stage.put(kept(), confirmed(), NEW)
    thing.get()
    stage.clock.forward(61)
    assert thing.get({"If-None-Match": '"x"'}).body == b"kept"
    assert thing.requests[1].headers.all("If-None-Match") == [TAG]
    stage.clock.forward(61)
    assert thing.get({"If-None-Match": '"b"'}).status == 304
    assert thing.requests[2].headers.all("If-None-Match") == [TAG]


IF_RANGE = [(TAG, 206), ('"b"', 200), ('W/"a"', 200), (OLD, 206), (OLDER, 200), (NEWER, 200),
            ("yesterday", 200)]


@pytest.mark.parametrize("value, told", IF_RANGE)
def test_if_range_decides_whether_a_range_counts(stage, value, told):
    thing = stage.put(kept({"ETag": TAG, "Last-Modified": OLD}))
    thing.get()
    answer = thing.get({"Range": "bytes=1-2", "If-Range": value})
    assert answer.status == told and answer.body == (b"ep" if told == 206 else b"kept")
    assert thing.count == 1
