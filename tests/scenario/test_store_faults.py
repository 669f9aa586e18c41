"""Drives that fail, fill up, rot, go and come back: service goes on."""
import re

import pytest

from lab import get, until
from lab_disk import fill_up, own_disk
from lab_load import Load, bytes_of, publish

PATHS = [f"/v/seg-{i}.m4s" for i in range(60)]
MIB = 1024 * 1024


def fetch(edge, paths=PATHS, times=1):
    """Asks for each path; the Cache-Status of the last round."""
    stories = {}
    for _ in range(times):
        for path in paths:
            response = get(edge.url + path)
            assert response.status == 200 and response.body == bytes_of(path), path
            stories[path] = response.headers["Cache-Status"]
    return stories


def hits(stories):
    return sum("; hit" in story for story in stories.values())


def volume(edge, i=0):
    return edge.status()["volumes"][i]


def fill(lab, edge):
    """All of PATHS on the volumes; returns with the edge started anew, memory empty."""
    fetch(edge, times=2)
    until(lambda: sum(v["extents"] for v in edge.status()["volumes"]) == len(PATHS),
          "all objects are on the volumes")
    edge.stop()
    edge.start()
    until(lambda: all(v["state"] == "online" for v in edge.status()["volumes"]), "all are back")


def test_a_restart_serves_from_the_volume_what_it_held(lab):
    origin = lab.scripted_origin()
    publish(origin, PATHS)
    edge = lab.edge(upstreams=[origin.url], memory="4MiB", volumes=[("volume", "256MiB")])
    fill(lab, edge)
    before = origin.count()
    assert hits(fetch(edge)) == len(PATHS)
    assert origin.count() == before


def test_a_flipped_bit_is_a_miss_that_is_counted_and_fetched_again(lab):
    origin = lab.scripted_origin()
    publish(origin, PATHS)
    edge = lab.edge(upstreams=[origin.url], memory="4MiB", volumes=[("volume", "256MiB")])
    fill(lab, edge)
    edge.stop()
    path = edge.dir / "volume"
    image = path.read_bytes()
    with open(path, "r+b") as file:
        for victim in PATHS[:10]:
            at = image.find(bytes_of(victim)[1000:1064])
            assert at > 0, f"{victim} is not on the volume"
            file.seek(at)
            file.write(bytes([image[at] ^ 0x10]))
    edge.start()
    until(lambda: volume(edge)["state"] == "online", "the volume serves")
    stories = fetch(edge)
    assert hits(stories) == len(PATHS) - 10
    assert not any("; hit" in stories[victim] for victim in PATHS[:10])
    assert volume(edge)["corrupt"] == 10
    assert hits(fetch(edge, PATHS[10:])) == len(PATHS) - 10


def test_a_volume_that_is_taken_away_under_load_costs_its_objects_and_comes_back(lab):
    origin = lab.scripted_origin()
    publish(origin, PATHS)
    edge = lab.edge(upstreams=[origin.url], memory="4MiB",
                    volumes=[("one", "128MiB"), ("two", "128MiB")])
    fill(lab, edge)
    load = Load(edge.port, PATHS)
    (edge.dir / "one").rename(edge.dir / "elsewhere")
    until(lambda: volume(edge, 0)["state"] == "offline", "the loss is noticed")
    assert "one" in volume(edge, 0)["path"] and volume(edge, 0)["reason"]
    answered = load.count()
    until(lambda: load.count() > answered + 100, "the load goes on")
    (edge.dir / "elsewhere").rename(edge.dir / "one")
    until(lambda: volume(edge, 0)["state"] == "online", "the volume is back", 30)
    assert volume(edge, 0)["extents"] > 0
    load.stop()


def test_a_volume_of_another_node_is_refused_and_left_as_it_is(lab):
    origin = lab.scripted_origin()
    publish(origin, PATHS)
    first = lab.edge(upstreams=[origin.url], name="box-1", volumes=[(lab.dir / "drive", "128MiB")])
    fill(lab, first)
    first.stop()
    before = (lab.dir / "drive").read_bytes()
    second = lab.edge(upstreams=[origin.url], name="box-2", volumes=[(lab.dir / "drive", "128MiB")])
    until(lambda: volume(second)["state"] == "refused", "it is refused")
    assert "box-1" in volume(second)["reason"]
    assert hits(fetch(second, times=2)) == len(PATHS)  # from memory
    second.stop()
    assert (lab.dir / "drive").read_bytes() == before


def test_a_file_system_without_room_leaves_the_edge_serving(lab):
    origin = lab.scripted_origin()
    publish(origin, PATHS)
    disk = own_disk(lab.dir / "disk", "32m")
    edge = lab.edge(upstreams=[origin.url], memory="32MiB",
                    volumes=[("small", "128MiB"), (disk / "huge", "64MiB")])
    until(lambda: volume(edge, 0)["state"] == "online", "the other volume serves")
    assert volume(edge, 1)["state"] == "offline" and "no room" in volume(edge, 1)["reason"]
    assert hits(fetch(edge, times=2)) == len(PATHS)
    assert not (disk / "huge").exists()


def told_at_start(edge, disk, leave):
    """Starts the edge with so many bytes left on the disk: why it ended, or None if it is ready."""
    edge.log_path.unlink(missing_ok=True)
    filler = fill_up(disk, leave)
    edge.start(wait=False)
    until(lambda: not edge.is_running() or "ready" in edge.log(), "it is ready or has left")
    if edge.is_running():
        edge.stop()
    else:
        assert edge.wait() == 1
        edge.process = None
    filler.unlink()
    return next((line for line in edge.log_lines() if "purges.db" in line), None)


@pytest.mark.parametrize("is_used", [False, True])
def test_a_drive_of_the_state_that_is_full_is_told_with_its_file(lab, is_used):
    disk = own_disk(lab.dir / "disk", "2m")
    edge = lab.edge(upstreams=["http://127.0.0.1:1"], start=False,
                    extra=f"state: {disk / 'state'}\n")
    if is_used:
        edge.start().stop()
        assert (disk / "state" / "purges.db").exists()
    else:
        (disk / "state").mkdir()
    told = [told_at_start(edge, disk, leave) for leave in range(0, 1024 * 1024, 32 * 1024)]
    assert told[0] is not None and told[-1] is None
    for line in filter(None, told):
        assert re.search(rf"'{disk}/state/purges.db': .*No space left on device\"", line), line
    edge.start()


def test_a_disk_that_fills_up_in_mid_zone_costs_its_objects_until_there_is_room(lab):
    origin = lab.scripted_origin()
    films = [f"/film/seg-{i}.m4s" for i in range(40)]
    publish(origin, films)
    disk = own_disk(lab.dir / "disk", "72m")
    with (disk / "volume").open("wb") as sparse:  # its room is promised, but not reserved
        sparse.truncate(64 * MIB)
    edge = lab.edge(upstreams=[origin.url], memory="4MiB", volumes=[(disk / "volume", "64MiB")])
    until(lambda: volume(edge)["state"] == "online", "the volume serves")
    filler = fill_up(disk, leave=20 * MIB)
    load = Load(edge.port, films)
    full = until(lambda: (v := volume(edge))["state"] == "offline" and v, "the disk is full", 30)
    assert full["reason"] == "a read or write failed: No space left on device"
    assert full["zones_free"] <= 5, "a zone was whole, and the next was begun"
    until(lambda: any("out of service" in line and full["reason"] in line
                      for line in edge.log_lines()), "the log tells it")
    answered = load.count()
    until(lambda: load.count() > answered + 100, "the load goes on")
    load.stop()
    filler.unlink()
    until(lambda: volume(edge)["state"] == "online", "the volume is back", 30)
    until(lambda: hits(fetch(edge, films)) > 30, "more are hits than memory could hold", 60)
    assert volume(edge)["state"] == "online"
