"""Reports: what edges count comes to the origin by way of a regional node, once."""
import random
import ssl
import urllib.parse

import pytest

from lab import Cut, call, get, until
from lab_tls import Authority, TlsClient, add_tls, context, entry
from view_reports import Entry, Node

UPSTREAM_TOKEN = "what-the-origin-expects"
TOKEN = "what-the-regional-node-expects"
PATH = "/internal/v1/reports"
ORIGIN = f"auth:\n  hash_memory: 1MiB\nviews:\n  token: {UPSTREAM_TOKEN}\n"
ACCOUNT = {"email": "ada@example.org", "password": "correct horse battery"}
SEGMENT_S = 4


def reports(to, token=UPSTREAM_TOKEN, accept=""):
    return (f"state: state\nregion: de-south\nreports:\n  to: [{{url: {to}}}]\n  token: {token}\n"
            f"  every: 100ms\n{accept}")


class Tiers:
    """A player's edge, a regional node and the origin, with one video."""

    def __init__(self, lab):
        self.clock = lab.clock()
        self.origin = lab.origin(workers=0, extra=ORIGIN)  # whose tokens do not end meanwhile
        assert call("POST", f"{self.origin.url}/api/v1/auth/register", ACCOUNT).status == 201
        self.token = call("POST", f"{self.origin.url}/api/v1/auth/login", ACCOUNT).json()["access_token"]
        about = {"title": "A title", "filename": "clip.mp4", "size": 10}
        self.video = call("POST", f"{self.origin.url}/api/v1/videos", about, self.token).json()["id"]
        self.media = lab.scripted_origin("media")
        for number in range(6):
            self.media.put(self.path(number), b"x" * 1000)
        accept = f"  accept:\n    token: {TOKEN}\n"
        self.regional = lab.edge([self.media.url], name="regional-1", role="regional", workers=1, clock=self.clock,
                                 extra=reports(self.origin.url, accept=accept))
        self.edge = lab.edge([self.media.url], name="edge-1", workers=1, clock=self.clock,
                             extra="views: {enabled: true}\n" + reports(self.regional.url, TOKEN))
        self.played = 0

    def path(self, number):
        return f"/media/{self.video}/r1/v/720p/seg-{number:05}.m4s"

    def play(self):
        """One view, from its first segment to the spool."""
        self.played += 1
        cmcd = urllib.parse.quote(f'd={SEGMENT_S * 1000},sid="s{self.played}"')
        before = self.edge.status()["reports"]["added"]
        noted = self.edge.metric("edge_views_requests_total")
        for number in range(4):
            answer = get(f"{self.edge.url}{self.path(number)}?CMCD={cmcd}",
                         headers={"User-Agent": f"Player/{self.played}"})
            assert answer.status == 200
            until(lambda: self.edge.metric("edge_views_requests_total") == noted + number + 1, "it is noted")
            self.clock.forward(SEGMENT_S)
        self.clock.forward(300)
        until(lambda: self.edge.status()["views"]["open"] == 0 and
              self.edge.status()["reports"]["added"] > before, "the view is in the spool")

    def counted(self):
        total = call("GET", f"{self.origin.url}/api/v1/videos/{self.video}/analytics", token=self.token).json()["total"]
        return total["views"], total["watch_ms"]

    def is_empty(self, node):
        said = node.status()["reports"]
        return said["pending"] == 0 and said["sealed"] == 0


def test_views_arrive_once_however_often_nodes_are_killed(lab):
    tiers = Tiers(lab)
    chance = random.Random(7)
    for _ in range(10):
        tiers.play()
        for node in chance.choice([[tiers.edge], [tiers.regional], [tiers.edge, tiers.regional]]):
            node.kill()
            node.start()
    wanted = (tiers.played, tiers.played * 4 * SEGMENT_S * 1000)
    until(lambda: tiers.counted() == wanted, f"all views are counted: {wanted}")
    until(lambda: tiers.is_empty(tiers.edge) and tiers.is_empty(tiers.regional), "nothing is left")
    assert tiers.counted() == wanted


def test_what_is_counted_waits_for_an_upstream_that_is_gone(lab):
    tiers = Tiers(lab)
    tiers.play()
    until(lambda: tiers.counted()[0] == 1, "the way is open")
    tiers.regional.kill()
    tiers.play()
    tiers.clock.forward(30 * 86400)
    tiers.play()
    assert tiers.edge.status()["reports"]["pending"] + tiers.edge.status()["reports"]["sealed"] > 0
    tiers.edge.stop()  # in order: what waits stays
    tiers.edge.start()
    tiers.regional.start()
    until(lambda: tiers.counted()[0] == 3, "what waited is counted")


def test_only_those_who_may_report(lab):
    tiers = Tiers(lab)
    for token in (None, "another one than is expected"):
        fields = {"Authorization": f"Bearer {token}"} if token else {}
        assert get(tiers.regional.url + PATH, headers=fields).status == 401
        assert get(tiers.regional.url + PATH, "POST", fields, b"x").status == 401
    fields = {"Authorization": f"Bearer {TOKEN}"}
    receiver = get(tiers.regional.url + PATH, headers=fields).json()["receiver"]
    assert len(receiver) == 32
    assert get(tiers.regional.url + PATH, "POST", fields, b"x").status == 400
    assert get(tiers.regional.url + PATH, "POST", {**fields, "Forebay-Receiver": "0" * 32}, b"x").status == 421
    assert get(tiers.edge.url + PATH, headers=fields).status == 404


# ---- nodes that know each other by their certificates ---------------------------------

@pytest.fixture
def authority(lab):
    return Authority(lab.dir / "authority")


@pytest.fixture
def regional(lab, authority):
    """One that takes reports by TLS of edge-1 and edge-2 alone; nobody is above it."""
    node = lab.edge(["http://127.0.0.1:9"], name="regional-1", role="regional", workers=1, start=False,
                    extra="state: state\nreports:\n  accept: {names: [edge-1, edge-2]}\n")
    add_tls(node, entry("tiers", [authority.issue("region.example")], authorities=authority.path), "tiers")
    return node.start()


def edge_with(lab, authority, regional, certificate, name="edge-1"):
    """An edge that reports with the certificate of that name, and a view of it."""
    media = lab.scripted_origin("media")
    for number in range(4):
        media.put(f"/media/v/r1/v/720p/seg-{number:05}.m4s", b"x" * 1000)
    clock = lab.clock()
    to = f"{{url: 'https://127.0.0.1:{regional.tls_port}', tls: tiers, tls_name: region.example}}"
    edge = lab.edge([media.url], name=name, workers=1, clock=clock,
                    extra=f"state: state\nviews: {{enabled: true}}\nreports:\n  to: [{to}]\n  every: 100ms\n"
                          "tls:\n" + entry("tiers", [authority.issue(certificate)], authorities=authority.path))
    cmcd = urllib.parse.quote(f'd={SEGMENT_S * 1000},sid="s"')
    for number in range(4):
        assert get(f"{edge.url}/media/v/r1/v/720p/seg-{number:05}.m4s?CMCD={cmcd}",
                   headers={"User-Agent": "Player/1"}).status == 200
        until(lambda: edge.metric("edge_views_requests_total") == number + 1, "it is noted")
        clock.forward(SEGMENT_S)
    clock.forward(300)
    until(lambda: edge.status()["reports"]["added"] > 0, "the view is in the spool")
    return edge


def waits(edge):
    said = edge.status()["reports"]
    return said["pending"] + said["sealed"] > 0


def test_a_certificate_is_enough_to_report(lab, authority, regional):
    edge = edge_with(lab, authority, regional, "edge-1")
    until(lambda: not waits(edge), "nothing is left")
    assert regional.metric("edge_report_denied_total") == 0
    regional.stop()
    regional.start()
    assert regional.status()["reports"]["pending"] > 0


@pytest.mark.parametrize("certificate", ["edge-3", "edge-2"])
def test_a_certificate_speaks_for_its_own_node_alone(lab, authority, regional, certificate):
    """One that is not among the names, and one that is, but is another node's."""
    edge = edge_with(lab, authority, regional, certificate)
    denied = regional.metric("edge_report_denied_total")
    until(lambda: regional.metric("edge_report_denied_total") > denied, "it is refused")
    assert waits(edge) and regional.metric("edge_report_applied_total") == 0


def test_answers_to_certificates(authority, regional):
    def post(certificate, node):
        trust = context(authority, own=authority.issue(certificate))
        with TlsClient(regional.tls_port, "region.example", trust) as client:
            client.request(PATH, "POST", body=node.body(1))
            return client.read("POST")

    own, other = Node("edge-1", 1), Node("edge-2", 2)
    for node in (own, other):
        node.report([Entry("v", 29000000, 1)], 0)
    assert post("edge-1", own).json()["acked"] == 1
    assert post("edge-1", other).status == 403
    assert post("edge-3", Node("edge-3", 3)).status == 401
    assert get(regional.url + PATH, "POST", body=own.body(1)).status == 401
    with pytest.raises((ssl.SSLError, ConnectionError, Cut)):
        with TlsClient(regional.tls_port, "region.example", authority) as client:
            client.request(PATH).read()
    assert regional.metric("edge_report_denied_total") == 3
