#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The life of a service: states, signals, deadlines, the supervisor's protocol, exit codes."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import signal
import tempfile
from pathlib import Path

from process import CANARY, SkeletonCase, main, sanitized, wait_for


class States(SkeletonCase):
    def test_each_state_is_logged_once_with_reason_and_duration(self) -> None:
        skeleton = self.started()
        skeleton.send(signal.SIGTERM)
        self.ends(skeleton, 0)
        self.assertEqual(skeleton.states(), ["starting", "running", "draining", "stopped"])
        lines = skeleton.events("state_changed")
        self.assertEqual([line["previous"] for line in lines], ["init", "starting", "running", "draining"])
        self.assertEqual(
            [line["reason"] for line in lines], ["settings read", "started", "SIGTERM", "exit code 0"]
        )
        for line in lines:
            self.assertIsInstance(line["duration_ms"], int)
            self.assertGreaterEqual(line["duration_ms"], 0)
        # Mirrored to the supervisor, in order.
        self.assertRegex(skeleton.told("READY=1")[0], r"^READY=1\nSTATUS=running: key of 0 bytes")
        self.assertRegex(skeleton.told("STOPPING=1")[0], r"^STOPPING=1\nSTATUS=draining: ")
        order = [text.split("=")[0] for _, text in skeleton.messages if not text.startswith("STATUS=")]
        self.assertEqual(order, ["READY", "STOPPING", "EXTEND_TIMEOUT_USEC"])

    def test_the_line_of_a_process_that_is_up(self) -> None:
        skeleton = self.started(SKELETON_KEY=CANARY)
        up = skeleton.wait_event("process_up")
        self.assertRegex(
            up["msg"], r"^marketflow-skeleton \d+\.\d+\.\d+\S* up: libevent 2\.\S+ epoll, libskeleton 1\.0"
        )
        self.assertRegex(up["settings_digest"], r"^[0-9a-f]{16}$")
        self.assertRegex(up["listen"], r"^127\.0\.0\.1:\d+$")
        self.assertEqual(up["pid"], skeleton.process.pid)
        self.assertIn("revision", up)
        events = [line["event"] for line in skeleton.lines]
        self.assertEqual(events[:3], ["state_changed", "process_up", "state_changed"])
        # Another secret, same digest; another setting, another digest.
        same = {"SKELETON_CONTROL": "/nonexistent"}  # by itself a folder of each process
        digests = [
            self.started(**same, **settings).wait_event("process_up")["settings_digest"]
            for settings in ({}, {"SKELETON_KEY": "x"}, {"SKELETON_KEY": "x", "SHUTDOWN_GRACE_MS": "1"})
        ]
        self.assertEqual(digests[0], digests[1])
        self.assertNotEqual(digests[0], digests[2])

    def test_memory_is_hidden_once_secrets_are_loaded(self) -> None:
        if sanitized():
            self.skipTest("the leak checker of a sanitizer attaches to its own process")
        up = self.started(SKELETON_KEY=CANARY).wait_event("process_up")
        self.assertIn("dumpable 0", up["msg"])

    def test_stats_line_is_the_status(self) -> None:
        skeleton = self.started(LOG_STATS_MS="50")
        line = skeleton.wait_event("stats", 3)
        self.assertRegex(line["msg"], r"^running: key of 0 bytes, tick \d+$")
        self.assertRegex(skeleton.wait_told("STATUS="), r"^STATUS=running: key of 0 bytes, tick \d+$")

    def test_status_goes_out_once_a_second_at_most(self) -> None:
        skeleton = self.started()  # whose status changes ten times a second
        skeleton.wait_told("STATUS=", 4)
        times = [at for at, text in skeleton.messages if text.startswith("STATUS=")]
        for earlier, later in itertools.pairwise(times):
            self.assertGreater(later - earlier, 0.8)


class Leaving(SkeletonCase):
    def test_sigterm_and_sigint_drain(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            skeleton = self.started(SKELETON_DRAIN_MS="300")
            skeleton.send(number)
            self.ends(skeleton, 0)
            self.assertEqual(skeleton.events("state_changed")[2]["reason"], number.name)
            self.assertGreaterEqual(skeleton.events("state_changed")[3]["duration_ms"], 300)

    def test_draining_is_not_ready_but_alive(self) -> None:
        skeleton = self.started(SKELETON_DRAIN_MS="-1")
        self.assertEqual(skeleton.get("/readyz")[0], 200)
        skeleton.send(signal.SIGTERM)
        skeleton.wait_state("draining")
        self.assertEqual(skeleton.get("/readyz")[0], 503)
        self.assertEqual(skeleton.get("/livez"), (200, "ok\n"))
        skeleton.send(signal.SIGTERM)
        self.ends(skeleton, 75)

    def test_drain_has_a_deadline(self) -> None:
        skeleton = self.started(SKELETON_DRAIN_MS="-1", SHUTDOWN_GRACE_MS="200")
        skeleton.send(signal.SIGTERM)
        self.ends(skeleton, 75)
        self.assertEqual(len(skeleton.events("drain_deadline")), 1)
        self.assertEqual(skeleton.states()[-1], "stopped")
        self.assertEqual(skeleton.told("EXTEND_TIMEOUT_USEC="), ["EXTEND_TIMEOUT_USEC=16200000"])

    def test_second_signal_leaves_at_once(self) -> None:
        for second in (signal.SIGTERM, signal.SIGINT):
            skeleton = self.started(SKELETON_DRAIN_MS="-1", SHUTDOWN_GRACE_MS="600000")
            skeleton.send(signal.SIGTERM)
            skeleton.wait_state("draining")
            skeleton.send(second)
            self.ends(skeleton, 75)
            self.assertEqual(skeleton.lines[-1]["event"], "second_signal")
            self.assertNotIn("stopped", skeleton.states())

    def test_second_signal_leaves_a_closing_call_that_hangs(self) -> None:
        skeleton = self.started(SKELETON_STOP="hangs")
        skeleton.send(signal.SIGTERM)
        skeleton.wait_told("STOPPING=1")
        wait_for(lambda: not self._answers(skeleton), "the endpoint closed")
        skeleton.send(signal.SIGTERM)
        self.ends(skeleton, 75)

    @staticmethod
    def _answers(skeleton) -> bool:
        try:
            return skeleton.get("/livez")[0] == 200
        except OSError:
            return False

    def test_closing_call_that_hangs_is_cut_off(self) -> None:
        skeleton = self.started(SKELETON_STOP="hangs", SHUTDOWN_GRACE_MS="0")
        skeleton.send(signal.SIGTERM)
        self.ends(skeleton, 75)
        self.assertEqual(skeleton.lines[-1]["event"], "close_hangs")
        self.assertEqual(skeleton.lines[-1]["level"], "critical")

    def test_signal_while_it_leaves_by_itself(self) -> None:
        skeleton = self.started(SKELETON_FAIL="transient", SKELETON_DRAIN_MS="-1")
        skeleton.wait_state("draining")
        skeleton.send(signal.SIGTERM)  # the first signal: it goes on draining, for the reason it had
        skeleton.wait_event("already_leaving")
        skeleton.send(signal.SIGHUP)
        skeleton.wait_event("reload_ignored")
        skeleton.send(signal.SIGTERM)
        self.ends(skeleton, 75)
        self.assertEqual(skeleton.events("state_changed")[2]["reason"], "told_to_fail")

    def test_blocked_signals_are_heard(self) -> None:
        # The mask is inherited. Not by preexec_fn, which can deadlock in a process with threads, as this one is.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
        try:
            skeleton = self.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        skeleton.wait_told("READY=1")
        skeleton.send(signal.SIGHUP)
        skeleton.wait_event("reloaded")
        skeleton.send(signal.SIGTERM)
        self.ends(skeleton, 0)


CODES = {"transient": 75, "poison": 70, "uncertain": 75, "config": 78, "fatal": 70}


class ExitCodes(SkeletonCase):
    def test_start_that_fails(self) -> None:
        for name, code in CODES.items():
            skeleton = self.start(settings={"SKELETON_START": name})
            self.ends(skeleton, code)
            line = skeleton.events("start_failed")[0]
            self.assertEqual(
                (line["level"], line["error_class"], line["error_code"]), ("critical", name, "told_to_fail")
            )
            self.assertEqual(skeleton.states(), ["starting", "stopped"])
            self.assertEqual(skeleton.told("READY=1"), [])

    def test_service_that_fails(self) -> None:
        for name, code in CODES.items():
            # A fatal error does not wait for a drain that would never end.
            drain = "-1" if name == "fatal" else "0"
            skeleton = self.start(settings={"SKELETON_FAIL": name, "SKELETON_DRAIN_MS": drain})
            self.ends(skeleton, code)
            self.assertEqual(len(skeleton.events("service_failed")), 1)
            self.assertEqual("draining" in skeleton.states(), name != "fatal")
            self.assertEqual(len(skeleton.told("STOPPING=1")), 1)

    def test_address_in_use_is_configuration(self) -> None:
        first = self.started()
        second = self.start(settings={"METRICS_LISTEN": first.address()})
        self.ends(second, 78)
        self.assertIn(first.address(), second.events("start_failed")[0]["error"])


class Reload(SkeletonCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mf-skeleton-key-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def key_file(self, text: str) -> str:
        path = self.folder / "key"
        path.write_text(text)
        path.chmod(0o600)
        return str(path)

    def reloads(self, skeleton, result: str) -> float:
        return skeleton.metric(f'marketflow_config_reloads_total{{result="{result}"}}')

    def test_fresh_secret_is_taken(self) -> None:
        skeleton = self.started(SKELETON_KEY_FILE=self.key_file("four"))
        first = skeleton.metric("marketflow_config_last_reload_success_timestamp_seconds")
        self.key_file(CANARY)
        skeleton.send(signal.SIGHUP)
        self.assertIn(f"key of {len(CANARY)} bytes", skeleton.wait_told("READY=1", 2))
        self.assertRegex(skeleton.told("RELOADING=1")[0], r"^RELOADING=1\nMONOTONIC_USEC=\d+$")
        self.assertEqual((self.reloads(skeleton, "success"), self.reloads(skeleton, "failure")), (1, 0))
        self.assertGreater(skeleton.metric("marketflow_config_last_reload_success_timestamp_seconds"), first)
        for _ in range(3):  # what was fresh is let go of
            skeleton.send(signal.SIGHUP)
            count = len(skeleton.events("reloaded")) + 1
            skeleton.wait_event("reloaded", count)
        skeleton.send(signal.SIGTERM)
        self.ends(skeleton, 0)

    def refused(self, skeleton, reason: str) -> None:
        count = len(skeleton.told("READY=1")) + 1
        skeleton.send(signal.SIGHUP)
        self.assertRegex(skeleton.wait_told("READY=1", count), rf"^READY=1\nSTATUS=Reload failed.*{reason}")
        self.assertEqual(self.reloads(skeleton, "success"), 0)
        self.assertEqual(self.reloads(skeleton, "failure"), count - 1)
        self.assertEqual(len(skeleton.events("reload_failed")), count - 1)
        self.assertEqual(skeleton.get("/readyz")[0], 200)

    def test_failed_reload_keeps_everything(self) -> None:
        path = self.key_file("four")
        skeleton = self.started(SKELETON_KEY_FILE=path)
        (self.folder / "key").unlink()
        self.refused(skeleton, "No such file")
        self.assertIn("SKELETON_KEY", skeleton.events("bad_setting")[0]["msg"])
        self.key_file("longer key")
        skeleton.tell("refuse")
        self.refused(skeleton, "told to refuse")
        statuses = len(skeleton.told("STATUS="))
        self.assertIn("key of 4 bytes", skeleton.wait_told("STATUS=", statuses + 1))
        skeleton.send(signal.SIGTERM)
        self.ends(skeleton, 0)

    def test_no_reload_while_leaving(self) -> None:
        skeleton = self.started(SKELETON_DRAIN_MS="-1")
        skeleton.send(signal.SIGTERM)
        skeleton.wait_state("draining")
        skeleton.send(signal.SIGHUP)
        skeleton.wait_event("reload_ignored")
        self.assertEqual(skeleton.told("RELOADING=1"), [])
        skeleton.send(signal.SIGTERM)
        self.ends(skeleton, 75)


class Watchdog(SkeletonCase):
    def test_ping_is_asked_of_the_service(self) -> None:
        skeleton = self.started(WATCHDOG_USEC="200000", LOG_STATS_MS="100")
        skeleton.wait_told("WATCHDOG=1", 3)
        skeleton.tell("not_alive")
        skeleton.wait_event("watchdog_withheld")
        self.assertEqual(skeleton.get("/livez"), (503, "not alive\n"))
        pings = len(skeleton.told("WATCHDOG=1"))
        skeleton.wait_event("stats", len(skeleton.events("stats")) + 8)  # several periods of the loop
        self.assertLessEqual(len(skeleton.told("WATCHDOG=1")), pings + 1)  # one may have been on its way
        self.assertEqual(len(skeleton.events("watchdog_withheld")), 1)
        skeleton.tell("not_alive", False)
        skeleton.wait_event("watchdog_resumed")
        skeleton.wait_told("WATCHDOG=1", pings + 3)
        skeleton.send(signal.SIGTERM)
        self.ends(skeleton, 0)

    def test_pings_go_on_while_draining(self) -> None:
        skeleton = self.started(WATCHDOG_USEC="200000", SKELETON_DRAIN_MS="-1")
        skeleton.send(signal.SIGTERM)
        skeleton.wait_state("draining")
        skeleton.wait_told("WATCHDOG=1", len(skeleton.told("WATCHDOG=1")) + 3)
        skeleton.send(signal.SIGTERM)
        self.ends(skeleton, 75)

    def test_without_a_supervisor_nothing_is_sent(self) -> None:
        skeleton = self.start(settings={"NOTIFY_SOCKET": "", "WATCHDOG_USEC": ""})
        skeleton.wait_state("running")
        skeleton.send(signal.SIGTERM)
        self.ends(skeleton, 0)
        self.assertEqual(skeleton.messages, [])


class Jobs(SkeletonCase):
    def test_job_ends_by_itself(self) -> None:
        skeleton = self.start("job", "one", "--count=3")
        printed = json.loads(skeleton.process.stdout.read())
        self.ends(skeleton, 0)
        self.assertEqual(printed, {"count": "3", "listen": skeleton.address()})
        self.assertEqual(skeleton.states(), ["starting", "running", "draining", "stopped"])
        self.assertEqual(skeleton.events("state_changed")[2]["reason"], "job done")
        self.assertEqual(skeleton.events("process_up")[0]["command"], "job one")
        skeleton.wait_told("READY=1")  # read by a thread, which may come later than the end
        self.assertEqual(len(skeleton.told("READY=1")), 1)

    def test_job_runs_beside_the_service(self) -> None:
        service = self.started()
        job = self.start("job", "one", "--count=3", settings={"METRICS_LISTEN": service.address()})
        self.ends(job, 0)
        self.assertEqual(len(job.events("listen_elsewhere")), 1)
        self.assertNotEqual(job.address(), service.address())
        job = self.start("job", "one", "--count=3", settings={"METRICS_LISTEN": ""})
        self.ends(job, 0)
        self.assertNotIn(":9464", job.address())

    def test_job_that_is_stopped_is_not_done(self) -> None:
        skeleton = self.started("job", "one", "--count", "3", "--forever")
        skeleton.send(signal.SIGTERM)
        self.ends(skeleton, 75)

    def test_bad_arguments_show_the_usage(self) -> None:
        cases = {
            ("--cont", "3"): "unknown option '--cont'",
            ("--count",): "needs a value: '--count'",
            ("--forever",): "missing option '--count'",
            ("--count", "3", "--forever=1"): "takes no value: '--forever'",
            ("--count", "3", "4"): "unexpected word '4'",
        }
        for words, text in cases.items():
            result = self.run_once("job", "one", *words, METRICS_LISTEN="127.0.0.1:0")
            self.assertEqual(result.returncode, 78)
            self.assertIn(text, result.stderr)
            self.assertIn("Usage: marketflow-skeleton job one --count N [--forever]", result.stderr)
            self.assertEqual(result.stdout, "")

    def test_plain_commands(self) -> None:
        result = self.run_once("plain", "word")
        self.assertEqual((result.returncode, result.stdout), (0, "plain 1 word settings\n"))
        self.assertEqual(self.run_once("plain").returncode, 75)
        self.assertEqual(self.run_once("plain", "word", SKELETON_FLOOD="x").returncode, 78)
        result = self.run_once("bare", "word", SKELETON_FLOOD="x")
        self.assertEqual((result.returncode, result.stdout), (0, "plain 1 word bare\n"))
        self.assertFalse(re.search("READY|state_changed", result.stderr))


if __name__ == "__main__":
    main()
