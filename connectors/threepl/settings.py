"""What an account of this platform can set, beside what every REST account can (`connectors.rest.settings`). Pure.

warehouses         id=code pairs of the warehouse's sites, e.g. "HAM1=HAM, LEJ2=LEJ": where its stock stands; a site
                   that is not named keeps its own id as code
ship_from          id of the site that orders are shipped from; the warehouse chooses when it is not set
lines_without_sku  refuse (default): an order with a line that has no SKU is not handed over; leave_out: the others are
"""

from __future__ import annotations

from connectors.kit.contract import Account
from connectors.kit.settings import pairs
from connectors.rest import settings
from connectors.threepl.api import API

_NAMES = ("warehouses", "ship_from", "lines_without_sku")
_WORDS = ("refuse", "leave_out")


def check(account: Account) -> None:
    """Reads every setting. Raises Misconfigured for the first that is wrong or not known."""
    settings.check(account, API, _NAMES)
    warehouses(account)
    leaves_out(account)


def warehouses(account: Account) -> dict[str, str]:
    """Location code by site. Raises Misconfigured when two sites share a code: their stock would be one."""
    found = pairs(account, "warehouses")
    if len(set(found.values())) != len(found):
        raise settings.wrong(account, "warehouses", account.settings["warehouses"], "each code once")
    return found


def ship_from(account: Account) -> str:
    """Id of a site; empty when the warehouse chooses."""
    return account.settings.get("ship_from", "").strip()


def leaves_out(account: Account) -> bool:
    """Whether an order is handed over without its lines that have no SKU. Raises Misconfigured for another word."""
    word = account.settings.get("lines_without_sku", _WORDS[0])
    if word not in _WORDS:
        raise settings.wrong(account, "lines_without_sku", word, " or ".join(_WORDS))
    return word == _WORDS[1]
