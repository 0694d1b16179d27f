"""`python -m connectors.shopify.fake`: a fake shop as a process of its own."""

from __future__ import annotations

import click

from connectors.kit import fakeserver
from connectors.shopify.fake.options import Options
from connectors.shopify.fake.server import FakeShopify


@click.command()
@fakeserver.shop_options(
    products="Start with so many products of one variant each.",
    stock="Units of each of them at every location.",
    example="never=0.01",
)
@click.option("--webhook-url", default="", help="Where webhooks are sent; none are sent without it.")
@click.option("--seed", default=1, show_default=True, help="Seed of all randomness.")
def main(host: str, port: int, products: int, stock: int, pairs: tuple[str, ...], webhook_url: str, seed: int) -> None:
    """Run a fake shop until interrupted. Prints its base URL first."""
    options = Options(webhook_url=webhook_url, seed=seed)
    options.change(fakeserver.parse_pairs(Options, pairs))
    fakeserver.run(FakeShopify(options), host, port, products, stock)


if __name__ == "__main__":
    main()
