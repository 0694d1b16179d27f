"""Encoded records cut into their fields, so that records can be put together and compared without being decoded.

The fields of an Avro record stand one behind the other in the order of its schema, so a record that takes some of its
fields from another one is made by joining slices. A function generated from the schema finds where they end: walking
the schema for every record costs twice as much, decoding it four times. Shapes are checked, not that texts are UTF-8.
Source: Avro 1.12, binary encoding.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import groupby
from typing import Any, NoReturn

from schemas.avrobytes import END, zigzag
from schemas.codec import FRAME_SIZE, Codec, Schema, Undecodable, load

Fields = tuple[bytes, ...]


class Cutter:
    """Cuts and joins records of one local schema. The first one asks the schema registry."""

    def __init__(self, codec: Codec, name: str) -> None:
        self._codec = codec
        self._name = name
        self._names, self._slices, self._maps = _of_schema(name)

    def cut(self, value: bytes) -> Fields:
        """The encoded fields in the order of the local schema; equal where they say the same. Raises CodecError."""
        if not value.startswith(self._codec.frame(self._name)):
            return self._slices(self._normal(value))
        try:
            fields = self._slices(value)
        except (AttributeError, IndexError, ValueError) as error:  # of a match that is none, too
            raise Undecodable(f"these {len(value)} bytes are no record of {self._name!r}: {error!r}") from error
        for at in self._maps:
            if fields[at] != END:  # the entries of a map have no order of their own
                return self._slices(self._normal(value))
        return fields

    def join(self, fields: Iterable[bytes]) -> bytes:
        """The record of these fields."""
        return self._codec.frame(self._name) + b"".join(fields)

    def _normal(self, value: bytes) -> bytes:
        """As the local schema says it, maps sorted. Fields that it does not have are left out."""
        record = self._codec.decode(value)
        return self._codec.encode(self._name, {name: _sorted(record[name]) for name in self._names if name in record})


def _sorted(node: Any) -> Any:
    if isinstance(node, dict):
        return {name: _sorted(node[name]) for name in sorted(node)}
    return [_sorted(item) for item in node] if isinstance(node, list) else node


@cache
def _of_schema(name: str) -> tuple[Sequence[str], Callable[[bytes], Fields], Sequence[int]]:
    """Field names, and what `compiled` makes of a local schema: once for all shards."""
    schema = load(name)
    return [field["name"] for field in schema["fields"]], *compiled(schema)


def compiled(schema: Schema) -> tuple[Callable[[bytes], Fields], list[int]]:
    """What cuts a framed record of a schema, and which of its fields have a map in them. It raises AttributeError,
    IndexError and ValueError for anything else."""
    generated, names = _Generated(), [f"end{at}" for at in range(len(schema["fields"]))]
    lines, maps = ["def cut(data):", f"    at = {FRAME_SIZE}"], []
    for at, field in enumerate(schema["fields"]):
        body = list(_in_runs(generated.lines(field["type"], "    ")))
        lines += [*body, f"    {names[at]} = at"]
        if any(_MAP in line for line in body):
            maps.append(at)
    slices = [f"data[{begin}:{end}]" for begin, end in zip([FRAME_SIZE, *names], names, strict=False)]
    lines += ["    if at != len(data):", '        raise ValueError(f"it ends at byte {at}")']
    lines.append(f"    return ({', '.join(slices)},)")
    made: dict[str, Any] = {"step": _STEP, "far": _far, "block": _block, "after": _AFTER, "no": _no}
    exec("\n".join(lines), made)
    return made["cut"], maps


_MAP = "# map"
_NUMBER = "# number"
_TEXT = "at += step[data[at]] or far(data, at)"
_PRIMITIVES = {"null": "pass", "boolean": "at += 1", "int": _NUMBER, "long": _NUMBER, "string": _TEXT, "bytes": _TEXT}
_STEP = tuple(0 if n & 1 or n > 127 else 1 + (n >> 1) for n in range(256))  # over a text, by its first byte; 0: far
_RUN = 16  # numbers that are passed at once
_AFTER = [re.compile(rb"[\x80-\xff]*[\x00-\x7f]" * count, re.DOTALL).match for count in range(_RUN + 1)]


def _in_runs(lines: Iterable[str]) -> Iterator[str]:
    """Lines in which numbers that follow each other are passed at once."""
    for line, run in groupby(lines):
        count = len(list(run))
        if not line.endswith(_NUMBER):
            yield from [line] * count
            continue
        for some in [_RUN] * (count // _RUN) + [count % _RUN] * (count % _RUN > 0):
            yield line.replace(_NUMBER, f"at = after[{some}](data, at).end()")


class _Generated:
    """Python that moves `at` behind a value of a type in `data`. Raises KeyError for a type that no record has yet."""

    def __init__(self) -> None:
        self._named: dict[str, Schema] = {}

    def lines(self, node: Any, pad: str) -> Iterator[str]:
        """The lines for one type, indented."""
        if isinstance(node, list):
            yield from self._union(node, pad)
        elif isinstance(node, dict):
            yield from self._composed(node, pad)
        elif node in self._named:
            yield from self._composed(self._named[node], pad)
        else:
            yield pad + _PRIMITIVES[node]

    def _composed(self, node: Schema, pad: str) -> Iterator[str]:
        kind = node["type"]
        if kind == "record":
            self._named[f"sluice.{node['name']}"] = node
            for field in node["fields"]:
                yield from self.lines(field["type"], pad)
        elif kind == "enum":
            yield f"{pad}at += data[at] in {bytes(range(0, 2 * len(node['symbols']), 2))!r} or no('symbol')"
        elif kind in {"array", "map"}:
            yield from self._blocks(node, pad)
        else:
            yield from self.lines(kind, pad)

    def _union(self, branches: list[Any], pad: str) -> Iterator[str]:
        yield f"{pad}n, at = data[at], at + 1"
        for number, branch in enumerate(branches):
            yield f"{pad}{'elif' if number else 'if'} n == {2 * number}:"
            yield from self.lines(branch, pad + "    ")
        yield f"{pad}else:"
        yield f"{pad}    no('branch')"

    def _blocks(self, node: Schema, pad: str) -> Iterator[str]:
        yield f"{pad}while data[at]:" + (f"  {_MAP}" if node["type"] == "map" else "")
        yield f"{pad}    count, at = block(data, at)"
        yield f"{pad}    for _ in range(count):"
        if node["type"] == "map":
            yield from self.lines("string", pad + "        ")
        yield from self.lines(node["values"] if node["type"] == "map" else node["items"], pad + "        ")
        yield f"{pad}at += 1"


def _no(what: str) -> NoReturn:
    raise ValueError(f"no such {what}")


def _far(data: bytes, at: int) -> int:
    """The size of a text with its length, which is not one byte."""
    length, end = zigzag(data, at)
    if length & 1:
        raise ValueError("a length below 0")
    return end - at + (length >> 1)


def _block(data: bytes, at: int) -> tuple[int, int]:
    """How many items a block has, and where they begin. A count below 0 is followed by the size in bytes."""
    rest, at = zigzag(data, at)
    if not rest & 1:
        return rest >> 1, at
    while data[at] > 127:
        at += 1
    return (rest + 1) >> 1, at + 1
