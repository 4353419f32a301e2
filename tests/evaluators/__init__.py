"""Tests of metaqnn.evaluators."""
