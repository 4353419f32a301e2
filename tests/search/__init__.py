"""Tests of metaqnn.search."""
