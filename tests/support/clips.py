"""Clips of every kind that creators send, made by the ffmpeg command.

Each clip shows four coloured quarters (so that turning and mirroring show), a
moving pattern, and in the first tenth of every second from 1 on a white flash
with a 1 kHz tone (so that lip-sync can be measured). Clips are made once and
kept in the build folder, under a name that holds their recipe's hash.
"""
import dataclasses
import hashlib
import os
import pathlib
import re
import subprocess

FLASH = "gte(t,1)*lt(mod(t,1),0.1)"


@dataclasses.dataclass
class Clip:
    name: str
    suffix: str = "mp4"
    size: str = "426x240"
    rate: str = "30"
    seconds: float = 5
    filters: str = ""                 # after the test picture
    video: str = "-c:v libx264 -preset ultrafast -crf 24 -g 60 -bf 2"
    audio: str | None = "-c:a aac -ac 2 -ar 48000"
    more: str = ""                    # options before the output's name
    tone_from: float = 0              # where sound begins and how long it is
    tone_seconds: float | None = None
    # What must come of it.
    rungs: tuple = ((426, 240), (256, 144))
    fps: float = 30
    lasts: float | None = None        # when not `seconds`
    tracks: int = 1                   # of audio
    partial: bool | None = False      # None: either
    fails: tuple | None = None        # (code, words of the sentence)
    sync: bool = True                 # flash and tone are there to compare
    has_colours: bool = True          # so are the quarters
    after: float = 0.5                # where to begin to look for flash and tone
    slack: float = 0                  # how far apart those may stand beside the usual

    @property
    def expected_seconds(self):
        return self.seconds if self.lasts is None else self.lasts


def ffmpeg(*arguments):
    done = subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", *arguments],
                          capture_output=True, text=True)
    assert done.returncode == 0, f"ffmpeg {' '.join(arguments)}\n{done.stderr}"


def ffmpeg_major():
    text = subprocess.run(["ffmpeg", "-version"], capture_output=True, text=True).stdout
    return int(re.search(r"version n?(\d+)", text)[1])


def picture(clip):
    """Quarters red, green, blue, yellow; a pattern in the middle; the flash."""
    quarters = ("drawbox=x=iw/2:w=iw/2:h=ih/2:c=green:t=fill,drawbox=y=ih/2:w=iw/2:h=ih/2:c=blue:"
                "t=fill,drawbox=x=iw/2:y=ih/2:w=iw/2:h=ih/2:c=yellow:t=fill")
    width, height = (int(part) for part in clip.size.split("x"))
    middle = f"{max(width // 4 // 2 * 2, 16)}x{max(height // 4 // 2 * 2, 16)}"
    source = (f"color=red:s={clip.size}:r={clip.rate},{quarters}[a];"
              f"testsrc2=s={middle}:r={clip.rate}[b];[a][b]overlay=(W-w)/2:(H-h)/2,"
              f"drawbox=c=white:t=fill:enable='{FLASH}'")
    return source + ("," + clip.filters if clip.filters else "")


def tone(clip):
    return f"aevalsrc='0.5*sin(2*PI*1000*t)*{FLASH}':s=48000"


def plain(clip, target):
    """The usual recipe; the others start from it."""
    # Video first, as cameras write it. A late tone keeps its place in time.
    inputs = ["-f", "lavfi", "-i", picture(clip)]
    outputs = ["-map", "0:v", *clip.video.split()]
    if clip.audio is not None:
        sound = tone(clip)
        if clip.tone_from:
            sound += f",atrim=start={clip.tone_from}"
        seconds = clip.tone_seconds if clip.tone_seconds is not None else clip.seconds
        inputs += ["-itsoffset", str(clip.tone_from), "-t", str(seconds), "-f", "lavfi", "-i", sound]
        outputs += ["-map", "1:a", *clip.audio.split()]
        if clip.tone_seconds is None:
            outputs += ["-t", str(clip.seconds)]
    if "-t" not in outputs:
        inputs = ["-t", str(clip.seconds), *inputs]
    ffmpeg(*inputs, *outputs, *clip.more.split(), str(target))


def rotated(angle):
    def make(clip, target):
        upright = target.with_suffix(".upright.mp4")
        plain(clip, upright)
        if ffmpeg_major() >= 6:
            ffmpeg("-display_rotation", str(-angle), "-i", str(upright), "-c", "copy", str(target))
        else:
            ffmpeg("-i", str(upright), "-c", "copy", "-metadata:s:v:0", f"rotate={angle}",
                   str(target))
        upright.unlink()
    return make


def two_tracks(clip, target):
    ffmpeg("-t", str(clip.seconds), "-f", "lavfi", "-i", picture(clip),
           "-t", str(clip.seconds), "-f", "lavfi", "-i", tone(clip),
           "-t", str(clip.seconds), "-f", "lavfi", "-i", "sine=300:r=44100",
           "-map", "0:v", "-map", "1:a", "-map", "2:a", *clip.video.split(), "-c:a", "aac",
           "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=ger",
           "-metadata:s:a:1", "title=Kommentar \"1\" <&>", str(target))


def cut(share, faststart):
    def make(clip, target):
        whole = target.with_suffix(".whole.mp4")
        plain(dataclasses.replace(clip, more="-movflags +faststart" if faststart else ""), whole)
        data = whole.read_bytes()
        target.write_bytes(data[:int(len(data) * share)])
        whole.unlink()
    return make


def damaged(clip, target):
    """A run of bytes in the middle is overwritten."""
    plain(clip, target)
    data = bytearray(target.read_bytes())
    middle = len(data) // 2
    data[middle:middle + 600] = bytes(600)
    target.write_bytes(data)


def nonsense(clip, target):
    """An index that is right, over content that is not."""
    plain(dataclasses.replace(clip, more="-movflags +faststart"), target)
    data = bytearray(target.read_bytes())
    at = data.index(b"mdat") + 4
    data[at:] = hashlib.shake_256(b"nonsense").digest(len(data) - at)
    target.write_bytes(data)


def grows(clip, target):
    """A broadcast that changes its size halfway."""
    halves = []
    for i, size in enumerate(("320x180", clip.size)):
        half = target.with_suffix(f".{i}.ts")
        plain(dataclasses.replace(clip, size=size, seconds=clip.seconds / 2), half)
        halves.append(half)
    target.write_bytes(b"".join(half.read_bytes() for half in halves))
    for half in halves:
        half.unlink()


def written(content):
    def make(_clip, target):
        target.write_bytes(content)
    return make


def only_sound(clip, target):
    ffmpeg("-t", str(clip.seconds), "-f", "lavfi", "-i", tone(clip), "-c:a", "aac", str(target))


def song_with_cover(clip, target):
    ffmpeg("-t", "2", "-f", "lavfi", "-i", tone(clip), "-f", "lavfi", "-i",
           "testsrc2=s=320x320:r=1:d=1", "-map", "0", "-map", "1", "-c:a", "libmp3lame",
           "-c:v", "mjpeg", "-frames:v", "1", "-disposition:v", "attached_pic", str(target))


def make(clip, maker, folder):
    """The file of a clip, made unless it is there."""
    sources = {__file__, maker.__code__.co_filename}
    recipe = repr((clip, maker.__qualname__,
                   [pathlib.Path(path).read_bytes() for path in sorted(sources)]))
    digest = hashlib.sha256(recipe.encode()).hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{clip.name}-{digest}.{clip.suffix}"
    if not target.exists():
        for stale in folder.glob(f"{clip.name}-????????????.{clip.suffix}"):
            stale.unlink()
        draft = folder / f"draft-{os.getpid()}-{clip.name}.{clip.suffix}"
        maker(clip, draft)
        draft.rename(target)
    return target


UPRIGHT = ((240, 426), (144, 256))

CLIPS = [
    (Clip("landscape", size="640x360", seconds=9, rungs=((640, 360), (426, 240), (256, 144))), plain),
    (Clip("full-hd", size="1920x1080", seconds=2, rungs=(
        (1920, 1080), (1280, 720), (854, 480), (640, 360), (426, 240), (256, 144))), plain),
    (Clip("portrait", size="240x426", rungs=UPRIGHT), plain),
    (Clip("rotated-90", rungs=UPRIGHT), rotated(90)),
    (Clip("rotated-180"), rotated(180)),
    (Clip("rotated-270", rungs=UPRIGHT), rotated(270)),
    (Clip("odd-size", suffix="mkv", size="640x360", filters="scale=641:359,setsar=1,format=yuv444p", rungs=((640, 358), (428, 240), (258, 144))), plain),
    (Clip("wide-pixels", size="352x288", filters="setsar=16/11", rungs=(
        (426, 240), (256, 144))), plain),
    (Clip("variable-rate", suffix="mkv", rate="60", fps=60, video="-c:v libx264 -preset ultrafast "
          "-fps_mode passthrough", seconds=7,
          filters="select='not(mod(n,5))+gt(random(1),0.6)+lt(mod(t,1),0.12)'"), plain),
    (Clip("ntsc", rate="30000/1001", fps=29.97, seconds=9), plain),
    (Clip("film", rate="24000/1001", fps=23.976, seconds=9), plain),
    (Clip("60-fps", rate="60", fps=60), plain),
    (Clip("120-fps", rate="120", fps=60, seconds=3), plain),
    (Clip("8-fps", rate="8", fps=8, seconds=7), plain),
    (Clip("10-bit", filters="format=yuv420p10le"), plain),
    (Clip("4-4-4", filters="format=yuv444p"), plain),
    (Clip("hdr", filters="format=yuv420p10le,setparams=color_primaries=bt2020:color_trc=smpte2084:"
          "colorspace=bt2020nc", video="-c:v libx264 -preset ultrafast -color_trc "
          "smpte2084 -color_primaries bt2020 -colorspace bt2020nc", seconds=2, sync=False, has_colours=False), plain),
    (Clip("full-range-mjpeg", suffix="mov", video="-c:v mjpeg -q:v 4 -pix_fmt yuvj422p",
          audio="-c:a pcm_s16le", seconds=3), plain),
    (Clip("screen-rgb", suffix="mov", video="-c:v qtrle", seconds=2), plain),
    (Clip("prores", suffix="mov", video="-c:v prores_ks -profile:v 0", audio="-c:a pcm_s24le",
          seconds=2), plain),
    (Clip("no-audio", audio=None, tracks=0, sync=False), plain),
    (Clip("mono-22k", audio="-c:a aac -ac 1 -ar 22050"), plain),
    (Clip("5-1", audio="-c:a ac3 -ac 6"), plain),
    (Clip("two-languages", suffix="mkv", tracks=2), two_tracks),
    (Clip("one-second", seconds=1, sync=False), plain),
    (Clip("just-over-a-segment", seconds=8.1), plain),
    (Clip("one-picture", rate="1", fps=8, seconds=1, audio=None, tracks=0, sync=False), plain),
    (Clip("tiny", size="64x48", rungs=((64, 48),)), plain),
    (Clip("late-start", suffix="ts", more="-output_ts_offset 2.78"), plain),
    (Clip("late-sound", tone_from=1.5, tone_seconds=3.5, suffix="mkv"), plain),
    (Clip("long-sound", tone_seconds=6.5, lasts=6.5), plain),
    (Clip("short-sound", tone_seconds=2.5), plain),
    (Clip("interlaced", size="720x576", rate="50", fps=25, filters="interlace,setsar=16/15",
          video="-c:v mpeg2video -q:v 4 -flags +ildct+ilme", suffix="mpg", audio="-c:a mp2",
          rungs=((640, 480), (480, 360), (320, 240), (192, 144)), seconds=4), plain),
    (Clip("avi", suffix="avi", video="-c:v mpeg4 -q:v 5", audio="-c:a libmp3lame"), plain),
    (Clip("webm", suffix="webm", video="-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 1M",
          audio="-c:a libopus", seconds=4), plain),
    (Clip("hevc", video="-c:v libx265 -preset ultrafast -x265-params log-level=none -tag:v hvc1",
          seconds=3), plain),
    (Clip("changes-size", suffix="ts", seconds=6, rungs=((256, 144),), partial=True, sync=False,
          has_colours=False), grows),
    (Clip("damaged", partial=True, sync=False, has_colours=False), damaged),
    (Clip("cut-faststart", seconds=9, lasts=4.5, partial=True, has_colours=False), cut(0.5, True)),
    (Clip("cut-index-missing", seconds=9, fails=("CORRUPT", "ends in the middle")),
     cut(0.9, False)),
    (Clip("nonsense-inside", fails=("CORRUPT", "damaged|no picture")), nonsense),
    (Clip("empty", fails=("UNSUPPORTED", "empty")), written(b"")),
    (Clip("text", fails=("UNSUPPORTED", "not a video")), written(b"Dear diary,\n" * 500)),
    (Clip("playlist", fails=("UNSUPPORTED", "not a video")),
     written(b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n/etc/passwd\n#EXT-X-ENDLIST\n")),
    (Clip("sound-only", suffix="m4a", fails=("UNSUPPORTED", "no picture, only sound")),
     only_sound),
    (Clip("song-with-cover", suffix="mp3", fails=("UNSUPPORTED", "no picture, only sound")),
     song_with_cover),
]
