"""Evaluation: a Predictor on bytes with truth, as metrics, images and comparisons."""
