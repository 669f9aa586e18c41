#!/usr/bin/env python3
"""What counting views costs: CPU time of a hit of 4 KiB, with and without.

usage: bench.py [--seconds N] [--rounds N]

One edge of one loop on CPU 0 with the views' thread beside it, wrk on CPU 1. Players bear CMCD:
2,000 sessions of 50 videos, as `sid` and `d` in the query. Rounds alternate between an edge
without views, one with them, and the first once more for the noise; CPU time is that of
each thread, by the scheduler's clock, over the requests that wrk had answered. What is printed
is the median of the rounds. The programs come from $FB_BUILD_DIR, which should be a release build.
"""
import argparse
import os
import pathlib
import random
import re
import statistics
import subprocess
import sys
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "support"))
os.environ.setdefault("FB_BUILD_DIR", str(HERE.parents[2] / "build" / "release"))

from lab import Lab, get  # noqa: E402

VIDEOS, SEGMENTS, SESSIONS = 50, 20, 2000
AGENT = "Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) AppleWebKit/538.1 Version/6.0 TV Safari/538.1"
SCRIPT = """
local requests = {}
function init(args)
    for path in io.lines("%s") do
        requests[#requests + 1] = wrk.format("GET", path, {["User-Agent"] = "%s"})
    end
    math.randomseed(7)
end
function request() return requests[math.random(#requests)] end
"""


def path(video, segment):
    return f"/media/vid{video}/r1/v/720p/seg-{segment:05}.m4s"


def players(folder):
    """A script of wrk: requests as players make them."""
    chance = random.Random(7)
    lines = []
    for session in range(SESSIONS):
        sid = "%08x-c457-11e9-bb97-0800200c9a66" % chance.getrandbits(32)
        said = urllib.parse.quote(f'bl=21300,br=3200,d=4004,mtp=25400,ot=v,sf=h,sid="{sid}",st=v,tb=6000')
        for segment in range(SEGMENTS):
            lines.append(f"{path(session % VIDEOS, segment)}?CMCD={said}\n")
    (folder / "paths").write_text("".join(lines))
    script = folder / "players.lua"
    script.write_text(SCRIPT % (folder / "paths", AGENT))
    return script


def threads(pid):
    """Nanoseconds of CPU that each thread has had, by its name."""
    spent = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        name = (task / "comm").read_text().strip()
        spent[name] = spent.get(name, 0) + int((task / "schedstat").read_text().split()[0])
    return spent


def measure(edge, script, seconds):
    """(ns of the loop, ns of the views' thread) for each request, and requests a second."""
    before = threads(edge.pid)
    out = subprocess.run(["taskset", "-c", "1", "wrk", "-t1", "-c32", f"-d{seconds}s", "-s", script,
                          edge.url], capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in out and "Socket errors" not in out, out
    n = int(re.search(r"(\d+) requests in", out)[1])
    after = threads(edge.pid)
    spent = {name: after[name] - before.get(name, 0) for name in after}
    return spent["edge-0"] / n, spent.get("views", 0) / n, n / seconds


def start(lab, origin, name, extra):
    edge = lab.edge([origin.url], name=name, workers=1, extra=extra)
    for task in pathlib.Path(f"/proc/{edge.pid}/task").iterdir():
        subprocess.run(["taskset", "-cp", "0", task.name], check=True, capture_output=True)
    for video in range(VIDEOS):
        for segment in range(SEGMENTS):
            assert get(edge.url + path(video, segment)).status == 200
    return edge


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with Lab() as lab:
        origin = lab.scripted_origin()
        for video in range(VIDEOS):
            for segment in range(SEGMENTS):
                origin.put(path(video, segment), os.urandom(4096))
        script = players(lab.dir)
        edges = [("without", start(lab, origin, "without", "")),
                 ("with", start(lab, origin, "with", "views: {enabled: true, starts: 0}\n")),
                 ("without, again", start(lab, origin, "again", ""))]
        found = {name: [] for name, _ in edges}
        for _ in range(arguments.rounds):
            for name, edge in edges:
                found[name].append(measure(edge, script, arguments.seconds))
        middle = {name: [statistics.median(part) for part in zip(*rounds)]
                  for name, rounds in found.items()}
        print(f"{'views':16} {'loop, ns/hit':>12} {'thread, ns/hit':>14} {'hits/s':>8}")
        for name, (loop, thread, rate) in middle.items():
            print(f"{name:16} {loop:12.0f} {thread:14.0f} {rate:8.0f}")
        more = statistics.median(on[0] - off[0] for on, off in zip(found["with"], found["without"]))
        noise = statistics.median(b[0] - a[0] for a, b in zip(found["without"], found["without, again"]))
        said = edges[1][1].status()["views"]
        print(f"on the loop: {more:+.0f} ns a hit (noise {noise:+.0f}); the thread: "
              f"{1e9 / middle['with'][1]:.0f} requests a second and core; "
              f"{said['sessions']} sessions, {said['dropped']} requests dropped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
