"""`python -m streams.testing.courierchaos`: kill -9 of couriers at random points, then what the vendors accepted.

The fake vendors carry requests out and drop the replies, and record every version they accept. Sets must never go back
and must end where they should; commands must have been carried out once; the couriers' book must close. The last line
is one JSON object.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import yaml

from connectors.kit.contract import Account
from schemas.entities import EntityType
from schemas.identity import GoldenKey
from schemas.registry import open_codec
from schemas.topics import PROFILES
from streams.core.ledger import Book, balance, total
from streams.runtime import ledgerbook
from streams.runtime.supervise import Supervisor
from streams.runtime.topicreader import TopicReader
from streams.stack import Endpoints
from streams.stack.ports import free_ports
from streams.testing import desk, oracle, truth
from streams.testing.broker import endpoints
from streams.testing.desk import Desk
from streams.testing.http import get
from streams.testing.oracle import Finding, Report
from streams.testing.prepare import prepare

TENANT, SHOP, OFFICE, PLACE = "acme", "shop", "office", "BER"
PROFILE = PROFILES["development"]
SKUS = 8
RATE = 30.0  # tasks per second and account: each entity changes several times while one write of it is in doubt
BETWEEN = (0.4, 2.5)  # seconds between two kills; a courier needs about 2 to work again, so some never get to
READY, PATIENCE = 60.0, 120.0  # seconds
TIMEOUT = 2.0  # seconds the couriers wait for a reply
FAULTS = {"lost_replies": 0.08, "server_errors": 0.03, "latency": 0.01, "jitter": 0.05}


@dataclass(slots=True)
class Score:
    """What a run came to. `accepted`: writes the vendors carried out; `repeated`: those of a version they had already;
    `lost_replies`: writes and reads that were carried out and not answered."""

    seed: int
    kills: int = 0
    tasks: int = 0
    accepted: int = 0
    repeated: int = 0
    lost_replies: int = 0
    regressions: int = 0
    wrong_final: int = 0
    seconds_to_settle: float = 0.0
    failed: tuple[str, ...] = ()

    def take(self, report: Report) -> None:
        """Add what was found."""
        for finding in report.findings:
            self.regressions += len(finding.violations) * (finding.invariant == "I3")
            self.wrong_final += len(finding.violations) * (finding.invariant == "I2")
            if not finding.passed:
                self.failed += (f"{finding.invariant} {finding.title}: {list(finding.violations[:3])}",)


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
)  # fmt: skip


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
        for sku, ids in self.state(account)["variants"].items():
            aliases = {name: str(value) for name, value in ids.items() if name != "id"}
            self.desk.link(self.accounts[account], GoldenKey(TENANT, EntityType.VARIANT, sku), str(ids["id"]), aliases)

    def _works(self, name: str) -> bool:
        return b"shards assigned" in self.tree.children[name].log.read_bytes()


class Wishes:
    """Tasks at a rate, when `step` is called; remembers what every account should hold in the end."""

    def __init__(self, yard: Yard, seed: int) -> None:
        self._yard = yard
        self._random = random.Random(seed)
        self._began = time.monotonic()
        self._made = 0
        self.wanted: dict[str, dict[str, str]] = {name: {} for name in yard.accounts}

    def step(self) -> None:
        """Make the tasks that are due now."""
        due = int((time.monotonic() - self._began) * RATE)
        while self._made < due:
            self._made += 1
            for name in self._yard.accounts:
                self._ask(name)
        self._yard.desk.flush()

    def _ask(self, name: str) -> None:
        sku, number = f"SKU-{self._random.randrange(SKUS)}", self._random.randrange(1, 100_000)
        account = self._yard.accounts[name]
        if self._random.random() < 0.5:
            fields: dict[str, Any] = {"available": Decimal(number), "sku": sku, "location": PLACE, "tracked": True}
            self._yard.desk.ask(account, desk.stock(TENANT, sku, PLACE), fields)
            self.wanted[name][f"{truth.STOCK} {sku}"] = str(number)
        else:
            money = {"amount": Decimal(number), "currency": "EUR", "tax": "INCLUDED"}
            self._yard.desk.ask(account, desk.price(TENANT, sku), {"amount": money, "sku": sku})
            self.wanted[name][f"{truth.PRICE} {sku}"] = str(number)


def run(where: Endpoints, kills: int, seed: int, *, say: bool = True) -> Score:
    """One run. The seed decides the work, the faults, the victims and the moments."""
    folder, prefix = Path(tempfile.mkdtemp(prefix="sluice-couriers-")), f"couriers{seed}-{int(time.time())}."
    score, chance = Score(seed), random.Random(seed)

    def report(text: str) -> None:
        if say:
            sys.stderr.write(f"  {text}\n")

    report(f"seed {seed}, {kills} kills, logs in {folder}/logs")
    yard = Yard(folder, where, prefix, seed, report)
    try:
        yard.start()
        wishes = Wishes(yard, seed)
        _kill(yard, wishes, score, kills, chance)
        began = time.monotonic()
        settled = until(lambda: _holds(yard, wishes) and not _open(yard), "", yard.watch, PATIENCE, strict=False)
        score.seconds_to_settle = round(time.monotonic() - began, 1)
        if not settled:
            score.failed += (f"what was asked for is not worked off {PATIENCE:.0f} s after the last kill",)
        score.take(_verdict(yard, wishes, score))
    finally:
        yard.tree.stop()
    if not score.failed:
        shutil.rmtree(folder, ignore_errors=True)
    return score


def _kill(yard: Yard, wishes: Wishes, score: Score, kills: int, chance: random.Random) -> None:
    due = time.monotonic() + 1.0
    while score.kills < kills:
        wishes.step()
        yard.watch()
        if time.monotonic() >= due:
            score.kills += 1
            yard.tree.kill(chance.choice(yard.couriers))
            due = time.monotonic() + chance.uniform(*BETWEEN)


# ------------------------------------------------------------------------------------------------------- verdict


def _holds(yard: Yard, wishes: Wishes) -> bool:
    return oracle.converged(*_places(yard, wishes)).passed


def _places(yard: Yard, wishes: Wishes) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """What should be held and what is, by account and item."""
    should = {f"{name} {item}": value for name, items in wishes.wanted.items() for item, value in items.items()}
    held: dict[str, str] = {}
    for name in yard.accounts:
        state = yard.state(name)
        for sku, value in state.get("prices", {}).items():
            held[f"{name} {truth.PRICE} {sku}"] = truth.plain(value)
        for sku, levels in state.get("levels", {}).items():
            held[f"{name} {truth.STOCK} {sku}"] = truth.plain(levels[PLACE])
    return should, {"vendors": held}


def _book(yard: Yard) -> dict[str, Mapping[str, int]]:
    reader = TopicReader(yard.kafka, yard.prefix)
    try:
        entries = ledgerbook.entries(reader, sorted({one.platform for one in VENDORS}))
    finally:
        reader.close()
    return {account: sums for (book, account), sums in total(entries).items() if book is Book.TASKS}


def _open(yard: Yard) -> list[str]:
    """The accounts whose book does not close on what was given to them."""
    book, given = _book(yard), yard.desk.given
    return [
        f"{account}: given {count}, {dict(book.get(account, {}))}"
        for account, count in given.items()
        if account not in book or book[account]["received"] != count or balance(Book.TASKS, book[account])
    ]


def _verdict(yard: Yard, wishes: Wishes, score: Score) -> Report:
    edits = [edit for name in yard.accounts for edit in truth.edits(name, yard.journal(name))]
    applied = truth.applied(edits)
    score.tasks = yard.desk.given.total()
    score.accepted, score.repeated = len(applied), len(applied) - len(set(applied))
    score.lost_replies = sum(int(yard.stats(name)["lost_replies"]) for name in yard.accounts)
    book = _book(yard)
    refused = [
        f"{account}: {n} {what}" for account, sums in book.items() for what in ("dead", "parked") if (n := sums[what])
    ]
    report = Report()
    report.add(oracle.converged(*_places(yard, wishes)))
    report.add(oracle.monotone(applied))
    report.add(Finding("I6", "the couriers' book closes on what they were given", score.tasks, tuple(_open(yard))))
    report.add(Finding("I2", "nothing is given up and nothing waits for a person", score.tasks, tuple(refused)))
    return report


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


@click.command()
@click.option("--kills", default=50, show_default=True, help="kill -9 in all.")
@click.option("--seed", default=1, show_default=True, help="Same seed, same work, faults and victims.")
def main(kills: int, seed: int) -> None:
    """Kill couriers at random points and look at what the vendors accepted."""
    with endpoints() as where:
        score = run(where, kills, seed)
    for line in score.failed:
        click.echo(line, err=True)
    result = asdict(score)
    del result["failed"]
    click.echo(json.dumps({**result, "passed": not score.failed}))
    sys.exit(bool(score.failed))


if __name__ == "__main__":
    main()
