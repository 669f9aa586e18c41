"""RFC 9111 section 3: what a shared cache keeps. One edge for all, each test a path of its own."""
import pytest
from lab import get, until
from lab_script import Answer, Stage, status

RULES = """\
- match: { suffix: [.m4s] }
  class: segment
- match: { suffix: [.errors] }
  class: other
  negative: [{ status: 4xx, ttl: 60s }, { status: 5xx, ttl: 10s }]
- match: { suffix: [.drop] }
  class: other
  cookies: drop
- match: { suffix: [.share] }
  class: other
  cookies: share
"""
FRESH = {"Cache-Control": "max-age=3600"}
VALIDATOR = {"ETag": '"1"'}


@pytest.fixture(scope="module")
def stage(module_lab):
    return Stage(module_lab, rules=RULES)


def is_kept(thing, **request):
    """Whether the second of two requests is answered from the store."""
    thing.get(**request)
    again = thing.status(**request)
    assert thing.count == (1 if again.hit else 2)
    return again.hit


def is_kept_stale(thing):
    """Whether what comes without a lifetime is kept to be validated."""
    thing.get()
    thing.get()
    return [r.headers.get("If-None-Match") for r in thing.requests] == [None, '"1"']


# ---- methods and statuses ------------------------------------------------------

@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "OPTIONS"])
def test_only_what_answers_a_get_is_kept(stage, method):
    thing = stage.put(Answer(headers=FRESH))
    for _ in range(2):
        assert not thing.status(method=method, body=b"x" if method[0] == "P" else None).hit
    assert not thing.status().hit and thing.count == 3
    assert thing.status().hit


def test_an_interim_answer_is_not_kept(stage):
    def script(exchange):
        exchange.send("HTTP/1.1 103 Early Hints\r\nCache-Control: max-age=3600\r\n\r\n")
        Answer(headers={"Cache-Control": "no-store"})(exchange)
    assert not is_kept(stage.put(script))


@pytest.mark.parametrize("code", [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501])
def test_some_statuses_need_no_lifetime_if_there_is_a_validator(stage, code):
    assert is_kept_stale(stage.put(Answer(code, VALIDATOR)))


@pytest.mark.parametrize("code", [201, 202, 299, 302, 303, 307, 403, 409])
def test_any_other_status_needs_more_than_a_validator(stage, code):
    assert not is_kept_stale(stage.put(Answer(code, VALIDATOR)))
    assert is_kept_stale(stage.put(Answer(code, {**VALIDATOR, "Cache-Control": "public"})))
    assert is_kept(stage.put(Answer(code, FRESH)))
    assert is_kept(stage.put(Answer(code, {"Cache-Control": "s-maxage=3600"})))
    assert is_kept(stage.put(Answer(code, {"Expires": stage.clock.dated(3600)})))


@pytest.mark.parametrize("code", [400, 401, 407, 408, 411, 412, 413, 415, 416, 417, 421, 422, 425,
                                  426, 428, 429, 431, 508, 511])
def test_what_tells_of_the_request_is_never_kept(stage, code):
    assert not is_kept(stage.put(Answer(code, FRESH), suffix=".errors"))


@pytest.mark.parametrize("code", [500, 502, 503, 504])
def test_a_failure_is_kept_only_where_a_rule_says_so(stage, code):
    assert not is_kept(stage.put(Answer(code, FRESH)))
    thing = stage.put(Answer(code, FRESH), suffix=".errors")
    assert is_kept(thing)
    stage.clock.forward(11)  # the rule's word, not the upstream's
    assert not thing.status().hit


def test_a_failure_takes_the_place_of_nothing(stage):
    thing = stage.put(Answer(headers={**VALIDATOR, "Cache-Control": "max-age=60"}),
                      Answer(503, FRESH), Answer(304), suffix=".errors")
    thing.get()
    stage.clock.forward(61)
    assert thing.get().status == 503
    stage.clock.forward(11)
    again = thing.get()
    assert again.status == 200 and again.body == b"what the origin said"
    assert thing.requests[-1].headers["If-None-Match"] == '"1"'


# ---- directives ----------------------------------------------------------------

@pytest.mark.parametrize("lines", [
    ["no-store"], ["max-age=3600, no-store"], ["NO-STORE , max-age=3600"],
    ["max-age=3600", "No-Store"], ["x=\"a, b\", no-store, max-age=3600"]])
def test_no_store_forbids_however_it_is_written(stage, lines):
    assert not is_kept(stage.put(Answer(headers=[("Cache-Control", line) for line in lines])))


def test_must_understand_overrides_no_store_where_the_status_is_understood(stage):
    said = {"Cache-Control": "must-understand, no-store, max-age=3600"}
    assert is_kept(stage.put(Answer(200, said)))
    assert not is_kept(stage.put(Answer(299, said)))


def test_what_is_private_is_kept_for_nobody(stage):
    assert not is_kept(stage.put(Answer(headers={"Cache-Control": "private, max-age=3600"})))


@pytest.mark.parametrize("said, kept", [
    ("max-age=3600", False), ("max-age=3600, proxy-revalidate", False),
    ("max-age=3600, public", True), ("s-maxage=3600", True),
    ("max-age=3600, must-revalidate", True)])
def test_what_answers_authorization_is_kept_only_with_leave(stage, said, kept):
    thing = stage.put(Answer(headers={"Cache-Control": said}))
    assert is_kept(thing, headers={"Authorization": "Basic eDp5"}) == kept
    assert thing.status().hit == kept


def test_leave_to_keep_what_answers_authorization_is_the_targeted_fields(stage):
    pairs = [("Cache-Control", "public"), ("CDN-Cache-Control", "max-age=3600")]
    assert not is_kept(stage.put(Answer(headers=pairs)), headers={"Authorization": "Basic eDp5"})
    pairs = [("Cache-Control", "max-age=60"), ("CDN-Cache-Control", "max-age=3600, public")]
    assert is_kept(stage.put(Answer(headers=pairs)), headers={"Authorization": "Basic eDp5"})


@pytest.mark.parametrize("suffix, kept, cookie", [
    ("", False, "a=b"), (".drop", True, None), (".m4s", True, None), (".share", True, "a=b")])
def test_a_cookie_is_kept_as_the_rule_says(stage, suffix, kept, cookie):
    thing = stage.put(Answer(headers={**FRESH, "Set-Cookie": "a=b"}), suffix=suffix)
    assert is_kept(thing) == kept
    assert thing.get().headers.get("Set-Cookie") == cookie


# ---- fields --------------------------------------------------------------------

def test_fields_of_proxy_authentication_go_no_further(stage):
    thing = stage.put(Answer(headers={**FRESH, "Proxy-Authenticate": "Basic realm=x",
                                      "Proxy-Authentication-Info": "x", "X-All": "1"}))
    for _ in range(2):
        told = thing.get({"Proxy-Authorization": "Basic eDp5"})
        assert told.headers["X-All"] == "1"
        assert not [n for n, _ in told.headers if n.lower().startswith("proxy-auth")]
    assert "Proxy-Authorization" not in thing.requests[0].headers


def renewed(stage, fields, update):
    """What is sent, from the store, of a response that a 304 has updated."""
    thing = stage.put(Answer(headers={**VALIDATOR, "Cache-Control": "max-age=60", **fields}),
                      Answer(304, {**VALIDATOR, **update}))
    thing.get()
    stage.clock.forward(61)
    thing.get()
    told = thing.get()
    assert status(told).hit and thing.count == 2 and told.body == b"what the origin said"
    return told.headers


def test_newer_fields_replace_those_that_are_stored(stage):
    told = renewed(stage, {"X-Old": "1", "X-Both": "1"},
                   {"Cache-Control": "max-age=900", "X-Both": "2", "X-New": "2"})
    assert (told["X-Old"], told["X-Both"], told["X-New"]) == ("1", "2", "2")
    assert told["Cache-Control"] == "max-age=900"


@pytest.mark.parametrize("name", ["Content-Length", "Content-Encoding", "Content-Range",
                                  "Content-Digest", "Repr-Digest"])
def test_what_the_stored_bytes_depend_on_is_not_replaced(stage, name):
    stored = {"Content-Encoding": {"Content-Encoding": "gzip"}}.get(name, {})
    other = {"Content-Length": "7", "Content-Encoding": "br", "Content-Range": "bytes 0-1/2"}
    told = renewed(stage, stored, {name: other.get(name, "sha-256=:AAAA:"),
                                   "Cache-Control": "max-age=900"})
    wanted = {"Content-Length": "20", "Content-Encoding": "gzip"}
    assert told.get(name) == wanted.get(name)


# ---- parts ---------------------------------------------------------------------

BODY = bytes(range(256)) * 2048  # half a chunk


def cut_after(n, fields):
    def script(exchange):
        exchange.head(200, {"Content-Length": len(BODY), **FRESH, **fields})
        exchange.send(BODY[:n])
        exchange.close()
    return script


def rest(exchange):
    first = int(exchange.request.headers["Range"].split("=")[1].split("-")[0])
    exchange.head(206, {**VALIDATOR, **FRESH, "Content-Length": len(BODY) - first,
                        "Content-Range": f"bytes {first}-{len(BODY) - 1}/{len(BODY)}"})
    exchange.send(BODY[first:])


def test_what_is_incomplete_is_completed_under_its_strong_validator(stage):
    thing = stage.put(cut_after(100000, VALIDATOR), rest)
    whole = thing.get()
    assert whole.complete and whole.body == BODY
    assert thing.requests[1].headers["If-Range"] == '"1"'
    assert thing.status().hit and thing.count == 2


@pytest.mark.parametrize("fields", [{}, {"ETag": 'W/"1"'}])
def test_what_is_incomplete_without_a_strong_validator_is_not_kept(stage, fields):
    thing = stage.put(cut_after(100000, fields), Answer(headers=FRESH, body=BODY))
    assert not thing.get().complete
    again = thing.get()
    assert again.complete and again.body == BODY
    assert [r.headers.get("Range") for r in thing.requests] == [None, None]


def test_a_part_becomes_part_of_a_whole(stage):
    path = stage.path()
    stage.origin.put(path, BODY, FRESH)
    for said in ("uri-miss", None):
        part = get(stage.edge.url + path, span=(10, 19))
        assert part.status == 206 and part.body == BODY[10:20]
        assert status(part).fwd == said
    assert stage.origin.count(path) == 1


def test_parts_are_combined_under_one_validator_alone(stage):
    chunk = 1024 * 1024
    old, new = b"o" * 2 * chunk, b"n" * 2 * chunk
    path = stage.path()
    stage.origin.put(path, old, FRESH)
    assert get(stage.edge.url + path, span=(0, 9)).body == old[:10]
    stage.origin.put(path, new, FRESH, etag='"2"')
    get(stage.edge.url + path, span=(chunk, chunk + 9))

    def whole():
        answer = get(stage.edge.url + path)
        assert not answer.complete or answer.body in (old, new), "two objects in one"
        return answer.complete and answer.body == new
    until(whole, "the new object is served whole")
