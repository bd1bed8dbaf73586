# SPDX-License-Identifier: Apache-2.0
"""What the tests need on the machine: Debian packages and Python environments made from lock files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

# The caches are those of deploy/local: tests and stacks share jars and environments.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "deploy" / "local"))

from mflocal import install
from mflocal.layout import Layout
from mflocal.waiting import LocalError

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ROOT / "deploy" / "local" / "packages.txt"


class SetupError(Exception):
    """Something needed cannot be installed; the text says what and how."""


def install_packages() -> None:
    """Installs the Debian packages of the list that are missing; does nothing when all are there."""
    lines = PACKAGES.read_text().splitlines() if PACKAGES.is_file() else []
    wanted = [words[0] for line in lines if (words := line.split("#")[0].split())]
    if not wanted or not shutil.which("dpkg-query"):
        return
    query = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *wanted],
        capture_output=True,
        text=True,
    )
    present = {line.split()[0] for line in query.stdout.splitlines() if line.endswith(" installed")}
    missing = [name for name in wanted if name not in present]
    if not missing:
        return
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if sudo and not shutil.which("sudo"):
        raise SetupError(f"missing packages, and neither root nor sudo: apt-get install {' '.join(missing)}")
    print(f"installing {' '.join(missing)}", flush=True)
    apt = [*sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y"]
    for command in ([*apt, "update"], [*apt, "install", "--no-install-recommends", *missing]):
        if subprocess.run(command, stdout=subprocess.DEVNULL).returncode != 0:
            raise SetupError(f"{' '.join(command)} failed")


@cache
def python_of(lock: Path) -> Path:
    """The interpreter of the environment made from a lock file, made now if it is not there yet."""
    try:
        return install.python_environment(Layout.from_environment(), lock.parent.name, lock)
    except (LocalError, OSError) as error:
        raise SetupError(str(error)) from error
