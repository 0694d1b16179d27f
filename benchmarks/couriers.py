"""A courier as a process over topics of its own, and the shops it calls: what the workloads of the courier share."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import yaml

from benchmarks.measure import Usage, usage
from connectors.kit.contract import Account
from schemas import identity
from schemas.entities import EntityType, Lane
from schemas.identity import GoldenKey
from schemas.registry import open_codec
from schemas.topics import PROFILES
from streams.runtime.supervise import Supervisor
from streams.stack.ports import free_ports
from streams.testing import desk
from streams.testing.desk import Desk
from streams.testing.http import get, post
from streams.testing.prepare import prepare

PROFILE = PROFILES["development"]
TENANT, PLATFORM, COURIER = "bench", "shopify", "courier"
DEADLINE = 600.0  # seconds
SETTINGS = {
    "currency": "EUR", "poll_interval": "100000", "bucket": "9e8", "restore_rate": "9e8",
}  # fmt: skip


def names(prefix: str, many: int, shard: int | None = None) -> list[str]:
    """Account names, of one shard or of all in turn."""
    wanted = (number % PROFILE.platform if shard is None else shard for number in range(many))
    candidates = [f"{prefix}{number}" for number in range(many * PROFILE.platform * 4)]
    found = list[str]()
    for number in wanted:
        found.append(next(one for one in candidates if shard_of(one) == number and one not in found))
    return found


def shard_of(account: str) -> int:
    """The courier's shard of an account."""
    return identity.account_partition(TENANT, account, PROFILE.platform)


class Couriers:
    """One courier, the shops of its accounts (benchmarks.openshop) and a desk that asks for work."""

    def __init__(self, bootstrap: str, registry: str, place: Path, accounts: Sequence[str]) -> None:
        self.place = place
        self.kafka = {"bootstrap.servers": bootstrap}
        self.prefix = f"courier-{int(time.time() * 1000)}."
        prepare(bootstrap, registry, self.prefix, PROFILE)
        port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{port}"
        self.accounts = {name: Account(TENANT, name, PLATFORM, f"{self.url}/{name}") for name in accounts}
        (place / "sluice.yaml").write_text(yaml.safe_dump(self._config()))
        self._environment = {
            "SLUICE_BOOTSTRAP": bootstrap, "SLUICE_REGISTRY": registry, "SLUICE_TOPIC_PREFIX": self.prefix,
            "SLUICE_CONFIG_FILE": str(place / "sluice.yaml"), "SLUICE_SCHEMA_CACHE": str(place / "schemas"),
            "SLUICE_STATE_DIR": str(place / "state"), "SLUICE_INSTANCE_ID": "bench", "SLUICE_HTTP_HOST": "127.0.0.1",
            "SLUICE_HEALTH_PORT_BASE": "0", "SLUICE_VENDOR_TIMEOUT": "5",
        }  # fmt: skip
        self.tree = Supervisor(place / "logs")
        self.codec = open_codec(registry, place / "schemas")
        self.desk = Desk(self.kafka, self.codec, self.prefix, PROFILE)
        self.tree.start("shops", [sys.executable, "-m", "benchmarks.openshop", str(port)])
        self.wait(lambda: get(f"{self.url}/_calls") is not None, "the shops answer", 30.0)

    def _config(self) -> dict[str, Any]:
        accounts = {
            name: {
                "platform": PLATFORM,
                "base_url": account.base_url,
                "settings": SETTINGS,
                "secrets": {"access_token": ["value:token"]},
            }
            for name, account in self.accounts.items()
        }
        return {"tenants": {TENANT: {"accounts": accounts}}, "policies": {"revision": 1}}

    # -- work

    def link(self, account: str, numbers: range) -> None:
        """The account sells these SKUs."""
        for number in numbers:
            golden = GoldenKey(TENANT, EntityType.VARIANT, f"SKU{number}")
            self.desk.link(self.accounts[account], golden, str(number + 1), {"product_id": str(number + 1)})

    def ask(self, account: str, number: int, version: int = 1, lane: Lane = Lane.NORMAL) -> str:
        """The account should hold another price of a SKU: one call, because each is a product of its own. Returns the
        operation id."""
        sku = f"SKU{number}"
        golden = desk.price(TENANT, sku)
        money = {"amount": Decimal(number % 1000), "currency": "EUR", "tax": "UNKNOWN"}
        fields = {"amount": money, "sku": sku}
        self.desk.ask(self.accounts[account], golden, fields, version=version, lane=lane)
        return f"{account}|{golden}|{version}"

    # -- life

    def start(self) -> None:
        """Start the courier; returns at once."""
        command = [sys.executable, "-m", "streams.cli.main", "run", "courier", "--platform", PLATFORM]
        self.tree.start(COURIER, command, self._environment)

    def stop(self) -> None:
        """End everything; the courier's log is shown when SLUICE_BENCH_LOGS is set."""
        self.tree.stop(30.0)
        if os.environ.get("SLUICE_BENCH_LOGS"):
            for log in sorted(self.place.glob("logs/*.log")):
                sys.stderr.write(f"--- {log.name}\n{log.read_text()}")

    def wait(self, holds: Callable[[], bool], what: str, within: float = DEADLINE) -> None:
        """Wait until it holds. Raises TimeoutError, and RuntimeError when a process ended on its own."""
        deadline = time.monotonic() + within
        while not holds():
            ended = [name for name, child in self.tree.children.items() if not child.alive]
            if ended:
                raise RuntimeError(f"{ended} ended on their own; SLUICE_BENCH_LOGS=1 shows their logs")
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {within:.0f} s: {what}")
            time.sleep(0.05)

    def used(self, name: str = COURIER) -> Usage:
        """By one process now."""
        process = self.tree.children[name].process
        assert process is not None
        return usage(process.pid)

    # -- the shops

    def opened(self) -> bool:
        """Whether every shard of the courier works."""
        return self.tree.children[COURIER].log.read_bytes().count(b"shard opened") >= PROFILE.platform

    def calls(self) -> Mapping[str, int]:
        """Requests so far, by account."""
        return dict(get(f"{self.url}/_calls") or {})

    def journal(self) -> list[tuple[str, str, int]]:
        """Accepted writes: account, operation id, microseconds UTC."""
        return [(account, op_id, at) for account, op_id, at in get(f"{self.url}/_journal") or []]

    def mood(self, account: str, mood: str) -> None:
        """Let a shop answer otherwise; see benchmarks.openshop."""
        post(f"{self.url}/_mood", orjson.dumps({account: mood}))


def faults(journal: Sequence[tuple[str, str, int]], asked: set[str]) -> dict[str, int]:
    """What the shops accepted that was not asked for, was asked for and not accepted, or was accepted again."""
    accepted = {op_id for _, op_id, _ in journal}
    return {
        "not_asked_for": len(accepted - asked),
        "missing": len(asked - accepted),
        "repeated": len(journal) - len(accepted),
    }


@contextmanager
def couriers(bootstrap: str, registry: str, accounts: Sequence[str]) -> Iterator[Couriers]:
    """Topics are made and shops started; all ends with the block."""
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
        running = Couriers(bootstrap, registry, Path(folder), accounts)
        try:
            yield running
        finally:
            running.stop()
