"""python -m metaqnn."""

from metaqnn.cli import main

main(prog_name="metaqnn")
