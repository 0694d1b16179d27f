from __future__ import annotations

from typing import Any

import pytest

from schemas.compat import incompatibilities, violations
from schemas.topics import Compatibility


def record(*fields: dict[str, Any], name: str = "shop.Item", **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields)} | more


def field(type: Any, name: str = "x", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": type} | more


def enum(*symbols: str, **more: Any) -> dict[str, Any]:
    return {"type": "enum", "name": "shop.Colour", "symbols": list(symbols)} | more


def decimal(precision: int, scale: int) -> dict[str, Any]:
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}


MICROS = {"type": "long", "logicalType": "timestamp-micros"}
MILLIS = {"type": "long", "logicalType": "timestamp-millis"}
FIXED = {"type": "fixed", "name": "shop.Id", "size": 16}

READABLE = {
    "int as long": ("long", "int"),
    "int as float": ("float", "int"),
    "int as double": ("double", "int"),
    "long as float": ("float", "long"),
    "long as double": ("double", "long"),
    "float as double": ("double", "float"),
    "string as bytes": ("bytes", "string"),
    "bytes as string": ("string", "bytes"),
    "a new branch": (["null", "string"], "string"),
    "more branches": (["null", "string", "int"], ["string", "null"]),
    "a union of one as its type": ("string", ["string"]),
    "a promotion into a union": (["null", "long"], "int"),
    "a promotion out of a union": ("long", ["int", "long"]),
    "more symbols": (enum("RED", "BLUE"), enum("RED")),
    "fewer symbols with a default": (enum("RED", "NONE", default="NONE"), enum("RED", "BLUE")),
    "the same fixed": (FIXED, FIXED),
    "an enum under its alias": (enum("RED", name="shop.Shade", aliases=["Colour"]), enum("RED")),
    "arrays of promotions": ({"type": "array", "items": "long"}, {"type": "array", "items": "int"}),
    "maps of promotions": ({"type": "map", "values": "double"}, {"type": "map", "values": "float"}),
    "the same decimal": (decimal(20, 6), decimal(20, 6)),
    "the same time": (MICROS, MICROS),
}

UNREADABLE = {
    "long as int": ("int", "long"),
    "double as float": ("float", "double"),
    "string as int": ("int", "string"),
    "null as string": ("string", "null"),
    "a branch taken away": ("string", ["null", "string"]),
    "a branch exchanged": (["null", "int"], ["null", "string"]),
    "fewer symbols": (enum("RED"), enum("RED", "BLUE")),
    "an enum of another name": (enum("RED", name="shop.Shade"), enum("RED")),
    "a fixed of another size": (FIXED | {"size": 8}, FIXED),
    "array as map": ({"type": "map", "values": "int"}, {"type": "array", "items": "int"}),
    "items of another type": ({"type": "array", "items": "int"}, {"type": "array", "items": "string"}),
    "another precision": (decimal(22, 6), decimal(20, 6)),
    "another scale": (decimal(20, 4), decimal(20, 6)),
    "a decimal as bytes": ("bytes", decimal(20, 6)),
    "another unit of time": (MILLIS, MICROS),
    "a time as a number": ("double", MICROS),
    "a decimal branch with another scale": (["null", decimal(20, 4)], ["null", decimal(20, 6)]),
}


@pytest.mark.parametrize(("reader", "writer"), READABLE.values(), ids=READABLE.keys())
def test_a_field_that_can_be_read(reader: Any, writer: Any) -> None:
    assert incompatibilities(record(field(reader)), record(field(writer))) == []


@pytest.mark.parametrize(("reader", "writer"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_field_that_cannot_be_read_is_named_by_its_path(reader: Any, writer: Any) -> None:
    reasons = incompatibilities(record(field(reader)), record(field(writer)))
    assert reasons
    assert all(reason.startswith("shop.Item.x") for reason in reasons)


def test_a_new_field_needs_a_default() -> None:
    old = record(field("int", "a"))
    assert incompatibilities(record(field("int", "a"), field("int", "b", default=0)), old) == []
    (reason,) = incompatibilities(record(field("int", "a"), field("int", "b")), old)
    assert reason == "shop.Item.b: the field is not written and has no default"


def test_a_field_that_is_no_longer_read_is_no_matter() -> None:
    assert incompatibilities(record(), record(field("int", "a"))) == []


def test_a_renamed_field_is_read_under_its_alias() -> None:
    old = record(field("int", "a"))
    assert incompatibilities(record(field("int", "b", aliases=["a"])), old) == []
    assert incompatibilities(record(field("int", "b")), old)


def test_a_renamed_record_is_read_under_its_alias() -> None:
    assert incompatibilities(record(name="shop.New", aliases=["Item"]), record()) == []
    assert incompatibilities(record(name="shop.New"), record()) == [
        "shop.New: shop.Item is written and shop.New is read; an alias would say they are the same"
    ]


def test_the_path_goes_through_records_arrays_and_unions() -> None:
    def nested(type: Any) -> dict[str, Any]:
        line = record(field(type, "price"), name="shop.Line")
        return record(field(["null", {"type": "array", "items": line}], "lines"))

    (reason,) = incompatibilities(nested("int"), nested("string"))
    assert reason == "shop.Item.lines[].price: string is written and int is read"


def test_a_name_used_again_means_what_it_was_defined_as() -> None:
    def two(symbols: tuple[str, ...]) -> dict[str, Any]:
        return record(field(enum(*symbols), "a"), field(["null", "Colour"], "b"))

    assert incompatibilities(two(("RED",)), two(("RED",))) == []
    reasons = incompatibilities(two(("RED",)), two(("RED", "BLUE")))
    assert [reason.partition(":")[0] for reason in reasons] == ["shop.Item.a", "shop.Item.b"]


def test_a_record_that_holds_itself_is_compared_once() -> None:
    def tree(type: str) -> dict[str, Any]:
        return record(field(type, "value"), field(["null", "shop.Item"], "next"))

    assert incompatibilities(tree("long"), tree("int")) == []
    assert len(incompatibilities(tree("int"), tree("long"))) == 1


def test_a_name_used_before_its_definition_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shop\.Colour"):
        incompatibilities(record(field("shop.Colour")), record())


A = record(field("int", "a"))
AB = record(field("int", "a"), field("int", "b", default=0))
B = record(field("int", "b", default=0))
BROKEN = record(field("string", "a"))


@pytest.mark.parametrize(
    ("level", "new", "history", "fine"),
    [
        (Compatibility.BACKWARD, AB, [A], True),
        (Compatibility.BACKWARD, BROKEN, [A], False),
        (Compatibility.BACKWARD, BROKEN, [A, BROKEN], True),
        (Compatibility.BACKWARD_TRANSITIVE, BROKEN, [A, BROKEN], False),
        (Compatibility.BACKWARD_TRANSITIVE, B, [A, AB], True),
        (Compatibility.FULL_TRANSITIVE, B, [AB], False),
        (Compatibility.FULL_TRANSITIVE, AB, [A], True),
        (Compatibility.FULL_TRANSITIVE, AB, [], True),
    ],
)
def test_each_level_looks_at_the_versions_it_promises_to(
    level: Compatibility, new: Any, history: list[Any], fine: bool
) -> None:
    assert (violations(level, new, history) == []) is fine


def test_a_violation_says_which_version_and_in_which_direction() -> None:
    assert violations(Compatibility.FULL_TRANSITIVE, B, [AB, A]) == [
        "cannot be read by version 1: shop.Item.a: the field is not written and has no default",
        "cannot be read by version 2: shop.Item.a: the field is not written and has no default",
    ]
