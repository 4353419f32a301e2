"""Figures of runs, and that of a comparison.

Each figure of a run is a module, which `catalogue.FIGURES` names. Its function `draw` takes
`findings.Findings` and returns a matplotlib Figure; it is called within the style, and raises
`findings.NothingToShow` where there is nothing to draw.
"""
