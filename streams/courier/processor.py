"""The courier: all calls to one platform's accounts, driven by the desired-state table of one shard."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import structlog

from connectors.kit.contract import Account, Platform
from connectors.kit.errors import Invalid
from schemas import identity, topics
from schemas.codec import CodecError
from streams.core import courier_rows as rows
from streams.core.desired import Kind, Origin, Wanted
from streams.core.holes import EVERYTHING
from streams.core.livelag import LiveLag
from streams.core.schedule import Item, Schedule
from streams.courier import wanted as tasks
from streams.courier.attempts import Attempts
from streams.courier.credentials import Credentials
from streams.courier.healing import KEY as SUBSCRIPTIONS
from streams.courier.healing import Healing
from streams.courier.judge import Judge
from streams.courier.line import Line, Ticket
from streams.courier.outbox import Outbox
from streams.courier.polls import PREFIX, Polls
from streams.courier.reads import Reads
from streams.courier.renewal import KEY as TOKEN
from streams.courier.renewal import Renewals
from streams.courier.rerouting import Rerouting
from streams.courier.setup import Setup, reference
from streams.courier.table import Table
from streams.courier.turns import Turns
from streams.courier.verdicts import Verdicts
from streams.runtime.deadletters import Trouble, poison
from streams.shard.api import Incoming, Processor, Shard

NOTE_INTERVAL = 10.0  # seconds between two notes of what is known of the quotas
REPORT_INTERVAL = 1.0  # seconds; ticks are more frequent than anybody reads gauges
log = structlog.get_logger(__name__)


def inputs(platform: Platform) -> tuple[str, ...]:
    """The topics a courier of this platform consumes; they are co-partitioned by account."""
    name = platform.name
    return topics.push(name), topics.push_bulk(name), topics.fetch(name), topics.tasks(name)


def courier(setup: Setup) -> Processor:
    """The processor of one shard. Raises Misconfigured for a platform without a destination."""
    return Courier(setup)


class Courier:
    """Implements Processor and Worker of streams.shard.api. One per shard; `open` rebuilds everything from the rows."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._destination = setup.destination
        self._lines: Mapping[str, Line] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._broken: asyncio.Future[None] | None = None
        self._filling = asyncio.Lock()  # one account after the other, so that the first ones go on soon
        self._live = frozenset((topics.push(setup.platform.name), topics.fetch(setup.platform.name)))
        self._lag = LiveLag()
        self._next_report = 0.0
        self._next_note = 0.0

    # -- Processor

    def open(self, shard: Shard) -> None:
        """Every open intent is in doubt until its request can no longer land."""
        setup = self._setup
        self._table = Table(shard.rows)
        self._outbox = Outbox(setup, shard)
        self._reads = Reads(setup, shard, self._outbox)
        judge = Judge(setup, shard)
        self._turns = Turns(setup, self._table)
        self._rerouting = Rerouting(setup, shard, self._table, self._turns)
        self._attempts = Attempts(
            setup, shard, self._table, self._outbox, self._reads, judge, self._turns, self._rerouting
        )
        self._verdicts = Verdicts(setup, self._table, self._outbox, self._turns)
        poller = setup.platform.poller
        self._polls = None if poller is None else Polls(setup, poller, shard, self._outbox, self._reads, judge)
        kept = setup.platform.subscriptions
        self._healing = None if kept is None else Healing(setup, kept, shard, self._outbox, self._polls, judge)
        tokens = setup.platform.tokens
        self._renewals = None if tokens is None else Renewals(setup, tokens, self._outbox, judge)
        self._lag = LiveLag()
        self._lines = {name: self._line(shard, account) for name, account in setup.accounts_of(shard.number).items()}
        for line in self._lines.values():
            self._table.forget(line.reference)
        log.info("courier opened", shard=shard.number, accounts=sorted(self._lines), epoch=self._reads.epoch)

    def process(self, shard: Shard, topic: str, records: Sequence[Incoming]) -> int | None:
        """Bring the table up to date. Nothing is held back: the rows carry the work from here."""
        for record in records:
            self._take(shard, topic, record)
        self._table.flush()
        if topic in self._live:
            before = self._lag.caught_up
            self._admit(before, after=self._lag.read(topic, shard.unread(topic), self._setup.waiter.now()))
        return None

    def tick(self, shard: Shard) -> dict[str, int | None]:
        """Give up what has expired; report how much waits, and how the buckets stand."""
        now, recorder = self._setup.waiter.now(), self._setup.recorder
        self._admit(self._lag.caught_up, after=self._lag.passed(now))
        for line in self._lines.values():
            self._attempts.expire(line)
            self._rerouting.look(line)
        self._table.flush()
        if now < self._next_report:
            return {}
        self._next_report = now + REPORT_INTERVAL
        for name, line in self._lines.items():
            recorder.pending(name, len(line.schedule) + line.running)
            recorder.bucket(name, line.pacer.snapshot(), line.blocked(now))
            if (offset := line.skew.offset) is not None:
                recorder.clock(name, offset, line.account.clock_offset)
        if now >= self._next_note:
            self._next_note = now + NOTE_INTERVAL
            self._note(shard)
        return {}

    def _admit(self, before: bool, *, after: bool) -> None:
        """Whether live work has caught up; while it has not, bulk work waits, but for what has aged."""
        for name, line in self._lines.items() if not (before and after) else ():
            self._setup.recorder.bulk_waits(name, 0 if after else self._lag.unread)
            if before != after:
                line.schedule.bulk_admitted = after
                line.notify()
        if before != after:
            log.info("bulk work goes on" if after else "bulk work waits for live work", unread=self._lag.unread)

    def close(self, shard: Shard) -> None:
        """Keep what was learnt of the quotas for the next owner."""
        self._note(shard)

    def divert(self, shard: Shard, topic: str, record: Incoming, deaths: int) -> int | None:
        """Implements streams.shard.api.Diverter."""
        self._reject(topic, record, poison(deaths))
        return None

    # -- Worker

    async def work(self, shard: Shard) -> None:
        """Work the table until cancelled; then wait shortly for replies that are on their way."""
        self._broken = asyncio.get_running_loop().create_future()
        loops = [
            asyncio.create_task(self._go(shard, line), name=f"courier-{name}") for name, line in self._lines.items()
        ]
        try:
            await asyncio.gather(self._broken, *loops)
        finally:
            await _cancel(loops)
            if self._running and self._setup.settings.drain > 0:
                await asyncio.wait(self._running, timeout=self._setup.settings.drain)
            await _cancel(self._running)

    async def _go(self, shard: Shard, line: Line) -> None:
        """Nothing of an account starts before all its rows are known, one of which may be in doubt."""
        async with self._filling:
            await self._fill(line)
        await line.loop(partial(self._start, shard, line))

    def _start(self, shard: Shard, line: Line, item: Item, ticket: Ticket) -> None:
        """Begin a piece of work beside the others."""
        task = asyncio.create_task(self._piece(shard, line, item, ticket))
        self._running.add(task)
        task.add_done_callback(self._ended)

    async def _piece(self, shard: Shard, line: Line, item: Item, ticket: Ticket) -> None:
        try:
            await self._run(line, item, ticket)
        finally:
            ticket.ended()
        await shard.commit()

    async def _run(self, line: Line, item: Item, ticket: Ticket) -> None:
        """Whatever the work is, it waits for a token where one is needed, or goes back until one is to be had."""
        if self._renewals is not None:
            if item.key == TOKEN:
                return await self._renewals.run(line, item.key, ticket)
            again = await self._renewals.ready(line, ticket)
            if again:
                return line.offer(item.key, item.lane, item.share, again)
        if self._polls is not None and item.key.startswith(PREFIX):
            return await self._polls.run(line, item.key, ticket)
        if self._healing is not None and item.key == SUBSCRIPTIONS:
            return await self._healing.run(line, item.key, ticket)
        return await self._attempts.run(line, item.key, ticket)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and self._broken is not None and not self._broken.done():
            self._broken.set_exception(error)

    # -- inside

    def _note(self, shard: Shard) -> None:
        """Write down what is known of the quotas, where it has changed: a crash must not forget what a day's quota
        has left."""
        for name, line in self._lines.items():
            learnt = line.pacer.snapshot()
            row = rows.pack_bucket(rows.Bucket(learnt["blocked_until"], learnt))
            if shard.rows.get(rows.key(rows.BUCKET, name)) != row:
                shard.rows.put(rows.key(rows.BUCKET, name), row)

    def _line(self, shard: Shard, account: Account) -> Line:
        tokens = self._setup.platform.tokens
        schedule = Schedule(self._setup.lanes.get(reference(account.tenant, account.id)))
        credentials = Credentials(account, needed=tokens is not None and tokens.needed(account))
        line = Line(account, self._destination.budget(account), self._setup.waiter, schedule, credentials)
        stored = shard.rows.get(rows.key(rows.BUCKET, line.reference))
        if stored is not None:
            bucket = rows.unpack_bucket(stored)
            line.pacer.restore(bucket.learnt)
            line.pacer.block(bucket.blocked_until)
        return line

    async def _fill(self, line: Line) -> None:
        """In portions: a million rows take several seconds, and other accounts go on meanwhile."""
        last, quarantine = "", self._setup.settings.limits.quarantine
        while portion := self._table.recover(line.reference, quarantine, last):
            self._turns.fill(line, portion)
            self._rerouting.fill(line, portion)
            last = portion[-1][0]
            self._table.flush()
            await asyncio.sleep(0)
        if self._renewals is not None:
            self._renewals.schedule(line)
        if self._polls is not None:
            self._polls.schedule(line)
        if self._healing is not None:
            self._healing.schedule(line)

    def _take(self, shard: Shard, topic: str, record: Incoming) -> None:
        if topic == topics.tasks(self._setup.platform.name):
            self._verdicts.take(self._lines, topic, record)
            return
        origin = Origin(topic, shard.number, record.offset)
        try:
            wanted = self._read(topic, record, origin)
        except (CodecError, Invalid) as error:
            self._reject(topic, record, Trouble("undecodable", str(error)))
            return
        line = self._lines.get(reference(wanted.tenant, wanted.account))
        if line is None:
            self._reject(topic, record, self._stranger(shard, wanted))
            return
        if wanted.kind is Kind.FETCH and self._polls is not None and self._reread(topic, record, line, wanted):
            return
        task = self._table.upsert(wanted)
        if task is not None:
            self._turns.schedule(line, wanted.row, task)
            self._rerouting.arrived(line, wanted.row, task)

    def _reread(self, topic: str, record: Incoming, line: Line, wanted: Wanted) -> bool:
        """Whether somebody asks for everything that changed, because he knows that pushes may be lost."""
        assert self._polls is not None
        resource, remote_id = identity.split(wanted.subject)
        if remote_id != EVERYTHING:
            if wanted.cause == "hint":
                self._polls.hinted(line)
            return False
        if not self._polls.hole(line, resource, wanted.cause, wanted.version / 1e6):
            detail = f"account {wanted.account!r} has no poll {resource!r}; allowed: one of its polls, or {EVERYTHING}"
            self._reject(topic, record, Trouble("unknown_resource", detail, "", 1, wanted.tenant, wanted.account))
        return True

    def _read(self, topic: str, record: Incoming, origin: Origin) -> Wanted:
        platform = self._setup.platform.name
        if topic == topics.fetch(platform):
            return tasks.from_fetch(self._setup.codec, record.value, origin)
        bulk = topic == topics.push_bulk(platform)
        return tasks.from_push(self._setup.codec, record.value, origin, bulk=bulk)

    def _stranger(self, shard: Shard, wanted: Wanted) -> Trouble:
        detail = (
            f"work for {wanted.subject} names account {wanted.account!r} of tenant {wanted.tenant!r}, which is not an "
            f"account of shard {shard.number} of {self._setup.platform.name}; likely it was removed from the settings"
        )
        return Trouble("unknown_account", detail, tenant=wanted.tenant, account=wanted.account)

    def _reject(self, topic: str, record: Incoming, trouble: Trouble) -> None:
        self._outbox.rejected(topic, record, trouble, self._setup.clock.now())


async def _cancel(tasks: Iterable[asyncio.Task[None]]) -> None:
    started = list(tasks)
    for task in started:
        task.cancel()
    await asyncio.gather(*started, return_exceptions=True)
