"""What a person sees: sentences, steps with their time, progress."""
from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager

PROGRESS_EVERY_S = 20.0  # without a terminal: often enough to see that it lives, rarely enough to keep a log short

_lock = threading.Lock()
_status = ""  # the last line of a terminal, rewritten in place


class Stop(Exception):
    """Ends the command. Its text is a sentence for a person: what is wrong, and what to do."""


def minutes(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"


def _terminal() -> bool:
    return sys.stdout.isatty()


def _erase_status() -> None:
    global _status
    if _status:
        sys.stdout.write("\r" + " " * len(_status) + "\r")
        _status = ""


def say(text: str = "") -> None:
    with _lock:
        _erase_status()
        print(text, flush=True)


def complain(text: str) -> None:
    with _lock:
        _erase_status()
        sys.stdout.flush()
        print(text, file=sys.stderr, flush=True)


def _show_status(text: str) -> None:
    global _status
    with _lock:
        _erase_status()
        _status = text[:100]
        sys.stdout.write(_status)
        sys.stdout.flush()


class Cancelled(Exception):
    """Another step failed, or the user stopped the command: this one was ended for it."""


class Step:
    """One step under way. `note` is what its closing line will say; `progress` shows that it moves."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.began = time.monotonic()
        self._note = ""
        self._shown = self.began

    def note(self, text: str) -> None:
        self._note = text

    def progress(self, text: str) -> None:
        if _terminal():
            _show_status(f"  … {self.name}: {text}")
            return
        now = time.monotonic()
        if now - self._shown >= PROGRESS_EVERY_S:
            self._shown = now
            say(f"  … {self.name}: {text} ({minutes(now - self.began)})")

    def line(self, mark: str) -> str:
        text = f"  {mark} {self.name}" + (f": {self._note}" if self._note else "")
        return f"{text:<88} {minutes(time.monotonic() - self.began):>10}"


@contextmanager
def step(name: str):
    """Prints the step's closing line with its time, whether it succeeds or fails."""
    this = Step(name)
    try:
        yield this
    except (Cancelled, KeyboardInterrupt):
        say(this.line("–"))
        raise
    except BaseException:
        say(this.line("✗"))
        raise
    say(this.line("✓"))
