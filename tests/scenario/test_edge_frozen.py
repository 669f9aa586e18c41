"""Segments that are asked for often are sent without a copy: what a client has yet to get stays
as it was, whatever becomes of the memory."""
import contextlib
import hashlib
import os

from lab import get, until
from test_edge_slow import MIB, Slow

HITS = 8  # more than it takes


def digest(body):
    return hashlib.sha256(body).digest()


def test_what_clients_have_yet_to_read_outlives_the_memory_it_was_in(lab):
    origin = lab.scripted_origin()
    bodies = [os.urandom(MIB) for _ in range(76)]
    for i, body in enumerate(bodies):
        origin.put(f"/v/{i}.m4s", body, {"Cache-Control": "max-age=600", "ETag": f'"e{i}"'})
    edge = lab.edge(upstreams=[origin.url], memory="64MiB\n  eviction: lru")

    def warm(numbers, hits=HITS):
        for i in numbers:
            for _ in range(hits):
                assert digest(get(edge.url + f"/v/{i}.m4s").body) == digest(bodies[i])

    warm(range(4))
    assert edge.metric("edge_store_frozen_total") == 4
    with contextlib.ExitStack() as stack:
        waiting = [stack.enter_context(Slow(edge.port, 16384)) for _ in range(16)]
        for i, client in enumerate(waiting):
            client.request(f"/v/{i % 4}.m4s")
        until(lambda: edge.metric('http_slow_clients_total{server="forebay-edge"}') >= 16,
              "they are seen to be slow")
        warm(range(4, 72), 1)  # which takes all memory
        assert edge.metric("edge_store_evictions_total") >= 4
        warm(range(72, 76))  # and their place in the file
        assert edge.metric("edge_store_frozen_total") == 8
        for i, client in enumerate(waiting):
            answer = client.read()
            assert answer.complete and digest(answer.body) == digest(bodies[i % 4])
