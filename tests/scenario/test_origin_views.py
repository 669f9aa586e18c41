"""Reports of views at the real origin: each counts once, whatever is sent."""
import http.client
import socket
import time

from lab import call, get
from view_reports import Entry, Node

TOKEN = "reports-of-this-lab"
CONF = f"auth:\n  hash_memory: 1MiB\nviews:\n  token: {TOKEN}\nadmins: [ada@example.org]\n"
ACCOUNT = {"email": "ada@example.org", "password": "correct horse battery"}
PATH = "/internal/v1/reports"


def minutes():
    return int(time.time()) // 60


class Station:
    """An origin with an account and videos, and who reports to it."""

    def __init__(self, lab, videos=1):
        self.origin = lab.origin(workers=0, extra=CONF)
        assert call("POST", f"{self.origin.url}/api/v1/auth/register", ACCOUNT).status == 201
        self.token = call("POST", f"{self.origin.url}/api/v1/auth/login", ACCOUNT).json()["access_token"]
        about = {"title": "A title", "filename": "clip.mp4", "size": 10}
        self.videos = [self.api("POST", "videos", about).json()["id"] for _ in range(videos)]

    def api(self, method, path, value=None):
        return call(method, f"{self.origin.url}/api/v1/{path}", value, self.token)

    def fields(self):
        return {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/vnd.forebay.view-reports"}

    def send(self, body, **more):
        connection = http.client.HTTPConnection("127.0.0.1", self.origin.port, timeout=30)
        connection.request("POST", PATH, body, self.fields() | more)
        response = connection.getresponse()
        told = response.read()
        connection.close()
        return response.status, told

    def begin(self, body, length):
        """Sends a head that promises `length` bytes, and `body`; the connection stays open."""
        head = "".join(f"{name}: {value}\r\n" for name, value in self.fields().items())
        line = socket.create_connection(("127.0.0.1", self.origin.port))
        line.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n{head}\r\n".encode() + body)
        return line

    def views(self, video=0):
        return self.api("GET", f"videos/{self.videos[video]}/analytics").json()["total"]


def some(station, node, n, views=1):
    """Makes `n` reports of so many views of each video."""
    for i in range(n):
        entries = [Entry(video, minutes() - i % 3, views, watch_ms=views * 9000, size=1000, too_short=1)
                   for video in station.videos]
        node.report(entries, int(time.time() * 1000))


def test_a_report_counts_once_however_often_and_in_which_order_it_comes(lab):
    station = Station(lab, videos=2)
    node = Node("edge-1", 0xFEDCBA9876543210)
    some(station, node, 4, views=5)
    receiver = get(station.origin.url + PATH, headers=list(station.fields().items())).json()["receiver"]
    assert len(receiver) == 32

    for _ in range(3):
        status, told = station.send(node.body(1, 2))
        assert status == 200 and f'"receiver":"{receiver}","acked":2'.encode() in told, told
    status, told = station.send(node.body(4))
    assert status == 409 and b'"acked":2,"refused":4,"reason":"gap"' in told, told
    twin = Node("edge-1", node.epoch)
    some(station, twin, 3, views=100)
    status, told = station.send(twin.body(3))
    assert status == 409 and b'"reason":"changed"' in told, told
    assert station.send(node.body(3), **{"Forebay-Receiver": "0" * 32})[0] == 421
    assert station.send(node.body(3), **{"Forebay-Receiver": receiver})[0] == 200
    assert station.send(node.body(1))[0] == 200

    for video in range(2):
        total = station.views(video)
        assert total["views"] == 20 and total["watch_ms"] == 180_000 and total["sessions"] == 24, total
        assert total["uncounted"]["too-short"] == 4 and total["sources"]["feed"] == 20
        assert total["startup_p50_ms"] == 400
    reports = station.api("GET", "reports").json()
    assert reports["streams"][0]["node"] == "edge-1" and reports["streams"][0]["sequence"] == 4
    assert reports["streams"][0]["epoch"] == "fedcba9876543210"
    assert {line["reason"] for line in reports["audit"]} == {"gap", "changed"}


def test_who_has_no_token_reports_nothing(lab):
    station = Station(lab)
    node = Node("edge-1", 1)
    some(station, node, 1)
    assert station.send(node.body(1), Authorization="Bearer something-else-than-that")[0] == 401
    assert station.send(b"\x05hello")[0] == 400
    assert station.views()["views"] == 0
    other = lab.origin(name="other", workers=0)
    assert call("POST", other.url + PATH, {}).status == 404


def test_a_body_that_is_cut_changes_nothing(lab):
    station = Station(lab)
    node = Node("edge-1", 1)
    some(station, node, 3)
    body = node.body(1)
    for part in (0, 1, len(body) // 2, len(body) - 1):
        station.begin(body[:part], len(body)).close()
    assert station.views()["views"] == 0
    assert station.send(body)[0] == 200
    assert station.views()["views"] == 3


def test_totals_hold_over_kills_in_the_middle(lab):
    station = Station(lab, videos=20)
    nodes = [Node(f"edge-{i}", i + 7) for i in range(3)]
    acked = {node.name: 0 for node in nodes}
    for _ in range(3):
        lines = []
        for node in nodes:
            some(station, node, 6)
            body = node.body(acked[node.name] + 1)
            lines.append(station.begin(body, len(body)))
        station.origin.kill()
        for line in lines:
            line.close()
        station.origin.start()
        for node in nodes:
            status, told = station.send(node.body(acked[node.name] + 1))
            assert status == 200, told
            acked[node.name] = len(node.reports)
    for video in (0, 7, 19):
        assert station.views(video)["views"] == 3 * 3 * 6


def test_clocks_that_are_wrong_lose_no_views(lab):
    station = Station(lab)
    node = Node("edge-1", 1)
    video = station.videos[0]
    node.report([Entry(video, minutes() + 600, 3), Entry(video, 0, 4)], 0)
    assert station.send(node.body(1))[0] == 200
    today = time.strftime("%Y-%m-%d", time.gmtime())
    long_ago = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 92 * 86400))
    told = station.api("GET", f"videos/{video}/analytics?from={long_ago}&to={today}").json()
    assert told["total"]["views"] == 7
    assert [row["views"] for row in told["rows"]] == [4, 3]
    assert {line["reason"] for line in station.api("GET", "reports").json()["audit"]} == {"clock-ahead", "clock-behind"}


def test_what_is_asked_of_analytics_is_checked(lab):
    station = Station(lab)
    video = station.videos[0]
    for query in ("from=2026-02-30", "from=2026-1-1", "to=x", "from=2026-03-02&to=2026-03-01", "by=hour",
                  "from=2020-01-01&to=2026-01-01"):
        assert station.api("GET", f"videos/{video}/analytics?{query}").status == 400, query
    assert station.api("GET", "analytics?by=region").json()["rows"] == []
    assert get(f"{station.origin.url}/api/v1/videos/{video}/analytics").status == 401
    node = Node("edge-1", 1, region="fr-west")
    some(station, node, 1)
    node.region = "de-south"
    some(station, node, 2)
    assert station.send(node.body(1))[0] == 200
    rows = station.api("GET", "analytics?by=region").json()["rows"]
    assert {row["region"]: row["views"] for row in rows} == {"fr-west": 1, "de-south": 2}
    rows = station.api("GET", f"videos/{video}/uncounted").json()["rows"]
    assert sum(row["uncounted"]["too-short"] for row in rows) == 3
