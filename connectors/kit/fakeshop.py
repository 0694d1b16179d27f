"""What the fake shops of all platforms have in common: options, journal and edits. Pure; for tests and benchmarks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import InvalidOperation
from typing import Any, Protocol, TypeVar, get_type_hints

Values = dict[str, Any]

# NotThere is a LookupError but no KeyError, so it passes.
WRONG_VALUE: tuple[type[Exception], ...] = (KeyError, TypeError, AttributeError, InvalidOperation)


class UnknownOption(ValueError):
    """An option that does not exist, or a value of another type than it has."""


class NotThere(LookupError):
    """The shop has no such record."""


class BadEdit(ValueError):
    """An edit that is not known or lacks a value."""


@dataclass
class Tunable:
    """Options that change while the shop runs. Subclasses are dataclasses of str, int, float and bool fields."""

    def change(self, values: Mapping[str, Any]) -> None:
        """Change several options at once. Raises UnknownOption, and then changes none."""
        known = get_type_hints(type(self))
        for name, value in values.items():
            if name not in known:
                raise UnknownOption(f"no option {name!r}; known: {', '.join(field.name for field in fields(self))}")
            if not _fits(value, known[name]):
                raise UnknownOption(f"option {name!r} is a {known[name].__name__}, not {value!r}")
        for name, value in values.items():
            setattr(self, name, value)


def _fits(value: Any, kind: Any) -> bool:
    if kind is bool or isinstance(value, bool):
        return kind is bool and isinstance(value, bool)
    return isinstance(value, int | float) if kind is float else isinstance(value, kind)


@dataclass(frozen=True)
class Accepted:
    """One accepted write, for oracles. `actor`: api or admin; `request_id`: x-request-id of the call; `changed`:
    false when it left what was there; `at`: microseconds UTC."""

    sequence: int
    at: int
    actor: str
    kind: str
    remote_id: str
    sku: str
    value: str
    changed: bool
    location: str = ""
    request_id: str = ""


class Shop(Protocol):
    """What every fake shop can do."""

    @property
    def journal(self) -> Sequence[Accepted]:
        """Every accepted write, in order; the first has sequence 1."""
        ...

    def create_product(self, title: str, skus: dict[str, str], stock: int, /) -> object:
        """A product with `skus` (SKU -> price) and so many units of each."""
        ...


ShopT = TypeVar("ShopT", bound=Shop)
Edits = dict[str, Callable[[ShopT, Values], Values | None]]


def carry_out(
    edits: Edits[ShopT], shop: ShopT, values: Any, wrong: tuple[type[Exception], ...] = WRONG_VALUE
) -> dict[str, Any]:
    """Carry out {"do": name, ...}. Returns {"sequence": of the last accepted write} and ids of what was created.

    `wrong`: what an edit raises over a missing or wrong value. Raises BadEdit and NotThere.
    """
    name = values.get("do") if isinstance(values, dict) else None
    if name not in edits:
        raise BadEdit(f"unknown edit {name!r}; known: {', '.join(edits)}")
    try:
        made = edits[name](shop, values)
    except wrong as error:
        raise BadEdit(f"{name}: missing or wrong value: {error!r}") from error
    return {"sequence": len(shop.journal), **(made or {})}
