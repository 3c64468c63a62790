"""`./dev test`: every test and check there is, on servers of its own; stops at the first failure, and leaves nothing running."""
from __future__ import annotations

import difflib
import os
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator, Optional

from . import browser, find, install, keep, notices, rust, totals, ui, web
from .layout import PROJECT, Layout, lock, need_space
from .postgres import THROW_AWAY
from .run import run
from .system import System
from .ui import Step, Stop, say, step

PARTS = ("lint", "web", "rust", "e2e")
FREE_GIB = 8.0  # the build with its tests, lints and documentation, and the servers' data
SCHEMA = PROJECT / "web" / "src" / "api" / "schema.d.ts"
OPENAPI = PROJECT / "docs" / "api" / "openapi.json"
DIFF_LINES = 40
CHAOS_FAULTS = "200"  # without SOCKETING_CHAOS_FAULTS; the test suite itself draws 20
SMALL_RUSH = ("rush", "--fans", "100", "--seed", "42")


def test(layout: Layout, parts: list[str]) -> None:
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise Stop(f"There is no part '{unknown[0]}'. Parts: {', '.join(PARTS)}; without one, all of them.")
    began = time.monotonic()
    with lock(layout, "test", "testing"):
        tests = Tests(layout)
        wanted = [part for part in PARTS if part in parts or not parts]
        for part in wanted:
            getattr(tests, f"provide_{part}")()
        with tests.servers_ended():
            for part in wanted:
                say(f"{part}:")
                getattr(tests, part)()
    _tell(tests.done, time.monotonic() - began)


def chaos(layout: Layout) -> None:
    """The seeded faults of the tests, as many as SOCKETING_CHAOS_FAULTS says."""
    faults = os.environ.get("SOCKETING_CHAOS_FAULTS", CHAOS_FAULTS)
    with lock(layout, "test", "testing"):
        tests = Tests(layout)
        tests.provide_rust()
        with tests.servers_ended():
            tests.chaos(faults)


def _tell(done: list[totals.Total], seconds: float) -> None:
    say(f"\nAll of it in {ui.minutes(seconds)}:")
    for total in sorted(done, key=lambda total: total.runner == "nextest"):  # the largest last
        say(f"  {total.runner}: {total.line}")
    say(f"\n{sum(total.passed for total in done)} passed, 0 failed")


class Tests:
    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        need_space(layout.data, FREE_GIB, "Building and running all tests")
        # Servers, logs and run file of their own: the system of `./dev up` isn't touched.
        self.own = layout.within("test")
        self.system = System(self.own, THROW_AWAY, databases_of_others=False)
        self.done: list[totals.Total] = []
        self.chromium: Optional[Path] = None
        self.tools: dict[str, Path] = {}

    @contextmanager
    def servers_ended(self) -> Iterator[None]:
        self.system.end_now()  # left by a run that was killed
        self.own.prepare()
        try:
            yield
        except BaseException:
            self._keep_logs()
            raise
        finally:
            self.system.end_now()

    def _keep_logs(self) -> None:
        """A failure's server logs outlive the throw-away folder."""
        for name in ("socketing", "cards", "postgres", "nats"):
            log = self.own.logs / f"{name}.log"
            if log.exists():
                os.replace(log, self.layout.logs / f"test-{name}.log")

    # What each part needs, before anything long begins.

    def provide_lint(self) -> None:
        self._cargo()
        self._tool("cargo-deny", find.deny, install.deny)
        self._packages()

    def provide_rust(self) -> None:
        self._cargo()
        self._tool("cargo-nextest", find.nextest, install.nextest)
        with step("PostgreSQL and NATS for the tests") as this:
            server = self.system.postgres.provide(this)
            self.tools["nats-server"] = self.system.nats.provide(this)
            this.note(f"PostgreSQL {find.shown(server.version)}, NATS {find.shown(self.system.nats.version)}")

    def provide_web(self) -> None:
        self._packages()

    def provide_e2e(self) -> None:
        self._cargo()
        with step("Chromium") as this:
            self.chromium = browser.provide(self.layout, this)
        self._packages()

    def _cargo(self) -> None:
        if "cargo" not in self.tools:
            self.tools["cargo"] = rust.cargo()

    def _tool(self, name: str, found: Callable, installed: Callable) -> None:
        with step(name) as this:
            known = found()
            self.tools[name] = known[0] if known else installed(self.layout)
            this.note(f"{find.shown(known[1])}, {known[0]}" if known else f"installed, {self.tools[name]}")

    def _packages(self) -> None:
        if "npm" in self.tools:
            return
        with step("npm packages") as this:
            web.install_packages(self.layout, this)
            self.tools["npm"] = web.WEB

    # The parts.

    def lint(self) -> None:
        with step("The set-up's own tests") as this:
            argv = [sys.executable, "-B", "-W", "ignore::ResourceWarning", "-m", "unittest", "discover", "-v", "-s", PROJECT / "tools" / "dev" / "tests", "-t", PROJECT / "tools"]
            self._count("unittest", self._run("setup-tests", argv), this)
        self._cargo_step("cargo fmt", "fmt", "--all", "--check")
        with step("cargo deny") as this:
            self._run("deny", [self.tools["cargo-deny"], "--locked", "check", "bans", "licenses", "sources"])
            this.note("bans, licences, sources")
        with step("Notices") as this:
            _same(notices.NOTICES, notices.page(), "./dev notices")
            this.note("up to date")
        self._npm_step("Biome", "lint", "run", "lint")
        self._npm_step("tsc", "typecheck", "run", "typecheck")
        self._cargo_step("clippy", "clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings")
        self._cargo_step("rustdoc", "doc", "--locked", "--workspace", "--no-deps", more_env={"RUSTDOCFLAGS": "-D warnings"})

    def web(self) -> None:
        with step("vitest") as this:
            self._count("vitest", web.npm(self.layout, "test-vitest", "run", "test"), this)
        with step("Web UI: build and budget") as this:
            web.build(self.layout, this)
        with step("API types as documented") as this:
            self._check_schema()
            this.note(str(SCHEMA.relative_to(PROJECT)))

    def rust(self) -> None:
        self._start_postgres()
        with step("Rust tests") as this:
            argv = [self.tools["cargo-nextest"], "nextest", "run", "--locked", "--workspace", "--no-fail-fast"]
            self._count("nextest", self._run("nextest", argv, this, self._server_env()), this)
        with step("Rust documentation tests") as this:
            log = self._run("doctest", [self.tools["cargo"], "test", "--locked", "--workspace", "--doc"], this, self._server_env())
            self._count("doc tests", log, this, may_be_none=True)
        with step("API document as the program describes itself") as this:
            self._check_openapi(rust.build(self.layout, this))
            this.note(str(OPENAPI.relative_to(PROJECT)))

    def chaos(self, faults: str) -> None:
        self._start_postgres()
        with step(f"{faults} faults under a sale, verified after each group") as this:
            argv = [self.tools["cargo-nextest"], "nextest", "run", "--locked", "--workspace", "--profile", "chaos", "-E", "test(/^chaos::/)"]
            self._count("nextest", self._run("chaos", argv, this, {**self._server_env(), "SOCKETING_CHAOS_FAULTS": faults}), this)

    def e2e(self) -> None:
        with step("Program") as this:
            program = rust.build(self.layout, this)
        with step("Web UI") as this:
            pages = web.build(self.layout, this)
        url = self._start_system(program, pages)
        with step("Browser tests") as this:
            env = {"SOCKETING_URL": url, "SOCKETING_CHROMIUM": str(self.chromium), "CI": os.environ.get("CI", "")}
            self._count("playwright", web.npm(self.layout, "test-browser", "run", "e2e", base={**self.system.environment(url), **env}), this)
        with step("A small rush") as this:
            self.system.tool("rush", url, *SMALL_RUSH)
            this.note(" ".join(SMALL_RUSH))
        with step("Verify its log") as this:
            self.system.tool("verify", url, "verify")
            this.note("clean")

    def _start_postgres(self) -> None:
        with step("PostgreSQL for the tests") as this:
            self.system.start_postgres(this)

    def _start_system(self, program: Path, pages: Path) -> str:
        self._start_postgres()
        with step("NATS") as this:
            self.system.start_nats(this)
        with step("A system for the browser") as this:
            url = f"http://127.0.0.1:{keep.port(self.own, 'http')}"
            self.system.install(program, pages)
            self.system.tool("migrate", url, "migrate")
            self.system.start(url, "test", this)
            self.system.tool("demo", url, "demo")
            this.note(url)
        return url

    def _server_env(self) -> dict[str, str]:
        return {
            "SOCKETING_TEST_DATABASE_URL": self.system.postgres.superuser_url(),
            "SOCKETING_TEST_NATS_SERVER": str(self.tools["nats-server"]),
            "SOCKETING_TEST_PG_BIN": str(self.system.postgres.server.bin),
        }

    # Running and counting.

    def _environment(self, more: Optional[dict[str, str]]) -> dict[str, str]:
        """No test may meet the databases of someone else."""
        env = {name: value for name, value in rust.environment().items() if name not in ("DATABASE_URL", "NATS_URL", "SOCKETING_DATABASE_URL", "SOCKETING_NATS_URL")}
        return {**env, **(more or {})}

    def _run(self, name: str, argv: list, this: Optional[Step] = None, more_env: Optional[dict[str, str]] = None) -> Path:
        log = self.layout.logs / f"test-{name}.log"
        each_line = rust.Counter(this).line if this else None
        run(name, argv, log=log, cwd=PROJECT, env=self._environment(more_env), each_line=each_line)
        return log

    def _cargo_step(self, title: str, *arguments: str, more_env: Optional[dict[str, str]] = None) -> None:
        with step(title) as this:
            self._run(arguments[0], [self.tools["cargo"], *arguments], this, more_env)
            this.note("clean")

    def _npm_step(self, title: str, name: str, *arguments: str) -> None:
        with step(title) as this:
            web.npm(self.layout, f"test-{name}", *arguments)
            this.note("clean")

    def _count(self, runner: str, log: Path, this: Step, may_be_none: bool = False) -> None:
        total = totals.read(runner, log.read_text(errors="replace"))
        self.done.append(total if may_be_none else totals.required(total))
        this.note(f"{total.passed} passed")

    def _check_openapi(self, program: Path) -> None:
        log = self._run("openapi", [program, "openapi"])
        _same(OPENAPI, log.read_text(), f"./dev socketing openapi > {OPENAPI.relative_to(PROJECT)}")

    def _check_schema(self) -> None:
        if not OPENAPI.exists():
            raise Stop(f"{OPENAPI.relative_to(PROJECT)} is missing. Make it with: ./dev socketing openapi > {OPENAPI.relative_to(PROJECT)}")
        fresh = self.own.run / "schema.d.ts"
        web.npm(self.layout, "test-schema", "exec", "--", "openapi-typescript", str(OPENAPI), "-o", str(fresh))
        _same(SCHEMA, fresh.read_text(), "npm --prefix web run api")


def _same(committed: Path, fresh: str, how: str) -> None:
    """The committed file must be what would be generated now."""
    kept = committed.read_text() if committed.exists() else ""
    if kept == fresh:
        return
    lines = difflib.unified_diff(kept.splitlines(), fresh.splitlines(), str(committed.relative_to(PROJECT)), "now", lineterm="")
    shown = "\n".join(line for line, _ in zip(lines, range(DIFF_LINES)))
    raise Stop(f"{committed.relative_to(PROJECT)} is out of date. Make it anew with: {how}\n{shown}")
