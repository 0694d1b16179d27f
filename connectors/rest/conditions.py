"""Which revision of a record a vendor showed, as a write names it in `If-Match`. Pure.

The vendor refuses such a write with 412 when the record is at another revision by then. Source: RFC 9110, sections
8.8.3 and 13.1.1.
"""

from __future__ import annotations

import re

from connectors.kit.contract import Json

_TAG = re.compile(r'"[\x21\x23-\x7e]*"')
_BARE = re.compile(r"[\x21\x23-\x7e]+")


def strong(value: Json) -> str:
    """A vendor's tag as a strong entity tag: as it is, or a bare number or text in quotes. Empty for what is none.

    A weak tag is none: `If-Match` compares strongly, so the write would be refused for ever.
    """
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if text.startswith("W/"):
        return ""
    if _BARE.fullmatch(text):
        return f'"{text}"'
    return text if _TAG.fullmatch(text) else ""
