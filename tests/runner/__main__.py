# SPDX-License-Identifier: Apache-2.0
"""Runs the tests. Without a suite: all, which is what must be green.

Installs what is missing first: Debian packages (as root or with sudo), Python environments and jars below .local/.
The last line counts every test of every tool: `N passed, N failed, N skipped`. Exit code 0 only if something ran
and nothing failed. Results as JUnit XML are in build/results/.
"""

from __future__ import annotations

import argparse
import os
import sys

from .suites import SUITES, Context, run_suites


def parse_arguments() -> argparse.Namespace:
    width = max(map(len, SUITES))
    lines = [f"  {name:<{width}}  {'*' if s.in_all else ' '} {s.summary}" for name, s in SUITES.items()]
    epilog = (
        "suites (* is part of all):\n" + "\n".join(lines) + f"\n  {'all':<{width}}    every suite with *\n"
    )
    parser = argparse.ArgumentParser(
        prog="tests/run",
        description=__doc__,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("suites", nargs="*", metavar="SUITE", help="default: all")
    parser.add_argument(
        "-j", "--jobs", type=int, default=os.cpu_count() or 1, help="parallel jobs (default: the cores)"
    )
    parser.add_argument("--fuzz-seconds", type=int, default=60, help="time for each target of the suite fuzz")
    parser.add_argument("--no-install", action="store_true", help="install no Debian packages")
    parser.add_argument("-k", metavar="EXPRESSION", help="only the Python tests that match, as in pytest")
    arguments = parser.parse_args()
    unknown = [s for s in arguments.suites if s not in SUITES and s != "all"]
    if unknown:
        parser.error(f"no suite {', '.join(unknown)}; there are {', '.join([*SUITES, 'all'])}")
    return arguments


def chosen_suites(names: list[str]) -> list[str]:
    wanted = set(names or ["all"])
    if "all" in wanted:
        wanted |= {name for name, suite in SUITES.items() if suite.in_all}
    return [name for name in SUITES if name in wanted]


def main() -> int:
    arguments = parse_arguments()
    suites = chosen_suites(arguments.suites)
    context = Context(arguments.jobs, arguments.fuzz_seconds, unnamed=set(suites) - set(arguments.suites))
    if arguments.k:
        context.pytest_arguments += ["-k", arguments.k]
    totals = run_suites(context, suites)
    print()
    for line in totals.skipped:
        print(f"SKIPPED {line}")
    for line in totals.failed:
        print(f"FAILED  {line}")
    print(totals.closing_line(), flush=True)
    return totals.exit_code()


if __name__ == "__main__":
    sys.exit(main())
