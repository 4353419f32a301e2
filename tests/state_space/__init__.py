"""Tests of state_space."""
