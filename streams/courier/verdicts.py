"""What people decided about parked work: consumed like any other input, so each verdict counts once and is kept."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from connectors.kit.errors import Invalid
from schemas import identity
from schemas.codec import CodecError
from streams.core.desired import DISCARDED, Status, Task, Verdict
from streams.courier.line import Line
from streams.courier.outbox import Outbox
from streams.courier.setup import Setup, reference
from streams.courier.table import Table
from streams.courier.turns import Turns
from streams.courier.wanted import Judged, from_verdict
from streams.runtime.deadletters import Trouble
from streams.shard.api import Incoming

STALE = "stale_verdict"
log = structlog.get_logger(__name__)


class Verdicts:
    """Verdicts on rows of one shard; part of the atom of the batch they came in."""

    def __init__(self, setup: Setup, table: Table, outbox: Outbox, turns: Turns) -> None:
        self._setup = setup
        self._table = table
        self._outbox = outbox
        self._turns = turns

    def take(self, lines: Mapping[str, Line], topic: str, record: Incoming) -> None:
        """Carry out one verdict; what cannot be carried out becomes a dead letter."""
        try:
            judged = from_verdict(self._setup.codec, record.value)
        except (CodecError, Invalid) as error:
            self._reject(topic, record, Trouble("undecodable", str(error)))
            return
        account = reference(judged.tenant, judged.account)
        task, line = self._table.get(account, judged.row), lines.get(account)
        if line is None or task is None or task.status is not Status.PARKED or task.wanted.version != judged.version:
            self._reject(topic, record, _stale(judged, task))
            return
        self._carry_out(line, task, judged)

    def _carry_out(self, line: Line, task: Task, judged: Judged) -> None:
        now = self._setup.clock.now()
        log.info(
            "a person decided about parked work",
            account=line.reference,
            row=judged.row,
            verdict=judged.verdict.value,
            by=judged.by,
            why=judged.why,
            parked_for=task.reason,
        )
        if judged.verdict is Verdict.DISCARD:
            key = identity.join(judged.tenant, judged.account, task.wanted.subject).encode()
            self._outbox.dead(task, DISCARDED, f"{judged.by}: {judged.why}", task.wanted.value, key, now)
        after = self._table.judge(line.reference, judged.row, judged.verdict, at=now)
        self._turns.settled(line, judged.row, task, after)

    def _reject(self, topic: str, record: Incoming, trouble: Trouble) -> None:
        self._outbox.rejected(topic, record, trouble, self._setup.clock.now())


def _stale(judged: Judged, task: Task | None) -> Trouble:
    found = "is not there any more" if task is None else f"is {task.status} in version {task.wanted.version} now"
    detail = (
        f"{judged.by} decided {judged.verdict} about {judged.row.lstrip(chr(1))} version {judged.version} at account "
        f"{judged.account!r}, but it {found}; likely it went on in between, or the verdict was given twice"
    )
    return Trouble(STALE, detail, "sluice tasks parked", tenant=judged.tenant, account=judged.account)
