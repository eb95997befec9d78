from pathlib import Path
from unittest import TestCase

from scaler import number_at, scaler
from windlass import Failure, Reading, Request
from windlass.testing import case_tests, configure, poll, trigger

URL = "http://queues.shop:8080/stats"

Cases = case_tests(scaler, Path(__file__).parent.parent / "cases")


class Tests(TestCase):
    def test_a_path_leads_through_objects_and_lists(self) -> None:
        self.assertEqual(number_at({"queues": [{"length": 3}]}, "queues.0.length"), 3)
        self.assertEqual(number_at({"value": " 1e3 "}, "value"), 1000)
        for path in ("queues.1", "queues.length", "toString", ""):
            with self.assertRaises(Failure, msg=path):
                number_at({"queues": [1]}, path)

    def test_what_a_user_left_out_is_a_problem(self) -> None:
        self.assertEqual(configure(scaler, {}), {"url": "is required"})

    def test_one_querys_trouble_does_not_touch_anothers(self) -> None:
        triggers = [trigger(scaler, {"url": URL, "valueLocation": key}) for key in "abc"]
        asked = []

        def respond(request: Request) -> str | Failure:
            asked.append(request.target)
            return Failure.timeout("no answer") if len(asked) == 2 else '{"a": 1, "c": 3}'

        outcomes = poll(scaler, triggers, respond=respond)
        told = [list(one.values) if isinstance(one, Reading) else getattr(one, "kind", None) for one in outcomes]
        self.assertEqual(told, [[1], "timeout", [3]])
        self.assertEqual(len(asked), 3)
