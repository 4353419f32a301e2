"""The experience memory of a run: crash-safe, in one SQLite file."""

from replay.memory import BrokenMemory, Memory, Outcome, Trial, WrongRun

__all__ = ["BrokenMemory", "Memory", "Outcome", "Trial", "WrongRun"]
