"""Whether a mask can belong to an image, what training masks hold of each class, and what a class weighs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import InputError, RecipeError, advise, nearest
from ..inputs.image.options import IGNORE
from .options import SegmentationOptions

MAX_SHOWN = 8  # values that an error lists


def check_mask(name: str, mask: np.ndarray, size: tuple[int, int], class_names: Sequence[str] | None) -> None:
    """Refuses a mask of another size than its image, or with values that are no class.

    Args:
        name: what the mask is called, "mask" or "instances".
        mask: integers `[height, width]`.
        size: height and width of the upright image.
        class_names: those that its values stand for, in the order of the class ids, beside 255 for pixels that do not
            count; None: any value is fine.

    Raises:
        InputError: what is wrong, in a phrase.
    """
    height, width = size
    if mask.shape != (height, width):
        told = f"{name} is {' x '.join(map(str, mask.shape))}, its image {height} x {width} (height x width)"
        if mask.shape == (width, height):
            told += ": one of them is turned; an image is taken as its EXIF orientation says, so turn the mask as well"
        raise InputError(told)
    if class_names is None:
        return
    count = len(class_names)
    wrong = mask[((mask < 0) | (mask >= count)) & (mask != IGNORE)]
    if wrong.size:
        ids, pixels = np.unique(wrong, return_counts=True)
        listed = [
            f"{i} ({_pixels(number)})" for i, number in zip(ids[:MAX_SHOWN].tolist(), pixels.tolist(), strict=False)
        ]
        more = f" and {len(ids) - MAX_SHOWN} more" if len(ids) > MAX_SHOWN else ""
        raise InputError(
            f"{name} has values that are none of its {count} classes, 0 to {count - 1}: {', '.join(listed)}{more}; "
            "give each a class, or make it 255, which does not count"
        )


def _pixels(count: int) -> str:
    return "1 pixel" if count == 1 else f"{count} pixels"


_MAX_NAMED = 5  # classes in one message


def refuse_background(class_names: Sequence[str], truths: Sequence[Mapping[str, Any]]) -> None:
    """Refuses training masks that show nothing but background; reads them only until one shows something.

    Args:
        class_names: in the order of the class ids; the first is the background.
        truths: the truth of each training sample.

    Raises:
        InputError: no mask has a pixel of any other class, or none can be used.
    """
    bad: list[Exception] = []
    if not any(np.any((mask != 0) & (mask != IGNORE)) for mask in _good_masks(class_names, truths, bad)):
        raise _only_background(class_names, len(truths), bad)


def class_weights(
    options: SegmentationOptions, class_names: Sequence[str], truths: Sequence[Mapping[str, Any]]
) -> np.ndarray | None:
    """What `model.class_weights` means for the training masks.

    Balanced weights are inverse to how many pixels a class has in all of them, `pixels / (classes * pixels of the
    class)`, as scikit-learn's; logarithmic ones `1 / ln(1.02 + pixels of the class / pixels)`, as ENet's (Paszke et al.
    2016), which a class without a pixel has, too. Pixels that do not count are left out. Weights by name are taken
    as they are: the losses divide by the sum of the weights, so only their ratios matter.

    Args:
        options: the recipe's `model` section.
        class_names: in the order of the class ids; the first is the background.
        truths: the truth of each training sample; weights by name do not read it.

    Returns:
        Float32 `[classes]`; None where all weigh the same.

    Raises:
        InputError: a weight for a class that the data does not have; nothing but background, or no mask that can be
            used; for balanced weights a class without a pixel.
    """
    given = options.class_weights
    if given == "none":
        return None
    if isinstance(given, dict):
        for name in given:
            if name not in class_names:
                raise InputError(
                    f"model.class_weights: the data has no class '{name}': {nearest(name, class_names)}",
                    field="model.class_weights",
                )
        return np.array([given.get(name, 1.0) for name in class_names], np.float32)
    bad: list[Exception] = []
    counts = np.zeros(IGNORE + 1)
    for mask in _good_masks(class_names, truths, bad):
        counts += np.bincount(mask.ravel(), minlength=len(counts))
    counts = counts[: len(class_names)]
    if not counts[1:].any():
        raise _only_background(class_names, len(truths), bad)
    if given == "logarithmic":
        return (1 / np.log(1.02 + counts / counts.sum())).astype(np.float32)
    _refuse_absent(class_names, counts, len(truths), bad)
    return (counts.sum() / (len(counts) * counts)).astype(np.float32)


def _good_masks(
    class_names: Sequence[str], truths: Sequence[Mapping[str, Any]], bad: list[Exception]
) -> Iterator[np.ndarray]:
    """Those that can be used; of the others why not, into `bad`: the check of all data, which comes later, names them.

    Raises:
        InputError: none can be used.
    """
    good = False
    for index in range(len(truths)):
        try:
            mask = np.asarray(truths[index]["mask"])
            check_mask("mask", mask, mask.shape, class_names)
        except RecipeError:
            raise
        except (InputError, OSError) as error:
            bad.append(error)
            continue
        good = True
        yield mask
    if bad and not good:
        raise InputError(f"none of the {len(truths)} training masks can be used; of the first: {bad[0]}") from bad[0]


def _refuse_absent(class_names: Sequence[str], counts: np.ndarray, masks: int, bad: Sequence[Exception]) -> None:
    absent = [name for name, count in zip(class_names, counts, strict=True) if count == 0]
    if absent:
        names = "', '".join(absent[:_MAX_NAMED])
        more = f" and of {len(absent) - _MAX_NAMED} other classes" if len(absent) > _MAX_NAMED else ""
        line = advise("model.class_weights", {class_names[int(counts[1:].argmax()) + 1]: 2.0})
        raise InputError(
            f"model.class_weights: no training mask has a pixel of '{names}'{more}, so there is nothing to balance: "
            f"name the weights of others, as {line}{_and_bad(masks, bad)}",
            field="model.class_weights",
        )


def _only_background(class_names: Sequence[str], masks: int, bad: Sequence[Exception]) -> InputError:
    others = "', '".join(class_names[1 : 1 + _MAX_NAMED])
    return InputError(
        f"none of the {masks} training masks has a pixel of any class but '{class_names[0]}', so there is nothing to "
        f"learn: look at the masks, and at how the data section reads '{others}' from them{_and_bad(masks, bad)}"
    )


def _and_bad(masks: int, bad: Sequence[Exception]) -> str:
    return f"; {len(bad)} of the {masks} cannot be used, first: {bad[0]}" if bad else ""
