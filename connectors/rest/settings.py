"""What an account of any REST platform can set. Pure.

page_size       rows per page
poll_interval   seconds between two passes of a poll
poll_overlap    seconds a pass reads again of the one before
rate, burst     requests per second and at once
max_in_flight   requests at the same time
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from connectors.kit.contract import Account, Budget
from connectors.kit.errors import Misconfigured
from connectors.kit.settings import only
from connectors.rest.api import Api

NAMES = frozenset(("page_size", "poll_interval", "poll_overlap", "rate", "burst", "max_in_flight"))
_HIGHEST = 1e9


def check(account: Account, api: Api, more: Collection[str] = ()) -> None:
    """Reads every setting; `more` are the vendor's own names. Raises Misconfigured for the first that is wrong or not
    known."""
    only(account, NAMES | frozenset(more))
    budget(account, api.budget)
    page_size(account)
    poll_interval(account)
    poll_overlap(account)


def budget(account: Account, granted: Budget) -> Budget:
    """The account's bucket: the vendor's defaults, or what the account's contract with it grants."""
    return replace(
        granted,
        rate=number(account, "rate", granted.rate),
        burst=number(account, "burst", granted.burst, 1),
        max_in_flight=int(number(account, "max_in_flight", granted.max_in_flight, 1)),
    )


def page_size(account: Account) -> int:
    """Rows per page."""
    return int(number(account, "page_size", 100, 1, 1000))


def poll_interval(account: Account) -> float:
    """Seconds between two passes."""
    return number(account, "poll_interval", 60)


def poll_overlap(account: Account) -> float:
    """Seconds a pass reads again of the one before: covers the vendor's lag between a change and its list, and the
    difference of the clocks."""
    return number(account, "poll_overlap", 120, 0)


def number(account: Account, name: str, default: float, lowest: float = 1e-3, highest: float = _HIGHEST) -> float:
    """A number within bounds. Raises Misconfigured otherwise."""
    text = account.settings.get(name, str(default))
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not lowest <= value <= highest:
        raise wrong(account, name, text, f"a number from {lowest:g} to {highest:g}")
    return value


def wrong(account: Account, name: str, value: str, allowed: str) -> Misconfigured:
    """The error that names a setting, its value and what is allowed."""
    return Misconfigured(
        f"account {account.tenant}/{account.id}: setting {name!r} is {value!r}", hint=f"allowed: {allowed}"
    )
