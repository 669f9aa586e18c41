#!/usr/bin/env python3
"""Check names in object code: exported prefixes and forbidden imports.

usage: symbols.py BUILD_DIR LAYERS_TXT

LAYERS_TXT is written by CMake, one line per fb_layer(): name, folder, uses. Object
code sees through macros and fortified names, which a search in sources does not.
"""
import pathlib
import re
import subprocess
import sys

PREFIX = {"base": "fb_", "edge": "edge_", "origin": "origin_", "appliance": "agent_",
          "provisioning": "fleet_"}
# what takes the place of a library's function, by its name
REPLACED = {"mbedtls_ecp_mul_restartable": "base/tls"}
# symbol pattern -> folders that may import it
ONLY_IN = {
    # no bound on what they write, or a hidden state
    r"strcpy|strcat|strncpy|strncat|stpcpy|sprintf|vsprintf|gets|strtok|strtok_r": (),
    # silent about what they could not read: fb_str_to_u64() and the like instead
    r"atoi|atol|atoll|atof|strtol|strtoul|strtoll|strtoull|strtod|sscanf": (),
    # they stop a loop, start a shell or change the whole process
    r"sleep|usleep|clock_nanosleep|system|popen|signal|alarm": (),
    r"nanosleep": ("edge/tool",),  # has no loop
    # the time and chance are parameters
    r"time|clock_gettime|gettimeofday|localtime|localtime_r|gmtime|gmtime_r|ctime": ("base/core",),
    r"rand|random|srand|rand_r|drand48|getrandom|arc4random": ("base/sys",),
    # who ends the process
    r"exit|_exit|quick_exit|abort": ("base/core", "base/daemon", "origin/confine"),
    # memory goes through base/core/alloc.h
    r"malloc|calloc|realloc|reallocarray|aligned_alloc|posix_memalign|strdup|strndup|asprintf|vasprintf": ("base/core",),
    # one folder per library
    r"uv_\w+": ("base/loop", "base/net"),
    r"io_uring_\w+": ("base/disk",),
    r"nghttp2_\w+": ("base/http2",),
    r"json_(?:object|array|string|load|dump|integer|real|null|true|false|decref)\w*": ("base/json",),
    r"sd_\w+": ("base/daemon",),
    r"XXH\w+": ("base/core",),
    r"XML_\w+": ("base/xml",),
    r"curl_\w+": ("origin/objects", "origin/calls"),
    r"pcre2_\w+": ("base/regex",),
    r"seccomp_\w+": ("origin/confine",),
    r"sqlite3_\w+": ("base/db",),
    r"mbedtls_\w+|psa_\w+": ("base/crypto", "base/tls"),
    r"imb_\w+|\w+_mb_mgr\w*": ("base/tls",),
    r"yaml_\w+": ("base/conf",),
    r"ZSTD_\w+": ("base/compress",),
    r"crypto_\w+|sodium_\w+": ("origin/auth",),
    r"cjose_\w+": ("base/jose",),
    r"g_[a-z]\w+": ("base/zone",),
    r"av_\w+|avcodec_\w+|avformat_\w+|avfilter_\w+|avio_\w+|sws_\w+|swr_\w+": ("origin/media",),
}


def symbols(archive, *options):
    out = subprocess.run(["nm", *options, str(archive)], capture_output=True, text=True, check=True)
    for line in out.stdout.splitlines():
        if match := re.search(r" ([A-Z]) (\w+)$", line):
            # __sprintf_chk and __isoc99_sscanf are how the C library spells them
            yield re.sub(r"^__isoc\d+_|^__(\w+)_chk$", lambda m: m[1] or "", match[2])


def check(archive, folder, owners):
    want = PREFIX[folder.split("/")[0]]
    own = set(symbols(archive, "-g", "--defined-only"))
    for symbol in own:
        # of two archives that have it the linker takes the first, and says nothing
        if symbol.startswith(want) and owners.setdefault(symbol, folder) != folder:
            yield f"{folder}: exports {symbol}, as {owners[symbol]} does"
        # what a sanitizer adds to a translation unit begins with underscores
        if not symbol.startswith((want, "__")) and REPLACED.get(symbol) != folder:
            yield f"{folder}: exports {symbol}, want {want}*"
    for symbol in set(symbols(archive, "-u")) - own:
        for pattern, folders in ONLY_IN.items():
            if re.fullmatch(pattern, symbol) and folder not in folders:
                yield f"{folder}: uses {symbol}()"


def main():
    build, problems, owners, n = pathlib.Path(sys.argv[1]), [], {}, 0
    for line in pathlib.Path(sys.argv[2]).read_text().splitlines():
        name, folder = line.split()[:2]
        if folder.split("/")[0] in PREFIX:
            archive = next(build.rglob(f"lib{name}.a"))
            problems += check(archive, folder, owners)
            n += 1
    print("\n".join(sorted(problems)) or f"symbols: names and imports of {n} layers hold")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
