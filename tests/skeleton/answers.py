#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a service answers: command line, endpoint, log under pressure, descriptors, secrets."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
from pathlib import Path

from process import CANARY, SkeletonCase, main, wait_for


class CommandLine(SkeletonCase):
    def test_version_help_and_references(self) -> None:
        result = self.run_once("--version")
        self.assertRegex(result.stdout, r"^marketflow-skeleton \d+\.\d+\.\d+\S* \(\S+\)\n$")
        result = self.run_once("--help")
        self.assertEqual(result.returncode, 0)
        for text in (
            "job one --count N",
            "--check-config",
            "SKELETON_CONTROL=",
            "LOG_LEVEL=info",
            "Exit codes",
        ):
            self.assertIn(text, result.stdout)
        result = self.run_once("job", "one", "--help")
        self.assertEqual((result.returncode, "More." in result.stdout), (0, True))
        wanted = {
            "settings": "## Skeleton",
            "metrics": "## The skeleton",
            "env": "#SKELETON_CONTROL=",
            "own": "own",
        }
        for what, text in wanted.items():
            result = self.run_once("--print-reference", what)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertIn(text, result.stdout)
        self.assertEqual(self.run_once("--print-reference", "nothing").returncode, 78)

    def test_wrong_words_show_the_usage(self) -> None:
        for words in (
            ["backfil"],
            ["--nothing"],
            ["job"],
            ["--version", "x"],
            ["--print-reference"],
            ["--", "x"],
        ):
            result = self.run_once(*words)
            self.assertEqual((result.returncode, result.stdout), (78, ""), words)
            self.assertIn("Usage:", result.stderr)

    def test_check_config_names_every_problem(self) -> None:
        bad = {
            "SKELETON_FLOOD": "perhaps",
            "KAFKA_PARTITIONS": "0",
            "SKELETON_DRAIN": "1",
            "LOG_LEVEL": "loud",
        }
        result = self.run_once("--check-config", **bad)
        self.assertEqual((result.returncode, result.stdout), (78, ""))
        names = [line.split(":")[0] for line in result.stderr.splitlines()]
        self.assertEqual(sorted(names), ["KAFKA_PARTITIONS", "LOG_LEVEL", "SKELETON_DRAIN", "SKELETON_FLOOD"])
        # The service itself says the same, in its log, and leaves before READY=1.
        skeleton = self.start(settings=bad)
        self.ends(skeleton, 78)
        self.assertEqual(
            sorted(line["msg"].split(":")[0] for line in skeleton.events("bad_setting")), sorted(names)
        )
        self.assertEqual(skeleton.messages, [])
        result = self.run_once("--check-config")
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "configuration ok\n", ""))

    def test_settings_that_contradict_each_other(self) -> None:
        contrary = {"SKELETON_FLOOD": "yes", "SKELETON_PROVOKE": "yes"}
        result = self.run_once("--check-config", **contrary)
        self.assertEqual((result.returncode, result.stdout), (78, ""))
        self.assertEqual(result.stderr, "SKELETON_FLOOD: does not go with SKELETON_PROVOKE\n")
        skeleton = self.start(settings=contrary)
        self.ends(skeleton, 78)
        self.assertEqual(len(skeleton.events("bad_setting")), 1)

    def test_print_config_masks_secrets(self) -> None:
        result = self.run_once("--print-config", SKELETON_KEY=CANARY, KAFKA_PARTITIONS="16")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn("SKELETON_KEY=********  # environment\n", result.stdout)
        self.assertIn("KAFKA_PARTITIONS=16  # environment\n", result.stdout)
        self.assertIn("KAFKA_SASL_PASSWORD=(unset)  # default\n", result.stdout)
        self.assertNotIn(CANARY, result.stdout)
        broken = self.run_once("--print-config", KAFKA_PARTITIONS="x")
        self.assertEqual((broken.returncode, broken.stdout), (78, ""))

    def test_unwise_settings_are_warned_about(self) -> None:
        result = self.run_once("--check-config", KAFKA_BOOTSTRAP_SERVERS="broker.example:9092")
        self.assertEqual((result.returncode, result.stdout), (0, "configuration ok\n"))
        self.assertIn("KAFKA_SECURITY_PROTOCOL: ", result.stderr)
        skeleton = self.started(KAFKA_BOOTSTRAP_SERVERS="broker.example:9092")
        self.assertEqual(skeleton.wait_event("unwise_setting")["level"], "warning")

    def test_full_standard_output_is_an_error(self) -> None:
        with open("/dev/full", "w") as full:
            result = subprocess.run(
                [os.environ["SKELETON_SERVICE"], "--help"], stdout=full, env={}, timeout=60
            )
        self.assertEqual(result.returncode, 75)


class Healthcheck(SkeletonCase):
    def check(self, listen: str, **settings: str) -> int:
        return self.run_once("--healthcheck", METRICS_LISTEN=listen, **settings).returncode

    def test_of_a_running_service(self) -> None:
        skeleton = self.started()
        port = skeleton.address().split(":")[1]
        self.assertEqual(self.check(skeleton.address()), 0)
        self.assertEqual(self.check(f"0.0.0.0:{port}"), 0)  # asked over loopback
        self.assertEqual(self.check(f"localhost:{port}"), 0)
        self.assertEqual(self.check(skeleton.address(), SKELETON_KEY_FILE="/nonexistent"), 0)
        skeleton.tell("not_alive")
        self.assertEqual(self.check(skeleton.address()), 1)

    def test_over_ipv6(self) -> None:
        try:
            with socket.socket(socket.AF_INET6) as probe:
                probe.bind(("::1", 0))
        except OSError as error:
            self.skipTest(f"no IPv6 here: {error}")
        skeleton = self.started(METRICS_LISTEN="[::1]:0")
        address = skeleton.wait_event("process_up")["listen"]
        self.assertRegex(address, r"^\[::1\]:\d+$")
        self.assertEqual(self.check(address), 0)
        self.assertEqual(self.check(address.replace("::1", "::")), 0)
        skeleton.tell("not_alive")
        self.assertEqual(self.check(address), 1)

    def test_of_nobody(self) -> None:
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{silent.getsockname()[1]}"
            self.assertEqual(self.check(address), 1)  # refused
            silent.listen()
            self.assertEqual(self.check(address), 1)  # never answered
        self.assertEqual(self.check("127.0.0.1:0"), 1)
        self.assertEqual(self.check("nonsense"), 1)


class Endpoint(SkeletonCase):
    def test_readyz_names_its_checks(self) -> None:
        skeleton = self.started()
        status, body = skeleton.get("/readyz")
        self.assertEqual(status, 200)
        checks = {
            "service": {"ok": True, "detail": "running"},
            "control": {"ok": True, "detail": 'no "file"'},
        }
        self.assertEqual(json.loads(body), {"status": "ok", "checks": checks})
        self.assertEqual(skeleton.metric("marketflow_ready"), 1)
        skeleton.tell("not_ready")
        status, body = skeleton.get("/readyz")
        self.assertEqual((status, json.loads(body)["status"]), (503, "unavailable"))
        self.assertEqual(json.loads(body)["checks"]["control"], {"ok": False, "detail": "told not to be"})
        self.assertEqual(skeleton.metric("marketflow_ready"), 0)
        self.assertEqual(skeleton.get("/livez")[0], 200)
        self.assertEqual(skeleton.get("/healthz")[0], 200)
        self.assertEqual(skeleton.get("/config")[0], 404)

    def test_metrics_of_the_process(self) -> None:
        skeleton = self.started()
        text = skeleton.get("/metrics")[1]
        self.assertTrue(text.endswith("\n"))
        self.assertRegex(
            text, r'marketflow_build_info\{version="\d[^"]*",revision="[^"]+",compiler="[^"]+"\} 1\n'
        )
        self.assertGreater(skeleton.metric("process_resident_memory_bytes"), 1e6)
        self.assertGreater(skeleton.metric("process_open_fds"), 4)
        self.assertGreaterEqual(skeleton.metric('marketflow_log_messages_total{level="notice"}'), 3)
        self.assertEqual(skeleton.metric("skeleton_lines_total"), 0)
        self.assertGreater(skeleton.metric("marketflow_event_loop_turn_seconds_count"), 0)
        names = re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE)
        self.assertEqual(names, sorted(set(names)))

    def test_lag_of_the_loop_is_seen(self) -> None:
        skeleton = self.started(SKELETON_BLOCK_MS="1500")
        count = "marketflow_event_loop_lag_seconds_count"
        wait_for(lambda: skeleton.metric(count) >= 1, "a tick")
        for family in ("lag", "turn"):
            name = f"marketflow_event_loop_{family}_seconds"
            below, all_of_them = skeleton.metrics(f'{name}_bucket{{le="0.1"}}', f"{name}_count")
            self.assertLess(below, all_of_them, family)


class Log(SkeletonCase):
    def flooded(self, skeleton) -> None:
        """The service goes on, and counts what it could not write."""
        skeleton.wait_told("READY=1")
        wait_for(lambda: skeleton.metric("marketflow_log_dropped_total") > 1000, "dropped lines")
        before = skeleton.metric("skeleton_lines_total")
        wait_for(lambda: skeleton.metric("skeleton_lines_total") > before + 10000, "work going on")
        self.assertEqual(skeleton.get("/livez")[0], 200)
        skeleton.send(signal.SIGTERM)
        self.assertEqual(skeleton.process.wait(60), 0)

    def flood(self, stderr) -> None:
        with socket.socket() as place:
            place.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{place.getsockname()[1]}"
        settings = {"SKELETON_FLOOD": "yes", "LOG_BURST": "0", "METRICS_LISTEN": address}
        skeleton = self.start(settings=settings, stderr=stderr)
        skeleton.address = lambda: address  # its log cannot say
        self.flooded(skeleton)

    def test_pipe_that_nobody_reads(self) -> None:
        reader, writer = os.pipe()
        try:
            self.flood(writer)
            self.assertTrue(os.get_blocking(writer))  # shared, so never touched
            os.close(writer)
            writer = -1
            with open(reader, "rb", closefd=False) as pipe:
                lines = pipe.read().splitlines()
            for line in lines[:-1]:  # the process ended with a full pipe; only the last line may be torn
                json.loads(line)
        finally:
            os.close(reader)
            if writer >= 0:
                os.close(writer)

    def test_disk_that_is_full(self) -> None:
        with open("/dev/full", "w") as full:
            self.flood(full)

    def test_repeats_are_limited(self) -> None:
        skeleton = self.started(SKELETON_FLOOD="yes", LOG_BURST="5")
        sample = 'marketflow_log_suppressed_total{level="info"}'
        wait_for(lambda: skeleton.metric(sample) > 1000, "suppressed lines")
        self.assertEqual(len(skeleton.events("flood")), 5)
        skeleton.send(signal.SIGTERM)
        self.ends(skeleton, 0)
        told = [line for line in skeleton.events("suppressed") if line["suppressed_event"] == "flood"]
        self.assertGreater(told[-1]["suppressed"], 1000)

    def test_library_speaks_through_the_log(self) -> None:
        skeleton = self.started(SKELETON_PROVOKE="yes")
        line = skeleton.wait_event("libevent")
        self.assertEqual((line["module"], line["level"]), ("loop", "warning"))
        self.assertIn("Epoll ADD", line["msg"])

    def test_level_and_format(self) -> None:
        skeleton = self.start(settings={"LOG_LEVEL": "error"})
        skeleton.wait_told("READY=1")
        skeleton.send(signal.SIGTERM)
        self.ends(skeleton, 0)
        self.assertEqual(skeleton.lines, [])
        skeleton = self.start(settings={"LOG_FORMAT": "journal"})
        wait_for(lambda: skeleton.lines, "a line")
        self.assertRegex(skeleton.lines[0]["raw"], r'^<5>\{"ts":"')


class Descriptors(SkeletonCase):
    def test_all_are_closed_on_exec(self) -> None:
        skeleton = self.started()
        with socket.create_connection(tuple(skeleton.address().split(":"))):
            folder = Path(f"/proc/{skeleton.process.pid}/fdinfo")
            wait_for(lambda: len(list(folder.iterdir())) >= 8, "the connection")
            for entry in folder.iterdir():
                if int(entry.name) <= 2:
                    continue
                flags = int(re.search(r"^flags:\s+(\d+)$", entry.read_text(), re.MULTILINE)[1], 8)
                target = os.readlink(f"/proc/{skeleton.process.pid}/fd/{entry.name}")
                self.assertTrue(flags & os.O_CLOEXEC, target)

    def test_closed_standard_descriptors_are_filled(self) -> None:
        # By a shell, not by preexec_fn, which can deadlock in a process with threads, as this one is.
        skeleton = self.start(stdout=None, stderr=None, through='exec "$0" "$@" <&- >&- 2>&-')
        skeleton.wait_told("READY=1")
        for number in (0, 1, 2):
            self.assertEqual(os.readlink(f"/proc/{skeleton.process.pid}/fd/{number}"), "/dev/null")
        skeleton.send(signal.SIGTERM)
        self.assertEqual(skeleton.process.wait(60), 0)

    def test_signals_that_are_ignored(self) -> None:
        skeleton = self.started()
        status = Path(f"/proc/{skeleton.process.pid}/status").read_text()
        ignored = int(re.search(r"^SigIgn:\s+(\S+)$", status, re.MULTILINE)[1], 16)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            self.assertTrue(ignored & 1 << (number - 1), number.name)


class Secrets(SkeletonCase):
    def test_secret_shows_nowhere(self) -> None:
        skeleton = self.started(SKELETON_KEY=CANARY, KAFKA_SECURITY_PROTOCOL="sasl_ssl",
                                KAFKA_SASL_USERNAME="user", KAFKA_SASL_PASSWORD=CANARY, LOG_LEVEL="debug",
                                LOG_STATS_MS="50")  # fmt: skip
        skeleton.wait_event("stats")
        for path in ("/metrics", "/readyz", "/livez", f"/{CANARY[:6]}"):
            self.assertNotIn(CANARY, skeleton.get(path)[1])
        skeleton.send(signal.SIGHUP)
        skeleton.wait_event("reloaded")
        command = Path(f"/proc/{skeleton.process.pid}/cmdline").read_bytes()
        self.assertNotIn(CANARY.encode(), command)
        skeleton.send(signal.SIGTERM)
        self.ends(skeleton, 0)  # which looks at every line and message

    def test_refused_secret_is_not_shown(self) -> None:
        result = self.run_once("--check-config", SKELETON_KEY=CANARY, SKELETON_KEY_FILE="/x")
        self.assertEqual(result.returncode, 78)
        self.assertNotIn(CANARY, result.stderr)


if __name__ == "__main__":
    main()
