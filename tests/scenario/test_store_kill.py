"""kill -9 under load, again and again: no wrong byte, and what was kept is there."""
import os
import time

from lab import get, until
from lab_load import Load, bytes_of, publish

KILLS = int(os.environ.get("FB_KILLS", "200"))
FRESH = 24  # objects that each life of the edge meets for the first time
KEPT = 12   # lives after which the volume may have reclaimed what it got


def paths_of(life):
    return [f"/v/{life}/seg-{i}.m4s" for i in range(FRESH)]


def is_hit(edge, path):
    response = get(edge.url + path)
    assert response.body == bytes_of(path), f"wrong bytes at {path}"
    return "; hit" in response.headers["Cache-Status"]


def long_acknowledged(answers, killed):
    """Asked for twice, the second time more than a second before the kill."""
    return [path for path, times in answers.items() if len(times) > 1 and times[1] < killed - 1.0]


def test_200_kills_under_load_lose_nothing_that_was_kept(lab):
    origin = lab.scripted_origin()
    edge = lab.edge(upstreams=[origin.url], memory="8MiB", volumes=[("volume", "256MiB")],
                    start=False)
    kept = {}  # path: the life in which it was kept
    slowest_s = 0.0
    for life in range(KILLS):
        publish(origin, paths_of(life))
        began = time.monotonic()
        edge.start()
        recent = [path for path, since in kept.items() if life - since < KEPT]
        lost = [path for path in recent[-40:] if not is_hit(edge, path)]
        assert not lost, f"life {life}: {len(lost)} of {len(recent[-40:])} lost, such as {lost[0]}"
        if recent:
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
            kept.update({path: life for path in long_acknowledged(load.answers, killed)})
    assert kept, "nothing was ever kept"
    edge.start()
    print(f"{KILLS} kills, {len(kept)} objects kept, hits checked at most {slowest_s:.2f} s after start")
