"""web/package-lock.json must name the binaries of every platform, or `npm ci` fails on the others.

npm writes only those that it could look at when the lock was made, which depends on node_modules and on the registry at
hand. `./dev lock` adds the missing ones, by name and exact version, as their parents ask for them.
"""
from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Iterator

from .layout import PROJECT
from .ui import say

LOCK = PROJECT / "web" / "package-lock.json"
SYSTEMS = {"darwin", "linux", "win32", "freebsd", "android", "openharmony", "netbsd", "openbsd", "sunos", "aix"}
PROCESSORS = {"x64", "arm64", "arm", "ia32", "ppc64", "s390x", "riscv64", "loong64", "wasm32"}


def missing(packages: dict) -> Iterator[tuple[str, dict]]:
    """Optional dependencies with an exact version that have no entry, each with the entry it should have."""
    for place, package in packages.items():
        for name, version in package.get("optionalDependencies", {}).items():
            known = f"node_modules/{name}" in packages or f"{place}/node_modules/{name}" in packages
            if not known and re.fullmatch(r"\d+\.\d+\.\d+", version):
                yield f"node_modules/{name}", entry(name, version, package)


def entry(name: str, version: str, parent: dict) -> dict:
    words = set(re.split(r"[-/]", name))
    found = {
        "version": version,
        "cpu": sorted(words & PROCESSORS),
        "dev": parent.get("dev", False),
        "libc": ["musl"] if "musl" in words else ["glibc"] if "gnu" in words else [],
        "optional": True,
        "os": sorted(words & SYSTEMS),
    }
    return {key: value for key, value in found.items() if value}


def read(path: Path = LOCK) -> dict:
    return json.loads(path.read_text())


def complete() -> None:
    lock = read()
    added = dict(missing(lock["packages"]))
    lock["packages"] = dict(sorted({**lock["packages"], **added}.items()))
    LOCK.write_text(json.dumps(lock, indent=2, ensure_ascii=False) + "\n")
    say(f"{len(added)} packages of other platforms added to {LOCK.relative_to(PROJECT)}.")
