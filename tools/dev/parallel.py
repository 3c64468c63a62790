"""Runs steps side by side; the first failure ends them all and is the one that is told."""
from __future__ import annotations

from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Callable, Iterator

from . import run
from .ui import Cancelled


class Together:
    """Steps that were started; `result` waits for one of them while it watches all."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._futures: list[Future] = []

    def start(self, function: Callable, *arguments: object) -> Future:
        future = self._pool.submit(function, *arguments)
        self._futures.append(future)
        return future

    def results(self) -> list:
        """Every result, in the order of the starts; raises the first failure once the others have been ended."""
        _, pending = wait(self._futures, return_when=FIRST_EXCEPTION)
        if pending:
            run.cancel_all()
            wait(self._futures)
        for future in self._futures:
            error = future.exception()
            if error is not None and not isinstance(error, Cancelled):
                raise error
        return [future.result() for future in self._futures]


@contextmanager
def together(most: int = 4) -> Iterator[Together]:
    pool = ThreadPoolExecutor(max_workers=most)
    try:
        yield Together(pool)
    except BaseException:
        run.cancel_all()
        raise
    finally:
        pool.shutdown(wait=True)
