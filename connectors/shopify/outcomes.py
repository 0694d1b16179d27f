"""What the shop's replies mean, as one table: HTTP statuses, then codes of errors and userErrors, the weightiest first.

Sources: shopify.dev, usage/response-codes, usage/idempotent-requests, graphql-admin/rate-limits; codes of
InventorySetQuantitiesUserError and ProductVariantsBulkUpdateUserError.
"""

from __future__ import annotations

from collections.abc import Mapping

from connectors.kit.outcomes import Meaning, Rule

PREVIOUS_ATTEMPT_FAILED = "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"
KEY_LIFE = 24 * 3600.0  # seconds for which an idempotency key is remembered

_SETUP = Rule(Meaning.SETUP, hint="check base_url and api_version of the account")

BY_STATUS: Mapping[int, Rule] = {
    401: Rule(Meaning.AUTH, hint="the access token is refused: install the app again or renew the token"),
    402: Rule(Meaning.AUTH, "http_402", "the shop is frozen"),
    404: _SETUP,
    408: Rule(Meaning.UNKNOWN),
    423: Rule(Meaning.AUTH, "http_423", "the shop is locked"),
    429: Rule(Meaning.THROTTLED),
    430: Rule(Meaning.AUTH, "http_430", "refused by Shopify's security rules"),
}

BY_CODE: Mapping[str, Rule] = {
    "THROTTLED": Rule(Meaning.THROTTLED),
    "INTERNAL_SERVER_ERROR": Rule(Meaning.UNKNOWN),
    "SHOP_INACTIVE": Rule(Meaning.AUTH, "shop_inactive"),
    "ACCESS_DENIED": Rule(Meaning.INVALID, "access_denied", "grant the app the access scope the message names"),
    PREVIOUS_ATTEMPT_FAILED: Rule(Meaning.UNKNOWN),
    "IDEMPOTENCY_CONCURRENT_REQUEST": Rule(Meaning.RETRY_NOW, "retry_now"),
    "CHANGE_FROM_QUANTITY_STALE": Rule(Meaning.CONFLICT),
    "COMPARE_QUANTITY_STALE": Rule(Meaning.CONFLICT),
    "INVALID_INVENTORY_ITEM": Rule(Meaning.GONE),
    "INVALID_LOCATION": Rule(Meaning.GONE),
    "PRODUCT_DOES_NOT_EXIST": Rule(Meaning.GONE),
    "PRODUCT_VARIANT_DOES_NOT_EXIST": Rule(Meaning.GONE),
    "PRODUCT_VARIANT_ID_MISSING": Rule(Meaning.GONE),
    "NOT_FOUND": Rule(Meaning.GONE),
    "ITEM_NOT_STOCKED_AT_LOCATION": Rule(
        Meaning.INVALID, "item_not_stocked_at_location", "stock the item at the location first"
    ),
}


def of_status(status: int) -> Rule:
    """The rule of a status other than 200."""
    known = BY_STATUS.get(status)
    if known is not None:
        return known
    if status >= 500:
        return Rule(Meaning.UNKNOWN)
    return _SETUP if 300 <= status < 400 else Rule(Meaning.INVALID, f"http_{status}")
