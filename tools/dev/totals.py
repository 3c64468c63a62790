"""Reads test runners' own closing lines, so that a run which executed nothing can't pass for a good one."""
from __future__ import annotations

import re
from dataclasses import dataclass

from .ui import Stop

COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# For each runner: its closing line, with the number of tests that passed in the first group.
CLOSING = {
    "nextest": r"^ *Summary \[.*\] +\d+(?:/\d+)? tests? run: (\d+) passed.*$",
    "doc tests": r"^test result: ok\. (\d+) passed;.*$",
    "unittest": r"^Ran (\d+) tests? in .*$",
    "vitest": r"^ *Tests +(\d+) passed.*$",
    "playwright": r"^ *(\d+) passed \(.*\)$",
}


@dataclass(frozen=True)
class Total:
    runner: str
    passed: int
    line: str


def read(runner: str, log: str) -> Total:
    """What the runner says at its end; several closing lines (one per crate, say) are added up."""
    found = list(re.finditer(CLOSING[runner], COLOURS.sub("", log), re.MULTILINE))
    if not found:
        raise Stop(f"{runner} ended without its closing line: no test ran.")
    return Total(runner, sum(int(match.group(1)) for match in found), found[-1].group(0).strip())


def required(total: Total) -> Total:
    if total.passed == 0:
        raise Stop(f"{total.runner} ran no test: {total.line}")
    return total
