"""What an executor is: where evaluators run."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, ClassVar, ParamSpec, Protocol, Self, TypeVar, runtime_checkable

from metaqnn.options import Section
from metaqnn.registry import Table

P = ParamSpec("P")
R = TypeVar("R")


class WorkerLost(RuntimeError):
    """The worker died or took too long, twice: the call has no result."""


@dataclass(frozen=True)
class Place:
    """Where a worker computes.

    Attributes:
        device: As the worker calls it.
        threads: On CPUs; None is 1 or all cores, whichever is faster.
        shares_device: Other workers use the same GPU.
    """

    device: str = "cpu"
    threads: int | None = 1
    shares_device: bool = False


class Executor(Protocol):
    """Runs calls; the semantics are those of `concurrent.futures`.

    A call whose worker dies, or that takes too long, is made once more by another worker. If that
    fails too, the future raises WorkerLost.

    Attributes:
        slots: How many calls run at once.
        isolates: A call that ends its process does not end the search.
    """

    slots: int
    isolates: bool

    def submit(self, fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Start a call."""
        ...

    def wait(self, futures: Iterable[Future[Any]]) -> set[Future[Any]]:
        """Those that are done, at least one."""
        ...

    def shutdown(self) -> None:
        """End the workers at once, whatever they do."""
        ...


class ChosenExecutor(Executor, Protocol):
    """An executor that can be chosen by name.

    Attributes:
        Options: Those that it owns.
    """

    Options: ClassVar[type[Section]]

    @classmethod
    def place(cls, options: Any, device: str) -> Place:
        """Where its workers compute if a run asks for a device.

        Raises:
            MetaqnnError: There is no such device.
        """
        ...

    @classmethod
    def from_options(cls, options: Any, device: str | None) -> Self:
        """An executor, whose workers start when they are needed.

        Args:
            options: Its own.
            device: That the run asks for; None where no call uses a GPU.

        Raises:
            MetaqnnError: What it needs is not there.
        """
        ...


@runtime_checkable
class Portable(Protocol):
    """An argument of a call that can be sent to machines that do not have its files."""

    def with_data(self) -> Any:
        """The same, with the content of all files that it needs."""
        ...


EXECUTORS: Table[type[ChosenExecutor]] = Table(
    "executor",
    {
        "in-process": "metaqnn.executors.in_process:InProcess",
        "processes": "metaqnn.executors.processes:Processes",
        "ray": "metaqnn.executors.ray:Ray",
    },
)
