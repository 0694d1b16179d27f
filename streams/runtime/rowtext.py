"""The rows of every role as plain data for people and scripts: texts, numbers, lists and dicts. Pure.

A row of a kind or format that this version does not know is shown in hexadecimal, with the reason: whoever looks at
rows needs most of all to see those that are wrong.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any

import orjson

from schemas.codec import Codec, CodecError
from schemas.entities import EntityType
from schemas.headers import ACCOUNT_SIZE, InvalidHeader, Version
from schemas.identity import account_hash, join
from schemas.registry import RegistryError
from streams.core import courier_rows, flowrow, layers, ledger, policyrow, stock
from streams.core.entity import Entity
from streams.core.massdelete import Window
from streams.runtime.raw import micros
from streams.runtime.state import UnreadableRow

VALUE = b"V"
OF_ENTITIES = (b"E", VALUE)  # kinds of the resolver whose names are golden keys
_U64 = struct.Struct(">Q")
_PLACE = struct.Struct(">QQ")
_STRANGE = (ValueError, KeyError, IndexError, TypeError, struct.error, InvalidHeader, CodecError, RegistryError)


@dataclass(frozen=True, slots=True)
class Names:
    """What is needed to read rows: `accounts` by hash (as `tenant|account`), and the codec of records in them."""

    accounts: Mapping[bytes, str]
    codec: Codec

    @classmethod
    def of(cls, accounts: Iterable[tuple[str, str]], codec: Codec) -> Names:
        """For the accounts of a configuration, as (tenant, id)."""
        return cls({account_hash(*known): join(*known) for known in accounts}, codec)

    def account(self, hashed: bytes) -> str:
        """The account's name, or its hash in hexadecimal when the configuration does not know it."""
        return self.accounts.get(hashed, hashed.hex())


Decoder = Callable[[bytes, bytes, Names], tuple[str, dict[str, Any]]]


def decode(courier: bool, key: bytes, value: bytes, names: Names) -> dict[str, Any]:
    """One row: `row` says what it is, `name` of what, `says` its content; or `unreadable` why not, and its `hex`."""
    what, decoder = (_OF_COURIER if courier else _OF_RESOLVER).get(key[:1], ("", None))
    try:
        if decoder is None:
            raise ValueError(f"rows of kind {key[:1]!r} are unknown to this version")
        name, content = decoder(key, value, names)
    except _STRANGE as error:
        shown = key[1:].decode(errors="backslashreplace")
        return {"row": what or "unknown", "name": shown, "unreadable": str(error), "hex": value.hex()}
    return {"row": what, "name": name, "says": content}


def entity(one: Entity, names: Names) -> dict[str, Any]:
    """A resolver's row of an entity."""
    plain = {name: _field(name, value, names) for name, value in one._asdict().items()}
    plain["accounts"] = plain.pop("contributions")
    return plain


def golden_key(key: bytes) -> bytes:
    """The entity of a row `E` or `V`."""
    return key[1:-ACCOUNT_SIZE] if key[:1] == VALUE else key[1:]


def applied_up_to(place: bytes) -> int:
    """The first offset of an input that a shard has not applied, of a row `P`. Raises UnreadableRow."""
    if len(place) != _PLACE.size:
        raise UnreadableRow(f"not the place of a shard in its input: {place.hex()}; likely another version wrote it")
    return int(_PLACE.unpack(place)[0])


def plain_record(record: Any) -> Any:
    """A decoded Avro record: amounts as text, bytes in hexadecimal, times as microseconds UTC."""
    if isinstance(record, Mapping):
        return {name: plain_record(one) for name, one in record.items()}
    if isinstance(record, list | tuple):
        return [plain_record(one) for one in record]
    if isinstance(record, Decimal):
        return format(record.normalize(), "f")
    if isinstance(record, datetime):
        return micros(record)
    return record.hex() if isinstance(record, bytes) else record


# ------------------------------------------------------------------------------------------- resolver, mapper


def _entity_row(key: bytes, value: bytes, names: Names) -> tuple[str, dict[str, Any]]:
    return key[1:].decode(), entity(Entity.unpack(value), names)


def _value_row(key: bytes, value: bytes, names: Names) -> tuple[str, dict[str, Any]]:
    """What one account said: a record, or of a type that is put together from parts the events that still count."""
    try:
        said = layers.unpack(value)
    except ValueError:
        content: dict[str, Any] = {"record": plain_record(names.codec.decode(value))}
    else:
        content = {"events": [_plain(layer, names) for layer in said]}
    return golden_key(key).decode(), {"account": names.account(key[-ACCOUNT_SIZE:]), **content}


def _watermark(key: bytes, value: bytes, names: Names) -> tuple[str, dict[str, Any]]:
    return _stream(key, names), {"watermark": _U64.unpack(value)[0]}


def _stream(key: bytes, names: Names) -> str:
    """Account and type."""
    account, code = names.account(key[1 : 1 + ACCOUNT_SIZE]), key[1 + ACCOUNT_SIZE]
    return f"{account}|{EntityType.from_code(code).value}"


def _place(key: bytes, value: bytes, names: Names) -> tuple[str, dict[str, Any]]:
    return key[1:].decode(), {"applied_up_to": applied_up_to(value), "shard_seq": _PLACE.unpack(value)[1]}


def _counters(key: bytes, value: bytes, names: Names) -> tuple[str, dict[str, Any]]:
    entry = ledger.decode(key, value)
    name = f"{entry.account}|{entry.day}"
    return name, {"book": entry.book.name.lower(), **{what: count for what, count in entry.counters.items() if count}}


def _grave(key: bytes, value: bytes, names: Names) -> tuple[str, dict[str, Any]]:
    day = ledger.day_of(int.from_bytes(key[1:5], "big") * ledger.DAY_MICROS)
    return key[5:].decode(), {"deleted_on": day}


def _deletes(key: bytes, value: bytes, names: Names) -> tuple[str, dict[str, Any]]:
    return _stream(key, names), _plain(Window.unpack(value), names)


def _clocks(key: bytes, value: bytes, names: Names) -> tuple[str, dict[str, Any]]:
    epoch, clocks = orjson.loads(value)
    return names.account(key[1:]), {"clock_epoch": epoch, "clocks": clocks}


def _policies(key: bytes, value: bytes, names: Names) -> tuple[str, dict[str, Any]]:
    standing = policyrow.unpack(value)
    policies = {kind.value: policyrow.plain(policy) for kind, policy in standing.policies.items()}
    kept = sorted(kind.value for kind in standing.kept)
    return "policies", {"revision": standing.revision, "policies": policies, "values_kept_of": kept}


def _reservations(key: bytes, value: bytes, names: Names) -> tuple[str, dict[str, Any]]:
    return key[1:].decode(), {"reservations": [_plain(one, names) for one in stock.unpack(value)]}


def _flows(key: bytes, value: bytes, names: Names) -> tuple[str, dict[str, Any]]:
    standing = flowrow.unpack(value)
    left = {"not_looked_at_yet": sorted(standing.open)} if standing.open else {}
    return "flows", {"revision": standing.revision, "flows": dict(standing.flows), **left}


def _commands(key: bytes, value: bytes, names: Names) -> tuple[str, dict[str, Any]]:
    return key[1:].decode(), {"given": [f"{flow} to {account}" for flow, account in orjson.loads(value)]}


_OF_RESOLVER: Mapping[bytes, tuple[str, Decoder | None]] = {
    b"E": ("entity", _entity_row),
    VALUE: ("value", _value_row),
    b"W": ("watermark", _watermark),
    b"P": ("place", _place),
    b"L": ("ledger", _counters),
    b"G": ("grave", _grave),
    b"B": ("deletes", _deletes),
    b"K": ("clock", _clocks),
    b"O": ("reservations", _reservations),
    policyrow.KEY: ("policies", _policies),
    flowrow.KEY: ("flows", _flows),
    b"C": ("commands", _commands),
}


# ------------------------------------------------------------------------------------------- courier


def _of_courier(unpack: Callable[[bytes], Any]) -> Decoder:
    def decoder(key: bytes, value: bytes, names: Names) -> tuple[str, dict[str, Any]]:
        account, *rest = key[1:].decode().split("\0")
        content = _plain(unpack(value), names)
        return _spoken(account, rest), content if isinstance(content, dict) else {"value": content}

    return decoder


def _spoken(account: str, rest: list[str]) -> str:
    """Commands and fetches are told apart from sets by a control character in front of their name."""
    words = [part.replace("\x01", "command ").replace("\x02", "fetch ") for part in rest if part]
    return " ".join([account, *words])


_OF_COURIER: Mapping[bytes, tuple[str, Decoder | None]] = {
    courier_rows.TASK: ("task", _of_courier(courier_rows.unpack_task)),
    courier_rows.INTENT: ("intent", _of_courier(courier_rows.unpack_intent)),
    courier_rows.APPLIED: ("applied", _of_courier(courier_rows.unpack_applied)),
    courier_rows.CURSOR: ("cursor", _of_courier(courier_rows.unpack_cursor)),
    courier_rows.HOLE: ("hole", _of_courier(courier_rows.unpack_hole)),
    courier_rows.SNAPSHOT: ("snapshot", _of_courier(courier_rows.unpack_snapshot)),
    courier_rows.BUCKET: ("bucket", _of_courier(courier_rows.unpack_bucket)),
    courier_rows.ROUTE: ("route", _of_courier(courier_rows.unpack_route)),
    courier_rows.EPOCH: ("epoch", _of_courier(courier_rows.unpack_epoch)),
    ledger.KIND: ("ledger", _counters),
}
KINDS = tuple(sorted({what for table in (_OF_RESOLVER, _OF_COURIER) for what, _ in table.values()}))


# ------------------------------------------------------------------------------------------- values


def _plain(value: Any, names: Names) -> Any:
    """A row's value object, whatever fields it has."""
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: _field(one.name, getattr(value, one.name), names) for one in fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: _field(name, one, names) for name, one in value._asdict().items()}
    if isinstance(value, Mapping):
        return {str(name): _plain(one, names) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one, names) for one in value]
    if isinstance(value, frozenset | set):
        return sorted(_plain(one, names) for one in value)
    if isinstance(value, IntEnum):
        return value.name.lower()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return "never"
    return value.hex() if isinstance(value, bytes) else value


def _field(name: str, value: Any, names: Names) -> Any:
    if name in ("account", "winner") and isinstance(value, bytes):
        return names.account(value)
    if name == "version" and isinstance(value, bytes):
        return _plain(Version.unpack(value), names)
    if name == "value" and isinstance(value, bytes):
        return _record(value, names)
    if name == "asked":
        return [{"fingerprint": content.hex(), "corrected_time": time} for content, time in value]
    return _plain(value, names)


def _record(value: bytes, names: Names) -> Any:
    try:
        return plain_record(names.codec.decode(value))
    except (CodecError, RegistryError):
        return value.hex()
