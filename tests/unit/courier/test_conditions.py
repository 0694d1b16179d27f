"""The courier and a warehouse at which others work too: what changes between its look and its write is seen."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from connectors import threepl
from connectors.kit.clock import ManualClock
from connectors.kit.contract import Account, Request, Response
from connectors.kit.errors import OutcomeUnknown
from connectors.threepl.fake.api import Answer, Api, Call
from connectors.threepl.fake.edits import edit
from connectors.threepl.fake.options import Options
from connectors.threepl.fake.records import Order
from connectors.threepl.fake.store import Shop as Yard
from schemas import identity, topics
from schemas.entities import EntityType
from streams.core import courier_rows as rows
from streams.courier.setup import Setup
from tests.unit.courier.shop import Shop
from tests.unit.courier.world import CODEC, World, breathe, task
from tests.unit.schemas.examples import a_meta

REFERENCE = "shop-1:1001"


class Warehouse(Shop):
    """The fake warehouse without the wire. `between`: what happens there after each look, in order; `lost`: writes
    whose replies get lost once they were carried out; `never`: writes that get lost on their way."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.options = Options()
        self.yard = Yard(self.options, clock, lambda _: None)
        self.api = Api(self.yard, clock)
        self.between: deque[Callable[[], object]] = deque()
        self.lost = self.never = 0
        self.stale: Answer | None = None  # what looks find, as a list that lags behind
        self.answers: list[tuple[str, int]] = []

    async def send(self, account: Account, request: Request, seconds: float, /) -> Response:
        at = self.clock.now()
        self.requests.append((at / 1e6, request))
        if request.writes and self.never:
            self.never -= 1
            raise OutcomeUnknown("no reply came")
        answer = self._of(request)
        if request.writes and self.lost:
            self.lost -= 1
            raise OutcomeUnknown("no reply came")
        self.answers.append((request.operation, answer.status))
        if not request.writes and self.between:
            self.between.popleft()()
        return Response(answer.status, {}, answer.body, at, at)

    def _of(self, request: Request) -> Answer:
        if not request.writes and self.stale is not None:
            return self.stale
        path = request.path.removeprefix("/v1/")
        return self.api.answer(Call(request.method, path, request.query, request.headers, request.body))

    def lags_behind(self) -> None:
        """From now on looks find what there is now."""
        self.stale = self._of(next(request for _, request in self.requests if not request.writes))

    def happens(self, what: str, **values: Any) -> Callable[[], object]:
        """Somebody in the warehouse works on the order."""
        return lambda: edit(self.yard, {"do": what, "order": REFERENCE, **values})

    def order(self) -> Order:
        return self.yard.order(REFERENCE)

    def done(self) -> list[tuple[str, str, str]]:
        """Who did what to the order."""
        return [(one.actor, one.kind, one.value) for one in self.yard.journal if one.reference]

    def changes(self) -> list[Request]:
        return [request for _, request in self.requests if request.operation in ("amend_order", "cancel_order")]


class Handover(World):
    """A courier that hands orders over to it."""

    def __init__(self) -> None:
        super().__init__()
        self.shop: Warehouse = Warehouse(self.clock)

    def setup(self) -> Setup:
        accounts = tuple(
            replace(one, platform="threepl", secrets={"api_token": [self.shop.options.api_token]})
            for one in self.accounts
        )
        return replace(super().setup(), platform=replace(threepl.PLATFORM, poller=None), accounts=accounts)

    async def hand_over(self, version: int = 1, units: int = 2, **fields: Any) -> None:
        """The resolver asks for the order, and time passes."""
        self.ask(version, units, **fields)
        await self.advance(120)

    def ask(self, version: int, units: int = 2, **fields: Any) -> None:
        """The resolver asks for the order."""
        money = {"amount": Decimal("19.90"), "currency": "EUR", "tax": "INCLUDED"}
        lines = [{"line_id": "1", "sku": "TEE-M", "quantity": Decimal(units)}]
        record = {"meta": a_meta(), "number": "#1", "status": "OPEN", "total": money, "lines": lines, **fields}
        asked = task(
            "",
            version,
            platform="threepl",
            type="order",
            golden_key=str(identity.GoldenKey("acme", EntityType.ORDER, REFERENCE)),
            kind="command",
            flow="orders",
            fields=[],
            operation_id=f"orders|{version}",
            record=CODEC.encode("order", record),
        )
        self.push(asked, topic=topics.push("threepl"))

    def intents(self) -> list[bytes]:
        return [data for _, data in self.shard.rows.scan(rows.INTENT)]


@pytest.fixture
async def handover() -> AsyncIterator[Handover]:
    """An order has been handed over, and its warehouse was told of version 1."""
    one = Handover()
    await one.start()
    await one.hand_over()
    assert one.shop.done() == [("api", "order", "2 x TEE-M")]
    one.shop.answers.clear()
    yield one
    await one.stop()


async def test_a_change_that_somebody_forestalled_is_decided_anew_under_its_key_with_its_bytes(
    handover: Handover,
) -> None:
    shop = handover.shop
    shop.between.append(shop.happens("amend_order", units={"TEE-M": 3}))
    await handover.hand_over(2, units=5)
    assert shop.answers == [("find_order", 200), ("amend_order", 412), ("find_order", 200), ("amend_order", 200)]
    refused, carried_out = shop.changes()
    assert (refused.headers["if-match"], carried_out.headers["if-match"]) == ('"1"', '"2"')
    assert (refused.key, refused.body) == (carried_out.key, carried_out.body)
    assert shop.done()[1:] == [("admin", "amendment", "3 x TEE-M"), ("api", "amendment", "5 x TEE-M")]
    assert handover.ledger() == {"received": 2, "applied": 2}
    assert not handover.intents()


async def test_however_often_it_is_forestalled_no_revision_is_named_twice(handover: Handover) -> None:
    shop = handover.shop
    for units in (3, 4, 6):
        shop.between.append(shop.happens("amend_order", units={"TEE-M": units}))
    await handover.hand_over(2, units=5)
    assert [request.headers["if-match"] for request in shop.changes()] == ['"1"', '"2"', '"3"', '"4"']
    assert shop.order().lines[0].quantity == 5
    assert not handover.dead_letters()


async def test_an_order_whose_lines_are_being_picked_by_then_is_left_alone_when_they_are_right(
    handover: Handover,
) -> None:
    handover.shop.between.append(handover.shop.happens("pack"))
    await handover.hand_over(2, number="#2")
    assert handover.shop.answers == [("find_order", 200), ("amend_order", 412), ("find_order", 200)]
    assert handover.shop.order().status == "picking"
    assert handover.ledger() == {"received": 2, "applied": 1, "no_op": 1}


async def test_an_order_that_was_cancelled_meanwhile_is_for_a_person_to_settle(handover: Handover) -> None:
    handover.shop.between.append(handover.shop.happens("cancel_order"))
    await handover.hand_over(2, units=5)
    (letter,) = handover.dead_letters()
    assert letter["reason"] == "order_cancelled"
    assert handover.shop.done()[1:] == [("admin", "cancellation", "")]


async def test_a_cancellation_is_meant_for_what_was_found_too(handover: Handover) -> None:
    handover.shop.between.append(handover.shop.happens("amend_order", units={"TEE-M": 3}))
    await handover.hand_over(2, status="CANCELLED")
    assert [status for name, status in handover.shop.answers if name == "cancel_order"] == [412, 200]
    assert handover.shop.order().status == "cancelled"


async def test_a_process_that_dies_after_the_refusal_looks_again_as_well(handover: Handover) -> None:
    shop = handover.shop
    shop.between.append(shop.happens("amend_order", units={"TEE-M": 3}))
    handover.ask(2, units=5)
    await breathe()
    assert shop.answers[-1] == ("amend_order", 412)
    await handover.restart()
    await handover.advance(120)
    assert [request.headers["if-match"] for request in shop.changes()] == ['"1"', '"2"']
    assert shop.order().lines[0].quantity == 5


async def test_a_change_whose_reply_was_lost_is_found_by_the_next_look(handover: Handover) -> None:
    handover.shop.lost = 1
    await handover.hand_over(2, units=5)
    assert handover.shop.done()[1:] == [("api", "amendment", "5 x TEE-M")]
    assert len(handover.shop.changes()) == 1
    assert not handover.intents()


async def test_a_change_whose_reply_was_lost_is_known_by_its_key_although_its_revision_is_past(
    handover: Handover,
) -> None:
    shop = handover.shop
    shop.lags_behind()
    shop.lost = 1
    await handover.hand_over(2, units=5)
    assert [request.headers["if-match"] for request in shop.changes()] == ['"1"', '"1"']
    assert shop.order().etag == '"2"'
    assert [one.replayed for one in shop.api.accepted if one.method == "PUT"] == [False, True]
    assert shop.done()[1:] == [("api", "amendment", "5 x TEE-M")]
    assert handover.ledger() == {"received": 2, "applied": 2}


async def test_a_change_in_doubt_that_never_arrived_is_carried_out_once_at_the_revision_of_then(
    handover: Handover,
) -> None:
    shop = handover.shop
    shop.never = 1
    shop.between.extend(shop.happens("amend_order", units={"TEE-M": units}) for units in (3, 4))
    await handover.hand_over(2, units=5)
    assert [request.headers["if-match"] for request in shop.changes()] == ['"1"', '"2"', '"3"']
    assert [what for who, _, what in shop.done() if who == "api"] == ["2 x TEE-M", "5 x TEE-M"]
    assert len({(request.key, request.body) for request in shop.changes()}) == 1
    assert handover.ledger() == {"received": 2, "applied": 2}


async def test_the_refusal_is_on_record_as_a_conflict(handover: Handover) -> None:
    handover.shop.between.append(handover.shop.happens("pack"))
    await handover.hand_over(2, number="#2")
    (refused,) = [call for call in handover.calls() if call["status"] == 412]
    assert refused["operation"] == "amend_order"
    assert refused["outcome"] == "conflict"
