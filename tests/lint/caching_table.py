#!/usr/bin/env python3
"""Check that the table of docs/http-caching.md tells of tests that exist, and each row of a scenario.

usage: caching_table.py SOURCE_ROOT

A row is `| requirement | here | how | proof |`. `here` is yes, option or no. A proof names tests
as `edge.fresh.test_terms: name` (a unit test), or `edge.fresh.test_terms: name / case` for one
entry of its table, or `scenario.test_edge_cache: name`. Every row names a scenario at least, which
shows it on the whole program, or has an em dash and says in `how` why nothing is to be seen.
"""
import pathlib
import re
import sys

HERE = {"yes", "option", "no"}
PROOF = re.compile(r"`([\w.]+)\.(test_\w+): (\w+)(?: / ([^`]+))?`")


def find_fault(root, folder, module, name, case):
    if folder == "scenario":
        path, pattern = root / "tests/scenario" / f"{module}.py", rf"def {name}\("
    else:
        path = root / "tests/unit" / folder.replace(".", "/") / f"{module}.c"
        pattern = rf"^static void {name}\("
    if not path.is_file():
        return f"{path.relative_to(root)} is not there"
    text = path.read_text()
    if not re.search(pattern, text, re.M):
        return f"{path.relative_to(root)} has no test {name}"
    if case and f'"{case}"' not in text:
        return f'{path.relative_to(root)} has no case "{case}"'
    return None


def main():
    root = pathlib.Path(sys.argv[1])
    path = root / "docs/http-caching.md"
    problems, n_rows, n_unseen = [], 0, 0
    for number, line in enumerate(path.read_text().splitlines(), 1):
        cells = [cell.strip() for cell in line.strip()[1:-1].split("|")]
        if not line.startswith("|") or cells[0] in ("requirement", "---"):
            continue
        where = f"docs/http-caching.md:{number}"
        if len(cells) != 4:
            problems.append(f"{where}: {len(cells)} cells, want 4")
            continue
        _, here, how, proof = cells
        n_rows += 1
        if here not in HERE:
            problems.append(f"{where}: '{here}' is none of {', '.join(sorted(HERE))}")
        if here == "no" and not how:
            problems.append(f"{where}: not supported, and no word why")
        tests = PROOF.findall(proof)
        if proof == "—":
            n_unseen += 1
            if not how:
                problems.append(f"{where}: nothing shows it, and no word why")
        elif not tests or len(tests) * 2 != proof.count("`"):
            problems.append(f"{where}: the proof cannot be read")
        if tests and not any(folder == "scenario" for folder, *_ in tests):
            problems.append(f"{where}: no scenario shows it")
        for test in tests:
            if fault := find_fault(root, *test):
                problems.append(f"{where}: {fault}")
    if n_rows == 0:
        problems.append("docs/http-caching.md: no rows")
    print("\n".join(problems) or f"caching_table: {n_rows} rows hold, of {n_unseen} nothing is to be seen")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
