"""The experience memory of a run: crash-safe, in one SQLite file."""

from replay.memory import Memory
from replay.trial import BrokenMemory, Outcome, Trial, WrongRun

__all__ = ["BrokenMemory", "Memory", "Outcome", "Trial", "WrongRun"]
