"""What is learnt: shapes, outputs and the score."""

Shape = tuple[int, ...]
"""Of one example's representation: (channels, height, width), or (units,) after FC, GAP and SM."""
