#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does another folder give the same bytes?

reproducible.py BUILD_DIR PROGRAM...

Copies the sources to a folder of another length, builds them as BUILD_DIR was built (type, compiler, flags, version),
and compares each program byte for byte. Exit 0 only if all are equal.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ["CMakeLists.txt", "cmake", "common", "services", "sql"]
SAME = [
    "CMAKE_BUILD_TYPE",
    "CMAKE_C_COMPILER",
    "CMAKE_C_FLAGS",
    "CMAKE_EXE_LINKER_FLAGS",
    "MF_VERSION",
    "MF_REVISION",
]


def cached(build_dir: Path) -> list[str]:
    text = (build_dir / "CMakeCache.txt").read_text()
    pairs = dict(re.findall(r"^(\w+):\w+=(.*)$", text, re.MULTILINE))
    return [f"-D{name}={pairs[name]}" for name in SAME if name in pairs]


def main() -> int:
    build_dir, programs = Path(sys.argv[1]), [Path(p) for p in sys.argv[2:]]
    with tempfile.TemporaryDirectory(prefix="marketflow-another-folder-") as folder:
        copy = Path(folder, "src")
        for name in SOURCES:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, copy / name)
            elif source.is_file():
                copy.mkdir(exist_ok=True)
                shutil.copy2(source, copy / name)
        other = Path(folder, "out")
        configure = [
            "cmake",
            "-G",
            "Ninja",
            "-S",
            str(copy),
            "-B",
            str(other),
            "-DMF_TESTS=OFF",
            *cached(build_dir),
        ]
        for command in (configure, ["cmake", "--build", str(other), "-j", str(os.cpu_count() or 1)]):
            result = subprocess.run(command, capture_output=True, text=True)
            if result.returncode != 0:
                print(result.stdout[-3000:], result.stderr[-3000:])
                return 1
        different = [p.name for p in programs if p.read_bytes() != (other / "bin" / p.name).read_bytes()]
    print(f"different: {', '.join(different)}" if different else f"{len(programs)} programs, the same bytes")
    return 1 if different or not programs else 0


if __name__ == "__main__":
    sys.exit(main())
