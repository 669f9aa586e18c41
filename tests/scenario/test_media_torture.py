"""Whatever a creator has either plays, with its pictures, length and lips right, or fails
in a sentence."""
import os
import random
import re
import resource

import clips
import measure
import pytest
import torture
from test_media_clips import FOLDER, SYNC_S, TAIL_S, transcode

MUTANTS = int(os.environ.get("FB_MUTANTS", "24"))
CODES = "CORRUPT|UNSUPPORTED|LIMIT"
QUARTERS = ["red", "green", "blue", "yellow"]
TURNED = {  # where the quarters go
    "mirrored": ["green", "red", "yellow", "blue"],
    "head-over": ["blue", "yellow", "red", "green"],
    "turned-and-mirrored": ["red", "blue", "green", "yellow"],
    "turned-back-and-mirrored": ["yellow", "green", "blue", "red"],
}
MANY_S = 600  # what is longer is heard at a rate that its samples fit into memory
MOST_BYTES = 3 << 30  # of memory, sanitizers and 8K included


def check_failure(result, codes, words):
    assert re.fullmatch(codes, result["err"]) and re.search(words, result["text"]), result
    assert result["text"][0].islower() and "0x" not in result["text"]
    assert len(result["text"]) < 200 and "/" not in result["text"], result["text"]


def check_length(clip, result, looks, sounds):
    """Pictures, samples and playlists agree with each other and with the clip."""
    seconds = result["duration_ms"] / 1000
    tolerance = max(1.5 / clip.fps, 0.05) + (0.6 if clip.partial in (True, None) else 0)
    assert seconds == pytest.approx(clip.expected_seconds, abs=tolerance)
    assert looks.n_frames == pytest.approx(seconds * clip.fps, abs=0.1)
    for sound in sounds:
        assert -0.001 < sound.seconds - seconds < TAIL_S, (sound.seconds, seconds)


def check_play(clip, result, folder):
    assert "err" not in result, result
    master = measure.Master(folder)
    assert [(r["width"], r["height"]) for r in result["renditions"]] == list(clip.rungs)
    if clip.partial is not None:
        assert result["is_partial"] == clip.partial
    assert len(master.audios) == clip.tracks
    looks = measure.Looks(master.variants[-1][1], clip.fps)
    rate = 8000 if clip.seconds > MANY_S else 48000
    sounds = [measure.Sound(folder / audio["URI"], rate) for audio in master.audios]
    check_length(clip, result, looks, sounds)
    if clip.has_colours:
        assert looks.colours == TURNED.get(clip.name, QUARTERS)
    if clip.sync:
        flash = looks.first_flash(clip.after)
        for sound in sounds:
            assert abs(sound.first_tone(clip.after) - flash) < SYNC_S + clip.slack, flash


def run(clip, maker, tmp_path):
    return transcode(clips.make(clip, maker, FOLDER), tmp_path / "out", "preset=ultrafast")


@pytest.mark.parametrize("clip,maker", torture.CODECS + torture.ODDITIES,
                         ids=lambda value: getattr(value, "name", ""))
def test_it_plays(clip, maker, tmp_path):
    check_play(clip, run(clip, maker, tmp_path), tmp_path / "out")


@pytest.mark.parametrize("clip,maker", torture.FAILURES,
                         ids=lambda value: getattr(value, "name", ""))
def test_it_fails_in_a_sentence(clip, maker, tmp_path):
    check_failure(run(clip, maker, tmp_path), *clip.fails)


@pytest.mark.parametrize("seed", range(MUTANTS))
def test_a_damaged_index_plays_or_fails_in_a_sentence(seed, tmp_path):
    """Bits flipped at random in the boxes that say where everything lies."""
    clip, maker = torture.small("victim", "mp4", size="64x48", seconds=1, sync=False)
    chance = random.Random(seed)
    data = bytearray(clips.make(clip, maker, FOLDER).read_bytes())
    first, last = torture.box(data, "moov"), len(data)
    for _ in range(chance.choice((1, 3, 10))):
        data[chance.randrange(first, last)] ^= 1 << chance.randrange(8)
    source = tmp_path / "mutant.mp4"
    source.write_bytes(data)
    result = transcode(source, tmp_path / "out", "preset=ultrafast")
    if "err" in result:
        check_failure(result, CODES, ".")
        return
    master = measure.Master(tmp_path / "out")
    fps = float(master.variants[-1][0]["FRAME-RATE"])
    looks = measure.Looks(master.variants[-1][1], fps)
    assert looks.n_frames == pytest.approx(result["duration_ms"] / 1000 * fps, rel=0.001, abs=0.1)


def test_nothing_of_all_this_took_much_memory():
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 < MOST_BYTES
