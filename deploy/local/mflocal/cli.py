# SPDX-License-Identifier: Apache-2.0
"""`deploy/local/stack up|down|status|logs|reset`."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from .install import say
from .output import EXIT_FAILED, ReaderLeftError, run_command
from .stack import Stack
from .waiting import LocalError

EXIT_DOWN = 3


def show_addresses(stack: Stack) -> None:
    database = stack.postgres
    print(f"kafka       {stack.broker.bootstrap}")
    connection = f"host=127.0.0.1 port={database.port} dbname=marketflow user=marketflow"
    print(f"postgresql  {connection} (password in {database.password_file})")
    if stack.runs_simulator():
        print(f"simulator   {stack.simulator.url}")
    else:
        print("provider    the real one, with the key of your environment")
    for name, service in sorted(stack.running_services().items()):
        print(f"{name:<11} {service.url}/metrics")
    print(f"logs        {stack.layout.log}")


def up(stack: Stack, options: argparse.Namespace) -> int:
    started = stack.up()
    say("the stack is up" if started else "the stack was already up")
    show_addresses(stack)
    return 0


def down(stack: Stack, options: argparse.Namespace) -> int:
    say("the stack is down" if stack.down() else "the stack was not up")
    return 0


def status(stack: Stack, options: argparse.Namespace) -> int:
    states = stack.supervisor.states()
    for part in stack.parts():
        _status_line(part.name, part.running() and part.ready(), part.identity, "")
    for name, service in sorted(stack.running_services().items()):
        state = states.get(name, {})
        note = f"{state.get('state', 'unknown')}, restarts {state.get('restarts', 0)}"
        if state.get("last_exit") is not None:
            note += f", last exit {state['last_exit']}"
        _status_line(name, service.ready(), service.identity, note)
    return 0 if stack.is_up() else EXIT_DOWN


def _status_line(name: str, ready: bool, identity: object, note: str) -> None:
    pid = getattr(identity, "pid", None)
    word = "ready" if ready else "not ready" if pid else "down"
    print(f"{name:<11} {word:<10} {f'pid {pid}' if pid else '':<12} {note}".rstrip())


def logs(stack: Stack, options: argparse.Namespace) -> int:
    directory = stack.layout.log
    files = sorted(directory.glob("*.log"))
    if options.service:
        files = [directory / f"{options.service}.log"]
        if not files[0].exists():
            names = ", ".join(path.stem for path in sorted(directory.glob("*.log")))
            raise LocalError(f"no log of {options.service}; there are: {names or 'none'}")
    with contextlib.suppress(ReaderLeftError):  # `logs | head` has seen enough
        _show_logs(files, options.follow)
    return 0


def _show_logs(files: Sequence[Path], follow: bool) -> None:
    """The last lines of each file; with `follow`, what comes after them, until interrupted."""
    streams: list[tuple[str, BinaryIO]] = [(path.stem, path.open("rb")) for path in files]
    for name, stream in streams:
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - 16_384))
        _copy(name, stream, len(streams) > 1, last=40)
    while follow:
        for name, stream in streams:
            _copy(name, stream, len(streams) > 1)
        time.sleep(0.2)  # how soon a new line is shown


def _copy(name: str, stream: BinaryIO, named: bool, last: int | None = None) -> None:
    lines = stream.readlines()
    for line in lines[-last:] if last else lines:
        text = line.decode("utf-8", "replace").rstrip("\n")
        print(f"{name}: {text}" if named else text, flush=True)


def reset(stack: Stack, options: argparse.Namespace) -> int:
    if not options.yes:
        if not sys.stdin.isatty():
            raise LocalError("reset removes all data of the stack; say --yes when there is no terminal")
        answer = input(f"Remove all data under {stack.layout.state}? [y/N] ")
        if answer.strip().lower() not in ("y", "yes"):
            say("nothing was removed")
            return EXIT_FAILED
    stack.down()
    stack.reset()
    say("all data of the stack are removed")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="deploy/local/stack", description="Marketflow on one machine, without containers."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="up|down|status|logs|reset")

    def add(
        name: str, action: Callable[[Stack, argparse.Namespace], int], text: str
    ) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(action=action)
        return command

    add("up", up, "Install and build what is missing, start everything, wait until it is ready.")
    add("down", down, "Stop what `up` started, and nothing else.")
    add("status", status, f"Show each part; exit 0 only when all are ready, else {EXIT_DOWN}.")
    command = add("logs", logs, "Show the end of the logs.")
    command.add_argument("service", nargs="?", help="broker, postgres, simulator, supervisor, or a service")
    command.add_argument("-f", "--follow", action="store_true", help="go on until interrupted")
    command = add("reset", reset, "Stop the stack and remove its data, logs and secrets.")
    command.add_argument("--yes", action="store_true", help="do not ask")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return int(options.action(Stack(), options))
    except LocalError as problem:
        say(f"stack: {problem}")
        return EXIT_FAILED
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    raise SystemExit(run_command("stack", main))
