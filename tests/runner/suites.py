# SPDX-License-Identifier: Apache-2.0
"""The suites of tests/run: each says which builds it needs, runs on them, and returns its Totals."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from . import environment
from .outcomes import Totals, judge

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "build" / "results"
LOCK = ROOT / "tests" / "requirements.lock"
# pytest's code when -k leaves nothing of a folder.
NOTHING_SELECTED = 5
# Of the integration tests; the rest are suites of their own.
IN_ALL = "not sink and not long and not feeds"
UNSANITIZED = "kills or shipped or once"
SLOW_LINT = r"^lint\.(tidy|cppcheck)"
# Folders of Python tests that are suites of their own.
SEPARATE = {"integration", "analytics", "dags", "airflow", "faults", "chaos", "bench", "deploy", "odbc"}


@dataclass
class Context:
    jobs: int
    fuzz_seconds: int = 60
    pytest_arguments: list[str] = field(default_factory=list)
    # Another suite runs beside this one: output in whole pieces, and what only computes stands back.
    beside: bool = False
    # Suites that were not named but are part of all: some do less then.
    unnamed: set[str] = field(default_factory=set)


def say(text: str) -> None:
    print(f"\n=== {text}", flush=True)


def run(command: list[str], extra: dict[str, str] | None = None, whole: bool = False) -> int:
    """Runs a command in the tree. whole: what it prints appears in one piece when it has ended."""
    full = {**os.environ, **(extra or {})}
    if not whole:
        return subprocess.run(command, cwd=ROOT, env=full).returncode
    result = subprocess.run(command, cwd=ROOT, env=full, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    sys.stdout.buffer.write(result.stdout)
    sys.stdout.flush()
    return result.returncode


def build(context: Context, preset: str) -> bool:
    """Configures and builds a preset."""
    say(f"build {preset}")
    start = time.monotonic()
    steps = [["cmake", "--preset", preset], ["cmake", "--build", "--preset", preset, "-j", str(context.jobs)]]
    good = all(run(step) == 0 for step in steps)
    print(f"build {preset}: {time.monotonic() - start:.0f} s", flush=True)
    return good


def ctest(
    context: Context, preset: str, label: str, extra: dict[str, str] | None = None, leave_out: str = ""
) -> Totals:
    """The tests of a built preset whose label matches and whose name does not match leave_out."""
    name = f"{preset} {label}"
    say(f"ctest {name}")
    results = RESULTS / f"ctest-{preset}-{label.replace('|', '-')}.xml"
    results.parent.mkdir(parents=True, exist_ok=True)
    results.unlink(missing_ok=True)
    # Tests mostly wait (for brokers, timers, supervisors); lint computes.
    jobs = context.jobs if label == "lint" else 3 * context.jobs
    command = ["nice"] if label == "lint" and context.beside else []
    command += ["ctest", "--preset", preset, "-L", f"^({label})$", "-j", str(jobs)]
    command += ["-E", leave_out] if leave_out else []
    code = run([*command, "--output-on-failure", "--output-junit", str(results)], extra, context.beside)
    return judge(results, name, code)


def pytest(
    context: Context,
    label: str,
    arguments: list[str],
    extra: dict[str, str] | None = None,
    whole: bool = False,
) -> Totals:
    """pytest in the locked environment of the tests."""
    say(f"pytest {label}")
    try:
        python = environment.python_of(LOCK)
    except environment.SetupError as error:
        return Totals(failed=[f"{label}: {error}"])
    results = RESULTS / f"pytest-{label.replace(' ', '-').replace('/', '-')}.xml"
    results.parent.mkdir(parents=True, exist_ok=True)
    results.unlink(missing_ok=True)
    command = [str(python), "-B", "-m", "pytest", "-ra", "-p", "no:cacheprovider", f"--junitxml={results}"]
    code = run([*command, *arguments, *context.pytest_arguments], extra, whole or context.beside)
    if context.pytest_arguments and code == NOTHING_SELECTED:
        return Totals()
    return judge(results, label, code)


def programs(preset: str) -> dict[str, str]:
    """What tells the Python tests which build's programs to start."""
    return {"MARKETFLOW_BIN_DIR": str(ROOT / "build" / preset / "bin")}


def python_test_folders() -> list[str]:
    folders = sorted({p.parent for p in (ROOT / "tests").rglob("test_*.py")})
    names = [str(f.relative_to(ROOT)) for f in folders]
    return [n for n in names if n.split("/")[1] not in SEPARATE and "/samples" not in n]


def unit_tests(context: Context, label: str) -> Totals:
    """Those of ctest's label, and the Python ones beside them: they wait more than they compute."""
    totals = Totals()
    folders = python_test_folders()
    with ThreadPoolExecutor(len(folders)) as pool:
        parts = [pool.submit(pytest, context, f, ["-q", f], programs("dev"), whole=True) for f in folders]
        totals += ctest(context, "dev", label)
        for part in parts:
            totals += part.result()
    return totals


def suite_unit(context: Context) -> Totals:
    return unit_tests(context, "unit|fuzz|bench")


def suite_lint(context: Context, leave_out: str = "") -> Totals:
    try:
        ruff = environment.python_of(LOCK).with_name("ruff")
    except environment.SetupError as error:
        return Totals(failed=[f"lint: {error}"])
    return ctest(context, "dev", "lint", {"MF_RUFF": str(ruff)}, leave_out)


def suite_fast(context: Context) -> Totals:
    """What tells soonest that something is broken: no fuzz corpora, and of lint not the two that take minutes."""
    totals = unit_tests(context, "unit")
    totals += suite_lint(context, SLOW_LINT)
    return totals


def suite_asan(context: Context) -> Totals:
    totals = ctest(context, "asan", "unit|fuzz")
    # One pass; a killed program reports nothing, so the cases that kill are left to the ordinary build, and
    # those that build for themselves.
    extra = {**programs("asan"), "MARKETFLOW_SANITIZED": "asan"}
    totals += pytest(
        context,
        "integration asan",
        ["-m", f"{IN_ALL} and not ({UNSANITIZED})", "tests/integration"],
        extra,
    )
    return totals


def suite_coverage(context: Context) -> Totals:
    totals = ctest(context, "coverage", "unit|fuzz")
    filters = ["--root", ".", "--filter", "common/", "--filter", "services/"]
    if run(["gcovr", *filters, "--print-summary", "build/coverage"]) != 0:
        totals.failed.append("coverage: gcovr")
    return totals


def suite_fuzz(context: Context) -> Totals:
    """libFuzzer on each target for a while; new inputs go below build/, crashes are named."""
    totals = ctest(context, "fuzz", "fuzz")
    for program in sorted((ROOT / "build" / "fuzz" / "tests" / "fuzz").glob("fuzz_*")):
        if program.is_dir() or not os.access(program, os.X_OK):
            continue
        say(f"fuzz {program.name} for {context.fuzz_seconds} s")
        found = ROOT / "build" / "fuzz" / "found" / program.name
        found.mkdir(parents=True, exist_ok=True)
        corpus = ROOT / "tests" / "fuzz" / "corpus" / program.name.removeprefix("fuzz_")
        limits = [f"-max_total_time={context.fuzz_seconds}", "-timeout=10", "-rss_limit_mb=2048"]
        command = [str(program), *limits, f"-artifact_prefix={found}/crash-", str(found), str(corpus)]
        if run(command) == 0:
            totals.passed += 1
        else:
            totals.failed.append(f"fuzz {program.name} (inputs: {found})")
    return totals


def of_ctest(preset: str, label: str) -> Callable[[Context], Totals]:
    """A suite that is what ctest has under a label."""
    return lambda context: ctest(context, preset, label)


def of_pytest(
    name: str, folder: str | None = None, marks: str = "", marks_in_all: str = ""
) -> Callable[[Context], Totals]:
    """A suite that is a folder of tests/, or those of it with the marks, with the programs as shipped."""
    folder = f"tests/{folder or name}"

    def suite(context: Context) -> Totals:
        if not (ROOT / folder).is_dir():
            return Totals(failed=[f"{name}: there is no {folder}"])
        chosen = marks_in_all if marks_in_all and name in context.unnamed else marks
        return pytest(context, name, ["-m", chosen, folder] if chosen else [folder], programs("release"))

    return suite


@dataclass(frozen=True)
class Suite:
    run: Callable[[Context], Totals]
    summary: str
    builds: tuple[str, ...]
    in_all: bool = False
    lane: int = 0  # suites of different lanes run beside each other


SUITES = {
    "unit": Suite(suite_unit, "unit tests, fuzz corpora, tests of the Python tools", ("dev",), True),
    "fast": Suite(
        suite_fast, "unit tests and the quick checks of lint, for every change; not part of all", ("dev",)
    ),
    "lint": Suite(suite_lint, "every check of tests/lint, with its samples", ("dev",), True),
    "asan": Suite(
        suite_asan,
        "address and undefined-behaviour sanitizers: unit, fuzz corpora, one integration pass",
        ("asan",),
        True,
    ),
    "integration": Suite(
        of_pytest("integration", marks=IN_ALL, marks_in_all=f"{IN_ALL} and (not sanitized or {UNSANITIZED})"),
        "real broker, real PostgreSQL, simulator; kills and outages; the programs as shipped. In all without "
        "what the pass under sanitizers covers",
        ("release",),
        True,
        lane=1,
    ),
    "analytics": Suite(
        of_pytest("analytics", marks_in_all="not deep"),
        "dbt on PostgreSQL and on fakesnow: built piece by piece, anew, and compared; in depth when it is named",
        ("release",),
        True,
        lane=1,
    ),
    "dags": Suite(
        of_pytest("dags"),
        "Airflow's DAGs: imports, graph, rendered commands, operators",
        ("release",),
        True,
        lane=1,
    ),
    "release": Suite(
        of_ctest("release", "release"),
        "the shipped build: hardening of the programs, same bytes from two folders",
        ("release",),
        True,
        lane=1,
    ),
    "feeds": Suite(
        of_pytest("feeds", "integration", "feeds and not long"),
        "the ingestor's feeds and modes in depth, against the simulator; not part of all",
        ("release",),
    ),
    "long": Suite(
        of_pytest("long", "integration", "long and not sink"),
        "what takes long: outages, many kills; not part of all",
        ("release",),
    ),
    "sink": Suite(
        of_pytest("sink", "integration", "sink"),
        "the sink on both warehouses, every fault of them; not part of all",
        ("release",),
    ),
    "tsan": Suite(of_ctest("tsan", "unit"), "unit tests under the thread sanitizer", ("tsan",)),
    "fuzz": Suite(suite_fuzz, "libFuzzer on every target, --fuzz-seconds each", ("fuzz",)),
    "coverage": Suite(suite_coverage, "unit tests and corpora with gcov, summary by gcovr", ("coverage",)),
    "faults": Suite(
        of_pytest("faults"), "faults of the processor, one broker and three; not part of all", ("release",)
    ),
    "chaos": Suite(
        of_pytest("chaos"), "sinks while everything around them breaks; not part of all", ("release",)
    ),
    "airflow": Suite(
        of_pytest("airflow"),
        "Airflow's own processes run the DAGs over the whole line; not part of all",
        ("release",),
    ),
    "bench": Suite(of_pytest("bench"), "measurements, as JSON", ("release",)),
}


def run_suites(context: Context, names: list[str]) -> Totals:
    """Builds what the suites need, runs those whose builds are there, and counts everything."""
    totals = Totals()
    built = {}
    for preset in dict.fromkeys(p for name in names for p in SUITES[name].builds):
        built[preset] = build(context, preset)
        if not built[preset]:
            totals.failed.append(f"build {preset}")
    ready = [name for name in names if all(built[p] for p in SUITES[name].builds)]
    lanes = [[n for n in ready if SUITES[n].lane == lane] for lane in {SUITES[n].lane for n in ready}]
    context.beside = len(lanes) > 1

    def run_lane(lane: list[str]) -> Totals:
        part = Totals()
        for name in lane:
            start = time.monotonic()
            one = SUITES[name].run(context)
            print(f"\n--- {name}: {one.closing_line()} in {time.monotonic() - start:.0f} s", flush=True)
            part += one
        return part

    with ThreadPoolExecutor(len(lanes) or 1) as pool:
        for part in pool.map(run_lane, lanes):
            totals += part
    return totals
