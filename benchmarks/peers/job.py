"""What each Python peer is told, and the one decision that all of them make."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

ID = 16  # bytes of an event id, the start of the packed header
VERSION = 29  # bytes of a version, right behind the id; versions compare as bytes
KEPT = VERSION + 15 * ID  # what of a row outlives the next event: its version and 15 of its 16 ids


@dataclass(frozen=True, slots=True)
class Job:
    """Addresses and names of one run. `group` is the peer's identity; `folder` is empty and its own."""

    bootstrap: str
    source: str
    output: str
    group: str
    folder: Path


def from_environment() -> Job:
    """The job in the PEER_* variables. Raises KeyError naming the first that is missing."""
    bootstrap, source, output = (os.environ[f"PEER_{name}"] for name in ("BOOTSTRAP", "SOURCE", "OUTPUT"))
    return Job(bootstrap, source, output, os.environ["PEER_GROUP"], Path(os.environ["PEER_FOLDER"]))


def decide(row: bytes | None, header: bytes) -> tuple[bytes, bool] | None:
    """The new row of a key and whether this event wins; None for a duplicate.

    A row is the highest version and the last 16 event ids, newest first, as bytes.
    """
    event_id, version = header[:ID], header[ID : ID + VERSION]
    if row is None:
        return version + event_id, True
    if _holds(row, event_id):
        return None
    wins = version > row[:VERSION]
    return (version if wins else row[:VERSION]) + event_id + row[VERSION:KEPT], wins


def _holds(row: bytes, event_id: bytes) -> bool:
    at = row.find(event_id, VERSION)
    while at >= 0 and (at - VERSION) % ID:  # across two ids: no hit
        at = row.find(event_id, at + 1)
    return at >= 0
