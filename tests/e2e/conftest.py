"""One pipeline for all tests here: it takes longer to start than most of them take."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from streams.stack import Endpoints
from tests.e2e.pipeline import Pipeline, running


@pytest.fixture(scope="session")
def pipeline(endpoints: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """Every role as a process, between two fake shops without faults."""
    with running(endpoints, tmp_path_factory.mktemp("pipeline")) as started:
        yield started
