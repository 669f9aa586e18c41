"""kill -9 under load, again and again: no wrong byte, and what was kept is there."""
import os
import random
import time

from lab import get, until
from lab_load import Load, bytes_of, publish
from lab_wire import SHARE

KILLS = int(os.environ.get("FB_KILLS", str(200 // SHARE)))
FRESH = 24  # objects that each life of the edge meets for the first time


def paths_of(life, kind="v"):
    return [f"/{kind}/{life}/seg-{i}.m4s" for i in range(FRESH)]


def is_hit(edge, path):
    response = get(edge.url + path)
    assert response.body == bytes_of(path), f"wrong bytes at {path}"
    return "; hit" in response.headers["Cache-Status"]


def long_acknowledged(answers, killed):
    """Asked for twice, the second time more than a second before the kill."""
    return [path for path, times in answers.items() if len(times) > 1 and times[1] < killed - 1.0]


def test_kills_under_load_lose_nothing_that_was_kept(lab):
    """The volume never fills, so what was asked for twice is on it, for good."""
    origin = lab.scripted_origin()
    edge = lab.edge(upstreams=[origin.url], memory="8MiB",
                    volumes=[("volume", f"{KILLS * 6 + 64}MiB")], start=False)
    kept = []
    slowest_s = 0.0
    for life in range(KILLS):
        publish(origin, paths_of(life))
        began = time.monotonic()
        edge.start()
        asked = kept[-20:] + random.Random(life).sample(kept, min(20, len(kept)))
        lost = [path for path in asked if not is_hit(edge, path)]
        assert not lost, f"life {life}: {len(lost)} of {len(asked)} lost, such as {lost[0]}"
        if asked:
            slowest_s = max(slowest_s, time.monotonic() - began)
        load = Load(edge.port, paths_of(life) + paths_of(max(0, life - 3)), seed=life)
        lives_long = life % 5 == 4
        until(lambda: load.count() > 3 * FRESH, "the load is under way", 30)
        if lives_long:
            marked = time.monotonic()
            until(lambda: time.monotonic() > marked + 1.3, "a second has passed")
        killed = time.monotonic()
        edge.kill()
        load.stop()
        if lives_long:
            kept += [path for path in long_acknowledged(load.answers, killed) if path not in kept]
    assert kept, "nothing was ever kept"
    edge.start()
    lost = [path for path in kept if not is_hit(edge, path)]
    assert not lost, f"at the end {len(lost)} of {len(kept)} lost"
    print(f"{KILLS} kills, {len(kept)} objects kept, hits checked at most {slowest_s:.2f} s after start")


def test_kills_while_zones_are_reclaimed_cost_no_more_than_misses(lab):
    origin = lab.scripted_origin()
    edge = lab.edge(upstreams=[origin.url], memory="4MiB", volumes=[("volume", "64MiB")],
                    start=False)
    for life in range(max(12, KILLS // 8)):
        paths = paths_of(life, "film") + paths_of(max(0, life - 1), "film")
        publish(origin, paths)
        edge.start()
        load = Load(edge.port, paths, seed=life)
        until(lambda: load.count() > 4 * FRESH, "the load is under way", 30)
        edge.kill()
        load.stop()
    edge.start()
    until(lambda: edge.status()["volumes"][0]["state"] == "online", "the volume serves")
    assert edge.status()["volumes"][0]["zones_free"] <= 3, "no zone was ever reclaimed"
