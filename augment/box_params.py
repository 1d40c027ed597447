"""`BboxParams` in the list: which boxes are too little to be kept, under the name that albumentations gives it."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from .errors import AugmentError
from .steps import Step, with_arguments

BOX_PARAMS = "BboxParams"


class BoxParams(BaseModel):
    """What must be left of a box by each step, or it is dropped with its fields; it holds for the whole list.

    Attributes:
        min_visibility: the fraction of its area that lies inside the image, 0..0.99. A tenth by default, as for
            Ultralytics' YOLO: of less nobody could say what it is.
        min_area: square pixels.
        min_width: pixels; a side under half a pixel covers none after rounding.
        min_height: pixels.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    min_visibility: float = Field(0.1, ge=0, le=0.99)
    min_area: float = Field(0.0, ge=0, allow_inf_nan=False)
    min_width: float = Field(0.5, ge=0.5, allow_inf_nan=False)
    min_height: float = Field(0.5, ge=0.5, allow_inf_nan=False)


def build_box_params(steps: Sequence[Step]) -> BoxParams:
    """Those of the one step that is given, or the default ones.

    Raises:
        AugmentError: a second step, an unknown argument, with the nearest one, or a wrong value.
    """
    if len(steps) > 1:
        raise AugmentError(f"{steps[1].where}: {BOX_PARAMS} holds for the whole list and stands in it once")
    return with_arguments(BoxParams, steps[0]) if steps else BoxParams()
