"""Tests of the set-up itself, with real processes, files and ports. Run by `./dev test lint`."""
