"""What the server answers: TF Serving's REST addresses, without the sockets.

Status codes are TF Serving's where it has one: 400 for a request that cannot be right (an unknown signature too),
404 for an unknown model or version; 405 for a known address by another method.
"""

import json
import logging
import re
from dataclasses import dataclass, field
from functools import cached_property
from threading import BoundedSemaphore
from typing import Any

import numpy as np

from ..models.contract import SERVING
from ..models.errors import InputError
from . import rest
from .bundle import Bundle, RefusedError, image_sizes

log = logging.getLogger("saccade")

_MODEL = re.compile(r"/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<version>\d{1,18}))?(?P<what>:[a-z]+|/metadata|)")


@dataclass(frozen=True)
class Answer:
    """One HTTP answer.

    Attributes:
        status: HTTP's code.
        body: its content.
        content_type: of the body.
        headers: further ones.
    """

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Limits:
    """What one request may ask for; more is refused with status 413.

    Attributes:
        bytes: of the body.
        images: instances, in all.
        pixels: of all images as they are decoded; likewise values of an answer that has some for each pixel. Where the
            network or its results keep images at their own size, a single one may have as many as fit into memory then:
            an eighth where the network does, or 4 over its number of classes.
    """

    bytes: int = 64 * 2**20
    images: int = 1024
    pixels: int = 64 * 10**6


DEFAULT_LIMITS = Limits()


class _TooMuchError(InputError):
    """More than the limits allow."""


def failure(status: int, message: str, **headers: str) -> Answer:
    """An error as TF Serving tells it: `{"error": message}`."""
    return Answer(status, json.dumps({"error": message}).encode(), headers=headers)


class Endpoints:
    """The addresses of one bundle."""

    def __init__(self, bundle: Bundle, url: str, limits: Limits = DEFAULT_LIMITS):
        self.bundle = bundle
        self.url = url
        self.limits = limits
        self._turns = BoundedSemaphore(2)  # requests in the graph at the same time: it uses all cores by itself

    def answer(self, method: str, path: str, body: bytes = b"") -> Answer:
        """Answers one request; no exception leaves it, and an unforeseen one is logged, not told."""
        try:
            return self._route(method, path.partition("?")[0], body)
        except _TooMuchError as error:
            return failure(413, str(error))
        except InputError as error:
            return failure(400, str(error))
        except Exception:
            log.exception("%s %s failed", method, path)
            return failure(500, "internal error; the server's log says more")

    def _route(self, method: str, path: str, body: bytes) -> Answer:
        if path == "/":
            return self._only("GET", method) or Answer(200, self.about.encode(), "text/plain; charset=utf-8")
        address = _MODEL.fullmatch(path)
        if not address:
            return failure(404, f"nothing at {path}; this server has /v1/models/{self.bundle.name}; / tells more")
        name, version, what = address.group("name", "version", "what")
        if name != self.bundle.name or int(version or self.bundle.version) != self.bundle.version:
            asked = f"Specific({name}, {version})" if version else f"Latest({name})"  # TF Serving's words
            has = f"{self.bundle.name} version {self.bundle.version}"
            return failure(404, f"Servable not found for request: {asked}; this server has {has}")
        if what == ":predict":
            return self._only("POST", method) or self._predict(body)
        if what.startswith(":"):
            return failure(400, f"'{what[1:]}' is not offered by this model: its signatures are called by ':predict'")
        return self._only("GET", method) or _json(self.metadata if what else self._status())

    def _only(self, allowed: str, method: str) -> Answer | None:
        if method == allowed:
            return None
        return failure(405, f"{method} is not offered at this address: use {allowed}", Allow=allowed)

    def _predict(self, body: bytes) -> Answer:
        request = rest.parse(body)
        name = request.signature or SERVING
        inputs = rest.tensors(request, self.bundle.signature(name))
        self._check_limits(inputs, name)
        with self._turns:
            try:
                outputs = self.bundle.run(inputs, name)
            except RefusedError as error:
                return failure(400, _told(error, request.form, inputs))
            return Answer(200, rest.answer(outputs, request.form))

    def _check_limits(self, inputs: dict[str, np.ndarray], signature: str) -> None:
        """Refuses what would take too much memory, judged by the headers of the images."""
        sizes, limits = image_sizes(inputs), self.limits
        if len(sizes) > limits.images:
            raise _TooMuchError(
                f"{len(sizes)} instances; this server takes at most {limits.images} in a request: send them in parts"
            )
        known = [size for size in sizes if size is not None]
        pixels = [height * width for height, width in known]
        if sum(pixels) > limits.pixels:
            raise _TooMuchError(
                f"{_millions(sum(pixels))} megapixels of images; this server takes at most {_millions(limits.pixels)} "
                "in a request: send them in parts, or smaller ones"
            )
        most = limits.pixels // max(8 if self.bundle.native else 1, self.bundle.widest // 4, 1)
        if max(pixels, default=0) > most:
            place = sizes.index(known[pixels.index(max(pixels))])
            raise _TooMuchError(
                f"instance {place} has {_millions(max(pixels))} megapixels; this server takes at most "
                f"{_millions(most)} in an image, as this model's layers or results are as large as the images: "
                "send a smaller one"
            )
        if each := self.bundle.values_per_pixel(signature):
            height, width = (max(sides, default=0) for sides in zip(*known, strict=True)) if known else (0, 0)
            values = height * width * len(sizes) * each
            if values > limits.pixels:
                raise _TooMuchError(
                    f"the answer would have {_millions(values)} million values, as all images of a request get the "
                    f"frame of the largest; this server gives at most {_millions(limits.pixels)}: send the images in "
                    "parts, or ask for a signature with shorter results"
                )

    def _status(self) -> dict[str, Any]:
        status = {"error_code": "OK", "error_message": ""}
        return {"model_version_status": [{"version": str(self.bundle.version), "state": "AVAILABLE", "status": status}]}

    @cached_property
    def metadata(self) -> dict[str, Any]:
        """The signatures as TF Serving gives them: the SavedModel's own protobuf messages as JSON."""
        from google.protobuf.json_format import MessageToDict
        from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

        saved = SavedModel.FromString((self.bundle.folder / "saved_model.pb").read_bytes())
        signatures = {
            name: MessageToDict(each, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
            for name, each in self._definitions(saved.meta_graphs[0].signature_def).items()
        }
        return {
            "model_spec": {"name": self.bundle.name, "signature_name": "", "version": str(self.bundle.version)},
            "metadata": {"signature_def": {"signature_def": signatures}},
        }

    def _definitions(self, saved: Any) -> dict[str, Any]:
        """The SavedModel's signatures, and those that take raw values, which are prepared here before the graph."""
        import tensorflow as tf
        from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef, TensorInfo

        about, definitions = self.bundle.description, dict(saved)
        for name, graph in (about.prepare.signatures if about.prepare else {}).items():
            inputs = {
                value: TensorInfo(
                    name=value,
                    dtype=tf.as_dtype(kind.dtype).as_datatype_enum,
                    tensor_shape=tf.TensorShape(kind.shape).as_proto(),
                )
                for value, kind in about.signatures[name].inputs.items()
            }
            of_graph = saved[graph]
            definitions[name] = SignatureDef(
                inputs=inputs, outputs=dict(of_graph.outputs), method_name=of_graph.method_name
            )
        return definitions

    @property
    def curl(self) -> str:
        """A line for the shell that sends one image; curl's `-d @-` drops the line ends that base64 makes."""
        predict = f"{self.url}/v1/models/{self.bundle.name}:predict"
        return (
            """(echo '{"instances": [{"b64": "'; base64 < photo.jpg; echo '"}]}') | """
            f"curl -d @- {predict}"
        )

    @property
    def about(self) -> str:
        """A few plain lines on what is served."""
        about = self.bundle.description
        classes = ", ".join(about.class_names[:10]) + (", ..." if len(about.class_names) > 10 else "")
        signatures = [
            f"{name}: {', '.join(s.inputs)} to {', '.join(s.outputs)}" for name, s in about.signatures.items()
        ]
        lines = [
            f"saccade serves {about.name} version {about.version}: {about.task}"
            + (f", {len(about.class_names)} classes ({classes})" if classes else ""),
            f"fingerprint {about.fingerprint}",
            "",
            f"GET  /v1/models/{about.name}            status",
            f"GET  /v1/models/{about.name}/metadata   inputs and outputs",
            f"POST /v1/models/{about.name}:predict    TF Serving's predict call, for example",
            "",
            self.curl,
            "",
            'signatures, chosen by "signature_name" beside "instances" (without it serving_default):',
            *signatures,
            *([about.prepare.note] if about.prepare else []),
        ]
        return "\n".join(lines) + "\n"


def _told(error: RefusedError, form: str, inputs: dict[str, np.ndarray]) -> str:
    """Which instances the graph refuses, by their places in the request, and why."""

    def place(i: int) -> str:
        return f"instances[{i}]" if form == rest.ROWS else ", ".join(f"inputs.{name}[{i}]" for name in inputs)

    return "; ".join(f"{place(i)}: {why}" if i >= 0 else why for i, why in error.reasons.items())


def _millions(count: int) -> str:
    return f"{count / 1e6:.3g}"


def _json(value: Any) -> Answer:
    return Answer(200, json.dumps(value).encode())
