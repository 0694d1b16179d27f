"""Reading vendor JSON: every getter checks the type and names the path at fault. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from connectors.kit.jsonbody import SCALE, JsonNode, Moment

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LARGEST_INTEGER = 2**62  # of a clock: what a packed version holds


@dataclass(frozen=True, slots=True)
class Node(JsonNode):
    """A JSON object inside a body. `at` is its path, e.g. shipment.updated.data."""

    def id(self, name: str) -> str:
        """A remote id, text or number. Raises Invalid otherwise."""
        value = self.value.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if isinstance(value, str) and value.strip():
            return value.strip()
        raise self.wrong(name, "an id")

    def text(self, name: str) -> str | None:
        """Text; None when absent, null or blank. Raises Invalid otherwise."""
        value = self.value.get(name)
        if value is None or isinstance(value, str):
            return value.strip() or None if value else None
        raise self.wrong(name, "text")

    def count(self, name: str) -> int:
        """A whole number of at least 0, written as one. Raises Invalid otherwise."""
        value = self.value.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGEST_INTEGER:
            return value
        raise self.wrong(name, "a whole number of at least 0")

    def decimal(self, name: str) -> Decimal:
        """As JsonNode.decimal, in the schemas' scale."""
        return JsonNode.decimal(self, name).quantize(SCALE)

    def moment(self, name: str) -> Moment:
        """An ISO 8601 time with its offset from UTC, not before 1970. Raises Invalid otherwise."""
        found = self.optional_moment(name)
        if found is None:
            raise self.wrong(name, "an ISO 8601 time with offset")
        return found

    def optional_moment(self, name: str) -> Moment | None:
        """As `moment`; None when absent or null."""
        text = self.text(name)
        if text is None:
            return None
        try:
            found = datetime.fromisoformat(text)
            micros = (found - _EPOCH) // _MICROSECOND if found.tzinfo else -1
        except (ValueError, OverflowError):
            micros = -1
        if micros < 0:
            raise self.wrong(name, "an ISO 8601 time with offset")
        return Moment(micros, text)


def iso(at: int | datetime) -> str:
    """The ISO 8601 text, in UTC, of a moment (microseconds UTC or a time with its zone), cut to the millisecond."""
    moment = _EPOCH + timedelta(microseconds=at) if isinstance(at, int) else at.astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
