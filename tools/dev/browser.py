"""The Chromium that the browser tests drive, and the fonts it needs for Korean."""
from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from . import find
from .layout import Layout
from .run import capture, run
from .ui import Step, Stop

PACKAGES = ("chromium", "fonts-noto-cjk")
COMMAND = f"apt-get install {' '.join(PACKAGES)}"


def provide(layout: Layout, step: Step) -> Path:
    """A Chromium on the machine, else Debian's package where we may install it; else a sentence with the command to do so."""
    found = find.chromium()
    if found is None or not _has_korean():
        if os.environ.get("SOCKETING_CHROMIUM") and found is None:
            raise Stop(f"SOCKETING_CHROMIUM names {os.environ['SOCKETING_CHROMIUM']}, which is no Chromium {find.shown(find.CHROMIUM_OLDEST)} or newer that runs.")
        _install(layout, step)
        found = find.chromium()
    if found is None or not _has_korean():
        raise Stop(f"The browser tests need Chromium and a font with Korean, and installing Debian's packages did not bring them. {_how()}")
    step.note(f"{find.shown(found[1])}, {found[0]}")
    return found[0]


def _has_korean() -> bool:
    """macOS always has a Korean font; elsewhere fontconfig knows."""
    return sys.platform == "darwin" or bool((capture(["fc-list", ":lang=ko", "family"]) or "").strip())


def _install(layout: Layout, step: Step) -> None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Stop(f"The browser tests need Chromium and a font with Korean. {_how()}")
    step.progress("installing Debian's package")
    log = layout.logs / "install-chromium.log"
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get update", ["apt-get", "update", "-q"], log=log, env=env)
    run(COMMAND, ["apt-get", "install", "-q", "-y", "--no-install-recommends", *PACKAGES], log=log, env=env)


def _how() -> str:
    if sys.platform == "darwin":
        return "Install Google Chrome or Chromium (brew install --cask chromium), or name one with SOCKETING_CHROMIUM."
    if "ubuntu" in _os_release():
        return "On Ubuntu: sudo snap install chromium && sudo apt-get install fonts-noto-cjk; or name a Chrome with SOCKETING_CHROMIUM."
    return f"Install them: sudo {COMMAND}; or name a Chrome with SOCKETING_CHROMIUM."


def _os_release() -> str:
    try:
        return Path("/etc/os-release").read_text().lower()
    except OSError:
        return ""
