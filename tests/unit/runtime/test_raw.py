"""Envelopes through the codec and back."""

from __future__ import annotations

import pytest

from connectors.kit.contract import Account, Envelope
from schemas.codec import Codec
from schemas.entities import Channel, Op
from schemas.registry import MemorySchemas
from streams.runtime.raw import StrangeEnvelope, from_record, to_record

CODEC = Codec(MemorySchemas())
ACCOUNT = Account("acme", "shop", "shopify", "https://shop.example")
AT = 1_772_366_400_123_457


@pytest.mark.parametrize(
    "envelope",
    [
        Envelope("shop", Channel.WEBHOOK, "orders/create", "d-1", b"\x00\xff{", {"x-topic": "t"}, AT),
        Envelope("shop", Channel.POLL, "product", "p-1", b"{}", {}, AT, "17", AT - 1, 1 << 43, Op.DELETE),
    ],
)
def test_an_envelope_survives_the_topic_byte_for_byte(envelope: Envelope) -> None:
    raw = from_record(CODEC.decode(CODEC.encode("raw_envelope", to_record(ACCOUNT, envelope))))
    assert (raw.tenant, raw.platform, raw.envelope) == ("acme", "shopify", envelope)


@pytest.mark.parametrize("change", [{"channel": "unknown"}, {"op": "unknown"}, {"received_at": "now"}])
def test_an_envelope_of_a_later_version_is_refused_by_name(change: dict[str, str]) -> None:
    record = to_record(ACCOUNT, Envelope("shop", Channel.WEBHOOK, "t", "d", b"", {}, AT))
    with pytest.raises(StrangeEnvelope):
        from_record({**record, **change})
