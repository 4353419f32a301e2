"""What a call returned or raised, as bytes that can always be sent."""

import pickle
from collections.abc import Callable
from typing import Any


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


def read_answer(answer: bytes) -> Any:
    """Return what the call returned, or raise what it raised."""
    succeeded, value = pickle.loads(answer)
    if succeeded:
        return value
    raise value
