#!/usr/bin/env python3
"""CPU seconds for each minute of output, beside the ffmpeg command. See README.md."""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
# As in origin/media/ladder.c, for up to 30 pictures a second.
MAX_KBIT = {1080: 5000, 720: 2800, 480: 1400, 360: 800, 240: 400, 144: 200}


def options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=pathlib.Path, help="a video of up to 30 pictures a second")
    parser.add_argument("--preset", default="veryfast")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    return parser.parse_args()


def make_source(path, seconds=20):
    """Detail, movement and some grain, at about 15 Mbit/s."""
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i",
         "mandelbrot=s=1920x1080:r=30:start_scale=1:end_scale=0.02:end_pts=900[m];"
         "testsrc2=s=480x270:r=30[t];[m][t]overlay=x=mod(n*7\\,1440):y=mod(n*3\\,810),noise=alls=6:allf=t",
         "-f", "lavfi", "-i", "sine=330:r=48000", "-t", str(seconds), "-pix_fmt", "yuv420p",
         "-c:v", "libx264", "-preset", "veryfast", "-b:v", "15M", "-maxrate", "18M", "-bufsize",
         "18M", "-g", "60", "-c:a", "aac", "-b:a", "160k", str(path)], check=True)


def measure(command):
    """(CPU seconds, wall seconds, peak MB, standard output)."""
    began = os.times().elapsed
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen([str(part) for part in command], stdout=out,
                                 stdin=subprocess.DEVNULL)
        _, status, used = os.wait4(child.pid, 0)
        wall = os.times().elapsed - began
        if os.waitstatus_to_exitcode(status):
            sys.exit(f"failed: {' '.join(map(str, command))}")
        out.seek(0)
        text = out.read().decode()
    return used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024, text


def ours(arguments, source, folder):
    return [arguments.build / "transcode-cli", source, folder, f"threads={arguments.threads}",
            f"preset={arguments.preset}"]


def theirs(arguments, source, folder, renditions):
    """The usual single command: one decode, split, scale, encode, CMAF for HLS."""
    n = len(renditions)
    graph = f"[0:v]fps=30,split={n}" + "".join(f"[s{i}]" for i in range(n))
    command = ["ffmpeg", "-v", "error", "-y", "-i", source]
    outputs, names = [], ["a:0,agroup:sound"]
    for i, one in enumerate(renditions):
        kbit = MAX_KBIT[one["rung"]]
        graph += f";[s{i}]scale={one['width']}:{one['height']}:flags=bicubic,setsar=1[v{i}]"
        outputs += ["-map", f"[v{i}]", f"-maxrate:v:{i}", f"{kbit}k", f"-bufsize:v:{i}",
                    f"{2 * kbit}k"]
        names.append(f"v:{i},agroup:sound")
    return command + ["-filter_complex", graph] + outputs + [
        "-map", "0:a", "-c:v", "libx264", "-preset", arguments.preset, "-profile:v", "high",
        "-crf", "23", "-pix_fmt", "yuv420p", "-threads:v", str(arguments.threads), "-g", "62",
        "-sc_threshold", "0", "-forced-idr", "1", "-force_key_frames", "expr:gte(t,n_forced*2)",
        "-c:a", "aac", "-b:a", "128k", "-ac", "2", "-ar", "48000", "-f", "hls", "-hls_time", "4",
        "-hls_segment_type", "fmp4", "-hls_playlist_type", "vod", "-master_pl_name", "master.m3u8",
        "-var_stream_map", " ".join(names), "-hls_segment_filename", f"{folder}/%v/seg-%05d.m4s",
        f"{folder}/%v/index.m3u8"]


def size_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*.m4s"))


def main():
    arguments = options()
    runs = {"transcode-cli": [], "ffmpeg command": []}
    sizes = {}
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        source = arguments.source or scratch / "source.mp4"
        if not arguments.source:
            make_source(source)
        for _ in range(arguments.rounds):
            for name in runs:
                folder = scratch / "out"
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                command = ours(arguments, source, folder) if name == "transcode-cli" else \
                    theirs(arguments, source, folder, result["renditions"])
                runs[name].append(measure(command))
                sizes[name] = size_of(folder)
                if name == "transcode-cli":
                    result = json.loads(runs[name][-1][3])
    minutes = result["duration_ms"] / 60000
    print(f"{arguments.preset}, {arguments.threads} threads, {len(result['renditions'])} renditions,"
          f" {minutes * 60:.1f} s of {result['width']}x{result['height']}, best of"
          f" {arguments.rounds}")
    print(f"{'':16}{'CPU s/min':>10}{'wall s/min':>12}{'peak MB':>9}{'kbit/s':>8}")
    for name, all_runs in runs.items():
        cpu, wall, peak, _ = min(all_runs)
        print(f"{name:16}{cpu / minutes:10.1f}{wall / minutes:12.1f}{peak:9.0f}"
              f"{sizes[name] * 8 / minutes / 60000:8.0f}")
    ratio = min(runs["transcode-cli"])[0] / min(runs["ffmpeg command"])[0]
    print(f"ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
