"""The tests: those of a package are in the folder of its name, those of the whole are here."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
"""The folder of the project."""
