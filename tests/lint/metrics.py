#!/usr/bin/env python3
"""Write docs/metrics.md from the rows in the sources, or check that it says what they say.

usage: metrics.py SOURCE_ROOT BUILD_DIR [--write]

The rows are read from the preprocessed text, so that it does not matter which macro made them.
"""
import json
import pathlib
import re
import shlex
import subprocess
import sys

TEXT = r'(?:"(?:[^"\\]|\\.)*"\s*)+'
ROW = re.compile(rf'\{{\s*({TEXT}),\s*FB_METRIC_(COUNTER|GAUGE|HISTOGRAM)\s*,\s*'
                 rf'(NULL|\(\(void ?\*\)0\)|{TEXT}),\s*({TEXT})\}}')
HEAD = """\
# Metrics

What `/metrics` on the address for operators shows, in Prometheus' text format. Written from the sources by
`tests/lint/metrics.py`, which also checks that nothing is missing here. What to look at first, and what to do then, stands in
[operations.md](operations.md#what-to-look-at-first).

Counters begin at zero with the process. A histogram is in seconds, with buckets from 0.5 ms to 60 s. Labels in italics are
given to all of a family, one set for each thing of that kind; those with values are all that there are.
"""
# title, folders or files, label that a table is given, what is to be known
SECTIONS = [
    ("The process", ["base/daemon"], None, "Of every program."),
    ("Connections and requests of clients", ["base/server"], "server",
     "Of every program that listens. The label is `forebay-edge`, `origin`, or `admin` for the address for operators."),
    ("Responses of the edge", ["edge/serve"], None, ""),
    ("Fills", ["edge/fill"], None, "A fill is one fetch from upstream, for however many clients."),
    ("Warming", ["edge/warm"], None, "What is filled by the plan of the region, before anybody asks."),
    ("Upstreams, all together", ["edge/upstream/upstream.c"], None, ""),
    ("Each upstream", ["edge/upstream/server.c"], "upstream", "The label is its URL."),
    ("Connections to upstreams", ["base/client"], None, ""),
    ("Store", ["edge/store"], None, ""),
    ("Each volume", ["edge/volume"], "volume", "The label is its path."),
    ("Purges", ["edge/purge"], None, ""),
    ("Log of requests", ["edge/access_log"], None, ""),
    ("Views", ["edge/views"], None, "What counts: [views.md](views.md)."),
    ("Reports", ["edge/report"], None,
     "Of nodes with `reports`; the way they take: [view-reports.md](view-reports.md)."),
    ("Certificates", ["edge/config"], "tls", "The label is the name of the entry of `tls`."),
    ("Jobs", ["origin/jobs"], None, "From upload to publication: [ingest.md](ingest.md)."),
    ("Objects", ["origin/objects"], "store", "The label is `folder`, `s3` or `lease`, whichever the process has."),
    ("Access", ["origin/access"], None, "Who was refused what: [access.md](access.md)."),
    ("Removal", ["origin/removal"], None, "What has to go, from the store and from nodes: [access.md](access.md#deletion)."),
    ("Uploads", ["origin/upload"], None, "[uploads.md](uploads.md) tells what they are."),
    ("Content keys", ["origin/keys"], None, "[encryption.md](encryption.md) tells what they are."),
    ("Delivery of the origin", ["origin/delivery"], None, ""),
    ("What users do", ["origin/engagement"], None, "Likes, saves, follows, shares, comments; and what admins decide."),
    ("Webhooks", ["origin/hooks"], None, "[webhooks.md](webhooks.md) tells what is told."),
    ("Search", ["origin/search"], None, ""),
    ("Trending", ["origin/trending", "origin/push"], None, "What it is computed from, and who is told (trending.md)."),
    ("The feed", ["origin/feed"], None, "[feed.md](feed.md) tells what they are about."),
    ("Plans", ["origin/plan"], None, "What regions are told to hold."),
    ("Reports of views at the origin", ["origin/views"], None, "What nodes report, and what it is merged into."),
    ("Rounds of the origin", ["origin/node/rounds.c"], "round",
     "What it does every so often, beside requests. The label is the round's name."),
]


def unquote(literals):
    return "".join(json.loads(f'"{part}"') for part in re.findall(r'"((?:[^"\\]|\\.)*)"', literals))


def sources(root, build):
    """Each source that has rows, with its text after the preprocessor."""
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = pathlib.Path(entry["directory"], entry["file"]).resolve()
        name = str(path.relative_to(root)) if path.is_relative_to(root) else ""
        if not re.match(r"(base|edge|origin)/", name) or name.startswith("base/metrics/"):
            continue
        if "FB_METRIC_" in (text := path.read_text()):
            command = shlex.split(entry["command"])
            at = command.index("-o")
            done = subprocess.run(command[:at] + command[at + 2:] + ["-E", "-P"], check=True,
                                  cwd=entry["directory"], capture_output=True, text=True)
            yield name, text, done.stdout


def families(root, build):
    """By source: name -> kind, labels, help."""
    found = {}
    for source, text, expanded in sources(root, build):
        rows = ROW.findall(expanded)
        names = found.setdefault(source, {})
        for name, kind, label, sentence in rows:
            family = names.setdefault(unquote(name), [kind.lower(), [], unquote(sentence)])
            family[1] += [unquote(label)] if label.startswith('"') else []
        if len(re.findall(r"\bFB_METRIC_(?:COUNTER|GAUGE|HISTOGRAM)\b", expanded)) != len(rows) + 3:
            sys.exit(f"{source}: a row of metrics that this script cannot read")
    return found


def labels_of(own, table):
    values = {}
    for label in own:
        for name, value in re.findall(r'(\w+)="([^"]*)"', label):
            values.setdefault(name, []).append(value)
    told = [f"*{table}*"] if table else []
    told += ["*version*"] if values.pop("version", None) else []  # it changes with each
    for name, each in values.items():
        told.append(f"`{name}`: " + ", ".join(f"`{value}`" for value in dict.fromkeys(each)))
    return "; ".join(told)


def page(found):
    out, left, told = [HEAD], dict(found), set()
    for title, places, table, sentence in SECTIONS:
        rows = {}
        for source in sorted(left):
            if any(source == place or source.startswith(place + "/") for place in places):
                rows.update(left.pop(source))
        rows = {name: rows[name] for name in rows if name not in told}
        told.update(rows)
        if not rows:
            continue
        out.append(f"\n## {title}\n" + (f"\n{sentence}\n" if sentence else ""))
        out.append("\n| metric | kind | labels | what it tells |\n| --- | --- | --- | --- |\n")
        for name, (kind, own, text) in sorted(rows.items()):
            text = text.replace("|", "\\|")
            out.append(f"| `{name}` | {kind} | {labels_of(own, table)} | {text} |\n")
    if left:
        sys.exit(f"tests/lint/metrics.py: no section has {', '.join(left)}")
    return "".join(out)


def main():
    root, build = (pathlib.Path(arg).resolve() for arg in sys.argv[1:3])
    found = families(root, build)
    text, path = page(found), root / "docs/metrics.md"
    if "--write" in sys.argv[3:]:
        path.write_text(text)
    if not path.exists() or path.read_text() != text:
        print("docs/metrics.md is not what the sources say: "
              "tests/lint/metrics.py . build/dev --write")
        return 1
    print(f"metrics: {sum(map(len, found.values()))} families")
    return 0


if __name__ == "__main__":
    sys.exit(main())
