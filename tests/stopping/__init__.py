"""Tests of metaqnn.stopping."""
