"""Drives a flow over the wire: every request is admitted by the bucket, sent, settled and recorded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from connectors.kit.contract import Feedback, Flow, Request, Response
from connectors.kit.errors import Invalid, SluiceError, Unavailable
from connectors.kit.pacing import Outcome
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

        Raises what the flow or the sender raises.
        """
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
        response = await self._exchange(line, request, trip, before_write)
        seconds = (response.received_at - response.started_at) / 1e6
        trip.slowest = max(trip.slowest, seconds)
        feedback = self._setup.destination.feedback(request, response)
        outcome = _outcome(response, feedback)
        self._settle(line, request, feedback, outcome, seconds)
        if outcome is Outcome.ANSWERED:
            line.costs.charged(request.operation, guess, feedback.cost)
        error: Exception | None = None
        try:
            step = _advance(flow, response)
            trip.carried = trip.carried or request.writes
            return step
        except Exception as raised:
            error = raised
            raise
        finally:
            call = Call(request, response.status, response.started_at, seconds, feedback, error)
            self._outbox.call(line.account, trip, call)

    async def _exchange(self, line: Line, request: Request, trip: Trip, before_write: BeforeWrite) -> Response:
        """Admit, prepare, send. Whatever happens, the bucket is settled."""
        if not line.pacer.admits(request.cost, request.charges):
            raise Invalid(f"{request.operation} costs {request.cost:g}, more than the bucket of {line.reference} holds")
        await line.admit(request.cost, request.charges, trip.lane)
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
            response = await self._setup.sender.send(line.account, request, self._setup.settings.request_timeout)
        except SluiceError as error:
            lost = (
                Outcome.NOT_SENT if outcome is Outcome.NOT_SENT or isinstance(error, Unavailable) else Outcome.UNKNOWN
            )
            self._settle(line, request, None, lost)
            call = Call(request, 0, at, self._setup.waiter.now() - started, None, error)
            self._outbox.call(line.account, trip, call)
            raise
        except BaseException:
            self._settle(line, request, None, outcome)
            raise
        trip.started_at = trip.started_at or response.started_at
        trip.received_at = response.received_at
        return response

    def _settle(
        self, line: Line, request: Request, feedback: Feedback | None, outcome: Outcome, seconds: float | None = None
    ) -> None:
        now = self._setup.waiter.now()
        line.pacer.settle(now, request.cost, feedback, outcome, request.charges, seconds)
        line.notify()


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


def _outcome(response: Response, feedback: Feedback) -> Outcome:
    return Outcome.THROTTLED if feedback.throttled or response.status == 429 else Outcome.ANSWERED
