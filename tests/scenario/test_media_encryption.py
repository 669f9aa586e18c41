"""Segments encrypted by us are opened by others, and nothing in them is enciphered twice alike."""
import itertools
import os
import re
import struct
import subprocess

import decrypt
import pytest
from lab import BUILD, SANITIZER, SANITIZER_ENV

CLI = BUILD / "cenc-cli"
KEY, KID = bytes(range(16)), bytes(range(32, 48))
PICTURE = ["-f", "lavfi", "-i", "testsrc2=s=320x240:r=25:d=1", "-pix_fmt", "yuv420p"]
X264 = PICTURE + ["-c:v", "libx264", "-preset", "veryfast", "-g", "12"]
CLIPS = {
    "avc": X264 + ["-preset", "medium", "-x264-params", "weightp=2:slices=3"],
    "avc-plain": X264 + ["-profile:v", "baseline"],
    "avc-fields": X264 + ["-flags", "+ildct", "-x264-params", "tff=1"],
    "hevc": PICTURE + ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params",
                       "log-level=error:keyint=12", "-tag:v", "hvc1"],
    "av1": PICTURE + ["-c:v", "libsvtav1", "-preset", "10", "-g", "12"],
    "aac": ["-f", "lavfi", "-i", "sine=f=440:d=1", "-c:a", "aac"],
}
MUXER = ["-movflags", "+frag_keyframe+empty_moov+default_base_moof+cmaf", "-frag_duration", "500000",
         "-f", "mp4"]


@pytest.fixture(scope="module", params=CLIPS)
def clip(request, tmp_path_factory):
    path = tmp_path_factory.mktemp(request.param) / "clear.mp4"
    subprocess.run(["ffmpeg", "-v", "error", *CLIPS[request.param], *MUXER, str(path)], check=True,
                   stderr=subprocess.DEVNULL)
    return path


def encrypt(clip, scheme, track=3):
    target = clip.parent / f"{scheme}-{track}.mp4"
    done = subprocess.run([str(CLI), scheme, KID.hex(), KEY.hex(), str(track), str(clip), str(target)],
                          capture_output=True, text=True, env={**os.environ, **SANITIZER_ENV})
    assert done.returncode == 0 and not SANITIZER.search(done.stderr), done.stdout + done.stderr
    return target.read_bytes()


def frames(data, *options):
    """Sums of decoded frames. Through a pipe: given a file, FFmpeg 5.1 reads all fragments ahead
    and then takes the last one's IVs for each."""
    done = subprocess.run(["ffmpeg", "-v", "error", *options, "-i", "pipe:", "-f", "framemd5", "-"],
                          input=data, capture_output=True, check=True)
    return [line.rpartition(",")[2] for line in done.stdout.decode().splitlines() if line[0] != "#"]


def clear_samples(data):
    class Plain:
        default_size = next(struct.unpack_from(">I", data, body + 16)[0]
                            for kind, _, body, _ in decrypt.boxes(data) if kind == b"trex")
    return [data[at:at + size] for kind, moof, _, _ in decrypt.boxes(data) if kind == b"moof"
            for at, size in decrypt.runs(data, Plain, moof)]


@pytest.mark.parametrize("scheme", ["cenc", "cbcs"])
def test_both_schemes_are_undone_by_others(clip, scheme):
    data = encrypt(clip, scheme)
    track, samples = decrypt.decrypt(data, KEY)
    plain = clear_samples(clip.read_bytes())
    assert track.scheme == scheme.encode() and track.kid == KID
    assert [sample for sample, _ in samples] == plain
    assert frames(data, "-decryption_key", KEY.hex()) == frames(clip.read_bytes())
    assert data == encrypt(clip, scheme), "the same bytes each time"
    hidden = sum(sum(part for _, part in entry[1]) if entry and entry[1] else len(sample)
                 for sample, entry in samples)
    assert hidden > sum(map(len, plain)) / 2
    assert all(part % 16 == 0 for _, entry in samples if scheme == "cenc" and entry[1]
               for _, part in entry[1])


def test_no_counter_is_used_twice(clip):
    ivs = []
    for number in (0, 1, 33):
        _, samples = decrypt.decrypt(encrypt(clip, "cenc", number), KEY)
        ivs += [entry[0] for _, entry in samples]
    assert {len(iv) for iv in ivs} == {8}
    low = [int.from_bytes(iv, "big") & (1 << 37) - 1 for iv in ivs]
    assert len(set(low)) == len(ivs), "by numbers alone, whatever the digest"


def test_protection_begins_behind_the_slice_header(clip):
    """As FFmpeg reads H.264's slice headers, bit by bit."""
    if not clip.parent.name.startswith("avc"):
        return
    traced = subprocess.run(["ffmpeg", "-v", "trace", "-i", str(clip), "-c", "copy", "-bsf:v",
                             "trace_headers", "-f", "null", "-"], capture_output=True, text=True).stderr
    want, last = [], None
    for line in traced.splitlines():
        if not line.startswith("[trace_headers"):
            continue
        text = line.partition("] ")[2]
        if re.match(r"(Slice Header|Sequence|Picture|Supplemental|Access|Packet)", text):
            want += [last] if last else []
            last = None
            in_slice = text.startswith("Slice Header")
        elif (field := re.match(r"(\d+)\s+\S+\s+([01]+) = ", text)) and in_slice:
            last = (int(field[1]) + len(field[2]) + 7) // 8
    want += [last] if last else []
    _, samples = decrypt.decrypt(encrypt(clip, "cbcs"), KEY)
    got = []
    for sample, entry in samples:
        ends = list(itertools.accumulate(sum(part) for part in entry[1]))
        starts = [end - hidden for end, (_, hidden) in zip(ends, entry[1])]
        at = 0
        while at < len(sample):
            length = int.from_bytes(sample[at:at + 4], "big")
            begun = [start for start in starts if at < start < at + 4 + length]
            if sample[at + 4] & 31 in (1, 5):
                got.append(len(re.sub(b"\0\0\3", b"\0\0", sample[at + 4:begun[0]])) if begun else None)
            at += 4 + length
    assert len(got) == len(want) > 0
    assert [pair for pair in zip(got, want) if pair[0] not in (None, pair[1])] == []
    assert sum(one is not None for one in got) > len(got) / 2
