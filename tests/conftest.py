"""What every test gets: a clean environment, no network where none belongs, and a broker for those that ask."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from streams.testing import broker
from streams.testing.broker import Endpoints

TESTS = Path(__file__).parent
BROKER_VARIABLES = {"SLUICE_BOOTSTRAP", "SLUICE_REGISTRY", "SLUICE_BROKER"}
WITHOUT_NETWORK = {"unit", "property"}


# The same examples in every run, so that a red run is a red change; HYPOTHESIS_PROFILE=explore looks further.
_CALM = (HealthCheck.too_slow, HealthCheck.data_too_large)
settings.register_profile("fixed", derandomize=True, deadline=None, suppress_health_check=_CALM)
settings.register_profile("explore", max_examples=1_000, deadline=None, suppress_health_check=_CALM)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))


@pytest.fixture(scope="session")
def endpoints(request: pytest.FixtureRequest) -> Iterator[Endpoints]:
    """A Kafka and a registry, shared by the whole run and started when the first test asks."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    context = broker.endpoints()
    # Which broker it is should be seen in every run. The plugin is absent under `-p no:capture`.
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        where = context.__enter__()
    try:
        yield where
    finally:
        context.__exit__(None, None, None)


@pytest.fixture(autouse=True)
def clean_environ(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the settings of whoever runs it, except where the broker is."""
    for name in list(os.environ):
        if name.startswith("SLUICE_") and name not in BROKER_VARIABLES:
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unit and property tests that open a connection fail, even if the code under test swallows exceptions."""
    if _first_folder(request.node.path) not in WITHOUT_NETWORK:
        return
    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))


def _first_folder(path: Path) -> str:
    return path.relative_to(TESTS).parts[0] if path.is_relative_to(TESTS) else ""


def _guarded(original: Any) -> Any:
    """`connect` for local sockets only."""

    def connect(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            pytest.fail(f"a test under {' and '.join(sorted(WITHOUT_NETWORK))} opened a connection to {address}")
        return original(self, address)

    return connect
