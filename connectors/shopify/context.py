"""What every record mapped from one envelope shares: account, clock and sequence. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from connectors.kit.contract import Account, Envelope, Link, Mapped
from connectors.kit.errors import Invalid
from connectors.kit.jsonbody import Moment
from connectors.shopify import settings
from connectors.shopify.payload import Node, nanoseconds
from connectors.shopify.webhook import header
from schemas.entities import Channel, EntityType, Op
from schemas.identity import InvalidKey, normalise_sku

CLOCK_ID = "updated_at"
RESOLUTION = 1_000_000  # updated_at has whole seconds

INVENTORY_ITEM = "inventory_item"
PRODUCT = "product"
ORDER = "order"
SKU = "sku"


@dataclass(frozen=True)
class Context:
    """One envelope of one account."""

    account: Account
    envelope: Envelope

    @cached_property
    def locations(self) -> settings.Locations:
        """The account's locations, parsed once per envelope. Raises Misconfigured."""
        return settings.locations(self.account)

    @property
    def is_read(self) -> bool:
        """Whether we asked for it; what a read could not link is not fetched once more."""
        return self.envelope.channel in {Channel.FETCH, Channel.POLL, Channel.BACKFILL}

    @property
    def sequence(self) -> int:
        """Read sequence, or nanoseconds of the trigger time; 0 when the delivery names none."""
        if self.envelope.read_sequence is not None:
            return self.envelope.read_sequence
        return nanoseconds(header(self.envelope.headers, "triggered-at")) or 0

    @property
    def deleted_at(self) -> Moment:
        """When a record that is gone was seen to be gone: no payload of a deletion has a time of its own."""
        if self.envelope.read_started_at is not None:
            return Moment(self.envelope.read_started_at, "")
        text = header(self.envelope.headers, "triggered-at")
        triggered = nanoseconds(text)
        return Moment(self.envelope.received_at, "") if triggered is None else Moment(triggered // 1000, text)

    def priced(self, amount: Any, currency: str = "", tax: str = "") -> dict[str, Any]:
        """A canonical Money record. Raises Misconfigured when the currency is neither given nor set."""
        return {
            "amount": amount,
            "currency": currency or settings.currency(self.account),
            "tax": tax or settings.tax_basis(self.account),
        }

    def upsert(
        self,
        kind: EntityType,
        remote_id: str,
        link: Link,
        updated: Moment,
        fields: dict[str, Any],
        comparable: Sequence[str],
        **more: Any,
    ) -> Mapped:
        """A full observation under this platform's clock."""
        return Mapped(
            type=kind,
            remote_id=remote_id,
            link=link,
            clock=updated.micros,
            clock_id=CLOCK_ID,
            fields=fields,
            comparable=comparable,
            sequence=self.sequence,
            source_time=updated.micros,
            source_time_text=updated.text,
            resolution=RESOLUTION,
            **more,
        )

    def delete(self, kind: EntityType, remote_id: str, link: Link) -> Mapped:
        """The record is gone; nothing but its id is known."""
        return self.upsert(kind, remote_id, link, self.deleted_at, {}, (), op=Op.DELETE)

    def fetch(self, resource: str, remote_id: str) -> tuple[str, str] | None:
        """Where more is to be read, unless this is what a read has said already."""
        return None if self.is_read else (resource, remote_id)


def sku_or_none(node: Node, name: str = "sku") -> str | None:
    """The SKU as the shop writes it; None when it has no visible character. Raises Invalid for another type."""
    text = node.text(name)
    if text is None:
        return None
    try:
        normalise_sku(text)
    except InvalidKey:
        return None
    return text


def unknown_location(context: Context, location_id: str) -> Invalid:
    """The error for a level at a location that no setting names."""
    return Invalid(
        f"{context.envelope.topic}: account {context.account.id!r} has no location with id {location_id}",
        reason="unknown_location",
        hint=f"add {location_id}=<code> to the account's setting locations, or {location_id} to ignored_locations",
    )
