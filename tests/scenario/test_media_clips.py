"""Every kind of clip either plays, exactly, or fails in words a creator understands."""
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
KEY_S = 2.0      # half of the default segment
SYNC_S = 0.015   # how far picture and sound may stand apart
AAC_S = 1024 / 48000
TAIL_S = 0.125   # what sound may outlast the picture
USUAL = ("landscape", "full-hd", "variable-rate", "ntsc", "two-languages", "interlaced")


def transcode(source, folder, *options):
    folder.mkdir()
    done = subprocess.run([str(CLI), str(source), str(folder), "threads=2", *options],
                          capture_output=True, text=True, env={**os.environ, **SANITIZER_ENV})
    assert not SANITIZER.search(done.stderr), done.stderr
    assert not done.stderr, f"FFmpeg spoke raw: {done.stderr}"
    assert done.returncode in (0, 1), done.returncode
    return json.loads(done.stdout)


def check_progress(progress):
    assert progress == sorted(set(progress)) and progress[-1] == 1000
    if len(progress) > 30:
        assert max(b - a for a, b in zip(progress, progress[1:])) < 200


def check_video(path, attributes, frame):
    """Steady, from 0, key frames on the grid and at each segment's start."""
    media = measure.Media(path)
    stream, packets = media.probe()
    assert attributes["RESOLUTION"] == f"{stream['width']}x{stream['height']}"
    assert stream["sample_aspect_ratio"] == "1:1" and stream["pix_fmt"] == "yuv420p"
    assert float(attributes["FRAME-RATE"]) == pytest.approx(1 / frame, abs=0.01)
    assert int(stream["nb_read_frames"]) == len(packets)
    times = [time for time, _ in packets]
    keys = [time for time, is_key in packets if is_key]
    assert abs(times[0]) < 1e-6
    assert all(abs(b - a - frame) < 1e-3 for a, b in zip(times, times[1:])), "gaps"
    grid = [n * KEY_S for n in range(len(keys))]
    assert all(-1e-3 <= key - want < frame for key, want in zip(keys, grid)), keys
    assert len(keys) == int((times[-1] + 1e-3) / KEY_S) + 1
    for start in media.starts():
        assert any(abs(start - key) < 1e-3 for key in keys), (start, keys)
    assert media.seconds == pytest.approx(times[-1] + frame, abs=2e-3)
    assert max(round(seconds) for seconds, _ in media.segments) <= media.target
    if len(media.segments) > 1:
        assert media.segments[-1][0] >= 0.5, "a runt"
    return tuple(keys), len(packets)


def check_audio(media, video_seconds):
    _, packets = media.probe()
    times = [time for time, _ in packets]
    assert times[0] == 0
    assert all(abs(b - a - AAC_S) < 1e-5 for a, b in zip(times, times[1:])), "gaps"
    end = times[-1] + AAC_S
    assert media.seconds == pytest.approx(end, abs=1e-4)
    assert -0.001 < end - video_seconds < TAIL_S, (end, video_seconds)
    assert len(media.segments) == 1 or media.segments[-1][0] >= 0.4, "a runt"


def check_manifest(folder, medias, master):
    sets = list(measure.timelines(folder))
    assert len(sets) == 1 + len(master.audios)
    for attributes, ids, seconds in sets:
        kind = "v" if attributes["contentType"] == "video" else "a"
        for one in ids:
            playlist = medias[f"{kind}/{one}"]
            assert seconds == pytest.approx([s for s, _ in playlist.segments], abs=1e-5)


def check_rates(result, master, audio_peak):
    for (attributes, path), rendition in zip(master.variants, result["renditions"]):
        peak = measure.Media(path).peak_rate() + audio_peak
        assert int(attributes["BANDWIDTH"]) == pytest.approx(peak, rel=0.02)
        assert int(attributes["AVERAGE-BANDWIDTH"]) <= int(attributes["BANDWIDTH"])
        assert attributes["CODECS"].split(",")[0] == rendition["codecs"]


def check_result(clip, result, folder):
    master = measure.Master(folder)
    medias = {str(path.parent.relative_to(folder)): measure.Media(path)
              for path in folder.rglob("index.m3u8")}
    frame = 1 / clip.fps
    tolerance = max(frame, 0.05) + (0.5 if clip.partial else 0)
    assert result["duration_ms"] / 1000 == pytest.approx(clip.expected_seconds, abs=tolerance)
    assert [(r["width"], r["height"]) for r in result["renditions"]] == list(clip.rungs)
    assert result["is_partial"] == clip.partial
    assert result["has_audio"] == (clip.tracks > 0) and len(master.audios) == clip.tracks
    seen = set()
    for attributes, path in master.variants:
        seen.add(check_video(path, attributes, frame))
    assert len(seen) == 1, "renditions are not aligned"
    audio_peak = 0
    for audio in master.audios:
        media = measure.Media(folder / audio["URI"])
        check_audio(media, result["duration_ms"] / 1000)
        audio_peak = max(audio_peak, media.peak_rate())
    if clip.expected_seconds < 4.5:  # one segment: its rate is the peak
        check_rates(result, master, audio_peak)
    check_manifest(folder, medias, master)
    if not clip.partial:  # its length was a lie, so the end comes with a jump
        check_progress(result["progress"])
    poster = measure.stream(folder / "poster.jpg")
    assert (poster["width"], poster["height"]) == clip.rungs[0] or max(clip.rungs[0]) > 1280
    measure.check_publish_list(folder)


def check_sync(clip, master):
    after = max(0.5, clip.tone_from)
    flash = measure.first_flash(master.variants[-1][1], clip.fps, after)
    sound = measure.first_tone(master.folder / master.audios[0]["URI"], after)
    assert abs(sound - flash) < SYNC_S, (flash, sound)


@pytest.mark.parametrize("clip,maker", clips.CLIPS, ids=[clip.name for clip, _ in clips.CLIPS])
def test_a_clip_plays_or_fails_clearly(clip, maker, tmp_path):
    source = clips.make(clip, maker, FOLDER)
    folder = tmp_path / "out"
    # As it is by default for some; for the others the next that has B pictures too.
    result = transcode(source, folder, *[] if clip.name in USUAL else ["preset=superfast"])
    if clip.fails:
        code, words = clip.fails
        assert result.get("err") == code and re.search(words, result["text"]), result
        assert result["text"][0].islower() and "0x" not in result["text"]
        return
    assert "err" not in result, result
    check_result(clip, result, folder)
    master = measure.Master(folder)
    if clip.has_colours:
        lowest = master.variants[-1][1]
        assert measure.colours(lowest) == measure.colours(source)
    if clip.sync:
        check_sync(clip, master)


def test_the_same_source_gives_the_same_bytes(tmp_path):
    source = clips.make(*clips.CLIPS[0], FOLDER)
    for name in ("one", "two"):
        assert "err" not in transcode(source, tmp_path / name)
    assert (tmp_path / "one/publish.json").read_bytes() == \
        (tmp_path / "two/publish.json").read_bytes()


def test_canceling_ends_early_and_leaves_no_half_written_file(tmp_path):
    source = clips.make(*clips.CLIPS[0], FOLDER)
    result = transcode(source, tmp_path / "out", "cancel_at=300")
    assert result["err"] == "CANCELED"
    assert not list((tmp_path / "out").rglob("*.part"))
    assert not (tmp_path / "out/master.m3u8").exists()


def test_languages_become_tracks_that_can_be_told_apart(tmp_path):
    clip, maker = next(pair for pair in clips.CLIPS if pair[0].name == "two-languages")
    assert "err" not in transcode(clips.make(clip, maker, FOLDER), tmp_path / "out")
    audios = measure.Master(tmp_path / "out").audios
    assert [one["LANGUAGE"] for one in audios] == ["en", "de"]
    assert [one["DEFAULT"] for one in audios] == ["YES", "NO"]
    assert audios[0]["NAME"] == "English" and audios[1]["NAME"].startswith("Deutsch (Kommentar")
    languages = [a.get("lang") for a, _, _ in measure.timelines(tmp_path / "out")]
    assert languages == [None, "en", "de"]


def test_ffmpeg_reads_the_manifest_as_a_whole(tmp_path):
    source = clips.make(*clips.CLIPS[0], FOLDER)
    result = transcode(source, tmp_path / "out")
    text = measure.output_of("ffprobe", "-v", "error", "-show_entries",
                             "stream=codec_name,start_time", "-of", "json",
                             tmp_path / "out/manifest.mpd")
    found = sorted((s["codec_name"], s["start_time"]) for s in json.loads(text)["streams"])
    assert found == [("aac", "0.000000")] + [("h264", "0.000000")] * len(result["renditions"])


def test_a_folder_that_is_not_there_is_said_to_be_so(tmp_path):
    done = subprocess.run([str(CLI), "/nowhere.mp4", str(tmp_path / "absent")],
                          capture_output=True, text=True)
    assert json.loads(done.stdout)["err"] == "ENOENT"
    done = subprocess.run([str(CLI), "/nowhere.mp4", str(tmp_path)], capture_output=True, text=True)
    assert json.loads(done.stdout)["err"] == "ENOENT"
