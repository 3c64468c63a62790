"""Reads the command line of ./dev, and turns failures into sentences."""
from __future__ import annotations

import errno
import os
import signal
import sys
from typing import Callable, Optional

from . import layout as layouts
from . import lockfile, run, rust
from .bench import bench
from .down import down
from .layout import Layout
from .notices import notices
from .status import logs, status
from .tests_run import PARTS, test
from .ui import Stop, complain, say
from .up import up

HELP = f"""Usage: ./dev COMMAND

  up              installs what is missing, builds, starts everything, loads the demo
  down            stops what `up` started; the data stays
  status          what runs, and how it is
  logs [NAME …]   follows the logs
  test [PART …]   every test there is, or some parts: {', '.join(PARTS)}
  bench [NAME …]  what this machine can do, as ratios to pgbench; --json, --compare [REVISION]; chaos: 200 seeded faults
  lock            completes web/package-lock.json after npm wrote it
  notices [FILE]  makes NOTICES.md anew; into FILE, the full texts of licences
  socketing …     the built program: ./dev socketing rush --help

Environment: SOCKETING_DATA (data folder, .data), SOCKETING_PORT (the page's port), DATABASE_URL and NATS_URL (databases
to use instead of the project's own), SOCKETING_CHROMIUM (browser for the tests). docs/operations.md says more."""


def main(arguments: list[str]) -> int:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    sys.stdout.reconfigure(errors="replace")
    sys.stderr.reconfigure(errors="replace")
    try:
        return _command(arguments)
    except Stop as stop:
        complain(f"\n{stop}")
    except KeyboardInterrupt:
        run.cancel_all()
        complain("\nStopped halfway. Running the same command again goes on from here; ./dev down stops what was started.")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read our output has enough; nothing more to say
    except OSError as error:
        complain(f"\n{_explain(error)}")
    return 1


def _interrupt(number: int, _frame) -> None:
    raise KeyboardInterrupt


def _explain(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The disk is full. Free some space, then run the command again."
    where = f" ({error.filename})" if error.filename else ""
    return f"{error.strerror or error}{where}. If the folder isn't yours, run ./dev as its owner or name another data folder with SOCKETING_DATA."


def _command(arguments: list[str]) -> int:
    name, rest = (arguments[0], arguments[1:]) if arguments else ("help", [])
    if name in ("help", "-h", "--help"):
        say(HELP)
        return 0
    command = COMMANDS.get(name)
    if command is None:
        complain(f"There is no command '{name}'.\n\n{HELP}")
        return 2
    if rest and name not in TAKE_ARGUMENTS:
        complain(f"./dev {name} takes no arguments.")
        return 2
    return command(layouts.choose(), rest)


def _socketing(_layout: Layout, arguments: list[str]) -> int:
    program = rust.target_folder() / "debug" / "socketing"
    if not program.exists():
        raise Stop("The program isn't built yet: ./dev up builds it.")
    os.execv(program, [str(program), *arguments])
    return 1  # not reached


def _plain(function: Callable[[Layout], Optional[bool]]) -> Callable[[Layout, list[str]], int]:
    return lambda layout, _: 1 if function(layout) is False else 0


def _with_arguments(function: Callable[[Layout, list[str]], None]) -> Callable[[Layout, list[str]], int]:
    def command(layout: Layout, arguments: list[str]) -> int:
        function(layout, arguments)
        return 0

    return command


TAKE_ARGUMENTS = ("logs", "test", "bench", "notices", "socketing")
COMMANDS = {
    "up": _plain(up),
    "down": _plain(down),
    "status": _plain(status),
    "logs": _with_arguments(logs),
    "test": _with_arguments(test),
    "bench": _with_arguments(bench),
    "lock": _plain(lambda _: lockfile.complete()),
    "notices": _with_arguments(lambda _, arguments: notices(arguments)),
    "socketing": _socketing,
}
