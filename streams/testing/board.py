"""The live table of a run, and the table of its verdict."""

from __future__ import annotations

import time
from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from streams.core.ledger import Book
from streams.testing.merchant import BACK_OFFICE, SHOP, Merchant
from streams.testing.oracle import Report
from streams.testing.verdict import Verdict

EVERY = 1.0  # seconds between two looks at ledger and shops
Totals = Mapping[Book, Mapping[str, int]]


class Board:
    """What happens now. The numbers are the ledger's, so they lag by a commit and are exact."""

    def __init__(self, merchant: Merchant, verdict: Verdict) -> None:
        self._merchant = merchant
        self._verdict = verdict
        self._looked = 0.0
        self._totals: Totals = {book: dict.fromkeys(book.names, 0) for book in Book}
        self._quota: dict[str, str] = {}
        self._notes: list[str] = []
        self.phase = "starting"
        self.edits = 0

    def note(self, text: str) -> None:
        """Add a line about something that happened."""
        self._notes.append(text)

    def due(self) -> bool:
        """Whether it is time for a new look."""
        return time.monotonic() - self._looked >= EVERY

    def render(self) -> RenderableType:
        """Look and draw."""
        self._look()
        deliveries, events, tasks = (self._totals[book] for book in (Book.DELIVERIES, Book.EVENTS, Book.TASKS))
        table = Table(title="Sluice", title_justify="left", show_header=False, box=None, padding=(0, 2))
        lag = deliveries["events_out"] - events["received"]
        open_tasks = (
            tasks["routed"]
            - tasks["applied"]
            - tasks["no_op"]
            - tasks["coalesced"]
            - tasks["filtered"]
            - tasks["rerouted"]
        )
        rows = [
            ("edits by people", f"{self.edits}", "deliveries and reads in", f"{deliveries['received']}"),
            ("events in", f"{events['received']}", "lag, events", f"{max(0, lag)}"),
            ("won", f"{events['won']}", "unchanged", f"{events['unchanged']}"),
            ("superseded", f"{events['superseded'] + events['late']}", "duplicates", f"{events['duplicate']}"),
            ("pushes routed", f"{tasks['routed']}", "applied", f"{tasks['applied']}"),
            ("coalesced, no-op", f"{tasks['coalesced'] + tasks['no_op']}", "open", f"{max(0, open_tasks)}"),
            ("quota Shopify", self._quota.get(SHOP, "-"), "quota PrestaShop", self._quota.get(BACK_OFFICE, "-")),
        ]
        for row in rows:
            table.add_row(*row)
        return Group(table, Text(f"{self.phase}  {'; '.join(self._notes)}", style="dim"))

    def _look(self) -> None:
        self._looked = time.monotonic()
        self._totals = self._verdict.totals()
        bucket, limit = self._merchant.stats(SHOP).get("bucket"), self._merchant.stats(BACK_OFFICE).get("limit")
        if bucket:
            self._quota[SHOP] = f"{bucket['level']:.0f} points left, {bucket['throttled']:.0f} x 429"
        if limit:
            self._quota[BACK_OFFICE] = f"{limit['max_rate']:.0f}/s at most, {limit['throttled']:.0f} x 429"


def verdict_table(report: Report, merchant: Merchant, totals: Totals, cpu: float) -> RenderableType:
    """Every finding, what the quota was used for, and the CPU the roles needed."""
    table = Table(title="The oracle's verdict", title_justify="left")
    for column in ("", "invariant", "what", "checked", "violations"):
        table.add_column(column)
    for finding in report.findings:
        mark = "[green]ok" if finding.passed else "[red]FAIL"
        violations = "\n".join(finding.violations[:3]) + ("\n..." if len(finding.violations) > 3 else "")
        table.add_row(mark, finding.invariant, finding.title, f"{finding.checked}", violations or finding.note)
    bucket = merchant.stats(SHOP)["bucket"]
    used = f"{bucket['accepted_cost']:.0f} points in {bucket['accepted']:.0f} calls, {bucket['throttled']:.0f} refused"
    events = totals[Book.EVENTS]
    return Group(
        table,
        Text(f"Shopify quota: {used}; {events['received']} events resolved; {cpu:.1f} CPU-seconds in the living roles"),
    )
