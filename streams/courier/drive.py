"""Drives a flow over the wire: every request is admitted by the bucket, sent, settled and recorded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from connectors.kit.contract import Feedback, Flow, Request, Response
from connectors.kit.errors import Invalid, Renewed, Unauthorised, Unavailable
from connectors.kit.pacing import Outcome, charged
from streams.courier.line import Line
from streams.courier.outbox import Call, Outbox, Trip
from streams.courier.setup import Setup

BeforeWrite = Callable[[Request], Awaitable[None]]


class Driver:
    """Runs flows of one shard. The last reply and what follows from it are one atom: nothing is awaited after it."""

    def __init__(self, setup: Setup, outbox: Outbox) -> None:
        self._setup = setup
        self._outbox = outbox

    async def run(self, line: Line, flow: Flow, trip: Trip, before_write: BeforeWrite) -> Any:
        """The flow's result. `before_write` is awaited before each request that may change something.

        Raises what the flow or the sender raises; Renewed where the account's token was refused and another may help.
        The flow must have been given `line.account` just now.
        """
        account = line.account
        try:
            result = await self.drive(line, flow, trip, before_write)
        except Unauthorised as error:
            if not line.credentials.refused(account):
                raise
            raise Renewed(f"{error.detail}: another token is asked for") from error
        line.credentials.accepted(account)
        return result

    async def drive(self, line: Line, flow: Flow, trip: Trip, before_write: BeforeWrite) -> Any:
        """As `run`, whatever becomes of the token."""
        try:
            step = _advance(flow, None)
            while isinstance(step, Request):
                step = await self._step(line, flow, step, trip, before_write)
            return step.value
        finally:
            flow.close()

    async def _step(
        self, line: Line, flow: Flow, request: Request, trip: Trip, before_write: BeforeWrite
    ) -> Request | _Result:
        """One request and its reply, and what the flow makes of it."""
        guess, request = request.cost, _priced(line, request)
        response = await self._exchange(line, request, guess, trip, before_write)
        seconds = (response.received_at - response.started_at) / 1e6
        trip.slowest = max(trip.slowest, seconds)
        feedback = self._setup.destination.feedback(request, response)
        outcome = _outcome(request, response, feedback)
        self._settle(line, request, feedback, outcome, seconds)
        if outcome is Outcome.ANSWERED:
            line.costs.charged(request.operation, guess, feedback.cost)
        cost, pace = charged(request.cost, feedback, outcome), line.pacer.snapshot()
        error: Exception | None = None
        try:
            step = _advance(flow, response)
            trip.carried = trip.carried or request.writes
            return step
        except Exception as raised:
            error = raised
            raise
        finally:
            call = Call(request, response.status, response.started_at, seconds, feedback, error, cost, pace)
            self._outbox.call(line.account, trip, call)

    async def _exchange(
        self, line: Line, request: Request, guess: float, trip: Trip, before_write: BeforeWrite
    ) -> Response:
        """Admit, prepare, send. Whatever happens, the bucket is settled. `guess`: what the connector stated; an API may
        ask for that much room although it will charge less."""
        if not line.pacer.admits(request.cost, request.charges):
            raise Invalid(f"{request.operation} costs {request.cost:g}, more than the bucket of {line.reference} holds")
        await line.admit(request.cost, request.charges, trip.lane, guess)
        if not trip.calls:
            self._setup.recorder.waited(trip.lane.value, self._setup.waiter.now() - trip.ticket.due)
        trip.calls += 1
        trip.cost += request.cost
        trip.ticket.charged(request.charges)
        at, started = self._setup.clock.now(), self._setup.waiter.now()
        outcome = Outcome.NOT_SENT
        try:
            if request.writes:
                await before_write(request)
            at, started = self._setup.clock.now(), self._setup.waiter.now()
            outcome, trip.wrote = Outcome.UNKNOWN, trip.wrote or request.writes
            account = line.elsewhere if trip.ticket.elsewhere else line.account
            response = await self._setup.sender.send(account, request, self._setup.settings.request_timeout)
        except Exception as error:
            tried = outcome is not Outcome.NOT_SENT
            lost = Outcome.UNKNOWN if tried and not isinstance(error, Unavailable) else Outcome.NOT_SENT
            self._settle(line, request, None, lost)
            if tried:
                cost, pace = charged(request.cost, None, lost), line.pacer.snapshot()
                call = Call(request, 0, at, self._setup.waiter.now() - started, None, error, cost, pace)
                self._outbox.call(line.account, trip, call)
            raise
        except BaseException:
            self._settle(line, request, None, outcome)
            raise
        if not trip.ticket.elsewhere:
            line.skew.replied(response.headers.get("date", ""), response.started_at, response.received_at)
        trip.started_at = trip.started_at or response.started_at
        trip.received_at = response.received_at
        return response

    def _settle(
        self, line: Line, request: Request, feedback: Feedback | None, outcome: Outcome, seconds: float | None = None
    ) -> None:
        now = self._setup.waiter.now()
        line.pacer.settle(now, request.cost, feedback, outcome, request.charges, seconds)
        line.notify()


async def read_only(request: Request) -> None:
    """The `before_write` of a flow that only reads. Raises AssertionError, which is a defect of the connector."""
    raise AssertionError(f"{request.operation} writes, but a read was expected: declare it in the flow's contract")


@dataclass(frozen=True, slots=True)
class _Result:
    """What a flow returned."""

    value: Any


def _priced(line: Line, request: Request) -> Request:
    """The request with the cost its kind was charged so far, unless the bucket could never hold that."""
    cost = line.costs.expected(request.operation, request.cost)
    return replace(request, cost=cost) if line.pacer.admits(cost, request.charges) else request


def _advance(flow: Flow, response: Response | None) -> Request | _Result:
    try:
        request: Request = flow.send(response)  # type: ignore[arg-type]  # None starts a generator
    except StopIteration as end:
        return _Result(end.value)
    return request


def _outcome(request: Request, response: Response, feedback: Feedback) -> Outcome:
    if feedback.throttled or response.status == 429:
        return Outcome.THROTTLED
    # A reply of which the vendor's bucket knows nothing says nothing of it either, not even by its silence.
    return Outcome.ANSWERED if request.cost else Outcome.NOT_SENT
