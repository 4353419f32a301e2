"""Tests of metaqnn.data."""
