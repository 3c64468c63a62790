"""Builds the program `socketing` with the machine's Rust, in the one profile that everything shares."""
from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path

from . import find
from .layout import PROJECT, Layout, need_space
from .run import capture, run
from .ui import Step, Stop

BUILD_GIB = 4.0
PACKAGE = "socketing-cli"


def required_version() -> find.Version:
    match = re.search(r'^rust-version = "([\d.]+)"', (PROJECT / "Cargo.toml").read_text(), re.MULTILINE)
    if match is None:
        raise AssertionError("Cargo.toml states no rust-version")
    return find.numbers(match.group(1))


def cargo() -> Path:
    """A cargo whose compiler is new enough, or a sentence that says what to install."""
    oldest = required_version()
    how = "Install Rust from https://rustup.rs (or `rustup update`), then run the command again."
    programs = find.on_path("cargo")
    for program in programs:
        version = find.version_of(program.with_name("rustc"), r"rustc (\d+\.\d+\.\d+)")
        if version and version >= oldest and find.version_of(program, r"cargo (\d+\.\d+\.\d+)"):
            _check_linker()
            return program
    if not programs:
        raise Stop(f"cargo is not on PATH. {how}")
    raise Stop(f"{programs[0]} and its rustc don't run, or are older than Rust {find.shown(oldest)}. {how}")


def _check_linker() -> None:
    if not capture(["cc", "--version"]):
        how = "xcode-select --install" if sys.platform == "darwin" else "apt-get install build-essential"
        raise Stop(f"The C compiler 'cc', which Rust links with, is missing or doesn't run. Install it: {how}")


def environment() -> dict[str, str]:
    """The environment for cargo and what it starts: cargo's own folder comes first on PATH."""
    path = f"{cargo().parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**os.environ, "PATH": path, "CARGO_TERM_COLOR": "never", "CARGO_TERM_PROGRESS_WHEN": "never"}


def target_folder() -> Path:
    printed = capture([cargo(), "metadata", "--no-deps", "--format-version", "1", "--manifest-path", PROJECT / "Cargo.toml"])
    if printed is None:
        raise Stop(f"`cargo metadata` fails in {PROJECT}: run it there to see why.")
    return Path(json.loads(printed)["target_directory"])


def build(layout: Layout, step: Step) -> Path:
    """Builds the program and gives its path. Cargo itself knows what has changed; when nothing has, this takes a second."""
    target = target_folder()
    program = target / "debug" / "socketing"
    if not program.exists():
        need_space(_nearest(target), BUILD_GIB, "Building")
    counter = Counter(step)
    # With the workspace's features, not the package's alone: the tests then find every dependency built.
    argv = [cargo(), "build", "--locked", "--workspace", "--bin", "socketing"]
    run("cargo build", argv, log=layout.logs / "build.log", cwd=PROJECT, env=environment(), each_line=counter.line)
    step.note(f"{counter.compiled} packages compiled" if counter.compiled else "up to date")
    return program


def _nearest(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder


class Counter:
    """Counts what cargo compiles, to show that a long build moves."""

    def __init__(self, step: Step) -> None:
        self.step, self.compiled, self.expected = step, 0, _packages_locked()

    def line(self, text: str) -> None:
        words = text.split()
        if text.startswith("   Compiling ") and len(words) > 1:
            self.compiled += 1
            self.step.progress(f"{self.compiled} packages of at most {self.expected}, now {words[1]}")
        elif text.startswith(" Downloading ") or text.startswith("  Downloaded "):
            self.step.progress("downloading")
        elif "Blocking waiting for file lock" in text:
            self.step.progress("waiting for another cargo that uses the same folder")


def _packages_locked() -> int:
    return (PROJECT / "Cargo.lock").read_text().count("[[package]]")


def install_copy(program: Path, folder: Path) -> Path:
    """Copies the program to where it runs from: a later build then can't pull it away from under a running system."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    target, fresh = folder / program.name, folder / f"{program.name}.new"
    shutil.copyfile(program, fresh)
    fresh.chmod(0o755)
    os.replace(fresh, target)
    return target
