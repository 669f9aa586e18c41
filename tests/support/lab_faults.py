"""An origin that breaks in every way that a peer can, and clients who check each byte.

Every object has several versions, told apart by their entity tags, and its bytes follow from
path and tag alone. So whoever reads a body knows whether it is whole, cut or mixed, whatever
happened on the way.
"""
import base64
import hashlib
import random
import re
import threading

from lab_wire import Client, Cut, Exchange

SPAN = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)$")
TAGS = ('"one"', '"two"')


def body_of(path, tag):
    """The bytes of one version: mostly small, now and then a few chunks of a MiB."""
    seed = hashlib.sha256(f"{path} {tag}".encode()).digest()
    number = int.from_bytes(seed[:4], "little")
    size = 1_000_000 + number % 1_500_000 if seed[4] < 6 else 1 + number % 40_000
    return hashlib.shake_128(seed).digest(size)


def digest_of(body):
    return "sha-256=:" + base64.b64encode(hashlib.sha256(body).digest()).decode() + ":"


class Breaker:
    """The script of an origin: answers some requests well, and breaks the others in a way that
    chance chooses. `counts` tells how often each fault was injected."""

    def __init__(self, seed, digests=False):
        self.dice, self.lock, self.counts = random.Random(seed), threading.Lock(), {}
        self.faults = [name for name in dir(self) if name.startswith("break_")]
        if not digests:  # which nothing but a digest can tell
            self.faults = [name for name in self.faults if not name.startswith("break_digest")]

    def injected(self):
        with self.lock:
            return sum(self.counts.values())

    def __call__(self, exchange: Exchange):
        with self.lock:
            name = self.dice.choice(self.faults) if self.dice.random() < 0.8 else None
            tag, at = self.dice.choice(TAGS), self.dice.random()
            if name == "break_stall" and self.counts.get(name, 0) > 40:
                name = "break_cut"  # each costs a timeout
            if name:
                self.counts[name] = self.counts.get(name, 0) + 1
        wanted = exchange.request.headers.get("If-Range")
        if wanted in TAGS and at < 0.9:
            tag = wanted
        body = body_of(exchange.request.path, tag)
        getattr(self, name or "well")(exchange, body, tag, int(at * len(body)))

    def fields(self, body, tag, **more):
        return {"ETag": tag, "Cache-Control": "max-age=600", "Repr-Digest": digest_of(body), **more}

    def start(self, exchange, body, tag):
        """The head, with the range if one is wanted, and what is to follow it."""
        span = exchange.request.headers.get("Range", "")
        first, last = 0, len(body) - 1
        if span.startswith("bytes=") and exchange.request.headers.get("If-Range", tag) == tag:
            a, b = span[6:].split("-")
            first = int(a) if a else max(0, len(body) - int(b))
            last = min(int(b), last) if a and b else last
            if first > last:
                exchange.reply(416, b"", {"Content-Range": f"bytes */{len(body)}"})
                return None
            exchange.head(206, self.fields(body, tag, **{
                "Content-Length": last - first + 1,
                "Content-Range": f"bytes {first}-{last}/{len(body)}"}))
        else:
            exchange.head(200, self.fields(body, tag, **{"Content-Length": len(body)}))
        return body[first:last + 1]

    def well(self, exchange, body, tag, at):
        content = self.start(exchange, body, tag)
        if content is not None:
            exchange.send(content)

    # ---- faults ---------------------------------------------------------------------

    def break_cut(self, exchange, body, tag, at):
        content = self.start(exchange, body, tag)
        if content is not None:
            exchange.send(content[:at % len(content)])
            exchange.close()

    def break_reset(self, exchange, body, tag, at):
        content = self.start(exchange, body, tag)
        if content is not None:
            exchange.send(content[:at % len(content)])
            exchange.cut()

    def break_stall(self, exchange, body, tag, at):
        content = self.start(exchange, body, tag)
        if content is not None:
            exchange.send(content[:at % len(content)])
            exchange.wire.fill()  # until the other side has had enough
            exchange.close()

    def break_head(self, exchange, body, tag, at):
        exchange.send(f"HTTP/1.1 200 OK\r\nETag: {tag}\r\nContent-Len"[:1 + at % 40])
        exchange.close()

    def break_silence(self, exchange, body, tag, at):
        exchange.cut()

    def break_garbage(self, exchange, body, tag, at):
        exchange.send(body[:200] + b"\r\n\r\n")
        exchange.close()

    def break_status(self, exchange, body, tag, at):
        status = (500, 502, 503, 504, 304, 404, 206)[at % 7]
        exchange.reply(status, b"" if status == 304 else b"an error", {"Cache-Control": "no-store"})

    def break_two_lengths(self, exchange, body, tag, at):
        exchange.send(f"HTTP/1.1 200 OK\r\nETag: {tag}\r\nContent-Length: {len(body)}\r\n"
                      f"Content-Length: {at}\r\nCache-Control: max-age=600\r\n\r\n")
        exchange.send(body[:at])
        exchange.close()

    def break_length_and_chunks(self, exchange, body, tag, at):
        exchange.send(f"HTTP/1.1 200 OK\r\nETag: {tag}\r\nContent-Length: {at}\r\n"
                      f"Transfer-Encoding: chunked\r\nCache-Control: max-age=600\r\n\r\n"
                      f"{len(body):x}\r\n")
        exchange.send(body[:at])
        exchange.close()

    def chunked(self, exchange, body, tag):
        exchange.head(200, self.fields(body, tag, **{"Transfer-Encoding": "chunked"}))

    def break_chunk_size(self, exchange, body, tag, at):
        self.chunked(exchange, body, tag)
        exchange.send(b"%x\r\n%b\r\n" % (at + 1, body[:at + 1]))
        exchange.send((b"zz\r\n", b"-1\r\n", b"fffffffffffffffff\r\n", b"\r\n")[at % 4])
        exchange.close()

    def break_chunk_end(self, exchange, body, tag, at):
        self.chunked(exchange, body, tag)
        exchange.send(b"%x\r\n%b" % (at + 1, body[:at + 1]))
        exchange.send(b"xx0\r\n\r\n")
        exchange.close()

    def break_chunk_cut(self, exchange, body, tag, at):
        self.chunked(exchange, body, tag)
        exchange.send(b"%x\r\n%b" % (len(body), body[:at]))
        exchange.close()

    def break_no_last_chunk(self, exchange, body, tag, at):
        self.chunked(exchange, body, tag)
        exchange.send(b"%x\r\n%b\r\n" % (len(body), body))
        exchange.close()

    def break_range(self, exchange, body, tag, at):
        """Another part than was asked for, or of no place at all."""
        span = exchange.request.headers.get("Range")
        if not span:
            self.break_cut(exchange, body, tag, at)
            return
        content = body[at:at + 10]
        told = (f"bytes {at}-{at + len(content) - 1}/{len(body)}", "bytes 5-x/3", "pages 1-2/3",
                f"bytes */{len(body)}")[at % 4]
        exchange.reply(206, content, self.fields(body, tag, **{"Content-Range": told}))

    def break_version(self, exchange, body, tag, at):
        """The wrong version goes on where the right one broke: its own head tells."""
        other = TAGS[1 - TAGS.index(tag)]
        self.well(exchange, body_of(exchange.request.path, other), other, at)

    def break_digest_total(self, exchange, body, tag, at):
        """A true part of what is said to be shorter than it is."""
        if not exchange.request.headers.get("Range", "").startswith("bytes=0-") or at < 10:
            self.break_cut(exchange, body, tag, at)
            return
        exchange.reply(206, body[:10], self.fields(body, tag, **{
            "Content-Range": f"bytes 0-9/{at}"}))

    def break_digest_short(self, exchange, body, tag, at):
        """Shorter than it is, by its own length."""
        exchange.reply(200, body[:at], self.fields(body, tag))

    def break_digest_bit(self, exchange, body, tag, at):
        flipped = bytearray(body)
        flipped[at] ^= 1
        exchange.reply(200, bytes(flipped), self.fields(body, tag))


class Reader:
    """A client that checks all it gets; some leave in the middle, some dawdle."""

    def __init__(self, port, seed):
        self.port, self.dice = port, random.Random(seed)
        self.n_whole = self.n_cut = self.n_errors = 0

    def ask(self, path):
        """Raises AssertionError when what passes as complete is not."""
        headers, mood = {}, self.dice.random()
        if self.dice.random() < 0.3:
            first = self.dice.randrange(2_000)
            headers["Range"] = f"bytes={first}-{first + self.dice.randrange(30_000)}"
        try:
            with Client(self.port) as client:
                client.request(path, headers=headers)
                response = client.read_head()
                if mood < 0.1:
                    client.read_some(self.dice.randrange(1, 5_000))
                    client.cut()
                    return
                client.read_body()
        except (Cut, OSError):
            self.n_cut += 1
            return
        if not response.complete:
            self.n_cut += 1
        elif response.status in (200, 206):
            self.check(path, response)
            self.n_whole += 1
        else:
            assert response.status in (404, 416, 500, 502, 503, 504), response.status
            self.n_errors += 1

    @staticmethod
    def check(path, response):
        tag = response.headers["ETag"]
        expected = body_of(path, tag)
        if response.status == 206:
            first, last, total = SPAN.match(response.headers["Content-Range"]).groups()
            assert total in ("*", str(len(expected))), (path, response.headers)
            expected = expected[int(first):int(last) + 1]
        assert response.body == expected, (
            f"{path} {tag}: {len(response.body)} bytes, not the {len(expected)} of that version; "
            f"{list(response.headers)}")
