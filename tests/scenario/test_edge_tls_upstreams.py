"""Upstreams over TLS: what an edge trusts, what it shows, and what is cut."""
import contextlib
import socket
import ssl
import threading

import pytest
from lab import Client, get
from lab_tls import entry, tls_edge

SEGMENT = bytes(i * 11 % 251 for i in range(700000))


@pytest.fixture(scope="module")
def origin(module_lab):
    origin = module_lab.scripted_origin()
    origin.put("/v/1.m4s", SEGMENT)
    origin.put("/v/2.m4s", SEGMENT[::-1])
    return origin


@pytest.fixture(scope="module")
def region(module_lab, origin, authority):
    """A regional node that serves those alone whom its authority signed."""
    tls = entry("tiers", [authority.issue("region.example")], authorities=authority.path)
    return tls_edge(module_lab, origin, tls, listen="tiers", name="region-1", role="regional",
                    workers=1)


def upstream(region, **keys):
    more = "".join(f", {key}: {value}" for key, value in keys.items())
    return f"{{url: 'https://127.0.0.1:{region.tls_port}', tier: regional{more}}}"


def edge_of(lab, authority, pairs, up):
    tls = "tls:\n" + entry("tiers", pairs, authorities=authority.path)
    return lab.edge(upstreams=[up], extra=tls, workers=1)


def test_tiers_know_each_other_by_certificate(lab, origin, region, authority):
    edge = edge_of(lab, authority, [authority.issue("box-1")],
                   upstream(region, tls="tiers", tls_name="region.example"))
    assert get(edge.url + "/v/1.m4s").body == SEGMENT
    assert get(edge.url + "/v/2.m4s").body == SEGMENT[::-1]
    assert "hit" in get(edge.url + "/v/2.m4s").headers["Cache-Status"]
    assert edge.metric("fb_client_connections_opened_total") == 1  # it is kept, and used again


def test_an_edge_without_a_certificate_gets_nothing(lab, region, authority):
    edge = edge_of(lab, authority, [], upstream(region, tls="tiers", tls_name="region.example"))
    assert get(edge.url + "/v/1.m4s").status == 502


@pytest.mark.parametrize("name", ["", "other.example"])
def test_a_certificate_for_another_name_is_refused(lab, region, authority, name):
    keys = {"tls_name": name} if name else {}
    edge = edge_of(lab, authority, [authority.issue("box-1")],
                   upstream(region, tls="tiers", **keys))
    assert get(edge.url + "/v/1.m4s").status == 502


def test_a_certificate_that_nobody_known_signed_is_refused(lab, region, authority, stranger):
    pair = authority.issue("box-1")
    edge = edge_of(lab, stranger, [pair],
                   upstream(region, tls="tiers", tls_name="region.example"))
    assert get(edge.url + "/v/1.m4s").status == 502
    assert "not correctly signed by the trusted CA" in edge.log()
    edge.stop()
    edge = lab.edge(upstreams=[upstream(region, tls_name="region.example")], name="box-2")
    assert get(edge.url + "/v/1.m4s").status == 502  # the system does not know it either


class CutServer:
    """Answers over TLS with content that only its end ends, and ends it with or without saying so."""

    def __init__(self, authority, says_so):
        self.says_so = says_so
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*map(str, authority.issue("cut.example")))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            with plain, self.context.wrap_socket(plain, server_side=True) as sock:
                sock.recv(65536)
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\n\r\n" + SEGMENT)
                if self.says_so:
                    with contextlib.suppress(OSError):  # the edge closes without an answer
                        sock.unwrap()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()


@pytest.mark.parametrize("says_so", [True, False])
def test_content_that_a_fin_alone_ends_is_cut(lab, authority, says_so):
    server = CutServer(authority, says_so)
    edge = edge_of(lab, authority, [],
                   f"{{url: 'https://127.0.0.1:{server.port}', tls: tiers, tls_name: cut.example}}")
    try:
        with Client(edge.port) as client:
            client.request("/v/1.m4s")
            assert client.read().complete == says_so
            # A reset may overtake what came before it.
            assert client.response.body == SEGMENT if says_so else SEGMENT.startswith(
                client.response.body)
    finally:
        server.close()


def test_the_next_connection_resumes_the_session(lab, authority):
    server = CutServer(authority, says_so=True)
    edge = edge_of(lab, authority, [],
                   f"{{url: 'https://127.0.0.1:{server.port}', tls: tiers, tls_name: cut.example}}")
    try:
        for number in range(3):  # the server closes after each
            assert get(f"{edge.url}/v/{number}.m4s").body == SEGMENT
        count = "fb_client_tls_handshakes_total"
        assert edge.metric(f'{count}{{kind="full"}}') == 1
        assert edge.metric(f'{count}{{kind="resumed"}}') == 2
    finally:
        server.close()
