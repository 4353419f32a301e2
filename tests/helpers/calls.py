"""What the tests of executors call in workers, which import it in no time."""

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any


class Unpicklable(Exception):
    """Cannot be made again from its arguments."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(first + second)


def add(first: int, second: int) -> int:
    return first + second


def megabytes(number: int) -> bytes:
    return bytes(number * 2**20)


def fail(error: Exception) -> None:
    raise error


def fail_unpicklably() -> None:
    raise Unpicklable("this", " and that")


def answer_unpicklably() -> Any:
    return threading.Lock()


def worker() -> int:
    return os.getpid()


def variable(name: str) -> str | None:
    return os.environ.get(name)


def meet(folder: Path, name: str) -> tuple[str | None, int]:
    """The variable and the number of the process, as soon as two of these calls run at once."""
    (folder / str(os.getpid())).touch()
    while len(list(folder.iterdir())) < 2:
        time.sleep(0.005)
    return variable(name), os.getpid()


def threads() -> int:
    import torch

    return torch.get_num_threads()


def sleep(seconds: float, mark: Path | None = None) -> float:
    """Sleep; the file then has the worker's number."""
    if mark:
        mark.write_text(str(os.getpid()))
    time.sleep(seconds)
    return seconds


def count(path: Path) -> int:
    """How often it was called with this path."""
    with path.open("a") as file:
        file.write("x")
    return len(path.read_text())


def die(path: Path, times: int) -> int:
    """Die by SIGKILL the first so many times, then return how often it was called."""
    calls = count(path)
    if calls <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return calls


def die_or_sleep(path: Path) -> None:
    """Die at first, then take too long."""
    if count(path) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(600)


def overlap(folder: Path) -> int:
    """The most of these calls that ran at once, as far as this one saw."""
    mine = folder / str(os.getpid())
    mine.touch()
    most = 0
    for _ in range(10):
        most = max(most, len(list(folder.iterdir())))
        time.sleep(0.02)
    mine.unlink()
    return most
