"""Laws of the reorder stage: whatever arrives in whatever order, and whenever it is drained."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core import reorder
from streams.core.policy import Ordering, OrderingMode
from streams.core.reorder import MICROS, Held, Release, Reorder

TOPICS = ("live", "bulk")
SOURCES = (b"one", b"two", b"three")
TIME = Ordering(OrderingMode.TIME, 2.0)
GAPS = Ordering(OrderingMode.CONTIGUOUS, 2.0)


@dataclass
class Step:
    """One arrival: after `pause` seconds, of a source, with a clock; the stage is drained before it or not."""

    pause: float
    source: int
    clock: int
    topic: int
    drained: bool


steps = st.lists(
    st.builds(
        Step,
        pause=st.sampled_from([0.0, 0.0, 0.1, 0.7, 2.5]),
        source=st.integers(0, 2),
        clock=st.integers(1, 9),
        topic=st.integers(0, 1),
        drained=st.booleans(),
    ),
    max_size=40,
)


@dataclass
class Run:
    """Feeds a stage as the resolver does and keeps what came out, with when and what was held at that moment."""

    ordering: Ordering
    stage: Reorder = field(default_factory=Reorder)
    now: float = 100.0
    offsets: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    given: list[Held] = field(default_factory=list)
    out: list[Release] = field(default_factory=list)
    out_at: dict[bytes, float] = field(default_factory=dict)
    newest: dict[bytes, bytes] = field(default_factory=dict)
    numbers: dict[bytes, int] = field(default_factory=dict)

    def feed(self, all_steps: list[Step], unit: int) -> Run:
        for step in all_steps:
            self._pass(step.pause)
            if step.drained:
                self.take(self.stage.drain(self.now))
            self._arrive(step, unit)
            self._check_limits()
        return self

    def _pass(self, seconds: float) -> None:
        """Time goes by in ticks, as it does in a shard."""
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + 0.1)
            self.take(self.stage.drain(self.now))

    def _arrive(self, step: Step, unit: int) -> None:
        topic, source = TOPICS[step.topic], SOURCES[step.source]
        offset = self.offsets[topic]
        self.offsets[topic] += 1
        clock = step.clock * unit
        version = clock.to_bytes(8, "big") + len(self.given).to_bytes(21, "big")
        event_id = b"%016d" % len(self.given)
        event = Held(version, len(self.given), source, source[:1], event_id, topic, offset, self.now, 100, None)
        self.given.append(event)
        if self.ordering is TIME:
            newer = version < self.newest.get(source, b"")
            self.newest[source] = max(self.newest.get(source, b""), version)
            self.take(self.stage.offer(event, TIME, newer_known=newer))
        else:
            self.take(self.stage.offer_numbered(event, GAPS, self.numbers.get(source, 0)))

    def take(self, released: list[Release]) -> None:
        for event, late in released:
            self.out.append((event, late))
            self.out_at[event.event_id] = self.now
            if not late:
                self.numbers[event.source] = max(self.numbers.get(event.source, 0), event.clock)

    def _check_limits(self) -> None:
        for topic in TOPICS:
            held = [e.offset for e in self.given if e.topic == topic and e.event_id not in self.out_at]
            assert self.stage.limit(topic) == min(held, default=None)

    def finish(self) -> Run:
        """Long after the last arrival."""
        self._pass(self.ordering.lateness + 0.3)
        return self


def _both(all_steps: list[Step]) -> list[Run]:
    return [Run(TIME).feed(all_steps, MICROS), Run(GAPS).feed(all_steps, 1)]


@given(steps)
def test_nothing_is_lost_and_nothing_goes_out_twice(all_steps: list[Step]) -> None:
    for run in _both(all_steps):
        run.finish()
        assert sorted(e.event_id for e, _ in run.out) == [e.event_id for e in run.given]
        assert len(run.stage) == 0


@given(steps)
def test_what_is_not_late_goes_out_in_source_order_per_record(all_steps: list[Step]) -> None:
    for run in _both(all_steps):
        run.finish()
        last: dict[bytes, int] = {}
        for event, late in run.out:
            if not late:
                assert event.clock >= last.get(event.source, 0)
                last[event.source] = event.clock


@given(steps)
def test_the_limit_is_exactly_the_oldest_held_offset(all_steps: list[Step]) -> None:
    for run in _both(all_steps):  # checked after every arrival
        run.finish()
        assert [run.stage.limit(topic) for topic in TOPICS] == [None, None]


@given(steps)
def test_nothing_is_held_longer_than_the_lateness(all_steps: list[Step]) -> None:
    for run in _both(all_steps):
        run.finish()
        for event in run.given:
            assert run.out_at[event.event_id] - event.arrival <= 2.0 + 0.11, "a tick is 0.1 s"


@given(steps)
def test_an_event_is_held_exactly_while_its_id_is_known_as_held(all_steps: list[Step]) -> None:
    for run in _both(all_steps):
        for event in run.given:
            assert run.stage.holds(event.event_id) == (event.event_id not in run.out_at)


@given(st.permutations(range(1, 9)), st.integers(0, 8))
def test_numbers_without_a_hole_go_out_in_order_without_waiting(order: list[int], known: int) -> None:
    run = Run(GAPS)
    run.numbers[SOURCES[0]] = known
    run.feed([Step(0.0, 0, number + known, 0, False) for number in order], 1)
    assert [e.clock for e, late in run.out if not late] == [n + known for n in range(1, 9)]
    assert not any(late for _, late in run.out)


def test_a_hole_is_waited_for_and_then_given_up() -> None:
    run = Run(GAPS).feed([Step(0.0, 0, 1, 0, False), Step(0.0, 0, 4, 0, False), Step(0.0, 0, 5, 0, False)], 1)
    assert [e.clock for e, _ in run.out] == [1]
    run.finish()
    assert [(e.clock, late) for e, late in run.out] == [(1, False), (4, False), (5, False)]
    run.feed([Step(0.0, 0, 3, 0, False)], 1)
    assert [(e.clock, late) for e, late in run.out][-1] == (3, True)


def test_a_silent_account_is_released_by_receive_time() -> None:
    run = Run(TIME).feed([Step(0.0, 0, 5, 0, False)], MICROS)
    assert run.out == []
    run.finish()
    assert len(run.out) == 1


@given(steps)
def test_a_persisted_watermark_is_taken_up_and_never_falls(all_steps: list[Step]) -> None:
    run = Run(TIME).feed(all_steps, MICROS)
    stage = Reorder()
    for source in SOURCES:
        stream = source[:1]
        stage.set_watermark(stream, TIME, run.stage.watermark(stream))
        stage.set_watermark(stream, TIME, 0)
        assert stage.watermark(stream) == run.stage.watermark(stream)


@given(steps)
def test_too_much_held_releases_the_oldest_first(all_steps: list[Step]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reorder, "MAX_HELD", 3)
        run = Run(TIME).feed(all_steps, MICROS)
        run.take(run.stage.drain(run.now))
        assert len(run.stage) <= 3


@given(steps)
def test_too_much_held_for_gaps_releases_too(all_steps: list[Step]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reorder, "MAX_HELD", 3)
        run = Run(GAPS).feed(all_steps, 1)
        run.take(run.stage.drain(run.now))
        assert len(run.stage) <= 3


@given(steps)
def test_too_many_bytes_held_are_released_too(all_steps: list[Step]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reorder, "MAX_HELD_BYTES", 350)  # an event of a step has 100
        run = Run(TIME).feed(all_steps, MICROS)
        run.take(run.stage.drain(run.now))
        assert len(run.stage) <= 3


def test_a_gap_of_a_patient_type_does_not_hold_up_that_of_an_impatient_one() -> None:
    stage = Reorder()
    patient, impatient = Ordering(OrderingMode.CONTIGUOUS, 60.0), Ordering(OrderingMode.CONTIGUOUS, 1.0)
    for number, ordering in enumerate((patient, impatient)):
        source = b"%d" % number
        version = (5).to_bytes(8, "big") + bytes(21)
        event = Held(version, number, source, source, b"%016d" % number, "live", number, 0.0, 100, None)
        assert stage.offer_numbered(event, ordering, 0) == []
    assert [event.source for event, _ in stage.drain(1.5)] == [b"1"]
