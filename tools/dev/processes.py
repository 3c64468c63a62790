"""Finds what we started, in the process table: it can't go stale as a file of process ids does."""
from __future__ import annotations

import os
import re
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Pattern

from .run import capture

POLL_S = 0.05


@dataclass(frozen=True)
class Process:
    pid: int
    command: str


def find(pattern: Pattern[str]) -> list[Process]:
    """The running processes whose command line matches, oldest first as far as ids tell."""
    own = os.getpid()
    return sorted((p for p in _table() if p.pid != own and pattern.search(p.command)), key=lambda p: p.pid)


def command_pattern(program: str, *arguments: object) -> Pattern[str]:
    """Matches a command line that starts with the program (by its file name, or its whole path) and these arguments."""
    name = re.escape(program) if program.startswith("/") else r"(?:\S.*/)?" + re.escape(program)
    rest = "".join(" " + re.escape(str(argument)) for argument in arguments)
    return re.compile(rf"^{name}{rest}(?: |$)")


def _table() -> Iterator[Process]:
    return _from_proc() if sys.platform.startswith("linux") else _from_ps()


def _from_proc() -> Iterator[Process]:
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            arguments = (entry / "cmdline").read_bytes()
        except OSError:
            continue  # it ended while we looked
        if arguments:  # a kernel thread, or a process that has ended and waits for its parent, has none
            yield Process(int(entry.name), arguments.rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace"))


def _from_ps() -> Iterator[Process]:
    printed = capture(["ps", "-axww", "-o", "pid=,stat=,command="]) or ""
    for line in printed.splitlines():
        pid, state, command = (line.split(None, 2) + ["", "", ""])[:3]
        if pid.isdigit() and not state.startswith("Z"):
            yield Process(int(pid), command)


def stop(pattern: Pattern[str], number: int, wait_s: float) -> list[Process]:
    """Asks the matching processes to stop and waits; gives back those that did not."""
    for process in find(pattern):
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            continue
        except PermissionError:
            pass  # another user's: it will be named as one that didn't stop
    return wait_gone(pattern, wait_s)


def wait_gone(pattern: Pattern[str], wait_s: float) -> list[Process]:
    deadline = time.monotonic() + wait_s
    while True:
        left = find(pattern)
        if not left or time.monotonic() >= deadline:
            return left
        time.sleep(POLL_S)


def end_now(pattern: Pattern[str], wait_s: float = 10.0) -> None:
    """For throw-away systems only: ends the matching processes at once."""
    stop(pattern, signal.SIGKILL, wait_s)
