"""The cache of jars, looked up before tests lose sight of SLUICE_CACHE."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.stack.layout import cache_folder


@pytest.fixture(scope="session")
def jar_cache() -> Path:
    return cache_folder()
