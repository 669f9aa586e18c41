"""Targeted fields: RFC 9213. That Forebay-Cache-Control is for tiers alone: test_edge_freshness.py."""
import pytest
from lab_script import Answer, status

FOREBAY, CDN, PLAIN = "Forebay-Cache-Control", "CDN-Cache-Control", "Cache-Control"


def put(stage, *fields):
    return stage.put(Answer(200, [*fields, ("ETag", '"k"')]))


def lasts(thing, seconds):
    """True if what comes now is fresh for so long, but for what the machine took; 0: not at all."""
    thing.get()
    kept = thing.status()
    return seconds - 40 < kept.ttl <= seconds if kept.hit else seconds == 0


# ---- how they are written: section 2.1 -------------------------------------------

@pytest.mark.parametrize("said", [
    "max-age=60", "public, max-age=60", 'max-age=60;a=1, x=(1 2);q, y=:YQ==:, z="t"', "a,\tmax-age=60"])
def test_a_targeted_field_is_a_dictionary(stage, said):
    assert lasts(put(stage, (CDN, said), (PLAIN, "max-age=600")), 60)


@pytest.mark.parametrize("name", [FOREBAY, CDN])
@pytest.mark.parametrize("said", ["", "Max-Age=60", "max-age=60,", "max-age = 60", "max-age=60,,x",
                                  "max-age=60 s", 'max-age=60, x="a', "max-age=6_0"])
def test_one_that_is_empty_or_malformed_is_as_if_absent(stage, name, said):
    assert lasts(put(stage, (name, said), (PLAIN, "max-age=600")), 600)


def test_of_a_malformed_one_the_next_takes_the_place(stage):
    assert lasts(put(stage, (FOREBAY, "max-age=600,"), (CDN, "max-age=60"), (PLAIN, "no-store")), 60)


@pytest.mark.parametrize("said", ['max-age="60"', "max-age=60.5", "max-age=-1", "max-age=abc",
                                  "max-age", "max-age=?1", "max-age=(60)"])
def test_a_lifetime_of_a_wrong_type_makes_nothing_fresh(stage, said):
    thing = put(stage, (CDN, said), (PLAIN, "max-age=600"))
    assert lasts(thing, 0) and thing.count == 2


@pytest.mark.parametrize("said, seconds", [
    ("max-age=60, no-store=1", 0), ("max-age=60, private=(x)", 0), ("max-age=60, no-store=?0", 60)])
def test_what_forbids_counts_unless_it_is_false(stage, said, seconds):
    assert lasts(put(stage, (CDN, said)), seconds)


@pytest.mark.parametrize("said", ["max-age=600, max-age=60", "max-age=600;x, max-age=60;y=2",
                                  "no-store, max-age=60, no-store=?0", "max-age=0, max-age=60"])
def test_of_a_directive_twice_the_last_counts(stage, said):
    assert lasts(put(stage, (CDN, said)), 60)


def test_several_lines_are_one_field(stage):
    assert lasts(put(stage, (CDN, "max-age=60"), (CDN, "no-store"), (PLAIN, "max-age=60")), 0)


# ---- which of them counts: section 2.2 -------------------------------------------

@pytest.mark.parametrize("fields, seconds", [
    ([(FOREBAY, "max-age=60"), (CDN, "max-age=600"), (PLAIN, "no-store")], 60),
    ([(CDN, "max-age=60"), (FOREBAY, "no-store")], 0),
    ([(CDN, "max-age=60"), (PLAIN, "private, max-age=600")], 60),
    ([(CDN, "public"), (PLAIN, "max-age=600")], 0),
    ([(CDN, "max-age=60"), ("Expires", "0")], 60),
    ([(CDN, "public"), ("Expires", "Fri, 01 Jan 2100 00:00:00 GMT")], 0)])
def test_the_first_of_the_list_counts_alone(stage, fields, seconds):
    assert lasts(put(stage, *fields), seconds)


@pytest.mark.parametrize("name", ["Other-Cache-Control", "Surrogate-Control"])
@pytest.mark.parametrize("said", ["no-store", "max-age=0", "max-age=6000"])
def test_fields_for_others_change_nothing_and_are_passed_on(stage, name, said):
    thing = put(stage, (name, said), (PLAIN, "max-age=60"))
    assert lasts(thing, 60)
    assert thing.get().headers.all(name) == [said]


def test_the_age_is_counted_as_ever(stage):
    thing = put(stage, (CDN, "max-age=600"), ("Age", "540"))
    assert lasts(thing, 60)
    assert int(thing.get().headers["Age"]) >= 540
    stage.clock.forward(61)
    assert thing.status().fwd == "stale"


# ---- who gets them: section 3.1 --------------------------------------------------

def test_what_is_for_every_cdn_goes_on_to_those_downstream(stage):
    thing = put(stage, (CDN, "max-age=60"), (FOREBAY, "max-age=60"), (PLAIN, "no-store"))
    for _ in range(2):
        answer = thing.get()
        assert answer.headers.all(CDN) == ["max-age=60"] and FOREBAY not in answer.headers
        assert answer.headers.all(PLAIN) == ["no-store"]
    assert status(answer).hit
