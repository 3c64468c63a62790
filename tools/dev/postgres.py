"""A PostgreSQL cluster of the project's own: loopback only, passwords only, in the data folder."""
from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import Optional

from . import find, install, keep, processes
from .layout import GIB, Layout, memory_bytes, write_private
from .run import run, start_server, tail
from .ui import Step, Stop

START_S = 300.0  # recovery after a crash replays up to max_wal_size
STOP_S = 60.0
POLL_S = 0.05
CHILDREN_S = 20.0  # for the children of a killed server to notice that it is gone: they hold its port and its memory

DATABASE = "socketing"


@dataclass(frozen=True)
class Durability:
    """What a cluster promises. Only the one for tests may give up what an operating system's crash would need."""

    fsync: bool
    max_connections: int


LASTING = Durability(fsync=True, max_connections=300)
# Tests kill programs, never the operating system: what a killed server wrote is then still in the page cache, so
# leaving out fsync changes nothing that a test can see. synchronous_commit stays on: without it a killed server loses commits.
THROW_AWAY = Durability(fsync=False, max_connections=500)


class Postgres:
    def __init__(self, layout: Layout, durability: Durability = LASTING) -> None:
        self.layout, self.durability = layout, durability
        self.folder = layout.data / "postgres"
        self.data = self.folder / "data"
        self.log = layout.logs / "postgres.log"
        self.pattern = processes.command_pattern("postgres", "-D", self.data)
        self.server: Optional[find.Postgres] = None

    def provide(self, step: Step) -> find.Postgres:
        """Binaries on the machine, else installed ones; of the version that made the cluster, if there is one."""
        major = self._cluster_major()
        user = self.layout.server_user
        server = find.postgres(user, major)
        if server is None:
            step.progress("installing")
            server = find.postgres_in(install.postgres_bin(self.layout), user)
            if server is None:
                raise Stop(f"The installed PostgreSQL in {self.layout.tools} doesn't run here. If that folder's disk forbids programs (noexec), name another with SOCKETING_DATA.")
            if major not in (None, server.major):
                raise Stop(f"The data in {self.data} was made by PostgreSQL {major}, which is not here any more. Install it again, or remove {self.folder} to start afresh.")
        self.server = server
        return server

    def _cluster_major(self) -> Optional[int]:
        try:
            return int((self.data / "PG_VERSION").read_text())
        except FileNotFoundError:
            return None

    def running(self) -> bool:
        return bool(processes.find(self.pattern))

    def start(self, step: Step) -> None:
        if self.server is None:
            self.provide(step)
        where = "installed" if self.server.bin.is_relative_to(self.layout.tools) else self.server.bin
        if self.running():
            self._wait_ready(None, step)
        else:
            self._make_cluster(step)
            self._start(step)
        self._make_database()
        step.note(f"{find.shown(self.server.version)} ({where}), port {keep.known_port(self.layout, 'postgres')}")

    def _make_cluster(self, step: Step) -> None:
        if self.data.is_dir():
            return
        step.progress("making the cluster")
        self.layout.make_private(self.folder)
        fresh, password = self.folder / "data.new", self.folder / "password.new"
        shutil.rmtree(fresh, ignore_errors=True)  # left by one that was killed halfway
        write_private(password, keep.passwords(self.layout)["postgres"] + "\n", self.layout)
        argv = [self.server.bin / "initdb", "-D", fresh, "-U", "postgres", "-A", "scram-sha-256", "--pwfile", password, "-E", "UTF8", "--locale=C"]
        if not self.durability.fsync:
            argv.append("--no-sync")
        try:
            run("initdb", argv, log=self.layout.logs / "initdb.log", env=self._env(), cwd=self.folder, user=self.layout.server_user)
        finally:
            password.unlink()
        with open(fresh / "postgresql.conf", "a") as conf:
            conf.write("\ninclude = 'socketing.conf'\n")
        os.rename(fresh, self.data)

    def _env(self) -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}

    def settings(self, port: int) -> str:
        """The cluster's own settings; what isn't here keeps PostgreSQL's default."""
        free = shutil.disk_usage(self.layout.data).free
        # Segments are kept for reuse: without that each new one is filled with zeros first, and commits stall for 50 ms and more.
        kept_wal_gb = 4 if self.durability.fsync and free > 40 * GIB else 1
        buffers_mb = min(1024, max(128, memory_bytes() // 8 // (1 << 20)))
        return "\n".join([
            "# Written by ./dev at every start.",
            "listen_addresses = '127.0.0.1'",
            f"port = {port}",
            "unix_socket_directories = ''  # its path may be longer than a socket's may be",
            f"max_connections = {self.durability.max_connections}",
            f"shared_buffers = {buffers_mb}MB",
            f"min_wal_size = {kept_wal_gb}GB",
            f"max_wal_size = {2 * kept_wal_gb}GB",
            "synchronous_commit = on",
            f"fsync = {'on' if self.durability.fsync else 'off'}",
            "log_line_prefix = '%m [%p] %u@%d '",
            "timezone = 'UTC'",
            "log_timezone = 'UTC'",
            "",
        ])

    def _start(self, step: Step) -> None:
        killed = (self.data / "postmaster.pid").exists()
        port = keep.port(self.layout, "postgres", CHILDREN_S if killed else 0)
        write_private(self.data / "socketing.conf", self.settings(port), self.layout)
        deadline = time.monotonic() + CHILDREN_S
        while not self._launch(step):
            if time.monotonic() > deadline:
                raise Stop(f"PostgreSQL did not start. The end of its log ({self.log}):\n{tail(self.log)}")
            time.sleep(0.5)

    def _launch(self, step: Step) -> bool:
        """Starts the server once; false if the children of a killed one still hold its memory, so that it may try again."""
        self._forget_dead_server()
        began_at = self.log.stat().st_size if self.log.exists() else 0
        argv = [self.server.bin / "postgres", "-D", self.data]
        child = start_server(argv, log=self.log, cwd=self.folder, env=self._env(), user=self.layout.server_user)
        if self._wait_ready(child, step):
            return True
        with open(self.log, "rb") as log:
            log.seek(began_at)
            printed = log.read().decode(errors="replace")
        if "shared memory block" in printed or "lock file" in printed:
            return False
        raise Stop(f"PostgreSQL did not start. The end of its log ({self.log}):\n{tail(self.log)}")

    def _forget_dead_server(self) -> None:
        """Removes a killed server's lock file. It names a process id, which may by now be another program's."""
        lock_file = self.data / "postmaster.pid"
        if lock_file.exists() and not self.running():
            lock_file.unlink()

    def _wait_ready(self, child: Optional[subprocess.Popen], step: Step) -> bool:
        """Waits until the server says in its lock file that it is ready; false if it ended instead."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            if child is not None and child.poll() is not None:
                return False
            if self._says_ready():
                return True
            step.progress("waiting until it is ready (after a crash it replays its log)")
            time.sleep(POLL_S)
        raise Stop(f"PostgreSQL was not ready after {START_S:.0f} s. The end of its log ({self.log}):\n{tail(self.log)}")

    def _says_ready(self) -> bool:
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[7].strip() == "ready"

    def _make_database(self) -> None:
        """The database and its owner, who is no superuser; the password is set anew each time, so a lost file heals."""
        script = self.layout.run / "database.sql"
        script.write_text(_DATABASE_SQL)
        env = {**self._env(), "PGPASSWORD": keep.passwords(self.layout)["postgres"], "SOCKETING_PASSWORD": keep.passwords(self.layout)["socketing"]}
        argv = [self.server.bin / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", keep.known_port(self.layout, "postgres"),
                "-U", "postgres", "-d", "postgres", "-f", script]
        run("Making the database", argv, log=self.layout.logs / "database.log", env=env)

    def url(self) -> str:
        return self._url("socketing", DATABASE)

    def superuser_url(self) -> str:
        """For tests, which make databases of their own."""
        return self._url("postgres", "postgres")

    def _url(self, user: str, database: str) -> str:
        password = keep.passwords(self.layout)[user]
        return f"postgres://{user}:{password}@127.0.0.1:{keep.known_port(self.layout, 'postgres')}/{database}"

    def stop(self) -> list[processes.Process]:
        """A fast shutdown: sessions are ended, everything is written; gives back what would not stop."""
        return processes.stop(self.pattern, signal.SIGINT, STOP_S)


_DATABASE_SQL = r"""
\getenv password SOCKETING_PASSWORD
select 'create role socketing login' where not exists (select from pg_roles where rolname = 'socketing') \gexec
set password_encryption = 'scram-sha-256';
set log_statement = 'none';
alter role socketing password :'password';
select 'create database socketing owner socketing' where not exists (select from pg_database where datname = 'socketing') \gexec
"""
