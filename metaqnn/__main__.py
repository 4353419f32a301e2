"""python -m metaqnn."""

import sys
from pathlib import Path

# what lies in the present folder, maybe beside a stranger's run, is not to be imported by its name
if Path(sys.path[0]).resolve() == Path.cwd() != Path(__file__).resolve().parents[1]:
    del sys.path[0]

from metaqnn.cli import main  # noqa: E402  # for the same reason

main(prog_name="metaqnn")
