"""The real registry keeps the laws of the twin, and agrees with our own compatibility check."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas.compat import incompatibilities
from schemas.registration import register
from schemas.registry import HttpRegistry, RegistryRefused, open_codec
from schemas.registry_client import PATIENCE
from streams.testing.broker import Endpoints
from tests.unit.schemas.examples import a_price
from tests.unit.schemas.suite_registry import RegistrySuite, SourceSuite, a_name
from tests.unit.schemas.test_compat import READABLE, UNREADABLE

pytestmark = pytest.mark.broker

# Where we refuse what the Avro specification would read: names in full, and logical types that must stay.
STRICTER = {
    "a decimal as bytes",
    "another unit of time",
    "a time as a number",
    "a decimal branch with another scale",
    "another precision",
    "another scale",
}


@pytest.fixture
def registry(endpoints: Endpoints) -> HttpRegistry:
    return HttpRegistry(endpoints.registry, timeout=PATIENCE)


class TestHttpRegistry(RegistrySuite):
    pass


class TestHttpSource(SourceSuite):
    pass


def test_a_codec_that_was_opened_once_works_without_the_registry(endpoints: Endpoints, tmp_path: Path) -> None:
    register(HttpRegistry(endpoints.registry, timeout=PATIENCE), "suite.")
    codec = open_codec(endpoints.registry, tmp_path)
    encoded = codec.encode("price", a_price())
    assert codec.decode(encoded) == a_price()
    assert open_codec(endpoints.registry, tmp_path).decode(encoded) == a_price()
    assert len(list(tmp_path.rglob("*.avsc"))) == 1


def test_text_that_is_no_schema_is_refused_with_the_registrys_words(registry: HttpRegistry) -> None:
    with pytest.raises(RegistryRefused, match="HTTP 4"):
        registry.register(a_name(), "{nope")


def _item(type: Any, **more: Any) -> str:
    fields = [{"name": "x", "type": type} | more]
    return orjson.dumps({"type": "record", "name": "shop.Item", "fields": fields}).decode()


@pytest.mark.parametrize("case", [*READABLE, *sorted(set(UNREADABLE) - STRICTER)])
def test_the_registry_judges_a_change_of_a_field_as_we_do(registry: HttpRegistry, case: str) -> None:
    reader, writer = (READABLE | UNREADABLE)[case]
    subject = a_name()
    registry.register(subject, _item(writer))
    registry.set_compatibility(subject, "BACKWARD")
    ours = incompatibilities(orjson.loads(_item(reader)), orjson.loads(_item(writer))) == []
    assert registry.compatible(subject, _item(reader)) is ours


@pytest.mark.parametrize("case", sorted(STRICTER))
def test_where_we_differ_from_the_registry_we_are_the_stricter(registry: HttpRegistry, case: str) -> None:
    reader, writer = UNREADABLE[case]
    assert incompatibilities(orjson.loads(_item(reader)), orjson.loads(_item(writer)))
    subject = a_name()
    registry.register(subject, _item(writer))
    registry.set_compatibility(subject, "BACKWARD")
    assert registry.compatible(subject, _item(reader))
