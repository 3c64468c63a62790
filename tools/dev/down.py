"""`./dev down`: stops what `./dev up` started, also after a crash; data stays."""
from __future__ import annotations

from typing import Callable

from .layout import Layout, lock
from .processes import Process
from .system import System
from .ui import Stop, say, step


def down(layout: Layout) -> None:
    with lock(layout, "system", "starting or stopping this system"):
        system = System(layout, databases_of_others=False)
        left = _stop("Services", system.runs_anything(), system.stop_program)
        # The databases go last, and in any case: what the program acknowledged is in them already.
        left += _stop("NATS", system.nats.running(), system.nats.stop)
        left += _stop("PostgreSQL", system.postgres.running(), system.postgres.stop)
    if left:
        names = "\n".join(f"  {process.pid}  {process.command}" for process in left)
        raise Stop(f"These would not stop:\n{names}\nEnd them with: kill -9 {' '.join(str(process.pid) for process in left)}")
    say(f"Stopped. The data stays in {layout.data}; ./dev up goes on with it.")


def _stop(name: str, runs: bool, stop: Callable[[], list[Process]]) -> list[Process]:
    if not runs:
        stop()  # nothing to wait for, but what it wrote down goes
        return []
    with step(name) as this:
        left = stop()
        this.note("would not stop" if left else "stopped")
    return left
