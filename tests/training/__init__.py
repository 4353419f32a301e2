"""Tests of metaqnn.training."""
