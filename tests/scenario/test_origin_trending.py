"""What trends at the real origin: reports and likes come in, lists change, and who wants to hear of
it is told by server-sent events and by WebSocket."""
import base64
import hashlib
import http.client
import json
import os
import socket
import struct
import time

import pytest

from catalogue import CONFIG, Catalogue, slug
from lab import get, until
from view_reports import Entry, Node

TOKEN = "reports-of-this-lab"
RULES = (CONFIG + "categories: [food, music]\ntrending:\n  every: 100ms\n"
         f"limits:\n  reactions: {{burst: 1000}}\nviews:\n  token: {TOKEN}\n")


class Station:
    """An origin with an account, and a node that reports to it."""

    def __init__(self, lab, **options):
        self.origin = lab.origin(workers=0, extra=RULES, **options)
        self.catalogue = Catalogue(self.origin)
        self.ada = self.catalogue.person("ada@example.org")
        self.node = Node("box-1", 7)

    def publish(self, title, **fields):
        return self.catalogue.publish(self.ada, title, **fields)

    def watch(self, views, region="de-south"):
        """Reports views of this minute: {video: views}."""
        self.node.region = region
        minute = int(time.time()) // 60
        number = self.node.report([Entry(video, minute, n) for video, n in views.items()],
                                  int(time.time() * 1000))
        connection = http.client.HTTPConnection("127.0.0.1", self.origin.port, timeout=30)
        connection.request("POST", "/internal/v1/reports", self.node.body(number),
                           {"Authorization": f"Bearer {TOKEN}",
                            "Content-Type": "application/vnd.forebay.view-reports"})
        response = connection.getresponse()
        assert response.status == 200, response.read()
        connection.close()

    def ask(self, query=""):
        return get(f"{self.origin.url}/api/v1/trending{query}")

    def list(self, query=""):
        answer = self.ask(query)
        assert answer.status == 200, answer.body
        return [item["video"]["title"] for item in answer.json()["videos"]]

    def until_list(self, titles, query=""):
        until(lambda: self.list(query) == titles, f"{titles} trend")


@pytest.fixture(scope="module")
def station(module_lab):
    return Station(module_lab)


# ---- who is told ---------------------------------------------------------------------

class Events:
    """A client of server-sent events."""

    def __init__(self, port, query=""):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.connection.request("GET", "/api/v1/trending/stream" + query)
        self.response = self.connection.getresponse()
        assert self.response.status == 200
        assert self.response.headers["Content-Type"] == "text/event-stream"

    def next(self):
        """The titles of the next event; None at the end."""
        while line := self.response.readline():
            if line.startswith(b"data: "):
                return [item["video"]["title"] for item in json.loads(line[6:])["videos"]]
        return None

    def close(self):
        """With a reset: a FIN alone may be that of a client which has no more to ask."""
        if self.connection.sock:
            self.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.response.close()
        self.connection.close()


class Socket:
    """A client of RFC 6455, written from it."""

    def __init__(self, port, query="", version="13"):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.file = self.socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET /api/v1/trending/socket{query} HTTP/1.1\r\nHost: a\r\n"
                             f"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: {key}\r\n"
                             f"Sec-WebSocket-Version: {version}\r\n\r\n").encode())
        self.status = int(self.file.readline().split()[1])
        self.fields = {}
        while (line := self.file.readline().strip()):
            name, _, value = line.decode().partition(": ")
            self.fields[name.lower()] = value
        guid = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.accept = base64.b64encode(hashlib.sha1(guid.encode()).digest()).decode()

    def send(self, opcode, payload=b""):
        mask = os.urandom(4)
        self.socket.sendall(bytes([0x80 | opcode, 0x80 | len(payload)]) + mask +
                            bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload)))

    def frame(self):
        """(opcode, payload) of the next frame; (None, b"") at the end."""
        head = self.file.read(2)
        if len(head) < 2:
            return None, b""
        size = head[1]
        if size == 126:
            size, = struct.unpack(">H", self.file.read(2))
        elif size == 127:
            size, = struct.unpack(">Q", self.file.read(8))
        return head[0] & 15, self.file.read(size)

    def next(self):
        opcode, payload = self.frame()
        assert opcode == 1, (opcode, payload)
        return [item["video"]["title"] for item in json.loads(payload)["videos"]]

    def close(self):
        self.file.close()
        self.socket.close()


# ---- lists ---------------------------------------------------------------------------

def test_what_is_reported_trends_and_everybody_is_told(lab):
    station = Station(lab)
    first, second = station.publish("first"), station.publish("second", category="music")
    assert station.list() == []
    events, talk = Events(station.origin.port), Socket(station.origin.port)
    music = Socket(station.origin.port, "?category=music")
    assert talk.status == 101 and talk.fields["sec-websocket-accept"] == talk.accept
    assert events.next() == talk.next() == music.next() == []

    station.watch({first: 12})
    assert events.next() == talk.next() == ["first"]
    station.watch({second: 3})
    assert events.next() == talk.next() == ["first", "second"]
    assert music.next() == ["second"]
    station.watch({second: 14})
    assert events.next() == talk.next() == ["second", "first"]

    ranking = get(f"{station.origin.url}/api/v1/videos/{second}/ranking").json()
    assert (ranking["rank"], ranking["of"], ranking["percentile"]) == (1, 2, 100)
    assert ranking["score"] == pytest.approx(
        ranking["parts"]["views"] * ranking["parts"]["quality"] + ranking["parts"]["engagement"] +
        ranking["parts"]["spike"], abs=0.1)
    ranking = get(f"{station.origin.url}/api/v1/videos/{first}/ranking?window=7d").json()
    assert (ranking["rank"], ranking["percentile"], ranking["window"]) == (2, 0, "7d")
    assert station.list("?region=de-south") == ["second", "first"]
    assert station.list("?region=elsewhere") == []

    # A stop tells all of them.
    station.origin.terminate()
    for client in (talk, music):
        assert client.frame() == (8, struct.pack(">H", 1001))
        client.send(8, struct.pack(">H", 1001))
        assert client.frame() == (None, b"")
        client.close()
    assert events.next() is None
    events.close()
    assert station.origin.wait() == 0


def test_likes_lift_a_video(station):
    quiet, liked = station.publish("quiet"), station.publish("liked")
    station.watch({quiet: 9, liked: 8}, "islands")
    station.until_list(["quiet", "liked"], "?region=islands")
    for i in range(3):
        fan = station.catalogue.person(f"fan{i}@example.org")
        assert fan.put(f"videos/{liked}/like").status == 200
        assert fan.post(f"videos/{liked}/share", {"channel": "link"}).status == 201
    station.until_list(["liked", "quiet"], "?region=islands")


def test_lists_outlive_a_crash(lab):
    station = Station(lab)
    videos = [station.publish(f"video {i}") for i in range(5)]
    station.watch({video: 3 + 2 * i for i, video in enumerate(videos)})
    titles = [f"video {i}" for i in (4, 3, 2, 1, 0)]
    station.until_list(titles)
    station.origin.kill()
    station.origin.start()
    assert station.list() == titles
    assert station.ada.delete(f"videos/{videos[4]}").status == 204
    station.until_list(titles[1:])


def test_pages_follow_each_other(station):
    videos = [station.publish(f"page {i}", category="food") for i in range(5)]
    station.watch({video: 15 - 2 * i for i, video in enumerate(videos)}, "pages")
    titles = [f"page {i}" for i in range(5)]
    station.until_list(titles, "?region=pages")
    seen, cursor = [], ""
    while cursor is not None:
        page = station.ask(f"?region=pages&limit=2{cursor and '&cursor=' + cursor}").json()
        seen += page["videos"]
        cursor = page["next_cursor"]
    assert [item["video"]["title"] for item in seen] == titles
    assert [item["rank"] for item in seen] == [1, 2, 3, 4, 5]
    cursor = station.ask("?region=pages&limit=2").json()["next_cursor"]
    assert slug(station.ask(f"?region=islands&cursor={cursor}")) == "bad-cursor"
    for query, name in [("?window=2h", "bad-window"), ("?limit=101", "bad-limit"),
                        ("?limit=0", "bad-limit"), ("?cursor=x", "bad-cursor"),
                        (f"?region={'x' * 65}", "bad-name")]:
        refused = station.ask(query)
        assert refused.status == 400 and slug(refused) == name
    assert slug(get(f"{station.origin.url}/api/v1/videos/{'a' * 26}/ranking")) == "not-ranked"


def test_an_answer_that_is_known_is_not_sent_again(station):
    answer = station.ask("?region=quiet-corner")
    assert answer.headers["Cache-Control"] == "public, max-age=5"
    again = get(f"{station.origin.url}/api/v1/trending?region=quiet-corner",
                headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status == 304 and again.body == b"" and again.headers["ETag"] == answer.headers["ETag"]


def test_an_edge_passes_events_on_and_keeps_lists_for_seconds(lab):
    station = Station(lab)
    edge = lab.edge([station.origin.url])
    video = station.publish("from afar")
    events = Events(edge.port)
    assert events.next() == []
    station.watch({video: 5})
    assert events.next() == ["from afar"]
    events.close()
    first, again = (get(edge.url + "/api/v1/trending?region=of-nobody") for _ in range(2))
    assert "stored" in first.headers["Cache-Status"] and "hit" in again.headers["Cache-Status"]
    assert again.body == first.body


# ---- WebSockets ----------------------------------------------------------------------

def test_a_socket_keeps_to_the_protocol(station):
    port = station.origin.port
    talk = Socket(port, "?region=nowhere")
    assert talk.next() == []
    talk.send(9, b"mark")
    assert talk.frame() == (10, b"mark")
    talk.send(1, b"what clients say is passed over")
    talk.send(8, struct.pack(">H", 1000))
    assert talk.frame() == (8, struct.pack(">H", 1000))
    assert talk.frame() == (None, b"")
    talk.close()
    large = Socket(port, "?region=nowhere")
    assert large.next() == []
    large.socket.sendall(b"\x81\xfe\xff\xff\0\0\0\0" + bytes(65535))
    assert large.frame() == (8, struct.pack(">H", 1009))
    large.close()


def test_what_is_no_handshake_is_told_so(station):
    port = station.origin.port
    old = Socket(port, version="8")
    assert old.status == 426 and old.fields["sec-websocket-version"] == "13"
    old.close()
    plain = get(f"{station.origin.url}/api/v1/trending/socket")
    assert plain.status == 426 and slug(plain) == "no-websocket"
