"""The recipe's `model` and `input` sections for segmentation."""

from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field, Tag, field_validator, model_validator

from ..backbones.families import NETWORKS
from ..backbones.options import BackboneOptions
from ..errors import nearest
from ..inputs.image.options import ImageOptions, Pixels
from ..naming import check_name
from ..options import BY_FORM, NotNegative, Options, Weights

LOSSES = ("cross_entropy", "dice", "focal", "jaccard", "tversky", "boundary")
"""Names for `model.loss`; see `losses`."""
WEIGHTED = ("cross_entropy", "focal", "boundary")
"""Those in which classes have weights."""


PixelWeights = Annotated[
    Annotated[Literal["none", "balanced", "logarithmic"], Tag("word")] | Annotated[Weights, Tag("weights")], BY_FORM
]


class SegmentationInput(ImageOptions):
    """How an image becomes the model's input: here by default in its own size, whatever that is."""

    size: Pixels | tuple[Pixels, Pixels] | None = None
    """Height and width of the model's input in pixels, `[192, 256]`; one number is a square. null with `fit: pad`."""
    fit: Literal["letterbox", "stretch", "crop", "pad"] = "pad"
    """`pad` keeps the native size and fills the bottom and the right, up to the largest of the batch rounded up to
    `stride`; `letterbox` scales the whole image to fit inside, centres it and fills the rest; `stretch` scales both
    sides on their own. `crop` is refused: every pixel gets a class."""

    @field_validator("fit")
    @classmethod
    def _whole_image(cls, value: str) -> str:
        if value == "crop":
            raise ValueError("it would cut off pixels that need a class: take pad, letterbox or stretch")
        return value


class SegmentationOptions(BackboneOptions):
    """What a segmentation network is made of."""

    moved = MappingProxyType(
        {name: f"results.{name}" for name in ("threshold", "instances", "instance_neck", "instance_pixels")}
    )

    name: str = "unet"
    """A network from the task's table, or your own as `package.module:Name` (see `model.build`)."""
    backbone: str = "none"
    """The encoder of `unet`, `fcn8s`, `fcn16s`, `fcn32s` and `deeplab_v3plus`: a network of keras.applications whose
    levels align, as `mobilenet_v2`; `none` is the encoder of the network's own paper, where it has one."""
    width: Annotated[int, Field(ge=1)] = 64
    """Channels at full resolution in `unet` and `segnet` without a backbone, doubled at each level (64 in the
    papers)."""
    depth: Annotated[int, Field(ge=1, le=6)] = 4
    """How often `unet` without a backbone halves the image (4 in the paper)."""
    upsampling: Literal["transposed", "resized"] = "transposed"
    """How `unet` doubles its maps: transposed convolution (the paper's), or bilinear resizing and a convolution."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the channels that training drops before the last layer, 0 to below 1."""
    loss: Annotated[Annotated[str, Tag("word")] | Annotated[Weights, Tag("weights")], BY_FORM] = "cross_entropy"
    """What is minimised: `cross_entropy`, `dice`, `focal`, `jaccard`, `tversky`, `boundary` (cross-entropy that weighs
    the gaps between objects, Ronneberger et al. 2015), or a sum: `{cross_entropy: 1.0, dice: 0.5}`. For `boundary`,
    objects are pixels of one class that touch, so those that truth lets touch are one, without a gap: with object
    numbers `data.instances: separated` parts them."""
    class_weights: PixelWeights = "none"
    """What each class weighs in cross-entropy, focal and boundary loss: `balanced` is inverse to how frequent its
    pixels are in training; `logarithmic` is 1 / ln(1.02 + their fraction), from 1.4 to 50, so that a class of very few
    pixels is learned but not seen everywhere (Paszke et al. 2016, "ENet", section 5.2); or weights by name, as
    `{rose: 2.0}`, 1 for the others."""
    focal_gamma: NotNegative = 2.0
    """How much less the focal loss gives to pixels that are right already (Lin et al. 2017)."""
    tversky_alpha: Annotated[float, Field(ge=0, le=1)] = 0.3
    """What a false positive costs in the Tversky loss, against 1 - alpha of a false negative (Salehi et al. 2017); 0.5
    is Dice."""
    boundary_weight: NotNegative = 10.0
    """How much more a pixel between two touching objects weighs in the boundary loss (w0 of the paper)."""
    boundary_sigma: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 5.0
    """How far from the objects that reaches, in pixels (sigma of the paper)."""

    @field_validator("backbone")
    @classmethod
    def _known_backbone(cls, value: str) -> str:
        if value != "none":
            check_name(value, NETWORKS, "backbone")
        return value

    @field_validator("loss")
    @classmethod
    def _known_losses(cls, value: str | dict[str, float]) -> str | dict[str, float]:
        if isinstance(value, dict) and not value:
            raise ValueError("name at least one: {cross_entropy: 1.0}")
        for name in value if isinstance(value, dict) else [value]:
            if name not in LOSSES:
                raise ValueError(f"unknown loss '{name}': {nearest(name, LOSSES)}")
        return value

    @model_validator(mode="after")
    def _some_loss_takes_class_weights(self) -> "SegmentationOptions":
        losses = [self.loss] if isinstance(self.loss, str) else list(self.loss)
        if self.class_weights != "none" and {*WEIGHTED}.isdisjoint(losses):
            told = ", ".join(losses)
            raise ValueError(f"class_weights are for {', '.join(WEIGHTED)}, and loss is {told}: say none")
        return self


class SegmentationResults(Options):
    """How probabilities are answered as classes and objects."""

    threshold: Annotated[float, Field(gt=0, lt=1)] | None = None
    """With two classes, the probability from which on a pixel belongs to the second; null chooses the one with the best
    Dice on validation."""
    instances: Literal["none", "components", "watershed"] = "none"
    """How evaluation and prediction part the pixels of the second class, and of each after it, into objects:
    `components` are pixels of one class that touch; `watershed` also parts objects that touch, along the necks between
    them. Objects grow over the pixels of a class named `boundary`, which has none of its own."""
    instance_neck: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.75
    """For `watershed`, from which depth on a neck parts two objects, in pixels: by how much the largest circle that
    fits into the narrowest place between them has a smaller radius than the one in the smaller object. Lower parts
    more; below 0.75 the steps of slanted edges begin to part convex objects."""
    instance_pixels: Annotated[int, Field(ge=1)] = 10
    """Objects of fewer pixels are dropped."""
