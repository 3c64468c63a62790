"""NOTICES.md: whose work is in what we ship, under which licence. Made from Cargo's and npm's own data."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Iterator, NamedTuple

from . import rust
from .layout import PROJECT
from .run import capture
from .ui import Stop, say

NOTICES = PROJECT / "NOTICES.md"
LOCK = PROJECT / "web" / "package-lock.json"
# The targets of deny.toml: what is built in differs a little between them.
TARGETS = ("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "x86_64-apple-darwin", "aarch64-apple-darwin")
LICENCE_FILES = ("LICENSE*", "LICENCE*", "COPYING*", "NOTICE*", "UNLICENSE*", "license*")

HEAD = """# Notices

Socketing is published under the [MIT licence](LICENSE). What is built into the program `socketing` and into the web UI is other people's work too, under the licences named here. Made by `./dev notices` and checked by `./dev test`; for a release, `./dev notices FILE` writes the full texts to ship along.

PostgreSQL (PostgreSQL licence), NATS (Apache-2.0), Node.js (MIT) and the tools for tests are separate programs: they are found on the machine or downloaded, and not shipped.
"""


class Part(NamedTuple):
    name: str
    version: str
    licence: str
    home: str
    folder: Path


def notices(arguments: list[str]) -> None:
    crates, packages = sorted(_crates()), sorted(_packages())
    if arguments:
        Path(arguments[0]).write_text(_texts([*crates, *packages]))
        say(f"The texts of {len(crates) + len(packages)} packages are in {arguments[0]}.")
        return
    NOTICES.write_text(page())
    say(f"{NOTICES.name} names {len(crates)} crates and {len(packages)} packages of npm.")


def page() -> str:
    """Without versions: a newer one of the same package changes nothing here."""
    return "\n".join([HEAD, "## In the program", "", *_table(_crates()), "", "## In the web UI", "", *_table(_packages()), ""])


def _table(parts: Iterator[Part]) -> Iterator[str]:
    yield "| package | licence |"
    yield "|---|---|"
    for name, licence, home in sorted({(part.name, part.licence, part.home) for part in parts}):
        yield f"| {f'[{name}]({home})' if home else name} | {licence} |"


def _crates() -> Iterator[Part]:
    """The crates that are linked in: no build scripts' or tests' dependencies, and not our own."""
    linked = _linked()
    metadata = json.loads(_cargo("metadata", "--locked", "--format-version", "1"))
    for package in metadata["packages"]:
        if package["source"] and f"{package['name']} v{package['version']}" in linked:
            folder = Path(package["manifest_path"]).parent
            yield Part(package["name"], package["version"], _tidy(package["license"]), package["repository"] or "", folder)


def _linked() -> set[str]:
    arguments = ["tree", "--locked", "-p", rust.PACKAGE, "-e", "normal,no-proc-macro", "--prefix", "none", "-f", "{p}"]
    printed = (_cargo(*arguments, "--target", target) for target in TARGETS)
    return {" ".join(line.split()[:2]) for text in printed for line in text.splitlines() if line.strip()}


def _cargo(*arguments: str) -> str:
    printed = capture([rust.cargo(), *arguments, "--manifest-path", PROJECT / "Cargo.toml", "--quiet"], env=rust.environment())
    if printed is None:
        raise Stop(f"`cargo {' '.join(arguments)}` fails: run it to see why.")
    return printed


def _packages() -> Iterator[Part]:
    """npm's packages that the built pages contain: what isn't for development."""
    for place, package in json.loads(LOCK.read_text())["packages"].items():
        if place and not package.get("dev") and not package.get("devOptional"):
            yield Part(place.rsplit("node_modules/", 1)[1], package["version"], _tidy(package.get("license")), "", LOCK.parent / place)


def _tidy(licence) -> str:
    return (licence or "see its files").replace("/", " OR ") if "file" not in (licence or "") else licence


def _texts(parts: list[Part]) -> str:
    sections = []
    for part in parts:
        files = dict.fromkeys(file for pattern in LICENCE_FILES for file in sorted(part.folder.glob(pattern)) if file.is_file())
        texts = "\n\n".join(file.read_text(errors="replace").strip() for file in files) or f"(no text in the package; its licence is {part.licence})"
        sections.append(f"{'=' * 80}\n{part.name} {part.version}: {part.licence}\n{'=' * 80}\n\n{texts}\n")
    return "\n".join(sections)
