"""`python -m streams.testing.chaos`: kill -9 of resolvers and couriers at random points under load, then the oracle.

Several rounds with different profiles: few keys and long lingers hide nothing, because most events of a key are then
held or in flight when the process dies. The last line is one JSON object.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import click

from streams.stack import Endpoints
from streams.testing.broker import endpoints
from streams.testing.load import Load
from streams.testing.merchant import BACK_OFFICE, SHOP, Merchant, Scale
from streams.testing.oracle import Report
from streams.testing.verdict import Verdict

PATIENCE = 90.0  # seconds to converge after the last kill
BETWEEN = (1.0, 4.5)  # seconds between two kills


@dataclass(frozen=True, slots=True)
class Profile:
    """One way to hurt. `lateness` (s) is how long events are held for their order."""

    name: str
    skus: int
    lateness: float
    rate: float
    resolvers: int


PROFILES = (
    Profile("few keys, long linger", skus=6, lateness=5.0, rate=20.0, resolvers=2),
    Profile("many keys, short linger", skus=60, lateness=0.3, rate=20.0, resolvers=1),
)


@dataclass(slots=True)
class Score:
    """What all rounds came to."""

    kills: int = 0
    events: int = 0
    lost: int = 0
    duplicates: int = 0
    regressions: int = 0
    wrong_final: int = 0
    failed: tuple[str, ...] = ()

    def take(self, report: Report) -> None:
        """Add a round's findings."""
        for finding in report.findings:
            count = len(finding.violations)
            if finding.title in {"no acknowledged delivery is lost", "every event is released"}:
                self.lost += count
            elif finding.title == "no event is released twice":
                self.duplicates += count
                self.events += finding.checked
            elif finding.invariant == "I3" or "goes back" in finding.title or "order" in finding.title:
                self.regressions += count
            elif finding.title == "shops and state agree with the truth":
                self.wrong_final += count
            if not finding.passed:
                self.failed += (f"{finding.invariant} {finding.title}: {list(finding.violations[:2])}",)


def run(where: Endpoints, kills: int, seed: int, say: bool = True) -> Score:
    """All profiles, the kills shared between them. The seed decides load, faults, victims and moments."""
    score = Score()
    for number, profile in enumerate(PROFILES):
        share = kills // len(PROFILES) + (number < kills % len(PROFILES))
        if share:
            score.take(_round(where, profile, share, seed + number, say))
            score.kills += share
    return score


def _round(where: Endpoints, profile: Profile, kills: int, seed: int, say: bool) -> Report:
    folder = Path(tempfile.mkdtemp(prefix="sluice-chaos-"))
    scale = Scale(skus=profile.skus, lateness=profile.lateness, resolvers=profile.resolvers, seed=seed)

    def report(text: str) -> None:
        if say:
            sys.stderr.write(f"  {text}\n")

    report(f"profile {profile.name!r}, seed {seed}, {kills} kills, logs in {folder}/logs")
    merchant = Merchant(folder, where, scale, f"chaos{seed}-{int(time.time())}.", report)
    try:
        merchant.start()
        start = {name: merchant.state(name) for name in (SHOP, BACK_OFFICE)}
        verdict = Verdict(merchant, start)
        _kill(merchant, Load(merchant, profile.rate, seed), kills, random.Random(seed))
        verdict.settle(PATIENCE, lambda: _watch(merchant))
        findings = verdict.report()
        verdict.close()
    finally:
        merchant.stop()
    if findings.passed:
        shutil.rmtree(folder, ignore_errors=True)
    return findings


def _kill(merchant: Merchant, load: Load, kills: int, rnd: random.Random) -> None:
    victims = [*merchant.resolvers, *merchant.couriers]
    left, due = kills, time.monotonic() + 2.0
    while left:
        load.step()
        _watch(merchant)
        if time.monotonic() >= due:
            merchant.tree.kill(rnd.choice(victims))
            left -= 1
            due = time.monotonic() + rnd.uniform(*BETWEEN)


def _watch(merchant: Merchant) -> None:
    merchant.tree.watch()
    time.sleep(0.02)


@click.command()
@click.option("--kills", default=20, show_default=True, help="kill -9 in all.")
@click.option("--seed", default=1, show_default=True, help="Same seed, same load, faults and victims.")
def main(kills: int, seed: int) -> None:
    """Kill resolvers and couriers under load and ask the oracle."""
    with endpoints() as where:
        score = run(where, kills, seed)
    for line in score.failed:
        click.echo(line, err=True)
    result = {
        "kills": score.kills, "events": score.events, "lost": score.lost, "duplicates": score.duplicates,
        "regressions": score.regressions, "wrong_final": score.wrong_final, "seed": seed, "passed": not score.failed,
    }  # fmt: skip
    click.echo(json.dumps(result))
    sys.exit(bool(score.failed))


if __name__ == "__main__":
    main()
