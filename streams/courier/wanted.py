"""Consumed records -> wanted versions, and wanted versions -> writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.kit.contract import Write
from connectors.kit.errors import Invalid
from schemas import identity
from schemas.codec import Codec, CodecError, Record
from schemas.entities import EntityType, Lane, Op
from streams.core.desired import Kind, Origin, Verdict, Wanted
from streams.runtime.raw import micros
from streams.runtime.xref import Remote, XrefView

_OPS = {"upsert": Op.UPSERT, "delete": Op.DELETE}
_BY_SKU = {EntityType.VARIANT, EntityType.PRICE, EntityType.INVENTORY_LEVEL}


def from_push(codec: Codec, value: bytes | None, origin: Origin, *, bulk: bool) -> Wanted:
    """A push task. `bulk`: it gives way to everything live. Raises CodecError or Invalid."""
    task = _decode(codec, value)
    try:
        kind, _ = Kind(task["kind"]), _OPS[task["op"]]
        operation_id = task["operation_id"] or ""
        if (kind is Kind.COMMAND) != bool(operation_id):
            raise ValueError(f"a {kind} with operation id {operation_id!r}")
        return Wanted(
            tenant=task["tenant"],
            account=task["account"],
            kind=kind,
            subject=str(identity.GoldenKey.parse(task["golden_key"])),
            version=task["golden_version"],
            lane=Lane.BULK if bulk else Lane(task["lane"]),
            cause=task["flow"],
            fields=frozenset(task["fields"]),
            fingerprint=task["fingerprint"],
            value=value or b"",
            wanted_at=micros(task["wanted_at"]),
            origin=origin,
            operation_id=operation_id,
            expires_at=micros(task["expires_at"]) if task.get("expires_at") else 0,
        )
    except (KeyError, ValueError, TypeError) as error:
        raise Invalid(f"not a push task: {type(error).__name__}: {error}") from error


def from_fetch(codec: Codec, value: bytes | None, origin: Origin) -> Wanted:
    """A fetch request. Raises CodecError or Invalid."""
    request = _decode(codec, value)
    try:
        asked_at = micros(request["requested_at"])
        return Wanted(
            tenant=request["tenant"],
            account=request["account"],
            kind=Kind.FETCH,
            subject=identity.join(request["resource"], request["remote_id"]),
            version=asked_at,
            lane=Lane(request["lane"]),
            cause=request["reason"],
            fields=frozenset(),
            fingerprint=b"",
            value=b"",
            wanted_at=asked_at,
            origin=origin,
        )
    except (KeyError, ValueError, TypeError) as error:
        raise Invalid(f"not a fetch request: {type(error).__name__}: {error}") from error


@dataclass(frozen=True, slots=True)
class Judged:
    """What a person decided about a parked row, by the version they looked at."""

    tenant: str
    account: str
    row: str
    version: int
    verdict: Verdict
    by: str
    why: str


def from_verdict(codec: Codec, value: bytes | None) -> Judged:
    """A person's verdict. Raises CodecError or Invalid."""
    said = _decode(codec, value)
    try:
        verdict = Verdict(said["verdict"])
        return Judged(said["tenant"], said["account"], said["row"], said["version"], verdict, said["by"], said["why"])
    except (KeyError, ValueError, TypeError) as error:
        raise Invalid(f"not a verdict: {type(error).__name__}: {error}") from error


def _decode(codec: Codec, value: bytes | None) -> Record:
    if value is None:
        raise Invalid("a record without a value asks for nothing")
    return codec.decode(value)


def links(xref: XrefView, wanted: Wanted) -> Remote:
    """The record's id at the account (empty when unknown) and the aliases a destination needs.

    Those of the SKU's variant come first, then the record's own; `variant_id` is the variant's remote id.
    """
    golden = identity.GoldenKey.parse(wanted.subject)
    own = xref.remote(wanted.tenant, golden.type, wanted.account, wanted.subject)
    aliases: dict[str, str] = {}
    if golden.type in _BY_SKU:
        sku = golden.golden_id.split(identity.COMPONENT, 1)[0]
        variant_key = str(identity.GoldenKey(golden.tenant, EntityType.VARIANT, sku))
        variant = xref.remote(wanted.tenant, EntityType.VARIANT, wanted.account, variant_key)
        if variant is not None:
            aliases = {**variant[1], "variant_id": variant[0]}
    if own is None:
        return "", aliases
    return own[0], {**aliases, **own[1]}


def as_write(codec: Codec, wanted: Wanted, link: Remote) -> Write:
    """The write that makes the account hold it. Raises Invalid when the stored bytes cannot be read."""
    try:
        task: Mapping[str, Any] = codec.decode(wanted.value)
        record = codec.decode(task["record"]) if task["record"] else {}
        golden = identity.GoldenKey.parse(wanted.subject)
    except (CodecError, identity.InvalidKey) as error:
        raise Invalid(f"the task for {wanted.subject} at {wanted.account} cannot be read: {error}") from error
    return Write(
        type=golden.type,
        op=_OPS[task["op"]],
        golden_key=wanted.subject,
        golden_version=wanted.version,
        remote_id=link[0],
        aliases=link[1],
        record=record,
        fields=sorted(wanted.fields),
        op_id=wanted.op_id,
        wanted=task["fingerprint"],
        expected=None if task.get("expected") is None else frozenset(task["expected"]),
    )
