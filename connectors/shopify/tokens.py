"""Access tokens of apps that a merchant owns: the client credentials grant. Sans-I/O flow.

Source: shopify.dev, access-tokens/client-credentials-grant: POST /admin/oauth/access_token, form-encoded; a token lives
24 hours (`expires_in` 86399). Apps that were made in the shop's admin before 2026 have a token without an end instead.
"""

from __future__ import annotations

from connectors.kit import oauth
from connectors.kit.contract import Account, Flow

PATH = "/admin/oauth/access_token"


class ShopifyTokens:
    """Implements contract.Tokens."""

    def needed(self, account: Account) -> bool:
        """For an account with the setting `client_id`."""
        return "client_id" in account.settings

    def acquire(self, account: Account) -> Flow:
        """A token for client id and client secret; `access_token` is where every request looks for it."""
        return oauth.client_credentials(PATH, (account.settings["client_id"], account.secret("client_secret")))
