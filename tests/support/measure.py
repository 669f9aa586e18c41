"""What a folder of segments really holds, measured with FFmpeg's tools."""
import array
import hashlib
import json
import pathlib
import re
import subprocess
import xml.etree.ElementTree as ElementTree

MPD = "{urn:mpeg:dash:schema:mpd:2011}"


def output_of(*command, binary=False):
    """Its standard output; nothing may be said on standard error."""
    done = subprocess.run([str(part) for part in command], capture_output=True)
    said = done.stderr.decode(errors="replace")
    assert done.returncode == 0 and not said, f"{' '.join(map(str, command))}\n{said}"
    return done.stdout if binary else done.stdout.decode()


def attributes(text):
    pairs = re.findall(r'([A-Z0-9-]+)=("[^"]*"|[^,]*)', text)
    return {key: value.strip('"') for key, value in pairs}


class Media:
    """A media playlist: segments as (seconds, path)."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        text = self.path.read_text()
        assert text.startswith("#EXTM3U\n") and text.endswith("#EXT-X-ENDLIST\n")
        self.target = int(re.search(r"TARGETDURATION:(\d+)", text)[1])
        self.init = self.path.parent / re.search(r'MAP:URI="([^"]+)"', text)[1]
        self.segments = [(float(seconds), self.path.parent / name)
                         for seconds, name in re.findall(r"#EXTINF:([\d.]+),\n(\S+)", text)]

    @property
    def seconds(self):
        return sum(seconds for seconds, _ in self.segments)

    def starts(self):
        at = 0.0
        for seconds, _ in self.segments:
            yield at
            at += seconds

    def probe(self):
        """Decodes everything, silently. Gives the stream's fields, "nb_read_frames"
        among them, and (pts in seconds, is_key) of all packets in order of pts."""
        text = output_of("ffprobe", "-v", "error", "-count_frames", "-show_entries",
                         "stream:packet=pts_time,flags", "-of", "json", self.path)
        found = json.loads(text)
        packets = sorted((float(one["pts_time"]), "K" in one["flags"])
                         for one in found["packets"])
        assert len(found["streams"]) == 1
        return found["streams"][0], packets

    def peak_rate(self):
        """Bits a second of the heaviest segment, as it lies on the disk."""
        return max(path.stat().st_size * 8 / seconds for seconds, path in self.segments)


class Master:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        text = (self.folder / "master.m3u8").read_text()
        self.variants = [(attributes(line), self.folder / uri)
                         for line, uri in re.findall(r"#EXT-X-STREAM-INF:(.*)\n(\S+)", text)]
        self.audios = [attributes(line) for line in re.findall(r"#EXT-X-MEDIA:(.*)\n", text)]


def stream(path):
    text = output_of("ffprobe", "-v", "error", "-show_streams", "-of", "json", path)
    streams = json.loads(text)["streams"]
    assert len(streams) == 1
    return streams[0]


def colour_names(raw):
    """The four quarters of an 8 x 8 picture, as names of their colours."""
    names = []
    for x, y in ((1, 1), (6, 1), (1, 6), (6, 6)):
        red, green, blue = raw[(y * 8 + x) * 3:][:3]
        high = max(red, green, blue) / 2
        names.append({(True, False, False): "red", (False, True, False): "green",
                      (False, False, True): "blue", (True, True, False): "yellow"}.get(
                          (red > high, green > high, blue > high), f"{red},{green},{blue}"))
    return names


def colours(path):
    """Those of the first picture."""
    return colour_names(output_of(
        "ffmpeg", "-v", "error", "-i", path, "-frames:v", 1, "-vf",
        "scale=8:8:flags=area,format=rgb24", "-f", "rawvideo", "-", binary=True))


class Looks:
    """All pictures of a track, each as 8 x 8 pixels: decoded once."""

    def __init__(self, path, fps):
        self.fps = fps
        raw = output_of("ffmpeg", "-v", "error", "-i", path, "-map", "0:v:0", "-vf",
                        "scale=8:8:flags=area,format=rgb24", "-f", "rawvideo", "-fps_mode",
                        "passthrough", "-", binary=True)
        self.frames = [raw[at:at + 192] for at in range(0, len(raw), 192)]

    @property
    def n_frames(self):
        return len(self.frames)

    @property
    def colours(self):
        return colour_names(self.frames[0])

    def first_flash(self, after=0.5):
        """Seconds until the picture turns white."""
        return next(n / self.fps for n, frame in enumerate(self.frames)
                    if n / self.fps > after and sum(frame) > 160 * 192)


class Sound:
    """All samples of a track, as one channel: decoded once."""

    def __init__(self, path, rate=48000):
        self.rate = rate
        self.samples = array.array("h", output_of(
            "ffmpeg", "-v", "error", "-i", path, "-map", "0:a:0", "-ac", 1, "-ar", rate, "-f",
            "s16le", "-", binary=True))

    @property
    def seconds(self):
        return len(self.samples) / self.rate

    def first_tone(self, after=0.5):
        return next(n / self.rate for n in range(int(after * self.rate), len(self.samples))
                    if abs(self.samples[n]) > 2500)


def first_flash(path, fps, after=0.5):
    """Seconds until the picture turns white."""
    raw = output_of("ffmpeg", "-v", "error", "-i", path, "-map", "0:v:0", "-vf",
                    "scale=1:1:flags=area,format=gray", "-f", "rawvideo", "-fps_mode", "passthrough",
                    "-", binary=True)
    return next(n / fps for n, value in enumerate(raw) if n / fps > after and value > 190)


def first_tone(path, after=0.5):
    raw = output_of("ffmpeg", "-v", "error", "-i", path, "-map", "0:a:0", "-ac", 1, "-ar", 48000,
                    "-f", "s16le", "-", binary=True)
    samples = array.array("h", raw)
    return next(n / 48000 for n in range(int(after * 48000), len(samples))
                if abs(samples[n]) > 2500)


def timelines(folder):
    """The manifest's sets of sound and picture: (attributes, ids, seconds of each segment)."""
    root = ElementTree.parse(pathlib.Path(folder) / "manifest.mpd").getroot()
    assert root.get("type") == "static"
    for one in root.iter(MPD + "AdaptationSet"):
        if one.get("contentType") not in ("audio", "video"):
            continue
        template = one.find(MPD + "SegmentTemplate")
        scale = int(template.get("timescale"))
        seconds = [int(s.get("d")) / scale for s in template.iter(MPD + "S")
                   for _ in range(int(s.get("r", 0)) + 1)]
        yield one.attrib, [r.get("id") for r in one.iter(MPD + "Representation")], seconds


def check_publish_list(folder):
    """publish.json names every other file, with its size and hash."""
    folder = pathlib.Path(folder)
    listed = json.loads((folder / "publish.json").read_text())["files"]
    for one in listed:
        data = (folder / one["path"]).read_bytes()
        assert len(data) == one["size"], one
        assert hashlib.sha256(data).hexdigest() == one["sha256"], one
        is_manifest = one["path"].endswith((".m3u8", ".mpd"))
        assert one["cache"] == ("manifest" if is_manifest else "immutable"), one
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert found == sorted([one["path"] for one in listed] + ["publish.json"])
