"""Prediction: answers for images without truth, as files and lines."""
