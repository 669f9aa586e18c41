"""Parts of large objects: what is fetched of them, and what a broken fetch costs."""
import os

import pytest
from film import HUGE, MIB, Film, Viewer, content, said
from lab import SANITIZER_ENV, get, until


@pytest.fixture
def origin(lab):
    return lab.scripted_origin()


def edge_of(lab, *origins, memory="64MiB", **more):
    """An edge whose resident memory says what it uses."""
    edge = lab.edge(upstreams=[o.url for o in origins], memory=memory, start=False, **more)
    asan = SANITIZER_ENV["ASAN_OPTIONS"] + ":quarantine_size_mb=1"
    return edge.start(env={"ASAN_OPTIONS": asan})


def resident(edge):
    with open(f"/proc/{edge.pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def test_a_range_of_a_huge_object_costs_only_its_chunks(lab, origin):
    film, edge = Film(origin), edge_of(lab, origin)
    url, at = edge.url + film.path, 1500 * MIB + 7
    first = get(url, span=(at, at + 999))
    assert first.status == 206 and first.body == b"".join(content(at, at + 1000))
    assert first.headers["Content-Range"] == f"bytes {at}-{at + 999}/{HUGE}"
    assert said(first) == "box-1; fwd=uri-miss; fwd-status=206; stored; detail=first-touch"
    assert film.ranges() == [f"bytes={1500 * MIB}-{1501 * MIB - 1}"]
    until(lambda: edge.metric("edge_bytes_filled_total") == MIB, "the chunk is there")
    again = get(url, span=(at + 5000, at + 5999))
    assert again.body == b"".join(content(at + 5000, at + 6000)) and said(again) == "box-1; hit"
    assert origin.count() == 1
    assert edge.status()["store"]["memory_bytes"] < 2 * MIB


def test_a_later_range_joins_what_is_there(lab, origin):
    film, edge = Film(origin), edge_of(lab, origin)
    url = edge.url + film.path
    get(url, span=(10 * MIB, 11 * MIB - 1))
    until(lambda: edge.metric("edge_bytes_filled_total") == MIB, "the first chunk is there")
    wider = get(url, span=(9 * MIB, 12 * MIB - 1))
    assert wider.body == b"".join(content(9 * MIB, 12 * MIB))
    assert said(wider) == "box-1; fwd=partial; fwd-status=206; detail=first-touch"
    assert film.ranges()[1:] == [f"bytes={9 * MIB}-{10 * MIB - 1}",
                                 f"bytes={11 * MIB}-{12 * MIB - 1}"]
    assert all(r.headers["If-Range"] == '"film"' for r in origin.requests()[1:])
    until(lambda: edge.metric("edge_bytes_filled_total") == 3 * MIB, "what was missing is counted")
    beyond = get(url, span=(11 * MIB, 13 * MIB - 1))
    assert beyond.body == b"".join(content(11 * MIB, 13 * MIB))
    assert said(beyond) == "box-1; fwd=partial; detail=first-touch"  # its first chunk was here
    assert edge.metric('edge_requests_total{result="partial"}') == 2
    assert get(url, "HEAD").headers["Content-Length"] == str(HUGE)
    until(lambda: edge.metric("edge_bytes_filled_total") == 4 * MIB, "the last chunk is counted")


def test_the_ends_of_a_huge_object_are_found(lab, origin):
    film, edge = Film(origin), edge_of(lab, origin)
    url = edge.url + film.path
    tail = get(url, span=(None, 5000))
    assert tail.status == 206 and tail.body == b"".join(content(HUGE - 5000, HUGE))
    assert film.n_sent <= 2 * MIB
    from_there = get(url, span=(HUGE - 1000, None))
    assert from_there.body == b"".join(content(HUGE - 1000, HUGE))
    assert said(from_there) == "box-1; hit"
    past = get(url, span=(HUGE, None))
    assert past.status == 416 and past.headers["Content-Range"] == f"bytes */{HUGE}"
    assert origin.count() == 1
    cold = get(edge.url + "/v/film.mp4?cold", span=(HUGE + 5, None))
    assert cold.status == 416 and cold.headers["Content-Range"] == f"bytes */{HUGE}"


def test_an_absurd_length_costs_nobody_else_anything(lab, origin):
    Film(origin, "/v/absurd.mp4", size=2**63 - 1)
    film, edge = Film(origin), edge_of(lab, origin)
    with lab.client(edge) as whole:
        whole.request("/v/absurd.mp4").read_head()
        assert whole.read_some(3 * MIB)[:MIB] == b"".join(content(0, MIB))
        for at in (5, 2**54 + 5, 2**63 - 9):
            part = get(edge.url + "/v/absurd.mp4", span=(at, at + 3))
            assert (part.status, part.body) == (206, b"".join(content(at, at + 4)))
        assert get(edge.url + film.path, span=(0, 9)).body == b"".join(content(0, 10))


def test_the_whole_streams_through_a_small_memory_at_the_clients_pace(lab, origin):
    film, edge = Film(origin), edge_of(lab, origin)
    viewer = Viewer(lab, edge, film.path)
    assert viewer.response.headers["Content-Length"] == str(HUGE)
    assert viewer.read(256 * MIB) < 300 * MIB
    assert edge.status()["store"]["memory_bytes"] <= 64 * MIB
    assert resident(edge) < 400 * MIB
    assert film.n_sent < 300 * MIB
    viewer.close()
    until(lambda: edge.metric("edge_fill_readers") == 0 and not origin.wires,
          "nobody reads, and so nothing comes")
    assert film.n_sent < 300 * MIB


def test_slow_clients_and_a_quick_one_all_get_the_right_bytes(lab, origin):
    size = 96 * MIB
    film = Film(origin, size=size)
    edge = edge_of(lab, origin, memory="32MiB")
    slow = [Viewer(lab, edge, film.path) for _ in range(2)]
    for n, viewer in enumerate(slow):
        viewer.read((1 + 30 * n) * MIB)
    quick = Viewer(lab, edge, film.path)
    assert quick.read() == size and quick.client.response.complete
    assert edge.status()["store"]["memory_bytes"] <= 32 * MIB
    for viewer in slow:  # what they were about to read has gone meanwhile
        assert viewer.read() == size and viewer.client.response.complete
        viewer.close()
    quick.close()
    assert film.n_sent <= 4 * size
    assert edge.metric("edge_responses_cut_total") == 0


@pytest.mark.parametrize("cut_at", [1, MIB - 1, MIB, 3 * MIB + 5, 20 * MIB - 1])
def test_a_body_that_breaks_goes_on_from_the_next_upstream(lab, cut_at):
    size = 20 * MIB
    one, two = lab.scripted_origin("one"), lab.scripted_origin("two")
    broken, sound = Film(one, size=size, cut_at=cut_at), Film(two, size=size)
    edge = edge_of(lab, one, two)
    viewers = [Viewer(lab, edge, broken.path) for _ in range(3)]
    for viewer in viewers:
        assert viewer.read() == size and viewer.client.response.complete
        viewer.close()
    assert sound.ranges() == [f"bytes={cut_at}-{size - 1}"]
    assert two.requests()[0].headers["If-Range"] == '"film"'
    assert edge.metric("edge_fill_resumed_total") == 1
    assert edge.metric("edge_responses_cut_total") == 0
    assert said(get(edge.url + broken.path)) == "box-1; hit"


def test_an_upstream_that_comes_back_is_gone_on_with(lab, origin):
    size = 20 * MIB
    film = Film(origin, size=size, cut_at=5 * MIB)
    edge = edge_of(lab, origin)
    viewer = Viewer(lab, edge, film.path)
    until(lambda: film.n_sent >= 5 * MIB, "it broke")
    film.cut_at = None
    assert viewer.read() == size and viewer.client.response.complete
    viewer.close()
    assert film.ranges()[-1] == f"bytes={5 * MIB}-{size - 1}"


def test_a_new_object_is_never_mixed_with_the_old_one(lab, origin):
    size = 20 * MIB
    film, edge = Film(origin, size=size), edge_of(lab, origin)
    url = edge.url + film.path
    assert get(url, span=(0, 999)).status == 206
    until(lambda: edge.metric("edge_bytes_filled_total") == MIB, "the first chunk is there")
    film.etag, film.size = '"new"', size - 1
    old = get(url, span=(0, 3000000))
    assert old.status == 206 and not old.complete
    assert b"".join(content(0, MIB)).startswith(old.body)  # a reset drops what is on its way
    fresh = get(url, span=(0, 999))
    assert fresh.headers["ETag"] == '"new"'
    assert fresh.headers["Content-Range"] == f"bytes 0-999/{size - 1}"
    # Where the first byte is missing already, a client is not even cut.
    film.etag = '"newer"'
    sought = get(url, span=(5 * MIB, 5 * MIB + 9))
    assert sought.status == 206 and sought.headers["ETag"] == '"newer"' and sought.complete


def test_what_is_missing_while_no_upstream_answers_is_told_at_once(lab, origin):
    film, edge = Film(origin), edge_of(lab, origin)
    url = edge.url + film.path
    assert get(url, span=(0, 999)).status == 206
    until(lambda: edge.metric("edge_bytes_filled_total") == MIB, "the first chunk is there")
    origin.stop()
    assert get(url, span=(7 * MIB, 7 * MIB + 9)).status == 502
    kept = get(url, span=(0, 999))
    assert kept.status == 206 and said(kept) == "box-1; hit"
