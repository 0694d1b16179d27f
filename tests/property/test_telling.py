"""The hand-written decision is the codec's, byte for byte."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.avrobytes import long
from schemas.codec import Codec, Unencodable
from schemas.entities import EntityType, Op
from schemas.headers import Version
from schemas.registry import MemorySchemas
from streams.core.entity import MOST_TRIES, Contribution, Entity
from streams.core.policy import Policy, PolicyKind, Rules
from streams.core.resolve import Outcome, Resolution
from streams.resolver.merging import GroupWinner
from streams.resolver.routes import Member, routes
from streams.resolver.telling import Decisions, Source

CODEC = Codec(MemorySchemas())
MEMBERS = [Member("acme", name, "shopify") for name in ("shop", "größe")]
ROUTES = routes(Rules(revision=70, policies={EntityType.PRICE: Policy(PolicyKind.SINGLE)}), MEMBERS)
DECISIONS = Decisions(ROUTES, CODEC)
NAMES = {member.hash: member.account for member in MEMBERS}
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=90)
longs = st.one_of(st.integers(0, 200), st.integers(0, 2**63 - 1))
accounts = st.one_of(st.sampled_from([member.hash for member in MEMBERS]), st.binary(min_size=8, max_size=8))
ids = st.binary(min_size=16, max_size=16)
versions = st.builds(
    Version, longs, st.integers(0, 2), longs, st.integers(0, 2**31 - 1), st.binary(min_size=8, max_size=8)
)
contributions = st.builds(
    Contribution, accounts, versions.map(Version.pack), longs, st.sampled_from(Op),
    tries=st.integers(0, MOST_TRIES), ambiguous=st.booleans(),
)  # fmt: skip
entities = st.lists(contributions, min_size=1, max_size=4, unique_by=lambda c: c.account).map(
    lambda found: Entity(len(found), found[0].account, bytes(8), tuple(sorted(found, key=lambda c: c.account)))
)
groups = st.lists(st.builds(GroupWinner, texts, texts, accounts, texts), max_size=3)


def name(account: bytes) -> str:
    return NAMES.get(account, account.hex())


def contribution(c: Contribution, source: Source) -> dict[str, Any]:
    version = Version.unpack(c.version)
    return {
        "account": name(c.account),
        "event_id": source.event_id if source.account == c.account else b"",
        "op": c.op.name.lower(),
        "version": {
            "clock": version.clock,
            "rank": int(version.rank),
            "sequence": version.sequence,
            "mapping_revision": version.mapping_revision,
            "fingerprint": version.fingerprint,
        },
        "corrected_time": c.corrected,
    }


@given(
    st.sampled_from(EntityType), texts, entities, st.sampled_from(Outcome), texts, st.data(), st.lists(accounts), longs,
    groups,
)  # fmt: skip
def test_every_decision_is_written_as_the_codec_writes_it(
    kind: EntityType, key: str, entity: Entity, outcome: Outcome, because: str, data: st.DataObject,
    asked: list[bytes], now: int, won: list[GroupWinner],
) -> None:  # fmt: skip
    speaker = data.draw(st.one_of(st.sampled_from([c.account for c in entity.contributions]), accounts))
    source = Source(data.draw(texts), data.draw(st.integers(0, 255)), data.draw(st.integers(-1, 2**62)),
                    data.draw(ids), speaker)  # fmt: skip
    winner = entity.of(entity.winner)
    assert winner is not None
    told = {
        "golden_key": key,
        "type": kind.value,
        "decided_at": now,
        "golden_version": entity.golden_version,
        "outcome": outcome.value,
        "rule": "single" if kind is EntityType.PRICE else "lww",
        "because": because,
        "policy_revision": 70,
        "event_id": source.event_id,
        "event_account": name(speaker),
        "winner": contribution(winner, source),
        "losers": [contribution(c, source) for c in entity.contributions if c is not winner],
        "source_topic": source.topic,
        "source_partition": source.partition,
        "source_offset": source.offset,
        "pushed_to": [name(account) for account in asked],
        "groups": [
            {"group": one.group, "rule": one.rule, "account": name(one.account), "because": one.because} for one in won
        ],
        "ambiguous": [name(c.account) for c in entity.contributions if c.ambiguous],
        "stuck": [name(c.account) for c in entity.contributions if c.tries == MOST_TRIES],
        "drifted": [],  # tests/unit/resolver/test_flows.py
    }
    verdict = Resolution(entity, outcome, because)
    written = DECISIONS.record(kind.code, key.encode(), verdict, source, asked, now, won)
    assert written == CODEC.encode("decision", told)


@pytest.mark.parametrize("value", [1 << 63, -(1 << 63) - 1])
def test_a_number_that_does_not_fit_is_refused(value: int) -> None:
    with pytest.raises(Unencodable):
        long(value)
