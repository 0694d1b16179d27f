"""The page about parked work says what the commands take, and what the code does."""

from __future__ import annotations

import re
import shlex

import click
import pytest

from connectors.kit.operations import InDoubt
from schemas import topics
from schemas.topics import CATALOGUE, DAY_MS
from streams.cli import answers
from streams.cli.main import main
from streams.core import intents, outcome
from streams.core.desired import DISCARDED, Verdict
from streams.core.outcome import Limits
from streams.courier.verdicts import STALE
from streams.runtime import docs

PAGE = (docs.FOLDER / "tasks.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_on_the_page_is_taken_as_it_stands(line: str) -> None:
    _, *arguments = shlex.split(line, comments=True)
    command: click.Command | None = main
    while isinstance(command, click.Group):
        command = command.get_command(click.Context(command), arguments.pop(0))
    assert command is not None
    command.make_context("sluice", arguments)


def first_column(header: str) -> set[str]:
    table = PAGE.split(f"| {header} |", 1)[1].split("\n\n", 1)[0]
    return set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE))


def test_the_tables_name_what_there_is() -> None:
    assert first_column("reason") == {outcome.UNLINKED, outcome.UNKNOWN_OUTCOME}
    assert first_column("verdict") == {one.value for one in Verdict}
    assert first_column("rule") == {one.value for one in InDoubt}


def test_names_and_numbers_on_the_page_are_those_of_the_code() -> None:
    for name in (STALE, DISCARDED, outcome.EXPIRED):
        assert f"`{name}`" in PAGE
    assert f"every {Limits().unlinked_recheck:.0f} s" in PAGE
    assert f"{intents.TRUSTED:.0%} are used".replace("%", " %") in PAGE
    days = {CATALOGUE[topics.tasks(platform)].retention_ms // DAY_MS for platform in topics.PLATFORMS}
    assert days == {400}
    assert "400 days" in PAGE
    assert f"{answers.NOT_ASKED}: written" in PAGE
