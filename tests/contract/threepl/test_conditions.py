"""What happens to an order between our look and our write, over a real wire: it is seen, and decided anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connectors.kit import errors
from connectors.kit.contract import Flow, Request, Write, Written
from connectors.kit.testing import drive
from connectors.threepl import PLATFORM
from connectors.threepl.api import API
from connectors.threepl.fake import FakeThreePl
from connectors.threepl.fake.edits import edit
from tests.contract.threepl.conftest import Sends
from tests.unit.threepl.support import line, order

REFERENCE = "shop-1:1001"


def change(version: int, units: int) -> Write:
    """The command that tells of so many units."""
    return order(line("1", "CAP", str(units)), version=version, op_id=f"op-{version}")


def withdrawal(version: int) -> Write:
    """The command that takes the order back."""
    return order(version=version, op_id=f"op-{version}", status="CANCELLED")


def write(fake: FakeThreePl, asked: Write) -> Flow:
    assert PLATFORM.destination is not None
    return PLATFORM.destination.write(fake.account(), asked)


async def carry_out(fake: FakeThreePl, sends: Sends, asked: Write) -> Written:
    """The whole of a command."""
    written = await drive(write(fake, asked), sends(fake.account()))
    assert isinstance(written, Written)
    return written


async def look(fake: FakeThreePl, sends: Sends, asked: Write) -> Request:
    """The write that a look leads to."""
    flow = write(fake, asked)
    request: Request = flow.send(await sends(fake.account())(next(flow)))
    assert request.writes
    return request


@pytest.fixture
async def told(fake: FakeThreePl, sends: Sends) -> FakeThreePl:
    """The warehouse was told of two units."""
    await carry_out(fake, sends, change(1, 2))
    return fake


@pytest.mark.parametrize(
    ("what", "asked", "becomes"),
    [
        ({"do": "amend_order", "units": {"CAP": 9}}, change(2, 5), ("received", 5, 2)),
        ({"do": "amend_order", "units": {"CAP": 9}}, withdrawal(2), ("cancelled", 9, 2)),
        ({"do": "pack"}, change(2, 2), "nothing to do"),
        ({"do": "pack"}, change(2, 5), "order_not_open"),
        ({"do": "pack"}, withdrawal(2), "order_not_open"),
        ({"do": "ship"}, change(2, 5), "order_not_open"),
        ({"do": "cancel_order"}, change(2, 5), "order_cancelled"),
        ({"do": "cancel_order"}, withdrawal(2), "nothing to do"),
    ],
)
async def test_what_happened_since_the_look_is_left_as_it_is_and_decided_on_anew(
    told: FakeThreePl, sends: Sends, what: dict[str, Any], asked: Write, becomes: Any
) -> None:
    late = await look(told, sends, asked)
    edit(told.shop, {**what, "order": REFERENCE})
    before = len(told.shop.journal)
    reply = await sends(told.account())(late)
    refused = API.outcomes.error(late, reply)
    assert (reply.status, type(refused), refused.reason) == (412, errors.Conflict, "order_changed")
    assert len(told.shop.journal) == before
    if isinstance(becomes, tuple):
        await carry_out(told, sends, asked)
        held = told.shop.order(REFERENCE)
        assert (held.status, held.lines[0].quantity, held.metadata["version"]) == becomes
        return
    if becomes == "nothing to do":
        assert (await carry_out(told, sends, asked)).no_op
    else:
        with pytest.raises(errors.Invalid) as caught:
            await carry_out(told, sends, asked)
        assert caught.value.reason == becomes
    assert len(told.shop.journal) == before


@pytest.mark.parametrize("newer", [change(3, 7), withdrawal(3)])
@pytest.mark.parametrize("older", [lambda: change(2, 5), lambda: withdrawal(2)])
async def test_an_older_command_that_lands_late_does_not_undo_a_newer_one(
    told: FakeThreePl, sends: Sends, older: Callable[[], Write], newer: Write
) -> None:
    late = await look(told, sends, older())
    await carry_out(told, sends, newer)
    before = len(told.shop.journal)
    assert (await sends(told.account())(late)).status == 412
    assert (await carry_out(told, sends, older())).no_op
    assert len(told.shop.journal) == before
    assert told.shop.order(REFERENCE).metadata["version"] == 3


async def test_an_order_shown_alone_names_its_revision_in_the_header(told: FakeThreePl, sends: Sends) -> None:
    account = told.account()
    request = API.get(account, "/orders/{id}", "read_order", id="ORD-1")
    response = await sends(account)(request)
    shown = API.content(request, response)
    assert API.etag({}, response) == API.etag(shown) == '"1"'
    edit(told.shop, {"do": "amend_order", "order": REFERENCE, "units": {"CAP": 9}})
    response = await sends(account)(request)
    assert API.etag({}, response) == '"2"'
