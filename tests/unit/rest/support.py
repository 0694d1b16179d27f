"""A vendor that exists nowhere else: what the tests of the generic platform share."""

from __future__ import annotations

from connectors.kit.contract import Account, Budget, Request
from connectors.kit.outcomes import Meaning, Rule
from connectors.rest.api import Api, Credential
from connectors.rest.outcomes import ErrorBody, Outcomes

API = Api(
    vendor="acme",
    credential=Credential("key", header="x-api-key", scheme=""),
    budget=Budget("rate", 5.0, 10.0, 2),
    base="/api/v2",
    outcomes=Outcomes(
        body=ErrorBody(("errors", 0, "code"), ("errors", 0, "text")),
        by_code={
            "busy": Rule(Meaning.RETRY_NOW, "busy"),
            "taken": Rule(Meaning.CONFLICT),
            "missing": Rule(Meaning.GONE),
        },
        by_status={420: Rule(Meaning.THROTTLED)},
    ),
    idempotency_header="x-request-key",
)
ACCOUNT = Account("t1", "acme-1", "acme", "https://acme.example", {}, {"key": ["k1", "k0"]})
READ = API.get(ACCOUNT, "/things/{id}", "read_thing", id="a/b c")
WRITE = API.send(ACCOUNT, "PUT", "/things/{id}", "write_thing", {"n": 1}, "op-1", id="7")


def account(**settings: str) -> Account:
    """An account with these settings."""
    return Account("t1", "acme-1", "acme", "https://acme.example", settings, {"key": ["k1"]})


def either() -> tuple[Request, Request]:
    """A read and a write."""
    return READ, WRITE
