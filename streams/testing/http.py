"""Blocking HTTP on loopback for drivers of runs: small JSON in and out."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Any

import orjson

TIMEOUT = 5.0  # seconds


def get(url: str, *, parse: bool = True) -> Any:
    """The JSON (or, unparsed, the bytes) of a 2xx reply; None when there is none."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as reply:
            body = reply.read()
    except (urllib.error.URLError, OSError):
        return None
    return orjson.loads(body) if parse else body


def post(url: str, body: bytes) -> Any:
    """POST JSON. Raises urllib.error.HTTPError for a refusal, so that a wrong edit is not taken for a lost one."""
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as reply:
        return orjson.loads(reply.read())
