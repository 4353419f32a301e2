"""Tests of metaqnn.runs."""
