"""A node that reports views: the bytes of docs/view-reports.md, written from that page alone."""
import dataclasses
import hashlib
import struct

NUMBERS = 29
STARTUP, UNCOUNTED, SOURCES = 10, 18, 23  # where each of them begins among the numbers
BLOCK = 100_000
NETWORKS_PRECISION = 8


def varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def zigzag(number):
    return varint(number << 1 if number >= 0 else (-number << 1) - 1)


def text(value):
    value = value.encode()
    return varint(len(value)) + value


def zstd(plain):
    """A Zstandard frame (RFC 8878) of blocks as they are."""
    out = bytearray(struct.pack("<IBQ", 0xFD2FB528, 0xE0, len(plain)))
    for at in range(0, max(len(plain), 1), BLOCK):
        block = plain[at:at + BLOCK]
        last = at + BLOCK >= len(plain)
        out += (len(block) << 3 | last).to_bytes(3, "little") + block
    return bytes(out)


@dataclasses.dataclass
class Entry:
    video: str
    minute: int
    views: int
    span: int = 1
    rendition: str = "720p"
    watch_ms: int = 0
    size: int = 0
    too_short: int = 0

    def numbers(self):
        sessions = self.views + self.too_short
        first = [self.views, self.views, sessions, self.watch_ms, self.views // 2, 0, 0, self.size, 0, self.views]
        numbers = first + [0] * (NUMBERS - len(first))
        numbers[STARTUP + 2] = self.views
        numbers[UNCOUNTED] = self.too_short
        numbers[SOURCES] = self.views
        return numbers

    def networks(self):
        """A sketch of as many networks as views, up to 60: an index each, ranks by their last bits."""
        if self.views == 0:
            return b"\0"
        n = min(self.views, 60)
        return bytes([1, NETWORKS_PRECISION << 1]) + varint(n) + b"\x01" + b"".join(
            varint(255) for _ in range(n - 1))

    def key(self):
        return self.video.encode(), self.minute, self.span, self.rendition.encode()


class Node:
    """One stream of one node."""

    def __init__(self, name, epoch, region="de-south"):
        self.name, self.epoch, self.region = name, epoch, region
        self.reports = []  # bytes of each
        self.previous = bytes(32)

    def report(self, entries, made_ms, totals=(0,) * 8):
        """Makes the next report; returns its number."""
        entries = sorted(entries, key=Entry.key)
        plain = bytearray(text(self.name) + text(self.region) + struct.pack("<Q", self.epoch))
        plain += varint(len(self.reports) + 1) + self.previous + varint(made_ms)
        plain += b"".join(map(varint, totals)) + varint(0) + varint(len(entries))
        last = None
        for entry in entries:
            plain += text("" if entry.video == last else entry.video)
            last = entry.video
        minute = 0
        for entry in entries:
            plain += zigzag(entry.minute - minute)
            minute = entry.minute
        for entry in entries:
            plain += varint(entry.span)
        for entry in entries:
            plain += text(entry.rendition)
        columns = [entry.numbers() for entry in entries]
        for column in range(NUMBERS):
            plain += b"".join(varint(numbers[column]) for numbers in columns)
        plain += bytes(len(entries))  # no sketches of viewers
        plain += b"".join(entry.networks() for entry in entries)
        report = b"FBVR\x01" + zstd(bytes(plain))
        self.previous = hashlib.sha256(report).digest()
        self.reports.append(report)
        return len(self.reports)

    def body(self, first, last=None):
        """Of a request with the reports from `first` to `last`, counted from 1."""
        reports = self.reports[first - 1:last or len(self.reports)]
        return b"".join(varint(len(report)) + report for report in reports)
