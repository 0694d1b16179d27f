"""Edits by people in two shops' admins, at a rate: the load of the demo and of chaos runs."""

from __future__ import annotations

import contextlib
import random
import time
import urllib.error

from streams.testing.merchant import BACK_OFFICE, LOCATION, SHOP, Merchant, sku

APART = 2.5  # seconds between price edits of one SKU in different shops; see `Load`


class Load:
    """Makes edits when `step` is called.

    Stock is edited in both shops although one owns it; prices in both, the last writer wins. Two people who edit the
    price of one SKU in two shops within `APART` seconds are kept apart: an API without compare-and-swap cannot
    protect an edit that falls between a destination's read and its write.
    """

    def __init__(self, merchant: Merchant, rate: float, seed: int) -> None:
        self._merchant = merchant
        self._rate = rate
        self._random = random.Random(seed)
        self._began = time.monotonic()
        self._priced: dict[str, tuple[str, float]] = {}
        self.edits = 0

    def step(self) -> None:
        """Make the edits that are due now."""
        due = int((time.monotonic() - self._began) * self._rate)
        while self.edits < due:
            self.edits += 1
            with contextlib.suppress(urllib.error.URLError, OSError):
                self._edit()

    def _edit(self) -> None:
        chance, name = self._random.random(), sku(self._random.randrange(self._merchant.scale.skus))
        if chance < 0.40:
            self._merchant.edit(BACK_OFFICE, do="set_available", sku=name, available=self._random.randrange(200))
        elif chance < 0.55:
            available = self._random.randrange(200)
            self._merchant.edit(SHOP, do="set_available", sku=name, location=LOCATION, available=available)
        else:
            self._price(SHOP if chance < 0.80 else BACK_OFFICE, name)

    def _price(self, place: str, name: str) -> None:
        now = time.monotonic()
        last_place, last_at = self._priced.get(name, (place, 0.0))
        if last_place != place and now - last_at < APART:
            return
        self._priced[name] = (place, now)
        price = f"{self._random.randrange(100, 9_999) / 100:.2f}"
        self._merchant.edit(place, do="set_price", sku=name, price=price)
