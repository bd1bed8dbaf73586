# SPDX-License-Identifier: Apache-2.0
"""The suites of tests/run: each builds what it needs, runs it, and returns its Totals."""

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
# Folders of Python tests that are suites of their own.
SEPARATE = {"integration", "faults", "chaos", "bench", "deploy", "odbc"}


@dataclass
class Context:
    jobs: int
    fuzz_seconds: int = 60
    pytest_arguments: list[str] = field(default_factory=list)
    built: dict[str, bool] = field(default_factory=dict)


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


def build(context: Context, preset: str) -> Totals:
    """Configures and builds a preset, once per run; a failure is one failed item."""
    if preset not in context.built:
        say(f"build {preset}")
        start = time.monotonic()
        steps = [
            ["cmake", "--preset", preset],
            ["cmake", "--build", "--preset", preset, "-j", str(context.jobs)],
        ]
        context.built[preset] = all(run(step) == 0 for step in steps)
        print(f"build {preset}: {time.monotonic() - start:.0f} s", flush=True)
    return Totals() if context.built[preset] else Totals(failed=[f"build {preset}"])


def ctest(context: Context, preset: str, label: str, extra: dict[str, str] | None = None) -> Totals:
    """The tests of a built preset whose label matches."""
    name = f"{preset} {label}"
    say(f"ctest {name}")
    results = RESULTS / f"ctest-{preset}-{label.replace('|', '-')}.xml"
    results.parent.mkdir(parents=True, exist_ok=True)
    results.unlink(missing_ok=True)
    # Tests mostly wait (for brokers, timers, supervisors); lint computes.
    jobs = context.jobs if label == "lint" else 3 * context.jobs
    command = ["ctest", "--preset", preset, "-L", f"^({label})$", "-j", str(jobs)]
    code = run([*command, "--output-on-failure", "--output-junit", str(results)], extra)
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
    code = run([*command, *arguments, *context.pytest_arguments], extra, whole)
    return judge(results, label, code)


def programs(preset: str) -> dict[str, str]:
    """What tells the Python tests which build's programs to start."""
    return {"MARKETFLOW_BIN_DIR": str(ROOT / "build" / preset / "bin")}


def python_test_folders() -> list[str]:
    folders = sorted({p.parent for p in (ROOT / "tests").rglob("test_*.py")})
    names = [str(f.relative_to(ROOT)) for f in folders]
    return [n for n in names if n.split("/")[1] not in SEPARATE and "/samples" not in n]


def suite_unit(context: Context) -> Totals:
    totals = build(context, "dev")
    # Beside each other: they wait more than they compute.
    folders = python_test_folders()
    with ThreadPoolExecutor(len(folders)) as pool:
        parts = [pool.submit(pytest, context, f, ["-q", f], programs("dev"), whole=True) for f in folders]
        if not totals.failed:
            totals += ctest(context, "dev", "unit|fuzz|bench")
        for part in parts:
            totals += part.result()
    return totals


def suite_lint(context: Context) -> Totals:
    totals = build(context, "dev")  # clang-tidy reads its compile commands and generated headers
    extra = {}
    try:
        extra["MF_RUFF"] = str(environment.python_of(LOCK).with_name("ruff"))
    except environment.SetupError as error:
        totals.failed.append(f"lint: {error}")
    if context.built["dev"]:
        totals += ctest(context, "dev", "lint", extra)
    return totals


def suite_asan(context: Context) -> Totals:
    totals = build(context, "asan")
    if totals.failed:
        return totals
    totals += ctest(context, "asan", "unit|fuzz")
    if (ROOT / "tests" / "integration").is_dir():
        # One pass; a killed program reports nothing, so the cases that kill are left to the ordinary build.
        extra = {**programs("asan"), "MARKETFLOW_SANITIZED": "asan"}
        totals += pytest(context, "integration asan", ["-m", "not kills", "tests/integration"], extra)
    return totals


def suite_integration(context: Context) -> Totals:
    totals = build(context, "release")
    if not totals.failed:
        totals += pytest(context, "integration", ["tests/integration"], programs("release"))
    return totals


def suite_release(context: Context) -> Totals:
    totals = build(context, "release")
    if not totals.failed:
        totals += ctest(context, "release", "release")
    return totals


def suite_tsan(context: Context) -> Totals:
    totals = build(context, "tsan")
    if not totals.failed:
        totals += ctest(context, "tsan", "unit")
    return totals


def suite_coverage(context: Context) -> Totals:
    totals = build(context, "coverage")
    if not totals.failed:
        totals += ctest(context, "coverage", "unit|fuzz")
        filters = ["--root", ".", "--filter", "common/", "--filter", "services/"]
        if run(["gcovr", *filters, "--print-summary", "build/coverage"]) != 0:
            totals.failed.append("coverage: gcovr")
    return totals


def suite_fuzz(context: Context) -> Totals:
    """libFuzzer on each target for a while; new inputs go below build/, crashes are named."""
    totals = build(context, "fuzz")
    if totals.failed:
        return totals
    totals += ctest(context, "fuzz", "fuzz")
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


def python_suite(name: str) -> Callable[[Context], Totals]:
    """A long suite of its own: pytest over tests/<name> with the release programs."""

    def suite(context: Context) -> Totals:
        folder = f"tests/{name}"
        if not (ROOT / folder).is_dir():
            return Totals(failed=[f"{name}: there is no {folder}"])
        totals = build(context, "release")
        if not totals.failed:
            totals += pytest(context, name, [folder], programs("release"))
        return totals

    return suite


@dataclass(frozen=True)
class Suite:
    run: Callable[[Context], Totals]
    summary: str
    in_all: bool = False


SUITES = {
    "unit": Suite(suite_unit, "unit tests, fuzz corpora, tests of the Python tools", True),
    "lint": Suite(suite_lint, "every check of tests/lint, with its samples", True),
    "integration": Suite(suite_integration, "real broker, real PostgreSQL, simulator; as shipped", True),
    "asan": Suite(
        suite_asan,
        "address and undefined-behaviour sanitizers: unit, fuzz corpora, one integration pass",
        True,
    ),
    "release": Suite(
        suite_release, "the shipped build: hardening of the programs, same bytes from two folders", True
    ),
    "tsan": Suite(suite_tsan, "unit tests under the thread sanitizer"),
    "fuzz": Suite(suite_fuzz, "libFuzzer on every target, --fuzz-seconds each"),
    "coverage": Suite(suite_coverage, "unit tests and corpora with gcov, summary by gcovr"),
    "faults": Suite(python_suite("faults"), "the fault scenarios, long"),
    "chaos": Suite(python_suite("chaos"), "random faults for a long time"),
    "deploy": Suite(python_suite("deploy"), "images, units and manifests"),
    "bench": Suite(python_suite("bench"), "measurements, as JSON"),
}
