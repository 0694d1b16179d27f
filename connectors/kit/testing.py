"""The promises every platform keeps, as suites a platform joins by subclassing. For tests only.

    class TestShopifySource(SourceContract):
        def case(self) -> SourceCase: ...

    class TestShopifyDestination(DestinationContract):
        @pytest.fixture
        async def live(self) -> AsyncIterator[Live]: ...

    class TestWarehouseOrders(CommandContract):
        @pytest.fixture
        async def live(self) -> AsyncIterator[LiveCommand]: ...

Polls, tokens and subscriptions have theirs in `testing_reads`, writes meant for one revision of a record in
`testing_conditions`. `replay` and `drive` run a flow by hand and over the wire.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from connectors.kit import errors
from connectors.kit.contract import (
    Account,
    CanonicalMapping,
    Delivery,
    Destination,
    Envelope,
    Flow,
    Observation,
    Request,
    Response,
    Source,
    Write,
    Written,
)
from schemas.entities import Channel

Send = Callable[[Request], Awaitable[Response]]

_FORBIDDEN_IN_HEADERS = ("hmac", "signature", "token", "authorization", "cookie", "secret", "key")
_HOSTILE_BODIES = (b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"id": {}}', b"[" * 2000, b'{"id": 1e999}')


# ----------------------------------------------------------------------------------------------- running flows


def response(status: int = 200, body: bytes = b"", **headers: str) -> Response:
    """A hand-made reply; an underscore in a header's name stands for a hyphen."""
    return Response(status, {name.replace("_", "-"): value for name, value in headers.items()}, body, 0, 1)


def replay(flow: Flow, replies: Iterable[Response]) -> tuple[Any, list[Request]]:
    """Run a flow on hand-made replies. Returns its result and the requests it made.

    Raises what the flow raises, and AssertionError when it asks for more than there is.
    """
    requests: list[Request] = []
    waiting = iter(replies)
    try:
        requests.append(next(flow))
        while True:
            reply = next(waiting, None)
            assert reply is not None, f"the flow made an unexpected request: {requests[-1]!r}"
            requests.append(flow.send(reply))
    except StopIteration as end:
        return end.value, requests


async def drive(flow: Flow, send: Send) -> Any:
    """Run a flow over the wire. Returns its result."""
    try:
        request = next(flow)
        while True:
            request = flow.send(await send(request))
    except StopIteration as end:
        return end.value


def refusal(run: Callable[[], object]) -> errors.SluiceError:
    """The error of our tree that `run` raises. Raises AssertionError when it raises none."""
    try:
        run()
    except errors.SluiceError as error:
        return error
    raise AssertionError("nothing was refused")


def read(account: Account, observation: Observation, at: int, sequence: int = 1) -> Envelope:
    """What the courier makes of an observation: the envelope the mapping sees. `at` is microseconds UTC."""
    return Envelope(
        account=account.id,
        channel=Channel.FETCH,
        topic=observation.topic,
        delivery_id=f"read-{sequence}",
        body=observation.body,
        headers={},
        received_at=at,
        resource_id=observation.resource_id,
        read_started_at=at,
        read_sequence=sequence,
        op=observation.op,
    )


# ----------------------------------------------------------------------------------------------- sources


@dataclass(frozen=True)
class SourceCase:
    """A source under test. `sign` makes the delivery the vendor would send for a body, signed with the account's
    newest secret; `retired` is an account of the same shop whose newest secret is another one and whose second is
    the one `sign` uses."""

    source: Source
    account: Account
    sign: Callable[[bytes], Delivery]
    retired: Account
    body: bytes = b'{"id": 1}'


class SourceContract:
    """What the receiver relies on."""

    def case(self) -> SourceCase:
        """The source under test."""
        raise NotImplementedError(f"{type(self).__name__} must say which source it tests")

    def test_an_authentic_delivery_is_accepted(self) -> None:
        case = self.case()
        case.source.authenticate(case.account, case.sign(case.body))

    def test_a_tampered_body_is_refused(self) -> None:
        case = self.case()
        forged = replace(case.sign(case.body), body=case.body + b" ")
        error = refusal(lambda: case.source.authenticate(case.account, forged))
        assert isinstance(error, errors.BadSignature)

    def test_a_delivery_without_headers_is_refused(self) -> None:
        case = self.case()
        error = refusal(lambda: case.source.authenticate(case.account, Delivery({}, case.body, 0)))
        assert isinstance(error, errors.BadSignature)

    def test_the_older_of_two_active_secrets_is_accepted(self) -> None:
        case = self.case()
        case.source.authenticate(case.retired, case.sign(case.body))

    def test_a_signed_body_is_accepted_whatever_it_holds(self) -> None:
        case = self.case()
        for body in _HOSTILE_BODIES:
            case.source.authenticate(case.account, case.sign(body))

    def test_facts_never_raise(self) -> None:
        case = self.case()
        for body in _HOSTILE_BODIES:
            assert case.source.facts(case.account, case.sign(body)).delivery_id
            assert case.source.facts(case.account, Delivery({}, body, 0)).delivery_id

    def test_a_repeated_delivery_has_the_same_id_and_another_body_without_headers_another(self) -> None:
        case = self.case()
        first, again = (case.source.facts(case.account, Delivery({}, case.body, at)) for at in (0, 10**15))
        other = case.source.facts(case.account, Delivery({}, case.body + b" ", 0))
        assert first.delivery_id == again.delivery_id != other.delivery_id

    def test_kept_headers_are_lower_case_and_hold_no_credential(self) -> None:
        for name in self.case().source.kept_headers:
            assert name == name.lower()
            assert not any(word in name for word in _FORBIDDEN_IN_HEADERS), name


# ----------------------------------------------------------------------------------------------- destinations


@dataclass(frozen=True)
class Live:
    """A destination under test and the service it talks to.

    `write` is a supported absolute write that changes something; `value` reads, behind the API's back, what the
    service holds of that record, and `wanted` is what it holds once the write was carried out. `fetch` names the
    (resource, remote id) that reads the written record, `gone` one that does not exist.
    """

    destination: Destination
    mapping: CanonicalMapping
    account: Account
    send: Send
    write: Write
    value: Callable[[], str]
    wanted: str
    fetch: tuple[str, str]
    gone: tuple[str, str]
    revoked: Account
    now: int = 1_772_366_400_000_000
    garbage: Mapping[str, bytes] = field(default_factory=lambda: {"html": b"<html>", "empty": b"", "array": b"[1]"})


class DestinationContract:
    """What the courier relies on. The subclass gives the fixture `live`."""

    async def test_a_write_leaves_what_was_wanted(self, live: Live) -> None:
        assert live.value() != live.wanted
        written = await drive(live.destination.write(live.account, live.write), live.send)
        assert isinstance(written, Written)
        assert live.value() == live.wanted

    async def test_a_repeated_write_leaves_the_same_state(self, live: Live) -> None:
        for _ in range(2):
            await drive(live.destination.write(live.account, live.write), live.send)
        assert live.value() == live.wanted

    async def test_a_write_repeated_after_a_lost_reply_leaves_the_same_state(self, live: Live) -> None:
        flow = live.destination.write(live.account, live.write)
        request = next(flow)
        while not request.writes:
            request = flow.send(await live.send(request))
        await live.send(request)
        flow.close()
        await drive(live.destination.write(live.account, live.write), live.send)
        assert live.value() == live.wanted

    async def test_what_a_fetch_reads_can_be_mapped(self, live: Live) -> None:
        found = await drive(live.destination.fetch(live.account, *live.fetch), live.send)
        mapped = [live.mapping.map(live.account, read(live.account, one, live.now)) for one in found]
        assert any(isinstance(records, list) and records for records in mapped)

    async def test_a_fetch_of_a_record_that_is_gone_observes_its_deletion(self, live: Live) -> None:
        found = await drive(live.destination.fetch(live.account, *live.gone), live.send)
        assert [(one.op.name, one.resource_id) for one in found] == [("DELETE", live.gone[1])]

    async def test_refused_credentials_stop_the_account(self, live: Live) -> None:
        try:
            await drive(live.destination.write(live.revoked, live.write), live.send)
        except errors.Unauthorised:
            return
        raise AssertionError("refused credentials did not raise Unauthorised")

    async def test_a_record_never_seen_there_is_unlinkable_before_anything_is_sent(self, live: Live) -> None:
        stranger = replace(live.write, remote_id="", aliases={})
        error = refusal(lambda: next(live.destination.write(live.account, stranger)))
        assert isinstance(error, errors.Unlinkable)

    async def test_a_throttled_request_names_the_wait(self, live: Live) -> None:
        flow = live.destination.write(live.account, live.write)
        request, reply = next(flow), response(429, b"", retry_after="7")
        assert live.destination.feedback(request, reply).throttled
        error = refusal(lambda: flow.send(reply))
        assert isinstance(error, errors.Throttled)
        assert error.retry_after == 7.0

    async def test_a_failing_server_is_a_matter_of_time(self, live: Live) -> None:
        for status in (500, 502, 503, 504):
            flow = live.destination.write(live.account, live.write)
            next(flow)
            error = refusal(lambda flow=flow, status=status: flow.send(response(status)))  # type: ignore[misc]
            assert isinstance(error, errors.Retry | errors.OutcomeUnknown), status

    async def test_a_reply_to_a_write_that_cannot_be_read_leaves_its_outcome_unknown(self, live: Live) -> None:
        for name, body in live.garbage.items():
            flow = live.destination.write(live.account, live.write)
            request = next(flow)
            while not request.writes:
                request = flow.send(await live.send(request))
            error = refusal(lambda flow=flow, body=body: flow.send(response(200, body)))  # type: ignore[misc]
            assert isinstance(error, errors.OutcomeUnknown), name

    async def test_feedback_never_raises(self, live: Live) -> None:
        request = next(live.destination.write(live.account, live.write))
        for body in _HOSTILE_BODIES:
            for status in (200, 429, 503):
                live.destination.feedback(request, response(status, body, retry_after="soon"))

    async def test_every_request_has_a_cost_and_a_name_without_ids(self, live: Live) -> None:
        sent: list[Request] = []

        async def send(request: Request) -> Response:
            sent.append(request)
            return await live.send(request)

        await drive(live.destination.write(live.account, live.write), send)
        assert sent
        for request in sent:
            assert request.cost > 0
            assert not any(character.isdigit() for character in request.operation)
        assert any(request.writes for request in sent)

    async def test_the_budget_can_be_paced(self, live: Live) -> None:
        budget = live.destination.budget(live.account)
        assert budget.kind in {"level", "rate"}
        assert budget.rate > 0
        assert budget.burst >= 1
        assert budget.max_in_flight >= 1

    async def test_the_write_under_test_is_supported(self, live: Live) -> None:
        assert live.destination.supports(live.write.type, live.write.op)


# ----------------------------------------------------------------------------------------------- commands


@dataclass(frozen=True, kw_only=True)
class LiveCommand(Live):
    """A command under test: what must happen exactly once. `verify` looks up whether it did; `done` counts, behind the
    API's back, how often the service carried it out."""

    verify: Callable[[Account, Write], Flow]
    done: Callable[[], int]


class CommandContract(DestinationContract):
    """What the courier relies on when it carries out a command; its record need not be known at the account before."""

    test_a_record_never_seen_there_is_unlinkable_before_anything_is_sent = None  # type: ignore[assignment]

    async def test_a_command_that_was_never_sent_is_looked_up_as_not_carried_out(self, live: LiveCommand) -> None:
        assert await drive(live.verify(live.account, live.write), live.send) is None
        assert live.done() == 0

    async def test_a_command_that_was_carried_out_is_found(self, live: LiveCommand) -> None:
        await drive(live.destination.write(live.account, live.write), live.send)
        assert isinstance(await drive(live.verify(live.account, live.write), live.send), Written)

    async def test_a_repeated_command_is_carried_out_once(self, live: LiveCommand) -> None:
        for _ in range(3):
            await drive(live.destination.write(live.account, live.write), live.send)
        assert live.done() == 1

    async def test_the_very_request_that_was_repeated_is_carried_out_once(self, live: LiveCommand) -> None:
        flow = live.destination.write(live.account, live.write)
        request = next(flow)
        while not request.writes:
            request = flow.send(await live.send(request))
        first, second = await live.send(request), await live.send(request)
        assert (first.status, first.body) == (second.status, second.body)
        assert live.done() == 1

    async def test_a_look_up_changes_nothing(self, live: LiveCommand) -> None:
        async def send(request: Request) -> Response:
            assert not request.writes, request.operation
            return await live.send(request)

        await drive(live.verify(live.account, live.write), send)

    async def test_a_look_up_that_is_not_answered_says_nothing(self, live: LiveCommand) -> None:
        for reply in (response(500), response(503), response(429), response(200, b"<html>"), response(200, b"{}")):
            flow = live.verify(live.account, live.write)
            next(flow)
            refusal(lambda flow=flow, reply=reply: flow.send(reply))  # type: ignore[misc]
