"""What a grid of settings of a recipe brought."""

import pandas as pd

from metaqnn.reports.formats import format_column, render_cells
from metaqnn.task import Score


def render_grid(table: pd.DataFrame, score: Score) -> str:
    """The table of `metaqnn.runs.grid.try_settings` for people; failures say why."""
    others = (score.column, "seconds", "error", "setting")
    options = [str(name) for name in table if name not in others]
    shown = pd.DataFrame(
        {
            **{name.replace("_", "-"): table[name].map(str) for name in options},
            score.header: format_column(table[score.column], score.format),
            "seconds": format_column(table["seconds"], "{:.1f}".format),
            **({"error": table["error"].fillna("")} if table["error"].notna().any() else {}),
        }
    )
    return render_cells(shown, "table", ("error",))
