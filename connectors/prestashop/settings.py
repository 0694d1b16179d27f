"""What an account of this platform can set. Pure.

currency        ISO 4217 code of the shop's prices; required
timezone        IANA name of the zone the shop writes its times in, e.g. Europe/Paris; required
currencies      id=code pairs for shops that take orders in several, e.g. "1=EUR,2=USD"
price_tax       EXCLUDED (the platform's own basis, default) or INCLUDED, where an add-on stores gross prices
location        location code of the shop's stock, which the open lines of orders hold, default MAIN
language        id of the language that titles are taken from; default: the first a field has
weight_unit     kg (default), g, lb or oz
order_states    id=status/financial/fulfilment pairs for custom order states, e.g. "15=OPEN/PAID/UNFULFILLED"
shipped_state   id of the state an order gets when all of it was shipped, default 4, a fresh shop's "shipped"
notify_customer "true" or "false" (default): whether the shop mails the customer when it is told a shipment
id_shop         the shop to read and write in a multi-shop installation
page_size       rows per page, default 100 (one request is one PHP process)
poll_interval   seconds between two passes over products and orders, default 30
scan_interval   seconds between two complete reads of stock and catalogue, default 300
overlap         seconds a pass reads again of the one before, default 120; at least 1
rate, burst     requests per second and at once, default 10 and 10; the platform has no limit of its own
max_in_flight   requests at the same time, default 4
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import NoReturn
from zoneinfo import ZoneInfo

from connectors.kit.contract import Account
from connectors.kit.errors import Misconfigured
from connectors.kit.settings import only

_GRAMS = {"kg": Decimal(1000), "g": Decimal(1), "lb": Decimal("453.59237"), "oz": Decimal("28.349523125")}
_NAMES = frozenset(
    ("currency", "timezone", "currencies", "price_tax", "location", "language", "weight_unit", "order_states",
     "shipped_state", "notify_customer", "id_shop", "page_size", "poll_interval", "scan_interval", "overlap", "rate",
     "burst", "max_in_flight")
)  # fmt: skip
_PAIR = re.compile(r"(\d+)=([A-Z_/]+)")


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one account, parsed. `grams`: of one of the shop's weight units; ids are decimal text."""

    currency: str
    zone: ZoneInfo
    currencies: Mapping[str, str]
    price_tax: str
    location: str
    language: str
    grams: Decimal
    order_states: Mapping[str, tuple[str, ...]]
    shipped_state: str
    notify_customer: bool
    id_shop: str
    page_size: int
    poll_interval: float
    scan_interval: float
    overlap: float
    rate: float
    burst: float
    max_in_flight: int


def of(account: Account) -> Settings:
    """Raises Misconfigured, naming account, key, value and what is allowed."""
    return _parse(account.id, tuple(sorted(account.settings.items())))


def check(account: Account) -> None:
    """Reads every setting. Raises Misconfigured for the first that is wrong, missing or not known."""
    only(account, _NAMES)
    of(account)


@lru_cache(maxsize=1024)
def _parse(account: str, items: tuple[tuple[str, str], ...]) -> Settings:
    read = _Reader(account, dict(items))
    return Settings(
        currency=read.matching("currency", "", "[A-Z]{3}", "the shop's ISO 4217 code, e.g. EUR"),
        zone=read.zone(),
        currencies=read.pairs("currencies", "[A-Z]{3}", "pairs such as 1=EUR,2=USD"),
        price_tax=read.matching("price_tax", "EXCLUDED", "EXCLUDED|INCLUDED", "EXCLUDED or INCLUDED"),
        location=read.matching("location", "MAIN", r"\S(.*\S)?", "a location code"),
        language=read.matching("language", "", r"\d*", "the id of a language"),
        grams=_GRAMS[read.matching("weight_unit", "kg", "|".join(_GRAMS), "kg, g, lb or oz")],
        order_states=read.order_states(),
        shipped_state=read.matching("shipped_state", "4", r"\d+", "the id of a state"),
        notify_customer=read.matching("notify_customer", "false", "true|false", '"true" or "false"') == "true",
        id_shop=read.matching("id_shop", "", r"\d*", "the id of a shop"),
        page_size=int(read.number("page_size", "100", 1, 1000)),
        poll_interval=read.number("poll_interval", "30"),
        scan_interval=read.number("scan_interval", "300"),
        overlap=read.number("overlap", "120", 1),
        rate=read.number("rate", "10"),
        burst=read.number("burst", "10", 1),
        max_in_flight=int(read.number("max_in_flight", "4", 1)),
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    account: str
    settings: Mapping[str, str]

    def wrong(self, name: str, value: str, allowed: str) -> NoReturn:
        text = f"account {self.account!r}: setting {name!r} is {value!r}"
        raise Misconfigured(text, hint=f"allowed: {allowed}")

    def matching(self, name: str, default: str, pattern: str, allowed: str) -> str:
        value = self.settings.get(name, default)
        if not re.fullmatch(pattern, value):
            self.wrong(name, value, allowed)
        return value

    def number(self, name: str, default: str, lowest: float = 1e-3, highest: float = 1e9) -> float:
        text = self.settings.get(name, default)
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not lowest <= value <= highest:
            self.wrong(name, text, f"a number from {lowest:g} to {highest:g}")
        return value

    def zone(self) -> ZoneInfo:
        name = self.settings.get("timezone", "")
        try:
            return ZoneInfo(name)
        except (ValueError, OSError, KeyError):  # KeyError: ZoneInfoNotFoundError
            self.wrong("timezone", name, "the IANA name of the shop's zone, e.g. Europe/Paris")

    def pairs(self, name: str, pattern: str, allowed: str) -> Mapping[str, str]:
        text = self.settings.get(name, "")
        found: dict[str, str] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            match = _PAIR.fullmatch(part)
            if match is None or not re.fullmatch(pattern, match[2]) or match[1] in found:
                self.wrong(name, text, allowed)
            found[match[1]] = match[2]
        return MappingProxyType(found)

    def order_states(self) -> Mapping[str, tuple[str, ...]]:
        pattern = (
            "(OPEN|CANCELLED|CLOSED|UNKNOWN)"
            "/(PENDING|PAID|PARTIALLY_PAID|REFUNDED|PARTIALLY_REFUNDED|VOIDED|UNKNOWN)"
            "/(UNFULFILLED|PARTIAL|FULFILLED|UNKNOWN)"
        )
        pairs = self.pairs("order_states", pattern, "pairs such as 15=OPEN/PAID/UNFULFILLED with the schema's words")
        return MappingProxyType({state: tuple(words.split("/")) for state, words in pairs.items()})
