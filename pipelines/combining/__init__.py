"""Several runs, or several views by one, as one Predictor in a folder like a run's."""
