"""The one error of deciding: an event that goes to the dead letters."""

from __future__ import annotations


class Unfit(Exception):
    """An event that no rule can take; `reason` is that of its dead letter."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
