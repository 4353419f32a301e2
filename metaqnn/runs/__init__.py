"""Runs: their folders, and what happens in them."""
