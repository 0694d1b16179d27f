"""The broker every other integration test asks for."""

from __future__ import annotations

import pytest

from streams.testing.broker import Endpoints

from .helpers import consume, create_topic, produce, registry_call

pytestmark = pytest.mark.broker


def test_the_shared_broker_takes_and_gives_a_record(endpoints: Endpoints) -> None:
    create_topic(endpoints.bootstrap, "switch")
    produce(endpoints.bootstrap, "switch", b"hello")

    assert consume(endpoints.bootstrap, "switch", 1) == [b"hello"]


def test_the_shared_registry_lists_its_subjects(endpoints: Endpoints) -> None:
    status, subjects = registry_call(endpoints.registry, "GET", "/subjects")

    assert status == 200
    assert isinstance(subjects, list)
