"""What a scaler is, and how it answers a batch."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from . import http, tcp
from .connection import Connection
from .failure import Failure, Problem, problems_of
from .http import Request, Response
from .parameter import Declared, declare, read
from .plan import Plan
from .reading import Later, Reading, outcome


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """A trigger: resolved values by name, None where they are sealed."""

    kind: str
    values: Mapping[str, str | None]
    extras: Mapping[str, str] = field(default_factory=dict)
    identity: str | None = None
    #: Kind, namespace and name of the object; only with `owner` in the scaler's `needs`.
    owner: tuple[str, str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Query:
    """A trigger that is asked for, with what it left last time."""

    trigger: Trigger
    state: bytes = b""


class Host(Protocol):
    """The host, as the component or a test gives it."""

    network: tcp.Network

    def send(self, requests: list[tuple[int, Request]]) -> Any: ...
    def random(self, count: int) -> bytes: ...
    def log(self, level: str, query: int | None, message: str) -> None: ...
    def put(self, query: int, outcome: Reading | Later | Failure) -> None: ...


class Context:
    """What a query may know beside its parameters."""

    def __init__(self, query: int, asked: Query, now_ms: int, budget_ms: int, host: Host) -> None:
        #: Wall time of the batch, in milliseconds since 1970.
        self.now_ms = now_ms
        #: How long the batch may take, in milliseconds.
        self.budget_ms = budget_ms
        self.trigger = asked.trigger
        #: What this query left last time, or empty.
        self.state = asked.state
        self._query, self._host = query, host

    def random(self, count: int) -> bytes:
        """Random bytes, at most 1,024."""
        return self._host.random(count)

    def log(self, level: str, message: str) -> None:
        """Logs for this query; the level is `debug`, `info`, `warn` or `error`."""
        self._host.log(level, self._query, message)


class Scaler:
    """An event source. It has no state of its own: whatever a query needs stands in its parameters.

    Derive from LocalScaler, HttpScaler or TcpScaler.
    """

    #: Its name.
    name: str
    version: str = "0.1.0"
    #: The trigger types that it answers to; without any, its name.
    triggers: Sequence[str] = ()
    #: The dataclass of what users write.
    parameters: type | None = None
    #: Capabilities beyond the usual: `learn` for endpoints that the source names, `owner` to know the object.
    needs: Sequence[str] = ()
    #: Metadata that is not declared is handed over too, in the trigger's `extras`.
    open_ended: bool = False

    def __init__(self) -> None:
        if not isinstance(getattr(self, "name", None), str):
            raise TypeError("name: a scaler has one")
        self.declared: list[Declared] = declare(self.parameters)

    def configure(self, parameters: Any, trigger: Trigger) -> Plan:
        """Makes a plan of a trigger. Pure: no host call works here.

        Raises a Problem, or several as an ExceptionGroup.
        """
        raise NotImplementedError

    def plan(self, trigger: Trigger) -> Plan | list[Problem]:
        """The plan of a trigger, or its problems. Whatever is raised becomes one."""
        try:
            plan = self.configure(read(self.parameters, self.declared, trigger.values), trigger)
        except Exception as raised:
            return problems_of(raised)
        if not isinstance(plan, Plan):
            return [Problem(None, f"configure gave {type(plan).__name__} instead of a Plan")]
        return plan

    def poll(self, queries: Sequence[Query], now_ms: int, budget_ms: int, host: Host) -> None:
        """Answers a batch."""

        def tell(query: int, answer: object) -> None:
            if isinstance(answer, BaseException) and not isinstance(answer, Failure | Problem):
                # Where it happened, for the author: files and lines, not values.
                host.log("error", query, "".join(traceback.format_tb(answer.__traceback__)))
            host.put(query, outcome(answer))

        members = []
        for index, query in enumerate(queries):
            try:
                parameters = read(self.parameters, self.declared, query.trigger.values)
            except Exception as raised:
                tell(index, Failure.invalid("; ".join(str(problem) for problem in problems_of(raised))))
                continue
            members.append((index, parameters, Context(index, query, now_ms, budget_ms, host)))
        self.answer(members, budget_ms, host, tell)

    def answer(
        self, members: list[tuple[int, Any, Context]], budget_ms: int, host: Host, tell: Callable[[int, object], None]
    ) -> None:
        """Answers those whose parameters could be read: by the transport."""
        raise NotImplementedError


class LocalScaler(Scaler):
    """A scaler whose value follows from its parameters, the time and its state."""

    def read(self, parameters: Any, context: Context) -> Any:
        """The value now: a number, a list of numbers, a Reading or Later."""
        raise NotImplementedError

    def answer(self, members: Any, budget_ms: int, host: Host, tell: Callable[[int, object], None]) -> None:
        for index, parameters, context in members:
            try:
                tell(index, self.read(parameters, context))
            except Exception as raised:
                tell(index, raised)


class HttpScaler(Scaler):
    """A scaler that asks over HTTP: `requests` and `parse`, or `rounds` for sources that take several.

    All queries of a batch are sent at once, and each is answered as soon as its own responses are there. A response that is not 2xx
    fails its query by the usual meaning of its status, unless the request says `any_status`. Redirects are not followed.
    """

    def requests(self, parameters: Any, context: Context) -> Sequence[Request]:
        """The requests of a query."""
        raise NotImplementedError

    def parse(self, parameters: Any, context: Context, responses: list[Response]) -> Any:
        """The value, from one response per request, in their order: a number, a list of numbers, a Reading or Later."""
        raise NotImplementedError

    def rounds(self, parameters: Any, context: Context) -> Generator[Sequence[Request], list[Response], Any]:
        """Yields requests, is sent their responses, and returns the value. A failure of a request is raised at the yield."""
        responses = yield self.requests(parameters, context)
        return self.parse(parameters, context, responses)

    def answer(self, members: Any, budget_ms: int, host: Host, tell: Callable[[int, object], None]) -> None:
        def begin(parameters: Any, context: Context) -> Callable[[], http.Rounds]:
            return lambda: self.rounds(parameters, context)

        http.drive([(index, begin(*given)) for index, *given in members], host.send, tell)


class TcpScaler(Scaler):
    """A scaler that speaks a protocol of its own over TCP.

    Up to eight conversations of a batch run at a time on the one thread of a component. Connections outlive it: `connection.fresh`
    tells whether to log in.
    """

    def converse(self, parameters: Any, context: Context, connection: Connection) -> tcp.Talk:
        """A generator that begins on the plan's first endpoint and returns the value.

        A Failure that it raises closes the connection; one that it returns leaves it for the next poll.
        """
        raise NotImplementedError

    def answer(self, members: Any, budget_ms: int, host: Host, tell: Callable[[int, object], None]) -> None:
        def begin(parameters: Any, context: Context) -> Callable[[Connection], tcp.Talk]:
            return lambda connection: self.converse(parameters, context, connection)

        talks = [(index, begin(*given)) for index, *given in members]
        tcp.drive(talks, budget_ms, host.network, tell)
