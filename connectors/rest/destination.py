"""Writes and single reads at a vendor: which flow carries out what. Sans-I/O flows."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from types import MappingProxyType
from typing import TypeVar

from connectors.kit.contract import Account, Budget, Feedback, Flow, Observation, Request, Response, Write, Written
from connectors.kit.errors import Invalid
from connectors.kit.operations import Operation
from connectors.rest import settings
from connectors.rest.api import Api
from connectors.rest.poller import Feed, observation
from schemas.entities import EntityType, Op

Kind = tuple[EntityType, Op]
_Found = TypeVar("_Found")
WriteFlow = Generator[Request, Response, Written]
VerifyFlow = Generator[Request, Response, Written | None]
FetchFlow = Generator[Request, Response, list[Observation]]


class RestDestination:
    """Implements contract.Destination, and tells whether a command was carried out where the vendor can be asked.

    `writes` and `verifies`: the vendor's flows by type and operation; `operations`: what may be done when nobody knows
    whether one was carried out; `fetches`: feeds whose records can be read one by one, at the feed's path and the id.
    """

    def __init__(
        self,
        api: Api,
        writes: Mapping[Kind, Callable[[Account, Write], WriteFlow]],
        verifies: Mapping[Kind, Callable[[Account, Write], VerifyFlow]],
        operations: Mapping[Kind, Operation] = MappingProxyType({}),
        fetches: Sequence[Feed] = (),
    ) -> None:
        self._api, self._writes, self._verifies, self._operations = api, dict(writes), dict(verifies), dict(operations)
        self._fetches = {feed.name: feed for feed in fetches}

    def budget(self, account: Account) -> Budget:
        """The vendor's documented rate, or what the account's settings say."""
        return settings.budget(account, self._api.budget)

    def supports(self, type: EntityType, op: Op) -> bool:
        """What the vendor has a flow for."""
        return (type, op) in self._writes

    def write(self, account: Account, write: Write) -> Flow:
        """The vendor's flow. See contract.Destination.write for what is raised."""
        return self._flow(self._writes, write)(account, write)

    def verify(self, account: Account, write: Write) -> Flow:
        """Read only: Written when the operation was carried out, None when it was not. Raises Invalid when the vendor
        cannot be asked."""
        return self._flow(self._verifies, write)(account, write)

    def operation(self, type: EntityType, op: Op) -> Operation | None:
        """What the vendor's declaration says of it; None for the safe default."""
        return self._operations.get((type, op))

    def fetch(self, account: Account, resource: str, remote_id: str) -> Flow:
        """Reads one record of a feed. Raises Invalid for another resource."""
        feed = self._fetches.get(resource)
        if feed is None:
            raise Invalid(
                f"account {account.id!r}: cannot read a {resource!r}", hint=f"known: {', '.join(self._fetches)}"
            )
        return self._fetch(account, feed, remote_id)

    def feedback(self, request: Request, response: Response) -> Feedback:
        """What the reply's headers say of the rate."""
        return self._api.feedback(response)

    def _fetch(self, account: Account, feed: Feed, remote_id: str) -> FetchFlow:
        request = self._api.get(account, f"{feed.path}/{{id}}", f"read_{feed.name}", id=remote_id)
        row = self._api.found(request, (yield request))
        return [Observation(feed.name, remote_id, b"", Op.DELETE) if row is None else observation(feed, row)]

    def _flow(self, flows: Mapping[Kind, _Found], write: Write) -> _Found:
        found = flows.get((write.type, write.op))
        if found is None:
            what = f"{write.op.name.lower()} of {write.type}"
            raise Invalid(f"{write.golden_key}: {self._api.vendor} has no {what}", reason="unsupported")
        return found
