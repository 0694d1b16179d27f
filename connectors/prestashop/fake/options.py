"""What a fake shop can be told, at start and while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, get_type_hints


class UnknownOption(ValueError):
    """An option that does not exist, or a value of another type than it has."""


@dataclass
class Options:
    """Ratios are in 0..1, times in seconds. All randomness comes from one seeded source.

    `rate`, `burst`: requests per second and at once that the host lets through, 0 for no limit; `rival`: requests per
    second that somebody else takes of it. `lost_replies` of the writes are carried out and then the connection is
    dropped; `server_errors` of them are answered 5xx and not carried out; `outage` answers 503 to everything;
    `notices` of the replies have a PHP notice in front of their body; `webservice`: whether the merchant has it
    switched on; `clock_skew`: how far the shop's clock is ahead of the clock it was given.
    """

    seed: int = 1
    key: str = "FAKEPRESTASHOPWEBSERVICEKEY00001"
    currency: str = "EUR"
    timezone: str = "Europe/Paris"
    languages: int = 1
    location: str = "MAIN"  # code under which state and journal name the shop's one stock
    webservice: bool = True
    clock_skew: float = 0.0

    rate: float = 0.0
    burst: float = 20.0
    rival: float = 0.0

    latency: float = 0.0
    jitter: float = 0.0
    lost_replies: float = 0.0
    server_errors: float = 0.0
    notices: float = 0.0
    outage: bool = False

    def change(self, values: Mapping[str, Any]) -> None:
        """Change several options at once. Raises UnknownOption, and then changes none."""
        known = get_type_hints(Options)
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
