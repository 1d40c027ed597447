"""The recipe's `train` and `export` sections as data; free of TensorFlow."""
