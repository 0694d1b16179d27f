"""What the levels and costs of one bucket's calls say of its refill, of rivals, and of the time it is used up. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_LEAST_SPAN = 2.0  # seconds of levels that make an estimate
_FEWEST = 3  # levels
_ROUNDED = 1.0  # units: levels are reported as whole ones
_MOST_BESIDE = 32  # calls in flight at once


@dataclass(frozen=True, slots=True)
class Sample:
    """A level and the call whose reply told it. `at`, `ended`: sent and answered, seconds; `cost`: what it was
    charged."""

    at: float
    ended: float
    cost: float
    level: float


def net_refill(samples: Sequence[Sample], limit: float) -> float | None:
    """Units per second that came into the bucket beside what we took: its refill less what others take.

    `samples` in the order of `ended`. Between two levels the bucket gained their difference plus what we were charged.
    A bucket that was full in between gained less than it was offered, so such a pair says nothing. None when less than
    two seconds are left.
    """
    gained = covered = 0.0
    pairs = 0
    for index in range(1, len(samples)):
        before, after = samples[index - 1], samples[index]
        if _was_full(samples, index, limit):
            continue
        gained += after.level - before.level + after.cost
        covered += after.ended - before.ended
        pairs += 1
    return None if covered < _LEAST_SPAN or pairs + 1 < _FEWEST else max(0.0, gained / covered)


def _was_full(samples: Sequence[Sample], index: int, limit: float) -> bool:
    """Whether the bucket may have been full when this call was charged: its level, with everything that was under way
    at that time added, reaches the limit."""
    this = samples[index]
    beside = samples[max(0, index - _MOST_BESIDE) : index + _MOST_BESIDE]
    under_way = sum(one.cost for one in beside if one.at <= this.ended and one.ended >= this.at)
    return this.level + under_way >= limit - _ROUNDED


def rival_share(advertised: float, net: float | None) -> float | None:
    """What others take of the refill, or what it is cut by without a word: in [0, 1]. None where nothing is known."""
    if net is None or advertised <= 0.0:
        return None
    return min(1.0, max(0.0, 1.0 - net / advertised))


def trend(samples: Sequence[Sample]) -> float | None:
    """Units per second by which the level rises (falls, when negative): least squares. None for less than two
    seconds."""
    if len(samples) < _FEWEST or samples[-1].ended - samples[0].ended < _LEAST_SPAN:
        return None
    count = len(samples)
    mean_t = sum(one.ended for one in samples) / count
    mean_v = sum(one.level for one in samples) / count
    spread = sum((one.ended - mean_t) ** 2 for one in samples)
    return sum((one.ended - mean_t) * (one.level - mean_v) for one in samples) / spread


def level_at(now: float, last: Sample, net: float, limit: float) -> float:
    """The level now, if nothing was taken since the last one was told."""
    return min(limit, last.level + max(0.0, now - last.ended) * net)


def exhausted_at(now: float, level: float, rising: float, least: float, ends_at: float | None = None) -> float | None:
    """When the bucket is empty if it goes on like this, in seconds UTC; None when it is not going to be.

    `rising`: units per second, see `trend`; what falls more slowly than `least` is noise. `ends_at`: when the quota
    begins anew, for one that is counted by the day: a later end never comes.
    """
    if rising >= -least:
        return None
    at = now + max(0.0, level) / -rising
    return None if ends_at is not None and at >= ends_at else at


def window_end(now: float, seconds: float) -> float:
    """When the window of a quota that is counted by the day (hour, minute) ends: at whole multiples since 1970 UTC."""
    return (now // seconds + 1.0) * seconds
