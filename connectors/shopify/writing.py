"""What all writes at a shop share. Sans-I/O."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

from connectors.kit.contract import Account, Request, Response, Write, Written
from connectors.kit.errors import Unlinkable
from connectors.shopify import graphql, queries

WriteFlow = Generator[Request, Response, Written]


def mutation(
    account: Account, op_id: str, operation: str, document: str, variables: Mapping[str, Any], key: str = ""
) -> Request:
    """One mutation under the name of its operation; `key`: the idempotency key in it. Raises Misconfigured."""
    cost = queries.MUTATION_COST
    return graphql.request(account, operation, document, variables, cost=cost, op_id=op_id, writes=True, key=key)


def alias(account: Account, write: Write, name: str) -> str:
    """An id of the record at this account. Raises Unlinkable when it was never seen there."""
    found = write.aliases.get(name, "")
    if not found:
        raise Unlinkable(
            f"{write.golden_key}: its {name} at account {account.id!r} is not known",
            hint="the SKU was never seen there; poll the account or create the product",
        )
    return found
