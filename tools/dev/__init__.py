"""The project's set-up: finds or installs servers, builds, starts, tests. Standard library only, Python 3.9 or newer.

`main` reads the command line; `up`, `down`, `status`, `tests_run` and `bench` are the commands; `system` is one running
Socketing with its servers (`postgres`, `nats`) in a data folder (`layout`); `find` and `install` provide tools; `rust` and
`web` build; `run` starts programs, `processes` finds them again.
"""
