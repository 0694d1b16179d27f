"""Reads go to the fallback of an account that is away; nothing else does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from connectors.kit.contract import Account, Request, Response
from connectors.kit.errors import OutcomeUnknown, Unavailable
from schemas import topics
from streams.core.breaker import CAP, THRESHOLD
from tests.unit.courier.shop import Shop
from tests.unit.courier.world import PLATFORM, World, command, fetch, key, task

OWN, OTHER = "http://shop.test", "http://copy.test"


class TwoDoors(Shop):
    """A shop with two addresses. `closed`: those that cannot be reached; `failing`: those that answer 503; `slow`:
    those that answer when told to."""

    doors: list[tuple[str, str]]
    closed: set[str]
    failing: set[str]
    slow: dict[str, asyncio.Event]

    async def send(self, account: Account, request: Request, seconds: float, /) -> Response:
        self.doors.append((account.base_url, request.operation))
        if account.base_url in self.slow:
            await self.slow[account.base_url].wait()
        if account.base_url in self.closed:
            raise Unavailable("connection refused", reason="unreachable")
        if account.base_url in self.failing:
            self.script.append(lambda _: (503, {}, b""))
        return await super().send(account, request, seconds)

    def took(self, url: str) -> list[str]:
        """The operations that were tried at one address, and forget them."""
        found = [operation for at, operation in self.doors if at == url]
        self.doors = [one for one in self.doors if one[0] != url]
        return found


class House(World):
    """Its shop has two addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.shop: TwoDoors = TwoDoors(self.clock)
        self.shop.doors, self.shop.closed, self.shop.failing, self.shop.slow = [], set(), set(), {}
        self.vendor.shop = self.shop
        self.accounts = tuple(replace(one, fallback_url=OTHER) for one in self.accounts)

    def ask(self, *names: str) -> None:
        self.push(*(fetch("stock", name) for name in names), topic=topics.fetch(PLATFORM))


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    yield await _started(house)
    await house.stop()


async def _started(house: House) -> House:
    await house.start()
    return house


async def test_reads_go_to_the_accounts_own_address_while_it_answers(house: House) -> None:
    house.ask("1", "2")
    await house.advance(1)
    assert house.shop.doors == [(OWN, "fetch"), (OWN, "fetch")]


@pytest.mark.parametrize("how", ["closed", "failing"])
async def test_reads_go_to_the_fallback_while_the_account_is_away_and_back_when_it_is_not(
    house: House, how: str
) -> None:
    getattr(house.shop, how).add(OWN)
    names = [str(number) for number in range(THRESHOLD + 2)]
    house.ask(*names)
    await house.advance(60)
    assert house.shop.took(OTHER).count("fetch") >= 3
    assert {house.row(f"\x02stock|{name}") for name in names} == {None}
    getattr(house.shop, how).clear()
    await house.advance(CAP)
    house.shop.took(OWN)
    house.ask("8")
    await house.advance(1)
    house.ask("9")
    await house.advance(1)
    assert house.shop.took(OWN) == ["fetch", "fetch"]
    assert not house.shop.took(OTHER)


async def test_writes_wait_for_the_account_and_probe_it(house: House) -> None:
    house.shop.closed.add(OWN)
    house.push(task("A", 1))
    house.ask(*map(str, range(THRESHOLD + 2)))
    await house.advance(120)
    assert "set" not in house.shop.took(OTHER)
    assert house.shop.took(OWN).count("set") > 2
    house.shop.closed.clear()
    await house.advance(300)
    assert house.shop.held == {key("A"): 1}


async def test_answers_of_the_fallback_do_not_say_that_the_account_is_back(house: House) -> None:
    house.shop.closed.add(OWN)
    house.ask(*map(str, range(THRESHOLD + 2)))
    await house.advance(30)
    assert house.courier is not None
    (line,) = house.courier._lines.values()
    assert not line.breaker.closed
    for name in range(100, 110):
        house.ask(str(name))
        await house.advance(0.1)
    assert not line.breaker.closed


async def test_reads_that_are_under_way_at_the_fallback_do_not_hinder_a_probe(house: House) -> None:
    house.shop.closed.add(OWN)
    house.ask(*map(str, range(THRESHOLD + 2)))
    await house.advance(30)
    house.shop.slow[OTHER] = asyncio.Event()
    for name in range(100, 110):
        house.ask(str(name))
        await house.advance(CAP / 4)
    assert house.shop.took(OTHER)
    house.shop.closed.clear()
    house.push(task("A", 1))
    await house.advance(2 * CAP)
    assert house.shop.held == {key("A"): 1}
    house.shop.slow[OTHER].set()


async def test_what_waited_for_a_probe_goes_on_when_it_has_succeeded(house: House) -> None:
    house.shop.closed.add(OWN)
    house.ask(*map(str, range(THRESHOLD + 2)))
    await house.advance(30)
    house.shop.closed.clear()
    house.shop.slow[OWN] = asyncio.Event()
    house.push(task("A", 1))
    await house.advance(CAP)
    price = "acme|price|A~default~EUR"
    house.push(task("A", 1, golden_key=price, type="price"))
    await house.advance(1)
    house.shop.slow[OWN].set()
    await house.advance(1)
    assert house.shop.held == {key("A"): 1, price: 1}


async def test_a_fallback_that_is_away_as_well_is_left_alone_for_a_while(house: House) -> None:
    house.shop.closed |= {OWN, OTHER}
    house.ask(*map(str, range(40)))
    await house.advance(20)
    tried = len(house.shop.took(OTHER))
    assert THRESHOLD <= tried <= 40
    house.shop.closed.clear()
    await house.advance(120)
    assert not [name for name in range(40) if house.row(f"\x02stock|{name}") is not None]


@pytest.mark.parametrize(("scan", "moves"), [(False, True), (True, False)])
async def test_polls_of_changes_move_and_complete_scans_do_not(*, scan: bool, moves: bool) -> None:
    house = House()
    house.with_poller, house.vendor.resource_names, house.vendor.scan = True, ("stock",), scan
    house.vendor.interval = 2.0
    house.shop.pages = {"stock": [[("1", b"a")]]}
    house.shop.closed.add(OWN)
    await house.start()
    await house.advance(120)
    assert ("poll.stock" in house.shop.took(OTHER)) is moves
    await house.stop()


async def test_what_became_of_a_command_is_never_asked_elsewhere(house: House) -> None:
    def lost(request: Request) -> tuple[int, dict[str, str], bytes]:
        raise OutcomeUnknown("no reply came")

    house.shop.script.append(lost)
    house.push(command("A", "ship-1"))
    await house.advance(1)
    house.shop.closed.add(OWN)
    house.ask(*map(str, range(THRESHOLD + 2)))
    await house.advance(120)
    assert set(house.shop.took(OTHER)) == {"fetch"}
