"""Laws of the marks: nothing is left out, who was under way at a death is processed alone, the guilty are found."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streams.shard.attempts import GUILTY, Attempts, Suspect, accused

TOPIC = "t"
ranges = st.tuples(st.integers(0, 60), st.integers(1, 12)).map(lambda pair: Suspect(TOPIC, pair[0], pair[0] + pair[1]))


def _run(path: Path, killers: set[int], committed: int, batch: int) -> tuple[int, list[int]]:
    """One life of a process over 40 records; returns where it stood, and what it gave up."""
    attempts = Attempts(path, {TOPIC: committed})
    diverted: list[int] = []
    position = committed
    while position < 40:
        records: list[Any] = [SimpleNamespace(offset=n) for n in range(position, min(40, position + batch))]
        for run in attempts.runs(TOPIC, records):
            if attempts.deaths(TOPIC, run[0].offset) >= GUILTY:
                diverted.append(run[0].offset)
                continue
            with attempts.under_way(TOPIC, run):
                left = path.read_bytes()
            if killers & {record.offset for record in run}:
                attempts.close()
                path.write_bytes(left)
                return -1, []
        position = records[-1].offset + 1
        attempts.passed(TOPIC, position)
    attempts.close()
    return position, diverted


@given(st.sets(st.integers(0, 39), max_size=4), st.integers(1, 40))
def test_every_killer_is_given_up_and_nobody_else_after_a_bounded_number_of_deaths(
    killers: set[int], batch: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for _ in range((GUILTY + 1) * len(killers) + 1):
            position, diverted = _run(Path(folder) / "0", killers, 0, batch)
            if position == 40:
                break
        assert (position, set(diverted)) == (40, killers)


@given(st.lists(ranges, max_size=5), st.sets(st.integers(0, 80), min_size=1))
def test_the_runs_are_the_records_in_their_order_and_every_suspect_is_alone(
    suspects: list[Suspect], offsets: set[int]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        attempts = Attempts(Path(folder) / "0", {TOPIC: 0})
        attempts._suspects = suspects
        records: list[Any] = [SimpleNamespace(offset=n) for n in sorted(offsets)]
        runs = list(attempts.runs(TOPIC, records))
        attempts.close()
    assert [record for run in runs for record in run] == records
    for run in runs:
        alone = [r for r in run if any(s.start <= r.offset < s.end for s in suspects)]
        assert not alone or len(run) == 1


@given(st.lists(ranges, max_size=8), ranges)
def test_deaths_are_only_counted_for_the_record_that_was_alone(suspects: list[Suspect], found: Suspect) -> None:
    before = {(s.start, s.end): s.alone for s in suspects}
    after = accused(suspects, found)
    for suspect in after:
        same = (suspect.start, suspect.end) == (found.start, found.end)
        grew = suspect.alone - before.get((suspect.start, suspect.end), 0)
        assert grew == (1 if same and found.end - found.start == 1 else 0)
