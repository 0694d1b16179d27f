"""Writes that are to meet one revision of a record and no other. Pure. Source: RFC 9110, section 13.1.1."""

from __future__ import annotations

import re

_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_TAGS, _LIST = re.compile(_TAG), re.compile(rf"{_TAG}(?:[ \t]*,[ \t]*{_TAG})*")


def holds(if_match: str | None, etag: str) -> bool:
    """Whether a record of a strong `etag` meets the header; without one everything does.

    A weak tag is never met, and neither is a header that cannot be read: better refused than written over.
    """
    if if_match is None or if_match.strip() == "*":
        return True
    return bool(_LIST.fullmatch(if_match.strip())) and etag in _TAGS.findall(if_match)
