"""Tests of metaqnn.models."""
