"""Which platforms there are: an explicit list, imported when one is used."""

from __future__ import annotations

import importlib

from connectors.kit.contract import Platform
from connectors.kit.errors import Misconfigured

MODULES = {
    "prestashop": "connectors.prestashop",
    "shopify": "connectors.shopify",
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
