"""What the webservice's replies mean, as one table: its own error codes first, then HTTP statuses.

Codes: PrestaShop, classes/webservice/WebserviceRequest.php (setError). The core has no rate limit; 429, 503, 508 and
520 to 524 are a host's or a CDN's ways to ask for less, of which 520 and 524 may come after the shop has done the work.
"""

from __future__ import annotations

from collections.abc import Mapping

from connectors.kit.outcomes import Meaning, Rule

DISABLED, SAVE_FAILED, BROKEN_XML, UNKNOWN_ID, UNKNOWN_RESOURCE, NOT_IN_THIS_SHOP = 22, 46, 127, 92, 27, 131
THROTTLE_STATUSES = frozenset({429, 503, 508, *range(520, 525)})
MAYBE_DONE = frozenset({520, 524})

_WRONG_ADDRESS = Rule(Meaning.SETUP, hint="is the account's base URL the shop's own, without /api?")
_REFUSED = Rule(Meaning.AUTH, hint="check the key, its permissions and its shops in the shop's back office")

BY_CODE: Mapping[int, Rule] = {
    DISABLED: Rule(
        Meaning.AUTH,
        "webservice_disabled",
        "switch it on under Advanced Parameters > Webservice of the shop",
    ),
    BROKEN_XML: Rule(Meaning.INVALID, "broken_xml"),
    SAVE_FAILED: Rule(Meaning.UNKNOWN, "save_failed"),  # some versions say so after they have saved
    UNKNOWN_RESOURCE: _WRONG_ADDRESS,
    UNKNOWN_ID: Rule(Meaning.GONE),
    NOT_IN_THIS_SHOP: Rule(Meaning.GONE),
}
BY_STATUS: Mapping[int, Rule] = {
    **dict.fromkeys(THROTTLE_STATUSES, Rule(Meaning.THROTTLED)),
    **dict.fromkeys((301, 302, 307, 308), _WRONG_ADDRESS),
    401: _REFUSED,
    403: _REFUSED,
    405: Rule(
        Meaning.SETUP, hint="the key needs GET on every resource, PUT on what is set and POST on order_histories"
    ),
}


def rule(status: int, code: int, *, writes: bool) -> Rule:
    """The rule of a reply that is no success. `code`: of its first error, 0 when it has none; `writes`: of the request.

    The shop's own word counts where it is about the content; before it comes that the webservice is off, or that a
    host asks for less.
    """
    if code != DISABLED and status in THROTTLE_STATUSES:
        return Rule(Meaning.UNKNOWN) if writes and status in MAYBE_DONE else BY_STATUS[status]
    if status in (401, 403, 405) and code != DISABLED:
        return BY_STATUS[status]
    if code in BY_CODE:
        return BY_CODE[code]
    if status == 404 and not code:
        return _WRONG_ADDRESS
    return BY_STATUS.get(status) or Rule(Meaning.UNKNOWN if status >= 500 else Meaning.INVALID)
