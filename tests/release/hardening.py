#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Is a program hardened as its compiler and linker can?

hardening.py PROGRAM...   each fault on stdout; exit 0 none, 1 some
hardening.py --sample     builds a program without hardening and exits 0 only if every fault is found in it

Wanted: PIE, full RELRO (GNU_RELRO and BIND_NOW), no executable stack, no text relocations, no run path, stack
protector and FORTIFY in use, no absolute path of the machine that built it.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def readelf(program: Path) -> str:
    command = [
        "readelf",
        "--wide",
        "--file-header",
        "--program-headers",
        "--dynamic",
        "--dyn-syms",
        str(program),
    ]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def faults(program: Path) -> set[str]:
    text = readelf(program)
    dynamic = set(re.findall(r"^ 0x[0-9a-f]+ \((\w+)\)", text, re.MULTILINE))
    symbols = set(re.findall(r"UND\s+([^\s@]+)", text))
    flags = " ".join(re.findall(r"\((?:FLAGS|FLAGS_1)\)(.*)", text))
    stack = re.search(r"GNU_STACK(?:\s+0x[0-9a-f]+){5}\s+(\S+)", text)
    wrong = {
        "not a position-independent executable": "PIE" not in flags or not re.search(r"Type:\s+DYN", text),
        "no RELRO segment": "GNU_RELRO" not in text,
        "symbols are bound late": "NOW" not in flags,
        "executable stack": stack is None or "E" in stack[1],
        "text relocations": "TEXTREL" in dynamic or "TEXTREL" in flags,
        "run path": bool(dynamic & {"RPATH", "RUNPATH"}),
        "no stack protector": "__stack_chk_fail" not in symbols,
        "no FORTIFY": not any(s.startswith("__") and s.endswith("_chk") for s in symbols),
        "path of the building machine": str(ROOT).encode() in program.read_bytes(),
    }
    return {name for name, is_wrong in wrong.items() if is_wrong}


def sample_misses() -> set[str]:
    """The faults that are not found in a program that has them all (but the text relocations, which need -m32)."""
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder, "sample.c"), Path(folder, "sample")
        code = '#include <stdio.h>\nint main(void) { char b[9]; snprintf(b, 9, "x"); return puts("%s"); }\n'
        source.write_text(code % ROOT)
        flags = ["-O2", "-U_FORTIFY_SOURCE", "-fno-stack-protector", "-no-pie", "-Wl,-z,norelro,-z,lazy"]
        link = ["-Wl,-z,execstack", "-Wl,-rpath,/nowhere"]
        subprocess.run(["cc", *flags, *link, "-o", str(program), str(source)], check=True)
        everything = {
            "not a position-independent executable",
            "no RELRO segment",
            "symbols are bound late",
            "executable stack",
            "run path",
            "no stack protector",
            "no FORTIFY",
            "path of the building machine",
        }
        return everything - faults(program)


def main() -> int:
    if sys.argv[1:] == ["--sample"]:
        missed = sample_misses()
        print(f"not found: {', '.join(sorted(missed))}" if missed else "finds every fault of its sample")
        return 1 if missed else 0
    programs = [Path(p) for p in sys.argv[1:]]
    lines = [f"{program}: {fault}" for program in programs for fault in sorted(faults(program))]
    print("\n".join(lines) or f"{len(programs)} programs, no faults")
    return 1 if lines or not programs else 0


if __name__ == "__main__":
    sys.exit(main())
