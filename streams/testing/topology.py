"""The topology test driver: mapper and resolver with all their rules, without Kafka, sockets or sleeps.

As the driver of the same name in Kafka Streams: records are piped in, a clock is advanced by hand, outputs are read by
topic. What it adds is what goes wrong in real life: nothing is readable before `commit`, and `crash` loses what was
not committed.

    >>> from decimal import Decimal
    >>> from schemas.entities import EntityType
    >>> from streams.core.policy import Flow, Policy, PolicyKind, Rules
    >>> from streams.resolver.routes import Member
    >>> from streams.testing.topology import TopologyTestDriver

    Two shops sell one SKU; the last writer of a price wins, and the winner is pushed to the other one.

    >>> rules = Rules(
    ...     policies={EntityType.PRICE: Policy(PolicyKind.LWW)},
    ...     flows=(Flow("prices", EntityType.PRICE, to=("shop", "presta"), fields=("amount",)),),
    ... )
    >>> members = [Member("acme", "shop", "shopify"), Member("acme", "presta", "prestashop")]
    >>> driver = TopologyTestDriver.of(rules, members)
    >>> def price(amount):
    ...     return {"amount": {"amount": Decimal(amount), "currency": "EUR", "tax": "INCLUDED"}}

    >>> driver.say("shop", EntityType.PRICE, "SKU-7~default~EUR", price("10.00"))
    >>> driver.commit()
    >>> driver.advance(60)
    >>> driver.say("presta", EntityType.PRICE, "SKU-7~default~EUR", price("12.00"))
    >>> driver.crash()  # nothing of it was committed, so it is read again
    >>> driver.commit()

    >>> driver.state(EntityType.PRICE)["acme|price|SKU-7~default~EUR"]["amount"]["amount"]
    Decimal('12.000000')
    >>> [(task["golden_version"], task["record"]["amount"]["amount"]) for task in driver.pushes("shop")]
    [(2, Decimal('12.000000'))]
    >>> (decided,) = driver.decisions()
    >>> decided["winner"]["account"], [loser["account"] for loser in decided["losers"]], decided["because"]
    ('presta', ['shop'], 'corrected_time')

    `events` wait until their source's watermark has passed.

    >>> len(driver.events(EntityType.PRICE))
    0
    >>> driver.advance(5)
    >>> driver.commit()
    >>> [(one["value"]["meta"]["account"], one["late"]) for one in driver.events(EntityType.PRICE)]
    [('shop', False), ('presta', False)]
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from connectors import catalog
from connectors.kit.clock import ManualClock
from connectors.kit.contract import Account, Delivery, Envelope, Observation, Platform
from schemas import identity, topics
from schemas.codec import Codec
from schemas.entities import Channel, Completeness, EntityType, Op
from schemas.registry import MemorySchemas
from schemas.topics import Profile
from streams.core.policy import Rules
from streams.mapper.processor import Mapper
from streams.receiver.envelope import RawRecords
from streams.resolver.processor import Resolver
from streams.resolver.role import routes_of
from streams.resolver.routes import Member
from streams.runtime.config import Config
from streams.runtime.raw import to_record
from streams.runtime.xref import MemoryXref
from streams.shard.api import Headers, Processor
from streams.shard.memory import Emitted
from streams.testing import plain
from streams.testing.memoryhost import MemoryHost, Record

ONE_PARTITION = Profile("one-partition", shard=1, platform=1, small=1, replication=1, min_isr=1)


class TopologyTestDriver:
    """One mapper and one resolver of a configuration, every topic with one partition. `start`: microseconds UTC.

    An account is named by its id, or by `tenant|id` where two tenants use the same. The courier is not part of it:
    what it would answer to a fetch or a push is told with `observe`. `platforms` default to all there are.
    """

    def __init__(self, config: Config, platforms: Mapping[str, Platform] | None = None, start: int | None = None):
        self.clock = ManualClock() if start is None else ManualClock(start)
        self.codec = Codec(MemorySchemas())
        self.config = config
        self._platforms = catalog.platforms() if platforms is None else platforms
        self._xref = MemoryXref()
        self._logs: dict[str, list[Record]] = defaultdict(list)
        self._mapper = self._host(self._make_mapper, [topics.raw(name) for name in topics.PLATFORMS])
        self._resolver = self._host(self._make_resolver, [topics.INBOUND, topics.INBOUND_BULK])
        self._hosts = (self._mapper, self._resolver)
        self._deliveries = 0

    @classmethod
    def of(cls, rules: Rules, members: Iterable[Member], start: int | None = None) -> TopologyTestDriver:
        """A driver for rules and accounts without a file; enough for everything but raw deliveries that need the
        settings of their account."""
        accounts = [
            Account(m.tenant, m.account, m.platform, "", priority=m.priority, clock_epoch=m.clock_epoch)
            for m in members
        ]
        return cls(Config({(one.tenant, one.id): one for one in accounts}, rules), start=start)

    def _host(self, make: Callable[[], Processor], inputs: Iterable[str]) -> MemoryHost:
        return MemoryHost(make, {name: self._logs[name] for name in inputs})

    def _make_mapper(self) -> Mapper:
        skew = int(self.config.rules.max_future_skew * 1_000_000)
        return Mapper(
            self.config.accounts, self._platforms, self.codec, ONE_PARTITION, self._xref, self.clock.now, skew
        )

    def _make_resolver(self) -> Resolver:
        return Resolver(
            routes_of(self.config), self.codec, ONE_PARTITION, now=self.clock.now, monotonic=self.clock.monotonic
        )

    # -- what goes in

    def deliver(self, account: str, headers: Mapping[str, str], body: bytes) -> None:
        """A webhook, as the receiver keeps it; header names in lower case. Its signature is not looked at.

        Raises ValueError for an account whose platform sends no webhooks.
        """
        owner = self._account(account)
        source = self._platforms[owner.platform].source
        if source is None:
            raise ValueError(f"{owner.platform} sends no webhooks; tell what account {account!r} says with `observe`")
        delivery = Delivery(headers, body, self.clock.now())
        made = RawRecords(self.codec).make(owner, source, delivery, source.facts(owner, delivery))
        self.pipe(made.topic, made.key, made.value, made.headers)

    def observe(self, account: str, seen: Observation, channel: Channel = Channel.POLL) -> None:
        """What the courier read of one resource, in a read that began at this moment."""
        owner, now, name = self._account(account), self.clock.now(), self._next_delivery()
        read = Envelope(
            owner.id, channel, seen.topic, name, seen.body, {}, now, seen.resource_id, now, self._deliveries, seen.op
        )
        key = identity.join(owner.id, seen.resource_id or name).encode()
        self.pipe(topics.raw(owner.platform), key, self.codec.encode("raw_envelope", to_record(owner, read)))

    def say(
        self,
        account: str,
        type: EntityType,
        golden_id: str,
        fields: Mapping[str, Any] | None,
        *,
        clock: int | None = None,
        source_time: int | None = None,
        sequence: int = 0,
        channel: Channel = Channel.WEBHOOK,
        completeness: Completeness = Completeness.FULL,
        comparable: Sequence[str] | None = None,
        delivery: str = "",
        answer: bool = False,
        read: tuple[str, str] | None = None,
        op: Op | None = None,
        topic: str = topics.INBOUND,
    ) -> None:
        """A canonical event, past the mapper: an account says these fields of an entity, or None for its deletion.

        It happens now unless `source_time` (microseconds UTC) says otherwise; `clock` is that time unless the source
        counts versions. The same `delivery` is the same event; `answer`: it is the reply to a write of ours;
        `read`: resource and remote id by which it is read again. Raises CodecError for fields that do not fit the
        schema; required ones that are left out are blank.
        """
        now = self.clock.now()
        at = now if source_time is None else source_time
        said = plain.Said(
            self._account(account), type, golden_id, fields, at if clock is None else clock, at, now,
            delivery or self._next_delivery(), sequence, channel, completeness, comparable, answer, read, op,
        )  # fmt: skip
        self.pipe(topic, *plain.event(self.codec, said))

    def pipe(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers | None = None) -> None:
        """Append a record to a topic (catalogue name), whatever it is, and let who reads the topic process it."""
        log = self._logs[topic]
        log.append(Record(len(log), key, value, headers or (), self.clock.now() // 1000))
        for host in self._hosts:
            host.work()

    # -- time, commits, crashes

    def advance(self, seconds: float) -> None:
        """Let time pass: what is overdue then is released. Raises ValueError for a negative duration."""
        self.clock.advance(seconds)
        for host in self._hosts:
            host.tick()

    def commit(self) -> None:
        """Commit role by role: what one commits the next one processes and commits, until nothing is on its way."""
        for host in self._hosts:
            host.work()
            self._append(host.commit())

    def crash(self) -> None:
        """Both processes die and start again: what was not committed is lost, and read again."""
        for host in self._hosts:
            host.crash()
            host.work()

    def restart(self, to: Config | Rules | None = None) -> None:
        """Stop in good order and start again: with another configuration, or with other rules for the same accounts.
        Other policies need a higher revision. Raises Misconfigured for what a resolver refuses."""
        if to is not None:
            self.config = replace(self.config, rules=to) if isinstance(to, Rules) else to
        for host in self._hosts:
            self._append(host.restart())
            host.work()

    # -- what comes out

    def read(self, topic: str) -> list[dict[str, Any]]:
        """Every committed record of a topic (catalogue name), oldest first: `offset`, `key` as text, `value` decoded
        (None for a tombstone); for `events` also `shard_seq`, `late` and `unchanged`. Raises CodecError."""
        return [plain.decoded(self.codec, topic, record) for record in self._logs[topic]]

    def records(self, topic: str) -> Sequence[Record]:
        """The same as bytes, with their headers."""
        return self._logs[topic]

    def state(self, kind: EntityType) -> dict[str, dict[str, Any]]:
        """The winners of a type by golden key, without deleted ones."""
        newest = {one["key"]: one["value"] for one in self.read(topics.state(kind))}
        return {key: value for key, value in newest.items() if value is not None}

    def events(self, kind: EntityType) -> list[dict[str, Any]]:
        """`events` of a type, as `read` gives them."""
        return self.read(topics.events(kind))

    def decisions(self) -> list[dict[str, Any]]:
        """Who won and who lost, as in decision.avsc."""
        return [one["value"] for one in self.read(topics.DECISIONS)]

    def pushes(self, account: str) -> list[dict[str, Any]]:
        """What an account was asked to hold, as in push_task.avsc, with its `record` decoded; None for a deletion."""
        owner = self._account(account)
        tasks = [one["value"] for make in (topics.push, topics.push_bulk) for one in self.read(make(owner.platform))]
        return [task for task in tasks if (task["tenant"], task["account"]) == (owner.tenant, owner.id)]

    def fetches(self, platform: str) -> list[dict[str, Any]]:
        """What has to be read at a platform, as in fetch_request.avsc."""
        return [one["value"] for one in self.read(topics.fetch(platform))]

    def dead_letters(self) -> list[dict[str, Any]]:
        """What could not be processed, as in dead_letter.avsc."""
        return [one["value"] for one in self.read(topics.DEAD_LETTERS)]

    def rows(self) -> dict[bytes, bytes]:
        """What the resolver's changelog would say: its rows as of the last commit. `sluice state` reads such rows."""
        return dict(self._resolver.shard.crashed().rows.data)

    # -- within

    def _account(self, name: str) -> Account:
        found = [one for one in self.config.accounts.values() if name in (one.id, identity.join(one.tenant, one.id))]
        if len(found) != 1:
            known = ", ".join(identity.join(*key) for key in self.config.accounts)
            raise ValueError(f"{name!r} names {len(found)} accounts; there are {known}")
        return found[0]

    def _next_delivery(self) -> str:
        self._deliveries += 1
        return f"d-{self._deliveries}"

    def _append(self, outputs: Iterable[Emitted]) -> None:
        for one in outputs:
            log = self._logs[one.topic]
            log.append(Record(len(log), one.key, one.value, one.headers or (), self.clock.now() // 1000))
            if one.topic == topics.XREF:
                self._xref.apply(one.key or b"", None if one.value is None else self.codec.decode(one.value))
