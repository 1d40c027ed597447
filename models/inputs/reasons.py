"""Why an image is refused, in words a person can act on."""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

EMPTY = "empty: 0 bytes"
NOT_AN_IMAGE = "not an image saccade reads (JPEG, PNG, GIF, BMP, WebP)"
_CONVERT = "which saccade does not read: convert it to PNG or JPEG"
_UNREAD = (  # what files of formats begin with that are not read
    (rb"II\*\0|MM\0\*|II\+\0|MM\0\+", "TIFF (or camera RAW)"),
    (rb"....ftypavi[fs]", "AVIF"),
    (rb"....ftyp(?:hei|hev|mif1|msf1)", "HEIC"),
    (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", "JPEG 2000"),
    (rb"\xff\x0a|\0\0\0\x0cJXL ", "JPEG XL"),
    (rb"8BPS", "Photoshop"),
    (rb"P[1-7]\s", "Netpbm"),
)
TOO_LARGE = "too large: more than 134 million pixels"
ANIMATED_WEBP = "animated WebP: save one frame"
PARTIAL_GIF = "GIF whose frames do not fill its screen: save as PNG"
PALETTE_BMP = "palette BMP: save as 24-bit or PNG"
UNUSUAL_BMP = "compressed or unusual BMP: save as 24-bit or PNG"
NO_MEMORY = "needs more memory than there is: scale the image down, or predict in tiles where the network allows it"

# What identifies the message of a TensorFlow kernel that could not read the bytes, and how it is told.
_KERNELS = {
    "Unknown image file format": NOT_AN_IMAGE,
    "jpeg::Uncompress": "truncated or broken JPEG",
    "Invalid JPEG data": "truncated or broken JPEG",
    "Invalid PNG": "truncated or broken PNG",
    "Invalid GIF data": "truncated or broken GIF",
    "Failed to decode WebP": "truncated or broken WebP",
    "bmp content": "truncated or broken BMP",
    "Input size should match": "truncated or broken BMP",
    "header size must be nonnegative": "truncated or broken BMP",
    "Width must be positive": "truncated or broken BMP",
    "Height must be nonzero": "truncated or broken BMP",
}
_PHRASES = {
    each: each for each in (EMPTY, NOT_AN_IMAGE, TOO_LARGE, ANIMATED_WEBP, PARTIAL_GIF, PALETTE_BMP, UNUSUAL_BMP)
}
_DECORATION = re.compile(
    r"(?m)\{\{.*?\}\}|\[\[.*?\]\]|\[Op:\w+\]|^Graph execution error:|^Detected at node.*|^<stack traces.*"
)


def is_of_image(error: Exception) -> bool:
    """Whether TensorFlow's exception is about the bytes of an image."""
    return any(sign in str(error) for sign in _PHRASES | _KERNELS)


def reason(error: Exception, data: bytes = b"") -> str:
    """The one phrase inside TensorFlow's exception about an image, without TensorFlow's decoration.

    Args:
        error: what running the decoding graph raised, usually `tf.errors.InvalidArgumentError`.
        data: the image, so that a known format that is not read can be named.

    Returns:
        One line, such as "truncated or broken JPEG"; of an error that is not about an image, its first plain line.
    """
    message = str(error)
    for sign, phrase in (_PHRASES | _KERNELS).items():
        if sign in message:
            named = [name for start, name in _UNREAD if re.match(start, data, re.DOTALL)]
            return f"{named[0]}, {_CONVERT}" if phrase == NOT_AN_IMAGE and named else phrase
    lines = [line.strip() for line in _DECORATION.sub("", message).splitlines()]
    return next((line for line in lines if line and not line.startswith("File ")), type(error).__name__)


def answer_calls(
    calls: Iterable[list[int]],
    call: Callable[[list[int]], Any],
    told: Callable[[int, Exception], str] = lambda place, error: reason(error),
) -> Iterator[tuple[list[int], Any | str]]:
    """Calls a graph for some samples after the other; one that cannot be answered costs the others nothing.

    A graph cannot say which of a batch it refuses, so each is then called alone; what takes too much memory is halved.

    Args:
        calls: which samples share a call.
        call: answers some of them together.
        told: why a single one was refused, in a phrase.

    Returns:
        In the order of `calls`, the samples and what `call` gave for them, or a single one and in a phrase why it has
        no answer.
    """
    from tensorflow.errors import InvalidArgumentError, ResourceExhaustedError

    waiting = deque(calls)
    while waiting:
        places = waiting.popleft()
        try:
            answer = call(places)
        except InvalidArgumentError as error:
            parts, answer = [[place] for place in places], told(places[0] if places else 0, error)
        except (ResourceExhaustedError, MemoryError):
            middle = len(places) // 2
            parts, answer = [places[:middle], places[middle:]], NO_MEMORY
        else:
            parts = []
        if len(places) > 1 and parts:
            waiting.extendleft(reversed(parts))
        else:
            yield places, answer
