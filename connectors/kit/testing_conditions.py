"""The promises of writes that are meant for one revision of a record. For tests only.

class TestAChangedOrderAmongOthers(ConditionalContract):
    @pytest.fixture
    async def live(self) -> LiveConditional: ...
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from connectors.kit import errors
from connectors.kit.contract import Flow, Request, Response
from connectors.kit.testing import LiveCommand, drive


@dataclass(frozen=True, kw_only=True)
class LiveConditional(LiveCommand):
    """A command under test that changes what is there. `meddle`: somebody at the service changes the same record, in a
    way that leaves the command good. `done` counts what the API carried out, not what was done by hand."""

    meddle: Callable[[], object]


class ConditionalContract:
    """What the courier relies on where others change records too. The subclass gives the fixture `live`."""

    async def test_a_change_between_look_and_write_is_not_overwritten(self, live: LiveConditional) -> None:
        flow, request = await self._looked(live)
        live.meddle()
        seen = live.value()
        reply = await live.send(request)
        with pytest.raises(errors.Conflict):
            flow.send(reply)
        assert (live.value(), live.done()) == (seen, 0)

    async def test_the_next_attempt_is_the_same_but_for_what_it_is_meant_for(self, live: LiveConditional) -> None:
        _, refused = await self._looked(live)
        live.meddle()
        await live.send(refused)
        sent: list[Request] = []

        async def send(request: Request) -> Response:
            sent.append(request)
            return await live.send(request)

        await drive(live.destination.write(live.account, live.write), send)
        (again,) = [request for request in sent if request.writes]
        assert (again.method, again.path, again.body, again.key) == (
            refused.method,
            refused.path,
            refused.body,
            refused.key,
        )
        assert again.headers != refused.headers
        assert (live.value(), live.done()) == (live.wanted, 1)

    async def test_what_was_carried_out_is_answered_again_although_its_revision_is_past(
        self, live: LiveConditional
    ) -> None:
        flow, request = await self._looked(live)
        first = await live.send(request)
        again = await live.send(request)
        assert (first.status, first.body) == (again.status, again.body)
        with pytest.raises(StopIteration):
            flow.send(again)
        assert (live.value(), live.done()) == (live.wanted, 1)

    async def _looked(self, live: LiveConditional) -> tuple[Flow, Request]:
        """The flow up to its write, which has not been sent."""
        flow = live.destination.write(live.account, live.write)
        request = next(flow)
        while not request.writes:
            request = flow.send(await live.send(request))
        return flow, request
