"""Seeds that depend on nothing but what they are for."""

import hashlib


def stable_seed(seed: int, epoch: int, key: str, n: int = 0) -> int:
    """The seed for one draw of a sample in one epoch, the same on every machine, in every process and Python version.

    Python's own `hash` differs from process to process, and a counter would depend on the order of the samples.

    Args:
        seed: the seed of the run.
        epoch: which pass over the data, so that a sample looks different every time.
        key: the sample's stable id; any text, also a file name that is not valid UTF-8 as `os.fsdecode` gives it.
        n: how often the sample was drawn before in this epoch, so that it looks different each time.

    Returns:
        A whole number, 0 <= s < 2**32: BLAKE2b (RFC 7693) with 32 bits of digest.
    """
    text = f"{seed:d}/{epoch:d}/{key}"  # two numbers have no slash, so no other triple gives the same text
    person = n.to_bytes(16, "little")  # all zeros, and so the same seed as without it, for the first draw
    digest = hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=4, person=person).digest()
    return int.from_bytes(digest, "big")
