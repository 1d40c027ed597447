"""Inputs: from raw values to model tensors. One file or folder for each kind of raw value."""
