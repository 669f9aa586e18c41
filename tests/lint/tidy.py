#!/usr/bin/env python3
"""Run clang-tidy over every source of ours, each file only when it changed.

usage: tidy.py SOURCE_ROOT BUILD_DIR [PATTERN]

What a file's verdict depends on (its command, all that it was built from, and .clang-tidy) is
hashed; a hash that passed is remembered in BUILD_DIR/tidy. PATTERN keeps only the sources whose
path contains it.
"""
import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

OURS = re.compile(r"^(base|edge|origin|appliance|provisioning)/.*\.c$")


def units(root, build, pattern):
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = pathlib.Path(entry["directory"], entry["file"]).resolve()
        if path.is_relative_to(root) and OURS.match(name := str(path.relative_to(root))):
            if pattern in name:
                yield name, entry


def dependencies(build):
    """What each object was built from."""
    found, now = {}, None
    told = subprocess.run(["ninja", "-C", str(build), "-t", "deps"], capture_output=True, text=True,
                          check=True).stdout
    for line in told.splitlines():
        if line.startswith("    "):
            now.append(pathlib.Path(build, line.strip()))
        elif ": #deps" in line:
            now = found[line.partition(": #deps")[0]] = []
    return found


@functools.cache
def content(path):
    return hashlib.sha256(path.read_bytes()).digest()


def digest(entry, settings, built):
    """None of what was not built as it stands."""
    words = shlex.split(entry["command"])
    paths = built.get(words[words.index("-o") + 1], ())
    if not paths or not all(path.exists() for path in paths):
        return None
    return hashlib.sha256(settings + entry["command"].encode() + b"".join(
        str(path).encode() + content(path) for path in sorted(set(paths)))).hexdigest()


def check(tool, name, root, build, mark):
    """What clang-tidy has to say of one file; empty when that is nothing."""
    if mark and mark.exists():
        return name, "", False
    done = subprocess.run([tool, "-quiet", "-p", str(build), str(root / name)],
                          capture_output=True, text=True)
    said = done.stdout.strip().replace(f"{root}/", "")
    if mark and done.returncode == 0 and not said:
        mark.touch()
    return name, said or (done.stderr if done.returncode else ""), True


def main():
    root, build = (pathlib.Path(p).resolve() for p in sys.argv[1:3])
    pattern = sys.argv[3] if len(sys.argv) > 3 else ""
    tool = shutil.which("clang-tidy-14") or shutil.which("clang-tidy")
    settings = (root / ".clang-tidy").read_bytes() + subprocess.run(
        [tool, "--version"], capture_output=True, check=True).stdout
    (build / "tidy").mkdir(exist_ok=True)
    built = dependencies(build)
    problems, n_run, n_all = 0, 0, 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = []
        for name, entry in units(root, build, pattern):
            found = digest(entry, settings, built)
            mark = found and build / "tidy" / found
            jobs.append(pool.submit(check, tool, name, root, build, mark))
        for job in concurrent.futures.as_completed(jobs):
            name, said, ran = job.result()
            n_all, n_run = n_all + 1, n_run + ran
            if said:
                problems += 1
                print(f"--- {name}\n{said}", flush=True)
    print(f"tidy: {n_all} files, {n_run} of them new or changed, {problems} with findings")
    return bool(problems) or not n_all


if __name__ == "__main__":
    sys.exit(main())
