"""The canonical entity types and the small enums every layer shares.

The code is one byte of the packed header and is never reused; the name is what stands in keys, topics and files.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum


class EntityType(StrEnum):
    """A thing with its own identity, version and owner at some source."""

    PRODUCT = "product"
    VARIANT = "variant"
    PRICE = "price"
    INVENTORY_LEVEL = "inventory_level"
    ORDER = "order"
    RESERVATION = "reservation"
    FULFILMENT = "fulfilment"

    @property
    def code(self) -> int:
        """The byte that stands for this type in the packed header."""
        return _CODES[self]

    @classmethod
    def from_code(cls, code: int) -> EntityType:
        """The type behind a header byte. Raises KeyError for a code this version does not know."""
        return _TYPES[code]


_CODES = {
    EntityType.PRODUCT: 1,
    EntityType.VARIANT: 2,
    EntityType.PRICE: 3,
    EntityType.INVENTORY_LEVEL: 4,
    EntityType.ORDER: 5,
    EntityType.RESERVATION: 6,
    EntityType.FULFILMENT: 7,
}
_TYPES = {code: kind for kind, code in _CODES.items()}


class Op(IntEnum):
    """What a version says of its entity."""

    UPSERT = 1
    DELETE = 2


class Completeness(IntEnum):
    """How much of the entity an event carries. A hint never becomes state: it is answered by a fetch."""

    FULL = 0
    PARTIAL = 1
    HINT = 2


class Rank(IntEnum):
    """How far an observation may be trusted among those with the same clock value: higher beats lower."""

    UNSETTLED_READ = 0
    PUSH = 1
    SETTLED_READ = 2


class Channel(StrEnum):
    """The way an observation came in."""

    WEBHOOK = "webhook"
    POLL = "poll"
    FETCH = "fetch"
    BACKFILL = "backfill"
    REPLAY = "replay"


class Lane(StrEnum):
    """Urgency of work for a destination, most urgent first."""

    HIGH = "high"
    NORMAL = "normal"
    BULK = "bulk"
