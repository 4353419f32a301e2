"""Metrics: how good the answers of a network are."""
