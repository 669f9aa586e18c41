#!/usr/bin/env python3
"""Check what the include path cannot: see LAYERS in tests/README.md.

usage: layers.py SOURCE_ROOT LAYERS_TXT

LAYERS_TXT is written by CMake, one line per fb_layer(): name, folder, uses.
"""
import pathlib
import re
import sys

ROOTS = ("base", "edge", "origin", "appliance", "provisioning")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
MAIN = re.compile(r"main(_[a-z]+)?\.c")
# A third-party library is included from one folder, which wraps it.
OWNERS = {
    "uv.h": ("base/loop", "base/net"),
    "liburing.h": ("base/disk",),
    "nghttp2/": ("base/http2",),
    "jansson.h": ("base/json",),
    "systemd/": ("base/daemon",),
    "xxhash.h": ("base/core",),
    "wslay/": ("base/websocket",),
    "pcre2.h": ("base/regex",),
    "sodium.h": ("origin/auth",),
    "cjose/": ("base/jose",),
    "glib.h": ("base/zone",),
    "gcrypt.h": ("base/tls",),
    "gmp.h": ("base/tls",),
    "intel-ipsec-mb.h": ("base/tls",),
    "mbedtls/": ("base/crypto", "base/tls"),
    "nettle/": ("base/crypto", "base/tls"),
    "psa/": ("base/crypto", "base/tls"),
    "seccomp.h": ("origin/confine",),
    "linux/landlock.h": ("origin/confine",),
    "sqlite3.h": ("base/db",),
    "yaml.h": ("base/conf",),
    "zstd.h": ("base/compress",),
    "expat.h": ("base/xml",),
    "maxminddb.h": ("origin/access",),
    "curl/": ("origin/objects", "origin/calls"),
    "libav": ("origin/media",),
    "libsw": ("origin/media",),
}


def read_layers(path):
    uses, folder = {}, {}
    for line in path.read_text().splitlines():
        name, where, *rest = line.replace(";", " ").split()
        folder[name] = where
        uses[name] = [u for u in rest if "::" not in u]
    return folder, uses


def find_cycle(uses):
    seen, trail = set(), []

    def visit(name):
        if name in trail:
            return trail[trail.index(name):] + [name]
        if name in seen:
            return None
        seen.add(name)
        trail.append(name)
        for used in uses.get(name, ()):
            if cycle := visit(used):
                return cycle
        trail.pop()
        return None

    return next((c for n in uses if (c := visit(n))), None)


def reachable(name, uses):
    out, todo = set(), [name]
    while todo:
        if (n := todo.pop()) not in out:
            out.add(n)
            todo += uses.get(n, [])
    return out


def check_file(path, here, root, visible):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not (match := INCLUDE.match(line)):
            continue
        quote, name = match.groups()
        where = f"{path.relative_to(root)}:{number}"
        if quote == "<":
            for prefix, owners in OWNERS.items():
                if name.startswith(prefix) and here not in owners:
                    yield f"{where}: <{name}> belongs to {', '.join(owners)}"
            continue
        target = name.rpartition("/")[0]
        if ".." in name or not (root / name).is_file():
            yield f'{where}: "{name}" is not a path from the source root'
        elif target not in visible:
            yield f"{where}: {here} may not include from {target}"
        elif name.endswith("_internal.h") and target != here:
            yield f'{where}: "{name}" is private to {target}'


def main():
    root, folder_uses = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    folder, uses = read_layers(folder_uses)
    problems = []
    if cycle := find_cycle(uses):
        problems.append("layers depend on each other: " + " -> ".join(cycle))
    names = {where: name for name, where in folder.items()}
    for top in ROOTS:
        for path in sorted((root / top).rglob("*.[ch]")):
            here = str(path.parent.relative_to(root))
            if MAIN.fullmatch(path.name):
                # What a program may see is the affair of its fb_program().
                problems += check_file(path, here, root, set(names))
                continue
            if here not in names:
                problems.append(f"{path.relative_to(root)}: {here} is in no fb_layer()")
                continue
            visible = {folder[n] for n in reachable(names[here], uses) if n in folder}
            problems += check_file(path, here, root, visible)
    print("\n".join(problems) or f"layers: {len(folder)} layers hold")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
