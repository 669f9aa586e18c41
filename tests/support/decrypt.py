"""Common encryption undone, by what the boxes say: an opinion of its own beside FFmpeg's."""
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf", b"mvex", b"sinf", b"schi"}


def boxes(data, at=0, end=None):
    """(type, start of the box, start of its body, end) of all boxes, those within boxes too."""
    end = len(data) if end is None else end
    while at < end:
        size, kind = struct.unpack_from(">I4s", data, at)
        body = at + 8
        if size == 1:
            size, body = struct.unpack_from(">Q", data, at + 8)[0], at + 16
        assert body <= at + size <= end, (kind, size)
        yield kind, at, body, at + size
        if kind in CONTAINERS:
            yield from boxes(data, body, at + size)
        elif kind == b"stsd":
            yield from boxes(data, body + 8, at + size)
        elif kind in (b"encv", b"enca"):
            yield from boxes(data, body + (78 if kind == b"encv" else 28), at + size)
        at += size


class Track:
    """What an init segment says."""

    def __init__(self, init):
        found = {kind: (at, body, end) for kind, at, body, end in boxes(init)}
        _, body, end = found[b"tenc"]
        tenc = init[body:end]
        self.pattern = (tenc[5] >> 4, tenc[5] & 15) if tenc[0] else (0, 0)
        assert tenc[6] == 1
        self.iv_size = tenc[7]
        self.kid = tenc[8:24]
        self.constant = tenc[25:25 + tenc[24]] if not self.iv_size else None
        self.scheme = init[found[b"schm"][1] + 4:][:4]
        self.entry = init[found[b"frma"][1]:][:4]
        self.default_size = struct.unpack_from(">I", init, found[b"trex"][1] + 16)[0]


def runs(data, track, moof):
    """(offset, size) of each sample of the fragment whose moof begins there."""
    size, tfhd_size = struct.unpack_from(">I", data, moof)[0], track.default_size
    for kind, _, body, end in boxes(data, moof, moof + size):
        if kind == b"tfhd":
            flags, at = struct.unpack_from(">I", data, body)[0], body + 8
            assert flags & 0x20000 and not flags & 1
            at += 4 * bool(flags & 2) + 4 * bool(flags & 8)
            tfhd_size = struct.unpack_from(">I", data, at)[0] if flags & 16 else tfhd_size
        elif kind == b"trun":
            flags, n = struct.unpack_from(">II", data, body)
            offset, at = moof + struct.unpack_from(">i", data, body + 8)[0], body + 12
            at += 4 * bool(flags & 4)
            assert flags & 1
            for _ in range(n):
                at += 4 * bool(flags & 0x100)
                length = struct.unpack_from(">I", data, at)[0] if flags & 0x200 else tfhd_size
                at += 4 * sum(bool(flags & bit) for bit in (0x200, 0x400, 0x800))
                yield offset, length
                offset += length
            assert at == end


def entries(data, track, moof):
    """(iv, subsamples) of each sample, through saio and saiz; None where there are none."""
    size = struct.unpack_from(">I", data, moof)[0]
    found = {kind: (at, body, end) for kind, at, body, end in boxes(data, moof, moof + size)}
    if b"senc" not in found:
        assert b"saiz" not in found and b"saio" not in found
        return None
    _, body, _ = found[b"saiz"]
    default, n = struct.unpack_from(">BI", data, body + 4)
    sizes = [default] * n if default else list(data[body + 9:body + 9 + n])
    _, body, _ = found[b"saio"]
    at = moof + struct.unpack_from(">I", data, body + 8)[0]
    _, body, end = found[b"senc"]
    flags, count = struct.unpack_from(">II", data, body)
    assert count == n and at == body + 8 and at + sum(sizes) == end
    got = []
    for length in sizes:
        iv, rest = data[at:at + track.iv_size], data[at + track.iv_size:at + length]
        parts = None
        if flags & 2:
            parts = [struct.unpack_from(">HI", rest, 2 + 6 * i) for i in range(rest[0] << 8 | rest[1])]
            assert len(rest) == 2 + 6 * len(parts)
        got.append((iv, parts))
        at += length
    return got


def decrypt_sample(track, key, sample, entry):
    iv, parts = entry if entry else (b"", None)
    parts = parts or [(0, len(sample))]
    assert sum(clear + hidden for clear, hidden in parts) == len(sample)
    out, at = bytearray(sample), 0
    stream = Cipher(algorithms.AES(key), modes.CTR(iv + bytes(16 - len(iv)))).decryptor() \
        if track.scheme == b"cenc" else None
    for clear, hidden in parts:
        at += clear
        if stream:
            out[at:at + hidden] = stream.update(sample[at:at + hidden])
        else:
            crypt, skip = track.pattern if any(track.pattern) else (hidden // 16, 1)
            chain = Cipher(algorithms.AES(key), modes.CBC(track.constant)).decryptor()
            step = 16 * (crypt + skip)
            for start in range(at, at + hidden, step) if crypt else []:
                stop = start + 16 * crypt
                if stop <= at + hidden:
                    out[start:stop] = chain.update(sample[start:stop])
        at += hidden
    return bytes(out)


def decrypt(data, key):
    """The samples of a file in clear, in their order, with their subsamples, and what the track is."""
    track, samples = Track(data), []
    for kind, at, _, _ in boxes(data):
        if kind == b"moof":
            told = entries(data, track, at)
            for i, (offset, size) in enumerate(runs(data, track, at)):
                entry = told[i] if told else None
                samples.append((decrypt_sample(track, key, data[offset:offset + size], entry), entry))
    return track, samples
