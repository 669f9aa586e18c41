"""When what is stale is served: RFC 9111 section 4.2.4, and RFC 5861 without its requests."""
import threading

import pytest
from lab import until
from lab_script import Answer, Stage, status

RULES = """\
- match: { suffix: [.m3u8] }
  class: manifest
  ttl: { min: 1s, max: 30s }
- match: { suffix: [.lax] }
  class: other
  stale_despite_s_maxage: true
"""
SITES = """\
sites:
  - hosts: [obedient.example]
    requests: [stale-if-error]
"""


@pytest.fixture(scope="module")
def stage(module_lab):
    return Stage(module_lab, rules=RULES, extra=SITES)


def no_answer(exchange):
    exchange.cut()


def kept(said, **fields):
    return Answer(200, {"Cache-Control": said, "ETag": '"k"', **fields}, b"kept")


NEW = Answer(200, {"Cache-Control": "max-age=60"}, b"new")
FAILURES = pytest.mark.parametrize("failure", [no_answer, Answer(503)], ids=["no-answer", "503"])


# ---- RFC 9111 section 4.2.4 ------------------------------------------------------

@FAILURES
def test_nothing_is_used_stale_without_leave(stage, failure):
    thing = stage.put(kept("max-age=60"), failure)
    thing.get()
    stage.clock.forward(30)
    assert thing.get().body == b"kept" and thing.count == 1
    stage.clock.forward(31)
    answer = thing.get()
    assert answer.status == (502 if failure is no_answer else 503)
    assert status(answer).fwd == "stale" and answer.body != b"kept"


@FAILURES
def test_a_manifest_stands_in_for_a_minute(stage, failure):
    thing = stage.put(kept("max-age=10"), failure, suffix=".m3u8")
    thing.get()
    stage.clock.forward(11)
    answer = thing.get()
    assert answer.status == 200 and answer.body == b"kept"
    assert status(answer).detail == "stale-if-error"
    stage.clock.forward(60)
    assert thing.get().status >= 500


@pytest.mark.parametrize("said", ["must-revalidate", "proxy-revalidate", "s-maxage=60"])
def test_what_must_be_validated_is_never_used_stale(stage, said):
    thing = stage.put(kept(f"max-age=60, {said}, stale-while-revalidate=600, stale-if-error=600"),
              Answer(304, {"ETag": '"k"', "Cache-Control": f"max-age=60, {said}"}), Answer(503))
    thing.get()
    stage.clock.forward(61)
    answer = thing.get()
    assert status(answer).fwd == "stale" and status(answer).fwd_status == 304
    stage.clock.forward(61)
    assert thing.get().status == 503


@pytest.mark.parametrize("said", [
    "max-age=60, must-revalidate, stale-if-error=600", "max-age=60, proxy-revalidate",
    "s-maxage=60, stale-if-error=600", "max-age=60, no-cache, stale-if-error=600"])
def test_what_cannot_be_validated_but_must_be_is_504(stage, said):
    thing = stage.put(kept(said), no_answer)
    thing.get()
    stage.clock.forward(61)
    answer = thing.get()
    assert answer.status == 504
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_beside_s_maxage_an_express_grant_counts_where_a_rule_says_so(stage):
    thing = stage.put(kept("s-maxage=60, stale-if-error=600"), no_answer, suffix=".lax")
    thing.get()
    stage.clock.forward(61)
    assert thing.get().body == b"kept"


def test_beside_s_maxage_a_rule_grants_nothing_by_itself(stage):
    thing = stage.put(kept("s-maxage=60"), no_answer, suffix=".lax")
    thing.get()
    stage.clock.forward(61)
    assert thing.get().status == 504


# ---- RFC 5861 section 3 ----------------------------------------------------------

def test_while_one_request_refreshes_all_clients_get_what_is_stale(stage):
    go = threading.Event()
    thing = stage.put(kept("max-age=60, stale-while-revalidate=30"), lambda e: e.wait(go) and NEW(e))
    thing.get()
    stage.clock.forward(70)
    for _ in range(5):
        answer = thing.get()
        assert answer.body == b"kept" and status(answer).hit
        assert -30 <= status(answer).ttl <= -10
        assert "stale-while-revalidate" in status(answer).detail
    until(lambda: thing.count == 2, "the refresh is under way")
    assert thing.requests[1].headers["If-None-Match"] == '"k"'
    go.set()
    until(lambda: thing.get().body == b"new", "what is new is served")
    assert thing.count == 2


def test_past_the_grant_clients_wait_for_the_upstream(stage):
    thing = stage.put(kept("max-age=60, stale-while-revalidate=30"), NEW)
    thing.get()
    stage.clock.forward(91)
    answer = thing.get()
    assert answer.body == b"new" and status(answer).fwd == "stale"


def test_a_refresh_that_fails_leaves_what_is_stale_to_the_next(stage):
    thing = stage.put(kept("max-age=60, stale-while-revalidate=30"), Answer(500), NEW)
    thing.get()
    stage.clock.forward(70)
    assert thing.get().body == b"kept"
    until(lambda: thing.count == 2, "the refresh failed")
    until(lambda: thing.get().body == b"new", "the next one does not")


# ---- RFC 5861 section 4 ----------------------------------------------------------

def test_stale_if_error_stands_in_for_an_upstream_that_cannot_be_reached(stage):
    thing = stage.put(kept("max-age=60, stale-if-error=30"), no_answer)
    thing.get()
    stage.clock.forward(70)
    answer = thing.get()
    assert answer.status == 200 and answer.body == b"kept"
    assert status(answer).fwd == "stale" and status(answer).detail == "stale-if-error"
    assert int(answer.headers["Age"]) >= 70
    stage.clock.forward(21)
    assert thing.get().status == 502


@pytest.mark.parametrize("grant", ["stale-while-revalidate", "stale-if-error"])
@pytest.mark.parametrize("method, field, told, body", [
    ("HEAD", {}, 200, b""), ("GET", {"Range": "bytes=1-2"}, 206, b"ep"),
    ("GET", {"If-None-Match": '"k"'}, 304, b""), ("GET", {"If-None-Match": '"x"'}, 200, b"kept")])
def test_what_is_stale_answers_any_request_that_it_could_answer_fresh(stage, grant, method, field,
                                                                      told, body):
    thing = stage.put(kept(f"max-age=60, {grant}=600"), no_answer)
    thing.get()
    stage.clock.forward(70)
    answer = thing.get(field, method)
    assert answer.status == told and answer.body == body and answer.headers["ETag"] == '"k"'
    assert status(answer).detail == grant


@pytest.mark.parametrize("code", [500, 502, 503, 504])
def test_stale_if_error_stands_in_for_failures(stage, code):
    thing = stage.put(kept("max-age=60, stale-if-error=30"), Answer(code, body=b"failed"))
    thing.get()
    stage.clock.forward(70)
    answer = thing.get()
    assert answer.status == 200 and answer.body == b"kept"
    stage.clock.forward(21)
    assert thing.get().status == code


@pytest.mark.parametrize("code", [404, 410, 429, 501, 505])
def test_stale_if_error_stands_in_for_no_other_status(stage, code):
    thing = stage.put(kept("max-age=60, stale-if-error=30"), Answer(code, body=b"said"))
    thing.get()
    stage.clock.forward(70)
    answer = thing.get()
    assert answer.status == code and answer.body == b"said"


@FAILURES
def test_a_client_may_take_what_is_stale_where_the_site_obeys(stage, failure):
    thing = stage.put(kept("max-age=60"), failure)
    thing.get({"Host": "obedient.example"})
    stage.clock.forward(70)
    wanted = {"Host": "obedient.example", "Cache-Control": "stale-if-error=30"}
    answer = thing.get(wanted)
    assert answer.status == 200 and answer.body == b"kept"
    stage.clock.forward(21)
    assert thing.get(wanted).status >= 500


def test_a_client_may_not_where_the_site_does_not_obey(stage):
    thing = stage.put(kept("max-age=60"), no_answer)
    thing.get()
    stage.clock.forward(70)
    assert thing.get({"Cache-Control": "stale-if-error=30"}).status == 502
