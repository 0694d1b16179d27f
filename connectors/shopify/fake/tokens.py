"""Access tokens of the client credentials grant: they end, and the shop says 401 then.

Source: shopify.dev, access-tokens/client-credentials-grant: POST /admin/oauth/access_token, form-encoded; tokens live
24 hours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.kit.clock import Clock
from connectors.shopify.fake.options import Options


class AccessTokens:
    """Tokens that were handed out. `issued`: how many."""

    def __init__(self, options: Options, clock: Clock) -> None:
        self._options, self._clock = options, clock
        self._ends: dict[str, float] = {}
        self.issued = 0

    def grant(self, form: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        """Status and body of a token request."""
        options = self._options
        if form.get("grant_type") != "client_credentials":
            return 400, {"error": "unsupported_grant_type"}
        if (form.get("client_id"), form.get("client_secret")) != (options.client_id, options.client_secret):
            return 400, {"error": "invalid_client", "error_description": "unknown client or wrong secret"}
        self.issued += 1
        token = f"{options.access_token}_{self.issued}"
        self._ends[token] = self._clock.monotonic() + options.token_life
        return 200, {"access_token": token, "scope": "read_products", "expires_in": int(options.token_life) - 1}

    def revoke(self) -> None:
        """No token that was handed out is good any more."""
        self._ends.clear()

    def accepts(self, token: str) -> bool:
        """Whether it is the fixed one or one that has not ended."""
        if token == self._options.access_token:
            return not self._options.refuse_fixed_token
        return self._clock.monotonic() < self._ends.get(token, 0.0)
