"""`./dev bench`: what the system can do on this machine, as ratios to a yardstick measured before and after each run."""
from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Optional

from . import rust, tests_run
from .layout import PROJECT, Layout, lock, need_space
from .run import run, tail
from .system import System
from .ui import Stop, say, step

FREE_GIB = 25.0  # a million rows and more per run, and WAL that is kept for reuse
RUNS = 3  # medians of so many
COMPARE_RUNS = 5  # of each build, in turn
FELL = 0.10  # a ratio that fell by more than this, and by more than the runs' spread, is told
YARDSTICK_S = 10
YARDSTICK_CLIENTS = 64
WARM_WAL_GB = 5  # written once: from then on PostgreSQL reuses its WAL segments
BASELINE = PROJECT / "bench" / "baseline.jsonl"


@dataclass(frozen=True)
class Benchmark:
    """What `socketing-bench` is asked, and which of its figures is held against the yardstick."""

    arguments: tuple[str, ...]
    about: str
    figure: Optional[str] = "per_s"
    nats: bool = False

    @property
    def rate(self) -> Optional[str]:
        """Commands a second that come at fixed times, where it isn't as many as can be."""
        return self.arguments[self.arguments.index("--rate") + 1] if "--rate" in self.arguments else None


BENCHMARKS = {
    "statement": Benchmark(("statement", "--seconds", "10"), "the batch's one statement, by one client"),
    "engine": Benchmark(("engine", "--connections", "4096", "--performances", "48"), "holds, the executor in process"),
    "engine-4": Benchmark(("engine", "--connections", "4096", "--performances", "48", "--hot", "4"), "the same, four performances at once"),
    "hold": Benchmark(("hold", "--performances", "18"), "holds over HTTP"),
    "hold-4": Benchmark(("hold", "--performances", "20", "--hot", "4"), "the same, four performances at once"),
    "hold-echo": Benchmark(("hold", "--echo", "--performances", "18"), "the same clients against a bare echo, before and after holds", None),
    "hold-busy": Benchmark(("hold", "--old-snapshot", "--seconds", "60", "--performances", "42"), "holds while a snapshot stays open"),
    "pipeline": Benchmark(("hold", "--relay", "--notifier", "--seconds", "60", "--performances", "36"), "holds with relay and notifier on", nats=True),
    "journey": Benchmark(("journey", "--performances", "6"), "line, hold, book, pay, cancel over HTTP", "events_per_s"),
    "latency": Benchmark(("hold", "--rate", "1000", "--connections", "64", "--relay", "--notifier", "--projections", "--processes", "--performances", "1"),
                         "1,000 holds a second at fixed times, everything on", None, nats=True),
    "latency-snapshots": Benchmark(("hold", "--rate", "1000", "--connections", "64", "--performances", "1", "--snapshots", "1000"),
                                   "1,000 holds a second while snapshots of their hall are taken all the time", None),
    "history": Benchmark(("history",), "a hold's cost with ever more history", None),
    "join": Benchmark(("join", "--connections", "4096"), "a million people into one line, in process"),
    "recover": Benchmark(("recover",), "a writer's cold start on a million events", None),
    "find": Benchmark(("find",), "the best of 50,000 seats, nine of ten sold", None),
    "relay": Benchmark(("relay",), "Postgres to JetStream, from a backlog of a million events", None, nats=True),
}

# Which are measured by another one, and what the ratio is called.
BESIDE = {"hold-4": ("ratio_hold", "hold"), "hold-busy": ("ratio_hold", "hold"), "engine-4": ("ratio_engine", "engine")}


def bench(layout: Layout, arguments: list[str]) -> None:
    names, as_json, compare, runs = _arguments(arguments)
    if names == ["chaos"]:
        return tests_run.chaos(layout)
    with lock(layout, "bench", "measuring"):
        need_space(layout.data, FREE_GIB, "Measuring")
        with step("Program") as this:
            program = build(this, layout, PROJECT)
        bench_run = Runs(layout, as_json, runs)
        if compare is not None:
            try:
                with step(f"Program as of {compare}") as this:
                    before = build(this, layout, _checkout(layout, compare))
                bench_run.compare(names, before, program)
            finally:
                _forget(_before(layout))  # gigabytes, and made anew each time
        else:
            bench_run.all(names, program)


def _arguments(arguments: list[str]) -> tuple[list[str], bool, Optional[str], int]:
    names, as_json, compare, runs = [], False, None, 0
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--json":
            as_json = True
        elif word == "--compare":
            named = bool(rest) and rest[0] not in BENCHMARKS and not rest[0].startswith("-")
            compare = rest.pop(0) if named else "HEAD~1"
        elif word == "--runs":
            runs = _count(rest.pop(0) if rest else "")
        elif word in BENCHMARKS or word == "chaos":
            names.append(word)
        else:
            raise Stop(f"There is no benchmark '{word}'. There are: {', '.join(BENCHMARKS)}, chaos; --json; --runs N; --compare [REVISION].")
    return names or list(BENCHMARKS), as_json, compare, runs or (RUNS if compare is None else COMPARE_RUNS)


def _count(word: str) -> int:
    if not word.isdigit() or int(word) == 0:
        raise Stop("--runs takes how often each benchmark is run, such as: --runs 1")
    return int(word)


def build(this, layout: Layout, project: Path) -> Path:
    """The benchmarks' program, in the profile that everything shares."""
    counter = rust.Counter(this)
    target = rust.target_folder() if project == PROJECT else project / "target"
    argv = [rust.cargo(), "build", "--locked", "--workspace", "--bin", "socketing-bench", "--target-dir", target]
    run("cargo build", argv, log=layout.logs / "build-bench.log", cwd=project, env=rust.environment(), each_line=counter.line)
    this.note(f"{counter.compiled} packages compiled" if counter.compiled else "up to date")
    return target / "debug" / "socketing-bench"


def _before(layout: Layout) -> Path:
    return layout.data / "bench-before"


def _forget(folder: Path) -> None:
    if folder.exists():
        subprocess.call(["git", "-C", PROJECT, "worktree", "remove", "--force", folder], stderr=subprocess.DEVNULL)
        shutil.rmtree(folder, ignore_errors=True)


def _checkout(layout: Layout, revision: str) -> Path:
    """An earlier state of the project, with the dependencies that are built already."""
    folder = _before(layout)
    _forget(folder)  # left by one that was killed
    run("git worktree", ["git", "-C", PROJECT, "worktree", "add", "--detach", folder, revision], log=layout.logs / "bench-checkout.log")
    # Not what only this state's own packages need.
    shutil.copytree(rust.target_folder(), folder / "target", symlinks=True, ignore=shutil.ignore_patterns("incremental", "doc", "nextest"))
    return folder


class Runs:
    def __init__(self, layout: Layout, as_json: bool, runs: int) -> None:
        self.layout, self.as_json, self.runs = layout, as_json, runs
        self.own = layout.within("bench")
        self.system = System(self.own, databases_of_others=False)
        self.measured: dict[str, list[dict]] = {}

    @contextmanager
    def servers(self) -> Iterator[None]:
        self.system.end_now()
        self.own.prepare()
        try:
            with step("PostgreSQL") as this:
                self.system.start_postgres(this)
            with step("NATS") as this:
                self.system.start_nats(this)
            with step("WAL kept for reuse") as this:
                self._warm_wal()
                this.note(f"{WARM_WAL_GB} GB written")
            yield
        finally:
            self.system.end_now()

    def all(self, names: list[str], program: Path) -> None:
        """Tells what was measured, also when one of them fails."""
        conditions: dict = {}
        try:
            with self.servers():
                conditions = self.conditions()
                self._in_turn(names, program)
        finally:
            self._tell(conditions)

    def _in_turn(self, names: list[str], program: Path) -> None:
        """One run of each, then the next: the machine's pace changes within minutes, and so falls on all of them alike."""
        for nth in range(1, self.runs + 1):
            for name in names:
                with step(f"{name}, run {nth} of {self.runs}: {BENCHMARKS[name].about}") as this:
                    figures = self.once(name, program)
                    this.note(_shown(figures))
                self.measured.setdefault(name, []).append(figures)

    def _tell(self, conditions: dict) -> None:
        rows = {name: {"name": name, **_median(runs), "runs": len(runs), **conditions} for name, runs in self.measured.items()}
        for name, (key, other) in BESIDE.items():
            if name in rows and other in rows:
                pairs = zip(self.measured[name], self.measured[other])  # run one soon after the other
                rows[name][key] = round(statistics.median(one["per_s"] / beside["per_s"] for one, beside in pairs), 3)
        for row in rows.values():
            say(json.dumps(row)) if self.as_json else None
        if not self.as_json:
            _table(list(rows.values()))

    def compare(self, names: list[str], before: Path, after: Path) -> None:
        """Both builds in turn, on the same servers: what fell by more than a tenth and by more than the spread."""
        fallen = []
        with self.servers():
            for name in names:
                old, new = [], []
                with step(f"{name}: {self.runs} runs of each build") as this:
                    for _ in range(self.runs):
                        old.append(_worth(name, self.once(name, before)))
                        new.append(_worth(name, self.once(name, after)))
                    was, now = statistics.median(old), statistics.median(new)
                    change = now / was - 1
                    spread = max(max(old) - min(old), max(new) - min(new)) / was
                    this.note(f"{was:.3g} before, {now:.3g} now: {change:+.1%}, spread {spread:.1%}")
                if -change > max(FELL, spread):
                    fallen.append(f"{name}: {change:+.1%}")
        if fallen:
            raise Stop("Slower than before, beyond the spread of the runs:\n  " + "\n  ".join(fallen))

    def once(self, name: str, program: Path) -> dict:
        """One run on a fresh database, between two of the yardstick."""
        benchmark = BENCHMARKS[name]
        self._fresh_database(program)
        before, paced = self._yardstick(), self._paced_yardstick(benchmark.rate)
        figures = self._figures(name, [program, *benchmark.arguments])
        after, paced = self._yardstick(), paced + self._paced_yardstick(benchmark.rate)
        figures["pgbench_per_s"] = round((before + after) / 2, 1)
        if paced:
            figures["pgbench_p99_ms"] = round(statistics.quantiles(paced, n=100)[98], 3)
        if benchmark.figure:
            figures["ratio_pgbench"] = round(figures[benchmark.figure] / figures["pgbench_per_s"], 3)
        return figures

    def _figures(self, name: str, argv: list) -> dict:
        log = self.own.logs / f"bench-{name}.log"
        addresses = self.system.addresses()
        env = {**os.environ, "DATABASE_URL": addresses.database, "NATS_URL": addresses.relay}
        with open(log, "w") as err:
            done = subprocess.run([str(word) for word in argv], env=env, stdout=subprocess.PIPE, stderr=err, text=True)
        if done.returncode != 0:
            raise Stop(f"{name} ended with code {done.returncode}:\n{tail(log)}")
        return json.loads(done.stdout.splitlines()[-1])

    def _fresh_database(self, program: Path) -> None:
        self._psql("postgres", "drop database if exists socketing with (force)", "create database socketing owner socketing")
        env = {**os.environ, "DATABASE_URL": self.system.postgres.url()}
        run("migrate", [program, "migrate"], log=self.own.logs / "bench-migrate.log", env=env)

    def _psql(self, database: str, *statements: str) -> None:
        """Each statement by itself."""
        url = self.system.postgres.superuser_url().rsplit("/", 1)[0] + f"/{database}"
        commands = [word for statement in statements for word in ("-c", statement)]
        argv = [self.system.postgres.server.bin / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url, *commands]
        run("psql", argv, log=self.own.logs / "bench-psql.log")

    def _warm_wal(self) -> None:
        """Segments that are made while something is measured cost stalls of 50 ms: they are made before."""
        self._psql("postgres", "create table warm (filler text)")
        for _ in range(WARM_WAL_GB):
            self._psql("postgres", "insert into warm select repeat('x', 1900) from generate_series(1, 500000)")
            self._psql("postgres", "truncate warm")
        self._psql("postgres", "checkpoint")

    def _yardstick(self) -> float:
        """pgbench: one durable row a transaction, into a table like `events`."""
        line = next(line for line in self._pgbench().splitlines() if line.startswith("tps = "))
        return float(line.split()[2])

    def _paced_yardstick(self, rate: Optional[str]) -> list[float]:
        """How many ms each of pgbench's transactions takes at this rate, from when it was due: what the disk alone costs."""
        if rate is None:
            return []
        shutil.rmtree(self.own.run / "paced", ignore_errors=True)
        (self.own.run / "paced").mkdir()
        self._pgbench("-R", rate, "--log", "--log-prefix", self.own.run / "paced" / "log")
        # The third number of a line is the time in microseconds (PostgreSQL's documentation, pgbench, "Per-Transaction Logging").
        return [int(line.split()[2]) / 1_000 for log in (self.own.run / "paced").iterdir() for line in log.read_text().splitlines()]

    def _pgbench(self, *options) -> str:
        """What it prints."""
        script = self.own.run / "yardstick.sql"
        script.write_text(_YARDSTICK_INSERT)
        self._psql("socketing", *_YARDSTICK_TABLE)
        url = self.system.postgres.superuser_url().rsplit("/", 1)[0] + "/socketing"
        argv = [self.system.postgres.server.bin / "pgbench", "-n", "-M", "prepared", "-c", YARDSTICK_CLIENTS, "-j", 2, "-T", YARDSTICK_S, *options, "-f", script, url]
        log = self.own.logs / "bench-yardstick.log"
        run("pgbench", argv, log=log)
        return log.read_text()

    def conditions(self) -> dict:
        """What the figures depend on besides the program."""
        tool = self.system.postgres.server.bin / "pg_test_fsync"
        fsync_us = None
        if tool.exists():
            file = self.own.run / "fsync.probe"
            printed = subprocess.run([str(tool), "-s", "1", "-f", str(file)], capture_output=True, text=True).stdout
            lines = [line for line in printed.splitlines() if line.strip().startswith("fdatasync")]
            fsync_us = int(lines[0].split()[-2]) if lines else None
        return {"fdatasync_us": fsync_us, "cores": os.cpu_count(), "machine": platform.machine(), "postgres": ".".join(map(str, self.system.postgres.server.version))}


def _median(runs: list[dict]) -> dict:
    """Each figure's median over the runs."""
    return {key: statistics.median(run[key] for run in runs) if len(runs) > 1 else value for key, value in runs[0].items()}


def _worth(name: str, figures: dict) -> float:
    """The one figure by which two builds are compared; more is better."""
    benchmark = BENCHMARKS[name]
    if benchmark.figure:
        return figures["ratio_pgbench"]
    if benchmark.rate:
        return 1 / figures["p50_ms"]  # at a fixed rate there is nothing else
    for key, inverse in (("events_per_s", False), ("per_s", False), ("p50_ms", True), ("us_per_hold_1e6", True)):
        if key in figures:
            return 1 / figures[key] if inverse else figures[key]
    raise Stop(f"{name} has no figure to compare by.")


def _shown(row: dict) -> str:
    wanted = ("ratio_pgbench", "ratio_echo", "per_s", "events_per_s", "p50_ms", "p99_ms", "pgbench_p99_ms", "relay_lag_s", "bytes_per_person", "snapshot_ms", "spread")
    return ", ".join(f"{key} {row[key]:g}" for key in wanted if row.get(key) is not None)


def _baseline() -> dict[str, dict]:
    """What was committed with the program: made by `./dev bench --json > bench/baseline.jsonl`."""
    if not BASELINE.exists():
        return {}
    rows = [json.loads(line) for line in BASELINE.read_text().splitlines() if line.startswith("{")]
    return {row["name"]: row for row in rows}


def _table(rows: list[dict]) -> None:
    say("")
    say(f"{'name':<18}{'per_s':>10}{'events/s':>10}{'p50 ms':>9}{'p99 ms':>9}{'× pgbench':>11}{'baseline':>10}{'× echo':>8}  more")
    baseline = _baseline()
    for row in rows:
        row = {**row, "baseline": baseline.get(row["name"], {}).get("ratio_pgbench")}
        cell = lambda key, width: f"{row[key]:>{width}g}" if row.get(key) is not None else " " * width  # noqa: E731
        more = {key: value for key, value in row.items() if key in ("pgbench_p99_ms", "relay_lag_s", "bytes_per_person", "process_bytes_per_person", "snapshot_ms", "spread", "hold_per_s", "ratio_hold", "ratio_engine", "backend_cpu_us_per_row", "server_cpu_us_per_event", "postgres_cpu_us_per_event", "client_cpu_us_per_event", "closing_ms", "drawing_ms")}
        say(f"{row['name']:<18}{cell('per_s', 10)}{cell('events_per_s', 10)}{cell('p50_ms', 9)}{cell('p99_ms', 9)}{cell('ratio_pgbench', 11)}{cell('baseline', 10)}{cell('ratio_echo', 8)}  "
            + ", ".join(f"{key} {value:g}" for key, value in more.items()))


_YARDSTICK_TABLE = ("""
create table if not exists yardstick (
    aggregate_type text not null, aggregate_id text not null, sequence bigint not null generated always as identity,
    event_type text not null, event_version text not null, payload json not null, metadata json not null,
    position bigint not null generated always as identity, recorded_at timestamptz not null default clock_timestamp(),
    primary key (aggregate_type, aggregate_id, sequence))""",
    "create unique index if not exists yardstick_position on yardstick (position)",
)
_ID = "0190a8b0-0000-7000-8000-000000000000"
_YARDSTICK_INSERT = f"""
insert into yardstick (aggregate_type, aggregate_id, event_type, event_version, payload, metadata) values ('performance', '{_ID}', 'SeatsHeld', '1',
  '{{"SeatsHeld":{{"hold":"{_ID}","account":"{_ID}","members":["{_ID}"],"seats":[17],"expires_at":"2026-11-25T18:18:07.851Z"}}}}',
  '{{"actor":"account:{_ID}","command":"{_ID}"}}');
"""
