"""Structured header fields (RFC 9651): lists and dictionaries of items with parameters, as quotas use them. Pure.

Inner lists, dates and display strings are not read: no quota header has them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

Bare = bool | int | float | str | bytes

_STRING = re.compile(r'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_NUMBER = re.compile(r"-?(?:\d{1,12}\.\d{1,3}|\d{1,15})(?![\d.])")
_TOKEN = re.compile(r"[A-Za-z*][!#$%&'*+\-.^_`|~\w:/]*", re.ASCII)
_BYTES = re.compile(r":([A-Za-z0-9+/=]*):")
_BOOLEAN = re.compile(r"\?([01])")
_KEY = re.compile(r"[a-z*][a-z0-9_\-.*]*")
_SPACES = re.compile(r"[ \t]*")
_ESCAPED = re.compile(r"\\(.)")


class Malformed(ValueError):
    """The field is not what RFC 9651 allows; it is to be ignored as a whole (section 4.2)."""


@dataclass(frozen=True, slots=True)
class Item:
    """One member of a list. Byte sequences are left in base64, as nobody here looks into them."""

    value: Bare
    parameters: Mapping[str, Bare] = field(default_factory=dict)


def items(text: str) -> list[Item]:
    """The members of a list. Raises Malformed."""
    reader, found = _Reader(text), list[Item]()
    while True:
        found.append(reader.item())
        if not reader.another():
            return found


def pairs(text: str) -> dict[str, Bare]:
    """A dictionary's members without their parameters. Raises Malformed."""
    reader, found = _Reader(text), dict[str, Bare]()
    while True:
        key = reader.expect(_KEY)
        found[key] = reader.bare() if reader.take("=") else True
        reader.parameters()
        if not reader.another():
            return found


class _Reader:
    """A position in a field's value."""

    def __init__(self, text: str) -> None:
        self._text = text.strip(" \t")
        self._at = 0

    def item(self) -> Item:
        return Item(self.bare(), self.parameters())

    def parameters(self) -> dict[str, Bare]:
        found: dict[str, Bare] = {}
        while self.take(";"):
            self.expect(_SPACES)
            key = self.expect(_KEY)
            found[key] = self.bare() if self.take("=") else True
        return found

    def bare(self) -> Bare:
        if (text := self._found(_STRING)) is not None:
            return _ESCAPED.sub(r"\1", text[1:-1])
        if (text := self._found(_NUMBER)) is not None:
            return float(text) if "." in text else int(text)
        if (text := self._found(_BOOLEAN)) is not None:
            return text == "?1"
        if (text := self._found(_BYTES)) is not None:
            return text[1:-1].encode()
        return self.expect(_TOKEN)

    def another(self) -> bool:
        """Whether a further member follows; a comma at the end is an error."""
        self.expect(_SPACES)
        if self._at == len(self._text):
            return False
        if not self.take(","):
            raise Malformed(f"at {self._at} of {self._text[:80]!r}: a comma is missing")
        self.expect(_SPACES)
        return True

    def take(self, character: str) -> bool:
        taken = self._text.startswith(character, self._at)
        self._at += taken
        return taken

    def expect(self, pattern: re.Pattern[str]) -> str:
        found = self._found(pattern)
        if found is None:
            raise Malformed(f"at {self._at} of {self._text[:80]!r}: not what is allowed there")
        return found

    def _found(self, pattern: re.Pattern[str]) -> str | None:
        match = pattern.match(self._text, self._at)
        if match is None:
            return None
        self._at = match.end()
        return match.group()
