"""A merchant with two fake shops, perhaps a warehouse, and every role of Sluice as processes: for the demo, for chaos,
for users' runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import psutil
import yaml

from schemas.topics import PROFILES
from streams.runtime.supervise import Supervisor
from streams.stack import Endpoints
from streams.stack.ports import free_ports
from streams.testing.http import get, post
from streams.testing.prepare import prepare

TENANT, SHOP, BACK_OFFICE, WAREHOUSE = "acme", "shop", "presta", "warehouse"
PLATFORMS = {SHOP: "shopify", BACK_OFFICE: "prestashop", WAREHOUSE: "threepl"}
LOCATION_ID, LOCATION = "655441491", "BER"
OTHER_LOCATION_ID = "655441492"
WEBHOOK_SECRET, TOKEN, KEY = "fake-webhook-secret", "shpat_fake", "FAKEPRESTASHOPWEBSERVICEKEY00001"
WAREHOUSE_SECRET, WAREHOUSE_TOKEN = "fake-warehouse-secret", "fake-warehouse-token"
READY_TIMEOUT = 60.0  # seconds


@dataclass(frozen=True, slots=True)
class Faults:
    """What the fake shops do wrong. Ratios in 0..1, seconds."""

    duplicates: float = 0.10
    disorder: float = 0.20
    disorder_delay: float = 2.0
    lateness: float = 0.5
    lost_replies: float = 0.02
    server_errors: float = 0.01


@dataclass(frozen=True, slots=True)
class Scale:
    """How large the run is. `lateness` (s) is how long events wait for their order; rates are the shops' quotas;
    `warehouse`: paid orders are shipped by one, which then says so."""

    skus: int = 200
    lateness: float = 1.0
    poll_interval: float = 3.0
    restore_rate: float = 100.0
    bucket: float = 1000.0
    presta_rate: float = 20.0
    presta_burst: float = 20.0
    vendor_timeout: float = 4.0
    resolvers: int = 1
    warehouse: bool = False
    seed: int = 1
    faults: Faults = field(default_factory=Faults)


def sku(number: int) -> str:
    """The SKUs that both shops sell."""
    return f"SKU-{number}"


class Merchant:
    """Starts and stops it all. `say` reports progress in a sentence."""

    def __init__(
        self,
        directory: Path,
        where: Endpoints,
        scale: Scale,
        prefix: str,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.directory = directory
        self.where = where
        self.scale = scale
        self.prefix = prefix
        self.tree = Supervisor(directory / "logs", report=say)
        self._say = say
        self.accounts = tuple(PLATFORMS)[: 3 if scale.warehouse else 2]
        names = ("receiver", *self.accounts)
        self.ports = dict(zip(names, free_ports(len(names)), strict=True))
        self.urls = {name: f"http://127.0.0.1:{port}" for name, port in self.ports.items()}
        self.config_file = directory / "sluice.yaml"
        self.resolvers = [f"resolver-{number}" for number in range(scale.resolvers)]
        self.platforms = [PLATFORMS[name] for name in self.accounts]
        self.couriers = [f"courier-{platform}" for platform in self.platforms]

    # -- life

    def start(self) -> None:
        """Topics, schemas, shops, roles; returns when every role is ready. Raises RuntimeError naming who is not."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.config_file.write_text(yaml.safe_dump(self.config(), sort_keys=False))
        prepare(self.where.bootstrap, self.where.registry, self.prefix, PROFILES["development"])
        self._say("topics and schemas are there")
        self._start_shops()
        self._start_roles()
        self._await_ready()

    def stop(self) -> dict[str, int]:
        """SIGTERM to everything. Returns exit codes by process."""
        return self.tree.stop()

    def quiet(self, drained: Callable[[], bool], patience: float = 20.0) -> None:
        """Stop everything that brings in anything, wait until what is in the pipeline is through, stop the rest; the
        shops stay. What is read back afterwards is one consistent picture."""
        self.tree.end(["receiver", *self.couriers])
        deadline = time.monotonic() + patience
        while not drained() and time.monotonic() < deadline:
            self.tree.watch()
            time.sleep(0.2)
        self.tree.end(["mapper", *self.resolvers])

    def resume(self) -> None:
        """Start the roles again after `quiet`."""
        self._start_roles()
        self._await_ready()

    def _start_shops(self) -> None:
        scale, faults = self.scale, self.scale.faults
        common = ["--products", str(scale.skus), "--stock", "50", "--seed", str(scale.seed)]
        shopify = {
            "duplicates": faults.duplicates, "disorder": faults.disorder, "disorder_delay": faults.disorder_delay,
            "lateness": faults.lateness, "lost_replies": faults.lost_replies, "server_errors": faults.server_errors,
            "bucket": scale.bucket, "restore_rate": scale.restore_rate, "latency": 0.01, "jitter": 0.02,
            "webhook_secret": WEBHOOK_SECRET, "access_token": TOKEN,
        }  # fmt: skip
        self._shop(SHOP, "shopify", [*common, "--webhook-url", self._hook(SHOP)], shopify)
        presta = {
            "rate": scale.presta_rate, "burst": scale.presta_burst, "lost_replies": faults.lost_replies,
            "server_errors": faults.server_errors, "latency": 0.01, "jitter": 0.02, "location": LOCATION, "key": KEY,
        }  # fmt: skip
        self._shop(BACK_OFFICE, "prestashop", common, presta)
        if self.scale.warehouse:
            self._start_warehouse(common)
        for name in self.accounts:
            _until(partial(self._holds_something, name), f"the fake shop {name!r} does not answer")

    def _start_warehouse(self, common: list[str]) -> None:
        faults = self.scale.faults
        warehouse = {
            "duplicates": faults.duplicates, "disorder": faults.disorder, "disorder_delay": faults.disorder_delay,
            "lateness": faults.lateness, "lost_replies": faults.lost_replies, "server_errors": faults.server_errors,
            "latency": 0.01, "jitter": 0.02, "webhook_url": self._hook(WAREHOUSE),
            "webhook_secret": WAREHOUSE_SECRET, "api_token": WAREHOUSE_TOKEN,
        }  # fmt: skip
        self._shop(WAREHOUSE, "threepl", common, warehouse)

    def _hook(self, account: str) -> str:
        return f"{self.urls['receiver']}/webhooks/{PLATFORMS[account]}/{TENANT}/{account}"

    def _shop(self, name: str, platform: str, arguments: list[str], options: dict[str, Any]) -> None:
        pairs = [part for key, value in options.items() for part in ("--set", f"{key}={value}")]
        argv = [
            sys.executable,
            "-m",
            f"connectors.{platform}.fake",
            "--port",
            str(self.ports[name]),
            *arguments,
            *pairs,
        ]
        self.tree.start(f"fake-{platform}", argv)

    def _start_roles(self) -> None:
        self._role("receiver", ["receiver"])
        self._role("mapper", ["mapper"])
        for name in self.resolvers:
            self._role(name, ["resolver"])
        for platform in self.platforms:
            self._role(f"courier-{platform}", ["courier", "--platform", platform])

    def _role(self, name: str, arguments: list[str]) -> None:
        self.tree.start(name, [sys.executable, "-m", "streams.cli.main", "run", *arguments], self.environment(name))

    def environment(self, name: str) -> dict[str, str]:
        """SLUICE_* of one process, or of commands run beside it."""
        return {
            "SLUICE_BOOTSTRAP": self.where.bootstrap,
            "SLUICE_REGISTRY": self.where.registry,
            "SLUICE_TOPIC_PREFIX": self.prefix,
            "SLUICE_CONFIG_FILE": str(self.config_file),
            "SLUICE_STATE_DIR": str(self.directory / "state"),
            "SLUICE_SCHEMA_CACHE": str(self.directory / "schemas"),
            "SLUICE_INSTANCE_ID": name,
            "SLUICE_RECEIVER_HTTP_PORT": str(self.ports["receiver"]),
            "SLUICE_HTTP_HOST": "127.0.0.1",
            "SLUICE_HEALTH_PORT_BASE": "0",
            "SLUICE_VENDOR_TIMEOUT": str(self.scale.vendor_timeout),
            "SLUICE_COURIER_QUARANTINE_MARGIN": "1",  # the fake shops carry out at once what they carry out
            "SLUICE_TRANSACTION_TIMEOUT_MS": "15000",
        }

    def _await_ready(self) -> None:
        _until(lambda: _answers(f"{self.urls['receiver']}/readyz"), "the receiver is not ready", self.tree.watch)
        for name in [*self.resolvers, "mapper", *self.couriers]:
            _until(partial(self._has_shards, name), f"{name} got no shards; see {self.directory}/logs", self.tree.watch)
        self._say("every role is ready")

    def _has_shards(self, name: str) -> bool:
        return b"shards assigned" in self.tree.children[name].log.read_bytes()

    def _holds_something(self, name: str) -> bool:
        return bool(self.state(name))

    # -- looking and editing

    def config(self) -> dict[str, Any]:
        """sluice.yaml of this merchant: the back office owns stock, the last writer wins for prices."""
        scale = self.scale
        shop_settings = {
            "shop_domain": "sluice-fake.myshopify.com", "currency": "EUR", "taxes_included": "true",
            "locations": f"{LOCATION_ID}={LOCATION}", "ignored_locations": OTHER_LOCATION_ID,
            "poll_interval": str(scale.poll_interval * 3), "poll_longest": str(scale.poll_interval * 3),
            "poll_overlap": "10",
            "bucket": str(scale.bucket), "restore_rate": str(scale.restore_rate),
        }  # fmt: skip
        presta_settings = {
            "currency": "EUR", "timezone": "Europe/Paris", "price_tax": "INCLUDED", "location": LOCATION,
            "poll_interval": str(scale.poll_interval), "scan_interval": str(scale.poll_interval), "overlap": "10",
            "rate": str(scale.presta_rate * 0.9), "burst": str(scale.presta_burst * 0.5),
        }  # fmt: skip
        whole: dict[str, Any] = {
            "tenants": {
                TENANT: {
                    "accounts": {
                        SHOP: {
                            "platform": "shopify", "base_url": self.urls[SHOP], "priority": 10,
                            "settings": shop_settings,
                            "lanes": {"floors": {"normal": 0.25, "bulk": 0.1}, "timezone": "Europe/Paris"},
                            "secrets": {"webhook": [f"value:{WEBHOOK_SECRET}"], "access_token": [f"value:{TOKEN}"]},
                        },
                        BACK_OFFICE: {
                            "platform": "prestashop", "base_url": self.urls[BACK_OFFICE], "priority": 20,
                            "settings": presta_settings, "secrets": {"webservice_key": [f"value:{KEY}"]},
                        },
                    }
                }
            },
            "policies": {
                "revision": 1,
                "price": {"kind": "lww"},
                "inventory_level": {"kind": "owner", "owners": [BACK_OFFICE, SHOP]},
            },
            "ordering": {"default": {"mode": "time", "lateness": scale.lateness}},
            "flows": {
                "stock": {"entity": "inventory_level", "to": [SHOP], "fields": ["available"], "lane": "high"},
                "price": {"entity": "price", "to": [SHOP, BACK_OFFICE], "fields": ["amount"], "lane": "normal"},
            },
        }  # fmt: skip
        if scale.warehouse:
            self._add_warehouse(whole)
        return whole

    def _add_warehouse(self, config: dict[str, Any]) -> None:
        config["tenants"][TENANT]["accounts"][WAREHOUSE] = {
            "platform": "threepl", "base_url": self.urls[WAREHOUSE], "priority": 30,
            "settings": {
                "poll_interval": str(self.scale.poll_interval), "poll_overlap": "10", "warehouses": "HAM1=HAM",
            },
            "secrets": {"webhook": [f"value:{WAREHOUSE_SECRET}"], "api_token": [f"value:{WAREHOUSE_TOKEN}"]},
        }  # fmt: skip
        config["policies"] |= {"order": {"kind": "single"}, "fulfilment": {"kind": "single"}}
        config["flows"] |= {
            "orders": {
                "entity": "order", "kind": "command", "from": [SHOP, BACK_OFFICE], "to": [WAREHOUSE], "lane": "high",
                "when": {"financial_status": "PAID", "fulfilment_status": "UNFULFILLED", "status": "OPEN"},
            },
            "shipments": {
                "entity": "fulfilment", "kind": "command", "from": [WAREHOUSE], "to": "origin", "lane": "high",
                "when": {"status": ["SHIPPED", "DELIVERED"]},
            },
        }  # fmt: skip

    def state(self, name: str) -> dict[str, Any]:
        """What a fake shop holds now; empty when it does not answer."""
        return dict(get(f"{self.urls[name]}/_fake/state") or {})

    def stats(self, name: str) -> dict[str, Any]:
        """A fake shop's counters."""
        return dict(get(f"{self.urls[name]}/_fake/stats") or {})

    def journal(self, name: str) -> list[dict[str, Any]]:
        """Every write a fake shop accepted."""
        return list(get(f"{self.urls[name]}/_fake/journal") or [])

    def deliveries(self) -> list[dict[str, Any]]:
        """Every webhook the online shop sent, with its answers."""
        return list(get(f"{self.urls[SHOP]}/_fake/deliveries") or [])

    def edit(self, name: str, **values: Any) -> dict[str, Any]:
        """An edit by a person in a shop's admin, a back office or a warehouse. Returns ids of what was created."""
        return dict(post(f"{self.urls[name]}/_fake/edit", orjson.dumps(values)))

    def control(self, name: str, **values: Any) -> None:
        """Change a fake shop's options."""
        post(f"{self.urls[name]}/_fake/control", orjson.dumps(values))

    def cpu_seconds(self) -> float:
        """User and system time of the living roles."""
        total = 0.0
        for name, child in self.tree.children.items():
            if child.alive and child.process and not name.startswith("fake-"):
                times = psutil.Process(child.process.pid).cpu_times()
                total += times.user + times.system
        return total


def _answers(url: str) -> bool:
    return get(url, parse=False) is not None


def _until(holds: Callable[[], bool], otherwise: str, meanwhile: Callable[[], None] = lambda: None) -> None:
    deadline = time.monotonic() + READY_TIMEOUT
    while not holds():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{otherwise} after {READY_TIMEOUT:.0f} s")
        meanwhile()
        time.sleep(0.1)
