"""The page about reading at accounts says what the commands take and what the couriers do."""

from __future__ import annotations

import re
import shlex

import click
import pytest

from connectors.kit.metrics import CATALOGUE
from connectors.shopify import settings
from streams.cli.main import main
from streams.courier.setup import Settings
from streams.runtime import docs

PAGE = (docs.FOLDER / "reading.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_on_the_page_is_taken_as_it_stands(line: str) -> None:
    _, *arguments = shlex.split(line, comments=True)
    command: click.Command | None = main
    while isinstance(command, click.Group):
        command = command.get_command(click.Context(command), arguments.pop(0))
    assert command is not None
    command.make_context("sluice", arguments)


def test_metrics_and_settings_on_the_page_exist() -> None:
    assert set(re.findall(r"sluice_courier_\w+", PAGE)) <= {metric.name for metric in CATALOGUE}
    named = set(re.findall(r"`((?:poll|scan|webhook|client)_\w+)", PAGE)) - {"client_secret"}
    assert named <= settings._NAMES


def test_the_brake_on_the_page_is_the_brake_in_force() -> None:
    assert f"{Settings().brake_share:.0%}".replace("%", " %") in PAGE
    assert Settings().brake_floor == 10
