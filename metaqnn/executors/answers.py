"""What a call returned or raised, as bytes that can always be sent."""

import pickle
from collections.abc import Callable
from typing import Any

from metaqnn.errors import MetaqnnError


def answer(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> bytes:
    """Call, and pickle what it returned or raised.

    What cannot be pickled, or not be made again from its pickle, becomes a RuntimeError that says
    the same.
    """
    try:
        return pickle.dumps((True, fn(*args, **kwargs)))
    except Exception as error:
        return answer_error(error)


def answer_error(error: Exception) -> bytes:
    """The answer of a call that raised."""
    try:
        pickled = pickle.dumps((False, error))
        pickle.loads(pickled)
    except Exception:
        pickled = pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))
    return pickled


def not_sent(error: Exception) -> MetaqnnError:
    """What is to be called cannot be pickled here, or not be made again from that in a worker."""
    reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return MetaqnnError(
        f"what scores the networks cannot be sent to a worker ({reason}): define it at the top "
        "level of a module that workers can import, without open files and locks, or score in this "
        "process (workers=1)"
    )


def read_answer(answer: bytes) -> Any:
    """Return what the call returned, or raise what it raised."""
    succeeded, value = pickle.loads(answer)
    if succeeded:
        return value
    raise value
