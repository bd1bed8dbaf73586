#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the reference pages from the tables in the programs.

They are docs/{settings,metrics,events,rules}.md and deploy/env.example.

docs/generate.py BIN_DIR          writes them
docs/generate.py BIN_DIR --check  writes nothing; exits 1 and shows the difference when one is out of date
"""

from __future__ import annotations

import argparse
import difflib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SERVICES = ("marketflow-ingestor", "marketflow-processor", "marketflow-sink", "marketflowctl")
NOTICE = "<!-- Generated from the tables in the programs by docs/generate.py: change those. -->\n"

INTRODUCTIONS = {
    "settings": """# Settings

Settings come from the environment only. `--check-config` names every problem at once, `--print-config` shows
what is in force with secrets masked. A secret `X` is read from the file named by `X_FILE`, else from
`$CREDENTIALS_DIRECTORY/x`, else from `X`; giving two is an error.
""",
    "metrics": """# Metrics

Every service answers `GET /metrics` on `METRICS_LISTEN` in the Prometheus text format 0.0.4. No label holds a
symbol, a URL or the name of a third party's host.
""",
    "events": """# Events

UTF-8 JSON objects, one per Kafka record. What a feed said is in the payload and is never changed after the
ingestor wrote it; what the pipeline learned about a record is in Kafka headers.
""",
    "rules": """# Alert rules

An alert fires once, stays quiet for `ALERT_COOLDOWN_MS` of event time unless its severity rises, and is resolved after
three bars without its condition, or at once when the condition turns the other way. Bars of a day and longer have no
cooldown; those of a quarter and a year have metrics, and no rules. Thresholds are
`ALERT_<RULE>[_<INTERVAL>]_{INFO,WARNING,CRITICAL}`; 0 switches a severity off. Where the unit is `switch`, 1 switches
it on. The highest severity whose threshold is met is that of the alert.

"From bar" is the first bar of a series on which the rule can fire; with liquidity wanted, never before the 21st. Rules
that want liquidity are silent while the market is thin: until twenty bars have traded, and while their mean volume is
below `ALERT_MIN_VOLUME` or the close below `ALERT_MIN_PRICE` (coins: the volume in money below the product of both; fx
and indices have no such limit). Bars of a warm-up fire nothing. The version of an alert's rule changes with every
setting that decides it. `marketflow-processor explain FILE --symbol S --rule R` says why a rule fired on a bar or did
not. Definitions of the statistics: [indicators.md](indicators.md).
""",
}


def reference(binaries: Path, program: str, what: str) -> str:
    """What a program prints of its own tables."""
    result = subprocess.run(
        [str(binaries / program), "--print-reference", what],
        capture_output=True,
        text=True,
        env={},
        timeout=30,
    )
    if result.returncode != 0:
        raise SystemExit(f"{program} --print-reference {what}: exit {result.returncode}\n{result.stderr}")
    return result.stdout.strip() + "\n"


def sections(text: str) -> list[tuple[str, str]]:
    """(heading, body) of each "## " section, in order."""
    parts = ("\n" + text).split("\n## ")[1:]
    return [(part.partition("\n")[0].strip(), part.partition("\n")[2].strip()) for part in parts]


def merged(binaries: Path, what: str) -> str:
    """The sections of all programs, each once, with the programs that share it."""
    users: dict[tuple[str, str], list[str]] = {}
    for program in SERVICES:
        for section in sections(reference(binaries, program, what)):
            users.setdefault(section, []).append(program)
    pages = []
    for (heading, body), programs in users.items():
        names = ", ".join(f"`{program}`" for program in programs)
        pages.append(f"## {heading}\n\nOf {names}.\n\n{body}\n")
    return "\n".join(pages)


def env_example(binaries: Path) -> str:
    """One commented line per setting, each setting once."""
    lines: list[str] = ["# SPDX-License-Identifier: Apache-2.0", "# " + NOTICE.strip("<!->\n "), ""]
    seen: set[str] = set()
    for program in SERVICES:
        comment: list[str] = []
        for text in reference(binaries, program, "env").splitlines():
            is_setting = text.startswith("#") and "=" in text and text[1:2].isupper()
            if not is_setting:
                comment.append(text)
                continue
            if text not in seen:
                seen.add(text)
                lines += [*comment, text]
            comment = []
    return "\n".join(lines) + "\n"


def pages(binaries: Path) -> dict[Path, str]:
    docs = ROOT / "docs"
    texts = {
        "settings": merged(binaries, "settings"),
        "metrics": merged(binaries, "metrics"),
        "events": reference(binaries, "marketflowctl", "events"),
        "rules": reference(binaries, "marketflow-processor", "rules"),
    }
    result = {docs / f"{name}.md": f"{NOTICE}{INTRODUCTIONS[name]}\n{text}" for name, text in texts.items()}
    result[ROOT / "deploy" / "env.example"] = env_example(binaries)
    return result


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("binaries", type=Path, metavar="BIN_DIR")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    stale = 0
    for path, wanted in pages(arguments.binaries.resolve()).items():
        found = path.read_text() if path.exists() else ""
        if found == wanted:
            continue
        if not arguments.check:
            path.write_text(wanted)
            print(f"wrote {path.relative_to(ROOT)}")
            continue
        stale += 1
        name = str(path.relative_to(ROOT))
        sys.stdout.writelines(
            difflib.unified_diff(
                found.splitlines(True), wanted.splitlines(True), f"{name} (is)", f"{name} (tables)"
            )
        )
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
