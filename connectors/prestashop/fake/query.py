"""Filters, sorting, paging and display of a list, as the webservice turns them into SQL. Pure.

Source: PrestaShop, classes/webservice/WebserviceRequest.php (manageFilters, setFieldsToDisplay) and SQLUtils.php.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.prestashop.fake.errors import WebserviceError
from connectors.prestashop.fake.schema import Field, Resource

Stored = dict[str, Any]
_FILTER = re.compile(r"filter\[(\w+)\]")
_VALUE = re.compile(r"(.*)\[(.*)\](.*)", re.DOTALL)
_RANGE = re.compile(r"([\d.:\-\s]+),([\d.:\-\s]+)")
_DATES = frozenset({"date_add", "date_upd"})


def select(resource: Resource, rows: Iterable[Stored], query: Mapping[str, str]) -> list[Stored]:
    """The rows of a list request, filtered, sorted and cut. Raises WebserviceError."""
    available = _available(resource, query)
    found = list(rows)
    for name, value in query.items():
        if match := _FILTER.fullmatch(name):
            keep = _condition(resource, match[1], value, available)
            found = [row for row in found if keep(row)]
    return _cut(_sorted(resource, found, query.get("sort", ""), available), query.get("limit", ""))


def displayed(resource: Resource, query: Mapping[str, str]) -> Sequence[str] | None:
    """The fields to show, None for all of them and the associations. Raises WebserviceError 35 or 36."""
    wanted = query.get("display", "")
    if wanted == "full":
        return None
    if wanted in ("", "minimum"):
        return ("id",)
    match = re.fullmatch(r"\[(.*)\]", wanted)
    if match is None:
        raise WebserviceError(400, 36, "The 'display' syntax is wrong. You can set 'full' or '[field_1,field_2]'.")
    names = [name.strip() for name in match[1].split(",")]
    for name in names:
        if name not in resource.fields:
            raise WebserviceError(400, 35, f'Unable to display this field "{name}".')
    return names


def _available(resource: Resource, query: Mapping[str, str]) -> set[str]:
    names = {name for name, field in resource.fields.items() if not field.i18n} - _DATES
    return names | _DATES if query.get("date") == "1" else names


def _condition(resource: Resource, name: str, value: str, available: set[str]) -> Callable[[Stored], bool]:
    if name not in available:
        raise WebserviceError(400, 32, f'This filter does not exist. Did you mean: "{min(available)}"?')
    if not value:
        raise WebserviceError(400, 33, f'The filter "{name}" is malformed.')
    field = resource.fields.get(name)
    if field is None:  # date=1 makes the column available even where the table has none
        raise WebserviceError(500, 0, f"Unknown column '{name}' in 'where clause'")
    if not field.stored:
        raise WebserviceError(
            400, 34, f'The field "{name}" is dynamic. It is not possible to filter GET query with it.'
        )
    test = _test(field, value)
    return lambda row: test(_sql(field, str(row[name])))


def _test(field: Field, value: str) -> Callable[[Any], bool]:
    match = _VALUE.fullmatch(value)
    before, text, behind = match.groups() if match else ("", value, "")
    operand = _sql(field, text)
    if before == "%" or behind == "%":
        return _like(before, text, behind)
    if before == ">":
        return lambda held: bool(held > operand)
    if before == "<":
        return lambda held: bool(held < operand)
    if before == "!":
        refused = {_sql(field, one) for one in text.split("|")}
        return lambda held: held not in refused
    if match and "|" in text:
        wanted = {_sql(field, one) for one in text.split("|")}
        return lambda held: held in wanted
    if match and (bounds := _RANGE.fullmatch(text)):
        low, high = sorted(_sql(field, one) for one in bounds.groups())
        return lambda held: bool(low <= held <= high)
    return lambda held: bool(held == operand)


def _like(before: str, text: str, behind: str) -> Callable[[Any], bool]:
    pattern = (".*" if before == "%" else "") + re.escape(text) + (".*" if behind == "%" else "")
    return lambda held: re.fullmatch(pattern, str(held), re.DOTALL | re.IGNORECASE) is not None


def _sql(field: Field, text: str) -> Any:
    """A value as the database compares it: text that is no number counts as 0 in a number's column."""
    if not field.numeric:
        return text
    try:
        return Decimal(text.strip() or "0")
    except InvalidOperation:
        return Decimal(0)


def _sorted(resource: Resource, rows: list[Stored], sort: str, available: set[str]) -> list[Stored]:
    if not sort:
        return rows
    bracketed = re.fullmatch(r"\[(.*)\]", sort)
    for term in reversed((bracketed[1] if bracketed else sort).split(",")):
        name, _, direction = term.rpartition("_")
        if direction.upper() not in ("ASC", "DESC"):
            raise WebserviceError(400, 37, 'The "sort" value has to be formed as this example: "field_ASC"')
        if name not in available or name not in resource.fields:
            raise WebserviceError(400, 38, f"Unable to filter by this field: {name}.")
        field = resource.fields[name]
        rows = sorted(rows, key=_key(field, name), reverse=direction.upper() == "DESC")
    return rows


def _key(field: Field, name: str) -> Callable[[Stored], Any]:
    return lambda row: _sql(field, str(row[name]))


def _cut(rows: list[Stored], limit: str) -> list[Stored]:
    if not limit:
        return rows
    parts = limit.split(",")
    if len(parts) > 2 or not all(part.strip().isdecimal() for part in parts):
        raise WebserviceError(400, 39, 'The "limit" value has to be formed as this example: "5,25" or "10"')
    offset, count = (0, int(parts[0])) if len(parts) == 1 else (int(parts[0]), int(parts[1]))
    return rows[offset : offset + count]
