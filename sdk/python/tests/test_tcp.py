"""Conversations over TCP: many at a time, kept connections, and a source that hangs up."""

import unittest
from dataclasses import dataclass

from windlass import Address, Failure, Metric, Plan, TcpScaler, parameter
from windlass.testing import CLOSE, poll, trigger


@dataclass(frozen=True)
class Parameters:
    address: Address = parameter("Where the source listens.")
    key: str = parameter("What is asked for.")


class Lines(TcpScaler):
    name = "lines"
    parameters = Parameters

    def configure(self, parameters, trigger):
        return Plan(metrics=[Metric("lines", 1)], endpoints=[parameters.address.endpoint()])

    def converse(self, parameters, context, connection):
        if connection.fresh:
            connection.write("HELLO\n")
            if (yield from connection.line()) != "OK":
                raise Failure.auth("refused")
        connection.write(f"GET {parameters.key}\n")
        return float((yield from connection.line()))


SCALER = Lines()


def triggers(count):
    return [trigger(SCALER, {"address": "queue:6379", "key": str(key)}) for key in range(count)]


class Tcp(unittest.TestCase):
    def test_more_queries_than_conversations_share_kept_connections(self):
        logins = []

        def reply(data, endpoint, connection):
            if data != b"HELLO\n":
                return data[4:]
            logins.append(connection)
            return "OK\n"

        outcomes = poll(SCALER, triggers(20), reply=reply)
        self.assertEqual([one.values for one in outcomes], [[float(key)] for key in range(20)])
        self.assertEqual(len(logins), 8)

    def test_a_source_that_hangs_up_or_is_silent_fails_its_query(self):
        (hung_up,) = poll(SCALER, triggers(1), reply=lambda *_: CLOSE)
        self.assertIsInstance(hung_up, Failure)
        (silent,) = poll(SCALER, triggers(1), reply=lambda *_: None)
        self.assertEqual(silent.kind, "timeout")
