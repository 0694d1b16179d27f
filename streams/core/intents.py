"""What an intent keeps of a request, and what may be done when nobody knows what became of it. Pure.

A command's writing requests are frozen when they leave for the first time: vendors compare the body that comes with an
idempotency key they have seen, and what a person sees in `sluice tasks show` is what the vendor got.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b

from connectors.kit.contract import Flow, Request
from connectors.kit.operations import InDoubt, Operation
from streams.core.courier_rows import Frozen, Intent
from streams.core.desired import Kind, Wanted

TRUSTED = 0.9  # of a vendor's retention: its clock and ours differ, and the repetition takes time as well


def intend(known: Intent | None, wanted: Wanted, sending: Request, nth: int, *, epoch: int, now: float) -> Intent:
    """The intent of the `nth` writing request of a flow (the first is 0), to be committed before it is sent.

    `known`: the row's intent so far. `now`: seconds UTC.
    """
    frozen = known.frozen if known is not None and known.op_id == wanted.op_id else ()
    if wanted.kind is Kind.COMMAND and not (nth < len(frozen) and _is_same(sending, frozen[nth])):
        frozen = (*frozen[:nth], Frozen(sending.method, sending.path, dict(sending.query), sending.body))
    used = known.first_use if known is not None and sending.key and known.vendor_key == sending.key else 0.0
    return Intent(
        row=wanted.row,
        op_id=wanted.op_id,
        version=wanted.version,
        body_hash=blake2b(sending.body, digest_size=16).digest(),
        epoch=epoch,
        sent_at=now,
        vendor_key=sending.key,
        first_use=used or (now if sending.key else 0.0),
        frozen=frozen,
    )


def close(intent: Intent) -> Intent:
    """The same intent when it is known what became of its request."""
    return replace(intent, open=False)


def as_first_sent(flow: Flow, frozen: Sequence[Frozen]) -> Flow:
    """The same flow, whose writing requests are sent as they were the first time; headers are those of today, because
    credentials change and a condition (`If-Match`) names what the flow found just now. A request to another address is
    not the same any more: the flow looked, and now does something else (an order that it would have created is there,
    and is changed)."""
    nth = 0
    try:
        request = next(flow)
        while True:
            if request.writes:
                same = nth < len(frozen) and _is_same(request, frozen[nth])
                request = _thawed(request, frozen[nth]) if same else request
                nth += 1
            request = flow.send((yield request))
    except StopIteration as end:
        return end.value
    finally:
        flow.close()


def _is_same(request: Request, frozen: Frozen) -> bool:
    return (request.method, request.path) == (frozen.method, frozen.path)


def _thawed(request: Request, frozen: Frozen) -> Request:
    return replace(request, method=frozen.method, path=frozen.path, query=frozen.query, body=frozen.body)


def resolution(operation: Operation, intent: Intent | None, *, now: float, expired: bool) -> InDoubt:
    """How the doubt about the intent's request is resolved at `now` (seconds UTC). What has expired may not be carried
    out any more, so it is not sent again to find out."""
    if operation.in_doubt in (InDoubt.VERIFY, InDoubt.PERSON):
        return operation.in_doubt
    if expired:
        return operation.forgotten
    if operation.in_doubt is InDoubt.REPEAT:
        return InDoubt.REPEAT
    if intent is None or not intent.vendor_key:
        return operation.forgotten
    remembered = now - intent.first_use < operation.key_life * TRUSTED
    return InDoubt.SAME_KEY if remembered else operation.forgotten
