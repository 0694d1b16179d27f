from __future__ import annotations

import pytest

from schemas.gate import history
from schemas.registration import register
from schemas.registry import MemoryRegistry
from tests.unit.schemas.suite_registry import RegistrySuite, SourceSuite


class TestMemoryRegistry(RegistrySuite):
    @pytest.fixture
    def registry(self) -> MemoryRegistry:
        return MemoryRegistry()


class TestMemorySource(SourceSuite):
    @pytest.fixture
    def registry(self) -> MemoryRegistry:
        return MemoryRegistry()


def test_an_empty_registry_gives_out_the_numbers_of_the_freezes_as_ids() -> None:
    """A registry that lost its memory means the same again, so records that are in Kafka already stay readable."""
    newest = {version.name: version.number for version in history()}
    assert {outcome.subject.name: outcome.id for outcome in register(MemoryRegistry(), "a.")} == newest
