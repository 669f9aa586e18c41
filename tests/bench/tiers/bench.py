#!/usr/bin/env python3
"""An edge before three regional nodes, of which one is late or dies.

usage: bench.py [--rounds N] [--requests N] [--kills N] [--clients N]

Late: three stand-ins for nodes answer every path at once, but one of them is late, always or
now and then. The edge is asked for paths that it does not have, by clients that ask again as
soon as they are answered; without hedging and with it in turn, N rounds of each, and of
their percentiles the median counts.

Lost: three real nodes before an origin. One is killed with kill -9 and started again, while
clients ask for more than the edge keeps and compare every byte; and as long without a kill,
in turn, until there were N kills. A request that fails, is cut or brings wrong bytes makes
the exit status 1.

The edge runs with its presets, but for hedging. The programs come from $FB_BUILD_DIR,
which should be a release build.
"""
import argparse
import asyncio
import multiprocessing
import os
import pathlib
import random
import statistics
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "support"))
os.environ.setdefault("FB_BUILD_DIR", str(HERE.parents[2] / "build" / "release"))

from lab import Lab, free_port, until, get  # noqa: E402
from lab_load import bytes_of  # noqa: E402

LATE_S = 0.3
PLANS = [  # what is said of it, and the share of its answers that are late
    ("one answer in 25 of one node", 1 / 25),
    ("every answer of one node", 1.0),
]
HEDGES = [
    ("off", ""),
    ("after: p95", "failover: { hedge: { after: p95 } }\n"),
    ("after: least", "failover: { hedge: { after: least } }\n"),
]
PATHS = [f"/v/{n}.m4s" for n in range(600)]
DEAD_S, ALIVE_S = 1.0, 2.0  # of a node that is killed and started, half of the latter before


# ---- stand-ins ---------------------------------------------------------------

class Answerer(asyncio.Protocol):
    """Answers every request with what `content` gives for its path, `late` seconds after it."""

    def __init__(self, content, late):
        self.content, self.late, self.buffer = content, late, b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            path = self.buffer.split(b" ", 2)[1].decode()
            self.buffer = self.buffer[end + 4:]
            late = self.late()
            if late:
                asyncio.get_running_loop().call_later(late, self.answer, path)
            else:
                self.answer(path)

    def answer(self, path):
        body = self.content(path)
        self.transport.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nETag: \"1\"\r\n"
                             "Cache-Control: max-age=600\r\n\r\n".encode() + body)


def play(ports, content, shares):
    """Answers on these ports; of the answers on each that share is late."""
    async def serve():
        loop, dice = asyncio.get_running_loop(), random.Random(1)
        for port, share in zip(ports, shares):
            def late(share=share):
                return LATE_S if dice.random() < share else 0
            await loop.create_server(lambda late=late: Answerer(content, late), "127.0.0.1", port)
        await asyncio.Event().wait()

    asyncio.run(serve())


def small(_):
    return b"x" * 16384


class StandIns:
    """A process that answers on ports of its own."""

    def __init__(self, content, shares):
        self.ports = [free_port() for _ in shares]
        self.process = multiprocessing.Process(target=play, args=(self.ports, content, shares),
                                               daemon=True)

    def __enter__(self):
        self.process.start()
        for url in self.urls:
            until(lambda url=url: get(url + "/v/0.m4s").status == 200, "it answers")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.join()

    @property
    def urls(self):
        return [f"http://127.0.0.1:{port}" for port in self.ports]


# ---- clients -----------------------------------------------------------------

class Clients:
    """Tasks that ask for paths from an iterator, each again as soon as it is answered.

    `times` are those of good answers, in seconds; `failed` says what was wrong with others."""

    def __init__(self, port, paths, content):
        self.port, self.paths, self.content = port, paths, content
        self.times, self.failed = [], []

    async def run(self, n):
        await asyncio.gather(*(self.one() for _ in range(n)))

    async def one(self):
        streams = None
        for path in self.paths:
            began = time.monotonic()
            try:
                streams = streams or await asyncio.open_connection("127.0.0.1", self.port)
                problem = await self.ask(path, *streams)
            except (OSError, EOFError) as error:
                problem, streams = repr(error), None
            if problem:
                self.failed.append((path, problem))
            else:
                self.times.append(time.monotonic() - began)
        if streams:
            streams[1].close()

    async def ask(self, path, reader, writer):
        writer.write(f"GET {path} HTTP/1.1\r\nHost: media.test\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        at = head.index(b"content-length:") + 15
        body = await reader.readexactly(int(head[at:].split(b"\r", 1)[0]))
        if not head.startswith(b"http/1.1 200"):
            return head.split(b"\r")[0].decode()
        return None if body == self.content(path) else "other bytes"


def percentile(times, share):
    ordered = sorted(times)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000


# ---- late nodes --------------------------------------------------------------

def ask_late(edge, n, n_clients, tag):
    """One round: p50 and p99 in ms, requests sent twice, and what failed."""
    def sent_twice():
        return sum(float(line.rsplit(" ", 1)[1])
                   for line in get(edge.admin + "/metrics").body.decode().splitlines()
                   if line.startswith("edge_upstream_hedges_total{"))

    clients = Clients(edge.port, iter([f"/v/{tag}-{i}.m4s" for i in range(n)]), small)
    before = sent_twice()
    asyncio.run(clients.run(n_clients))
    return (percentile(clients.times, 0.5), percentile(clients.times, 0.99),
            (sent_twice() - before) / n, clients.failed)


def measure_late(what, share, arguments):
    """Prints a line for each way to hedge; returns what failed."""
    failed, rounds = [], {name: [] for name, _ in HEDGES}
    with StandIns(small, [share, 0, 0]) as nodes, Lab() as lab:
        upstreams = [f"{{ url: {url}, tier: regional }}" for url in nodes.urls]
        edges = {name: lab.edge(upstreams, name=f"box-{i}", workers=1, extra=extra)
                 for i, (name, extra) in enumerate(HEDGES)}
        for number in range(arguments.rounds + 1):  # the first to warm up
            for name, edge in edges.items():
                *result, problems = ask_late(edge, arguments.requests, arguments.clients, number)
                failed += problems
                if number > 0:
                    rounds[name].append(result)
    print(f"{what} is {LATE_S * 1000:.0f} ms late; {arguments.rounds} rounds of "
          f"{arguments.requests} misses, {arguments.clients} clients")
    for name, results in rounds.items():
        p50, p99, twice = (statistics.median(values) for values in zip(*results))
        print(f"    hedging {name:13} p50 {p50:6.1f} ms   p99 {p99:6.1f} ms   "
              f"sent twice {twice:6.2%}")
    return failed


# ---- lost nodes --------------------------------------------------------------

def favourites(until_s):
    """Some paths often, most now and then, until that time."""
    dice = random.Random(2)
    while time.monotonic() < until_s:
        yield PATHS[min(int(dice.expovariate(4 / len(PATHS))), len(PATHS) - 1)]


async def ask_lost(edge, node, bodies, arguments, is_killed):
    """Load for as long as a node lives and is dead, which it is or not; its clients."""
    over = time.monotonic() + ALIVE_S + DEAD_S
    clients = Clients(edge.port, favourites(over), bodies.__getitem__)
    load = asyncio.create_task(clients.run(arguments.clients))
    if is_killed:
        await asyncio.sleep(ALIVE_S / 2)
        await asyncio.to_thread(node.kill)
        await asyncio.sleep(DEAD_S)
        await asyncio.to_thread(node.start)
    await load
    return clients


def measure_lost(arguments):
    """Prints a line with kills and one without; returns what failed."""
    bodies = {path: bytes_of(path) for path in PATHS}
    times, failed = {True: [], False: []}, []
    with StandIns(bodies.__getitem__, [0]) as origin, Lab() as lab:
        nodes = [lab.edge(origin.urls, name=f"region-{i}", role="regional", workers=1)
                 for i in range(3)]
        upstreams = [f"{{ url: {node.url}, tier: regional }}" for node in nodes]
        edge = lab.edge([*upstreams, *origin.urls], memory="8MiB")
        print(f"one node of three killed, {DEAD_S:.0f} s dead and {ALIVE_S:.0f} s alive each time; "
              f"{arguments.clients} clients, every byte compared")
        for is_killed in [True, False] * arguments.kills:
            clients = asyncio.run(ask_lost(edge, nodes[0], bodies, arguments, is_killed))
            times[is_killed] += clients.times
            failed += clients.failed
    for is_killed, of_these in times.items():
        p50, p99, slowest = (percentile(of_these, share) for share in (0.5, 0.99, 1))
        print(f"    {arguments.kills if is_killed else 0:3} kills   {len(of_these):7} requests   "
              f"p50 {p50:6.1f} ms   p99 {p99:6.1f} ms   slowest {slowest:6.0f} ms")
    print(f"    failed requests {len(failed)}")
    return failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--kills", type=int, default=10)
    arguments = parser.parse_args()
    failed = []
    for what, share in PLANS:
        failed += measure_late(what, share, arguments)
    failed += measure_lost(arguments)
    for path, problem in failed[:10]:
        print(f"failed: {path}: {problem}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
