"""What comes of a query."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .failure import Failure
from .plan import Metric


@dataclass(frozen=True)
class Reading:
    """One value per metric of the plan, in its order.

    `active` tells activity where value and activation do not; `observed_ms` is the source's own time stamp; at `next_ms` the value
    will change; `state`, at most 16 KiB, is what the query wants to find at its next poll. All moments are milliseconds since 1970.
    """

    values: Sequence[float]
    active: bool | None = None
    observed_ms: int | None = None
    next_ms: int | None = None
    state: bytes | None = None
    metrics: Sequence[Metric] | None = None


@dataclass(frozen=True)
class Later:
    """A source that has begun and has no value yet: ask again in `retry_ms`, and find `state` then."""

    retry_ms: int
    state: bytes = b""


Answer = Reading | Later | Failure | float | int | Sequence[float]


def outcome(answer: object) -> Reading | Later | Failure:
    """What a scaler returned or raised, in its plain form."""
    if isinstance(answer, BaseException):
        return Failure.of(answer)
    if isinstance(answer, Later):
        return answer
    reading = answer if isinstance(answer, Reading) else Reading(answer if isinstance(answer, list | tuple) else [answer])
    if not all(_is_number(value) for value in reading.values):
        return Failure.internal(f"the scaler gave {type(answer).__name__} instead of a number, a list of numbers or a Reading")
    return replace(reading, values=[_float(value) for value in reading.values])


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        # An integer that no float can hold: the host refuses it as it refuses all that is not finite.
        return math.copysign(math.inf, value)
