"""Tests of metaqnn.agents."""
