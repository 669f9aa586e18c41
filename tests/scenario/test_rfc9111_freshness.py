"""RFC 9111 section 4.2: how long a response is fresh, and how old it is. One edge for all, each
test a path of its own. Numbers are far apart, for time also runs by itself."""
import pytest
from lab_script import Answer, Stage, status

RULES = """\
- match: { suffix: [.errors] }
  class: other
  negative: [{ status: 404, ttl: 1000s }]
- match: { suffix: [.m4s] }
  class: segment
  negative: [{ status: 404, ttl: 1000s }]
- match: { suffix: [.guess] }
  class: other
  heuristic: { percent: 10, max: 5000s }
- match: { suffix: [.brief] }
  class: manifest
  ttl: { min: 1ms, max: 500ms }
"""
SLACK = 60  # seconds that a test may take
BODY = b"what the origin said"


@pytest.fixture(scope="module")
def stage(module_lab):
    return Stage(module_lab, rules=RULES)


def thing_of(stage, *lines, suffix="", code=200):
    """What an origin sends with these lines, and a validator."""
    return stage.put(Answer(code, [*lines, ("ETag", '"1"')]), suffix=suffix)


def lasts(thing, seconds):
    """Whether it is fresh for so long and no longer."""
    thing.get()
    n_asked = thing.count
    if seconds > 2 * SLACK:
        hit = thing.status()
        assert hit.hit and seconds - SLACK <= hit.ttl <= seconds, hit
        thing.stage.clock.forward(seconds - SLACK)
        assert thing.status().hit
        thing.stage.clock.forward(SLACK)
    fresh = thing.status()
    return not fresh.hit and fresh.fwd in ("stale", "uri-miss") and thing.count == n_asked + 1


def is_never_fresh(thing):
    return lasts(thing, 0)


def cc(*said):
    return [("Cache-Control", line) for line in said]


# ---- lifetimes -----------------------------------------------------------------

def test_s_maxage_comes_before_max_age_and_that_before_expires(stage):
    date = stage.clock.dated(9000)
    assert lasts(thing_of(stage, *cc("max-age=5000, s-maxage=1000"), ("Expires", date)), 1000)
    assert lasts(thing_of(stage, *cc("max-age=2000"), ("Expires", stage.clock.dated(9000))), 2000)
    assert is_never_fresh(thing_of(stage, *cc("max-age=0"), ("Expires", stage.clock.dated(9000))))
    assert lasts(thing_of(stage, ("Expires", stage.clock.dated(3000))), 3000)


def test_expires_counts_from_date_or_from_arrival(stage):
    date, expires = "Fri, 01 Jan 2100 00:00:00 GMT", "Fri, 01 Jan 2100 00:16:40 GMT"
    assert lasts(thing_of(stage, ("Date", date), ("Expires", expires)), 1000)
    assert lasts(thing_of(stage, ("Expires", stage.clock.dated(1000))), 1000)


def test_of_a_directive_that_comes_twice_the_least_counts(stage):
    assert lasts(thing_of(stage, *cc("max-age=5000, max-age=1000")), 1000)
    assert lasts(thing_of(stage, *cc("max-age=1000", "max-age=5000")), 1000)


def test_of_two_expires_the_least_counts(stage):
    date = stage.clock.dated
    for first, second in ((5000, 1000), (1000, 5000)):
        assert lasts(thing_of(stage, ("Expires", date(first)), ("Expires", date(second))), 1000)
    assert is_never_fresh(thing_of(stage, ("Expires", date(5000)), ("Expires", "never")))
    assert is_never_fresh(thing_of(stage, ("Expires", "never"), ("Expires", date(5000))))


@pytest.mark.parametrize("said", ["no-cache, max-age=3600", "max-age=3600, no-cache"])
def test_of_directives_in_conflict_the_most_restrictive_counts(stage, said):
    assert is_never_fresh(thing_of(stage, *cc(said)))


@pytest.mark.parametrize("said", ["max-age=soon", "max-age=-5", "max-age=60.5", "max-age= 3600",
                                  "max-age =3600", "max-age", "max-age=", "max-age=0x99"])
def test_a_lifetime_that_is_no_number_is_stale(stage, said):
    assert is_never_fresh(thing_of(stage, *cc(said)))


def test_a_lifetime_may_be_quoted(stage):
    assert lasts(thing_of(stage, *cc('max-age="1000"')), 1000)


def test_a_lifetime_too_large_is_a_very_large_one(stage):
    thing = thing_of(stage, *cc("max-age=99999999999999999999"))
    thing.get()
    assert 2**31 - 1 - SLACK <= thing.status().ttl <= 2**31 - 1


@pytest.mark.parametrize("said", ["0", "-1", "never", "Thu, 32 Dec 2099 00:00:00 GMT", ""])
def test_an_expires_that_is_no_date_is_in_the_past(stage, said):
    assert is_never_fresh(thing_of(stage, ("Expires", said)))


# ---- heuristics ----------------------------------------------------------------

def test_no_lifetime_is_guessed_where_no_rule_says_so(stage):
    assert is_never_fresh(thing_of(stage, ("Last-Modified", stage.clock.dated(-100000))))


def test_a_rule_may_grant_a_share_of_the_time_since_the_last_change(stage):
    def ago(seconds):  # a little less, for dates are whole seconds
        return "Last-Modified", stage.clock.date(100 - seconds)
    assert lasts(thing_of(stage, ago(20000), suffix=".guess"), 2000)
    assert lasts(thing_of(stage, ago(900000), suffix=".guess"), 5000)
    assert lasts(thing_of(stage, ago(20000), *cc("public"),
                          suffix=".guess", code=302), 2000)


@pytest.mark.parametrize("line", [("Expires", "0"), ("Cache-Control", "max-age=0")])
def test_nothing_is_guessed_against_the_upstreams_word(stage, line):
    changed = ("Last-Modified", stage.clock.dated(-20000))
    assert is_never_fresh(thing_of(stage, changed, line, suffix=".guess"))


def test_nothing_is_guessed_of_errors(stage):
    changed = ("Last-Modified", stage.clock.dated(-20000))
    assert is_never_fresh(thing_of(stage, changed, suffix=".guess", code=404))


# ---- ages ----------------------------------------------------------------------

def age_of(thing):
    return int(thing.get().headers["Age"])


@pytest.mark.parametrize("age, ago, want", [(500, 2000, 2000), (2000, 500, 2000), (0, 0, 0)])
def test_the_age_on_arrival_is_the_greater_of_the_apparent_and_the_told(stage, age, ago, want):
    thing = thing_of(stage, *cc("max-age=9000"), ("Age", age), ("Date", stage.clock.dated(-ago)))
    assert want <= age_of(thing) < want + SLACK
    assert 9000 - want - SLACK < thing.status().ttl <= 9000 - want


def test_the_time_that_a_response_took_is_part_of_its_age(stage):
    def slow(exchange):
        stage.clock.forward(1000)
        Answer(headers={"Cache-Control": "max-age=9000", "Age": "500"})(exchange)
    thing = stage.put(slow)
    assert 1500 <= age_of(thing) < 1500 + SLACK
    assert 7500 - SLACK < thing.status().ttl <= 7500 and thing.count == 1


def test_the_age_grows_while_a_response_is_stored(stage):
    thing = thing_of(stage, *cc("max-age=9000"), ("Age", 500))
    for want in (500, 1500, 2500):
        assert want <= age_of(thing) < want + SLACK
        stage.clock.forward(1000)
    assert thing.count == 1


def test_a_clock_ahead_gives_no_age_and_one_behind_its_whole_lag(stage):
    clock = stage.clock
    ahead = thing_of(stage, *cc("max-age=9000"), ("Date", clock.dated(50000)))
    assert age_of(ahead) < SLACK and ahead.status().ttl > 9000 - SLACK
    behind = thing_of(stage, ("Date", clock.dated(-5000)), ("Expires", clock.dated(-4000)))
    assert 5000 <= age_of(behind) < 5000 + SLACK
    assert not behind.status().hit


@pytest.mark.parametrize("ages, want", [(["700, 9"], 700), (["700", "9"], 700), (["old"], 0),
                                        (["-5"], 0), (["7.5"], 0)])
def test_of_several_ages_the_first_counts_if_it_is_a_number(stage, ages, want):
    thing = thing_of(stage, *cc("max-age=9000"), *(("Age", age) for age in ages))
    assert want <= age_of(thing) < want + SLACK


# ---- lifetimes by rule ---------------------------------------------------------

def test_a_lifetime_below_a_second_ends_within_it(stage):
    thing = thing_of(stage, *cc("max-age=9000"), suffix=".brief")
    assert status(thing.get()).ttl in (None, 0)
    stage.clock.forward(0.5)
    assert not thing.status().hit and thing.count == 2


@pytest.mark.parametrize("line, seconds", [
    (("X-None", "1"), 1000), (("Cache-Control", "max-age=9000"), 1000),
    (("Cache-Control", "max-age=300"), 300), (("Retry-After", "300"), 300)])
def test_an_error_lives_as_a_rule_says_and_no_longer_than_the_upstream(stage, line, seconds):
    assert lasts(stage.put(Answer(404, [line]), suffix=".errors"), seconds)


def test_a_retry_after_that_is_a_date_ends_an_errors_life(stage):
    assert lasts(stage.put(Answer(404, {"Retry-After": stage.clock.dated(300)}), suffix=".errors"),
                 300)


def test_a_segments_error_lives_no_longer_than_a_cap(stage):
    thing = stage.put(Answer(404, {"Cache-Control": "max-age=1000, stale-if-error=9000"}),
                      suffix=".m4s")
    assert thing.get().status == 404
    stage.clock.forward(10)
    assert not thing.status().hit


def test_an_error_is_not_used_stale(stage):
    said = {"Cache-Control": "max-age=300, stale-while-revalidate=9000, stale-if-error=9000"}
    thing = stage.put(Answer(404, said), Answer(200, body=BODY), suffix=".m4s")
    assert thing.get().status == 404
    stage.clock.forward(301)
    assert thing.get().status == 200 and thing.count == 2
