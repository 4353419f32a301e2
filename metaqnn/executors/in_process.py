"""The executor without processes."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar

if TYPE_CHECKING:
    from metaqnn.config import RunConfig

P = ParamSpec("P")
R = TypeVar("R")


class InProcess:
    """Runs a call at once, where it is submitted."""

    slots = 1

    @classmethod
    def from_config(cls, config: "RunConfig") -> Self:
        """There is nothing to start."""
        return cls()

    def submit(self, fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Call, and return the finished future."""
        future: Future[R] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future

    def wait(self, futures: Iterable[Future[Any]]) -> set[Future[Any]]:
        """All of them: a submitted call is done."""
        return set(futures)

    def shutdown(self) -> None:
        """There is nothing to end."""
