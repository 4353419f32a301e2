"""Tests of metaqnn.cli."""
