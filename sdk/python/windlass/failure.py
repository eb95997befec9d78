"""Why there is no value, and what is wrong with parameters."""

from __future__ import annotations

KINDS = (
    "invalid",
    "auth",
    "unreachable",
    "timeout",
    "throttled",
    "not-found",
    "bad-response",
    "denied",
    "internal",
)


class Failure(Exception):
    """Why a query has no value. The message is for people and never carries a secret.

    `kind` is one of the contract's words, `retry_after_ms` when the source wants to be asked again, from now.
    """

    def __init__(self, kind: str, message: str, retry_after_ms: int | None = None) -> None:
        super().__init__(message)
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is no kind of failure: write one of {', '.join(KINDS)}")
        self.kind = kind
        self.message = message
        self.retry_after_ms = retry_after_ms

    @classmethod
    def invalid(cls, message: str) -> Failure:
        """The parameters cannot work."""
        return cls("invalid", message)

    @classmethod
    def auth(cls, message: str) -> Failure:
        """The source refused the credentials."""
        return cls("auth", message)

    @classmethod
    def unreachable(cls, message: str) -> Failure:
        """The source cannot be reached, or says that it cannot serve now."""
        return cls("unreachable", message)

    @classmethod
    def timeout(cls, message: str) -> Failure:
        """The answer did not come in time."""
        return cls("timeout", message)

    @classmethod
    def not_found(cls, message: str) -> Failure:
        """What was asked for does not exist at the source."""
        return cls("not-found", message)

    @classmethod
    def bad_response(cls, message: str) -> Failure:
        """The source answered, but not with what was asked for."""
        return cls("bad-response", message)

    @classmethod
    def internal(cls, message: str) -> Failure:
        """The scaler itself is at fault."""
        return cls("internal", message)

    @classmethod
    def of(cls, raised: BaseException) -> Failure:
        """Whatever was raised, as a failure: what is none is a fault of the scaler."""
        if isinstance(raised, Failure):
            return raised
        if isinstance(raised, Problem):
            return cls.invalid(str(raised))
        return cls.internal(f"the scaler failed: {type(raised).__name__}: {raised}")


class Problem(Exception):
    """What is wrong with a parameter: `configure` raises one, or several as an `ExceptionGroup`.

    `parameter` is None where it is about several. The message says what is wrong and what to do, without the name.
    """

    def __init__(self, parameter: str | None, message: str) -> None:
        super().__init__(message)
        self.parameter = parameter
        self.message = message

    def __str__(self) -> str:
        return self.message if self.parameter is None else f"{self.parameter}: {self.message}"


def problems_of(raised: BaseException) -> list[Problem]:
    """The problems that were raised; anything else is a fault of the scaler."""
    if isinstance(raised, ExceptionGroup):
        return [problem for one in raised.exceptions for problem in problems_of(one)]
    if isinstance(raised, Problem):
        return [raised]
    return [Problem(None, f"the scaler failed: {type(raised).__name__}: {raised}")]
