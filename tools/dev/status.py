"""`./dev status` and `./dev logs`: what runs, how it is, and what it says."""
from __future__ import annotations

import json
import os

from . import keep
from .layout import Layout
from .processes import find
from .system import System, readiness
from .ui import Stop, say

LOGS = ("socketing", "cards", "postgres", "nats")


def status(layout: Layout) -> bool:
    """Prints what runs; whether all of it does, and is ready."""
    system = System(layout)
    say(f"data folder  {layout.data}")
    _server("PostgreSQL", system.postgres.pattern, system.other_database, "DATABASE_URL", keep.known_port(layout, "postgres"))
    _server("NATS", system.nats.pattern, system.other_nats, "NATS_URL", keep.known_port(layout, "nats"))
    _cards(system)
    running = find(system.pattern)
    url = system.written_down().get("url")
    if not running or not url:
        say("Socketing    does not run (./dev up starts it)")
        return False
    answer = readiness(url)
    say(f"Socketing    process {running[0].pid}, {url}")
    if answer is None:
        say("             does not answer (./dev logs shows why)")
        return False
    say(f"/readyz      {answer[0]} {_compact(answer[1])}")
    return answer[0] == 200


def _cards(system: System) -> None:
    if system.own_cards:
        _server("Card sandbox", system.cards_pattern, None, "", keep.known_port(system.layout, "cards"))


def _server(name: str, pattern, other, variable: str, port) -> None:
    if other:
        say(f"{name:<12} the one that {variable} names")
        return
    running = find(pattern)
    say(f"{name:<12} " + (f"process {running[0].pid}, port {port}" if running else "does not run"))


def _compact(body: str) -> str:
    try:
        return json.dumps(json.loads(body), ensure_ascii=False)
    except ValueError:
        return body.strip()


def logs(layout: Layout, names: list[str]) -> None:
    """Becomes `tail -f` on the logs."""
    files = []
    for name in names or LOGS:
        file = layout.logs / f"{name}.log"
        if file.exists():
            files.append(str(file))
        elif names:
            known = ", ".join(sorted(path.stem for path in layout.logs.glob("*.log")))
            raise Stop(f"There is no log '{name}' in {layout.logs}. There are: {known or 'none yet'}.")
    if not files:
        raise Stop(f"There are no logs in {layout.logs} yet; ./dev up makes them.")
    os.execvp("tail", ["tail", "-n", "50", "-F", *files])
