"""A process of this machine that makes calls, one after the other."""

import multiprocessing
import pickle
import threading
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from metaqnn.executors.answers import answer, answer_error, not_sent, read_answer
from metaqnn.executors.slots import Call, Lost, NotBegun
from metaqnn.executors.spawn import end_with_parent, inherited

BEGUN = b"begun"

_PICKLING = threading.Lock()
"""Workers' threads pickle the same evaluator. In CPython 3.11 two that ask for an object's __dict__
at once may both own its values, if the garbage collector calls Python code in between: a crash."""


class Worker:
    """The process, seen from the one that starts it.

    Both share nothing but a pipe, whose other end only the worker holds: whenever it dies, even in
    the middle of a message, the pipe breaks, and nobody waits for it.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        """Start the process, with these variables in its environment."""
        spawn = multiprocessing.get_context("spawn")
        self._pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(theirs,), daemon=True)
        try:
            with inherited(variables):
                self._process.start()
        finally:
            theirs.close()

    def call(self, call: Call, timeout: float | None) -> Any:
        """The result of a call; the timeout, in seconds, counts from when the call is begun.

        Raises:
            MetaqnnError: The call cannot be pickled.
            NotBegun: The worker is dead.
            Lost: It died, or takes too long; in both cases it is of no use any more.
        """
        try:
            with _PICKLING:
                message = pickle.dumps((call.fn, call.args, call.kwargs))
        except Exception as error:
            raise not_sent(error) from error
        begun = False
        try:
            self._pipe.send_bytes(message)
            answered = self._pipe.recv_bytes()
            begun = answered == BEGUN
            if begun:
                if not self._pipe.poll(timeout):
                    raise Lost(f"it took longer than {timeout:g} s")
                answered = self._pipe.recv_bytes()
        except (EOFError, OSError):
            raise (Lost if begun else NotBegun)(f"its worker died ({self._cause()})") from None
        return read_answer(answered)

    def kill(self) -> None:
        """End the process at once; a call that is being made in another thread is lost."""
        self._process.kill()

    def close(self) -> None:
        """End the process at once, and leave nothing of it."""
        self.kill()
        self._process.join()
        self._pipe.close()

    def _cause(self) -> str:
        """What it died of."""
        self._process.join()
        code = self._process.exitcode or 0
        return f"signal {-code}" if code < 0 else f"exit code {code}"


def _serve(pipe: Connection) -> None:
    """Make calls until the other end of the pipe is closed."""
    end_with_parent()
    with suppress(EOFError, OSError):
        while True:
            pipe.send_bytes(_answer(pipe, pipe.recv_bytes()))


def _answer(pipe: Connection, message: bytes) -> bytes:
    try:
        fn, args, kwargs = pickle.loads(message)  # imports what the call needs
    except Exception as error:
        return answer_error(not_sent(error))
    pipe.send_bytes(BEGUN)
    return answer(fn, *args, **kwargs)
