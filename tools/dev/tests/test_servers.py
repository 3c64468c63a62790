"""With real servers in a folder of their own: started, killed, started again, stopped."""
import os
import signal
import socket
import subprocess
import unittest

from dev import keep, layout as layouts, processes, ui
from dev.postgres import THROW_AWAY
from dev.system import System


class Servers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.layout = layouts.choose().within("test-setup")
        cls.system = System(cls.layout, THROW_AWAY, databases_of_others=False)
        cls.system.end_now()  # left by a run that was killed
        cls.layout.prepare()
        cls.addClassCleanup(cls.system.end_now)

    def postgres(self):
        self.system.start_postgres(ui.Step("PostgreSQL"))

    def nats(self):
        self.system.start_nats(ui.Step("NATS"))

    def sql(self, text):
        argv = [self.system.postgres.server.bin / "psql", "-X", "-At", "-v", "ON_ERROR_STOP=1", self.system.postgres.url(), "-c", text]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()

    def kill(self, pattern):
        for process in processes.find(pattern):
            os.kill(process.pid, signal.SIGKILL)
        self.assertEqual(processes.wait_gone(pattern, 30), [])

    def test_postgres_lives_through_a_kill_with_its_data_and_its_port(self):
        self.postgres()
        self.sql("create table kept (a int); insert into kept values (7)")
        port = keep.known_port(self.layout, "postgres")
        self.kill(self.system.postgres.pattern)
        self.postgres()
        self.assertEqual(self.sql("select a from kept"), "7")
        self.assertEqual(keep.known_port(self.layout, "postgres"), port)
        self.assertEqual(self.sql("select rolsuper from pg_roles where rolname = current_user"), "f")

    def test_a_lock_file_that_names_another_s_process_is_no_obstacle(self):
        self.postgres()
        self.kill(self.system.postgres.pattern)
        lock = self.system.postgres.data / "postmaster.pid"
        lines = lock.read_text().splitlines()
        lock.write_text("\n".join([str(os.getppid()), *lines[1:]]) + "\n")
        self.postgres()
        self.assertEqual(self.sql("select 1"), "1")

    def test_starting_twice_is_harmless(self):
        self.postgres()
        self.nats()
        before = [processes.find(self.system.postgres.pattern), processes.find(self.system.nats.pattern)]
        self.postgres()
        self.nats()
        self.assertEqual([processes.find(self.system.postgres.pattern), processes.find(self.system.nats.pattern)], before)
        self.assertEqual([len(found) for found in before], [1, 1])

    def test_a_port_that_someone_took_is_replaced(self):
        self.postgres()
        port = keep.known_port(self.layout, "postgres")
        self.assertEqual(self.system.postgres.stop(), [])
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", port))
            other.listen()
            self.postgres()
        self.assertNotEqual(keep.known_port(self.layout, "postgres"), port)
        self.assertEqual(self.sql("select 1"), "1")

    def test_nats_asks_for_a_password_and_lives_through_a_kill(self):
        self.nats()
        self.kill(self.system.nats.pattern)
        self.nats()
        self.assertIn(b"Authorization Violation", self.greet(b'CONNECT {"verbose":true}\r\n'))
        self.assertIn(b"+OK", self.greet(f'CONNECT {{"verbose":true,"user":"reader","pass":"{keep.passwords(self.layout)["reader"]}"}}\r\n'.encode()))

    def greet(self, line):
        with socket.create_connection(("127.0.0.1", keep.known_port(self.layout, "nats")), timeout=10) as connection:
            connection.recv(4096)
            connection.sendall(line)
            return connection.recv(4096)

    def test_a_file_with_passwords_is_closed_to_others(self):
        self.nats()
        self.postgres()
        for path in (self.layout.run / "passwords.json", self.system.nats.conf, self.system.postgres.data / "socketing.conf"):
            self.assertEqual(path.stat().st_mode & 0o077, 0, path)
