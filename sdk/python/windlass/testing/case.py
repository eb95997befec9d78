"""What a case says, and how something differs from it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from ..failure import Failure, Problem
from ..http import Credential, Request, Response
from ..plan import Endpoint, Plan
from ..reading import Later, Reading
from .network import CLOSE, Close


class Script:
    """A source that plays an exchange: each entry is asked for once, in any order."""

    def __init__(self, exchange: list[dict[str, Any]]) -> None:
        self._left = list(exchange)
        self._unexpected: list[str] = []

    def respond(self, request: Request) -> Response:
        """Answers over HTTP."""
        content = request.body.decode()
        carried = {name.lower(): value for name, value in request.headers.items()}
        told = [_words(credential) for credential in request.credentials]

        def fits(entry: dict[str, Any]) -> bool:
            headers = entry.get("headers", {})
            return (
                entry.get("request") == f"{request.method} {request.target}"
                and all(carried.get(name.lower()) == value for name, value in headers.items())
                and entry.get("credentials", []) == told
                and entry.get("content", "") == content
            )

        what = json.dumps({"headers": carried, "credentials": told, "content": content})
        entry = self._take(fits, f"{request.method} {request.target} {what}")
        if entry is None:
            return Response(599, [], b"")
        headers = list(entry.get("answer_headers", {}).items())
        return Response(entry.get("status") or 200, headers, entry.get("body", "").encode())

    def reply(self, data: bytes, endpoint: int, connection: int) -> str | Close | None:
        """Answers over TCP."""
        sent = data.decode()
        entry = self._take(lambda one: one.get("sent") == sent, json.dumps(sent))
        return CLOSE if entry is None else entry.get("reply")

    def left(self) -> str | None:
        """What was asked and is not in the script, or the reverse."""
        if self._unexpected:
            return f"asked what the case does not say: {'; '.join(self._unexpected)}"
        return f"never asked: {json.dumps(self._left)}" if self._left else None

    def _take(self, fits: Callable[[dict[str, Any]], bool], asked: str) -> dict[str, Any] | None:
        for place, entry in enumerate(self._left):
            if fits(entry):
                return self._left.pop(place)
        self._unexpected.append(asked)
        return None


def plan_differs(plan: Plan | list[Problem], case: dict[str, Any]) -> str | None:
    """How a plan, or problems, differ from what a case says."""
    problems = case.get("problems", {})
    if isinstance(plan, list):
        fits = len(plan) == len(problems) and all(
            problems.get(one.parameter or "", "\0") in one.message for one in plan
        )
        return None if fits else f"problems: {'; '.join(map(str, plan))} instead of {json.dumps(problems)}"
    if problems:
        return "no problem was found"
    metrics = [[metric.name, metric.target, metric.activation] for metric in plan.metrics or ()]
    endpoints = [_place(endpoint) for endpoint in plan.endpoints]
    return _differs("metrics", metrics, case.get("metrics", [])) or _differs(
        "endpoints", endpoints, case.get("endpoints", [])
    )


def outcome_differs(outcome: Reading | Later | Failure, expect: dict[str, Any]) -> str | None:
    """How an outcome differs from what a case says."""
    failed, message = expect.get("failed"), expect.get("message", "")
    if isinstance(outcome, Later):
        return "is pending"
    if isinstance(outcome, Failure):
        if outcome.kind == failed and message in outcome.message:
            return None
        return f"failed as {outcome.kind} ({outcome.message}) instead of {failed or 'a value'} ({message})"
    moment = expect.get("next")
    next_ms = None if moment is None else int(datetime.fromisoformat(moment).timestamp() * 1000)
    return (
        _differs("failure", None, failed)
        or _differs("values", list(outcome.values), expect.get("values"))
        or _differs("active", outcome.active, expect.get("active"))
        or _differs("next", outcome.next_ms, next_ms)
    )


def _differs(what: str, found: object, expected: object) -> str | None:
    return None if found == expected else f"{what}: {found!r} instead of {expected!r}"


def _place(endpoint: Endpoint) -> str:
    return f"{endpoint.host}:{endpoint.port}{' tls' if endpoint.tls else ''}"


def _words(credential: Credential) -> str:
    """A credential as a case writes it: `scheme role=name …`."""
    parts = [f"{role}={name}" for role, name in (*credential.secrets, *credential.settings)]
    return " ".join([credential.scheme, *parts])
