"""When a token has to be asked for, and what its refusal means. Pure; times are seconds UTC."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

MARGIN = 60.0  # seconds a token is renewed before its end ...
MARGIN_SHARE = 0.1  # ... or this share of its life, if that is more; of a short life half


@dataclass(frozen=True, slots=True)
class Held:
    """What is known of an account's token, without the token. `renew_at`: when it is to be replaced, `ends_at`: when it
    is good for nothing; `proven`: a request with it was answered; `not_before`: of the next time one is asked for."""

    renew_at: float = -math.inf
    ends_at: float = -math.inf
    proven: bool = False
    not_before: float = -math.inf

    def good(self, now: float) -> bool:
        """Whether requests may be sent with it."""
        return now < self.ends_at


def acquired(asked_at: float, lives_for: float) -> Held:
    """A token that was asked for at `asked_at` has come. `lives_for`: seconds, above 0."""
    margin = min(max(MARGIN, MARGIN_SHARE * lives_for), lives_for / 2)
    return Held(asked_at + lives_for - margin, asked_at + lives_for)


def accepted(held: Held) -> Held:
    """A request with it was answered."""
    return held if held.proven else replace(held, proven=True)


def refused(held: Held) -> tuple[Held, bool]:
    """A request with it was refused for its credentials; whether another token may help. It does not when nothing was
    ever answered with this one: the account may not do what it asks for, and a person must act."""
    return replace(held, renew_at=-math.inf, ends_at=-math.inf), held.proven


def failed(held: Held, until: float) -> Held:
    """None was to be had; nobody asks again before `until`. The old one is used to its end."""
    return replace(held, not_before=until, renew_at=max(held.renew_at, until))
