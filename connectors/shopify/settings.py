"""What an account of this platform can set. Pure.

shop_domain        {shop}.myshopify.com; compared with the shop-domain header of every delivery
client_id          of an app whose tokens end after 24 hours; the secret client_secret stands beside it, in place of
                   access_token
api_version        quarterly version of the Admin API, default 2026-10
currency           ISO 4217 code of the shop's prices, where a payload does not say
taxes_included     "true" or "false": whether the shop's prices contain tax; unset means unknown
locations          id=code pairs, e.g. "655441491=BER, 655441492=MUC"; the open lines of orders hold stock at the first
                   one listed, because an order does not say where it will be shipped from; without any they hold none
ignored_locations  ids of locations whose stock is none of our business, e.g. "777, 778"
webhook_address    public https address of the receiver for this account, where its webhook subscriptions are to be made
                   through the API and kept alive; unset where the app's configuration file makes them
poll_interval      seconds between two passes of a poller while it finds changes, default 60
poll_longest       seconds between two passes while it finds none, default four times poll_interval
poll_orders        "false" where orders are to come by webhook only, e.g. for want of the scope read_orders
scan_interval      seconds between two readings of the list of all SKUs, default 21600: shows what was deleted
poll_overlap       seconds a pass reads again of the one before, default 120: covers the search index's lag and
                   the difference of the clocks
notify_customer    "true" or "false" (default): whether the shop mails the customer when a shipment is told to it
bucket, restore_rate  cost points of the GraphQL bucket before the API has reported them, default 2000 and 100
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from connectors.kit.contract import Account
from connectors.kit.errors import Misconfigured
from connectors.kit.settings import only, pairs

DEFAULT_API_VERSION = "2026-10"
_URI_SINCE = "2025-10"
_VERSION = re.compile(r"\d{4}-\d{2}|unstable")
_NAMES = frozenset(
    ("shop_domain", "client_id", "api_version", "currency", "taxes_included", "locations", "ignored_locations",
     "webhook_address", "poll_interval", "poll_longest", "poll_overlap", "poll_orders", "scan_interval",
     "bucket", "restore_rate", "notify_customer")
)  # fmt: skip
_NUMBERS = {"poll_overlap": 120.0, "scan_interval": 21_600.0, "bucket": 2000.0, "restore_rate": 100.0}
_STRETCH = 4.0  # of poll_interval to poll_longest where that is not set
_TAX = {"true": "INCLUDED", "false": "EXCLUDED", "": "UNKNOWN"}


def check(account: Account) -> None:
    """Reads every setting. Raises Misconfigured for the first that is wrong, missing or not known."""
    only(account, _NAMES)
    for read in (api_version, currency, tax_basis, locations, poll_intervals, webhook_address):
        read(account)
    flag(account, "poll_orders", default=True)
    for name, default in _NUMBERS.items():
        seconds(account, name, default)
    if "client_id" in account.settings and "client_secret" not in account.secrets:
        raise _wrong(account, "client_id", account.settings["client_id"], "beside the secret client_secret only")
    flag(account, "notify_customer")
    if "webhook" in account.secrets and not account.settings.get("shop_domain"):
        raise _wrong(account, "shop_domain", "", "{shop}.myshopify.com, which every webhook is compared with")


@dataclass(frozen=True, slots=True)
class Locations:
    """The shop's locations, both ways and in the order of the setting, and those that are left out on purpose."""

    code_of: Mapping[str, str]
    id_of: Mapping[str, str]
    ignored: frozenset[str]

    @property
    def selling(self) -> str:
        """Code of the location whose stock the open lines of orders hold: the first one; empty without any."""
        return next(iter(self.code_of.values()), "")


def api_version(account: Account) -> str:
    """Raises Misconfigured when it is not of the form 2026-10."""
    version = account.settings.get("api_version", DEFAULT_API_VERSION)
    if not _VERSION.fullmatch(version):
        raise _wrong(account, "api_version", version, "a version such as 2026-10")
    return version


def currency(account: Account) -> str:
    """ISO 4217 code of the shop's prices. Raises Misconfigured when it is not set."""
    code = account.settings.get("currency", "")
    if not re.fullmatch("[A-Z]{3}", code):
        raise _wrong(account, "currency", code, "the shop's ISO 4217 code, e.g. EUR")
    return code


def tax_basis(account: Account) -> str:
    """INCLUDED, EXCLUDED or, where it is not set, UNKNOWN. Raises Misconfigured for another word."""
    text = account.settings.get("taxes_included", "")
    if text not in _TAX:
        raise _wrong(account, "taxes_included", text, '"true" or "false"')
    return _TAX[text]


def locations(account: Account) -> Locations:
    """Raises Misconfigured when a pair is malformed, or when two ids share a code: their stock would be one."""
    code_of = pairs(account, "locations")
    id_of = {code: location_id for location_id, code in code_of.items()}
    if len(id_of) != len(code_of) or not all(location_id.isdecimal() for location_id in code_of):
        allowed = "id=code pairs, ids in digits, each code once"
        raise _wrong(account, "locations", account.settings["locations"], allowed)
    ignored = account.settings.get("ignored_locations", "")
    return Locations(code_of, id_of, frozenset(part.strip() for part in ignored.split(",") if part.strip()))


def webhook_address(account: Account) -> str:
    """Where webhooks are to be sent; empty where subscriptions are none of our business. Raises Misconfigured for what
    no subscription can be made with."""
    address = account.settings.get("webhook_address", "")
    local = address.startswith(("http://127.0.0.1:", "http://localhost:"))  # of a fake shop
    if address and not (address.startswith("https://") or local):
        raise _wrong(account, "webhook_address", address, "an https:// address")
    if address and api_version(account) < _URI_SINCE:
        raise _wrong(account, "api_version", api_version(account), f"at least {_URI_SINCE} beside webhook_address")
    return address


def poll_intervals(account: Account) -> tuple[float, float]:
    """Seconds between two passes: while changes are found, and while none are. Raises Misconfigured."""
    interval = seconds(account, "poll_interval", 60.0)
    longest = seconds(account, "poll_longest", _STRETCH * interval)
    if longest < interval:
        raise _wrong(account, "poll_longest", account.settings["poll_longest"], f"at least poll_interval, {interval:g}")
    return interval, longest


def flag(account: Account, name: str, *, default: bool = False) -> bool:
    """A setting that is "true" or "false". Raises Misconfigured for another word."""
    text = account.settings.get(name, "true" if default else "false")
    if text not in ("true", "false"):
        raise _wrong(account, name, text, '"true" or "false"')
    return text == "true"


def seconds(account: Account, name: str, default: float) -> float:
    """A positive number of seconds or units. Raises Misconfigured otherwise."""
    text = account.settings.get(name, str(default))
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1e9:
        raise _wrong(account, name, text, "a positive number")
    return value


def _wrong(account: Account, name: str, value: str, allowed: str) -> Misconfigured:
    return Misconfigured(f"account {account.id!r}: setting {name!r} is {value!r}", hint=f"allowed: {allowed}")
