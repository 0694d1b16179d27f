"""Ports that are free, taken, and refused before anything starts."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.stack import ports
from streams.stack.errors import PortInUse
from streams.stack.layout import StackOptions
from streams.stack.stack import LocalStack


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which this test listens."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_port_someone_listens_on_is_not_free_and_its_holder_is_known(taken: int) -> None:
    assert not ports.is_free(taken)
    holder = ports.holder(taken)
    assert holder is None or f"pid {os.getpid()} " in holder


def test_chosen_ports_are_free_different_and_below_those_of_outgoing_connections() -> None:
    chosen = ports.free_ports(20)

    assert len(set(chosen)) == 20
    assert all(ports.FIRST <= port < ports.LAST and ports.is_free(port) for port in chosen)


def test_two_runs_with_the_same_seed_do_not_choose_the_same_ports() -> None:
    random.seed(1)
    first = ports.free_ports(5)
    random.seed(1)

    assert ports.free_ports(5) != first


@pytest.mark.parametrize("option", ["kafka", "registry"])
def test_a_taken_port_is_refused_by_number_role_and_option_and_nothing_is_started(
    tmp_path: Path, taken: int, option: str
) -> None:
    free = ports.free_ports(1)[0]
    options = StackOptions(
        directory=tmp_path / "stack",
        kafka_port=taken if option == "kafka" else 0,
        registry_port=taken if option == "registry" else free,
    )
    stack = LocalStack(options, cache=tmp_path / "cache")

    with pytest.raises(PortInUse, match=f"port {taken} .*--{option}-port.*SLUICE_STACK_{option.upper()}_PORT.*auto"):
        stack.up()
    assert stack.status().servers == ()
    assert not (tmp_path / "cache").exists()
