"""The component: the contract's exports for the project's scaler, and the host as the SDK wants it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from componentize_py_types import Err, Ok, Result
from wit_world.imports import clock, http as host_http, log, network, random, report, tcp, types

from . import surroundings

surroundings.install(random.bytes)

from scaler import scaler  # noqa: E402  (the surroundings come first)

from .failure import Failure  # noqa: E402
from .http import Credential, Request, Response  # noqa: E402
from .parameter import Declared, Sealed  # noqa: E402
from .plan import Endpoint, Plan, Tls  # noqa: E402
from .reading import Later, Reading  # noqa: E402
from .scaler import Query, Trigger  # noqa: E402

#: How much of a body is read at once, in bytes.
PIECE = 64 << 10


class Polled:
    """The contract's exports."""

    def describe(self) -> types.Info:
        return types.Info(
            scaler.name,
            scaler.version,
            list(scaler.triggers) or [scaler.name],
            [_parameter(declared) for declared in scaler.declared],
            scaler.open_ended,
            list(scaler.needs),
        )

    def configure(self, triggers: list[types.Trigger]) -> list[Result[types.Plan, list[types.Problem]]]:
        return [_configured(_trigger(trigger)) for trigger in triggers]

    def poll(self, batch: types.Batch) -> None:
        began = clock.monotonic_ms()
        queries = [Query(trigger=_trigger(query.trigger), state=query.state) for query in batch.queries]
        now_ms, host = batch.now_ms, Host()
        with surroundings.during(
            lambda: now_ms + clock.monotonic_ms() - began, lambda level, line: host.log(level, None, line)
        ):
            scaler.poll(queries, now_ms, batch.budget_ms, host)


def _parameter(declared: Declared) -> types.Parameter:
    origin = types.Origin(0)
    for name in declared.origins:
        origin |= types.Origin[name.upper()]
    return types.Parameter(
        declared.name,
        declared.aliases,
        types.Shape[declared.shape.upper()],
        declared.required,
        declared.initial,
        declared.choices,
        types.Secrecy[declared.secrecy.upper()],
        origin,
        declared.deprecated,
        declared.doc,
    )


def _trigger(trigger: types.Trigger) -> Trigger:
    owner = trigger.owner
    return Trigger(
        kind=trigger.kind,
        values={value.name: value.text for value in trigger.values},
        extras=dict(trigger.extras),
        identity=trigger.identity,
        owner=(owner.kind.name.lower().replace("_", "-"), owner.namespace, owner.name) if owner else None,
    )


def _configured(trigger: Trigger) -> Result[types.Plan, list[types.Problem]]:
    plan = scaler.plan(trigger)
    if isinstance(plan, Plan):
        return Ok(_plan(plan))
    return Err([types.Problem(problem.parameter, problem.message) for problem in plan])


def _plan(plan: Plan) -> types.Plan:
    metrics = types.Metrics_Discovered() if plan.metrics is None else types.Metrics_Fixed(_metrics(plan.metrics))
    requests = len(plan.endpoints) if plan.requests is None else plan.requests
    return types.Plan(metrics, [_endpoint(endpoint) for endpoint in plan.endpoints], plan.group, requests)


def _metrics(metrics: Iterable) -> list[types.Metric]:
    return [types.Metric(metric.name, float(metric.target), float(metric.activation)) for metric in metrics]


def _endpoint(endpoint: Endpoint) -> types.Endpoint:
    tls = None if endpoint.tls is None else _tls(endpoint.tls)
    return types.Endpoint(endpoint.parameter, endpoint.host, endpoint.port, tls)


def _tls(tls: Tls) -> types.Tls:
    def name(sealed: Sealed | None) -> str | None:
        return None if sealed is None else sealed.parameter

    material = (name(tls.ca), name(tls.certificate), name(tls.key), name(tls.key_password))
    return types.Tls(tls.upgrade, tls.server_name, tls.verify, *material)


def _outcome(outcome: Reading | Later | Failure) -> types.Outcome:
    if isinstance(outcome, Failure):
        kind = types.FailureKind[outcome.kind.upper().replace("-", "_")]
        return types.Outcome_Failed(types.Failure(kind, outcome.message, outcome.retry_after_ms))
    if isinstance(outcome, Later):
        return types.Outcome_Pending(types.Later(outcome.state, outcome.retry_ms))
    metrics = None if outcome.metrics is None else _metrics(outcome.metrics)
    moments = (outcome.observed_ms, outcome.next_ms)
    return types.Outcome_Ready(types.Reading(list(outcome.values), outcome.active, *moments, outcome.state, metrics))


def _failure(failure: types.Failure) -> Failure:
    return Failure(failure.kind.name.lower().replace("_", "-"), failure.message, failure.retry_after_ms)


class Network:
    """Connections of the host."""

    def now_ms(self) -> int:
        return clock.monotonic_ms()

    def open(self, query: int, endpoint: int) -> tuple[tcp.Connection, bool]:
        try:
            return tcp.Connection.open(query, endpoint)
        except Err as error:
            raise _failure(error.value) from None

    def start_tls(self, handle: tcp.Connection) -> None:
        try:
            handle.start_tls()
        except Err as error:
            raise _failure(error.value) from None

    def write(self, handle: tcp.Connection, data: bytes) -> None:
        try:
            handle.write(data)
        except Err as error:
            raise _failure(error.value) from None

    def read(self, handle: tcp.Connection, count: int, timeout_ms: int) -> bytes:
        try:
            return handle.read(count, timeout_ms)
        except Err as error:
            raise _failure(error.value) from None

    def keep(self, handle: tcp.Connection) -> None:
        tcp.Connection.keep(handle)

    def drop(self, handle: tcp.Connection) -> None:
        handle.__exit__(None, None, None)

    def wait(self, handles: Sequence[tcp.Connection], timeout_ms: int) -> list[int]:
        return tcp.wait(list(handles), timeout_ms)

    def learn(self, query: int, parent: int, name: str, port: int) -> int:
        try:
            return network.learn(query, parent, name, port)
        except Err as error:
            raise _failure(error.value) from None


class Host:
    """The host."""

    def __init__(self) -> None:
        self.network = Network()

    def send(self, requests: list[tuple[int, Request]]) -> Iterator[tuple[int, Response | Failure]]:
        """Sends all requests at once; gives them as they complete."""
        with host_http.send([_request(query, request) for query, request in requests]) as exchange:
            while (told := exchange.next()) is not None:
                index, result = told
                if isinstance(result, Ok):
                    yield index, _received(result.value, requests[index][1].max_body)
                else:
                    yield index, _failure(result.value)

    def random(self, count: int) -> bytes:
        return random.bytes(count)

    def log(self, level: str, query: int | None, message: str) -> None:
        log.write(log.Level[level.upper()], query, message)

    def put(self, query: int, outcome: Reading | Later | Failure) -> None:
        report.put(query, _outcome(outcome))


def _request(query: int, request: Request) -> host_http.Request:
    return host_http.Request(
        query,
        request.endpoint,
        request.method,
        request.target,
        list(request.headers.items()),
        request.body,
        [_credential(credential) for credential in request.credentials],
        request.timeout_ms,
    )


def _credential(credential: Credential) -> types.Credential:
    return types.Credential(credential.scheme, list(credential.secrets), list(credential.settings))


def _received(response: host_http.Response, limit: int) -> Response | Failure:
    """Reads a response's body to its end, up to a limit."""
    body = bytearray()
    with response.body as pieces:
        while True:
            try:
                piece = pieces.read(PIECE)
            except Err as error:
                return _failure(error.value)
            if not piece:
                return Response(response.status, response.headers, bytes(body))
            body += piece
            if len(body) > limit:
                return Failure.bad_response(f"the answer is longer than {limit} bytes")
