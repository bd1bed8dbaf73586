#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs one check over the tree, or over its known-bad samples.

lint.py CHECK [--build-dir DIR] [FILE...]   problems on stdout; exit 0 none, 1 some, 77 could not be made
lint.py CHECK --sample                      exit 0 only if the check finds exactly what its samples mark

A sample is a file below tests/lint/samples/CHECK/. In the checks of our own, every line with the mark `BAD` must be
found and no other; a whole-file problem is marked by `BAD FILE` anywhere. For a tool, a sample named bad* must give
a problem and one named good* none.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from own_checks import OWN_CHECKS
from sources import ROOT, Problem, read_text, tree_files
from tool_checks import TOOL_CHECKS, Options, SkippedError

SKIP_CODE = 77


def run_check(name: str, root: Path, paths: list[str], options: Options) -> list[Problem]:
    if name in OWN_CHECKS:
        return OWN_CHECKS[name](root, paths)
    return TOOL_CHECKS[name](root, paths, options)


def expected_marks(root: Path, path: str) -> set[int]:
    marks = set()
    for number, line in enumerate(read_text(root, path).splitlines(), 1):
        if "BAD FILE" in line:
            marks.add(0)
        elif "BAD" in line:
            marks.add(number)
    return marks


def sample_failures(name: str) -> list[str]:
    """What is wrong with the check, judged by its samples; empty when it catches what it must."""
    root = Path(__file__).resolve().parent / "samples" / name
    paths = sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())
    if not any(Path(p).name.startswith("bad") for p in paths):
        return [f"{name}: no sample that must be caught"]
    failures = []
    for path in paths:
        problems = run_check(name, root, [path], Options(sample=True))
        bad = Path(path).name.startswith("bad")
        # A tool that merely broke names itself, not the sample.
        if bad != any(p.path == path for p in problems) or not all(p.path == path for p in problems):
            failures.append(f"{path}: {len(problems)} problems found in a {'bad' if bad else 'good'} sample")
            failures += [f"  {problem}" for problem in problems]
        if name in OWN_CHECKS:
            found, marks = {p.line for p in problems}, expected_marks(root, path)
            if found != marks:
                failures.append(f"{path}: found lines {sorted(found)}, marked are {sorted(marks)}")
    return failures


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("check", choices=sorted({**OWN_CHECKS, **TOOL_CHECKS}))
    parser.add_argument("--build-dir", type=Path)
    parser.add_argument("--sample", action="store_true")
    parser.add_argument("files", nargs="*", help="paths from the root of the tree; default: all of it")
    arguments = parser.parse_args()
    try:
        if arguments.sample:
            failures = sample_failures(arguments.check)
            print("\n".join(failures) or f"{arguments.check}: catches its samples")
            return 1 if failures else 0
        options = Options(build_dir=arguments.build_dir.resolve() if arguments.build_dir else None)
        paths = arguments.files or tree_files()
        problems = run_check(arguments.check, ROOT, paths, options)
    except SkippedError as reason:
        print(f"SKIPPED {arguments.check}: {reason}")
        return SKIP_CODE
    for line in [*options.notes, *problems]:
        print(line)
    print(f"{arguments.check}: {len(problems)} problems, {len(paths)} files listed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
