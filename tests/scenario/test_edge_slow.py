"""Clients that take what they asked for slowly, or not at all, and those beside them."""
import contextlib
import hashlib
import os
import resource
import socket
import struct
import time

import pytest
from lab import Client, get, until
from lab_wire import PATIENCE

MIB = 1 << 20


class Slow(Client):
    """A client with little room, that reads only when told."""

    def __init__(self, port, room=4096):
        super().__init__(port, room=room)


@pytest.fixture
def many_descriptors():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield before[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def segments(origin, n, size=MIB):
    bodies = [os.urandom(64) * (size // 64) for _ in range(n)]
    for i, body in enumerate(bodies):
        origin.put(f"/v/{i}.m4s", body, {"Cache-Control": "max-age=600", "ETag": f'"e{i}"'})
    return bodies


def test_clients_that_do_not_read_hold_no_memory_of_others(lab):
    origin = lab.scripted_origin()
    bodies = segments(origin, 40)
    edge = lab.edge(upstreams=[origin.url], memory="16MiB")
    with contextlib.ExitStack() as stack:
        slow = []
        for i in range(40):
            slow.append(stack.enter_context(Slow(edge.port)))
            slow[-1].request(f"/v/{i}.m4s")
            if i % 10 == 9:  # more than the store can hold at once is another matter
                until(lambda n=i: edge.metric(
                    'http_slow_clients_total{server="forebay-edge"}') > n,
                      "they are seen to be slow")
        begin = time.monotonic()
        origin.put("/long.m4s", b"y" * (24 * MIB), {"ETag": '"l"', "Cache-Control": "max-age=9"})
        answer = get(edge.url + "/long.m4s")
        assert answer.complete and len(answer.body) == 24 * MIB
        assert time.monotonic() - begin < 8 * PATIENCE
        # and who reads on after all gets what was asked for, whether it is still there or not
        for i in (0, 7, 39):
            answer = slow[i].read()
            assert answer.complete and answer.status == 200
            assert hashlib.sha256(answer.body).digest() == hashlib.sha256(bodies[i]).digest()


def test_a_client_that_takes_nothing_is_cut(lab):
    origin = lab.scripted_origin()
    segments(origin, 1, 8 * MIB)
    edge = lab.edge(upstreams=[origin.url], extra="timeouts: {write: 2s}\n")
    with Slow(edge.port) as client:
        client.request("/v/0.m4s")
        until(lambda: edge.metric(
            'http_timeouts_total{phase="write",server="forebay-edge"}') == 1, "it is cut")


def test_many_idle_and_many_slow_clients_leave_room_for_others(lab, many_descriptors):
    idle, slow = min(10000, (many_descriptors - 500) * 10 // 11), 1000
    origin = lab.scripted_origin()
    body = segments(origin, 1)[0]
    edge = lab.edge(upstreams=[origin.url], memory="64MiB")
    assert get(edge.url + "/v/0.m4s").body == body
    before = edge.metric("process_resident_memory_bytes")
    sockets = []
    try:
        for _ in range(idle):
            sock = socket.socket()
            sock.connect(("127.0.0.1", edge.port))
            sockets.append(sock)
        until(lambda: edge.metric('http_connections{server="forebay-edge"}') >= idle,
              "all idle ones are accepted")
        with_idle = edge.metric("process_resident_memory_bytes")
        for _ in range(slow):
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(("127.0.0.1", edge.port))
            sock.sendall(b"GET /v/0.m4s HTTP/1.1\r\nHost: a\r\n\r\n")
            sockets.append(sock)
        until(lambda: edge.metric(
            'http_slow_clients_total{server="forebay-edge"}') >= slow * 0.99, "all are slow")
        with_slow = edge.metric("process_resident_memory_bytes")
        begin = time.monotonic()
        answers = [get(edge.url + "/v/0.m4s") for _ in range(20)]
        assert all(answer.body == body for answer in answers)
        assert time.monotonic() - begin < 5 * PATIENCE
        a_idle = (with_idle - before) / idle
        a_slow = (with_slow - with_idle) / slow
        print(f"{idle} idle: {a_idle:.0f} bytes each; {slow} slow: {a_slow:.0f} bytes each")
        assert a_idle < 16 * 1024 and a_slow < 96 * 1024  # of a build with sanitizers
    finally:
        for sock in sockets:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
