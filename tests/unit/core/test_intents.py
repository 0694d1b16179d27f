"""What is frozen of a command's requests, and when it is sent instead of what the flow says."""

from __future__ import annotations

from collections.abc import Generator

from connectors.kit.contract import Request, Response
from connectors.kit.testing import replay, response
from schemas.entities import Lane
from streams.core.courier_rows import Intent
from streams.core.desired import Kind, Origin, Wanted
from streams.core.intents import as_first_sent, intend

CREATE = Request("POST", "/orders", "create", "/orders", body=b"first", writes=True)
AGAIN = Request("POST", "/orders", "create", "/orders", {"token": "new"}, body=b"later", writes=True)
AMEND = Request("PUT", "/orders/1", "amend", "/orders/{id}", body=b"amended", writes=True)
WANTED = Wanted(
    tenant="t1", account="wms", kind=Kind.COMMAND, subject="t1|order|shop:1", version=1, lane=Lane.HIGH, cause="orders",
    fields=frozenset(), fingerprint=b"", value=b"", wanted_at=0, origin=Origin("push", 0, 0), operation_id="op-1",
)  # fmt: skip


def flow(*requests: Request) -> Generator[Request, Response, None]:
    """Sends these."""
    for request in requests:  # noqa: UP028 - a tuple takes no replies
        yield request


def sent(known: Intent | None, request: Request) -> Intent:
    """The intent of a first writing request."""
    return intend(known, WANTED, request, 0, epoch=1, now=5.0)


def test_a_request_is_sent_as_it_was_the_first_time_under_the_credentials_of_today() -> None:
    frozen = sent(sent(None, CREATE), AGAIN).frozen
    _, (request,) = replay(as_first_sent(flow(AGAIN), frozen), [response()])
    assert (request.body, request.headers) == (b"first", {"token": "new"})


def test_what_a_flow_decides_otherwise_after_a_look_is_sent_and_frozen_in_its_place() -> None:
    first = sent(None, CREATE)
    _, (request,) = replay(as_first_sent(flow(AMEND), first.frozen), [response()])
    assert request == AMEND
    (frozen,) = sent(first, AMEND).frozen
    assert (frozen.method, frozen.path, frozen.body) == ("PUT", "/orders/1", b"amended")


def test_reads_are_never_frozen_and_do_not_count() -> None:
    look = Request("GET", "/orders", "find", "/orders")
    _, requests = replay(as_first_sent(flow(look, AGAIN), sent(None, CREATE).frozen), [response(), response()])
    assert [(one.method, one.body) for one in requests] == [("GET", b""), ("POST", b"first")]
