"""Scripts of the scenarios of HTTP caching: what an origin answers, time that a test turns,
and what the edge said of it in Cache-Status.

    def test_what_was_fresh_is_validated(stage):
        thing = stage.put(Answer(headers={"Cache-Control": "max-age=60", "ETag": '"1"'}),
                          Answer(304))
        assert thing.status().fwd == "uri-miss"
        assert thing.status().hit
        stage.clock.forward(61)
        assert thing.status().fwd == "stale"
        assert thing.count == 2

A stage is one edge with one scripted origin and a clock of its own, for the tests of a whole
file (the fixture `stage` in tests/scenario/conftest.py, which a file may replace by one with
rules of its own). Each test puts what it needs under paths of its own, so that none sees
another's. The clock is theirs together: it only goes forward, and dates are asked of it.
One thread, but for the clock's dates, which origins ask for in theirs.
"""
import ctypes
import dataclasses
import email.utils
import itertools
import mmap
import re
import time

from lab_wire import get


class Clock:
    """Time that runs as the machine's does and goes forward besides, for all programs that
    are started with it (only those of a sanitized build can be; see base/core/clock.h).
    Timeouts stay real; still, turn it while nothing is under way."""

    def __init__(self, path):
        path.write_bytes(bytes(mmap.PAGESIZE))
        with open(path, "r+b") as file:
            self.page = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        self.path = path
        self.turned_ms = ctypes.c_int64.from_buffer(self.page)

    def forward(self, seconds):
        assert seconds >= 0, "time does not run back"
        self.turned_ms.value += round(seconds * 1000)

    def now(self):
        """Unix time as the programs have it."""
        return time.time() + self.turned_ms.value / 1000

    def date(self, seconds=0):
        """The date so many seconds from now, as HTTP writes it."""
        return email.utils.formatdate(self.now() + seconds, usegmt=True)

    def dated(self, seconds=0):
        """A field's value for an Answer: the date when it is sent."""
        return lambda: self.date(seconds)


@dataclasses.dataclass
class Answer:
    """One answer of an origin. Headers are a mapping or pairs; a value that can be called is
    asked for at each answer. Content-Length is added where there may be content and neither it
    nor a transfer coding is given."""
    status: int = 200
    headers: object = ()
    body: bytes = b"what the origin said"

    def __call__(self, exchange):
        pairs = list(self.headers.items() if isinstance(self.headers, dict) else self.headers)
        pairs = [(name, value() if callable(value) else value) for name, value in pairs]
        bare = self.status in (204, 304)
        if not bare and not {n.lower() for n, _ in pairs} & {"content-length", "transfer-encoding"}:
            pairs.append(("Content-Length", len(self.body)))
        exchange.head(self.status, pairs)
        if not bare and exchange.request.method != "HEAD":
            exchange.send(self.body)


def play(answers):
    """A script for Origin.on(): the n-th request gets the n-th answer, those that come later
    the last. An answer is an Answer, or a function of the exchange."""
    left = itertools.chain(answers, itertools.repeat(answers[-1]))
    return lambda exchange: next(left)(exchange)


@dataclasses.dataclass
class Status:
    """One member of Cache-Status (RFC 9211); what is not said is None or False."""
    cache: str
    hit: bool = False
    stored: bool = False
    collapsed: bool = False
    fwd: str = None
    fwd_status: int = None
    ttl: int = None
    key: str = None
    detail: str = None


def _member(text):
    cache, *said = re.findall(r'(?:"(?:\\.|[^"\\])*"|[^;"])+', text)
    member = Status(cache.strip())
    for name, _, value in (part.strip().partition("=") for part in said):
        name = name.replace("-", "_")
        assert hasattr(member, name), f"{name} in Cache-Status: {text}"
        if name in ("hit", "stored", "collapsed"):
            setattr(member, name, value in ("", "?1"))
        elif name in ("ttl", "fwd_status"):
            setattr(member, name, int(value))
        else:
            setattr(member, name, re.sub(r"\\(.)", r"\1", value.strip('"')))
    return member


def tiers(response):
    """All members of Cache-Status, the nearest to the origin first."""
    text = response.headers.get("Cache-Status", "")
    return [_member(m) for m in re.findall(r'(?:"(?:\\.|[^"\\])*"|[^,"])+', text)]


def status(response):
    """What the edge that answered says: the last member."""
    members = tiers(response)
    assert members, f"no Cache-Status in {response.headers}"
    return members[-1]


class Thing:
    """One URL of a stage."""

    def __init__(self, stage, path):
        self.stage, self.path = stage, path

    @property
    def url(self):
        return self.stage.edge.url + self.path

    @property
    def requests(self):
        """What the origin was asked for it, in order."""
        return self.stage.origin.requests(self.path)

    @property
    def count(self):
        return len(self.requests)

    def get(self, headers=(), method="GET", query="", **more):
        """What a client gets that asks for it."""
        return get(self.url + query, method, headers, **more)

    def status(self, headers=(), method="GET", query="", **more):
        """What the edge says of such a request in Cache-Status."""
        return status(self.get(headers, method, query, **more))


class Stage:
    """An edge, its origin and its clock; see the top. Options are those of lab.edge()."""

    def __init__(self, lab, **options):
        self.lab, self.clock = lab, lab.clock()
        self.origin = lab.scripted_origin()
        self.edge = lab.edge([self.origin.url], clock=self.clock, **options)
        self.numbers = itertools.count(1)

    def path(self, suffix=""):
        """One that no other test has."""
        return f"/things/{next(self.numbers)}{suffix}"

    def put(self, *answers, suffix="", path=None):
        """A thing of which the origin says this, one after the other."""
        path = path or self.path(suffix)
        self.origin.on(path, play(answers))
        return Thing(self, path)
