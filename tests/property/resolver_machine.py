"""A machine that talks to a whole resolver, lets time pass, commits and crashes it, beside an oracle of its own.

What the resolver wrote is read as a reader of committed records would, and compared after every commit. Two machines:
entities with one value per account, and entities that are put together from field groups and partial events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from schemas import identity, topics
from schemas.entities import Channel, Completeness, EntityType, Op
from schemas.headers import Header, find
from streams.core.policy import DeleteRule, FieldGroup, Ordering, OrderingMode, Policy, PolicyKind, Rules
from streams.resolver.routes import Member
from streams.testing.topology import TopologyTestDriver
from tests.property.committed import Committed
from tests.property.golden_oracle import Oracle, Word

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
deletions = st.sampled_from(DeleteRule)
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

    @initialize(kind=kinds, deletes=deletions, mode=modes)
    def begin(self, kind: PolicyKind, deletes: DeleteRule, mode: OrderingMode) -> None:
        self.mode = mode
        self.revision = 0
        rules = self._rules(kind, deletes)
        self.driver = TopologyTestDriver.of(rules, MEMBERS, START)
        self.oracle = Oracle(rules.policy(self.kind), ACCOUNTS, self.names, INPUTS)
        self.committed = Committed(self.driver, self.oracle, self.kind, mode, self.shown)
        self.sound = True

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

    @rule(kind=kinds, deletes=deletions, dies=st.booleans())
    def decide_otherwise(self, kind: PolicyKind, deletes: DeleteRule, dies: bool) -> None:
        """A restart with another policy; the process may die before it has folded anything anew."""
        rules = self._rules(kind, deletes)
        self.driver.restart(rules)
        self._committed()
        self.committed.refolded = self.oracle.rule_by(rules.policy(self.kind))
        if dies:
            self.driver.crash()
        self.driver.advance(0.1)
        self.commit()

    @rule()
    def settle(self) -> None:
        """Whatever is held is overdue; then every word must be out."""
        self.driver.advance(LATENESS + 0.1)
        self.commit()
        self.committed.nothing_is_missing()

    def teardown(self) -> None:
        if hasattr(self, "driver") and self.sound:
            self.settle()

    # -- within

    def _committed(self) -> None:
        self.sound = False  # until it is known better: a machine that has found something must not go on to settle
        self.committed.check()
        self.sound = True

    def _rules(self, kind: PolicyKind, deletes: DeleteRule) -> Rules:
        self.revision += 1
        owners = ("erp",) if kind is PolicyKind.OWNER else ()
        policy = Policy(kind, owners, deletes, self.groups, partial=bool(self.groups))
        return Rules(self.revision, {self.kind: policy}, {self.kind: Ordering(self.mode, LATENESS)})

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
