"""What loops cost each other: two loops of one process beside two processes of one loop each, which
share nothing. Both have both CPUs, and the load with them."""
import concurrent.futures
import os
import pathlib
import statistics

import load
from servers import LOAD_CPU, SERVER_CPU, Edge

TITLE = "two loops, CPU beside two processes"
CPUS = (SERVER_CPU, LOAD_CPU)


def spread(edge, first):
    """Each loop of `edge` has a CPU, from the `first` on."""
    for task in pathlib.Path(f"/proc/{edge.process.pid}/task").iterdir():
        kind, _, number = (task / "comm").read_text().strip().rpartition("-")
        cpu = {CPUS[(first + int(number)) % 2]} if kind == "edge" else set(CPUS)
        os.sched_setaffinity(int(task.name), cpu)


def spend(bench, edges, path, script):
    """CPU seconds for each request; as much load from each CPU for each of two ports."""
    before = sum(edge.cpu_seconds() for edge in edges)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(load.wrk, edge.url(path), bench.arguments.seconds, 16, script, cpu)
                for cpu in CPUS for edge in (edges * 2)[:2]]
        requests = sum(run.result() for run in runs)
    return (sum(edge.cpu_seconds() for edge in edges) - before) / requests


def measure(bench, manifest, small):
    together = [bench.start(Edge, bench, name="forebay-edge, two loops", workers=2, memory="600MiB")]
    apart = [bench.start(Edge, bench, name=f"forebay-edge, alone {i}", memory="600MiB")
             for i in range(2)]
    spread(together[0], 0)
    for i, edge in enumerate(apart):
        spread(edge, i)
    os.sched_setaffinity(0, set(CPUS))
    print(f"\n{TITLE:<40}{'us/request':>12}{'apart':>8}{'ratio':>8}")
    for title, path, script, warm in (("4 KiB, one object", manifest, None, [manifest]),
                                      ("16 KiB, 20,000 objects", "/", bench.script("small"), small)):
        for edge in together + apart:
            load.fetch_all(edge.ports["http"], warm, threads=4)
        rounds = []
        for number in range(bench.arguments.rounds):
            order = [together, apart] if number % 2 == 0 else [apart, together]
            spent = {id(edges): spend(bench, edges, path, script) for edges in order}
            rounds.append((spent[id(together)], spent[id(apart)]))
        ratio = statistics.median(a / b for a, b in rounds)
        shown = [statistics.median(column) * 1e6 for column in zip(*rounds)]
        print(f"  {title:<38}{shown[0]:>12.2f}{shown[1]:>8.2f}{ratio:>8.2f}", flush=True)
    os.sched_setaffinity(0, {LOAD_CPU})
    bench.stop()
