# SPDX-License-Identifier: Apache-2.0
"""The checks that run a tool: clang-format, clang-tidy, cppcheck, shellcheck, ruff.

Each is a function of (root, paths, Options) to a list of problems. A tool that is not installed raises SkippedError:
the caller says so aloud and the test counts as skipped, never as passed.
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import re
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from sources import ROOT, Problem, changed_files, is_python, is_shell, read_text

LOCK = "tests/requirements.lock"


class SkippedError(Exception):
    """The check, or part of it, could not be made; the text says why."""


@dataclass
class Options:
    build_dir: Path | None = None  # with compile_commands.json, for clang-tidy; caches go there too
    sample: bool = False  # the paths are known-bad samples: no caches, no scope
    notes: list[str] = field(default_factory=list)  # what the reader should know besides problems


def tool(*names: str) -> str:
    for name in names:
        if found := shutil.which(name):
            return found
    raise SkippedError(f"{' or '.join(names)} is not installed")


def run(root: Path, command: list[str], seconds: float = 600) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=seconds)


def batches(paths: list[str], size: int = 200) -> list[list[str]]:
    return [paths[i : i + size] for i in range(0, len(paths), size)]


def parse(root: Path, output: str, pattern: str) -> list[Problem]:
    """Lines of a tool as problems, each once; the pattern has groups path, line and text."""
    seen = {}
    for match in re.finditer(pattern, output, re.MULTILINE):
        path = match["path"].removeprefix(f"{root}/")
        seen[Problem(path, int(match["line"]), match["text"])] = None
    return list(seen)


def outcome(result: subprocess.CompletedProcess[str], problems: list[Problem], name: str) -> list[Problem]:
    """A tool that failed without a finding we can read has still failed."""
    if result.returncode != 0 and not problems:
        tail = (result.stdout + result.stderr).strip()[-2000:]
        return [Problem(name, 0, f"ended with {result.returncode}: {tail}")]
    return problems


def check_format(root: Path, paths: list[str], options: Options) -> list[Problem]:
    command = tool("clang-format-14")
    problems = []
    for batch in batches([p for p in paths if p.endswith((".c", ".h"))]):
        result = run(root, [command, "--dry-run", "-Werror", *batch])
        found = parse(root, result.stderr, r"^(?P<path>[^:\n]+):(?P<line>\d+):\d+: error: (?P<text>.*)$")
        problems += outcome(result, found, "clang-format")
    return problems


def include_closure(root: Path, path: str, known: dict[str, set[str]]) -> set[str]:
    """The file and every header of the tree it reaches."""
    if path not in known:
        known[path] = {path}  # ends cycles
        for name in re.findall(r'^\s*#\s*include\s*"([^"]+)"', read_text(root, path), re.MULTILINE):
            beside = posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
            target = beside if (root / beside).is_file() else name
            if (root / target).is_file():
                known[path] = known[path] | include_closure(root, target, known)
    return known[path]


def tidy_fingerprint(root: Path, command: str, closure: set[str], entry: dict) -> str:
    """What a result of clang-tidy depends on; equal fingerprints need no second run."""
    digest = hashlib.sha256()
    digest.update(run(root, [command, "--version"]).stdout.encode())
    digest.update(entry["command"].encode())
    for path in [".clang-tidy", *sorted(closure)]:
        digest.update(path.encode() + b"\0" + (root / path).read_bytes())
    return digest.hexdigest()


def tidy_one(root: Path, command: str, build_dir: Path, path: str, seconds: float) -> list[Problem] | None:
    """The findings in one file; None when the time did not suffice."""
    # The database may be of gcc, whose warning flags clang does not all know.
    extra = ["--extra-arg=-Wno-unknown-warning-option", "--extra-arg=-Wno-error"]
    try:
        result = run(root, [command, "--quiet", f"-p={build_dir}", *extra, str(root / path)], seconds)
    except subprocess.TimeoutExpired:
        return None
    pattern = r"^(?P<path>[^:\n]+):(?P<line>\d+):\d+: (?:warning|error): (?P<text>.*)$"
    return outcome(result, parse(root, result.stdout, pattern), path)


def tidy_scope(root: Path, paths: list[str], entries: dict[str, dict], options: Options) -> list[str]:
    """The files to check: those whose headers or own text changed, or all (MF_TIDY=all, and on the main branch)."""
    wanted = [p for p in paths if p.endswith(".c") and p in entries]
    changed = changed_files(root, os.environ.get("MF_TIDY_BASE") or None)
    if os.environ.get("MF_TIDY", "changed") == "all" or changed is None or ".clang-tidy" in changed:
        return wanted
    known: dict[str, set[str]] = {}
    chosen = [p for p in wanted if include_closure(root, p, known) & changed]
    options.notes.append(
        f"{len(chosen)} of {len(wanted)} files are touched by the change (MF_TIDY=all for all)"
    )
    return chosen


def check_tidy(root: Path, paths: list[str], options: Options) -> list[Problem]:
    command = tool("clang-tidy-14")
    if options.sample:
        result = run(root, [command, "--quiet", *paths, "--", "-std=c11"])
        return parse(
            root, result.stdout, r"^(?P<path>[^:\n]+):(?P<line>\d+):\d+: (?:warning|error): (?P<text>.*)$"
        )
    if options.build_dir is None or not (options.build_dir / "compile_commands.json").is_file():
        raise SkippedError("needs a build folder with compile_commands.json (cmake --preset dev)")
    database = json.loads((options.build_dir / "compile_commands.json").read_text())
    entries = {os.path.relpath(e["file"], root): e for e in database}
    cache_file = options.build_dir / "tidy-clean.json"
    clean = set(json.loads(cache_file.read_text())) if cache_file.is_file() else set()
    known: dict[str, set[str]] = {}
    scope = tidy_scope(root, paths, entries, options)
    prints = {p: tidy_fingerprint(root, command, include_closure(root, p, known), entries[p]) for p in scope}
    pending = [p for p in scope if prints[p] not in clean]
    limit = float(os.environ.get("MF_TIDY_SECONDS", "420"))
    end = time.monotonic() + limit

    def one(path: str) -> list[Problem] | None:
        left = end - time.monotonic()
        return tidy_one(root, command, options.build_dir, path, left) if left > 1 else None

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        results = dict(zip(pending, pool.map(one, pending), strict=True))
    clean |= {prints[p] for p, found in results.items() if found == []}
    cache_file.write_text(json.dumps(sorted(clean)))
    problems = [problem for found in results.values() for problem in found or []]
    late = [p for p, found in results.items() if found is None]
    options.notes.append(f"{len(scope)} files: {len(scope) - len(pending)} unchanged since they were clean")
    if late and not problems:
        raise SkippedError(f"{limit:.0f} s (MF_TIDY_SECONDS) did not suffice for: {' '.join(late)}")
    return list(dict.fromkeys(problems))


def check_cppcheck(root: Path, paths: list[str], options: Options) -> list[Problem]:
    command = tool("cppcheck")
    files = [p for p in paths if p.endswith(".c")]
    if not files:
        return []
    arguments = [
        command, "--quiet", "--std=c11", "--library=posix", "--language=c", "-I", ".", f"-j{os.cpu_count() or 1}",
        "--enable=warning,performance,portability", "--inline-suppr", "--error-exitcode=1",
        "--suppress=missingIncludeSystem", "--template={file}:{line}: {severity}: {message} [{id}]",
        # glibc deprecates readdir_r; readdir is safe on a stream of one's own.
        "--suppress=readdirCalled",
        # Takes `err = err ? err : &spare` for a read of spare; compilers and clang-tidy look for the real ones.
        "--suppress=uninitvar",
        # Takes handing on where something will be written for a read of it.
        "--suppress=ctuuninitvar",
        # Does not know that a failed assertion of cmocka leaves the test.
        "--suppress=nullPointerRedundantCheck:tests/unit/*",
        "--suppress=nullPointerArithmeticRedundantCheck:tests/unit/*",
    ]  # fmt: skip
    if options.build_dir is not None and not options.sample:
        cache = options.build_dir / "cppcheck"
        cache.mkdir(parents=True, exist_ok=True)
        arguments.append(f"--cppcheck-build-dir={cache}")
    result = run(root, [*arguments, *files])
    pattern = r"^(?P<path>[^:\n]+):(?P<line>\d+): (?P<text>(?:error|warning|performance|portability): .*)$"
    return outcome(result, parse(root, result.stderr, pattern), "cppcheck")


def check_shellcheck(root: Path, paths: list[str], options: Options) -> list[Problem]:
    command = tool("shellcheck")
    files = [p for p in paths if is_shell(root, p)]
    if not files:
        return []
    result = run(root, [command, "--format=gcc", "--external-sources", "--source-path=SCRIPTDIR", *files])
    pattern = r"^(?P<path>[^:\n]+):(?P<line>\d+):\d+: (?P<text>.*)$"
    return outcome(result, parse(root, result.stdout, pattern), "shellcheck")


def find_ruff() -> str:
    """The ruff of the pinned version: MF_RUFF, else from an environment under .local, else from the PATH."""
    pinned = None
    if (ROOT / LOCK).is_file():
        match = re.search(r"^ruff==([\w.]+)", read_text(ROOT, LOCK), re.MULTILINE)
        pinned = match[1] if match else None
    local = [str(p) for p in sorted((ROOT / ".local").glob("**/bin/ruff"))]
    places = [os.environ.get("MF_RUFF"), *local, shutil.which("ruff")]
    for place in places:
        if place and os.access(place, os.X_OK):
            version = run(ROOT, [place, "--version"]).stdout.split()
            if version and pinned in (None, version[-1]):
                return place
    raise SkippedError(
        f"ruff {pinned or ''} is not installed: `tests/run lint` makes the environment of {LOCK}"
    )


def check_ruff(root: Path, paths: list[str], options: Options) -> list[Problem]:
    command = find_ruff()
    files = [p for p in paths if is_python(root, p)]
    if not files:
        return []
    problems = []
    for action in (["check"], ["format", "--check"]):
        result = run(root, [command, *action, "--no-cache", "--output-format=concise", *files])
        found = parse(root, result.stdout, r"^(?P<path>[^:\n]+):(?P<line>\d+):\d+: (?P<text>.*)$")
        problems += outcome(result, found, f"ruff {action[0]}")
    return problems


TOOL_CHECKS = {
    "format": check_format,
    "tidy": check_tidy,
    "cppcheck": check_cppcheck,
    "shellcheck": check_shellcheck,
    "ruff": check_ruff,
}
