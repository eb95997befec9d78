"""What a scaler plans for a trigger: metrics, and whom it will ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .parameter import Sealed

_TO_HYPHEN = str.maketrans(dict.fromkeys("/.:%()", "-"))


def normalize(name: str) -> str:
    """A metric's name as KEDA writes it: `/`, `.`, `:`, `%` and parentheses become `-`."""
    return name.translate(_TO_HYPHEN)


@dataclass(frozen=True)
class Metric:
    """A metric. Its name has no `s<index>-` prefix; the workload is active above `activation`."""

    name: str
    target: float
    activation: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Tls:
    """TLS: verified unless said otherwise; certificates and keys are sealed parameters."""

    upgrade: bool = False
    server_name: str | None = None
    verify: bool = True
    ca: Sealed | None = None
    certificate: Sealed | None = None
    key: Sealed | None = None
    key_password: Sealed | None = None


@dataclass(frozen=True)
class Endpoint:
    """Whom to ask. The host has to stand in the value of `parameter`: `Url.endpoint` and `Address.endpoint` see to it."""

    host: str
    port: int
    parameter: str | None = None
    tls: Tls | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The plan of a trigger.

    `metrics` is None where the first reading tells them. Requests name an endpoint by its place. `requests` is the usual number
    of requests per poll: one per endpoint, unless said otherwise. Queries of equal group and endpoints may share a request.
    """

    metrics: Sequence[Metric] | None
    endpoints: Sequence[Endpoint] = field(default_factory=tuple)
    group: str = ""
    requests: int | None = None
