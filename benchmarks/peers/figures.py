"""From samples of a running peer to the figures of the table. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.measure import per_million

SETTLED = 2.0  # seconds without a new output after the last offset was committed
QUIET = 15.0  # seconds without any progress; longer than every peer's interval of commits or snapshots


@dataclass(frozen=True, slots=True)
class Sample:
    """A peer seen from outside at one moment. `at`: seconds since its start; `cpu`: CPU-seconds of its process tree.

    `written` counts its output records, `committed` the source offsets of its group; `rss` is MiB; `broker_cpu` is None
    where the broker is no process of this machine.
    """

    at: float
    cpu: float
    broker_cpu: float | None
    rss: float
    written: int
    committed: int


@dataclass(frozen=True, slots=True)
class Figures:
    """One row's figures: events/s, CPU-seconds per million events, peak MiB; as W2a gives them.

    `cpu` is that of the run, from the first output on; `with_start` from the start of the process; `second_half` from
    half of the outputs, None when they came too fast to tell.
    """

    rate: int
    cpu: float
    with_start: float
    second_half: float | None
    broker_cpu: float | None
    rss: int


def finished(samples: Sequence[Sample], records: int) -> bool:
    """Whether nothing more will come: all is committed and settled, or nothing moved for long after it began."""
    last = samples[-1]
    if not last.written:
        return False
    still = last.at - _arrived(samples).at
    return still > (SETTLED if last.committed >= records else QUIET)


def summarise(samples: Sequence[Sample], records: int) -> Figures:
    """The figures of a finished run of `records` events.

    The rate is that of the outputs, from the first to the last. CPU counts until the last offset is committed too;
    where none is, until the end of the quiet time, so that the last snapshot of the state is in it.
    """
    final = samples[-1].written
    end = _arrived(samples) if samples[-1].committed else samples[-1]
    first = next(sample for sample in samples if sample.written)
    half = next(sample for sample in samples if sample.written >= final / 2)
    last = next(sample for sample in samples if sample.written == final)

    def left(sample: Sample) -> int:
        return round(records * (1 - sample.written / final))

    return Figures(
        rate=round(left(first) / max(1e-9, last.at - first.at)),
        cpu=per_million(end.cpu - first.cpu, left(first)),
        with_start=per_million(end.cpu, records),
        second_half=per_million(end.cpu - half.cpu, left(half)),
        broker_cpu=_broker(samples[0], end, records),
        rss=round(max(sample.rss for sample in samples)),
    )


def _broker(first: Sample, end: Sample, records: int) -> float | None:
    if first.broker_cpu is None or end.broker_cpu is None:
        return None
    return per_million(end.broker_cpu - first.broker_cpu, records)


def _arrived(samples: Sequence[Sample]) -> Sample:
    """The first sample that shows all that the last one shows."""
    last = samples[-1]
    return next(s for s in samples if (s.written, s.committed) == (last.written, last.committed))
