"""Answers calls from a SavedModel in a process of its own that knows TensorFlow and NumPy alone.

Run as a plain file: `python clean_process.py SAVED_MODEL CALLS.npz ANSWERS.npz`. It imports nothing of saccade;
saccade imports from it how tensors are kept in a file.
"""

import sys

import numpy as np


def write_tensors(file, groups):
    """Writes named tensors to an npz without pickle.

    Args:
        file: a path that ends in .npz.
        groups: (case, signature) to tensor name to array; no name holds a '|'.
    """
    flat = {"|".join((*group, name)): _pack(value) for group, named in groups.items() for name, value in named.items()}
    np.savez_compressed(file, **flat)


def read_tensors(file):
    """Reads what `write_tensors` wrote."""
    groups = {}
    with np.load(file) as arrays:
        for key in arrays.files:
            *group, name = key.split("|")
            groups.setdefault(tuple(group), {})[name] = _unpack(arrays[key])
    return groups


def _pack(values):
    # npz keeps strings without pickle at fixed width only; the mark protects null bytes at their end
    if values.dtype.kind != "O":
        return values
    return np.array([each + b"." for each in values.ravel()], "S").reshape(values.shape)


def _unpack(values):
    if values.dtype.kind != "S":
        return values
    strings = np.empty(values.size, object)
    strings[:] = [each[:-1] for each in values.ravel()]
    return strings.reshape(values.shape)


def main(saved_model, calls_file, answers_file):
    import tensorflow as tf

    loaded = tf.saved_model.load(saved_model)
    answers = {}
    for (case, signature), inputs in read_tensors(calls_file).items():
        outputs = loaded.signatures[signature](**{name: tf.constant(value) for name, value in inputs.items()})
        answers[case, signature] = {name: value.numpy() for name, value in outputs.items()}
    write_tensors(answers_file, answers)


if __name__ == "__main__":
    del sys.path[0]  # this file's folder: its neighbours are saccade's, and no module here may be found by mistake
    main(*sys.argv[1:])
