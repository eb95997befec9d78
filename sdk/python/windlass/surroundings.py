"""What Python has and a component has not: no clock but the batch's, no output but the log, no randomness but the host's.

Imported before anything of the scaler, so that nothing has a hold on the originals.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO, cast

_now_ms: Callable[[], int] | None = None
_print: Callable[[str, str], None] | None = None


@contextmanager
def during(now_ms: Callable[[], int], log: Callable[[str, str], None]) -> Iterator[None]:
    """While a batch is answered, the time is that of the batch, and what is printed is logged."""
    global _now_ms, _print
    _now_ms, _print = now_ms, log
    try:
        yield
    finally:
        _now_ms = _print = None


class _Log:
    """A stream whose lines are log messages."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, level: str) -> None:
        self.level = level
        self.line = ""

    def write(self, text: str) -> int:
        *lines, self.line = (self.line + text).split("\n")
        for line in lines:
            if _print is not None and line.strip():
                _print(self.level, line)
        return len(text)

    def flush(self) -> None:
        """Nothing: a line leaves at its end."""

    def isatty(self) -> bool:
        return False


def _ms() -> int:
    if _now_ms is None:
        raise RuntimeError("there is no time here: it comes with the poll")
    return _now_ms()


def install(random: Callable[[int], bytes]) -> None:
    """Puts the batch's time, the log and the host's randomness in the place of the system's."""
    import datetime

    class Moment(datetime.datetime):
        """A datetime whose present is that of the batch."""

        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Moment:
            return cls.fromtimestamp(_ms() / 1000, tz or datetime.UTC).replace(tzinfo=tz)

        @classmethod
        def utcnow(cls) -> Moment:
            return cls.now()

    sys.stdout, sys.stderr = cast(TextIO, _Log("info")), cast(TextIO, _Log("warn"))
    time.time = lambda: _ms() / 1000
    time.time_ns = lambda: _ms() * 1_000_000
    time.monotonic = time.perf_counter = time.time
    datetime.datetime = Moment  # type: ignore[misc]
    os.urandom = random
