"""Lines that are no CPU time: how long clients wait, and what an object that is kept costs."""
import contextlib
import os
import queue
import re
import socket
import statistics
import subprocess
import threading
import time

import load
from lab import until
from servers import LOAD_CPU, Edge, Nginx

MIB = 1 << 20
TAIL = "cold tail range of a 32 MiB object"
DELAY = "1 MiB hit at 50 ms"
INDEX = "memory of an object on disk"
BURST = "transfers during a burst of handshakes"


# ---- the end of what nobody has ------------------------------------------------

def ask_tail(sock, path):
    """(ms to the first byte, ms to the last) of the last MiB."""
    host = "127.0.0.1:%d" % sock.getpeername()[1]
    start = time.monotonic()
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nRange: bytes=-{MIB}\r\n\r\n".encode())
    data = b""
    while b"\r\n\r\n" not in data or data.endswith(b"\r\n\r\n"):
        data += sock.recv(65536)
    first = time.monotonic()
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 206"), head
    left = MIB - len(body)
    while left > 0:
        left -= len(sock.recv(left))
    return (first - start) * 1e3, (time.monotonic() - start) * 1e3


def measure_tail(bench, servers):
    """Origin: 30 ms, then 8 MB/s; again: what is kept of it."""
    print(f"\n{TAIL:<40}{'first, ms':>10}{'last, ms':>10}{'again, ms':>11}")
    for server in [bench.origin, *servers]:
        rounds = []
        for _ in range(min(3, bench.arguments.rounds)):
            bench.unique += 1
            path = f"/paced/8000000/30/{32 * MIB}/tail/{bench.unique}.m4s"
            with load.connect(server.ports["http"]) as sock:
                rounds.append((*ask_tail(sock, path), ask_tail(sock, path)[1]))
        first, last, again = map(statistics.median, zip(*rounds))
        print(f"  {server.name:<38}{first:>10.1f}{last:>10.1f}{again:>11.1f}", flush=True)


# ---- far away -------------------------------------------------------------------

class Delay:
    """Another port of a server, from which every byte takes `ms` more in each direction. It takes
    what comes at once: the only bounds are those of the two sides."""

    def __init__(self, port, ms):
        self.to, self.seconds = port, ms / 1e3
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = load.connect(self.to)
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for source, sink in ((near, far), (far, near)):
                line = queue.SimpleQueue()
                threading.Thread(target=self._take, args=(source, line), daemon=True).start()
                threading.Thread(target=self._give, args=(line, sink), daemon=True).start()

    def _take(self, source, line):
        data = b"-"
        while data:
            try:
                data = source.recv(1 << 20)
            except OSError:
                data = b""
            line.put((time.monotonic() + self.seconds, data))

    @staticmethod
    def _give(line, sink):
        data = b"-"
        while data:
            due, data = line.get()
            time.sleep(max(0, due - time.monotonic()))
            try:
                sink.sendall(data) if data else sink.shutdown(socket.SHUT_WR)
            except OSError:
                return

    def close(self):
        self.listener.close()


def fetch_far(port, path, protocol, count):
    """ms of each of `count` transfers on one connection, without the first."""
    out = load.pinned(["curl", "-sSk", f"--{protocol}", "-w", "%{time_total} %{http_version}\n",
                       *[word for _ in range(count + 1) for word in
                         ("-o", "/dev/null", f"https://127.0.0.1:{port}{path}")]])
    lines = [line.split() for line in out.splitlines()]
    return [float(line[0]) * 1e3 for line in lines[1:]], lines[0][1]


def measure_delay(bench, servers, path):
    """What does not wait for the other side takes 50 ms and the time of its bytes."""
    print(f"\n{DELAY:<40}{'HTTP/1.1, ms':>14}{'HTTP/2, ms':>12}")
    for server in servers:
        if "https" not in server.ports:
            continue
        delay = Delay(server.ports["https"], 25)
        shown = []
        for protocol, version in (("http1.1", "1.1"), ("http2", "2")):
            times, got = fetch_far(delay.port, path, protocol, bench.arguments.rounds)
            shown.append(f"{statistics.median(times):.1f}" if got == version else "-")
        delay.close()
        print(f"  {server.name:<38}{shown[0]:>14}{shown[1]:>12}", flush=True)


# ---- a burst of handshakes --------------------------------------------------------

@contextlib.contextmanager
def first_in_line():
    """Nothing else of this CPU is before who measures."""
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def transfers(sock, path, seconds):
    """ms of each, one after the other, sorted."""
    times, into, end = [], bytearray(MIB), time.monotonic() + seconds
    with first_in_line():
        while time.monotonic() < end:
            start = time.monotonic()
            load.fetch(sock, path, into)
            times.append((time.monotonic() - start) * 1e3)
            time.sleep(0.003)
    return sorted(times)


def during_burst(sock, path, port, seconds):
    """(transfers, handshakes a second): 8 clients shake hands as often as they can."""
    command = ["taskset", "-c", str(LOAD_CPU), "openssl", "s_time", "-new", "-tls1_2",
               "-connect", f"127.0.0.1:{port}", "-time", str(int(seconds) + 1)]
    crowd = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
             for _ in range(8)]
    time.sleep(0.3)
    times = transfers(sock, path, seconds)
    found = [re.search(r"(\d+) connections in (\d+) real", one.communicate()[0]) for one in crowd]
    return times, sum(int(one[1]) / int(one[2]) for one in found if one)


def measure_burst(bench, servers, path):
    print(f"\n{BURST:<40}{'p50, ms':>9}{'p99':>7}{'then p50':>10}{'p99':>7}{'shakes/s':>10}")
    for server in servers:
        if "https" not in server.ports:
            continue
        rounds = []
        for _ in range(min(3, bench.arguments.rounds)):
            context = load.tls_context("http/1.1")
            with context.wrap_socket(load.connect(server.ports["https"])) as sock:
                load.fetch(sock, path)
                quiet = transfers(sock, path, 1.5)
                busy, rate = during_burst(sock, path, server.ports["https"], 2)
            rounds.append([times[len(times) * share // 100] for times in (quiet, busy)
                           for share in (50, 99)] + [rate])
        p50, p99, then_p50, then_p99, rate = map(statistics.median, zip(*rounds))
        print(f"  {server.name:<38}{p50:>9.1f}{p99:>7.1f}{then_p50:>10.1f}{then_p99:>7.1f}{rate:>10.0f}",
              flush=True)


# ---- kept -----------------------------------------------------------------------

def started_edge(bench, folder):
    edge = bench.start(Edge, bench, name="forebay-edge, index", memory="64MiB",
                       volumes=[(folder, "1GiB")])
    until(lambda: edge.program.status()["volumes"][0]["state"] == "online", "it has the volume", 60)
    return edge


def measure_index(bench, paths):
    """The edge is started anew, so that it has nothing but the index; nginx keeps its keys in memory
    that grows as they come."""
    folder = bench.dir / "index-volume"
    edge = started_edge(bench, folder)
    empty = edge.resident()

    def volume():
        return edge.program.status()["volumes"][0]

    def are_kept():
        load.fetch_all(edge.ports["http"], paths, threads=4)
        return volume()["extents"] >= 0.99 * len(paths)

    until(are_kept, "they are on the volume", 120)
    bench.stop()
    edge = started_edge(bench, folder)
    n, index = volume()["extents"], volume()["index_bytes"]
    print(f"\n{INDEX:<40}{'resident':>10}{'index':>8}")
    print(f"  {'forebay-edge':<38}{(edge.resident() - empty) / n:>10.0f}{index / n:>8.0f}", flush=True)
    bench.stop()
    nginx = bench.start(Nginx, bench, name="nginx, index")
    load.fetch_all(nginx.ports["http"], paths[:200], threads=4)
    empty = nginx.resident()
    load.fetch_all(nginx.ports["http"], paths[200:], threads=4)
    print(f"  {'nginx':<38}{(nginx.resident() - empty) / (len(paths) - 200):>10.0f}", flush=True)
    bench.stop()
