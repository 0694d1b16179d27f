"""What the workloads of the courier make of what they have seen."""

from __future__ import annotations

import math

from benchmarks import couriers, w5
from benchmarks.measure import percentile


def test_percentiles_are_values_that_were_seen() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert (percentile(values, 0.5), percentile(values, 0.99), percentile(values, 1.0)) == (51.0, 100.0, 100.0)


def test_nothing_has_no_percentile() -> None:
    assert math.isnan(percentile([], 0.5))


def test_a_write_that_was_lost_repeated_or_invented_is_a_fault() -> None:
    journal = [("a", "one", 1), ("a", "two", 2), ("a", "one", 3), ("a", "strange", 4)]
    assert couriers.faults(journal, {"one", "two", "three"}) == {"not_asked_for": 1, "missing": 1, "repeated": 1}


def test_accounts_can_be_made_for_one_shard_and_for_all() -> None:
    assert {couriers.shard_of(name) for name in couriers.names("shop", 9)} == set(range(couriers.PROFILE.platform))
    one = couriers.names("shop", 9, shard=1)
    assert {couriers.shard_of(name) for name in one} == {1}
    assert len(set(one)) == 9


def test_hops_add_up_to_the_whole() -> None:
    moments = {name: float(number) for number, name in enumerate(w5.MOMENTS)}
    found = w5.figures([moments])
    assert found["p50_ms"] == 7_000.0
    assert sum(p50 for p50, _ in found["hops_p50_p99_ms"].values()) == 7_000.0
