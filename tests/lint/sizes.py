#!/usr/bin/env python3
"""Check how long functions and files are.

usage: sizes.py SOURCE_ROOT

A function longer than 80 lines fails. Of a product's functions at most 5 % may be
longer than 60. A file longer than 600 lines needs a reason below; 1,000 fail, tests 1,200.
"""
import pathlib
import sys

ROOTS = ("base", "edge", "origin", "appliance", "provisioning", "tests")
MAX_FUNCTION, LONG_FUNCTION, MAX_LONG_SHARE = 80, 60, 0.05
MAX_FILE, MAX_TEST, LONG_FILE = 1000, 1200, 600
# path -> why it is better whole
REASONS = {
    "tests/unit/base/server/test_server.c": "one server over a pair, and every way to ask it",
}


def functions(lines):
    """Yields (line number, length) of each function. In our format its braces are the
    only ones that stand alone at the start of a line."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            yield start, number - start + 1
            start = None


def main():
    root, problems = pathlib.Path(sys.argv[1]), []
    n_functions, n_long = {}, {}
    for top in ROOTS:
        for path in sorted((root / top).rglob("*")):
            if path.suffix not in (".c", ".h", ".py"):
                continue
            name, lines = str(path.relative_to(root)), path.read_text().splitlines()
            most = MAX_TEST if name.startswith("tests/") else MAX_FILE
            if len(lines) > most or len(lines) > LONG_FILE and name not in REASONS:
                problems.append(f"{name}: {len(lines)} lines; split it or say why in sizes.py")
            for number, length in functions(lines) if path.suffix == ".c" else ():
                n_functions[top] = n_functions.get(top, 0) + 1
                n_long[top] = n_long.get(top, 0) + (length > LONG_FUNCTION)
                if length > MAX_FUNCTION:
                    problems.append(f"{name}:{number}: a function of {length} lines")
    for top, n in n_functions.items():
        if n_long[top] > n * MAX_LONG_SHARE:
            problems.append(f"{top}: {n_long[top]} of {n} functions are over {LONG_FUNCTION} lines")
    print("\n".join(problems) or f"sizes: {sum(n_functions.values())} functions hold")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
