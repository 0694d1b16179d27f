"""What the courier tells of an account's clock."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

import structlog

from connectors.kit.contract import Request
from connectors.kit.metrics import COURIER_CLOCK_ERROR, Metrics
from connectors.kit.skew import Offset
from streams.courier.role import Metered
from tests.unit.courier.world import World, task


async def test_the_dates_of_replies_tell_how_far_an_accounts_clock_is_ahead() -> None:
    world = await World().start()

    def ahead(_: Request) -> tuple[int, dict[str, str], bytes]:
        there = datetime.fromtimestamp(world.clock.now() // 1_000_000 + 90, UTC)
        return 503, {"date": format_datetime(there, usegmt=True)}, b""

    world.shop.script.append(ahead)
    world.push(task("A", 1))
    await world.advance(3)
    assert world.courier is not None
    world.courier.tick(world.shard)
    (offset, configured) = world.noted.clocks[-1]
    assert abs(offset.seconds - 90.0) <= offset.error <= 1.0
    assert configured == 0.0
    await world.stop()


def test_a_clock_that_is_not_as_configured_is_warned_of_once_and_again_when_it_was_right_meanwhile() -> None:
    metrics = Metrics()
    metered = Metered(metrics, "shopify")
    with structlog.testing.capture_logs() as logs:
        for seconds in (3.2, 3.3, 0.4, 3.2):
            metered.clock("acme|shop", Offset(seconds, 0.1), 0.0)
    assert [entry["ahead_seconds"] for entry in logs] == [3.2, 3.2]
    assert metrics.value(COURIER_CLOCK_ERROR, "shopify", "acme|shop") == 3.2


def test_an_estimate_that_is_too_rough_to_tell_is_no_warning() -> None:
    with structlog.testing.capture_logs() as logs:
        Metered(Metrics(), "shopify").clock("acme|shop", Offset(3.2, 2.5), 0.0)
    assert logs == []
