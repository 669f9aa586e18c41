"""A film: a huge object in which every offset shows, at a scripted origin, and viewers
that compare it as it comes."""
import os
import threading

MIB = 1024 * 1024
HUGE = 2 * 1024 * MIB
PERIOD = 1000003  # the content repeats, but never so that it would fit in a wrong chunk
PATTERN = os.urandom(PERIOD) * 2


def content(first, end):
    """The bytes of a film from `first` up to `end`, in pieces."""
    while first < end:
        at = first % PERIOD
        n = min(end - first, PERIOD)
        yield PATTERN[at:at + n]
        first += n


class Film:
    """A sparse object at an origin: any range of it, with a strong validator."""

    def __init__(self, origin, path="/v/film.mp4", size=HUGE, etag='"film"', cut_at=None):
        self.size, self.etag, self.cut_at = size, etag, cut_at
        self.origin, self.path, self.n_sent = origin, path, 0
        self.lock = threading.Lock()
        origin.on(path, self.script)

    def script(self, exchange):
        wanted = exchange.request.headers
        fields = {"ETag": self.etag, "Accept-Ranges": "bytes", "Cache-Control": "max-age=600"}
        span = wanted.get("Range", "")
        first, end, status = 0, self.size, 200
        if span and wanted.get("If-Range", self.etag) == self.etag:
            begin, last = span[len("bytes="):].split("-")
            first = int(begin) if begin else max(0, self.size - int(last))
            end = min(int(last) + 1, self.size) if begin and last else self.size
            if first >= self.size:
                exchange.reply(416, b"", {"Content-Range": f"bytes */{self.size}"})
                return
            fields["Content-Range"] = f"bytes {first}-{end - 1}/{self.size}"
            status = 206
        exchange.head(status, {**fields, "Content-Length": end - first})
        cut_at = self.cut_at  # which a test may change meanwhile
        is_cut = cut_at is not None and first <= cut_at < end
        if is_cut:
            end = cut_at
        for piece in content(first, end):
            exchange.send(piece)
            with self.lock:
                self.n_sent += len(piece)
        if is_cut:
            exchange.wire.close()  # in good order, but too early
            exchange.keep = False

    def ranges(self):
        return [r.headers.get("Range") for r in self.origin.requests(self.path)]


class Viewer:
    """A client that compares a body with what it should be, as it comes."""

    def __init__(self, lab, edge, path, headers=()):
        self.client = lab.client(edge, timeout=60).request(path, headers=headers)
        self.response = self.client.read_head()
        self.at = 0
        self.expected, self.want = content(0, HUGE), b""

    def read(self, stop=HUGE):
        """Reads to the end, or until it has `stop` bytes; returns how many it has."""
        while self.at < stop:
            piece = next(self.client.pieces, b"")
            if not piece:
                break
            while len(self.want) < len(piece):
                self.want += next(self.expected)
            assert piece == self.want[:len(piece)], f"a wrong byte after {self.at}"
            self.want = self.want[len(piece):]
            self.at += len(piece)
        return self.at

    def close(self):
        self.client.close()


def said(answer):
    return answer.headers["Cache-Status"].split("; ttl=")[0].split(", ")[-1]
