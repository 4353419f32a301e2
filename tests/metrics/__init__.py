"""Tests of metaqnn.metrics."""
