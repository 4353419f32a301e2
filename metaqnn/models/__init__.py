"""Trained networks as files that can be taken elsewhere."""
