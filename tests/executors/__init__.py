"""Tests of metaqnn.executors."""
