"""The recipe's `input`, `model`, `results` and `evaluate` sections for detection."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from ..backbones.options import BackboneOptions
from ..errors import nearest
from ..inputs.image.options import ImageOptions, Pixels
from ..naming import check_name
from ..options import NotNegative, Options
from . import BACKBONES

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class DetectionInput(ImageOptions):
    """How an image becomes the model's input."""

    size: Pixels | tuple[Pixels, Pixels] | None = 320
    """Height and width of the model's input in pixels, `[288, 384]`; one number is a square. null with `fit: pad`."""
    fit: Literal["letterbox", "stretch", "crop", "pad"] = "letterbox"
    """`letterbox` scales the whole image to fit inside, centres it and fills the rest; `stretch` scales both sides on
    their own; `pad` keeps the native size and fills the bottom and the right, up to the largest of the batch rounded
    up to `stride`. `crop` is refused: it would cut objects off."""

    @field_validator("fit")
    @classmethod
    def _whole_image(cls, value: str) -> str:
        if value == "crop":
            raise ValueError("it would cut off objects: take letterbox, stretch or pad")
        return value


class DetectionOptions(BackboneOptions):
    """What a detector is made of, and what it learns from."""

    name: str = "retinanet"
    """A detector from the task's table, or your own as `package.module:Name` (see `detector.build`)."""
    backbone: str = "mobilenet_v2"
    """A network of keras.applications whose levels align, or for small images one of `resnet20` to `resnet56`; your own
    as `package.module:Name`."""
    strides: Annotated[list[Pixels], Field(min_length=1)] = [8, 16, 32, 64, 128]
    """The levels that boxes are predicted at, each twice as coarse as the one before, in pixels. Those that the
    backbone lacks at the coarse end are added by convolutions of stride 2. `yolo_grid` and `localizer` use the
    coarsest level of the backbone."""
    anchor_sizes: list[Positive] | None = None
    """The side of a square anchor at each of the strides, in pixels of the model's input; null is 4 times the stride
    (Lin et al. 2017, section 4). The log's `anchor_recall` says which fraction of the objects they cover."""
    anchor_scales: Annotated[list[Positive], Field(min_length=1)] = [1.0, 1.26, 1.587]
    """Each anchor size comes times these: 2^0, 2^(1/3), 2^(2/3) of the paper."""
    anchor_ratios: Annotated[list[Positive], Field(min_length=1)] = [0.5, 1.0, 2.0]
    """Heights divided by widths of the anchors, of equal area."""
    channels: Annotated[int, Field(ge=1)] = 96
    """Of the feature pyramid and the heads; 256 in the papers, which takes four times as long."""
    head_layers: Annotated[int, Field(ge=0)] = 2
    """Convolutions before the last of each head; 4 in the RetinaNet paper."""
    neck: Literal["fpn", "plain"] = "fpn"
    """Of `ssd`: `fpn` gives every level what the coarser ones see (Lin et al. 2017, "FPN"), `plain` takes the levels as
    they are (Liu et al. 2016)."""
    positive_iou: Annotated[float, Field(gt=0, le=1)] = 0.5
    """An anchor learns the object that it overlaps most, from this intersection over union on; beside these, the best
    anchors of each object always learn it."""
    negative_iou: Annotated[float, Field(ge=0, le=1)] = 0.4
    """Below this an anchor learns that there is no object; between the two it learns nothing."""
    box_loss: Literal["smooth_l1", "ciou"] = "smooth_l1"
    """What is minimised of boxes: `smooth_l1` of their encoded corners (Girshick 2015), or 1 - complete IoU of the
    boxes themselves, `ciou` (Zheng et al. 2020)."""
    box_weight: NotNegative = 1.0
    """What the box loss weighs against that of the classes."""
    focal_alpha: Fraction = 0.25
    """What objects weigh in the focal loss of `retinanet`, against 1 - alpha of the background (Lin et al. 2017)."""
    focal_gamma: NotNegative = 2.0
    """How much less the focal loss gives to anchors that are right already."""
    negatives: NotNegative = 3.0
    """Of `ssd`: background anchors that count, the hardest ones, for each that has an object (Liu et al. 2016)."""
    class_agnostic: bool = False
    """Of `faster_rcnn` and `localizer`: one box for all classes, in place of one for each."""

    @field_validator("backbone")
    @classmethod
    def _known_backbone(cls, value: str) -> str:
        check_name(value, BACKBONES, "backbone")
        return value

    @field_validator("strides")
    @classmethod
    def _doubling(cls, value: list[int]) -> list[int]:
        if value[0] < 2 or any(right != 2 * left for left, right in zip(value, value[1:], strict=False)):
            raise ValueError("each is twice the one before, from 2 on: [8, 16, 32]")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> "DetectionOptions":
        if self.anchor_sizes is not None and len(self.anchor_sizes) != len(self.strides):
            raise ValueError(
                f"anchor_sizes has {len(self.anchor_sizes)} values for {len(self.strides)} strides: give one for each"
            )
        if self.negative_iou > self.positive_iou:
            raise ValueError(
                f"negative_iou {self.negative_iou:g} is above positive_iou {self.positive_iou:g}: an anchor would be "
                "both: lower it"
            )
        return self


class DetectionResults(Options):
    """Which of the boxes that a detector proposes are answered."""

    threshold: str | float | dict[str, float] = "best_f1"
    """From which score on a box is answered, for each class: `best_f1` and `{precision: 0.9}` choose it on validation,
    the latter the lowest with at least that precision; a number is for all."""
    suppression: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Of two boxes of one class with more than this intersection over union, the one with the lower score goes."""
    max_detections: Annotated[int, Field(ge=1)] = 100
    """Boxes in one image, at most: those with the highest scores. COCO's metrics count 100."""

    @field_validator("threshold")
    @classmethod
    def _can_be_chosen(cls, value: str | float | dict[str, float]) -> str | float | dict[str, float]:
        if isinstance(value, str):
            if value != "best_f1":
                raise ValueError(f"{nearest(value, ['best_f1'])} (or {{precision: 0.9}}, or a number)")
            return value
        if isinstance(value, dict) and list(value) != ["precision"]:
            raise ValueError("a mapping has the one key precision: {precision: 0.9}")
        number = value["precision"] if isinstance(value, dict) else value
        if not 0 <= number <= 1:
            raise ValueError("a threshold and a precision lie between 0 and 1")
        return value


class DetectionEvaluationOptions(Options):
    """How detections are measured."""

    protocol: Literal["coco", "voc07", "voc12"] = "coco"
    """`coco` is the mean over intersections over union of 0.50 to 0.95, by pycocotools; `voc12` the area below the
    curve at 0.5, `voc07` its mean at eleven recalls, both by the rules of the VOC devkit."""
