"""The page about looking into an installation says what the commands take and how they end."""

from __future__ import annotations

import re
import shlex

import click
import pytest

from schemas import topics
from schemas.topics import CATALOGUE, DAY_MS
from streams.cli import answers, stateverify
from streams.cli.main import main
from streams.runtime import docs

PAGE = (docs.FOLDER / "inspecting.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
INLINE = re.findall(r"`(sluice (?:explain|state)[^`]*)`", PAGE)


@pytest.mark.parametrize("line", [*COMMANDS, *INLINE])
def test_every_command_on_the_page_is_taken_as_it_stands(line: str) -> None:
    _, *arguments = shlex.split(line.replace("[WHICH]", ""), comments=True)
    command: click.Command | None = main
    while isinstance(command, click.Group) and arguments:
        command = command.get_command(click.Context(command), arguments.pop(0))
    assert command is not None
    command.make_context("sluice", arguments, resilient_parsing=not arguments)


@pytest.mark.parametrize("option", sorted(set(re.findall(r"`(--[a-z-]+)", PAGE))))
def test_every_option_on_the_page_belongs_to_one_of_its_commands(option: str) -> None:
    from streams.cli.explain import explain
    from streams.cli.state import group

    known = {name for command in (explain, *group.commands.values()) for one in command.params for name in one.opts}
    assert option in known


def test_the_exit_codes_are_those_of_the_command() -> None:
    told = {int(code) for code in re.findall(r"^\| (\d) \|", PAGE, re.MULTILINE)}
    assert told == {stateverify.EQUAL, stateverify.DIFFERENT, answers.NOT_ASKED, stateverify.NOT_COMPARABLE}


def test_how_far_back_an_earlier_moment_can_be_told_is_what_the_topics_keep() -> None:
    days = {name: CATALOGUE[name].retention_ms // DAY_MS for name in (topics.DECISIONS, topics.CALLS)}
    days["events.price.v1"] = CATALOGUE["events.price.v1"].retention_ms // DAY_MS
    days["push.shopify.v1"] = CATALOGUE["push.shopify.v1"].retention_ms // DAY_MS
    assert list(days.values()) == [30, 30, 90, 3]
    assert "decisions and calls 30 days, events 90,\ntasks 3" in PAGE
