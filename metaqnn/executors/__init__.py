"""Executors: where evaluators run."""
