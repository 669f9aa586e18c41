"""A thousand clients, four loop threads, one segment that nobody had yet."""
import os
import selectors
import socket
import time

from lab import PATIENCE, until

BODY = os.urandom(4 * 1024 * 1024)
HEAD = {"Content-Length": len(BODY), "Cache-Control": "max-age=600", "ETag": '"1"'}
CROWD = 1000


class Viewer:
    """A client that never blocks: it looks at each byte as it comes and keeps none."""

    def __init__(self, port, target):
        self.head, self.at, self.first_byte, self.is_over = b"", 0, None, False
        self.sock = socket.create_connection(("127.0.0.1", port), 20 * PATIENCE)
        self.sock.sendall(f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        self.sock.setblocking(False)

    def read(self, buffer):
        try:
            n = self.sock.recv_into(buffer)
        except BlockingIOError:
            return
        if n == 0:
            self.is_over = True
            return
        if self.first_byte is None:
            self.first_byte = time.monotonic()
        start = 0
        if self.at == 0 and not self.head.endswith(b"\r\n\r\n"):
            had, self.head = len(self.head), self.head + bytes(buffer[:n])
            end = self.head.find(b"\r\n\r\n") + 4
            if end < 4:
                return
            start, self.head = end - had, self.head[:end]
        want = BODY[self.at:self.at + n - start]
        assert len(want) == n - start and buffer.startswith(want, start), f"wrong after {self.at}"
        self.at += n - start


class Crowd:
    def __init__(self, edge, target, n):
        self.selector, self.buffer = selectors.DefaultSelector(), bytearray(1 << 18)
        self.viewers = [Viewer(edge.port, target) for _ in range(n)]
        for viewer in self.viewers:
            self.selector.register(viewer.sock, selectors.EVENT_READ, viewer)

    def read_until(self, condition, what, deadline=60):
        end = time.monotonic() + deadline * PATIENCE
        while not condition():
            assert time.monotonic() < end, f"gave up waiting until {what}"
            for key, _ in self.selector.select(0.1):
                key.data.read(self.buffer)
                if key.data.is_over:
                    self.drop(key.data)

    def drop(self, viewer):
        self.selector.unregister(viewer.sock)
        viewer.sock.close()


def test_a_thousand_clients_of_one_cold_segment_cost_one_request(lab):
    origin, go = lab.scripted_origin(), lab.event()
    origin.on("/v/1.m4s", lambda e: (e.wait(go), e.head(200, HEAD), e.send(BODY)))
    edge = lab.edge(upstreams=[origin.url], workers=4)
    crowd = Crowd(edge, "/v/1.m4s", CROWD)
    until(lambda: edge.metric("edge_fill_readers") == CROWD, "all of them wait")
    go.set()
    begun = time.monotonic()
    crowd.read_until(lambda: all(v.is_over for v in crowd.viewers), "all have it")
    times = sorted(v.first_byte for v in crowd.viewers)
    print(f"{CROWD} clients, one cold segment of {len(BODY) >> 20} MiB: first bytes "
          f"{1000 * (times[-1] - times[0]):.1f} ms apart, all bytes after "
          f"{time.monotonic() - begun:.2f} s")
    assert all(v.at == len(BODY) and v.head.startswith(b"HTTP/1.1 200") for v in crowd.viewers)
    assert sum(b"collapsed" in v.head for v in crowd.viewers) == CROWD - 1
    assert origin.count() == 1
    assert edge.metric("edge_fill_started_total") == 1


def test_who_comes_during_a_fill_begins_at_once_and_who_leaves_ends_nothing(lab):
    origin, pieces = lab.scripted_origin(), 16
    size, gates = len(BODY) // pieces, [lab.event() for _ in range(pieces)]

    def script(exchange):
        exchange.head(200, HEAD)
        for i, gate in enumerate(gates):
            exchange.wait(gate)
            exchange.send(BODY[i * size:(i + 1) * size])

    origin.on("/v/1.m4s", script)
    edge = lab.edge(upstreams=[origin.url], workers=4)
    crowds = []
    for i, gate in enumerate(gates):
        gate.set()
        crowd = Crowd(edge, "/v/1.m4s", 10)
        crowd.read_until(lambda: all(v.at > 0 for v in crowd.viewers), f"crowd {i} has begun")
        crowds.append(crowd)
        for viewer in crowd.viewers[::2]:  # every second one has seen enough
            if not viewer.is_over:
                crowd.drop(viewer)
        del crowd.viewers[::2]
    for crowd in crowds:
        crowd.read_until(lambda: all(v.is_over for v in crowd.viewers), "all have it")
        assert all(v.at == len(BODY) for v in crowd.viewers)
    assert origin.count() == 1
