"""Evaluators: what scores an architecture."""
