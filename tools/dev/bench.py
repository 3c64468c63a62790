"""`./dev bench`: a rush against the running system, then a check of its log."""
from __future__ import annotations

import subprocess

from .layout import Layout
from .processes import find
from .system import System
from .ui import Stop, say

RUSH = ("rush", "--fans", "1000", "--seed", "42")


def bench(layout: Layout, arguments: list[str]) -> None:
    """`arguments` go to `socketing rush` in place of the usual ones."""
    system = System(layout)
    url = system.written_down().get("url")
    if not url or not find(system.pattern):
        raise Stop("Nothing runs here yet: ./dev up starts it.")
    for command in (tuple(["rush", *arguments]) if arguments else RUSH, ("verify",)):
        say(f"socketing {' '.join(command)}")
        code = subprocess.call([str(system.program), *command], env=system.environment(url))
        if code != 0:
            raise Stop(f"socketing {command[0]} ended with code {code}.")
