"""The guards every test runs under (tests/conftest.py)."""

from __future__ import annotations

import contextlib
import os
import socket

import pytest


def test_a_unit_test_that_opens_a_connection_fails_even_if_it_catches_exceptions() -> None:
    with pytest.raises(pytest.fail.Exception, match="opened a connection to"):
        connect_and_swallow_what_goes_wrong()


def connect_and_swallow_what_goes_wrong() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client, contextlib.suppress(Exception):
        client.connect(("127.0.0.1", 9))


def test_a_unit_test_may_use_local_sockets() -> None:
    first, second = socket.socketpair()
    with first, second:
        first.sendall(b"x")
        assert second.recv(1) == b"x"


def test_settings_of_whoever_runs_the_tests_are_not_seen() -> None:
    seen = {name for name in os.environ if name.startswith("SLUICE_")}

    assert seen <= {"SLUICE_BOOTSTRAP", "SLUICE_REGISTRY", "SLUICE_BROKER"}
