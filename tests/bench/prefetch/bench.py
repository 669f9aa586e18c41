#!/usr/bin/env python3
"""What it is worth to fetch the next segment of who is watching, and what it costs.

usage: bench.py [--rounds N] [--sessions N]

Start: a player of a title that a cold edge has nothing of. The origin is 40 ms away; the
player reads segments of 500 kB at 40 Mbit/s, one behind the other, as it does while its buffer
fills. Told are, for prefetch off, told and guessed in turn, the times to the first byte of
the second to the tenth segment, and from the first request to the last byte of the third.

Cost: sessions of a day are replayed. Titles are chosen by a Zipf law (0.8), viewers leave after a
number of segments that is geometric (mean 12 of 60), one segment in 25 is of another rendition
than the player said, one in 50 is jumped to. The origin counts what it was asked for: what
prefetching asks for beyond what players did is wasted, unless another viewer came for it.

The programs come from $FB_BUILD_DIR, which should be a release build.
"""
import argparse
import os
import pathlib
import random
import statistics
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "support"))
os.environ.setdefault("FB_BUILD_DIR", str(HERE.parents[2] / "build" / "release"))

from lab import Lab, until  # noqa: E402
from lab_wire import Client  # noqa: E402

KINDS = ["off", "told", "guessed"]
AWAY_S, LINK_BYTES_S, SEGMENT, SMALL = 0.04, 5e6, 500_000, 4000
TITLES, SEGMENTS, RENDITIONS = 60, 60, 3


def path_of(title, number, rendition=0):
    return f"/v/{title}/{rendition}/{number}.m4s"


def cmcd(session, following):
    return [("CMCD-Request", f'nor="{following}"'), ("CMCD-Session", f'sid="{session}"')]


# ---- start -------------------------------------------------------------------
def fetch_paced(client, path, headers):
    """Seconds to the first byte, and to the last, at the pace of the player's link."""
    began = time.perf_counter()
    client.request(path, "GET", headers)
    assert client.read_head().status == 200
    first = time.perf_counter() - began
    n = len(client.read_body())
    time.sleep(max(0.0, n / LINK_BYTES_S - (time.perf_counter() - began - first)))
    return first, time.perf_counter() - began


def play(edge, title):
    firsts, spent = [], 0.0
    with Client(edge.port) as client:
        for n in range(10):
            first, whole = fetch_paced(client, path_of(title, n), cmcd(title, f"{n + 1}.m4s"))
            firsts.append(first)
            spent += whole if n < 3 else 0
    return firsts[1:], spent


def measure_start(lab, rounds):
    origin = lab.scripted_origin()
    body = bytes(SEGMENT)

    def answer(exchange):
        time.sleep(AWAY_S)
        exchange.reply(200, body, headers={"ETag": '"1"'})

    origin.on_any(answer)
    edges = {kind: lab.edge([origin.url], name=f"start-{kind}", memory="1GiB", workers=1,
                            extra=f"prefetch: {{ next: {kind} }}\n") for kind in KINDS}
    firsts, starts = {kind: [] for kind in KINDS}, {kind: [] for kind in KINDS}
    for n in range(rounds):
        for kind in KINDS:
            some, spent = play(edges[kind], f"{kind}-{n}")
            firsts[kind] += some
            starts[kind].append(spent)
    for kind in KINDS:
        ordered = sorted(firsts[kind])
        print(f"start, {kind:8}: first byte p50 {statistics.median(ordered) * 1000:5.1f} ms, "
              f"p95 {ordered[int(len(ordered) * 0.95)] * 1000:5.1f} ms; "
              f"three segments in {statistics.median(starts[kind]) * 1000:6.1f} ms")


# ---- cost --------------------------------------------------------------------
def sessions_of_a_day(n, seed=7):
    """Requests in the order of the day: (session, path, what the player says is next)."""
    dice = random.Random(seed)
    weights = [1 / (rank + 1) ** 0.8 for rank in range(TITLES)]
    waiting = [(dice.choices(range(TITLES), weights)[0], session) for session in range(n)]
    playing, day = [], []
    while waiting or playing:
        while waiting and len(playing) < 40:
            title, session = waiting.pop()
            playing.append([session, title, 0, dice.randrange(RENDITIONS)])
        one = dice.choice(playing)
        session, title, number, rendition = one
        day.append((session, path_of(title, number, rendition), f"{number + 1}.m4s"))
        one[2] = dice.randrange(SEGMENTS) if dice.random() < 1 / 50 else number + 1
        one[3] = dice.randrange(RENDITIONS) if dice.random() < 1 / 25 else rendition
        if dice.random() < 1 / 12 or one[2] >= SEGMENTS:
            playing.remove(one)
    return day


def replay(lab, kind, day):
    origin = lab.scripted_origin(f"origin-{kind}")
    for title in range(TITLES):
        for rendition in range(RENDITIONS):
            for number in range(SEGMENTS):
                origin.put(path_of(title, number, rendition), bytes(SMALL))
    edge = lab.edge([origin.url], name=f"cost-{kind}", memory="1GiB", workers=1,
                    extra=f"prefetch: {{ next: {kind} }}\n")
    hits = 0
    with Client(edge.port) as client:
        for session, path, following in day:
            client.request(path, "GET", cmcd(session, following))
            answer = client.read("GET")
            assert answer.status == 200
            hits += "; hit" in answer.headers["Cache-Status"]
            time.sleep(0.002)  # players do not ask again at once
    until(lambda: edge.metric("edge_fill_readers") == 0, "all is there")
    begun, used = (edge.metric(f"edge_prefetch{name}_total") for name in ("", "_used"))
    return origin.count(), hits / len(day), begun, used


def measure_cost(lab, n):
    day = sessions_of_a_day(n)
    least = None
    for kind in KINDS:
        asked, share, begun, used = replay(lab, kind, day)
        least = least or asked
        print(f"cost, {kind:8}: {len(day)} requests, hits {share:5.1%}; the origin was asked "
              f"{asked} times, {asked / least - 1:+.1%}; fetched ahead {begun:.0f}, of which "
              f"{used:.0f} were asked for")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--sessions", type=int, default=400)
    options = parser.parse_args()
    with Lab() as lab:
        measure_start(lab, options.rounds)
        measure_cost(lab, options.sessions)


if __name__ == "__main__":
    main()
