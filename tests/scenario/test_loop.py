"""The loop of signals through all programs: what players watch at two edges is counted at the origin
once, trends, and is planned for the region; and edges do without the rest for a month."""
import random
import re
import subprocess

from lab import BUILD, until
from lab_loop import REGION, SEGMENT_BYTES, Loop, Session

TWO_MINUTES = 120


def crowd(loop, chance, n):
    """Sessions of all sorts at both edges."""
    sessions = [Session(chance.choice(loop.videos), edge=chance.randrange(2),
                        segments=chance.choice((2, 3, 4, 6)), is_bot=chance.random() < 0.1,
                        rendition=chance.choice(("360p", "720p")),
                        has_beacons=chance.random() < 0.3) for _ in range(n)]
    first = Session(loop.videos[0], edge=0)
    other = Session(first.video, edge=1, viewer=first.viewer)
    again = Session(first.video, edge=0, viewer=first.viewer)
    return [*sessions, first, other, again]


def is_hit(answer):
    return "; hit" in answer.headers["Cache-Status"].split(", ")[-1]


def preset_s(program, section, key):
    """As the program prints it."""
    text = subprocess.run([BUILD / program.binary, "--config", program.config_path, "--print-config"],
                          check=True, capture_output=True, text=True, cwd=program.dir).stdout
    found = re.search(rf"^{section}:\n(?:  .*\n)*?  {key}: (\d+)s", text, re.M)
    assert found, text
    return int(found[1])


def test_what_is_watched_is_counted_once_whoever_is_killed(lab):
    loop = Loop(lab, videos=2)
    chance = random.Random(11)
    nodes = [*loop.edges, loop.regional, loop.origin]
    for n_killed in (1, 2, 3, 4):
        loop.watch(crowd(loop, chance, 8))
        loop.settle()
        loop.ledger.forget()
        loop.kill(*chance.sample(nodes, n_killed))
        loop.clock.forward(1800)
    until(loop.is_told, "the origin has counted what was watched", 60)
    for node in (*loop.edges, loop.regional):
        until(lambda node=node: loop.is_empty(node), "nothing is left")
    assert loop.is_told(), loop.differs


def test_what_is_watched_suddenly_trends_within_two_minutes(lab):
    loop = Loop(lab, videos=3)
    steady, sudden, quiet = loop.videos
    loop.watch([Session(steady, edge=n % 2) for n in range(6)] + [Session(quiet)])
    loop.settle()
    until(lambda: loop.trending()[:1] == [steady], "what is watched trends")
    began = loop.clock.now()
    loop.watch([Session(sudden, edge=n % 2) for n in range(12)])
    loop.clock.forward(20)
    for query in ("", "?window=1h", f"?region={REGION}"):
        until(lambda query=query: loop.trending(query)[:1] == [sudden], f"it is the first of {query}")
    took = loop.clock.now() - began
    for program, section in ((loop.edges[0], "reports"), (loop.regional, "reports"),
                             (loop.origin, "trending")):
        every = re.compile("  every: 100ms\n")
        program.config_path.write_text(every.sub("", program.config_path.read_text()))
        took += preset_s(program, section, "every")
    assert took <= TWO_MINUTES


def test_a_month_without_upstreams_is_served_counted_and_told_of_once(lab):
    loop = Loop(lab, access=True, volumes=[("volume", "64MiB")], spool="  max: 16MiB\n")
    video = loop.videos[0]
    whole = [Session(video, edge=edge, segments=8, rendition=rendition)
             for edge in range(2) for rendition in ("360p", "720p")]
    loop.watch(whole)
    loop.settle()
    until(loop.is_told, "the way is open")
    loop.regional.stop()
    loop.origin.stop()
    for day in range(30):
        loop.clock.forward(12 * 3600)
        sessions = [Session(video, edge=0, segments=8, has_beacons=True),
                    Session(video, edge=1, rendition="720p"), Session(video, edge=day % 2, segments=2)]
        assert all(is_hit(answer) for answer in loop.watch(sessions)), f"day {day}"
        loop.settle()
        loop.ledger.forget()
        path = loop.segment(sessions[0], 1)
        forged = loop.signature(video).replace("kid=k1", "kid=k9")
        for session, edge in zip(sessions, loop.edges):
            assert loop.exchange(session, path + "?" + forged).status == 403
            assert loop.exchange(session, path).status == 403
            assert sum(file.stat().st_size for file in (edge.dir / "state").iterdir()) < 17 << 20
        if day == 15:
            loop.kill(*loop.edges)
        loop.clock.forward(12 * 3600)
    assert not any(loop.is_empty(edge) for edge in loop.edges)
    loop.origin.start()
    loop.regional.start()
    loop.kill(*loop.edges)  # who would wait long for those who were gone so long
    until(loop.is_told, "all of it is told", 60)
    for node in (*loop.edges, loop.regional):
        until(lambda node=node: loop.is_empty(node), "nothing is left")
    assert loop.is_told(), loop.differs


def test_what_was_watched_here_is_planned_for_there_and_a_hit(lab):
    loop = Loop(lab, videos=2, window=3, volumes=[("volume", "64MiB")])
    watched, other = loop.videos
    loop.watch([Session(watched, segments=6) for _ in range(8)])
    loop.settle()
    until(loop.is_told, "the demand is told")
    loop.origin.stop()
    loop.origin.start()  # plans are made at once then
    here, there = loop.edges
    until(lambda: there.status()["warm"]["plan"], "there is a plan", 30)
    plan = loop.ask(f"plans/{REGION}?limit=100")
    paths = [entry["path"] for entry in plan["first"]]
    assert paths and all(watched in path for path in paths)
    until(lambda: there.status()["warm"]["state"] == "window", "the window is closed")
    assert there.status()["warm"]["filled"]["objects"] == 0

    loop.clock.forward(loop.opens + 60 - loop.clock.now())
    until(lambda: there.status()["warm"]["filled"]["objects"] == len(paths), "the plan is filled", 30)
    loop.origin.stop()
    loop.regional.stop()
    answers = loop.watch([Session(watched, edge=1, segments=6)])
    assert all(is_hit(answer) for answer in answers)
    loop.settle()
    loop.origin.start()
    loop.regional.start()
    loop.kill(there)
    until(loop.is_told, "that it was watched is told", 60)
    until(lambda: loop.totals()["plan_served"] >= 6 * SEGMENT_BYTES, "and that the plan was worth it")
    totals = loop.totals()
    assert totals["plan_filled"] >= sum(entry["size"] for entry in plan["first"])
