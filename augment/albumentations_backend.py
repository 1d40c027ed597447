"""Albumentations 2.0.8 behind one file: its MIT line is frozen, so whatever replaces it replaces this file alone."""

import copy
import inspect
import os
import random
import traceback
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, BaseModel, Field, ValidationError

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # or the next import asks PyPI for a newer version
import albumentations  # noqa: E402
import cv2  # noqa: E402
from albumentations import BaseCompose, BasicTransform  # noqa: E402
from albumentations.augmentations.crops.transforms import BaseCrop, BaseCropAndPad  # noqa: E402

from .box_params import BOX_PARAMS, BoxParams  # noqa: E402
from .crops import centred, crop_with_class, ssd_patch  # noqa: E402
from .errors import AugmentError, nearest, one_line, reasons  # noqa: E402
from .mixes import MIXES  # noqa: E402
from .probe import OWNS_PREPROCESSING, try_out  # noqa: E402
from .sample import IGNORE, Moving, is_image, shown  # noqa: E402
from .steps import Step  # noqa: E402

# Samples are augmented in parallel, so OpenCV's own threads would only compete with ours (measured: 7% slower with 2
# workers), and its pool does not survive a fork. The setting is global for the process, hence once and here.
cv2.setNumThreads(0)

COMPANIONS = "companions"  # of a sample, by albumentations' metadata_key
MAX_MASKS = 3

_ABSTRACT = {"BasicTransform", "BaseCompose", "DualTransform", "ImageOnlyTransform", "Transform3D"}
_REFUSED = {
    "Compose": "the list is the Compose; Sequential groups steps inside it",
    "ReplayCompose": "the list is the Compose, and its seed replays it",
    "SelectiveChannelTransform": "it would move the image without its mask and boxes",
    "Lambda": "it needs Python functions, which a recipe cannot give",
    "ToTensorV2": OWNS_PREPROCESSING,  # known by name, as it only exists where PyTorch is installed
}
_NEEDS = {
    "MaskDropout": "mask",
    "CropNonEmptyMaskIfExists": "mask",
    "RareClassCrop": "mask",
    "AtLeastOneBBoxRandomCrop": "boxes",
    "BBoxSafeRandomCrop": "boxes",
    "RandomSizedBBoxSafeCrop": "boxes",
    "SSDRandomCrop": "boxes",
}
# With boxes these give wrong truth: the one keeps the boxes of objects that it erases, the other tears objects apart.
_SPOILS_BOXES = {"MaskDropout", "RandomGridShuffle"}


_Fraction = Annotated[float, Field(ge=0, le=1)]
_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _ascending(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError("the first is greater than the second")
    return pair


class RandomErasing(albumentations.Erasing):
    """Erasing, under the paper's name (Zhong et al. 2020) too, that leaves an image in which no rectangle fits.

    Albumentations' own fails on it: it forgets the seed of a fill that there is not.
    """

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        return {"seed": 0} | super().get_params_dependent_on_data(params, data)


class GridElasticDeform(albumentations.GridElasticDeform):
    """With `IGNORE` in the mask where the warped cells leave the image uncovered: albumentations' own has class 0."""

    def apply_to_mask(self, mask: np.ndarray, generated_mesh: np.ndarray, **params: Any) -> np.ndarray:
        covered = super().apply_to_mask(np.ones_like(mask), generated_mesh, **params)
        return np.where(covered, super().apply_to_mask(mask, generated_mesh, **params), mask.dtype.type(IGNORE))


class RareClassCrop(BaseCropAndPad):
    """A crop round a random pixel of a random class; see `crop_with_class`. A smaller image is padded.

    Args:
        size: height and width.
        background: a class id that is not chosen as long as there are others; None treats all alike.
        fill: the value of a padded pixel of the image.
        fill_mask: that of the mask.
        p: the share of images that are cropped.
    """

    class InitSchema(albumentations.DualTransform.InitSchema):
        size: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]
        background: Annotated[int, Field(ge=0)] | None
        fill: tuple[float, ...] | float
        fill_mask: float

    def __init__(
        self,
        size: tuple[int, int],
        background: int | None = None,
        fill: tuple[float, ...] | float = 0,
        fill_mask: float = IGNORE,
        p: float = 1.0,
    ):
        super().__init__(True, cv2.BORDER_CONSTANT, fill, fill_mask, "random", p)
        self.size, self.background = tuple(size), background

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        mask = data["mask"]
        pad = self._get_pad_params(mask.shape, self.size)
        if pad:
            around = ((pad["pad_top"], pad["pad_bottom"]), (pad["pad_left"], pad["pad_right"]))
            mask = np.pad(mask, around, constant_values=IGNORE)
        top, left = crop_with_class(mask, self.size, self.background, self.random_generator)
        return {"crop_coords": (left, top, left + self.size[1], top + self.size[0]), "pad_params": pad}


class SSDRandomCrop(BaseCrop):
    """The random crop of the SSD paper; see `ssd_patch`. A box whose centre is cut off is dropped.

    Args:
        min_iou: overlaps of patch and object to choose from, beside any and the whole image.
        scale: the least and the greatest area of a patch, as fractions of the image's.
        ratio: the least and the greatest width / height of a patch.
        p: the share of images for which one of these is chosen.
    """

    class InitSchema(albumentations.DualTransform.InitSchema):
        min_iou: tuple[_Fraction, ...]
        scale: Annotated[tuple[_Positive, _Fraction], AfterValidator(_ascending)]
        ratio: Annotated[tuple[_Positive, _Positive], AfterValidator(_ascending)]

    def __init__(
        self,
        min_iou: tuple[float, ...] = (0.1, 0.3, 0.5, 0.7, 0.9),
        scale: tuple[float, float] = (0.1, 1.0),
        ratio: tuple[float, float] = (0.5, 2.0),
        p: float = 1.0,
    ):
        super().__init__(p=p)
        self.min_iou, self.scale, self.ratio = tuple(min_iou), tuple(scale), tuple(ratio)

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        boxes = data["bboxes"][:, :4] * _scale(data["image"])
        size = params["shape"][:2]
        patch = ssd_patch(boxes, size, self.min_iou, self.scale, self.ratio, self.random_generator)
        return {"crop_coords": patch}

    def apply_to_bboxes(self, bboxes: np.ndarray, crop_coords: tuple[int, int, int, int], **params: Any) -> np.ndarray:
        height, width = params["shape"][:2]
        (kept,) = centred(bboxes[:, :4] * (width, height, width, height), np.array([crop_coords]))
        return super().apply_to_bboxes(bboxes[kept], crop_coords, **params)


class _WholeBoxes:
    """With crops that end behind the boxes: albumentations' end up to a pixel before, which may leave no crop."""

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        found = super().get_params_dependent_on_data(params, data)  # pyright: ignore[reportAttributeAccessIssue]
        if len(data["bboxes"]):
            x_min, y_min, x_max, y_max = found["crop_coords"]
            height, width = params["shape"][:2]
            found["crop_coords"] = (x_min, y_min, min(x_max + 1, width), min(y_max + 1, height))
        return found


class BBoxSafeRandomCrop(_WholeBoxes, albumentations.BBoxSafeRandomCrop):
    """Loses no part of a box."""


class RandomSizedBBoxSafeCrop(_WholeBoxes, albumentations.RandomSizedBBoxSafeCrop):
    """Loses no part of a box."""


class Mosaic(albumentations.Mosaic):
    """Without the boxes of which a cell shows too little: albumentations' own knows no rule at the borders of cells."""

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        found = super().get_params_dependent_on_data(params, data)
        if "bboxes" not in data:
            return found
        whole: dict[float, float] = {}  # by its row, the area that a box has in its cell
        for each in (data, *data[self.metadata_key]):
            sides = np.array(each["image"].shape[:2])
            factor = (max if self.fit_mode == "cover" else min)(self.cell_shape / sides)
            area = _areas(each["bboxes"]) * np.maximum(np.round(sides * factor), 1).prod()
            whole |= dict(zip(each["bboxes"][:, -1], area, strict=True))
        least = self.get_processor("bboxes").params.min_visibility
        for cell in found["processed_cells"].values():
            boxes = cell["bboxes"]
            seen = _areas(boxes) * np.prod(self.target_size)
            kept = [area >= least * whole[row] for area, row in zip(seen, boxes[:, -1], strict=True)]
            cell["bboxes"] = boxes[np.array(kept, bool)]
        return found


def _areas(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


_OWN = {"Erasing": RandomErasing} | {
    kind.__name__: kind
    for kind in (
        RandomErasing,
        GridElasticDeform,
        RareClassCrop,
        SSDRandomCrop,
        BBoxSafeRandomCrop,
        RandomSizedBBoxSafeCrop,
        Mosaic,
    )
}


class _CompositeSchema(BaseModel):
    """What albumentations does not check itself: the arguments of OneOf, SomeOf, ..."""

    p: float = Field(0.5, ge=0, le=1)
    n: int = Field(1, ge=1)
    replace: bool = False


class Chain:
    """The transforms of a recipe, one after the other. Not thread-safe: every thread works on its own deep copy.

    Attributes:
        needs: what of a sample ("mask", "boxes") some step cannot do without, to the first such step.
        companions: how many other samples the steps want to see beside each.
    """

    def __init__(self, steps: Sequence[Step], kept: BoxParams, of_boxes: Sequence[Step] = ()) -> None:
        """Builds and tries every step; `kept` is what each must leave of a box, by the entries `of_boxes`.

        Raises AugmentError for a step that cannot be built or gives no uint8 3-channel image.
        """
        self.needs: dict[str, str] = {}
        for each in of_boxes:
            self.needs["boxes"] = f"{each.where}: {each.name}"
        self.companions = 0
        self._spoils_boxes = ""
        self._kept = kept
        self._compose = _compose([self._build(step) for step in steps], kept)

    def __call__(self, part: Moving, seed: int, companions: Sequence[Moving] = ()) -> Moving:
        """Applies the transforms to copies of the arrays of `part`."""
        has = {"mask": bool(part.masks), "boxes": part.boxes is not None}
        for key, where in self.needs.items():
            if not has[key]:
                raise AugmentError(f"{where} needs '{key}', which the sample does not have")
        if self._spoils_boxes and part.boxes is not None:
            raise AugmentError(f"{self._spoils_boxes} cannot keep 'boxes' right; leave it out for samples with boxes")
        if len(companions) < self.companions:
            raise AugmentError(f"Mosaic needs {self.companions} other samples, and there are {len(companions)}")
        if self.companions and len(part.masks) > 1:
            raise AugmentError(f"Mosaic moves one mask, and the sample has {', '.join(part.masks)}")
        moved = _run(self._compose, part, seed, companions)
        if not is_image(moved.image):  # ToGray, for one, loses an axis of an image that is one pixel high
            raise AugmentError(f"{shown(part.image)} comes out as {shown(moved.image)}, which is no image")
        return moved

    def _build(self, step: Step) -> BasicTransform | BaseCompose:
        kind = _find(step)
        where = f"{step.where}: {step.name}"
        composite = issubclass(kind, BaseCompose)
        if composite and not step.children:
            raise AugmentError(f"{where}: 'transforms' is needed, a list of at least one transform")
        if step.children and not composite:
            raise AugmentError(f"{where} holds no 'transforms'; OneOf, SomeOf, RandomOrder, OneOrOther, Sequential do")
        _check_arguments(step, kind)
        children = [self._build(child) for child in step.children or ()]
        try:
            if composite:
                if not any(child.p for child in children):
                    raise AugmentError(f"{where}: every transform in it has p: 0")
                return kind(transforms=children, **step.arguments)
            transform = kind(**_with_ignore(step, kind))
        except AugmentError:
            raise
        except Exception as error:
            raise AugmentError(f"{where}: {one_line(error)}") from error
        self._note_truth(transform, where)
        twin = copy.deepcopy(transform)
        twin.p = 1.0
        others = self.companions
        try_out(lambda part: _run(_compose([twin], self._kept), part, 0, [part] * others).image, step.where, step.name)
        return transform

    def _note_truth(self, transform: BasicTransform, where: str) -> None:
        if isinstance(transform, albumentations.Mosaic):
            rows, columns = transform.grid_yx
            self.companions = max(self.companions, rows * columns - 1)
            transform.metadata_key = COMPANIONS
        extra = set(transform.targets_as_params) - {"image", "mask", "bboxes", COMPANIONS}
        if extra:
            raise AugmentError(f"{where} needs '{min(extra)}' beside every sample, which a recipe cannot give")
        key = _NEEDS.get(type(transform).__name__)
        if isinstance(transform, albumentations.ConstrainedCoarseDropout):
            if transform.mask_indices is None and transform.bbox_labels is None:
                raise AugmentError(f"{where}: 'mask_indices' or 'bbox_labels' is needed")
            key = "boxes" if transform.mask_indices is None else "mask"
        if key:
            self.needs.setdefault(key, where)
        if type(transform).__name__ in _SPOILS_BOXES:
            self._spoils_boxes = self._spoils_boxes or where


def _find(step: Step) -> type[BasicTransform | BaseCompose]:
    if step.name in MIXES:  # those of the list itself were taken out
        raise AugmentError(f"{step.where}: {step.name}: it mixes whole batches; it stands in the list itself")
    if step.name == BOX_PARAMS:
        raise AugmentError(f"{step.where}: {step.name}: it holds for the whole list; it stands in the list itself")
    if step.name in _REFUSED:
        raise AugmentError(f"{step.where}: {step.name}: {_REFUSED[step.name]}")
    kinds = {
        name: kind
        for name, kind in vars(albumentations).items()
        if inspect.isclass(kind) and issubclass(kind, BasicTransform | BaseCompose) and name not in _ABSTRACT
    } | _OWN
    kind = kinds.get(step.name)
    if kind is None:
        known = {*kinds, *MIXES, BOX_PARAMS} - _REFUSED.keys()
        raise AugmentError(f"{step.where}: unknown transform '{step.name}': {nearest(step.name, known)}")
    if issubclass(kind, albumentations.Transform3D):
        raise AugmentError(f"{step.where}: {step.name}: it works on volumes, not on images")
    return kind


def _check_arguments(step: Step, kind: type[BasicTransform | BaseCompose]) -> None:
    """Refuses wrong names, which albumentations ignores with a warning, and wrong values, which some classes take."""
    parameters = dict(inspect.signature(kind).parameters)
    for name in ("transforms", "first", "second"):  # the children of composites, which are not given as arguments
        parameters.pop(name, None)
    for name in step.arguments:
        if name not in parameters:
            raise AugmentError(f"{step.where}: {step.name}: unknown argument '{name}': {nearest(name, parameters)}")
    defaults = {name: each.default for name, each in parameters.items() if each.default is not each.empty}
    schema = getattr(kind, "InitSchema", _CompositeSchema)
    try:
        schema(**{**defaults, **step.arguments, "strict": True})
    except ValidationError as error:
        raise AugmentError(f"{step.where}: {step.name}: {reasons(error, step.arguments)}") from error
    except Exception as error:  # a validator of albumentations that did not expect this value
        raise AugmentError(f"{step.where}: {step.name}: {one_line(error)}") from error


def _with_ignore(step: Step, kind: type[BasicTransform]) -> dict[str, object]:
    """The step's arguments; a mask's new pixels are IGNORE where albumentations would call them class 0."""
    fill = inspect.signature(kind).parameters.get("fill_mask")
    return {**({"fill_mask": IGNORE} if fill is not None and fill.default == 0 else {}), **step.arguments}


def _compose(transforms: list[BasicTransform | BaseCompose], kept: BoxParams) -> albumentations.Compose:
    boxes = albumentations.BboxParams(
        format="albumentations", clip=True, filter_invalid_bboxes=True, **kept.model_dump()
    )
    if not any("bboxes" in each.available_keys for each in transforms):
        transforms = [*transforms, albumentations.NoOp(p=0.0)]  # or Compose warns that the boxes have no use
    further = {f"mask{number}": "mask" for number in range(1, MAX_MASKS)}
    return albumentations.Compose(
        transforms, bbox_params=boxes, mask_interpolation=cv2.INTER_NEAREST, additional_targets=further
    )


def _run(compose: albumentations.Compose, part: Moving, seed: int, companions: Sequence[Moving] = ()) -> Moving:
    # One pair of generators for all transforms, nested ones included. set_random_seed(seed) would give every transform
    # its own generator in the same state: HorizontalFlip and VerticalFlip would always happen together (and it
    # costs 250 microseconds for ten transforms, where this costs 30). cv2's generator is seeded by those who use it.
    compose.set_random_state(np.random.default_rng(seed), random.Random(seed))
    if len(part.masks) > MAX_MASKS:
        raise AugmentError(f"a sample has at most {MAX_MASKS} masks, and this has {', '.join(part.masks)}")
    data, everyone = _values(part, 0), [part]
    if companions:
        firsts = np.cumsum([0 if each.boxes is None else len(each.boxes) for each in (part, *companions)])
        data[COMPANIONS] = [_values(each, first) for each, first in zip(companions, firsts, strict=False)]
        everyone += companions
    try:
        moved = compose(**data)
    except Exception as error:
        height, width = part.image.shape[:2]
        raise AugmentError(f"{_culprit(error)}fails on an image of {width} x {height}: {one_line(error)}") from error
    image = moved["image"]
    masks = {
        name: np.ascontiguousarray(moved[_mask_key(number)]).astype(mask.dtype)
        for number, (name, mask) in enumerate(part.masks.items())
    }
    if part.boxes is None:
        return Moving(image, masks)
    columns = moved["bboxes"].reshape(-1, 6)  # it has another width when no box is left
    kept = columns[:, 5].astype(np.intp)
    boxes = (columns[:, :4] * _scale(image)).astype(part.boxes.dtype)
    fields = {name: np.concatenate([each.fields[name] for each in everyone])[kept] for name in part.fields}
    return Moving(image, masks, boxes, fields)


def _values(part: Moving, first: int) -> dict[str, np.ndarray]:
    """What albumentations takes of a sample; the last column of its boxes is their row, counted from `first`."""
    data = {"image": np.array(part.image, order="C")}  # a copy: no transform can reach what the caller holds
    data |= {_mask_key(number): _packed(name, mask) for number, (name, mask) in enumerate(part.masks.items())}
    if part.boxes is not None:
        rows = np.arange(first, first + len(part.boxes))
        data["bboxes"] = np.column_stack([part.boxes / _scale(part.image), part.labels, rows]).astype(np.float64)
    return data


def _mask_key(number: int) -> str:
    return f"mask{number}" if number else "mask"


def _scale(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    return np.array([width, height, width, height], np.float64)


def _packed(name: str, mask: np.ndarray) -> np.ndarray:
    """A copy of the mask in the smallest type that OpenCV can move: it has no 32 or 64 bit integers."""
    movable = (np.uint8, np.uint16, np.int16)
    if mask.dtype in movable:
        return np.array(mask, order="C")
    low, high = int(mask.min()), int(mask.max())
    for dtype in movable:
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return np.array(mask, dtype, order="C")
    raise AugmentError(f"'{name}' has values from {low} to {high}; augmentation can move 0 to 65535")


def _culprit(error: Exception) -> str:
    """The name of the innermost transform that was at work, from the error's traceback."""
    owners = [frame.f_locals.get("self") for frame, _ in traceback.walk_tb(error.__traceback__)]
    names = [type(owner).__name__ for owner in owners if isinstance(owner, BasicTransform)]
    return f"{names[-1]} " if names else ""
