"""saccade: one recipe takes images from disk to a served model."""
