"""Tests of metaqnn.comparison."""
