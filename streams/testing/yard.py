"""Fake vendors and the couriers that write to them, as processes; work comes from a `Desk`, without any other role."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from connectors.kit.contract import Account
from schemas.entities import EntityType
from schemas.identity import GoldenKey
from schemas.registry import open_codec
from schemas.topics import PROFILES
from streams.runtime.supervise import Supervisor
from streams.stack import Endpoints
from streams.stack.ports import free_ports
from streams.testing.desk import Desk
from streams.testing.http import get
from streams.testing.prepare import prepare

TENANT, SHOP, OFFICE, WAREHOUSE, PLACE = "acme", "shop", "office", "warehouse", "BER"
PROFILE = PROFILES["development"]
SKUS = 8
READY = 60.0  # seconds
TIMEOUT = 2.0  # seconds the couriers wait for a reply
FAULTS = {"lost_replies": 0.08, "server_errors": 0.03, "latency": 0.01, "jitter": 0.05}


@dataclass(frozen=True, slots=True)
class Vendor:
    """A fake vendor behind an account. `options` are its own, `settings` and `secrets` those of the account."""

    account: str
    platform: str
    options: Mapping[str, Any]
    settings: Mapping[str, str]
    secrets: Mapping[str, str]


VENDORS = (
    Vendor(
        SHOP,
        "shopify",
        {"bucket": 1000.0, "restore_rate": 400.0, "access_token": "shpat_fake"},
        {
            "shop_domain": "sluice-fake.myshopify.com", "currency": "EUR", "taxes_included": "true",
            "locations": f"655441491={PLACE}", "ignored_locations": "655441492", "poll_interval": "3600",
            "bucket": "1000", "restore_rate": "400",
        },
        {"access_token": "shpat_fake"},
    ),
    Vendor(
        OFFICE,
        "prestashop",
        {"rate": 60.0, "burst": 60.0, "location": PLACE, "key": "FAKEPRESTASHOPWEBSERVICEKEY00001"},
        {
            "currency": "EUR", "timezone": "Europe/Paris", "price_tax": "INCLUDED", "location": PLACE, "rate": "50",
            "burst": "30", "poll_interval": "3600", "scan_interval": "3600",
        },
        {"webservice_key": "FAKEPRESTASHOPWEBSERVICEKEY00001"},
    ),
    Vendor(
        WAREHOUSE,
        "threepl",
        {"jitter": 2.1, "api_token": "fake-warehouse-token"},  # some are carried out when we wait no more
        {"rate": "60", "burst": "60", "max_in_flight": "32", "poll_interval": "3600", "warehouses": f"HAM1={PLACE}"},
        {"api_token": "fake-warehouse-token"},
    ),
)  # fmt: skip
SHOPS = (SHOP, OFFICE)


class Yard:
    """Fake vendors and their couriers. `say` reports progress in a sentence."""

    def __init__(self, folder: Path, where: Endpoints, prefix: str, seed: int, say: Callable[[str], None]) -> None:
        self.folder, self.prefix = folder, prefix
        self.kafka = {"bootstrap.servers": where.bootstrap}
        self.tree = Supervisor(folder / "logs", report=say)
        self._where, self._seed = where, seed
        ports = dict(zip((one.account for one in VENDORS), free_ports(len(VENDORS)), strict=True))
        self._ports = ports
        self.urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        self.accounts = {one.account: Account(TENANT, one.account, one.platform, "") for one in VENDORS}
        self.couriers = [f"courier-{one.platform}" for one in VENDORS]
        prepare(where.bootstrap, where.registry, prefix, PROFILE)
        self.codec = open_codec(where.registry, folder / "schemas")

    def start(self) -> None:
        """Vendors, links, couriers. Raises RuntimeError when somebody does not get ready."""
        for vendor in VENDORS:
            self._start_vendor(vendor)
        (self.folder / "sluice.yaml").write_text(yaml.safe_dump(self._config()))
        until(lambda: all(self.state(name) for name in self.accounts), "the fake vendors answer")
        self.desk = Desk(self.kafka, self.codec, self.prefix, PROFILE)
        for name in self.accounts:
            self._link(name)
        self.desk.flush()
        for vendor in VENDORS:
            command = [sys.executable, "-m", "streams.cli.main", "run", "courier", "--platform", vendor.platform]
            self.tree.start(f"courier-{vendor.platform}", command, self.environment(f"courier-{vendor.platform}"))
        until(lambda: all(self._works(name) for name in self.couriers), "the couriers get their shards", self.watch)

    def watch(self) -> None:
        """Start again what was killed."""
        self.tree.watch()
        time.sleep(0.02)

    def state(self, account: str) -> Mapping[str, Any]:
        """What a vendor holds; empty when it does not answer."""
        return dict(get(f"{self.urls[account]}/_fake/state") or {})

    def stats(self, account: str) -> Mapping[str, Any]:
        """A vendor's counters."""
        return dict(get(f"{self.urls[account]}/_fake/stats") or {})

    def journal(self, account: str) -> list[Mapping[str, Any]]:
        """Every write a vendor accepted, in order."""
        return list(get(f"{self.urls[account]}/_fake/journal") or [])

    def environment(self, name: str) -> dict[str, str]:
        """SLUICE_* of one process, or of commands run beside it."""
        return {
            "SLUICE_BOOTSTRAP": self._where.bootstrap,
            "SLUICE_REGISTRY": self._where.registry,
            "SLUICE_TOPIC_PREFIX": self.prefix,
            "SLUICE_CONFIG_FILE": str(self.folder / "sluice.yaml"),
            "SLUICE_STATE_DIR": str(self.folder / "state"),
            "SLUICE_SCHEMA_CACHE": str(self.folder / "schemas"),
            "SLUICE_INSTANCE_ID": name,
            "SLUICE_HTTP_HOST": "127.0.0.1",
            "SLUICE_HEALTH_PORT_BASE": "0",
            "SLUICE_VENDOR_TIMEOUT": str(TIMEOUT),
            "SLUICE_COURIER_QUARANTINE_MARGIN": "1",  # the fakes carry out at once what they carry out
            "SLUICE_TRANSACTION_TIMEOUT_MS": "15000",
        }

    def _start_vendor(self, vendor: Vendor) -> None:
        options = {**FAULTS, **vendor.options}
        pairs = [part for name, value in options.items() for part in ("--set", f"{name}={value}")]
        port = str(self._ports[vendor.account])
        command = [
            sys.executable,
            "-m",
            f"connectors.{vendor.platform}.fake",
            "--port",
            port,
            "--seed",
            str(self._seed),
        ]
        self.tree.start(f"fake-{vendor.platform}", [*command, "--products", str(SKUS), *pairs])

    def _config(self) -> dict[str, Any]:
        accounts = {
            one.account: {
                "platform": one.platform,
                "base_url": self.urls[one.account],
                "settings": dict(one.settings),
                "secrets": {name: [f"value:{value}"] for name, value in one.secrets.items()},
            }
            for one in VENDORS
        }
        return {"tenants": {TENANT: {"accounts": accounts}}, "policies": {"revision": 1}}

    def _link(self, account: str) -> None:
        for sku, ids in self.state(account).get("variants", {}).items():
            aliases = {name: str(value) for name, value in ids.items() if name != "id"}
            self.desk.link(self.accounts[account], GoldenKey(TENANT, EntityType.VARIANT, sku), str(ids["id"]), aliases)

    def _works(self, name: str) -> bool:
        return b"shards assigned" in self.tree.children[name].log.read_bytes()


def until(
    holds: Callable[[], Any],
    what: str,
    meanwhile: Callable[[], None] = lambda: None,
    patience: float = READY,
    *,
    strict: bool = True,
) -> bool:
    """Wait until it holds. Raises RuntimeError after `patience` seconds when `strict`, else returns False."""
    deadline = time.monotonic() + patience
    while not holds():
        if time.monotonic() > deadline:
            if strict:
                raise RuntimeError(f"not within {patience:.0f} s: {what}")
            return False
        look_again = time.monotonic() + 0.5
        while time.monotonic() < look_again:
            meanwhile()
            time.sleep(0.02)
    return True
