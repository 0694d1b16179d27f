"""What a destination declares of its operations: what may be done when nobody knows whether one was carried out. Pure.

A destination without a declaration gets the safe one: sets are absolute and repeated, commands are looked up where it
implements `Verifier`, else a person decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from connectors.kit.contract import Account, Flow, Write
from schemas.entities import EntityType, Op


class InDoubt(StrEnum):
    """How an outcome nobody knows is found out, once the request can no longer land."""

    SAME_KEY = "same_key"  # send it again: the vendor knows the idempotency key and carries nothing out twice
    REPEAT = "repeat"  # send it again: twice is the same as once (absolute sets)
    VERIFY = "verify"  # ask the vendor for what carries the operation's marker (`Verifier.verify`)
    PERSON = "person"  # park it until somebody has looked


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a destination.

    `key_life`: seconds for which the vendor remembers an idempotency key after its first use, by its documentation;
    `forgotten`: what is done instead of `SAME_KEY` when the key is older than that, was never sent, or the operation
    has expired. `reroutable`: a command that was never sent may go to another account instead, whose operation is
    declared so too: it does the same there, and needs nothing that only this account has.
    """

    in_doubt: InDoubt
    key_life: float = 0.0
    forgotten: InDoubt = InDoubt.PERSON
    reroutable: bool = False

    def __post_init__(self) -> None:
        if self.in_doubt is InDoubt.SAME_KEY and self.key_life <= 0:
            raise ValueError("same_key needs the seconds for which the vendor remembers a key")
        if self.forgotten is InDoubt.SAME_KEY:
            raise ValueError("a forgotten key cannot be the answer to a forgotten key")


@runtime_checkable
class Verifier(Protocol):
    """A destination that can tell whether a command was carried out."""

    def verify(self, account: Account, write: Write) -> Flow:
        """Read only. Returns Written when `write.op_id` was carried out, None when it was not."""
        ...


@runtime_checkable
class Declared(Protocol):
    """A destination that declares its operations."""

    def operation(self, type: EntityType, op: Op) -> Operation | None:
        """What is known of it; None for the safe default."""
        ...


@dataclass(frozen=True, slots=True)
class Batch:
    """Sets that one call can take together: those of one `group`, at most so many."""

    group: str
    most: int


@runtime_checkable
class Batching(Protocol):
    """A destination that takes several sets in one call."""

    def batch(self, account: Account, write: Write) -> Batch | None:
        """What this set may share a call with; None: it goes alone. Never raises."""
        ...

    def write_all(self, account: Account, writes: Sequence[Write]) -> Flow:
        """Sets of one batch. Returns for each, in their order, a Written or the SluiceError it would raise alone: one
        that is refused takes none with it, the others are named Conflict when they were not carried out because of it.

        Raises what concerns all of them, as Destination.write does.
        """
        ...


def of(destination: object, type: EntityType, op: Op, *, command: bool) -> Operation:
    """What a destination declares of an operation, or the safe default."""
    declared = destination.operation(type, op) if isinstance(destination, Declared) else None
    if declared is not None:
        return declared
    if not command:
        return Operation(InDoubt.REPEAT)
    return Operation(InDoubt.VERIFY if isinstance(destination, Verifier) else InDoubt.PERSON)
