"""The experience memory of a run: crash-safe, in one SQLite file."""

from replay.memory import BrokenMemory, Memory, WrongRun
from replay.trial import Outcome, Trial

__all__ = ["BrokenMemory", "Memory", "Outcome", "Trial", "WrongRun"]
