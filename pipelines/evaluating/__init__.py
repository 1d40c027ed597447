"""Evaluation: a Predictor on bytes with truth, as figures, pictures and comparisons."""
