# SPDX-License-Identifier: Apache-2.0
"""The counting of tests/run: every way in which a test, or a tool, can end."""

from pathlib import Path

import pytest

from runner.outcomes import Totals, judge

CTEST = """<?xml version="1.0"?><testsuite name="x">
<testcase name="ok" classname="ok" status="run"><system-out/></testcase>
<testcase name="bad" classname="bad" status="fail"><failure message=""/></testcase>
<testcase name="gone" classname="gone" status="notrun"><skipped message="Unable to find executable"/></testcase>
<testcase name="skip" classname="skip" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/>
<system-out>SKIPPED skip: no tool</system-out></testcase>
<testcase name="off" classname="off" status="disabled"><system-out>Disabled</system-out></testcase>
</testsuite>"""

PYTEST = """<?xml version="1.0"?><testsuites><testsuite name="pytest">
<testcase classname="a.b" name="ok"/>
<testcase classname="a.b" name="bad"><failure message="no"/></testcase>
<testcase classname="a.b" name="teardown"/>
<testcase classname="a.b" name="teardown"><error message="no"/></testcase>
<testcase classname="a.b" name="skip"><skipped type="pytest.skip" message="no clock"/></testcase>
</testsuite></testsuites>"""


def judged(tmp_path: Path, text: str | None, returncode: int) -> Totals:
    path = tmp_path / "results.xml"
    if text is not None:
        path.write_text(text)
    return judge(path, "x", returncode)


def test_ctest_outcomes(tmp_path):
    totals = judged(tmp_path, CTEST, 8)
    assert totals.passed == 1
    assert totals.failed == ["x: bad", "x: gone (Unable to find executable)"]
    assert totals.skipped == ["x: skip: SKIPPED skip: no tool", "x: off: Disabled"]
    assert totals.closing_line() == "1 passed, 2 failed, 2 skipped"


def test_pytest_outcomes(tmp_path):
    totals = judged(tmp_path, PYTEST, 1)
    assert totals.passed == 1
    assert totals.failed == ["x: a.b.bad", "x: a.b.teardown"]
    assert totals.skipped == ["x: a.b.skip: no clock"]


@pytest.mark.parametrize("text", [None, "", "<testsuite>"])
def test_a_tool_without_results_has_failed(tmp_path, text):
    totals = judged(tmp_path, text, 0)
    assert len(totals.failed) == 1
    assert totals.exit_code() == 1


def test_a_tool_that_ran_nothing_has_failed(tmp_path):
    assert judged(tmp_path, "<testsuite/>", 0).failed == ["x: nothing ran"]


def test_a_code_without_a_failed_test_is_a_failure(tmp_path):
    text = '<testsuite><testcase name="ok" classname="ok" status="run"/></testsuite>'
    assert judged(tmp_path, text, 0).exit_code() == 0
    assert judged(tmp_path, text, 3).failed == ["x: ended with 3 without a failed test"]


def test_only_skips_have_shown_nothing():
    totals = Totals(skipped=["x: y"])
    assert totals.exit_code() == 1
    totals += Totals(passed=1)
    assert totals.exit_code() == 0
    totals += Totals(failed=["z"])
    assert totals.exit_code() == 1
