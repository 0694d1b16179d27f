"""`python -m connectors.threepl.fake`: a fake warehouse as a process of its own."""

from __future__ import annotations

import click

from connectors.kit import fakeserver
from connectors.threepl.fake.options import Options
from connectors.threepl.fake.server import FakeThreePl


@click.command()
@fakeserver.shop_options(
    products="Start with stock of so many SKUs.",
    stock="Units of each of them.",
    example="work_after=2",
)
@click.option("--seed", default=1, show_default=True, help="Seed of all randomness.")
def main(host: str, port: int, products: int, stock: int, pairs: tuple[str, ...], seed: int) -> None:
    """Run a fake warehouse until interrupted. Prints its base URL first."""
    options = Options(seed=seed)
    options.change(fakeserver.parse_pairs(Options, pairs))
    fakeserver.run(FakeThreePl(options), host, port, products, stock)


if __name__ == "__main__":
    main()
