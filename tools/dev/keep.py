"""What a running Socketing keeps between starts: its ports and its passwords."""
from __future__ import annotations

import json
import os
import secrets
import socket
import time
from pathlib import Path
from typing import Optional

from .layout import Layout, write_private
from .ui import Stop

FIRST_PORTS = {"http": 8600, "postgres": 15600, "nats": 14600, "cards": 13600}  # below the range from which systems take ports for clients
PORTS_TRIED = 200
PASSWORDS = ("postgres", "socketing", "relay", "reader", "cards", "card-webhooks")
PASSWORD_BYTES = 24
POLL_S = 0.05


def _read(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}


def passwords(layout: Layout) -> dict[str, str]:
    """Made once per data folder; the databases are made with them, so they are never made anew.

    A letter, then hexadecimal digits: nats-server reads a password as configuration, and would take another one apart.
    """
    path = layout.run / "passwords.json"
    kept = _read(path)
    missing = [name for name in PASSWORDS if name not in kept]
    if missing:
        kept.update({name: "p" + secrets.token_hex(PASSWORD_BYTES) for name in missing})
        write_private(path, json.dumps(kept, indent=2))
    return kept


def is_free(port: int) -> bool:
    """Whether nobody listens on the port of loopback, or of every address."""
    with socket.socket() as probe:
        probe.settimeout(1)
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a connection closed a moment ago doesn't count
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _becomes_free(port: int, patience_s: float) -> bool:
    deadline = time.monotonic() + patience_s
    while not is_free(port):
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_S)
    return True


def port(layout: Layout, name: str, patience_s: float = 0.0) -> int:
    """The port of a server that is about to start: the one of last time, or another if someone took that meanwhile.

    `patience_s` is for a server that was killed: its children keep the port until they notice.
    """
    path = layout.run / "ports.json"
    kept = _read(path)
    chosen = kept.get(name)
    if not isinstance(chosen, int) or not _becomes_free(chosen, patience_s):
        chosen = _free_port(FIRST_PORTS[name] + layout.port_offset, set(kept.values()))
        write_private(path, json.dumps({**kept, name: chosen}, indent=2))
    return chosen


def known_port(layout: Layout, name: str) -> Optional[int]:
    return _read(layout.run / "ports.json").get(name)


def _free_port(first: int, taken: set) -> int:
    for candidate in range(first, first + PORTS_TRIED):
        if candidate not in taken and is_free(candidate):
            return candidate
    raise Stop(f"Ports {first} to {first + PORTS_TRIED - 1} on 127.0.0.1 are all in use. Free one, then run the command again.")


def named_http_port(ours: Optional[int] = None) -> Optional[int]:
    """SOCKETING_PORT, if it is set; it must be free, or be used by the system of `ours` that is about to be replaced."""
    named = os.environ.get("SOCKETING_PORT")
    if not named:
        return None
    if not named.isdigit() or not 0 < int(named) < 65536:
        raise Stop(f"SOCKETING_PORT is '{named}', which is no port (1 to 65535).")
    if int(named) != ours and not is_free(int(named)):
        raise Stop(f"Port {named} (SOCKETING_PORT) is in use by another program. Stop that program, or name another port; without SOCKETING_PORT a free one is chosen.")
    return int(named)
