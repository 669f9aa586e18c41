"""What unsafe methods make invalid: RFC 9111 section 4.4."""
import pytest
from lab import until
from lab_script import Answer, status

METHODS = ["POST", "PUT", "PATCH", "DELETE"]
HOST = {"Host": "h.example"}


def answers(of_unsafe):
    """What is kept for GET, and this for all others."""
    kept = Answer(200, {"Cache-Control": "max-age=60", "ETag": '"k"'}, b"kept")
    return lambda e: (kept if e.request.method in ("GET", "HEAD") else of_unsafe)(e)


def is_kept(thing):
    return thing.status().hit


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("code", [200, 201, 204, 303])
def test_success_drops_what_is_kept_of_its_target(stage, method, code):
    thing = stage.put(answers(Answer(code)))
    thing.get()
    assert is_kept(thing)
    answer = thing.get(method=method, body=b"x")
    assert answer.status == code and status(answer).fwd == "method"
    assert not is_kept(thing)


def test_success_drops_every_variant(stage):
    thing = stage.put(lambda e: Answer(200, {"Cache-Control": "max-age=60", "Vary": "X-V"})(e))
    for variant in "a", "b":
        thing.get({"X-V": variant})
    thing.get(method="POST", body=b"x")
    for variant in "a", "b":
        assert not status(thing.get({"X-V": variant})).hit


@pytest.mark.parametrize("is_stale", [False, True], ids=["first", "304"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_was_asked_for_before_does_not_count_afterwards(stage, lab, method, is_stale):
    asked, go = lab.event(), lab.event()
    old = Answer(200, {"Cache-Control": "max-age=60", "ETag": '"k"'}, b"old")
    same = Answer(304, {"Cache-Control": "max-age=60", "ETag": '"k"'})

    def held(exchange):
        asked.set()
        exchange.wait(go)
        (same if "If-None-Match" in exchange.request.headers else old)(exchange)
    new = Answer(200, {"Cache-Control": "max-age=60"}, b"new")
    thing = stage.put(*[old] * is_stale, held, Answer(200), new)
    if is_stale:
        thing.get()
        stage.clock.forward(61)
    with lab.client(stage.edge) as client:
        client.request(thing.path, method)
        until(asked.is_set, "the origin is asked")
        assert thing.get(method="POST", body=b"x").status == 200
        go.set()
        assert client.read(method).status == 200
    assert thing.get().body == b"new"
    assert is_kept(thing)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("code", [400, 409, 500])
def test_failure_drops_nothing(stage, method, code):
    path = stage.path()
    thing = stage.put(answers(Answer(code, {"Location": path})), path=path)
    thing.get()
    assert thing.get(method=method, body=b"x").status == code
    assert is_kept(thing)


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_a_safe_method_drops_nothing(stage, method):
    thing = stage.put(answers(Answer(200)))
    thing.get()
    assert thing.get(method=method).status == 200
    assert is_kept(thing)


NAMED = [  # how {} of this host is written, and if that is on this host
    ("Location", "{}", True),
    ("Content-Location", "{}", True),
    ("Location", "http://h.example{}", True),
    ("Location", "https://H.example:443{}", True),
    ("Location", "//h.example{}", True),
    ("Content-Location", "{}#part", True),
    ("Location", "http://h.example:8080{}", False),
    ("Location", "http://other.example{}", False),
    ("Content-Location", "//other.example{}", False),
    ("Location", "ftp://h.example{}", False),
]


@pytest.mark.parametrize("name, pattern, drops", NAMED)
def test_success_drops_what_its_answer_names_on_the_same_host(stage, name, pattern, drops):
    other = stage.put(answers(Answer(200)))
    thing = stage.put(Answer(201, {name: pattern.format(other.path)}))
    other.get(HOST)
    thing.get(HOST, "POST", body=b"x")
    assert status(other.get(HOST)).hit != drops


def test_a_name_is_found_beside_the_target(stage):
    other = stage.put(answers(Answer(200)))
    thing = stage.put(Answer(201, {"Location": other.path.rpartition("/")[2]}))
    other.get()
    thing.get(method="POST", body=b"x")
    assert not is_kept(other)
