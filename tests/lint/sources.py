# SPDX-License-Identifier: Apache-2.0
"""The files of the tree, and C text with what is not code taken out.

Read only; nothing here decides what is allowed.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = "tests/lint/samples/"
# What a tree without git (a release archive) must not be searched for sources.
NOT_SOURCE = {"build", ".local", ".git", "__pycache__", "node_modules"}


@dataclass(frozen=True)
class Problem:
    """One finding: the path as shown to the user, a line from 1 (0: the whole file), what is wrong."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}" if self.line else f"{self.path}: {self.text}"


def tree_files(root: Path = ROOT) -> list[str]:
    """Paths of all files of the tree, committed or new, ignored ones and the samples left out."""
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
    )
    if listed.returncode == 0:
        names = os.fsdecode(listed.stdout).split("\0")
    else:
        names = []
        for folder, folders, files in os.walk(root):
            folders[:] = [f for f in folders if f not in NOT_SOURCE]
            names += [os.path.relpath(os.path.join(folder, f), root) for f in files]
    return sorted(n for n in set(names) if n and not n.startswith(SAMPLES) and (root / n).is_file())


def changed_files(root: Path = ROOT, base: str | None = None) -> set[str] | None:
    """Paths that differ from the merge base with `base` (default: the remote's default branch, else main).

    None when there is nothing to compare with: no git, no such branch, or the base is the commit checked out
    itself, as on the main branch.
    """

    def git(*args: str) -> str | None:
        result = subprocess.run(["git", "-C", str(root), *args], capture_output=True, text=True)
        return result.stdout.strip() if result.returncode == 0 else None

    head = git("rev-parse", "HEAD")
    candidates = [base] if base else ["origin/HEAD", "origin/main", "main"]
    for name in candidates:
        merge_base = git("merge-base", "HEAD", name)
        if merge_base is None:
            continue
        if merge_base == head and not base:
            return None
        changed = git("diff", "--name-only", merge_base) or ""
        new = git("ls-files", "--others", "--exclude-standard") or ""
        return {line for line in (changed + "\n" + new).splitlines() if line}
    return None


def read_text(root: Path, path: str) -> str:
    return (root / path).read_text(encoding="utf-8", errors="replace")


def first_line(root: Path, path: str) -> str:
    with open(root / path, "rb") as file:
        return file.readline(200).decode("utf-8", "replace").strip()


def is_shell(root: Path, path: str) -> bool:
    return path.endswith(".sh") or re.match(r"#!.*\b(ba|da|k)?sh\b", first_line(root, path)) is not None


def is_python(root: Path, path: str) -> bool:
    return path.endswith(".py") or re.match(r"#!.*\bpython", first_line(root, path)) is not None


C_NOT_CODE = re.compile(
    r"""(?P<comment>//(?:\\\n|[^\n])*|/\*.*?\*/)
      | (?P<string>(?:u8|[uUL])?"(?:\\.|[^"\\\n])*")
      | (?P<char>'(?:\\.|[^'\\\n])+')""",
    re.DOTALL | re.VERBOSE,
)


def _blank(text: str, keep: str = "") -> str:
    return keep + "".join("\n" if c == "\n" else " " for c in text[2 * len(keep) :]) + keep


def strip_c(text: str, keep_includes: bool = False) -> str:
    """C text of the same shape, lines and columns, with comments blank and strings and characters empty.

    keep_includes leaves the quoted name of an #include line readable.
    """

    def replace(match: re.Match[str]) -> str:
        if match["comment"] is not None:
            return _blank(match[0])
        if match["char"] is not None:
            return _blank(match[0], "'")
        before = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
        if keep_includes and re.fullmatch(r"\s*#\s*include\s*", before):
            return match[0]
        return _blank(match[0], '"')

    return C_NOT_CODE.sub(replace, text)


def strip_preprocessor(text: str) -> str:
    """Blanks preprocessor lines with their continuations; expects text from strip_c."""
    return re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", lambda m: _blank(m[0]), text, flags=re.MULTILINE)


@dataclass(frozen=True)
class Function:
    name: str
    first: int  # line of the first word of its head, from 1
    last: int  # line of its closing brace


def c_functions(text: str) -> list[Function]:
    """The functions defined in a C text. Raises ValueError when braces do not balance."""
    code = strip_preprocessor(strip_c(text))
    found: list[Function] = []
    depth = 0
    head_start = 0  # where the declaration at depth 0 began
    open_function: tuple[str, int] | None = None
    for match in re.finditer(r"[{};]", code):
        if match[0] == "{":
            if depth == 0:
                head = code[head_start : match.start()]
                name = re.search(r"(\w+)\s*\(", head)
                if name and "=" not in head and head.rstrip().endswith(")"):
                    first = head_start + len(head) - len(head.lstrip())
                    open_function = (name[1], code.count("\n", 0, first) + 1)
            depth += 1
        elif match[0] == "}":
            depth -= 1
            if depth < 0:
                raise ValueError(f"line {code.count(chr(10), 0, match.start()) + 1}: brace closed twice")
            if depth == 0 and open_function:
                found.append(Function(*open_function, code.count("\n", 0, match.start()) + 1))
                open_function = None
        if depth == 0:
            head_start = match.end()
    if depth != 0:
        raise ValueError("braces do not balance")
    return found
