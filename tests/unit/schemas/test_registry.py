from __future__ import annotations

import logging
from pathlib import Path

import orjson
import pytest

from schemas.codec import Codec, UnknownSchema, load
from schemas.registration import register
from schemas.registry import (
    RETRY_SECONDS,
    MemoryRegistry,
    MemorySchemas,
    NotRegistered,
    RegistrySchemas,
    RegistryUnavailable,
    open_codec,
)
from schemas.registry_cache import SchemaCache
from schemas.registry_client import HttpRegistry
from schemas.subjects import registered_names, wire_text
from tests.unit.schemas.examples import a_price


class FlakyRegistry(MemoryRegistry):
    """Can be away; counts what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.asked = 0

    def lookup(self, subject: str, schema: str) -> int | None:
        self._answer()
        return super().lookup(subject, schema)

    def schema(self, schema_id: int) -> str | None:
        self._answer()
        return super().schema(schema_id)

    def _answer(self) -> None:
        self.asked += 1
        if self.away:
            raise RegistryUnavailable("connection refused")


@pytest.fixture
def registry() -> FlakyRegistry:
    flaky = FlakyRegistry()
    register(flaky, "sluice.")
    flaky.asked = 0
    return flaky


@pytest.fixture
def cache(tmp_path: Path) -> SchemaCache:
    return SchemaCache(tmp_path, "http://registry")


def test_a_process_that_ran_once_starts_without_its_registry(registry: FlakyRegistry, cache: SchemaCache) -> None:
    encoded = Codec(RegistrySchemas(registry, cache)).encode("price", a_price())
    registry.away = True
    codec = Codec(RegistrySchemas(registry, cache))
    assert codec.encode("price", a_price()) == encoded
    assert codec.decode(encoded) == a_price()


def test_a_reader_that_never_wrote_has_its_schemas_cached_too(registry: FlakyRegistry, cache: SchemaCache) -> None:
    schema_id = RegistrySchemas(registry).id_of("price")
    RegistrySchemas(registry, cache).schema_of(schema_id)
    registry.away = True
    assert RegistrySchemas(registry, cache).schema_of(schema_id)["name"] == "Price"


def test_without_registry_and_cache_the_same_again_may_succeed(registry: FlakyRegistry, cache: SchemaCache) -> None:
    registry.away = True
    source = RegistrySchemas(registry, cache, clock=lambda: 0.0)
    with pytest.raises(RegistryUnavailable, match="'price' is not in the cache"):
        source.id_of("price")
    with pytest.raises(RegistryUnavailable, match="schema 7 is not in the cache"):
        source.schema_of(7)


def test_a_registry_that_failed_is_left_alone_for_a_moment_and_asked_again(
    registry: FlakyRegistry, cache: SchemaCache
) -> None:
    now = [100.0]
    source = RegistrySchemas(registry, cache, clock=lambda: now[0])
    registry.away = True
    for schema_id in (901, 902, 903):
        with pytest.raises(RegistryUnavailable):
            source.schema_of(schema_id)
    assert registry.asked == 1
    registry.away = False
    now[0] += RETRY_SECONDS
    assert source.id_of("price") == MemorySchemas(registry).id_of("price")


def test_an_id_the_registry_does_not_know_is_unknown_and_not_a_failure(
    registry: FlakyRegistry, cache: SchemaCache
) -> None:
    with pytest.raises(UnknownSchema):
        RegistrySchemas(registry, cache).schema_of(4711)


def test_a_changed_schema_is_not_taken_for_the_one_in_the_cache(registry: FlakyRegistry, cache: SchemaCache) -> None:
    RegistrySchemas(registry, cache).id_of("price")
    changed = load("price") | {"doc": "changed"}
    assert cache.id_of("price", wire_text(load("price"))) is not None
    assert cache.id_of("price", wire_text(changed)) is None


def test_a_registry_that_was_emptied_asks_for_registration_though_the_cache_knows_better(
    registry: FlakyRegistry, cache: SchemaCache
) -> None:
    RegistrySchemas(registry, cache).id_of("price")
    with pytest.raises(NotRegistered, match="sluice schemas register"):
        RegistrySchemas(MemoryRegistry(), cache).id_of("price")


def test_records_written_before_a_registry_was_emptied_are_still_read(
    registry: FlakyRegistry, cache: SchemaCache
) -> None:
    encoded = Codec(RegistrySchemas(registry, cache)).encode("price", a_price())
    assert Codec(RegistrySchemas(MemoryRegistry(), cache)).decode(encoded) == a_price()


def test_a_registry_rebuilt_with_other_ids_empties_the_cache(
    registry: FlakyRegistry, cache: SchemaCache, caplog: pytest.LogCaptureFixture
) -> None:
    before = RegistrySchemas(registry, cache).id_of("price")
    rebuilt = MemoryRegistry()
    rebuilt.register("else", '{"type": "record", "name": "Else", "fields": []}')
    register(rebuilt, "sluice.")
    with caplog.at_level(logging.WARNING):
        after = RegistrySchemas(rebuilt, cache).id_of("price")
    assert after != before
    assert "rebuilt" in caplog.text
    assert cache.schema(before) is None
    assert cache.schema(after) is not None


@pytest.mark.parametrize("text", ["not json", '"string"', "[]"])
def test_what_is_no_record_at_the_registry_is_an_unknown_schema(text: str) -> None:
    class Odd(MemoryRegistry):
        def schema(self, schema_id: int) -> str | None:
            return text

    with pytest.raises(UnknownSchema):
        RegistrySchemas(Odd()).schema_of(1)


def test_caches_of_two_registries_in_one_folder_do_not_mix(tmp_path: Path) -> None:
    SchemaCache(tmp_path, "http://one").store_schema(1, "{}")
    assert SchemaCache(tmp_path, "http://two").schema(1) is None
    assert SchemaCache(tmp_path, "http://one").schema(1) == "{}"


def test_a_cache_file_is_replaced_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    cache = SchemaCache(tmp_path, "http://one")
    cache.store_schema(1, "{}")
    cache.store_schema(1, '{"a":1}')
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["1.avsc"]
    assert cache.schema(1) == '{"a":1}'


def test_a_damaged_id_in_the_cache_counts_as_none(tmp_path: Path) -> None:
    cache = SchemaCache(tmp_path, "http://one")
    cache.store_id("price", "{}", 7)
    (path,) = tmp_path.rglob("*.id")
    path.write_text("7x")
    assert cache.id_of("price", "{}") is None


def test_a_cache_that_cannot_write_does_not_stop_a_process_whose_registry_answers(
    registry: FlakyRegistry, cache: SchemaCache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("schemas.registry_cache.os.replace", full)
    assert RegistrySchemas(registry, cache).id_of("price") > 0
    assert "No space left" in caplog.text


def test_all_names_have_different_ids_in_the_source_for_tests() -> None:
    source = MemorySchemas()
    assert len({source.id_of(name) for name in registered_names()}) == len(registered_names())


def test_the_text_sent_to_registries_does_not_depend_on_the_order_of_keys() -> None:
    schema = load("price")
    assert wire_text(dict(reversed(schema.items()))) == wire_text(schema)
    assert orjson.loads(wire_text(schema)) == schema


@pytest.mark.parametrize("url", ["", "localhost:8081", "ftp://host/x", "http://"])
def test_what_is_no_url_of_a_registry_is_refused_at_once(url: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="schema registry"):
        open_codec(url, tmp_path)


def test_a_password_in_the_url_stands_in_no_message() -> None:
    assert HttpRegistry("https://user:secret@registry.example:8081/v7/").address == "https://registry.example:8081/v7"
