"""The laws every registry keeps, run on the twin in memory and on a real one."""

from __future__ import annotations

from uuid import uuid4

import orjson
import pytest

from schemas.codec import Codec, UnknownSchema, load
from schemas.registration import register
from schemas.registry import NotRegistered, Registry, RegistryRefused, RegistrySchemas
from schemas.subjects import record_subject, registered_names, subjects, wire_text
from tests.unit.schemas.examples import a_price


def a_schema(name: str, *fields: dict[str, object]) -> str:
    """A record with one string field and those given."""
    first = {"name": "sku", "type": "string"}
    return orjson.dumps({"type": "record", "name": name, "fields": [first, *fields]}).decode()


def a_name() -> str:
    """A name no other test uses: a real registry is shared by a whole run."""
    return f"T{uuid4().hex}"


class RegistrySuite:
    """Subclass it with a fixture `registry`."""

    def test_nothing_is_found_under_an_unknown_subject(self, registry: Registry) -> None:
        assert registry.lookup(a_name(), a_schema(a_name())) is None
        assert registry.compatibility(a_name()) is None

    def test_an_id_nobody_gave_out_has_no_schema(self, registry: Registry) -> None:
        assert registry.schema(987_654_321) is None

    def test_what_was_registered_is_found_by_content_and_by_id(self, registry: Registry) -> None:
        name = a_name()
        schema_id = registry.register(name, a_schema(name))
        assert registry.lookup(name, a_schema(name)) == schema_id
        assert orjson.loads(registry.schema(schema_id) or "")["name"] == name

    def test_registering_twice_gives_the_same_id(self, registry: Registry) -> None:
        name = a_name()
        assert registry.register(name, a_schema(name)) == registry.register(name, a_schema(name))

    def test_equal_content_has_one_id_under_all_subjects(self, registry: Registry) -> None:
        name = a_name()
        ids = {registry.register(f"{name}-{number}", a_schema(name)) for number in range(3)}
        assert len(ids) == 1

    def test_another_schema_under_a_known_subject_is_not_found(self, registry: Registry) -> None:
        name = a_name()
        registry.register(name, a_schema(name))
        assert registry.lookup(name, a_schema(name, {"name": "more", "type": "int", "default": 0})) is None

    def test_a_level_is_kept_before_the_subject_has_a_version(self, registry: Registry) -> None:
        name = a_name()
        registry.set_compatibility(name, "FULL_TRANSITIVE")
        assert registry.compatibility(name) == "FULL_TRANSITIVE"
        assert registry.register(name, a_schema(name)) > 0

    def test_an_incompatible_version_is_refused_and_a_compatible_one_taken(self, registry: Registry) -> None:
        name = a_name()
        registry.set_compatibility(name, "FULL_TRANSITIVE")
        registry.register(name, a_schema(name))
        bad = a_schema(name, {"name": "more", "type": "int"})
        good = a_schema(name, {"name": "more", "type": "int", "default": 0})
        assert not registry.compatible(name, bad)
        with pytest.raises(RegistryRefused):
            registry.register(name, bad)
        assert registry.compatible(name, good)
        assert registry.register(name, good) != registry.lookup(name, a_schema(name))

    def test_subjects_may_hold_any_character_of_a_topic_name(self, registry: Registry) -> None:
        name = a_name()
        subject = f"{name}.a_b-c.v1-value"
        assert registry.lookup(subject, a_schema(name)) is None
        assert registry.register(subject, a_schema(name)) == registry.lookup(subject, a_schema(name))


class SourceSuite:
    """What a role sees of a registry. Subclass it with a fixture `registry` that may be filled already."""

    def test_a_schema_that_was_not_registered_asks_for_the_command(self, registry: Registry) -> None:
        if registry.lookup("sluice.Price", wire_text(load("price"))) is None:
            with pytest.raises(NotRegistered, match="sluice schemas register"):
                RegistrySchemas(registry).id_of("price")

    def test_after_registering_every_name_has_an_id_and_the_id_its_schema(self, registry: Registry) -> None:
        register(registry, "suite.")
        source = RegistrySchemas(registry)
        for name in registered_names():
            assert record_subject(source.schema_of(source.id_of(name))) == record_subject(load(name))

    def test_the_id_is_the_same_under_the_topics_subjects(self, registry: Registry) -> None:
        register(registry, "suite.")
        source = RegistrySchemas(registry)
        for subject in subjects("suite."):
            assert registry.lookup(subject.subject, wire_text(load(subject.name))) == source.id_of(subject.name)

    def test_registering_again_writes_nothing(self, registry: Registry) -> None:
        before = register(registry, "suite.")
        after = register(registry, "suite.")
        assert not any(outcome.changed for outcome in after)
        assert [outcome.id for outcome in after] == [outcome.id for outcome in before]

    def test_every_subject_promises_what_the_catalogue_says(self, registry: Registry) -> None:
        for outcome in register(registry, "suite."):
            assert registry.compatibility(outcome.subject.subject) == outcome.subject.level.value

    def test_a_record_goes_through_the_codec(self, registry: Registry) -> None:
        register(registry, "suite.")
        encoded = Codec(RegistrySchemas(registry)).encode("price", a_price())
        assert Codec(RegistrySchemas(registry)).decode(encoded) == a_price()

    def test_an_unknown_id_is_an_unknown_schema(self, registry: Registry) -> None:
        with pytest.raises(UnknownSchema, match="987654321"):
            RegistrySchemas(registry).schema_of(987_654_321)
