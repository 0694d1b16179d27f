"""The mapper: raw.<platform> -> inbound, xref, fetch requests and dead letters, with the deliveries' ledger."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from connectors.kit.contract import Account, Platform
from connectors.kit.metrics import MAPPER_EVENTS, MAPPER_RECORDS, PIPELINE_DEAD_LETTERS, Metrics
from schemas import headers, identity, topics
from schemas.codec import Codec, CodecError, UnknownSchema
from schemas.entities import Channel, Lane
from schemas.topics import CATALOGUE, Profile
from streams.core.holes import EVERYTHING, SILENCE, Silences
from streams.core.ledger import Book, LedgerBuffer, day_of
from streams.mapper.linking import NewLink, xref_record
from streams.mapper.overlay import Overlay
from streams.mapper.plan import DEFAULT_SKEW, Event, Fetch, Plan, plan
from streams.runtime.brakes import Brakes
from streams.runtime.deadletters import DeadLetters, Trouble, poison
from streams.runtime.raw import ACKNOWLEDGE_ONLY, RawRecord, StrangeEnvelope, from_record
from streams.runtime.xref import LinkView
from streams.shard.api import Incoming, Shard

STAGE = "mapper"
_OUTCOMES = {"awaiting": "fetch"}  # what the ledger calls by its state, the metric calls by the act
NOBODY = "-"  # account of the ledger rows of records that do not say whose they are


class Mapper:
    """The Processor of one shard of raw.<platform>. `now`: microseconds UTC; `max_skew`: microseconds."""

    def __init__(
        self,
        accounts: Mapping[tuple[str, str], Account],
        platforms: Mapping[str, Platform],
        codec: Codec,
        profile: Profile,
        xref: LinkView,
        now: Callable[[], int] = lambda: time.time_ns() // 1000,
        max_skew: int = DEFAULT_SKEW,
        metrics: Metrics | None = None,
        brakes: Brakes | None = None,
    ) -> None:
        self._accounts = accounts
        self._platforms = platforms
        self._codec = codec
        self._now = now
        self._max_skew = max_skew
        self._metrics = metrics or Metrics()
        self._brakes = brakes or Brakes(self._metrics, STAGE)
        self._links = Overlay(xref)
        self._silences = Silences()
        self._ledger = LedgerBuffer()
        self._dead_letters = DeadLetters(codec, STAGE, profile)
        self._count = {name: profile.partitions(topic.sizing) for name, topic in CATALOGUE.items()}

    def open(self, shard: Shard) -> None:
        self._ledger = LedgerBuffer()

    def process(self, shard: Shard, topic: str, records: Sequence[Incoming]) -> int | None:
        for record in records:
            self._record(shard, topic, record)
        self._ledger.flush(shard.rows, self._brakes.counted)
        return None

    def tick(self, shard: Shard) -> dict[str, int | None]:
        return {}

    def close(self, shard: Shard) -> None:
        return

    # -- one record

    def _record(self, shard: Shard, topic: str, record: Incoming) -> None:
        try:
            raw = from_record(self._codec.decode(record.value or b""))
        except (CodecError, StrangeEnvelope) as error:
            reason = "unknown_schema" if isinstance(error, UnknownSchema) else "undecodable"
            self._strange(shard, topic, record, Trouble(reason, str(error)))
            return
        made = self._plan(raw)
        written = sum(self._event(shard, event, made) for event in made.events)
        for fetch in made.fetches:
            self._fetch(shard, raw, fetch, self._now())
        self._listen(shard, raw)
        for trouble in made.troubles:
            self._die(shard, topic, record, trouble)
        self._count_delivery(raw, made, written)

    def divert(self, shard: Shard, topic: str, record: Incoming, deaths: int) -> int | None:
        """Implements streams.shard.api.Diverter."""
        self._strange(shard, topic, record, poison(deaths))
        self._ledger.flush(shard.rows, self._brakes.counted)
        return None

    def _strange(self, shard: Shard, topic: str, record: Incoming, trouble: Trouble) -> None:
        """A record of which nobody knows whose it is."""
        self._die(shard, topic, record, trouble)
        day = day_of(record.timestamp * 1_000)
        self._ledger.count(Book.DELIVERIES, NOBODY, day, received=1, dead=1)
        self._metrics.counter(MAPPER_RECORDS, NOBODY, "dead").inc()

    def _die(self, shard: Shard, topic: str, record: Incoming, trouble: Trouble) -> None:
        self._dead_letters.emit(shard, topic, record, trouble, self._now())
        self._metrics.counter(PIPELINE_DEAD_LETTERS, STAGE, trouble.reason).inc()
        account = identity.join(trouble.tenant, trouble.account) if trouble.account else NOBODY
        self._brakes.died(account, topic, shard.number, record.offset, trouble.reason, trouble.detail)

    def _plan(self, raw: RawRecord) -> Plan:
        account = self._accounts.get((raw.tenant, raw.envelope.account))
        platform = self._platforms.get(raw.platform)
        if account is None or platform is None or account.platform != raw.platform:
            return Plan(troubles=[_unknown_account(raw)])
        if ACKNOWLEDGE_ONLY in raw.envelope.headers:
            return Plan(ignored="to be acknowledged only")
        return plan(account, platform.mapping, raw.envelope, self._links, self._max_skew, platform.clocks)

    def _event(self, shard: Shard, event: Event, made: Plan) -> int:
        """1 when the event was written, 0 when it or one of its links does not fit its schema."""
        try:
            value = self._codec.encode(event.key.type.value, event.record)
            links = [(new, self._codec.encode("xref", xref_record(new))) for new in event.links]
        except CodecError as error:
            meta = event.record["meta"]
            detail = f"{meta['source_key']}: {error}"
            made.troubles.append(Trouble("invalid", detail, "", 1, meta["tenant"], meta["account"], event.index))
            return 0
        key = str(event.key)
        partition = identity.golden_partition(key, self._count[topics.INBOUND])
        shard.emit(topics.INBOUND, partition, key.encode(), value, [(headers.NAME, event.header.pack())])
        for new, record in links:
            self._link(shard, new, record)
        self._metrics.counter(MAPPER_EVENTS, event.record["meta"]["platform"], event.key.type.value).inc()
        return 1

    def _link(self, shard: Shard, new: NewLink, value: bytes) -> None:
        self._links.add(new.source, new.link)
        key = str(new.source).encode()
        shard.emit(topics.XREF, identity.partition(key, self._count[topics.XREF]), key, value)

    def _listen(self, shard: Shard, raw: RawRecord) -> None:
        """The first webhook after a long silence may not be the first that was sent: have the account polled."""
        if raw.envelope.channel is not Channel.WEBHOOK:
            return
        account, at = (raw.tenant, raw.envelope.account), raw.envelope.received_at
        platform = self._platforms.get(raw.platform)
        if account not in self._accounts or platform is None or platform.poller is None:
            return
        if self._silences.broken(identity.join(*account), at):
            everything = Fetch(EVERYTHING, EVERYTHING, SILENCE, Lane.NORMAL, raw.envelope.delivery_id)
            self._fetch(shard, raw, everything, at)

    def _fetch(self, shard: Shard, raw: RawRecord, fetch: Fetch, requested_at: int) -> None:
        account = raw.envelope.account
        request = {
            "tenant": raw.tenant,
            "account": account,
            "platform": raw.platform,
            "resource": fetch.resource,
            "remote_id": fetch.remote_id,
            "reason": fetch.reason,
            "lane": fetch.lane.value,
            "requested_at": requested_at,
            "cause": fetch.cause,
        }
        topic = topics.fetch(raw.platform)
        partition = identity.account_partition(raw.tenant, account, self._count[topic])
        key = identity.join(account, fetch.resource, fetch.remote_id).encode()
        shard.emit(topic, partition, key, self._codec.encode("fetch_request", request))

    def _count_delivery(self, raw: RawRecord, made: Plan, written: int) -> None:
        """One delivery has one fate, its worst: dead before mapped before awaiting a read before ignored."""
        account = identity.join(raw.tenant or NOBODY, raw.envelope.account or NOBODY)
        tally = self._ledger.tally(Book.DELIVERIES, account, day_of(raw.envelope.received_at))
        tally["received"] += 1
        tally["events_out"] += written
        fates = (("dead", made.troubles), ("mapped", written), ("awaiting", made.fetches), ("ignored", True))
        fate = next(name for name, holds in fates if holds)
        tally[fate] += 1
        platform = raw.platform if raw.platform in self._platforms else NOBODY
        self._metrics.counter(MAPPER_RECORDS, platform, _OUTCOMES.get(fate, fate)).inc()


def _unknown_account(raw: RawRecord) -> Trouble:
    account = raw.envelope.account
    detail = f"tenant {raw.tenant!r} has no account {account!r} at {raw.platform!r}; it was removed or renamed"
    return Trouble("unknown_account", detail, "sluice config check", 1, raw.tenant, account)
