"""The hand-written envelope is the codec's, byte for byte."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connectors.kit.contract import Account, Delivery, DeliveryFacts, Envelope
from schemas.codec import Codec
from schemas.entities import Channel
from schemas.registry import MemorySchemas
from streams.receiver.envelope import RawRecords
from streams.runtime.raw import ACKNOWLEDGE_ONLY, to_record

CODEC = Codec(MemorySchemas())
RECORDS = RawRecords(CODEC)
words = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=200)


class KeepsAll:
    max_body = 1_000_000

    def __init__(self, names: tuple[str, ...]) -> None:
        self.kept_headers = names

    def authenticate(self, account: Account, delivery: Delivery) -> None:
        return

    def facts(self, account: Account, delivery: Delivery) -> DeliveryFacts:
        return DeliveryFacts("d", "t")


@given(
    st.tuples(words, words, words),
    st.builds(DeliveryFacts, words, words, st.one_of(st.just(""), words), st.booleans()),
    st.dictionaries(words, words, max_size=8),
    st.binary(max_size=9_000),
    st.integers(0, (1 << 62) - 1),
)
def test_every_delivery_is_written_as_the_codec_writes_it(
    owner: tuple[str, str, str], facts: DeliveryFacts, headers: dict[str, str], body: bytes, at: int
) -> None:
    account = Account(owner[0], owner[1], owner[2], "https://shop.example")
    at %= 4_000_000_000_000_000  # the year 2096: CloudEvents' time needs a date
    record = RECORDS.make(account, KeepsAll(tuple(headers)), Delivery(headers, body, at), facts)
    kept = {**headers, **({ACKNOWLEDGE_ONLY: "true"} if facts.acknowledge_only else {})}
    envelope = Envelope(account.id, Channel.WEBHOOK, facts.topic, facts.delivery_id, body, kept, at, facts.resource_id)
    assert record.value == CODEC.encode("raw_envelope", to_record(account, envelope))
