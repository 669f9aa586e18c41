#!/usr/bin/env python3
"""Two days of a region through the real programs, without the plan and then with it.

usage: bench.py [--sessions N] [--videos N] [--away SECONDS]

An origin, a regional node, and behind it two edges: a box, which is measured and which one viewer of four
is a customer of, and another one for the rest of the region. The regional node is --away from the
box (there and back). Time is the clock that tests turn, so two days take a minute; hence
the programs are of a sanitized build, which is several times slower than what is shipped.

The first day teaches the origin what is watched; the second is measured. With the plan, edges fill
themselves between 02:00 and 06:00. Videos are chosen by a Zipf law (0.9) whose ranks change somewhat over
night, viewers leave after a number of segments that is geometric (mean 3 of 6), seven of ten watch in
720p. Sessions follow the hours of the day, with their peak in the evening. On the second day a video
is released at 18:00, of which the origin is told ten minutes before (a plan to be filled `now`), and gets
a seventh of the sessions until 22:00; from 20:00 to 21:00 a crowd comes to an old video that nobody
watched before.

Told are, of the second day: the box' hits by bytes, what it fetched when viewers asked (all day, and from
18:00 to 23:00), what the plan fetched, what the origin sent, and first segments: how many
needed no upstream, and the time to their first byte.
"""
import argparse
import asyncio
import collections
import pathlib
import random
import statistics
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "support"))

from lab import Lab, free_port, until  # noqa: E402
from lab_loop import DOWN, HOST, REGION, SEGMENT_S, Loop, Session  # noqa: E402
from lab_wire import Client, get  # noqa: E402

HOUR, DAY = 3600, 86400
SEGMENTS, SEGMENT_BYTES, EDGE_MEMORY = 6, 16384, "12MiB"
BY_HOUR = [10, 5, 3, 2, 2, 3, 6, 10, 12, 13, 14, 15, 17, 16, 15, 16, 18, 22, 28, 35, 40, 40, 30, 20]


class Distance:
    """A relay to a port, whose bytes arrive later by half of `away_s` each way."""

    def __init__(self, port, away_s):
        self.port, self.to, self.delay = free_port(), port, away_s / 2
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()
        threading.Thread(target=self._run, args=(ready,), daemon=True).start()
        ready.wait()

    def _run(self, ready):
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", self.port))
        ready.set()
        self.loop.run_forever()

    async def _accept(self, reader, writer):
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.to)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))

    async def _pump(self, reader, writer):
        waiting = collections.deque()

        def deliver():
            data = waiting.popleft()
            writer.write(data) if data else writer.close()

        while True:
            try:
                data = await reader.read(65536)
            except OSError:
                data = b""
            waiting.append(data)
            self.loop.call_later(self.delay, deliver)
            if not data:
                return


class Region:
    def __init__(self, lab, options, is_planned):
        self.loop = loop = Loop(lab, videos=options.videos, segments=SEGMENTS, edges=0, memory="128MiB",
                                segment_bytes=SEGMENT_BYTES)
        self.clock, self.dice, self.is_planned = loop.clock, random.Random(5), is_planned
        self.measures, self.first = False, []  # (seconds, needed no upstream)
        self.missed, self.marks = 0, {}
        relay = Distance(loop.regional.port, options.away)
        self.box = self.edge(lab, "box", relay.port)
        self.edges = [self.box, self.edge(lab, "rest", loop.regional.port)]

    def edge(self, lab, name, port):
        key = self.loop.origin.dir / "data" / "keys" / "plan.pub.jwk"
        warm = (f"warm:\n  keys: [{key}]\n  host: {HOST}\n  pull: 1s\n  now: true\n  least_yield: 0\n"
                "  windows: [\"02:00-06:00 UTC\"]\n" if self.is_planned else "")
        return lab.edge([f"{{ url: 'http://127.0.0.1:{port}', tier: regional }}"], name=name, workers=1,
                        clock=self.clock, memory=EDGE_MEMORY,
                        extra="views: {enabled: true}\n" + warm
                        + self.loop.reports(self.loop.regional.url, DOWN, "100ms", ""))

    def mark(self, name):
        sent = get(self.loop.origin.admin + "/metrics").body.decode()
        sent = sum(float(line.rsplit(" ", 1)[1]) for line in sent.splitlines()
                   if line.startswith("origin_media_bytes_served_total"))
        self.marks[name] = {
            "served": self.box.metric("edge_bytes_served_total"), "missed": self.missed,
            "filled": self.box.metric("edge_warm_filled_bytes_total"), "origin": sent,
            "planned": self.box.metric("edge_bytes_planned_served_total")}

    def grown(self, what, begin="night", end="24:00"):
        return (self.marks[end][what] - self.marks[begin][what]) / 1e6

    def until_midnight(self):
        self.clock.forward(DAY - self.clock.now() % DAY)
        self.midnight = self.clock.now()

    # ---- who watches what, and when ------------------------------------------------------

    def session(self, video):
        length = 1
        while length < SEGMENTS and self.dice.random() > 1 / 3:
            length += 1
        return Session(video, edge=0 if self.dice.random() < 0.25 else 1, segments=length,
                       rendition="720p" if self.dice.random() < 0.7 else "360p")

    def usual(self, n, ranking):
        """(second of the day, session) of a usual day."""
        weights = [1 / (rank + 1) ** 0.9 for rank in range(len(ranking))]
        hours = self.dice.choices(range(24), BY_HOUR, k=n)
        return [(hour * HOUR + self.dice.random() * HOUR,
                 self.session(self.dice.choices(ranking, weights)[0])) for hour in hours]

    def replay(self, sessions):
        """Segment by segment, in the order of time."""
        events = sorted(((at + number * SEGMENT_S, session.serial, number + 1, session)
                         for at, session in sessions for number in range(session.segments)),
                        key=lambda event: event[:3])
        for at, _, number, session in events:
            self.clock.forward(max(self.midnight + at - self.clock.now(), 0))
            self.fetch(session, number)

    def fetch(self, session, number):
        path = self.loop.segment(session, number)
        edge = self.edges[session.edge]
        cmcd = [("CMCD-Session", f'sid="{session.sid}"'), ("CMCD-Object", f"d={SEGMENT_S * 1000}")]
        with Client(edge.port, source=session.address) as client:
            began = time.perf_counter()
            client.request(path, "GET", [("Host", HOST), ("User-Agent", session.agent), *cmcd])
            head = client.read_head()
            took = time.perf_counter() - began
            body = client.read_body()
        assert head.status == 200 and body == self.loop.bodies[path], (head.status, path)
        if edge is self.box and self.measures:
            is_hit = "; hit" in head.headers["Cache-Status"].split(", ")[-1]
            self.missed += 0 if is_hit else len(body)
            if number == 1:
                self.first.append((took, is_hit))

    # ---- the two days --------------------------------------------------------------------

    def first_day(self, n):
        self.until_midnight()
        self.ranking = self.loop.videos[:-1]  # the last one is what nobody watches yet
        self.dice.shuffle(self.ranking)
        self.replay(self.usual(n, self.ranking))

    def night(self):
        """The origin makes plans when it starts; edges fill themselves as their window opens."""
        self.until_midnight()
        until(lambda: all(self.loop.is_empty(node) for node in (*self.edges, self.loop.regional)),
              "all is told", 60)
        self.clock.forward(2 * HOUR)
        self.loop.origin.stop()
        self.loop.origin.start()
        self.mark("night")
        for edge in self.edges if self.is_planned else []:
            until(lambda edge=edge: edge.status()["warm"]["plan"] and
                  edge.status()["warm"]["state"] == "done", "the plan is filled", 60)

    def second_day(self, n):
        ranking = list(self.ranking)
        for _ in range(len(ranking) // 5):
            a, b = self.dice.randrange(len(ranking)), self.dice.randrange(len(ranking))
            ranking[a], ranking[b] = ranking[b], ranking[a]
        day = [(max(at, 2 * HOUR + 600), session) for at, session in self.usual(n, ranking)]
        evening = 18 * HOUR
        crowd = [(20 * HOUR + self.dice.random() * HOUR, self.session(self.loop.videos[-1]))
                 for _ in range(n // 8)]
        self.measures = True
        self.replay([(at, session) for at, session in day if at < evening])
        self.clock.forward(max(self.midnight + evening - 600 - self.clock.now(), 0))
        released = self.release()
        self.mark("18:00")
        late = [(at, session) for at, session in day if at >= evening]
        for at, session in late:
            if at < 22 * HOUR and self.dice.random() < 1 / 7:
                session.video = released
        peak = [(at, session) for at, session in late + crowd if at < 23 * HOUR]
        self.replay(peak)
        self.mark("23:00")
        self.replay([(at, session) for at, session in late if at >= 23 * HOUR])
        self.mark("24:00")

    def release(self):
        loop = self.loop
        loop.ask("me")  # a new token, if the old one is over
        loop.ada.token = loop.token
        video = loop.publish("the release")
        before = [edge.metric("edge_warm_filled_total") for edge in self.edges]
        loop.ask("plans", "POST", {"video": video, "region": REGION})
        for edge, n in zip(self.edges, before) if self.is_planned else []:
            until(lambda edge=edge, n=n: edge.metric("edge_warm_filled_total") > n and
                  edge.metric("edge_warm_fills") == 0, "the release is filled", 60)
        return video


def ms(times, percent):
    ordered = sorted(times)
    return ordered[min(int(len(ordered) * percent / 100), len(ordered) - 1)] * 1000


def tell(region):
    times = [took for took, _ in region.first]
    share = 1 - region.grown("missed") / region.grown("served")
    print(f"{'with' if region.is_planned else 'without':8} box: {region.grown('served'):.2f} MB served, hits by "
          f"bytes {share:.1%}; fetched as viewers asked {region.grown('missed'):.2f} MB, from 18:00 to 23:00 "
          f"{region.grown('missed', '18:00', '23:00'):.2f} MB; by the plan {region.grown('filled'):.2f} MB; "
          f"the origin sent the region {region.grown('origin'):.2f} MB")
    print(f"{'':8} first segments: {len(times)}, without upstream "
          f"{sum(hit for _, hit in region.first) / len(times):.1%}; first byte mean "
          f"{statistics.mean(times) * 1000:.1f} ms, p50 {ms(times, 50):.1f}, p90 {ms(times, 90):.1f}, "
          f"p99 {ms(times, 99):.1f}")
    if region.is_planned:
        print(f"{'':8} served of what the plan had filled {region.grown('planned'):.2f} MB; yield: "
              f"{region.box.status()['warm']['yield']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=700, help="of a day")
    parser.add_argument("--videos", type=int, default=101)
    parser.add_argument("--away", type=float, default=0.03)
    options = parser.parse_args()
    for is_planned in (False, True):
        began = time.monotonic()
        with Lab() as lab:
            region = Region(lab, options, is_planned)
            region.first_day(options.sessions)
            region.night()
            region.second_day(options.sessions)
            tell(region)
        print(f"{'':8} two days took {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
