"""Slots: places where one call at a time is made, and once more if it is lost."""

import concurrent.futures
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from metaqnn.errors import SearchStopped
from metaqnn.executors.base import WorkerLost

ATTEMPTS = 2
"""So often a call is begun that has no result because its worker died or took too long."""

MOST_STARTS = 5
"""So many workers in a row that end before they begin a call end the search."""


class Lost(Exception):
    """A call has no result; the message is the reason, in a phrase."""


class NotBegun(Lost):
    """Nor was it begun, so it is not to blame."""


@dataclass(frozen=True)
class Call:
    """A call to be made elsewhere."""

    fn: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    future: Future[Any] = field(default_factory=Future)


Slot = Callable[[Call], Any]
"""Makes a call, waits for it, and returns its result or raises what it raised, or Lost."""


class Slots:
    """Calls that wait for a free slot; every slot has a thread, which mostly waits, too."""

    def __init__(self, slots: Sequence[Slot]) -> None:
        """Start the threads."""
        self._queue: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._serve, args=(slot,), daemon=True) for slot in slots
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, call: Call) -> Future[Any]:
        """Make a call as soon as a slot is free."""
        if self._closed:
            raise RuntimeError("the executor is shut down")
        self._queue.put(call)
        return call.future

    def close(self) -> None:
        """Begin no call any more, and cancel those that wait."""
        self._closed = True
        while not self._queue.empty():
            call = self._queue.get()
            if call is not None:
                call.future.cancel()
        for _ in self._threads:
            self._queue.put(None)

    def join(self, timeout: float | None = None) -> bool:
        """Wait until no call is being made, or some seconds, and tell which.

        Who closes the slots sees to it that all calls are lost.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        for thread in self._threads:
            thread.join(None if deadline is None else max(0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _serve(self, slot: Slot) -> None:
        while (call := self._queue.get()) is not None:
            if call.future.set_running_or_notify_cancel():
                try:
                    result = self._make(slot, call)
                except BaseException as error:
                    call.future.set_exception(error)
                else:
                    call.future.set_result(result)
            del call  # its result may be large

    def _make(self, slot: Slot, call: Call) -> Any:
        losses: list[str] = []
        starts = 0
        while len(losses) < ATTEMPTS and not self._closed:
            try:
                return slot(call)
            except NotBegun as loss:
                starts += 1
                if starts == MOST_STARTS:
                    raise SearchStopped(
                        f"{MOST_STARTS} workers in a row ended before they began: {loss}"
                    ) from None
            except Lost as loss:
                losses.append(str(loss))
        raise WorkerLost(_told(losses) or "the executor was shut down")


def wait_for_first(futures: Iterable[Future[Any]]) -> set[Future[Any]]:
    """Those futures that are done, at least one."""
    return concurrent.futures.wait(futures, return_when=concurrent.futures.FIRST_COMPLETED).done


def _told(losses: Sequence[str]) -> str:
    """The reasons in one phrase."""
    if len(losses) == ATTEMPTS and len(set(losses)) == 1:
        return f"{losses[0]}, twice"
    return ", then ".join(losses)
