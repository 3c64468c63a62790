"""`./dev up`: from whatever is there to a page in the browser. Every step can be done again."""
from __future__ import annotations

from pathlib import Path

from . import keep, parallel, rust, web
from .layout import Layout, lock, need_space
from .system import System
from .ui import Stop, say, step

FREE_GIB = 1.0  # for the databases to start at all


def up(layout: Layout) -> None:
    need_space(layout.data, FREE_GIB, "Running Socketing")
    rust.cargo()  # before anything long begins
    with lock(layout, "system", "starting or stopping this system"):
        say(f"Socketing in {layout.data}")
        system = System(layout)
        program, pages = _provide(system)
        url = _bring_up(system, program, pages)
        _load_demo(system, url)
    _tell(system, url)


def _provide(system: System) -> tuple[Path, Path]:
    """Builds the program, and meanwhile gets the databases and the web UI ready."""
    with parallel.together() as steps:
        steps.start(_build, system)
        steps.start(_pages, system)
        steps.start(_databases, system)
        program, pages, _ = steps.results()
    return program, pages


def _build(system: System) -> Path:
    with step("Program (Rust; several minutes the first time)") as this:
        return rust.build(system.layout, this)


def _pages(system: System) -> Path:
    with step("Web UI") as this:
        return web.build(system.layout, this)


def _databases(system: System) -> None:
    with step("PostgreSQL") as this:
        system.start_postgres(this)
    with step("NATS") as this:
        system.start_nats(this)


def _bring_up(system: System, program: Path, pages: Path) -> str:
    identity = system.identity(program, pages)
    if system.is_current(identity):
        url = system.written_down()["url"]
        say(f"  ✓ Socketing runs already, at {url}")
        return url
    named = keep.named_http_port(system.own_port())  # before anything that runs is stopped
    _stop_old(system)
    with step("Schema") as this:
        system.install(program, pages)
        system.tool("migrate", "http://127.0.0.1", "migrate")
        this.note("up to date")
    with step("Services") as this:
        url = f"http://127.0.0.1:{named or keep.port(system.layout, 'http')}"
        system.start(url, identity, this)
        this.note(f"ready at {url}")
    return url


def _stop_old(system: System) -> None:
    if not system.runs_anything():
        return
    with step("Stopping what ran before") as this:
        left = system.stop_program()
        this.note("would not stop" if left else "stopped")
    if left:
        raise Stop(f"The Socketing that runs already would not stop: process {', '.join(str(p.pid) for p in left)}. End it with kill -9, then run ./dev up again.")


def _load_demo(system: System, url: str) -> None:
    with step("Demo") as this:
        system.tool("demo", url, "demo")
        this.note("loaded")


def _tell(system: System, url: str) -> None:
    demo = (system.layout.logs / "demo.log").read_text().strip()
    say(f"\nSocketing is at {url}\n\n{demo}\n\n{TRY.format(url=url)}")


TRY = """To try:
  {url}               sign in as a fan, wait in line, choose seats, pay; open it twice to see seats go
  {url}/docs          the HTTP API
  ./dev socketing rush --fans 1000    a thousand fans at once; then: ./dev socketing verify
  ./dev status, ./dev logs, ./dev down, ./dev test"""
