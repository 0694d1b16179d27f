"""The warehouse's API as a declaration.

    POST /v1/orders                        Idempotency-Key kept 24 h: the same body gets the first reply again, another
                                           body 422
    GET  /v1/orders?reference=             every order of a reference, the oldest first
    GET  /v1/orders/{id}
    PUT  /v1/orders/{id}                   other lines, until picking starts
    POST /v1/orders/{id}/cancel            until it is shipped; again: the same reply
    GET  /v1/shipments?updated_after=&cursor=&limit=      and /v1/shipments/{id}
    GET  /v1/stock?updated_after=&cursor=&limit=          and /v1/stock/{id}
    webhook shipment.updated               signed with a time stamp

An order names its revision in `etag`, and in the header ETag where it is shown alone. A change with If-Match is refused
with 412 when the order is at another one. A known key gets its first reply whatever the order is at by then.

Errors are {"error": {"code", "message"}}. Lists are in the order of their changes; a cursor names a
place in it.
"""

from __future__ import annotations

from connectors.kit.contract import Budget
from connectors.kit.operations import InDoubt, Operation
from connectors.kit.outcomes import Meaning, Rule
from connectors.rest.api import Api, Credential
from connectors.rest.outcomes import ErrorBody, Outcomes
from connectors.rest.paging import ByCursor
from connectors.rest.poller import Feed
from connectors.rest.webhooks import HmacSha256

OUTCOMES = Outcomes(
    body=ErrorBody(code=("error", "code"), message=("error", "message")),
    by_code={
        "request_in_progress": Rule(Meaning.RETRY_NOW, "request_in_progress"),  # the first with this key is running
        "reference_exists": Rule(Meaning.CONFLICT, "reference_exists"),  # made a moment ago, and not listed yet
        "order_changed": Rule(Meaning.CONFLICT, "order_changed"),  # since we looked
        "idempotency_key_reused": Rule(Meaning.INVALID, "idempotency_key_reused", "was a setting of it changed?"),
        "order_not_open": Rule(Meaning.INVALID, "order_not_open", "settle it with the warehouse"),
    },
)
# A key is known for 24 hours; after that the order is looked up by what we left in it. Any warehouse can ship an order.
ONCE = Operation(InDoubt.SAME_KEY, key_life=86_400.0, forgotten=InDoubt.VERIFY, reroutable=True)
API = Api(
    vendor="threepl",
    credential=Credential("api_token"),
    budget=Budget("rate", rate=10.0, burst=20.0, max_in_flight=8),
    base="/v1",
    outcomes=OUTCOMES,
    etag_field=("etag",),
)
PAGING = ByCursor(expired=frozenset({"invalid_cursor"}))
SHIPMENTS = Feed("shipments", "/shipments")
STOCK = Feed("stock", "/stock")
SHIPMENT_UPDATED = "shipment.updated"
SIGNATURE = HmacSha256(
    header="x-threepl-signature", prefix="sha256=", timestamp_header="x-threepl-timestamp", tolerance=300.0
)
EVENT_HEADER, TOPIC_HEADER = "x-threepl-event", "x-threepl-topic"
