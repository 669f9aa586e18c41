"""What is chosen by looking and by option: colours, fields, loudness, codecs, rungs."""
import re
import subprocess

import clips
import measure
import pytest
from test_media_clips import FOLDER, transcode
from torture import small

NEAR = 6  # of 255

# What a source says of its colours, and how ffmpeg is told to write them.
TAGS = {
    "pal": "-vf scale=out_color_matrix=bt470,format=yuv420p -colorspace bt470bg",
    "hd": "-vf scale=out_color_matrix=bt709,format=yuv420p -colorspace bt709",
    "small-and-silent": "-vf scale=out_color_matrix=smpte170m,format=yuv420p",
    "wide": "-vf scale=out_color_matrix=bt709,format=yuv444p,zscale=pin=bt709:tin=bt709:min=bt709:"
            "p=bt2020:t=bt709:m=2020_ncl,format=yuv420p -color_primaries bt2020 -color_trc bt709 "
            "-colorspace bt2020nc",
}
PATCHES = {"red": (200, 30, 30), "green": (30, 180, 60), "skin": (220, 170, 140)}


def one_colour(rgb, *arguments):
    def make(_clip, target):
        clips.ffmpeg("-f", "lavfi", "-i", f"color=0x{bytes(rgb).hex()}:s=256x144:r=8:d=0.5,format=gbrp",
                     "-c:v", "libx264", "-preset", "ultrafast", "-crf", "10", *arguments,
                     str(target))
    return make


def middle(folder):
    """The colour in the middle, read as BT.709, which the track must say it is."""
    path = measure.Master(folder).variants[-1][1]
    tags = measure.stream(path)
    assert [tags.get(f"color_{key}") for key in ("space", "transfer", "primaries", "range")] == \
        ["bt709", "bt709", "bt709", "tv"], tags
    raw = measure.output_of("ffmpeg", "-v", "error", "-i", path, "-frames:v", 1, "-f", "rawvideo",
                            "-pix_fmt", "yuv420p", "-", binary=True)
    size = 256 * 144
    luma = (raw[size // 2 + 128] - 16) / 219
    blue, red = ((raw[at + size // 8 + 64] - 128) / 224 for at in (size, size * 5 // 4))
    rgb = (luma + 1.5748 * red, luma - 0.1873 * blue - 0.4681 * red, luma + 1.8556 * blue)
    return [round(min(max(one, 0), 1) * 255) for one in rgb]


@pytest.mark.parametrize("tags", TAGS)
def test_colours_stay_what_they_were(tags, tmp_path):
    for name, rgb in PATCHES.items():
        clip, maker = small(f"colour-{tags}-{name}", "mp4",
                            maker=one_colour(rgb, *TAGS[tags].split()))
        folder = tmp_path / name
        assert "err" not in transcode(clips.make(clip, maker, FOLDER), folder)
        seen = middle(folder)
        assert all(abs(a - b) <= NEAR for a, b in zip(seen, rgb)), (tuple(seen), rgb)


# Signals that stand for 0, 203 and 1000 cd/m2, and where they should come to lie.
@pytest.mark.parametrize("curve,signals", [("smpte2084", (0, 0.581, 0.752)),
                                           ("arib-std-b67", (0, 0.75, 1.0))])
def test_the_light_of_hdr_comes_to_lie_where_a_screen_shows_it(curve, signals, tmp_path):
    for signal, want in zip(signals, (0, 192, 255)):
        def make(_clip, target, signal=signal):
            level = round(64 + signal * 876)
            # Said twice: FFmpeg 5.1 asks the options, 7.1 the pictures.
            clips.ffmpeg("-f", "lavfi", "-i", "color=black:s=256x144:r=8:d=0.5,format=yuv420p10le,"
                         f"lutyuv=y={level}:u=512:v=512,setparams=color_primaries=bt2020:"
                         f"color_trc={curve}:colorspace=bt2020nc", "-c:v", "libx264", "-preset",
                         "ultrafast", "-crf", "5", "-color_primaries", "bt2020", "-color_trc",
                         curve, "-colorspace", "bt2020nc", str(target))
        clip, _ = small(f"light-{curve}-{round(signal * 1000)}", "mp4")
        folder = tmp_path / str(want)
        assert "err" not in transcode(clips.make(clip, make, FOLDER), folder)
        assert all(abs(one - want) <= 8 for one in middle(folder)), (signal, tuple(middle(folder)))


NATURE = "nullsrc=s=64x72:r=50,geq=random(1)*255:128:128,trim=end_frame=1,loop=150:1:0," \
         "scale=720:576:flags=bicubic,scroll=h=0.01,setsar=1"


def fields(chain, rate, *codec):
    def make(_clip, target):
        clips.ffmpeg("-f", "lavfi", "-i", f"{NATURE},{chain}", "-r", rate, "-t", "2.4", *codec,
                     str(target))
    return make


def combs(path):
    """Pictures that look like fields, and those that look whole."""
    said = subprocess.run(["ffmpeg", "-i", str(path), "-vf", "scale=iw:ih,idet", "-f", "null",
                           "-"], capture_output=True, text=True, check=True).stderr
    # A filter that was set up anew has spoken before, of nothing.
    top, bottom, whole = map(int, re.findall(
        r"Multi frame detection: TFF:\s*(\d+) BFF:\s*(\d+) Progressive:\s*(\d+)", said)[-1])
    return top + bottom, whole


def test_combs_under_a_flag_that_denies_them_are_taken_out(tmp_path):
    clip, maker = small("denied-fields", "mp4", maker=fields(
        "interlace=scan=tff:lowpass=off,setfield=prog", "25", "-c:v", "libx264", "-preset",
        "ultrafast", "-crf", "12"))
    source = clips.make(clip, maker, FOLDER)
    assert combs(source)[0] > 40
    assert "err" not in transcode(source, tmp_path / "out", "preset=ultrafast")
    assert combs(measure.Master(tmp_path / "out").variants[0][1])[0] == 0


def loudness(path):
    said = subprocess.run(["ffmpeg", "-i", str(path), "-af", "ebur128=peak=true", "-f", "null",
                           "-"], capture_output=True, text=True, check=True).stderr
    return [float(re.findall(pattern, said)[-1])
            for pattern in (r"I:\s+(-?[\d.]+) LUFS", r"Peak:\s+(-?[\d.]+) dBFS")]


@pytest.mark.parametrize("name,sound", [
    ("quiet", "sine=440:r=44100,volume=0.15"),
    ("loud", "aevalsrc=0.9*sin(2*PI*500*t)|0.9*sin(2*PI*700*t):s=48000"),
    ("peaks", "aevalsrc='0.03*sin(2*PI*500*t)+0.6*sin(2*PI*900*t)*lt(mod(t,1),0.004)':s=48000"),
    ("surround", "aevalsrc='" + "|".join(["0.8*sin(2*PI*600*t)"] * 6) + "':s=48000:c=5.1"),
])
def test_loudness_comes_to_what_it_should_be(name, sound, tmp_path):
    def make(_clip, target):
        clips.ffmpeg("-f", "lavfi", "-i", "color=red:s=64x48:r=8", "-f", "lavfi", "-i", sound, "-t",
                     "4", "-c:v", "libx264", "-c:a", "flac", str(target))
    clip, _ = small(f"loudness-{name}-{len(sound)}", "mkv")
    assert "err" not in transcode(clips.make(clip, make, FOLDER), tmp_path / "out", "loudness=1")
    lufs, peak = loudness(tmp_path / "out" / measure.Master(tmp_path / "out").audios[0]["URI"])
    near = 4 if name == "peaks" else 1  # the limiter takes what they are loud by
    assert lufs == pytest.approx(-16, abs=near) and peak <= -0.9, (lufs, peak)


def test_surround_is_kept_by_option(tmp_path):
    from torture import many_channels
    clip, maker = small("six-channels", "mkv", audio="-c:a flac", maker=many_channels(6, "5.1"))
    assert "err" not in transcode(clips.make(clip, maker, FOLDER), tmp_path / "out", "surround=1")
    audio = measure.Master(tmp_path / "out").audios[0]
    assert audio["CHANNELS"] == "6"
    assert measure.stream(tmp_path / "out" / audio["URI"])["channels"] == 6


def test_hevc_and_av1_stand_beside_h264(tmp_path):
    clip, maker = small("three-codecs", "mp4")
    result = transcode(clips.make(clip, maker, FOLDER), tmp_path / "out", "hevc=1", "av1=1")
    assert "err" not in result, result
    variants = measure.Master(tmp_path / "out").variants
    names = {measure.stream(path)["codec_name"]: one["CODECS"] for one, path in variants}
    assert sorted(names) == ["av1", "h264", "hevc"]
    assert names["hevc"].startswith("hvc1.1.6.L") and names["av1"].startswith("av01.0.0")
    for _, path in variants:
        assert measure.Looks(path, 25).n_frames == 50


def test_slides_get_fewer_rungs_by_option(tmp_path):
    def make(_clip, target):
        clips.ffmpeg("-f", "lavfi", "-i", "color=white:s=640x360:r=10,drawbox=x=90:y=90:w=200:h=60",
                     "-t", "3", "-c:v", "libx264", "-preset", "ultrafast", str(target))
    clip, _ = small("still-slides", "mp4")
    source = clips.make(clip, make, FOLDER)
    rungs = [len(transcode(source, tmp_path / str(on), f"per_title={on}")["renditions"])
             for on in (0, 1)]
    assert rungs[1] < rungs[0] == 3
