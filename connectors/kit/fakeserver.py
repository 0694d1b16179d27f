"""The shell that the fake shops of all platforms share: `/_fake/*` and a process of their own."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterable
from dataclasses import asdict, fields
from typing import Any, Protocol, TypeVar, get_type_hints

import click
import orjson
from aiohttp import web

from connectors.kit.fakeshop import BadEdit, NotThere, Shop, Tunable, UnknownOption

MOST_BODY = 4 * 1024 * 1024

_Command = TypeVar("_Command", bound=Callable[..., None])


class Fake(Protocol):
    """One shop behind one HTTP server."""

    @property
    def options(self) -> Tunable:
        """What it was told."""
        ...

    @property
    def shop(self) -> Shop:
        """What it holds."""
        ...

    def state(self) -> dict[str, Any]:
        """What the shop holds, by SKU and location code."""
        ...

    def stats(self) -> dict[str, Any]:
        """Numbers of everything."""
        ...

    async def start(self, host: str, port: int) -> str:
        """Listen; returns the base URL. Port 0 takes a free one."""
        ...

    async def stop(self) -> None:
        """Close."""
        ...


class Backstage:
    """`/_fake/*` of one shop, for whoever drives or watches it. `edit` carries out a decoded edit and may raise
    BadEdit and NotThere."""

    def __init__(self, fake: Fake, edit: Callable[[Any], dict[str, Any]]) -> None:
        self._fake, self._carry_out = fake, edit

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Add the routes."""
        router.add_get("/_fake/state", self._state)
        router.add_get("/_fake/journal", self._journal)
        router.add_get("/_fake/stats", self._stats)
        router.add_post("/_fake/edit", self._edit)
        router.add_post("/_fake/control", self._control)

    async def _state(self, request: web.Request) -> web.Response:
        return json_reply(self._fake.state())

    async def _journal(self, request: web.Request) -> web.Response:
        text = request.query.get("after", "0")
        if not text.isdecimal():
            return json_reply({"error": f"after is a sequence, not {text!r}"}, 400)
        return json_reply([asdict(entry) for entry in self._fake.shop.journal[int(text) :]])

    async def _stats(self, request: web.Request) -> web.Response:
        return json_reply(self._fake.stats())

    async def _edit(self, request: web.Request) -> web.Response:
        try:
            return json_reply(self._carry_out(orjson.loads(await request.read())))
        except (BadEdit, NotThere, orjson.JSONDecodeError) as error:
            return json_reply({"error": str(error)}, 400)

    async def _control(self, request: web.Request) -> web.Response:
        try:
            values = orjson.loads(await request.read())
            self._fake.options.change(values if isinstance(values, dict) else {"": values})
        except (UnknownOption, orjson.JSONDecodeError) as error:
            return json_reply({"error": str(error)}, 400)
        return json_reply({"changed": sorted(values)})


def json_reply(value: Any, status: int = 200) -> web.Response:
    """`value` as a JSON body."""
    return web.Response(status=status, body=orjson.dumps(value), content_type="application/json")


def hang_up(request: web.Request) -> web.Response:
    """Drop the connection: the request was carried out, and nobody hears of it."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def shop_options(products: str, stock: str, example: str) -> Callable[[_Command], _Command]:
    """The command-line options of every fake; the arguments are help texts and an example of NAME=VALUE."""
    options = (
        click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at."),
        click.option("--port", default=0, show_default=True, help="Port to listen at; 0 takes a free one."),
        click.option("--products", default=0, show_default=True, help=products),
        click.option("--stock", default=10, show_default=True, help=stock),
        click.option(
            "--set", "pairs", multiple=True, metavar="NAME=VALUE", help=f"Any option of the shop, e.g. {example}."
        ),
    )

    def decorate(command: _Command) -> _Command:
        # The lowest decorator of a stack comes first, and `--help` lists the options from the top.
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def parse_pairs(kind: type[Tunable], pairs: Iterable[str]) -> dict[str, Any]:
    """Values of options of this kind from NAME=VALUE texts. Raises click.BadParameter."""
    return dict(_parse_pair(kind, pair) for pair in pairs)


def _parse_pair(options: type[Tunable], pair: str) -> tuple[str, Any]:
    name, _, text = pair.partition("=")
    kind = get_type_hints(options).get(name)
    if kind is None:
        known = ", ".join(field.name for field in fields(options))
        raise click.BadParameter(f"no option {name!r}; known: {known}", param_hint="--set")
    if kind is bool:
        return name, text.lower() in {"1", "true", "yes"}
    try:
        return name, kind(text)
    except ValueError as error:
        raise click.BadParameter(f"{name}: {error}", param_hint="--set") from error


def run(fake: Fake, host: str, port: int, products: int, stock: int) -> None:
    """Serve until SIGINT or SIGTERM, starting with so many products; prints the base URL first."""
    asyncio.run(_serve(fake, host, port, products, stock))


async def _serve(fake: Fake, host: str, port: int, products: int, stock: int) -> None:
    for number in range(products):
        fake.shop.create_product(f"Product {number}", {f"SKU-{number}": "10.00"}, stock)
    click.echo(await fake.start(host, port))
    stopped = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    await stopped.wait()
    await fake.stop()
