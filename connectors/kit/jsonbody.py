"""Reading vendor JSON: what the payload readers of all platforms share. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from connectors.kit.errors import Invalid

_MISSING = object()


def parse_object(what: str, body: bytes) -> dict[str, Any]:
    """The JSON object that is the body of `what`. Raises Invalid when it is none."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"{what}: the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise Invalid(f"{what}: the body is a JSON {type(value).__name__}, not an object")
    return value


def wrong_field(at: str, holder: Mapping[str, Any], name: str, expected: str) -> Invalid:
    """The error that names the field `name` of the object at the path `at`, and what it is instead."""
    found = holder.get(name, _MISSING)
    what = "is missing" if found is _MISSING else f"is {type(found).__name__} {str(found)[:40]!r}"
    return Invalid(f"{at}.{name} {what}", hint=f"expected {expected}")
