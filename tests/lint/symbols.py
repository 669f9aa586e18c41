#!/usr/bin/env python3
"""Check names in object code: exported prefixes and forbidden imports.

usage: symbols.py BUILD_DIR LAYERS_TXT
"""
import pathlib
import re
import subprocess
import sys

PREFIX = {"base": "fb_", "edge": "edge_", "origin": "origin_", "appliance": "agent_",
          "provisioning": "fleet_"}
# symbol pattern -> folders that may import it
ONLY_IN = {
    r"strcpy|strcat|strncpy|strncat|sprintf|vsprintf|gets|strtok|strtok_r": (),
    r"atoi|atol|atof|strtol|strtoul|strtod|sscanf": ("base/core",),
    r"sleep|usleep|nanosleep|system|popen|signal|alarm": (),
    r"time|clock_gettime|gettimeofday|localtime|localtime_r|gmtime_r": ("base/core",),
    r"rand|random|srand|getrandom": ("base/sys",),
    r"exit|_exit|abort": ("base/core", "base/daemon"),
    r"uv_\w+": ("base/loop", "base/net"),
    r"sqlite3_\w+": ("base/db",),
    r"mbedtls_\w+|psa_\w+": ("base/tls",),
    r"yaml_\w+": ("base/conf",),
    r"av_\w+|avcodec_\w+|avformat_\w+|sws_\w+|swr_\w+": ("origin/transcode", "origin/package"),
}


def symbols(archive, *options):
    out = subprocess.run(["nm", *options, str(archive)], capture_output=True, text=True, check=True)
    for line in out.stdout.splitlines():
        if match := re.search(r" ([A-Z]) (\w+)$", line):
            # __sprintf_chk and __isoc99_sscanf are how the C library spells them
            yield re.sub(r"^__isoc\d+_|^__(\w+)_chk$", r"\1", match[2])


def main():
    build, problems = pathlib.Path(sys.argv[1]), []
    for line in pathlib.Path(sys.argv[2]).read_text().splitlines():
        name, folder = line.split()[:2]
        archive = next(build.rglob(f"lib{name}.a"))
        want = PREFIX[folder.split("/")[0]]
        for symbol in symbols(archive, "-g", "--defined-only"):
            if not symbol.startswith(want):
                problems.append(f"{folder}: exports {symbol}, want {want}*")
        for symbol in symbols(archive, "-u"):
            for pattern, folders in ONLY_IN.items():
                if re.fullmatch(pattern, symbol) and folder not in folders:
                    problems.append(f"{folder}: uses {symbol}()")
    print("\n".join(sorted(set(problems))) or "symbols: names and imports hold")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
