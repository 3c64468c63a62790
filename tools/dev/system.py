"""One running Socketing: its databases, its program, and what `./dev up` wrote down about it."""
from __future__ import annotations

import hashlib
import http.client
import json
import os
import signal
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Optional

from . import keep, processes, rust, web
from .layout import Layout, write_private
from .nats import Nats
from .postgres import LASTING, Durability, Postgres
from .run import run, start_server, tail
from .ui import Step, Stop

READY_S = 120.0  # the first start folds the whole log
STOP_S = 45.0  # longer than the program itself gives its requests to end
POLL_S = 0.05


@dataclass(frozen=True)
class Addresses:
    database: str
    nats: str
    relay: str


class System:
    def __init__(self, layout: Layout, durability: Durability = LASTING, databases_of_others: bool = True) -> None:
        """`databases_of_others`: whether DATABASE_URL and NATS_URL name the databases, where they are set."""
        self.layout = layout
        self.postgres = Postgres(layout, durability)
        self.nats = Nats(layout)
        self.other_database = os.environ.get("DATABASE_URL") if databases_of_others else None
        self.other_nats = os.environ.get("NATS_URL") if databases_of_others else None
        self.app = layout.data / "app"
        self.program = self.app / "socketing"
        self.log = layout.logs / "socketing.log"
        self.pattern = processes.command_pattern(str(self.program), "serve")
        self.cards_pattern = processes.command_pattern(str(self.program), "card-sandbox")
        self.own_cards = "SOCKETING_CARD_URL" not in os.environ  # else the provider that it names is used

    def start_postgres(self, step: Step) -> None:
        if self.other_database:
            step.note("the one that DATABASE_URL names")
        else:
            self.postgres.start(step)

    def start_nats(self, step: Step) -> None:
        if self.other_nats:
            step.note("the one that NATS_URL names")
        else:
            self.nats.start(step)

    def addresses(self) -> Addresses:
        database = self.other_database or self.postgres.url()
        if self.other_nats:
            # One URL for both, unless the relay's is named too: a server without users of its own has no other.
            return Addresses(database, self.other_nats, os.environ.get("SOCKETING_NATS_RELAY_URL") or self.other_nats)
        return Addresses(database, self.nats.url(), self.nats.relay_url())

    def install(self, program: Path, pages: Path) -> None:
        rust.install_copy(program, self.app)
        web.install_copy(pages, self.app / "web")

    def identity(self, program: Path, pages: Path) -> str:
        """What a running system was started from: if this is the same, it needs no restart."""
        digest = hashlib.sha256()
        digest.update(program.read_bytes())
        digest.update((pages / ".built-from").read_bytes())
        addresses = self.addresses()
        settings = {name: value for name, value in os.environ.items() if name.startswith("SOCKETING_")}
        digest.update(json.dumps([asdict(addresses), settings], sort_keys=True).encode())
        return digest.hexdigest()

    def environment(self, url: str) -> dict[str, str]:
        """For the program and its tools. The databases' own variables go: these here are what counts."""
        addresses = self.addresses()
        env = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "NATS_URL", "SOCKETING_PORT", "SOCKETING_DATA")}
        env.update(SOCKETING_DATABASE_URL=addresses.database, SOCKETING_NATS_URL=addresses.nats, SOCKETING_NATS_RELAY_URL=addresses.relay, SOCKETING_URL=url)
        env.update(self._cards_environment())
        return env

    def _cards_environment(self) -> dict[str, str]:
        """Where the card sandbox is, once it was started, and what it and the program know each other by."""
        port = keep.known_port(self.layout, "cards")
        if not self.own_cards or port is None:
            return {}
        known = keep.passwords(self.layout)
        return {"SOCKETING_CARD_URL": f"http://127.0.0.1:{port}", "SOCKETING_CARD_KEY": known["cards"], "SOCKETING_CARD_WEBHOOK_SECRET": known["card-webhooks"]}

    def tool(self, name: str, url: str, *arguments: str) -> Path:
        """Runs `socketing <arguments>` against this system; gives the log's path."""
        log = self.layout.logs / f"{name}.log"
        run(f"socketing {' '.join(arguments)}", [self.program, *arguments], log=log, cwd=self.layout.data, env=self.environment(url))
        return log

    def start(self, url: str, identity: str, step: Step) -> None:
        if self.own_cards:
            self._start_cards(url, step)
        env = self.environment(url)
        env.update(SOCKETING_LISTEN=url.split("//")[1], SOCKETING_UI_DIR=str(self.app / "web"))
        child = start_server([self.program, "serve"], log=self.log, cwd=self.app, env=env, user=self.layout.server_user)
        self._wait_ready(child, url, step)
        self._write_run_file(url, child.pid, identity)

    def _start_cards(self, url: str, step: Step) -> None:
        """The card provider to try with. What it has charged stays, like the log."""
        folder = self.layout.data / "cards"
        self.layout.make_private(folder)
        listen = f"127.0.0.1:{keep.port(self.layout, 'cards')}"
        env = self.environment(url)
        env.update(SOCKETING_CARD_SANDBOX_LISTEN=listen, SOCKETING_CARD_SANDBOX_FILE=str(folder / "charges.jsonl"), SOCKETING_CARD_WEBHOOK_URL=f"{url}/v1/webhooks/card")
        log = self.layout.logs / "cards.log"
        child = start_server([self.program, "card-sandbox"], log=log, cwd=self.app, env=env, user=self.layout.server_user)
        deadline = time.monotonic() + READY_S
        while readiness(f"http://{listen}", "/healthz") is None:
            if child.poll() is not None or time.monotonic() > deadline:
                raise Stop(f"socketing card-sandbox did not start. The end of its log ({log}):\n{tail(log)}")
            step.progress("waiting for the card sandbox")
            time.sleep(POLL_S)

    def _wait_ready(self, child: subprocess.Popen, url: str, step: Step) -> None:
        deadline = time.monotonic() + READY_S
        while True:
            answer = readiness(url)
            if answer is not None and answer[0] == 200 and child.poll() is None:
                return
            if child.poll() is not None:
                raise Stop(f"socketing serve ended with code {child.returncode}. The end of its log ({self.log}):\n{tail(self.log)}")
            if time.monotonic() > deadline:
                said = f"; /readyz says: {answer[1]}" if answer else ""
                raise Stop(f"socketing serve was not ready after {READY_S:.0f} s{said}. The end of its log ({self.log}):\n{tail(self.log)}")
            step.progress("waiting until it is ready")
            time.sleep(POLL_S)

    def _write_run_file(self, url: str, pid: int, identity: str) -> None:
        addresses = self.addresses()
        known = {"url": url, "database_url": addresses.database, "nats_url": addresses.nats, "nats_relay_url": addresses.relay, "pid": pid, "identity": identity}
        cards = self._cards_environment()
        if cards:
            known.update(card_url=cards["SOCKETING_CARD_URL"], card_key=cards["SOCKETING_CARD_KEY"])
        for path in self._run_files():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_private(path, json.dumps(known, indent=2) + "\n")

    def _run_files(self) -> list[Path]:
        return [path for path in (self.layout.run_file, self.layout.pointer) if path is not None]

    def written_down(self) -> dict:
        try:
            return json.loads(self.layout.run_file.read_text())
        except (FileNotFoundError, ValueError):
            return {}

    def own_port(self) -> Optional[int]:
        """The port that our program listens on, if it runs."""
        url = self.written_down().get("url")
        return int(url.rsplit(":", 1)[1]) if url and self.running() else None

    def is_current(self, identity: str) -> bool:
        """Whether what runs is what would be started now, and is well."""
        known = self.written_down()
        if known.get("identity") != identity or [process.pid for process in self.running()] != [known.get("pid")]:
            return False
        if self.own_cards and not processes.find(self.cards_pattern):
            return False
        answer = readiness(known["url"])
        return answer is not None and answer[0] == 200

    def running(self) -> list[processes.Process]:
        return processes.find(self.pattern)

    def runs_anything(self) -> bool:
        """Whether the program runs, or what it pays with."""
        return bool(self.running() or processes.find(self.cards_pattern))

    def stop_program(self) -> list[processes.Process]:
        left = processes.stop(self.pattern, signal.SIGTERM, STOP_S)
        left += processes.stop(self.cards_pattern, signal.SIGTERM, STOP_S)  # last: the program asks it until it stops
        if not left:
            for path in self._run_files():
                path.unlink(missing_ok=True)
        return left

    def end_now(self) -> None:
        """For throw-away systems: everything ends at once, and its files go."""
        for pattern in (self.pattern, self.cards_pattern, self.nats.pattern, self.postgres.pattern):
            processes.end_now(pattern)
        self.layout.remove()


def readiness(url: str, path: str = "/readyz") -> Optional[tuple[int, str]]:
    """Status and body of /readyz, or of another path, or nothing if nobody answers."""
    connection = http.client.HTTPConnection(url.split("//")[1], timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(4096).decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
