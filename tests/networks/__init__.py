"""Tests of metaqnn.networks."""
