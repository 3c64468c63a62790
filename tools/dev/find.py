"""Finds programs on the machine, and believes only those that print the version they should."""
from __future__ import annotations

import glob
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, Optional

from .run import capture

Version = tuple  # of ints

POSTGRES_OLDEST = (15,)
NATS_OLDEST = (2, 12)
NEXTEST_OLDEST = (0, 9, 100)
DENY_OLDEST = (0, 18)
CHROMIUM_OLDEST = (120,)

POSTGRES_FOLDERS = (
    "/usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "/usr/pgsql-*/bin",  # Fedora, RHEL
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
CHROMIUM_PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)


@dataclass(frozen=True)
class Postgres:
    bin: Path
    version: Version

    @property
    def major(self) -> int:
        return self.version[0]


def numbers(text: str) -> Version:
    return tuple(int(part) for part in text.split("."))


def shown(version: Version) -> str:
    return ".".join(str(part) for part in version)


def version_of(program: object, pattern: str, user: Optional[str] = None) -> Optional[Version]:
    """The version that `program --version` prints as `pattern` says; nothing if it prints something else or can't run."""
    printed = capture([program, "--version"], user=user)
    match = re.search(pattern, printed) if printed else None
    return numbers(match.group(1)) if match else None


def on_path(*names: str) -> list[Path]:
    """Every executable of these names, in the order of PATH, then in cargo's own folder."""
    folders = os.environ.get("PATH", "").split(os.pathsep) + [str(Path.home() / ".cargo" / "bin")]
    found = (Path(folder) / name for name in names for folder in folders if folder)
    return [path for path in found if path.is_file() and os.access(path, os.X_OK)]


def postgres(user: Optional[str], major: Optional[int] = None) -> Optional[Postgres]:
    """The newest complete PostgreSQL server on the machine (of one major version, if a cluster of it exists already)."""
    folders = [path.resolve().parent for path in on_path("postgres")]
    folders += [Path(folder) for pattern in POSTGRES_FOLDERS for folder in glob.glob(pattern)]
    servers = [server for server in (postgres_in(folder, user) for folder in dict.fromkeys(folders)) if server]
    fitting = [server for server in servers if server.version >= POSTGRES_OLDEST and major in (None, server.major)]
    return max(fitting, key=lambda server: server.version, default=None)


def postgres_in(folder: Path, user: Optional[str]) -> Optional[Postgres]:
    """The server in a folder, if all the programs we need are there, of one version, and run."""
    versions = {version_of(folder / name, r"\(PostgreSQL\) (\d+(?:\.\d+)*)", user) for name in ("postgres", "initdb", "psql")}
    version = versions.pop()
    return None if versions or version is None else Postgres(folder, version)


def nats_server(user: Optional[str]) -> Optional[tuple[Path, Version]]:
    return first_fitting(on_path("nats-server"), r"nats-server: v(\d+\.\d+\.\d+)", NATS_OLDEST, user)


def first_fitting(programs: Iterable[Path], pattern: str, oldest: Version, user: Optional[str] = None) -> Optional[tuple[Path, Version]]:
    for program in programs:
        version = version_of(program, pattern, user)
        if version is not None and version >= oldest:
            return program, version
    return None


def node() -> Optional[tuple[Path, Version]]:
    """A Node.js that the web UI's tools support, with an npm beside it that works."""
    for program in on_path("node"):
        version = version_of(program, r"^v(\d+\.\d+\.\d+)")
        npm = program.with_name("npm")
        if version and node_fits(version) and version_of(npm, r"^(\d+\.\d+\.\d+)"):
            return program, version
    return None


def node_fits(version: Version) -> bool:
    """What Vite asks for: 20.19 or later of 20, 22.12 or later of 22, or anything newer."""
    return (20, 19) <= version < (21,) or version >= (22, 12)


def nextest() -> Optional[tuple[Path, Version]]:
    return first_fitting(on_path("cargo-nextest"), r"cargo-nextest (\d+\.\d+\.\d+)", NEXTEST_OLDEST)


def deny() -> Optional[tuple[Path, Version]]:
    return first_fitting(on_path("cargo-deny"), r"cargo-deny (\d+\.\d+\.\d+)", DENY_OLDEST)


def chromium() -> Optional[tuple[Path, Version]]:
    named = os.environ.get("SOCKETING_CHROMIUM")
    places = [Path(named)] if named else on_path(*CHROMIUM_NAMES) + [Path(place) for place in CHROMIUM_PLACES]
    return first_fitting(places, r"(?:Chromium|Google Chrome)\D*(\d+(?:\.\d+)*)", CHROMIUM_OLDEST)
