"""What an executor is: where evaluators run."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, Self, TypeVar

if TYPE_CHECKING:
    from metaqnn.config import RunConfig

P = ParamSpec("P")
R = TypeVar("R")


class WorkerLost(RuntimeError):
    """The worker died or took too long, twice: the call has no result."""


class Executor(Protocol):
    """Runs calls; the semantics are those of `concurrent.futures`.

    A call whose worker dies, or that takes too long, is made once more by another worker. If that
    fails too, the future raises WorkerLost.

    Attributes:
        slots: How many calls run at once.
    """

    slots: int

    @classmethod
    def from_config(cls, config: "RunConfig") -> Self:
        """The executor of a run; its workers start when they are needed.

        Raises:
            MetaqnnError: What it needs is not there.
        """
        ...

    def submit(self, fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Start a call."""
        ...

    def wait(self, futures: Iterable[Future[Any]]) -> set[Future[Any]]:
        """Those that are done, at least one."""
        ...

    def shutdown(self) -> None:
        """End the workers at once, whatever they do."""
        ...
