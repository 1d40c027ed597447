"""A client of the server, or of TF Serving, from the standard library alone."""

import base64
import http.client
import ipaddress
import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sized
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from ..models.contract import SERVING, plain
from ..models.errors import InputError, JobError, at_least_one, nearest
from .rest import as_raws, named


class Client:
    """Asks one model of one server."""

    def __init__(self, url: str, name: str, timeout: float = 60.0):
        """Keeps the address; nothing is sent yet.

        Args:
            url: the server, such as `http://127.0.0.1:8501`.
            name: the model's name there.
            timeout: seconds to wait for each answer.
        """
        self.url = url.rstrip("/")
        self.name = name
        self.timeout = timeout
        if urlsplit(self.url).scheme not in ("http", "https"):
            raise InputError(f"'{url}' is not a server's address; it looks like http://127.0.0.1:8501")
        # a proxy is for other machines: it would look for 127.0.0.1 on its own
        proxies = urllib.request.ProxyHandler({} if _is_this_machine(urlsplit(self.url).hostname) else None)
        self._opener = urllib.request.build_opener(proxies)

    def predict(self, items: Any, batch: int = 16, signature: str = SERVING) -> list[dict[str, Any]]:
        """Results for samples, in their order.

        Args:
            items: mappings of raw values by name, or the values of a signature that takes one: images as paths, encoded
                bytes, arrays or PIL images; text. One alone is a list of one.
            batch: samples a request.
            signature: which of the model's, as "png"; `metadata` lists them. The default one unless given.

        Returns:
            Output name to value, one dict a sample: numbers, text, nested lists, and bytes of outputs named `*_bytes`.

        Raises:
            InputError: a missing file, no server at the address, or a request that it refuses, in its words.
            JobError: the server failed, or gave no answer in time.
        """
        at_least_one("batch", batch)
        if isinstance(items, Sized) and not isinstance(items, str | bytes | Mapping) and not len(items):
            return []
        inputs = self._signatures[signature]["inputs"] if signature in self._signatures else {}
        if not inputs:
            raise InputError(f"{self.name} has no signature '{signature}': {nearest(signature, self._signatures)}")
        rows_of_all = [_row(named(each, inputs)) for each in as_raws(items, inputs)]
        answers: list[dict[str, Any]] = []
        for start in range(0, len(rows_of_all), batch):
            rows = rows_of_all[start : start + batch]
            asked = {"signature_name": signature, "instances": rows}
            predictions = self._ask(":predict", asked)["predictions"]
            answers += [self._named(each, signature) for each in predictions]
        return answers

    @cached_property
    def metadata(self) -> dict[str, Any]:
        """The model's name, version and signatures; raises as `predict`."""
        return self._ask("/metadata")

    @property
    def _signatures(self) -> dict[str, Any]:
        return self.metadata["metadata"]["signature_def"]["signature_def"]

    def _named(self, prediction: Any, signature: str) -> dict[str, Any]:
        """A row by output name; of a single output only the value is sent."""
        if not isinstance(prediction, dict) or prediction.keys() == {"b64"}:
            (name,) = self._signatures[signature]["outputs"]
            prediction = {name: prediction}
        return {name: _bytes(value) if name.endswith("_bytes") else value for name, value in prediction.items()}

    def _ask(self, what: str, content: Any = None) -> Any:
        address = f"{self.url}/v1/models/{self.name}{what}"
        body = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
        try:
            with self._opener.open(request, timeout=self.timeout) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                told = f"{address}: {_told(error)}"
            raise (InputError if error.code < 500 else JobError)(told) from None
        except TimeoutError:
            raise JobError(f"{address}: no answer within {self.timeout:g} s") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            cause = getattr(error, "reason", error)
            if isinstance(cause, ConnectionRefusedError):
                hint = "start one with 'saccade serve BUNDLE', or give the address that it printed"
                raise InputError(f"no server answers at {self.url}: {hint}") from None
            if isinstance(cause, TimeoutError):
                raise JobError(f"{address}: no answer within {self.timeout:g} s") from None
            raise JobError(f"{address}: {cause}") from None


def _is_this_machine(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _row(raw: Mapping[str, Any]) -> Any:
    """One instance as JSON; a single value stands without its name."""
    plain_values = {name: _b64(value) if isinstance(value, bytes) else plain(value) for name, value in raw.items()}
    return plain_values if len(plain_values) > 1 else next(iter(plain_values.values()))


def _b64(data: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(data).decode()}


def _bytes(value: Any) -> Any:
    """Every `{"b64": ...}` of a value, however nested, as bytes."""
    if isinstance(value, list):
        return [_bytes(each) for each in value]
    return base64.b64decode(value["b64"])


def _told(error: urllib.error.HTTPError) -> str:
    """The server's own words, or HTTP's where it has none."""
    try:
        return str(json.load(error)["error"])
    except (ValueError, KeyError, TypeError):
        return f"status {error.code} {error.reason}"
