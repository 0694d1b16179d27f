"""The oracle: given the truth and what was read back, which invariants hold. Pure.

Every check returns a Finding that says how much it looked at, so a check that saw nothing cannot pass for a proof.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from schemas.headers import EventFacts, Header
from streams.core.entity import Entity
from streams.core.ledger import Book, Entry, balance, total
from streams.runtime.topicreader import Seen

EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """What one invariant's check found. `checked` counts the things looked at; a check of nothing fails."""

    invariant: str
    title: str
    checked: int
    violations: tuple[str, ...] = ()
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether the invariant holds, and was looked at."""
        return not self.violations and self.checked > 0


@dataclass(slots=True)
class Report:
    """All findings of a run."""

    findings: list[Finding] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether every invariant holds."""
        return bool(self.findings) and all(finding.passed for finding in self.findings)

    def add(self, finding: Finding) -> Finding:
        """Keep a finding and return it."""
        self.findings.append(finding)
        return finding


def no_acked_loss(acknowledged: Iterable[str], kept: Iterable[str]) -> Finding:
    """I1: every delivery that was answered 2xx stands in raw."""
    acked = set(acknowledged)
    lost = acked - set(kept)
    return Finding("I1", "no acknowledged delivery is lost", len(acked), tuple(sorted(lost)))


def converged(truth: Mapping[str, str], places: Mapping[str, Mapping[str, str]]) -> Finding:
    """I2: every place holds the truth. Items and values are text; a place lists at least the items of the truth."""
    wrong = [
        f"{place}: {item} is {held_.get(item)!r}, the truth is {value!r}"
        for place, held_ in places.items()
        for item, value in sorted(truth.items())
        if held_.get(item) != value
    ]
    return Finding("I2", "shops and state agree with the truth", len(truth) * len(places), tuple(wrong))


def monotone(applied: Iterable[tuple[str, str, int]]) -> Finding:
    """I3: per destination and entity no version is applied after a higher one. `applied`: (destination, entity,
    version) in the order the destination accepted them."""
    last: dict[tuple[str, str], int] = {}
    regressions, count = [], 0
    for destination, entity, version in applied:
        count += 1
        before = last.get((destination, entity), 0)
        if version < before:
            regressions.append(f"{destination}: {entity} got version {version} after {before}")
        last[destination, entity] = max(before, version)
    return Finding("I3", "no destination ever goes back", count, tuple(regressions))


def quota(calls: int, throttled: int, overruns: int, limit: float = 0.001) -> Finding:
    """I5: our calls alone never overrun a bucket, and at most `limit` of them are refused."""
    bad = []
    if overruns:
        bad.append(f"the bucket was overrun {overruns} times")
    if calls and throttled / calls > limit:
        bad.append(f"{throttled} of {calls} calls were refused")
    return Finding("I5", "no quota is overrun", calls, tuple(bad), f"{throttled} of {calls} calls refused")


def balanced(entries: Iterable[Entry]) -> list[Finding]:
    """I6: the three books close, each on its own."""
    findings = []
    sums = total(entries)
    for book in Book:
        rows = {account: counters for (kind, account), counters in sums.items() if kind is book}
        received = sum(counters["received"] for counters in rows.values())
        open_ = [f"{account}: {_open(book, c)}" for account, c in sorted(rows.items()) if _open(book, c)]
        findings.append(Finding("I6", f"the book of {book.name.lower()} balances", received, tuple(open_)))
    return findings


def _open(book: Book, counters: Mapping[str, int]) -> str:
    left = balance(book, counters)
    if book is Book.TASKS and counters["routed"] != counters["received"]:
        return f"routed {counters['routed']}, received {counters['received']}"
    return f"{left} of {counters['received']} are unaccounted for" if left else ""


def equals_fold(live: Mapping[bytes, bytes], replayed: Mapping[bytes, bytes]) -> Finding:
    """I10: the rows the resolver keeps are, to the byte, what a fresh replay of its input gives."""
    wrong = [
        f"{key.decode(errors='replace')}: kept {_told(live, key)}, replayed {_told(replayed, key)}"
        for key in sorted(live.keys() | replayed.keys())
        if live.get(key) != replayed.get(key)
    ]
    return Finding("I10", "state is the fold of the log", len(live), tuple(wrong))


def _told(rows: Mapping[bytes, bytes], key: bytes) -> str:
    row = rows.get(key)
    return repr(Entity.unpack(row)) if row else "nothing"


def events_once_in_order(
    inbound: Iterable[Header], events: Sequence[Seen], header_of: Mapping[bytes, Header]
) -> list[Finding]:
    """I12 and exactly-once: each event id stands in `events` once, and per source record the versions rise, but for
    records marked late. `header_of`: packed facts by event id, from inbound."""
    wanted = {header.event_id for header in inbound}
    counts: Counter[bytes] = Counter()
    newest: dict[tuple[bytes, bytes], bytes] = {}
    disorder = []
    for record in events:
        facts = EventFacts.unpack(record.headers[0][1])
        counts[facts.event_id] += 1
        header = header_of.get(facts.event_id)
        if header is None or facts.late:
            continue
        source = (record.key or b"", header.account)
        version = header.version.pack()
        if version < newest.get(source, b""):
            disorder.append(f"{source[0].decode()}: offset {record.offset} of {record.partition} goes back")
        newest[source] = version
    lost = tuple(event_id.hex() for event_id in sorted(wanted - counts.keys()))
    repeats = tuple(event_id.hex() for event_id, count in counts.items() if count > 1)
    return [
        Finding("I12", "every event is released", len(wanted), lost),
        Finding("I12", "no event is released twice", len(counts), repeats),
        Finding("I12", "events keep the order of their source", len(events), tuple(disorder)),
    ]
