"""Commands of one order that overlap in every way: looks and writes of several, work by hand, lost replies."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connectors.kit import errors
from connectors.kit.clock import ManualClock
from connectors.kit.contract import Account, Flow, Request, Response, Write
from connectors.threepl import PLATFORM
from connectors.threepl.fake.api import Api, Call
from connectors.threepl.fake.edits import BadEdit, edit
from connectors.threepl.fake.options import Options
from connectors.threepl.fake.store import Shop
from tests.unit.threepl.support import line, order

REFERENCE = "shop-1:1001"
HANDS: list[dict[str, Any]] = [{"do": "amend_order", "units": {"TEE-M": 9}}, {"do": "pack"}, {"do": "cancel_order"}]


class Warehouse:
    """The fake warehouse without the wire, which was told of version 0."""

    def __init__(self) -> None:
        clock = ManualClock()
        self.shop = Shop(Options(), clock, lambda _: None)
        self.api = Api(self.shop, clock)
        self.account = Account("t1", "w", "threepl", "", {}, {"api_token": [self.shop.options.api_token]})
        Courier(self, command(0)).finish()

    def send(self, request: Request) -> Response:
        path = request.path.removeprefix("/v1/")
        answer = self.api.answer(Call(request.method, path, request.query, request.headers, request.body))
        return Response(answer.status, {}, answer.body, 0, 0)

    def by_hand(self, what: dict[str, Any]) -> None:
        """Somebody works on the order, as far as it lets them."""
        with suppress(BadEdit):
            edit(self.shop, {**what, "order": REFERENCE})

    def version(self) -> int:
        found = self.shop.order(REFERENCE).metadata["version"]
        assert isinstance(found, int)
        return found


def command(version: int, withdrawn: bool = False) -> Write:
    """Tells of a version."""
    status = "CANCELLED" if withdrawn else "OPEN"
    return order(line("1", "TEE-M", str(version + 1)), version=version, op_id=f"op-{version}", status=status)


@dataclass
class Courier:
    """One command, a request at a time; begun again after a conflict or a lost reply. `refusal`: why it ended."""

    warehouse: Warehouse
    asked: Write
    done: bool = False
    refusal: str = ""
    _flow: Flow | None = None
    _next: Request | None = None

    def step(self, lost: bool = False) -> None:
        """The next request and its reply, which may get lost."""
        if self.done:
            return
        if self._flow is None or self._next is None:
            assert PLATFORM.destination is not None
            self._flow = PLATFORM.destination.write(self.warehouse.account, self.asked)
            self._next = next(self._flow)
        response = self.warehouse.send(self._next)
        try:
            self._next = None if lost else self._flow.send(response)
        except StopIteration:
            self.done = True
        except errors.Conflict:
            self._next = None
        except errors.Invalid as error:
            self.done, self.refusal = True, error.reason

    def finish(self) -> None:
        """Until it is done, with nobody else about."""
        for _ in range(6):
            self.step()
        assert self.done


@given(
    st.lists(st.booleans(), min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=24),
)
def test_what_the_warehouse_was_told_never_goes_back_and_ends_at_the_newest(
    withdrawn: list[bool], steps: list[tuple[int, bool]]
) -> None:
    warehouse = Warehouse()
    couriers = [Courier(warehouse, command(at, gone)) for at, gone in enumerate(withdrawn, 1)]
    seen = [warehouse.version()]
    for who, lost in steps:
        if who < len(couriers):
            couriers[who].step(lost)
        elif who >= 3:
            warehouse.by_hand(HANDS[who - 3])
        seen.append(warehouse.version())
    for one in couriers:
        one.finish()
        seen.append(warehouse.version())
    assert seen == sorted(seen)
    carried_out = [one.asked.golden_version for one in couriers if not one.refusal]
    by_hand = any(one.actor == "admin" and one.kind != "amendment" for one in warehouse.shop.journal)
    if not by_hand and not any(withdrawn):
        assert seen[-1] == max(carried_out) == len(couriers)


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=30))
def test_no_command_is_carried_out_twice(steps: list[tuple[int, bool]]) -> None:
    warehouse = Warehouse()
    couriers = [Courier(warehouse, command(1)), Courier(warehouse, command(1)), Courier(warehouse, command(2))]
    for who, lost in steps:
        if who < len(couriers):
            couriers[who].step(lost)
        else:
            warehouse.by_hand(HANDS[0])
    for one in couriers:
        one.finish()
    keys = [one.request_id for one in warehouse.shop.journal if one.actor == "api"]
    assert len(keys) == len(set(keys))
