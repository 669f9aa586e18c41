"""What one client may use: connections, requests, and how slowly it may read."""
import contextlib
import re
import socket
import subprocess

import pytest
from lab import BUILD, Client, Cut, until


class From(Client):
    """A connection from another address of the loopback network."""

    def __init__(self, port, source):
        connect = socket.create_connection
        try:
            socket.create_connection = lambda to, timeout: connect(to, timeout, (source, 0))
            super().__init__(port)
        finally:
            socket.create_connection = connect


def cached(lab, extra):
    origin = lab.scripted_origin()
    origin.put("/v/1.m4s", b"x" * 1000)
    edge = lab.edge(upstreams=[origin.url], extra=extra)
    return origin, edge


def ask(client, target="/v/1.m4s"):
    client.request(target)
    return client.read()


def is_closed(client):
    try:
        client.request("/v/1.m4s")
        client.read()
    except (Cut, OSError):
        return True
    return False


def test_a_client_over_its_connections_is_closed_and_others_are_not(lab):
    _, edge = cached(lab, "clients: {connections: 3}\n")
    with contextlib.ExitStack() as stack:
        mine = [stack.enter_context(From(edge.port, "127.0.0.2")) for _ in range(3)]
        assert all(ask(client).status == 200 for client in mine)
        assert is_closed(stack.enter_context(From(edge.port, "127.0.0.2")))
        assert ask(stack.enter_context(From(edge.port, "127.0.0.3"))).status == 200
        until(lambda: edge.metric(
            'http_client_connections_refused_total{server="forebay-edge"}') == 1, "it is counted")
        mine[0].close()
        until(lambda: not is_closed(stack.enter_context(From(edge.port, "127.0.0.2"))),
              "there is room for another one")


def test_a_client_over_its_rate_is_told_when_to_come_back(lab):
    _, edge = cached(lab, "clients: {requests: 1, burst: 5}\n")
    with From(edge.port, "127.0.0.2") as client, From(edge.port, "127.0.0.2") as second:
        assert [ask(client).status for _ in range(4)] + [ask(second).status] == [200] * 5
        answer = until(lambda: (a := ask(second)).status == 429 and a, "the burst is used up")
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["type"] == "/problems/client-rate"
        assert answer.headers["RateLimit-Policy"] == '"client";q=5;w=5'
        assert re.fullmatch(r'"client";r=0;t=[12]', answer.headers["RateLimit"])
        assert answer.headers["Retry-After"] in ("1", "2")
        assert answer.headers["Cache-Control"] == "no-store"
        until(lambda: ask(client).status == 200, "a token came")
    with From(edge.port, "127.0.0.3") as other:
        assert ask(other).status == 200
    until(lambda: edge.metric('http_refused_total{cause="rate",server="forebay-edge"}') >= 1,
          "it is counted")


def test_a_whole_network_may_be_one_client(lab):
    _, edge = cached(lab, "clients: {requests: 1, burst: 2, prefix_v4: 24}\n")
    with From(edge.port, "127.0.0.2") as first, From(edge.port, "127.0.0.3") as second:
        assert [ask(first).status, ask(second).status] == [200, 200]
        until(lambda: 429 in [ask(first).status, ask(second).status], "they share a bound")
    with From(edge.port, "127.0.1.2") as other:
        assert ask(other).status == 200


def test_nothing_of_this_holds_for_a_network_that_is_trusted(lab):
    _, edge = cached(lab, "clients: {connections: 1, requests: 1, trusted: [127.0.2.0/24]}\n")
    with From(edge.port, "127.0.2.1") as first, From(edge.port, "127.0.2.1") as second:
        assert all(ask(client).status == 200 for client in [first, second] * 5)


def test_without_a_word_of_it_no_client_is_bounded(lab):
    _, edge = cached(lab, "")
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(From(edge.port, "127.0.0.2")) for _ in range(100)]
        assert all(ask(client).status == 200 for client in clients for _ in range(3))


@pytest.mark.parametrize("wrong, sentence", [
    ("burst: 5", "'burst' without 'requests' bounds nothing"),
    ("trusted: [10.0.0.1/8]", "has bits set behind its length"),
    ("trusted: [localhost]", "is no network"),
])
def test_a_bound_that_means_nothing_is_refused(lab, wrong, sentence):
    path = lab.dir / "edge.yaml"
    path.write_text("node: n\nlisten: [{address: '127.0.0.1:0'}]\n"
                    "upstreams: [{url: 'http://127.0.0.1:1'}]\n" f"clients: {{{wrong}}}\n")
    done = subprocess.run([str(BUILD / "forebay-edge"), "--config", str(path), "--check"],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and sentence in done.stderr
