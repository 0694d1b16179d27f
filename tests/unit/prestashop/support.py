"""What the tests of this platform share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from connectors.kit.contract import Account, Envelope, Ignored, Mapped, Observation
from connectors.prestashop import PLATFORM, records
from schemas.entities import Channel, EntityType, Op

DATA = Path(__file__).parents[2] / "data" / "prestashop"
KEY = "ABCDEFGHIJKLMNOPQRSTUVWXYZ123456"
NOON = 1_772_362_800_000_000  # 2026-03-01T12:00:00+01:00
READ_AT = NOON + 5_000_000


def account(**settings: str) -> Account:
    """A shop in Paris that sells in euros."""
    known = {"currency": "EUR", "timezone": "Europe/Paris"}
    return Account(
        "t1", "shop-2", "prestashop", "https://demo.example", {**known, **settings}, {"webservice_key": [KEY]}
    )


def rows(file: str) -> list[dict[str, Any]]:
    """The rows of a reply in tests/data/prestashop."""
    content = orjson.loads((DATA / f"{file}.json").read_bytes())
    found: list[dict[str, Any]] = next(iter(content.values()))
    return found


def changed(row: dict[str, Any], **values: Any) -> dict[str, Any]:
    """A row with other values."""
    return {**row, **values}


def simple_product(**values: Any) -> Observation:
    """A product without combinations."""
    return records.product(changed(rows("products_simple")[0], **values), ())


def combined_product(**values: Any) -> Observation:
    """A product with two combinations."""
    return records.product(changed(rows("products_combined")[0], **values), rows("combinations"))


def envelope(observation: Observation, channel: Channel = Channel.POLL) -> Envelope:
    """A read as raw holds it."""
    return Envelope(
        "shop-2",
        channel,
        observation.topic,
        "r7",
        observation.body,
        {},
        READ_AT + 9,
        observation.resource_id,
        READ_AT,
        7,
        observation.op,
    )


def mapped(observation: Observation, channel: Channel = Channel.POLL, **settings: str) -> list[Mapped]:
    """The records of an observation that must not be ignored."""
    found = PLATFORM.mapping.map(account(**settings), envelope(observation, channel))
    assert not isinstance(found, Ignored), found.reason
    return found


def ignored(observation: Observation, **settings: str) -> str:
    """Why an observation that must be ignored is."""
    found = PLATFORM.mapping.map(account(**settings), envelope(observation))
    assert isinstance(found, Ignored), found
    return found.reason


def gone(topic: str, remote_id: str) -> Observation:
    """A deletion found by a complete scan."""
    return Observation(topic, remote_id, b"", Op.DELETE)


def one(found: list[Mapped], kind: EntityType, remote_id: str = "") -> Mapped:
    """The only record of a type, or of a type and id."""
    same = [each for each in found if each.type is kind and remote_id in ("", each.remote_id)]
    assert len(same) == 1, same
    return same[0]
