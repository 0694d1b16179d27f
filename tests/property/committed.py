"""What a resolver has committed, read as an outsider reads it, and held against everything that was said."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from schemas import identity, topics
from schemas.entities import EntityType
from schemas.headers import EventFacts, Version, find
from streams.core.ledger import Book, balance, read, total
from streams.core.policy import OrderingMode
from streams.shard.memory import MemoryRows
from streams.testing import plain
from streams.testing.memoryhost import Record
from streams.testing.topology import TopologyTestDriver
from tests.property.golden_oracle import NOBODY, Oracle, Word

Shown = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class Committed:
    """Reads on after every commit. `kind`: the only type spoken of; `shown`: the fields that are said of it, out of a
    record. `refolded`: what another policy has changed and no decision has told yet, by golden key."""

    def __init__(
        self, driver: TopologyTestDriver, oracle: Oracle, kind: EntityType, mode: OrderingMode, shown: Shown
    ) -> None:
        self.driver = driver
        self.oracle = oracle
        self.kind = kind
        self.mode = mode
        self.shown = shown
        self.refolded: dict[str, bool] = {}
        self._read: dict[str, int] = defaultdict(int)
        self._state: dict[str, Mapping[str, Any]] = {}
        self._versions: dict[tuple[str, str], Version] = {}
        self._events: list[tuple[Word, EventFacts]] = []
        self._letters = 0

    def check(self) -> None:
        """After a commit. Raises AssertionError naming the promise that is broken."""
        self.oracle.commit()
        self._take_state()
        self._state_is_the_policys()
        self._the_ledger_balances()
        self._take_events()
        self._events_are_in_order()
        self._decisions_name_the_winner()
        self._letters += len(self._new(topics.DEAD_LETTERS))
        assert self._letters == sum(one.word.dead for one in self.oracle.verdicts), (
            "not every dead record has its letter"
        )

    def _state_is_the_policys(self) -> None:
        expected = {key: one.fields for key, one in self.oracle.golden.items() if one.fields is not None}
        assert self._state == expected, "state is not what the policy makes of everything said"

    def _events_are_in_order(self) -> None:
        numbers = [facts.shard_seq for _, facts in self._events]
        assert numbers == list(range(1, len(numbers) + 1)), "the shard sequence does not rise by one"
        newest: dict[tuple[str, str], Any] = {}
        for word, facts in self._events:
            place = word.version.clock if self.mode is OrderingMode.CONTIGUOUS else word.version
            if facts.late:
                assert self._followed(word), "an event is marked late that follows nothing"
            else:
                assert place >= newest.get(word.source, place), "an event follows a newer one of its source"
                newest[word.source] = place

    def _followed(self, word: Word) -> bool:
        """Whether something else was said of its source that is not older."""
        others = (one for one in self.oracle.living() if one.source == word.source and one.event_id != word.event_id)
        return any(one.version.clock >= word.version.clock for one in others)

    def _the_ledger_balances(self) -> None:
        sums = total(read(MemoryRows(self.driver.rows())))
        found = {account: counters for (book, account), counters in sums.items() if book is Book.EVENTS}
        assert all(balance(Book.EVENTS, counters) == 0 for counters in found.values()), "the book does not balance"
        for name in ("received", "won", "unchanged", "dead"):
            counted = {account: counters[name] for account, counters in found.items() if counters[name]}
            expected = self._expected_counts(name)
            assert counted == expected, f"the ledger counts {counted} as {name}, not {expected}"

    def _expected_counts(self, name: str) -> dict[str, int]:
        counts: dict[str, int] = defaultdict(int)
        for one in self.oracle.verdicts:
            counts[identity.join("acme", one.word.account)] += name in ("received", one.outcome)
        return {account: count for account, count in counts.items() if count}

    def _new(self, topic: str) -> Sequence[Record]:
        """What was committed to a topic since it was read last."""
        log = self.driver.records(topic)
        start, self._read[topic] = self._read[topic], len(log)
        return log[start:]

    def _take_state(self) -> None:
        for record in self._new(topics.state(self.kind)):
            key = (record.key or b"").decode()
            self._state.pop(key, None)
            if record.value is None:
                continue
            value = self.driver.codec.decode(record.value)
            said = Version(*value["meta"]["version"].values())
            source = key, value["meta"]["account"]
            assert said >= self._versions.get(source, said), "state goes back to an older version of an account"
            self._versions[source] = said
            self._state[key] = self.shown(value)

    def _take_events(self) -> None:
        by_id = {word.event_id: word for word in self.oracle.living()}
        for record in self._new(topics.events(self.kind)):
            facts = EventFacts.unpack(find(record.headers))
            assert facts.event_id in by_id, "an event goes out that nobody said"
            self._events.append((by_id[facts.event_id], facts))
        ids = [facts.event_id for _, facts in self._events]
        assert len(ids) == len(set(ids)), "an event goes out twice"

    def _decisions_name_the_winner(self) -> None:
        """Each names the winner as of its event; and there is one for every change between several accounts."""
        told = {}
        for record in self._new(topics.DECISIONS):
            one = plain.decoded(self.driver.codec, topics.DECISIONS, record)["value"]
            if one["source_topic"]:
                told[one["source_topic"], one["source_offset"]] = one
            else:
                self._names_who_wins_now(one)
        assert not any(self.refolded.values()), "a change by another policy was not told"
        verdicts = {(one.word.topic, one.word.offset): one for one in self.oracle.verdicts}
        for place, one in told.items():
            golden = verdicts[place].golden
            assert one["winner"]["account"] == golden.account, "a decision names another winner"
            assert {group["group"]: group["account"] for group in one["groups"]} == golden.groups
            assert one["golden_version"] == verdicts[place].version, "a decision counts other changes"
        new = self.oracle.verdicts[self._read["verdicts"] :]
        self._read["verdicts"] = len(self.oracle.verdicts)
        contested = [
            one for one in new if (one.changed or one.moved) and one.spoken > 1 and one.golden.account != NOBODY
        ]
        assert all((one.word.topic, one.word.offset) in told for one in contested), "a change of winner was not told"

    def _names_who_wins_now(self, decision: Mapping[str, Any]) -> None:
        """A decision without an event: another policy was what made it."""
        key = decision["golden_key"]
        golden = self.oracle.golden[key]
        assert decision["winner"]["account"] == golden.account, "a decision names another winner"
        assert decision["golden_version"] == self.oracle.changes[key], "a decision counts other changes"
        self.refolded[key] = False

    def nothing_is_missing(self) -> None:
        """Every change is out: by its own id, or by that of another delivery of the same."""
        out = {(word.source, word.version) for word, _ in self._events}
        said = {(word.source, word.version) for word in self.oracle.living()}
        assert out == said, "accepted events are missing from `events`"
