#!/usr/bin/env python3
"""CPU seconds for each minute of output beside the ffmpeg command, wall time by workers. See README.md."""
import argparse
import json
import os
import pathlib
import queue
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parents[3]
HOUR_IN_S = 600  # the aim: an hour of video in ten minutes


def options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=pathlib.Path, help="a video of up to 30 pictures a second")
    parser.add_argument("--seconds", type=int, default=40, help="of the source that is made")
    parser.add_argument("--preset", default="veryfast")
    parser.add_argument("--threads", type=int, default=1, help="of each of our encoders")
    parser.add_argument("--their-threads", type=int, default=os.cpu_count(), help="of ffmpeg's")
    parser.add_argument("--chunk-ms", type=int, default=8000, help="where wall time is measured")
    parser.add_argument("--workers", type=int, default=2, help="measured from 1 up to so many")
    parser.add_argument("--rounds", type=int, default=5, help="of both side by side")
    parser.add_argument("--wall-rounds", type=int, default=2, help="for each number of workers")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    return parser.parse_args()


def make_source(path, seconds):
    """Detail, movement and some grain, at about 15 Mbit/s."""
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i",
         f"mandelbrot=s=1920x1080:r=30:start_scale=1:end_scale=0.02:end_pts={30 * seconds}[m];"
         "testsrc2=s=480x270:r=30[t];[m][t]overlay=x=mod(n*7\\,1440):y=mod(n*3\\,810),"
         "noise=alls=6:allf=t", "-f", "lavfi", "-i", "sine=330:r=48000", "-t", str(seconds),
         "-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "veryfast", "-b:v", "15M", "-maxrate",
         "18M", "-bufsize", "18M", "-g", "60", "-c:a", "aac", "-b:a", "160k", str(path)], check=True)


class Used:
    """What processes took, added up; of memory the most that one had."""

    def __init__(self):
        self.cpu, self.peak_mb, self.wall = 0.0, 0.0, 0.0
        self.lock = threading.Lock()

    def run(self, command, text="", core=None):
        with tempfile.TemporaryFile() as out:
            child = subprocess.Popen(
                [str(part) for part in command], stdin=subprocess.PIPE, stdout=out,
                preexec_fn=None if core is None else lambda: os.sched_setaffinity(0, {core}))
            child.stdin.write(text.encode())
            child.stdin.close()
            _, status, used = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            said = out.read().decode()
        if child.returncode:
            sys.exit(f"failed: {' '.join(map(str, command))}")
        cpu = used.ru_utime + used.ru_stime
        with self.lock:
            self.cpu += cpu
            self.peak_mb = max(self.peak_mb, used.ru_maxrss / 1024)
        return said, cpu


class Job:
    """One video through the steps, each by a forebay-transcode of its own, as workers do it."""

    def __init__(self, arguments, source, folder, chunk_ms):
        self.arguments, self.source, self.folder = arguments, source, folder
        self.used = Used()
        self.steps = {}  # CPU seconds of each kind
        self.request = json.dumps({"preset": arguments.preset, "chunk_ms": chunk_ms})
        self.recipe = ""

    def do(self, kind, index=0, inputs=(), core=None):
        output = self.folder / f"{kind}-{index}"
        (output / "inputs").mkdir(parents=True)
        for i, part in enumerate(inputs):
            (output / "inputs" / str(i)).write_text(part)
        order = {"output": str(output), "kind": kind, "pass": 0, "index": index,
                 "n_threads": self.arguments.threads, "source": str(self.source),
                 "inputs": str(output / "inputs"), "n_inputs": len(inputs),
                 "request": self.request, "recipe": self.recipe, "key": {"scheme": "clear"}}
        said, cpu = self.used.run([self.arguments.build / "forebay-transcode"], json.dumps(order),
                                  core)
        with self.used.lock:
            self.steps[kind] = self.steps.get(kind, 0.0) + cpu
        end = json.loads(said.splitlines()[-1])
        if end.get("end") != "ok":
            sys.exit(f"{kind} {index}: {end}")
        return (output / "told.json").read_text()

    def run(self, cores):
        """By as many workers as there are `cores`, each on its own, as if on a machine of its own."""
        began = os.times().elapsed
        self.recipe = self.do("prepare", core=cores[0])
        tasks, parts = queue.Queue(), queue.Queue()
        for i in range(len(json.loads(self.recipe)["chunks"])):
            tasks.put(("chunk", i))
        tasks.put(("sound", 0))

        def work(core):
            while True:
                try:
                    kind, index = tasks.get_nowait()
                except queue.Empty:
                    return
                parts.put(self.do(kind, index, core=core))

        workers = [threading.Thread(target=work, args=(core,)) for core in cores]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        result = json.loads(self.do("finish", inputs=list(parts.queue), core=cores[0]))
        self.used.wall = os.times().elapsed - began
        return result


def theirs(arguments, source, folder, recipe):
    """The usual single command: one decode, split, scale, encode, CMAF for HLS."""
    rungs = json.loads(recipe)["rungs"]
    graph = f"[0:v]fps=30,split={len(rungs)}" + "".join(f"[s{i}]" for i in range(len(rungs)))
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y", "-i", source]
    outputs, names = [], ["a:0,agroup:sound"]
    for i, one in enumerate(rungs):
        graph += f";[s{i}]scale={one['width']}:{one['height']}:flags=bicubic,setsar=1[v{i}]"
        outputs += ["-map", f"[v{i}]", f"-maxrate:v:{i}", str(one["max_rate"]), f"-bufsize:v:{i}",
                    str(one["buffer"]), f"-crf:v:{i}", str(one["crf"])]
        names.append(f"v:{i},agroup:sound")
    return command + ["-filter_complex", graph] + outputs + [
        "-map", "0:a", "-c:v", "libx264", "-preset", arguments.preset, "-profile:v", "high",
        "-pix_fmt", "yuv420p", "-threads:v", str(arguments.their_threads), "-g", "62",
        "-sc_threshold", "0", "-forced-idr", "1", "-force_key_frames", "expr:gte(t,n_forced*2)",
        "-c:a", "aac", "-b:a", "128k", "-ac", "2", "-ar", "48000", "-f", "hls", "-hls_time", "4",
        "-hls_segment_type", "fmp4", "-hls_playlist_type", "vod", "-master_pl_name", "master.m3u8",
        "-var_stream_map", " ".join(names), "-hls_segment_filename", f"{folder}/%v/seg-%05d.m4s",
        f"{folder}/%v/index.m3u8"]


def size_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*.m4s"))


def row(name, cpu, wall, peak_mb, size, minutes):
    print(f"{name:28}{cpu / minutes:10.1f}{wall / minutes:12.1f}{peak_mb:9.0f}"
          f"{size * 8 / minutes / 60000:8.0f}", flush=True)


def fresh(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def side_by_side(arguments, source, scratch, recipe):
    """One round: both at the same time, so that what else the machine does hits both alike."""
    job = Job(arguments, source, fresh(scratch / "ours"), 60000)
    folder, used = fresh(scratch / "theirs"), Used()

    def run_theirs():
        began = os.times().elapsed
        used.run(theirs(arguments, source, folder, recipe))
        used.wall = os.times().elapsed - began

    other = threading.Thread(target=run_theirs)
    other.start()
    job.run([None])
    other.join()
    return job, used, size_of(job.folder), size_of(folder)


def compare(arguments, source, scratch, recipe, minutes):
    rounds = []
    for number in range(arguments.rounds):
        rounds.append(side_by_side(arguments, source, scratch, recipe))
        job, used = rounds[-1][:2]
        print(f"round {number + 1}: {job.used.cpu:.1f} s and {used.cpu:.1f} s,"
              f" ratio {job.used.cpu / used.cpu:.3f}", flush=True)

    def median(of):
        return statistics.median(of(*one) for one in rounds)

    print(f"{'medians':28}{'CPU s/min':>10}{'wall s/min':>12}{'peak MB':>9}{'kbit/s':>8}")
    row(f"steps, {arguments.threads} threads", median(lambda o, t, a, b: o.used.cpu),
        median(lambda o, t, a, b: o.used.wall), median(lambda o, t, a, b: o.used.peak_mb),
        median(lambda o, t, a, b: a), minutes)
    row(f"ffmpeg, {arguments.their_threads} threads", median(lambda o, t, a, b: t.cpu),
        median(lambda o, t, a, b: t.wall), median(lambda o, t, a, b: t.peak_mb),
        median(lambda o, t, a, b: b), minutes)
    cpu = median(lambda o, t, a, b: o.used.cpu)
    once = median(lambda o, t, a, b: o.steps["prepare"])
    print(f"CPU ratio {median(lambda o, t, a, b: o.used.cpu / t.cpu):.3f}; without the look at the"
          f" source ({once:.1f} s, whatever its length)"
          f" {median(lambda o, t, a, b: (o.used.cpu - o.steps['prepare']) / t.cpu):.3f}")
    print(f"an hour in ten minutes needs {cpu / minutes * 60 / HOUR_IN_S:.1f} cores")


def count_workers(arguments, source, scratch, minutes):
    """Wall time by number of workers, the least of the rounds."""
    walls = []
    for n in range(1, arguments.workers + 1):
        jobs = []
        for _ in range(arguments.wall_rounds):
            jobs.append(Job(arguments, source, fresh(scratch / "ours"), arguments.chunk_ms))
            jobs[-1].run(list(range(n)))
        used = min((job.used for job in jobs), key=lambda one: one.wall)
        walls.append(used.wall)
        row(f"{n} worker(s), a core each", used.cpu, used.wall, used.peak_mb,
            size_of(scratch / "ours"), minutes)
    print("wall by workers: " + ", ".join(f"{n + 1}: {walls[0] / wall:.2f} x"
                                          for n, wall in enumerate(walls)))


def main():
    arguments = options()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        source = arguments.source or scratch / "source.mp4"
        if not arguments.source:
            make_source(source, arguments.seconds)
        recipe = Job(arguments, source, fresh(scratch / "first"), 60000).do("prepare")
        facts = json.loads(recipe)
        minutes = facts["duration_ms"] / 60000
        print(f"{arguments.preset}, {len(facts['rungs'])} renditions, {minutes * 60:.1f} s of"
              f" {facts['width']}x{facts['height']}", flush=True)
        if arguments.rounds:
            compare(arguments, source, scratch, recipe, minutes)
        if arguments.wall_rounds:
            count_workers(arguments, source, scratch, minutes)


if __name__ == "__main__":
    main()
