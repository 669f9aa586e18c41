"""The proof behind `./run --check`: every file of every rendition through the
edge, twice; the second time from the edge alone; and FFmpeg's own reading."""
import base64
import hashlib
import json
import subprocess

from lab_wire import get
from playlists import read_dash, read_hls


class Failed(Exception):
    """A line of the check does not hold."""


def need(condition, sentence):
    if not condition:
        raise Failed(sentence)


def fetch_all(urls, progress):
    """{url: response}; each body is whole and is what its digest says."""
    got = {}
    for n, url in enumerate(urls, 1):
        response = got[url] = get(url)
        need(response.status == 200, f"{url} answered {response.status}")
        need(response.complete, f"{url} was cut")
        told = response.headers.get("Repr-Digest", "")
        have = base64.b64encode(hashlib.sha256(response.body).digest()).decode()
        need(told == f"sha-256=:{have}:", f"{url} has the digest {told!r}, its bytes say {have}")
        progress(n / len(urls))
    return got


def check_lists(hls, dash):
    """HLS and DASH name the same files."""
    from_hls = {url for rendition in hls for url in rendition.files}
    from_dash = {url for rendition in dash for url in rendition.files}
    need(from_hls == from_dash,
         f"HLS and DASH differ: {sorted(from_hls ^ from_dash)[:4]} of {len(from_hls)}")
    for rendition in hls:
        total = sum(rendition.seconds)
        twin = next(d for d in dash if d.init == rendition.init)
        need(abs(total - sum(twin.seconds)) < 0.05,
             f"{rendition.name}: {total:.2f} s in HLS, {sum(twin.seconds):.2f} s in DASH")


def is_hit(response):
    """The member of Cache-Status that the edge added, the last, is a hit."""
    said = response.headers.get("Cache-Status", "").rsplit(",", 1)[-1]
    return "hit" in [parameter.strip() for parameter in said.split(";")[1:]]


def check_second_pass(first, second, before, after):
    for url, response in second.items():
        need(is_hit(response), f"{url} was no hit the second time: "
             f"{response.headers.get('Cache-Status')}")
        need(response.body == first[url].body, f"{url} differs the second time")
    filled = after["edge"]["bytes"]["from_upstream"] - before["edge"]["bytes"]["from_upstream"]
    need(filled == 0, f"the edge fetched {filled} bytes during the second pass")
    for tier in "regional", "origin":
        asked = after[tier]["requests"]["total"] - before[tier]["requests"]["total"]
        sent = after[tier]["bytes"]["served"] - before[tier]["bytes"]["served"]
        need(asked == 0 and sent == 0,
             f"{tier} saw {asked} requests and sent {sent} bytes during the second pass")
    hits = after["edge"]["requests"]["hits"] - before["edge"]["requests"]["hits"]
    need(hits == len(second), f"the edge counted {hits} hits for {len(second)} requests")


def probe(url, *options):
    command = ["ffprobe", "-v", "error", "-of", "json", *options, url]
    done = subprocess.run(command, capture_output=True, text=True)
    need(done.returncode == 0, f"ffprobe cannot read {url}: {done.stderr.strip()[:300]}")
    return json.loads(done.stdout)


def key_frames(url):
    """Times of the key frames, in milliseconds."""
    packets = probe(url, "-select_streams", "v:0", "-show_entries", "packet=pts_time,flags")
    return [round(float(p["pts_time"]) * 1000) for p in packets["packets"] if "K" in p["flags"]]


def check_renditions(hls, seconds, progress):
    """FFmpeg reads each rendition to its end, and their key frames fall together."""
    times = {}
    for n, rendition in enumerate(hls, 1):
        told = float(probe(rendition.playlist, "-show_entries", "format=duration")
                     ["format"]["duration"])
        need(abs(told - seconds) < 0.25,
             f"{rendition.name} lasts {told:.2f} s, the clip {seconds:.2f} s")
        done = subprocess.run(["ffmpeg", "-v", "warning", "-xerror", "-nostdin", "-i",
                               rendition.playlist, "-f", "null", "-"],
                              capture_output=True, text=True)
        need(done.returncode == 0 and not done.stderr.strip(),
             f"ffmpeg on {rendition.name}: {done.stderr.strip()[:300]}")
        if rendition.is_video:
            times[rendition.name] = key_frames(rendition.playlist)
        progress(n / len(hls))
    need(times, "there is no video rendition")
    first_name, first = next(iter(times.items()))
    for name, have in times.items():
        need(len(have) == len(first) and all(abs(a - b) <= 1 for a, b in zip(have, first)),
             f"key frames of {name} and {first_name} differ: {have[:6]} and {first[:6]}")
    return len(first)


def clip_seconds(path):
    return float(probe(str(path), "-show_entries", "format=duration")["format"]["duration"])


def read_manifests(hls_url, dash_url):
    hls, dash = read_hls(hls_url), read_dash(dash_url)
    check_lists(hls, dash)
    return hls, dash
