"""What becomes of a fetch that nobody waits for any more, and of what could not be shared once."""
import os
import threading

from film import said
import pytest
from lab import get, until
from lab_script import Answer

MIB = 1 << 20
BODY = os.urandom(12 * MIB)
PIECE = 64 << 10
KEPT = {"Cache-Control": "max-age=86400", "ETag": '"1"'}


class Trickle:
    """What comes at once up to a byte, and then in small pieces."""

    def __init__(self, stage, size, at_once, body=BODY):
        self.stage, self.size, self.at_once, self.body = stage, size, at_once, body
        self.path, self.is_over = stage.path(), threading.Event()
        stage.origin.on(self.path, self.script)

    def script(self, exchange):
        try:
            exchange.head(200, {**KEPT, "Content-Length": self.size})
            exchange.send(self.body[:self.at_once])
            for at in range(self.at_once, self.size, PIECE):
                exchange.send(self.body[at % MIB:][:min(PIECE, self.size - at)])
                if exchange.origin.closing.wait(0.002):
                    return
        finally:
            self.is_over.set()

    def abandon(self):
        """A client begins, and leaves."""
        with self.stage.lab.client(self.stage.edge) as client:
            client.request(self.path).read_head()
            client.read_some(self.at_once)
            client.cut()

    def end(self):
        """Time passes until it has ended, one way or the other."""
        until(lambda: (self.stage.clock.forward(1), self.is_over.is_set())[1], "it has ended")


def abandoned(stage):
    return stage.edge.metric("edge_fill_abandoned_total")


def test_a_body_of_which_little_is_here_is_given_up(stage):
    before, body = abandoned(stage), Trickle(stage, 1 << 40, 2 * MIB)
    body.abandon()
    body.end()
    until(lambda: abandoned(stage) == before + 1, "it is counted")
    first = get(stage.edge.url + body.path, span=(0, MIB - 1))
    assert first.body == BODY[:MIB] and said(first) == "box-1; hit"  # its whole chunks stay
    assert stage.origin.count(body.path) == 1


def whole(first, size):
    """Of what comes of a Trickle."""
    parts = [first]
    for at in range(len(first), size, PIECE):
        parts.append(BODY[at % MIB:][:min(PIECE, size - at)])
    return b"".join(parts)


def goes_on(stage, size, at_once):
    before, body = abandoned(stage), Trickle(stage, size, at_once)
    body.abandon()
    body.end()
    answer = get(stage.edge.url + body.path)
    return (answer.body == whole(BODY[:at_once], size) and abandoned(stage) == before and
            stage.origin.count(body.path) == 1)


def test_one_of_which_enough_is_here_goes_on(stage):
    assert goes_on(stage, 12 * MIB, 7 * MIB)


def test_one_of_which_little_is_missing_goes_on(stage):
    assert goes_on(stage, 5 * MIB, 1 * MIB + PIECE)


def test_an_error_that_is_not_kept_does_not_hide_for_long_what_follows(stage):
    thing = stage.put(Answer(404, {"Cache-Control": "no-store"}), Answer(200, KEPT))
    assert thing.get().status == 404
    stage.clock.forward(1)
    assert thing.status().stored and thing.status().hit and thing.count == 2


def test_what_is_unshareable_for_a_moment_does_not_hide_what_follows(stage):
    thing = stage.put(Answer(200, {"Cache-Control": "max-age=60"}),
                      Answer(200, {"Cache-Control": "private"}), Answer(200, KEPT))
    assert thing.status().stored
    stage.clock.forward(61)
    assert not thing.status().stored
    stage.clock.forward(1)
    assert thing.status().stored and thing.status().hit and thing.count == 3


def test_who_waits_for_what_may_not_be_shared_asks_for_his_own(stage):
    path, go = stage.path(), stage.lab.event()

    def script(exchange):
        exchange.wait(go)
        exchange.reply(200, b"%d" % stage.origin.count(path), {"Cache-Control": "private"})
    stage.origin.on(path, script)
    until(lambda: stage.edge.metric("edge_fill_readers") == 0, "nobody else waits")
    clients = [stage.lab.client(stage.edge).request(path) for _ in range(3)]
    until(lambda: stage.edge.metric("edge_fill_readers") == 3, "all wait")
    until(lambda: stage.origin.count(path) == 1, "one is asked for")
    go.set()
    answers = [client.read() for client in clients]
    for client in clients:
        client.close()
    assert all("; hit" not in answer.headers["Cache-Status"] for answer in answers)
    assert stage.origin.count(path) == 3


def answer_two(stage, kept, news, alice, bob):
    """What two get who wait for the same answer to whether what is stale is still right. It names
    whom it is for, as the page does that comes in its place."""
    path, go = stage.path(), stage.lab.event()

    def script(exchange):
        user = exchange.request.headers.get("Cookie", "user=nobody")[5:]
        if stage.origin.count(path) == 1:
            exchange.reply(200, b"page", {"ETag": '"1"', **kept})
        elif "If-None-Match" in exchange.request.headers:
            exchange.wait(go)
            exchange.head(304, {"ETag": '"1"', "X-User": user, **news(user)})
        else:
            exchange.reply(200, b"page", {"X-User": user, **news(user)})
    stage.origin.on(path, script)
    assert get(stage.edge.url + path).body == b"page"
    stage.clock.forward(61)
    until(lambda: stage.edge.metric("edge_fill_readers") == 0, "nobody else waits")
    clients = []
    for name, fields in ("alice", alice), ("bob", bob):
        clients.append(stage.lab.client(stage.edge).request(
            path, headers={"Cookie": f"user={name}", **fields}))
        until(lambda: stage.edge.metric("edge_fill_readers") == len(clients), f"{name} waits")
    go.set()
    answers = [client.read() for client in clients]
    for client in clients:
        client.close()
    assert [answer.body for answer in answers] == [b"page", b"page"]
    return answers, stage.origin.count(path)


KEPT_A_MINUTE = {"Cache-Control": "max-age=60"}
WITH_COOKIE = {**KEPT_A_MINUTE, "Set-Cookie": "session="}
CREDENTIALS = {"Authorization": "Basic YTph"}
FORBIDDING = [  # what the 304 says, and what both sent besides
    ({"Cache-Control": "private"}, {}, {}),
    ({"Cache-Control": "private, max-age=60"}, {}, {}),
    ({"Cache-Control": "no-store"}, {}, {}),
    ({**KEPT_A_MINUTE, "Vary": "*"}, {}, {}),
    (WITH_COOKIE, {}, {}),
    ({**WITH_COOKIE, "Cache-Control": "public, max-age=60"}, {}, {}),
    ({}, CREDENTIALS, {}),
    ({}, CREDENTIALS, CREDENTIALS),
    (WITH_COOKIE, CREDENTIALS, {}),
]


@pytest.mark.parametrize("said, alice, bob", FORBIDDING)
def test_a_304_that_forbids_keeping_is_for_who_asked_alone(stage, said, alice, bob):
    def news(user):
        return {name: value + user * (name == "Set-Cookie") for name, value in said.items()}
    answers, count = answer_two(stage, KEPT_A_MINUTE, news, alice, bob)
    for answer, user in zip(answers, ("alice", "bob")):
        assert answer.headers["X-User"] == user
        assert answer.headers.all("Set-Cookie") == [f"session={user}"] * ("Set-Cookie" in said)
    assert count == 3


@pytest.mark.parametrize("said, alice", [({}, {}), (KEPT_A_MINUTE, {}),
                                         ({"Cache-Control": "public, max-age=60"}, CREDENTIALS)])
def test_a_304_that_allows_keeping_is_for_all_who_wait(stage, said, alice):
    answers, count = answer_two(stage, KEPT_A_MINUTE, lambda user: said, alice, {})
    assert [answer.headers["X-User"] for answer in answers] == ["alice", "alice"]
    assert "collapsed" in answers[1].headers["Cache-Status"] and count == 2
