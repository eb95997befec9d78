"""Testing a scaler in Python: no WebAssembly, no network, a time that the test sets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest import TestCase

from ..failure import Failure, Problem
from ..http import Request, Response
from ..plan import Plan
from ..reading import Later, Reading
from ..scaler import Query, Scaler, Trigger
from .case import Script, outcome_differs, plan_differs
from .network import CLOSE, Network, Reply
from .resolve import resolve

__all__ = ["CLOSE", "case_tests", "configure", "poll", "trigger"]

#: Time for a poll, in milliseconds.
BUDGET_MS = 10_000

Answer = Response | Failure | str
Respond = Callable[[Request], Answer]


def trigger(
    scaler: Scaler,
    metadata: Mapping[str, str] | None = None,
    authentication: Mapping[str, str] | None = None,
    kind: str | None = None,
) -> Trigger:
    """A trigger from what a user writes, by the host's rules; values of the environment are given as metadata.

    Raises all problems as an ExceptionGroup.
    """
    return resolve(scaler, kind or scaler.name, metadata or {}, authentication or {})


def configure(
    scaler: Scaler, metadata: Mapping[str, str] | None = None, authentication: Mapping[str, str] | None = None
) -> Plan | dict[str, str]:
    """What `configure` makes of what a user writes: a plan, or problems as `{parameter: message}`."""
    answer = _plan(scaler, metadata or {}, authentication or {})
    return {one.parameter or "": one.message for one in answer} if isinstance(answer, list) else answer


def poll(
    scaler: Scaler,
    triggers: Sequence[Trigger],
    *,
    respond: Respond | None = None,
    reply: Reply | None = None,
    states: Sequence[bytes] = (),
    now_ms: int = 0,
) -> list[Reading | Later | Failure]:
    """Answers a batch of triggers with a source that the test plays; gives one outcome each.

    `respond(request)` answers HTTP: a Response, a text, or a Failure of the host. `reply(data, endpoint, connection)` answers TCP:
    bytes, a text, None for silence, or CLOSE. `states` and `now_ms` are what the queries left last time, and the time.
    """
    queries = [
        Query(trigger=one, state=states[index] if index < len(states) else b"") for index, one in enumerate(triggers)
    ]
    host = _Host(respond, reply)
    scaler.poll(queries, now_ms, BUDGET_MS, host)
    silent = Failure.internal("no outcome was told")
    return [host.outcomes.get(index, silent) for index in range(len(triggers))]


def case_tests(scaler: Scaler, folder: Path | str) -> type[TestCase]:
    """A TestCase with a test for each case in a folder: `Cases = case_tests(scaler, Path(__file__).parent.parent / "cases")`."""
    names = sorted(path.name for path in Path(folder).iterdir())
    if not names:
        raise ValueError(f"there is no case in {folder}")

    def test(name: str) -> Callable[[TestCase], None]:
        def played(case: TestCase) -> None:
            text = (Path(folder) / name / "case.json").read_text(encoding="utf-8")
            found = _play(scaler, json.loads(text))
            if found is not None:
                case.fail(found)

        return played

    return type("Cases", (TestCase,), {f"test_{name.replace('-', '_')}": test(name) for name in names})


def _plan(
    scaler: Scaler, metadata: Mapping[str, str], authentication: Mapping[str, str], kind: str | None = None
) -> Plan | list[Problem]:
    try:
        own = trigger(scaler, metadata, authentication, kind)
    except ExceptionGroup as group:
        return [one for one in group.exceptions if isinstance(one, Problem)]
    return scaler.plan(own)


def _play(scaler: Scaler, case: dict[str, Any]) -> str | None:
    """Plays a case; what differs, or None."""
    metadata, authentication, kind = case.get("metadata", {}), case.get("authentication", {}), case.get("type")
    plan = _plan(scaler, metadata, authentication, kind)
    differs = plan_differs(plan, case)
    if differs is not None or isinstance(plan, list):
        return differs
    own, state = trigger(scaler, metadata, authentication, kind), b""
    for number, step in enumerate(case.get("polls", [])):
        script = Script(step.get("exchange", []))
        now_ms = int(datetime.fromisoformat(step["now"]).timestamp() * 1000) if "now" in step else 0
        [outcome] = poll(scaler, [own], respond=script.respond, reply=script.reply, states=[state], now_ms=now_ms)
        found = script.left() or outcome_differs(outcome, step["expect"])
        if found is not None:
            return f"poll {number}: {found}"
        if isinstance(outcome, Reading) and outcome.state is not None:
            state = outcome.state
    return None


class _Host:
    """The host, as the SDK wants it."""

    def __init__(self, respond: Respond | None, reply: Reply | None) -> None:
        self._respond = respond
        self.network = Network(reply)
        self.outcomes: dict[int, Reading | Later | Failure] = {}

    def send(self, requests: list[tuple[int, Request]]) -> Iterable[tuple[int, Response | Failure]]:
        for index, (_, request) in enumerate(requests):
            yield index, self._answer(request)

    def random(self, count: int) -> bytes:
        # Always the same, so that what a scaler makes of it can be expected.
        return bytes(index & 0xFF for index in range(count))

    def log(self, level: str, query: int | None, message: str) -> None:
        """What is logged goes nowhere."""

    def put(self, query: int, outcome: Reading | Later | Failure) -> None:
        self.outcomes.setdefault(query, outcome)

    def _answer(self, request: Request) -> Response | Failure:
        if self._respond is None:
            raise AssertionError(f"a request, but the test has no source: {request.method} {request.target}")
        given = self._respond(request)
        answer = Response(200, [], given.encode()) if isinstance(given, str) else given
        if isinstance(answer, Response) and len(answer.body) > request.max_body:
            return Failure.bad_response(f"the answer is longer than {request.max_body} bytes")
        return answer
