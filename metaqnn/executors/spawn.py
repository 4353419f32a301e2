"""Processes of this machine that end with the one that started them."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import resource_tracker

_environment = threading.Lock()
"""Held while the variables of the environment, which all threads share, are those of a child."""


@contextmanager
def inherited(variables: Mapping[str, str]) -> Iterator[None]:
    """What processes inherit that start within: the variables, and deafness to Ctrl-C.

    Numerical libraries read their variables when they are loaded, so a process that is there
    already is too late to set its own.
    """
    with _environment:
        resource_tracker.ensure_running()  # it would undo the blocking of the signal when it starts
        before = {name: os.environ.get(name) for name in variables}
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        os.environ.update(variables)
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def end_with_parent() -> None:
    """From now on, end this process at once when the one that started it ends, even if killed."""
    threading.Thread(target=_wait_for_end_of_parent, daemon=True).start()


def _wait_for_end_of_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "a worker has a parent"
    parent.join()
    os._exit(1)
