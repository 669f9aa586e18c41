"""A source cut into chunks gives what it gives in one: places, times, sound, and no seam."""
import json
import os
import re
import subprocess

import clips
import measure
import pytest
from lab import BUILD, SANITIZER, SANITIZER_ENV

CLI = BUILD / "transcode-cli"
FOLDER = BUILD / "clips"
SEGMENT_MS = 1000
CHUNK_MS = 2000
WHOLE_MS = 3600000


def transcode(source, folder, *options):
    folder.mkdir()
    done = subprocess.run([str(CLI), str(source), str(folder), "threads=1",
                           f"segment_ms={SEGMENT_MS}", *options], capture_output=True, text=True,
                          env={**os.environ, **SANITIZER_ENV})
    assert not SANITIZER.search(done.stderr), done.stderr
    result = json.loads(done.stdout)
    assert "err" not in result, result
    return result


def joined(folder, track):
    """One track as a file that the ffmpeg command reads."""
    path = folder / track / "whole.mp4"
    pieces = [folder / track / "init.mp4", *sorted((folder / track).glob("seg-*.m4s"))]
    path.write_bytes(b"".join(piece.read_bytes() for piece in pieces))
    return path


def packets(path):
    text = measure.output_of("ffprobe", "-v", "error", "-show_entries",
                             "packet=pts,dts,duration,flags", "-of", "csv=p=0", path)
    return [tuple(line.rstrip(",").split(",")) for line in text.split()]


def likeness(one, other, measure_of="psnr_y", begin=""):
    """PSNR or SSIM of the luma of each frame of one against the same of the other."""
    name, key = ("psnr", "psnr_y") if measure_of == "psnr_y" else ("ssim", "Y")
    done = subprocess.run(["ffmpeg", "-v", "error", "-i", str(one), "-i", str(other), "-lavfi",
                           f"[0]settb=1/1000,setpts=N[a];[1]{begin}settb=1/1000,setpts=N[b];"
                           f"[a][b]{name}=stats_file=-", "-f", "null", "/dev/null"],
                          capture_output=True, text=True, check=True)
    return [float(value) for value in re.findall(rf"\b{key}:([0-9.]+|inf)", done.stdout)]


def check_same(one, other):
    """Two output folders are the same but for how pictures were encoded."""
    tracks = sorted(str(path.parent.relative_to(other)) for path in other.rglob("init.mp4"))
    for track in tracks:
        assert (one / track / "init.mp4").read_bytes() == (other / track / "init.mp4").read_bytes()
        assert packets(joined(one, track)) == packets(joined(other, track)), track
        for piece in (other / track).glob("seg-*.m4s") if track.startswith("a/") else ():
            assert (one / track / piece.name).read_bytes() == piece.read_bytes()
    return [track for track in tracks if track.startswith("v/")]


MOVING = "-c:v libx264 -preset ultrafast -g 25 -keyint_min 25 -sc_threshold 0"
SOURCES = {
    "plain": (clips.Clip("chunk-plain", size="256x144", seconds=7, video=MOVING + " -bf 2"), 4),
    "open-gops": (clips.Clip("chunk-open", size="256x144", seconds=7, video="-c:v libx264 -preset veryfast -g 25 "
                             "-bf 3 -sc_threshold 0 -x264-params open-gop=1"), 4),
    "no-index": (clips.Clip("chunk-no-cues", suffix="mkv", size="256x144", seconds=7, video=MOVING,
                            more="-f matroska -cues_to_front 0 -write_crc32 0"), 4),
    "transport-stream": (clips.Clip("chunk-ts", suffix="ts", size="256x144", seconds=7, video=MOVING + " -bf 2",
                                    more="-output_ts_offset 3"), 4),
    "variable-rate": (clips.Clip("chunk-variable", suffix="mkv", rate="60", size="256x144", seconds=7,
                                 video=MOVING + " -fps_mode passthrough",
                                 filters="select='not(mod(n,7))+gt(random(1),0.7)'"), None),
    "old-codec": (clips.Clip("chunk-mpeg4", suffix="avi", size="256x144", seconds=7, video="-c:v mpeg4 -q:v 5 -g 25",
                             audio="-c:a libmp3lame"), 4),
    "mpeg-2-fields": (clips.Clip("chunk-fields", size="256x288", rate="50", seconds=7,
                                 filters="interlace,setsar=2/1", suffix="ts", audio="-c:a mp2",
                                 video="-c:v mpeg2video -q:v 4 -flags +ildct+ilme -g 10 -bf 2"), 4),
    "one-key": (clips.Clip("chunk-one-key", size="256x144", seconds=7, video="-c:v libx264 -preset ultrafast -g 9999 "
                           "-sc_threshold 0"), 1),
    "late-first-picture": (clips.Clip("chunk-late", suffix="mkv", size="256x144", seconds=7, video=MOVING,
                                      more="-output_ts_offset 1.3"), 4),
}


def jump(_clip, target):
    """A recording whose clock begins anew in the middle, between two keys."""
    halves = []
    for i, offset in enumerate((4000, 5)):
        half = target.with_suffix(f".{i}.ts")
        clips.plain(clips.Clip("half", size="256x144", seconds=3.5, video=MOVING,
                               more=f"-output_ts_offset {offset}"), half)
        halves.append(half.read_bytes())
        half.unlink()
    target.write_bytes(b"".join(halves))


def without_index(clip, target):
    """A Matroska file whose index was never written: the recorder was switched off."""
    clips.plain(clip, target)
    data = target.read_bytes()
    target.write_bytes(data[:data.rindex(b"\x1c\x53\xbb\x6b")])


SOURCES["clock-jump"] = (clips.Clip("chunk-jump", suffix="ts", size="256x144", seconds=7), None)
MAKERS = {"clock-jump": jump, "no-index": without_index}


@pytest.mark.parametrize("name", SOURCES)
def test_chunks_give_the_same_places_times_and_sound_as_the_whole(name, tmp_path):
    clip, n_chunks = SOURCES[name]
    source = clips.make(clip, MAKERS.get(name, clips.plain), FOLDER)
    result = transcode(source, tmp_path / "cut", f"chunk_ms={CHUNK_MS}")
    whole = transcode(source, tmp_path / "whole", f"chunk_ms={WHOLE_MS}")
    assert result["n_chunks"] == n_chunks or (n_chunks is None and result["n_chunks"] > 1)
    assert whole["n_chunks"] == 1
    assert result["duration_ms"] == whole["duration_ms"]
    videos = check_same(tmp_path / "cut", tmp_path / "whole")
    smallest = sorted(videos, key=lambda track: int(re.search(r"\d+", track)[0]))[0]
    values = likeness(tmp_path / "cut" / smallest / "whole.mp4",
                      tmp_path / "whole" / smallest / "whole.mp4")
    assert min(values) > 30, [i for i, value in enumerate(values) if value <= 30]


FILM = clips.Clip("chunk-film", seconds=6)


def film(clip, target):
    """Detail, movement and grain without cuts: enough for its greatest rate, at times."""
    clips.ffmpeg("-f", "lavfi", "-i",
                 "mandelbrot=s=426x240:r=30:start_scale=1:end_scale=0.05:end_pts=180,noise=alls=5:allf=t",
                 "-t", str(clip.seconds), "-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset",
                 "ultrafast", "-crf", "12", "-g", "30", str(target))


RATE, BUFFER = 400_000, 800_000   # of 240p, bits


def emptiest(path, fps):
    """How full a buffer of the ladder's rate and size is at its emptiest, over the whole track."""
    text = measure.output_of("ffprobe", "-v", "error", "-show_entries", "packet=size", "-of",
                             "csv=p=0", path)
    fill = least = 0.9 * BUFFER
    for size in text.split():
        fill -= int(size.rstrip(",")) * 8
        least = min(least, fill)
        fill = min(BUFFER, fill + RATE / fps)
    return least / BUFFER


def test_borders_of_chunks_show_no_seam(tmp_path):
    """Around each border pictures are as near to the source as those of a whole encode are: bits
    come to lie elsewhere for a few of them, and that is all. Nor do borders take more bits than
    the greatest rate gives."""
    as_it_became = "scale=in_color_matrix=smpte170m:out_color_matrix=bt709,"
    source = clips.make(FILM, film, FOLDER)
    assert transcode(source, tmp_path / "cut", f"chunk_ms={CHUNK_MS}")["n_chunks"] == 3
    transcode(source, tmp_path / "whole", f"chunk_ms={WHOLE_MS}")
    for kind, worst in (("psnr_y", {1: 1.0, 15: 0.2}), ("ssim", {1: 0.01, 15: 0.002})):
        cut, whole = (likeness(joined(tmp_path / name, "v/240p"), source, kind, as_it_became)
                      for name in ("cut", "whole"))
        assert len(cut) == len(whole) == 30 * FILM.seconds
        near = [i for i in range(30, len(cut) - 30) if i % 60 >= 45 or i % 60 < 15]
        losses = [whole[i] - cut[i] for i in near]
        for span, most in {**worst, len(losses): worst[15] / 5}.items():
            sums = [sum(losses[i:i + span]) for i in range(len(losses) - span + 1)]
            assert max(sums) / span < most, (kind, span, losses)
    fills = [emptiest(tmp_path / name / "v/240p" / "whole.mp4", 30) for name in ("cut", "whole")]
    assert fills[0] > fills[1] - 0.05, fills
