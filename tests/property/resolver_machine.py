"""A machine that talks to a whole resolver, lets time pass, commits and crashes it, beside an oracle of its own.

What the resolver wrote is read as a reader of committed records would, and compared after every commit. Two machines:
entities with one value per account, and entities that are put together from field groups and partial events.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from schemas import identity, topics
from schemas.entities import Channel, Completeness, EntityType, Op
from schemas.headers import EventFacts, Header, Version, find
from streams.core.ledger import Book, balance, read, total
from streams.core.policy import DeleteRule, FieldGroup, Ordering, OrderingMode, Policy, PolicyKind, Rules
from streams.resolver.routes import Member
from streams.shard.memory import MemoryRows
from streams.testing import plain
from streams.testing.memoryhost import Record
from streams.testing.topology import TopologyTestDriver
from tests.property.golden_oracle import NOBODY, Oracle, Word

ACCOUNTS = ("pim", "erp", "shop")  # by priority
MEMBERS = [Member("acme", name, "shopify", priority) for priority, name in enumerate(ACCOUNTS)]
START = 1_772_366_400_000_000
LATENESS = 0.5  # seconds
INPUTS = (topics.INBOUND, topics.INBOUND_BULK)
AGES = (0.0, 0.1, 0.3, 1.0, 20.0)  # seconds since what is said happened

accounts = st.sampled_from(ACCOUNTS)
inputs = st.sampled_from([topics.INBOUND, topics.INBOUND, topics.INBOUND_BULK])
channels = st.sampled_from([Channel.WEBHOOK, Channel.WEBHOOK, Channel.POLL])
numbers = st.integers(1, 9)  # of contiguous clocks
contents = st.integers(0, 3)
kinds = st.sampled_from([PolicyKind.LWW, PolicyKind.OWNER])
modes = st.sampled_from([OrderingMode.TIME, OrderingMode.TIME, OrderingMode.CONTIGUOUS, OrderingMode.ARRIVAL])


class ResolverMachine(RuleBasedStateMachine):
    """What both machines do. `names`: the fields of a whole record; `partials`: subsets that may be said alone."""

    kind: EntityType
    ids: Sequence[str]
    names: Sequence[str]
    partials: Sequence[Sequence[str]]
    groups: tuple[FieldGroup, ...] = ()

    def shown(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        """The fields that were said, out of a record that was read."""
        return {name: record[name] for name in self.names}

    def values(self, content: int) -> Mapping[str, Any]:
        """All fields with one content."""
        raise NotImplementedError

    @initialize(kind=kinds, deletes=st.sampled_from(DeleteRule), mode=modes)
    def begin(self, kind: PolicyKind, deletes: DeleteRule, mode: OrderingMode) -> None:
        owners = ("erp",) if kind is PolicyKind.OWNER else ()
        policy = Policy(kind, owners, deletes, self.groups, partial=bool(self.groups))
        self.mode = mode
        ordering = {self.kind: Ordering(mode, LATENESS)}
        rules = Rules(policies={self.kind: policy}, ordering=ordering)
        self.driver = TopologyTestDriver.of(rules, MEMBERS, START)
        self.oracle = Oracle(policy, ACCOUNTS, self.names, INPUTS)
        self.sound = True
        self.readers: dict[str, int] = defaultdict(int)
        self.state: dict[str, Mapping[str, Any]] = {}
        self.shown_versions: dict[tuple[str, str], Version] = {}
        self.events: list[tuple[Word, EventFacts]] = []
        self.letters = 0

    # -- what happens

    @rule(account=accounts, at=st.data(), age=st.sampled_from(AGES), number=numbers, content=contents, topic=inputs,
          channel=channels)  # fmt: skip
    def say(
        self, account: str, at: st.DataObject, age: float, number: int, content: int, topic: str, channel: Channel
    ) -> None:
        """A whole record, or a deletion."""
        fields = None if content == 0 else self.values(content)
        self._say(account, at.draw(st.sampled_from(self.ids)), fields, age, number, topic, channel)

    @rule(account=accounts, data=st.data(), age=st.sampled_from(AGES), number=numbers, content=contents, topic=inputs)
    def say_some_fields(
        self, account: str, data: st.DataObject, age: float, number: int, content: int, topic: str
    ) -> None:
        """A partial record; a dead letter where the policy takes whole ones only."""
        names, values = data.draw(st.sampled_from(self.partials)), self.values(content)
        fields = {name: values[name] for name in names}
        self._say(
            account, data.draw(st.sampled_from(self.ids)), fields, age, number, topic, Channel.WEBHOOK,
            Completeness.PARTIAL,
        )  # fmt: skip

    @precondition(lambda self: self.oracle.words)
    @rule(which=st.integers(0, 50), topic=inputs)
    def deliver_again(self, which: int, topic: str) -> None:
        """The same bytes once more, in the same input or in the other one."""
        word = self.oracle.words[-1 - which % len(self.oracle.words)]
        record = self.driver.records(word.topic)[word.offset]
        self.driver.pipe(topic, record.key, record.value, list(record.headers))
        self._hear(topic)

    @precondition(lambda self: self.oracle.words)
    @rule(which=st.integers(0, 50), topic=inputs)
    def deliver_again_under_another_id(self, which: int, topic: str) -> None:
        """The same observation by another delivery."""
        word = self.oracle.words[-1 - which % len(self.oracle.words)]
        record = self.driver.records(word.topic)[word.offset]
        event_id = identity.fingerprint(b"another %d" % len(self.oracle.words)) * 2
        facts = [(name, event_id + value[16:]) for name, value in record.headers]
        self.driver.pipe(topic, record.key, record.value, facts)
        self._hear(topic)

    @rule(seconds=st.sampled_from([0.1, 0.3, 1.0]))
    def wait(self, seconds: float) -> None:
        self.driver.advance(seconds)

    @rule()
    def commit(self) -> None:
        self.driver.commit()
        self._committed()

    @rule()
    def crash(self) -> None:
        self.driver.crash()
        self.oracle.crash()

    @rule()
    def stop_and_start(self) -> None:
        self.driver.restart()
        self._committed()

    @rule()
    def settle(self) -> None:
        """Whatever is held is overdue; then every word must be out."""
        self.driver.advance(LATENESS + 0.1)
        self.commit()
        self._nothing_is_missing()

    def teardown(self) -> None:
        if hasattr(self, "driver") and self.sound:
            self.settle()

    # -- what must hold after every commit

    def _committed(self) -> None:
        self.sound = False  # until it is known better: a machine that has found something must not go on to settle
        self.oracle.commit()
        self._take_state()
        self._state_is_the_policys()
        self._the_ledger_balances()
        self._take_events()
        self._events_are_in_order()
        self._decisions_name_the_winner()
        self.letters += len(self._new(topics.DEAD_LETTERS))
        assert self.letters == sum(one.word.dead for one in self.oracle.verdicts), (
            "not every dead record has its letter"
        )
        self.sound = True

    def _state_is_the_policys(self) -> None:
        expected = {key: one.fields for key, one in self.oracle.golden.items() if one.fields is not None}
        assert self.state == expected, "state is not what the policy makes of everything said"

    def _events_are_in_order(self) -> None:
        numbers = [facts.shard_seq for _, facts in self.events]
        assert numbers == list(range(1, len(numbers) + 1)), "the shard sequence does not rise by one"
        newest: dict[tuple[str, str], Any] = {}
        for word, facts in self.events:
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

    # -- within

    def _say(
        self, account: str, golden_id: str, fields: Mapping[str, Any] | None, age: float, number: int, topic: str,
        channel: Channel, completeness: Completeness = Completeness.FULL,
    ) -> None:  # fmt: skip
        contiguous = self.mode is OrderingMode.CONTIGUOUS
        at = START - 3_600_000_000 + number * 1_000_000 if contiguous else self.driver.clock.now() - int(age * 1e6)
        self.driver.say(
            account, self.kind, golden_id, fields, clock=number if contiguous else at, source_time=at,
            channel=channel, completeness=completeness, topic=topic,
        )  # fmt: skip
        self._hear(topic)

    def _hear(self, topic: str) -> None:
        """Let the oracle know of the record that was piped in last."""
        record = self.driver.records(topic)[-1]
        facts, value = Header.unpack(find(record.headers)), self.driver.codec.decode(record.value or b"")
        whole = facts.completeness is Completeness.FULL
        names = self.names if whole else value["meta"]["fields"]
        account = next(member.account for member in MEMBERS if member.hash == facts.account)
        fields = None if facts.op is Op.DELETE else {name: self.shown(value)[name] for name in names}
        dead = not whole and not self.groups
        self.oracle.hear(
            Word(topic, record.offset, (record.key or b"").decode(), account, facts.event_id, facts.version,
                 facts.corrected_time, fields, whole, dead)
        )  # fmt: skip

    def _new(self, topic: str) -> Sequence[Record]:
        """What was committed to a topic since it was read last."""
        log = self.driver.records(topic)
        start, self.readers[topic] = self.readers[topic], len(log)
        return log[start:]

    def _take_state(self) -> None:
        for record in self._new(topics.state(self.kind)):
            key = (record.key or b"").decode()
            self.state.pop(key, None)
            if record.value is None:
                continue
            value = self.driver.codec.decode(record.value)
            said = Version(*value["meta"]["version"].values())
            source = key, value["meta"]["account"]
            assert said >= self.shown_versions.get(source, said), "state goes back to an older version of an account"
            self.shown_versions[source] = said
            self.state[key] = self.shown(value)

    def _take_events(self) -> None:
        by_id = {word.event_id: word for word in self.oracle.living()}
        for record in self._new(topics.events(self.kind)):
            facts = EventFacts.unpack(find(record.headers))
            assert facts.event_id in by_id, "an event goes out that nobody said"
            self.events.append((by_id[facts.event_id], facts))
        ids = [facts.event_id for _, facts in self.events]
        assert len(ids) == len(set(ids)), "an event goes out twice"

    def _decisions_name_the_winner(self) -> None:
        """Each names the winner as of its event; and there is one for every change between several accounts."""
        told = {}
        for record in self._new(topics.DECISIONS):
            one = plain.decoded(self.driver.codec, topics.DECISIONS, record)["value"]
            told[one["source_topic"], one["source_offset"]] = one
        verdicts = {(one.word.topic, one.word.offset): one for one in self.oracle.verdicts}
        for place, one in told.items():
            golden = verdicts[place].golden
            assert one["winner"]["account"] == golden.account, "a decision names another winner"
            assert {group["group"]: group["account"] for group in one["groups"]} == golden.groups
            assert one["golden_version"] == verdicts[place].version, "a decision counts other changes"
        new = self.oracle.verdicts[self.readers["verdicts"] :]
        self.readers["verdicts"] = len(self.oracle.verdicts)
        contested = [one for one in new if one.changed and one.spoken > 1 and one.golden.account != NOBODY]
        assert all((one.word.topic, one.word.offset) in told for one in contested), "a change of winner was not told"

    def _nothing_is_missing(self) -> None:
        """Every change is out: by its own id, or by that of another delivery of the same."""
        out = {(word.source, word.version) for word, _ in self.events}
        said = {(word.source, word.version) for word in self.oracle.living()}
        assert out == said, "accepted events are missing from `events`"


class OneValuePerAccount(ResolverMachine):
    """Entities whose records are taken whole: the bytes path."""

    kind = EntityType.PRICE
    ids = ("SKU-1~default~EUR", "SKU-2~default~EUR")
    names = ("amount",)
    partials = (("amount",),)

    def values(self, content: int) -> Mapping[str, Any]:
        return {"amount": {"amount": Decimal(content), "currency": "EUR", "tax": "INCLUDED"}}


class PutTogether(ResolverMachine):
    """Entities with field groups, of which some fields may be said alone."""

    kind = EntityType.PRODUCT
    ids = ("P1", "P2")
    names = ("title", "description_html", "status", "tags", "vendor")
    partials = (("title",), ("tags", "vendor"), ("description_html", "title"))
    groups = (
        FieldGroup("texts", ("title", "description_html"), PolicyKind.OWNER, ("pim", "shop")),
        FieldGroup("labels", ("tags",), PolicyKind.LWW),
    )

    def values(self, content: int) -> Mapping[str, Any]:
        text = f"text {content}"
        return {"title": text, "description_html": text, "status": "ACTIVE", "tags": [text], "vendor": text}
