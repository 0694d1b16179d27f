"""`python -m connectors.prestashop.fake`: a fake shop as a process of its own."""

from __future__ import annotations

import click

from connectors.kit import fakeserver
from connectors.prestashop.fake.options import Options
from connectors.prestashop.fake.server import FakePrestaShop


@click.command()
@fakeserver.shop_options(
    products="Start with so many simple products.",
    stock="Units of each of them.",
    example="rate=10",
)
@click.option("--seed", default=1, show_default=True, help="Seed of all randomness.")
def main(host: str, port: int, products: int, stock: int, pairs: tuple[str, ...], seed: int) -> None:
    """Run a fake shop until interrupted. Prints its base URL first."""
    options = Options(seed=seed)
    options.change(fakeserver.parse_pairs(Options, pairs))
    fakeserver.run(FakePrestaShop(options), host, port, products, stock)


if __name__ == "__main__":
    main()
