"""Comparisons of agents by searches with several seeds."""
