"""The two fake shops under test, each a process of its own, and what Sluice and the libraries are told of them.

Both let 1.2 seconds of their rate through at once, and everybody is told one second: nobody has to walk the edge.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

from connectors.kit.contract import Account
from connectors.prestashop.fake.options import Options as PrestaShopOptions
from connectors.shopify.fake.options import Options as ShopifyOptions
from streams.testing.http import get, post

TENANT = "bench"
SLACK = 1.2  # of a second's rate is let through at once
LATENCY, JITTER = 0.02, 0.06  # seconds: a reply takes 20 to 80 ms
_SHOPIFY, _PRESTASHOP = ShopifyOptions(), PrestaShopOptions()


@dataclass(frozen=True, slots=True)
class Kind:
    """One platform. `rate`: units per second its quota refills; `write_cost`: units of one write, all its requests
    together; `rate_option`, `burst_option`: how the fake calls its quota; `settings`, `secrets`: of the account."""

    platform: str
    rate: float
    write_cost: float
    rate_option: str
    burst_option: str
    location: str
    settings: Mapping[str, str]
    secrets: Mapping[str, list[str]]


KINDS = (
    Kind(
        "shopify", 500.0, 10.0, "restore_rate", "bucket", "BER",
        {"shop_domain": _SHOPIFY.shop_domain, "currency": "EUR", "locations": "655441491=BER, 655441492=MUC"},
        {"access_token": [_SHOPIFY.access_token]},
    ),
    Kind(
        "prestashop", 50.0, 2.0, "rate", "burst", _PRESTASHOP.location,
        {"currency": "EUR", "timezone": _PRESTASHOP.timezone, "rate": "50", "burst": "50", "max_in_flight": "16"},
        {"webservice_key": [_PRESTASHOP.key]},
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reading:
    """A shop's own numbers. `spent`: units of all accepted requests; `refill`: units the bucket could have given since
    its process began, where the shop counts that; `level`: units in it now."""

    accepted: int
    refused: int
    spent: float
    level: float
    refill: float | None


@dataclass
class Shop:
    """A fake shop that runs. `variants`: by SKU, as the shop tells them."""

    kind: Kind
    base_url: str
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def account(self) -> Account:
        """The account by which everybody writes to it."""
        kind = self.kind
        settings = {**kind.settings}
        if kind.platform == "shopify":
            settings |= {"bucket": str(kind.rate * SLACK), "restore_rate": str(kind.rate)}
        return Account(TENANT, kind.platform, kind.platform, self.base_url, settings, kind.secrets)

    def change(self, **options: float) -> None:
        """Another quota or a rival, from now on."""
        post(f"{self.base_url}/_fake/control", orjson.dumps(options))

    def read(self) -> Reading:
        """Its numbers now. Raises TypeError when it does not answer."""
        stats = get(f"{self.base_url}/_fake/stats")
        said = stats["bucket" if self.kind.platform == "shopify" else "limit"]
        spent = said.get("accepted_cost", float(said["accepted"]))
        return Reading(said["accepted"], said["throttled"], spent, said["level"], said.get("refill"))

    def journal(self) -> list[dict[str, Any]]:
        """Every write it accepted."""
        found: list[dict[str, Any]] = get(f"{self.base_url}/_fake/journal")
        return [entry for entry in found if entry["actor"] == "api"]


@contextmanager
def running(kind: Kind, skus: int) -> Iterator[Shop]:
    """A shop with so many SKUs, until the block ends."""
    options = {
        kind.rate_option: kind.rate, kind.burst_option: kind.rate * SLACK, "latency": LATENCY, "jitter": JITTER,
    }  # fmt: skip
    pairs = [part for name, value in options.items() for part in ("--set", f"{name}={value}")]
    argv = [sys.executable, "-m", f"connectors.{kind.platform}.fake", "--products", str(skus), *pairs]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            if not url:
                raise RuntimeError(f"the fake {kind.platform} did not start; see its error output above")
            yield Shop(kind, url, get(f"{url}/_fake/state")["variants"])
        finally:
            process.terminate()
