"""Where things are: the project, its data folder, and who may own what in it."""
from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import secrets
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from . import run
from .ui import Stop, say

PROJECT = Path(__file__).resolve().parents[2]
SERVER_USERS = ("nobody", "daemon")  # PostgreSQL refuses to run as root: these exist everywhere and own nothing
THROW_AWAY_PORTS = 300
GIB = 1 << 30


@dataclass(frozen=True)
class Layout:
    """One running Socketing's folder. `server_user` is set when we are root: servers then run as that user."""

    data: Path
    tools: Path
    server_user: Optional[str]
    pointer: Optional[Path] = None  # a second place for the run file, where programs in the project's folder look for it
    port_offset: int = 0  # keeps throw-away systems off the ports of the lasting one, though that may not run now

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def run(self) -> Path:
        return self.data / "run"

    @property
    def run_file(self) -> Path:
        return self.run / "socketing.json"

    def within(self, name: str) -> "Layout":
        """A layout of its own inside this one, for throw-away systems; the installed tools are shared."""
        return Layout(self.data / name, self.tools, self.server_user, port_offset=THROW_AWAY_PORTS)

    def prepare(self) -> None:
        for folder in (self.data, self.tools, self.logs, self.run):
            folder.mkdir(parents=True, exist_ok=True)
            _let_others_pass(folder)

    def make_private(self, folder: Path) -> None:
        """A folder that only the servers' user can look into."""
        folder.mkdir(parents=True, exist_ok=True)
        self.give(folder)
        folder.chmod(0o700)

    def give(self, path: Path) -> None:
        if self.server_user is not None:
            entry = pwd.getpwnam(self.server_user)
            os.chown(path, entry.pw_uid, entry.pw_gid)

    def remove(self) -> None:
        shutil.rmtree(self.data, ignore_errors=True)


def _let_others_pass(folder: Path) -> None:
    """The servers' user must reach its own folders through ours, whatever the umask says."""
    if os.geteuid() == 0:
        folder.chmod(folder.stat().st_mode | 0o055)


def choose() -> Layout:
    """The project's data folder: SOCKETING_DATA, else .data, else (root in a closed folder) one under /var/tmp."""
    user = _server_user() if os.geteuid() == 0 else None
    named = os.environ.get("SOCKETING_DATA")
    data = Path(named).expanduser().absolute() if named else PROJECT / ".data"
    if user is not None and not _reachable(data, user):
        if named:
            raise Stop(f"SOCKETING_DATA names {data}, but as root the servers run as '{user}', who can't reach it. Name a folder that everyone can pass into.")
        data = _outside()
        say(f"As root the servers run as '{user}', who can't reach {PROJECT}: the data is kept in {data}.")
    pointer = PROJECT / ".data" / "run" / "socketing.json" if data != PROJECT / ".data" and not named else None
    layout = Layout(data, data / "tools", user, pointer)
    try:
        layout.prepare()
    except OSError as error:
        raise Stop(f"The data folder {data} can't be made: {error.strerror}. Name another with SOCKETING_DATA.") from error
    return layout


def _server_user() -> str:
    for name in SERVER_USERS:
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        if run.capture(["/bin/sh", "-c", "exit 0"], user=name) is not None:
            return name
    raise Stop("As root the servers must run as another user, and neither 'nobody' nor 'daemon' can be used here. Run ./dev as an ordinary user.")


def _reachable(folder: Path, user: str) -> bool:
    """Whether the user can pass into the nearest part of the path that exists."""
    while not folder.exists():
        folder = folder.parent
    return run.capture(["/bin/sh", "-c", 'cd "$1"', "sh", folder], user=user) is not None


def _outside() -> Path:
    digest = hashlib.sha256(str(PROJECT).encode()).hexdigest()[:12]
    folder = Path("/var/tmp") / f"socketing-{digest}"
    folder.mkdir(mode=0o755, exist_ok=True)
    status = folder.lstat()
    if folder.is_symlink() or status.st_uid != 0:
        raise Stop(f"{folder} belongs to someone else. Remove it, or name another data folder with SOCKETING_DATA.")
    return folder


def write_private(path: Path, text: str, layout: Optional[Layout] = None) -> None:
    """Writes a file that only its owner can read, whole or not at all."""
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
    if layout is not None:
        layout.give(fresh)
    os.replace(fresh, path)


def need_space(folder: Path, gib: float, what: str) -> None:
    """Stops before work begins that the disk has no room for."""
    free = shutil.disk_usage(folder).free / GIB
    if free < gib:
        raise Stop(f"{what} needs about {gib:g} GiB, and the disk under {folder} has {free:.1f} GiB free. Free some space, or name a data folder on another disk with SOCKETING_DATA.")


def memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@contextmanager
def lock(layout: Layout, name: str, doing: str):
    """One ./dev at a time does this; a second one says so and waits."""
    path = layout.run / f"{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Another ./dev is {doing}; waiting for it (Ctrl-C to stop waiting).")
            fcntl.flock(held, fcntl.LOCK_EX)
        yield
