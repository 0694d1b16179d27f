"""Reading what is known of some entities, from the partitions they can stand in and no others.

Memory holds the newest records of the entities asked for and nothing of what is passed over.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas import headers, topics
from schemas.codec import Codec
from schemas.headers import EventFacts, InvalidHeader
from schemas.identity import GoldenKey, account_hash, account_partition
from streams.core.entity import Entity
from streams.runtime import state
from streams.runtime.config import Config
from streams.runtime.explain.facts import Known
from streams.runtime.explain.moment import hashed
from streams.runtime.explain.recent import Recent
from streams.runtime.explain.records import Found, micros
from streams.runtime.explain.selection import Selection
from streams.runtime.topicreader import Keep, Seen, TopicReader

_ENTITY = state.ENTITY
AccountOf = Callable[[str, Found], bytes]


@dataclass(slots=True)
class Gathered:
    """By golden key, what is known; `searched`: topic and partitions, for saying where nothing was found."""

    known: dict[str, Known] = field(default_factory=dict)
    searched: list[str] = field(default_factory=list)


def needed(selection: Selection, config: Config) -> tuple[str, ...]:
    """The topics that are read (catalogue names)."""
    pushes = [name for platform in _platforms(selection, config) for name in _pushes(platform)]
    of_types = [make(kind) for kind in selection.types for make in (topics.state, topics.events)]
    return (topics.RESOLVE_CHANGELOG, *of_types, topics.DECISIONS, *pushes, topics.CALLS)


def _platforms(selection: Selection, config: Config) -> list[str]:
    return sorted({account.platform for (tenant, _), account in config.accounts.items() if tenant in selection.tenants})


def _pushes(platform: str) -> tuple[str, str]:
    return topics.push(platform), topics.push_bulk(platform)


class Gather:
    """One question to one cluster. `last`: how many decisions, events, tasks and calls are kept per entity; `at`: as
    the topics stood at that time by the broker's clock, in microseconds UTC, None for now."""

    def __init__(
        self,
        reader: TopicReader,
        codec: Codec,
        config: Config,
        selection: Selection,
        last: int,
        at: int | None = None,
    ) -> None:
        self._reader = reader
        self._codec = codec
        self._config = config
        self._selection = selection
        self._last = max(1, last)  # the rule stands in the newest decision, shown or not
        self._at = at
        self._names = {account_hash(*known): account for known, account in config.accounts.items()}
        self._searched: list[str] = []

    def run(self) -> Gathered:
        """Entities first: which ones a SKU has is known when they are read.

        Raises KafkaException, CodecError, UnreadableRow.
        """
        rows = self._rows() if self._at is None else {}
        states = self._states() if self._at is None else {}
        decisions = self._recent(
            topics.DECISIONS, self._ours(topics.DECISIONS), _keyed, self._is_wanted, self._decided_on
        )
        events = self._events()
        keys = {*rows, *states, *decisions, *events, *self._selection.keys}
        pushes, calls = self._pushed(keys), self._called(keys)
        none = Recent(1)
        known = {
            key: Known(
                rows.get(key),
                states.get(key),
                decisions.get(key, none).newest,
                pushes.get(key, []),
                calls.get(key, none).by_time("at"),
                events.get(key, none).newest,
                events.get(key, none).by_account,
                decisions.get(key, none).by_account,
                self._at,
            )
            for key in sorted(keys)
        }
        return Gathered({key: one for key, one in known.items() if one.anything}, self._searched)

    # -- what the entity is

    def _rows(self) -> dict[str, Entity]:
        name = topics.RESOLVE_CHANGELOG
        last: dict[str, bytes | None] = {}
        for record in self._scan(name, self._ours(name), self._is_row):
            last[(record.key or b"")[1:].decode()] = record.value
        return {key: state.unpacked(_ENTITY + key.encode(), row) for key, row in last.items() if row}

    def _states(self) -> dict[str, Mapping[str, Any]]:
        last: dict[str, bytes | None] = {}
        for name in map(topics.state, self._selection.types):
            for record in self._scan(name, self._ours(name), self._is_wanted):
                last[_keyed(record)] = record.value
        return {key: self._codec.decode(value) if value else {} for key, value in last.items()}

    def _ours(self, topic: str) -> list[int]:
        return self._selection.partitions(self._reader.partitions(topic))

    def _is_wanted(self, key: bytes | None, value: bytes | None) -> bool:
        return key is not None and self._selection.matches(key.decode(errors="replace"))

    def _is_row(self, key: bytes | None, value: bytes | None) -> bool:
        return key is not None and key[:1] == _ENTITY and self._is_wanted(key[1:], value)

    def _events(self) -> dict[str, Recent]:
        found: dict[str, Recent] = {}
        for name in map(topics.events, self._selection.types):
            found |= self._recent(name, self._ours(name), _keyed, self._is_told, _speaker)
        return found

    def _is_told(self, key: bytes | None, value: bytes | None) -> bool:
        return value is not None and self._is_wanted(key, value)

    def _decided_on(self, key: str, found: Found) -> bytes:
        return hashed(GoldenKey.parse(key).tenant, found.record["event_account"], self._names)

    # -- what was asked of whom

    def _pushed(self, keys: Iterable[str]) -> dict[str, list[Found]]:
        wanted = frozenset(keys)
        found: dict[str, list[Found]] = defaultdict(list)
        for platform in _platforms(self._selection, self._config):
            for name in _pushes(platform):
                places = self._of_accounts(name, platform)
                for key, some in self._recent(
                    name, places, _task_key, lambda k, v: _task_key_of(k) in wanted, _asked
                ).items():
                    found[key] += some.by_time("wanted_at")
        return {key: sorted(some, key=lambda one: micros(one.record["wanted_at"])) for key, some in found.items()}

    def _called(self, keys: Iterable[str]) -> dict[str, Recent]:
        """Calls are keyed by account; the operation id of a write holds the golden key between two `|`, and Avro keeps
        text as it is, so most records need not be decoded."""
        marks = {f"|{key}|".encode(): key for key in keys}
        places = self._of_accounts(topics.CALLS)

        def key_of(record: Seen) -> str:
            return next(key for mark, key in marks.items() if mark in (record.value or b""))

        def keep(key: bytes | None, value: bytes | None) -> bool:
            return value is not None and any(mark in value for mark in marks)

        return self._recent(topics.CALLS, places, key_of, keep, _asked)

    def _of_accounts(self, topic: str, platform: str = "") -> list[int]:
        count = self._reader.partitions(topic)
        return sorted(
            {
                account_partition(tenant, name, count)
                for (tenant, name), account in self._config.accounts.items()
                if tenant in self._selection.tenants and platform in ("", account.platform)
            }
        )

    # -- reading

    def _recent(
        self, topic: str, partitions: list[int], key_of: Callable[[Seen], str], keep: Keep, account_of: AccountOf
    ) -> dict[str, Recent]:
        """The newest per entity, decoded, as far as they stood in the topic at the time that is asked for."""
        found: dict[str, Recent] = {}
        for record in self._scan(topic, partitions, keep):
            if self._at is not None and record.timestamp > self._at // 1000:
                continue
            key = key_of(record)
            one = Found(topic, record.partition, record.offset, self._codec.decode(record.value or b""), _marks(record))
            found.setdefault(key, Recent(self._last)).add(account_of(key, one), one)
        return found

    def _scan(self, topic: str, partitions: list[int], keep: Keep) -> Iterable[Seen]:
        if not partitions:
            return ()
        numbers = ", ".join(map(str, partitions))
        self._searched.append(f"{topic} ({'partition' if len(partitions) == 1 else 'partitions'} {numbers})")
        return self._reader.scan(topic, partitions, keep)


def _marks(record: Seen) -> Mapping[str, bool]:
    """What the header of an event says; other records have none."""
    try:
        facts = EventFacts.unpack(headers.find(record.headers))
    except InvalidHeader:
        return {}
    return {"late": facts.late, "unchanged": facts.unchanged}


def _speaker(key: str, found: Found) -> bytes:
    meta = found.record["meta"]
    return account_hash(meta["tenant"], meta["account"])


def _asked(key: str, found: Found) -> bytes:
    return account_hash(found.record["tenant"], found.record["account"])


def _keyed(record: Seen) -> str:
    return (record.key or b"").decode()


def _task_key_of(key: bytes | None) -> str:
    """The entity of a task: its key is account|golden key."""
    return (key or b"").decode(errors="replace").partition("|")[2]


def _task_key(record: Seen) -> str:
    return _task_key_of(record.key)
