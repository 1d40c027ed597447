"""Prediction: answers for pictures without truth, as files and lines."""
