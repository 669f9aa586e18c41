"""Cache-Control and its neighbours, of clients and of origins: RFC 9111 sections 5.2 to 5.5."""
import pytest
from lab_script import Answer, Stage, status

OBEDIENT = {"Host": "obedient.example"}
SITES = """\
sites:
  - hosts: [obedient.example]
    requests: [only-if-cached, max-stale, min-fresh, no-cache, max-age, no-store, stale-if-error]
"""


@pytest.fixture(scope="module")
def stage(module_lab):
    return Stage(module_lab, extra=SITES)


def no_answer(exchange):
    exchange.cut()


def kept(*said, tag='"k"', **fields):
    lines = [("Cache-Control", line) for line in said]
    return Answer(200, [*lines, *([("ETag", tag)] if tag else []), *fields.items()], b"kept")


NEW = Answer(200, {"Cache-Control": "max-age=60", "ETag": '"n"'}, b"new")


def demand(thing, said):
    return thing.get({**OBEDIENT, "Cache-Control": said})


# ---- how they are written: section 5.2 -------------------------------------------

@pytest.mark.parametrize("said", [
    ["MAX-AGE=60"], ["Public , Max-Age=60"], ["unknown", "max-age=60"], ["max-age=60", "", "x=1"],
    ['max-age=60, x="no-store, private"'], ["max-age=60,,"], ['community="UCI", max-age=60']])
def test_names_are_read_in_any_case_and_unknown_ones_passed_over(stage, said):
    thing = stage.put(kept(*said, tag=None))
    thing.get()
    assert 20 < thing.status().ttl <= 60


@pytest.mark.parametrize("said", [
    ["max-age=60", "NO-STORE"], ["max-age=60, no-store=1"], ['max-age=60, No-Store = "x"'],
    ["max-age=60, private="], ["private", "max-age=60"]])
def test_what_forbids_keeping_counts_however_it_is_written(stage, said):
    thing = stage.put(kept(*said), NEW)
    thing.get()
    assert thing.get().body == b"new"


@pytest.mark.parametrize("said", ["must-revalidate=no", "Must-Revalidate", 'proxy-revalidate=""'])
def test_what_forbids_use_when_stale_counts_however_it_is_written(stage, said):
    thing = stage.put(kept(f"max-age=60, stale-if-error=600, {said}"), no_answer)
    thing.get()
    stage.clock.forward(61)
    assert thing.get().status == 504


@pytest.mark.parametrize("said, is_kept", [
    ("public, max-age=60", True), ("PUBLIC, max-age=60", True), ("public=1, max-age=60", False),
    ('public="", max-age=60', False), ("x-public, max-age=60", False)])
def test_what_allows_counts_only_as_it_is_defined(stage, said, is_kept):
    thing = stage.put(kept(said))
    for _ in range(2):
        answer = thing.get({"Authorization": "Basic eDp5"})
    assert status(answer).hit == is_kept


@pytest.mark.parametrize("said", ['max-age=60, x="a', 'max-age=60, x="a, public', 'x="\\", max-age=60'])
def test_what_has_a_string_without_an_end_is_not_kept(stage, said):
    thing = stage.put(kept(said), NEW)
    thing.get()
    assert thing.get().body == b"new"


# ---- what clients demand: section 5.2.1 ------------------------------------------

@pytest.mark.parametrize("said", ["max-age=0", "max-age=5", "min-fresh=3600", "no-cache", "no-store",
                                  "max-age=0, must-revalidate"])
def test_by_preset_clients_do_not_steer_the_traffic(stage, said):
    thing = stage.put(kept("max-age=60"))
    thing.get()
    stage.clock.forward(10)
    assert status(thing.get({"Cache-Control": said})).hit
    assert thing.count == 1


@pytest.mark.parametrize("said, asks", [
    ("max-age=50", False), ("max-age=9", True), ("max-age=0", True), ("max-age=x", True),
    ("min-fresh=20", False), ("min-fresh=51", True), ("no-cache", True),
    ("no-cache, max-stale", True)])
def test_where_the_site_obeys_what_a_client_will_not_have_is_asked_about(stage, said, asks):
    thing = stage.put(kept("max-age=60"), Answer(304, {"ETag": '"k"', "Cache-Control": "max-age=60"}))
    thing.get(OBEDIENT)
    stage.clock.forward(10)
    answer = demand(thing, said)
    assert answer.body == b"kept" and thing.count == (2 if asks else 1)
    if asks:
        assert thing.requests[1].headers["If-None-Match"] == '"k"'
        assert status(answer).fwd == "request" and status(answer).fwd_status == 304


@pytest.mark.parametrize("said, is_used", [("max-stale=50", True), ("max-stale", True),
                                           ("max-stale=3", False), ("max-stale=x", False)])
def test_max_stale_takes_what_is_stale_by_no_more(stage, said, is_used):
    thing = stage.put(kept("max-age=60"), NEW)
    thing.get(OBEDIENT)
    stage.clock.forward(65)
    answer = demand(thing, said)
    assert answer.body == (b"kept" if is_used else b"new")
    assert not is_used or status(answer).ttl < 0


@pytest.mark.parametrize("word", ["must-revalidate", "proxy-revalidate", "s-maxage=60", "no-cache"])
def test_max_stale_takes_nothing_that_must_be_validated(stage, word):
    thing = stage.put(kept(f"max-age=60, {word}"), NEW)
    thing.get(OBEDIENT)
    stage.clock.forward(65)
    assert demand(thing, "max-stale").body == b"new"


@pytest.mark.parametrize("said", ["max-age=500", "min-fresh=1", "no-cache"])
def test_who_wants_it_fresh_gets_nothing_that_is_stale_while_it_is_revalidated(stage, said):
    thing = stage.put(kept("max-age=60, stale-while-revalidate=600"), NEW)
    thing.get(OBEDIENT)
    stage.clock.forward(65)
    assert demand(thing, said).body == b"new"


def test_of_what_a_no_store_brings_nothing_is_kept(stage):
    thing = stage.put(kept("max-age=60"), NEW)
    answer = demand(thing, "no-store")
    assert answer.body == b"kept" and not status(answer).stored
    assert thing.get(OBEDIENT).body == b"new"
    assert status(demand(thing, "no-store")).hit  # of what is there already it says nothing


def test_nothing_is_transformed(stage):
    fields = {"Content-Type": "text/plain; charset=x", "Content-Encoding": "gzip"}
    for said in "max-age=60", "max-age=60, no-transform":
        there = stage.put(kept(said, **fields))
        for wanted in {}, {"Cache-Control": "no-transform"}, {"Accept-Encoding": "identity"}:
            answer = there.get(wanted)
            assert answer.body == b"kept"
            assert all(answer.headers.all(name) == [value] for name, value in fields.items())


def test_only_if_cached_asks_no_upstream(stage):
    thing = stage.put(kept("max-age=60"))
    answer = thing.get({"Cache-Control": "only-if-cached"})
    assert answer.status == 504 and thing.count == 0
    thing.get()
    assert status(thing.get({"Cache-Control": "only-if-cached"})).hit
    stage.clock.forward(61)
    answer = thing.get({"Cache-Control": "only-if-cached"})
    assert answer.status == 504 and thing.count == 1


# ---- what origins say: section 5.2.2 ---------------------------------------------

def test_no_cache_is_kept_and_asked_about_each_time(stage):
    thing = stage.put(kept("no-cache, max-age=60"), Answer(304, {"ETag": '"k"', "Cache-Control": "no-cache"}))
    for n in range(3):
        answer = thing.get()
        assert answer.body == b"kept" and thing.count == n + 1
    assert status(answer).fwd_status == 304


def test_no_cache_without_a_validator_is_not_kept(stage):
    thing = stage.put(kept("no-cache, max-age=60", tag=None))
    for n in range(3):
        assert not thing.status().stored and thing.count == n + 1


def test_fields_that_no_cache_names_are_for_who_brought_them(stage):
    thing = stage.put(kept('max-age=60, no-cache="X-Mine, X-Other"', **{"X-Mine": "1", "X-All": "2"}),
              Answer(304, [("ETag", '"k"'), ("X-Mine", "3"),
                          ("Cache-Control", 'max-age=60, no-cache="X-Mine"')]))
    assert thing.get().headers["X-Mine"] == "1"
    answer = thing.get()
    assert status(answer).hit and answer.headers["X-All"] == "2" and "X-Mine" not in answer.headers
    stage.clock.forward(61)
    assert thing.get().headers["X-Mine"] == "3"  # that request validated it
    assert "X-Mine" not in thing.get().headers


@pytest.mark.parametrize("fields", ['""', '" , "', '"a b"', '"Content-Type"', '"x, vary"', "etag"])
def test_a_list_that_cannot_be_left_out_means_the_whole_response(stage, fields):
    thing = stage.put(kept(f"max-age=60, no-cache={fields}"))
    for n in range(2):
        thing.get()
        assert thing.count == n + 1
    there = stage.put(kept(f"max-age=60, private={fields}"))
    for _ in range(2):
        assert not status(there.get()).stored
    assert there.count == 2


def test_public_allows_sharing_and_is_no_lifetime(stage):
    thing = stage.put(kept("public"), Answer(304, {"ETag": '"k"'}))
    thing.get({"Authorization": "Basic eDp5"})
    answer = thing.get()
    assert answer.body == b"kept" and status(answer).fwd_status == 304


# ---- Pragma and Warning: sections 5.4, 5.5 ---------------------------------------

@pytest.mark.parametrize("host", [{}, OBEDIENT])
def test_pragma_means_nothing_from_either_side(stage, host):
    thing = stage.put(kept("max-age=60", Pragma="no-cache"))
    thing.get(host)
    answer = thing.get({**host, "Pragma": "no-cache"})
    assert status(answer).hit and answer.headers["Pragma"] == "no-cache"


def test_warnings_are_passed_on_and_none_is_added(stage):
    thing = stage.put(kept("max-age=60, stale-while-revalidate=60", Warning='199 - "told"'))
    for _ in range(2):
        assert thing.get().headers.all("Warning") == ['199 - "told"']
    stage.clock.forward(61)
    assert thing.get().headers.all("Warning") == ['199 - "told"']


# ---- RFC 8246 ----------------------------------------------------------------------

def test_a_reload_of_what_is_immutable_asks_nobody(stage):
    thing = stage.put(kept("max-age=60, immutable"), NEW)
    thing.get(OBEDIENT)
    stage.clock.forward(10)
    assert status(demand(thing, "max-age=0")).hit
    assert demand(thing, "no-cache").body == b"new"


def test_what_is_immutable_is_so_only_while_it_is_fresh(stage):
    thing = stage.put(kept("max-age=60, immutable"), NEW)
    thing.get(OBEDIENT)
    stage.clock.forward(61)
    assert demand(thing, "max-age=0").body == b"new"
    assert thing.requests[1].headers["If-None-Match"] == '"k"'
