"""All buckets one request is charged to: an account's own and the named ones beside it. The tightest rules. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from connectors.kit.concurrent import Concurrent, Latency
from connectors.kit.contract import Budget, Feedback
from connectors.kit.gate import Outcome, is_refusal, usable
from connectors.kit.pacing import Pacer, make
from connectors.kit.window import Window

OWN = ""  # name of the account's own bucket
MOST = 16  # buckets an API may name that the budget does not
CONCURRENT = "concurrent-requests"
NONE: Mapping[str, float] = {}
_SEPARATOR = "/"  # between name and number in a snapshot
_PLACES = 1_000_000  # of buckets the API named: how many may be under way is the own bucket's business


class Buckets:
    """The pacers of one account, as one pacer whose requests have a cost in each of its buckets.

    Every method that takes a `cost` takes the `charges` of the request beside it: its cost in each named bucket, 1
    where it does not say. A bucket the budget does not name is made when a reply says its limit and window, or that it
    counts concurrent requests; bytes are not paced.

    A refusal is the fault of the buckets that the reply says have refused, else of the account's own; the others stay
    charged, because some APIs charge what they refuse.
    """

    def __init__(self, budget: Budget) -> None:
        self._pacers: dict[str, Pacer] = {OWN: make(budget)}
        self._pacers.update((name, make(one)) for name, one in budget.also.items())
        self._declared = len(self._pacers)
        self._in_flight = 0
        self._before: dict[str, int] = {}  # requests that started before the bucket was known

    def admits(self, cost: float, charges: Mapping[str, float] = NONE) -> bool:
        """Whether a request of this cost can ever start."""
        return all(pacer.admits(one) for _, pacer, one in self._each(cost, charges))

    def ready_at(self, now: float, cost: float, urgent: bool = False, charges: Mapping[str, float] = NONE) -> float:
        """Earliest time all buckets have room; see Pacer."""
        return self.tightest(now, cost, charges, urgent)[0]

    def tightest(
        self, now: float, cost: float, charges: Mapping[str, float] = NONE, urgent: bool = False
    ) -> tuple[float, str]:
        """Earliest time all buckets have room, and the bucket that has it last."""
        at, name = self._pacers[OWN].ready_at(now, cost, urgent), OWN
        for other, pacer, one in self._each(cost, charges):
            if other != OWN and (ready := pacer.ready_at(now, one, urgent)) > at:
                at, name = ready, other
        return at, name

    def start(self, now: float, cost: float, charges: Mapping[str, float] = NONE) -> None:
        """A request starts now and is charged to all."""
        self._in_flight += 1
        for _, pacer, one in self._each(cost, charges):
            pacer.start(now, one)

    def settle(
        self,
        now: float,
        cost_expected: float,
        feedback: Feedback | None,
        outcome: Outcome,
        charges: Mapping[str, float] = NONE,
        seconds: float | None = None,
    ) -> None:
        """A started request ended. `seconds`: from sending it to its reply, None when there was none."""
        self._in_flight = max(0, self._in_flight - 1)
        found = set() if feedback is None else self._discover(feedback)
        for name, pacer, one in self._each(cost_expected, charges):
            if name in found:
                pacer.start(now, one)
            elif self._before.get(name, 0) > 0:
                self._before[name] -= 1
                continue
            if isinstance(pacer, Latency) and seconds is not None:
                pacer.observe(seconds)
            pacer.settle(now, one, *_share_of(name, feedback, outcome))

    def block(self, until: float) -> None:
        """Nothing starts before `until`."""
        self._pacers[OWN].block(until)

    @property
    def blocked_until(self) -> float:
        """The end of the longest block of the account's own bucket; 0 when there never was one."""
        return self._pacers[OWN].snapshot()["blocked_until"]

    def snapshot(self) -> dict[str, float]:
        """The numbers of the account's own bucket, and `name/number` of each other one."""
        numbers = self._pacers[OWN].snapshot()
        for name, pacer in self._pacers.items():
            if name != OWN:
                numbers.update((f"{name}{_SEPARATOR}{key}", value) for key, value in pacer.snapshot().items())
        return numbers

    def restore(self, saved: Mapping[str, float]) -> None:
        """Take over what a former owner had learnt, buckets only the API had named included."""
        parts: dict[str, dict[str, float]] = {OWN: {}}
        for key, value in saved.items():
            name, _, number = key.rpartition(_SEPARATOR)
            parts.setdefault(name, {})[number] = value
        for name, numbers in parts.items():
            if name not in self._pacers and numbers.get("limit", 0.0) > 0.0 and numbers.get("window", 0.0) > 0.0:
                self._add(name, Window(numbers["limit"], numbers["window"], _PLACES))
            if name in self._pacers:
                self._pacers[name].restore(numbers)

    def _each(self, cost: float, charges: Mapping[str, float]) -> Iterator[tuple[str, Pacer, float]]:
        for name, pacer in self._pacers.items():
            yield name, pacer, cost if name == OWN else charges.get(name, 1.0)

    def _discover(self, feedback: Feedback) -> set[str]:
        """Make the buckets a reply names for the first time. Returns their names."""
        found = {name: pacer for name, one in feedback.named.items() if (pacer := self._made(name, one)) is not None}
        for name, pacer in found.items():
            self._add(name, pacer)
        return found.keys() & self._pacers.keys()

    def _made(self, name: str, told: Feedback) -> Pacer | None:
        limit, window = usable(told.limit, 1e-9), usable(told.window, 1e-9)
        if name in self._pacers or limit is None:
            return None
        if told.unit == CONCURRENT:
            return Concurrent(max(1.0, limit))
        return None if told.unit or window is None else Window(limit, window, _PLACES)

    def _add(self, name: str, pacer: Pacer) -> None:
        if name and len(self._pacers) < self._declared + MOST:
            self._pacers[name] = pacer
            self._before[name] = self._in_flight


def _share_of(name: str, feedback: Feedback | None, outcome: Outcome) -> tuple[Feedback | None, Outcome]:
    """What a reply says of one bucket, and what became of the request as far as that one is concerned."""
    told = feedback if name == OWN or feedback is None else feedback.named.get(name)
    if not is_refusal(feedback, outcome):
        return told, outcome
    named = {other for other, one in feedback.named.items() if one.throttled} if feedback is not None else set()
    at_fault = name in named if named else name == OWN
    if at_fault:
        return told, Outcome.THROTTLED
    return (replace(told, throttled=False) if told is not None else None), Outcome.UNKNOWN
