"""Parameters from what a user writes, by the host's rules."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from ..failure import Problem
from ..parameter import Declared
from ..scaler import Scaler, Trigger

_URL = re.compile(r"([a-z][a-z0-9+.-]*://)([^/?#]*)(.*)", re.DOTALL)
_PART = re.compile(r"(\d+)(ms|s|m|h)")
_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")


def resolve(scaler: Scaler, kind: str, metadata: Mapping[str, str], authentication: Mapping[str, str]) -> Trigger:
    """A trigger; raises all problems as an ExceptionGroup."""
    values: dict[str, str | None] = {}
    problems = []
    for declared in scaler.declared:
        try:
            found = _found(declared, metadata, authentication)
            values.update({name: _settle(declared, name, text) for name, text in found.items()})
            if declared.required and declared.name not in values:
                raise Problem(declared.name, "is required")
        except Problem as problem:
            problems.append(problem)
    if problems:
        raise ExceptionGroup("parameters", problems)
    known = {name for declared in scaler.declared for name in (declared.name, *declared.aliases)}
    extras = {name: text for name, text in metadata.items() if name not in known} if scaler.open_ended else {}
    return Trigger(kind=kind, values=values, extras=extras)


def _found(declared: Declared, metadata: Mapping[str, str], authentication: Mapping[str, str]) -> dict[str, str]:
    """Values for a parameter, with the names under which the scaler gets them."""
    places: list[Mapping[str, str]] = []
    if declared.origins & {"metadata", "environment"}:
        places.append(metadata)
    if "authentication" in declared.origins:
        places.append(authentication)
    if declared.name.endswith("*"):
        prefix = declared.name[:-1]
        return {own: text.strip() for place in places for own, text in place.items() if own.startswith(prefix)}
    for place in places:
        for own in (declared.name, *declared.aliases):
            if text := place.get(own, "").strip():
                return {declared.name: text}
    return {} if declared.initial is None else {declared.name: declared.initial}


def _settle(declared: Declared, name: str, text: str) -> str | None:
    """The value in the form in which the scaler gets it; None when it is sealed."""
    if declared.deprecated is not None:
        raise Problem(name, f"is no longer accepted: {declared.deprecated}")
    is_list = declared.shape in ("texts", "addresses", "pairs")
    entries = [entry.strip() for entry in text.split(",") if entry.strip()] if is_list else [text]
    if declared.choices and not set(entries) <= set(declared.choices):
        raise Problem(name, f"is not one of {', '.join(declared.choices)}")
    if declared.secrecy == "sealed" and declared.shape != "url":
        return None
    if is_list:
        return ",".join(entries)
    normal = _NORMAL.get(declared.shape)
    return text if normal is None else normal(declared, name, text)


def _integer(declared: Declared, name: str, text: str) -> str:
    if not re.fullmatch(r"[+-]?\d+", text):
        raise Problem(name, "is not an integer")
    return str(int(text))


def _number(declared: Declared, name: str, text: str) -> str:
    if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise Problem(name, "is not a finite number")
    return repr(float(text))


def _boolean(declared: Declared, name: str, text: str) -> str:
    if text in _TRUE:
        return "true"
    if text in _FALSE:
        return "false"
    raise Problem(name, "is neither true nor false")


def _duration(declared: Declared, name: str, text: str) -> str:
    if text.isdecimal():
        return text
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise Problem(name, "is not a duration")
    return str(sum(int(number) * _UNITS[unit] for number, unit in parts))


def _url(declared: Declared, name: str, text: str) -> str:
    parts = _URL.fullmatch(text)
    if parts is None:
        raise Problem(name, "is not an absolute URL: write it with its scheme, for instance http://host:port/path")
    scheme, authority, rest = parts.groups()
    return scheme + authority.rsplit("@", 1)[-1] + rest if declared.secrecy == "sealed" else text


_NORMAL = {"integer": _integer, "number": _number, "boolean": _boolean, "duration": _duration, "url": _url}
