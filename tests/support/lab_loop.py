"""The loop of signals with the real programs: players watch at two edges, which report to a regional
node, which reports to the origin; plans go the other way.

    loop = Loop(lab, videos=2)
    loop.watch([Session(loop.videos[0], edge=0, segments=4)])
    loop.settle()                       # what was counted is in the edges' spools
    until(loop.is_told, "the origin has counted what the ledger says")

Time is one clock of all four programs. Players are literal clients with addresses of their own
(127.x.y.z); the ledger is kept by the rules of docs/views.md, by who watches and not by what any
program says. One thread.
"""
import collections
import dataclasses
import hashlib
import hmac
import itertools
import json
import random
import time
import urllib.parse

from catalogue import CONFIG, PASSWORD, Catalogue
from lab import call, get, until
from lab_wire import Client

REGION = "de-south"
UP, DOWN = "what-the-origin-expects", "what-the-regional-expects"
SECRET = "a secret of sixteen bytes or more"
HOST = "video.example"
ADA = "ada@example.org"
SEGMENT_S, SEGMENT_BYTES = 4, 2000
IDLE_S = 60
ORIGIN = (CONFIG + f"views:\n  token: {UP}\nadmins: [{ADA}]\nplan:\n  every: 1m\n"
          "trending:\n  every: 100ms\n")


@dataclasses.dataclass
class Session:
    """One player with one video. `viewer` is a number: its address and agent."""
    video: str
    edge: int = 0
    segments: int = 4
    viewer: int = None
    rendition: str = "360p"
    is_bot: bool = False
    has_beacons: bool = False
    source: str = "feed"
    serial: int = dataclasses.field(default_factory=itertools.count(1).__next__)

    def __post_init__(self):
        self.viewer = self.serial if self.viewer is None else self.viewer

    @property
    def address(self):
        """Of 127/8, one network (24 bits) for each."""
        return f"127.{10 + self.viewer // 250}.{1 + self.viewer % 250}.9"

    @property
    def agent(self):
        return "Googlebot/2.1" if self.is_bot else f"Player/{self.viewer}"

    @property
    def sid(self):
        return f"session-{self.serial}"

    @property
    def is_short(self):
        return self.segments * SEGMENT_S < 10


@dataclasses.dataclass
class Counts:
    views: int = 0
    sessions: int = 0
    watch_ms: int = 0
    bytes: int = 0
    uncounted: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    viewers: set = dataclasses.field(default_factory=set)


class Ledger:
    def __init__(self):
        self.by_video = collections.defaultdict(Counts)
        self.counted = set()  # (edge, video, viewer) of this half hour

    def add(self, session):
        counts = self.by_video[session.video]
        counts.sessions += 1
        counts.bytes += session.segments * SEGMENT_BYTES
        key = (session.edge, session.video, session.viewer)
        if session.is_bot or session.is_short or key in self.counted:
            reason = "bot" if session.is_bot else "too-short" if session.is_short else "duplicate"
            counts.uncounted[reason] += 1
            return
        self.counted.add(key)
        counts.views += 1
        counts.watch_ms += session.segments * SEGMENT_S * 1000
        counts.viewers.add(session.viewer)

    def forget(self):
        """Half an hour has passed: nobody is a duplicate any more."""
        self.counted.clear()


class Loop:
    """`window`: the edges fill themselves by the plan, from so many hours from now, for two hours."""

    def __init__(self, lab, videos=1, segments=8, edges=2, access=False, window=None, spool="",
                 every="100ms", memory="32MiB", volumes=(), segment_bytes=SEGMENT_BYTES):
        self.lab, self.clock, self.ledger = lab, lab.clock(), Ledger()
        self.origin = lab.origin(workers=0, clock=self.clock, extra=ORIGIN)
        self.catalogue = Catalogue(self.origin)
        self.ada = self.catalogue.person(ADA)
        self.token, self.renewed = self.ada.token, self.clock.now()
        self.segments, self.segment_bytes, self.bodies = segments, segment_bytes, {}
        self.videos = [self.publish(f"video {n}") for n in range(videos)]
        self.regional = lab.edge(
            [self.origin.url], name="regional-1", role="regional", workers=1, clock=self.clock,
            memory=memory,
            extra=self.reports(self.origin.url, UP, every, spool) + f"  accept:\n    token: {DOWN}\n")
        site = (f"sites:\n  - hosts: [{HOST}]\n    access: {{keys: [{{id: k1, secret: {SECRET}}}]}}\n"
                if access else "")
        warm = self.warm(window) if window else ""
        self.edges = [lab.edge(
            [f"{{ url: {self.regional.url}, tier: regional }}"], name=f"edge-{n}", workers=1,
            clock=self.clock, memory=memory, volumes=volumes,
            extra="views: {enabled: true, key: a-key-that-all-edges-have}\n" + site + warm +
            self.reports(self.regional.url, DOWN, every, spool)) for n in range(edges)]
        self.access = access
        self.noted = [0] * edges

    def reports(self, to, token, every, more):
        return (f"state: state\nregion: {REGION}\nreports:\n  to: [{{url: '{to}'}}]\n  token: {token}\n"
                f"  every: {every}\n{more}")

    def warm(self, hours):
        key = self.origin.dir / "data" / "keys" / "plan.pub.jwk"
        self.opens = self.clock.now() + hours * 3600
        first, last = (time.strftime("%H:%M", time.gmtime(self.opens + add)) for add in (0, 7200))
        return (f"warm:\n  keys: [{key}]\n  host: {HOST}\n  pull: 1s\n"
                f"  windows: [\"{first}-{last} UTC\"]\n")

    # ---- what is there to watch ------------------------------------------------------------

    def publish(self, title):
        media = []
        names = ["init.mp4"] + [f"seg-{number:05}.m4s" for number in range(1, self.segments + 1)]
        for rendition in ("360p", "720p"):
            for name in names:
                path = f"v/{rendition}/{name}"
                media.append((path, random.Random(title + path).randbytes(self.segment_bytes)))
        video = self.catalogue.publish(self.ada, title, self.segments * SEGMENT_S * 1000, media)
        self.bodies.update({self.path(video, path): body for path, body in media})
        return video

    def path(self, video, name):
        return f"/media/{video}/{self.catalogue.version}/{name}"

    def segment(self, session, number):
        return self.path(session.video, f"v/{session.rendition}/seg-{number:05}.m4s")

    # ---- who watches -----------------------------------------------------------------------

    def signature(self, video):
        text = f"kid=k1~exp={int(self.clock.now()) + 3600}~path=/media/{video}/"
        mac = hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
        return "&token=" + urllib.parse.quote(f"{text}~hmac={mac}", safe="=~")

    def exchange(self, session, target, method="GET", body=None, headers=()):
        """One request of a player, from its address."""
        edge = self.edges[session.edge]
        with Client(edge.port, source=session.address) as client:
            client.request(target, method, [("Host", HOST), ("User-Agent", session.agent),
                                            ("Connection", "close"), *headers], body)
            answer = client.read(method)
        self.noted[session.edge] += 1
        return answer

    def fetch(self, session, number):
        cmcd = urllib.parse.quote(f'd={SEGMENT_S * 1000},sid="{session.sid}"')
        token = self.signature(session.video) if self.access else ""
        path = self.segment(session, number)
        answer = self.exchange(session, f"{path}?CMCD={cmcd}{token}")
        assert answer.status == 200 and answer.body == self.bodies[path], (answer.status, answer.body[:200])
        return answer

    def beacon(self, session, event, watched_s):
        told = {"v": 1, "sid": session.sid, "video": session.video, "event": event,
                "watch_ms": watched_s * 1000, "source": session.source}
        answer = self.exchange(session, "/beacon", "POST", json.dumps(told).encode(),
                               [("Content-Type", "text/plain")])
        assert answer.status == 204, answer.body

    def watch(self, sessions):
        """All of them at once, in the time that their segments play. Returns the answers."""
        answers = []
        for number in range(1, max(session.segments for session in sessions) + 1):
            going = [session for session in sessions if session.segments >= number]
            for session in going:
                answers.append(self.fetch(session, number))
            self.forward(SEGMENT_S)
            for session in (session for session in going if session.has_beacons):
                self.beacon(session, "progress" if number < session.segments else "end",
                            number * SEGMENT_S)
        for session in sessions:
            self.ledger.add(session)
        return answers

    def forward(self, seconds):
        """Time passes, once what came before was noted."""
        for edge, noted in zip(self.edges, self.noted):
            until(lambda edge=edge, noted=noted: self.seen(edge) == noted,
                  f"{edge.name} has noted {noted} requests")
        self.clock.forward(seconds)

    @staticmethod
    def seen(edge):
        if not edge.is_running():
            return 0
        return edge.metric("edge_views_requests_total") + edge.metric("edge_views_beacons_total")

    def settle(self):
        """All sessions are over, and what was counted is in the spools."""
        self.forward(IDLE_S + self.segments * SEGMENT_S + 1)
        for edge in self.edges:
            until(lambda edge=edge: edge.status()["views"]["open"] == 0, "its sessions are over")
        self.clock.forward(60)
        for edge in self.edges:
            until(lambda edge=edge: edge.status()["views"]["waiting"] == 0, "all of it was delivered")

    def kill(self, *nodes):
        """kill -9, and again."""
        for node in nodes:
            node.kill()
            if node in self.edges:
                self.noted[self.edges.index(node)] = 0
            node.start()

    # ---- what the origin says --------------------------------------------------------------

    def ask(self, path, method="GET", value=None):
        if self.clock.now() > self.renewed + 600:  # tokens end
            session = call("POST", f"{self.origin.url}/api/v1/auth/login",
                           {"email": ADA, "password": PASSWORD})
            assert session.status == 200, session.body
            self.token, self.renewed = session.json()["access_token"], self.clock.now()
        answer = call(method, f"{self.origin.url}/api/v1/{path}", value, self.token)
        assert answer.status == 200, answer.body
        return answer.json()

    def days(self):
        """All that analytics may be asked for at once, as a query."""
        return f"?from={self.date(-40 * 86400)}&to={self.date(0)}"

    def date(self, seconds):
        return time.strftime("%Y-%m-%d", time.gmtime(self.clock.now() + seconds))

    def told(self, video):
        return self.ask(f"videos/{video}/analytics{self.days()}")["total"]

    def is_told(self):
        """The origin's numbers are the ledger's, of all videos."""
        for video, counts in self.ledger.by_video.items():
            total = self.told(video)
            found = {key: total[key] for key in ("views", "sessions", "watch_ms", "bytes")}
            wanted = {key: getattr(counts, key) for key in found}
            self.differs = (video, found, wanted)
            assert found["views"] <= wanted["views"], f"counted twice: {self.differs}"
            if found != wanted:
                return False
            reasons = {reason: n for reason, n in total["uncounted"].items() if n > 0}
            assert reasons == dict(counts.uncounted), (reasons, counts.uncounted)
            # p=12: a standard error of 1.6 %; while a sketch is sparse, of 0.1 %
            error = abs(total["unique_viewers"] - len(counts.viewers))
            assert error <= 0.05 * len(counts.viewers) + 1, (total["unique_viewers"], len(counts.viewers))
        return True

    def totals(self):
        """What all nodes say of their bytes."""
        streams = self.ask("reports")["streams"]
        return {key: sum(stream[key] for stream in streams)
                for key in ("bytes_served", "bytes_missed", "plan_filled", "plan_served")}

    def is_empty(self, node):
        said = node.status()["reports"]
        return said["pending"] == 0 and said["sealed"] == 0

    def trending(self, query=""):
        return [item["video"]["id"]
                for item in get(f"{self.origin.url}/api/v1/trending{query}").json()["videos"]]
