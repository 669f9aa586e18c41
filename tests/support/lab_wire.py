"""A literal HTTP/1.1 client and a scripted HTTP/1.1 origin, on raw sockets.

Neither shares a line with the programs under test, and both can do what a
library would refuse to: send any bytes, stop half-way, cut the connection.
Blocking calls, one thread per connection of the origin, every wait bounded.
"""
import dataclasses
import json
import os
import socket
import struct
import threading
import time
import urllib.parse

# Sanitized builds on a loaded machine are slow: one knob stretches every deadline.
PATIENCE = float(os.environ.get("FB_LAB_PATIENCE", "1"))

# Of the greatest numbers, those builds take one in so many.
SHARE = int(os.environ.get("FB_LAB_SHARE", "1"))


def until(condition, what, deadline=15.0):
    """Waits until condition() is true and returns its value; `what` completes
    the sentence "gave up waiting until ..."."""
    end = time.monotonic() + deadline * PATIENCE
    while True:
        try:
            value, problem = condition(), ""
        except (OSError, Cut) as error:
            value, problem = None, f" ({error})"
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"gave up waiting until {what}{problem}")
        time.sleep(0.01)


_claims = []  # what keeps ports for this process


def free_port():
    """A loopback port for this process alone, as long as it lives: of several that
    run tests at once, no two are given the same. Below the range from which the
    kernel serves clients, so that no connection takes it while nobody listens."""
    for port in range(15000 + os.getpid() * 37 % 10000, 32000):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0forebay-lab-port-{port}")
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        _claims.append(claim)
        return port
    raise AssertionError("no free port")


class Cut(Exception):
    """The peer ended the connection inside a message."""


class Headers(list):
    """(name, value) pairs in the order of the wire; look-ups ignore case."""

    def all(self, name):
        return [v for n, v in self if n.lower() == name.lower()]

    def get(self, name, default=None):
        values = self.all(name)
        return ", ".join(values) if values else default

    def __getitem__(self, name):
        if isinstance(name, str):
            value = self.get(name)
            assert value is not None, f"no {name} in {list(self)}"
            return value
        return super().__getitem__(name)

    def __contains__(self, name):
        return self.get(name) is not None if isinstance(name, str) else super().__contains__(name)


@dataclasses.dataclass
class Response:
    status: int
    reason: str
    version: str
    headers: Headers
    body: bytes = b""
    complete: bool = False  # the body came to the end that its framing declared
    raw_head: bytes = b""

    def json(self):
        return json.loads(self.body)


class Wire:
    """A socket with a read buffer."""

    def __init__(self, sock, timeout):
        self.sock = sock
        self.sock.settimeout(timeout * PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def send(self, data):
        self.sock.sendall(data.encode("latin-1") if isinstance(data, str) else data)

    def fill(self):
        """Reads more into the buffer; False at the peer's end."""
        data = self.sock.recv(256 * 1024)
        self.buffer += data
        return bool(data)

    def take(self, n):
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def read_exactly(self, n):
        parts, missing = [], n
        while missing:
            if not self.buffer and not self.fill():
                raise Cut(f"{missing} of {n} bytes missing")
            parts.append(self.take(missing))
            missing -= len(parts[-1])
        return b"".join(parts)

    def read_through(self, mark):
        while mark not in self.buffer:
            if not self.fill():
                raise Cut(f"connection ended before {mark!r}, after {self.buffer[:200]!r}")
        return self.take(self.buffer.index(mark) + len(mark))

    def cut(self):
        """Ends the connection with a reset, and with nothing before it: who has seen an end looks
        no further."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()


def parse_fields(lines):
    return Headers(tuple(part.strip() for part in line.split(":", 1)) for line in lines if line)


def connect(to, timeout, source, room):
    if room is None:
        return socket.create_connection(to, timeout, (source, 0) if source else None)
    sock = socket.socket()  # the room counts only if it is set before
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    sock.settimeout(timeout)
    sock.connect(to)
    return sock


class Client(Wire):
    """One connection to a server, from the address `source` if there is one, with so much room for
    what it has yet to read. Read heads and bodies in the order sent."""

    def __init__(self, port, host="127.0.0.1", timeout=20.0, source=None, room=None):
        self.response = None
        self.pieces = iter(())  # the body of self.response, as it arrives
        super().__init__(connect((host, port), timeout * PATIENCE, source, room), timeout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def request(self, target, method="GET", headers=(), body=None):
        """Sends a plain request; Host and Content-Length are added unless given."""
        pairs = list(headers.items() if isinstance(headers, dict) else headers)
        names = {name.lower() for name, _ in pairs}
        if "host" not in names:
            pairs.insert(0, ("Host", "127.0.0.1:%d" % self.sock.getpeername()[1]))
        if body is not None and not names & {"content-length", "transfer-encoding"}:
            pairs.append(("Content-Length", str(len(body))))
        lines = [f"{method} {target} HTTP/1.1"] + [f"{n}: {v}" for n, v in pairs]
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b""))
        return self

    def read_interim(self, method="GET"):
        """The next head, be it interim (1xx) or final."""
        raw = self.read_through(b"\r\n\r\n")
        first, *lines = raw.decode("latin-1").split("\r\n")
        version, status, reason = (first.split(" ", 2) + [""])[:3]
        self.response = Response(int(status), reason, version, parse_fields(lines), raw_head=raw)
        self.pieces = self._body(method)
        return self.response

    def read_head(self, method="GET"):
        """The next final head; read_body() or read_some() follow it."""
        while 100 <= self.read_interim(method).status < 200:
            pass
        return self.response

    def read_some(self, n=1):
        """At least n more body bytes, fewer only at the body's end; raises Cut when
        the connection ends first. What was read is in response.body too."""
        start = len(self.response.body)
        while len(self.response.body) - start < n:
            piece = next(self.pieces, None)
            if piece is None:
                break
            self.response.body += piece
        return self.response.body[start:]

    def read_body(self):
        """The rest of the body, to the end that its framing declares. Never raises
        for a cut: response.complete tells a whole body from a cut one."""
        parts = [self.response.body]
        try:
            for piece in self.pieces:
                parts.append(piece)
        except (Cut, ConnectionError):
            pass
        self.response.body = b"".join(parts)
        return self.response.body

    def read(self, method="GET"):
        self.read_head(method)
        self.read_body()
        return self.response

    def is_closed(self):
        """Waits for bytes or the end; True when the server ended the connection."""
        try:
            return not self.buffer and not self.fill()
        except ConnectionError:
            return True

    def _body(self, method):
        """Yields the body as it arrives and marks the response complete at its end."""
        response, fields = self.response, self.response.headers
        if method == "HEAD" or response.status in (204, 304) or response.status < 200:
            pass
        elif "chunked" in fields.get("Transfer-Encoding", "").lower():
            while size := int(self.read_through(b"\r\n").split(b";")[0], 16):
                yield from self._counted(size)
                if self.read_exactly(2) != b"\r\n":
                    raise AssertionError("a chunk does not end where it said")
            while self.read_through(b"\r\n") != b"\r\n":
                pass
        elif "Content-Length" in fields:
            yield from self._counted(int(fields["Content-Length"]))
        else:
            while self.buffer or self.fill():
                yield self.take(len(self.buffer))
        response.complete = True

    def _counted(self, left):
        while left:
            if not self.buffer and not self.fill():
                raise Cut(f"{left} body bytes missing")
            piece = self.take(left)
            left -= len(piece)
            yield piece


def get(url, method="GET", headers=(), body=None, span=None, timeout=20.0):
    """One exchange on a connection of its own. `url` is a whole URL; span=(2, 5)
    asks for bytes 2 to 5, span=(2, None) for all from byte 2, span=(None, 5) for
    the last 5. Never follows redirects."""
    parts = urllib.parse.urlsplit(url)
    pairs = list(headers.items() if isinstance(headers, dict) else headers)
    if span is not None:
        first, last = ("" if edge is None else edge for edge in span)
        pairs.append(("Range", f"bytes={first}-{last}"))
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with Client(parts.port or 80, parts.hostname, timeout) as client:
        client.request(target, method, pairs + [("Connection", "close")], body)
        return client.read(method)


def call(method, url, value=None, token=None, headers=()):
    """A JSON request: sends `value`, with a bearer token if there is one."""
    pairs = list(headers)
    body = None
    if value is not None:
        body = json.dumps(value).encode()
        pairs.append(("Content-Type", "application/json"))
    if token:
        pairs.append(("Authorization", f"Bearer {token}"))
    return get(url, method, pairs, body)


@dataclasses.dataclass
class Request:
    method: str
    target: str
    version: str
    headers: Headers
    body: bytes

    @property
    def path(self):
        return self.target.split("?")[0]


class Exchange:
    """One request at the scripted origin, in the hands of a script."""

    def __init__(self, origin, wire, request):
        self.origin, self.wire, self.request = origin, wire, request
        self.keep = request.headers.get("Connection", "").lower() != "close"

    def send(self, data):
        """Literal bytes."""
        self.wire.send(data)

    def head(self, status=200, headers=(), reason="Scripted"):
        pairs = headers.items() if isinstance(headers, dict) else headers
        lines = [f"HTTP/1.1 {status} {reason}"] + [f"{n}: {v}" for n, v in pairs]
        self.send("\r\n".join(lines) + "\r\n\r\n")

    def reply(self, status=200, body=b"", headers=()):
        """A whole response; Content-Length is written here."""
        pairs = list(headers.items() if isinstance(headers, dict) else headers)
        self.head(status, pairs + [("Content-Length", len(body))])
        if self.request.method != "HEAD":
            self.send(body)

    def wait(self, event, deadline=30.0):
        """Waits for a threading.Event; False when the test ended first."""
        end = time.monotonic() + deadline * PATIENCE
        while not event.wait(0.05):
            if self.origin.closing.is_set():
                return False
            assert time.monotonic() < end, "the script waited for an event that nobody set"
        return True

    def stall(self):
        """Says nothing more until the test ends, then cuts."""
        self.origin.closing.wait()
        self.cut()

    def cut(self):
        """Ends the connection with a reset, wherever the response stands."""
        self.keep = False
        self.wire.cut()

    def close(self):
        """Ends the connection in order, wherever the response stands."""
        self.keep = False
        self.wire.close()


class Origin:
    """A scripted HTTP/1.1 server.

    on(path, script) runs script(exchange) for each request of that path, in the
    thread of its connection; put(path, body) serves a fixed object, with ranges
    and If-None-Match. Any other path is 404. What a script raises fails the test.
    """

    def __init__(self, name="origin"):
        self.name, self.port, self.listener = name, free_port(), None
        self.scripts, self.seen, self.problems = {}, [], []
        self.script_of_any = lambda exchange: exchange.reply(404)
        self.closing, self.lock, self.wires = threading.Event(), threading.Lock(), set()
        self.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        """Listens, after stop() on the same port again."""
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen(512)
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def stop(self):
        """Refuses connections and cuts those that stand."""
        listener, self.listener = self.listener, None
        if listener:
            try:
                listener.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            listener.close()
        with self.lock:
            wires = list(self.wires)
        for wire in wires:
            wire.close()

    def on(self, path, script):
        self.scripts[path] = script

    def on_any(self, script):
        """For all paths that have no script of their own."""
        self.script_of_any = script

    def put(self, path, body, headers=(), etag='"1"'):
        fields = {"ETag": etag, **dict(headers)}
        self.on(path, lambda exchange: _serve_fixed(exchange, body, fields))

    def requests(self, path=None):
        """What came, in order; of one path (without its query) or of all."""
        with self.lock:
            return [r for r in self.seen if path is None or r.path == path]

    def count(self, path=None):
        return len(self.requests(path))

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._converse, args=(Wire(sock, 60),), daemon=True).start()

    def _converse(self, wire):
        with self.lock:
            self.wires.add(wire)
        try:
            while (request := self._read(wire)) is not None:
                exchange = Exchange(self, wire, request)
                with self.lock:
                    self.seen.append(request)
                self.scripts.get(request.path, self.script_of_any)(exchange)
                if not exchange.keep:
                    return
        except (Cut, OSError):
            pass  # the peer left, or the script cut
        except Exception as error:  # noqa: BLE001 - handed to the test by close()
            self.problems.append(f"{self.name}: {type(error).__name__}: {error}")
        finally:
            with self.lock:
                self.wires.discard(wire)
            wire.close()

    @staticmethod
    def _read(wire):
        if not wire.buffer and not wire.fill():
            return None
        first, *lines = wire.read_through(b"\r\n\r\n").decode("latin-1").split("\r\n")
        method, target, version = first.split(" ")
        headers = parse_fields(lines)
        if headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b""
            while size := int(wire.read_through(b"\r\n"), 16):
                body += wire.read_exactly(size + 2)[:-2]
            wire.read_through(b"\r\n")
        else:
            body = wire.read_exactly(int(headers.get("Content-Length", "0")))
        return Request(method, target, version, headers, body)

    def close(self):
        self.closing.set()
        self.stop()
        assert not self.problems, "; ".join(self.problems)


def _serve_fixed(exchange, body, fields):
    fields, wanted = dict(fields), exchange.request.headers
    if wanted.get("If-None-Match") == fields["ETag"]:
        exchange.head(304, fields)
        return
    span = wanted.get("Range", "")
    if not span.startswith("bytes=") or wanted.get("If-Range", fields["ETag"]) != fields["ETag"]:
        exchange.reply(200, body, {"Accept-Ranges": "bytes", **fields})
        return
    first, last = span[len("bytes="):].split("-")
    start = int(first) if first else max(0, len(body) - int(last))
    end = min(int(last), len(body) - 1) if first and last else len(body) - 1
    if start >= len(body):
        exchange.reply(416, b"", {"Content-Range": f"bytes */{len(body)}"})
        return
    fields["Content-Range"] = f"bytes {start}-{end}/{len(body)}"
    exchange.reply(206, body[start:end + 1], fields)
