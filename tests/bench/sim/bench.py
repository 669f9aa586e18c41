"""Replays traces and sets the results beside simple policies and the offline optimum.

See README.md for what is printed. Standard library alone.
"""
import argparse
import json
import lzma
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

MEMORY = ("0.002", "0.005", "0.01", "0.05", "0.1", "0.25")  # of the footprint, alone
VOLUMES = ("0.01", "0.05", "0.1", "0.25")  # of the footprint, below RAM
RAM_OF_VOLUMES = 0.02
WRITE_COST = 0.2  # of a byte written, beside one missed
CONFIG = """\
node: sim
listen:
  - address: 127.0.0.1:0
upstreams:
  - url: http://127.0.0.1:9
store:
  memory: 256MiB
  eviction: {eviction}
"""


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path, help="write all results to this file too")
    parser.add_argument("--eviction", default="auto", help="of the RAM tier (preset: auto)")
    parser.add_argument("folders", nargs="*", type=pathlib.Path)
    options = parser.parse_args()
    if not options.folders:
        folders = os.environ.get("FOREBAY_TRACES", "")
        options.folders = [pathlib.Path(f) for f in folders.split(":") if f]
    if not options.folders:
        parser.error("no folder of traces is given, and FOREBAY_TRACES is not set")
    return options


def unpacked(folders, scratch):
    """The traces as files that can be replayed, by name."""
    traces = {}
    for folder in folders:
        for path in sorted(folder.glob("*.fbt")):
            traces[path.name.removesuffix(".fbt")] = path
        for path in sorted(folder.glob("*.fbt.xz")):
            name = path.name.removesuffix(".fbt.xz")
            if name not in traces:
                traces[name] = scratch / f"{name}.fbt"
                with lzma.open(path) as packed, open(traces[name], "wb") as plain:
                    shutil.copyfileobj(packed, plain)
    if not traces:
        sys.exit("bench: no *.fbt and no *.fbt.xz in " + ", ".join(map(str, folders)))
    return traces


def output_of(*command):
    ran = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, check=False)
    if ran.returncode != 0:
        sys.exit(ran.returncode)  # it has said why
    return json.loads(ran.stdout)


class Bench:
    def __init__(self, options, traces, config):
        self.edge = options.build / "forebay-edge"
        self.config, self.traces = config, traces
        self.baselines = {}
        for name, path in traces.items():
            self.baselines[name] = output_of(options.build / "sim-baselines", path, *MEMORY)

    def replay(self, *sizes):
        """The replay's members for each trace, by name."""
        report = output_of(self.edge, "replay", "--config", self.config, *sizes,
                           *self.traces.values())
        return dict(zip(self.traces, report["traces"]))

    def memory_alone(self):
        rows = []
        for share in MEMORY:
            for name, ours in self.replay("--memory", share).items():
                rows.append({"share": share, "trace": name, "object": ours["object_miss_ratio"],
                             "byte": ours["byte_miss_ratio"], **self.gaps(name, share, ours)})
        return rows

    def gaps(self, name, share, ours):
        base = self.baselines[name][share]

        def gap(kind, optimum, value):
            room = base["lru"][kind] - base[optimum][kind]
            return (base["lru"][kind] - value) / room if room > 0 else 0.0

        return {"byte_gap": gap("byte", "belady", ours["byte_miss_ratio"]),
                "object_gap": gap("object", "belady_size", ours["object_miss_ratio"])}

    def memory_over_volumes(self):
        rows = []
        for share in VOLUMES:
            ram = f"{float(share) * RAM_OF_VOLUMES:.6f}"
            for name, ours in self.replay("--memory", ram, "--volumes", share).items():
                base = self.baselines[name][share]
                written = ours["volumes"]["bytes_written"]
                # LRU writes all that it misses.
                worst = base["lru"]["byte"] * (1 + WRITE_COST)
                best = base["belady_bypass"]["byte"] + WRITE_COST * base["belady_bypass"]["entered"]
                cost = ours["byte_miss_ratio"] + WRITE_COST * written["per_byte_served"]
                rows.append({"share": share, "trace": name, "object": ours["object_miss_ratio"],
                             "byte": ours["byte_miss_ratio"],
                             "above_lru": ours["byte_miss_ratio"] - base["lru"]["byte"],
                             "written": written["per_byte_served"],
                             "score": (worst - cost) / (worst - best)})
        return rows


def percent(share):
    return f"{float(share) * 100:g} %"


def print_memory(bench, rows):
    names = ("lru", "fifo", "s3_fifo", "belady", "belady_size")
    print("RAM alone: object / byte miss ratio, and the share of the way from LRU to the optimum\n")
    print(f"{'trace':<10} {'RAM':>6}  {'LRU':^11} {'FIFO':^11} {'S3-FIFO':^11} {'Belady':^11} "
          f"{'BeladySize':^11}  {'ours':^11}  {'gap object/byte':^15}")
    for row in rows:
        base = bench.baselines[row["trace"]][row["share"]]
        cells = " ".join(f"{base[n]['object']:.3f}/{base[n]['byte']:.3f}" for n in names)
        print(f"{row['trace']:<10} {percent(row['share']):>6}  {cells}  "
              f"{row['object']:.3f}/{row['byte']:.3f}  "
              f"{row['object_gap']:6.2f} /{row['byte_gap']:5.2f}")
    print(f"\n{'RAM':>6}  {'mean gap, byte':>14} {'object':>7}  {'worst gap, byte':>15} {'object':>7}")
    for share in MEMORY:
        byte = [r["byte_gap"] for r in rows if r["share"] == share]
        objects = [r["object_gap"] for r in rows if r["share"] == share]
        print(f"{percent(share):>6}  {sum(byte) / len(byte):14.3f} "
              f"{sum(objects) / len(objects):7.3f}  {min(byte):15.3f} {min(objects):7.3f}")


def print_volumes(bench, rows):
    print("\nRAM over volumes (RAM: a fiftieth of them): byte miss ratio / written per byte served\n")
    print(f"{'trace':<10} {'volumes':>7}  {'LRU':^11} {'optimum':^11}  {'ours':^11}  {'objects':>7} "
          f"{'above LRU':>9} {'score':>6}")
    for row in rows:
        base = bench.baselines[row["trace"]][row["share"]]
        lru, best = base["lru"], base["belady_bypass"]
        print(f"{row['trace']:<10} {percent(row['share']):>7}  {lru['byte']:.3f}/{lru['byte']:.3f} "
              f"{best['byte']:.3f}/{best['entered']:.3f}  {row['byte']:.3f}/{row['written']:.3f}  "
              f"{row['object']:7.3f} {row['above_lru']:9.3f} {row['score']:6.2f}")
    print(f"\n{'volumes':>7}  {'mean score':>10}  {'above LRU, worst':>16}  "
          f"{'written, mean':>13} {'worst':>6}")
    for share in VOLUMES:
        here = [r for r in rows if r["share"] == share]
        written = [r["written"] for r in here]
        print(f"{percent(share):>7}  {sum(r['score'] for r in here) / len(here):10.3f}  "
              f"{max(r['above_lru'] for r in here):16.3f}  "
              f"{sum(written) / len(written):13.3f} {max(written):6.3f}")


def main():
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="sim-") as folder:
        scratch = pathlib.Path(folder)
        config = scratch / "edge.yaml"
        config.write_text(CONFIG.format(eviction=options.eviction))
        bench = Bench(options, unpacked(options.folders, scratch), config)
        memory, volumes = bench.memory_alone(), bench.memory_over_volumes()
    print_memory(bench, memory)
    print_volumes(bench, volumes)
    if options.json:
        options.json.write_text(json.dumps(
            {"baselines": bench.baselines, "memory": memory, "volumes": volumes}, indent=1) + "\n")


main()
