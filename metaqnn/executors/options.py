"""The options of executors; none of them makes a run another one."""

from typing import Annotated, ClassVar

from pydantic import Field, PositiveInt

from metaqnn.options import Section


class ExecutorOptions(Section):
    """What every executor can be told."""

    workers: PositiveInt | None = Field(
        None,
        description="Networks trained at once. Default: 1; on GPUs all their slots; with ray all "
        "cores or GPU slots of the cluster.",
    )
    threads: PositiveInt | None = Field(
        None,
        description="Threads of a worker on CPUs. Default: 1; in-process all cores where they are "
        "found to be faster than 1.",
    )
    slots_per_gpu: PositiveInt = Field(1, description="Networks that share a GPU.")
    network_timeout: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        None, description="Seconds after which a training is ended; it is tried once more."
    )

    FREE: ClassVar[tuple[str, ...]] = ("workers", "threads", "slots_per_gpu", "network_timeout")
    CHANGEABLE: ClassVar[tuple[str, ...]] = FREE
    HEADING: ClassVar = "Speed"
