"""What a platform implements. Everything here is sans-I/O: requests are yielded, replies are sent in.

A *flow* is a generator that yields `Request`s, is sent a `Response` for each and returns its result. The courier
drives it: it paces every request against the account's bucket, adds timeouts, records the call. A flow never sleeps,
never retries and never reads a clock; what it needs of time is in its arguments. It raises an error of
`connectors.kit.errors`, chosen by what the caller must do.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from connectors.kit.limits import Limit
from schemas.entities import Channel, Completeness, EntityType, Op

Json = Any
Flow = Generator["Request", "Response", Any]


# ----------------------------------------------------------------------------------------------- accounts


@dataclass(frozen=True, slots=True)
class Account:
    """One shop or system at one platform. `secrets` hold the values, already read from their files; never log it.

    `settings` are the platform's own (strings), e.g. shopify: api_version, currency, locations; `priority`: lower wins
    a tie of last-writer-wins; `clock_offset`: seconds this account's clock is ahead of ours; `clock_epoch`: raised by a
    person when the platform's connector reads versions from another clock than before; `fallback_url`: another address
    of the same API over the same data, for reads while the first one is away; empty for none.
    """

    tenant: str
    id: str
    platform: str
    base_url: str
    settings: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)
    priority: int = 100
    clock_offset: float = 0.0
    clock_epoch: int = 1
    fallback_url: str = ""

    def secret(self, name: str) -> str:
        """The first (newest) secret of that name. Raises KeyError when the account has none."""
        return self.secrets[name][0]


# ----------------------------------------------------------------------------------------------- inbound


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook request: header names in lower case, the body byte for byte, microseconds UTC."""

    headers: Mapping[str, str]
    body: bytes
    received_at: int


@dataclass(frozen=True, slots=True)
class DeliveryFacts:
    """What the receiver needs to know of an authentic delivery without parsing more than it must.

    `acknowledge_only`: a correctly signed delivery that is kept in raw and never mapped (compliance topics).
    """

    delivery_id: str
    topic: str
    resource_id: str = ""
    acknowledge_only: bool = False


class Signature(Protocol):
    """A pure signature scheme."""

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        """Accept when any of the active secrets fits, comparing in constant time. Raises BadSignature otherwise.

        Never rejects by age unless the vendor signs a time stamp, and never parses the body.
        """
        ...


class Source(Protocol):
    """Webhooks of one platform. Stateless; called on the receiver's hot path."""

    max_body: int
    kept_headers: tuple[str, ...]

    def authenticate(self, account: Account, delivery: Delivery) -> None:
        """Signature, and headers against the route's account. Raises BadSignature. Success does not mean that the
        body is JSON or that anything can be mapped: a signed body is always kept."""
        ...

    def facts(self, account: Account, delivery: Delivery) -> DeliveryFacts:
        """Never raises: an authentic delivery with missing headers gets a delivery id derived from its content."""
        ...


# ----------------------------------------------------------------------------------------------- mapping


@dataclass(frozen=True, slots=True)
class Link:
    """How a record finds its entity. Exactly one of: `golden_id` known from the record itself (a SKU, or the account
    and order number), or `via` = (entity type, remote id) of the record that carries the link."""

    golden_id: str = ""
    via: tuple[EntityType, str] | None = None
    suffix: str = ""  # composite part behind the linked golden id, e.g. the location of a stock level


@dataclass(frozen=True, slots=True)
class Mapped:
    """One canonical observation as the mapping sees it; identity, version and meta are completed by the mapper.

    `fields`: the record of the type's schema without `meta`. `comparable`: the business values, in a fixed order, that
    are comparable between platforms; their hash is the fingerprint. `clock`: microseconds UTC or vendor sequence.
    `sequence`: trigger or read sequence. `aliases`: other ids a destination needs (inventory_item_id).
    """

    type: EntityType
    remote_id: str
    link: Link
    clock: int
    clock_id: str
    fields: Mapping[str, Json]
    comparable: Sequence[str]
    sequence: int = 0
    source_time: int = 0
    source_time_text: str = ""
    resolution: int = 1_000_000  # of the clock, in microseconds: a read within it is unsettled
    op: Op = Op.UPSERT
    completeness: Completeness = Completeness.FULL
    aliases: Mapping[str, str] = field(default_factory=dict)
    known_as: Sequence[str] = ()  # further remote ids of this very record, e.g. "inventory_item:49148385" of a variant
    fetch: tuple[str, str] | None = None  # (resource, remote id) that says more, for hints and unknown links


@dataclass(frozen=True, slots=True)
class Ignored:
    """A delivery with nothing for us, e.g. a topic without canonical entity. Counted, not dead."""

    reason: str


@dataclass(frozen=True, slots=True)
class Envelope:
    """A record of raw.<platform>: what a platform said, verbatim."""

    account: str
    channel: Channel
    topic: str
    delivery_id: str
    body: bytes
    headers: Mapping[str, str]
    received_at: int
    resource_id: str = ""
    read_started_at: int | None = None
    read_sequence: int | None = None
    op: Op = Op.UPSERT


class CanonicalMapping(Protocol):
    """Pure vendor JSON -> canonical observations."""

    revision: int

    def map(self, account: Account, envelope: Envelope) -> list[Mapped] | Ignored:
        """Same arguments, same result, for ever (until `revision` is raised). Raises DeadLetter (Invalid) naming the
        field at fault; never guesses, never drops a field silently that the schema has."""
        ...


# ----------------------------------------------------------------------------------------------- outbound


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. `path` is relative to the account's base URL; `cost` is the expected charge in the bucket's
    units, 0 for what the vendor does not count; `operation` and `endpoint` name it in metrics and `calls` (no ids in
    them); `writes` says whether an unanswered request may have changed something. `charges`: the expected charge in
    each named bucket of the budget (Budget.also); 1 in those it does not name, 0 where this request is not charged.
    `key`: the idempotency key it carries, so that it is known how long the vendor remembers it; a command's depends on
    `op_id` alone, a set's on the content as well."""

    method: str
    path: str
    operation: str
    endpoint: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # credentials stand here
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)  # that of a request for a token holds a secret
    cost: float = 1.0
    writes: bool = False
    charges: Mapping[str, float] = field(default_factory=dict)
    key: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """A reply, header names in lower case. `started_at` and `received_at`: microseconds UTC."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    started_at: int
    received_at: int


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a reply says about the bucket it was charged to; None where the API does not say.

    `level`: units left now; `limit`: bucket size; `restore_rate`: units per second; `cost`: what was charged;
    `retry_after`: seconds; `throttled`: the request was refused for its rate. `resets_after`: seconds until a quota
    per `window` (seconds) is whole again; `unit`: what a quota counts where that is not requests
    ("concurrent-requests", "content-bytes").

    `named`: what the reply says of further buckets, by name (Budget.also); a bucket with neither there nor in the
    budget is paced as soon as a reply says its limit. `malformed`: headers that spoke of quotas and made no sense.
    """

    cost: float | None = None
    level: float | None = None
    limit: float | None = None
    restore_rate: float | None = None
    retry_after: float | None = None
    throttled: bool = False
    resets_after: float | None = None
    window: float | None = None
    unit: str = ""
    named: Mapping[str, Feedback] = field(default_factory=dict)
    malformed: int = 0


@dataclass(frozen=True, slots=True)
class Budget:
    """How an account's bucket is paced before the API says anything. `kind`:

    - `level`: the API reports its level; `rate` and `burst` hold until it does
    - `rate`: it does not; `rate` units per second, `burst` units at once (GCRA)
    - `window`: `burst` units per `burst / rate` seconds; what is left and when it resets may be reported
    - `unknown`: nothing is known; starts at `rate` and finds the limit, never above `burst` units per second (AIMD)
    - `concurrent`: at most `burst` units at the same time; `rate` means nothing
    - `latency`: as many at the same time as do not slow the API down, at most `burst`; `rate` means nothing

    `also`: further buckets by name that requests are charged to as well (Request.charges): the tightest rules. Their
    own `also` is not read.
    """

    kind: str
    rate: float
    burst: float
    max_in_flight: int
    also: Mapping[str, Budget] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Write:
    """One set or command for a destination. `record` is the decoded canonical record.

    `remote_id` is the record's id at this account (empty when it was never seen there); `aliases` are those of the
    SKU's variant at this account, then the record's own, plus `variant_id`, the variant's remote id. `op_id` names
    this write for ever and is passed to the vendor where it has a place for it.

    `wanted` and `expected` are fingerprints (kit.golden.content_fingerprint): a destination that reads before it
    writes, and finds none of them, writes nothing and returns what it found as `observed`: a person edited the record
    since the decision, and the decision is taken again. `expected` is None where the account has no say.
    """

    type: EntityType
    op: Op
    golden_key: str
    golden_version: int
    remote_id: str
    aliases: Mapping[str, str]
    record: Mapping[str, Json]
    fields: Sequence[str]
    op_id: str
    wanted: bytes = b""
    expected: frozenset[bytes] | None = None

    def overwrites(self, held: bytes) -> bool:
        """Whether an account that holds content of this fingerprint may be overwritten."""
        return self.expected is None or held == self.wanted or held in self.expected


@dataclass(frozen=True, slots=True)
class Observation:
    """Something read at an account that goes to raw.<platform> as it is (one resource each)."""

    topic: str
    resource_id: str
    body: bytes
    op: Op = Op.UPSERT


@dataclass(frozen=True, slots=True)
class Written:
    """A write that was carried out. `no_op`: nothing was sent. `observed`: what the reply (or a read before it) said of
    the record, if anything. `holds`: nothing was sent because the account holds what was wanted, as it stores it: what
    was observed is then how it does, rounded or trimmed perhaps, and not an edit."""

    no_op: bool = False
    observed: Sequence[Observation] = ()
    holds: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a poll. `cursor` replaces the stored one in the transaction of the page's records; `done` ends the
    pass; `complete_scan`: this pass saw every record, so what its snapshot holds and it did not see is gone."""

    observations: Sequence[Observation]
    cursor: Mapping[str, Json]
    done: bool
    complete_scan: bool = False


@dataclass(frozen=True, slots=True)
class Resource:
    """Something a poller reads. `interval`: seconds between two passes while they find changes, `longest`: while they
    find none; 0 means that the interval is fixed. `scan`: no usable date, so every pass reads all and the courier emits
    what differs from its snapshot."""

    name: str
    interval: float
    scan: bool = False
    longest: float = 0.0


class Destination(Protocol):
    """Writes and single reads at one platform, as flows."""

    def budget(self, account: Account) -> Budget:
        """The bucket all requests of this account are charged to."""
        ...

    def supports(self, type: EntityType, op: Op) -> bool:
        """Whether `write` can be called for it; flows to unsupported types are refused when they are loaded."""
        ...

    def write(self, account: Account, write: Write) -> Flow:
        """Absolute and repeatable: running it twice, or after a lost reply, leaves the same state. Returns Written.

        Raises Unlinkable (the remote record is unknown), Invalid (dead letter, with the vendor's message), Throttled,
        Unavailable, OutcomeUnknown, Unauthorised.
        """
        ...

    def fetch(self, account: Account, resource: str, remote_id: str) -> Flow:
        """Read one record. Returns a list of Observation; a record that is gone is an Observation with op DELETE."""
        ...

    def feedback(self, request: Request, response: Response) -> Feedback:
        """What a reply says about the bucket. Malformed headers are as good as none; never raises."""
        ...


class Poller(Protocol):
    """Reads everything that changed, page by page, as flows."""

    def resources(self, account: Account) -> tuple[Resource, ...]:
        """What is polled, most important first."""
        ...

    def page(self, account: Account, resource: str, cursor: Mapping[str, Json], now: int) -> Flow:
        """Read one page from `cursor` (empty at first; JSON-able). `now` is microseconds UTC. Returns Page.

        Overlaps rather than skips: windows are closed, and the cursor passes a window only when it was read whole.
        """
        ...


@dataclass(frozen=True, slots=True)
class Token:
    """A credential that ends. `secrets`: laid over the account's own, by name, as long as it lives; `lives_for`:
    seconds from when it was asked for. Kept in memory only; never log it."""

    secrets: Mapping[str, str] = field(repr=False)
    lives_for: float


class Tokens(Protocol):
    """Credentials that a platform hands out for a while, as flows."""

    def needed(self, account: Account) -> bool:
        """Whether this account's requests need a token that has to be asked for; False where its secrets do."""
        ...

    def acquire(self, account: Account) -> Flow:
        """Ask for a token. Returns Token. `account` has the secrets of the last token laid over its own, so that a
        refresh token which came with that one can be used. Nothing of it survives a restart: a vendor that makes a
        refresh token void when it is used cannot be served without a person.

        Raises Unauthorised when the account may have none, Invalid, Throttled, Unavailable.
        """
        ...


class Subscriptions(Protocol):
    """The webhook subscriptions of an account that we keep alive, as flows."""

    def wanted(self, account: Account) -> Mapping[str, Sequence[str]]:
        """Topics (as `DeliveryFacts.topic`) that are to be subscribed, each with the poller's resources that show what
        it tells of. Empty where the account's subscriptions are none of our business."""
        ...

    def listed(self, account: Account) -> Flow:
        """Returns the set of topics that are subscribed with our address."""
        ...

    def subscribe(self, account: Account, topic: str) -> Flow:
        """Make the subscription. Repeatable: where it is there already, nothing is made and nothing raised."""
        ...


@dataclass(frozen=True, slots=True)
class Platform:
    """One vendor: what it has, None for what it has not.

    `check` reads every setting of an account and raises Misconfigured for the first that is wrong; no I/O, no secrets.
    Roles call it when they start, so that a wrong setting is not found out at the first record that needs it.
    `clocks`: the one clock per type that versions are read from (Mapped.clock_id). Versions of two clocks cannot be
    compared, so a record with another clock is refused, and so is a start with another declaration than before.
    `limits`: what the vendor documents about its quotas.
    """

    name: str
    mapping: CanonicalMapping
    source: Source | None = None
    poller: Poller | None = None
    destination: Destination | None = None
    check: Callable[[Account], None] | None = None
    clocks: Mapping[EntityType, str] = field(default_factory=dict)
    limits: Sequence[Limit] = ()
    tokens: Tokens | None = None
    subscriptions: Subscriptions | None = None
