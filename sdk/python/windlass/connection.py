"""A conversation's side of its connection."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from .failure import Failure

#: Longest input that a conversation may leave unread, in bytes.
MAX_INPUT = 4 << 20


@dataclass(frozen=True)
class Bytes:
    """What a conversation waits for: more bytes."""


@dataclass(frozen=True)
class StartTls:
    """TLS begins."""


@dataclass(frozen=True)
class Connect:
    """A connection to another endpoint of the plan."""

    endpoint: int


@dataclass(frozen=True)
class Learn:
    """A connection to a host that the source named."""

    host: str
    port: int


Want = Bytes | StartTls | Connect | Learn


class Connection:
    """What a scaler's `converse` speaks over.

    Its reading methods are generators, written `yield from connection.line()`: while one conversation waits, the others of the batch
    go on.
    """

    def __init__(self) -> None:
        #: Whether it is new: log in first. Otherwise an earlier conversation left it in good order.
        self.fresh = True
        #: How long a new connection may stay silent before a Failure is raised, in milliseconds; None: as long as the poll may last.
        self.patience_ms: int | None = None
        self._input = bytearray()
        self._output = bytearray()

    def write(self, data: bytes | str) -> None:
        """Sends bytes, or text as UTF-8, once the conversation waits."""
        self._output += data.encode() if isinstance(data, str) else data

    def some(self) -> Generator[Want, None, bytes]:
        """The bytes that have arrived and have not been read; at least one."""
        while not self._input:
            yield Bytes()
        return self._take(len(self._input))

    def exactly(self, count: int) -> Generator[Want, None, bytes]:
        """That many bytes."""
        if count > MAX_INPUT:
            raise _too_long()
        while len(self._input) < count:
            yield Bytes()
        return self._take(count)

    def until(self, delimiter: bytes) -> Generator[Want, None, bytes]:
        """The bytes up to a delimiter, which is read and left out."""
        start = 0
        while (at := self._input.find(delimiter, start)) < 0:
            start = max(0, len(self._input) - len(delimiter) + 1)
            yield Bytes()
        return self._take(at + len(delimiter))[:at]

    def line(self) -> Generator[Want, None, str]:
        """The text up to the end of a line, `\\n` or `\\r\\n`."""
        line = yield from self.until(b"\n")
        try:
            return line.removesuffix(b"\r").decode()
        except UnicodeDecodeError:
            raise Failure.bad_response("the answer is not UTF-8") from None

    def start_tls(self) -> Generator[Want, None, None]:
        """TLS begins, on an endpoint whose TLS is an upgrade."""
        yield StartTls()

    def connect(self, endpoint: int) -> Generator[Want, None, None]:
        """Goes on over a connection to another endpoint of the plan; `fresh` tells again whether to log in."""
        yield Connect(endpoint)

    def learn(self, host: str, port: int) -> Generator[Want, None, None]:
        """The same, to a host that the source named. Needs `learn` in the scaler's `needs`."""
        yield Learn(host, port)

    # What follows is for the SDK.

    @property
    def _empty(self) -> bool:
        return not self._input

    def _arrived(self, data: bytes) -> None:
        self._input += data
        if len(self._input) > MAX_INPUT:
            raise _too_long()

    def _to_send(self) -> bytes:
        output, self._output = bytes(self._output), bytearray()
        return output

    def _renew(self, fresh: bool) -> None:
        """Stands for another connection from now on."""
        self.fresh = fresh
        self._input, self._output = bytearray(), bytearray()

    def _take(self, count: int) -> bytes:
        taken = bytes(self._input[:count])
        del self._input[:count]
        return taken


def _too_long() -> Failure:
    return Failure.bad_response(f"the answer is longer than {MAX_INPUT} bytes")
