"""RFC 9111 sections 4 and 4.1: which stored response answers. One edge for all, each test a
path of its own."""
import pytest
from lab import until
from lab_script import Answer, status

FRESH = {"Cache-Control": "max-age=3600"}


def telling(name, *vary):
    """An answer whose body is what the request said in this field."""
    pairs = [("Vary", line) for line in vary or (name,)]
    return lambda e: Answer(headers=[*FRESH.items(), *pairs],
                            body=repr(e.request.headers.all(name)).encode())(e)


# ---- the URI -------------------------------------------------------------------

def test_one_resource_has_one_key(stage):
    thing = stage.put(Answer(headers=FRESH))
    thing.get({"Host": "One.Example:80"})
    for host in ("one.example", "ONE.example.", "one.example:443"):
        assert thing.status({"Host": host}).hit
    assert not thing.status({"Host": "one.example:8080"}).hit
    assert not thing.status({"Host": "two.example"}).hit
    assert not thing.status({"Host": "one.example"}, query="?a=1").hit
    assert not thing.status({"Host": "one.example"}, query="?a=2").hit
    assert thing.count == 5


# ---- Vary ----------------------------------------------------------------------

@pytest.mark.parametrize("said", [
    [("Accept-Language", "en, de")], [("accept-language", "  en,de ")],
    [("Accept-Language", "en"), ("Accept-Language", "de")]])
def test_selecting_fields_match_whatever_space_and_lines(stage, said):
    thing = stage.put(telling("Accept-Language"))
    thing.get({"Accept-Language": "en,de"})
    assert thing.status(said).hit
    assert not thing.status({"Accept-Language": "de, en"}).hit
    assert thing.count == 2


@pytest.mark.parametrize("name, said, other", [
    ("Cookie", "a=1,b=2", "a=1, b=2"), ("Cookie", "a=1", "a=1,"), ("X-Kind", "a, b", "a ,b"),
    ("User-Agent", "A/1 (B,C)", "A/1 (B, C)")])
def test_what_is_no_list_matches_only_as_it_is_written(stage, name, said, other):
    thing = stage.put(telling(name))
    thing.get({name: said})
    assert not thing.status({name: other}).hit
    assert thing.status({name: said}).hit and thing.status({name: other}).hit
    assert thing.count == 2


@pytest.mark.parametrize("said, same", [
    ("gzip", "gzip, deflate"), ("br, gzip", "gzip;q=0.5, br"), ("identity", "deflate"),
    ("gzip;q=0, br", "br")])
def test_accept_encoding_selects_in_one_of_four_forms(stage, said, same):
    thing = stage.put(telling("Accept-Encoding"))
    thing.get({"Accept-Encoding": said})
    assert thing.status({"Accept-Encoding": same}).hit
    others = {"gzip", "br", "gzip, br", "identity"} - {said, same}
    other = next(o for o in sorted(others) if ("gzip" in o) != ("gzip" in same))
    assert not thing.status({"Accept-Encoding": other}).hit


def test_a_selecting_field_that_is_absent_is_not_one_that_is_empty(stage):
    thing = stage.put(telling("X-Kind"))
    thing.get()
    assert not thing.status({"X-Kind": ""}).hit
    assert thing.status().hit and thing.status({"X-Kind": ""}).hit
    assert thing.count == 2


def test_all_lines_of_vary_count(stage):
    thing = stage.put(telling("X-One", "X-One", "Accept, X-Two"))
    thing.get({"X-One": "1", "X-Two": "2"})
    assert thing.status({"X-One": "1", "X-Two": "2", "X-Three": "3"}).hit
    for other in ({"X-One": "1", "X-Two": "0"}, {"X-One": "0", "X-Two": "2"}, {"X-One": "1"}):
        assert not thing.status(other).hit
    assert thing.count == 4


@pytest.mark.parametrize("lines", [["*"], ["Accept, *"], ["Accept", "*"],
                                   [", ".join(f"X-{n}" for n in range(17))]])
def test_what_varies_by_everything_or_by_too_much_is_not_kept(stage, lines):
    thing = stage.put(telling("X-One", *lines))
    for _ in range(3):
        assert not thing.status().hit
    assert thing.count == 3


# ---- one fetch for many --------------------------------------------------------

def collapsed(stage, answer, second):
    """What two get that ask at once, the second with these fields: their answers, and the thing."""
    go = stage.lab.event()
    thing = stage.put(lambda e: (e.wait(go), answer(e)))
    with stage.lab.client(stage.edge) as one, stage.lab.client(stage.edge) as other:
        until(lambda: stage.edge.metric("edge_fill_readers") == 0, "all others are done")
        one.request(thing.path, headers={"Host": "x.example", "X-Kind": "1"})
        until(lambda: thing.count == 1, "the first is asked for")
        other.request(thing.path, headers={"Host": "x.example", **second})
        until(lambda: stage.edge.metric("edge_fill_readers") == 2, "both wait for one")
        go.set()
        return one.read(), other.read(), thing


def test_who_asks_for_what_is_being_fetched_shares_it(stage):
    one, other, thing = collapsed(stage, telling("X-Kind"), {"X-Kind": "1"})
    assert one.body == other.body and thing.count == 1
    assert not status(one).collapsed and status(other).collapsed


def test_who_needs_another_variant_asks_for_it(stage):
    one, other, thing = collapsed(stage, telling("X-Kind"), {"X-Kind": "2"})
    assert one.body == b"['1']" and other.body == b"['2']" and thing.count == 2


@pytest.mark.parametrize("said", ["private", "no-store"])
def test_what_may_not_be_shared_is_given_to_no_other(stage, said):
    def answer(exchange):
        count = len(exchange.origin.requests(exchange.request.path))
        Answer(headers={"Cache-Control": said}, body=b"for %d" % count)(exchange)
    one, other, thing = collapsed(stage, answer, {"X-Kind": "1"})
    assert [one.body, other.body] == [b"for 1", b"for 2"] and thing.count == 2


# ---- Age -----------------------------------------------------------------------

def test_a_hit_tells_its_age_on_arrival_and_the_time_since(stage):
    thing = stage.put(Answer(headers={**FRESH, "Age": "700"}))
    assert 700 <= int(thing.get().headers["Age"]) < 760
    stage.clock.forward(1000)
    hit = thing.get()
    assert status(hit).hit and 1700 <= int(hit.headers["Age"]) < 1760


def test_what_is_passed_keeps_the_age_it_came_with(stage):
    thing = stage.put(Answer(headers={"Cache-Control": "private", "Age": "7"}))
    assert [thing.get().headers["Age"] for _ in range(2)] == ["7", "7"]
