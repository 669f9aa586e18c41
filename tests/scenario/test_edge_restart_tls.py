"""A new process takes over while players are connected with TLS and HTTP/2."""
import ssl

import pytest
from lab import until
from lab_h2 import DATA, END_STREAM, GOAWAY, NO_ERROR, WIDE, WIDE_CONNECTION, Frames
from lab_tls import TlsClient, context, entry, tls_edge

SEGMENT = bytes(i * 7 % 251 for i in range(1 << 20))


@pytest.fixture
def more(lab):
    """Set: the origin sends the other half."""
    return lab.event()


@pytest.fixture
def origin(lab, more):
    def halting(exchange):
        exchange.head(200, {"Content-Length": str(len(SEGMENT)), "Cache-Control": "max-age=60"})
        exchange.send(SEGMENT[:len(SEGMENT) // 2])
        exchange.wait(more)
        exchange.send(SEGMENT[len(SEGMENT) // 2:])

    origin = lab.scripted_origin()
    origin.put("/seg.m4s", SEGMENT)
    origin.on("/halting.m4s", halting)
    return origin


@pytest.fixture
def edge(lab, origin, authority):
    tls = entry("players", [authority.issue("a.example")])
    tls += entry("others", [authority.issue("b.example")])
    return tls_edge(lab, origin, tls)


def restarted(edge):
    until(lambda: edge.restart().status == 200, "it restarts")


def ask(edge, trust, session=None):
    """(whether the session went on, the session)"""
    with TlsClient(edge.tls_port, "a.example", trust, session=session) as client:
        assert client.get("/seg.m4s").body == SEGMENT
        return client.sock.session_reused, client.sock.session


def test_sessions_go_on_with_the_next_process_and_the_one_after(edge, authority):
    trust = context(authority)
    _, session = ask(edge, trust)
    for _ in range(2):
        restarted(edge)
        edge.await_former()
        assert ask(edge, trust, session)[0]
    assert edge.metric('tls_handshakes_total{kind="resumed",server="forebay-edge"}') == 1


def test_an_entry_of_another_name_takes_no_session_over(edge, authority):
    trust = context(authority)
    _, session = ask(edge, trust)
    text = edge.config_path.read_text()
    edge.config_path.write_text(text.replace("players", "viewers"))
    restarted(edge)
    edge.await_former()
    assert not ask(edge, trust, session)[0]
    edge.config_path.write_text(text.replace("players", "viewers").replace(
        "    certificates:", "    tickets: 0\n    certificates:"))
    restarted(edge)
    edge.await_former()
    assert not ask(edge, trust, session)[0]


def test_a_segment_under_way_comes_whole_from_the_former_process(edge, authority, more):
    with TlsClient(edge.tls_port, "a.example", authority) as viewer:
        viewer.request("/halting.m4s").read_head()
        viewer.read_some(len(SEGMENT) // 2)
        restarted(edge)
        assert ask(edge, context(authority))
        more.set()
        assert viewer.read_body() == SEGMENT and viewer.response.complete
        edge.await_former()
        assert viewer.sock.recv(1) == b""  # told so by TLS: else this is an error


class TlsFrames(Frames):
    """Frames over TLS."""

    def __init__(self, port, trust):
        self.trust = trust
        super().__init__(port, WIDE)

    def send(self, data):
        if not isinstance(self.sock, ssl.SSLSocket):
            self.sock = self.trust.wrap_socket(self.sock, server_hostname="a.example")
            assert self.sock.selected_alpn_protocol() == "h2"
        super().send(data)


@pytest.mark.parametrize("is_secure", [False, True])
def test_a_stream_under_way_ends_before_its_connection(edge, authority, more, is_secure):
    trust = context(authority, protocols=["h2"])
    with TlsFrames(edge.tls_port, trust) if is_secure else Frames(edge.port, WIDE) as viewer:
        viewer.send(WIDE_CONNECTION)
        viewer.get(1, "/halting.m4s")
        got = viewer.read_until(lambda frame: frame.type == DATA)
        restarted(edge)
        got += viewer.read_until(lambda frame: frame.type == GOAWAY)
        assert int.from_bytes(got[-1].payload[4:8], "big") == NO_ERROR
        more.set()
        got += viewer.read_until(lambda frame: frame.flags & END_STREAM and frame.type == DATA)
        assert b"".join(frame.payload for frame in got if frame.type == DATA) == SEGMENT
        assert {frame.type for frame in viewer.read_until(lambda _: False)} <= {GOAWAY}
    edge.await_former()
