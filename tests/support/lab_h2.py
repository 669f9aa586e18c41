"""HTTP/2 for tests: curl and nghttp as clients, and frames by hand.

    with Frames(edge.port) as peer:
        peer.get(1, "/seg.m4s")
        frames = peer.read_until(lambda frame: frame.type == GOAWAY)
"""
import socket
import struct
import subprocess
from collections import namedtuple

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH, PING, GOAWAY, WINDOW_UPDATE = range(9)
CONTINUATION, PRIORITY_UPDATE = 9, 16
END_STREAM, ACK, END_HEADERS = 1, 1, 4
NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM = 0, 1, 7, 8, 11
AUTHORITY = "a.example"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

Frame = namedtuple("Frame", "type flags stream payload")


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def field(name, value):
    """A literal field that no table keeps (RFC 7541 section 6.2.2)."""
    return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def request(path, method="GET", **more):
    fields = {":method": method, ":scheme": "http", ":path": path, ":authority": AUTHORITY}
    return b"".join(field(name, value) for name, value in {**fields, **more}.items())


WIDE = b"\0\4\x7f\xff\xff\xff"  # SETTINGS_INITIAL_WINDOW_SIZE
WIDE_CONNECTION = frame(WINDOW_UPDATE, 0, 0, (0x7FFFFFFF - 65535).to_bytes(4, "big"))


class Frames:
    """A client that sends what it is told, and nothing by itself."""

    def __init__(self, port, settings=b"", timeout=20.0):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.buffer = b""
        self.send(PREFACE + frame(SETTINGS, 0, 0, settings))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def get(self, stream, path, **more):
        self.send(frame(HEADERS, END_STREAM | END_HEADERS, stream, request(path, **more)))

    def read(self):
        """The next frame; None at the end."""
        while len(self.buffer) < 9 or len(self.buffer) < 9 + int.from_bytes(self.buffer[:3], "big"):
            try:
                got = self.sock.recv(65536)
            except ConnectionResetError:
                return None
            if not got:
                return None
            self.buffer += got
        length = int.from_bytes(self.buffer[:3], "big")
        kind, flags, stream = struct.unpack(">BBI", self.buffer[3:9])
        payload, self.buffer = self.buffer[9:9 + length], self.buffer[9 + length:]
        return Frame(kind, flags, stream & 0x7FFFFFFF, payload)

    def read_until(self, is_last):
        """Frames up to the one that is the last, or to the end of the connection."""
        frames = []
        while got := self.read():
            frames.append(got)
            if is_last(got):
                break
        return frames

    def error(self):
        """The code of the GOAWAY that comes, None if the connection ends without."""
        last = self.read_until(lambda got: got.type == GOAWAY)[-1:]
        return int.from_bytes(last[0].payload[4:8], "big") if last and last[0].type == GOAWAY else None


def curl(*args, timeout=60):
    """What curl prints: the response's content, unless told otherwise."""
    done = subprocess.run(["curl", "-sS", "--max-time", str(timeout), *args], capture_output=True,
                          check=False, timeout=2 * timeout)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def nghttp(*args, timeout=60):
    done = subprocess.run(["nghttp", *args], capture_output=True, check=False, timeout=timeout)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
