"""Which platforms there are: an explicit list, imported when one is used."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection

from connectors.kit import operations
from connectors.kit.contract import Account, Platform
from connectors.kit.errors import Misconfigured
from schemas.entities import EntityType, Op

MODULES = {
    "prestashop": "connectors.prestashop",
    "shopify": "connectors.shopify",
    "threepl": "connectors.threepl",
}
NAMES = tuple(sorted(MODULES))


def platform(name: str) -> Platform:
    """The platform of that name. Raises Misconfigured naming those there are."""
    module = MODULES.get(name)
    if module is None:
        raise Misconfigured(f"unknown platform {name!r}", hint=f"known: {', '.join(NAMES)}")
    found = importlib.import_module(module).PLATFORM
    assert isinstance(found, Platform)
    return found


def platforms() -> dict[str, Platform]:
    """All of them, by name."""
    return {name: platform(name) for name in NAMES}


def supports(name: str, type: EntityType, op: Op) -> bool:
    """Whether records of a type can be written at a platform, so that flows may name its accounts. Raises
    Misconfigured."""
    destination = platform(name).destination
    return destination is not None and destination.supports(type, op)


def reroutable(name: str, type: EntityType, op: Op) -> bool:
    """Whether commands about a type may go from one account of a platform to another, so that flows may name a
    fallback. Raises Misconfigured."""
    destination = platform(name).destination
    return destination is not None and operations.of(destination, type, op, command=True).reroutable


def checking(names: Collection[str] = NAMES) -> Callable[[Account], None]:
    """A check of all settings of an account; accounts of other platforms than `names` pass unseen.

    What is returned raises Misconfigured.
    """

    def check(account: Account) -> None:
        if account.platform in names:
            look = platform(account.platform).check
            if look is not None:
                look(account)

    return check
