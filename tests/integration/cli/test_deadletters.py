"""`sluice deadletters` on a real broker."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from confluent_kafka import Producer

from schemas import topics
from schemas.registry import open_codec
from schemas.topics import PROFILES
from streams.cli.main import main
from streams.runtime.deadletters import dead_letter
from streams.stack import Endpoints
from streams.testing.prepare import prepare

PREFIX = "letters."


@pytest.fixture
def environment(endpoints: Endpoints, tmp_path: Path) -> dict[str, str]:
    prepare(endpoints.bootstrap, endpoints.registry, PREFIX, PROFILES["development"])
    key, value = dead_letter(
        open_codec(endpoints.registry, tmp_path), stage="mapper", reason="unlinkable", detail="no SKU", next_command="",
        attempts=1, tenant="acme", account="shop", topic="raw.shopify.v1", partition=2, offset=7, key=b"k",
        value=b"\xff\x00", headers=[("ce_id", b"1")], now=1_772_366_400_000_000,
    )  # fmt: skip
    producer = Producer({"bootstrap.servers": endpoints.bootstrap})
    producer.produce(PREFIX + topics.DEAD_LETTERS, value, key)
    producer.flush()
    return {
        "SLUICE_BOOTSTRAP": endpoints.bootstrap,
        "SLUICE_REGISTRY": endpoints.registry,
        "SLUICE_TOPIC_PREFIX": PREFIX,
        "SLUICE_SCHEMA_CACHE": str(tmp_path),
    }


@pytest.mark.broker
def test_a_dead_letter_is_listed_with_its_reason_and_shown_whole_by_its_id(environment: dict[str, str]) -> None:
    listed = CliRunner().invoke(main, ["deadletters", "list", "--reason", "unlinkable"], env=environment)
    assert "raw.shopify.v1-2-7/0  unlinkable: no SKU" in listed.output
    shown = CliRunner().invoke(main, ["deadletters", "show", "raw.shopify.v1-2-7/0"], env=environment)
    assert '"original_value": "ff00"' in shown.output
    unknown = CliRunner().invoke(main, ["deadletters", "show", "nothing"], env=environment)
    assert unknown.exit_code == 1
    assert "sluice deadletters list" in unknown.output
