"""One raw envelope -> what is to be written: events, links, fetches, dead letters. Pure.

Nothing is guessed: a record whose entity is unknown is read at its source, and if the read does not say it either, it
is a dead letter. Nothing is obeyed that claims to be of the future. Nothing is dropped without a count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.kit.contract import Account, CanonicalMapping, Envelope, Ignored, Mapped
from connectors.kit.errors import SluiceError
from schemas.entities import Channel, Completeness, EntityType, Lane, Op
from schemas.headers import Header, InvalidHeader
from schemas.identity import GoldenKey, InvalidKey, join
from streams.mapper import linking, records
from streams.mapper.linking import NewLink
from streams.mapper.overlay import Overlay
from streams.runtime.deadletters import Trouble
from streams.runtime.xref import LinkView

DEFAULT_SKEW = 300_000_000  # microseconds a version may be ahead of its receive time
_BULK = {Channel.BACKFILL, Channel.REPLAY}


@dataclass(frozen=True, slots=True)
class Event:
    """One canonical event and the links it teaches. `index`: its place in what the mapping gave."""

    index: int
    key: GoldenKey
    header: Header
    record: dict[str, Any]
    links: tuple[NewLink, ...]


@dataclass(frozen=True, slots=True)
class Fetch:
    """A record to be read at its source. `cause` is the ce_id of the event that asked."""

    resource: str
    remote_id: str
    reason: str
    lane: Lane
    cause: str


@dataclass(slots=True)
class Plan:
    """What becomes of one envelope. `ignored` says why nothing does."""

    events: list[Event] = field(default_factory=list)
    fetches: list[Fetch] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    ignored: str = ""


def plan(
    account: Account,
    mapping: CanonicalMapping,
    envelope: Envelope,
    view: LinkView,
    max_skew: int = DEFAULT_SKEW,
    clocks: Mapping[EntityType, str] | None = None,
) -> Plan:
    """Map and complete. `max_skew`: microseconds; `clocks`: the platform's declared ones, by type. Never raises:
    whatever one envelope does wrong is in `troubles`."""
    if not envelope.delivery_id:
        return Plan(troubles=[_trouble(account, "invalid", "the envelope has no delivery id, so its events have none")])
    try:
        mapped = mapping.map(account, envelope)
    except SluiceError as error:
        return Plan(troubles=[_trouble(account, error.reason, str(error))])
    except Exception as error:  # noqa: BLE001 - a mapping's defect on one body must not stop the shard
        detail = (
            f"the mapping of {account.platform} failed on topic {envelope.topic!r}: {type(error).__name__}: {error}"
        )
        return Plan(troubles=[_trouble(account, "mapping_failed", detail)])
    if isinstance(mapped, Ignored):
        return Plan(ignored=mapped.reason)
    return _Planner(account, envelope, mapping.revision, view, max_skew, clocks or {}).run(mapped)


def _trouble(account: Account, reason: str, detail: str, index: int = 0) -> Trouble:
    return Trouble(reason, detail, tenant=account.tenant, account=account.id, index=index)


class _Planner:
    """The records of one envelope, those that carry their own link first: the others may link through them."""

    def __init__(
        self,
        account: Account,
        envelope: Envelope,
        revision: int,
        view: LinkView,
        max_skew: int,
        clocks: Mapping[EntityType, str],
    ) -> None:
        self._account = account
        self._envelope = envelope
        self._revision = revision
        self._view = Overlay(view)
        self._max_skew = max_skew
        self._clocks = clocks
        self._plan = Plan()
        self._names: set[str] = set()

    def run(self, mapped: Iterable[Mapped]) -> Plan:
        ordered = sorted(enumerate(mapped), key=lambda pair: pair[1].link.via is not None)
        for index, record in ordered:
            try:
                self._record(index, record)
            except (InvalidKey, InvalidHeader) as error:
                self._die(index, record, "invalid", str(error))
            except Exception as error:  # noqa: BLE001 - one hostile value must not stop the shard
                self._die(index, record, "invalid", f"it cannot be completed: {type(error).__name__}: {error}")
        made = self._plan
        if not (made.events or made.fetches or made.troubles or made.ignored):
            made.ignored = "nothing to map"
        return made

    def _record(self, index: int, record: Mapped) -> None:
        name = records.ce_id(self._envelope, record)
        if name in self._names:
            return self._die(index, record, "invalid", "the mapping gave two records of one envelope the same id")
        self._names.add(name)
        declared = self._clocks.get(record.type, record.clock_id)
        if record.clock_id != declared:
            why = f"its version is read from {record.clock_id!r}, the platform declares {declared!r} for its type"
            return self._die(index, record, "foreign_clock", why)
        if record.completeness is Completeness.HINT:
            return self._read(index, record, "hint", "unresolved_hint", "a read answered with a hint again")
        if records.newest_claim(self._account, record) > self._envelope.received_at + self._max_skew:
            return self._quarantine(index, record)
        found = linking.find(self._account.tenant, self._account.id, record, self._view)
        if found is None:
            return self._unlinked(index, record)
        return self._event(index, record, found)

    def _event(self, index: int, record: Mapped, found: linking.Found) -> None:
        facts = records.header(self._account, self._envelope, record, self._revision)
        facts.pack()  # refuses what does not fit before anything is planned
        links: tuple[NewLink, ...] = ()
        if record.op is Op.UPSERT:
            tenant, account = self._account.tenant, self._account.id
            links = linking.news(tenant, account, record, found, self._envelope.received_at, self._view)
        canonical = records.canonical(self._account, self._envelope, record, found.key, facts)
        for new in links:
            self._view.add(new.source, new.link)
        self._plan.events.append(Event(index, found.key, facts, canonical, links))

    def _unlinked(self, index: int, record: Mapped) -> None:
        if record.op is Op.DELETE and not self._can_read(record):
            # Nothing of ours came from it, so nothing is left to delete.
            self._plan.ignored = "deletion of a record that was never linked"
            return
        why = "no SKU and no linked record" if record.link.via is None else f"{'|'.join(record.link.via)} is not linked"
        self._read(index, record, "unlinked", "unlinkable", why)

    def _quarantine(self, index: int, record: Mapped) -> None:
        ahead = records.newest_claim(self._account, record) - self._envelope.received_at
        detail = (
            f"it claims to be {ahead / 1e6:.0f} s newer than its arrival, {self._max_skew / 1e6:.0f} s are allowed; "
            f"check the clock of account {self._account.id!r} and its clock_offset"
        )
        self._die(index, record, "version_from_future", detail)
        if self._can_read(record):
            self._fetch(record, "quarantined")

    def _read(self, index: int, record: Mapped, reason: str, dead_reason: str, why: str) -> None:
        """Ask the source, unless this is what the source answered."""
        if self._can_read(record):
            self._fetch(record, reason)
        else:
            self._die(index, record, dead_reason, why)

    def _can_read(self, record: Mapped) -> bool:
        return record.fetch is not None and self._envelope.channel is not Channel.FETCH

    def _fetch(self, record: Mapped, reason: str) -> None:
        assert record.fetch is not None
        resource, remote_id = record.fetch
        join(self._account.id, resource, remote_id)  # refuses what cannot be a key
        if any((known.resource, known.remote_id) == record.fetch for known in self._plan.fetches):
            return
        lane = Lane.BULK if self._envelope.channel in _BULK else Lane.NORMAL
        cause = records.ce_id(self._envelope, record)
        self._plan.fetches.append(Fetch(resource, remote_id, reason, lane, cause))

    def _die(self, index: int, record: Mapped, reason: str, why: str) -> None:
        detail = f"{record.type.value} {record.remote_id!r} of account {self._account.id!r}: {why}"
        self._plan.troubles.append(_trouble(self._account, reason, detail, index))
