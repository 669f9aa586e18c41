#!/usr/bin/env python3
"""GET /api/v1/trending and /feed under load, with so many videos watched in the last days, while a
round is made each second and reports come in. Prints one line a step; tests/bench/trending/run builds."""
import argparse
import base64
import hashlib
import os
import pathlib
import random
import re
import sqlite3
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
os.environ.setdefault("FB_BUILD_DIR", str(ROOT / "build" / "release"))
sys.path.insert(0, str(ROOT / "tests" / "support"))

from catalogue import Person  # noqa: E402
from lab import Lab, get  # noqa: E402
from view_reports import Entry, Node  # noqa: E402

TOKEN = "reports-of-this-bench"
CONFIG = f"trending:\n  every: 1s\nviews:\n  token: {TOKEN}\n"
REGIONS = ["de-south", "de-north", "fr"]


def identity(number):
    digest = hashlib.sha256(str(number).encode()).digest()[:16]
    return base64.b32encode(digest).decode().rstrip("=").lower()


def fill(path, n_videos, now):
    """Videos that were watched within the last three days, the first most of all (Zipf)."""
    rng = random.Random(1)
    db = sqlite3.connect(path)
    user = identity("user")
    db.execute("INSERT INTO users (id, email, password_hash, created_ms) VALUES (?, ?, ?, ?)",
               (user, "a@example.org", "x", now * 1000))
    for number, name in enumerate(REGIONS, 1):
        db.execute("INSERT INTO regions (id, name) VALUES (?, ?)", (number, name))
    db.executemany(
        "INSERT INTO videos (seq, id, owner, title, description, tags, filename, source_bytes, status,"
        " version, duration_ms, created_ms, published_ms) VALUES (?, ?, ?, ?, '', '[]', 'a', 1, 'ready',"
        " '0123456789abcdef', 60000, ?, ?)",
        ((i, identity(i), user, f"Video {i}", now * 1000, now * 1000) for i in range(1, n_videos + 1)))
    columns = [row[1] for row in db.execute("PRAGMA table_info(view_hours)")]
    sums = [name for name in columns if name not in ("video", "hour", "region")]
    values = {"views": 1, "capped": 1, "sessions": 1, "ends": 0.4}
    rows = []
    for i in range(1, n_videos + 1):
        for _ in range(6):
            views = max(1, round(20000 / i * rng.random()))
            rows.append([i, now // 3600 - rng.randrange(1, 72), rng.randrange(1, 4)] +
                        [int(values.get(name, 0) * views) for name in sums])
    db.executemany(f"INSERT OR IGNORE INTO view_hours (video, hour, region, {', '.join(sums)}) VALUES "
                   f"({', '.join('?' * (3 + len(sums)))})", rows)
    db.commit()
    db.close()


def report(origin, node, n_videos, stop):
    """A report of a thousand entries each second."""
    rng = random.Random(2)
    while not stop.wait(1):
        minute = int(time.time()) // 60
        chosen = rng.sample(range(1, n_videos + 1), min(1000, n_videos))
        number = node.report([Entry(identity(i), minute, 3) for i in chosen], int(time.time() * 1000))
        answer = get(origin.url + "/internal/v1/reports", "POST",
                     {"Authorization": f"Bearer {TOKEN}",
                      "Content-Type": "application/vnd.forebay.view-reports"}, node.body(number))
        assert answer.status == 200, answer.body


def load(url, seconds, connections, token=None):
    bearer = ["-H", f"Authorization: Bearer {token}"] if token else []
    done = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", *bearer, url],
                          capture_output=True, text=True, check=True).stdout
    shares = dict(re.findall(r"(\d+)%\s+([\d.]+[a-z]+)", done))
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done)[1]
    bad = re.search(r"Non-2xx[^\d]*(\d+)", done)
    return f"{rate} requests/s, p50 {shares['50']}, p99 {shares['99']}, refused {bad[1] if bad else 0}"


def viewer(origin, n_videos):
    ada = Person(origin, "ada@example.org")
    rng = random.Random(3)
    for i in rng.sample(range(1, n_videos + 1), 20):
        told = ada.post(f"videos/{identity(i)}/watch", {"event": f"e{i}", "watch_ms": 60000, "position_ms": 60000,
                                                        "completed": True, "source": "feed"})
        assert told.status in (200, 201, 204), told.body
    return ada


def rounds(origin):
    text = get(origin.admin + "/metrics").body.decode()
    total, count = (float(re.search(rf'origin_round_seconds_{name}\{{round="trending"\}} ([\d.e+-]+)', text)[1])
                    for name in ("sum", "count"))
    return f"{int(count)} rounds, {1000 * total / max(count, 1):.0f} ms each"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=10000)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--connections", type=int, default=64)
    args = parser.parse_args()
    with Lab() as lab:
        origin = lab.origin(workers=0, extra=CONFIG)
        origin.stop()
        fill(pathlib.Path(origin.dir) / "data" / "origin.db", args.videos, int(time.time()))
        began = time.monotonic()
        origin.start()
        print(f"start with {args.videos} videos: {time.monotonic() - began:.1f} s", flush=True)
        page = get(origin.url + "/api/v1/trending?limit=20")
        assert len(page.json()["videos"]) == 20, page.body[:200]
        print(f"a page of 20: {len(page.body)} bytes")
        stop = threading.Event()
        reporter = threading.Thread(target=report, args=(origin, Node("box", 1), args.videos, stop))
        reporter.start()
        for path in ("trending?limit=20", "trending?region=fr&window=1h&limit=20", "trending?limit=100",
                     "feed?limit=20"):
            print(f"{path}: {load(origin.url + '/api/v1/' + path, args.seconds, args.connections)}",
                  flush=True)
        ada = viewer(origin, args.videos)
        print(f"feed?limit=20 of somebody who has watched 20: "
              f"{load(origin.url + '/api/v1/feed?limit=20', args.seconds, args.connections, ada.token)}")
        stop.set()
        reporter.join()
        print(rounds(origin))
        status = pathlib.Path(f"/proc/{origin.pid}/status").read_text()
        print("memory:", re.search(r"VmHWM:\s+(\d+)", status)[1], "KiB at most")


if __name__ == "__main__":
    main()
