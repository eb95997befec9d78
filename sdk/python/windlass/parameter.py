"""Typed parameters: what a dataclass declares, and how it is read from a trigger."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from .address import Address, Url
from .failure import Problem


@dataclass(frozen=True)
class Sealed:
    """A secret that the scaler only names."""

    parameter: str


class Revealed(str):
    """A secret whose text the scaler needs, for a log-in over TCP. It does not show itself in a repr."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Revealed(...)"


ORIGINS = ("metadata", "environment", "authentication")


def parameter(
    doc: str,
    *,
    default: object = dataclasses.MISSING,
    name: str | None = None,
    aliases: Sequence[str] = (),
    choices: Sequence[str] = (),
    origins: Sequence[str] = ("metadata",),
    sealed: bool = False,
    deprecated: str | None = None,
) -> typing.Any:
    """Declares a field of a parameters' dataclass.

    The name is the field's in camel case, unless given; `query.*` takes all names with that prefix. It is required unless its type
    has `| None` or it has a default. `sealed` is for a Url whose user part stays with the host.
    """
    if not doc.strip():
        raise TypeError("doc: words for people are missing")
    if isinstance(origins, str) or not set(origins) <= set(ORIGINS):
        raise TypeError(f"origins: {origins!r}: write a list of {', '.join(ORIGINS)}")
    return dataclasses.field(
        default=default,
        kw_only=True,
        metadata={
            "windlass": dict(
                doc=doc, name=name, aliases=aliases, choices=choices, origins=origins, sealed=sealed, deprecated=deprecated
            )
        },
    )


@dataclass(frozen=True, kw_only=True)
class Declared:
    """A parameter as the contract declares it, and how its text is read."""

    name: str
    aliases: list[str]
    shape: str
    required: bool
    initial: str | None
    choices: list[str]
    secrecy: str
    origins: frozenset[str]
    deprecated: str | None
    doc: str
    field: str
    read: Callable[[str, str | None], object]


def _text(read: Callable[[str, str], object]) -> Callable[[str, str | None], object]:
    def checked(name: str, text: str | None) -> object:
        if text is None:
            raise Problem(name, "is sealed, but its text is needed")
        return read(name, text)

    return checked


def _entries(text: str) -> list[str]:
    return [entry.strip() for entry in text.split(",") if entry.strip()]


def _integer(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Problem(name, "is not an integer") from None


def _number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise Problem(name, "is not a finite number")
    return number


def _boolean(name: str, text: str) -> bool:
    if text not in ("true", "false"):
        raise Problem(name, "is neither true nor false")
    return text == "true"


def _duration(name: str, text: str) -> timedelta:
    try:
        return timedelta(milliseconds=int(text))
    except (ValueError, OverflowError):
        raise Problem(name, "is not a number of milliseconds") from None


def _pairs(name: str, text: str) -> dict[str, str]:
    pairs = {}
    for entry in _entries(text):
        key, equals, value = entry.partition("=")
        if not equals:
            raise Problem(name, "is not of the form key=value")
        pairs[key.strip()] = value.strip()
    return pairs


#: Shape, secrecy and reading of each type.
_TYPES: dict[object, tuple[str, str, Callable[[str, str | None], object]]] = {
    str: ("text", "open", _text(lambda name, text: text)),
    int: ("integer", "open", _text(_integer)),
    float: ("number", "open", _text(_number)),
    bool: ("boolean", "open", _text(_boolean)),
    timedelta: ("duration", "open", _text(_duration)),
    Url: ("url", "open", _text(Url.parse)),
    Address: ("address", "open", _text(Address.parse)),
    list[str]: ("texts", "open", _text(lambda name, text: _entries(text))),
    list[Address]: ("addresses", "open", _text(lambda name, text: [Address.parse(name, one) for one in _entries(text)])),
    dict[str, str]: ("pairs", "open", _text(_pairs)),
    Sealed: ("text", "sealed", lambda name, text: Sealed(name)),
    Revealed: ("text", "revealed", _text(lambda name, text: Revealed(text))),
}


def declare(parameters: type | None) -> list[Declared]:
    """The declarations of a dataclass. Raises a TypeError that names the field."""
    if parameters is None:
        return []
    hints = typing.get_type_hints(parameters)
    return [_declare(field, hints[field.name]) for field in dataclasses.fields(parameters)]


def _declare(field: dataclasses.Field[typing.Any], hint: object) -> Declared:
    given = field.metadata.get("windlass")
    if given is None:
        raise TypeError(f"{field.name}: write `{field.name}: ... = parameter('what it is')`")
    inner, optional = _without_none(hint)
    shape, secrecy, read, choices = _type(field.name, inner)
    name = given["name"] or _camel(field.name)
    if name.endswith("*"):
        if inner != dict[str, str]:
            raise TypeError(f"{field.name}: all names with a prefix are a dict[str, str]")
        shape, optional, read = "text", True, _TYPES[str][2]
    if given["sealed"]:
        if inner is not Url:
            raise TypeError(f"{field.name}: `sealed` is for a Url; the type Sealed is for anything else")
        secrecy = "sealed"
    initial = None if field.default in (dataclasses.MISSING, None) else _written(field.default)
    return Declared(
        name=name,
        aliases=list(given["aliases"]),
        shape=shape,
        required=initial is None and not optional,
        initial=initial,
        choices=list(given["choices"]) or choices,
        secrecy=secrecy,
        origins=frozenset(given["origins"]),
        deprecated=given["deprecated"],
        doc=given["doc"],
        field=field.name,
        read=read,
    )


def _type(field: str, inner: object) -> tuple[str, str, Callable[[str, str | None], object], list[str]]:
    if isinstance(inner, type) and issubclass(inner, Enum):
        return "text", "open", _text(lambda name, text: inner(text)), [str(member.value) for member in inner]
    if typing.get_origin(inner) is typing.Literal:
        return *_TYPES[str], list(typing.get_args(inner))
    if inner not in _TYPES:
        raise TypeError(f"{field}: a parameter cannot be {inner}")
    return *_TYPES[inner], []


def _without_none(hint: object) -> tuple[object, bool]:
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        others = [one for one in typing.get_args(hint) if one is not types.NoneType]
        if len(others) == 1:
            return others[0], True
    return hint, False


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _written(default: object) -> str:
    """A default as a user would write it."""
    if isinstance(default, bool):
        return "true" if default else "false"
    if isinstance(default, timedelta):
        return str(default // timedelta(milliseconds=1))
    if isinstance(default, Enum):
        return str(default.value)
    return str(default)


def read(parameters: type | None, declared: Sequence[Declared], values: Mapping[str, str | None]) -> typing.Any:
    """Reads a trigger's values. Raises all problems as an ExceptionGroup."""
    problems: list[Problem] = []
    fields: dict[str, object] = {}
    for one in declared:
        try:
            fields[one.field] = _prefixed(one, values) if one.name.endswith("*") else _one(one, values)
        except Problem as problem:
            problems.append(problem)
    if problems:
        raise ExceptionGroup("parameters", problems)
    return None if parameters is None else parameters(**fields)


def _prefixed(declared: Declared, values: Mapping[str, str | None]) -> dict[str, object]:
    prefix = declared.name[:-1]
    return {
        name.removeprefix(prefix): declared.read(name, text) for name, text in values.items() if name.startswith(prefix)
    }


def _one(declared: Declared, values: Mapping[str, str | None]) -> object:
    if declared.name in values:
        return declared.read(declared.name, values[declared.name])
    if declared.required or declared.initial is not None:
        raise Problem(declared.name, "is required")
    return None
