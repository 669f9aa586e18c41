"""Every case of smuggling_cases.py against live servers: base/server alone, the edge
and the origin. What one reader takes for two messages no server of ours may."""
import os
import socket
import subprocess

import pytest
from lab import BUILD, SANITIZER, SANITIZER_ENV, Lab
from smuggling_cases import CASES

MALFORMED = {400, 408, 414, 417, 431, 501, 505}


class EchoServer:
    def __init__(self):
        self.process = subprocess.Popen(
            [str(BUILD / "echo-server")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, **SANITIZER_ENV})
        self.port = int(self.process.stdout.readline().split()[1])

    def stop(self):
        self.process.terminate()
        _, errors = self.process.communicate(timeout=30)
        assert not SANITIZER.search(errors), errors
        assert self.process.returncode == 0, errors


@pytest.fixture(scope="module", params=["echo", "edge", "origin"])
def server(request):
    if request.param == "echo":
        echo = EchoServer()
        yield echo
        echo.stop()
        return
    lab = Lab()
    if request.param == "edge":
        upstream = lab.scripted_origin()
        upstream.put("/", b"content")
        yield lab.edge(upstreams=[upstream.url])
        assert upstream.count("/smuggled") == 0
    else:
        yield lab.origin(workers=0)
    lab.close()


def converse(port, data, shut):
    """Sends `data`; every byte that comes back until the end, or for a moment when
    the connection stays open, and whether it ended."""
    with socket.create_connection(("127.0.0.1", port), 20) as sock:
        received, ended = b"", False
        try:
            sock.sendall(data)
            if shut:
                sock.shutdown(socket.SHUT_WR)
            while piece := sock.recv(65536):
                received += piece
            ended = True
        except ConnectionError:
            ended = True
        return received, ended


def responses(received):
    """The heads in what a server sent, by Content-Length: (status, head)."""
    found = []
    while received:
        raw, _, received = received.partition(b"\r\n\r\n")
        lines = raw.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        fields = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
        assert "transfer-encoding" not in fields or not received
        found.append((status, fields))
        received = received[int(fields.get("content-length", 0)):]
    return found


@pytest.mark.parametrize("data, outcome", [case[1:] for case in CASES],
                         ids=[case[0].replace(" ", "-") for case in CASES])
def test_no_reader_takes_it_otherwise(server, data, outcome):
    kind = outcome[0]
    if kind == "taken":
        # The last request says how it ends, so that the end needs no waiting.
        data += b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    received, ended = converse(server.port, data, shut=kind == "silent")
    got = responses(received)
    assert ended
    if kind == "silent":
        assert got == []
    elif kind == "taken":
        assert len(got) == outcome[1] + 1, got
        assert not any(status in MALFORMED for status, _ in got), got
    else:
        assert len(got) == 1, got
        status, fields = got[0]
        if kind == "refused":
            assert status == outcome[1]
            assert fields["connection"] == "close"
            assert fields["content-type"] == "application/problem+json"
