"""Small clips of all that creators' programs and cameras have ever written.

As in clips.py: four coloured quarters, a flash with a tone in the first tenth of
each second from 1 on. They are as small as their codec allows, so that a hundred of
them take no longer than a few large ones.
"""
import dataclasses
import os
import random
import struct

import clips
from clips import Clip, ffmpeg, picture, plain, tone

X264 = "-c:v libx264 -preset ultrafast -crf 24 -g 30 -bf 2"
RUNG = ((256, 144),)
HOUR_S = int(os.environ.get("FB_LONG_S", "180"))  # 3600 for the hour that it stands for


def small(name, suffix, video=X264, audio="-c:a aac -ac 2", maker=plain, **more):
    return Clip(name, suffix=suffix, video=video, audio=audio,
                **{"size": "256x144", "seconds": 2, "rungs": RUNG, "rate": "25", "fps": 25,
                   **more, "tracks": 0 if audio is None else more.get("tracks", 1)}), maker


# ---- makers -------------------------------------------------------------------


def edited(edit, **changes):
    """A clip whose bytes are changed once it is written."""
    def make(clip, target):
        plain(dataclasses.replace(clip, **changes), target)
        data = bytearray(target.read_bytes())
        target.write_bytes(edit(data))
    return make


def cut(share, **changes):
    return edited(lambda data: data[:int(len(data) * share)], **changes)


def box(data, kind):
    """Where the content of the first box of this kind begins."""
    return data.index(kind.encode()) + 4


def put(data, at, fmt, *values):
    struct.pack_into(">" + fmt, data, at, *values)
    return data


def turned(a, b, c, d):
    """The matrix of tkhd: version 0, so 40 bytes behind its flags."""
    def edit(data):
        at = box(data, "tkhd") + 40
        one = 1 << 16
        return put(data, at, "9i", a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)
    return edited(edit)


def joined(*parts):
    """Broadcasts one after the other: clocks, sizes and channels change between."""
    def make(clip, target):
        pieces = []
        for i, changes in enumerate(parts):
            piece = target.with_suffix(f".{i}.ts")
            plain(dataclasses.replace(clip, **changes), piece)
            pieces.append(piece.read_bytes())
            piece.unlink()
        target.write_bytes(b"".join(pieces))
    return make


def extra(*arguments, inputs=()):
    """The plain clip with other streams beside."""
    def make(clip, target):
        base = target.with_suffix(".base.mkv")
        plain(clip, base)
        ffmpeg("-i", str(base), *inputs, *arguments, str(target))
        base.unlink()
    return make


def late_picture(clip, target):
    """Sound from 0, picture from 1.5 s on."""
    ffmpeg("-itsoffset", "1.5", "-f", "lavfi", "-i", f"{picture(clip)},trim=start=1.5,"
           "setpts=PTS-STARTPTS", "-f", "lavfi", "-i", tone(clip), "-map", "0", "-map", "1",
           "-t", str(clip.seconds), *clip.video.split(), *clip.audio.split(), str(target))


def holed_sound(clip, target):
    """Nothing is written of the sound between 1.3 and 2.7 s."""
    ffmpeg("-f", "lavfi", "-i", picture(clip), "-f", "lavfi", "-i", tone(clip), "-map", "0",
           "-map", "1", "-af", "aselect='lt(t,1.3)+gt(t,2.7)'", "-t", str(clip.seconds),
           *clip.video.split(), *clip.audio.split(), str(target))


def many_channels(n, layout=None):
    def make(clip, target):
        one = f"0.3*sin(2*PI*1000*t)*{clips.FLASH}"
        layout_text = f":c={layout}" if layout else ""
        ffmpeg("-f", "lavfi", "-i", picture(clip), "-f", "lavfi", "-i",
               f"aevalsrc='{'|'.join([one] * n)}':s=48000{layout_text}", "-map", "0", "-map", "1",
               "-t", str(clip.seconds), *clip.video.split(), *clip.audio.split(), str(target))
    return make


def two_pictures(clip, target):
    """The larger one is the film."""
    ffmpeg("-f", "lavfi", "-i", "color=gray:s=64x48:r=25", "-f", "lavfi", "-i", picture(clip),
           "-f", "lavfi", "-i", tone(clip), "-map", "0", "-map", "1", "-map", "2",
           "-t", str(clip.seconds), *clip.video.split(), *clip.audio.split(), str(target))


def slides(clip, target):
    """One slide and a silent room; at each full minute a flash and a tone for half a second.
    A picture is written where something changes."""
    flash = "gte(t,1)*lt(mod(t,60),0.5)"
    ffmpeg("-f", "lavfi", "-i", f"color=teal:s={clip.size}:r=8,"
           f"drawbox=c=white:t=fill:enable='{flash}',mpdecimate", "-f", "lavfi", "-i",
           f"sine=1000:r=8000:samples_per_frame=1000,volume=4:enable='{flash}',"
           f"volume=0:enable='not({flash})'",
           "-map", "0", "-map", "1", "-t", str(clip.seconds), "-fps_mode", "vfr",
           *clip.video.split(), *clip.audio.split(), str(target))


def huge(clip, target):
    """Cheap to make: nothing in it moves."""
    ffmpeg("-f", "lavfi", "-i", f"color=red:s={clip.size}:r={clip.rate}", "-frames:v", "3",
           *clip.video.split(), str(target))


def written(content):
    def make(_clip, target):
        target.write_bytes(content)
    return make


def noise(n):
    return random.Random(n).randbytes(n)


# ---- hostile headers ------------------------------------------------------------


def deep(_clip, target):
    """Boxes in boxes, 20,000 deep."""
    n = 20000
    inner = b""
    head = struct.pack(">I4s4sI4s", 20, b"ftyp", b"isom", 0, b"isom")
    target.write_bytes(head + b"".join(
        struct.pack(">I4s", 8 * (n - i), b"moov" if i == 0 else b"trak" if i % 2 else b"mdia")
        for i in range(n)) + inner)


def many_boxes(_clip, target):
    head = struct.pack(">I4s4sI4s", 20, b"ftyp", b"isom", 0, b"isom")
    target.write_bytes(head + struct.pack(">I4s", 8, b"free") * 50000)


def field(kind, offset, fmt, value):
    """A number behind the flags of a full box."""
    return edited(lambda data: put(data, box(data, kind) + 4 + offset, fmt, value))


# ---- what plays -------------------------------------------------------------------

PCM = "-c:a pcm_s16le"

CODECS = [
    small("h264-opus", "mkv", audio="-c:a libopus"),
    small("h264-pcm-24", "mov", audio="-c:a pcm_s24le"),
    small("h264-alac", "mov", audio="-c:a alac"),
    small("h264-flv", "flv"),
    small("h264-in-avi", "avi", audio="-c:a libmp3lame", slack=0.025),  # what an encoder primes
    small("h264-ac3", "ts", audio="-c:a ac3"),
    small("h264-eac3", "mp4", audio="-c:a eac3"),
    small("h264-latm", "ts", audio="-c:a aac -ac 2", more="-mpegts_flags latm"),
    small("h264-3gp", "3gp", audio="-c:a aac -ac 1 -ar 16000"),
    small("h264-fragments", "mp4", more="-movflags frag_keyframe+empty_moov+default_base_moof",
          lasts=2.08, slack=0.06),  # without an edit list, the order of B pictures shows
    small("h264-stream", "h264", audio=None, sync=False),
    small("h264-truehd", "mkv", audio="-strict -2 -c:a truehd"),
    small("h264-dts", "mkv", audio="-strict -2 -c:a dca"),
    small("h264-flac-96k", "mkv", audio="-c:a flac -ar 96000"),
    small("hevc-10-flac", "mkv", "-c:v libx265 -preset ultrafast -pix_fmt yuv420p10le "
          "-x265-params log-level=none", "-c:a flac"),
    small("hevc-stream", "hevc", "-c:v libx265 -preset ultrafast -x265-params log-level=none",
          None, sync=False),
    small("av1", "mp4", "-c:v libaom-av1 -cpu-used 8 -usage realtime -b:v 300k"),
    small("av1-webm", "webm", "-c:v libaom-av1 -cpu-used 8 -usage realtime -b:v 300k",
          "-c:a libopus"),
    small("vp8", "webm", "-c:v libvpx -pix_fmt yuv420p -deadline realtime -cpu-used 8 -b:v 400k", "-c:a libvorbis"),
    small("vp8-ivf", "ivf", "-c:v libvpx -pix_fmt yuv420p -deadline realtime -cpu-used 8 -b:v 400k", None,
          sync=False),
    small("vp9-mp4", "mp4", "-c:v libvpx-vp9 -pix_fmt yuv420p -deadline realtime -cpu-used 8 -b:v 400k"),
    small("mpeg4-mp4", "mp4", "-c:v mpeg4 -q:v 4 -bf 1", "-c:a libmp3lame"),
    small("msmpeg4", "avi", "-c:v msmpeg4 -q:v 4", "-c:a adpcm_ms"),
    small("wmv2", "asf", "-c:v wmv2 -q:v 4", "-c:a wmav2"),
    small("wmv1", "wmv", "-c:v wmv1 -q:v 4", "-c:a wmav1"),
    small("mpeg2-ts", "ts", "-c:v mpeg2video -q:v 4 -bf 2", "-c:a mp2"),
    small("mpeg2-mxf", "mxf", "-c:v mpeg2video -q:v 4", "-c:a pcm_s16le -ar 48000"),
    small("mpeg1", "mpg", "-c:v mpeg1video -q:v 4", "-c:a mp2"),
    small("theora", "ogv", "-c:v libtheora -q:v 7", "-c:a libvorbis"),
    small("flv1", "flv", "-c:v flv -q:v 4", "-c:a libmp3lame -ar 44100"),
    small("flashsv", "flv", "-c:v flashsv", "-c:a pcm_s16le -ar 44100"),
    small("mjpeg-avi", "avi", "-c:v mjpeg -q:v 4", "-c:a pcm_u8"),
    small("dnxhd", "mov", "-c:v dnxhd -profile:v dnxhr_lb", "-c:a pcm_s16be"),
    small("dv", "avi", "-c:v dvvideo -s 720x576 -pix_fmt yuv420p", PCM, size="720x576",
          filters="setsar=16/15", seconds=1.4,
          rungs=((640, 480), (480, 360), (320, 240), (192, 144))),
    small("ffv1", "mkv", "-c:v ffv1", "-c:a pcm_f32le"),
    small("huffyuv", "avi", "-c:v huffyuv", "-c:a adpcm_ima_wav"),
    small("utvideo", "avi", "-c:v utvideo", "-c:a pcm_alaw"),
    small("raw", "nut", "-c:v rawvideo -pix_fmt yuv420p", PCM),
    small("v210", "mov", "-c:v v210", "-c:a pcm_mulaw"),
    small("cfhd", "mov", "-c:v cfhd", PCM),
    small("svq1", "mov", "-c:v svq1", "-c:a adpcm_ima_qt"),
    small("zmbv", "avi", "-c:v zmbv", PCM),
    small("cinepak", "mov", "-c:v cinepak", PCM, size="64x48", rungs=((64, 48),)),
    small("h263", "3gp", "-c:v h263 -q:v 4", "-c:a aac -ac 1 -ar 8000", size="176x144",
          rungs=((176, 144),)),
    small("gif", "gif", "-c:v gif", None, sync=False),
    small("png", "mov", "-c:v png -pix_fmt rgba", PCM),
    small("prores-4444", "mov", "-c:v prores_ks -profile:v 4444 -pix_fmt yuva444p10le", PCM),
]

ODDITIES = [
    small("4-2-2-10", "mp4", X264 + " -pix_fmt yuv422p10le"),
    small("grey", "mp4", X264, filters="format=gray", has_colours=False),
    small("full-range", "mp4", X264 + " -pix_fmt yuvj420p"),
    small("mirrored", "mp4", maker=turned(-1, 0, 0, 1)),
    small("head-over", "mp4", maker=turned(1, 0, 0, -1)),
    small("turned-and-mirrored", "mp4", size="144x256", maker=turned(0, 1, 1, 0)),
    small("turned-back-and-mirrored", "mp4", size="144x256", maker=turned(0, -1, -1, 0)),
    small("upright", "mp4", size="144x256", rungs=((144, 256),)),
    small("narrow-pixels", "mkv", size="512x144", filters="setsar=1/2"),
    small("sides-of-primes", "mkv", X264 + " -pix_fmt yuv444p", filters="scale=257:149,setsar=1",
          rungs=((248, 144),)),
    small("ribbon", "mkv", size="1024x32", rungs=((1024, 32),), has_colours=False),
    small("240-fps", "mp4", rate="240", fps=60, seconds=1.4),
    small("12.5-fps", "avi", "-c:v mpeg4 -q:v 4", PCM, rate="12.5", fps=12.5,
          slack=0.04),  # no picture begins at 1 s
    small("1-fps", "mp4", rate="1", fps=8, seconds=3, sync=False),
    small("8k", "mkv", "-c:v mjpeg -q:v 20 -pix_fmt yuvj420p", None, maker=huge, size="7680x4320",
          rate="8", fps=8, seconds=3 / 8, sync=False, has_colours=False, rungs=(
              (1920, 1080), (1280, 720), (854, 480), (640, 360), (426, 240), (256, 144))),
    small("picture-comes-late", "mkv", maker=late_picture, seconds=3.2, has_colours=False,
          after=1.6),
    small("hole-in-the-sound", "mkv", maker=holed_sound, seconds=3.5, after=2.8),
    small("cover-beside", "mp4", maker=extra(
        "-map", "0", "-map", "1", "-c", "copy", "-c:v:1", "mjpeg", "-disposition:v:1",
        "attached_pic", inputs=("-f", "lavfi", "-i", "color=pink:s=600x600:d=0.04:r=25"))),
    small("text-and-data-beside", "mp4", maker=extra(
        "-map", "0", "-map", "1", "-c", "copy", "-c:s", "mov_text", "-timecode", "01:00:00:00",
        inputs=("-f", "srt", "-i", "data:text/plain,1%0A00:00:00,000 --> 00:00:01,000%0AHi%0A"))),
    small("two-pictures", "mkv", maker=two_pictures),
    small("clock-set-anew", "ts", maker=joined({}, {}), lasts=4, partial=None, after=2.6,
          slack=0.02),  # half a picture: the new clock need not fall on the old one's grid
    small("channels-change", "ts", maker=joined(
        {"audio": "-c:a ac3 -ac 2"}, {"audio": "-c:a ac3 -ac 6"},
        {"audio": "-c:a ac3 -ac 1 -ar 44100"}), lasts=6, partial=None, after=4.6,
          slack=0.02),
    small("proportions-change", "ts", maker=joined(
        {"filters": "setsar=3/4"}, {"filters": "setsar=1"}), lasts=4, partial=None,
          rungs=((192, 144),), has_colours=False, after=2.6, slack=0.02),
    small("7-1", "mkv", audio="-c:a pcm_s16le", maker=many_channels(8, "7.1")),
    small("ten-channels", "mov", audio="-c:a pcm_s16le", maker=many_channels(10)),
    small("three-tracks", "mkv", maker=extra(
        "-map", "0", "-map", "0:a", "-map", "0:a", "-c", "copy", "-metadata:s:a:1",
        "language=jpn", "-metadata:s:a:2", "language=xx-weird"), tracks=3),
    small("hour", "mp4", X264, "-c:a aac -ac 1 -b:a 8k", maker=slides, size="64x48",
          rungs=((64, 48),), seconds=HOUR_S, fps=8, has_colours=False, after=HOUR_S - 60.5),
    small("duration-lies-upward", "mp4", maker=field("mvhd", 12, "I", 36000000), partial=None),
    small("duration-lies-for-years", "mp4", maker=field("mvhd", 12, "I", 0xFFFFFFF0),
          partial=None),
    small("duration-is-nothing", "mp4", maker=field("mvhd", 12, "I", 0), partial=None),
    small("cut-mkv", "mkv", maker=cut(0.6), lasts=1.2, partial=True, sync=False),
    small("cut-ts", "ts", maker=cut(0.6), lasts=1.2, partial=None, sync=False),
    small("cut-avi", "avi", "-c:v mpeg4 -q:v 4", PCM, maker=cut(0.6), lasts=1.2, partial=None,
          sync=False),
    small("cut-flv", "flv", maker=cut(0.6), lasts=1.2, partial=None, sync=False),
    small("cut-ogg", "ogv", "-c:v libtheora -q:v 7", "-c:a libvorbis", maker=cut(0.9), lasts=1.8,
          partial=None, sync=False),
    small("cut-mpg", "mpg", "-c:v mpeg1video -q:v 4", "-c:a mp2", maker=cut(0.6), lasts=1.5,
          partial=None, sync=False),
    small("cut-fragments", "mp4", more="-movflags frag_keyframe+empty_moov+default_base_moof",
          maker=cut(0.8), lasts=1.4, partial=None, sync=False),
    small("cut-near-the-end", "mp4", more="-movflags +faststart", maker=cut(0.97), partial=None,
          sync=False),
]

# ---- what fails, in words ---------------------------------------------------------

FAILURES = [
    small("one-byte", "mp4", maker=written(b"\0"), fails=("UNSUPPORTED", "not a video")),
    small("noise", "mp4", maker=written(noise(100000)), fails=("UNSUPPORTED", "not a video")),
    small("page", "html", maker=written(b"<!doctype html><title>404</title>" * 50),
          fails=("UNSUPPORTED", "not a video")),
    small("archive", "zip", maker=written(b"PK\3\4" + noise(4000)),
          fails=("UNSUPPORTED", "not a video")),
    small("photo", "jpg", "-c:v mjpeg -frames:v 1 -update 1", None,
          fails=("UNSUPPORTED", "not a video")),
    small("concat-script", "txt", maker=written(b"ffconcat version 1.0\nfile '/etc/passwd'\n"),
          fails=("UNSUPPORTED", "not a video")),
    small("wav", "wav", maker=lambda clip, target: ffmpeg(
        "-f", "lavfi", "-i", "sine=d=1", str(target)), fails=("UNSUPPORTED", "only sound")),
    small("head-alone", "mp4", maker=cut(0.002), fails=("CORRUPT", "ends in the middle")),
    small("index-cut", "mp4", more="-movflags +faststart", maker=cut(0.02),
          fails=("CORRUPT", "ends in the middle")),
    small("index-not-reached", "mov", maker=cut(0.5), fails=("CORRUPT", "ends in the middle")),
    small("mkv-head-alone", "mkv", maker=cut(0.01), fails=("CORRUPT|UNSUPPORTED", ".")),
    small("boxes-in-boxes", "mp4", maker=deep, fails=("CORRUPT|UNSUPPORTED", ".")),
    small("boxes-without-end", "mp4", maker=many_boxes, fails=("CORRUPT|UNSUPPORTED", ".")),
    small("no-samples", "mp4", audio=None, maker=field("stsz", 4, "I", 0),
          fails=("CORRUPT", "picture|damaged")),
    small("samples-without-number", "mp4", audio=None, maker=field("stsz", 4, "I", 0xFFFFFFFF),
          fails=("CORRUPT|UNSUPPORTED", ".")),
    small("samples-elsewhere", "mp4", audio=None, maker=field("stco", 4, "I", 0x7FFFFFFF),
          fails=("CORRUPT", "picture|damaged")),
    small("too-wide", "mp4", audio=None, maker=edited(
        lambda data: put(put(data, box(data, "avc1") + 24, "HH", 65535, 65535),
                         data.index(b"avcC") + 12, "Q", 0)), fails=("CORRUPT|LIMIT", ".")),
]
