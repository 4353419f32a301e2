"""Tests of metaqnn.reports."""
