"""A flood of bad records is one error and one gauge of the account it is from, and nothing of the others'."""

from __future__ import annotations

from typing import Any

from structlog.testing import capture_logs

from connectors.kit.metrics import PIPELINE_BRAKED, Metrics
from streams.core.brake import Limits
from streams.core.ledger import Book
from streams.runtime.brakes import Brakes

BAD, GOOD = "acme|bad", "acme|good"


class Bench:
    """The brakes of a stage, with a clock by hand and what was logged."""

    def __init__(self) -> None:
        self.now = 0.0
        self.metrics = Metrics()
        self.brakes = Brakes(self.metrics, "mapper", lambda: self.now, Limits(share=0.5, least=20, window=60.0))

    def batch(self, account: str, received: int, dead: int) -> list[Any]:
        """One batch; every dead record of it is given up, and then it is counted."""
        with capture_logs() as logs:
            for offset in range(dead):
                self.brakes.died(account, "raw", 0, offset, "invalid", f"record {offset} has no price")
            self.brakes.counted(Book.DELIVERIES, account, {"received": received, "dead": dead})
        return list(logs)

    def gauge(self, account: str) -> float:
        return self.metrics.value(PIPELINE_BRAKED, "mapper", account)


def test_a_flood_is_one_error_and_one_record_in_detail() -> None:
    bench = Bench()
    logs = [entry for _ in range(10) for entry in bench.batch(BAD, 100, 90)]
    assert [entry["log_level"] for entry in logs] == ["warning", "error"]
    assert (logs[0]["detail"], logs[0]["offset"], logs[0]["account"]) == ("record 0 has no price", 0, BAD)
    assert logs[1]["account"] == BAD
    assert "sluice deadletters list" in logs[1]["next_command"]
    assert bench.gauge(BAD) == 1


def test_the_others_go_on_unmarked() -> None:
    bench = Bench()
    bench.batch(BAD, 100, 100)
    assert bench.batch(GOOD, 100, 10)[0]["account"] == GOOD
    assert bench.gauge(GOOD) == 0


def test_in_every_window_one_record_is_shown_in_detail() -> None:
    bench = Bench()
    shown = []
    for _ in range(5):
        shown += [entry for entry in bench.batch(BAD, 10, 5) if "detail" in entry]
        bench.now += 30
    assert len(shown) == 3


def test_the_brake_is_released_when_the_source_is_good_again() -> None:
    bench = Bench()
    bench.batch(BAD, 100, 90)
    bench.now = 61
    assert bench.batch(BAD, 100, 0) == []
    bench.now = 122
    (released,) = bench.batch(BAD, 100, 0)
    assert (released["log_level"], released["account"]) == ("info", BAD)
    assert bench.gauge(BAD) == 0


def test_the_brake_of_a_source_that_fell_silent_is_released_when_others_are_counted() -> None:
    bench = Bench()
    bench.batch(BAD, 100, 90)
    for _ in range(3):
        bench.now += 60
        bench.batch(GOOD, 1, 0)
    assert bench.gauge(BAD) == 0


def test_counters_that_say_nothing_of_arrivals_change_nothing() -> None:
    bench = Bench()
    with capture_logs() as logs:
        bench.brakes.counted(Book.TASKS, BAD, {"routed": 500})
    assert logs == []
