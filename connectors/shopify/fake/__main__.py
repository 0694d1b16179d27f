"""`python -m connectors.shopify.fake`: a fake shop as a process of its own."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import fields
from typing import Any, get_type_hints

import click

from connectors.shopify.fake.options import Options
from connectors.shopify.fake.server import FakeShopify


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", default=0, show_default=True, help="Port to listen at; 0 takes a free one.")
@click.option("--products", default=0, show_default=True, help="Start with so many products of one variant each.")
@click.option("--stock", default=10, show_default=True, help="Units of each of them at every location.")
@click.option("--set", "pairs", multiple=True, metavar="NAME=VALUE", help="Any option of the shop, e.g. never=0.01.")
@click.option("--webhook-url", default="", help="Where webhooks are sent; none are sent without it.")
@click.option("--seed", default=1, show_default=True, help="Seed of all randomness.")
def main(host: str, port: int, products: int, stock: int, pairs: tuple[str, ...], webhook_url: str, seed: int) -> None:
    """Run a fake shop until interrupted. Prints its base URL first."""
    options = Options(webhook_url=webhook_url, seed=seed)
    options.change(dict(_option(pair) for pair in pairs))
    asyncio.run(_serve(FakeShopify(options), host, port, products, stock))


async def _serve(fake: FakeShopify, host: str, port: int, products: int, stock: int) -> None:
    for number in range(products):
        fake.shop.create_product(f"Product {number}", {f"SKU-{number}": "10.00"}, stock)
    click.echo(await fake.start(host, port))
    stopped = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    await stopped.wait()
    await fake.stop()


def _option(pair: str) -> tuple[str, Any]:
    name, _, text = pair.partition("=")
    kind = get_type_hints(Options).get(name)
    if kind is None:
        known = ", ".join(field.name for field in fields(Options))
        raise click.BadParameter(f"no option {name!r}; known: {known}", param_hint="--set")
    if kind is bool:
        return name, text.lower() in {"1", "true", "yes"}
    try:
        return name, kind(text)
    except ValueError as error:
        raise click.BadParameter(f"{name}: {error}", param_hint="--set") from error


if __name__ == "__main__":
    main()
