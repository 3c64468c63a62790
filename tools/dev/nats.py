"""A NATS server of the project's own: loopback only, with JetStream in the data folder and a user for each job."""
from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Optional

from . import find, install, keep, processes
from .layout import PROJECT, Layout, write_private
from .run import start_server, tail
from .ui import Step, Stop

CONFIGURATION = PROJECT / "nats" / "server.conf"
START_S = 60.0  # JetStream reads its stream's index; minutes only where the disk is very slow
STOP_S = 30.0
POLL_S = 0.02


class Nats:
    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.folder = layout.data / "nats"
        self.conf = self.folder / "server.conf"
        self.log = layout.logs / "nats.log"
        self.pattern = processes.command_pattern("nats-server", "--config", self.conf)
        self.program: Optional[Path] = None
        self.version: find.Version = ()
        self.child: Optional[subprocess.Popen] = None

    def provide(self, step: Step) -> Path:
        """The machine's nats-server if it is new enough, else an installed one."""
        user = self.layout.server_user
        found = find.nats_server(user)
        if found is None:
            step.progress("installing")
            found = find.first_fitting([install.nats_server(self.layout)], r"nats-server: v(\d+\.\d+\.\d+)", find.NATS_OLDEST, user)
        if found is None:
            raise Stop(f"The installed nats-server in {self.layout.tools} doesn't run here. If that folder's disk forbids programs (noexec), name another with SOCKETING_DATA.")
        self.program, self.version = found
        return self.program

    def running(self) -> bool:
        return bool(processes.find(self.pattern))

    def start(self, step: Step) -> None:
        program = self.program or self.provide(step)
        if self.running() and not self._is_configured():
            self.stop()
        if not self.running():
            self._start(program)
        self._wait_ready(step)
        where = "installed" if program.is_relative_to(self.layout.tools) else program
        step.note(f"{find.shown(self.version)} ({where}), port {keep.known_port(self.layout, 'nats')}")

    def _is_configured(self) -> bool:
        return self.conf.read_text() == CONFIGURATION.read_text()

    def _start(self, program: Path) -> None:
        port = keep.port(self.layout, "nats")
        self.layout.make_private(self.folder)
        # A copy, because the server's user may not reach the project's folder. The passwords come by the environment.
        write_private(self.conf, CONFIGURATION.read_text(), self.layout)
        passwords = keep.passwords(self.layout)
        env = {
            "PATH": os.environ.get("PATH", ""),
            "SOCKETING_NATS_RELAY_PASSWORD": passwords["relay"],
            "SOCKETING_NATS_READER_PASSWORD": passwords["reader"],
        }
        argv = [program, "--config", self.conf, "--addr", "127.0.0.1", "--port", port, "--store_dir", self.folder]
        self.child = start_server(argv, log=self.log, cwd=self.folder, env=env, user=self.layout.server_user)

    def _wait_ready(self, step: Step) -> None:
        """Ready is when it greets a client: it listens only after JetStream has recovered."""
        deadline = time.monotonic() + START_S
        while not self._greets():
            if not self.running() and not self._just_started():
                raise Stop(f"nats-server did not start. The end of its log ({self.log}):\n{tail(self.log)}")
            if time.monotonic() > deadline:
                raise Stop(f"nats-server was not ready after {START_S:.0f} s. The end of its log ({self.log}):\n{tail(self.log)}")
            step.progress("waiting until it is ready")
            time.sleep(POLL_S)

    def _just_started(self) -> bool:
        """Whether our child lives, though it may not show its command line yet."""
        return self.child is not None and self.child.poll() is None

    def _greets(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", keep.known_port(self.layout, "nats")), timeout=1) as connection:
                return connection.recv(5) == b"INFO "
        except OSError:
            return False

    def url(self) -> str:
        """For what follows the log."""
        return self._url("reader")

    def relay_url(self) -> str:
        """For the relay, the only one that may publish."""
        return self._url("relay")

    def _url(self, user: str) -> str:
        return f"nats://{user}:{keep.passwords(self.layout)[user]}@127.0.0.1:{keep.known_port(self.layout, 'nats')}"

    def stop(self) -> list[processes.Process]:
        return processes.stop(self.pattern, signal.SIGTERM, STOP_S)
