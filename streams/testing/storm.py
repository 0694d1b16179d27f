"""`python -m streams.testing.storm`: resolvers join and leave every few seconds under load, then the oracle.

Members leave by SIGTERM or by kill -9 and may come back with the disk they left, so shards move between processes,
disks of all ages and transactions of dead owners all the time. The last line is one JSON object.
"""

from __future__ import annotations

import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import yaml

from schemas.registry import open_codec
from schemas.topics import INBOUND, PROFILES
from streams.runtime.topicreader import TopicReader
from streams.stack import Endpoints
from streams.testing import chatter
from streams.testing.aftermath import Aftermath, longest_pause
from streams.testing.broker import endpoints
from streams.testing.chatter import Chatter, Manners
from streams.testing.ending import end_with
from streams.testing.fleet import Fleet
from streams.testing.oracle import Report
from streams.testing.prepare import prepare

NAMES = [f"member-{number}" for number in range(6)]
FEWEST, MOST = 1, 3  # members at a time
BETWEEN = (2.0, 5.0)  # seconds between two changes
KILLED = 0.3  # of those who leave
SESSION_MS = 6_000  # the least that a broker takes: a member that left keeps its shards for that long
LATENESS = 0.5  # seconds that events are held for their order
PATIENCE = 60.0  # seconds to work everything off after the storm
PROFILE = PROFILES["development"]


@dataclass(slots=True)
class Score:
    """What a storm came to. `rebalances`: assignments that members were given; `ended`: members that ended without
    being asked to; `longest_pause_s`: between two records of `state` in one shard, by the broker's clock."""

    seconds: int
    seed: int
    joins: int = 0
    leaves: int = 0
    kills: int = 0
    rebalances: int = 0
    ended: int = 0
    records: int = 0
    events: int = 0
    lost: int = 0
    duplicates: int = 0
    regressions: int = 0
    wrong_final: int = 0
    longest_pause_s: float = 0.0
    failed: tuple[str, ...] = ()

    def take(self, report: Report) -> None:
        """Add what the oracle found."""
        for finding in report.findings:
            count = len(finding.violations)
            self.lost += count * (finding.title == "every event is released")
            self.duplicates += count * (finding.title == "no event is released twice")
            self.regressions += count * ("goes back" in finding.title or "order" in finding.title)
            self.wrong_final += count * (finding.title == "shops and state agree with the truth")
            if finding.title == "every event is released":
                self.events = finding.checked
            if not finding.passed:
                self.failed += (f"{finding.invariant} {finding.title}: {list(finding.violations[:2])}",)


def run(where: Endpoints, seconds: int, seed: int, manners: Manners | None = None, say: bool = True) -> Score:
    """One storm of so many seconds. The seed decides the load, who comes, who goes and how."""
    folder, prefix = Path(tempfile.mkdtemp(prefix="sluice-storm-")), f"storm{seed}-{int(time.time())}."
    score, kafka = Score(seconds, seed), {"bootstrap.servers": where.bootstrap}

    def report(text: str) -> None:
        if say:
            sys.stderr.write(f"  {text}\n")

    report(f"seed {seed}, logs in {folder}/logs")
    prepare(where.bootstrap, where.registry, prefix, PROFILE)
    config = folder / "sluice.yaml"
    config.write_text(yaml.safe_dump(_rules()))
    fleet = Fleet(folder, ["resolver"], _environment(where, folder, config, prefix))
    talk = Chatter(
        kafka, open_codec(where.registry, folder / "schemas"), prefix, PROFILE, manners or Manners(), seed
    )  # fmt: skip
    reader = TopicReader(kafka, prefix)
    try:
        with talk:
            _rage(fleet, score, report)
        settled = _settle(fleet, lambda: reader.caught_up("resolver", [INBOUND]))
    finally:
        fleet.stop()
    _judge(score, fleet, folder, settled=settled)
    aftermath = Aftermath(reader, open_codec(where.registry, folder / "schemas"), config)
    score.records = talk.records
    score.take(aftermath.report(talk.truth, talk.records))
    score.longest_pause_s = longest_pause(aftermath.state)
    reader.close()
    if not score.failed:
        shutil.rmtree(folder, ignore_errors=True)
    return score


def _rules() -> dict[str, Any]:
    """Two accounts of one tenant; the last writer of a price wins."""
    accounts = {
        one.id: {"platform": one.platform, "base_url": "http://127.0.0.1:1", "priority": one.priority}
        for one in chatter.ACCOUNTS
    }
    return {
        "tenants": {chatter.TENANT: {"accounts": accounts}},
        "policies": {"revision": 1, chatter.KIND.value: {"kind": "lww"}},
        "ordering": {"default": {"mode": "time", "lateness": LATENESS}},
        "mass_delete": {"most": 0, "within": 3600},  # how long a storm lasts must not matter
    }


def _environment(where: Endpoints, folder: Path, config: Path, prefix: str) -> dict[str, str]:
    return {
        "SLUICE_BOOTSTRAP": where.bootstrap,
        "SLUICE_REGISTRY": where.registry,
        "SLUICE_TOPIC_PREFIX": prefix,
        "SLUICE_CONFIG_FILE": str(config),
        "SLUICE_SCHEMA_CACHE": str(folder / "schemas"),
        "SLUICE_HEALTH_PORT_BASE": "0",
        "SLUICE_HTTP_HOST": "127.0.0.1",
        "SLUICE_SESSION_TIMEOUT_MS": str(SESSION_MS),
        "SLUICE_TRANSACTION_TIMEOUT_MS": "15000",
    }


def _rage(fleet: Fleet, score: Score, report: Callable[[str], None]) -> None:
    """Members come and go until the time is over."""
    chance, over, due = random.Random(score.seed), time.monotonic() + score.seconds, 0.0
    while time.monotonic() < over:
        if time.monotonic() >= due:
            report(_change(fleet, score, chance))
            due = time.monotonic() + chance.uniform(*BETWEEN)
        fleet.watch()
        time.sleep(0.05)


def _change(fleet: Fleet, score: Score, chance: random.Random) -> str:
    """Somebody joins or somebody leaves."""
    working = fleet.working
    absent = [name for name in NAMES if name not in working and name not in fleet.leaving]
    if len(working) <= FEWEST or (len(working) < MOST and chance.random() < 0.5):
        name = chance.choice(absent)
        fleet.join(name)
        score.joins += 1
        return f"{name} joins {len(working)} others"
    name = chance.choice(working)
    if chance.random() < KILLED:
        fleet.kill(name)
        score.kills += 1
        return f"{name} is killed"
    fleet.leave(name)
    score.leaves += 1
    return f"{name} leaves"


def _settle(fleet: Fleet, done: Callable[[], bool]) -> bool:
    """Whether those who are left work everything off."""
    deadline = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > deadline:
            return False
        fleet.watch()
        time.sleep(0.5)
    return True


def _judge(score: Score, fleet: Fleet, folder: Path, *, settled: bool) -> None:
    """What the processes themselves have to answer for."""
    score.ended = len(fleet.ended)
    score.rebalances = sum(_count(log, b"shards assigned") for log in (folder / "logs").glob("*.log"))
    if not settled:
        score.failed += (f"what was said is not worked off {PATIENCE:.0f} s after the storm",)
    if fleet.ended:
        score.failed += (f"members ended on their own: {fleet.ended}",)
    crooked = [one for one in fleet.exits if one[1] not in (0, -signal.SIGTERM)]  # -15: it had not begun yet
    if crooked:
        score.failed += (f"members that were asked to leave did not exit with 0: {crooked}",)


def _count(log: Path, text: bytes) -> int:
    return log.read_bytes().count(text)


@click.command()
@click.option("--seconds", default=180, show_default=True, help="How long it lasts.")
@click.option("--seed", default=1, show_default=True, help="Same seed, same load, same comings and goings.")
def main(seconds: int, seed: int) -> None:
    """Let resolvers join and leave under load and ask the oracle."""
    with endpoints() as where:
        score = run(where, seconds, seed)
    end_with(score)


if __name__ == "__main__":
    main()
