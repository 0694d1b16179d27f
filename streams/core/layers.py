"""What one account says of one entity in parts: for each field the newest version that carries it. Pure.

A row is a list of layers, newest first: an event as it came, and which of its fields still count. Laying one more on is
commutative, associative and idempotent, so full and partial events and deletes may come in any order.

    per layer: version 29 | corrected time 8 | op 1 | fields 8 | size 4 | value
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple

from schemas.entities import Op

_LAYER = struct.Struct(">29sQBQI")
_SIZE = _LAYER.size
_OPS = {int(op): op for op in Op}
_version = itemgetter(0)
MOST_FIELDS = 63
ALL = (1 << MOST_FIELDS) - 1
_ONLY_WHOLE = 1 << (MOST_FIELDS - 1)  # a field that no schema has: only what is about all fields says it


class Layer(NamedTuple):
    """One event of the account. `fields`: bit set of those that count here, by their place in the schema; `version`
    packed; `corrected` in microseconds UTC; `value` as it came, empty for a delete, which is about all fields."""

    version: bytes
    corrected: int
    op: Op
    fields: int
    value: bytes


Layers = tuple[Layer, ...]


def lay(layers: Layers, new: Layer) -> Layers:
    """With one more event. A version that is there already changes nothing."""
    for layer in layers:
        if layer.version == new.version:
            return layers
    covered, out = 0, []
    for layer in sorted((*layers, new), key=_version, reverse=True):
        counts = layer.fields & ~covered
        if counts:
            out.append(layer if counts == layer.fields else layer._replace(fields=counts))
        covered |= layer.fields
    return tuple(out)


def deleted(layers: Layers) -> bool:
    """Whether the account does not have the entity: a delete is not undone by saying some of its fields."""
    for layer in layers:  # noqa: SIM110 -- a generator would cost more than the search
        if layer.op is Op.DELETE:
            return True
    return False


def covers(layers: Layers, fields: int) -> bool:
    """Whether the account has said all of these fields."""
    said = 0
    for layer in layers:
        said |= layer.fields
    return not fields & ~said


def whole(layers: Layers) -> Layer | None:
    """The newest event that said everything: a whole record or a delete. None when the account said parts only."""
    return next((layer for layer in layers if layer.fields & _ONLY_WHOLE), None)


def newest(layers: Layers, fields: int = ALL) -> Layer:
    """The newest layer that says one of these fields. Raises ValueError when none does."""
    return max((layer for layer in layers if layer.fields & fields), key=lambda layer: layer.version)


def retime(layers: Layers, version: bytes, corrected: int) -> Layers:
    """With another corrected time for one version."""
    return tuple(one._replace(corrected=corrected) if one.version == version else one for one in layers)


def pack(layers: Iterable[Layer]) -> bytes:
    """The row."""
    return b"".join(
        [
            _LAYER.pack(version, corrected, op, fields, len(value)) + value
            for version, corrected, op, fields, value in layers
        ]
    )


def unpack(row: bytes) -> Layers:
    """Raises ValueError for a row that is cut off."""
    at, end, out = 0, len(row), []
    try:
        while at < end:
            version, corrected, op, fields, size = _LAYER.unpack_from(row, at)
            at += _SIZE
            out.append(Layer(version, corrected, _OPS[op], fields, row[at : at + size]))
            at += size
    except KeyError as error:
        raise ValueError(f"a row of layers has an unknown op: {error}") from error
    except struct.error as error:
        raise ValueError(f"a row of layers of {len(row)} bytes is cut off: {error}") from error
    if at > end:
        raise ValueError(f"a row of layers of {len(row)} bytes is cut off")
    return tuple(out)


def bits(names: Sequence[str], places: Mapping[str, int]) -> int:
    """The bit set of fields by name. Raises KeyError for a name the schema does not have."""
    out = 0
    for name in names:
        out |= 1 << places[name]
    return out
