#!/usr/bin/env python3
"""What delivery costs at the edge, at its peers and at a responder that does nothing else.

usage: bench.py [--seconds N] [--rounds N] [--connections N] [--only WORDS] [--list]

Every server has CPU 0 and the load has CPU 1; both run in a network namespace of their own, in
which the congestion control is the same for both sides. Caches have the same objects from the
same origin (bare.c) and are warm before they are measured. Rounds alternate between the servers;
what is printed is the median of the rounds, and the median of the rounds' ratios. CPU time is
that of all threads of a server, by the scheduler's clock. See README.md.
"""
import argparse
import contextlib
import dataclasses
import functools
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "support"))
os.environ.setdefault("FB_BUILD_DIR", str(HERE.parents[2] / "build" / "release"))

import load  # noqa: E402
from lab import Lab, get  # noqa: E402
import sharing  # noqa: E402
import waits  # noqa: E402
from servers import LOAD_CPU, PEERS, Bare, Edge, Nginx, TrafficServer, Varnish, here  # noqa: E402

KIB, MIB = 1 << 10, 1 << 20
MANIFEST = f"/{4 * KIB}/live/index.m3u8"
SMALL = [f"/{16 * KIB}/small/{n}.m4s" for n in range(20000)]
SEGMENTS = [f"/{MIB}/large/{n}.m4s" for n in range(256)]


def namespace(arguments):
    """Runs this program again in a network namespace of its own."""
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    os.execvp("unshare", ["unshare", *user, "--net", sys.executable, __file__, *arguments,
                          "--inside"])


def congestion(name):
    """From here on, connections of both sides have it."""
    for network in ("127.0.0.0/8", "127.0.0.1"):
        subprocess.run(["ip", "route", "replace", "local", network, "dev", "lo", "table", "local",
                        "proto", "kernel", "scope", "host", "src", "127.0.0.1", "congctl", name],
                       check=True)


@contextlib.contextmanager
def large_pages():
    """Memory files have pages of 64 KiB meanwhile, for whoever asks, where the kernel has them."""
    setting = pathlib.Path("/sys/kernel/mm/transparent_hugepage/hugepages-64kB/shmem_enabled")
    try:
        before = setting.read_text().partition("[")[2].partition("]")[0]
        setting.write_text("advise")
    except OSError as error:
        print(f"without large pages in memory files: {error}")
        yield
        return
    try:
        yield
    finally:
        setting.write_text(before)


@dataclasses.dataclass
class Line:
    title: str
    unit: str        # "us" for each request, "s" for each GB
    run: object      # (bench, server) -> (requests, bytes)
    warm: list = dataclasses.field(default_factory=list)
    scheme: str = "http"
    congestion: str = "cubic"
    kind: str = "hit"
    before: object = None


class Bench:
    def __init__(self, lab, arguments):
        self.lab, self.dir, self.arguments = lab, lab.dir, arguments
        os.chmod(lab.dir, 0o755)
        subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", "-o", self.dir / "bare", HERE / "bare.c"],
                       check=True)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=bench",
                        "-keyout", self.dir / "key.pem", "-out", self.dir / "cert.pem"],
                       check=True, capture_output=True)
        self.origin = Bare("origin", self, "sendfile", cpu=LOAD_CPU).wait()
        self.unique = 0
        self.running = []

    @functools.cache
    def make_files(self):
        """What the caches get from the origin, as files."""
        folder = self.dir / "files"
        for path in [MANIFEST, "/4096/live/probe.m3u8", *SMALL, *SEGMENTS]:
            file = folder / path[1:]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(os.urandom(int(path.split("/")[1])))
        return folder

    @functools.cache
    def script(self, name):
        return load.wrk_script(self.dir, name, {"small": SMALL, "segments": SEGMENTS}[name])

    def fresh(self, size, count):
        """Paths that nobody has asked for."""
        self.unique += count
        return [f"/{size}/fresh/{n}.m4s" for n in range(self.unique - count, self.unique)]

    def start(self, make, *arguments, **options):
        server = make(*arguments, **options)
        self.running.append(server)
        return server.wait()

    def stop(self):
        for server in reversed(self.running):
            server.stop()
        self.running.clear()


# ---- the lines ----------------------------------------------------------------

def timed(path, size, script=None):
    def run(bench, server, scheme):
        requests = load.wrk(server.url(path, scheme), bench.arguments.seconds,
                            bench.arguments.connections, script and bench.script(script))
        return requests, requests * size
    return run


def multiplexed(path, size, clients):
    def run(bench, server, scheme):
        requests = load.h2load(server.url(path, scheme), bench.arguments.seconds, clients, 16)
        return requests, requests * size
    return run


def missed(bench, server, _):
    paths = bench.fresh(MIB, 96)
    return len(paths), load.fetch_all(server.ports["http"], paths, threads=8)[0]


def from_disk(bench, server, _):
    paths = random.Random(bench.unique).sample(SEGMENTS, 96)
    bench.unique += 1
    return len(paths), load.fetch_all(server.ports["http"], paths, threads=8)[0]


def forget_pages(server):
    """What the kernel keeps of this server's files goes."""
    os.sync()
    for file in server.dir.rglob("*"):
        if file.is_file():
            with open(file, "rb") as opened:
                os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def shaken(resumed):
    def run(bench, server, scheme):
        count = load.handshakes(server.ports[scheme], 400, resumed)
        return count, 1
    return run


LINES = [
    Line("4 KiB hit", "us", timed(MANIFEST, 4 * KIB), [MANIFEST]),
    Line("16 KiB hits, 20,000 objects", "us", timed("/", 16 * KIB, "small"), SMALL),
    Line("1 MiB hits, BBR", "s", timed("/", MIB, "segments"), SEGMENTS, congestion="bbr"),
    Line("1 MiB hits, CUBIC", "s", timed("/", MIB, "segments"), SEGMENTS),
    Line("1 MiB misses", "s", missed, kind="miss"),
    Line("1 MiB hits from the disk", "s", from_disk, SEGMENTS, kind="disk", before=forget_pages),
    Line("4 KiB hit, TLS", "us", timed(MANIFEST, 4 * KIB), [MANIFEST], scheme="https"),
    Line("1 MiB hits, TLS", "s", timed("/", MIB, "segments"), SEGMENTS, scheme="https"),
    Line("full handshake", "us", shaken(False), [MANIFEST], scheme="https"),
    Line("resumed handshake", "us", shaken(True), [MANIFEST], scheme="https"),
    Line("4 KiB hit, HTTP/2", "us", multiplexed(MANIFEST, 4 * KIB, 8), [MANIFEST],
         scheme="https", kind="h2"),
    Line("1 MiB hit, HTTP/2", "s", multiplexed(SEGMENTS[0], MIB, 4), SEGMENTS[:1],
         scheme="https", kind="h2"),
]
FOLLOWERS, IDLE = "64 followers of a cold 4 MiB object", "memory of 10,000 idle connections"


def suits(line, server):
    if line.scheme not in server.ports:
        return False
    if line.kind == "h2" and load.negotiated(server.ports[line.scheme]) != "h2":
        return False
    return line.kind in ("hit", "h2") or server.is_cache


def warm(line, server):
    if not line.warm or not server.is_cache:
        return
    named = server.ports[line.scheme]
    load.fetch_all(server.ports["http"], line.warm, threads=4, named=named)
    _, heads = load.fetch_all(server.ports["http"], line.warm[:100], named=named)
    if server.says_hit and line.kind != "disk":
        hits = sum(b"HIT" in head or b"; hit" in head for head in heads)
        assert hits == len(heads), f"{server.name}: {hits} of {len(heads)} are hits"


def measure(bench, line, servers):
    congestion(line.congestion)
    for server in servers:
        warm(line, server)
    rounds = {server: [] for server in servers}
    for number in range(bench.arguments.rounds):
        for server in servers if number % 2 == 0 else reversed(servers):
            if line.before:
                line.before(server)
            before = server.cpu_seconds()
            requests, size = line.run(bench, server, line.scheme)
            spent = server.cpu_seconds() - before
            rounds[server].append(spent / requests * 1e6 if line.unit == "us" else
                                  spent / size * 1e9)
    report(line.title, "CPU us/request" if line.unit == "us" else "CPU s/GB", rounds)


def report(title, unit, rounds):
    """`rounds` are those of each server, in the same order."""
    edge = next((server for server in rounds if isinstance(server, Edge)), None)
    print(f"\n{title:<40}{unit:>16}{'edge/this':>12}")
    for server, values in rounds.items():
        ratio = ""
        if edge not in (None, server):
            ratio = f"{statistics.median(a / b for a, b in zip(rounds[edge], values)):.2f}"
        print(f"  {server.name:<38}{statistics.median(values):>16.3f}{ratio:>12}", flush=True)


def measure_followers(bench, servers):
    """Origin: 30 ms, then 8 MB/s, so that a fill takes 0.52 s."""
    congestion("bbr")
    print(f"\n{FOLLOWERS:<40}{'fetches':>10}{'first p50':>11}{'p90':>7}{'last, ms':>10}")
    rounds = {server: [] for server in [bench.origin, *servers]}
    for _ in range(min(3, bench.arguments.rounds)):
        for server in rounds:
            bench.unique += 1
            path = f"/paced/8000000/30/{4 * MIB}/follow/{bench.unique}.m4s"
            before = int(get(bench.origin.url("/count")).body)
            firsts, lasts = load.followers(server.ports["http"], path,
                                           1 if server is bench.origin else 64)
            fetches = int(get(bench.origin.url("/count")).body) - before
            rounds[server].append((fetches, firsts[len(firsts) // 2], firsts[len(firsts) * 9 // 10],
                                   lasts[-1]))
    for server, values in rounds.items():
        fetches, p50, p90, last = map(statistics.median, zip(*values))
        print(f"  {server.name:<38}{fetches:>10.0f}{p50:>11.1f}{p90:>7.1f}{last:>10.1f}", flush=True)


def measure_idle(bench, servers):
    counts = {"http": (1000, 9000), "https": (200, 1800)}
    print(f"\n{IDLE:<40}{'bytes each':>16}")
    for scheme, (n_few, n_many) in counts.items():
        for server in servers:
            if scheme not in server.ports:
                continue
            few = load.open_idle(server.ports[scheme], MANIFEST, n_few, scheme)
            before = server.resident()
            many = load.open_idle(server.ports[scheme], MANIFEST, n_many, scheme)
            each = (server.resident() - before) / n_many
            print(f"  {server.name + (', TLS' if scheme == 'https' else ''):<38}{each:>16.0f}",
                  flush=True)
            for sock in few + many:
                sock.close()


def run(bench, wanted):
    bench.start(Bare, "bare, sendmsg", bench, "send")
    bench.start(Bare, "bare, sendfile", bench, "sendfile")
    peers = [bench.start(peer, bench) for peer in here()]
    edge = bench.start(Edge, bench, memory="1200MiB")
    servers = list(bench.running)
    for line in LINES:
        if line.kind in ("disk", "miss") or not wanted(line.title) or not suits(line, edge):
            continue
        these = [server for server in servers if suits(line, server)]
        measure(bench, line, these)
    caches = [server for server in servers if server.is_cache]
    if wanted(FOLLOWERS):
        measure_followers(bench, caches)
    if wanted(IDLE):
        measure_idle(bench, [edge, *peers])
    if wanted(waits.TAIL):
        waits.measure_tail(bench, caches)
    if wanted(waits.DELAY):
        waits.measure_delay(bench, [edge, *peers], SEGMENTS[0])
    if wanted(waits.BURST):
        waits.measure_burst(bench, [edge, *peers], SEGMENTS[0])
    bench.stop()


def run_small(bench, wanted):
    """Those that need less memory than objects."""
    small = {Nginx: {"disk": "256m"}, Varnish: {"memory": "256m"},
             TrafficServer: {"ram": 256 << 20, "disk": "512M"}}
    if wanted(waits.INDEX):
        waits.measure_index(bench, SMALL)
    if wanted(sharing.TITLE):
        sharing.measure(bench, MANIFEST, SMALL)
    for line in LINES:
        if line.kind == "miss" and wanted(line.title):
            servers = [bench.start(peer, bench, name=f"{program}, small", **small[peer])
                       for peer, program in PEERS.items() if peer in small and peer in here()]
            servers.append(bench.start(Edge, bench, name="forebay-edge, small", memory="256MiB"))
            for server in servers:  # until all that comes has to take another's place
                load.fetch_all(server.ports["http"], bench.fresh(MIB, 320), threads=4)
            measure(bench, line, servers)
            bench.stop()
        if line.kind == "disk" and wanted(line.title):
            servers = [bench.start(Nginx, bench, name="nginx, files"),
                       bench.start(TrafficServer, bench, name="trafficserver, disk", ram=32 << 20),
                       bench.start(Edge, bench, name="forebay-edge, volume", memory="64MiB",
                                   volumes=[(bench.dir / "volume", "1GiB")])]
            measure(bench, line, servers)
            bench.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--only", default="", help="lines whose title has one of these, by commas")
    parser.add_argument("--list", action="store_true", help="the titles of the lines")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join([*(line.title for line in LINES), FOLLOWERS, IDLE, waits.TAIL, waits.DELAY,
                         waits.BURST, waits.INDEX, sharing.TITLE]))
        return 0
    if not arguments.inside:
        namespace(sys.argv[1:])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    os.sched_setaffinity(0, {LOAD_CPU})
    words = [word.strip().lower() for word in arguments.only.split(",")]

    def wanted(title):
        return any(word in title.lower() for word in words)

    with large_pages(), Lab() as lab:
        bench = Bench(lab, arguments)
        try:
            run(bench, wanted)
            run_small(bench, wanted)
        finally:
            bench.stop()
            bench.origin.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
