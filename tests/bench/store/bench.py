#!/usr/bin/env python3
"""What reads and writes of a volume cost here and with fio, side by side.

usage: bench.py [--seconds N] [--rounds N] [--size MIB] [--folder PATH]

Every contender reads and writes the same file with the same pattern: the same
block size, so many requests in flight, direct I/O, one thread pinned to CPU 0.
fio takes no times of its own (gtod_reduce), which is its cheapest way, and its
memory is what malloc gives it: compare it with our small pages. Rounds
alternate; what is printed is the median of the rounds. CPU time is user and
system time of the process while it transfers. The programs come from
$FB_BUILD_DIR, which should be a release build.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("FB_BUILD_DIR", HERE.parents[2] / "build" / "release"))
CPU = "0"
KIB, MIB = 1024, 1024 * 1024
# what, verb, order, bytes per request, requests in flight
CASES = [
    ("read 4 KiB", "read", "random", 4 * KIB, 32),
    ("read 64 KiB", "read", "random", 64 * KIB, 16),
    ("read 1 MiB", "read", "random", MIB, 8),
    ("write 64 KiB", "write", "sequential", 64 * KIB, 16),
    ("write 1 MiB", "write", "sequential", MIB, 8),
]


def run_json(*command):
    out = subprocess.run(["taskset", "-c", CPU, *map(str, command)], capture_output=True, text=True,
                         timeout=600)
    if out.returncode != 0:
        sys.exit(f"{command[0]}: {out.stderr.strip()}")
    return json.loads(out.stdout)


class Fio:
    name = "fio"

    def run(self, path, seconds, case):
        _, verb, order, size, depth = case
        order = {"random": "rand", "sequential": ""}[order]
        job = run_json("fio", "--name=bench", f"--filename={path}", "--ioengine=io_uring",
                       "--direct=1", f"--rw={order}{verb}", f"--bs={size}", f"--iodepth={depth}",
                       f"--runtime={seconds}", "--time_based", "--gtod_reduce=1", "--thread",
                       f"--size={path.stat().st_size}", "--output-format=json")["jobs"][0]
        took = job["job_runtime"] / 1000
        return {"ios": job[verb]["total_ios"], "bytes": job[verb]["io_bytes"], "seconds": took,
                "cpu_seconds": (job["usr_cpu"] + job["sys_cpu"]) / 100 * took}


class Queue:
    """fb_disk_queue alone, without a store around it; memory out of huge or small pages."""

    def __init__(self, way, pages):
        self.name, self.way, self.pages = f"{way}, {pages}", way, pages

    def run(self, path, seconds, case):
        _, verb, order, size, depth = case
        out = run_json(BUILD / "disk-bench", path, verb, order, size, depth, seconds, self.way,
                       self.pages)
        assert out["ring"] == (self.way == "ring"), "io_uring is denied here"
        return out


class Volume:
    """Extents of one object each through a volume: index, heads, checksums, zones; 32 reads at a
    time. Tells too how long reads take alone, and while zones are written and reclaimed at
    full rate."""
    name = "volume"

    def __init__(self):
        self.waits = {}  # bytes of an object: the last run's parts

    def run(self, path, seconds, case):
        _, verb, _, size, _ = case
        out = run_json(BUILD / "forebay-edge", "store", "bench", "--json", "--object", size, "--size",
                       path.stat().st_size, "--seconds", seconds, path.parent / "store")
        self.waits[size] = out
        part = out[verb]
        return {"ios": part[f"{verb}s"], "seconds": part["seconds"],
                "bytes": part["read_bytes" if verb == "read" else "written_bytes"],
                "cpu_seconds": part["cpu_seconds"]}

    def report(self):
        print(f"\n{'reads of':<14}{'':<14}{'p50 ms':>10}{'p99 ms':>10}{'GB/s':>8}{'written GB/s':>14}")
        for size, out in self.waits.items():
            for label, part in (("alone", out["read"]), ("under full-rate fill", out["both"])):
                print(f"{size // KIB:>6} KiB  {label:<22}{part['p50_us'] / 1000:>7.2f}"
                      f"{part['p99_us'] / 1000:>10.2f}"
                      f"{part['read_bytes'] / part['seconds'] / 1e9:>8.2f}"
                      f"{part['written_bytes'] / part['seconds'] / 1e9:>14.2f}")


def measure(contenders, path, arguments):
    rounds = {(case[0], one.name): [] for case in CASES for one in contenders}
    for case in CASES:
        for _ in range(arguments.rounds):
            for one in contenders:
                got = one.run(path, arguments.seconds, case)
                rounds[case[0], one.name].append(
                    {"rate": got["ios"] / got["seconds"], "gb": got["bytes"] / got["seconds"] / 1e9,
                     "us": got["cpu_seconds"] / got["ios"] * 1e6,
                     "s_gb": got["cpu_seconds"] / (got["bytes"] / 1e9)})
    return {key: {what: statistics.median(one[what] for one in many) for what in many[0]}
            for key, many in rounds.items()}


def report(contenders, medians, arguments):
    print(f"a file of {arguments.size} MiB, one core, median of {arguments.rounds} rounds of "
          f"{arguments.seconds} s\n")
    print(f"{'pattern':<14}{'by':<14}{'per second':>12}{'GB/s':>8}{'CPU us each':>13}"
          f"{'CPU s/GB':>10}{'of fio':>8}")
    for case in CASES:
        base = medians[case[0], contenders[0].name]["us"]
        for one in contenders:
            got = medians[case[0], one.name]
            print(f"{case[0]:<14}{one.name:<14}{got['rate']:>12.0f}{got['gb']:>8.2f}"
                  f"{got['us']:>13.2f}{got['s_gb']:>10.3f}{got['us'] / base:>8.2f}")


def make_file(path, size):
    """Written through: what was only reserved would be read without a disk."""
    with open(path, "wb") as file:
        for _ in range(size):
            file.write(os.urandom(MIB))
        file.flush()
        os.fsync(file.fileno())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=1024, help="of the file, MiB")
    parser.add_argument("--folder", help="where the file is made; on the disk in question")
    arguments = parser.parse_args()
    volume = Volume()
    contenders = [Fio(), Queue("ring", "huge"), Queue("ring", "small"), Queue("pool", "huge"),
                  volume]
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        path = pathlib.Path(folder) / "volume"
        make_file(path, arguments.size)
        report(contenders, measure(contenders, path, arguments), arguments)
        volume.report()
    return 0


if __name__ == "__main__":
    sys.exit(main())
