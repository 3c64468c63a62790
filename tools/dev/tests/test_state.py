import json
import os
import socket
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from dev import keep, totals
from dev.layout import Layout, need_space, write_private
from dev.ui import Stop


class Kept(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.layout = Layout(Path(folder.name), Path(folder.name) / "tools", None)
        self.layout.prepare()

    def listen(self, port=0):
        listener = socket.socket()
        self.addCleanup(listener.close)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as every server does: a test before may have closed connections here
        listener.bind(("127.0.0.1", port))
        listener.listen()
        return listener

    def test_passwords_are_made_once_and_only_their_owner_reads_them(self):
        first = keep.passwords(self.layout)
        self.assertEqual(set(first), set(keep.PASSWORDS))
        self.assertEqual(len(set(first.values())), len(keep.PASSWORDS))
        self.assertEqual(keep.passwords(self.layout), first)
        self.assertEqual((self.layout.run / "passwords.json").stat().st_mode & 0o777, 0o600)

    def test_a_port_is_kept_until_someone_else_takes_it(self):
        chosen = keep.port(self.layout, "nats")
        self.assertEqual(keep.port(self.layout, "nats"), chosen)
        self.listen(chosen)
        other = keep.port(self.layout, "nats")
        self.assertNotEqual(other, chosen)
        self.assertEqual(keep.known_port(self.layout, "nats"), other)

    def test_two_servers_never_get_one_port(self):
        with mock.patch.dict(keep.FIRST_PORTS, {"a": 28600, "b": 28600}):
            self.assertNotEqual(keep.port(self.layout, "a"), keep.port(self.layout, "b"))

    def test_a_named_port_that_is_taken_is_a_sentence(self):
        taken = self.listen().getsockname()[1]
        with mock.patch.dict(os.environ, {"SOCKETING_PORT": str(taken)}), self.assertRaises(Stop) as caught:
            keep.named_http_port()
        self.assertIn(f"Port {taken} (SOCKETING_PORT) is in use", str(caught.exception))

    def test_a_named_port_may_be_the_one_of_the_system_that_is_replaced(self):
        taken = self.listen().getsockname()[1]
        with mock.patch.dict(os.environ, {"SOCKETING_PORT": str(taken)}):
            self.assertEqual(keep.named_http_port(taken), taken)

    def test_a_named_port_that_is_none_is_a_sentence(self):
        for value in ("http", "0", "70000", "-1"):
            with mock.patch.dict(os.environ, {"SOCKETING_PORT": value}), self.assertRaises(Stop):
                keep.named_http_port()

    def test_a_file_of_junk_is_made_anew(self):
        (self.layout.run / "ports.json").write_text("{")
        keep.port(self.layout, "nats")
        self.assertIn("nats", json.loads((self.layout.run / "ports.json").read_text()))

    def test_a_private_file_is_replaced_whole(self):
        path = self.layout.run / "x"
        write_private(path, "one")
        write_private(path, "two")
        self.assertEqual(path.read_text(), "two")
        self.assertEqual([p.name for p in self.layout.run.iterdir()], ["x"])

    def test_a_disk_without_room_stops_before_work_begins(self):
        with self.assertRaises(Stop) as caught:
            need_space(self.layout.data, 1e9, "Building")
        self.assertIn("Building needs about 1e+09 GiB", str(caught.exception))


class Totals(unittest.TestCase):
    def test_each_runner_s_closing_line_is_read(self):
        for runner, log, passed in (
            ("nextest", "     Summary [  12.345s] 120 tests run: 120 passed (2 slow), 3 skipped\n", 120),
            ("nextest", "\x1b[32;1m     Summary\x1b[0m [   0.1s] \x1b[1m1\x1b[0m test run: \x1b[1m1\x1b[0m \x1b[32;1mpassed\x1b[0m, 0 skipped\n", 1),
            ("doc tests", "test result: ok. 2 passed; 0 failed; 0 ignored\n\ntest result: ok. 3 passed; 0 failed\n", 5),
            ("unittest", "....\nRan 24 tests in 0.5s\n\nOK\n", 24),
            ("vitest", " Test Files  3 passed (3)\n      Tests  17 passed (17)\n", 17),
            ("playwright", "Running 2 tests using 1 worker\n  2 passed (10.2s)\n", 2),
        ):
            self.assertEqual(totals.read(runner, log).passed, passed, runner)

    def test_a_log_without_a_closing_line_stops(self):
        with self.assertRaises(Stop):
            totals.read("nextest", "all good, trust me")

    def test_no_test_is_no_pass(self):
        with self.assertRaises(Stop):
            totals.required(totals.read("unittest", "Ran 0 tests in 0.0s"))
