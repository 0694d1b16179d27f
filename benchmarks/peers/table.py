"""What a run of the peers shows: the table, its section of RESULTS.md, the JSON object. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from benchmarks.peers.figures import Figures

BEGIN = "<!-- peers: begin; written by `make bench W=peers` -->"
END = "<!-- peers: end -->"
HEAD = (
    "peer", "durable state", "events", "events/s", "CPU-s per million", "with start", "second half",
    "broker CPU-s per million", "RSS MiB", "oracle", "lines of code",
)  # fmt: skip
PASS = "pass"


@dataclass(frozen=True, slots=True)
class Row:
    """One peer's outcome. `oracle` is `pass`, `FAIL: how` or `not run: why`; figures only for a right answer."""

    name: str
    title: str
    state: str
    events: int
    oracle: str
    lines: str
    figures: Figures | None = None
    versions: Mapping[str, str] = field(default_factory=dict)

    def ended(
        self,
        oracle: str,
        events: int | None = None,
        figures: Figures | None = None,
        versions: Mapping[str, str] | None = None,
    ) -> Row:
        """The row with its outcome; `events` as they were delivered, repeats included."""
        return replace(self, oracle=oracle, events=events or self.events, figures=figures, versions=versions or {})


def verdict(checked: Mapping[str, Any]) -> str:
    """The oracle's findings in words."""
    if checked["oracle"] == PASS:
        return PASS
    findings = {
        "wrong_final": "keys wrong at the end",
        "regressions": "outputs not newer than the one before",
        "lost": "events lost",
        "duplicates": "events repeated",
    }
    return "FAIL: " + ", ".join(f"{checked[name]:,} {words}" for name, words in findings.items() if checked.get(name))


def table(rows: Sequence[Row]) -> str:
    """Markdown; without a final newline."""
    lines = [HEAD, ("---",) * len(HEAD), *(_cells(row) for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cells(row: Row) -> tuple[str, ...]:
    figures = row.figures
    measured: tuple[str, ...] = ("-",) * 6
    if figures:
        cpu = (figures.cpu, figures.with_start, figures.second_half, figures.broker_cpu)
        measured = (f"{figures.rate:,}", *("-" if one is None else f"{one:.1f}" for one in cpu), f"{figures.rss:,}")
    oracle = row.oracle.replace("|", "/").replace("\n", " ")
    return row.title, row.state, f"{row.events:,}", *measured, oracle, row.lines


def ratio(rows: Sequence[Row], ours: str, theirs: str) -> float | None:
    """Our second half's CPU as a part of theirs; None unless both were measured."""
    found = {row.name: row.figures for row in rows}
    mine, other = found.get(ours), found.get(theirs)
    halves = mine.second_half if mine else None, other.second_half if other else None
    return round(halves[0] / halves[1], 2) if halves[0] is not None and halves[1] else None


def section(rows: Sequence[Row], facts: str, notes: Sequence[str]) -> str:
    """The generated part of RESULTS.md with its markers. `facts`: date, command, machine."""
    versions = [
        f"- {row.title}: {', '.join(f'{name} {number}' for name, number in row.versions.items())}"
        for row in rows
        if row.versions
    ]
    parts = [BEGIN, "## The same work by other engines", facts, table(rows), *notes, "\n".join(versions), END]
    return "\n\n".join(part for part in parts if part)


def replaced(text: str, part: str) -> str:
    """`text` with its generated section replaced by `part`, or `part` at the end where it has none.

    Raises ValueError when only one of the markers is there, so that nothing of the file is lost.
    """
    if BEGIN not in text and END not in text:
        return f"{text.rstrip()}\n\n{part}\n"
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the section has not both its markers, {BEGIN!r} and {END!r} after it; mend it by hand")
    return before + part + after


def as_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows for the JSON object."""
    return [asdict(row) for row in rows]
