"""What is published of a video with languages and subtitles, as other programs read it."""
import json
import re
import subprocess
from xml.etree import ElementTree

import pytest
from measure import check_publish_list, output_of
from showreel import showreel
from test_media_clips import CLI

SECONDS = 12


@pytest.fixture(scope="module")
def reel(tmp_path_factory):
    """In source chunks of four seconds, which are two segments and a sheet."""
    folder = tmp_path_factory.mktemp("reel")
    clip = showreel(folder, SECONDS)
    out = folder / "out"
    out.mkdir()
    subprocess.run([str(CLI), str(clip), str(out), "threads=1", "segment_ms=2000", "chunk_ms=4000"],
                   check=True, capture_output=True)
    return out


def rendition(reel):
    return next((reel / "v").iterdir())


def whole(track, last=None):
    """init.mp4 and the segments of a track in one file."""
    path = track / "whole.mp4"
    parts = [track / "init.mp4", *sorted(track.glob("seg-*.m4s"))[:last]]
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def colour(picture, left, top, width, height):
    """Whether a piece of a picture is red or blue, or black."""
    raw = output_of("ffmpeg", "-v", "error", "-i", picture, "-vf",
                    f"crop={width // 2}:{height // 2}:{left + width // 4}:{top + height // 4},"
                    "scale=1:1:flags=area,format=rgb24", "-frames:v", 1, "-f", "rawvideo", "-", binary=True)
    red, _, blue = raw[:3]
    return "red" if red > 150 > blue else "blue" if blue > 150 > red else "black"


def test_every_file_is_listed_with_its_hash(reel):
    check_publish_list(reel)


def test_ffmpeg_finds_all_tracks_with_their_languages(reel):
    told = json.loads(output_of("ffprobe", "-v", "error", "-show_streams", "-of", "json", reel / "master.m3u8"))["streams"]
    assert sorted(one["codec_type"] for one in told) == ["audio", "audio", "video"]
    assert [one["tags"]["language"] for one in told if one["codec_type"] == "audio"] == ["en", "de"]
    assert re.findall(r'TYPE=SUBTITLES.*LANGUAGE="(..)"', (reel / "master.m3u8").read_text()) == ["en", "de"]


def test_mediainfo_reads_a_track_as_others_make_it(reel):
    track = rendition(reel)
    video = json.loads(output_of("mediainfo", "--Output=JSON", whole(track)))["media"]["track"]
    about = next(one for one in video if one["@type"] == "Video")
    assert about["Format"] == "AVC" and about["FrameRate"] == "25.000" and about["FrameCount"] == str(25 * SECONDS)
    assert float(about["Duration"]) == SECONDS and about["ScanType"] == "Progressive"
    (track / "whole.mp4").unlink()


def test_a_key_picture_can_be_had_alone(reel):
    track = rendition(reel)
    ranges = re.findall(r"#EXTINF:2\.0+,\n#EXT-X-BYTERANGE:(\d+)@(\d+)\n(\S+)\n", (track / "iframes.m3u8").read_text())
    assert len(ranges) == SECONDS / 2
    for n, (length, offset, name) in enumerate(ranges):
        piece = (track / name).read_bytes()[int(offset):][:int(length)]
        assert len(piece) == int(length) < (track / name).stat().st_size
        alone = track / "alone.mp4"
        alone.write_bytes((track / "init.mp4").read_bytes() + piece)
        told = json.loads(output_of("ffprobe", "-v", "quiet", "-show_frames", "-of", "json", alone))["frames"]
        assert [one["pict_type"] for one in told] == ["I"], name
        assert float(told[0]["pts_time"]) == pytest.approx(2 * n)
        alone.unlink()


def test_tiles_show_their_time(reel):
    text = (reel / "storyboard.vtt").read_text()
    tiles = re.findall(r"00:00:(\d\d)\.000 --> 00:00:(\d\d)\.000\n(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)\n", text)
    assert [int(tile[0]) for tile in tiles] == list(range(SECONDS))  # half a segment each
    for begin, end, sheet, *place in tiles:
        assert int(end) == int(begin) + 1
        want = "red" if int(begin) < SECONDS / 2 else "blue"
        assert colour(reel / sheet, *map(int, place)) == want, (begin, sheet, place)
    assert len(list((reel / "s").iterdir())) == 3
    mpd = (reel / "manifest.mpd").read_text()
    assert 'duration="4000" startNumber="1" media="s/$Number%05d$.jpg"' in mpd and 'value="4x1"' in mpd


def test_text_lies_in_segments_and_whole(reel):
    for n, language in enumerate(["en", "de"]):
        track = reel / "t" / str(n)
        assert re.findall(rf"{language} (\d+)\n", (track / "whole.vtt").read_text()) == [str(s) for s in range(SECONDS)]
        for at in range(SECONDS // 2):
            text = (track / f"seg-{at + 1:05d}.vtt").read_text()
            assert text.startswith("WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n")
            assert re.findall(rf"{language} (\d+)\n", text) == [str(2 * at), str(2 * at + 1)]


def test_what_a_file_calls_its_tracks_is_no_more_than_a_name(tmp_path):
    """Whatever stands there is one line of text in playlist and manifest, or is left out."""
    names = ['\u202e<script>alert("1")</script>', "a\u2066\x07b\u0085 \u2069c\r\n#EXT-X-ENDLIST", "same", "same"]
    titles = [option for n, name in enumerate(names) for option in (f"-metadata:s:a:{n}", f"title={name}")]
    clip, out = tmp_path / "clip.mkv", tmp_path / "out"
    out.mkdir()
    tone = ["-f", "lavfi", "-i", "sine=d=1"]
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=64x36:r=10:d=1", *tone,
                    "-map", "0", *["-map", "1"] * 4, "-c:a", "flac", *titles, str(clip)], check=True)
    subprocess.run([str(CLI), str(clip), str(out), "threads=1"], check=True, capture_output=True)
    master = (out / "master.m3u8").read_text()
    assert re.findall(r'^#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="([^"\n]*)",', master, re.M) == [
        "Audio (<script>alert( 1 )</script>)", "Audio (a b c #EXT-X-ENDLIST)", "Audio (same)", "Audio (same) 2"]
    labels = [label.text for label in ElementTree.parse(out / "manifest.mpd").iterfind(".//{*}Label")]
    assert labels == ['Audio (<script>alert("1")</script>)', "Audio (a b c #EXT-X-ENDLIST)", "Audio (same)",
                      "Audio (same) 2"]
