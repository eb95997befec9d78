"""HTTP: requests, responses, credentials, and one batch of queries."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .failure import Failure
from .parameter import Sealed

#: The longest answer that is read when the scaler does not say otherwise, in bytes.
MAX_BODY = 1 << 20
#: Rounds after which a scaler that asks on and on is stopped.
MAX_ROUNDS = 8
#: How much of an answer's body a message repeats, in characters.
REPEATED = 160


@dataclass(frozen=True)
class Credential:
    """What the host adds to a request from sealed parameters."""

    scheme: str
    secrets: Sequence[tuple[str, str]] = ()
    settings: Sequence[tuple[str, str]] = ()

    @classmethod
    def bearer(cls, token: Sealed) -> Credential:
        """`Authorization: Bearer <token>`."""
        return cls("bearer", [("token", token.parameter)])

    @classmethod
    def basic(cls, username: Sealed | str, password: Sealed | None = None) -> Credential:
        """`Authorization: Basic`; the user name is a text or sealed."""
        return cls._made("basic", username=username, password=password)

    @classmethod
    def user_of(cls, parameter: str) -> Credential:
        """`Authorization: Basic` from the user part of a sealed Url; nothing where it has none."""
        return cls("basic", [("username", f"{parameter}.user"), ("password", f"{parameter}.password")])

    @classmethod
    def header(cls, name: Sealed | str, value: Sealed) -> Credential:
        """A header; its name is a text or sealed."""
        return cls._made("header", name=name, value=value)

    @classmethod
    def query(cls, name: Sealed | str, value: Sealed) -> Credential:
        """A parameter of the target's query; its name is a text or sealed."""
        return cls._made("query", name=name, value=value)

    @classmethod
    def _made(cls, scheme: str, **roles: Sealed | str | None) -> Credential:
        secrets = [(role, given.parameter) for role, given in roles.items() if isinstance(given, Sealed)]
        return cls(scheme, secrets, [(role, given) for role, given in roles.items() if isinstance(given, str)])


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request to an endpoint of the plan, which is named by its place."""

    target: str
    method: str = "GET"
    endpoint: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    credentials: Sequence[Credential] = ()
    timeout_ms: int | None = None
    #: Answers of any status are parsed, not only 2xx.
    any_status: bool = False
    #: The longest answer that is read, in bytes.
    max_body: int = MAX_BODY

    @classmethod
    def get(cls, target: str, **more: Any) -> Request:
        """`GET`; further fields by name."""
        return cls(target=target, **more)

    @classmethod
    def post(cls, target: str, body: bytes | str, content_type: str, **more: Any) -> Request:
        """`POST` of a body; further fields by name."""
        data = body.encode() if isinstance(body, str) else body
        headers = {"content-type": content_type, **more.pop("headers", {})}
        return cls(target=target, method="POST", body=data, headers=headers, **more)

    @classmethod
    def post_json(cls, target: str, document: object, **more: Any) -> Request:
        """`POST` of a document as JSON."""
        return cls.post(target, json.dumps(document), "application/json", **more)


def _refuse(constant: str) -> object:
    raise ValueError(constant)


@dataclass(frozen=True)
class Response:
    """A response whose body has been read to its end."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first header of that name, in any case."""
        return next((value.strip() for own, value in self.headers if own.lower() == name.lower()), None)

    def text(self) -> str:
        """The body as text; raises a `bad-response` when it is not UTF-8."""
        try:
            return self.body.decode()
        except UnicodeDecodeError:
            raise Failure.bad_response("the answer is not UTF-8") from None

    def json(self) -> Any:
        """The body as JSON; raises a `bad-response` when it is none."""
        try:
            # `NaN` and `Infinity` are not JSON, and a body that is nested without end is none that anybody means.
            return json.loads(self.body.decode(), parse_constant=_refuse)
        except (ValueError, RecursionError):
            raise Failure.bad_response("the answer is not JSON") from None

    def check(self) -> None:
        """Raises what a status that is not 2xx usually means; for requests with `any_status`."""
        if 200 <= self.status <= 299:
            return
        said = " ".join(self.body.decode().split())[:REPEATED] if _is_text(self.body) else ""
        message = f"answered {self.status}{_hint(self.status)}{f' ({said})' if said else ''}"
        raise Failure(_kind(self.status), message, self._retry_after_ms())

    def _retry_after_ms(self) -> int | None:
        """`Retry-After` in seconds; its other form, a date, is left alone."""
        text = self.header("retry-after") if self.status in (429, 503) else None
        return int(text) * 1000 if text is not None and text.isascii() and text.isdigit() and len(text) <= 12 else None


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _kind(status: int) -> str:
    kinds = {401: "auth", 403: "auth", 407: "auth", 404: "not-found", 410: "not-found", 408: "timeout", 504: "timeout"}
    if status == 429:
        return "throttled"
    return kinds.get(status, "unreachable" if 500 <= status <= 599 else "bad-response")


def _hint(status: int) -> str:
    if 300 <= status <= 399:
        return ", and redirects are not followed: write the final address"
    if status in (401, 407):
        return ": check the credentials"
    return ": the credentials do not suffice" if status == 403 else ""


Rounds = Generator[Sequence[Request], list[Response], Any]
Send = Callable[[list[tuple[int, Request]]], Iterable[tuple[int, Response | Failure]]]
Tell = Callable[[int, object], None]


class Asking:
    """A query that has not been answered: a generator that yields requests and is sent their responses."""

    def __init__(self, query: int, begin: Callable[[], Rounds], tell: Tell) -> None:
        self.query = query
        self.begin = begin
        self.tell = tell
        self.rounds: Rounds | None = None
        self.requests: Sequence[Request] = ()
        self.responses: list[Response | None] = []

    def advance(self, given: list[Response] | Failure | None) -> bool:
        """Moves on with the responses, or the failure of one; whether it asks for more."""
        try:
            if self.rounds is None:
                self.rounds = self.begin()
                self.requests = next(self.rounds)
            elif isinstance(given, Failure):
                self.requests = self.rounds.throw(given)
            else:
                self.requests = self.rounds.send(given or [])
        except StopIteration as end:
            self.tell(self.query, end.value)
            return False
        except Exception as raised:
            self.tell(self.query, raised)
            return False
        self.responses = [None] * len(self.requests)
        return True


def drive(members: Iterable[tuple[int, Callable[[], Rounds]]], send: Send, tell: Tell) -> None:
    """Answers a batch: every query's requests at once, every query as soon as it can be."""
    asking = [one for one in (Asking(query, begin, tell) for query, begin in members) if one.advance(None)]
    for _ in range(MAX_ROUNDS):
        if not asking:
            return
        asking = _ask(asking, send)
    for one in asking:
        tell(one.query, Failure.internal(f"asks for more after {MAX_ROUNDS} rounds"))


def _ask(asking: list[Asking], send: Send) -> list[Asking]:
    """One round; gives those that ask for another."""
    places = [(one, place, request) for one in asking for place, request in enumerate(one.requests)]
    waiting = {one.query for one in asking}
    after: list[Asking] = []

    def settle(one: Asking, given: list[Response] | Failure) -> None:
        waiting.discard(one.query)
        if one.advance(given):
            after.append(one)

    for one in asking:
        if not one.requests:
            settle(one, [])
    results = send([(one.query, request) for one, _, request in places]) if places else ()
    for index, result in results:
        one, place, request = places[index]
        if one.query not in waiting:
            continue
        if not isinstance(result, Failure) and not request.any_status:
            result = _checked(result)
        if isinstance(result, Failure):
            settle(one, result)
            continue
        one.responses[place] = result
        if all(response is not None for response in one.responses):
            settle(one, [response for response in one.responses if response is not None])
    for one in asking:
        if one.query in waiting:
            settle(one, Failure.internal("the host told no answer"))
    return after


def _checked(response: Response) -> Response | Failure:
    try:
        response.check()
    except Failure as failure:
        return failure
    return response
