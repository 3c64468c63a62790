import os
import signal
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

from dev import parallel, processes, run, ui
from dev.ui import Stop


class Base(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext_(tempfile.TemporaryDirectory()))
        self.log = self.folder / "log"
        run._cancelled.clear()
        self.addCleanup(run._cancelled.clear)

    def enterContext_(self, manager):
        value = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return value

    def shell(self, script, **more):
        run.run("a script", ["/bin/sh", "-c", script], log=self.log, **more)


class Run(Base):
    def test_output_goes_to_the_log_and_line_by_line_to_who_asked(self):
        lines = []
        self.shell("echo one; echo two >&2", each_line=lines.append)
        self.assertEqual(lines, ["one", "two"])
        self.assertEqual(self.log.read_text(), "one\ntwo\n")

    def test_a_failure_tells_the_code_and_the_end_of_the_log(self):
        with self.assertRaises(run.Failed) as caught:
            self.shell("echo first; echo the reason; exit 3")
        self.assertIn("a script ended with code 3", str(caught.exception))
        self.assertIn("the reason", str(caught.exception))

    def test_a_full_disk_is_named(self):
        for line in ("write failed: No space left on device (os error 28)", "npm error code ENOSPC"):
            with self.assertRaises(Stop) as caught:
                self.shell(f"echo '{line}'; exit 1")
            self.assertIn("The disk is full", str(caught.exception))

    def test_a_missing_network_is_named(self):
        for line in ("npm error code EAI_AGAIN", "Could not resolve host: example", "Temporary failure in name resolution"):
            with self.assertRaises(Stop) as caught:
                self.shell(f"echo '{line}'; exit 1")
            self.assertIn("could not reach a package registry", str(caught.exception))

    def test_a_program_that_is_not_there_is_a_sentence(self):
        with self.assertRaises(Stop) as caught:
            run.run("thing", ["/does/not/exist"], log=self.log)
        self.assertIn("/does/not/exist could not be started", str(caught.exception))

    def test_what_a_program_leaves_behind_is_ended(self):
        self.shell("sleep 1000 & echo $!")
        with self.assertRaises(ProcessLookupError):
            wait_gone(int(self.log.read_text()))

    def test_cancelling_ends_what_runs_and_what_would_start(self):
        def work():
            try:
                self.shell("echo begun; sleep 1000")
            except ui.Cancelled:
                done.append("cancelled")

        done = []
        thread = threading.Thread(target=work)
        thread.start()
        while not (self.log.exists() and "begun" in self.log.read_text()):
            pass
        run.cancel_all()
        thread.join(30)
        self.assertEqual(done, ["cancelled"])
        with self.assertRaises(ui.Cancelled):
            self.shell("true")

    def test_a_probe_never_raises(self):
        self.assertIsNone(run.capture(["/dev/null", "--version"]))
        self.assertIsNone(run.capture(["/bin/sh", "-c", "exit 1"]))
        self.assertEqual(run.capture(["/bin/sh", "-c", "echo here"]), "here\n")


def wait_gone(pid):
    """Returns never by itself: raises ProcessLookupError once the process is gone."""
    while True:
        os.kill(pid, 0)
        if Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
            raise ProcessLookupError


class Parallel(Base):
    def test_results_come_in_the_order_of_the_starts(self):
        with parallel.together() as steps:
            steps.start(lambda: 1)
            steps.start(lambda: 2)
            self.assertEqual(steps.results(), [1, 2])

    def test_the_first_failure_ends_the_others_and_is_the_one_told(self):
        def fail():
            raise Stop("this one")

        with self.assertRaises(Stop) as caught, parallel.together() as steps:
            steps.start(self.shell, "sleep 1000")
            steps.start(fail)
            steps.results()
        self.assertEqual(str(caught.exception), "this one")


class Processes(Base):
    def test_a_process_is_found_by_its_command_line_and_stopped(self):
        program = self.folder / "server"
        program.write_text("#!/bin/sh\nwhile :; do sleep 0.05; done\n")
        program.chmod(0o755)
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)", "-D", str(self.folder)])
        self.addCleanup(child.kill)
        pattern = processes.command_pattern(Path(sys.executable).name, "-c", "import time; time.sleep(1000)", "-D", self.folder)
        while not processes.find(pattern):  # until the child has become the program
            pass
        self.assertEqual([p.pid for p in processes.find(pattern)], [child.pid])
        threading.Thread(target=child.wait).start()
        self.assertEqual(processes.stop(pattern, signal.SIGTERM, 30), [])
        self.assertEqual(processes.find(pattern), [])

    def test_what_would_not_stop_is_given_back(self):
        script = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('ready', flush=True)\ntime.sleep(1000)"
        child = subprocess.Popen([sys.executable, "-c", script, str(self.folder)], stdout=subprocess.PIPE)
        self.addCleanup(child.stdout.close)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        child.stdout.readline()
        pattern = processes.command_pattern(Path(sys.executable).name, "-c", script, self.folder)
        self.assertEqual([p.pid for p in processes.stop(pattern, signal.SIGTERM, 0.2)], [child.pid])

    def test_only_the_program_itself_matches(self):
        pattern = processes.command_pattern("postgres", "-D", "/data/pg")
        self.assertTrue(pattern.search("/usr/lib/postgresql/15/bin/postgres -D /data/pg"))
        self.assertTrue(pattern.search("postgres -D /data/pg -c x=y"))
        for other in ("vi postgres -D /data/pg2", "postgres -D /data/pg2", "postgres: checkpointer", "mypostgres -D /data/pg", "tail -f /data/pg"):
            self.assertIsNone(pattern.search(other), other)
