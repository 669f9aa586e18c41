"""What players get from volumes: after a restart, and when memory is too small."""
import pytest
from film import MIB, Film, content, said
from lab import get, until


@pytest.fixture
def origin(lab):
    return lab.scripted_origin()


def edge_of(lab, origin, memory="16MiB"):
    return lab.edge(upstreams=[origin.url], memory=memory, volumes=[("volume", "256MiB")])


def kept_on_volume(edge, path, span=None):
    """Asks until the object is on the volume, whatever admission waits for."""
    def is_there():
        get(edge.url + path, span=span)
        return edge.status()["volumes"][0]["extents"] > 0
    until(is_there, f"{path} is on the volume")


def test_chunks_of_a_huge_object_are_hits_after_a_restart(lab, origin):
    film, edge = Film(origin), edge_of(lab, origin)
    url = edge.url + film.path
    kept_on_volume(edge, film.path, (1500 * MIB, 1501 * MIB - 1))
    edge.stop()
    edge.start()
    n = origin.count()
    clients = [lab.client(edge).request(film.path, headers={
        "Range": f"bytes={1500 * MIB + i}-{1501 * MIB - 1}"}) for i in range(8)]
    for i, client in enumerate(clients):
        answer = client.read()
        assert answer.body == b"".join(content(1500 * MIB + i, 1501 * MIB)), said(answer)
        assert said(answer) == "box-1; hit"
        client.close()
    assert origin.count() == n and edge.metric("edge_fill_started_total") == 0
    assert edge.metric('edge_hits_total{tier="volume"}') >= 1
    wider = get(url, span=(1500 * MIB, 1502 * MIB - 1))
    assert wider.body == b"".join(content(1500 * MIB, 1502 * MIB))
    assert said(wider) == "box-1; fwd=partial; detail=first-touch"
    assert film.ranges()[-1] == f"bytes={1501 * MIB}-{1502 * MIB - 1}"


def test_what_is_stale_on_a_volume_is_validated(lab, origin):
    origin.put("/page", b"kept", {"Cache-Control": "max-age=60", "Age": "57"})
    edge = edge_of(lab, origin)
    kept_on_volume(edge, "/page")
    edge.stop()
    edge.start()
    n = origin.count()
    answer = until(lambda: (r := get(edge.url + "/page")) and "hit" not in said(r) and r,
                   "it is stale")
    assert answer.status == 200 and answer.body == b"kept"
    assert said(answer) == "box-1; fwd=stale; fwd-status=304; detail=expired"
    assert origin.requests()[-1].headers["If-None-Match"] == '"1"' and origin.count() == n + 1
    assert said(get(edge.url + "/page")) == "box-1; hit"


def test_what_was_purged_does_not_come_back_after_a_kill(lab, origin):
    origin.put("/v/seg.m4s", b"old", {}, etag='"old"')
    edge = edge_of(lab, origin)
    kept_on_volume(edge, "/v/seg.m4s")
    answer = get(edge.admin + f"/purge?url={edge.url}/v/seg.m4s", "POST")
    assert answer.status == 200 and answer.json()["purged"] == 1
    edge.kill()
    edge.start()
    origin.put("/v/seg.m4s", b"new", {}, etag='"new"')
    fresh = get(edge.url + "/v/seg.m4s")
    assert fresh.body == b"new"
    assert said(fresh) == "box-1; fwd=uri-miss; fwd-status=200; stored; detail=first-touch"


def test_a_rotten_or_missing_volume_costs_a_fetch_not_a_byte(lab, origin):
    film, edge = Film(origin, size=20 * MIB), edge_of(lab, origin)
    url = edge.url + film.path
    kept_on_volume(edge, film.path)
    edge.stop()
    volume = edge.dir / "volume"
    with open(volume, "r+b") as file:  # every byte of every chunk, but not of the heads
        size = volume.stat().st_size
        for at in range(8 * MIB, size, MIB):
            file.seek(at + 300 * 1024)
            byte = file.read(1)
            file.seek(at + 300 * 1024)
            file.write(bytes([byte[0] ^ 1]))
    edge.start()
    whole = get(url, timeout=60)
    assert whole.body == b"".join(content(0, 20 * MIB)) and whole.complete
