"""What a bundle says of itself: `assets.extra/saccade.json`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ..models.errors import InputError

EXTRA = "assets.extra"
"""The folder of a SavedModel that TF Serving leaves to others."""
FILE = "saccade.json"


@dataclass(frozen=True)
class Proof:
    """How an export proved itself.

    Attributes:
        samples: images that were compared.
        largest_difference: between the bundle's and the Predictor's numbers: absolute below 1, relative above.
        metric: the task's metrics on these samples, equal for both.
        seconds: wall time of the proof, the clean process' start included.
    """

    samples: int
    largest_difference: float
    metric: dict[str, float]
    seconds: float

    def __str__(self) -> str:
        headline = {name: value for name, value in self.metric.items() if "/" not in name}  # not those of one class
        metrics = ", ".join(f"{name} {value:.4f}" for name, value in headline.items())
        return (
            f"{self.samples} samples equal in a clean process (largest difference {self.largest_difference:.1e}); "
            f"{metrics or 'no metrics'}; {self.seconds:.1f} s"
        )


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class TensorType(_Part):
    """Type of one tensor: TensorFlow's dtype name; None in the shape varies, None for all of it is any rank."""

    dtype: str
    shape: tuple[int | None, ...] | None


class Signature(_Part):
    """Inputs and outputs of one signature by name."""

    inputs: dict[str, TensorType]
    outputs: dict[str, TensorType]


class Preparation(_Part):
    """The stage in Python that comes before the graph (`Input.prepare`): a client of TF Serving sends what it gives.

    Attributes:
        task: as the recipe names it; its input prepares.
        import_paths: folders in which a user's own task is found.
        learned: what the input is built of beside its options.
    """

    task: str
    import_paths: tuple[str, ...] = ()
    learned: dict[str, Any] = {}


class Description(_Part):
    """All of `saccade.json`; fields that a later saccade adds are passed over."""

    format: Literal[2] = 2
    name: str
    version: int
    task: str
    class_names: tuple[str, ...]
    fingerprint: str
    input: dict[str, Any]
    settings: dict[str, float]
    output_roles: dict[str, str] = {}
    lengths: dict[str, str] = {}
    padding: dict[str, float] = {}
    signatures: dict[str, Signature]
    made_with: dict[str, str]
    created: datetime
    proof: Proof | None = None
    prepare: Preparation | None = None

    def write(self, folder: Path) -> None:
        """Writes it into the bundle's version folder."""
        (folder / EXTRA / FILE).write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Description:
        """Reads it from a version folder.

        Raises:
            InputError: there is none, or it is broken.
        """
        file = folder / EXTRA / FILE
        try:
            return cls.model_validate_json(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(f"not a bundle (no {EXTRA}/{FILE}); name what 'export' made", where=str(folder)) from None
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"cannot be read ({error}); export again", where=str(file)) from None
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"])) or "the file"
            raise InputError(f"broken, {field}: {first['msg']}; export again", where=str(file)) from None
