"""What a courier is made of."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from connectors.kit.clock import Clock
from connectors.kit.contract import Account, Destination, Platform, Request, Response
from connectors.kit.errors import Misconfigured
from schemas import identity
from schemas.codec import Codec
from schemas.topics import Profile, Sizing
from streams.core.lanes import Lanes
from streams.core.outcome import Limits
from streams.core.route import Route
from streams.courier.recorder import Recorder, Silent
from streams.courier.waiter import Waiter
from streams.runtime.xref import XrefView


class Sender(Protocol):
    """Sends one request; implemented by connectors.kit.http."""

    async def send(self, account: Account, request: Request, seconds: float, /) -> Response:
        """The reply within `seconds`, whatever its status.

        Raises Unavailable (nothing was sent) or OutcomeUnknown (no reply came).
        """
        ...


@dataclass(frozen=True, slots=True)
class Settings:
    """Times in seconds. `intent_age`: how old a committed intent may be when its request leaves, so that a process that
    was suspended does not send for a row it no longer owns; `drain`: how long a revoked shard waits for replies;
    `brake_share` and `brake_floor`: a complete scan that misses more than both is not believed;
    `subscriptions_interval`: between two looks at an account's webhook subscriptions."""

    request_timeout: float = 20.0
    intent_age: float = 3.0
    drain: float = 2.0
    brake_share: float = 0.3
    brake_floor: int = 10
    subscriptions_interval: float = 900.0
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if self.limits.quarantine < self.request_timeout + self.intent_age:
            raise Misconfigured(
                f"quarantine {self.limits.quarantine:g} s is shorter than request_timeout {self.request_timeout:g} s "
                f"and intent_age {self.intent_age:g} s together: a request could land after the newer one behind it"
            )


@dataclass(frozen=True, slots=True)
class Setup:
    """Everything a courier of one platform needs; shared by its shards. `lanes`: by `tenant|account`, of those that
    have their own; `fallbacks`: by `tenant|account` and flow, where its commands go while the account is away;
    `random`: uniform in [0, 1)."""

    platform: Platform
    accounts: tuple[Account, ...]
    codec: Codec
    xref: XrefView
    profile: Profile
    clock: Clock
    waiter: Waiter
    sender: Sender
    recorder: Recorder = field(default_factory=Silent)
    settings: Settings = field(default_factory=Settings)
    lanes: Mapping[str, Lanes] = field(default_factory=dict)
    fallbacks: Mapping[str, Mapping[str, Route]] = field(default_factory=dict)
    random: Callable[[], float] = random.random

    @property
    def destination(self) -> Destination:
        """Raises Misconfigured: without a destination there is no budget to call under."""
        if self.platform.destination is None:
            raise Misconfigured(f"platform {self.platform.name} has no destination, so no courier can run for it")
        return self.platform.destination

    def accounts_of(self, shard: int) -> Mapping[str, Account]:
        """The accounts whose work belongs to this shard, by `tenant|account`."""
        count = self.profile.partitions(Sizing.PLATFORM)
        return {
            reference(account.tenant, account.id): account
            for account in self.accounts
            if account.platform == self.platform.name
            and identity.account_partition(account.tenant, account.id, count) == shard
        }


def reference(tenant: str, account: str) -> str:
    """`tenant|account`: names an account in rows, metrics and keys."""
    return identity.join(tenant, account)
