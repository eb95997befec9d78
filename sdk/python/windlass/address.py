"""Addresses that users write."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from .failure import Problem
from .plan import Endpoint, Tls


def percent_encode(text: str) -> str:
    """Encodes a name or a value for the query of a URL: everything but letters, digits, `-`, `_`, `.` and `~`."""
    return quote(text, safe="")


_URL = re.compile(r"([^:/?#]+)://([^/?#]*)([^?#]*)(?:\?([^#]*))?", re.DOTALL)
_HOST = re.compile(r"(\[[^\]]*\]|[^:]*)(?::(.*))?", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Url:
    """An absolute URL that the user wrote in a parameter. The host has checked its form."""

    parameter: str
    scheme: str
    host: str
    port: int | None
    path: str
    query: str | None
    has_user: bool

    @classmethod
    def parse(cls, parameter: str, text: str) -> Url:
        """Parses an absolute URL; raises a Problem of the parameter."""
        parts = _URL.match(text)
        if parts is None:
            raise Problem(parameter, "is not an absolute URL: write it with its scheme")
        scheme, authority, path, query = parts.groups()
        user, _, place = authority.rpartition("@")
        found = _HOST.fullmatch(place)
        if found is None or found[1] in ("", "[]"):
            raise Problem(parameter, "names no host")
        host, port = found.groups()
        return cls(
            parameter=parameter,
            scheme=scheme.lower(),
            host=host[1:-1] if host.startswith("[") else host,
            port=_port(parameter, port) if port else None,
            path=path,
            query=query,
            has_user=place != authority,
        )

    def endpoint(self, tls: Tls | None = None) -> Endpoint:
        """The endpoint of an `http` or `https` URL; `tls` counts for `https` alone, where it is verified TLS without one.

        Raises a Problem for any other scheme.
        """
        if self.scheme not in ("http", "https"):
            raise Problem(self.parameter, "is neither an http nor an https URL")
        secure = self.scheme == "https"
        port = self.port or (443 if secure else 80)
        return Endpoint(self.host, port, parameter=self.parameter, tls=(tls or Tls()) if secure else None)

    def target(self, path: str = "", query: Mapping[str, object] | None = None) -> str:
        """The request target: the URL's path and then `path` (from `/`, taken as it is), the URL's query and then `query`.

        Names and values of `query` are encoded here.
        """
        whole = (self.path.rstrip("/") if path else self.path) + path
        pairs = [f"{percent_encode(name)}={percent_encode(str(value))}" for name, value in (query or {}).items()]
        if self.query:
            pairs.insert(0, self.query)
        return ("" if whole.startswith("/") else "/") + whole + ("?" if pairs else "") + "&".join(pairs)


@dataclass(frozen=True, kw_only=True)
class Address:
    """An address `host:port` that the user wrote in a parameter."""

    parameter: str
    host: str
    port: int

    @classmethod
    def parse(cls, parameter: str, text: str) -> Address:
        """Parses `host:port`; raises a Problem of the parameter."""
        found = re.fullmatch(r"(\[[^\]]+\]|[^:]+):([^:]*)", text)
        if found is None:
            raise Problem(parameter, "is not an address: write host:port")
        host, port = found.groups()
        host = host[1:-1] if host.startswith("[") else host
        return cls(parameter=parameter, host=host, port=_port(parameter, port))

    def endpoint(self, tls: Tls | None = None) -> Endpoint:
        """The endpoint; with `tls` it is spoken to in TLS."""
        return Endpoint(self.host, self.port, parameter=self.parameter, tls=tls)


def _port(parameter: str, text: str) -> int:
    port = int(text) if re.fullmatch(r"[0-9]{1,5}", text) else 0
    if not 1 <= port <= 65535:
        raise Problem(parameter, "names a port that is not between 1 and 65535")
    return port
