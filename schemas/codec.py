"""Avro in the Confluent wire format: magic byte 0, 4-byte schema id, Avro body.

The writer's schema, found by the id in the record, decodes; nothing is projected, because projecting costs more than
reading everything. Schemas are parsed once per process.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Any, Protocol

import fastavro
import orjson

Schema = dict[str, Any]
Record = dict[str, Any]

_FRAME = struct.Struct(">bI")
FRAME_SIZE = _FRAME.size


class CodecError(ValueError):
    """A value that cannot be read or written; dead-letter it, trying again cannot help."""


class UnknownSchema(CodecError):
    """The id in the frame is not known to the registry."""


class Undecodable(CodecError):
    """Not the wire format, or bytes that the writer's schema cannot read."""


class Unencodable(CodecError):
    """A record that does not fit its schema."""


class SchemaSource(Protocol):
    """Where ids and schemas come from; implemented by `schemas.registry`."""

    def id_of(self, name: str) -> int:
        """The id of the local schema `name` (file name without ending)."""
        ...

    def schema_of(self, schema_id: int) -> Schema:
        """The writer's schema behind an id. Raises UnknownSchema."""
        ...


@cache
def load(name: str) -> Schema:
    """The self-contained schema of `schemas/avro/<name>.avsc`: references to other files stand inline."""
    schema: Schema = _inline(_read(name), set())
    return schema


@cache
def _read(name: str) -> Schema:
    schema: Schema = orjson.loads((files("schemas") / "avro" / f"{name}.avsc").read_bytes())
    return schema


def names() -> tuple[str, ...]:
    """All schemas in the package, sorted."""
    return tuple(sorted(entry.name.removesuffix(".avsc") for entry in (files("schemas") / "avro").iterdir()))


_FILES = {"sluice.Meta": "meta", "sluice.Money": "money"}


def _inline(node: Any, known: set[str]) -> Any:
    """Replace the first use of a type that lives in another file by its definition."""
    if isinstance(node, str):
        if node in _FILES and node not in known:
            known.add(node)
            return _inline(_read(_FILES[node]), known)
        return node
    if isinstance(node, list):
        return [_inline(item, known) for item in node]
    if isinstance(node, dict):
        return {
            key: _inline(value, known) if key in {"type", "items", "values", "fields"} else value
            for key, value in node.items()
        }
    return node


class Codec:
    """Encodes by local schema name, decodes by the id in the frame. Not bound to any event loop."""

    def __init__(self, source: SchemaSource) -> None:
        self._source = source
        self._writers: dict[str, tuple[bytes, Any]] = {}
        self._readers: dict[int, Callable[[bytes], Record]] = {}

    def encode(self, name: str, record: Mapping[str, Any]) -> bytes:
        """Frame and encode one record. Raises Unencodable naming the schema and the field at fault."""
        writer = self._writers.get(name) or self._writer(name)
        out = BytesIO()
        out.write(writer[0])
        try:
            # Strict: a misspelt field name would be dropped without a word.
            fastavro.schemaless_writer(out, writer[1], record, strict_allow_default=True)
        except Exception as error:
            raise Unencodable(f"a record does not fit schema {name!r}: {type(error).__name__}: {error}") from error
        return out.getvalue()

    def frame(self, name: str) -> bytes:
        """What every record of this local schema begins with, for those that are written by hand."""
        return (self._writers.get(name) or self._writer(name))[0]

    def _writer(self, name: str) -> tuple[bytes, Any]:
        frame = _FRAME.pack(0, self._source.id_of(name))
        writer = self._writers[name] = (frame, fastavro.parse_schema(load(name)))
        return writer

    def decode(self, data: bytes) -> Record:
        """Decode one framed value. Raises UnknownSchema or Undecodable."""
        return self._reader(data)(data)

    def decode_many(self, values: Iterable[bytes]) -> list[Record]:
        """Decode framed values; the schema lookup is paid once per run of equal ids."""
        decoded: list[Record] = []
        frame, reader = b"", None
        for data in values:
            if reader is None or data[:FRAME_SIZE] != frame:
                frame, reader = data[:FRAME_SIZE], self._reader(data)
            decoded.append(reader(data))
        return decoded

    def schema_name(self, data: bytes) -> str:
        """The full name of the writer's record, e.g. sluice.Price. Raises UnknownSchema or Undecodable."""
        schema = self._source.schema_of(_frame_id(data))
        name, namespace = str(schema.get("name")), schema.get("namespace")
        return f"{namespace}.{name}" if namespace and "." not in name else name

    def _reader(self, data: bytes) -> Callable[[bytes], Record]:
        schema_id = _frame_id(data)
        reader = self._readers.get(schema_id)
        if reader is None:
            schema = self._source.schema_of(schema_id)
            try:
                parsed = fastavro.parse_schema(schema)
            except Exception as error:
                raise UnknownSchema(f"what the registry holds under id {schema_id} is no Avro: {error}") from error
            reader = self._readers[schema_id] = _reader(schema_id, parsed)
        return reader


def _frame_id(data: bytes) -> int:
    if len(data) < FRAME_SIZE or data[0] != 0:
        raise Undecodable(f"not the Confluent wire format: {len(data)} bytes starting {data[:8].hex()!r}")
    return int(_FRAME.unpack_from(data)[1])


def _reader(schema_id: int, parsed: Any) -> Callable[[bytes], Record]:
    def read(data: bytes) -> Record:
        stream = BytesIO(data)
        stream.seek(FRAME_SIZE)
        try:
            record: Record = fastavro.schemaless_reader(stream, parsed, None)
        except Exception as error:
            raise Undecodable(f"schema {schema_id} cannot read these {len(data)} bytes: {error!r}") from error
        if stream.tell() != len(data):
            raise Undecodable(f"schema {schema_id} reads {stream.tell()} of these {len(data)} bytes")
        return record

    return read
