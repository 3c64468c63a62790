import unittest
from pathlib import Path
from unittest.mock import patch

from dev import find, web
from dev.layout import Layout


class Environment(unittest.TestCase):
    def test_node_comes_first_whatever_else_npm_is_given(self):
        node = Path("/where/node/was/installed/bin/node")
        given = {"PATH": "/usr/bin", "SOCKETING_URL": "http://127.0.0.1:1"}
        with patch.object(find, "node", return_value=(node, (24, 0, 0))):
            env, version = web.environment(Layout(Path("/data"), Path("/data/tools"), None), given)
        self.assertEqual(env["PATH"], f"{node.parent}:/usr/bin")
        self.assertEqual(env["SOCKETING_URL"], given["SOCKETING_URL"])
        self.assertNotIn("HOME", env)
        self.assertEqual(version, (24, 0, 0))
