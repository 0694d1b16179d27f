"""`python -m streams.testing.courierchaos`: kill -9 of couriers at random points, then what the vendors accepted.

The fake vendors carry requests out and drop the replies, and record every version they accept. Sets must never go back
and must end where they should; commands must have been carried out once; the couriers' book must close. The last line
is one JSON object.
"""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import click

from streams.core.ledger import Book, balance, total
from streams.runtime import ledgerbook
from streams.runtime.topicreader import TopicReader
from streams.stack import Endpoints
from streams.testing import oracle, truth
from streams.testing.broker import endpoints
from streams.testing.ending import end_with
from streams.testing.oracle import Finding, Report
from streams.testing.wishes import Wishes
from streams.testing.yard import PLACE, SHOPS, VENDORS, WAREHOUSE, Yard, until

BETWEEN = (0.4, 2.5)  # seconds between two kills; a courier needs about 2 to work again, so some never get to
PATIENCE = 120.0  # seconds


@dataclass(slots=True)
class Score:
    """What a run came to. `accepted`: sets the shops carried out; `repeated`: those of a version they had already;
    `batches`: calls that took several of them;
    `commands`: asked for, each of which must have taken effect once; `lost_replies`: requests that were carried out and
    not answered."""

    seed: int
    kills: int = 0
    tasks: int = 0
    accepted: int = 0
    repeated: int = 0
    batches: int = 0
    commands: int = 0
    commands_repeated: int = 0
    commands_lost: int = 0
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
    for name in SHOPS:
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
    edits = [edit for name in SHOPS for edit in truth.edits(name, yard.journal(name))]
    ours = [edit for edit in edits if edit.actor == "api"]
    applied = [(edit.account, f"{edit.kind} {edit.sku}", int(Decimal(edit.value))) for edit in ours]
    score.tasks = yard.desk.given.total()
    score.accepted, score.repeated = len(applied), len(applied) - len(set(applied))
    score.batches = len({edit.request_id for edit in ours if edit.request_id.startswith("batch-")})
    score.lost_replies = sum(int(yard.stats(name)["lost_replies"]) for name in yard.accounts)
    book = _book(yard)
    refused = [
        f"{account}: {n} {what}" for account, sums in book.items() for what in ("dead", "parked") if (n := sums[what])
    ]
    report = Report()
    report.add(_once(yard, wishes, score))
    report.add(oracle.converged(*_places(yard, wishes)))
    report.add(oracle.monotone(applied))
    report.add(Finding("I6", "the couriers' book closes on what they were given", score.tasks, tuple(_open(yard))))
    report.add(Finding("I2", "nothing is given up and nothing waits for a person", score.tasks, tuple(refused)))
    return report


def _once(yard: Yard, wishes: Wishes, score: Score) -> Finding:
    """I4: every command has taken effect once, those of one order one after the other."""
    effects = [entry for entry in yard.journal(WAREHOUSE) if entry["actor"] == "api"]
    counts = Counter(str(entry["request_id"]) for entry in effects)
    repeated = [name for name, count in counts.items() if count > 1]
    lost = [name for name in wishes.commands if not counts[name]]
    score.commands, score.commands_repeated, score.commands_lost = len(wishes.commands), len(repeated), len(lost)
    newest: dict[str, int] = {}
    late = []
    for entry in effects:
        number = int(entry["request_id"].removeprefix("order-"))
        if number < newest.get(entry["remote_id"], number):
            late.append(f"{entry['request_id']} after order-{newest[entry['remote_id']]}")
        newest[entry["remote_id"]] = number
    wrong = [f"{name} twice" for name in repeated] + [f"{name} not at all" for name in lost] + late
    return Finding("I4", "every command takes effect once and in its turn", len(wishes.commands), tuple(wrong))


@click.command()
@click.option("--kills", default=50, show_default=True, help="kill -9 in all.")
@click.option("--seed", default=1, show_default=True, help="Same seed, same work, faults and victims.")
def main(kills: int, seed: int) -> None:
    """Kill couriers at random points and look at what the vendors accepted."""
    with endpoints() as where:
        score = run(where, kills, seed)
    end_with(score)


if __name__ == "__main__":
    main()
