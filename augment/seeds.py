"""Seeds that depend on nothing but what they are for."""

import hashlib


def stable_seed(seed: int, epoch: int, key: str) -> int:
    """The seed for one sample in one epoch, the same on every machine, in every process and Python version.

    Python's own `hash` differs from process to process, and a counter would depend on the order of the samples.

    Args:
        seed: the seed of the run.
        epoch: which pass over the data, so that a sample looks different every time.
        key: the sample's stable id; any text, also a file name that is not valid UTF-8 as `os.fsdecode` gives it.

    Returns:
        A whole number, 0 <= s < 2**32: BLAKE2b (RFC 7693) with 32 bits of digest.
    """
    text = f"{seed:d}/{epoch:d}/{key}"  # two numbers have no slash, so no other triple gives the same text
    digest = hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=4).digest()
    return int.from_bytes(digest, "big")
