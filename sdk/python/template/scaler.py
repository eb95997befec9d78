"""The number at a place in a JSON document."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from windlass import (
    Context,
    Credential,
    Failure,
    HttpScaler,
    Metric,
    Plan,
    Problem,
    Request,
    Response,
    Sealed,
    Trigger,
    Url,
    normalize,
    parameter,
)


@dataclass(frozen=True)
class Parameters:
    """What users write."""

    url: Url = parameter(
        "Address that answers with JSON, for instance `http://queues.shop:8080/stats`.",
        origins=["metadata", "environment"],
    )
    value_location: str = parameter(
        "Where the number is: names joined by dots; a number is an index into a list, as in `queues.0.length`.",
        default="value",
    )
    target_value: float = parameter("Value per replica.", default=5)
    activation_target_value: float = parameter("The workload is active above this value.", default=0)
    token: Sealed | None = parameter("Sent as bearer token, where it is set.", origins=["authentication"])


class {{pascal}}(HttpScaler):
    """Asks for a JSON document."""

    name = "{{name}}"
    version = "0.1.0"
    parameters = Parameters

    def configure(self, parameters: Parameters, trigger: Trigger) -> Plan:
        """Makes a plan of what a user wrote. Nothing is asked here."""
        if not parameters.target_value > 0:
            raise Problem("targetValue", "must be greater than zero")
        name = normalize(f"{self.name}-{parameters.value_location}")
        metric = Metric(name, parameters.target_value, parameters.activation_target_value)
        return Plan(metrics=[metric], endpoints=[parameters.url.endpoint()])

    def requests(self, parameters: Parameters, context: Context) -> list[Request]:
        """What is asked for one trigger. The SDK sends the requests of all triggers at once."""
        credentials = [Credential.bearer(parameters.token)] if parameters.token else []
        headers = {"accept": "application/json"}
        return [Request.get(parameters.url.target(), headers=headers, credentials=credentials)]

    def parse(self, parameters: Parameters, context: Context, responses: list[Response]) -> float:
        """The value, from one response per request."""
        return number_at(responses[0].json(), parameters.value_location)


def number_at(document: Any, path: str) -> float:
    """The number at a dotted path; a text that is a number counts."""
    found = document
    for key in path.split("."):
        if isinstance(found, list) and _INDEX.fullmatch(key) and int(key) < len(found):
            found = found[int(key)]
        elif isinstance(found, dict) and key in found:
            found = found[key]
        else:
            raise Failure.bad_response(f'valueLocation: "{path}" is not in the answer')
    try:
        if isinstance(found, str) and _NUMBER.fullmatch(found.strip()):
            found = float(found)
        if not isinstance(found, bool) and isinstance(found, int | float) and math.isfinite(found):
            return float(found)
    except OverflowError:
        pass
    raise Failure.bad_response(f'valueLocation: "{path}" is not a number')


_INDEX = re.compile(r"[0-9]{1,9}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")

# What the component is made of.
scaler = {{pascal}}()
