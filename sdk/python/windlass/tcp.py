"""One batch over TCP: some conversations at a time, each moved on when its connection can be read."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any, Protocol

from .connection import Bytes, Connect, Connection, Learn, StartTls, Want
from .failure import Failure

#: Conversations at a time. More only cost the source connections: queries of a batch ask the same source.
CONVERSATIONS = 8
#: Connections that a conversation may use one after the other.
CONNECTIONS = 16
#: How much is read at once, in bytes.
PIECE = 64 << 10
#: What is left of the budget for telling outcomes, in milliseconds.
RESERVE_MS = 20

Talk = Generator[Want, None, Any]
Tell = Callable[[int, object], None]


class Network(Protocol):
    """Connections, as the component or a test gives them. Errors are Failures."""

    def now_ms(self) -> int: ...
    def open(self, query: int, endpoint: int) -> tuple[Any, bool]: ...
    def start_tls(self, handle: Any) -> None: ...
    def write(self, handle: Any, data: bytes) -> None: ...
    def read(self, handle: Any, count: int, timeout_ms: int) -> bytes: ...
    def keep(self, handle: Any) -> None: ...
    def drop(self, handle: Any) -> None: ...
    def wait(self, handles: Sequence[Any], timeout_ms: int) -> Iterable[int]: ...
    def learn(self, query: int, parent: int, host: str, port: int) -> int: ...


def drive(
    members: Iterable[tuple[int, Callable[[Connection], Talk]]], budget_ms: int, network: Network, tell: Tell
) -> None:
    """Answers a batch."""
    end = network.now_ms() + max(budget_ms - RESERVE_MS, 0)
    waiting = deque(members)
    running: list[Conversation] = []
    while (now := network.now_ms()) < end:
        while len(running) < CONVERSATIONS and waiting:
            conversation = Conversation(*waiting.popleft(), network, end, tell)
            conversation.begin()
            if conversation.open:
                running.append(conversation)
        if not running:
            return
        until = min(conversation.until for conversation in running)
        ready = set(network.wait([conversation.handle for conversation in running], max(until - now, 0)))
        for index, conversation in enumerate(running):
            if index in ready:
                conversation.read()
        later = network.now_ms()
        for conversation in running:
            if conversation.open and conversation.until <= later < end:
                conversation.lost(Failure.timeout("no answer within its share of the time"))
        running = [conversation for conversation in running if conversation.open]
    for conversation in running:
        conversation.fail(_late())
    for query, _ in waiting:
        tell(query, _late())


def _late() -> Failure:
    return Failure.timeout("no answer within the time of the poll")


class Conversation:
    """A query with its conversation and its connection."""

    def __init__(
        self, query: int, converse: Callable[[Connection], Talk], network: Network, end: int, tell: Tell
    ) -> None:
        self.query, self.converse, self.network, self.end, self.tell = query, converse, network, end, tell
        self.open = True
        self.handle: Any = None
        self.endpoint = 0
        self.connections = 0
        self.until = end
        self.silent = True

    def begin(self) -> None:
        """Begins, or begins anew: over the first endpoint."""
        self.connection = Connection()
        try:
            self.talk = self.converse(self.connection)
        except Exception as raised:
            return self.fail(raised)
        self.to(0)

    def to(self, endpoint: int) -> None:
        """Goes on over a connection to an endpoint."""
        if self.connections >= CONNECTIONS:
            return self.fail(
                Failure.bad_response("the source sends on from one address to the next without end")
            )
        try:
            self.handle, fresh = self.network.open(self.query, endpoint)
        except Failure as failure:
            return self.fail(failure)
        self.connections += 1
        self.endpoint = endpoint
        self.connection._renew(fresh)
        self.silent = True
        self.advance(lambda: next(self.talk))
        # A silent connection has as long as the conversation is patient; what has spoken has all of the time.
        patience = self.connection.patience_ms
        given = self.network.now_ms() + patience if self.silent and patience is not None else self.end
        self.until = min(given, self.end)

    def read(self) -> None:
        """Reads what has arrived and moves the conversation on."""
        try:
            data = self.network.read(self.handle, PIECE, 1)
        except Failure as failure:
            # Even where it is a timeout: a connection that can be read and gives nothing was not made in time.
            return self.broken(failure)
        if not data:
            return self.broken(Failure.unreachable("the source closed the connection before it answered"))
        self.silent = False
        self.until = self.end

        def move() -> Want:
            self.connection._arrived(data)
            return next(self.talk)

        self.advance(move)

    def broken(self, failure: Failure) -> None:
        """A connection that failed. One that had been kept may have been closed meanwhile: the conversation begins anew."""
        if self.silent and not self.connection.fresh and self.connections < CONNECTIONS:
            self.drop()
            return self.begin()
        self.lost(failure)

    def lost(self, failure: Failure) -> None:
        """A connection that is of no more use: the conversation is raised the failure, and may connect elsewhere."""
        self.drop()
        self.advance(lambda: self.talk.throw(failure))

    def advance(self, move: Callable[[], Want]) -> None:
        """Moves the conversation on, sends what was written, and does what it asks for."""
        try:
            want = move()
        except StopIteration as end:
            return self.finish(end.value)
        except Exception as raised:
            return self.fail(raised)
        if self.handle is None and not isinstance(want, Connect | Learn):
            message = "after a connection was lost, a conversation can only connect to another endpoint"
            return self.fail(Failure.internal(message))
        try:
            self.send()
        except Failure as failure:
            return self.broken(failure)
        if not isinstance(want, Bytes):
            self.turn(want)

    def turn(self, want: Want) -> None:
        """TLS, or another connection."""
        try:
            if isinstance(want, StartTls):
                self.network.start_tls(self.handle)
            endpoint = want.endpoint if isinstance(want, Connect) else self.endpoint
            if isinstance(want, Learn):
                endpoint = self.network.learn(self.query, self.endpoint, want.host, want.port)
        except Failure as failure:
            return self.fail(failure)
        if isinstance(want, StartTls):
            self.connection._renew(self.connection.fresh)
            return self.advance(lambda: next(self.talk))
        self.leave()
        self.to(endpoint)

    def send(self) -> None:
        output = self.connection._to_send()
        if output and self.handle is not None:
            self.network.write(self.handle, output)

    def finish(self, answer: object) -> None:
        """An answer: a value, or a Failure that is returned, after which the connection is still good."""
        try:
            self.send()
        except Failure:
            self.drop()
        self.tell(self.query, answer)
        self.leave()
        self.open = False

    def fail(self, raised: Exception) -> None:
        self.drop()
        self.tell(self.query, raised)
        self.open = False

    def leave(self) -> None:
        """Keeps a connection that stands between two exchanges; any other is closed."""
        if self.handle is not None and self.connection._empty:
            self.network.keep(self.handle)
            self.handle = None
        self.drop()

    def drop(self) -> None:
        if self.handle is not None:
            self.network.drop(self.handle)
        self.handle = None
