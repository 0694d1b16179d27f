"""What the data folder remembers between two calls, and how a new start is planned from it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from streams.stack.errors import StateMismatch
from streams.stack.layout import DEFAULT_KAFKA_PORT, DEFAULT_REGISTRY_PORT, StackOptions


@dataclass(frozen=True, slots=True)
class Ports:
    """One client port and one controller port per broker, and the registry's."""

    kafka: tuple[int, ...]
    controllers: tuple[int, ...]
    registry: int


@dataclass(frozen=True, slots=True)
class State:
    """The shape of the stack whose data lies in the folder."""

    cluster_id: str
    ports: Ports

    @property
    def brokers(self) -> int:
        return len(self.ports.kafka)


def load(path: Path) -> State | None:
    """The remembered state; None when the folder was never used."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        ports = raw["ports"]
        kafka, controllers = tuple(map(int, ports["kafka"])), tuple(map(int, ports["controllers"]))
        return State(str(raw["cluster_id"]), Ports(kafka, controllers, int(ports["registry"])))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise StateMismatch(f"{path} cannot be read ({error!r}). `sluice stack reset` starts afresh.") from error


def save(path: Path, state: State) -> None:
    """Remember `state`."""
    write_json(path, asdict(state))


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write in one step: a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    draft.replace(path)


def plan(
    options: StackOptions,
    known: State | None,
    *,
    new_id: Callable[[], str],
    free: Callable[[int], list[int]],
    is_free: Callable[[int], bool],
) -> State:
    """The state to start with: what was asked for, else what is remembered, else the defaults.

    Asked for any port (0), the remembered one is kept while it is free: clients may still know it.
    """
    brokers = options.brokers or (known.brokers if known else 1)
    if known and known.brokers != brokers:
        raise StateMismatch(
            f"{options.directory} holds the data of {known.brokers} broker(s), {brokers} asked for. "
            "`sluice stack reset` deletes that data."
        )
    clients, controllers = _kafka_ports(options.kafka_port, brokers, known, free, is_free)
    registry = _registry_port(options.registry_port, known, free, is_free)
    return State(known.cluster_id if known else new_id(), Ports(clients, controllers, registry))


def _kafka_ports(
    asked: int | None,
    brokers: int,
    known: State | None,
    free: Callable[[int], list[int]],
    is_free: Callable[[int], bool],
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Client ports and controller ports, one each per broker."""
    if known and (asked is None or (asked == 0 and all(map(is_free, known.ports.kafka + known.ports.controllers)))):
        return known.ports.kafka, known.ports.controllers
    if asked == 0:
        chosen = free(2 * brokers)
        return tuple(chosen[:brokers]), tuple(chosen[brokers:])
    first = asked or DEFAULT_KAFKA_PORT
    clients = tuple(first + 2 * index for index in range(brokers))
    return clients, tuple(port + 1 for port in clients)


def _registry_port(
    asked: int | None, known: State | None, free: Callable[[int], list[int]], is_free: Callable[[int], bool]
) -> int:
    if known and (asked is None or (asked == 0 and is_free(known.ports.registry))):
        return known.ports.registry
    return free(1)[0] if asked == 0 else asked or DEFAULT_REGISTRY_PORT
