"""Metrics with intervals, and plots."""
