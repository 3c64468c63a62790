"""Runs programs to their end: output into a log file, failures as sentences, nothing left behind."""
from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
from pathlib import Path
from typing import Callable, Mapping, Optional, Sequence

from .ui import Cancelled, Stop

FULL_BYTES = 32 << 20  # less than this free counts as full
TAIL_LINES = 80  # of a log, shown when a step fails
PROBE_S = 20.0  # a program asked for its version that doesn't answer in this time counts as broken
POLL_S = 0.1  # how often a running program's output is looked at
GRACE_S = 10.0  # between asking a child to stop and making it stop

NO_SPACE = re.compile(r"No space left on device|ENOSPC|os error 28\b|disk quota exceeded|Check free disk space", re.IGNORECASE)
NO_NETWORK = re.compile(
    r"Could not resolve host|Temporary failure in name resolution|Name or service not known|Network is unreachable"
    r"|NewConnectionError|ConnectTimeoutError|ReadTimeoutError|ENOTFOUND|EAI_AGAIN|ECONNREFUSED.*registry|ETIMEDOUT"
    r"|ENETUNREACH|spurious network error|Could not connect to server|Couldn't connect to server"
)

_children: set[subprocess.Popen] = set()
_lock = threading.Lock()
_cancelled = threading.Event()


class Failed(Stop):
    """A program ended with an error. The text has the end of its log."""

    def __init__(self, name: str, code: int, log: Path) -> None:
        self.name, self.code, self.log = name, code, log
        super().__init__(explain(name, code, log))


def tail(log: Path, lines: int = TAIL_LINES) -> str:
    try:
        text = log.read_text(errors="replace")
    except OSError:
        return ""
    return "\n".join("    | " + line.rstrip() for line in text.splitlines()[-lines:])


def explain(name: str, code: int, log: Path) -> str:
    """A failed program as a sentence: the known causes by name, and always the end of the log."""
    shown = tail(log)
    ended = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
    text = f"{name} {ended}. The end of its log ({log}):\n{shown}"
    if NO_SPACE.search(shown) or _nearly_full(log):
        text += "\nThe disk is full. Free some space (the build needs about 4 GB), then run the command again."
    elif NO_NETWORK.search(shown):
        text += "\nIt could not reach a package registry. Check the network (and any proxy), then run the command again."
    if code == -signal.SIGKILL:
        text += "\nSignal 9 usually means that memory ran out: close something, or add swap, then run it again."
    return text


def _nearly_full(log: Path) -> bool:
    """Many programs fail on a full disk without saying why."""
    try:
        return shutil.disk_usage(log.parent).free < FULL_BYTES
    except OSError:
        return False


def run(
    name: str,
    argv: Sequence[object],
    *,
    log: Path,
    cwd: Optional[Path] = None,
    env: Optional[Mapping[str, str]] = None,
    user: Optional[str] = None,
    each_line: Optional[Callable[[str], None]] = None,
    append: bool = False,
) -> None:
    """Runs a program to its end; raises `Failed` unless it ends with 0. `each_line` sees every line it prints."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "ab" if append else "wb") as out:
        child = _start(name, argv, cwd, env, user, out)
    try:
        _follow(child, log, each_line)
    except BaseException:
        end_group(child)
        raise
    finally:
        _reap(child)
    if _cancelled.is_set():
        raise Cancelled(name)
    if child.returncode != 0:
        raise Failed(name, child.returncode, log)


def _start(name: str, argv: Sequence[object], cwd, env, user: Optional[str], out) -> subprocess.Popen:
    with _lock:  # so that none starts while `cancel_all` looks at what runs
        if _cancelled.is_set():
            raise Cancelled(name)
        try:
            child = subprocess.Popen(
                [str(arg) for arg in argv],
                cwd=cwd,
                env=None if env is None else dict(env),
                stdin=subprocess.DEVNULL,
                stdout=out,  # a file, not a pipe: a grandchild that outlives the program can't make us wait for it
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that it can be ended with all its children, and the terminal's Ctrl-C comes to us alone
                **as_user(user),
            )
        except OSError as error:
            raise Stop(f"{name}: {argv[0]} could not be started: {error.strerror}.") from error
        _children.add(child)
        return child


def _follow(child: subprocess.Popen, log: Path, each_line: Optional[Callable[[str], None]]) -> None:
    """Waits for the child, showing `each_line` what it prints meanwhile."""
    with open(log, "rb") as printed:
        ended = False
        while not ended:
            ended = _ended(child)
            if each_line is not None:
                for line in printed:
                    each_line(line.decode(errors="replace").rstrip("\n"))


def _ended(child: subprocess.Popen) -> bool:
    try:
        child.wait(POLL_S)
        return True
    except subprocess.TimeoutExpired:
        return False


def _reap(child: subprocess.Popen) -> None:
    """Nothing that the program started outlives it."""
    end_group(child)
    child.wait()
    with _lock:
        _children.discard(child)


def start_server(argv: Sequence[object], *, log: Path, cwd: Path, env: Mapping[str, str], user: Optional[str]) -> subprocess.Popen:
    """Starts a program that outlives this command."""
    with open(log, "ab") as out:
        return subprocess.Popen(
            [str(arg) for arg in argv],
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            **as_user(user),
        )


def as_user(user: Optional[str]) -> dict:
    """Popen's arguments that run a program as another user, with no groups of ours."""
    if user is None:
        return {}
    import pwd

    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def end_group(child: subprocess.Popen) -> None:
    """Ends a child and whatever it started: asks first, then insists."""
    for number, wait_s in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, GRACE_S)):
        try:
            os.killpg(child.pid, number)
        except (ProcessLookupError, PermissionError):
            return
        try:
            child.wait(wait_s)
            return
        except subprocess.TimeoutExpired:
            continue


def cancel_all() -> None:
    """Ends every program that runs for this command; those that wait to start won't."""
    with _lock:
        _cancelled.set()
        children = list(_children)
    for child in children:
        end_group(child)


def capture(argv: Sequence[object], env: Optional[Mapping[str, str]] = None, user: Optional[str] = None) -> Optional[str]:
    """What a short program prints, or nothing if it can't run, fails or hangs."""
    try:
        done = subprocess.run(
            [str(arg) for arg in argv],
            env=None if env is None else dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PROBE_S,
            **as_user(user),
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace") if done.returncode == 0 else None
