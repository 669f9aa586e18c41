"""The next segment of who is watching is there before it is asked for; of others nothing is."""
import random

import pytest

from lab import get, until

MIB = 1024 * 1024


def body_of(path, size=20000):
    return random.Random(path).randbytes(size)


def stage(lab, kind, n=8, title="7"):
    """An origin with a title, and an edge before it."""
    origin = lab.scripted_origin()
    for i in range(n):
        path = f"/v/{title}/720p/{i}.m4s"
        origin.put(path, body_of(path))
    return origin, lab.edge([origin.url], workers=1, extra=f"prefetch: {{ next: {kind} }}\n")


def segment(i, title="7", rendition="720p"):
    return f"/v/{title}/{rendition}/{i}.m4s"


def ask(edge, path, cmcd=None, **more):
    answer = get(edge.url + path, headers={"CMCD-Request": cmcd} if cmcd else {}, **more)
    assert answer.body == body_of(path)
    return "; hit" in answer.headers["Cache-Status"]


def ended(edge, n):
    """All that was begun is there, or has failed."""
    until(lambda: edge.metric("edge_prefetch_total") == n and edge.metric("edge_fill_readers") == 0,
          f"{n} segments were fetched ahead")


@pytest.mark.parametrize("kind", ["told", "guessed"])
def test_what_a_player_names_is_a_hit(lab, kind):
    origin, edge = stage(lab, kind)
    assert not ask(edge, segment(0), 'sid="a",nor="1.m4s"')
    ended(edge, 1)
    assert ask(edge, segment(1), 'sid="a",nor="5.m4s"')
    ended(edge, 2)
    assert ask(edge, segment(5))
    assert [origin.count(segment(i)) for i in range(8)] == [1, 1, 0, 0, 0, 1, 0, 0]
    assert edge.metric("edge_prefetch_used_total") == 2
    assert edge.metric("edge_prefetch_bytes_total") == edge.metric("edge_bytes_prefetched_served_total") == 40000
    assert ask(edge, segment(0))
    assert edge.metric("edge_bytes_prefetched_served_total") == 40000  # that one was asked for


def test_nothing_is_fetched_for_who_has_no_session_or_is_elsewhere(lab):
    origin, edge = stage(lab, "told")
    other = segment(3, title="8")
    origin.put(other, body_of(other))
    page = "/v/7/720p/index.html"
    origin.put(page, b"a page")
    for n, cmcd in enumerate(['nor="5.m4s"', f'sid="a",nor="{other}"', 'sid="b",nor="index.html"',
                              'sid="c"', None]):
        assert not ask(edge, segment(n), cmcd)
    assert edge.metric("edge_prefetch_total") == 0
    assert origin.count() == 5


def test_who_plays_in_order_has_the_next_number(lab):
    origin, edge = stage(lab, "guessed")
    assert not ask(edge, segment(0))
    assert not ask(edge, segment(4))
    assert not ask(edge, segment(2))
    assert edge.metric("edge_prefetch_total") == 0
    assert not ask(edge, segment(3))  # the one behind it is here
    assert not ask(edge, segment(5))
    assert not ask(edge, segment(6))
    ended(edge, 1)
    assert ask(edge, segment(7))
    until(lambda: edge.metric("edge_prefetch_failed_total") == 1, "there is none behind the last")
    assert origin.count(segment(8)) == 1


def test_a_session_needs_no_second_segment(lab):
    origin, edge = stage(lab, "guessed")
    assert not ask(edge, segment(0), 'sid="a"')
    ended(edge, 1)
    assert ask(edge, segment(1), 'sid="a"')
    assert origin.count(segment(1)) == 1


def test_a_range_that_a_player_names_is_brought(lab):
    origin = lab.scripted_origin()
    path = "/v/7/720p/all.mp4"
    body = body_of(path, 8 * MIB)
    origin.put(path, body)
    edge = lab.edge([origin.url], workers=1)
    first = get(edge.url + path, span=(0, 99999),
                headers={"CMCD-Request": f'sid="a",nrr="{5 * MIB}-{6 * MIB - 1}"'})
    assert first.status == 206 and first.body == body[:100000]
    ended(edge, 1)
    answer = get(edge.url + path, span=(5 * MIB + 7, 5 * MIB + 1000))
    assert answer.body == body[5 * MIB + 7:5 * MIB + 1001]
    assert "; hit" in answer.headers["Cache-Status"]
    assert edge.metric("edge_upstream_bytes_total") < 4 * MIB


def test_a_session_has_one_on_its_way_and_a_shutdown_waits_for_none(lab):
    origin, edge = stage(lab, "told")
    gate = lab.event()

    def wait(exchange):
        gate.wait(60)
        exchange.reply(200, body_of(exchange.request.path))

    origin.on(segment(1), wait)
    assert not ask(edge, segment(0), 'sid="a",nor="1.m4s"')
    until(lambda: origin.count(segment(1)) == 1, "it is on its way")
    assert not ask(edge, segment(2), 'sid="a",nor="3.m4s"')
    assert edge.metric("edge_prefetch_total") == 1 and origin.count(segment(3)) == 0
    edge.stop()
    gate.set()
