# SPDX-License-Identifier: Apache-2.0
"""The checks of our own: banned functions, the include rule, lengths, the SPDX line.

Each is a function of (root, paths) to a list of problems; no output, no exit.
"""

from __future__ import annotations

import ast
import fnmatch
import posixpath
import re
from pathlib import Path

from sources import Problem, c_functions, first_line, is_python, is_shell, read_text, strip_c

FILE_LINES = 600
FUNCTION_LINES = 60

# Function: why, or what to call instead.
BANNED = {
    **dict.fromkeys(["strcpy", "strcat", "strncpy", "strncat", "sprintf", "vsprintf", "gets"],
                    "no bound on what it writes, or no end: use snprintf, mf_buf or mf_str_copy"),
    **dict.fromkeys(["strtok"], "keeps its place in a global"),
    **dict.fromkeys(["atoi", "atol", "atoll", "atof"], "cannot report an error: use mf_str_to_i64 or mf_decimal"),
    **dict.fromkeys(["strtod", "strtof", "strtold"], "depends on the locale: use mf_decimal"),
    **dict.fromkeys(["setlocale", "uselocale"], "numbers and times are formatted without a locale"),
    **dict.fromkeys(["system", "popen"], "starts a shell"),
    **dict.fromkeys(["alloca"], "no bound on the stack"),
    **dict.fromkeys(["rand", "srand", "random", "srandom"], "predictable and global"),
    **dict.fromkeys(["signal"], "signals belong to the loop (mf_signal_new) or to sigaction"),
    **dict.fromkeys(["sleep", "usleep", "nanosleep", "clock_nanosleep"], "stops the loop: use a timer"),
    **dict.fromkeys(["yajl_gen_double"], "a number is passed on as its own text"),
    **dict.fromkeys(["event_active"], "a callback re-arms through the kernel or a timer"),
}  # fmt: skip
# Out of memory aborts, in one place.
BANNED_ALLOCATION = dict.fromkeys(
    ["malloc", "calloc", "realloc", "reallocarray", "strdup", "strndup", "asprintf", "vasprintf"],
    "running out of memory must abort: use mf_alloc, mf_calloc, mf_realloc, mf_strdup or mf_buf",
)
# Where one of them is the right thing, and why.
BANNED_EXCEPT = {
    "common/base.c": {"malloc", "calloc", "realloc"},  # defines mf_alloc and the others
    "cmake/tsan_threads.c": {
        "malloc"
    },  # stands in for the C library, and is linked where there is no mf_alloc
}


def check_banned(root: Path, paths: list[str]) -> list[Problem]:
    problems = []
    for path in paths:
        if not path.endswith((".c", ".h")):
            continue
        banned = dict(BANNED)
        if not path.startswith("tests/"):
            banned |= BANNED_ALLOCATION
        for pattern, names in BANNED_EXCEPT.items():
            if fnmatch.fnmatchcase(path, pattern):
                banned = {name: why for name, why in banned.items() if name not in names}
        # Not a member of something (ops->system), not part of a longer name (mf_signal).
        pattern = re.compile(r"(?<![\w.])(?<!->)(" + "|".join(banned) + r")\s*\(")
        for number, line in enumerate(strip_c(read_text(root, path)).splitlines(), 1):
            problems += [
                Problem(path, number, f"{m[1]} is banned: {banned[m[1]]}") for m in pattern.finditer(line)
            ]
    return problems


# Third-party header (pattern) → files that may include it.
WRAPPERS = {
    # The mock cluster and the bare loop to compare with are librdkafka's own.
    "librdkafka/*": [
        *["common/kafka_*.c", "tests/unit/kafka_mock.c"],
        *["tests/bench/bench_kafka*.c", "tests/bench/*_floor.c"],  # the benchmarks' floors
        "tests/bench/processor_latency.c",  # adds nothing of ours to what it times
    ],
    "curl/*": ["common/http_client*.c", "tests/bench/ingestor_floor.c"],
    "yajl/*": [
        *["common/json_*.c", "tests/bench/bench_json.c", "tests/bench/bench_fold.c"],  # floors again
        "tests/bench/ingestor_floor.c",
    ],
    "event2/*": ["common/loop*.c", "common/http_server*.c", "common/http_client*.c", "common/supervisor*.c"],
    "systemd/*": ["common/supervisor*.c"],
    "sql*.h": ["common/odbc*.c", "tests/odbc/driver.c"],
    "odbc*.h": ["common/odbc*.c", "tests/odbc/driver.c"],
    "openssl/*": ["common/hash*.c"],
    "xxhash.h": ["common/hash*.c"],
    "cmocka.h": ["tests/unit/*"],
    "emmintrin.h": ["common/decimal_digits.h"],  # the compiler's own; beside it stands the portable way
}
# Headers of the C library and the kernel, free for all.
SYSTEM_HEADERS = set(
    """assert.h complex.h ctype.h errno.h fenv.h float.h inttypes.h iso646.h limits.h locale.h math.h setjmp.h
    signal.h stdalign.h stdarg.h stdatomic.h stdbool.h stddef.h stdint.h stdio.h stdlib.h stdnoreturn.h string.h
    threads.h time.h arpa/inet.h dirent.h dlfcn.h endian.h execinfo.h fcntl.h fnmatch.h getopt.h glob.h grp.h
    ifaddrs.h langinfo.h libgen.h malloc.h net/if.h netdb.h netinet/in.h netinet/tcp.h poll.h pthread.h pwd.h
    regex.h sched.h strings.h syslog.h termios.h ucontext.h unistd.h""".split()
)


def include_problem(path: str, name: str, quoted: bool, exists) -> str | None:
    """Why the file at path may not include name, or None. exists(path) tells what is in the tree."""
    if quoted:
        if name == "mf_build.h":  # generated
            return None
        beside = posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
        target = beside if exists(beside) else posixpath.normpath(name)
        if exists(target):
            return tree_include_problem(path, target)
    for pattern, allowed in WRAPPERS.items():
        if fnmatch.fnmatchcase(name, pattern):
            if any(fnmatch.fnmatchcase(path, a) for a in allowed):
                return None
            return f"<{name}> belongs in its wrapper only: {', '.join(allowed)}"
    if quoted:
        return f'"{name}" is neither beside the file nor a path from the root of the tree'
    if name in SYSTEM_HEADERS or name.startswith(("sys/", "linux/")):
        return None
    return f"<{name}> is a library without a wrapper: add it to WRAPPERS in tests/lint/own_checks.py"


def tree_include_problem(path: str, target: str) -> str | None:
    """The dependency rule between the folders of the tree."""
    parts, wanted = path.split("/"), target.split("/")
    if parts[0] == "tests":
        return None
    if wanted[0] == "tests":
        return f"{target}: nothing depends on the tests"
    if parts[0] == "common" and wanted[0] != "common":
        return f"{target}: common depends on nothing but common"
    if parts[0] == "services" and wanted[0] != "common" and wanted[:2] != parts[:2]:
        return f"{target}: a service depends on common only"
    return None


def check_includes(root: Path, paths: list[str]) -> list[Problem]:
    problems = []
    for path in paths:
        if not path.endswith((".c", ".h")):
            continue
        code = strip_c(read_text(root, path), keep_includes=True)
        for number, line in enumerate(code.splitlines(), 1):
            match = re.match(r'\s*#\s*include\s*(?:<([^>]+)>|"([^"]+)")', line)
            if match:
                quoted = match[2] is not None
                text = include_problem(path, match[2] or match[1], quoted, lambda p: (root / p).is_file())
                if text:
                    problems.append(Problem(path, number, text))
            elif re.match(r"\s*#\s*include\b", line):
                problems.append(Problem(path, number, "an include whose name only the preprocessor knows"))
    return problems


def shell_functions(text: str) -> list[tuple[str, int, int]]:
    """(name, first line, last line): a head `name() {` up to the brace that closes at the same indentation."""
    found = []
    lines = text.splitlines()
    for number, line in enumerate(lines):
        match = re.match(r"(\s*)(?:function\s+)?([\w:.-]+)\s*\(\)\s*[{(]\s*(?:#.*)?$", line)
        if not match:
            continue
        closing = re.compile(re.escape(match[1]) + r"[})](\s|$|;)")
        last = next((n for n in range(number + 1, len(lines)) if closing.match(lines[n])), len(lines) - 1)
        found.append((match[2], number + 1, last + 1))
    return found


def functions_of(root: Path, path: str, text: str) -> list[tuple[str, int, int]]:
    if path.endswith((".c", ".h")):
        return [(f.name, f.first, f.last) for f in c_functions(text)]
    if is_python(root, path):
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
        return [
            (node.name, node.lineno, node.end_lineno or node.lineno)
            for node in ast.walk(ast.parse(text))
            if isinstance(node, kinds)
        ]
    return shell_functions(text)


def check_lengths(root: Path, paths: list[str]) -> list[Problem]:
    problems = []
    for path in paths:
        is_code = path.endswith((".c", ".h")) or is_python(root, path) or is_shell(root, path)
        if not is_code and not path.endswith((".sql", ".cmake", "CMakeLists.txt")):
            continue
        text = read_text(root, path)
        lines = len(text.splitlines())
        if lines > FILE_LINES:
            problems.append(Problem(path, 0, f"{lines} lines; a file has at most {FILE_LINES}"))
        if not is_code:
            continue
        try:
            functions = functions_of(root, path, text)
        except (ValueError, SyntaxError) as error:
            problems.append(Problem(path, 0, f"cannot find its functions: {error}"))
            continue
        problems += [
            Problem(path, first, f"{name}: {last - first + 1} lines; a function has at most {FUNCTION_LINES}")
            for name, first, last in functions
            if last - first + 1 > FUNCTION_LINES
        ]
    return problems


SPDX = "SPDX-License-Identifier: Apache-2.0"
SLASHES = (".c", ".h", ".js", ".mjs", ".ts", ".java", ".proto")
DASHES = (".sql",)
HASHES = (".py", ".sh", ".cmake", ".yml", ".yaml", ".toml", ".in", ".service", ".socket", ".timer", ".conf",
          ".example")  # fmt: skip
HASH_NAMES = ("CMakeLists.txt", "Makefile*", "Dockerfile*", "*.Dockerfile", ".clang-format", ".clang-tidy",
              ".editorconfig", ".gitattributes", ".gitignore", "packages.txt")  # fmt: skip


def spdx_line(root: Path, path: str) -> str | None:
    """The beginning that a file of this kind must have on its first line (or after #!), or None."""
    name = posixpath.basename(path)
    if name.endswith(".h.in") or name.endswith(SLASHES):
        return f"// {SPDX}"
    if name.endswith(DASHES):
        return f"-- {SPDX}"
    if name.endswith(".css"):
        return f"/* {SPDX}"
    if name.endswith(".html"):
        return f"<!-- {SPDX}"
    if any(fnmatch.fnmatchcase(name, p) for p in HASH_NAMES) or name.endswith(HASHES):
        return f"# {SPDX}"
    return f"# {SPDX}" if first_line(root, path).startswith("#!") else None


def check_spdx(root: Path, paths: list[str]) -> list[Problem]:
    problems = []
    for path in paths:
        if path.startswith("tests/fuzz/corpus/"):
            continue
        wanted = spdx_line(root, path)
        if wanted is None:
            continue
        head = read_text(root, path)[:500].splitlines()[:2]
        line = head[1:2] if head and head[0].startswith(("#!", "<!DOCTYPE", "<!doctype")) else head[:1]
        if not line or not line[0].startswith(wanted):
            problems.append(Problem(path, 0, f"the first line (after #!) must be: {wanted}"))
    return problems


OWN_CHECKS = {
    "banned": check_banned,
    "includes": check_includes,
    "lengths": check_lengths,
    "spdx": check_spdx,
}
