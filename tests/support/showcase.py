#!/usr/bin/env python3
"""Shows the whole system on this machine: a clip goes in at the origin and comes
out of an edge that fills itself from a regional node.

usage: showcase.py [--check] [clip]

Without --check it stays until Ctrl-C. With --check it fetches everything twice
through the edge, has FFmpeg read every rendition, and leaves with 0 or 1.
The programs come from $FB_BUILD_DIR.
"""
import argparse
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import delivery_check
from delivery_check import Failed
from lab import BUILD, Lab
from lab_wire import Cut, get
from studio import Refused, Studio

SECONDS = 24
EVERY = "2s"  # views are reported, and trends computed
BAR = 32
TIERS = ("edge", "regional", "origin")
USUAL = (Failed, Refused, AssertionError, OSError, Cut, subprocess.CalledProcessError)


class Progress:
    """One line that fills up on a terminal; elsewhere a line per quarter."""

    def __init__(self, label):
        self.label, self.began, self.told = label, time.monotonic(), -1
        self.terminal = sys.stdout.isatty()
        self(0.0)

    def __call__(self, share):
        percent = int(share * 100)
        step = percent if self.terminal else percent // 25
        if step <= self.told:
            return
        self.told = step
        spent = time.monotonic() - self.began
        if self.terminal:
            full = int(share * BAR)
            print(f"\r  {self.label:<12} [{'#' * full}{'.' * (BAR - full)}] {percent:3d} %"
                  f" {spent:6.1f} s", end="\n" if percent == 100 else "", flush=True)
        else:
            print(f"  {self.label:<12} {percent:3d} % {spent:6.1f} s", flush=True)


def make_clip(folder):
    """Motion, fine detail, sound, and a clock to see that it runs."""
    clip = folder / "clip.mp4"
    print(f"Making a clip of {SECONDS} s", flush=True)
    subprocess.run([
        "ffmpeg", "-v", "error", "-nostdin", "-y",
        "-f", "lavfi", "-i", f"testsrc2=size=1280x720:rate=30:duration={SECONDS}",
        "-f", "lavfi", "-i", f"sine=frequency=330:beep_factor=3:duration={SECONDS}",
        "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p",
        "-c:a", "aac", "-b:a", "128k", "-ac", "2", str(clip)], check=True)
    return clip


def size(n):
    for unit in "B", "kB", "MB", "GB":
        if n < 1000 or unit == "GB":
            return f"{n:.0f} {unit}" if unit == "B" else f"{n:.1f} {unit}"
        n /= 1000
    return None


def table(statuses):
    print(f"\n  {'tier':<10}{'requests':>10}{'hits':>10}{'misses':>10}"
          f"{'served':>12}{'from upstream':>16}")
    for tier in TIERS:
        asked, moved = statuses[tier]["requests"], statuses[tier]["bytes"]
        hits, misses = asked.get("hits"), asked.get("misses")
        is_cache = tier != "origin"
        print(f"  {tier:<10}{asked['total']:>10}{hits if is_cache else '-':>10}"
              f"{misses if is_cache else '-':>10}{size(moved['served']):>12}"
              f"{size(moved['from_upstream']) if is_cache else '-':>16}", flush=True)


class Show:
    def __init__(self, lab, signals):
        print(f"Data and logs are in {lab.dir}", flush=True)
        self.origin, self.regional, self.edge = lab.system(signals=signals)
        for tier in TIERS:
            program = getattr(self, tier)
            print(f"  {tier:<10}{program.url}   admin {program.admin}   pid {program.pid}")

    def statuses(self):
        return {tier: getattr(self, tier).status() for tier in TIERS}

    def publish(self, clip):
        studio, bars = Studio(self.origin.url), {}
        studio.sign_up()

        def progress(step, share):
            if step not in bars:
                bars[step] = Progress(step)
            bars[step](share)

        print(f"Publishing {clip}")
        video = studio.publish(clip, title=clip.stem.replace("-", " ").replace("_", " "),
                               description="Uploaded by the showcase.", progress=progress)
        self.about = f"{studio.api}/videos/{video}"
        self.hls, self.dash = studio.manifest(video), studio.manifest(video, "dash")
        print(f"\n  watch     {self.origin.url}/watch/{video}\n"
              f"  studio    {self.origin.url}/studio\n"
              f"  HLS       {self.hls}\n  DASH      {self.dash}", flush=True)

    def check(self, clip):
        hls, dash = delivery_check.read_manifests(self.hls, self.dash)
        urls = sorted({url for rendition in hls for url in rendition.files})
        print(f"Checking {len(hls)} renditions, {len(urls)} files")
        first = delivery_check.fetch_all(urls, Progress("first pass"))
        before = self.statuses()
        second = delivery_check.fetch_all(urls, Progress("second pass"))
        delivery_check.check_second_pass(first, second, before, self.statuses())
        seconds = delivery_check.clip_seconds(clip)
        n_keys = delivery_check.check_renditions(hls, seconds, Progress("FFmpeg"))
        table(self.statuses())
        total = sum(len(r.body) for r in second.values())
        print(f"\n  The second pass was {len(urls)} hits at the edge ({size(total)}), with no byte"
              f"\n  from upstream. All renditions last {seconds:.2f} s; their {n_keys} key frames"
              " fall together.")

    def shown(self):
        """The tiers, and what the origin and the edge know of viewers."""
        statuses, counts = self.statuses(), get(self.about).json()["counts"]
        views = statuses["edge"]["views"]
        line = (f"  views: {views['views']} at the edge, of {views['sessions']} sessions; "
                f"{counts['views']} at the origin; likes: {counts['likes']}")
        return statuses, line

    def stay(self):
        told = None
        print("\nOpen the watch page in a browser, watch, and see the views move: half of a short"
              "\nvideo, or 10 s, is one, and half an hour later the same viewer's next."
              "\nCtrl-C ends everything.", flush=True)
        while True:
            for tier in TIERS:
                if not getattr(self, tier).is_running():
                    raise Failed(f"{tier} ended by itself")
            statuses, line = self.shown()
            if (statuses["edge"]["requests"], line) != told:  # above it, nodes talk all the time
                told = (statuses["edge"]["requests"], line)
                table(statuses)
                print(line, flush=True)
            time.sleep(2)


def show(arguments, lab):
    # What nodes report and pull would count as requests while it checks who asked for what.
    it = Show(lab, None if arguments.check else EVERY)
    clip = pathlib.Path(arguments.clip).resolve() if arguments.clip else make_clip(lab.dir)
    it.publish(clip)
    if arguments.check:
        it.check(clip)
    else:
        it.stay()


def stop(*_):
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser(prog="./run", description=__doc__.split("\n\n")[0])
    parser.add_argument("clip", nargs="?", help="a video file; one is made when none is given")
    parser.add_argument("--check", action="store_true", help="prove it and leave")
    arguments = parser.parse_args()
    if arguments.clip and not os.access(arguments.clip, os.R_OK):
        parser.error(f"cannot read {arguments.clip}")
    if not (BUILD / "forebay-edge").exists():
        parser.error(f"no programs in {BUILD}: build first, or use ./run")
    for end in signal.SIGINT, signal.SIGTERM:
        signal.signal(end, stop)  # SIGINT too: a shell has its background jobs ignore it
    lab, problem, is_refusal = Lab(tempfile.mkdtemp(prefix="forebay-")), None, False
    try:
        show(arguments, lab)
    except KeyboardInterrupt:
        print("\nEnding", flush=True)
    except USUAL as error:
        problem, is_refusal = f"{error}", isinstance(error, Refused)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        lab.close(failed=problem is not None and not is_refusal)  # a refusal says why itself
    except AssertionError as error:
        problem = str(error)
    if problem:
        print(f"\n./run: {problem}\n  (data and logs are kept in {lab.dir})", file=sys.stderr)
        return 1
    if arguments.check:
        lab.remove()
        print("OK")
    else:
        print(f"All programs have ended cleanly. Data is left in {lab.dir}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
