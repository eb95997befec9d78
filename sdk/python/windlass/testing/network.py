"""A network that a test plays. Time passes only in a wait that nothing ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..failure import Failure

#: The number of the first endpoint that is learned.
LEARNED = 1_000


class Close:
    """What a source gives to close the connection."""


CLOSE = Close()

Reply = Callable[[bytes, int, int], bytes | str | Close | None]


@dataclass
class Wire:
    """A connection."""

    number: int
    endpoint: int
    pending: bytearray = field(default_factory=bytearray)
    closed: bool = False


class Network:
    """Connections to a source that is a function."""

    def __init__(self, reply: Reply | None) -> None:
        self._reply = reply
        self._now = 0
        self._kept: list[Wire] = []
        self._opened = 0
        self._learned: list[tuple[str, int]] = []

    def now_ms(self) -> int:
        return self._now

    def open(self, query: int, endpoint: int) -> tuple[Wire, bool]:
        for wire in self._kept:
            if wire.endpoint == endpoint:
                self._kept.remove(wire)
                return wire, False
        self._opened += 1
        return Wire(self._opened - 1, endpoint), True

    def start_tls(self, handle: Wire) -> None:
        """TLS is the host's."""

    def write(self, handle: Wire, data: bytes) -> None:
        if self._reply is None:
            raise AssertionError("bytes are sent, but the test has no source")
        given = self._reply(data, handle.endpoint, handle.number)
        if isinstance(given, Close):
            handle.closed = True
        elif given is not None:
            handle.pending += given.encode() if isinstance(given, str) else given

    def read(self, handle: Wire, count: int, timeout_ms: int) -> bytes:
        if not handle.pending and not handle.closed:
            raise Failure.timeout("the source did not accept a connection in time")
        taken = bytes(handle.pending[:count])
        del handle.pending[:count]
        return taken

    def keep(self, handle: Wire) -> None:
        self._kept.append(handle)

    def drop(self, handle: Wire) -> None:
        """It is gone."""

    def wait(self, handles: Sequence[Wire], timeout_ms: int) -> list[int]:
        ready = [index for index, wire in enumerate(handles) if wire.closed or wire.pending]
        if not ready:
            self._now += timeout_ms
        return ready

    def learn(self, query: int, parent: int, host: str, port: int) -> int:
        peer = (host, port)
        if peer not in self._learned:
            self._learned.append(peer)
        return LEARNED + self._learned.index(peer)
