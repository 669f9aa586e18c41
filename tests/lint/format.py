#!/usr/bin/env python3
"""Check that clang-format would change nothing.

usage: format.py SOURCE_ROOT CLANG_FORMAT
"""
import pathlib
import subprocess
import sys

ROOTS = ("base", "edge", "origin", "appliance", "provisioning", "tests")


def main():
    root = pathlib.Path(sys.argv[1])
    files = [str(path.relative_to(root)) for top in ROOTS
             for path in sorted((root / top).rglob("*.[ch]"))]
    command = [sys.argv[2], "--style=file", "--dry-run", "-Werror", *files]
    out = subprocess.run(command, cwd=root, capture_output=True, text=True)
    wrong = sorted({line.split(":")[0] for line in out.stderr.splitlines() if "error:" in line})
    print("\n".join(f"clang-format -i {name}" for name in wrong) or out.stderr
          or f"format: {len(files)} files hold")
    return out.returncode != 0


if __name__ == "__main__":
    sys.exit(main())
