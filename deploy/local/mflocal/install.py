# SPDX-License-Identifier: Apache-2.0
"""What is fetched once and kept: the broker's jars, Python environments, the release build.

Each lives in a cache directory named after what it is made from, is made under a lock, and counts as there
only when its `.complete` mark is; an interrupted run leaves nothing that looks finished.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from .layout import Layout
from .process import Account, base_environment
from .waiting import LocalError

_MARK = ".complete"
POM = Path(__file__).resolve().parents[1] / "pom.xml"


def say(text: str) -> None:
    """Progress goes to standard error, always."""
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """One holder at a time among all processes of this machine; freed by the kernel at exit."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def run_tool(
    command: list[str],
    what: str,
    *,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    account: Account | None = None,
) -> None:
    """Runs an installer or a compiler; its output is shown only when it fails."""
    try:
        result = subprocess.run(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    except FileNotFoundError:
        raise LocalError(f"{what}: {command[0]} is not installed; see deploy/local/packages.txt") from None
    if result.returncode != 0:
        tail = "\n".join(result.stdout.decode("utf-8", "replace").splitlines()[-40:])
        raise LocalError(f"{what} failed ({command[0]} exited {result.returncode}):\n{tail}")


@contextlib.contextmanager
def _made_once(target: Path) -> Iterator[bool]:
    """Yields True when `target` must be made (it is empty then), False when it is complete."""
    if (target / _MARK).exists():
        yield False
        return
    with locked(target.with_name(target.name + ".lock")):
        if (target / _MARK).exists():
            yield False
            return
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        yield True
        (target / _MARK).touch()


def kafka_jars(layout: Layout) -> Path:
    """A directory with the broker and everything it needs, as pom.xml pins it."""
    target = layout.cached("kafka", POM)
    with _made_once(target) as missing:
        if missing:
            say("fetching the Kafka broker (Maven)")
            goal = "dependency:copy-dependencies"
            command = ["mvn", "--batch-mode", "--quiet", "--file", str(POM), goal]
            command += [f"-DoutputDirectory={target}", "-DincludeScope=runtime"]
            run_tool(command, "fetching the Kafka broker", cwd=layout.cache)
    return target


def python_environment(layout: Layout, name: str, lock: Path) -> Path:
    """The Python of a virtual environment with exactly the packages of `lock`, hashes checked."""
    target = layout.cached(f"venv-{name}", lock)
    python = target / "bin" / "python"
    with _made_once(target) as missing:
        if missing:
            say(f"installing Python packages for {name}")
            run_tool([sys.executable, "-m", "venv", str(target)], f"making the {name} environment")
            # The locks are complete, so nothing is resolved: --no-deps takes them as they are.
            command = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
            command += ["--disable-pip-version-check", "--requirement", str(lock)]
            run_tool(command, f"installing Python packages for {name}")
    return python


BINARIES = ("marketflow-ingestor", "marketflow-processor", "marketflow-sink", "marketflowctl")


def build(layout: Layout) -> Path:
    """The directory of the four programs, built now if anything changed.

    MARKETFLOW_BIN_DIR names a directory with programs that are already built (a sanitizer build, say).
    """
    given = os.environ.get("MARKETFLOW_BIN_DIR")
    if given:
        directory = Path(given).resolve()
        missing = [name for name in BINARIES if not (directory / name).is_file()]
        if missing:
            raise LocalError(f"MARKETFLOW_BIN_DIR={directory} has no {', '.join(missing)}")
        return directory
    # Of this very tree: a cache may be shared by several, and CMake ties a build to its sources' place.
    tree = hashlib.sha256(str(layout.repository).encode()).hexdigest()[:8]
    target = layout.cache / f"build-release-{tree}"
    with locked(target.with_name(target.name + ".lock")):
        if not (target / "build.ninja").exists():
            say("configuring the release build")
            command = ["cmake", "--preset", "release", "-B", str(target), "-DMF_TESTS=OFF"]
            run_tool(command, "configuring the build", cwd=layout.repository, env=_build_environment())
        say("building")
        command = ["cmake", "--build", str(target), "--target", *BINARIES]
        run_tool(command, "the build", cwd=layout.repository, env=_build_environment())
    return target / "bin"


def _build_environment() -> dict[str, str]:
    """The caller's compiler choices and no more."""
    kept = ("CC", "CFLAGS", "CPPFLAGS", "LDFLAGS", "CCACHE_DIR", "PKG_CONFIG_PATH", "CMAKE_PREFIX_PATH")
    return base_environment() | {name: os.environ[name] for name in kept if name in os.environ}
