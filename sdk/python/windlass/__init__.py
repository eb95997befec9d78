"""What a scaler is written with. Nothing here calls the host, so that a scaler's tests run in Python as they are."""

from .address import Address, Url, percent_encode
from .connection import Connection
from .failure import Failure, Problem
from .http import Credential, Request, Response
from .parameter import Revealed, Sealed, parameter
from .plan import Endpoint, Metric, Plan, Tls, normalize
from .reading import Later, Reading
from .scaler import Context, HttpScaler, LocalScaler, Scaler, TcpScaler, Trigger

__all__ = [
    "Address",
    "Connection",
    "Context",
    "Credential",
    "Endpoint",
    "Failure",
    "HttpScaler",
    "Later",
    "LocalScaler",
    "Metric",
    "Plan",
    "Problem",
    "Reading",
    "Request",
    "Response",
    "Revealed",
    "Scaler",
    "Sealed",
    "TcpScaler",
    "Tls",
    "Trigger",
    "Url",
    "normalize",
    "parameter",
    "percent_encode",
]
