"""The platform through which the courier sees a modelled API: one request per write, command or fetch."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.kit.contract import (
    Account,
    Budget,
    Envelope,
    Feedback,
    Flow,
    Ignored,
    Mapped,
    Observation,
    Platform,
    Request,
    Response,
    Write,
    Written,
)
from connectors.kit.errors import Throttled, Unavailable
from schemas import identity
from schemas.entities import EntityType, Op
from streams.testing.score.api import Shape, read

NAME = "shopify"  # topics exist for known platforms only; nothing here is of that vendor
TENANT = "score"


class Modelled:
    """Destination and mapping. `shapes`: by the flow that asks."""

    revision = 1

    def __init__(self, budget: Budget, shapes: Mapping[str, tuple[str, Shape]]) -> None:
        self._budget = budget
        self._shapes = shapes

    def budget(self, account: Account) -> Budget:
        """The same for every account."""
        return self._budget

    def supports(self, type: EntityType, op: Op) -> bool:
        """Everything."""
        return True

    def write(self, account: Account, write: Write) -> Flow:
        """One request that carries entity, version and operation id."""
        entity = entity_of(write.golden_key)
        _check((yield self._request("PUT", entity, write.golden_version, write.op_id)))
        return Written()

    def fetch(self, account: Account, resource: str, remote_id: str) -> Flow:
        """One request; the record says nothing."""
        _check((yield self._request("GET", remote_id, 0, "")))
        return [Observation(resource, remote_id, b"{}")]

    def feedback(self, request: Request, response: Response) -> Feedback:
        """What the reply says of the bucket."""
        return read(response)

    def map(self, account: Account, envelope: Envelope) -> list[Mapped] | Ignored:
        """Nothing is mapped in a simulation."""
        return Ignored("simulated")

    def _request(self, method: str, entity: str, version: int, op_id: str) -> Request:
        name, shape = self._shapes[flow_of(entity)]
        body = f"{version} {op_id}".encode()
        return Request(method, entity, name, f"/{name}", body=body, cost=shape.guess, writes=method != "GET")


def platform(budget: Budget, shapes: Mapping[str, tuple[str, Shape]]) -> Platform:
    """The modelled platform."""
    modelled = Modelled(budget, shapes)
    return Platform(NAME, modelled, destination=modelled)


def account(number: int) -> Account:
    """An account of the modelled platform."""
    return Account(TENANT, f"a{number}", NAME, "http://modelled.test")


def golden_key(entity: str) -> str:
    """The golden key of an entity."""
    return str(identity.GoldenKey(TENANT, EntityType.INVENTORY_LEVEL, entity))


def entity_of(key: str) -> str:
    """The entity behind a golden key."""
    return identity.GoldenKey.parse(key).golden_id


def flow_of(entity: str) -> str:
    """The flow an entity belongs to."""
    return entity.split(".", 1)[0]


def _check(response: Response) -> None:
    feedback = read(response)
    if feedback.throttled:
        raise Throttled("the modelled API refuses for rate", retry_after=feedback.retry_after)
    if response.status >= 500:
        raise Unavailable(f"status {response.status}")
