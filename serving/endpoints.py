"""What the server answers: TF Serving's REST addresses, without the sockets.

Status codes are TF Serving's where it has one: 400 for a request that cannot be right (an unknown signature too),
404 for an unknown model or version; 405 for a known address by another method.
"""

import json
import logging
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ..models.contract import SERVING
from ..models.errors import InputError
from . import rest
from .bundle import Bundle

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


def failure(status: int, message: str, **headers: str) -> Answer:
    """An error as TF Serving tells it: `{"error": message}`."""
    return Answer(status, json.dumps({"error": message}).encode(), headers=headers)


class Endpoints:
    """The addresses of one bundle."""

    def __init__(self, bundle: Bundle, url: str):
        self.bundle = bundle
        self.url = url

    def answer(self, method: str, path: str, body: bytes = b"") -> Answer:
        """Answers one request; no exception leaves it, and an unforeseen one is logged, not told."""
        try:
            return self._route(method, path.partition("?")[0], body)
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
        from tensorflow.errors import InvalidArgumentError

        request = rest.parse(body)
        name = request.signature or SERVING
        inputs = rest.tensors(request, self.bundle.signature(name))
        try:
            outputs = self.bundle.run(inputs, name)
        except InvalidArgumentError as error:
            return failure(400, self._culprits(request.form, inputs, name, error))
        return _json(rest.answer(outputs, request.form))

    def _culprits(self, form: str, inputs: dict[str, np.ndarray], signature: str, error: Exception) -> str:
        """Which of a batch the graph refuses, and why: a graph does not say, so each is run alone."""
        from tensorflow.errors import InvalidArgumentError

        from ..models.inputs.reasons import reason

        found = []
        for i in range(len(next(iter(inputs.values())))):
            try:
                self.bundle.run({name: value[i : i + 1] for name, value in inputs.items()}, signature)
            except InvalidArgumentError as alone:
                place = f"instances[{i}]" if form == rest.ROWS else ", ".join(f"inputs.{name}[{i}]" for name in inputs)
                found.append(f"{place}: {reason(alone)}")
        return "; ".join(found) or reason(error)

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
            for name, each in saved.meta_graphs[0].signature_def.items()
        }
        return {
            "model_spec": {"name": self.bundle.name, "signature_name": "", "version": str(self.bundle.version)},
            "metadata": {"signature_def": {"signature_def": signatures}},
        }

    @property
    def curl(self) -> str:
        """A line for the shell that sends one picture; curl's `-d @-` drops the line ends that base64 makes."""
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
        ]
        return "\n".join(lines) + "\n"


def _json(value: Any) -> Answer:
    return Answer(200, json.dumps(value).encode())
